/* SPDX-License-Identifier: MIT */
/* The shared lock: alone, and by two readers at once. And what a journal costs. */
#include "bench.h"

#include <pthread.h>
#include <string.h>

#include <shmstream.h>

#define OURS_ALONE "shmstream, one process"
#define OURS_ATOMIC "shmstream, atomic"

static pthread_rwlock_t *rwlock;
static shms_stream *stream;
static struct duel *duel;

static void join(int atomic)
{
    shms_stream_options o = {.struct_size = sizeof o, .atomic = atomic != 0};
    int rc = shms_stream_open(bench_name(atomic ? "atomic" : "shared"), 4096, &o, &stream);
    if (rc < 0)
        bench_die("open: %s", shms_strerror(rc));
}

static void check(int64_t rc)
{
    if (rc < 0)
        bench_die("%s", shms_strerror((int)rc));
}

static void pairs_ours(const void *unused, uint64_t n)
{
    (void)unused;
    for (; n > 0; n--) {
        check(shms_stream_lock_shared(stream, -1));
        check(shms_stream_unlock(stream));
    }
}

static void pairs_rwlock(const void *unused, uint64_t n)
{
    (void)unused;
    for (; n > 0; n--) {
        if (pthread_rwlock_rdlock(rwlock) != 0)
            bench_die("pthread_rwlock_rdlock");
        pthread_rwlock_unlock(rwlock);
    }
}

/* Sections of 64 bytes. */
static void sections(const void *unused, uint64_t n)
{
    char record[64] = {1};
    (void)unused;
    for (; n > 0; n--) {
        check(shms_stream_lock(stream, -1));
        check(shms_stream_pwrite(stream, record, sizeof record, 0));
        check(shms_stream_unlock(stream));
    }
}

static struct way {
    void (*loop)(const void *unused, uint64_t n);
    int atomic;
    int readers;
} ours = {pairs_ours, 0, 2}, ours_alone = {pairs_ours, 0, 1}, peer = {pairs_rwlock, 0, 2},
  peer_alone = {pairs_rwlock, 0, 1}, plain = {sections, 0, 0}, journaled = {sections, 1, 0};

static struct reading measure_alone(const void *arg)
{
    const struct way *way = arg;
    join(way->atomic);
    struct reading r = {.value = bench_loop_ns(way->loop, NULL)};
    shms_stream_close(stream);
    return r;
}

static void turns(struct duel *d, int who, const void *arg)
{
    const struct way *way = arg;
    join(0);
    bench_ready(d);
    while (who < way->readers && !bench_load(&d->stop)) {
        way->loop(NULL, 64);
        bench_did(d, who);
    }
    bench_did(d, who); /* who only watches has had a turn, too */
    while (!bench_load(&d->stop))
        bench_sleep(1e-4);
}

static struct reading measure_readers(const void *arg)
{
    const struct way *way = arg;
    duel_fn *const fn[2] = {turns, turns};
    double ns = bench_duel(duel, fn, way, bench_plan.seconds * 4);
    uint64_t both = duel->side[0].count + (way->readers > 1 ? duel->side[1].count : 0);
    return (struct reading){.value = (double)both * 64 / ns * 1e3};
}

void bench_sharing(void)
{
    static const struct group alone = {"shared", "shared lock+unlock, uncontended", "ns", false,
                                       measure_alone};
    static const struct group readers = {"readers", "shared lock+unlock, two processes", "M/s", true,
                                         measure_readers};
    static const struct group atomic = {"atomic-64", "lock, write 64 B, unlock", "ns", false, measure_alone};
    const struct contender pair[] = {{BENCH_OURS, &ours}, {"pthread rwlock", &peer}};
    const struct contender many[] = {{BENCH_OURS, &ours},
                                     {OURS_ALONE, &ours_alone},
                                     {"pthread rwlock", &peer},
                                     {"pthread rwlock, one process", &peer_alone}};
    const struct contender two[] = {{BENCH_OURS, &plain}, {OURS_ATOMIC, &journaled}};
    pthread_rwlockattr_t a;
    duel = bench_shared(sizeof *duel);
    rwlock = bench_shared(sizeof *rwlock);
    pthread_rwlockattr_init(&a);
    pthread_rwlockattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
    pthread_rwlock_init(rwlock, &a);
    pthread_rwlockattr_destroy(&a);
    bench_group(&alone, pair, 2);
    bench_group(&readers, many, 4);
    bench_group(&atomic, two, 2);
}
