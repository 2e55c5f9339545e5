/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "cli.h"

static int run(cli_args *args)
{
    int result = EXIT_SUCCESS;
    for (int i = 0; i < args->operands; i++) {
        int rc = shms_stream_unlink(args->operand[i]);
        if (rc < 0)
            result = cli_fail(args, args->operand[i], rc);
    }
    return result;
}

const command cmd_rm = {
    .name = "rm", .run = run, .options = "", .operands = "NAME...", .least = 1, .most = -1,
    .summary = "Remove regions; processes that have one open keep its memory",
};
