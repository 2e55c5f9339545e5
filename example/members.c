/* SPDX-License-Identifier: MIT */
/*
 * Members: which processes have a stream open, and which of them holds the lock.
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

static int tell(const shms_member *m, void *unused)
{
    (void)unused;
    printf("%s %s the lock\n", m->self ? "this process" : m->pid > 0 ? "another process" : "?",
           m->locked ? "holds" : "does not hold");
    return 0;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "example-members";
    int gate[2];
    char byte;
    shms_stream *s;
    check("pipe", pipe(gate) ? SHMS_E_OS : 0);
    check(name, shms_stream_open(name, 64, NULL, &s));
    pid_t pid = fork();
    check("fork", pid < 0 ? SHMS_E_OS : 0);
    if (pid == 0) {
        check("lock", shms_stream_lock(s, -1));
        check("write", write(gate[1], "", 1) == 1 ? 0 : SHMS_E_OS);
        pause(); /* until it is killed */
    }
    check("read", read(gate[0], &byte, 1) == 1 ? 0 : SHMS_E_OS);
    check("members", shms_stream_members(s, tell, NULL));
    kill(pid, SIGKILL);
    wait(NULL);
    printf("the other one is killed\n");
    check("members", shms_stream_members(s, tell, NULL));
    shms_stream_close(s);
    return 0;
}
