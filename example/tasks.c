/* SPDX-License-Identifier: MIT */
/*
 * Tasks: with the option `tasks` the lock belongs to tasks, not to threads. Two tasks on one thread may want
 * it at once; the one that comes too late tries again when it runs next, as in an event loop.
 */
#include "shmstream.h"

#include <stdio.h>
#include <stdlib.h>

/* Gives a result through, or ends the program with its text. */
static int64_t check(const char *what, int64_t result)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", what, shms_strerror((int)result));
        exit(1);
    }
    return result;
}

/* A task: each call is one step. */
struct task {
    const char *name;
    int step;
};

static void run(struct task *t, shms_stream *s)
{
    if (t->step == 0) {
        int rc = shms_stream_lock(s, 0);
        printf("%s: lock: %s\n", t->name, shms_strerror(rc));
        t->step = rc >= 0;
    } else if (t->step == 1) {
        printf("%s: unlock\n", t->name);
        check("unlock", shms_stream_unlock(s));
        t->step = 2;
    }
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "example-tasks";
    const shms_stream_options o = {.struct_size = sizeof o, .tasks = 1};
    struct task tasks[] = {{"first", 0}, {"second", 0}};
    shms_stream *s;
    check(name, shms_stream_open(name, 64, &o, &s));
    while (tasks[0].step < 2 || tasks[1].step < 2)
        for (int i = 0; i < 2; i++)
            run(&tasks[i], s);
    shms_stream_close(s);
    return 0;
}
