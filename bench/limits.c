/* SPDX-License-Identifier: MIT */
/* What the machine gives in this hour, library or not: no contender can do better. */
#include "bench.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

static void system_call(const void *unused, uint64_t n)
{
    (void)unused;
    for (; n > 0; n--)
        syscall(SYS_getppid);
}

static struct reading measure_call(const void *unused)
{
    return (struct reading){.value = bench_loop_ns(system_call, unused)};
}

/* One line of the cache goes to and fro: even is side 0's turn. */
static void bounce(struct duel *d, int who, const void *unused)
{
    (void)unused;
    bench_ready(d);
    uint64_t spins = 0;
    while (!bench_load(&d->stop)) {
        if ((__atomic_load_n(&d->guarded, __ATOMIC_ACQUIRE) & 1) != (uint64_t)who) {
            if (++spins % 1024 == 0)
                sched_yield(); /* where there is only one core */
            continue;
        }
        __atomic_fetch_add(&d->guarded, 1, __ATOMIC_RELEASE);
        bench_did(d, who);
    }
}

static struct reading measure_bounce(const void *duel)
{
    /* The groups keep their arguments const; this one is the shared memory itself. */
    struct duel *d = *(struct duel *const *)duel;
    duel_fn *const fn[2] = {bounce, bounce};
    double ns = bench_duel(d, fn, NULL, bench_plan.seconds * 2);
    return (struct reading){.value = ns / (double)d->side[0].count};
}

void bench_limits(void)
{
    struct duel *duel = bench_shared(sizeof *duel);
    const struct group call = {"limit-call", "bare limit: system call", "ns", false, measure_call};
    const struct group line = {"limit-line", "bare limit: cache line between two cores", "ns", false,
                               measure_bounce};
    const struct contender getppid_call = {"getppid", NULL}, bouncing = {"round trip", &duel};
    bench_group(&call, &getppid_call, 1);
    bench_group(&line, &bouncing, 1);
}
