/* SPDX-License-Identifier: MIT */
/*
 * Linux: memory that is taken away is met by a handler of SIGBUS.
 *
 * Who takes part. A handle's own thread writes its entry; the handler, in any thread at any moment, reads
 * all. It must not wait: an entry whose turn is odd, or moves while it is read, is just being changed, so it
 * is not the one that the handler's own thread is working in. Entries are used again, but never freed.
 */
#include "../../core/port.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK 64
#define WRITABLE 1u /* in start, which is a multiple of the page size */

struct guard {
    a32 turn; /* odd while it is changed */
    bool used;
    a64 context;
    a64 start[GUARD_RANGES];
    a64 end[GUARD_RANGES];
};

struct block {
    struct guard guards[BLOCK];
    a64 next;
};

static struct block first;
static void (*lost)(void *context); /* set before the handler is */
static void (*filled)(void *memory);
static struct sigaction earlier;
static uintptr_t page;
static bool installed, off;

static struct block *next_of(const struct block *b)
{
    /* acquire: its zeros; pairs with the release in one_more */
    return (struct block *)(uintptr_t)a64_load_acquire(&b->next);
}

/* ---- in the handler */

/* Zeros in place of what is behind these addresses; the first ones of control say that it is lost. */
static bool replace(int which, uintptr_t from, uintptr_t size, int rights, bool begins)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return false;
    if (which == GUARD_CONTROL && begins)
        filled(p);
    if ((rights & PROT_WRITE) == 0)
        mprotect(p, size, rights);
    if (which != GUARD_DATA)
        madvise(p, size, MADV_DONTFORK); /* as what was there: a child of fork knows nothing of it */
    if (mremap(p, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)from) != MAP_FAILED)
        return true;
    munmap(p, size);
    return false;
}

/* Control is replaced as a whole; else what lies before stays readable. At best all that follows goes, so
 * that there is one fault, not one for each page. */
static bool mend(const struct guard *g, int which, uintptr_t address)
{
    /* acquire: the entry; pairs with the release in shms__guard_range */
    uint32_t turn = a32_load_acquire(&g->turn);
    /* relaxed: looked at again below */
    uintptr_t start = (uintptr_t)a64_load_relaxed(&g->start[which]);
    uintptr_t end = (uintptr_t)a64_load_relaxed(&g->end[which]);
    void *context = (void *)(uintptr_t)a64_load_relaxed(&g->context);
    fence_acquire(); /* pairs with fence_release in shms__guard_range */
    if ((turn & 1) || a32_load_relaxed(&g->turn) != turn || /* relaxed: ordered by the fence */
        address < (start & ~(uintptr_t)WRITABLE) || address >= end)
        return false;
    int rights = start & WRITABLE ? PROT_READ | PROT_WRITE : PROT_READ;
    uintptr_t from = which == GUARD_CONTROL ? start & ~(uintptr_t)WRITABLE : address & ~(page - 1);
    lost(context); /* before any zero can be read */
    if (replace(which, from, end - from, rights, true))
        return true;
    /* No room for all at once: of control a page after the other, of what may be huge only this one. */
    uintptr_t until = which == GUARD_CONTROL ? end : from + page;
    for (uintptr_t at = from; at < until; at += page)
        if (!replace(which, at, page, rights, at == from))
            return false;
    return true;
}

static bool ours(uintptr_t address)
{
    for (const struct block *b = &first; b; b = next_of(b))
        for (int i = 0; i < BLOCK; i++)
            for (int which = 0; which < GUARD_RANGES; which++)
                if (mend(&b->guards[i], which, address))
                    return true;
    return false;
}

/* In no region: as if this handler were not there. A fault happens again on return, and ends the process. */
static void pass_on(int number, siginfo_t *info, void *context)
{
    bool comes_again = info->si_code > 0 && info->si_code != BUS_MCEERR_AO;
    bool function = earlier.sa_handler != SIG_DFL && earlier.sa_handler != SIG_IGN;
    if (function && !(earlier.sa_flags & (int)SA_RESETHAND)) {
        if (earlier.sa_flags & SA_SIGINFO)
            earlier.sa_sigaction(number, info, context);
        else
            earlier.sa_handler(number);
        return;
    }
    if (earlier.sa_handler == SIG_IGN && !comes_again)
        return;
    sigaction(SIGBUS, &earlier, NULL);
    if (!comes_again)
        raise(SIGBUS);
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
    int e = errno;
    bool mended = info->si_code == BUS_ADRERR && ours((uintptr_t)info->si_addr);
    errno = e;
    if (!mended)
        pass_on(number, info, context);
}

/* ---- setting up; under the process lock */

static bool install(void)
{
    if (installed || off)
        return !off;
    const char *wish = secure_getenv("SHMSTREAM_GUARD");
    off = wish && strcmp(wish, "off") == 0;
    page = (uintptr_t)sysconf(_SC_PAGESIZE);
    if (off || sigaction(SIGBUS, NULL, &earlier))
        return false;
    struct sigaction a = {.sa_sigaction = on_sigbus, .sa_mask = earlier.sa_mask};
    a.sa_flags = SA_SIGINFO | SA_ONSTACK | (earlier.sa_flags & (SA_RESTART | SA_NODEFER));
    installed = sigaction(SIGBUS, &a, NULL) == 0;
    return installed;
}

static struct block *one_more(struct block *last)
{
    struct block *b = calloc(1, sizeof *b);
    if (b)
        /* release: its zeros; pairs with the acquire in next_of */
        a64_store_release(&last->next, (uintptr_t)b);
    return b;
}

static struct guard *free_entry(void)
{
    for (struct block *b = &first, *next; b; b = next) {
        for (int i = 0; i < BLOCK; i++)
            if (!b->guards[i].used)
                return &b->guards[i];
        next = next_of(b);
        if (!next)
            next = one_more(b);
    }
    return NULL;
}

int shms__guard_take(void *context, void (*on_lost)(void *), void (*fill)(void *), struct guard **ret)
{
    int rc = 0;
    shms__process_lock();
    lost = on_lost;
    filled = fill;
    if (install()) {
        *ret = free_entry();
        if (*ret) {
            (*ret)->used = true;
            /* relaxed: it has no ranges yet */
            a64_store_relaxed(&(*ret)->context, (uintptr_t)context);
        } else {
            rc = shms__fail(SHMS_E_NOMEM);
        }
    }
    shms__process_unlock();
    return rc;
}

void shms__guard_range(struct guard *g, int which, const void *start, uint64_t size, bool writable)
{
    if (!g)
        return;
    uint32_t odd = a32_load_relaxed(&g->turn) | 1; /* relaxed: only its handle writes it */
    a32_store_relaxed(&g->turn, odd);              /* relaxed: ordered by the fence */
    fence_release();                               /* pairs with fence_acquire in mend */
    /* relaxed: as above */
    a64_store_relaxed(&g->start[which], (uintptr_t)start | (writable ? WRITABLE : 0));
    a64_store_relaxed(&g->end[which], (uintptr_t)start + (size + page - 1) / page * page);
    a32_store_release(&g->turn, odd + 1); /* release: the range; pairs with the acquire in mend */
}

void shms__guard_drop(struct guard *g)
{
    for (int which = 0; which < GUARD_RANGES; which++)
        shms__guard_range(g, which, NULL, 0, false);
    shms__process_lock();
    if (g)
        g->used = false;
    shms__process_unlock();
}
