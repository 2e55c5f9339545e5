/* SPDX-License-Identifier: MIT */
/* Room for a record: what has expired goes, the region grows, marks are given up, others are evicted. */
#ifndef SHMS_EVICT_H
#define SHMS_EVICT_H

#include "change.h"

/* One call's search for room. */
struct room {
    uint64_t cells; /* of the record that is to be put */
    uint64_t tries;
    bool changed; /* other records went */
};

/* By the holder of the lock: 0, there is room for the record in its place; 1, some was made: look for the
 * place again; SHMS_E_FULL or another failure. */
int shms__evict_for(shms_dict *d, const struct place *p, struct room *room, struct clock *clock);

/* Some of what has expired goes, a little at each change. True: a record went. */
bool shms__evict_step(shms_dict *d, struct clock *clock);

/* The holder of a key's lock. */
uint64_t shms__lock_holder(shms_dict *d, const struct place *p);

#endif
