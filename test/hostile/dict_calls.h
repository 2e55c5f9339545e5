/* SPDX-License-Identifier: MIT */
/* Every call on a dict, with arguments made from two small numbers, and a judge of what it answers. */
#ifndef HOSTILE_DICT_CALLS_H
#define HOSTILE_DICT_CALLS_H

#include "evict.h"
#include "world.h"

#define DICT_NAME "fuzz"

/* Who calls: one handle of the dict that somebody else meddles with. */
struct caller {
    shms_dict *d;
    bool reads_only;
    int64_t (*now_ns)(void *context); /* the dict's clock */
};

extern const unsigned dict_call_count;
/* Make one call; an answer that is not allowed, or comes late, aborts the process. */
void dict_call_run(struct caller *c, unsigned which, unsigned x, unsigned y);

#endif
