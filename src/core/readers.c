/* SPDX-License-Identifier: MIT */
/*
 * The shared lock.
 *
 * Who takes part. A reading thread writes one entry of its own member's slot (slot.readers), so readers
 * share no line that they write. A writer, who holds the cell, reads all entries and waits for each.
 *
 * S in the cell says "readers may be in". While it stands a reader needs no turn at the cell: it puts its
 * entry in and then looks at the cell; a writer names itself in the cell and then looks at the entries. Both
 * orders are sequentially consistent, so at least one of the two sees the other (E. W. Dijkstra's and
 * T. J. Dekker's argument), and it is always the reader who goes back. The flag that lets readers pass until
 * a writer revokes it is that of BRAVO (D. Dice, A. Kogan, "BRAVO - Biased Locking for Reader-Writer Locks",
 * USENIX ATC 2019); theirs is a table of all readers of a process, ours the slots, where the dead are known.
 *
 * An entry is the generation of the member that put it in, so that a writer who takes a dead one's entry out
 * cannot take that of the next member in the same slot.
 *
 * Invariants.
 *  1. A thread holds the shared lock from the moment its entry stands and it has, after that, seen S without
 *     a holder, or held the cell itself; until it takes the entry out.
 *  2. While a living member's entry stands for a lock that is held, S stands. Only the holder of the cell
 *     puts S in (to read) or out (after it has seen every entry empty, or its member dead).
 *  3. No section begins before S is out.
 *
 * Linearisation. lock_shared: its look at the cell, or its taking of the cell. unlock: the store of 0.
 *
 * Progress. A writer has the cell before it waits for readers, and no new reader gets past that: it waits for
 * those that are in, and for nobody else. A reader who finds a holder waits for its turn at the cell like
 * everybody. A holder of either kind that dies is found within a slice.
 *
 * Why leaving needs no full barrier: a reader stores 0 and then looks whether somebody holds the cell, to
 * wake. A processor may look before its store has arrived, and miss a writer who names itself in between and
 * still sees the entry. That writer spins first, longer than a store takes to arrive; and it sleeps in
 * slices, so if it were otherwise it would lose one.
 *
 * No upgrade from shared to exclusive: two readers who both wait to become the writer wait for each other
 * for ever, so one would have to fail and read again; unlock, lock, and look whether the version has moved
 * says the same with what there is.
 *
 * What a crash at each step leaves, and who repairs it:
 *   reader, entry in                         a dead member's entry: the next writer takes it out
 *   reader, holding the cell                 a dead holder, version even: taken over without news
 *   writer, waiting for readers              the same; S stands
 */
#include "readers.h"

#define SPINS 400 /* pauses in all, before a writer sleeps: most readers are gone by then */

static uint32_t readers_end(const struct member *m)
{
    uint32_t high = a32_load_relaxed(&m->readers_high); /* relaxed: private; this thread's own was stored */
    return high < LAYOUT_READERS ? high + 1 : LAYOUT_READERS;
}

bool shms__reads_here(const struct member *m)
{
    for (uint32_t i = 0; i < readers_end(m); i++)
        if (a64_load_relaxed(&m->readers[i]) == shms__thread()) /* relaxed: only its own store can match */
            return true;
    return false;
}

int shms__wake_writer(a32 *entry)
{
    shms__wake(entry, 1);
    return 0;
}

/* Put any entry in; *ret_entry is its number. False: all of this member's are taken. */
static bool enter_any(struct member *m, uint32_t *ret_entry)
{
    for (uint32_t i = 0; i < LAYOUT_READERS; i++) {
        if (!shms__reader_enter(m, i))
            continue;
        uint32_t high = a32_load_relaxed(&m->readers_high); /* relaxed: repeated by the compare-and-swap */
        while (high < i && !a32_cas_relaxed(&m->readers_high, &high, i)) /* relaxed: private */
            ;
        *ret_entry = i;
        return true;
    }
    return false;
}

/* Through the cell, like a writer: a holder is there, or nobody has let readers in yet. */
static int enter_by_turn(struct member *m, int timeout_ms)
{
    uint32_t entry;
    if (shms__lock_held_here(m))
        return shms__fail(SHMS_E_DEADLOCK);
    int rc = shms__cell_take(m, timeout_ms);
    if (rc < 0)
        return rc;
    rc = shms__news(m, false);
    if (enter_any(m, &entry))
        a64_or_relaxed(&m->region.control->cell, CELL_SHARED); /* relaxed: unlock's release hands it on */
    else
        rc = shms__fail(SHMS_E_FULL);
    shms__unlock(m, false);
    return rc;
}

