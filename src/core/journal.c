/* SPDX-License-Identifier: MIT */
/*
 * The undo journal.
 *
 * Who takes part. The holder of the lock writes records and journal_used: a handle of an atomic region inside
 * its section, and a process that took over from a dead holder, to undo. The journal lies in the control file
 * from LAYOUT_JOURNAL on; the file grows as it must, and what a large section used is given back at its end.
 *
 * A record says what a block of the data was before this section first wrote there. Each block is saved once
 * a section, so the journal is never much longer than the data, and the records may be undone in any order.
 *
 * Inside one process. Threads that share a handle may write at once, with the lock or without. What
 * belongs to the section is decided by `open` alone, a private mark: set when all else of beginning is
 * done (the dead have been rolled back), cleared as the first step of ending. Records are written, and the
 * mark is cleared, by one thread at a time (`writer`). So a write without the lock never touches a journal
 * that is not its own section's, any handle may hold the lock meanwhile; and what it writes after the mark
 * has been cleared is no part of any section. A thread that a handler of a signal took out of
 * enter()..leave() by siglongjmp still stands there as writer: it passes when it comes again, others wait
 * for a bounded time, and the end of the section goes on without it. Each store below leaves the private
 * notes fit for that.
 *
 * Invariants.
 *  1. journal_used covers complete records only, and all those of the open section's bytes that were written.
 *  2. A byte of the data is written only after the record of its block is covered.
 *  3. Between two sections journal_used is 0, unless a roll-back is owed (DIED_OWED).
 *  4. Undoing needs no memory: pages that the records speak of are not given back before the section ends.
 *
 * Linearisation. Commit: the store of 0 to journal_used; before it, a death undoes the section, after it all
 * was written. Roll-back: the same store, after the last byte is back.
 *
 * Order. Only a process that has died is looked at, and its stores have all arrived then; so the order that
 * matters is the one in which they are made: the fences below hold the compiler to it.
 *
 * What a crash at each step leaves, and who repairs it:
 *   save, records not covered yet            nothing: they are not looked at
 *   save or write, covered                   the next holder, or opener, rolls back
 *   resize, size stored                      its record is covered: the same
 *   commit, before the store                 the same
 *   commit, after it                         memory not given back, until it is used again
 *   roll-back, anywhere before its store     the next one does it again: old bytes twice are old bytes
 */
#include "journal.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK 256u             /* bytes that are saved together, so that each needs one bit */
#define RESERVED_LEAST 65536u  /* what the journal's memory grows from, by doubling */
#define RESERVED_KEPT 1048576u /* what a large section leaves in place for the next */

/* ---- room */

static int map_more(struct member *m, struct journal *j, const struct file *f, uint64_t size)
{
    void *p = NULL;
    shms__process_lock(); /* the mapping pins the token: no fork before it is kept from children */
    int rc = shms__map(f, LAYOUT_JOURNAL, size, true, false, &p);
    shms__process_unlock();
    if (rc < 0)
        return rc;
    shms__guard_range(m->region.guard, GUARD_JOURNAL, p, size, true);
    if (j->at)
        shms__unmap(j->at, j->mapped);
    j->at = p;
    j->mapped = size;
    return 0;
}

static int reserve(struct member *m, struct journal *j, uint64_t need)
{
    uint64_t size = RESERVED_LEAST;
    while (size < need)
        size *= 2;
    const struct file *f = shms__region_control_file(&m->region);
    if (!f)
        return shms__fail(SHMS_E_LOST);
    int rc = shms__file_grow(f, LAYOUT_JOURNAL + j->reserved, LAYOUT_JOURNAL + size, false);
    if (rc == 0 && size > j->mapped)
        rc = map_more(m, j, f, size);
    if (rc == 0)
        j->reserved = size;
    return rc;
}

/* Memory behind the first `need` bytes of the journal. In a frame: a mapping that nobody knew of any more
 * would pin the life token. */
static int make_room(struct member *m, struct journal *j, uint64_t need)
{
    if (need <= j->reserved)
        return 0;
    if (need > SIZE_MAX / 4)
        return shms__fail(SHMS_E_NOMEM);
    shms__quiet_begin();
    int rc = reserve(m, j, need);
    shms__quiet_end();
    return rc;
}

/* The old bits go last: a child of fork finds one or the other. */
static int more_bits(struct journal *j, uint64_t words)
{
    uint64_t *more = words > SIZE_MAX / 16 ? NULL : calloc((size_t)words, sizeof *more);
    if (!more)
        return shms__fail(SHMS_E_NOMEM);
    uint64_t *before = j->saved;
    if (before)
        memcpy(more, before, (size_t)j->words * sizeof *more);
    j->saved = more;
    fence_release(); /* orders: the bits before their number; pairs with fork, in shms__journal_renew */
    j->words = words;
    free(before);
    return 0;
}

