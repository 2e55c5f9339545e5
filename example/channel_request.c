/* SPDX-License-Identifier: MIT */
/* Request and reply: a queue of requests, and a channel of its own for each client, named in the request. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shmstream/channel.h>

struct request {
    char reply_to[64];
    char text[64];
};

static shms_channel *channel(const char *name, int role)
{
    shms_channel *c;
    int rc = shms_channel_open(name, 4096, role, NULL, &c);
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", name, shms_strerror(rc));
        exit(1);
    }
    return c;
}

/* Gives back in capitals what it is asked; ends with its clients. */
static int serve(shms_channel *requests)
{
    struct request q;
    while (shms_channel_recv(requests, &q, sizeof q, -1) == sizeof q) {
        for (char *p = q.text; *p; p++)
            *p = (char)toupper((unsigned char)*p);
        shms_channel *reply = channel(q.reply_to, SHMS_SEND);
        shms_channel_send(reply, q.text, strlen(q.text) + 1, 1000);
        shms_channel_close(reply);
    }
    shms_channel_close(requests);
    return 0;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "capitals";
    struct request q = {.text = "hello"};
    char answer[64];
    shms_channel *inbox = channel(name, SHMS_RECEIVE);
    shms_channel *requests = channel(name, SHMS_SEND);
    pid_t server = fork();
    if (server == 0) {
        shms_channel_close(requests);
        return serve(inbox);
    }
    snprintf(q.reply_to, sizeof q.reply_to, "%s-%d", name, (int)getpid());
    shms_channel *replies = channel(q.reply_to, SHMS_RECEIVE);
    shms_channel_send(requests, &q, sizeof q, -1);
    if (shms_channel_recv(replies, answer, sizeof answer, 5000) > 0)
        printf("%s -> %s\n", q.text, answer);
    shms_channel_close(replies);
    shms_channel_close(requests); /* the last client goes, and the server with it */
    waitpid(server, NULL, 0);
    shms_channel_close(inbox);
    return 0;
}
