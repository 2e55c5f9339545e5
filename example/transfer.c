/* SPDX-License-Identifier: MIT */
/*
 * Transfer: in an atomic region, what is written under the lock is all there or not at all. A process dies
 * between taking from one account and giving to the other; who comes next finds the money where it was.
 * With the word "die" it leaves things so, for `shms sweep`.
 */
#include "shmstream.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static void transfer(shms_stream *s, int amount, int die_half_way)
{
    int account[2];
    check("lock", shms_stream_lock(s, -1));
    check("read", shms_stream_pread(s, account, sizeof account, 0));
    printf("%d + %d; moves %d\n", account[0], account[1], amount);
    fflush(stdout);
    account[0] -= amount;
    account[1] += amount;
    check("write", shms_stream_pwrite(s, &account[0], sizeof account[0], 0));
    if (die_half_way)
        kill(getpid(), SIGKILL);
    check("write", shms_stream_pwrite(s, &account[1], sizeof account[1], sizeof account[0]));
    check("unlock", shms_stream_unlock(s));
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "example-transfer";
    shms_stream_options options = {.struct_size = sizeof options, .atomic = 1, .keep = 1};
    shms_stream *s;
    check(name, shms_stream_open(name, 2 * sizeof(int), &options, &s));
    transfer(s, -100, 0);
    pid_t pid = fork();
    check("fork", pid < 0 ? SHMS_E_OS : 0);
    if (pid == 0)
        transfer(s, 30, 1);
    waitpid(pid, NULL, 0);
    if (argc > 2 && strcmp(argv[2], "die") == 0)
        kill(getpid(), SIGKILL);
    transfer(s, 40, 0);
    transfer(s, 0, 0);
    shms_stream_close(s);
    check("unlink", shms_stream_unlink(name));
    return 0;
}
