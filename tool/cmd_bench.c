/* SPDX-License-Identifier: MIT */
/* A measurement of a second or two on the machine at hand. What its figures are worth beside others' is the
 * business of the project's own benchmark; this one answers "is it sane here?". */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "show.h"
#include "system.h"

enum { REGION = 1 << 20, BATCHES = 9, BATCH_NS = 20000000, PARTNER_MS = 1000 };

typedef struct bench {
    char name[32], echo_name[32];
    shms_stream *s;    /* what is measured */
    shms_stream *echo; /* what the partner process answers in */
    int64_t seen;     /* by this process, of echo */
    int64_t answered; /* by the partner, of s */
    char buf[REGION];
} bench;

/* One operation; false if it failed. */
typedef bool operation(bench *b);

static bool lock_unlock(bench *b)
{
    return shms_stream_lock(b->s, -1) >= 0 && shms_stream_unlock(b->s) == 0;
}

static bool write_read(bench *b)
{
    if (shms_stream_lock(b->s, -1) < 0)
        return false;
    bool ok = shms_stream_pwrite(b->s, b->buf, 64, 0) == 64 && shms_stream_pread(b->s, b->buf, 64, 0) == 64;
    return shms_stream_unlock(b->s) == 0 && ok;
}

static bool snapshot(bench *b)
{
    return shms_stream_snapshot(b->s, b->buf, 256, 0) == 256;
}

static bool copy(bench *b)
{
    return shms_stream_pwrite(b->s, b->buf, REGION, 0) == REGION;
}

static bool open_close(bench *b)
{
    shms_stream *again;
    if (shms_stream_open(b->name, 0, NULL, &again) < 0)
        return false;
    shms_stream_close(again);
    return true;
}

static bool round_trip(bench *b)
{
    return shms_stream_notify(b->s) == 0 && shms_stream_wait(b->echo, &b->seen, PARTNER_MS) == 0;
}

/* The partner: answer each change of the one stream by a change of the other, while the first lives. */
static void answer(void *context)
{
    bench *b = context;
    int64_t seen = b->answered;
    for (;;) {
        int rc = shms_stream_wait(b->s, &seen, PARTNER_MS);
        if (system_partner_orphaned() || (rc < 0 && rc != SHMS_E_TIMEOUT) ||
            (rc == 0 && shms_stream_notify(b->echo) < 0))
            return;
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Nanoseconds an operation, the median of the batches; negative if one failed. */
static double measure(bench *b, operation *op)
{
    double ns[BATCHES];
    for (int i = 0; i < BATCHES; i++) {
        int64_t start = system_clock_ns(), end = start, done = 0, step = 1;
        while (end - start < BATCH_NS) {
            for (int64_t k = 0; k < step; k++)
                if (!op(b))
                    return -1;
            done += step;
            step = step < 1024 ? 2 * step : step;
            end = system_clock_ns();
        }
        ns[i] = (double)(end - start) / (double)done;
    }
    qsort(ns, BATCHES, sizeof ns[0], by_value);
    return ns[BATCHES / 2];
}

/* The measured value with its unit; a negative one says that the operation failed. */
static int print_line(const cli_args *args, const char *what, double ns, bool as_rate)
{
    if (ns < 0)
        return cli_error(args, NULL, "%s: failed", what);
    if (as_rate)
        printf("%-44s %9.1f GiB/s\n", what, (double)REGION / ns * 1e9 / (1 << 30));
    else
        printf("%-44s %9.1f %s\n", what, ns < 10000 ? ns : ns / 1000, ns < 10000 ? "ns" : "us");
    return 0;
}

static int measure_round_trip(const cli_args *args, bench *b)
{
    b->answered = shms_stream_version(b->s);
    b->seen = shms_stream_version(b->echo);
    if (!system_partner_start(answer, b)) {
        puts("notify + wait, to a process and back: no second process to be had");
        return 0;
    }
    int status = print_line(args, "notify + wait, to a process and back", measure(b, round_trip), false);
    system_partner_stop();
    return status;
}

static int measure_all(const cli_args *args, bench *b)
{
    static const struct {
        const char *what;
        operation *op;
        bool as_rate;
    } lines[] = {
        {"lock + unlock", lock_unlock, false},
        {"lock + write and read 64 B + unlock", write_read, false},
        {"snapshot of 256 B", snapshot, false},
        {"write of 1 MiB", copy, true},
        {"open + close of an existing region", open_close, false},
    };
    int status = 0;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        status |= print_line(args, lines[i].what, measure(b, lines[i].op), lines[i].as_rate);
    return status | measure_round_trip(args, b);
}

static shms_stream *make(const cli_args *args, char name[32], const char *what, int *ret_status)
{
    shms_stream_options options = args->open;
    options.create = SHMS_CREATE_ONLY;
    snprintf(name, 32, "shms-%s-%ld", what, (long)system_pid());
    return cli_open(args, name, REGION, &options, ret_status);
}

static int run(cli_args *args)
{
    int status = 0;
    bench *b = calloc(1, sizeof *b);
    if (!b)
        return cli_error(args, NULL, "out of memory");
    b->s = make(args, b->name, "bench", &status);
    b->echo = b->s ? make(args, b->echo_name, "echo", &status) : NULL;
    if (b->echo)
        status = measure_all(args, b);
    shms_stream_close(b->echo);
    shms_stream_close(b->s);
    free(b);
    return status;
}

const command cmd_bench = {
    .name = "bench", .run = run, .options = "", .operands = "",
    .summary = "Measure this machine for a second or two",
};
