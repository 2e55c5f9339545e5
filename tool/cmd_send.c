/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "show.h"
#include "system.h"

#define CHUNK 65536

/* Standard input, cut into messages. */
typedef struct input {
    char *bytes;
    size_t room; /* bytes that the longest message may have, and 4 for a length */
    size_t used;
    bool ended;
} input;

typedef struct sender {
    cli_args *args;
    shms_channel *channel;
    cli_progress progress;
    uint64_t sent;
    input in;
} sender;

static int send_message(sender *s, const char *bytes, size_t n)
{
    int rc = shms_channel_send(s->channel, bytes, n, s->args->timeout_ms);
    if (rc < 0)
        return cli_channel_fail(s->args, rc);
    s->sent++;
    cli_progress_add(&s->progress, n);
    return 0;
}

/* Wait for more. 0 or an exit status. */
static int fill(const cli_args *args, input *in, size_t most)
{
    size_t n = in->room - in->used;
    ssize_t got;
    do
        got = read(STDIN_FILENO, in->bytes + in->used, (unsigned)(n < most ? n : most));
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return cli_error(args, NULL, "standard input: %s", cli_io_error(errno));
    in->used += (size_t)got;
    in->ended = got == 0;
    return 0;
}

static void drop(input *in, size_t n)
{
    memmove(in->bytes, in->bytes + n, in->used - n);
    in->used -= n;
}

static bool is_enough(const sender *s)
{
    return s->sent >= s->args->count;
}

/* The whole lines that are there; at the end also what has no end of line. */
static int send_lines(sender *s)
{
    input *in = &s->in;
    size_t done = 0;
    int status = 0;
    while (status == 0 && done < in->used && !is_enough(s)) {
        const char *line = in->bytes + done;
        const char *end = memchr(line, '\n', in->used - done);
        if (!end && !in->ended)
            break;
        size_t n = end ? (size_t)(end - line) : in->used - done;
        status = send_message(s, line, n);
        done += n + (end != NULL);
    }
    drop(in, done < in->used ? done : in->used);
    if (status == 0 && in->used == in->room)
        return cli_error(s->args, s->args->name, "a line is longer than the channel's %" PRIu64 " bytes; "
                                                 "make it larger, or use --raw", (uint64_t)in->room);
    return status;
}

static int send_lengths(sender *s)
{
    input *in = &s->in;
    int status = 0;
    while (status == 0 && in->used >= 4 && !is_enough(s)) {
        const unsigned char *p = (const unsigned char *)in->bytes;
        size_t n = p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
        if (n > in->room - 4)
            return cli_error(s->args, s->args->name,
                             "a message of %" PRIu64 " bytes does not fit; the most is %" PRIu64,
                             (uint64_t)n, (uint64_t)in->room - 4);
        if (in->used - 4 < n)
            break;
        status = send_message(s, in->bytes + 4, n);
        drop(in, 4 + n);
    }
    if (status == 0 && in->ended && in->used > 0 && !is_enough(s))
        return cli_error(s->args, NULL, "standard input ends within a message");
    return status;
}

static int send_raw(sender *s)
{
    int status = s->in.used > 0 ? send_message(s, s->in.bytes, s->in.used) : 0;
    s->in.used = 0;
    return status;
}

static int send_all(sender *s)
{
    int status = 0;
    while (status == 0 && !s->in.ended && !is_enough(s)) {
        status = fill(s->args, &s->in, CHUNK);
        if (status)
            break;
        switch (s->args->framing) {
        case CLI_LINES: status = send_lines(s); break;
        case CLI_RAW: status = send_raw(s); break;
        case CLI_LENGTH: status = send_lengths(s); break;
        }
    }
    return status;
}

static int wait_for_receiver(const sender *s)
{
    shms_channel_stats stats = {.struct_size = sizeof stats};
    int64_t deadline = s->args->timeout_ms < 0 ? INT64_MAX
                                               : system_clock_ns() + (int64_t)s->args->timeout_ms * 1000000;
    for (;;) {
        int rc = shms_channel_info(s->channel, &stats);
        if (rc < 0 || stats.receivers > 0)
            return rc < 0 ? cli_channel_fail(s->args, rc) : 0;
        if (system_clock_ns() >= deadline)
            return cli_channel_fail(s->args, SHMS_E_TIMEOUT);
        system_sleep(-1, 20);
    }
}

static int run(cli_args *args)
{
    int status = 0;
    sender s = {.args = args, .progress = {.stream = STDIN_FILENO}};
    shms_channel_stats stats = {.struct_size = sizeof stats};
    s.channel = cli_channel(args, SHMS_SEND, &status);
    if (!s.channel)
        return status;
    shms_channel_info(s.channel, &stats);
    s.in.room = (size_t)stats.capacity - 16 + (args->framing == CLI_LENGTH ? 4 : 0);
    s.in.bytes = malloc(s.in.room);
    if (!s.in.bytes)
        status = cli_fail(args, args->name, SHMS_E_NOMEM);
    if (status == 0 && args->wait_receiver)
        status = wait_for_receiver(&s);
    if (status == 0)
        status = send_all(&s);
    cli_progress_end(&s.progress);
    uint64_t left = status == 0 ? cli_channel_lost(args, s.channel) : 0;
    if (left > 0)
        status = cli_error(args, args->name, "nobody is there to receive: what was sent last (%" PRIu64
                                             ") goes with the channel, which ends here%s", left,
                           args->wait_receiver ? "" : "; see --wait-receiver");
    free(s.in.bytes);
    shms_channel_close(s.channel);
    return status;
}

const command cmd_send = {
    .name = "send", .run = run, .options = "sIRGDKHMtmO", .operands = "NAME", .least = 1, .most = 1,
    .timeout_ms = -1, .summary = "Send standard input through a channel, a message a line",
    .details =
        "\nThe channel is made if it is not there (4M). It ends with its last user, and what was sent and\n"
        "not received with it, which is status 1: where the receiver comes later, --wait-receiver.\n"
        "Programs and files are sent as they are with --raw, here and at the receiver.\n",
};
