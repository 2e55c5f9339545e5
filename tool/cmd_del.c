/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int run(cli_args *args)
{
    int status = EXIT_SUCCESS;
    shms_dict *d = cli_record(args, SHMS_ACCESS_READ_WRITE, &status);
    if (!d)
        return status;
    const char *key = cli_record_key(args);
    int64_t version = shms_dict_del(d, key, strlen(key), &args->how);
    if (version < 0)
        status = cli_dict_fail(args, d, (int)version);
    shms_dict_close(d);
    return status;
}

const command cmd_del = {
    .name = "del", .run = run, .options = "2tmO", .operands = "NAME KEY", .least = 2, .most = 2,
    .timeout_ms = 5000, .summary = "Delete a record of a dict",
    .details = "Exit status 1: there is no such record. 3: the version was another; nothing was done.\n",
};
