/* SPDX-License-Identifier: MIT */
/* A channel in an epoll loop, beside whatever else the program watches. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shmstream/channel.h>

static int check(const char *what, int result)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", what, shms_strerror(result));
        exit(1);
    }
    return result;
}

static void send_some(const char *name)
{
    static const char *const words[] = {"one", "two", "three"};
    shms_channel *c;
    check("open", shms_channel_open(name, 0, SHMS_SEND, NULL, &c));
    for (int i = 0; i < 3; i++)
        check("send", shms_channel_send(c, words[i], strlen(words[i]) + 1, -1));
    shms_channel_close(c);
}

/* Receive until nothing is there; that also arms the next event. False: the stream has ended. */
static int take_all(shms_channel *c)
{
    char word[8];
    int64_t n;
    while ((n = shms_channel_recv(c, word, sizeof word, 0)) >= 0)
        printf("received: %s\n", word);
    if (n != SHMS_E_TIMEOUT)
        printf("the end: %s\n", shms_strerror((int)n));
    return n == SHMS_E_TIMEOUT;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "words";
    struct epoll_event event = {.events = EPOLLIN};
    shms_channel *c;
    check("open", shms_channel_open(name, 1 << 16, SHMS_RECEIVE, NULL, &c));
    int loop = epoll_create1(EPOLL_CLOEXEC), fd = check("poll_fd", shms_channel_poll_fd(c));
    epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
    if (fork() == 0) {
        send_some(name);
        _exit(0);
    }
    while (take_all(c))
        epoll_wait(loop, &event, 1, 1000); /* a sender that is killed makes nothing readable: look again */
    wait(NULL);
    shms_channel_close(c);
    return 0;
}
