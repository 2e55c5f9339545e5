/* SPDX-License-Identifier: MIT */
/*
 * The world of a fuzzer. Time is not real there: the clock and the sleeping are replaced (by the linker's
 * --wrap), so a call that would wait costs nothing, and its time-out is held to a few milliseconds whatever
 * the machine does. Mappings are moved between two pages that nobody may touch. At each look at the clock,
 * each sleep, each question about a byte lock, each mapping, the hostile peer gets a moment.
 */
#ifndef HOSTILE_WORLD_H
#define HOSTILE_WORLD_H

#include "calls.h"

extern int64_t world_clock_ns;
extern int64_t world_call_began_ns; /* set by the fuzzer before each call */
extern char world_dir[200];         /* where the files of regions are: the fuzzer's own */
int64_t world_clock(void);

void demand(bool condition, const char *what);

/* Once: the paths of the region's two files, in a directory that is the fuzzer's alone, on tmpfs. */
void world_begin(const char *region, char ret_control[240], char ret_data[240]);

/* ---- by the fuzzer */

/* A moment inside a call, in which the peer may write. */
void world_moment(void);
/* A number of 8 bits, from the input. */
unsigned world_chance(void);
/* The one call without a limit has waited for long: even a hostile holder dies, and hostile readers. */
void world_free_lock(void);
void world_free_lock_of(struct control *c);

#endif
