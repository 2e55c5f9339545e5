/* SPDX-License-Identifier: MIT */
/* Sleeping in slices: until woken, until the bell of who is waited for rings, or until it is time to ask. */
#ifndef SHMS_SLICE_H
#define SHMS_SLICE_H

#include "member.h"

/* The first sleep; then it grows to 20 ms. Written by tests only. */
extern int64_t shms__first_slice_ns;

/* Of one waiting call. */
struct slices {
    int64_t ns;     /* how long the next sleep may last: then ask whether who is waited for lives */
    uint32_t rings; /* how often a bell has cut sleeps short, less one for each whole slice since */
};

/*
 * Sleep while *word == expected, a slice long, at most most_ns. `owner` is the identity of who is waited for.
 * SLEEP_RUNG: ask now whether it lives.
 */
int shms__sleep(struct member *m, struct slices *s, uint64_t owner, a32 *word, uint32_t expected,
                int64_t most_ns);

#endif
