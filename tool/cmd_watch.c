/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "show.h"

enum { TEXT_MAX = 4096 };

/* Snapshot makes no change of its own, so that watching does not feed on itself. */
static void print_text(shms_stream *s)
{
    char text[TEXT_MAX];
    int64_t n = shms_stream_snapshot(s, text, sizeof text, 0);
    fputs(" text=", stdout);
    if (n >= 0)
        show_json_string(stdout, text, strnlen(text, (size_t)n));
    else
        fputs("null", stdout);
}

static int print_change(const cli_args *args, shms_stream *s, int64_t before, int64_t now)
{
    char time[SHOW_TEXT];
    printf("%s version=%" PRId64, show_time(time, show_now_ns()), now);
    printf(" changes=%" PRId64, (now - before) / 2);
    if (args->text)
        print_text(s);
    return cli_put(args, "\n", 1);
}

static int run(cli_args *args)
{
    int status = 0;
    shms_stream *s = cli_open_existing(args, args->name, SHMS_ACCESS_READ, &status);
    if (!s)
        return status;
    int64_t seen = args->since >= 0 ? args->since : shms_stream_version(s);
    if (seen < 0)
        status = cli_fail(args, args->name, (int)seen);
    for (uint64_t i = 0; status == 0 && i < args->count; i++) {
        int64_t before = seen;
        status = cli_wait(args, s, &seen);
        if (status == 0)
            status = print_change(args, s, before, seen);
    }
    shms_stream_close(s);
    return status;
}

const command cmd_watch = {
    .name = "watch", .run = run, .options = "CVWtmO", .operands = "NAME", .least = 1, .most = 1,
    .timeout_ms = -1, .summary = "Print a line for each change, until interrupted",
};
