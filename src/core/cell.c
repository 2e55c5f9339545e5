/* SPDX-License-Identifier: MIT */
/*
 * The lock cell.
 *
 * Who takes part. Members, by compare-and-swap on the cell (its picture is in layout.h). W is set by a member
 * that goes to sleep on the cell, cleared by the one that gives it back; R is told of below. Other flags are
 * those of section.c and version.c, and pass through.
 *
 * Invariants.
 *  1. The cell names the holder, in the same store that takes it: there is no moment in which it is taken
 *     and nobody is named. A member that finds a dead holder named takes over by compare-and-swap, and is
 *     told that it has inherited.
 *  2. A sleeper's flag stands in the cell from before it sleeps; the one that clears the flag wakes.
 *
 * States:  free -> held by m (take) -> free (give);  held by dead d -> held by m (take over).
 *
 * Linearisation. take: the compare-and-swap that puts m's identity there. give: the one that removes it.
 *
 * Progress. Uncontended, take and give are one read-modify-write each and no system call. A waiter spins
 * for some microseconds, then sleeps in slices of 1 ms doubling to 20 ms, and asks after each whether the
 * holder lives, or sooner if the holder's bell rings (slice.c); so neither a lost wake-up nor a stolen one,
 * nor a death without a bell, costs more than a slice. A waiter that slept, was woken and found the cell
 * taken by a newcomer sets RESERVED: from then on a newcomer may not take the free cell before it has slept a
 * slice too, so newcomers overtake a waiter that has slept at most once. (A try, time-out 0, cannot sleep and
 * does not stand back.) RESERVED is a courtesy, never a claim: any waiter that has slept may take the cell,
 * so the one that set it may die.
 *
 * What a crash at each step leaves, and who repairs it:
 *   take, before the compare-and-swap        perhaps a flag: one needless wake-up
 *   held                                     a dead holder: the next taker inherits
 *   give, cell free, sleepers not woken      they wake at the end of their slice
 *   a waiter, woken, before it takes         the wake-up is lost: the others wake at the end of their slice
 *
 * The idea of the holder's identity in the lock word is that of robust futexes (Linux documentation,
 * locking/robust-futexes.rst); the sleeping protocol is U. Drepper's, "Futexes Are Tricky" (2011).
 */
#include "cell.h"

#define SPINS 400      /* pauses in all: some microseconds, less than it costs to sleep and be woken */
#define SPINS_APART 64 /* pauses between two looks at the cell, at most */
#define CAS_TRIES 64   /* while others set flags; a peer that never stops is hostile */

