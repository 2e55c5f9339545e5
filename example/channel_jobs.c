/* SPDX-License-Identifier: MIT */
/* A work queue. A worker is killed while it works, and its job is given to another one. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shmstream/channel.h>

static shms_channel *channel(const char *name, int role)
{
    shms_channel *c;
    int rc = shms_channel_open(name, 65536, role, NULL, &c);
    if (rc < 0) {
        fprintf(stderr, "open: %s\n", shms_strerror(rc));
        exit(1);
    }
    return c;
}

/* Peeked, a job stays in the queue until it is done: release. */
static void work(const char *name, const char *fatal, shms_channel *inherited)
{
    shms_channel_close(inherited); /* the parent's handle: unused, it would keep the channel */
    shms_channel *c = channel(name, SHMS_RECEIVE);
    const void *job;
    int64_t n;
    while ((n = shms_channel_peek(c, &job, -1)) >= 0) {
        shms_message about = {.struct_size = sizeof about};
        shms_channel_message(c, &about);
        if (fatal && strncmp(job, fatal, (size_t)n) == 0)
            raise(SIGKILL);
        printf("done: %.*s%s\n", (int)n, (const char *)job, about.tries ? ", which a worker died of" : "");
        shms_channel_release(c);
    }
    shms_channel_close(c);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "jobs";
    shms_channel *c = channel(name, SHMS_SEND);
    for (int i = 1; i <= 3; i++) {
        char job[16];
        int n = snprintf(job, sizeof job, "job %d", i);
        shms_channel_send(c, job, (size_t)n, -1);
    }
    pid_t careless = fork();
    if (careless == 0)
        work(name, "job 1", c);
    waitpid(careless, NULL, 0);
    pid_t careful = fork();
    if (careful == 0) {
        work(name, NULL, c);
        return 0;
    }
    /* Close when a worker is there: with its last handle a channel goes, and its jobs with it. */
    shms_channel_stats stats = {.struct_size = sizeof stats};
    while (shms_channel_info(c, &stats) == 0 && stats.received < 3)
        usleep(1000);
    shms_channel_close(c); /* the end: workers stop when all is done */
    waitpid(careful, NULL, 0);
    return 0;
}
