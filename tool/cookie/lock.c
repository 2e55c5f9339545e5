/* SPDX-License-Identifier: MIT */
/* shms-cookie lock: one process at a time logs in to a host, or refreshes a token. */
#include "run.h"

#include <stdlib.h>

int run_lock(shms_jar *j, const arguments *args)
{
    const char *host = args->operand[0];
    int rc = shms_jar_lock(j, host, args->timeout_ms);
    if (rc == SHMS_E_TIMEOUT) {
        cookie_error(args, "%s: its lock was not got within %g s; wait longer with --timeout", host,
                     args->timeout_ms / 1000.0);
        return EXIT_TIMED_OUT;
    }
    if (rc < 0) {
        cookie_fail_host(args, host, rc);
        return EXIT_OURS;
    }
    hold_stops();
    unsetenv("SHMS_OWNER_DIED");
    if (rc == SHMS_OWNER_DIED) {
        cookie_error(args, "%s: the holder of its lock before died (SHMS_OWNER_DIED=1 is set)", host);
        setenv("SHMS_OWNER_DIED", "1", 1);
    }
    int status = run_program(args, args->words, NULL, 0);
    rc = shms_jar_unlock(j, host);
    release_stops();
    if (rc < 0) {
        cookie_fail_host(args, host, rc);
        return EXIT_OURS;
    }
    return status;
}