int shms__lock_shared_slowly(struct member *m, int timeout_ms)
{
    uint32_t entry;
    if (GATED) /* readers cannot share the gate: nobody would be the last to leave it, if the last one died */
        return shms__lock(m, timeout_ms, false);
    if (shms__reads_here(m))
        return shms__fail(SHMS_E_DEADLOCK);
    if (!enter_any(m, &entry))
        return shms__fail(SHMS_E_FULL);
    /* relaxed: written by holders only; if one is there we go back */
    uint32_t died = a32_load_relaxed(&m->region.control->died);
    if (shms__readers_pass(m) && !(died & DIED_OWED))
        return died ? SHMS_OWNER_DIED : 0;
    shms__reader_leave(m, entry);
    return enter_by_turn(m, timeout_ms);
}

int shms__lock_shared_back(struct member *m, int timeout_ms)
{
    shms__reader_leave(m, 0);
    return shms__lock_shared_slowly(m, timeout_ms);
}

int shms__unlock_shared(struct member *m)
{
    if (GATED && shms__lock_held(m))
        return shms__unlock(m, false);
    /* This thread's own entry, or that of another: any thread of the process may release. */
    for (int any = 0; any < 2; any++)
        for (uint32_t i = 0; i < readers_end(m); i++) {
            uint64_t thread = a64_load_relaxed(&m->readers[i]); /* relaxed: repeated below */
            if (thread == 0 || (!any && thread != shms__thread()))
                continue;
            /* relaxed: private; decides between two threads that release the same one */
            if (any && !a64_cas_relaxed(&m->readers[i], &thread, 0))
                continue;
            return shms__reader_leave(m, i);
        }
    return shms__fail(SHMS_E_NOT_OWNER);
}

void shms__forsake_shared(struct member *m)
{
    for (uint32_t i = 0; i < readers_end(m); i++)
        if (a64_load_relaxed(&m->readers[i])) /* relaxed: no other thread uses the handle now */
            shms__reader_leave(m, i);
}

/* ---- the writer's side */

static bool reader_alive(struct member *m, uint32_t slot, uint32_t generation)
{
    if (slot == m->slot) /* another thread of this handle */
        return generation == m->id >> 32;
    return shms__member_alive(m, ref_owner(slot, generation));
}

static int await_entry(struct member *m, uint32_t slot, a32 *entry, int64_t deadline)
{
    struct slices slices = {.ns = shms__first_slice_ns};
    uint32_t seen;
    /* acquire: the reads of who has left come before our writes; pairs with shms__reader_leave */
    while ((seen = a32_load_acquire(entry)) != 0) {
        /* relaxed: the dead read no more, and no other member of this slot puts in the same number */
        if (!reader_alive(m, slot, seen) && a32_cas_relaxed(entry, &seen, 0))
            return 0;
        int64_t now = shms__now_ns();
        if (now >= deadline || shms__member_lost(m)) /* a lost handle's own readers never leave */
            return shms__fail(SHMS_E_TIMEOUT);
        shms__sleep(m, &slices, ref_owner(slot, seen), entry, seen, deadline - now);
    }
    return 0;
}

int shms__await_readers(struct member *m, int64_t deadline)
{
    struct control *c = m->region.control;
    /* orders: our name in the cell before the look at the entries; pairs with shms__reader_enter */
    fence_seq_cst();
    /* relaxed: the slot of a reader was counted before S could be put in, which our taking came after */
    uint64_t slots = min_u64(a32_load_relaxed(&c->slots_used), LAYOUT_SLOTS);
    int spins = 0;
    for (uint32_t s = 0; s < slots; s++)
        for (uint32_t i = 0; i < LAYOUT_READERS; i++) {
            a32 *entry = &c->slots[s].readers[i];
            /* acquire: as in await_entry; pairs with the release in shms__reader_leave */
            while (a32_load_acquire(entry) != 0 && spins++ < SPINS)
                spin_pause();
            int rc = await_entry(m, s, entry, deadline);
            if (rc < 0)
                return rc;
        }
    a64_and_relaxed(&c->cell, ~CELL_SHARED); /* relaxed: ours; unlock's release hands it on */
    return 0;
}
