/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int failed(const cli_args *args, shms_dict *d, int code)
{
    const char *key = cli_record_key(args);
    shms_dict_stats t = {.struct_size = sizeof t};
    if (code == SHMS_E_INVALID)
        return cli_error(args, args->name, "it is no counter: its value has not 8 bytes; "
                                           "`shms add` makes counters, `shms set` does not");
    if (code == SHMS_E_RANGE && shms_dict_info(d, &t) == 0 && strlen(key) <= t.key_max)
        return cli_error(args, args->name, "the sum does not fit into 64 bits");
    return cli_dict_fail(args, d, code);
}

static int run(cli_args *args)
{
    int status = EXIT_SUCCESS;
    int64_t delta = 1, sum = 0;
    if (args->operands > 2 && !cli_parse_integer(args->operand[2], &delta))
        return cli_usage(args, "'%s' is no integer of 64 bits", args->operand[2]);
    shms_dict *d = cli_record(args, SHMS_ACCESS_READ_WRITE, &status);
    if (!d)
        return status;
    const char *key = cli_record_key(args);
    int64_t version = shms_dict_add(d, key, strlen(key), delta, args->start, &args->how, &sum);
    if (version < 0)
        status = failed(args, d, (int)version);
    else
        printf("%" PRId64 "\n", sum);
    shms_dict_close(d);
    return status;
}

const command cmd_add = {
    .name = "add", .run = run, .options = "531tmO", .operands = "NAME KEY [N]", .least = 2, .most = 3,
    .timeout_ms = 5000, .summary = "Add to a counter of a dict, and print the sum",
    .details = "N is 1 if not given; a negative one stands behind `--`. A counter that is absent is made;\n"
               "a time to live counts only then. Exit status 3: the version was another; nothing was done.\n",
};
