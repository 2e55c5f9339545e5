/* SPDX-License-Identifier: MIT */
/* What the programs of the demo share: a way to give up, and a clock. */
#ifndef DEMO_H
#define DEMO_H

#include "shmstream.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* No peer of the demo is silent for so long; who waits longer gives up instead of hanging. */
#define PATIENCE_MS 20000

static inline _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

/* Give a result of the library through, or end the program with its text. */
static inline int64_t check(const char *what, int64_t result)
{
    if (result < 0)
        die(what, shms_strerror((int)result));
    return result;
}

/* The same for a system call. */
static inline int64_t check_os(const char *what, int64_t result)
{
    if (result < 0)
        die(what, strerror(errno));
    return result;
}

/* Nanoseconds on a clock that all processes of the machine share. */
static inline int64_t now_ns(void)
{
    struct timespec t;
    check_os("clock_gettime", clock_gettime(CLOCK_MONOTONIC, &t));
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

#endif
