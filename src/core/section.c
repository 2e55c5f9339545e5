/* SPDX-License-Identifier: MIT */
/*
 * A section: what lies between lock and unlock.
 *
 * Who takes part. Only the holder of control.cell writes sequence, version, died, init and journal_used. The
 * flags C, P and N of the cell are set by waiters and by notify (version.c), cleared by the member that
 * unlocks; S is told of in readers.c.
 *
 * Invariants.
 *  1. sequence is odd from before the first byte of a section that may write is written until after the last.
 *  2. A taker that inherits an open section (sequence odd) says so in died before its caller has the lock:
 *     DIED_NEWS where the region has no journal, and only repaired() takes that back; DIED_OWED where the
 *     journal has records, until it has undone them. Whether there is a journal is decided when the region is
 *     made, for all.
 *  3. version moves with each section in which a call wrote, or that may have written (a pointer was given
 *     out, or its holder died), and with each notify; not with a section that wrote nothing or was rolled
 *     back.
 *  4. The journal is open (journal.c) only while this handle holds the cell and has settled what it
 *  inherited.
 *
 * Beginning: cell, gate, readers, holder, sequence, died, journal. Ending: the same backwards.
 *
 * The gate. Where programs that know no control share the lock (port/windows/gate.c), a taker that has the
 * cell passes the system's gate before its section begins, and leaves it before the cell is free again; a
 * taker from the dead inherits the gate if it had been passed. Elsewhere (GATED is 0) all of that is nothing.
 *
 * Linearisation. lock: the taking of the cell, or the passing of the gate. unlock: the giving back.
 *
 * What a crash at each step leaves, and who repairs it:
 *   lock, before sequence is odd             a dead holder that wrote nothing: taken over without news
 *   inside the section                       sequence is odd, so snapshots wait for the taker; it undoes the
 *                                            section, or is told
 *   unlock, sequence even, version not moved the taker moves it, as after every death
 *   unlock, sequence even, cell not free     taken over without news: all was written
 *   unlock, cell free, waiters not woken     they wake at the end of their slice
 *   take over, before died is set            sequence is odd, the records stand: the next taker does the same
 *   rollback, before the journal is empty    the next taker undoes it once more
 *
 * A handler of a signal that leaves lock or unlock by siglongjmp is no crash: the program then calls unlock,
 * which gives back whatever part of the above stands, treating a section that had not begun (holder is 0) as
 * one to inherit.
 */
#include "section.h"

#include <limits.h>

#define CAS_TRIES 64 /* of unlock, while others set flags; a peer that never stops is hostile */
#define NOTIFY_TRIES 1000

#define TELLS (CELL_CHANGE | CELL_POLL | CELL_NOTICE)

/* ---- ending */

/* Does this handle, which holds the lock, hold it by share_alone? */
static bool shares_alone(const struct section *s)
{
    /* relaxed: only the holder writes it */
    return GATED && !(a64_load_relaxed(&s->member.region.control->sequence) & 1);
}

/* Wake those that wait: whose flags stood in `cell`. */
static void ring(struct section *s, uint64_t cell)
{
    struct region *r = &s->member.region;
    if (cell & CELL_WAITERS) {
        shms__wake(a64_low_half(&r->control->cell), 1);
        shms__member_contend(&s->member);
    }
    if (cell & CELL_CHANGE)
        shms__wake(a64_low_half(&r->control->version), INT_MAX);
    if (cell & CELL_POLL) {
        const struct file *f = shms__region_control_file(r);
        if (f)
            shms__file_ring(f, offsetof(struct control, bell));
    }
}

/*
 * Free the cell although flags stand in it. `changes`: whether, and why, the version is to move.
 *
 * A flag of C, P or N is taken out before the version moves: so a waiter that has seen its flag stand after a
 * look at the version will find it moved, or be woken after that. A flag that comes after the version has
 * moved is woken for, too, but left where it is (its owner may have seen the move); N makes it move once
 * more.
 */
