/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "cli.h"

static int say_repaired(const cli_args *args, const char *name)
{
    int status = 0;
    bool died;
    shms_stream *s = cli_open_existing(args, name, SHMS_ACCESS_READ_WRITE, &status);
    if (!s)
        return status;
    status = cli_lock(args, name, s, false, &died);
    if (status == 0) {
        int rc = shms_stream_repaired(s);
        if (rc < 0)
            status = cli_fail(args, name, rc);
        int unlocked = cli_unlock(args, name, s);
        status = status ? status : unlocked;
    }
    shms_stream_close(s);
    return status;
}

static int run(cli_args *args)
{
    int result = EXIT_SUCCESS;
    for (int i = 0; i < args->operands; i++) {
        int status = say_repaired(args, args->operand[i]);
        result = status ? status : result;
    }
    return result;
}

const command cmd_repaired = {
    .name = "repaired", .run = run, .options = "tmO", .operands = "NAME...", .least = 1, .most = -1,
    .timeout_ms = 10000, .summary = "Say that the data is whole again after an owner of the lock died",
};
