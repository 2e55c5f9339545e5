/* SPDX-License-Identifier: MIT */
/*
 * Locks of keys: leases that many processes can have at once, one a key.
 *
 * Who takes part. A lock is a hidden record (RECORD_LOCK), with a hash of its own and the identity of the
 * member that holds it as its value. It is made, handed from the dead and removed inside the region's lock
 * (change.c).
 *
 * Invariants.
 *  1. A key is locked while its hidden record is there and the member that this names is alive.
 *  2. Only that member, while it lives, removes the record. Once it is dead, the next taker replaces it and
 *     is told, once; or a writer that is short of memory removes it, and then nobody is told.
 *  3. A hidden record is in no walk and no feed: it has no number of the dict, and it expires never.
 *
 * States: no record -> held by A -> no record; or A is dead -> held by B.
 *
 * Linearisation: the redo that commits the record, its replacement, or its end. Progress: a waiter sleeps
 * on the region's version, which an unlock moves, in slices, and asks after each whether the holder lives;
 * who takes the lock first when it is free is not ordered.
 *
 * What a crash leaves, and who repairs it:
 *   holder of a key's lock         its record; the next taker, which is told
 *   lock or unlock, in its change  redo.c: not done, or done
 *   close, before all are removed  the member is gone, so as if it had died: the next taker is told
 */
#include "keylock.h"

#include "look.h"
#include "version.h"

#define SLICE_FIRST_MS 1
#define SLICE_MOST_MS 20

enum { BUSY = 2 }; /* besides 0 and SHMS_OWNER_DIED */

static uint64_t me(const shms_dict *d)
{
    return d->section.member.id;
}

/* By the holder of the region's lock. */
static int64_t hold(shms_dict *d, const struct wanted *w, uint64_t *ret_holder, struct room *room)
{
    struct clock clock = {.dict = d};
    uint64_t id = me(d);
    const struct content c = {.value = &id, .size = sizeof id};
    for (;;) {
        struct place p;
        int rc = shms__table_find(d, w, &p);
        if (rc < 0)
            return rc;
        uint64_t holder = p.cell ? shms__lock_holder(d, &p) : 0;
        if (holder == id)
            return shms__fail(SHMS_E_DEADLOCK);
        *ret_holder = holder;
        if (p.cell && shms__member_alive(&d->section.member, holder))
            return BUSY;
        rc = shms__evict_for(d, &p, room, &clock);
        if (rc == 0) {
            int64_t put = shms__change_put(d, w, &p, &c, &clock);
            return put < 0 ? put : p.cell ? SHMS_OWNER_DIED : 0;
        }
        if (rc < 0)
            return rc;
    }
}

static int try_lock(shms_dict *d, const struct wanted *w, uint64_t *ret_holder)
{
    struct room room = {.cells = shms__cells_for(d, (uint64_t)w->key_size + sizeof(uint64_t))};
    int rc = shms__change_begin(d);
    if (rc < 0)
        return rc;
    int64_t got = hold(d, w, ret_holder, &room);
    if (got == 0 || got == SHMS_OWNER_DIED)
        a32_add_relaxed(&d->held, 1); /* relaxed: private, a count */
    return (int)shms__change_end(d, room.changed, got);
}

/* Is the lock still that holder's, who lives? 1, 0, or a failure. */
static int still_held(shms_dict *d, const struct wanted *w, uint64_t holder, bool ask)
{
    uint64_t found = 0;
    struct entry r;
    int rc = shms__look(d, w, &found, sizeof found, &r);
    if (rc < 0)
        return rc;
    if (rc == LOOK_ABSENT || r.lengths.value != sizeof found || found != holder)
        return 0;
    return !ask || shms__member_alive(&d->section.member, holder);
}

/* Until the lock may be free. */
static int wait_for(shms_dict *d, const struct wanted *w, uint64_t holder, int64_t seen, int64_t deadline)
{
    for (int slice = SLICE_FIRST_MS;;) {
        int64_t left = (deadline - shms__now_ns() + 999999) / 1000000;
        if (left <= 0)
            return shms__fail(SHMS_E_TIMEOUT);
        int rc = shms__wait(&d->section, &seen, left < slice ? (int)left : slice);
        bool slept = rc == SHMS_E_TIMEOUT;
        if (rc < 0 && !slept)
            return rc;
        rc = still_held(d, w, holder, slept);
        if (rc <= 0)
            return rc;
        if (slept && slice < SLICE_MOST_MS)
            slice = 2 * slice < SLICE_MOST_MS ? 2 * slice : SLICE_MOST_MS;
    }
}

static int lock_key(shms_dict *d, const struct wanted *w, int timeout_ms)
{
    int64_t deadline = shms__deadline(timeout_ms);
    for (;;) {
        uint64_t holder = 0;
        int64_t seen = shms__version(&d->section);
        int rc = try_lock(d, w, &holder);
        if (rc == BUSY)
            rc = wait_for(d, w, holder, seen, deadline);
        else
            return rc;
        if (rc < 0)
            return (int)shms__member_done(&d->section.member, rc);
    }
}

int shms_dict_lock(shms_dict *d, const void *key, size_t key_size, int timeout_ms)
{
    int rc = shms__check_key(d, key, key_size);
    if (rc == 0 && timeout_ms < -1)
        rc = shms__fail(SHMS_E_INVALID);
    if (rc == 0)
        rc = shms__member_enter(&d->section.member);
    if (rc < 0)
        return rc;
    struct wanted w = shms__wanted(d, key, (uint32_t)key_size, RECORD_LOCK);
    return lock_key(d, &w, timeout_ms);
}

/* By the holder of the region's lock. */
static int64_t release(shms_dict *d, const struct wanted *w)
{
    struct place p;
    int rc = shms__table_find(d, w, &p);
    if (rc < 0)
        return rc;
    if (!p.cell || shms__lock_holder(d, &p) != me(d))
        return shms__fail(SHMS_E_NOT_OWNER);
    struct clock clock = {.dict = d};
    return shms__change_drop(d, &p, 0, (struct stamp){0}, &clock);
}

int shms_dict_unlock(shms_dict *d, const void *key, size_t key_size)
{
    int rc = shms__check_key(d, key, key_size);
    if (rc == 0)
        rc = shms__change_begin(d);
    if (rc < 0)
        return rc;
    struct wanted w = shms__wanted(d, key, (uint32_t)key_size, RECORD_LOCK);
    int64_t done = release(d, &w);
    if (done == 0)
        a32_add_relaxed(&d->held, UINT32_MAX); /* relaxed: private, a count */
    return (int)shms__change_end(d, done == 0, done);
}

static void release_mine(shms_dict *d)
{
    struct slots s;
    struct place p;
    struct clock clock = {.dict = d};
    const struct stamp none = {0};
    if (!shms__table_slots(d, &s))
        return;
    for (uint64_t i = 0; i <= s.mask; i++)
        if (shms__table_record(d, &s, i, &p) && (p.record.lengths.flags & RECORD_LOCK) &&
            shms__lock_holder(d, &p) == me(d) && shms__change_drop(d, &p, 0, none, &clock) < 0)
            return;
}

void shms__keylock_release_all(shms_dict *d)
{
    /* A child of fork holds nothing of its parent's. relaxed: private, a count */
    if (!shms__member_here(&d->section.member) || a32_load_relaxed(&d->held) == 0 ||
        shms__change_begin(d) < 0)
        return;
    release_mine(d);
    shms__change_end(d, true, 0);
}
