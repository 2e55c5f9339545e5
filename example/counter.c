/* SPDX-License-Identifier: MIT */
/*
 * A counter that several processes share: each adds 1 many times, under the lock, and none is lost. The
 * bytes are used in place, through the pointer to them.
 */
#include "shmstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 4, TIMES = 10000 };

/* Gives a result through, or ends the program with its text. */
static int64_t check(const char *what, int64_t result)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", what, shms_strerror((int)result));
        exit(1);
    }
    return result;
}

static void count(const char *name)
{
    shms_stream *s;
    check(name, shms_stream_open(name, sizeof(uint64_t), NULL, &s));
    uint64_t *counter = shms_stream_memory(s);
    for (int i = 0; i < TIMES; i++) {
        check("lock", shms_stream_lock(s, -1));
        *counter += 1;
        check("unlock", shms_stream_unlock(s));
    }
    shms_stream_close(s);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "example-counter";
    shms_stream *s; /* keeps the region alive; a new one is all zeros */
    check(name, shms_stream_open(name, sizeof(uint64_t), NULL, &s));
    for (int i = 0; i < PROCESSES; i++) {
        pid_t pid = fork();
        check("fork", pid < 0 ? SHMS_E_OS : 0);
        if (pid == 0) {
            count(name);
            return 0;
        }
    }
    while (wait(NULL) > 0)
        continue;
    const uint64_t *counter = shms_stream_memory(s);
    printf("%d processes counted to %llu\n", PROCESSES, (unsigned long long)*counter);
    shms_stream_close(s);
    return 0;
}
