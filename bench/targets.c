/* SPDX-License-Identifier: MIT */
/* What the library sets out to reach, beside what this run has measured. */
#include "bench.h"
#include "machine.h"

/* What of a result is compared. */
enum measure { TIMES_AS_GOOD, TIME_OF_OURS, COST, P99, MEDIAN, SHARE, MORE };

struct target {
    const char *what;
    const char *key, *name; /* the peer's line for ratios, else the line itself */
    enum measure measure;
    bool at_least;
    double bound;
    const char *unit;
};

static const struct target targets[] = {
    {"lock+unlock uncontended, to pthread process-shared", "uncontended", "pthread process-shared",
     TIMES_AS_GOOD, true, 1.0, "x"},
    {"lock+unlock uncontended, to pthread robust", "uncontended", "pthread robust", TIMES_AS_GOOD, true, 1.5,
     "x"},
    {"the same with tasks, of its time", "uncontended", "shmstream, tasks", TIME_OF_OURS, false, 1.1, "x"},
    {"lock+rollback, of its time", "uncontended", "shmstream, lock+rollback", TIME_OF_OURS, false, 1.0, "x"},
    {"lock+unlock contended, to pthread robust", "contended", "pthread robust", TIMES_AS_GOOD, true, 1.5,
     "x"},
    {"contended: turns of the slower one", "contended", BENCH_OURS, SHARE, true, 30, "%"},
    {"shared lock+unlock uncontended, to pthread rwlock", "shared", "pthread rwlock", TIMES_AS_GOOD, true,
     1.0, "x"},
    {"two readers, of one's turns", "readers", "shmstream, one process", TIMES_AS_GOOD, true, 1.9, "x"},
    {"atomic section of 64 B, more than a plain one", "atomic-64", "shmstream, atomic", MORE, false, 60,
     "ns"},
    {"write of 1 MiB, to memcpy", "write-1M", "memcpy", TIMES_AS_GOOD, true, 0.95, "x"},
    {"write of 16 MiB, to memcpy", "write-16M", "memcpy", TIMES_AS_GOOD, true, 0.95, "x"},
    {"write of 64 MiB, to memcpy", "write-64M", "memcpy", TIMES_AS_GOOD, true, 0.95, "x"},
    {"read of 1 MiB, to memcpy", "read-1M", "memcpy", TIMES_AS_GOOD, true, 0.95, "x"},
    {"read of 16 MiB, to memcpy", "read-16M", "memcpy", TIMES_AS_GOOD, true, 0.95, "x"},
    {"read of 64 MiB, to memcpy", "read-64M", "memcpy", TIMES_AS_GOOD, true, 0.95, "x"},
    {"snapshot, a write each 10 us, to a bare seqlock", "snapshot", "bare seqlock", TIMES_AS_GOOD, true, 0.8,
     "x"},
    {"wait/notify round trip, of a bare futex's time", "round-trip", "bare futex", COST, false, 1.3, "x"},
    {"recovery, a waiter asleep, median", "recovery", BENCH_OURS, MEDIAN, false, 1, "ms"},
    {"recovery, a waiter asleep, of fcntl's own queue", "recovery", "fcntl (OFD)", COST, false, 1.3, "x"},
    {"recovery, a holder that never waited, p99", "recovery-first", BENCH_OURS, P99, false, 25, "ms"},
    {"recovery by a newcomer, p99", "newcomer", BENCH_OURS, P99, false, 100, "us"},
    {"open+close, of the bare calls' time", "open", "shm_open+mmap+munmap+close", COST, false, 4, "x"},
    {"dict: get, to LMDB", "dict-get", "LMDB", TIMES_AS_GOOD, true, 2, "x"},
    {"dict: get, two processes, to LMDB", "dict-get-two", "LMDB", TIMES_AS_GOOD, true, 3, "x"},
    {"dict: get, two processes, of one's", "dict-get-two", "shmstream, one process", TIMES_AS_GOOD, true, 1.5,
     "x"},
    {"dict: set, to LMDB", "dict-set", "LMDB", TIMES_AS_GOOD, true, 4, "x"},
    {"dict: 5% set, two processes, to LMDB", "dict-5", "LMDB", TIMES_AS_GOOD, true, 6, "x"},
    {"dict: 50% set, two processes, to LMDB", "dict-50", "LMDB", TIMES_AS_GOOD, true, 8, "x"},
    {"dict: 50% set, four processes, to LMDB", "dict-50-four", "LMDB", TIMES_AS_GOOD, true, 6, "x"},
    {"dict: p99 of a get, the writer stopped", "dict-stopped", "shmstream, no writer", COST, false, 1.5, "x"},
    {"dict: get, out of the cache, to LMDB", "dict-large", "LMDB", TIMES_AS_GOOD, true, 1.3, "x"},
    {"dict: memory of a record, of LMDB's", "dict-memory", "LMDB", COST, false, 2, "x"},
    {"jar: lookups of 20 cookies of 3,000", "jar-get", BENCH_OURS, MEDIAN, true, 0.5, "M/s"},
    {"jar: sets on a host that has 20", "jar-set", BENCH_OURS, MEDIAN, true, 0.05, "M/s"},
    {"control memory of a region", "control", BENCH_OURS, MEDIAN, false, 64, "KiB"},
    {"messages of 8 B, to ck_ring", "channel-8", "ck_ring", TIMES_AS_GOOD, true, 1.3, "x"},
    {"messages of 64 B, to ck_ring and a slab", "channel-64", "ck_ring", TIMES_AS_GOOD, true, 4, "x"},
    {"messages of 1 KiB, to ck_ring and a slab", "channel-1K", "ck_ring", TIMES_AS_GOOD, true, 3, "x"},
    {"messages of 64 KiB, to ck_ring and a slab", "channel-64K", "ck_ring", TIMES_AS_GOOD, true, 1, "x"},
    {"messages of 64 KiB, to Boost message_queue", "channel-64K", "Boost message_queue", TIMES_AS_GOOD, true,
     4, "x"},
    {"messages, two to two, to ck_ring", "channel-2-2", "ck_ring", TIMES_AS_GOOD, true, 0.75, "x"},
    {"messages, two to two, to Boost message_queue", "channel-2-2", "Boost message_queue", TIMES_AS_GOOD,
     true, 10, "x"},
    {"broadcast of 8 B, one to one", "broadcast", BENCH_OURS, MEDIAN, true, 60, "M/s"},
    {"broadcast of 8 B, one to each of four", "broadcast-4", BENCH_OURS, MEDIAN, true, 10, "M/s"},
    {"64 B there and back awake, of a bare flag's time", "channel-spin", "a flag and 64 moving bytes", COST,
     false, 1.1, "x"},
    {"64 B there and back asleep, of a bare futex's", "channel-sleep", "bare futex", COST, false, 1.1, "x"},
};
enum { TARGET_COUNT = sizeof targets / sizeof *targets };

