/* SPDX-License-Identifier: MIT */
/*
 * A section whose contents a program makes: it reads the region on its standard input, and what it prints
 * becomes the contents, if it succeeds. That goes by one write of an atomic section, so that a death of shms,
 * at any moment, leaves the old contents or the new ones.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "system.h"

static int fail_errno(const cli_args *args)
{
    cli_error(args, args->name, "%s", strerror(errno));
    return EXIT_OURS;
}

/* The region's bytes into the file, to be read from its beginning. 0 or an exit status. */
static int fill_input(const cli_args *args, shms_stream *s, FILE *in)
{
    uint64_t size = shms_stream_size(s);
    char *bytes = malloc((size_t)size);
    int64_t n = bytes ? shms_stream_pread(s, bytes, (size_t)size, 0) : SHMS_E_NOMEM;
    int status = 0;
    if (n < 0) {
        cli_fail(args, args->name, (int)n);
        status = EXIT_OURS;
    } else {
        size_t wanted = args->text ? strnlen(bytes, (size_t)n) : (size_t)n;
        if (fwrite(bytes, 1, wanted, in) < wanted || fflush(in) != 0)
            status = fail_errno(args);
        rewind(in);
    }
    free(bytes);
    return status;
}

static int put(const cli_args *args, shms_stream *s, const char *bytes, size_t n)
{
    int64_t rc = shms_stream_pwrite(s, bytes, n, 0);
    if (rc >= 0)
        return 0;
    cli_fail(args, args->name, (int)rc);
    return EXIT_OURS;
}

/* What the command printed, into the region. 0 or an exit status. */
static int take_output(const cli_args *args, shms_stream *s, FILE *out)
{
    size_t room = (size_t)shms_stream_size(s), zero = args->text ? 1 : 0;
    char *bytes = calloc(1, room + 1);
    int status = 0;
    if (!bytes) {
        cli_fail(args, args->name, SHMS_E_NOMEM);
        return EXIT_OURS;
    }
    rewind(out);
    size_t n = fread(bytes, 1, room + 1 - zero, out);
    if (ferror(out)) {
        status = fail_errno(args);
    } else if (n + zero > room) {
        cli_error(args, args->name, "the command printed more than fits (%llu B); nothing is written",
                  (unsigned long long)(room - zero));
        status = EXIT_OURS;
    } else {
        status = put(args, s, bytes, n + zero); /* bytes has a zero behind the last */
    }
    free(bytes);
    return status;
}

static int run_between(const cli_args *args, shms_stream *s, FILE *in, FILE *out)
{
    int status = fill_input(args, s, in);
    if (status == 0)
        status = system_run(args, args->operand + 1, in, out);
    return status ? status : take_output(args, s, out);
}

/* Holding the lock. */
static int run_section(const cli_args *args, shms_stream *s)
{
    FILE *in = system_scratch(), *out = system_scratch();
    int status = in && out ? run_between(args, s, in, out) : fail_errno(args);
    if (in)
        fclose(in);
    if (out)
        fclose(out);
    int rc = status ? shms_stream_rollback(s) : shms_stream_unlock(s);
    release_stops();
    if (rc < 0) {
        cli_fail(args, args->name, rc);
        return EXIT_OURS;
    }
    return status;
}

static bool is_atomic(const cli_args *args, shms_stream *s)
{
    shms_info info = {.struct_size = sizeof info};
    int rc = shms_stream_info(s, &info);
    if (rc < 0)
        cli_fail(args, args->name, rc);
    else if (!info.atomic)
        cli_error(args, args->name, "it is not atomic, so nothing could be rolled back; make it anew with "
                                    "`shms create --atomic`");
    return rc == 0 && info.atomic;
}

static int run(cli_args *args)
{
    int status = 0;
    shms_stream *s = cli_open_existing(args, args->name, SHMS_ACCESS_READ_WRITE, &status);
    if (!s)
        return EXIT_OURS;
    status = is_atomic(args, s) ? cli_lock(args, args->name, s, false, NULL) : EXIT_OURS;
    if (status == 0)
        status = run_section(args, s);
    else if (status != EXIT_TIMED_OUT)
        status = EXIT_OURS;
    shms_stream_close(s);
    return status;
}

const command cmd_run = {
    .name = "run", .run = run, .options = "_tmO", .operands = "NAME -- COMMAND...", .least = 2, .most = -1,
    .timeout_ms = -1, .summary = "Change an atomic region by a command, completely or not at all",
    .details = "Holding the lock, COMMAND reads the region on standard input. What it prints is written to\n"
               "the beginning of the region if it succeeds; if it fails, nothing is.\n"
               "Exit status: as that of `shms lock`.\n",
};
