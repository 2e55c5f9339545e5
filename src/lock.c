/* SPDX-License-Identifier: MIT */
/*
 * The exclusive lock.
 *
 * Who takes part. Members, by compare-and-swap on control.cell (its picture is in layout.h). Only the holder
 * writes version and died. Flags of the cell are set by who goes to sleep, cleared by who unlocks.
 *
 * Invariants.
 *  1. The cell names the holder, in the same store that takes the lock: there is no moment in which the lock
 *     is taken and nobody is named. Whoever finds a dead holder named takes over by compare-and-swap.
 *  2. version is odd from before the first byte of a changing section is written until after the last.
 *  3. died is set before a lock that was taken over is handed to its caller, and cleared by repaired() only.
 *  4. A sleeper's flag stands in the cell from before it sleeps; whoever clears the flag wakes.
 *
 * States of the cell:  free -> held by m (lock) -> free (unlock);  held by dead d -> held by m (take over).
 *
 * Linearisation. lock: the compare-and-swap that puts m's identity there. unlock: the one that removes it.
 *
 * Progress. Uncontended, lock and unlock are one read-modify-write each and no system call. A waiter spins
 * for some microseconds, then sleeps in slices of 1 ms doubling to 20 ms, and asks after each whether the
 * holder lives; so neither a lost wake-up nor a stolen one, nor a death without a wake-up, costs more than a
 * slice. A waiter that slept, was woken and found the lock taken by a newcomer sets RESERVED: from then on a
 * newcomer may not take the free cell before it has slept a slice too, so a sleeper is passed over at most
 * once by those that never slept. (A try, time-out 0, cannot sleep and does not stand back.)
 * RESERVED is a courtesy, never a claim: whoever has slept may take the cell, so its setter may die.
 *
 * What a crash at each step leaves, and who repairs it:
 *   lock, before the compare-and-swap        perhaps a flag: one needless wake-up
 *   lock, after it                           a dead holder: the next waiter or locker takes over, is told
 *   inside the section                       the same; version is odd, so snapshots wait for the taker
 *   unlock, version even, cell not free      the same; nothing was half-written, the news is too careful
 *   unlock, cell free, sleepers not woken    they wake at the end of their slice
 *   take over, before died is set            a dead holder again: the next one sets it
 *
 * The idea of the holder's identity in the lock word is that of robust futexes (Linux documentation,
 * locking/robust-futexes.rst); the sleeping protocol is U. Drepper's, "Futexes Are Tricky" (2011).
 */
#include "lock.h"

#include <limits.h>

#define SPINS 400      /* pauses in all: some microseconds, less than it costs to sleep and be woken */
#define SPINS_APART 64 /* pauses between two looks at the cell, at most */
#define FIRST_SLICE_NS 1000000
#define LAST_SLICE_NS 20000000
#define CAS_TRIES 64 /* of unlock, while others set flags; a peer that never stops is hostile */

/* One call of shms__lock that did not get the lock at once. */
struct attempt {
    int64_t deadline;
    int64_t slice_ns;
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
static bool take(struct member *m, uint64_t cell, bool slept)
{
    uint64_t flags = cell & (CELL_WAITERS | CELL_CHANGE | CELL_POLL | CELL_NOTICE);
    /* Who has slept cannot know whether others still do; who has not leaves a reservation to its setter. */
    flags |= slept ? CELL_WAITERS : cell & CELL_RESERVED;
    /* acquire: the last section's writes; pairs with the releases in shms__unlock and give_back */
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
        if (!(cell & (CELL_OWNER | CELL_RESERVED)) && take(m, cell, false))
            return true;
    }
    return false;
}

static bool take_over(struct member *m, uint64_t cell, bool slept)
{
    if (!take(m, cell, slept))
        return false;
    /* relaxed: written by the holder only, handed on by unlock's release */
    a32_store_relaxed(&m->region.control->died, 1);
    return true;
}

