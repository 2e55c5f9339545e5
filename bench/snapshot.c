/* SPDX-License-Identifier: MIT */
/* Reading a record of 256 bytes as a whole while another process writes it. */
#include "bench.h"

#include <pthread.h>
#include <string.h>

#include <shmstream.h>

enum { RECORD_BYTES = 256, WRITE_EVERY_NS = 10000 };

struct record {
    uint64_t word[RECORD_BYTES / 8];
};

/* The bare seqlock: no owner, no crash, no version that anybody could wait for. */
static struct shared {
    uint32_t version BENCH_APART;
    pthread_mutex_t mutex BENCH_APART;
    pthread_rwlock_t rwlock BENCH_APART;
    struct record record BENCH_APART;
} * shared;
static shms_stream *stream;

/** A number that the compiler cannot know, so that nobody's copy is unrolled. */
static inline size_t record_bytes(void)
{
    size_t n = RECORD_BYTES;
    __asm__ volatile("" : "+r"(n));
    return n;
}

/* --------------------------------------------- each way, write and read */

static void write_ours(const struct record *r)
{
    if (shms_stream_lock(stream, -1) != 0 || shms_stream_pwrite(stream, r, record_bytes(), 0) < 0 ||
        shms_stream_unlock(stream) != 0)
        bench_die("writing the record");
}

static inline void read_ours(struct record *r)
{
    int64_t rc = shms_stream_snapshot(stream, r, record_bytes(), 0);
    if (rc != RECORD_BYTES)
        bench_die("snapshot: %s", shms_strerror((int)rc));
}

static void write_seqlock(const struct record *r)
{
    uint32_t v = shared->version;
    __atomic_store_n(&shared->version, v + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    memcpy(&shared->record, r, record_bytes());
    __atomic_store_n(&shared->version, v + 2, __ATOMIC_RELEASE);
}

static inline void read_inlined(struct record *r)
{
    for (;;) {
        uint32_t v = __atomic_load_n(&shared->version, __ATOMIC_ACQUIRE);
        if (v & 1)
            continue;
        memcpy(r, &shared->record, record_bytes());
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&shared->version, __ATOMIC_RELAXED) == v)
            return;
    }
}

/* A call, as all the others here are: shmstream is called too, not inlined. The inlined one is shown beside.
 */
static __attribute__((noinline)) void read_seqlock(struct record *r)
{
    read_inlined(r);
}

static void write_rwlock(const struct record *r)
{
    pthread_rwlock_wrlock(&shared->rwlock);
    memcpy(&shared->record, r, record_bytes());
    pthread_rwlock_unlock(&shared->rwlock);
}

static inline void read_rwlock(struct record *r)
{
    pthread_rwlock_rdlock(&shared->rwlock);
    memcpy(r, &shared->record, record_bytes());
    pthread_rwlock_unlock(&shared->rwlock);
}

static void write_mutex(const struct record *r)
{
    pthread_mutex_lock(&shared->mutex);
    memcpy(&shared->record, r, record_bytes());
    pthread_mutex_unlock(&shared->mutex);
}

static inline void read_mutex(struct record *r)
{
    pthread_mutex_lock(&shared->mutex);
    memcpy(r, &shared->record, record_bytes());
    pthread_mutex_unlock(&shared->mutex);
}

/* ---------------------------------------------------------- the two sides */

struct way {
    void (*write)(const struct record *);
    duel_fn *reader;
};

static void join(void)
{
    int rc = shms_stream_open(bench_name("record"), 0, NULL, &stream);
    if (rc < 0)
        bench_die("open: %s", shms_strerror(rc));
}

/* Every word of a record is the same number, so a torn one shows: its first and last words differ. */
#define READER(tag)                                                    \
    static void reader_##tag(struct duel *d, int who, const void *arg) \
    {                                                                  \
        struct record r;                                               \
        (void)arg;                                                     \
        join();                                                        \
        bench_ready(d);                                                \
        while (!bench_load(&d->stop)) {                                \
            read_##tag(&r);                                            \
            __asm__ volatile("" ::"r"(&r) : "memory");                 \
            if (r.word[0] != r.word[RECORD_BYTES / 8 - 1])             \
                d->side[who].failed = 1;                               \
            bench_did(d, who);                                         \
        }                                                              \
    }

READER(ours)
READER(seqlock)
READER(inlined)
READER(rwlock)
READER(mutex)

static void write_once(const struct way *way, uint64_t number)
{
    struct record r;
    for (size_t i = 0; i < RECORD_BYTES / 8; i++)
        r.word[i] = number;
    way->write(&r);
}

static void write_paced(struct duel *d, int who, const void *arg)
{
    join();
    bench_ready(d);
    uint64_t next = bench_now();
    for (uint64_t n = 1; !bench_load(&d->stop); n++) {
        write_once(arg, n);
        bench_did(d, who);
        for (next += WRITE_EVERY_NS; bench_now() < next && !bench_load(&d->stop);)
            continue;
    }
}

static void write_flat_out(struct duel *d, int who, const void *arg)
{
    join();
    bench_ready(d);
    for (uint64_t n = 1; !bench_load(&d->stop); n++) {
        write_once(arg, n);
        bench_did(d, who);
    }
}

static struct duel *duel;

static struct reading run(const struct way *way, duel_fn *writer)
{
    duel_fn *const fn[2] = {way->reader, writer};
    double ns = bench_duel(duel, fn, way, bench_plan.seconds * 4);
    return (struct reading){.value = (double)duel->side[0].count / ns * 1e3};
}

static struct reading measure_paced(const void *arg)
{
    return run(arg, write_paced);
}

static struct reading measure_flat_out(const void *arg)
{
    return run(arg, write_flat_out);
}

static void create(void)
{
    pthread_mutexattr_t ma;
    pthread_rwlockattr_t ra;
    shared = bench_shared(sizeof *shared);
    duel = bench_shared(sizeof *duel);
    pthread_mutexattr_init(&ma);
    pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared->mutex, &ma);
    pthread_mutexattr_destroy(&ma);
    pthread_rwlockattr_init(&ra);
    pthread_rwlockattr_setpshared(&ra, PTHREAD_PROCESS_SHARED);
    pthread_rwlock_init(&shared->rwlock, &ra);
    pthread_rwlockattr_destroy(&ra);
    int rc = shms_stream_open(bench_name("record"), 4096, NULL, &stream);
    if (rc < 0)
        bench_die("open: %s", shms_strerror(rc));
}

void bench_snapshots(void)
{
    static const struct way ways[] = {{write_ours, reader_ours},
                                      {write_seqlock, reader_seqlock},
                                      {write_seqlock, reader_inlined},
                                      {write_mutex, reader_mutex},
                                      {write_rwlock, reader_rwlock}};
    static const struct contender contenders[] = {{BENCH_OURS, &ways[0]},
                                                  {"bare seqlock", &ways[1]},
                                                  {"bare seqlock, inlined", &ways[2]},
                                                  {"pthread mutex", &ways[3]},
                                                  {"pthread rwlock", &ways[4]}};
    enum { COUNT = sizeof contenders / sizeof *contenders };
    const struct group paced = {"snapshot", "reads of 256 B, a write each 10 us", "M/s", true, measure_paced};
    const struct group flat_out = {"snapshot-busy", "reads of 256 B, writer flat out", "M/s", true,
                                   measure_flat_out};
    create();
    bench_group(&paced, contenders, COUNT);
    bench_group(&flat_out, contenders, COUNT);
    shms_stream_close(stream);
}
