/* SPDX-License-Identifier: MIT */
/*
 * Snapshot: read something consistent without taking the lock. A writer counts 32 numbers up together, as
 * fast as it can; in whatever a reader snapshots they are all equal.
 */
#include "shmstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NUMBERS = 32, TIMES = 100000 };

/* Gives a result through, or ends the program with its text. */
static int64_t check(const char *what, int64_t result)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", what, shms_strerror((int)result));
        exit(1);
    }
    return result;
}

static void count_up(shms_stream *s)
{
    int *numbers = shms_stream_memory(s);
    for (int time = 0; time < TIMES; time++) {
        check("lock", shms_stream_lock(s, -1));
        for (int i = 0; i < NUMBERS; i++)
            numbers[i]++;
        check("unlock", shms_stream_unlock(s));
    }
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "example-snapshot";
    int numbers[NUMBERS];
    int torn = 0;
    shms_stream *s;
    check(name, shms_stream_open(name, sizeof numbers, NULL, &s));
    pid_t pid = fork();
    check("fork", pid < 0 ? SHMS_E_OS : 0);
    if (pid == 0) {
        count_up(s);
        return 0;
    }
    do {
        check("snapshot", shms_stream_snapshot(s, numbers, sizeof numbers, 0));
        for (int i = 1; i < NUMBERS; i++)
            torn += numbers[i] != numbers[0];
    } while (numbers[0] < TIMES);
    printf("counted to %d, torn: %d\n", numbers[0], torn);
    wait(NULL);
    shms_stream_close(s);
    return torn != 0;
}
