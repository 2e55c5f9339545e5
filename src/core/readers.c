/* SPDX-License-Identifier: MIT */
/*
 * The shared lock.
 *
 * Who takes part. A reading thread writes one entry of its own member's slot (slot.readers), so readers
 * share no line that they write. A writer, which holds the cell, reads all entries and waits for each.
 *
 * An entry is first claimed in private (struct readers), then put into the slot, and taken out in the
 * opposite order: so at every moment the private note says which thread may take it out, also after a
 * handler of a signal has left a call by siglongjmp. The first thread that reads through a handle keeps
 * entry 0 to itself, and claims it by a plain store; all others claim by compare-and-swap.
 *
 * S in the cell says "readers may be in". While it stands a reader needs no turn at the cell: it puts its
 * entry in and then looks at the cell; a writer names itself in the cell and then looks at the entries. Both
 * orders are sequentially consistent, so at least one of the two sees the other (E. W. Dijkstra's and
 * T. J. Dekker's argument), and it is always the reader that goes back. The flag that lets readers pass until
 * a writer revokes it is that of BRAVO (D. Dice, A. Kogan, "BRAVO - Biased Locking for Reader-Writer Locks",
 * USENIX ATC 2019); theirs is a table of all readers of a process, ours the slots, where the dead are known.
 *
 * An entry is the generation of the member that put it in, so that a writer that takes a dead one's entry out
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
 * those that are in, and for nobody else. A reader that finds a holder waits for its turn at the cell like
 * everybody. A holder of either kind that dies is found within a slice.
 *
 * Why leaving needs no full barrier: a reader stores 0 and then looks whether somebody holds the cell, to
 * wake. A processor may look before its store has arrived, and miss a writer that names itself in between and
 * still sees the entry. That writer spins first, longer than a store takes to arrive; and it sleeps in
 * slices, so if it were otherwise it would lose one.
 *
 * No upgrade from shared to exclusive: two readers that both wait to become the writer wait for each other
 * for ever, so one would have to fail and read again; unlock, lock, and look whether the version has moved
 * says the same with what there is.
 *
 * What a crash at each step leaves, and who repairs it:
 *   reader, entry in                         a dead member's entry: the next writer takes it out
 *   reader, holding the cell                 a dead holder, sequence even: taken over without news
 *   writer, waiting for readers              the same; S stands
 */
#include "readers.h"

#define SPINS 400 /* pauses in all, before a writer sleeps: most readers are gone by then */

/* ---- private notes */

static uint32_t readers_end(const struct readers *r)
{
    return a32_load_relaxed(&r->high) + 1; /* relaxed: private; this thread's own was stored by it */
}

bool shms__readers_here(const struct readers *r)
{
    for (uint32_t i = 0; i < readers_end(r); i++)
        if (a64_load_relaxed(&r->by[i]) == shms__thread()) /* relaxed: only its own store can match */
            return true;
    return false;
}

void shms__readers_renew(struct readers *r)
{
    *r = (struct readers){.tasks = r->tasks};
}

/* Make entry 0 this thread's own, if it is nobody's. */
static bool become_first(struct readers *r)
{
    uint64_t nobody = 0;
    if (r->tasks)
        return false;
    /* relaxed: private, and decides between threads only */
    return shms__reader_first(r) || a64_cas_relaxed(&r->first, &nobody, shms__thread());
}

static uint64_t passing(void)
{
    return READER_PASSING | shms__thread();
}

/* Claim an entry; *ret_entry is its number. False: all of this member's are taken. */
static bool claim(struct readers *r, uint32_t *ret_entry)
{
    for (uint32_t i = become_first(r) ? 0 : 1; i < LAYOUT_READERS; i++) {
        uint64_t nobody = 0;
        /* acquire: the shared entry is out; pairs with the release in shms__reader_out */
        if (!a64_cas_acquire(&r->by[i], &nobody, r->tasks ? passing() : shms__thread()))
            continue;
        uint32_t high = a32_load_relaxed(&r->high); /* relaxed: repeated by the compare-and-swap */
        while (high < i && !a32_cas_relaxed(&r->high, &high, i)) /* relaxed: private */
            ;
        *ret_entry = i;
        return true;
    }
    return false;
}

/* A task's hold of an entry that is in begins. */
static void count_first(struct readers *r, uint32_t entry)
{
    if (r->tasks)
        a64_store_relaxed(&r->by[entry], READER_TASK | 1); /* relaxed: private; it was this thread's */
}

/* ---- entering */

int shms__readers_wake(a32 *entry)
{
    shms__wake(entry, 1);
    return 0;
}

static bool cell_lets_in(const struct member *m)
{
    /* acquire: the last section's writes; pairs with the releases of unlock */
    uint64_t cell = a64_load_acquire(&m->region.control->cell);
    return (cell & (CELL_OWNER | CELL_SHARED)) == CELL_SHARED;
}

/* One hold less of an entry that tasks count; the last one takes it out. */
static int uncount(struct member *m, struct readers *r, uint32_t entry, bool *ret_done)
{
    uint64_t by = a64_load_relaxed(&r->by[entry]); /* relaxed: repeated by the compare-and-swap */
    while (by > READER_TASK) {
        bool last = by == (READER_TASK | 1);
        /* relaxed: private; the entry stands till it is out */
        if (a64_cas_relaxed(&r->by[entry], &by, last ? passing() : by - 1)) {
            *ret_done = true;
            return last ? shms__reader_out(m, r, entry) : 0;
        }
    }
    *ret_done = false;
    return 0;
}

