/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "cli.h"

static int resize(const cli_args *args, shms_stream *s, uint64_t size)
{
    shms_info info = {.struct_size = sizeof info};
    int rc = shms_stream_resize(s, size);
    if (rc == SHMS_E_RANGE && shms_stream_info(s, &info) == 0)
        return cli_error(args, args->name, "it can grow to %llu bytes and no further; make it anew, with a "
                                           "larger --max-size", (unsigned long long)info.max_size);
    return rc < 0 ? cli_fail(args, args->name, rc) : 0;
}

static int run(cli_args *args)
{
    int status = 0;
    uint64_t size;
    const char *why = cli_parse_size(args->operand[1], &size);
    if (why)
        return cli_usage(args, "'%s' %s", args->operand[1], why);
    shms_stream *s = cli_open_existing(args, args->name, SHMS_ACCESS_READ_WRITE, &status);
    if (!s)
        return status;
    status = cli_lock(args, args->name, s, false, NULL);
    if (status == 0) {
        status = resize(args, s, size);
        int unlocked = cli_unlock(args, args->name, s);
        status = status ? status : unlocked;
    }
    shms_stream_close(s);
    return status;
}

const command cmd_resize = {
    .name = "resize", .run = run, .options = "tmO", .operands = "NAME SIZE", .least = 2, .most = 2,
    .timeout_ms = 10000, .summary = "Make a region larger, up to its --max-size, or smaller",
    .details = "New bytes are zero; those behind the new end are lost.\n",
};
