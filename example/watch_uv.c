/* SPDX-License-Identifier: MIT */
/*
 * Watch a stream in a libuv loop: a uv_poll on the stream's descriptor. Enter ends the program. Let hello
 * write to the same name in another terminal, and see it here.
 */
#include "shmstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

static shms_stream *stream;
static int64_t seen;

/* Gives a result through, or ends the program with its text. */
static int64_t check(const char *what, int64_t result)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", what, shms_strerror((int)result));
        exit(1);
    }
    return result;
}

/* Look until nothing is new; that also arms the next event. A snapshot is no section, so it is no change. */
static void look(uv_poll_t *poll, int status, int events)
{
    (void)poll, (void)status, (void)events;
    char text[64];
    int rc;
    while ((rc = shms_stream_wait(stream, &seen, 0)) == 0) {
        int n = (int)check("snapshot", shms_stream_snapshot(stream, text, sizeof text, 0));
        printf("changed: \"%.*s\"\n", n, text);
    }
    if (rc != SHMS_E_TIMEOUT)
        check("wait", rc);
}

static void end(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    uv_stop(poll->loop);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "Global\\test";
    uv_poll_t changes, keys;
    check(name, shms_stream_open(name, 4096, NULL, &stream));
    int fd = (int)check("poll_fd", shms_stream_poll_fd(stream));
    uv_loop_t *loop = uv_default_loop();
    if (uv_poll_init(loop, &changes, fd) != 0 || uv_poll_start(&changes, UV_READABLE, look) != 0 ||
        uv_poll_init(loop, &keys, STDIN_FILENO) != 0 || uv_poll_start(&keys, UV_READABLE, end) != 0)
        return 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("watching");
    look(&changes, 0, UV_READABLE); /* what changed before the loop runs */
    uv_run(loop, UV_RUN_DEFAULT);
    shms_stream_close(stream);
    return 0;
}
