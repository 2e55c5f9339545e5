/* SPDX-License-Identifier: MIT */
/*
 * shms-bench: what the library does beside what its peers do, in one run.
 *
 * The first process only watches: whatever becomes of the one that measures, nothing is left behind.
 */
#include "lock.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shmstream.h>

struct bench_plan bench_plan = {.rounds = 11, .seconds = 0.025};

struct order {
    const char *json, *table, *only;
};

static void lock_theme(void)
{
    locks_create();
    bench_locks();
    locks_close();
}

static void recovery_theme(void)
{
    locks_create();
    bench_recovery();
    locks_close();
}

static const struct theme {
    const char *name;
    void (*run)(void);
} themes[] = {
    {"limit", bench_limits}, {"lock", lock_theme},          {"sharing", bench_sharing},
    {"recovery", recovery_theme},
    {"copy", bench_copies},  {"snapshot", bench_snapshots}, {"wakeup", bench_wakeups},
    {"open", bench_opening}, {"channel", bench_channels},   {"dict", bench_dicts},
    {"jar", bench_jars},
};
enum { THEME_COUNT = sizeof themes / sizeof *themes };

static const char *const purposes[] = {"lock", "shared", "atomic", "copy", "record", "ping", "pong", "open",
                                       "bare", "channel", "queue", "dict", "dict-large", "lmdb", "lmdb-lock",
                                       "lmdb-large", "lmdb-large-lock", "sqlite", "sqlite-wal", "sqlite-shm",
                                       "jar"};
enum { PURPOSE_COUNT = sizeof purposes / sizeof *purposes, TIME_LIMIT_S = 900, QUICK_TIME_LIMIT_S = 100 };

static char names[PURPOSE_COUNT][64];

static void make_names(void)
{
    for (size_t i = 0; i < PURPOSE_COUNT; i++)
        snprintf(names[i], sizeof names[i], "shms-bench-%ld-%s", (long)getpid(), purposes[i]);
}

const char *bench_name(const char *purpose)
{
    for (size_t i = 0; i < PURPOSE_COUNT; i++)
        if (strcmp(purposes[i], purpose) == 0)
            return names[i];
    bench_die("no name for %s", purpose);
}

void bench_remove_names(void)
{
    for (size_t i = 0; i < PURPOSE_COUNT; i++) {
        shms_stream_unlink(names[i]);
        shm_unlink(names[i]);
    }
}

static void write_file(const char *path, void (*write)(FILE *))
{
    FILE *f = path ? fopen(path, "w") : NULL;
    if (!path)
        return;
    if (!f)
        bench_die("cannot write %s: %s", path, strerror(errno));
    write(f);
    if (fclose(f) != 0)
        bench_die("cannot write %s: %s", path, strerror(errno));
}

static void measure_all(const struct order *order)
{
    bench_print_head();
    for (size_t i = 0; i < THEME_COUNT; i++)
        if (!order->only || strcmp(order->only, themes[i].name) == 0)
            themes[i].run();
    bench_print_targets();
    write_file(order->json, bench_write_json);
    write_file(order->table, bench_write_table);
    fflush(NULL);
    if (!bench_results_sound())
        bench_die("nothing measured, or a figure that is not a positive number");
}

/** Wait for the measuring process, a signal, or the end of patience; returns the exit status. */
static int watch(pid_t child, const sigset_t *signals)
{
    struct timespec patience = {bench_plan.quick ? QUICK_TIME_LIMIT_S : TIME_LIMIT_S, 0};
    int status = 0, got;
    do
        got = sigtimedwait(signals, NULL, &patience);
    while (got < 0 && errno == EINTR);
    if (got != SIGCHLD) {
        fputs(got < 0 ? "shms-bench: takes too long\n" : "shms-bench: interrupted\n", stderr);
        kill(child, SIGKILL);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    if (got == SIGCHLD)
        fprintf(stderr, "shms-bench: signal %d\n", WTERMSIG(status));
    return 1;
}

static int run(const struct order *order)
{
    sigset_t signals, before;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, &before);
    make_names();
    pid_t child = bench_fork();
    if (child == 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        measure_all(order);
        _exit(0);
    }
    int status = watch(child, &signals);
    bench_remove_names();
    return status;
}

static int usage(FILE *f)
{
    fputs("usage: shms-bench [--quick] [--only THEME] [--json FILE] [--table FILE]\n"
          "Measures shmstream and its peers side by side.\n"
          "  --only THEME  limit, lock, sharing, recovery, copy, snapshot, wakeup, open, channel or dict\n"
          "  --quick       a smoke test: every kind of line, figures of no worth\n"
          "  --json FILE   the results for programs\n"
          "  --table FILE  the results for gnuplot\n",
          f);
    return f == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
    struct order order = {NULL, NULL, NULL};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0)
            bench_plan = (struct bench_plan){.quick = true, .rounds = 2, .seconds = 0.002};
        else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc)
            order.json = argv[++i];
        else if (strcmp(argv[i], "--table") == 0 && i + 1 < argc)
            order.table = argv[++i];
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            order.only = argv[++i];
        else
            return usage(strcmp(argv[i], "--help") == 0 ? stdout : stderr);
    }
    return run(&order);
}
