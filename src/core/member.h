/* SPDX-License-Identifier: MIT */
/* A member: an open handle with a slot and a life token, by which others know whether it lives. */
#ifndef SHMS_MEMBER_H
#define SHMS_MEMBER_H

#include "region.h"

#define EPOCH_NONE UINT32_MAX       /* no process has it */
#define EPOCH_LOST (UINT32_MAX - 1) /* nor this: memory was taken away under the handle */

/* What the undo journal keeps to itself: journal.c's alone. */
struct journal {
    a32 busy;           /* 1: a thread is writing records */
    unsigned char *at;  /* the records, mapped; NULL: none yet */
    uint64_t mapped;    /* bytes */
    uint64_t reserved;  /* of these, the bytes that have memory behind them */
    uint64_t used;      /* as in control, which a peer may overwrite */
    uint64_t section;   /* the version of the section that all below belong to */
    uint64_t size;      /* of the region when that began, once it has been resized; 0: it has not */
    uint64_t *saved;    /* a bit a block: its old bytes are in the records */
    uint64_t words;     /* of saved */
    uint64_t low, high; /* of these, the words that are not all zero: from low up to high */
};

/* What lock and unlock touch stands first, together. */
struct member {
    uint64_t id;  /* as the lock cell names it: generation, whether its writes are journaled, slot + 1 */
    a64 holder;   /* the thread that took the lock through this handle, 0 for none; private memory */
    a32 epoch;    /* the process (shms__fork_word) in which it joined; EPOCH_NONE: it has no control */
    uint32_t slot;
    a32 *entries;     /* of its slot: control's readers */
    a32 readers_high; /* the highest of the entries that were ever used */
    a64 readers[LAYOUT_READERS]; /* the threads that hold the shared lock through this handle; private */
    struct region region;
    struct watch watch; /* the poll descriptor; guarded by the process lock */
    struct journal journal;
};

/* Join the region, whose life-cycle lock is held. SHMS_E_FULL: no free slot. */
int shms__member_join(struct member *m);

/* Leave the region; the lock has been given back. */
void shms__member_leave(struct member *m);

/* Is the member that `owner` (of a lock cell, already masked) names alive? "Cannot tell" is alive. */
bool shms__member_alive(struct member *m, uint64_t owner);

/* In a child of fork: become a member of one's own. */
int shms__member_rejoin(struct member *m);

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

/* The guard's two hooks, for a signal handler: the handle is lost; its control is this from now on. */
void shms__member_lose(void *member);
void shms__member_fill(void *control);

/* To be called first by every call that touches control. 0, or why this handle cannot take part. */
static inline int shms__member_enter(struct member *m)
{
    if (!shms__member_here(m)) {
        int rc = shms__member_rejoin(m);
        if (rc < 0)
            return rc;
    }
    return m->region.control ? 0 : shms__fail(SHMS_E_DENIED);
}

#endif
