/* SPDX-License-Identifier: MIT */
/* What one counter carries: consistent reads without the lock, and waiting for a change. */
#ifndef SHMS_VERSION_H
#define SHMS_VERSION_H

#include "lock.h"

int64_t shms__version(const struct member *m);

/* To be thrown away unless the version stands still meanwhile, or the lock is held. */
static inline int64_t shms__copy_now(const struct member *m, void *buf, uint64_t n, uint64_t offset)
{
    const struct region *r = &m->region;
    uint64_t part = ref_part(offset, n, shms__region_shared_size(r, r->control));
    if (part > 0)
        racy_copy(buf, r->data + offset, (size_t)part);
    return (int64_t)part;
}

/* Copy up to n bytes from offset on. True: that is how they were between two sections; else try again. */
static inline bool shms__snapshot_once(const struct member *m, void *buf, uint64_t n, uint64_t offset,
                                       int64_t *ret_n)
{
    const struct control *c = m->region.control;
    /* acquire: the bytes are at least as new; pairs with the release in shms__unlock */
    uint64_t before = a64_load_acquire(&c->version);
    /* relaxed: died came with the version */
    if ((before & 1) || a32_load_relaxed(&c->died))
        return false;
    *ret_n = shms__copy_now(m, buf, n, offset);
    /* orders: the copy before the second look; pairs with fence_release in shms__section_begin */
    fence_acquire();
    return a64_load_relaxed(&c->version) == before; /* relaxed: ordered by the fence */
}

/* When the first try has failed: some more, then under the lock. */
int64_t shms__snapshot_again(struct member *m, void *buf, uint64_t n, uint64_t offset);

int shms__wait(struct member *m, int64_t *seen, int timeout_ms);
int shms__notify(struct member *m);

int shms__poll_open(struct member *m, int *ret_fd);
void shms__poll_close(struct member *m);

#endif
