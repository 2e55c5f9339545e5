/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "show.h"

/* Values that each are fine, but not together. */
static int check(const cli_args *args)
{
    uint64_t most = args->open.max_size ? args->open.max_size : args->size;
    if (args->size == 0)
        return cli_usage(args, "how large? give --size");
    if (args->size < SHMS_DICT_SIZE_MIN)
        return cli_usage(args, "--size: a dict has at least 16K");
    if (most < args->size)
        return cli_usage(args, "--max-size is less than --size");
    if (args->dict.value_max > most / 4)
        return cli_usage(args, "--value-max is more than a quarter of the dict");
    return 0;
}

static int failed(const cli_args *args, int code)
{
    shms_info info;
    if (code == SHMS_E_INVALID && args->existing && show_find(args->name, &info) == 0)
        return cli_error(args, args->name, "the dict that exists has other limits; see `shms info`");
    if (code == SHMS_E_INVALID && strlen(args->name) > 0 && args->dict.ring + args->dict.cell_size > 0)
        return cli_error(args, args->name, "too small for such a ring and such cells; "
                                           "give a larger --size");
    if (code == SHMS_E_KIND)
        return cli_error(args, args->name, "it exists, and is no dict; see `shms info`");
    return cli_fail(args, args->name, code);
}

static int create(const cli_args *args)
{
    shms_dict *d = NULL;
    shms_dict_options options = args->dict;
    options.create = args->existing ? SHMS_CREATE_OR_OPEN : SHMS_CREATE_ONLY;
    options.owners = args->open.owners;
    options.owner_uid = args->open.owner_uid;
    options.mode = args->open.mode;
    options.max_size = args->open.max_size;
    options.keep = 1; /* this process is its only member, and about to end */
    int rc = shms_dict_open(args->name, args->size, &options, &d);
    shms_dict_close(d);
    return rc < 0 ? failed(args, rc) : EXIT_SUCCESS;
}

static int run(cli_args *args)
{
    if (args->operands < 1 || strcmp(args->operand[0], "create") != 0)
        return cli_usage(args, "what to do? `shms dict create --size SIZE NAME`");
    if (args->operands < 2)
        return cli_usage(args, "which dict? give its name");
    args->name = args->operand[1];
    int status = check(args);
    return status ? status : create(args);
}

const command cmd_dict = {
    .name = "dict", .run = run, .options = "sX6789+EmO", .operands = "create --size SIZE NAME", .most = 2,
    .summary = "Create a dict, records by key, kept until `shms rm`",
    .details = "Then: `shms set NAME KEY VALUE`, get, del, add, keys, changes.\n",
};
