/* SPDX-License-Identifier: MIT */
/*
 * Init: several processes open a table at once. The first one fills it; the others' opens return when it is
 * full, also if the first one dies while it fills: then the next one fills it.
 */
#include "shmstream.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NUMBERS = 1000 };

static int fill_with_squares(shms_stream *s, void *dies)
{
    for (int64_t i = 0; i < NUMBERS; i++) {
        int64_t square = i * i;
        int64_t rc = shms_stream_pwrite(s, &square, sizeof square, i * (int64_t)sizeof square);
        if (rc < 0)
            return (int)rc;
        if (dies && i == NUMBERS / 2)
            kill(getpid(), SIGKILL);
    }
    return 0;
}

static int use(const char *name, void *dies)
{
    const shms_stream_options o = {
        .struct_size = sizeof o, .init = fill_with_squares, .init_context = dies};
    int64_t last = 0;
    shms_stream *s;
    int rc = shms_stream_open(name, NUMBERS * sizeof last, &o, &s);
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", name, shms_strerror(rc));
        return 1;
    }
    shms_stream_pread(s, &last, sizeof last, (NUMBERS - 1) * (int64_t)sizeof last);
    printf("the table is %s\n", last == (NUMBERS - 1) * (NUMBERS - 1) ? "full" : "not full");
    shms_stream_close(s);
    return 0;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "example-init";
    for (int i = 0; i < 4; i++) {
        pid_t pid = fork();
        if (pid == 0)
            return use(name, i == 0 ? &pid : NULL);
        if (i == 0)
            wait(NULL); /* it is killed while it fills the table */
    }
    while (wait(NULL) > 0)
        continue;
    return 0;
}
