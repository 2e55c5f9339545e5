/* SPDX-License-Identifier: MIT */
/*
 * Members, and how one is known to be dead.
 *
 * Who takes part. A member writes its own slot: generation and pid while it joins (under the life-cycle
 * lock), waiting whenever one of its threads goes to sleep on the lock, readers as readers.c tells, bell as
 * slice.c tells. Anybody reads all slots.
 *
 * The life token of slot s is a byte lock at LOCK_SLOT(s), held by the member's own opening of control. The
 * system frees it when the process ends, however it ends, and at exec; a stopped process keeps it. Death is
 * decided by nothing else: no pids, no heartbeats, no time-outs.
 *
 * Invariants.
 *  1. A living member holds the token of its slot from before its generation is stored until it leaves.
 *  2. An identity (generation, slot) is given to one member only: the generation is counted up at each
 *     join, and 2^32 joins at one slot while an old mark stays unseen are taken to be impossible.
 *  3. An identity whose generation is not the slot's present one is dead, whoever holds the token now.
 *
 * Linearisation. Join: the token lock. Death: the system freeing the token.
 *
 * Why the order of the two reads in shms__member_alive does not matter: between a token's loss and its next
 * holder's store of the generation, the old identity still matches and may look alive or dead. Dead is right,
 * alive is asked again after the next slice. A living member's identity always matches, with its token held.
 *
 * What a crash leaves:
 *   join, before the token       nothing
 *   join, token taken            the system frees it; the slot is free
 *   join, generation stored      the same; one generation is skipped
 */
#include "member.h"

/* The first free slot of those that have a pid, or of those that have none. SHMS_E_FULL: there is none. */
static int take_token(struct region *r, bool with_pid, uint32_t *ret_slot)
{
    for (uint32_t s = 0; s < LAYOUT_SLOTS; s++) {
        bool taken = false;
        if ((a32_load_relaxed(&r->control->slots[s].pid) != 0) != with_pid) /* relaxed: a hint */
            continue;
        int rc = shms__byte_lock(&r->control_file, LOCK_SLOT(s), &taken);
        if (rc < 0)
            return rc;
        if (taken) {
            *ret_slot = s;
            return 0;
        }
    }
    return shms__fail(SHMS_E_FULL);
}

/* Each question to the kernel costs a microsecond, so ask first where nobody seems to be: a leaver clears
 * its pid. It is a hint only; the dead leave theirs. */
static int take_any_token(struct region *r, uint32_t *ret_slot)
{
    int rc = take_token(r, false, ret_slot);
    return rc == SHMS_E_FULL ? take_token(r, true, ret_slot) : rc;
}

int shms__member_join(struct member *m)
{
    struct region *r = &m->region;
    if (r->data_only) {
        a32_store_relaxed(&m->epoch, EPOCH_NONE); /* relaxed: not shared yet */
        return 0;
    }
    uint32_t s = 0;
    int rc = take_any_token(r, &s);
    if (rc < 0)
        return rc;
    r->token = LOCK_SLOT(s);
    struct slot *slot = &r->control->slots[s];
    /* relaxed: only the holder of life-cycle lock and token writes it */
    uint32_t generation = a32_load_relaxed(&slot->generation) + 1;
    if (generation == 0)
        generation = 1;
    a32_store_relaxed(&slot->pid, shms__pid()); /* relaxed: a hint */
    a32_store_relaxed(&slot->waiting, 0);       /* relaxed: for people only */
    /* Of a channel, the word says what role a dead member had: it is counted before it goes (peers.c).
     * relaxed: written under the life-cycle lock, before anybody joins */
    if (a32_load_relaxed(&r->control->kind) != KIND_CHANNEL)
        for (uint32_t i = 0; i < LAYOUT_READERS; i++)
            a32_store_relaxed(&slot->readers[i], 0); /* relaxed: a dead member's, which nobody waits for */
    a32_store_relaxed(&slot->generation, generation); /* relaxed: see "order of the two reads" above */
    a32_store_release(&slot->bell, 0); /* release: whose it is, first; pairs with bell_of in slice.c */
    a32_store_relaxed(&r->contended, 0);         /* relaxed: not shared yet */
    shms__bell_hang(r->bell, &slot->bell, false);
    /* relaxed: written under the life-cycle lock; a writer sees it by the taking that SHARED came before */
    if (a32_load_relaxed(&r->control->slots_used) <= s)
        a32_store_relaxed(&r->control->slots_used, s + 1); /* relaxed: as above */
    m->slot = s;
    m->entries = slot->readers;
    m->id = ref_owner(s, generation);
    return 0;
}

