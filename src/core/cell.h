/* SPDX-License-Identifier: MIT */
/* The exclusive lock, and the section it opens. */
#ifndef SHMS_LOCK_H
#define SHMS_LOCK_H

#include "gate.h"
#include "journal.h"
#include "slice.h"

/*
 * 0 or SHMS_OWNER_DIED (held), or a failure. A section that `changes` moves the version; a quiet one leaves
 * it alone, and must not write. shms__unlock is told the same.
 */
static inline int shms__lock(struct member *m, int timeout_ms, bool changes);
static inline int shms__unlock(struct member *m, bool changes);

/* Does this handle hold the lock? And this thread, through it? */
static inline bool shms__lock_held(const struct member *m)
{
    /* relaxed: if it is this handle, this process wrote it */
    return (a64_load_relaxed(&m->region.control->cell) & CELL_OWNER) == m->id &&
           shms__gate_inside(&m->region);
}
bool shms__lock_held_here(const struct member *m);

/* Say that the data is whole again. */
int shms__repaired(struct member *m);

/* Before leaving: a lock still held is released; what it changed is undone, or the next locker told. */
void shms__lock_forsake(struct member *m, bool changes);

/* If a dead holder left its section open, end it. */
void shms__settle(struct member *m);

/* The cell alone, for who minds neither readers nor strangers at the gate: no section begins. */
int shms__cell_take(struct member *m, int timeout_ms);
void shms__cell_give(struct member *m, bool changes);

/* What a new holder of the cell is to do about control.died: SHMS_OWNER_DIED, 0, or a failure of one that
 * `changes` and could not undo what it must. */
int shms__news(struct member *m, bool changes);

/* Wake who waits for the version to move: those whose flags stood in `cell`. */
void shms__ring(struct member *m, uint64_t cell);

/* A time-out as a moment; INT64_MAX for -1. */
int64_t shms__deadline(int timeout_ms);

/* ---- the uncontended paths, inline because a call to each would cost what they cost */

/* Laid out without a taken jump. Not so the first look of unlock, where readers would pay for writers. */
#define LIKELY(condition) __builtin_expect(!!(condition), 1)

/* Somebody holds it, or flags stand there. */
int shms__lock_wait(struct member *m, int timeout_ms, bool changes);
/* The lock is ours, but died is not zero. */
int shms__lock_news(struct member *m, bool changes);
/* Flags stand there, or it is not ours. */
int shms__unlock_wake(struct member *m, bool changes);

/* The cell is ours: from here on bytes may change. */
static inline void shms__version_open(struct control *c)
{
    uint64_t v = a64_load_relaxed(&c->version); /* relaxed: only the holder writes it */
    a64_store_relaxed(&c->version, (v + 1) | 1); /* relaxed: ordered by the fence */
    /* orders: version is odd before any byte changes; pairs with fence_acquire in shms__snapshot_whole */
    fence_release();
}

/* The lock is ours; the section begins. */
static inline int shms__section_begin(struct member *m, bool changes)
{
    a64_store_relaxed(&m->holder, shms__thread()); /* relaxed: private; read by this thread for itself */
    if (LIKELY(changes))
        shms__version_open(m->region.control);
    /* relaxed: written by holders only, whose unlock our taking came after */
    return LIKELY(!a32_load_relaxed(&m->region.control->died)) ? 0 : shms__lock_news(m, changes);
}

static inline int shms__lock(struct member *m, int timeout_ms, bool changes)
{
    uint64_t nobody = 0;
    /* acquire: the last section's writes; pairs with the releases in shms__unlock_quick and give_back */
    if (GATED || !a64_cas_acquire(&m->region.control->cell, &nobody, m->id))
        return shms__lock_wait(m, timeout_ms, changes);
    return shms__section_begin(m, changes);
}

/* The usual case alone, which calls nothing. False: not done, or not all of it; shms__unlock_wake will. */
static inline bool shms__unlock_quick(struct member *m, bool changes)
{
    struct control *c = m->region.control;
    uint64_t cell = a64_load_relaxed(&c->cell); /* relaxed: if it names this handle, this process wrote it */
    if (GATED || cell != m->id || (cell & CELL_ATOMIC))
        return false;
    a64_store_relaxed(&m->holder, 0); /* relaxed: private */
    uint64_t v = a64_load_relaxed(&c->version); /* relaxed: only the holder writes it */
    if (LIKELY(changes || (v & 1))) /* odd in a quiet section: a dead holder left it so */
        /* release: the section's writes come first; pairs with shms__snapshot_whole and look */
        a64_store_release(&c->version, (v | 1) + 1);
    /* release: the section's writes; pairs with the acquire in shms__lock and take() */
    return a64_cas_release(&c->cell, &cell, 0);
}

static inline int shms__unlock(struct member *m, bool changes)
{
    return shms__unlock_quick(m, changes) ? 0 : shms__unlock_wake(m, changes);
}

#endif
