/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "show.h"
#include "system.h"

typedef struct sweep {
    size_t reclaimed;
    uint64_t bytes;
    int result;
    int64_t started_ns, shown_ns;
} sweep;

/* Opening removes a dead region and then finds none. One that opens after all came to life meanwhile. */
static void reclaim(const cli_args *args, const region *r, sweep *sum)
{
    shms_stream_options options = args->open;
    options.create = SHMS_OPEN_ONLY;
    options.mode = 0666; /* nothing of it is used, so its mode is no matter */
    shms_stream *s;
    char size[SHOW_TEXT];
    int rc = shms_stream_open(r->name, 0, &options, &s);
    if (rc == SHMS_E_NOT_FOUND) {
        sum->reclaimed++;
        sum->bytes += r->info.memory_bytes;
        fputs("reclaimed ", stdout);
        show_text(stdout, r->name);
        printf(" (%s)\n", show_size(size, r->info.memory_bytes));
    } else if (rc < 0) {
        sum->result = cli_fail(args, r->name, rc);
    } else {
        shms_stream_close(s);
    }
}

/* Opening undoes the section of a dead owner; `shms info` only looks, and would go on to show it. */
static void roll_back(const cli_args *args, const region *r, sweep *sum)
{
    shms_stream_options options = args->open;
    options.create = SHMS_OPEN_ONLY;
    options.mode = 0666;
    shms_stream *s;
    int rc = shms_stream_open(r->name, 0, &options, &s);
    if (rc < 0) {
        if (rc != SHMS_E_NOT_FOUND)
            sum->result = cli_fail(args, r->name, rc);
        return;
    }
    fputs("rolled back ", stdout);
    show_text(stdout, r->name);
    putchar('\n');
    shms_stream_close(s);
}

/* For people only, and only if it takes so long that they wonder. */
static void show_progress(sweep *sum, size_t done, size_t n)
{
    int64_t now = show_now_ns();
    if (now - sum->started_ns < 1000000000 || now - sum->shown_ns < 200000000 || !isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r%zu of %zu", done, n);
    fflush(stderr);
    sum->shown_ns = now;
}

static int run(cli_args *args)
{
    region *regions;
    size_t n;
    int rc = show_list(&regions, &n);
    if (rc < 0)
        return cli_fail(args, NULL, rc);
    sweep sum = {.result = cli_check_place(args, NULL), .started_ns = show_now_ns()};
    for (size_t i = 0; i < n; i++) {
        bool ours = args->open.owners != SHMS_OWNER_SELF || regions[i].info.uid == system_user();
        if (regions[i].info.state == SHMS_STATE_DEAD && ours)
            reclaim(args, &regions[i], &sum);
        else if (regions[i].info.rollback && ours)
            roll_back(args, &regions[i], &sum);
        show_progress(&sum, i + 1, n);
    }
    if (sum.shown_ns)
        fputc('\n', stderr);
    show_free(regions, n);
    char bytes[SHOW_TEXT];
    if (sum.reclaimed > 0)
        printf("%zu reclaimed, %s\n", sum.reclaimed, show_size(bytes, sum.bytes));
    return sum.result;
}

const command cmd_sweep = {
    .name = "sweep", .run = run, .options = "O", .operands = "",
    .summary = "Reclaim what dead processes left, and undo their atomic sections",
};
