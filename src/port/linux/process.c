/* SPDX-License-Identifier: MIT */
/* Linux: time, threads, and noticing a fork. */
#include "../../core/port.h"

#include <pthread.h>
#include <sys/mman.h>
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

void shms__nap(int64_t ns)
{
    struct timespec t = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    nanosleep(&t, NULL);
}

uint32_t shms__pid(void)
{
    return (uint32_t)getpid();
}

uint32_t shms__user(void)
{
    return (uint32_t)geteuid();
}

/* ---- one lock for all slow paths of this process, whole in a child of fork too */

static pthread_mutex_t process_mutex = PTHREAD_MUTEX_INITIALIZER;

void shms__process_lock(void)
{
    pthread_mutex_lock(&process_mutex);
}

void shms__process_unlock(void)
{
    pthread_mutex_unlock(&process_mutex);
}

/*
 * Two things tell a child that it is one. The fork handler counts the word up; and the page that the word
 * stands in is wiped by the kernel (MADV_WIPEONFORK), which also reaches children made by a bare clone
 * system call. Either is enough; where the kernel or an emulator has no wiping, the handler is alone.
 */
static a32 first_word = {1};
a32 *shms__fork_word = &first_word;
static uint32_t epoch = 1;
static void (*child_hook)(void);

static void enter_child(void)
{
    child_hook();
    /* relaxed: private memory of a process that has one thread at this moment */
    a32_store_relaxed(shms__fork_word, ++epoch);
}

static a32 forks;

uint32_t shms__forks(void)
{
    return a32_load_relaxed(&forks); /* relaxed: whoever asks about its own fork made it before */
}

static void after_fork_in_parent(void)
{
    a32_add_relaxed(&forks, 1); /* relaxed: as above */
    shms__process_unlock();
}

static void after_fork_in_child(void)
{
    enter_child();
    shms__process_unlock();
}

void shms__fork_catch_up(void)
{
    /* relaxed: private memory, and the caller has the process lock */
    if (a32_load_relaxed(shms__fork_word) == 0)
        enter_child();
}

static int fork_setup_locked(void (*on_child)(void))
{
    if (child_hook) {
        shms__fork_catch_up(); /* before a child's own handles are among those it inherited */
        return 0;
    }
    child_hook = on_child;
    int e = pthread_atfork(shms__process_lock, after_fork_in_parent, after_fork_in_child);
    if (e) {
        child_hook = NULL;
        return shms__fail_os(e);
    }
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return 0;
    if (madvise(p, page, MADV_WIPEONFORK)) {
        munmap(p, page);
        return 0;
    }
    /* relaxed: no handle exists yet that could look at the word */
    a32_store_relaxed(p, epoch);
    shms__fork_word = p;
    return 0;
}

int shms__fork_setup(void (*on_child)(void))
{
    shms__process_lock();
    int rc = fork_setup_locked(on_child);
    shms__process_unlock();
    return rc;
}