static void give_back(struct section *s, uint32_t changes)
{
    struct control *c = s->member.region.control;
    uint64_t rings = 0;
    bool moved = changes & CHANGES_TOLD;
    uint64_t v = a64_load_relaxed(&c->sequence); /* relaxed: only the holder writes it */
    if ((v & 1) && shms__cell_mine(&s->member, &c->cell))
        a64_store_release(&c->sequence, v + 1); /* release: as in shms__unlock_quick */
    for (int i = 0; i < CAS_TRIES; i++) {
        /* acquire: the bytes of the one that set NOTICE; pairs with the release in shms__section_notify */
        uint64_t cell = a64_load_acquire(&c->cell);
        if ((cell & CELL_OWNER) != s->member.id) {
            ring(s, rings);
            return;
        }
        if ((changes && !moved) || (cell & CELL_NOTICE)) {
            /* relaxed: the store of the version is what the flags' owners look for */
            if ((cell & TELLS) && !a64_cas_relaxed(&c->cell, &cell, cell & ~TELLS))
                continue;
            rings |= cell & TELLS;
            cell &= ~TELLS;
            shms__version_move(c);
            moved = true;
        }
        shms__gate_leave(&s->member.region);
        /* release: the section's writes; pairs with the acquires of cell_try and take() */
        if (a64_cas_release(&c->cell, &cell, cell & ~(CELL_OWNER | CELL_WAITERS))) {
            ring(s, rings | (cell & (moved ? CELL_WAITERS | TELLS : CELL_WAITERS)));
            return;
        }
    }
    /* release: the section's writes; pairs with the acquires of cell_try and take(). S: readers may be in */
    a64_exchange_release(&c->cell, CELL_SHARED);
    ring(s, CELL_WAITERS | CELL_CHANGE | CELL_POLL);
}

/* ---- what the dead left */

/* The cell was a dead holder's, or may have been: say what is to be done about its section. */
static void inherit(struct section *s)
{
    struct control *c = s->member.region.control;
    shms__gate_inherit(&s->member.region);
    /* relaxed: this and all below is written by the holder only, and handed on by unlock's release */
    bool open = a64_load_relaxed(&c->sequence) & 1;
    uint32_t died = open && !s->member.region.atomic ? DIED_NEWS : 0u;
    if (a64_load_relaxed(&c->journal_used)) /* relaxed: as above */
        died |= DIED_OWED;
    /* relaxed: as above */
    a32_store_relaxed(&c->died, a32_load_relaxed(&c->died) | died);
}

/* Roll back. Where that had to wait, readers may be in again, and the sequence be even again. */
static int undo(struct section *s)
{
    struct control *c = s->member.region.control;
    /* relaxed: S was there when we took the cell, or is not until we give it back */
    if ((a64_load_relaxed(&c->cell) & CELL_SHARED) && shms__readers_await(&s->member, 0) < 0)
        return SHMS_E_TIMEOUT;
    if (!(a64_load_relaxed(&c->sequence) & 1)) /* relaxed: only the holder writes it */
        shms__sequence_open(c);
    /* The init whose section this was has not succeeded. relaxed: handed on by unlock's release */
    if (a32_load_relaxed(&c->init) == INIT_ENDING)
        a32_store_relaxed(&c->init, INIT_OWED); /* relaxed: as above */
    return shms__journal_roll_back(&s->member);
}

/* What a new holder of the cell is to do about died: SHMS_OWNER_DIED, 0, or a failure: what must be undone
 * could not be. One that only reads goes on, and is told, where another attempt would fail, too. */
