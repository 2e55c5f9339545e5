/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "show.h"
#include "system.h"

enum { TEXT_MAX = 4096 };

/* A version is 2 more for each. One that is smaller than before is of a region that was made anew. */
static int64_t changes_between(int64_t before, int64_t now)
{
    return (now > before ? now - before : now) / 2;
}

/* Snapshot makes no change of its own, so that watching does not feed on itself. */
static void print_text(shms_stream *s)
{
    char text[TEXT_MAX];
    int64_t n = shms_stream_snapshot(s, text, sizeof text, 0);
    if (n >= 0)
        show_json_string(stdout, text, strnlen(text, (size_t)n));
    else
        fputs("null", stdout);
}

static void print_json(const cli_args *args, shms_stream *s, int64_t changes, int64_t now)
{
    char time[SHOW_TEXT];
    printf("{\"time\": \"%s\", \"version\": %" PRId64, show_time(time, show_now_ns()), now);
    printf(", \"changes\": %" PRId64, changes);
    if (args->text) {
        fputs(", \"text\": ", stdout);
        print_text(s);
    }
    putchar('}');
}

static int print_change(const cli_args *args, shms_stream *s, int64_t before, int64_t now)
{
    char time[SHOW_TEXT];
    if (args->json) {
        print_json(args, s, changes_between(before, now), now);
        return cli_put(args, "\n", 1);
    }
    printf("%s version=%" PRId64, show_time(time, show_now_ns()), now);
    printf(" changes=%" PRId64, changes_between(before, now));
    if (args->text) {
        fputs(" text=", stdout);
        print_text(s);
    }
    return cli_put(args, "\n", 1);
}

/* Changes that come meanwhile are one more, behind it. */
static int run_line(const cli_args *args, shms_stream *s, int64_t before, int64_t now)
{
    char number[24];
    snprintf(number, sizeof number, "%" PRId64, now);
    system_set_variable("SHMS_VERSION", number);
    snprintf(number, sizeof number, "%" PRId64, changes_between(before, now));
    system_set_variable("SHMS_CHANGES", number);
    system_set_variable("SHMS_NAME", args->name);
    int status = system_shell(args, (char *)args->exec);
    if (system_stopped()) {
        shms_stream_close(s);
        system_stop();
    }
    return status;
}

static int run(cli_args *args)
{
    int status = 0, result = EXIT_SUCCESS;
    if (args->exec && (args->json || args->text))
        return cli_usage(args, "--exec prints nothing; leave out --json and --text");
    shms_stream *s = cli_open_existing(args, args->name, SHMS_ACCESS_READ, &status);
    if (!s)
        return status;
    int64_t seen = args->since >= 0 ? args->since : shms_stream_version(s);
    if (seen < 0)
        status = cli_fail(args, args->name, (int)seen);
    for (uint64_t i = 0; status == 0 && i < args->count; i++) {
        int64_t before = seen;
        status = cli_wait(args, s, &seen);
        if (status == 0 && args->exec)
            result = run_line(args, s, before, seen);
        else if (status == 0)
            status = print_change(args, s, before, seen);
    }
    shms_stream_close(s);
    return status ? status : result;
}

const command cmd_watch = {
    .name = "watch", .run = run, .options = "CV!WtmOj", .operands = "NAME", .least = 1, .most = 1,
    .timeout_ms = -1, .summary = "Print a line for each change, or run a command, until interrupted",
};
