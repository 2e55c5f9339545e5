/* SPDX-License-Identifier: MIT */
/* Lock and unlock: alone, by two processes at once, handed to a sleeper, and with 64 bytes written and read.
 */
#include "lock.h"

#include <stdlib.h>
#include <unistd.h>

#ifdef SHMS_BENCH_NO_BOOST
#define BOOST_CONTENDER
#else
#define BOOST_CONTENDER {"Boost interprocess_mutex", &lock_boost},
#endif

static const struct contender contenders[] = {
    {BENCH_OURS, &lock_ours}, {"pthread process-shared", &lock_pthread}, {"pthread robust", &lock_robust},
    {"sem_t", &lock_sem},     BOOST_CONTENDER{"flock", &lock_flock},     {"fcntl (OFD)", &lock_ofd},
};
enum { CONTENDER_COUNT = sizeof contenders / sizeof *contenders };

static struct reading measure_pairs(const void *arg)
{
    const struct lock_kind *kind = arg;
    return (struct reading){.value = bench_loop_ns(kind->pairs, NULL)};
}

static struct reading measure_exchanges(const void *arg)
{
    const struct lock_kind *kind = arg;
    return (struct reading){.value = bench_loop_ns(kind->exchanges, NULL)};
}

/* ------------------------------------------------- two at the same time */

static struct duel *duel;
static uint64_t pause_turns; /* of pause_work() between two turns of a process */

static void work(const void *turns, uint64_t n)
{
    for (; n > 0; n--)
        pause_work(turns);
}

static struct reading measure_duel(const void *arg)
{
    const struct lock_kind *kind = arg;
    duel_fn *const fn[2] = {kind->turns, kind->turns};
    double ns = bench_duel(duel, fn, &pause_turns, bench_plan.seconds * 4);
    uint64_t a = duel->side[0].count, b = duel->side[1].count, slower = a < b ? a : b;
    if (a + b != duel->guarded)
        bench_die("%s let two processes in at once", kind->name);
    return (struct reading){.value = (double)(a + b) / ns * 1e3,
                            .share = 100.0 * (double)slower / (double)(a + b)};
}

static void contended(void)
{
    const struct group back_to_back = {"contended", "lock+unlock, two processes", "M/s", true, measure_duel};
    const struct group with_work = {"contended-100ns", "lock+unlock, two processes, 100 ns between", "M/s",
                                    true, measure_duel};
    duel = bench_shared(sizeof *duel);
    pause_turns = 0;
    bench_group(&back_to_back, contenders, CONTENDER_COUNT);
    pause_turns = 1000;
    pause_turns = (uint64_t)(100 * 1000 / bench_loop_ns(work, &pause_turns));
    bench_group(&with_work, contenders, CONTENDER_COUNT);
}

/* ------------------------------------------------- handed to a sleeper */

enum { HANDOFF_SAMPLES_MAX = 1024 };

static struct handoff {
    int held, asked, done;
    uint64_t released_ns BENCH_APART;
    double took_us[HANDOFF_SAMPLES_MAX] BENCH_APART;
} * handoff;

/** Holds the lock until the other must be asleep in it. */
static void giver(const struct lock_kind *kind, int samples)
{
    for (int i = 1; i <= samples; i++) {
        kind->lock();
        bench_store(&handoff->held, i);
        bench_until(&handoff->asked, i);
        bench_sleep(300e-6 + 1e-6 * (rand() % 1000));
        handoff->released_ns = bench_now();
        kind->unlock();
        bench_until(&handoff->done, i);
    }
}

static void taker(const struct lock_kind *kind, int samples)
{
    for (int i = 1; i <= samples; i++) {
        bench_until(&handoff->held, i);
        bench_store(&handoff->asked, i);
        kind->lock();
        handoff->took_us[i - 1] = (double)(bench_now() - handoff->released_ns) / 1e3;
        kind->unlock();
        bench_store(&handoff->done, i);
    }
}

static void hand_off(const struct lock_kind *kind, int samples, double *ret)
{
    pid_t child[2];
    handoff->held = handoff->asked = handoff->done = 0;
    for (int who = 0; who < 2; who++) {
        child[who] = bench_fork();
        if (child[who] == 0) {
            bench_pin(who);
            kind->join();
            (who == 0 ? giver : taker)(kind, samples);
            _exit(0);
        }
    }
    for (int who = 0; who < 2; who++)
        bench_reap(child[who], false);
    for (int i = 0; i < samples; i++)
        ret[i] = handoff->took_us[i];
}

static void handed(void)
{
    const struct group g = {"hand-off", "hand-off to a sleeping waiter", "us", false, NULL};
    int rounds = bench_plan.rounds, samples = bench_plan.quick ? 3 : 30;
    size_t each = (size_t)(rounds * samples);
    double *v = calloc(CONTENDER_COUNT * each, sizeof *v);
    handoff = bench_shared(sizeof *handoff);
    for (int i = 0; v && i < rounds; i++)
        for (size_t k = 0; k < CONTENDER_COUNT; k++)
            hand_off(contenders[k].arg, samples, v + k * each + (size_t)(i * samples));
    if (v)
        bench_samples(&g, contenders, CONTENDER_COUNT, v, each);
    free(v);
}

void bench_locks(void)
{
    const struct group alone = {"uncontended", "lock+unlock, uncontended", "ns", false, measure_pairs};
    const struct group record = {"record-64", "lock, write 64 B, read 64 B, unlock", "ns", false,
                                 measure_exchanges};
    struct contender all[CONTENDER_COUNT + 3] = {
        {"bare CAS pair", &lock_cas}, {lock_tasks.name, &lock_tasks}, {lock_rollback.name, &lock_rollback}};
    for (size_t k = 0; k < CONTENDER_COUNT; k++)
        all[k + 3] = contenders[k];
    bench_group(&alone, all, CONTENDER_COUNT + 3);
    bench_group(&record, contenders, CONTENDER_COUNT);
    contended();
    handed();
}
