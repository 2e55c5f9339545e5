/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* What the operand or standard input says. 0 or an exit status. */
static int take_value(const cli_args *args, const shms_dict_stats *t, char **ret_value, size_t *ret_n)
{
    if (args->operands < 3) {
        int status = cli_read_input(args, t->value_max, ret_value, ret_n);
        if (status == 0 && *ret_n == 0) /* more often a VALUE that was forgotten than one that is empty */
            return cli_error(args, args->name, "standard input is empty, nothing is set; "
                                               "an empty VALUE is written as ''");
        return status;
    }
    *ret_n = strlen(args->operand[2]);
    if (*ret_n > t->value_max)
        return cli_error(args, args->name, "the value has %" PRIu64 " bytes; the dict takes up to %" PRIu32,
                         (uint64_t)*ret_n, t->value_max);
    *ret_value = strdup(args->operand[2]);
    return *ret_value ? 0 : cli_fail(args, args->name, SHMS_E_NOMEM);
}

static int run(cli_args *args)
{
    int status = 0;
    char *value = NULL;
    size_t n = 0;
    shms_dict_stats t = {.struct_size = sizeof t};
    shms_dict *d = cli_record(args, SHMS_ACCESS_READ_WRITE, &status);
    if (!d)
        return status;
    int rc = shms_dict_info(d, &t);
    status = rc < 0 ? cli_dict_fail(args, d, rc) : take_value(args, &t, &value, &n);
    if (status == 0) {
        const char *key = cli_record_key(args);
        int64_t version = shms_dict_set(d, key, strlen(key), value, n, &args->how);
        status = version < 0 ? cli_dict_fail(args, d, (int)version) : EXIT_SUCCESS;
    }
    free(value);
    shms_dict_close(d);
    return status;
}

const command cmd_set = {
    .name = "set", .run = run, .options = "31tmO", .operands = "NAME KEY [VALUE]", .least = 2, .most = 3,
    .timeout_ms = 5000, .summary = "Set the value of a key of a dict",
    .details = "Without VALUE it is all of standard input, which must not be empty.\n"
               "A VALUE that begins with - stands behind `--`.\n"
               "Exit status 3: the version was another; nothing was done.\n",
};
