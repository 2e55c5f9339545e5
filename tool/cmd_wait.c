/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"

static int run(cli_args *args)
{
    int status = 0;
    shms_stream *s = cli_open_existing(args, args->name, SHMS_ACCESS_READ, &status);
    if (!s)
        return status;
    int64_t seen = args->since >= 0 ? args->since : shms_stream_version(s);
    status = seen < 0 ? cli_fail(args, args->name, (int)seen) : cli_wait(args, s, &seen);
    if (status == 0)
        printf("%" PRId64 "\n", seen);
    shms_stream_close(s);
    return status;
}

const command cmd_wait = {
    .name = "wait", .run = run, .options = "WtmO", .operands = "NAME", .least = 1, .most = 1,
    .timeout_ms = -1, .summary = "Wait for a change, and print the new version",
};
