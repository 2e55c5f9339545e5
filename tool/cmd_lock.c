/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "system.h"

static const char region_news[] = "an owner of the lock died, so the data may be half-written; "
                                  "look at it, then say `shms repaired`";
static const char key_news[] = "the holder of this key's lock died";

/* In the background process. The lock's section lasts as long as this call. */
static int hold_on(const cli_args *args, bool died)
{
    if (died)
        cli_error(args, args->name, "%s", args->key ? key_news : region_news);
    if (system_detached())
        system_wait_for_process(args->hold);
    return EXIT_SUCCESS;
}

static int run_locked(const cli_args *args, bool died)
{
    if (args->hold)
        return hold_on(args, died);
    system_set_variable("SHMS_OWNER_DIED", NULL);
    if (died) {
        cli_error(args, args->name, "%s (SHMS_OWNER_DIED=1 is set)", args->key ? key_news : region_news);
        system_set_variable("SHMS_OWNER_DIED", "1");
    }
    return system_run(args, args->operand + 1, NULL, NULL);
}

/* ---- the lock of a key of a dict */

static int lock_key(const cli_args *args, shms_dict *d, bool *ret_died)
{
    int rc = shms_dict_lock(d, args->key, strlen(args->key), args->timeout_ms);
    if (rc == SHMS_E_TIMEOUT) {
        cli_error(args, args->name, "the lock of the key %s was not got within %g s; wait longer with "
                                    "--timeout", args->key, args->timeout_ms / 1000.0);
        return EXIT_TIMED_OUT;
    }
    if (rc < 0)
        return cli_dict_fail(args, d, rc);
    hold_stops();
    *ret_died = rc == SHMS_OWNER_DIED;
    return 0;
}

static int unlock_key(const cli_args *args, shms_dict *d)
{
    int rc = shms_dict_unlock(d, args->key, strlen(args->key));
    release_stops();
    return rc < 0 ? cli_dict_fail(args, d, rc) : 0;
}

static int run_with_key(const cli_args *args)
{
    int status = 0;
    bool died = false;
    if (args->shared)
        return cli_usage(args, "the lock of a key is never --shared");
    shms_dict *d = cli_dict(args, SHMS_ACCESS_READ_WRITE, &status);
    if (d)
        status = lock_key(args, d, &died);
    if (status) {
        status = status == EXIT_TIMED_OUT ? status : EXIT_OURS;
    } else {
        status = run_locked(args, died);
        status = unlock_key(args, d) ? EXIT_OURS : status;
    }
    shms_dict_close(d);
    return status;
}

/* ---- that of a region */

static int run_with_region(const cli_args *args)
{
    int status = 0;
    bool died = false;
    shms_stream_options options = args->open;
    options.create = args->size ? SHMS_CREATE_OR_OPEN : SHMS_OPEN_ONLY;
    shms_stream *s = cli_open(args, args->name, args->size, &options, &status);
    if (s)
        status = cli_lock(args, args->name, s, args->shared, &died);
    if (status) {
        status = status == EXIT_TIMED_OUT ? status : EXIT_OURS;
    } else {
        status = run_locked(args, died);
        status = cli_unlock(args, args->name, s) ? EXIT_OURS : status;
    }
    shms_stream_close(s);
    return status;
}

static int run(cli_args *args)
{
    int status = 0;
    if (!args->hold && args->operands < 2)
        return cli_usage(args, "what to run? give a command");
    if (args->hold && args->operands > 1)
        return cli_usage(args, "--hold goes on without '%s'; leave one of them out", args->operand[1]);
    if (args->hold && !system_watch_process(args->hold)) {
        cli_error(args, NULL, "there is no process %d", args->hold);
        return EXIT_OURS;
    }
    if (args->hold && !system_detach(args, &status))
        return status;
    return args->key ? run_with_key(args) : run_with_region(args);
}

const command cmd_lock = {
    .name = "lock", .run = run, .options = "s0S@tmO", .operands = "NAME -- COMMAND... | --hold PID NAME",
    .least = 1, .most = -1, .timeout_ms = -1,
    .summary = "Run a command, or the rest of a script, while holding the lock",
    .details = "With --size a region that does not exist is created, and vanishes with its last user.\n"
               "The rest of a script: `shms lock --hold $$ NAME || exit`, until that process ends.\n"
               "Exit status: the command's, 128+N if signal N killed it, 124 lock not got in time,\n"
               "125 shms failed, 126 the command cannot be run, 127 there is no such command.\n",
};
