/* SPDX-License-Identifier: MIT */
/*
 * Memory without a name: only who is handed a descriptor can reach it, here over a socket (SCM_RIGHTS).
 * It is sealed, so not even who has it can take the memory away from the others.
 */
#include "shmstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
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

/* A byte goes over the socket, and a descriptor with it: fd if that is >= 0, else one is received. */
static int pass(int socket, int fd)
{
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec body = {(char[1]){0}, 1};
    struct msghdr m = {.msg_iov = &body, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    check("socket", fd >= 0 ? sendmsg(socket, &m, 0) : recvmsg(socket, &m, MSG_CMSG_CLOEXEC));
    memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

int main(void)
{
    int sockets[2];
    shms_stream *s;
    check("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
    if (fork() == 0) { /* it could be any other process */
        check("join", shms_stream_open_fd(pass(sockets[1], -1), NULL, &s));
        printf("given: %d bytes\n", (int)shms_stream_size(s));
        check("lock", shms_stream_lock(s, -1));
        check("write", shms_stream_write(s, "hello", 6));
        check("unlock", shms_stream_unlock(s));
        shms_stream_close(s);
        return 0;
    }
    check("open", shms_stream_open(NULL, 4096, NULL, &s));
    int fd = (int)check("fd", shms_stream_fd(s));
    pass(sockets[0], fd);
    close(fd);
    wait(NULL);
    printf("found: %s\n", (char *)shms_stream_memory(s));
    shms_stream_close(s);
    return 0;
}
