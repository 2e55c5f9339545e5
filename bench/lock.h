/* SPDX-License-Identifier: MIT */
/*
 * Locks under test. Each kind brings its own loops, made by LOCK_KIND, so that its calls are direct calls
 * into its library, as in a user's program, and no pointer to a function stands between. The header is C and
 * C++.
 */
#ifndef BENCH_LOCK_H
#define BENCH_LOCK_H

#include "bench.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { RECORD_BYTES = 64 };

struct lock_kind {
    const char *name;
    void (*join)(void); /* in each new process, before anything else */
    void (*pairs)(const void *unused, uint64_t n);
    void (*exchanges)(const void *unused, uint64_t n);
    void (*turns)(struct duel *d, int who, const void *pause);
    int (*lock)(void); /* 1: it was told that the owner died, and has said that all is well */
    void (*unlock)(void);
};

extern const struct lock_kind lock_ours, lock_tasks, lock_rollback, lock_cas, lock_pthread, lock_robust,
    lock_sem, lock_boost, lock_flock, lock_ofd;

/** Make the objects of all kinds, and ours in the calling process. */
void locks_create(void);
void locks_close(void);
/** Make Boost's mutex in `memory` of 128 bytes, which is shared. */
void boost_create(void *memory);

/** Work that touches nothing shared; `*turns` comes from the machine's speed. */
static inline void pause_work(const void *turns)
{
    for (uint64_t n = *(const uint64_t *)turns; n > 0; n--)
        __asm__ volatile("" ::: "memory");
}

/*
 * lock_ and unlock_ of the tag, in the same file, are inlined here. `put` and `get` write and read the array
 * `record` under the lock.
 */
#define LOCK_KIND(tag, title, join, put, get)                           \
    static void pairs_##tag(const void *unused, uint64_t n)             \
    {                                                                   \
        (void)unused;                                                   \
        for (; n > 0; n--) {                                            \
            take_##tag();                                               \
            give_##tag();                                               \
        }                                                               \
    }                                                                   \
    static void exchanges_##tag(const void *unused, uint64_t n)         \
    {                                                                   \
        char record[RECORD_BYTES] = {1};                                \
        (void)unused;                                                   \
        for (; n > 0; n--) {                                            \
            take_##tag();                                               \
            put;                                                        \
            __asm__ volatile("" ::"r"(record) : "memory");              \
            get;                                                        \
            __asm__ volatile("" ::"r"(record) : "memory");              \
            give_##tag();                                               \
        }                                                               \
    }                                                                   \
    static void turns_##tag(struct duel *d, int who, const void *pause) \
    {                                                                   \
        join();                                                         \
        bench_ready(d);                                                 \
        while (!bench_load(&d->stop)) {                                 \
            take_##tag();                                               \
            d->guarded++;                                               \
            give_##tag();                                               \
            bench_did(d, who);                                          \
            pause_work(pause);                                          \
        }                                                               \
    }                                                                   \
    static int lock_##tag##_once(void)                                  \
    {                                                                   \
        return take_##tag();                                            \
    }                                                                   \
    static void unlock_##tag##_once(void)                               \
    {                                                                   \
        give_##tag();                                                   \
    }                                                                   \
    const struct lock_kind lock_##tag = {                               \
        title, join, pairs_##tag, exchanges_##tag, turns_##tag, lock_##tag##_once, unlock_##tag##_once};

#ifdef __cplusplus
}
#endif

#endif
