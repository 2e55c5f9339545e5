/* SPDX-License-Identifier: MIT */
/*
 * The harness of the benchmarks: clock, processes, rounds, results.
 *
 * A group is a list of contenders that are measured in turn, A B C A B C, for a number of rounds. What is
 * shown is the median over the rounds with its quartiles, and the median of the rounds' ratios, so that a
 * machine that changes its pace during the run does not favour anybody. The header is C and C++.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Two cache lines: processors fetch them in pairs, and neighbours must not be measured. */
#define BENCH_APART __attribute__((aligned(128)))
#define BENCH_OURS "shmstream"

/* ------------------------------------------------------------ the run */

struct bench_plan {
    bool quick; /* a smoke test: every line, few rounds */
    int rounds;
    double seconds; /* of one measurement */
};
extern struct bench_plan bench_plan;

/** One theme each, in its own file; they add their results in the order shown. */
void bench_limits(void);
void bench_sharing(void);
void bench_locks(void);
void bench_recovery(void);
void bench_copies(void);
void bench_snapshots(void);
void bench_wakeups(void);
void bench_opening(void);
void bench_channels(void);
void bench_dicts(void);
void bench_jars(void);

/* -------------------------------------------------------------- clock */

static inline uint64_t bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void bench_sleep(double seconds);

/** Nanoseconds for one turn of a loop; the count is chosen so that it runs for bench_plan.seconds. */
double bench_loop_ns(void (*loop)(const void *arg, uint64_t turns), const void *arg);

/* ---------------------------------------------------------- processes */

#if defined(__GNUC__)
__attribute__((noreturn, format(printf, 1, 2)))
#endif
void bench_die(const char *format, ...);

static inline int bench_load(const int *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void bench_store(int *p, int value)
{
    __atomic_store_n(p, value, __ATOMIC_RELEASE);
}

/** Wait, giving the processor away, until *p is `value`; dies after ten seconds. */
void bench_until(const int *p, int value);

/** The region or shared memory object of this run that serves `purpose`. */
const char *bench_name(const char *purpose);
/** Remove every name that bench_name() can give out. */
void bench_remove_names(void);

/** Zeroed memory that children share. */
void *bench_shared(size_t size);

/** fork(); the child dies with its parent. */
pid_t bench_fork(void);
/** Wait for a child, which must end well, or by SIGKILL if `killed`. */
void bench_reap(pid_t child, bool killed);

/** Stay on the first or second core that this process may use, if there are two; -1: on any again. */
void bench_pin(int which);

/** Processes, mostly two, on two cores, that do something at the same time until they are told to stop. */
enum { SIDES_MAX = 4 };
struct duel {
    int ready BENCH_APART;
    int go;
    int stop BENCH_APART;
    struct {
        uint64_t count; /* what the side has done */
        int failed;     /* a wrong result was seen */
    } BENCH_APART side[SIDES_MAX];
    uint64_t guarded BENCH_APART; /* for the use of the sides */
};
typedef void duel_fn(struct duel *d, int who, const void *arg);

/** Called by a side when it is set up: waits until all are. */
void bench_ready(struct duel *d);
/** Count one thing done, where the parent sees it. */
static inline void bench_did(struct duel *d, int who)
{
    __atomic_store_n(&d->side[who].count, d->side[who].count + 1, __ATOMIC_RELAXED);
}

/**
 * Run both sides for `seconds`, longer if one has not had a turn by then; returns the nanoseconds that they
 * had. Dies if a side failed.
 */
double bench_duel(struct duel *d, duel_fn *const fn[2], const void *arg, double seconds);
/** The same with so many sides, up to SIDES_MAX, that all do the same. */
double bench_contest(struct duel *d, duel_fn *fn, int sides, const void *arg, double seconds);

/* ------------------------------------------------------------ results */

struct reading {
    double value;
    double share; /* of the slower of two processes, in percent; 0 where it means nothing */
};

struct group {
    const char *key; /* for machines */
    const char *title;
    const char *unit;
    bool more_is_better;
    struct reading (*measure)(const void *arg);
};

struct contender {
    const char *name;
    const void *arg;
};

struct result {
    const char *key, *title, *name, *unit;
    bool more_is_better;
    double median, low, high; /* low and high: quartiles of the rounds */
    double p90, p99, max;     /* of single samples, where that was asked; else 0 */
    double ratio;             /* so many times as good is shmstream; 0 where there is nothing to compare */
    double share;
};

/** Measure all contenders in turn, for all rounds, and report them. */
void bench_group(const struct group *g, const struct contender *contenders, size_t count);
/** Report `count` samples of each contender (one array after another), as a distribution. */
void bench_samples(const struct group *g, const struct contender *contenders, size_t contender_count,
                   double *samples, size_t count);
/** Report one number that does not vary. */
void bench_figure(const struct group *g, const char *name, double value);
/** A line of explanation below a group. */
void bench_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

const struct result *bench_result(const char *key, const char *name);
void bench_print_head(void);
void bench_print_targets(void);
void bench_write_json(FILE *f);
/** What gnuplot reads: blocks named by the group's key. */
void bench_write_table(FILE *f);
/** True if every result is a positive number. */
bool bench_results_sound(void);

void bench_sort(double *v, size_t n);

/* The measuring side's own arithmetic, shared by report and harness. */
static inline double bench_quantile(const double *sorted, size_t n, double q)
{
    size_t i = (size_t)(q * (double)(n - 1) + 0.5);
    return sorted[i];
}

#ifdef __cplusplus
}
#endif

#endif