static int news(struct section *s, bool writes, uint32_t *changes)
{
    struct control *c = s->member.region.control;
    uint32_t died = a32_load_relaxed(&c->died); /* relaxed: written by holders only */
    if (died & DIED_OWED) {
        *changes |= CHANGES_DEAD;
        int rc = undo(s);
        if (rc < 0 && (writes || rc == SHMS_E_NOMEM || rc == SHMS_E_OS))
            return rc; /* a writer's own records would have no place */
        if (rc >= 0) {
            died = rc > 0 ? DIED_NEWS : died & ~(uint32_t)DIED_OWED;
            a32_store_relaxed(&c->died, died); /* relaxed: handed on by unlock's release */
        }
    }
    return died ? SHMS_OWNER_DIED : 0;
}

/* Take the cell alone, for one that minds neither readers nor strangers at the gate: no section begins. */
static int take_turn(struct section *s, int timeout_ms, uint32_t *ret_changes)
{
    struct patience p = {.timeout_ms = timeout_ms};
    int rc = shms__cell_take(&s->member, &s->member.region.control->cell, &p);
    *ret_changes = rc == CELL_INHERITED ? CHANGES_DEAD : 0u;
    if (rc == CELL_INHERITED)
        inherit(s);
    return rc < 0 ? rc : 0;
}

void shms__section_settle(struct section *s)
{
    uint32_t changes;
    if (take_turn(s, 0, &changes) < 0)
        return;
    news(s, false, &changes);
    give_back(s, changes);
}

/* ---- beginning */

int shms__lock_begin(struct section *s)
{
    uint32_t changes = a32_load_relaxed(&s->changes); /* relaxed: private */
    int rc = news(s, s->member.region.writable, &changes);
    a32_store_relaxed(&s->changes, changes); /* relaxed: private */
    if (rc < 0) {
        a64_store_relaxed(&s->holder, 0); /* relaxed: private */
        give_back(s, changes & CHANGES_DEAD);
        return rc;
    }
    if (s->member.region.atomic)
        shms__journal_open(&s->journal);
    return rc;
}

/* The cell is ours: pass the gate, and wait for readers. */
static int pass(struct section *s, struct patience *p)
{
    int rc = GATED ? shms__gate_pass(&s->member.region, shms__patience_end(p)) : 0;
    /* relaxed: S was there when we took the cell, or is not until we give it back */
    if (rc == 0 && (a64_load_relaxed(&s->member.region.control->cell) & CELL_SHARED))
        rc = shms__readers_await(&s->member, shms__patience_end(p));
    return (int)shms__member_done(&s->member, rc);
}

int shms__lock_wait(struct section *s, int timeout_ms)
{
    struct member *m = &s->member;
    struct control *c = m->region.control;
    struct patience p = {.timeout_ms = timeout_ms};
    if (!s->tasks && (shms__lock_held_here(s) || shms__readers_here(&s->readers)))
        return shms__fail(SHMS_E_DEADLOCK);
    uint32_t changes = 0;
    do {
        int rc = shms__cell_take(m, &c->cell, &p);
        if (rc < 0)
            return rc;
        if (rc == CELL_INHERITED) {
            changes |= CHANGES_DEAD;
            inherit(s);
        }
        rc = pass(s, &p);
        if (rc < 0) {
            give_back(s, changes & CHANGES_DEAD);
            return rc;
        }
    } while (!shms__cell_mine(m, &c->cell)); /* a thread that was cut off has given it back, or a peer */
    a64_store_relaxed(&s->holder, shms__thread()); /* relaxed: private; read by this thread for itself */
    a32_store_relaxed(&s->changes, changes);       /* relaxed: private */
    a32_store_relaxed(&s->wrote, 0);               /* relaxed: private */
    if (m->region.writable)
        shms__sequence_open(c);
    return (int)shms__member_done(m, shms__lock_begin(s));
}

/* ---- the shared lock */

/* Through the cell, like a writer: a holder is there, or nobody has let readers in yet. */
static int share_by_turn(struct section *s, int timeout_ms)
{
    uint32_t changes;
    if (!s->tasks && shms__lock_held_here(s))
        return shms__fail(SHMS_E_DEADLOCK);
    int rc = take_turn(s, timeout_ms, &changes);
    if (rc < 0)
        return rc;
    rc = news(s, false, &changes);
    int entered = rc < 0 ? rc : shms__readers_enter(&s->member, &s->readers);
    give_back(s, changes);
    return entered < 0 ? entered : rc;
}

