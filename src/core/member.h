/* SPDX-License-Identifier: MIT */
/* A member: an open handle with a slot and a life token, by which others know whether it lives. */
#ifndef SHMS_MEMBER_H
#define SHMS_MEMBER_H

#include "region.h"

#define EPOCH_NONE UINT32_MAX       /* no process has it */
#define EPOCH_LOST (UINT32_MAX - 1) /* nor this: memory was taken away under the handle */

/* What every call touches stands first, together. */
struct member {
    uint64_t id;  /* as a lock cell names it: generation and slot + 1 */
    a32 epoch;    /* the process (shms__fork_word) in which it joined; EPOCH_NONE: it has no control */
    uint32_t slot;
    a32 *entries; /* of its slot: control's readers */
    void (*renew)(struct member *m); /* in a child of fork: forget what the parent held */
    struct region region;
};

/* Join the region, whose life-cycle lock is held. SHMS_E_FULL: no free slot. */
int shms__member_join(struct member *m);

/* Leave the region; the lock has been given back. */
void shms__member_leave(struct member *m);

/* Is the member that `owner` (of a lock cell, already masked) names alive? "Cannot tell" is alive. */
bool shms__member_alive(struct member *m, uint64_t owner);

/* This member's death is to be told by its bell from now on (slice.c). Starts the helper thread, if need
 * be. */
void shms__member_hang_bell(struct member *m);

/* Somebody waits for this member, or it will wait for another: the next to wait may be waiting for it. */
static inline void shms__member_contend(struct member *m)
{
    if (!a32_load_relaxed(&m->region.contended)) /* relaxed: private; a miss asks once more */
        shms__member_hang_bell(m);
}

/* In a child of fork: become a member of one's own. Waits at most for the handle's open_timeout_ms, and for
 * timeout_ms (-1: as long as the first). */
int shms__member_rejoin(struct member *m, int timeout_ms);

/* Has it joined, in this process and not in one that this was forked from? Then it has control, too. */
static inline bool shms__member_here(const struct member *m)
{
    /* acquire: all that rejoin wrote; pairs with the release in shms__member_rejoin.
     * relaxed: the word is private, and a child that reads it is a child already */
    return a32_load_acquire(&m->epoch) == a32_load_relaxed(shms__fork_word);
}

/* Was memory taken away, up to now? Asked after the region was touched, of what was read or written then. */
static inline bool shms__member_lost(const struct member *m)
{
    fence_acquire(); /* orders: what was touched before the look; pairs with the handler in this thread */
    return a32_load_relaxed(&m->epoch) == EPOCH_LOST; /* relaxed: ordered by the fence */
}

/* What a call gives that would give rc. The hint is worth a nanosecond to a short copy. */
static inline int64_t shms__member_done(const struct member *m, int64_t rc)
{
    return __builtin_expect(shms__member_lost(m), 0) ? shms__fail(SHMS_E_LOST) : rc;
}

/* The same for a call that waits, whose member may be another process's by now: a handler of the program
 * forked, and this is the child. */
static inline int64_t shms__member_still(const struct member *m, int64_t rc)
{
    return shms__member_here(m) ? rc : shms__fail(SHMS_E_LOST);
}

/* The guard's two hooks, for a signal handler: the handle is lost; its control is this from now on. */
void shms__member_lose(void *member);
void shms__member_fill(void *control);

/* To be called first by every call that touches control: one that may wait for timeout_ms, or -1. 0, or
 * why this handle cannot take part. */
static inline int shms__member_enter_within(struct member *m, int timeout_ms)
{
    if (!shms__member_here(m)) {
        int rc = shms__member_rejoin(m, timeout_ms);
        if (rc < 0)
            return rc;
    }
    return m->region.control ? 0 : shms__fail(SHMS_E_DENIED);
}

static inline int shms__member_enter(struct member *m)
{
    return shms__member_enter_within(m, -1);
}

#endif
