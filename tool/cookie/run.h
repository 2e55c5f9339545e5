/* SPDX-License-Identifier: MIT */
/* Running another program, and pipes that it opens by name. */
#ifndef SHMS_COOKIE_RUN_H
#define SHMS_COOKIE_RUN_H

#include "cookie.h"

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

/* Run it to its end, between hold and release: its exit status, or one of command.h. */
int run_program(const arguments *args, char **words, struct flow *flows, size_t count);

#endif
