/* SPDX-License-Identifier: MIT */
/*
 * Repair: a process that dies while it holds the lock takes nobody with it. The next one gets the lock and
 * is told SHMS_OWNER_DIED. It makes the data whole again and says so; until then every locker is told.
 * Here the data is two numbers that must be equal.
 */
#include "shmstream.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
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

/* Take the lock, whatever happened to its last holder; then the data is whole. */
static int *lock_and_repair(shms_stream *s)
{
    int *pair = shms_stream_memory(s);
    int rc = (int)check("lock", shms_stream_lock(s, -1));
    printf("locked: %s; the pair is %d, %d\n", shms_strerror(rc), pair[0], pair[1]);
    if (rc == SHMS_OWNER_DIED) {
        pair[1] = pair[0];
        check("repaired", shms_stream_repaired(s));
        printf("repaired: the pair is %d, %d\n", pair[0], pair[1]);
    }
    return pair;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "example-repair";
    shms_stream *s;
    check(name, shms_stream_open(name, 2 * sizeof(int), NULL, &s));
    pid_t pid = fork();
    check("fork", pid < 0 ? SHMS_E_OS : 0);
    if (pid == 0) {
        lock_and_repair(s)[0] += 1;
        fflush(stdout);
        kill(getpid(), SIGKILL); /* half-way, the lock in its hand */
    }
    wait(NULL);
    for (int i = 0; i < 2; i++) {
        lock_and_repair(s);
        check("unlock", shms_stream_unlock(s));
    }
    shms_stream_close(s);
    return 0;
}