void shms__member_leave(struct member *m)
{
    if (m->region.token)
        a32_store_relaxed(&m->region.control->slots[m->slot].pid, 0); /* relaxed: a hint */
    shms__region_leave(&m->region);
}

bool shms__member_alive(struct member *m, uint64_t owner)
{
    uint32_t s = 0;
    if (owner == m->id)
        return true;
    if (!ref_slot(owner, &s) || s == m->slot)
        return false;
    /* relaxed: see "order of the two reads" above */
    if (a32_load_relaxed(&m->region.control->slots[s].generation) != owner >> 32)
        return false;
    const struct file *f = shms__region_control_file(&m->region);
    return !f || shms__byte_locked(f, LOCK_SLOT(s), 1, BYTE_EXCLUSIVE);
}

void shms__member_lose(void *member)
{
    struct member *m = member;
    a32_store_release(&m->epoch, EPOCH_LOST); /* release: nothing; pairs with shms__member_lost */
}

void shms__member_fill(void *control)
{
    shms__control_spoil(control);
}

void shms__member_hang_bell(struct member *m)
{
    shms__process_lock();
    a32_store_relaxed(&m->region.contended, 1); /* relaxed: private; a thread that misses it asks once more */
    if (m->region.token)
        shms__bell_hang(m->region.bell, &m->region.control->slots[m->slot].bell, true);
    shms__process_unlock();
}

/* ---- in a child of fork */

static int join_and_publish(struct member *m, uint32_t was, uint32_t now)
{
    int rc = shms__member_join(m);
    shms__region_rejoined(&m->region, rc == 0);
    if (rc < 0)
        return rc;
    m->renew(m);
    /* orders: all that joining wrote; pairs with the acquire in shms__member_here. Lost stays lost */
    return a32_cas_seq_cst(&m->epoch, &was, now) ? 0 : shms__fail(SHMS_E_LOST);
}

/* Once, without waiting; under the process lock, so the threads of this child exclude each other.
 * SHMS__RETRY: another process has the life-cycle lock. */
static int try_rejoin(struct member *m)
{
    uint32_t was = a32_load_relaxed(&m->epoch); /* relaxed: under the process lock, or the guard's mark */
    if (was == EPOCH_LOST)
        return shms__fail(SHMS_E_LOST);
    shms__fork_catch_up();
    /* relaxed: the word is private, and written before in this thread or under the process lock */
    uint32_t now = a32_load_relaxed(shms__fork_word);
    if (a32_load_relaxed(&m->epoch) == now || m->region.data_only) /* relaxed: under the process lock */
        return 0;
    int rc = shms__region_rejoin(&m->region);
    return rc < 0 ? rc : join_and_publish(m, was, now);
}

#define NAP_FIRST_NS 20000
#define NAP_LAST_NS 1000000

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The process lock is let go between two tries: a thread that waits here holds up nothing else of its
 * process. */
int shms__member_rejoin(struct member *m, int timeout_ms)
{
    int64_t now = shms__now_ns(), end = now + m->region.timeout_ns;
    if (timeout_ms >= 0)
        end = smaller(end, now + (int64_t)timeout_ms * 1000000);
    shms__quiet_begin();
    int rc;
    for (int64_t nap = NAP_FIRST_NS;; nap = smaller(nap * 2, NAP_LAST_NS)) {
        shms__process_lock();
        rc = try_rejoin(m);
        shms__process_unlock();
        now = shms__now_ns();
        if (rc != SHMS__RETRY || now >= end)
            break;
        shms__nap(smaller(nap, end - now));
    }
    shms__quiet_end();
    return rc == SHMS__RETRY ? shms__fail(SHMS_E_TIMEOUT) : rc;
}