/* Where there is a gate, readers cannot share it: nobody would be the last to leave it, if the last one died.
 * So a reader holds the lock alone; but its sequence is even, since it writes nothing. */
static int share_alone(struct section *s, int timeout_ms)
{
    struct control *c = s->member.region.control;
    int rc = shms__lock(s, timeout_ms);
    uint64_t v = a64_load_relaxed(&c->sequence); /* relaxed: only the holder writes it */
    if (rc >= 0 && (v & 1))
        a64_store_release(&c->sequence, v + 1); /* release: as in shms__unlock_quick */
    return rc;
}

int shms__lock_shared(struct section *s, int timeout_ms)
{
    if (GATED)
        return share_alone(s, timeout_ms);
    int rc = shms__readers_try(&s->member, &s->readers);
    return rc == READERS_TURN ? share_by_turn(s, timeout_ms) : rc;
}

int shms__unlock_shared(struct section *s)
{
    if (GATED && shms__lock_held(s))
        return shms__unlock(s);
    return shms__readers_leave(&s->member, &s->readers);
}

/* ---- what ends a section */

int shms__unlock_wake(struct section *s)
{
    if (!shms__lock_held(s))
        return shms__fail(SHMS_E_NOT_OWNER);
    if (s->opening)
        return shms__fail(SHMS_E_INVALID);
    uint32_t changes = a32_load_relaxed(&s->changes); /* relaxed: private */
    bool ended = changes & (CHANGES_TOLD | CHANGES_NONE);
    if (!ended)
        changes = shms__section_changes(s);
    if (shares_alone(s))
        changes &= ~(uint32_t)CHANGES_POINTER;
    if (!ended && !a64_load_relaxed(&s->holder)) { /* relaxed: private */
        inherit(s); /* this thread was cut off before the section began */
        changes = CHANGES_DEAD;
    } else if (s->member.region.atomic) {
        shms__journal_shut(&s->member, &s->journal);
        shms__journal_commit(&s->member, &s->journal);
    }
    a64_store_relaxed(&s->holder, 0); /* relaxed: private */
    give_back(s, changes & ~(uint32_t)CHANGES_NONE);
    return 0;
}

void shms__section_commit(struct section *s)
{
    if (!s->member.region.atomic)
        return;
    shms__journal_shut(&s->member, &s->journal);
    shms__journal_commit(&s->member, &s->journal);
    shms__journal_open(&s->journal);
}

/* Undo what the section's calls wrote. */
static int undo_own(struct section *s)
{
    struct control *c = s->member.region.control;
    shms__journal_shut(&s->member, &s->journal);
    if (a32_load_relaxed(&c->died) & DIED_OWED) /* relaxed: written by the holder only */
        return 0; /* the records are a dead member's, and this handle reads only */
    int rc = shms__journal_roll_back(&s->member);
    if (rc > 0)
        /* relaxed: written by the holder only, handed on by unlock's release */
        a32_store_relaxed(&c->died, a32_load_relaxed(&c->died) | DIED_NEWS);
    return rc;
}

int shms__rollback(struct section *s)
{
    /* nothing written, nothing to tell: as dear as an unlock */
    if (!(shms__section_changes(s) & ~(uint32_t)CHANGES_POINTER) && shms__unlock_quick(s, 0))
        return 0;
    if (!shms__lock_held(s))
        return shms__fail(SHMS_E_NOT_OWNER);
    if (s->opening)
        return shms__fail(SHMS_E_INVALID);
    if (s->member.region.atomic && shms__journal_committed(&s->member, &s->journal))
        return shms__unlock_wake(s); /* which was cut off behind its commit; the change must be told */
    uint32_t changes = shms__section_changes(s);
    int rc = 0;
    if (s->member.region.atomic)
        rc = undo_own(s);
    else if (changes & CHANGES_WROTE)
        return shms__fail(SHMS_E_UNSUPPORTED);
    if (rc < 0) {
        shms__journal_resume(&s->journal);
        return (int)shms__member_done(&s->member, rc);
    }
    a64_store_relaxed(&s->holder, 0); /* relaxed: private */
    give_back(s, changes & (CHANGES_DEAD | CHANGES_NOTICE));
    return (int)shms__member_done(&s->member, rc > 0 ? shms__fail(SHMS_E_CORRUPT) : 0);
}