/* A bit for each block below `end`. */
static int cover(struct journal *j, uint64_t end)
{
    uint64_t words = (end / BLOCK + 64) / 64;
    if (words <= j->words)
        return 0;
    shms__quiet_begin(); /* a handler must not leave malloc */
    int rc = more_bits(j, words);
    shms__quiet_end();
    return rc;
}

/* ---- records */

static bool is_saved(const struct journal *j, uint64_t block)
{
    return j->saved[block / 64] >> block % 64 & 1;
}

static void mark_saved(struct journal *j, uint64_t first, uint64_t end)
{
    for (uint64_t b = first; b < end; b++)
        j->saved[b / 64] |= 1ull << b % 64;
    j->low = min_u64(j->low, first / 64);
    j->high = j->high > end / 64 + 1 ? j->high : end / 64 + 1;
}

/* Nothing is saved of the section that begins. */
static void clear_notes(struct journal *j)
{
    if (j->low < j->high)
        memset(j->saved + j->low, 0, (size_t)(min_u64(j->high, j->words) - j->low) * sizeof *j->saved);
    j->used = 0;
    j->size = 0;
    j->low = UINT64_MAX;
    j->high = 0;
    j->reserved = min_u64(j->reserved, RESERVED_KEPT); /* another member may have given back the rest */
}

static int append(struct member *m, struct journal *j, uint64_t offset, uint64_t length, uint64_t bytes)
{
    uint64_t need = j->used + sizeof(struct record) + ((bytes + 7) & ~7ull);
    int rc = make_room(m, j, need);
    if (rc < 0)
        return rc;
    struct record *r = (struct record *)(void *)(j->at + j->used);
    a64_store_relaxed(&r->offset, offset); /* relaxed: covered by the release below */
    a64_store_relaxed(&r->length, length);
    if (bytes > 0)
        memcpy(r + 1, m->region.data + offset, (size_t)bytes);
    j->used = need;
    return 0;
}

/* All records are there: from here on they count. */
static void publish(struct member *m, const struct journal *j)
{
    /* release: the records come before; pairs with the acquire in shms__journal_roll_back */
    a64_store_release(&m->region.control->journal_used, j->used);
    /* orders: that before the bytes that the caller writes; pairs with the death of this process */
    fence_release();
}

static int save_blocks(struct member *m, struct journal *j, uint64_t offset, uint64_t n)
{
    uint64_t there = a64_load_relaxed(&m->region.backed); /* relaxed: private; covers what the caller saw */
    uint64_t end = min_u64((offset + n - 1) / BLOCK + 1, (there + BLOCK - 1) / BLOCK);
    int rc = cover(j, end * BLOCK);
    for (uint64_t b = offset / BLOCK; rc == 0 && b < end; b++) {
        if (is_saved(j, b))
            continue;
        uint64_t first = b;
        while (b + 1 < end && !is_saved(j, b + 1))
            b++;
        uint64_t bytes = min_u64((b + 1) * BLOCK, there) - first * BLOCK;
        rc = append(m, j, first * BLOCK, bytes, bytes);
        if (rc == 0)
            mark_saved(j, first, b + 1);
    }
    publish(m, j);
    return rc;
}

/* One thread at a time. False: it took longer than any call may wait. */
static bool enter(struct member *m, struct journal *j)
{
    int64_t deadline = 0;
    for (int spun = 1;; spun++) {
        uint64_t inside = 0;
        /* acquire: the private notes; pairs with leave(). Or this thread itself was cut off here before */
        if (a64_cas_acquire(&j->writer, &inside, shms__thread()) || inside == shms__thread())
            return true;
        if (spun % 64) {
            spin_pause();
            continue;
        }
        int64_t now = shms__now_ns();
        if (deadline == 0)
            deadline = now + m->region.timeout_ns;
        if (now >= deadline)
            return false;
        shms__nap(50000);
    }
}

static void leave(struct journal *j)
{
    a64_store_release(&j->writer, 0); /* release: the private notes; pairs with enter() */
}

void shms__journal_open(struct journal *j)
{
    clear_notes(j);
    a32_store_release(&j->open, 1); /* release: the notes; pairs with the acquires in save and resize */
}

void shms__journal_resume(struct journal *j)
{
    a32_store_release(&j->open, 1); /* release: the notes; pairs with the acquires in save and resize */
}

