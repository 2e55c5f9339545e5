/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/*
 * All of standard input, but at most `most` bytes; more is an error, found before anything is written. It is
 * read without the lock: what fills the pipe may be slow.
 */
static int read_input(const cli_args *args, uint64_t most, char **ret_bytes, size_t *ret_n)
{
    size_t n = 0, room = 0;
    char *bytes = NULL;
    while (!feof(stdin) && n <= most) {
        if (n == room) {
            room = room ? 2 * room : 4096;
            char *grown = realloc(bytes, room);
            if (!grown)
                break;
            bytes = grown;
        }
        n += fread(bytes + n, 1, room - n, stdin);
        if (ferror(stdin)) {
            free(bytes);
            return cli_error(args, NULL, "standard input: %s", cli_io_error(errno));
        }
    }
    if (feof(stdin) && n <= most) {
        *ret_bytes = bytes;
        *ret_n = n;
        return 0;
    }
    free(bytes);
    if (n <= most)
        return cli_fail(args, args->name, SHMS_E_NOMEM);
    return cli_error(args, args->name, "standard input has more than fits (%llu B); nothing is written",
                     (unsigned long long)most);
}

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
        status = read_input(args, size - args->offset - end, &bytes, &n);
    if (status == 0) {
        if (args->text)
            bytes[n++] = 0; /* read_input() leaves room: it stops on a short read */
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
