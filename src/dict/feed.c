/* SPDX-License-Identifier: MIT */
/*
 * The feed: what has changed since a version, and waiting for it.
 *
 * Who takes part. Writers put each change's cell into the ring (change.c); readers look there without the
 * lock.
 *
 * Invariants, besides those of change.c.
 *  1. Up to header.version all changes are done, words of the ring included.
 *  2. Change v is told if the cell that the ring names for it has version v, before and after its bytes were
 *     read. If not, then a later change of the same key will be told; or too much has been changed since: the
 *     ring's word is another change's, or the cell was a mark that has been given up.
 *  3. The ring's word of v is overwritten by change v + ring, which begins when header.version is v + ring
 *     - 1. So a reader that finds another cell there finds, after that, header.version at least that far:
 *     it takes a change for missed that is ring - 1 behind, and not only ring.
 *  4. header.floor is stored before a mark's cell can be filled anew: a reader that finds the cell filled
 *     finds the floor, too.
 *
 * Linearisation: of a change told, the redo that committed it; changes are told in that order, once.
 * Progress: a reader waits for nobody, and is told SHMS_E_MISSED if writers were faster than it.
 *
 * What a crash leaves: a change that was committed, and is not told, because header.version has not come to
 * it; the next writer applies the words again, or a waiter does.
 */
#include "change.h"
#include "look.h"
#include "version.h"

#define ARM_TRIES 1000
#define CLOCK_LOOK_NS 1000000000 /* the dict's clock may be set, or go on while the machine is suspended */

/* ---- changes */

struct change {
    struct entry record;
    unsigned char key[DICT_KEY_MOST];
};

/* Nothing of v could be read: for which reason? */
static int why_not(const shms_dict *d, uint64_t v)
{
    fence_acquire(); /* orders: what was read before the looks below; pairs with the releases of redo.c */
    uint64_t floor = a64_load_relaxed(&d->header->floor); /* relaxed: ordered by the fence */
    if (v <= floor || shms__dict_version(d) - v >= d->ring - 1)
        return shms__fail(SHMS_E_MISSED);
    return LOOK_ABSENT;
}

/* LOOK_FOUND; LOOK_ABSENT: a later change of that key will come; or a failure. */
static int look_change(shms_dict *d, uint64_t v, struct change *c)
{
    a64 *word = shms__ring_word(d, v);
    /* acquire: the cell was filled before; pairs with the release in shms__redo_commit */
    uint64_t cell = a64_load_acquire(word);
    if (!shms__cells_there(d, cell, 1)) {
        int rc = why_not(d, v);
        return rc < 0 ? rc : shms__fail(SHMS_E_RANGE); /* the dict has grown beyond what this handle mapped */
    }
    struct record_head *head = shms__record_at(d, cell);
    /* acquire: the same; pairs with the same */
    if (a64_load_acquire(&head->cell.version) != v)
        return why_not(d, v);
    uint64_t lengths = a64_load_relaxed(&head->lengths); /* relaxed: the version is checked below */
    c->record = (struct entry){.cell = cell, .version = v};
    c->record.expires_ns = (int64_t)a64_load_relaxed(&head->expires_ns); /* relaxed: as above; so below */
    c->record.stamp_ns = (int64_t)a64_load_relaxed(&head->stamp_ns);
    c->record.origin = a64_load_relaxed(&head->origin);
    bool sound = shms__lengths(d, lengths, &c->record.lengths) &&
                 shms__record_copy(d, cell, 0, c->key, c->record.lengths.key);
    fence_acquire(); /* orders: all that was read before the second look; pairs with the fence in fill() */
    /* relaxed: ordered by the fence */
    if (a64_load_relaxed(&head->cell.version) != v || a64_load_relaxed(word) != cell)
        return why_not(d, v);
    return sound ? LOOK_FOUND : shms__fail(SHMS_E_CORRUPT);
}

/* *ret_missed: it was the dict, and not the callback, that said SHMS_E_MISSED. */
static int64_t tell_changes(shms_dict *d, int64_t *since, shms_dict_change_fn *callback, void *context,
                            bool *ret_missed)
{
    struct change c;
    int64_t told = 0;
    uint64_t last = shms__dict_version(d);
    *ret_missed = (uint64_t)*since > last;
    if (*ret_missed)
        return shms__fail(SHMS_E_MISSED); /* another life of this name */
    while ((uint64_t)*since < last) {
        int rc = look_change(d, (uint64_t)*since + 1, &c);
        *ret_missed = rc == SHMS_E_MISSED;
        if (rc < 0)
            return rc;
        if (shms__member_lost(&d->section.member))
            return shms__fail(SHMS_E_LOST);
        ++*since;
        if (rc != LOOK_FOUND)
            continue;
        shms_dict_record record = {.struct_size = sizeof record};
        shms__tell(&record, &c.record);
        told++;
        rc = callback(c.key, c.record.lengths.key, &record, context);
        if (rc != 0)
            return rc;
    }
    return told;
}

int64_t shms_dict_changes(shms_dict *d, int64_t *since, shms_dict_change_fn *callback, void *context)
{
    if (!d || !since || !callback || *since < 0)
        return shms__fail(SHMS_E_INVALID);
    int rc = shms__dict_enter(d);
    if (rc < 0)
        return rc;
    bool missed;
    int64_t at = *since, told = tell_changes(d, &at, callback, context, &missed);
    *since = missed ? (int64_t)shms__dict_version(d) : at;
    return told;
}