int shms__journal_save(struct member *m, struct journal *j, uint64_t offset, uint64_t n)
{
    int rc = 0;
    if (n == 0 || !a32_load_acquire(&j->open)) /* acquire: the notes; pairs with shms__journal_open */
        return 0;                             /* outside of any section there is nothing to be whole */
    if (!enter(m, j))
        return shms__fail(SHMS_E_TIMEOUT);
    /* Cleared by a thread that is inside; but another section may have begun since the look above.
     * acquire: its notes; pairs with shms__journal_open */
    if (a32_load_acquire(&j->open))
        rc = save_blocks(m, j, offset, n);
    leave(j);
    return (int)shms__member_done(m, rc);
}

void shms__journal_shut(struct member *m, struct journal *j)
{
    bool inside = enter(m, j); /* if not, a thread was cut off there: it will not come back */
    a32_store_relaxed(&j->open, 0); /* relaxed: read by threads that come inside after */
    if (inside)
        leave(j);
    else
        a64_store_release(&j->writer, 0); /* release: as in leave(); pairs with enter() */
}

/* ---- resize */

/* The region's size, also where this handle has mapped less: all of it comes back, or none is given back. */
static uint64_t whole_size(struct region *r)
{
    shms__region_size(r); /* the part that is mapped here is seen to be there */
    return a64_load_relaxed(&r->control->size); /* relaxed: the caller holds the lock */
}

/* Behind the new end there are bytes that a roll-back needs: growing over them must not give them back, as
 * else, but save them and write zeros. */
static int clear_precious(struct member *m, struct journal *j, uint64_t from, uint64_t to)
{
    to = min_u64(to, a64_load_relaxed(&m->region.backed)); /* relaxed: private; the size may be a lie */
    if (from >= to)
        return 0;
    int rc = save_blocks(m, j, from, to - from);
    if (rc == 0)
        memset(m->region.data + from, 0, (size_t)(to - from));
    return rc;
}

static int save_size(struct member *m, struct journal *j, uint64_t size, uint64_t *ret_precious)
{
    uint64_t old = whole_size(&m->region);
    int rc = 0;
    if (j->size == 0) {
        rc = append(m, j, old, RECORD_SIZE, 0);
        if (rc == 0)
            j->size = old;
        publish(m, j);
    }
    if (rc == 0)
        rc = clear_precious(m, j, old, min_u64(size, j->size));
    *ret_precious = j->size;
    return rc;
}

int shms__journal_resize(struct member *m, struct journal *j, uint64_t size, uint64_t *ret_precious)
{
    if (!enter(m, j))
        return shms__fail(SHMS_E_TIMEOUT);
    /* acquire: as in shms__journal_save; pairs with shms__journal_open */
    int rc = a32_load_acquire(&j->open) ? save_size(m, j, size, ret_precious) : shms__fail(SHMS_E_NOT_OWNER);
    leave(j);
    return rc;
}

/* ---- the end of a section */

static void give_back_memory(struct member *m, const struct journal *j)
{
    struct region *r = &m->region;
    uint64_t size = whole_size(r);
    if (size < j->size && shms__file_intact(&r->data_file))
        shms__file_cut(&r->data_file, size, j->size);
    const struct file *f = j->used > RESERVED_KEPT ? shms__region_control_file(r) : NULL;
    if (f)
        shms__file_cut(f, LAYOUT_JOURNAL + RESERVED_KEPT, LAYOUT_JOURNAL + j->reserved);
}

void shms__journal_commit(struct member *m, struct journal *j)
{
    struct control *c = m->region.control;
    /* relaxed: both are written by the holder only */
    if (a64_load_relaxed(&c->journal_used) == 0 || (a32_load_relaxed(&c->died) & DIED_OWED))
        return;
    /* release: the section's bytes come before; pairs with the acquire in shms__journal_roll_back */
    a64_store_release(&c->journal_used, 0);
    if (j->size > 0 || j->used > RESERVED_KEPT)
        give_back_memory(m, j);
}

bool shms__journal_committed(const struct member *m, const struct journal *j)
{
    /* relaxed: cleared by this thread, or no section is being left; journal_used is the holder's */
    bool left = j->used > 0 && !a32_load_relaxed(&j->open);
    return left && a64_load_relaxed(&m->region.control->journal_used) == 0; /* relaxed: as above */
}

void shms__journal_renew(struct journal *j)
{
    /* The mapping is the parent's. The bits are this process's copy. */
    if (j->saved)
        memset(j->saved, 0, (size_t)j->words * sizeof *j->saved);
    *j = (struct journal){.saved = j->saved, .words = j->words, .low = UINT64_MAX};
}

