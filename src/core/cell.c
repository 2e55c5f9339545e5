/* SPDX-License-Identifier: MIT */
/*
 * The exclusive lock.
 *
 * Who takes part. Members, by compare-and-swap on control.cell (its picture is in layout.h). Only the holder
 * writes version, died and journal_used. Flags of the cell are set by who goes to sleep, cleared by who
 * unlocks; S is readers.c's.
 *
 * Invariants.
 *  1. The cell names the holder, in the same store that takes the lock: there is no moment in which the lock
 *     is taken and nobody is named. Whoever finds a dead holder named takes over by compare-and-swap.
 *  2. version is odd from before the first byte of a changing section is written until after the last.
 *  3. Who takes over a section that is open (version odd) and that no journal covers says so in died before
 *     its caller has the lock; only repaired() takes that back. H stands in the cell while A, which is the
 *     heir's own, says the wrong thing about that section, in case that the heir dies before it has ended it.
 *  4. Who takes over a section of which the journal has records undoes it (journal.c) before its caller has
 *     the lock, or puts it down in died as owed.
 *  5. A sleeper's flag stands in the cell from before it sleeps; whoever clears the flag wakes.
 *
 * States of the cell:  free -> held by m (lock) -> free (unlock);  held by dead d -> held by m (take over).
 *
 * The gate. Where programs that know no control share the lock (port/windows/gate.c), a taker that has the
 * cell passes the system's gate before its section begins, and leaves it before the cell is free again; who
 * takes over from the dead inherits the gate if it had been passed. Elsewhere (GATED is 0) all of that is
 * nothing.
 *
 * Linearisation. lock: the compare-and-swap that puts m's identity there, or the passing of the gate. unlock:
 * the removal of the identity, or the leaving of the gate.
 *
 * Progress. Uncontended, lock and unlock are one read-modify-write each and no system call. A waiter spins
 * for some microseconds, then sleeps in slices of 1 ms doubling to 20 ms, and asks after each whether the
 * holder lives, or sooner if the holder's bell rings (slice.c); so neither a lost wake-up nor a stolen one,
 * nor a death without a bell, costs more than a slice. A waiter that slept, was woken and found the lock
 * taken by a newcomer sets RESERVED: from then on a newcomer may not take the free cell before it has slept a
 * slice too, so a sleeper is passed over at most once by those that never slept. (A try, time-out 0, cannot
 * sleep and does not stand back.)
 * RESERVED is a courtesy, never a claim: whoever has slept may take the cell, so its setter may die.
 *
 * What a crash at each step leaves, and who repairs it:
 *   lock, before the compare-and-swap        perhaps a flag: one needless wake-up
 *   lock, after it, version still even       a dead holder that wrote nothing: taken over without news
 *   inside the section                       version is odd, so snapshots wait for the taker; it undoes the
 *                                            section, or is told
 *   unlock, version even, cell not free      taken over without news: all was written
 *   unlock, cell free, sleepers not woken    they wake at the end of their slice
 *   take over, before died is set            version is odd still; H, or the journal, tells the next one
 *
 * The idea of the holder's identity in the lock word is that of robust futexes (Linux documentation,
 * locking/robust-futexes.rst); the sleeping protocol is U. Drepper's, "Futexes Are Tricky" (2011).
 */
#include "cell.h"

#include "readers.h"

#include <limits.h>

#define SPINS 400      /* pauses in all: some microseconds, less than it costs to sleep and be woken */
#define SPINS_APART 64 /* pauses between two looks at the cell, at most */
#define CAS_TRIES 64 /* of unlock, while others set flags; a peer that never stops is hostile */

/* One call of shms__lock that did not get the lock at once. */
struct attempt {
    int64_t deadline; /* 0: not yet looked up, since the clock costs more than a short wait */
    struct slices slices;
    int64_t ask_at; /* when to ask next whether the holder lives; 0: at once */
    bool tries_only;
    bool slept;       /* may take a reserved cell */
    bool passed_over; /* was woken; asleep again, it came too late: reserve the next turn */
};

int64_t shms__deadline(int timeout_ms)
{
    return timeout_ms < 0 ? INT64_MAX : shms__now_ns() + (int64_t)timeout_ms * 1000000;
}

