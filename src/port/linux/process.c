/* SPDX-License-Identifier: MIT */
/* Linux: time, the lock of the process, and noticing a fork. */
#include "../../core/port.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t shms__now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

int64_t shms__wall_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

int64_t shms__wall_tick_ns(void)
{
    return clock_ns(CLOCK_REALTIME_COARSE);
}

int shms__random(void *buf, size_t n)
{
    ssize_t got;
    do
        got = getrandom(buf, n, 0);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)n ? 0 : shms__fail_os(got < 0 ? errno : EIO);
}

uint32_t shms__user(void)
{
    return (uint32_t)geteuid();
}

/*
 * ---- the page of this process
 *
 * The kernel wipes it in each child (MADV_WIPEONFORK), however that was made: by fork, by a bare clone system
 * call, while any thread was anywhere. So a child finds the lock free and is told by the word. Where the
 * kernel or an emulator has no wiping, the fork handler does the same, for children of fork alone.
 */
struct page {
    a32 word;  /* shms__fork_word */
    a32 pid;   /* 0: not asked yet */
    a64 lock;  /* the thread that has it, LOCK_AWAITED; 0: free */
    uint32_t again; /* how often its owner took it besides; the owner's alone */
};
static struct page first_page = {.word = {1}};
static struct page *own = &first_page;
a32 *shms__fork_word = &first_page.word;

uint32_t shms__pid(void)
{
    uint32_t pid = a32_load_relaxed(&own->pid); /* relaxed: a single value, right whenever it is found */
    if (pid == 0) {
        pid = (uint32_t)getpid();
        a32_store_relaxed(&own->pid, pid); /* relaxed: as above */
    }
    return pid;
}

/*
 * ---- one lock for the slow paths of this process
 *
 * Who takes part. Any thread, inside a frame (quiet.c), and never while it waits for what another process
 * can delay. The word names the owner in the same store that takes the lock; bit 0 says that somebody may
 * be asleep on it. The owner may take it again: fork handlers of the program run while ours hold it, and
 * may call the library, as may the handler of a crash in the middle of a call.
 */
#define LOCK_AWAITED 1ull
#define LOCK_SLEEP_NS 1000000000

static bool lock_is_mine(void)
{
    /* relaxed: if it is this thread, this thread wrote it */
    return (a64_load_relaxed(&own->lock) & ~LOCK_AWAITED) == shms__thread();
}

/* A thread that has slept cannot know whether others still do. */
static void wait_for_lock(uint64_t self)
{
    for (;;) {
        uint64_t seen = a64_load_relaxed(&own->lock); /* relaxed: repeated by the compare-and-swap */
        if (seen == 0 && a64_cas_acquire(&own->lock, &seen, self | LOCK_AWAITED)) /* acquire: as below */
            return;
        /* relaxed: orders nothing; if the word changes now, the futex call sees it */
        if (seen && ((seen & LOCK_AWAITED) || a64_cas_relaxed(&own->lock, &seen, seen | LOCK_AWAITED)))
            shms__sleep_on(a64_low_half(&own->lock), (uint32_t)(seen | LOCK_AWAITED), LOCK_SLEEP_NS);
    }
}

void shms__process_lock(void)
{
    shms__quiet_begin();
    uint64_t self = shms__thread(), nobody = 0;
    if (lock_is_mine())
        own->again++;
    else if (!a64_cas_acquire(&own->lock, &nobody, self)) /* acquire: pairs with the release in unlock */
        wait_for_lock(self);
}

void shms__process_unlock(void)
{
    /* Not so in a child of a crash handler that interrupted the owner: its lock was wiped. */
    if (lock_is_mine()) {
        if (own->again > 0)
            own->again--;
        /* release: what was done under it; pairs with the acquires above */
        else if (a64_exchange_release(&own->lock, 0) & LOCK_AWAITED)
            shms__wake(a64_low_half(&own->lock), 1);
    }
    shms__quiet_end();
}

/* ---- fork */

static const struct fork_hooks *hooks;
static uint32_t epoch = 1;
static uintptr_t forking; /* the thread that is between its prepare handler and what comes after; 0: none */

static void enter_child(void)
{
    bool prepared = forking == shms__thread();
    forking = 0;
    if (hooks)
        hooks->in_child(prepared);
    /* relaxed: private memory, and the caller has the lock */
    a32_store_relaxed(shms__fork_word, ++epoch);
}

void shms__fork_catch_up(void)
{
    /* relaxed: private memory, and the caller has the process lock */
    if (a32_load_relaxed(shms__fork_word) == 0)
        enter_child();
}

static void before_fork(void)
{
    shms__process_lock();
    shms__fork_catch_up();
    forking = shms__thread();
    if (hooks)
        hooks->before();
}

static void after_fork_in_parent(void)
{
    forking = 0;
    if (hooks)
        hooks->in_parent();
    shms__process_unlock();
}

static void after_fork_in_child(void)
{
    if (own == &first_page) /* not wiped */
        *own = (struct page){.word = {0}};
    shms__process_lock();
    shms__fork_catch_up(); /* unless a handler that came before this one called the library */
    shms__process_unlock();
    shms__quiet_end(); /* of before_fork */
}

/* ---- beginning */

/* Functions that a statically linked program does not have, nor need. */
#pragma weak dladdr
#pragma weak dlopen

/*
 * Fork handlers, the handler of SIGBUS and the bell's thread must not outlive their code: so what this is
 * linked into, a plugin perhaps, stays loaded. (What is no library, the program itself, dlopen refuses.)
 */
static void stay_loaded(void)
{
    Dl_info info;
    if (dladdr && dlopen && dladdr((void *)&first_page, &info) && info.dli_fname)
        (void)!dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

static void map_page(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return;
    if (madvise(p, size, MADV_WIPEONFORK)) {
        munmap(p, size);
        return;
    }
    own = p;
    a32_store_relaxed(&own->word, epoch); /* relaxed: no handle exists yet that could look at the word */
    shms__fork_word = &own->word;
}

/*
 * Before the program begins, or the plugin is used: so that handlers of fork which the program registers run
 * outside of these.
 */
static int begin_error = -1;

static __attribute__((constructor(101))) void begin(void)
{
    if (begin_error == 0)
        return;
    begin_error = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    if (begin_error)
        return;
    stay_loaded();
    map_page();
}

int shms__fork_setup(const struct fork_hooks *h)
{
    shms__process_lock();
    hooks = h;
    shms__fork_catch_up(); /* before a child's own handles are among those it inherited */
    shms__process_unlock();
    return begin_error ? shms__fail_os(begin_error) : 0;
}