/* Sleep until woken or the slice is over. */
static void sleep_once(struct member *m, struct attempt *a, uint64_t cell, int64_t now)
{
    struct control *c = m->region.control;
    uint64_t with_flags = cell | CELL_WAITERS | (a->passed_over ? CELL_RESERVED : 0);
    /* relaxed: orders nothing; if the cell changes now, the futex call sees it */
    if (with_flags != cell && !a64_cas_relaxed(&c->cell, &cell, with_flags))
        return;
    struct slot *slot = &c->slots[m->slot];
    a32_add_relaxed(&slot->waiting, 1); /* relaxed: for people only */
    int how = shms__sleep_on(a64_low_half(&c->cell), (uint32_t)with_flags,
                             min_u64((uint64_t)a->slice_ns, (uint64_t)(a->deadline - now)) & INT64_MAX);
    a32_add_relaxed(&slot->waiting, UINT32_MAX); /* relaxed: for people only */
    if (how == SLEEP_CHANGED)
        return;
    a->slept = true;
    a->passed_over |= how == SLEEP_WOKEN;
    if (how == SLEEP_TIMEOUT)
        a->slice_ns = a->slice_ns < LAST_SLICE_NS / 2 ? a->slice_ns * 2 : LAST_SLICE_NS;
}

/* 1: taken; 0: go on; or a failure. */
static int attempt_once(struct member *m, struct attempt *a)
{
    /* relaxed: every use of it is a compare-and-swap */
    uint64_t cell = a64_load_relaxed(&m->region.control->cell);
    bool is_free = (cell & CELL_OWNER) == 0;
    bool may_take = is_free && (a->slept || a->tries_only || !(cell & CELL_RESERVED));
    if (may_take && take(m, cell, a->slept))
        return 1;
    int64_t now = shms__now_ns();
    if (now >= a->ask_at) {
        a->slept |= a->ask_at != 0; /* by the clock, since signals may cut every sleep short */
        a->ask_at = now + a->slice_ns;
        if (!is_free && !shms__member_alive(m, cell & CELL_OWNER))
            return take_over(m, cell, a->slept);
    }
    if (now >= a->deadline)
        return shms__fail(SHMS_E_TIMEOUT);
    if (!may_take) /* else somebody was faster: look again at once */
        sleep_once(m, a, cell, now);
    return 0;
}

static int wait_for_turn(struct member *m, int timeout_ms)
{
    struct attempt a = {.slice_ns = FIRST_SLICE_NS, .tries_only = timeout_ms == 0};
    if (!a.tries_only && spin(m))
        return 0;
    a.deadline = shms__deadline(timeout_ms);
    int rc;
    do
        rc = attempt_once(m, &a);
    while (rc == 0);
    if (rc < 0 && a.passed_over)
        /* relaxed: withdraw a courtesy nobody needs to see in order */
        a64_and_relaxed(&m->region.control->cell, ~CELL_RESERVED);
    return rc;
}

int shms__lock_wait(struct member *m, int timeout_ms, bool changes)
{
    int rc = shms__lock_held_here(m) ? shms__fail(SHMS_E_DEADLOCK) : wait_for_turn(m, timeout_ms);
    return rc < 0 ? rc : shms__section_begin(m, changes);
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
        /* release: the section's writes; pairs with the acquire in take() and shms__lock */
        if (a64_cas_release(&c->cell, &cell, cell & ~(CELL_OWNER | CELL_WAITERS)))
            return rings | (cell & (changes ? CELL_WAITERS | tells : CELL_WAITERS));
    }
    a64_exchange_release(&c->cell, 0); /* release: the section's writes; pairs with the acquire in take() */
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

int shms__unlock_wake(struct member *m, bool changes)
{
    if (!shms__lock_held(m))
        return shms__fail(SHMS_E_NOT_OWNER);
    a64_store_relaxed(&m->holder, 0); /* relaxed: private */
    uint64_t v = a64_load_relaxed(&m->region.control->version); /* relaxed: only the holder writes it */
    shms__ring(m, give_back(m, changes || (v & 1)));
    return 0;
}

int shms__repaired(struct member *m)
{
    if (!shms__lock_held(m))
        return shms__fail(SHMS_E_NOT_OWNER);
    a32_store_relaxed(&m->region.control->died, 0); /* relaxed: handed on by unlock's release */
    return 0;
}

void shms__lock_forsake(struct member *m, bool changes)
{
    if (!shms__lock_held(m))
        return;
    if (changes)
        a32_store_relaxed(&m->region.control->died, 1); /* relaxed: handed on by unlock's release */
    shms__unlock(m, changes);
}
