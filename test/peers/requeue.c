/* SPDX-License-Identifier: MIT */
/*
 * A process that may write a lock can also take away its sleepers: FUTEX_REQUEUE moves them to another
 * word, where nobody will wake them. The holder then gives the lock back; does the sleeper get it? (It
 * waits as long as it takes. A call with a time-out would end at that.)
 */
#include "peers.h"

#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOKS_MOST 5000 /* for the sleeper, one a millisecond */
#define LONG_ASLEEP_MS 100 /* so that the pauses of one who looks now and then have grown */

static long steal(unsigned char *bytes, size_t n, struct yard *yard)
{
    long moved = 0;
    for (size_t i = 0; i + 4 <= n; i += 4) {
        long rc = syscall(SYS_futex, bytes + i, FUTEX_REQUEUE, 0, (long)INT_MAX, &yard->trap, 0);
        moved += rc > 0 ? rc : 0;
    }
    return moved;
}

static _Noreturn void sleeper(const struct lock *lock, const struct place *at)
{
    raise(SIGSTOP);
    void *c = lock->enter(at, false);
    int rc = lock->take(c, -1);
    at->yard->when_ns = now_ns();
    _exit(rc == GOT ? 0 : 1);
}

struct theft {
    const struct place *at;
    pid_t pid;
    void *c;
    bool stolen;
    int64_t given_ns;
};

static void take_all(const struct lock *lock, struct theft *all, unsigned n, struct crowd *crowd)
{
    for (unsigned i = 0; i < n; i++) { /* before anything is open here: LMDB does not go across fork */
        all[i].at = crowd_place(i);
        all[i].pid = crowd_fork(crowd);
        if (all[i].pid == 0)
            sleeper(lock, all[i].at);
        crowd_await_stopped(all[i].pid);
    }
    for (unsigned i = 0; i < n; i++) {
        all[i].c = lock->enter(all[i].at, true);
        lock->take(all[i].c, -1);
        crowd_go(all[i].pid);
    }
}

static void steal_one(const struct lock *lock, struct theft *t)
{
    size_t n;
    unsigned char *bytes = lock->shared(t->c, &n);
    for (unsigned looks = 0; looks < LOOKS_MOST && !t->stolen; looks++) {
        t->stolen = steal(bytes, n, t->at->yard) > 0;
        if (!t->stolen)
            nap_ms(1);
    }
    t->given_ns = now_ns();
    lock->give(t->c);
}

static void row(const struct lock *lock, unsigned trials)
{
    struct theft all[CROWD_MOST] = {{.stolen = false}};
    struct crowd crowd = {.n = 0};
    unsigned tally[OUTCOMES] = {0}, stolen = 0;
    int64_t worst = 0;
    take_all(lock, all, trials, &crowd);
    nap_ms(LONG_ASLEEP_MS);
    for (unsigned i = 0; i < trials; i++)
        steal_one(lock, &all[i]);
    crowd_judge(&crowd, tally);
    for (unsigned i = 0; i < trials; i++) {
        int64_t ns = all[i].at->yard->when_ns - all[i].given_ns;
        worst = ns > worst ? ns : worst;
        stolen += all[i].stolen;
        lock->leave(all[i].c);
    }
    names_wipe();
    printf("  %-27s %6u %6u %6u %6u", lock->name, trials, stolen, tally[0], tally[HUNG]);
    printf(tally[0] ? " %8.1f\n" : "\n", (double)worst / 1e6);
    if (lock == &lock_ours && tally[0] != trials)
        complain("a stolen sleeper never woke", lock->name);
    if (lock == &lock_mutex && tally[HUNG] == 0)
        complain("nobody hung, though they must", lock->name);
}

void blow_requeue(unsigned trials)
{
    static const struct lock *const locks[] = {&lock_ours, &lock_mutex, &lock_robust, &lock_rwlock, &lock_sem,
                                               &lock_boost, &lock_lmdb};
    printf("\na sleeper moved to another word, then the lock is released: does it wake?\n"
           "  %-27s %6s %6s %6s %6s %8s\n", "", "trials", "moved", "wakes", "never", "worst ms");
    for (size_t i = 0; i < rows_of(sizeof locks / sizeof *locks); i++)
        row(locks[i], trials);
}
