/* SPDX-License-Identifier: MIT */
/*
 * Watch a stream in an epoll loop, beside other descriptors: here the terminal, where Enter ends the program.
 * Let hello write to the same name in another terminal, and see it here.
 */
#include "shmstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

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
static void look(shms_stream *s, int64_t *seen)
{
    char text[64];
    int rc;
    while ((rc = shms_stream_wait(s, seen, 0)) == 0) {
        int n = (int)check("snapshot", shms_stream_snapshot(s, text, sizeof text, 0));
        printf("changed: \"%.*s\"\n", n, text);
    }
    if (rc != SHMS_E_TIMEOUT)
        check("wait", rc);
}

static int watch(int loop, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
    return epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "Global\\test";
    struct epoll_event event = { .data.fd = -1 };
    int64_t seen = 0;
    shms_stream *s;
    check(name, shms_stream_open(name, 4096, NULL, &s));
    int fd = (int)check("poll_fd", shms_stream_poll_fd(s));
    int loop = epoll_create1(EPOLL_CLOEXEC);
    if (watch(loop, fd) < 0 || watch(loop, STDIN_FILENO) < 0) {
        perror("epoll");
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("watching");
    do
        look(s, &seen);
    while (epoll_wait(loop, &event, 1, -1) < 1 || event.data.fd == fd);
    close(loop);
    shms_stream_close(s);
    return 0;
}