/* Join another task's hold of this handle, unless a writer waits. */
static bool join_task(struct member *m, struct readers *r)
{
    for (uint32_t i = 1; i < readers_end(r); i++) {
        uint64_t by = a64_load_relaxed(&r->by[i]); /* relaxed: repeated by the compare-and-swap */
        while (by > READER_TASK)
            if (a64_cas_acquire(&r->by[i], &by, by + 1)) { /* acquire: the entry stands; pairs with none */
                bool done;
                if (cell_lets_in(m))
                    return true;
                uncount(m, r, i, &done);
                return false;
            }
    }
    return false;
}

/* The entry is in: may it stay, and with what news? Else it is out again. */
static int stay(struct member *m, struct readers *r, uint32_t entry, bool lets_in)
{
    uint32_t died = a32_load_relaxed(&m->region.control->died); /* relaxed: written by holders only */
    if (!lets_in || (died & DIED_OWED)) {
        shms__reader_out(m, r, entry);
        return READERS_TURN;
    }
    count_first(r, entry);
    return died ? SHMS_OWNER_DIED : 0;
}

int shms__readers_try_any(struct member *m, struct readers *r)
{
    uint32_t entry;
    if (shms__readers_here(r))
        return shms__fail(SHMS_E_DEADLOCK);
    if (r->tasks && join_task(m, r))
        return a32_load_relaxed(&m->region.control->died) ? SHMS_OWNER_DIED : 0; /* relaxed: as in stay() */
    if (!claim(r, &entry))
        return shms__fail(SHMS_E_FULL);
    return stay(m, r, entry, shms__reader_in(m, entry));
}

int shms__readers_try_back(struct member *m, struct readers *r)
{
    return stay(m, r, 0, cell_lets_in(m));
}

int shms__readers_enter(struct member *m, struct readers *r)
{
    uint32_t entry;
    if (!claim(r, &entry))
        return shms__fail(SHMS_E_FULL);
    shms__reader_in(m, entry);
    a64_or_relaxed(&m->region.control->cell, CELL_SHARED); /* relaxed: unlock's release hands it on */
    count_first(r, entry);
    return 0;
}

/* ---- leaving */

/* One hold of anybody's. */
static int leave_any(struct member *m, struct readers *r)
{
    for (uint32_t i = 0; i < readers_end(r); i++) {
        uint64_t by = a64_load_relaxed(&r->by[i]); /* relaxed: repeated by the compare-and-swap */
        bool done = false;
        if (by == passing()) { /* this thread was cut off while it put the entry in, or took it out */
            done = true;
            shms__reader_out(m, r, i);
        } else if (by == 0 || ((by & READER_PASSING) && by < READER_TASK)) {
            continue; /* just being put in or taken out */
        } else if (r->tasks) {
            uncount(m, r, i, &done);
        } else {
            /* relaxed: private; decides between two threads that release the same one */
            done = a64_cas_relaxed(&r->by[i], &by, passing());
            if (done)
                shms__reader_out(m, r, i);
        }
        if (done)
            return 0;
    }
    return shms__fail(SHMS_E_NOT_OWNER);
}

int shms__readers_leave(struct member *m, struct readers *r)
{
    for (uint32_t i = 0; i < readers_end(r); i++)
        if (a64_load_relaxed(&r->by[i]) == shms__thread()) /* relaxed: only its own store can match */
            return shms__reader_out(m, r, i);
    return leave_any(m, r); /* any thread of the process may release */
}

void shms__readers_release_all(struct member *m, struct readers *r)
{
    for (uint32_t i = 0; i < readers_end(r); i++)
        if (a64_load_relaxed(&r->by[i])) /* relaxed: no other thread uses the handle now */
            shms__reader_out(m, r, i);
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
    struct slices slices = {.ns = shms__first_slice_ns, .most_ns = SLICE_LAST_NS};
    uint32_t seen;
    /* acquire: the reads of a reader that has left come before our writes; pairs with shms__reader_out */
    while ((seen = a32_load_acquire(entry)) != 0) {
        /* relaxed: the dead read no more, and no other member of this slot puts in the same number */
        if (!reader_alive(m, slot, seen) && a32_cas_relaxed(entry, &seen, 0))
            return 0;
        int64_t now = shms__now_ns();
        if (now >= deadline || !shms__member_here(m)) /* a lost handle's own readers never leave */
            return (int)shms__member_still(m, shms__fail(SHMS_E_TIMEOUT));
        shms__sleep(m, &slices, ref_owner(slot, seen), entry, seen, deadline - now);
    }
    return 0;
}

int shms__readers_await(struct member *m, int64_t deadline)
{
    struct control *c = m->region.control;
    /* orders: our name in the cell before the look at the entries; pairs with shms__reader_in */
    fence_seq_cst();
    /* relaxed: the slot of a reader was counted before S could be put in, which our taking came after */
    uint64_t slots = min_u64(a32_load_relaxed(&c->slots_used), LAYOUT_SLOTS);
    int spins = 0;
    for (uint32_t s = 0; s < slots; s++)
        for (uint32_t i = 0; i < LAYOUT_READERS; i++) {
            a32 *entry = &c->slots[s].readers[i];
            /* acquire: as in await_entry; pairs with the release in shms__reader_out */
            while (a32_load_acquire(entry) != 0 && spins++ < SPINS)
                spin_pause();
            int rc = await_entry(m, s, entry, deadline);
            if (rc < 0)
                return rc;
        }
    a64_and_relaxed(&c->cell, ~CELL_SHARED); /* relaxed: ours; unlock's release hands it on */
    return 0;
}
