/* SPDX-License-Identifier: MIT */
/* The shared lock: many readers at once, and no writer. */
#ifndef SHMS_SHARED_H
#define SHMS_SHARED_H

#include "cell.h"

/* 0 or SHMS_OWNER_DIED (held), or a failure. */
static inline int shms__lock_shared(struct member *m, int timeout_ms);
/* SHMS_E_NOT_OWNER: no thread of this handle holds it. */
int shms__unlock_shared(struct member *m);

/* Does this thread hold it through this handle? */
bool shms__reads_here(const struct member *m);

/* Before leaving: give back whatever the handle's threads hold. */
void shms__forsake_shared(struct member *m);

/* The cell is ours, S stands in it: wait until nobody alive reads, then take S out. SHMS_E_TIMEOUT. */
int shms__await_readers(struct member *m, int64_t deadline);

/* ---- the usual case, inline as that of the exclusive lock: the handle's first entry, and no writer */

/* Any entry; a turn at the cell; an error. */
int shms__lock_shared_slowly(struct member *m, int timeout_ms);
/* The same, after the first entry was put in in vain. */
int shms__lock_shared_back(struct member *m, int timeout_ms);
/* A writer may be asleep on the entry that was just taken out. 0. */
int shms__wake_writer(a32 *entry);

static inline a32 *shms__reader_entry(const struct member *m, uint32_t entry)
{
    return &m->entries[entry];
}

/* Take an entry out that this thread may take out. 0. */
static inline int shms__reader_leave(struct member *m, uint32_t entry)
{
    a32 *shared = shms__reader_entry(m, entry);
    a64_store_relaxed(&m->readers[entry], 0); /* relaxed: private, before the entry can be taken again */
    a32_store_release(shared, 0); /* release: what was read; pairs with the acquire in await_entry */
    /* relaxed: "Why leaving needs no full barrier" in readers.c */
    return a64_load_relaxed(&m->region.control->cell) & CELL_OWNER ? shms__wake_writer(shared) : 0;
}

/* Put an entry in. False: it is taken. */
static inline bool shms__reader_enter(struct member *m, uint32_t entry)
{
    uint32_t none = 0;
    /* orders: the entry before the look at the cell; pairs with fence_seq_cst in shms__await_readers */
    if (!a32_cas_seq_cst(shms__reader_entry(m, entry), &none, (uint32_t)(m->id >> 32)))
        return false;
    a64_store_relaxed(&m->readers[entry], shms__thread()); /* relaxed: private, read by this thread itself */
    return true;
}

/* The entry is in: may it stay? */
static inline bool shms__readers_pass(const struct member *m)
{
    const struct control *c = m->region.control;
    /* orders: the look after the entry; pairs with fence_seq_cst in shms__await_readers. And the last
     * section's writes: pairs with the releases in shms__unlock_quick and give_back */
    uint64_t cell = a64_load_seq_cst(&c->cell);
    return (cell & (CELL_OWNER | CELL_SHARED)) == CELL_SHARED;
}

static inline int shms__lock_shared(struct member *m, int timeout_ms)
{
    /* relaxed: private; another thread's entry is no matter here, and this thread's own was stored by it */
    if (a32_load_relaxed(&m->readers_high) > 0 || !shms__reader_enter(m, 0))
        return shms__lock_shared_slowly(m, timeout_ms);
    /* relaxed: written by holders only, and none is there */
    bool in = shms__readers_pass(m) && a32_load_relaxed(&m->region.control->died) == 0;
    return in ? 0 : shms__lock_shared_back(m, timeout_ms);
}

/* Is it this thread's first entry that it would give back? */
static inline bool shms__reads_first(const struct member *m)
{
    return a64_load_relaxed(&m->readers[0]) == shms__thread(); /* relaxed: only its own store can match */
}

#endif