/* One call that did not get the cell at once. */
struct attempt {
    a64 *cell;
    struct patience *patience;
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

/* Put our identity in place of what `cell` holds now. */
static bool take(struct member *m, const struct attempt *a, uint64_t cell)
{
    uint64_t flags = cell & (CELL_WAITERS | CELL_CHANGE | CELL_POLL | CELL_NOTICE | CELL_SHARED);
    /* One that has slept cannot know whether others still do; one that has not leaves a reservation alone. */
    flags |= a->slept ? CELL_WAITERS : cell & CELL_RESERVED;
    /* acquire: what the last holder wrote; pairs with the releases of cell_drop, cell_give and give_back */
    return a64_cas_acquire(a->cell, &cell, m->id | flags);
}

/*
 * Looks at growing distances: each look takes the cache line away from the holder, which could make many
 * short turns in the time that one costs with it.
 */
static bool spin(struct member *m, const struct attempt *a)
{
    for (int step = 1, spun = 0; spun < SPINS; spun += step, step = step < SPINS_APART ? step * 2 : step) {
        for (int i = 0; i < step; i++)
            spin_pause();
        uint64_t cell = a64_load_relaxed(a->cell); /* relaxed: take() repeats the look */
        if (!(cell & (CELL_OWNER | CELL_RESERVED)) && take(m, a, cell))
            return true;
    }
    return false;
}

/* Sleep until woken, the holder's bell rings, or the slice is over. */
static void sleep_once(struct member *m, struct attempt *a, uint64_t cell, int64_t now)
{
    uint64_t with_flags = cell | CELL_WAITERS | (a->passed_over ? CELL_RESERVED : 0);
    /* relaxed: orders nothing; if the cell changes now, the futex call sees it */
    if (with_flags != cell && !a64_cas_relaxed(a->cell, &cell, with_flags))
        return;
    struct slot *slot = &m->region.control->slots[m->slot];
    a32_add_relaxed(&slot->waiting, 1); /* relaxed: for people only */
    int how = shms__sleep(m, &a->slices, cell & CELL_OWNER, a64_low_half(a->cell), (uint32_t)with_flags,
                          a->patience->deadline - now);
    a32_add_relaxed(&slot->waiting, UINT32_MAX); /* relaxed: for people only */
    if (how == SLEEP_RUNG)
        a->ask_at = 0;
    if (how == SLEEP_CHANGED || how == SLEEP_RUNG)
        return;
    a->slept = true;
    a->passed_over |= how == SLEEP_WOKEN;
}

enum step { STEP_AGAIN, STEP_TAKEN, STEP_INHERITED, STEP_TIMEOUT };

static enum step attempt_once(struct member *m, struct attempt *a)
{
    uint64_t cell = a64_load_relaxed(a->cell); /* relaxed: every use of it is a compare-and-swap */
    bool is_free = (cell & CELL_OWNER) == 0;
    bool may_take = is_free && (a->slept || a->tries_only || !(cell & CELL_RESERVED));
    if (may_take && take(m, a, cell))
        return STEP_TAKEN;
    int64_t now = shms__now_ns();
    if (now >= a->ask_at) {
        a->slept |= a->ask_at != 0; /* by the clock, since signals may cut every sleep short */
        a->ask_at = now + a->slices.ns;
        if (!is_free && !shms__member_alive(m, cell & CELL_OWNER))
            return take(m, a, cell) ? STEP_INHERITED : STEP_AGAIN;
    }
    if (now >= a->patience->deadline || !shms__member_here(m)) /* the caller looks for the latter again */
        return STEP_TIMEOUT;
    if (!may_take) /* else another was faster: look again at once */
        sleep_once(m, a, cell, now);
    return STEP_AGAIN;
}

int shms__cell_take(struct member *m, a64 *cell, struct patience *p)
{
    struct attempt a = {.cell = cell, .patience = p, .tries_only = p->timeout_ms == 0};
    a.slices = (struct slices){.ns = shms__first_slice_ns, .most_ns = SLICE_LAST_NS};
    if (!a.tries_only && spin(m, &a))
        return (int)shms__member_still(m, CELL_TAKEN);
    shms__patience_end(p);
    enum step step;
    do
        step = attempt_once(m, &a);
    while (step == STEP_AGAIN);
    if (step == STEP_TIMEOUT && a.passed_over)
        a64_and_relaxed(cell, ~CELL_RESERVED); /* relaxed: withdraw a courtesy that orders nothing */
    if (step == STEP_TIMEOUT)
        return (int)shms__member_still(m, shms__fail(SHMS_E_TIMEOUT));
    return (int)shms__member_still(m, step == STEP_INHERITED ? CELL_INHERITED : CELL_TAKEN);
}

void shms__cell_give(struct member *m, a64 *cell)
{
    uint64_t now = a64_load_relaxed(cell); /* relaxed: repeated by the compare-and-swap */
    for (int i = 0; i < CAS_TRIES; i++) {
        if ((now & CELL_OWNER) != m->id)
            return;
        /* release: what the holder wrote; pairs with the acquires of cell_try and take() */
        if (a64_cas_release(cell, &now, now & ~(CELL_OWNER | CELL_WAITERS)))
            break;
        if (i == CAS_TRIES - 1)
            now = a64_exchange_release(cell, 0) | CELL_WAITERS; /* release: pairs with the same */
    }
    if (now & CELL_WAITERS) {
        shms__wake(a64_low_half(cell), 1);
        shms__member_contend(m);
    }
}