int64_t shms_dict_version(shms_dict *d)
{
    int rc = d ? shms__dict_enter(d) : shms__fail(SHMS_E_INVALID);
    return rc < 0 ? rc : shms__member_done(&d->section.member, (int64_t)shms__dict_version(d));
}

/* ---- wait */

/* The version that is waited for to move, and when it will move by itself: INT64_MAX, never. */
static int64_t version_now(shms_dict *d, const struct wanted *w, int64_t *ret_wall_left_ns)
{
    struct clock clock = {.dict = d};
    struct entry r;
    *ret_wall_left_ns = INT64_MAX;
    if (!w)
        return (int64_t)shms__dict_version(d);
    int rc = shms__look(d, w, NULL, 0, &r);
    if (rc != LOOK_FOUND || shms__clock_past(&clock, r.expires_ns))
        return rc < 0 ? rc : 0;
    if (r.expires_ns != 0)
        *ret_wall_left_ns = r.expires_ns - shms__clock_ns(&clock);
    return (int64_t)r.version;
}

/* A writer has died in a change that it had committed: tell it, who else would? One that is only stopped has
 * the lock still, for which this waits no longer than its caller may. */
static void finish_change(shms_dict *d, int64_t patience_ns)
{
    int64_t ms = patience_ns < 0 ? 0 : patience_ns / 1000000;
    /* relaxed: a hint; the lock is taken before anything is done about it */
    if (a64_load_relaxed(&d->header->redo_count) && d->section.member.region.writable &&
        shms__change_begin_within(d, ms < d->timeout_ms ? (int)ms : d->timeout_ms) == 0)
        shms__change_end(d, true, 0);
}

static int wait_until(shms_dict *d, const struct wanted *w, int64_t *seen, int64_t deadline)
{
    for (int tries = 0;;) {
        int64_t left_ns, region = shms__version(&d->section);
        int64_t now = version_now(d, w, &left_ns);
        if (now < 0)
            return (int)now;
        if (now != *seen) {
            *seen = now;
            return 0;
        }
        int64_t patience = deadline - shms__now_ns();
        if (left_ns != INT64_MAX && left_ns > CLOCK_LOOK_NS)
            left_ns = CLOCK_LOOK_NS;
        int64_t most = patience < left_ns ? patience : left_ns;
        int64_t ms = most <= 0 ? 0 : most / 1000000 + 1;
        int rc = shms__wait(&d->section, &region, ms > INT32_MAX ? INT32_MAX : (int)ms);
        if (rc < 0 && rc != SHMS_E_TIMEOUT)
            return rc;
        finish_change(d, deadline - shms__now_ns());
        /* Only a wait that found nothing new has armed the descriptor. */
        if (patience <= 0 && (rc == SHMS_E_TIMEOUT || tries++ >= ARM_TRIES))
            return shms__fail(SHMS_E_TIMEOUT);
    }
}

int shms_dict_wait(shms_dict *d, const void *key, size_t key_size, int64_t *seen, int timeout_ms)
{
    if (!d || !seen || timeout_ms < -1 || (!key && key_size > 0))
        return shms__fail(SHMS_E_INVALID);
    int rc = key ? shms__check_key(d, key, key_size) : 0;
    if (rc == 0)
        rc = shms__member_enter(&d->section.member);
    if (rc < 0)
        return rc;
    struct wanted w = {0};
    if (key)
        w = shms__wanted(d, key, (uint32_t)key_size, 0);
    rc = wait_until(d, key ? &w : NULL, seen, shms__deadline(timeout_ms));
    return (int)shms__member_done(&d->section.member, rc);
}

int shms_dict_poll_fd(shms_dict *d)
{
    int fd = -1;
    int rc = d ? shms__member_enter(&d->section.member) : shms__fail(SHMS_E_INVALID);
    if (rc == 0)
        rc = shms__poll_open(&d->section, &fd);
    return rc < 0 ? rc : fd;
}

/* ---- info */

int shms_dict_info(shms_dict *d, shms_dict_stats *ret)
{
    if (!d || !ret || ret->struct_size < 8)
        return shms__fail(SHMS_E_INVALID);
    int rc = shms__dict_enter(d);
    if (rc < 0)
        return rc;
    const struct dict_header *h = d->header;
    /* relaxed: numbers of a moment, each for itself; so are all loads below */
    uint64_t total = a64_load_relaxed(&h->total), fresh = a64_load_relaxed(&h->fresh);
    shms_dict_stats s = {
        .struct_size = ret->struct_size,
        .policy = d->policy,
        .size = shms__region_size(&d->section.member.region),
        .max_size = d->section.member.region.capacity,
        .records = a64_load_relaxed(&h->live) - a64_load_relaxed(&h->locks), /* relaxed: as above; so below */
        .cells = total - d->first_cell,
        .cells_free = a64_load_relaxed(&h->free_count) + (total - fresh),
        .slots = 1ull << (a64_load_relaxed(&h->table) >> TABLE_LOG2_SHIFT & 63),
        .version = (int64_t)shms__dict_version(d),
        .evicted = a64_load_relaxed(&h->evicted),
        .expired = a64_load_relaxed(&h->expired),
        .locks = a64_load_relaxed(&h->locks),
        .cell_size = d->cell_size,
        .ring = d->ring,
        .key_max = d->key_max,
        .value_max = d->value_max,
    };
    memcpy(ret, &s, (size_t)min_u64(ret->struct_size, sizeof s));
    return (int)shms__member_done(&d->section.member, 0);
}
