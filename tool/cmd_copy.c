/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "system.h"

static int fail_file(const cli_args *args, int code, uint64_t size)
{
    int oserror = shms_last_oserror();
    const char *path = args->from ? args->from : args->to;
    switch (code) {
    case SHMS_E_RANGE:
        if (system_file_size(path) <= (int64_t)size) /* it does not say how long it is, or is growing */
            return cli_error(args, path, "the file does not end within the region's %llu bytes",
                             (unsigned long long)size);
        return cli_error(args, path, "the file has %lld bytes, the region only %llu; nothing is copied",
                         (long long)system_file_size(path), (unsigned long long)size);
    case SHMS_E_NOT_FOUND:
        return cli_error(args, path, "no such file or directory");
    case SHMS_E_NOSPACE:
        return cli_error(args, path, "%s; what was there before is untouched",
                         oserror == EFBIG ? "it exceeds the limit (ulimit -f)" : "the disk is full");
    case SHMS_E_INVALID:
        return cli_error(args, path, "%s", oserror ? system_error(oserror) : "not a regular file");
    default:
        return cli_error(args, path, "%s", oserror ? system_error(oserror) : shms_strerror(code));
    }
}

/* ---- standard input and output */

static int copy_to_output(const cli_args *args)
{
    char *bytes;
    size_t n = 0;
    int status = cli_take(args, args->name, 0, UINT64_MAX, &bytes, &n);
    if (status == 0)
        status = cli_put(args, bytes, n);
    free(bytes);
    return status;
}

static int copy_from_input(const cli_args *args)
{
    int status = 0;
    char *bytes = NULL;
    size_t n = 0;
    shms_stream *s = cli_open_existing(args, args->name, SHMS_ACCESS_READ_WRITE, &status);
    if (!s)
        return status;
    status = cli_read_input(args, shms_stream_size(s), &bytes, &n);
    if (status == 0)
        status = cli_lock(args, args->name, s, false, NULL);
    if (status == 0) {
        int64_t rc = shms_stream_pwrite(s, bytes, n, 0);
        status = rc < 0 ? cli_fail(args, args->name, (int)rc) : 0;
        int unlocked = cli_unlock(args, args->name, s);
        status = status ? status : unlocked;
    }
    free(bytes);
    shms_stream_close(s);
    return status;
}

/* ---- files */

/* Into a pipe or a device, from a copy, with the lock released: its reader may come late, or never. */
static int copy_to_device(const cli_args *args)
{
    char *bytes;
    size_t n = 0;
    shms_stream *copy = NULL;
    int status = cli_take(args, args->name, 0, UINT64_MAX, &bytes, &n);
    if (status == 0)
        copy = cli_open(args, NULL, n, NULL, &status);
    if (copy) {
        int64_t rc = shms_stream_pwrite(copy, bytes, n, 0);
        rc = rc < 0 ? rc : shms_stream_save(copy, args->to);
        status = rc < 0 ? fail_file(args, (int)rc, n) : 0;
    }
    free(bytes);
    shms_stream_close(copy);
    return status;
}

static int copy_file(const cli_args *args)
{
    int status = 0;
    uint32_t access = args->from ? SHMS_ACCESS_READ_WRITE : SHMS_ACCESS_READ;
    shms_stream *s = cli_open_existing(args, args->name, access, &status);
    if (!s)
        return status;
    status = cli_lock(args, args->name, s, args->to != NULL, NULL);
    if (status == 0) {
        int64_t n = args->from ? shms_stream_load(s, args->from) : shms_stream_save(s, args->to);
        if (n < 0)
            status = fail_file(args, (int)n, shms_stream_size(s));
        int unlocked = cli_unlock(args, args->name, s);
        status = status ? status : unlocked;
    }
    shms_stream_close(s);
    return status;
}

static int run(cli_args *args)
{
    if (!args->from == !args->to)
        return cli_usage(args, "which way? give --from FILE or --to FILE");
    if (args->to && strcmp(args->to, "-") == 0)
        return copy_to_output(args);
    if (args->from && strcmp(args->from, "-") == 0)
        return copy_from_input(args);
    if (args->to && system_is_device(args->to))
        return copy_to_device(args);
    return copy_file(args);
}

const command cmd_copy = {
    .name = "copy", .run = run, .options = "ABtmO", .operands = "NAME --to FILE | NAME --from FILE",
    .least = 1, .most = 1, .timeout_ms = 10000, .summary = "Copy a region to a file, or a file into a region",
};
