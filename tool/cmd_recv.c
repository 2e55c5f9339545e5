/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

typedef struct receiver {
    cli_args *args;
    shms_channel *channel;
    char *buffer; /* NULL: messages are printed from where they are */
    size_t room;
    cli_progress progress;
} receiver;

static void put_length(int64_t n)
{
    for (int i = 0; i < 32; i += 8)
        putchar((int)(n >> i & 255));
}

/* One message to standard output. */
static void put(const cli_args *args, const void *bytes, int64_t n)
{
    if (args->framing == CLI_LENGTH)
        put_length(n);
    fwrite(bytes, 1, (size_t)n, stdout);
    if (args->framing == CLI_LINES)
        putchar('\n');
}

/* What senders may overwrite is copied first. */
static int64_t get(receiver *r, const void **ret, int timeout_ms)
{
    if (!r->buffer)
        return shms_channel_peek(r->channel, ret, timeout_ms);
    *ret = r->buffer;
    return shms_channel_recv(r->channel, r->buffer, r->room, timeout_ms);
}

/* The next message. What was put out is shown before this waits: SHMS_E_OS if that fails. */
static int64_t next(receiver *r, const void **ret)
{
    int64_t n = get(r, ret, 0);
    if (n != SHMS_E_TIMEOUT || r->args->timeout_ms == 0)
        return n;
    return fflush(stdout) == 0 ? get(r, ret, r->args->timeout_ms) : SHMS_E_OS;
}

static void tell_missed(const cli_args *args, shms_channel *c)
{
    shms_message m = {.struct_size = sizeof m};
    shms_channel_message(c, &m);
    cli_error(args, args->name, "%llu messages were overwritten before they were read",
              (unsigned long long)m.missed);
}

/* 0 or an exit status. */
static int receive(receiver *r)
{
    for (uint64_t got = 0; got < r->args->count;) {
        const void *bytes;
        int64_t n = next(r, &bytes);
        if (n == SHMS_E_CLOSED)
            return 0;
        if (n == SHMS_E_MISSED) {
            tell_missed(r->args, r->channel);
            continue;
        }
        if (n >= 0)
            put(r->args, bytes, n);
        /* The last one is released when it is out: what cannot be printed is another receiver's to have. Of
         * those before it, what stdio holds would be lost; a write for each would take ten times as long. */
        if (got + 1 == r->args->count)
            fflush(stdout);
        if (ferror(stdout))
            return cli_put_failed(r->args);
        if (n < 0)
            return cli_channel_fail(r->args, (int)n);
        int rc = r->buffer ? 0 : shms_channel_release(r->channel);
        if (rc < 0)
            return cli_channel_fail(r->args, rc);
        got++;
        cli_progress_add(&r->progress, (uint64_t)n);
    }
    return 0;
}

static int run(cli_args *args)
{
    int status = 0;
    receiver r = {.args = args, .progress = {.stream = STDOUT_FILENO}};
    shms_channel_stats stats = {.struct_size = sizeof stats};
    r.channel = cli_channel(args, SHMS_RECEIVE, &status);
    if (!r.channel)
        return status;
    shms_channel_info(r.channel, &stats);
    r.room = (size_t)stats.capacity;
    if (stats.slow != SHMS_SLOW_BLOCK && !(r.buffer = malloc(r.room)))
        status = cli_fail(args, args->name, SHMS_E_NOMEM);
    if (status == 0)
        status = receive(&r);
    fflush(stdout);
    cli_progress_end(&r.progress);
    uint64_t left = cli_channel_lost(args, r.channel);
    if (left > 0)
        cli_error(args, args->name, "what was not received (%" PRIu64 ") goes with the channel, which ends "
                                    "here", left);
    shms_channel_close(r.channel);
    free(r.buffer);
    return status == 0 ? cli_put(args, "", 0) : status;
}

const command cmd_recv = {
    .name = "recv", .run = run, .options = "sIRGDKMtmO", .operands = "NAME", .least = 1, .most = 1,
    .timeout_ms = -1, .summary = "Receive from a channel, and print each message as a line",
    .details =
        "\nThe channel is made if it is not there (4M); on a terminal, this says so. Ends when the last\n"
        "sender has closed, with status 0, or 3 if a sender has died without closing.\n",
};
