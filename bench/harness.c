/* SPDX-License-Identifier: MIT */
/* Clock, processes and pairs of processes of the benchmarks. */
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void bench_die(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fputs("shms-bench: ", stderr);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
    _exit(1);
}

void bench_sleep(double seconds)
{
    struct timespec t = {.tv_sec = (time_t)seconds};
    t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        continue;
}

double bench_loop_ns(void (*loop)(const void *arg, uint64_t turns), const void *arg)
{
    /* The search for the count is also the warm-up. */
    uint64_t turns = 1;
    double want = bench_plan.seconds * 1e9, took = 0;
    for (;; turns *= 2) {
        uint64_t start = bench_now();
        loop(arg, turns);
        took = (double)(bench_now() - start);
        if (took >= want / 8)
            break;
    }
    turns = (uint64_t)((double)turns * want / took) + 1;
    uint64_t start = bench_now();
    loop(arg, turns);
    return (double)(bench_now() - start) / (double)turns;
}

void bench_until(const int *p, int value)
{
    uint64_t start = bench_now();
    while (bench_load(p) != value) {
        if (bench_now() - start > 10000000000u)
            bench_die("a process of the benchmark does not answer");
        sched_yield();
    }
}

void *bench_shared(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        bench_die("no memory");
    return p;
}

pid_t bench_fork(void)
{
    fflush(NULL);
    pid_t parent = getpid(), child = fork();
    if (child < 0)
        bench_die("cannot fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
    }
    return child;
}

void bench_reap(pid_t child, bool killed)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    bool well = killed ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
                       : WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!well)
        bench_die("a process of the benchmark ended with status %#x", (unsigned)status);
}

void bench_pin(int which)
{
    static cpu_set_t all;
    static bool known;
    if (!known && sched_getaffinity(0, sizeof all, &all) < 0)
        return;
    known = true;
    if (CPU_COUNT(&all) < 2)
        return;
    cpu_set_t one = all;
    if (which >= 0) {
        size_t cpu = 0;
        for (int seen = -1; cpu < CPU_SETSIZE; cpu++)
            if (CPU_ISSET(cpu, &all) && ++seen == which)
                break;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
    }
    sched_setaffinity(0, sizeof one, &one);
}

/* ---------------------------------------------------------------- duels */

void bench_ready(struct duel *d)
{
    __atomic_fetch_add(&d->ready, 1, __ATOMIC_ACQ_REL);
    bench_until(&d->go, 1);
}

/** A busy machine may leave a side without a processor for long. */
static void wait_for_turn(const uint64_t *count)
{
    for (int i = 0; __atomic_load_n(count, __ATOMIC_RELAXED) == 0; i++) {
        if (i == 10000)
            bench_die("a process of the benchmark gets no turn");
        bench_sleep(1e-3);
    }
}

static double run_sides(struct duel *d, duel_fn *const *fn, int sides, const void *arg, double seconds)
{
    pid_t child[SIDES_MAX];
    *d = (struct duel){.ready = 0};
    bench_pin(-1); /* learn the cores before a child narrows its own */
    for (int side = 0; side < sides; side++) {
        child[side] = bench_fork();
        if (child[side] == 0) {
            bench_pin(side % 2);
            fn[side](d, side, arg);
            _exit(0);
        }
    }
    bench_until(&d->ready, sides);
    uint64_t start = bench_now();
    bench_store(&d->go, 1);
    bench_sleep(seconds);
    for (int side = 0; side < sides; side++)
        wait_for_turn(&d->side[side].count);
    uint64_t end = bench_now();
    bench_store(&d->stop, 1);
    for (int side = 0; side < sides; side++) {
        bench_reap(child[side], false);
        if (d->side[side].failed)
            bench_die("a wrong result was seen");
    }
    return (double)(end - start);
}

double bench_duel(struct duel *d, duel_fn *const fn[2], const void *arg, double seconds)
{
    return run_sides(d, fn, 2, arg, seconds);
}

double bench_contest(struct duel *d, duel_fn *fn, int sides, const void *arg, double seconds)
{
    duel_fn *const all[SIDES_MAX] = {fn, fn, fn, fn};
    return run_sides(d, all, sides, arg, seconds);
}
