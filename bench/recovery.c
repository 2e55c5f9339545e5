/* SPDX-License-Identifier: MIT */
/*
 * A holder is killed: how long until another process has the lock, and knows. Once after the holder had to
 * wait for the lock itself, as one does whose lock is contended: by then its death bell hangs. And once in
 * the first section that it ever had.
 *
 * fcntl's lock is there as a limit: it tells nobody of a death, but its waiter has it as soon as the kernel
 * has closed the dead one's files, which is the proof of death that shmstream waits for.
 */
#include "lock.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static const struct contender contenders[] = {
    {BENCH_OURS, &lock_ours},
    {"pthread robust", &lock_robust},
    {"fcntl (OFD)", &lock_ofd},
};
enum { CONTENDER_COUNT = sizeof contenders / sizeof *contenders };

static struct scene {
    int held, asked;
    uint64_t taken_ns;
    int told;
} * scene;

static pid_t start_holder(const struct lock_kind *kind, bool waits)
{
    bench_store(&scene->held, 0);
    bench_store(&scene->asked, 0);
    if (waits)
        kind->lock();
    pid_t child = bench_fork();
    if (child == 0) {
        kind->join();
        bench_store(&scene->asked, 1);
        kind->lock();
        bench_store(&scene->held, 1);
        for (;;)
            pause();
    }
    bench_until(&scene->asked, 1);
    if (waits) {
        bench_sleep(5e-3);
        kind->unlock();
    }
    bench_until(&scene->held, 1);
    return child;
}

static pid_t start_waiter(const struct lock_kind *kind)
{
    bench_store(&scene->asked, 0);
    pid_t child = bench_fork();
    if (child == 0) {
        kind->join();
        bench_store(&scene->asked, 1);
        scene->told = kind->lock();
        scene->taken_ns = bench_now();
        kind->unlock();
        _exit(0);
    }
    bench_until(&scene->asked, 1);
    return child;
}

static void check_told(const struct lock_kind *kind, int told)
{
    if (!told && kind != &lock_ofd)
        bench_die("%s did not tell that the owner died", kind->name);
}

/** From just before kill() until the sleeping waiter holds the lock: milliseconds. */
static double waiter_recovers(const struct lock_kind *kind, bool holder_waited)
{
    pid_t holder = start_holder(kind, holder_waited), waiter = start_waiter(kind);
    /* Long enough for any waiter's pauses to have grown, and anywhere between two of its looks. */
    bench_sleep(40e-3 + 1e-6 * (rand() % 40000));
    uint64_t start = bench_now();
    kill(holder, SIGKILL);
    bench_reap(waiter, false);
    bench_reap(holder, true);
    check_told(kind, scene->told);
    return (double)(scene->taken_ns - start) / 1e6;
}

static double recovers(const struct lock_kind *kind)
{
    return waiter_recovers(kind, true);
}

static double recovers_first(const struct lock_kind *kind)
{
    return waiter_recovers(kind, false);
}

/** The holder is dead and gone before anybody asks: microseconds inside lock(). */
static double newcomer_recovers(const struct lock_kind *kind)
{
    pid_t holder = start_holder(kind, false);
    kill(holder, SIGKILL);
    bench_reap(holder, true);
    uint64_t start = bench_now();
    int told = kind->lock();
    uint64_t end = bench_now();
    kind->unlock();
    check_told(kind, told);
    return (double)(end - start) / 1e3;
}

static void distribution(const struct group *g, double (*recover)(const struct lock_kind *), size_t samples)
{
    double *v = calloc(CONTENDER_COUNT * samples, sizeof *v);
    for (size_t i = 0; v && i < samples; i++)
        for (size_t k = 0; k < CONTENDER_COUNT; k++)
            v[k * samples + i] = recover(contenders[k].arg);
    if (v)
        bench_samples(g, contenders, CONTENDER_COUNT, v, samples);
    free(v);
}

void bench_recovery(void)
{
    const struct group asleep = {"recovery", "killed holder, a waiter asleep", "ms", false, NULL};
    const struct group first = {"recovery-first", "the same, in the holder's first section", "ms", false,
                                NULL};
    const struct group newcomer = {"newcomer", "killed holder, a newcomer's lock()", "us", false, NULL};
    scene = bench_shared(sizeof *scene);
    distribution(&asleep, recovers, bench_plan.quick ? 4 : 300);
    distribution(&first, recovers_first, bench_plan.quick ? 4 : 300);
    distribution(&newcomer, newcomer_recovers, bench_plan.quick ? 4 : 300);
}
