/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "cli.h"
#include "system.h"

static int run_locked(const cli_args *args, shms_stream *s, bool died)
{
    system_set_variable("SHMS_OWNER_DIED", NULL);
    if (died) {
        cli_error(args, args->name, "an owner of the lock died, so the data may be half-written; "
                                    "look at it, then say `shms repaired` (SHMS_OWNER_DIED=1 is set)");
        system_set_variable("SHMS_OWNER_DIED", "1");
    }
    int status = system_run(args, args->operand + 1);
    return cli_unlock(args, args->name, s) ? EXIT_LOCK_FAILED : status;
}

static int run(cli_args *args)
{
    int status = 0;
    bool died = false;
    shms_stream_options options = args->open;
    options.create = args->size ? SHMS_CREATE_OR_OPEN : SHMS_OPEN_ONLY;
    shms_stream *s = cli_open(args, args->name, args->size, &options, &status);
    if (s)
        status = cli_lock(args, args->name, s, args->shared, &died);
    if (status)
        status = status == EXIT_TIMED_OUT ? status : EXIT_LOCK_FAILED;
    else
        status = run_locked(args, s, died);
    shms_stream_close(s);
    return status;
}

const command cmd_lock = {
    .name = "lock", .run = run, .options = "sStmO", .operands = "NAME -- COMMAND...", .least = 2, .most = -1,
    .timeout_ms = -1, .summary = "Run a command while holding the lock",
    .details = "With --size a region that does not exist is created, and vanishes with its last user.\n"
               "Exit status: the command's, 128+N if signal N killed it, 124 lock not got in time,\n"
               "125 shms failed, 126 the command cannot be run, 127 there is no such command.\n",
};
