/* SPDX-License-Identifier: MIT */
/* Running another program, and pipes that it opens by name. */
#ifndef SHMS_COOKIE_RUN_H
#define SHMS_COOKIE_RUN_H

#include "cookie.h"

/* As shms(1) has them, and timeout(1). */
enum {
    EXIT_TIMED_OUT = 124,
    EXIT_OURS = 125,
    EXIT_CANNOT_RUN = 126,
    EXIT_NO_COMMAND = 127,
    EXIT_SIGNALLED = 128
};

/* Bytes that go to a program, or come from it, through a pipe that it opens under `path`. */
struct flow {
    bool to_program;
    char path[32];
    int ours, theirs; /* ends of the pipe; -1: closed */
    char *bytes;
    size_t size, room;
    size_t done; /* written */
};

/* False: no memory. Secrets go through here: bytes that are given back are wiped. */
bool flow_add(struct flow *f, const void *bytes, size_t size);
bool flow_open(struct flow *f, bool to_program);
void flow_close(struct flow *f);

/* What would end this process is held back from here on, and goes to the program while one runs. */
void hold_stops(void);
void release_stops(void);

/* Run it to its end, between hold and release: its exit status, or EXIT_... above. */
int run_program(const arguments *args, char **words, struct flow *flows, size_t count);

#endif
