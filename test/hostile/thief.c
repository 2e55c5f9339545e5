/* SPDX-License-Identifier: MIT */
/* Wake-ups for nothing, and sleepers taken away to another word by futex requeues, beside two who count. */
#include "peers.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LONG_MS (STUCK_S * 1000)

static void strike(a32 *word, unsigned how)
{
    uint32_t now = a32_load_relaxed(word);
    long moved = 0;
    switch (how % 4) {
    case 0: moved = syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0); break;
    case 1: moved = syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0); break;
    case 2: moved = syscall(SYS_futex, word, FUTEX_REQUEUE, 0, (long)INT_MAX, &board->trap, 0); break;
    default: moved = syscall(SYS_futex, word, FUTEX_CMP_REQUEUE, 0, (long)INT_MAX, &board->trap, now); break;
    }
    if (moved > 0)
        count(&board->blows, (uint64_t)moved);
}

void thief(void)
{
    uint64_t state = 3, inode;
    await_ready(1);
    struct control *c = map_control(&inode);
    need(c != NULL);
    while (!stopped()) {
        uint64_t r = chance(&state);
        a32 *entry = &c->slots[r >> 40 & 1].readers[0];
        strike(r >> 4 & 1 ? entry : a64_low_half(r & 1 ? &c->cell : &c->version), (unsigned)(r >> 1 & 3));
        if (r >> 8 & 1) /* now and then, so that sleepers come to sleep at all */
            shms__nap((int64_t)(r >> 16 & 0xfffff));
    }
    munmap(c, sizeof *c);
}

/* A section that counts in the region and on the board: both agree, or two were inside at once. */
static void count_section(shms_stream *s, uint64_t r)
{
    uint64_t n = 0;
    need_is(shms_stream_lock(s, LONG_MS), 0);
    need_is((int)shms_stream_pread(s, &n, sizeof n, 0), (int)sizeof n);
    need(n == a64_load_relaxed(&board->sections));
    n++;
    if (r & 1)
        shms__nap((int64_t)(r >> 8 & 0x1fffff)); /* up to 2 ms: the other one sleeps */
    need_is((int)shms_stream_pwrite(s, &n, sizeof n, 0), (int)sizeof n);
    count(&board->sections, 1);
    need_is(shms_stream_unlock(s), 0);
    count(&board->calls, 4);
}

/* A reader finds both equal: no section is open beside it. */
static void look_at_counts(shms_stream *s, uint64_t r)
{
    uint64_t n = 0;
    need_is(shms_stream_lock_shared(s, LONG_MS), 0);
    need_is((int)shms_stream_pread(s, &n, sizeof n, 0), (int)sizeof n);
    if (r & 1)
        shms__nap((int64_t)(r >> 8 & 0x1fffff)); /* up to 2 ms: a writer sleeps on the entry */
    need(n == a64_load_relaxed(&board->sections));
    need_is(shms_stream_unlock(s), 0);
    count(&board->calls, 3);
}

static void count_until_stopped(uint64_t state, bool waits)
{
    shms_stream *s = open_region(SHMS_ACCESS_READ_WRITE);
    if (!waits)
        a32_store_release(&board->ready, 1);
    while (!stopped()) {
        uint64_t r = chance(&state);
        int64_t seen = shms_stream_version(s), before = seen;
        if (r >> 48 & 1)
            look_at_counts(s, r >> 49);
        else
            count_section(s, r);
        if (!waits)
            continue;
        seen = shms_stream_version(s);
        int rc = shms_stream_wait(s, &seen, (int)(r >> 32 & 15));
        need(rc == SHMS_E_TIMEOUT || (rc == 0 && seen > before));
    }
    shms_stream_close(s);
}

void robbed_first(void)
{
    count_until_stopped(4, false);
}

void robbed_second(void)
{
    await_ready(1);
    count_until_stopped(5, true);
}
