/* SPDX-License-Identifier: MIT */
/* What one counter carries: consistent reads without the lock, and waiting for a change. */
#ifndef SHMS_VERSION_H
#define SHMS_VERSION_H

#include "cell.h"

int64_t shms__version(const struct member *m);

/*
 * A snapshot's usual case: no section open, nobody died, all n bytes are there. True: buf has them. Without
 * detours, since each cycle shows beside so short a copy. n and offset are below 2^63.
 */
static inline bool shms__snapshot_whole(const struct member *m, void *buf, uint64_t n, uint64_t offset)
{
    const struct region *r = &m->region;
    const struct control *c = r->control;
    /* acquire: the bytes are at least as new; pairs with the release in shms__unlock_quick */
    uint64_t before = a64_load_acquire(&c->version);
    /* relaxed: died came with the version; backed is private. acquire: pairs with change_size */
    if ((before & 1) || a32_load_relaxed(&c->died) || offset + n > a64_load_relaxed(&r->backed) ||
        offset + n > a64_load_acquire(&c->size))
        return false;
    racy_copy(buf, r->data + offset, (size_t)n);
    /* orders: the copy before the second look; pairs with fence_release in shms__section_begin */
    fence_acquire();
    /* relaxed: ordered by the fence; zeros that the guard has put there are no snapshot */
    return a64_load_relaxed(&c->version) == before && a32_load_relaxed(&m->epoch) != EPOCH_LOST;
}

/* All other cases: fewer bytes, some tries, at last under the lock. */
int64_t shms__snapshot_again(struct member *m, void *buf, uint64_t n, uint64_t offset);

int shms__wait(struct member *m, int64_t *seen, int timeout_ms);
int shms__notify(struct member *m);

int shms__poll_open(struct member *m, int *ret_fd);
void shms__poll_close(struct member *m);

#endif