bool shms__lock_held_here(const struct member *m)
{
    /* relaxed: this thread's own store, or somebody else's number */
    return shms__lock_held(m) && a64_load_relaxed(&m->holder) == shms__thread();
}

/* ---- taking */

/* Put our identity in place of what `cell` holds now. */
static bool take(struct member *m, uint64_t cell, bool slept, uint64_t heir)
{
    uint64_t flags = heir | (cell & (CELL_WAITERS | CELL_CHANGE | CELL_POLL | CELL_NOTICE | CELL_SHARED));
    /* Who has slept cannot know whether others still do; who has not leaves a reservation to its setter. */
    flags |= slept ? CELL_WAITERS : cell & CELL_RESERVED;
    /* acquire: the last section's writes; pairs with the releases in shms__unlock_quick and give_back */
    return a64_cas_acquire(&m->region.control->cell, &cell, m->id | flags);
}

/*
 * Looks at growing distances: each look takes the cache line away from the holder, who could make many short
 * turns in the time that one costs with it.
 */
static bool spin(struct member *m)
{
    for (int step = 1, spun = 0; spun < SPINS; spun += step, step = step < SPINS_APART ? step * 2 : step) {
        for (int i = 0; i < step; i++)
            spin_pause();
        /* relaxed: take() repeats the look with a compare-and-swap */
        uint64_t cell = a64_load_relaxed(&m->region.control->cell);
        if (!(cell & (CELL_OWNER | CELL_RESERVED)) && take(m, cell, false, 0))
            return true;
    }
    return false;
}

static bool take_over(struct member *m, uint64_t cell, bool slept)
{
    struct control *c = m->region.control;
    /* relaxed: the dead write no more, and if another has taken over already, the compare-and-swap fails */
    bool open = a64_load_relaxed(&c->version) & 1;
    bool covered = !(cell & CELL_ATOMIC) != !(cell & CELL_HEIR);
    uint64_t heir = open && covered != ((m->id & CELL_ATOMIC) != 0) ? CELL_HEIR : 0;
    if (!take(m, cell, slept, heir))
        return false;
    shms__gate_inherit(&m->region);
    uint32_t died = open && !covered ? DIED_NEWS : 0u;
    if (a64_load_relaxed(&c->journal_used)) /* relaxed: written by the holder only */
        died |= DIED_OWED;
    /* relaxed: written by the holder only, handed on by unlock's release */
    a32_store_relaxed(&c->died, a32_load_relaxed(&c->died) | died);
    return true;
}

/* Sleep until woken, the holder's bell rings, or the slice is over. */
static void sleep_once(struct member *m, struct attempt *a, uint64_t cell, int64_t now)
{
    struct control *c = m->region.control;
    uint64_t with_flags = cell | CELL_WAITERS | (a->passed_over ? CELL_RESERVED : 0);
    /* relaxed: orders nothing; if the cell changes now, the futex call sees it */
    if (with_flags != cell && !a64_cas_relaxed(&c->cell, &cell, with_flags))
        return;
    struct slot *slot = &c->slots[m->slot];
    a32_add_relaxed(&slot->waiting, 1); /* relaxed: for people only */
    int how = shms__sleep(m, &a->slices, cell & CELL_OWNER, a64_low_half(&c->cell), (uint32_t)with_flags,
                          a->deadline - now);
    a32_add_relaxed(&slot->waiting, UINT32_MAX); /* relaxed: for people only */
    if (how == SLEEP_RUNG)
        a->ask_at = 0;
    if (how == SLEEP_CHANGED || how == SLEEP_RUNG)
        return;
    a->slept = true;
    a->passed_over |= how == SLEEP_WOKEN;
}

/* 1: taken; 0: go on; or a failure. */
static int attempt_once(struct member *m, struct attempt *a)
{
    /* relaxed: every use of it is a compare-and-swap */
    uint64_t cell = a64_load_relaxed(&m->region.control->cell);
    bool is_free = (cell & CELL_OWNER) == 0;
    bool may_take = is_free && (a->slept || a->tries_only || !(cell & CELL_RESERVED));
    if (may_take && take(m, cell, a->slept, 0))
        return 1;
    int64_t now = shms__now_ns();
    if (now >= a->ask_at) {
        a->slept |= a->ask_at != 0; /* by the clock, since signals may cut every sleep short */
        a->ask_at = now + a->slices.ns;
        if (!is_free && !shms__member_alive(m, cell & CELL_OWNER))
            return take_over(m, cell, a->slept);
    }
    if (now >= a->deadline || shms__member_lost(m)) /* its caller looks for the latter again */
        return shms__fail(SHMS_E_TIMEOUT);
    if (!may_take) /* else somebody was faster: look again at once */
        sleep_once(m, a, cell, now);
    return 0;
}