/* ---- roll-back */

/* What is undone: both files of the region, mapped for a moment, each as long as it is. */
struct undo {
    unsigned char *records;
    uint64_t used;
    unsigned char *data;
    uint64_t size;
};

/* Undo the record at `at`; gives the offset behind it, or 0 for one that cannot be. */
static uint64_t undo_one(struct member *m, const struct undo *u, uint64_t at)
{
    if (!ref_fits(at, sizeof(struct record), u->used))
        return 0;
    const struct record *r = (const struct record *)(const void *)(u->records + at);
    uint64_t offset = a64_load_relaxed(&r->offset); /* relaxed: journal_used was acquired */
    uint64_t length = a64_load_relaxed(&r->length); /* relaxed: as above */
    at += sizeof *r;
    if (length == RECORD_SIZE) {
        if (offset == 0 || offset > u->size)
            return 0;
        /* release: pairs with the acquire in shms__region_size */
        a64_store_release(&m->region.control->size, offset);
        return at;
    }
    if (length == 0 || !ref_fits(at, length, u->used) || !ref_fits(offset, length, u->size))
        return 0;
    racy_copy(u->data + offset, r + 1, (size_t)length);
    return at + ((length + 7) & ~7ull);
}

static int undo_all(struct member *m, const struct undo *u)
{
    for (uint64_t at = 0; at < u->used;) {
        at = undo_one(m, u, at);
        if (at == 0)
            return 1;
    }
    return 0;
}

/* All of a file from `offset` on. 1: there is nothing. */
static int map_whole(const struct file *f, uint64_t offset, bool writable, unsigned char **ret,
                     uint64_t *ret_size)
{
    uint64_t length = 0;
    int rc = shms__file_length(f, &length);
    if (rc < 0)
        return rc;
    if (length <= offset)
        return 1;
    void *p = NULL;
    shms__process_lock(); /* as in map_more */
    rc = shms__map(f, offset, length - offset, writable, false, &p);
    shms__process_unlock();
    if (rc == 0) {
        *ret = p;
        *ret_size = length - offset;
    }
    return rc;
}

/* A reader has no descriptor of the data; a process that may write control may have one. */
static int with_data(struct member *m, const struct file *control, struct undo *u)
{
    struct region *r = &m->region;
    struct file f = r->data_file;
    bool own = !shms__file_intact(&f);
    int rc = own ? shms__region_reopen(&f, r->name.data) : 0;
    if (rc < 0)
        return rc;
    uint64_t journal_size = 0;
    rc = map_whole(&f, 0, true, &u->data, &u->size);
    if (rc == 0) {
        rc = map_whole(control, LAYOUT_JOURNAL, false, &u->records, &journal_size);
        if (rc == 0) {
            u->used = min_u64(u->used, journal_size);
            shms__guard_range(r->guard, GUARD_UNDO, u->records, journal_size, false);
            shms__guard_range(r->guard, GUARD_UNDO_DATA, u->data, u->size, true);
            rc = undo_all(m, u);
            shms__guard_range(r->guard, GUARD_UNDO, NULL, 0, false);
            shms__guard_range(r->guard, GUARD_UNDO_DATA, NULL, 0, false);
            shms__unmap(u->records, journal_size);
        }
        shms__unmap(u->data, u->size);
    }
    if (own)
        shms__file_close(&f);
    return rc;
}

int shms__journal_roll_back(struct member *m)
{
    struct control *c = m->region.control;
    /* acquire: the records; pairs with the release in publish() */
    struct undo u = {.used = a64_load_acquire(&c->journal_used)};
    if (u.used == 0)
        return 0;
    if (m->region.unnamed) { /* it has no journal: somebody made this up */
        a64_store_relaxed(&c->journal_used, 0); /* relaxed: handed on by unlock's release */
        return 1;
    }
    const struct file *control = shms__region_control_file(&m->region);
    if (!control)
        return shms__fail(SHMS_E_LOST);
    shms__quiet_begin(); /* as in make_room */
    int rc = with_data(m, control, &u);
    shms__quiet_end();
    if (rc >= 0)
        /* release: the old bytes come before; pairs with the acquire above, in the next one that looks */
        a64_store_release(&c->journal_used, 0);
    return rc;
}

void shms__journal_close(struct member *m, struct journal *j)
{
    shms__guard_range(m->region.guard, GUARD_JOURNAL, NULL, 0, false);
    if (j->at && m->region.token) /* a child of fork that never joined has neither mapping */
        shms__unmap(j->at, j->mapped);
    free(j->saved);
    *j = (struct journal){0};
}
