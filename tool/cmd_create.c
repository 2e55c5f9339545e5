/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "cli.h"

static int run(cli_args *args)
{
    if (args->size == 0)
        return cli_usage(args, "how large? give --size");
    if (args->open.max_size && args->open.max_size < args->size)
        return cli_usage(args, "--max-size is less than --size");
    shms_stream_options options = args->open;
    options.create = args->existing ? SHMS_CREATE_OR_OPEN : SHMS_CREATE_ONLY;
    options.keep = 1; /* this process is its only member, and about to end */
    int status = EXIT_SUCCESS;
    shms_stream_close(cli_open(args, args->name, args->size, &options, &status));
    return status;
}

const command cmd_create = {
    .name = "create", .run = run, .options = "sXPTEmO", .operands = "--size SIZE NAME", .least = 1, .most = 1,
    .summary = "Create a region, kept until `shms rm`",
};
