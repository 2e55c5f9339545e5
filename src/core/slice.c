/* SPDX-License-Identifier: MIT */
/*
 * Sleeping in slices, and the death bell.
 *
 * Who takes part. A member's bell (slot.bell) is hung by itself when it first meets others at the lock
 * (before it sleeps there, or when it wakes a sleeper), or when it joins if its process has the helper
 * thread by then. So a holder that never met anybody is found by its first waiter at the end of
 * a slice. It is changed by the system when its process ends, and listened to by those that wait for it: the
 * waiters of the lock for its holder, a writer for each reader.
 *
 * Invariants.
 *  1. The bell is a hint. Whether a member is dead is asked as ever (shms__member_alive); a bell only says
 *     when it is worth asking. So one that rings without need, or never, costs time and nothing else.
 *  2. A sleep that a bell may end is at most a slice long, as any other; but slices grow longer there, so
 *     that a waiter that sleeps for long wakes twice a second at most.
 *  3. Bells cut short at most RINGS sleeps, and one more for each whole slice slept: a peer that rings all
 *     the time makes nobody spin.
 *
 * The bell rings before the life token is free: the kernel walks a dying thread's list first, and lets go of
 * memory and files later, tens of milliseconds for a big process. So after a ring the sleeps are short: the
 * first ones RUNG_NS, a few of which pass while a small process ends, then growing to a millisecond. To
 * believe the ring would be sooner (a robust mutex does), and wrong: the list is the guard thread's, and
 * while that one is dead, the holder's thread may still be writing on another processor. Only when the last
 * thread is gone are the files closed. What that takes is the limit: a waiter in fcntl's own queue has a dead
 * process's byte no sooner (bench/recovery.c).
 *
 * No ring is missed between a waiter's look at the bell and its sleep: the system compares. None of an owner
 * that died before the look either: its bell says so, or the slot has a new generation, which is stored
 * before the new member's bell. Waiters that sleep while the lock changes hands still listen to the old
 * holder; the new one's bell they hear from the next slice on.
 *
 * What a crash leaves: a bell that says BELL_RUNG, until the next member of the slot clears it.
 */
#include "slice.h"

#define RINGS 32
#define RUNG_NS 5000   /* the system sleeps some 50 us longer */
#define RUNG_STEADY 16 /* so many sleeps of that */
#define RUNG_GROWS 8   /* then doublings, to a bit more than a millisecond */

int64_t shms__first_slice_ns = 1000000;

enum state { SILENT, HANGS, RUNG };

/* How long to sleep after a ring, of which there were some before. */
static int64_t after_ring(uint32_t rings)
{
    uint32_t doublings = rings < RUNG_STEADY ? 0 : rings - RUNG_STEADY + 1;
    return (int64_t)RUNG_NS << (doublings < RUNG_GROWS ? doublings : RUNG_GROWS);
}

/* What is to be heard of `owner`, and where. */
static enum state bell_of(const struct member *m, uint64_t owner, a32 **ret_bell, uint32_t *ret_says)
{
    uint32_t i = 0;
    if (!ref_slot(owner, &i) || i == m->slot || shms__bell_off())
        return SILENT;
    struct slot *slot = &m->region.control->slots[i];
    /* acquire: the bell, then whose it is; pairs with the releases in shms__member_join and sound() */
    uint32_t says = a32_load_acquire(&slot->bell);
    if (a32_load_relaxed(&slot->generation) != owner >> 32) /* relaxed: ordered by the load above */
        return RUNG;
    *ret_bell = &slot->bell;
    *ret_says = says;
    return says & BELL_RUNG ? RUNG : says & BELL_GUARD ? HANGS : SILENT;
}

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int shms__sleep(struct member *m, struct slices *s, uint64_t owner, a32 *word, uint32_t expected,
                int64_t most_ns)
{
    a32 *bell = NULL;
    uint32_t says = 0;
    shms__member_contend(m);
    enum state kind = s->rings < RINGS ? bell_of(m, owner, &bell, &says) : SILENT;
    int64_t longest = kind == HANGS && s->most_ns < SLICE_BELL_NS ? SLICE_BELL_NS : s->most_ns;
    int64_t ns = at_most(at_most(s->ns, longest), most_ns);
    int how;
    if (kind == RUNG)
        ns = at_most(ns, after_ring(s->rings));
    if (kind == HANGS)
        how = shms__sleep_on_both(word, expected, bell, says, ns);
    else
        how = shms__sleep_on(word, expected, ns);
    /* Not the word, so it was the bell, or a signal. relaxed: a look that the caller repeats */
    if (kind == HANGS && how == SLEEP_CHANGED && a32_load_relaxed(word) == expected)
        how = SLEEP_RUNG;
    if (kind == RUNG && how == SLEEP_TIMEOUT)
        how = SLEEP_RUNG;
    if (how == SLEEP_RUNG)
        s->rings++;
    if (how == SLEEP_TIMEOUT) {
        s->ns = at_most(at_most(s->ns, longest) * 2, longest);
        s->rings -= s->rings > 0;
    }
    return how;
}
