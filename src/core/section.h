/* SPDX-License-Identifier: MIT */
/* A section: what lies between lock and unlock. Composes the cell, the gate, the readers and the journal. */
#ifndef SHMS_SECTION_H
#define SHMS_SECTION_H

#include "gate.h"
#include "journal.h"
#include "readers.h"

/* What moves the version at the end of a section. */
enum {
    CHANGES_WROTE = 1,   /* section.wrote: a call of this handle wrote since the section began */
    CHANGES_DEAD = 2,    /* the section inherited the cell: its dead holder may have changed something */
    CHANGES_POINTER = 4, /* section.pointer: the program has a pointer to write through: every section may */
    CHANGES_TOLD = 8,    /* the section has ended but for the cell, and the version has moved */
    CHANGES_NONE = 16,   /* the same, and it has not */
    CHANGES_NOTICE = 32, /* its own thread has notified */
};

/* A handle that can lock. */
struct section {
    struct member member;
    a64 holder;   /* the thread that took the lock through this handle, 0 for none; private memory */
    a32 changes;  /* the others of CHANGES_..., of the holder alone; private */
    a32 wrote;    /* CHANGES_WROTE or 0: set by any thread that writes, so it has a word of its own */
    a32 pointer;  /* CHANGES_POINTER or 0: the program was given a writable pointer; never taken back */
    bool tasks;   /* the lock belongs to tasks, not to threads: the same thread may wait for itself */
    bool careful; /* sections begin and end the long way: atomic, or init is running */
    bool opening; /* the program's init is running: the lock is not the program's to give */
    bool gone;    /* closed by that init */
    struct readers readers;
    struct journal journal;
    struct watch watch; /* the poll descriptor; guarded by the process lock */
};

/* Begin: 0 or SHMS_OWNER_DIED (held), or a failure. */
static inline int shms__lock(struct section *s, int timeout_ms);
/* End: what the section wrote stays. SHMS_E_NOT_OWNER: this handle does not hold the lock. */
static inline int shms__unlock(struct section *s);
/* End: what the section's calls wrote is undone, and no change is told. SHMS_E_UNSUPPORTED: there is no
 * journal, and calls have written; the section goes on, as after any other failure. */
int shms__rollback(struct section *s);

int shms__lock_shared(struct section *s, int timeout_ms);
/* SHMS_E_NOT_OWNER: nobody holds the shared lock through this handle. */
int shms__unlock_shared(struct section *s);

/* Say that the data is whole again. */
int shms__repaired(struct section *s);

/* Before n bytes at offset are written by a call of this handle, in a section or not. */
static inline int shms__section_write(struct section *s, uint64_t offset, uint64_t n);
/* The same before the size changes; see shms__journal_resize. */
int shms__section_resize(struct section *s, uint64_t size, uint64_t *ret_precious);

/* If a dead holder left its section open, end it. Does not wait. */
void shms__section_settle(struct section *s);

/* The version moves once, or the open section will move it at its end. SHMS_E_TIMEOUT: neither could be. */
int shms__section_notify(struct section *s);

/* What was written so far stays, and the section goes on. */
void shms__section_commit(struct section *s);

/* Before leaving: what is still held is released; what was written is undone, or the next locker told. */
void shms__section_release_all(struct section *s);
/* In a child of fork: the section is the parent's. */
void shms__section_renew(struct section *s);

/* Does this handle hold the lock? And this thread, through it? */
static inline bool shms__lock_held(const struct section *s)
{
    return shms__cell_mine(&s->member, &s->member.region.control->cell) &&
           shms__gate_inside(&s->member.region);
}
static inline bool shms__lock_held_here(const struct section *s)
{
    /* relaxed: this thread's own store, or another's number */
    return shms__lock_held(s) && a64_load_relaxed(&s->holder) == shms__thread();
}

/* ---- the uncontended paths, inline because a call to each would cost what they cost */

