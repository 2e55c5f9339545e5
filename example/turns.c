/* SPDX-License-Identifier: MIT */
/*
 * Taking turns: two processes play ball. Each waits, inside its section, until the ball is on its side: while
 * it waits the lock is free for the other one.
 */
#include "shmstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HITS = 10 };

/* Gives a result through, or ends the program with its text. */
static int64_t check(const char *what, int64_t result)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", what, shms_strerror((int)result));
        exit(1);
    }
    return result;
}

/* The stream holds how often the ball was hit; even, it is on side 0. */
static void play(shms_stream *s, int side)
{
    for (int hits = 0; hits < HITS;) {
        check("lock", shms_stream_lock(s, -1));
        for (;;) {
            check("pread", shms_stream_pread(s, &hits, sizeof hits, 0));
            if (hits % 2 == side || hits == HITS)
                break;
            check("wait_locked", shms_stream_wait_locked(s, -1));
        }
        if (hits < HITS)
            hits++;
        check("pwrite", shms_stream_pwrite(s, &hits, sizeof hits, 0));
        check("unlock", shms_stream_unlock(s));
    }
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "example-turns";
    int hits = 0;
    shms_stream *s;
    check(name, shms_stream_open(name, sizeof hits, NULL, &s));
    pid_t pid = fork(); /* the child's handle is a member of its own */
    check("fork", pid < 0 ? SHMS_E_OS : 0);
    play(s, pid == 0);
    if (pid == 0)
        return 0;
    wait(NULL);
    check("pread", shms_stream_pread(s, &hits, sizeof hits, 0));
    printf("the ball was hit %d times\n", hits);
    shms_stream_close(s);
    return 0;
}
