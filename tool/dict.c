/* SPDX-License-Identifier: MIT */
/* What the commands on dicts share: opening, and failures in words. */
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "cli.h"
#include "show.h"

static int open_failed(const cli_args *args, int code)
{
    switch (code) {
    case SHMS_E_NOT_FOUND:
        return cli_error(args, args->name, "there is no such dict; see `shms ls`, or make one with "
                                           "`shms dict create`");
    case SHMS_E_KIND: return cli_error(args, args->name, "it is no dict; see `shms info`");
    default: return cli_fail(args, args->name, code);
    }
}

/* For opening and for changes. Where a command waits for something else, --timeout is for that. */
static int patience_ms(const cli_args *args)
{
    if (args->command->timeout_ms < 0)
        return 0; /* as the library has it */
    if (args->timeout_ms == 0)
        return 1; /* 0 would be the library's own */
    return args->timeout_ms < 0 ? INT_MAX : args->timeout_ms;
}

shms_dict *cli_dict(const cli_args *args, uint32_t access, int *ret_status)
{
    shms_dict *d = NULL;
    shms_dict_options options = args->dict;
    options.access = access;
    options.create = args->size ? SHMS_CREATE_OR_OPEN : SHMS_OPEN_ONLY;
    options.owners = args->open.owners;
    options.owner_uid = args->open.owner_uid;
    options.mode = args->open.mode;
    options.open_timeout_ms = patience_ms(args);
    int rc = shms_dict_open(args->name, args->size, &options, &d);
    if (rc < 0)
        *ret_status = open_failed(args, rc);
    return rc < 0 ? NULL : d;
}

const char *cli_record_key(const cli_args *args)
{
    return args->key ? args->key : args->operand[1];
}

shms_dict *cli_record(const cli_args *args, uint32_t access, int *ret_status)
{
    if (*cli_record_key(args))
        return cli_dict(args, access, ret_status);
    *ret_status = cli_usage(args, "the key is empty; it has at least 1 byte");
    return NULL;
}

/* The one length that is too long was the key's, or what the command says itself. */
static int fail_range(const cli_args *args, shms_dict *d)
{
    shms_dict_stats t = {.struct_size = sizeof t};
    size_t n = strlen(cli_record_key(args));
    if (shms_dict_info(d, &t) == 0 && n > t.key_max)
        return cli_error(args, args->name, "the key has %" PRIu64 " bytes; the dict takes up to %" PRIu32,
                         (uint64_t)n, t.key_max);
    return cli_fail(args, args->name, SHMS_E_RANGE);
}

int cli_dict_fail(const cli_args *args, shms_dict *d, int code)
{
    switch (code) {
    case SHMS_E_NOT_FOUND:
        return cli_error(args, args->name, "no record has the key %s", cli_record_key(args));
    case SHMS_E_EXISTS:
        cli_error(args, args->name, "there is a record already");
        return EXIT_CHANGED;
    case SHMS_E_CHANGED:
        cli_error(args, args->name, "the record has another version, or is gone; nothing was done");
        return EXIT_CHANGED;
    case SHMS_E_FULL:
        return cli_error(args, args->name, "the dict is full; delete records, or make it larger");
    case SHMS_E_RANGE: return fail_range(args, d);
    case SHMS_E_TIMEOUT:
        cli_error(args, args->name, "another process is in the middle of a change, and was not done within "
                                    "%g s; is it stopped? See `shms info`", args->timeout_ms / 1000.0);
        return EXIT_TIMED_OUT;
    default: return cli_fail(args, args->name, code);
    }
}
