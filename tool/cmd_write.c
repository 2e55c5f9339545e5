/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int put(cli_args *args, shms_stream *s, const char *bytes, size_t n)
{
    int status = args->no_lock ? 0 : cli_lock(args, args->name, s, false, NULL);
    if (status)
        return status;
    int64_t rc = shms_stream_pwrite(s, bytes, n, (int64_t)args->offset);
    if (rc >= 0 && args->no_lock)
        rc = shms_stream_notify(s);
    if (rc < 0)
        status = cli_fail(args, args->name, (int)rc);
    int unlocked = args->no_lock ? 0 : cli_unlock(args, args->name, s);
    return status ? status : unlocked;
}

static int run(cli_args *args)
{
    int status = 0;
    shms_stream *s = cli_open_existing(args, args->name, SHMS_ACCESS_READ_WRITE, &status);
    if (!s)
        return status;
    uint64_t size = shms_stream_size(s);
    uint64_t end = args->text ? 1 : 0; /* room for the zero byte */
    char *bytes = NULL;
    size_t n = 0;
    if (args->offset > size || size - args->offset < end)
        status = cli_error(args, args->name, "offset %llu is past the end; the region has %llu bytes",
                           (unsigned long long)args->offset, (unsigned long long)size);
    else
        status = cli_read_input(args, size - args->offset - end, &bytes, &n);
    if (status == 0) {
        if (args->text)
            bytes[n++] = 0; /* cli_read_input() leaves room for it */
        status = put(args, s, bytes, n);
    }
    free(bytes);
    shms_stream_close(s);
    return status;
}

const command cmd_write = {
    .name = "write", .run = run, .options = "FYLtmO", .operands = "NAME", .least = 1, .most = 1,
    .timeout_ms = 10000, .summary = "Write standard input into a region, all of it or nothing",
};
