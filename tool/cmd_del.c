/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int del(const cli_args *args, shms_dict *d)
{
    if (!*args->key)
        return cli_usage(args, "the key is empty; it has at least 1 byte");
    int64_t version = shms_dict_del(d, args->key, strlen(args->key), &args->how);
    return version < 0 ? cli_dict_fail(args, d, (int)version) : EXIT_SUCCESS;
}

static int run(cli_args *args)
{
    int status = EXIT_SUCCESS, result = EXIT_SUCCESS;
    if (args->how.if_version && args->operands > 2)
        return cli_usage(args, "--if-version is of one key; '%s' is one too many", args->operand[2]);
    shms_dict *d = cli_record(args, SHMS_ACCESS_READ_WRITE, &status);
    if (!d)
        return status;
    for (int i = 1; i < args->operands; i++) {
        args->key = args->operand[i]; /* what failures are told of */
        status = del(args, d);
        result = status ? status : result;
    }
    shms_dict_close(d);
    return result;
}

const command cmd_del = {
    .name = "del", .run = run, .options = "2tmO", .operands = "NAME KEY...", .least = 2, .most = -1,
    .timeout_ms = 5000, .summary = "Delete records of a dict",
    .details = "Exit status 1: there is no such record. 3: the version was another; nothing was done.\n",
};
