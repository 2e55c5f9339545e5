/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int run(cli_args *args)
{
    char *bytes;
    size_t n = 0;
    int status = cli_take(args, args->name, args->offset, args->count, &bytes, &n);
    if (status == 0)
        status = cli_put(args, bytes, args->text ? strnlen(bytes, n) : n);
    free(bytes);
    return status;
}

const command cmd_read = {
    .name = "read", .run = run, .options = "FNZLtmO", .operands = "NAME", .least = 1, .most = 1,
    .timeout_ms = 10000, .summary = "Write bytes of a region to standard output",
};