int shms__repaired(struct section *s)
{
    struct control *c = s->member.region.control;
    if (!shms__lock_held(s))
        return shms__fail(SHMS_E_NOT_OWNER);
    /* relaxed: this and what follows is handed on by unlock's release */
    if (a32_load_relaxed(&c->died) & DIED_OWED)
        a64_store_relaxed(&c->journal_used, 0); /* relaxed: as above; nothing is to be undone any more */
    a32_store_relaxed(&c->died, 0);
    return 0;
}

void shms__section_release_all(struct section *s)
{
    struct control *c = s->member.region.control;
    shms__readers_release_all(&s->member, &s->readers);
    if (!shms__lock_held(s))
        return;
    bool writes = s->member.region.writable && !shares_alone(s);
    uint32_t died = writes ? DIED_NEWS : 0;
    if (s->member.region.atomic) {
        int rc = undo_own(s);
        died = rc < 0 ? DIED_OWED : rc > 0 ? DIED_NEWS : 0;
    }
    /* relaxed: handed on by unlock's release */
    a32_store_relaxed(&c->died, a32_load_relaxed(&c->died) | died);
    a64_store_relaxed(&s->holder, 0); /* relaxed: private */
    give_back(s, writes ? CHANGES_DEAD : 0);
}

void shms__section_renew(struct section *s)
{
    a64_store_relaxed(&s->holder, 0);  /* relaxed: published with the member's epoch */
    a32_store_relaxed(&s->changes, 0); /* relaxed: as above */
    a32_store_relaxed(&s->wrote, 0);   /* relaxed: as above */
    shms__readers_renew(&s->readers);
    shms__journal_renew(&s->journal);
}

int shms__section_resize(struct section *s, uint64_t size, uint64_t *ret_precious)
{
    a32_store_relaxed(&s->wrote, CHANGES_WROTE); /* relaxed: private */
    return s->member.region.atomic ? shms__journal_resize(&s->member, &s->journal, size, ret_precious) : 0;
}

/* ---- a change without a section */

/*
 * If the lock is taken, the end of that section tells, and NOTICE in the cell makes sure of it even where the
 * section wrote nothing. In a section of this thread's own a private note does the same: so a NOTICE is
 * another's, which wait_locked must hear. (A task's section may end on another thread.)
 */
int shms__section_notify(struct section *s)
{
    struct control *c = s->member.region.control;
    if (!s->tasks && shms__lock_held_here(s)) {
        a32_or_relaxed(&s->changes, CHANGES_NOTICE); /* relaxed: private */
        return 0;
    }
    for (int i = 0; i < NOTIFY_TRIES; i++) {
        uint32_t changes;
        if (take_turn(s, 0, &changes) == 0) {
            news(s, false, &changes);
            bool whole = shms__cell_mine(&s->member, &c->cell);
            give_back(s, changes | CHANGES_WROTE);
            if (whole)
                return 0; /* else a peer has overwritten the cell meanwhile: once more */
        }
        uint64_t cell = a64_load_relaxed(&c->cell); /* relaxed: repeated by the compare-and-swap */
        /* release: the caller's bytes; pairs with the acquire in give_back */
        if ((cell & CELL_OWNER) && a64_cas_release(&c->cell, &cell, cell | CELL_NOTICE))
            return 0;
    }
    return shms__fail(SHMS_E_TIMEOUT);
}
