/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "cli.h"

static int run(cli_args *args)
{
    int result = EXIT_SUCCESS;
    for (int i = 0; i < args->operands; i++) {
        char *bytes;
        size_t n = 0;
        int status = cli_take(args, args->operand[i], 0, UINT64_MAX, &bytes, &n);
        if (status == 0)
            status = cli_put(args, bytes, n);
        free(bytes);
        if (status)
            result = status;
    }
    return result;
}

const command cmd_cat = {
    .name = "cat", .run = run, .options = "LtmO", .operands = "NAME...", .least = 1, .most = -1,
    .timeout_ms = 10000, .summary = "Write whole regions to standard output",
};
