/* SPDX-License-Identifier: MIT */
/* A lock cell: taken, waited for, taken over from the dead, given back. control.cell is one; a channel's
 * turns are others. What the holder may then do, and what a taker owes, is told by those that use it. */
#ifndef SHMS_CELL_H
#define SHMS_CELL_H

#include "slice.h"

/* A time-out as a moment; INT64_MAX for -1. */
int64_t shms__deadline(int timeout_ms);

/* How long a call will wait. The clock costs more than a short wait, so it is asked when it must be. */
struct patience {
    int timeout_ms;
    int64_t deadline; /* 0: not asked yet */
};

static inline int64_t shms__patience_end(struct patience *p)
{
    if (p->deadline == 0)
        p->deadline = shms__deadline(p->timeout_ms);
    return p->deadline;
}

/* What taking gives: CELL_INHERITED, it was a dead holder's. */
enum { CELL_TAKEN = 0, CELL_INHERITED = 1 };

/* Take a free cell on which no flag stands: one read-modify-write. */
static inline bool shms__cell_try(struct member *m, a64 *cell)
{
    uint64_t nobody = 0;
    /* acquire: what the last holder wrote; pairs with the releases of cell_drop, cell_give and give_back */
    return a64_cas_acquire(cell, &nobody, m->id);
}

/* Give a cell back on which no flag stands. False: not given, since one does, or it is not ours. */
static inline bool shms__cell_drop(struct member *m, a64 *cell)
{
    uint64_t mine = m->id;
    /* release: what the holder wrote; pairs with the acquires of cell_try and take() */
    return a64_cas_release(cell, &mine, 0);
}

/* Does this handle hold it? */
static inline bool shms__cell_mine(const struct member *m, const a64 *cell)
{
    /* relaxed: if it is this handle, this process wrote it */
    return (a64_load_relaxed(cell) & CELL_OWNER) == m->id;
}

/* Take it however long that takes, within the patience: CELL_TAKEN, CELL_INHERITED, or a failure. */
int shms__cell_take(struct member *m, a64 *cell, struct patience *p);

/* Give it back, and wake a waiter. Nothing if it is not ours. */
void shms__cell_give(struct member *m, a64 *cell);

#endif
