/* SPDX-License-Identifier: MIT */
/* The changes that a dict is made of, each by one redo, by the holder of the lock. */
#ifndef SHMS_CHANGE_H
#define SHMS_CHANGE_H

#include "table.h"

/* Take the lock and finish what a dead holder had decided. 0: shms__change_end must follow. */
int shms__change_begin(shms_dict *d);
/* The same, but waits for the lock at most so long. */
int shms__change_begin_within(shms_dict *d, int timeout_ms);
/* Give the lock back; `wrote`: those who wait are woken. Gives rc, or why it cannot be. */
int64_t shms__change_end(shms_dict *d, bool wrote, int64_t rc);

/* When a change was made, and on which machine. ns 0: now, here. */
struct stamp {
    int64_t ns;
    uint64_t origin;
};

/* What a record gets besides its key. */
struct content {
    const void *value;
    uint32_t size;
    int64_t expires_ns;
    struct stamp stamp;
};

/* Put a record in its place, which has been found, and for which there is room. Its version, or a failure. */
int64_t shms__change_put(shms_dict *d, const struct wanted *w, const struct place *p, const struct content *c,
                         struct clock *clock);

/* Take a record away, and leave a mark of it that tells why: 0, RECORD_EXPIRED, RECORD_EVICTED. Only a
 * deleted one gets a new stamp. The lock of a key leaves no mark. The change's number (0: of a lock), or a
 * failure. */
int64_t shms__change_drop(shms_dict *d, const struct place *p, uint32_t why, struct stamp stamp,
                          struct clock *clock);

/* Give up the oldest mark. 1; 0: there is none; or a failure. */
int shms__change_give_up(shms_dict *d);

#endif