/* Laid out without a taken jump. Not so the first look of unlock, where readers would pay for writers. */
#define LIKELY(condition) __builtin_expect(!!(condition), 1)

/* The cell is held by another, or flags stand there. */
int shms__lock_wait(struct section *s, int timeout_ms);
/* The cell is ours, but there is more to do. */
int shms__lock_begin(struct section *s);
/* Flags stand there, the region is atomic, or it is not ours. */
int shms__unlock_wake(struct section *s);

/* The cell is ours: from here on bytes may change. */
static inline void shms__sequence_open(struct control *c)
{
    uint64_t v = a64_load_relaxed(&c->sequence);  /* relaxed: only the holder writes it */
    a64_store_relaxed(&c->sequence, (v + 1) | 1); /* relaxed: ordered by the fence */
    /* orders: odd before any byte changes; pairs with fence_acquire in shms__snapshot_whole */
    fence_release();
}

/* By the holder of the cell: something has changed. */
static inline void shms__version_move(struct control *c)
{
    uint64_t v = a64_load_relaxed(&c->version); /* relaxed: only the holder writes it */
    /* release: the section's writes come first; pairs with look() in version.c */
    a64_store_release(&c->version, v + 2);
}

static inline int shms__lock(struct section *s, int timeout_ms)
{
    struct control *c = s->member.region.control;
    if (GATED || !shms__cell_try(&s->member, &c->cell))
        return shms__lock_wait(s, timeout_ms);
    a64_store_relaxed(&s->holder, shms__thread()); /* relaxed: private; read by this thread for itself */
    a32_store_relaxed(&s->changes, 0);             /* relaxed: private */
    a32_store_relaxed(&s->wrote, 0);               /* relaxed: private */
    if (LIKELY(s->member.region.writable))
        shms__sequence_open(c);
    /* relaxed: written by holders only, whose unlock our taking came after */
    return LIKELY(!a32_load_relaxed(&c->died) && !s->careful) ? 0 : shms__lock_begin(s);
}

/* Why the version must move at the end of the section that is open. */
static inline uint32_t shms__section_changes(const struct section *s)
{
    uint32_t changes = a32_load_relaxed(&s->changes); /* relaxed: private */
    changes |= a32_load_relaxed(&s->wrote);           /* relaxed: as above */
    return changes | a32_load_relaxed(&s->pointer);   /* relaxed: as above */
}

/* The usual case alone, which calls nothing; of the section's changes it tells those in `told`. False: not
 * done, or not all of it; shms__unlock_wake, or the rest of shms__rollback, will. */
static inline bool shms__unlock_quick(struct section *s, uint32_t told)
{
    struct control *c = s->member.region.control;
    uint64_t cell = a64_load_relaxed(&c->cell); /* relaxed: if it names this handle, this process wrote it */
    if (GATED || cell != s->member.id || s->careful || !a64_load_relaxed(&s->holder)) /* relaxed: private */
        return false;
    a64_store_relaxed(&s->holder, 0);            /* relaxed: private */
    uint64_t v = a64_load_relaxed(&c->sequence); /* relaxed: only the holder writes it */
    if (LIKELY(v & 1))
        /* release: the section's writes come first; pairs with shms__snapshot_whole */
        a64_store_release(&c->sequence, v + 1);
    bool changes = shms__section_changes(s) & told;
    if (changes)
        shms__version_move(c);
    a32_store_relaxed(&s->changes, changes ? CHANGES_TOLD : CHANGES_NONE); /* relaxed: private */
    return shms__cell_drop(&s->member, &c->cell);
}

static inline int shms__unlock(struct section *s)
{
    return shms__unlock_quick(s, ~0u) ? 0 : shms__unlock_wake(s);
}

static inline int shms__section_write(struct section *s, uint64_t offset, uint64_t n)
{
    a32_store_relaxed(&s->wrote, CHANGES_WROTE); /* relaxed: private */
    return s->member.region.atomic ? shms__journal_save(&s->member, &s->journal, offset, n) : 0;
}

#endif
