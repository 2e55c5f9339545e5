/* SPDX-License-Identifier: MIT */
/* Sleeping in slices: until woken, until the bell of the awaited member rings, or until it is time to ask. */
#ifndef SHMS_SLICE_H
#define SHMS_SLICE_H

#include "member.h"

/* The first sleep of a waiter for a cell. Written by tests only. */
extern int64_t shms__first_slice_ns;
/* What slices grow to: for a lock, and where the bell of the awaited member hangs. */
#define SLICE_LAST_NS 20000000
#define SLICE_BELL_NS 500000000

/* Of one waiting call. */
struct slices {
    int64_t ns;      /* how long the next sleep may last: then ask whether the awaited member lives */
    int64_t most_ns; /* what ns grows to, by doubling, where no bell hangs */
    uint32_t rings;  /* how often a bell has cut sleeps short, less one for each whole slice since */
};

/*
 * Sleep while *word == expected, a slice long, at most most_ns. `owner` is the identity of the awaited
 * member, 0 for none. SLEEP_RUNG: ask now whether it lives.
 */
int shms__sleep(struct member *m, struct slices *s, uint64_t owner, a32 *word, uint32_t expected,
                int64_t most_ns);

#endif