static double reached(const struct target *t, const struct result *r)
{
    switch (t->measure) {
    case TIMES_AS_GOOD:
        return r->ratio;
    case TIME_OF_OURS:
        return r->ratio;
    case COST:
        return 1 / r->ratio;
    case P99:
        return r->p99;
    case SHARE:
        return r->share;
    case MORE:
        return r->median - bench_result(t->key, BENCH_OURS)->median;
    case MEDIAN:
        break;
    }
    return r->median;
}

static bool met(const struct target *t, double value)
{
    return t->at_least ? value >= t->bound : value <= t->bound;
}

void bench_print_targets(void)
{
    printf("\n%-54s %8s  %-13s %s\n", "what it must reach", "reached", "target", "met");
    for (size_t i = 0; i < TARGET_COUNT; i++) {
        const struct target *t = &targets[i];
        const struct result *r = bench_result(t->key, t->name);
        if (!r)
            continue; /* a size that a quick run or a small /dev/shm leaves out */
        double value = reached(t, r);
        printf("  %-52s %8.2f  %s %5g %-4s %s\n", t->what, value, t->at_least ? ">=" : "<=", t->bound,
               t->unit, met(t, value) ? "yes" : "NO");
    }
}

void targets_json(FILE *f)
{
    const char *comma = "";
    fputs("  \"targets\": [", f);
    for (size_t i = 0; i < TARGET_COUNT; i++) {
        const struct target *t = &targets[i];
        const struct result *r = bench_result(t->key, t->name);
        if (!r)
            continue;
        double value = reached(t, r);
        fprintf(f, "%s\n    {\"what\": \"%s\", \"reached\": %.4g, \"%s\": %g, \"unit\": \"%s\", \"met\": %s}",
                comma, t->what, value, t->at_least ? "at_least" : "at_most", t->bound, t->unit,
                met(t, value) ? "true" : "false");
        comma = ",";
    }
    fputs("\n  ]\n", f);
}
