/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "show.h"
#include "system.h"

/* ---- opening */

shms_stream *cli_open(const cli_args *args, const char *name, uint64_t size,
                      const shms_stream_options *options, int *ret_status)
{
    shms_stream *s = NULL;
    int rc = shms_stream_open(name, size, options, &s);
    if (rc < 0)
        *ret_status = cli_fail(args, name, rc);
    return rc < 0 ? NULL : s;
}

shms_stream *cli_open_existing(const cli_args *args, const char *name, uint32_t access, int *ret_status)
{
    shms_stream_options options = args->open;
    options.access = access;
    options.create = SHMS_OPEN_ONLY;
    return cli_open(args, name, 0, &options, ret_status);
}

/* ---- the lock */

static int lock_not_got(const cli_args *args, const char *name, shms_stream *s)
{
    shms_info info = {.struct_size = sizeof info};
    char holder[64] = "";
    if (shms_stream_info(s, &info) == 0 && info.owner_pid > 0)
        snprintf(holder, sizeof holder, ": process %d holds it", (int)info.owner_pid);
    else if (info.locked == 3)
        snprintf(holder, sizeof holder, ": a program that is no member holds it");
    else if (info.locked == 0)
        snprintf(holder, sizeof holder, ": others hold it to read");
    cli_error(args, name, "the lock was not got within %g s%s; wait longer with --timeout%s",
              args->timeout_ms / 1000.0, holder,
              strchr(args->command->options, 'L') ? ", or within `shms lock` add --no-lock" : "");
    return EXIT_TIMED_OUT;
}

int cli_lock(const cli_args *args, const char *name, shms_stream *s, bool shared, bool *ret_died)
{
    int rc = shared ? shms_stream_lock_shared(s, args->timeout_ms) : shms_stream_lock(s, args->timeout_ms);
    if (rc == SHMS_E_TIMEOUT)
        return lock_not_got(args, name, s);
    if (rc < 0)
        return cli_fail(args, name, rc);
    hold_stops();
    if (ret_died)
        *ret_died = rc == SHMS_OWNER_DIED;
    else if (rc == SHMS_OWNER_DIED)
        cli_error(args, name, "an owner of the lock died, so the data may be half-written; "
                              "look at it, then say `shms repaired`");
    return 0;
}

int cli_unlock(const cli_args *args, const char *name, shms_stream *s)
{
    int rc = shms_stream_unlock(s);
    release_stops();
    return rc < 0 ? cli_fail(args, name, rc) : 0;
}

/* ---- waiting */

cli_pause cli_pause_begin(const cli_args *args, int fd, int64_t longest_ms)
{
    system_begin_waiting();
    /* Without a descriptor (a limit of the user) it just naps. */
    return (cli_pause){fd, fd < 0 ? 50 : longest_ms,
                       args->timeout_ms < 0 ? INT64_MAX : system_clock_ns() / 1000000 + args->timeout_ms};
}

int cli_pause_sleep(const cli_args *args, const cli_pause *p)
{
    int64_t rest_ms = p->deadline_ms - system_clock_ns() / 1000000;
    if (rest_ms <= 0) {
        cli_error(args, args->name, "nothing changed within %g s", args->timeout_ms / 1000.0);
        return EXIT_TIMED_OUT;
    }
    return system_sleep(p->fd, rest_ms < p->longest_ms ? rest_ms : p->longest_ms) ? 0 : -1;
}

int cli_wait(const cli_args *args, shms_stream *s, int64_t *seen)
{
    cli_pause pause = cli_pause_begin(args, shms_stream_poll_fd(s), 3600000);
    for (;;) {
        int rc = shms_stream_wait(s, seen, 0);
        if (rc != SHMS_E_TIMEOUT)
            return rc < 0 ? cli_fail(args, args->name, rc) : 0;
        int status = cli_pause_sleep(args, &pause);
        if (status < 0) {
            shms_stream_close(s);
            system_stop();
        }
        if (status)
            return status;
    }
}

/* ---- moving bytes */

static int check_range(const cli_args *args, const char *name, uint64_t offset, uint64_t count,
                       uint64_t size)
{
    if (offset <= size && (count == UINT64_MAX || count <= size - offset))
        return 0;
    if (count == UINT64_MAX || offset > size)
        return cli_error(args, name, "offset %llu is past the end; the region has %llu bytes",
                         (unsigned long long)offset, (unsigned long long)size);
    return cli_error(args, name, "%llu bytes from offset %llu go past the end; the region has %llu bytes",
                     (unsigned long long)count, (unsigned long long)offset, (unsigned long long)size);
}

static int take_locked(const cli_args *args, const char *name, shms_stream *s, uint64_t offset,
                       uint64_t count, char **ret_bytes, size_t *ret_n)
{
    uint64_t size = shms_stream_size(s);
    int status = check_range(args, name, offset, count, size);
    if (status)
        return status;
    size_t n = (size_t)(count == UINT64_MAX ? size - offset : count);
    char *bytes = malloc(n + 1);
    if (!bytes)
        return cli_fail(args, name, SHMS_E_NOMEM);
    int64_t got = shms_stream_pread(s, bytes, n, (int64_t)offset);
    if (got < 0) {
        free(bytes);
        return cli_fail(args, name, (int)got);
    }
    *ret_bytes = bytes;
    *ret_n = (size_t)got;
    return 0;
}

int cli_take(const cli_args *args, const char *name, uint64_t offset, uint64_t count, char **ret_bytes,
             size_t *ret_n)
{
    int status = 0;
    *ret_bytes = NULL;
    shms_stream *s = cli_open_existing(args, name, SHMS_ACCESS_READ, &status);
    if (!s)
        return status;
    if (!args->no_lock)
        status = cli_lock(args, name, s, true, NULL);
    if (status == 0) {
        status = take_locked(args, name, s, offset, count, ret_bytes, ret_n);
        int unlocked = args->no_lock ? 0 : cli_unlock(args, name, s);
        status = status ? status : unlocked;
    }
    shms_stream_close(s);
    return status;
}

int cli_read_input(const cli_args *args, uint64_t most, char **ret_bytes, size_t *ret_n)
{
    size_t n = 0, room = 0;
    char *bytes = NULL;
    if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO))
        cli_error(args, NULL, "this reads from the terminal; Ctrl-D on a line of its own ends it");
    while (!feof(stdin) && n <= most) {
        if (n == room) {
            room = room ? 2 * room : 4096;
            char *grown = realloc(bytes, room + 1);
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

int cli_put(const cli_args *args, const char *bytes, size_t n)
{
    bool whole = fwrite(bytes, 1, n, stdout) == n && fflush(stdout) == 0;
    return whole ? EXIT_SUCCESS : cli_put_failed(args);
}

int cli_put_failed(const cli_args *args)
{
    if (errno != EPIPE)
        cli_error(args, NULL, "standard output: %s", cli_io_error(errno));
    /* It has been worded, or needs no words: keep main() from wording it again. */
    clearerr(stdout);
    return EXIT_FAILURE;
}
