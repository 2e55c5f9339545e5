/* SPDX-License-Identifier: MIT */
/* The shared lock: many readers at once, and no writer. */
#ifndef SHMS_READERS_H
#define SHMS_READERS_H

#include "cell.h"

/* The shared lock through one handle: for each entry of the member's slot, private to the process, what put
 * it in: a thread (shms__thread), or with `tasks` READER_TASK and the number of holds. While that does not
 * say which thread may take the entry out: READER_PASSING and that thread. */
struct readers {
    a64 first;  /* the thread to which entry 0 belongs; 0: none yet */
    a32 high;   /* the highest of the other entries that were ever used */
    bool tasks; /* holds belong to nobody in particular, and are counted */
    a64 by[LAYOUT_READERS];
};

/*
 * Take an entry, and look at the cell. 0: the lock is held; SHMS_OWNER_DIED: it is, with news.
 * READERS_TURN: a writer is there, or readers were not let in yet: take a turn at the cell, then enter.
 * SHMS_E_DEADLOCK: this thread reads already; SHMS_E_FULL: no entry is free.
 */
enum { READERS_TURN = 2 };
static inline int shms__readers_try(struct member *m, struct readers *r);
/* The caller has the cell, and made sure that the data may be read: enter, and let others in. */
int shms__readers_enter(struct member *m, struct readers *r);
/* SHMS_E_NOT_OWNER: nothing is held through this handle. */
int shms__readers_leave(struct member *m, struct readers *r);

/* Does this thread hold it through this handle? With tasks nobody can say: no. */
bool shms__readers_here(const struct readers *r);

/* Before leaving the region: give back whatever the handle holds. */
void shms__readers_release_all(struct member *m, struct readers *r);
/* In a child of fork: nothing is held. */
void shms__readers_renew(struct readers *r);

/* The cell is ours, S stands in it: wait until no living member reads, then take S out. SHMS_E_TIMEOUT. */
int shms__readers_await(struct member *m, int64_t deadline);

/* ---- the usual case, inline as that of the exclusive lock: the handle's first reading thread, no writer */

#define READER_TASK (1ull << 63)
#define READER_PASSING (1ull << 62) /* with a thread: it puts the entry in just now, or takes it out */

/* Any entry, or an error. */
int shms__readers_try_any(struct member *m, struct readers *r);
/* The first thread's entry is in, but may not stay as it is. */
int shms__readers_try_back(struct member *m, struct readers *r);
/* A writer may be asleep on the entry that was just taken out. 0. */
int shms__readers_wake(a32 *entry);

/* Take an entry out that is the caller's to take out. 0. */
static inline int shms__reader_out(struct member *m, struct readers *r, uint32_t entry)
{
    a32 *shared = &m->entries[entry];
    a32_store_release(shared, 0); /* release: what was read; pairs with the acquire in await_entry */
    a64_store_release(&r->by[entry], 0); /* release: it may be used again from here on; pairs with claim() */
    /* relaxed: "Why leaving needs no full barrier" in readers.c */
    return a64_load_relaxed(&m->region.control->cell) & CELL_OWNER ? shms__readers_wake(shared) : 0;
}

/* Put an entry in that the caller has claimed; then look whether it may stay. */
static inline bool shms__reader_in(struct member *m, uint32_t entry)
{
    /* orders: the entry before the look at the cell; pairs with fence_seq_cst in shms__readers_await */
    a32_exchange_seq_cst(&m->entries[entry], (uint32_t)(m->id >> 32));
    /* orders: the look after the entry; pairs with fence_seq_cst in shms__readers_await. And the last
     * section's writes: pairs with the releases of unlock */
    uint64_t cell = a64_load_seq_cst(&m->region.control->cell);
    return (cell & (CELL_OWNER | CELL_SHARED)) == CELL_SHARED;
}

/* Is entry 0 this thread's own? */
static inline bool shms__reader_first(const struct readers *r)
{
    return a64_load_relaxed(&r->first) == shms__thread(); /* relaxed: only its own store can match */
}

static inline int shms__readers_try(struct member *m, struct readers *r)
{
    /* relaxed: private; only this thread writes its own */
    if (!shms__reader_first(r) || a64_load_relaxed(&r->by[0]))
        return shms__readers_try_any(m, r);
    a64_store_relaxed(&r->by[0], shms__thread()); /* relaxed: private, read by this thread itself */
    bool in = shms__reader_in(m, 0);
    /* relaxed: written by holders only, and none is there */
    return in && a32_load_relaxed(&m->region.control->died) == 0 ? 0 : shms__readers_try_back(m, r);
}

#endif