static int wait_for_turn(struct member *m, struct attempt *a, int timeout_ms)
{
    a->slices.ns = shms__first_slice_ns;
    a->tries_only = timeout_ms == 0;
    if (!a->tries_only && spin(m))
        return 0;
    a->deadline = shms__deadline(timeout_ms);
    int rc;
    do
        rc = attempt_once(m, a);
    while (rc == 0);
    if (rc < 0 && a->passed_over)
        /* relaxed: withdraw a courtesy nobody needs to see in order */
        a64_and_relaxed(&m->region.control->cell, ~CELL_RESERVED);
    return (int)shms__member_done(m, rc < 0 ? rc : 0);
}

int shms__cell_take(struct member *m, int timeout_ms)
{
    struct attempt a = {0};
    return wait_for_turn(m, &a, timeout_ms);
}

/* What was covered has been undone; what this plain writer does is not covered. */
static void own_section(struct member *m)
{
    /* relaxed: ours, and asked for by who takes over from us, after our death */
    if (a64_load_relaxed(&m->region.control->cell) & CELL_HEIR)
        a64_and_relaxed(&m->region.control->cell, ~CELL_HEIR); /* relaxed: as above */
}

int shms__lock_wait(struct member *m, int timeout_ms, bool changes)
{
    struct attempt a = {0};
    if (shms__lock_held_here(m) || shms__reads_here(m))
        return shms__fail(SHMS_E_DEADLOCK);
    int rc = wait_for_turn(m, &a, timeout_ms);
    if (rc < 0)
        return rc;
    if (GATED) {
        rc = shms__gate_pass(&m->region, a.deadline ? a.deadline : shms__deadline(timeout_ms));
        if (rc < 0) {
            shms__cell_give(m, false);
            return rc;
        }
    }
    /* relaxed: S was there when we took it, or is not until we give it back */
    if (a64_load_relaxed(&m->region.control->cell) & CELL_SHARED) {
        rc = shms__await_readers(m, a.deadline ? a.deadline : shms__deadline(timeout_ms));
        if (rc < 0) {
            shms__unlock(m, false);
            return (int)shms__member_done(m, rc);
        }
    }
    rc = shms__section_begin(m, changes);
    if (rc >= 0 && changes && !(m->id & CELL_ATOMIC))
        own_section(m);
    return (int)shms__member_done(m, rc);
}

/* ---- what the dead left */

/* Roll back. Where that had to wait, readers may be in again, and version be even again: it is a change. */
static int undo(struct member *m)
{
    struct control *c = m->region.control;
    /* relaxed: S was there when we took the cell, or is not until we give it back */
    if ((a64_load_relaxed(&c->cell) & CELL_SHARED) && shms__await_readers(m, 0) < 0)
        return SHMS_E_TIMEOUT;
    if (!(a64_load_relaxed(&c->version) & 1)) /* relaxed: only the holder writes it */
        shms__version_open(c);
    return shms__journal_roll_back(m);
}

int shms__news(struct member *m, bool changes)
{
    struct control *c = m->region.control;
    uint32_t died = a32_load_relaxed(&c->died); /* relaxed: written by holders only */
    if (died & DIED_OWED) {
        int rc = undo(m);
        if (rc < 0 && changes)
            return rc; /* a writer's own records would have no place */
        if (rc >= 0) {
            died = rc > 0 ? DIED_NEWS : died & ~(uint32_t)DIED_OWED;
            a32_store_relaxed(&c->died, died); /* relaxed: handed on by unlock's release */
        }
    }
    return died ? SHMS_OWNER_DIED : 0;
}

int shms__lock_news(struct member *m, bool changes)
{
    int rc = shms__news(m, changes);
    if (rc < 0)
        shms__unlock(m, false);
    return rc;
}

void shms__settle(struct member *m)
{
    if (shms__cell_take(m, 0) < 0)
        return;
    shms__news(m, false);
    shms__cell_give(m, false);
}

