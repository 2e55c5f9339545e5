/* SPDX-License-Identifier: MIT */
/* What send and recv share: the channel, its failures in words, and the line on a terminal. */
#include "cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "show.h"
#include "system.h"

#define SIZE_NEW (4ull << 20)

static int open_once(const cli_args *args, int role, uint64_t size, shms_channel **ret)
{
    shms_channel_options options = {.struct_size = sizeof options, .kind = args->broadcast,
                                    .slow = args->slow, .region = &args->open};
    return shms_channel_open(args->name, size, role, &options, ret);
}

/* One that exists is taken as it is, whatever its size; also if another process makes it, or ends it, while
 * this one looks. */
static int open_any(const cli_args *args, int role, bool *ret_made, shms_channel **ret)
{
    int rc = SHMS_E_SIZE;
    for (int tries = 0; rc == SHMS_E_SIZE && tries < 100; tries++) {
        rc = open_once(args, role, 0, ret);
        *ret_made = rc == SHMS_E_NOT_FOUND;
        if (*ret_made)
            rc = open_once(args, role, SIZE_NEW, ret);
    }
    return rc;
}

/* For people only: a name that was mistyped would else wait for ever, and in silence. */
static void tell_made(const cli_args *args, int role)
{
    if (isatty(STDERR_FILENO))
        cli_error(args, args->name, "no such channel was there, so it was made; %s",
                  role == SHMS_RECEIVE ? "this waits for a sender"
                                       : "without a receiver, what is sent goes with this command's end");
}

shms_channel *cli_channel(const cli_args *args, int role, int *ret_status)
{
    shms_channel *c = NULL;
    shms_info info;
    if (args->slow != SHMS_SLOW_BLOCK && !args->broadcast) {
        *ret_status = cli_usage(args, "--slow is a broadcast's; add --broadcast");
        return NULL;
    }
    bool made = false;
    int rc = args->size ? open_once(args, role, args->size, &c) : open_any(args, role, &made, &c);
    if (rc == 0 && made && !args->wait_receiver)
        tell_made(args, role);
    if (rc == 0)
        return c;
    if (rc == SHMS_E_INVALID && show_find(args->name, &info) == 0)
        *ret_status = cli_error(args, args->name, "the channel that exists is of another kind; "
                                                     "see `shms info`");
    else if (rc == SHMS_E_INVALID && args->size)
        *ret_status = cli_error(args, args->name, "a channel has 4K to 2G");
    else if (rc == SHMS_E_FULL)
        *ret_status = cli_error(args, args->name, "256 handles are open, or one that was promised "
                                                     "to be alone");
    else
        *ret_status = cli_fail(args, args->name, rc);
    return NULL;
}

uint64_t cli_channel_lost(const cli_args *args, shms_channel *c)
{
    shms_info info = {0};
    shms_channel_stats t = {.struct_size = sizeof t};
    if (shms_channel_info(c, &t) < 0 || t.kind != SHMS_QUEUE || t.receivers + t.senders > 1 ||
        t.used == 0 || (show_find(args->name, &info) == 0 && info.keep))
        return 0;
    return t.sent > t.received ? t.sent - t.received : 1; /* one that was put back counts as received */
}

int cli_channel_fail(const cli_args *args, int code)
{
    switch (code) {
    case SHMS_E_DIED:
        cli_error(args, args->name, "%s died without closing: what came is not all",
                  args->command == &cmd_recv ? "a sender" : "the receiver");
        return EXIT_DIED;
    case SHMS_E_CLOSED:
        return cli_error(args, args->name, "the receivers have gone, and the channel is full");
    case SHMS_E_TIMEOUT:
        cli_error(args, args->name, "nothing within %g s", args->timeout_ms / 1000.0);
        return EXIT_TIMED_OUT;
    default:
        return cli_fail(args, args->name, code);
    }
}

void cli_progress_add(cli_progress *p, uint64_t bytes)
{
    char so_far[SHOW_TEXT], speed[SHOW_TEXT];
    int64_t now = system_clock_ns();
    p->began_ns = p->began_ns ? p->began_ns : now;
    p->bytes += bytes;
    if (now - p->began_ns < 1000000000 || now - p->shown_ns < 200000000 || !isatty(STDERR_FILENO) ||
        isatty(p->stream))
        return;
    p->shown_ns = now;
    fprintf(stderr, "\r%s, %s/s   ", show_size(so_far, p->bytes),
            show_size(speed, (uint64_t)((double)p->bytes / ((double)(now - p->began_ns) / 1e9))));
    fflush(stderr);
}

void cli_progress_end(cli_progress *p)
{
    if (p->shown_ns)
        fputc('\n', stderr);
}
