/* SPDX-License-Identifier: MIT */
/*
 * Fork: a handle opened before fork() works in the child, which is a member of its own from its first call
 * on. What the parent holds stays the parent's: the child cannot release its lock.
 */
#include "shmstream.h"

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

static void be_child(shms_stream *s)
{
    char text[16];
    printf("child: unlocks: %s\n", shms_strerror(shms_stream_unlock(s)));
    printf("child: tries to lock: %s\n", shms_strerror(shms_stream_lock(s, 0)));
    check("read", shms_stream_pread(s, text, sizeof text, 0));
    printf("child: reads: %s\n", text);
    shms_stream_close(s); /* the child's membership; the parent's stays */
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "example-fork";
    shms_stream *s;
    check(name, shms_stream_open(name, 16, NULL, &s));
    check("lock", shms_stream_lock(s, -1));
    check("write", shms_stream_write(s, "from the parent", 16));
    pid_t pid = fork();
    check("fork", pid < 0 ? SHMS_E_OS : 0);
    if (pid == 0) {
        be_child(s);
        return 0;
    }
    wait(NULL);
    printf("parent: unlocks: %s\n", shms_strerror(shms_stream_unlock(s)));
    shms_stream_close(s);
    return 0;
}
