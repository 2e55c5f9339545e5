/* SPDX-License-Identifier: MIT */
/* What two counters carry: consistent reads without the lock, and waiting for a change. */
#ifndef SHMS_VERSION_H
#define SHMS_VERSION_H

#include "section.h"

int64_t shms__version(const struct section *s);

/*
 * A snapshot's usual case: no section open, nobody died, all n bytes are there. True: buf has them. Without
 * detours, since each cycle shows beside so short a copy. n and offset are below 2^63.
 */
static inline bool shms__snapshot_whole(const struct section *s, void *buf, uint64_t n, uint64_t offset)
{
    const struct region *r = &s->member.region;
    const struct control *c = r->control;
    /* acquire: the bytes are at least as new; pairs with the release in shms__unlock_quick */
    uint64_t before = a64_load_acquire(&c->sequence);
    /* relaxed: died came with the sequence; backed is private. acquire: pairs with change_size */
    if ((before & 1) || a32_load_relaxed(&c->died) || offset + n > a64_load_relaxed(&r->backed) ||
        offset + n > a64_load_acquire(&c->size))
        return false;
    racy_copy(buf, r->data + offset, (size_t)n);
    /* orders: the copy before the second look; pairs with fence_release in shms__sequence_open */
    fence_acquire();
    /* relaxed: ordered by the fence; zeros that the guard has put there are no snapshot */
    return a64_load_relaxed(&c->sequence) == before && a32_load_relaxed(&s->member.epoch) != EPOCH_LOST;
}

/* All other cases: fewer bytes, some tries, at last under the lock. */
int64_t shms__snapshot_again(struct section *s, void *buf, uint64_t n, uint64_t offset);

int shms__wait(struct section *s, int64_t *seen, int timeout_ms);

/* Inside a section: end it, wait until another has changed something, and begin anew. SHMS_E_TIMEOUT: nothing
 * has, and a section has begun all the same; after any other failure none has. */
int shms__wait_locked(struct section *s, int timeout_ms);

int shms__poll_open(struct section *s, int *ret_fd);
void shms__poll_close(struct section *s);

#endif