/* ---- giving back */

/*
 * Free the cell although flags stand in it. Gives back the flags whose owners must be woken.
 *
 * A flag of C, P or N is taken out before the version moves: so who has seen its flag stand after a look at
 * the version will find it moved, or be woken after that. A flag that comes after the version has moved is
 * woken for, too, but left where it is (its owner may have seen the move); N makes it move once more.
 */
static uint64_t give_back(struct member *m, bool changes)
{
    struct control *c = m->region.control;
    const uint64_t tells = CELL_CHANGE | CELL_POLL | CELL_NOTICE;
    uint64_t rings = 0;
    for (int i = 0; i < CAS_TRIES; i++) {
        /* acquire: the bytes of who set NOTICE; pairs with the release in shms__notify */
        uint64_t cell = a64_load_acquire(&c->cell);
        if ((cell & CELL_OWNER) != m->id)
            return rings;
        uint64_t v = a64_load_relaxed(&c->version); /* relaxed: only the holder writes it */
        if ((v & 1) || (cell & CELL_NOTICE)) {
            /* relaxed: the store below is what the flags' owners look for */
            if ((cell & tells) && !a64_cas_relaxed(&c->cell, &cell, cell & ~tells))
                continue;
            rings |= cell & tells;
            cell &= ~tells;
            changes = true;
            /* release: the section's writes come first; pairs with shms__snapshot_whole and look */
            a64_store_release(&c->version, (v | 1) + 1);
        }
        shms__gate_leave(&m->region);
        /* release: the section's writes; pairs with the acquire in take() and shms__lock */
        if (a64_cas_release(&c->cell, &cell, cell & ~(CELL_OWNER | CELL_WAITERS | CELL_HEIR)))
            return rings | (cell & (changes ? CELL_WAITERS | tells : CELL_WAITERS));
    }
    /* release: the section's writes; pairs with the acquire in take(). S: readers may be in */
    a64_exchange_release(&c->cell, CELL_SHARED);
    return CELL_WAITERS | CELL_CHANGE | CELL_POLL;
}

void shms__ring(struct member *m, uint64_t cell)
{
    struct region *r = &m->region;
    if (cell & CELL_WAITERS)
        shms__wake(a64_low_half(&r->control->cell), 1);
    if (cell & CELL_CHANGE)
        shms__wake(a64_low_half(&r->control->version), INT_MAX);
    if (cell & CELL_POLL) {
        const struct file *f = shms__region_control_file(r);
        if (f)
            shms__file_ring(f, offsetof(struct control, bell));
    }
}

void shms__cell_give(struct member *m, bool changes)
{
    shms__ring(m, give_back(m, changes));
}

int shms__unlock_wake(struct member *m, bool changes)
{
    if (!shms__lock_held(m))
        return shms__fail(SHMS_E_NOT_OWNER);
    if (m->id & CELL_ATOMIC)
        shms__journal_commit(m);
    a64_store_relaxed(&m->holder, 0); /* relaxed: private */
    uint64_t v = a64_load_relaxed(&m->region.control->version); /* relaxed: only the holder writes it */
    shms__cell_give(m, changes || (v & 1));
    return 0;
}

int shms__repaired(struct member *m)
{
    struct control *c = m->region.control;
    if (!shms__lock_held(m))
        return shms__fail(SHMS_E_NOT_OWNER);
    /* relaxed: this and what follows is handed on by unlock's release */
    if (a32_load_relaxed(&c->died) & DIED_OWED)
        a64_store_relaxed(&c->journal_used, 0); /* relaxed: as above; nothing is to be undone any more */
    a32_store_relaxed(&c->died, 0);
    return 0;
}

void shms__lock_forsake(struct member *m, bool changes)
{
    struct control *c = m->region.control;
    shms__forsake_shared(m);
    if (!shms__lock_held(m))
        return;
    uint32_t news = changes ? DIED_NEWS : 0;
    if (m->id & CELL_ATOMIC) {
        int rc = shms__journal_roll_back(m);
        news = rc < 0 ? DIED_OWED : rc > 0 ? DIED_NEWS : 0;
    }
    /* relaxed: handed on by unlock's release */
    a32_store_relaxed(&c->died, a32_load_relaxed(&c->died) | news);
    shms__unlock(m, changes);
}
