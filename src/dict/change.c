/* SPDX-License-Identifier: MIT */
/*
 * The changes of a dict.
 *
 * Who takes part. The holder of the region's lock, for the time of one call. Readers look at what it does
 * without the lock (table.c, feed.c).
 *
 * Invariants, between any two changes.
 *  1. Each cell from the first one to header.fresh is in exactly one place: in a record that a slot names,
 *     in a mark that the ring names, in the queue, in one of the two slot arrays, or in old ones (pend).
 *  2. A change has a number, header.version + 1, which its record or mark carries as version. No number is
 *     given twice: a cell gets its version by the redo that commits the change.
 *  3. For each of the last `ring` changes the ring names the cell that it filled. The cell still has that
 *     version, or a later change of the same key is in the ring or has been told; or it was a mark, and
 *     header.floor is not below its number.
 *  4. A mark is kept until its number leaves the ring or reaches header.floor.
 *
 * The number goes into header.version last: so whoever reads a change up to that number finds all of it done.
 *
 * What a crash leaves: redo.c; and of a deleted record some bytes of its value, in a cell of no record.
 */
#include "change.h"

static uint64_t word_of(const a64 *word)
{
    return a64_load_relaxed(word); /* relaxed: written by holders of the lock only, to whom this belongs */
}

/* ---- begin and end */

static int recover(shms_dict *d, bool died)
{
    shms__redo_recover(d);
    if (died)
        shms__repaired(&d->section);
    uint64_t total = word_of(&d->header->total);
    if (total <= d->first_cell || total > CELLS_MOST || word_of(&d->header->version) >= INT64_MAX)
        return shms__fail(SHMS_E_CORRUPT);
    if (!shms__cells_there(d, d->first_cell, total - d->first_cell))
        return shms__fail(SHMS_E_RANGE); /* it has grown beyond what this handle mapped */
    return word_of(&d->header->pend_count) ? shms__table_free_old(d) : 0;
}

int shms__change_begin(shms_dict *d)
{
    return shms__change_begin_within(d, d->timeout_ms);
}

int shms__change_begin_within(shms_dict *d, int timeout_ms)
{
    struct member *m = &d->section.member;
    if (!m->region.writable)
        return shms__fail(m->region.data_only ? SHMS_E_DENIED : SHMS_E_READ_ONLY);
    int rc = shms__member_enter(m);
    if (rc == 0)
        rc = shms__lock(&d->section, timeout_ms);
    if (rc < 0)
        return rc;
    rc = recover(d, rc == SHMS_OWNER_DIED);
    return rc < 0 ? (int)shms__change_end(d, false, rc) : 0;
}

int64_t shms__change_end(shms_dict *d, bool wrote, int64_t rc)
{
    if (wrote)
        shms__section_write(&d->section, 0, 0);
    if (shms__unlock(&d->section) < 0)
        return shms__fail(SHMS_E_CORRUPT); /* a peer has overwritten the lock */
    return shms__member_done(&d->section.member, rc);
}

/* ---- parts of a change */

/* Append the n cells of a record, from the one that is `skip` links behind its first. */
static bool free_cells(shms_dict *d, struct queue *q, struct redo *r, uint64_t cell, uint64_t skip,
                       uint64_t n)
{
    if (n == 0)
        return true;
    uint64_t first = shms__cell_behind(d, cell, skip);
    uint64_t last = first ? shms__cell_behind(d, first, n - 1) : 0;
    if (last == 0)
        return false;
    shms__queue_append(d, q, r, first, last, n);
    return true;
}

/* How many cells the mark of change v holds in `cell`; 0: it holds no such mark. */
static uint64_t mark_cells(shms_dict *d, uint64_t cell, uint64_t v)
{
    struct lengths l;
    if (!shms__cells_there(d, cell, 1))
        return 0;
    const struct record_head *head = shms__record_at(d, cell);
    bool is_mark = word_of(&head->cell.version) == v && shms__lengths(d, word_of(&head->lengths), &l) &&
                   (l.flags & RECORD_GONE);
    return is_mark ? shms__cells_for(d, l.key) : 0;
}

/* The change takes its place in the ring; the mark that stood there is freed. */
static bool into_ring(shms_dict *d, struct queue *q, struct redo *r, uint64_t cell, uint64_t *marks)
{
    const struct dict_header *h = d->header;
    uint64_t v = word_of(&h->version) + 1;
    a64 *word = shms__ring_word(d, v);
    if (*marks > 0 && v > d->ring && v - d->ring > word_of(&h->floor)) {
        uint64_t n = mark_cells(d, word_of(word), v - d->ring);
        if (!free_cells(d, q, r, word_of(word), 0, n))
            return false;
        *marks -= min_u64(n, *marks);
    }
    shms__redo_add(r, word, cell);
    return true;
}

static void count_expiring(shms_dict *d, struct redo *r, const struct place *p, int64_t expires_ns)
{
    struct dict_header *h = d->header;
    uint64_t n = word_of(&h->expiring) + (expires_ns != 0);
    shms__redo_add(r, &h->expiring, n - (p->cell && p->record.expires_ns != 0));
    if (expires_ns != 0 && (uint64_t)expires_ns < word_of(&h->next_expiry))
        /* relaxed: holders only; early is right, too */
        a64_store_relaxed(&h->next_expiry, (uint64_t)expires_ns);
}

/* What a change is stamped with: later than all that this dict has seen, so that of two changes of a key the
 * later one has the greater stamp, though clocks differ or are set back. */
static struct stamp make_stamp(shms_dict *d, struct stamp given, struct clock *clock)
{
    a64 *latest = &d->header->clock;
    uint64_t last = word_of(latest);
    bool full = last >= INT64_MAX - 1; /* a peer's number: from now on the clock alone decides */
    if (given.ns == 0)
        given.ns = clock->stamp_ns;
    else if (!full && (uint64_t)given.ns <= last)
        return given;
    if (given.origin == 0 && !full && (uint64_t)given.ns <= last)
        given.ns = (int64_t)last + 1;
    /* relaxed: holders only; to be ahead of a change that is never decided does no harm */
    a64_store_relaxed(latest, (uint64_t)given.ns);
    return given;
}

/* ---- put */

struct source {
    const unsigned char *bytes[2];
    uint64_t left[2];
};

/* The next n bytes of the record. */
static void pour(struct source *s, unsigned char *to, uint64_t n)
{
    for (int i = 0; i < 2; i++) {
        uint64_t part = min_u64(n, s->left[i]);
        if (part == 0)
            continue;
        racy_copy(to, s->bytes[i], (size_t)part);
        s->bytes[i] += part;
        s->left[i] -= part;
        to += part;
        n -= part;
    }
}

/* Fill cells that nobody can reach, but for readers that are late: they find that the version has become 0.
 * */
static bool fill(shms_dict *d, uint64_t cell, uint64_t n, const struct wanted *w, const struct content *c,
                 uint32_t seconds)
{
    struct source s = {{w->key, c->value}, {w->key_size, c->size}};
    struct lengths l = {w->key_size, c->size, w->flags};
    struct record_head *head = shms__record_at(d, cell);
    a64_store_relaxed(&head->cell.version, 0); /* relaxed: ordered by the fence */
    /* orders: 0 before any byte; pairs with fence_acquire in try_record of table.c, and in feed.c */
    fence_release();
    a32_store_relaxed(&head->cell.used, seconds); /* relaxed: published by the redo that commits; so below */
    a64_store_relaxed(&head->expires_ns, (uint64_t)c->expires_ns);
    a64_store_relaxed(&head->lengths, shms__lengths_word(l));
    a64_store_relaxed(&head->stamp_ns, (uint64_t)c->stamp.ns);
    a64_store_relaxed(&head->origin, c->stamp.origin);
    pour(&s, (unsigned char *)(head + 1), shms__room_first(d));
    for (uint64_t i = 1; i < n; i++) {
        cell = shms__cell_behind(d, cell, 1);
        if (cell == 0)
            return false;
        struct cell_head *more = shms__head_at(d, cell);
        a64_store_relaxed(&more->version, 0); /* relaxed: as above */
        fence_release(); /* orders: as above; pairs with the same */
        pour(&s, (unsigned char *)(more + 1), shms__room_more(d));
    }
    return true;
}

static uint64_t take(shms_dict *d, struct queue *q, uint64_t n)
{
    bool linked;
    uint64_t cell = shms__queue_take(d, q, n, &linked);
    if (cell && !linked)
        shms__queue_chain(d, cell, n);
    return cell;
}

/* What a new version is, and where it is counted. */
static uint64_t number(shms_dict *d, const struct wanted *w, const struct place *p, struct redo *r)
{
    struct dict_header *h = d->header;
    if (!(w->flags & RECORD_LOCK))
        return word_of(&h->version) + 1;
    uint64_t count = word_of(&h->lock_count) + 1;
    shms__redo_add(r, &h->lock_count, count);
    shms__redo_add(r, &h->locks, word_of(&h->locks) + (p->cell == 0));
    return VERSION_LOCK | count;
}

static bool replace(shms_dict *d, struct queue *q, struct redo *r, const struct place *p)
{
    const struct lengths *l = &p->record.lengths;
    return !p->cell || free_cells(d, q, r, p->cell, 0, shms__cells_for(d, (uint64_t)l->key + l->value));
}

/* Zeros over the bytes of a record behind its key. A late reader finds that its version has changed. */
static void wipe(shms_dict *d, uint64_t cell, struct lengths l)
{
    static const unsigned char zeros[DICT_CELL_MAX];
    uint64_t n = shms__cells_for(d, (uint64_t)l.key + l.value), skip = l.key;
    uint64_t head = sizeof(struct record_head), room = shms__room_first(d);
    /* orders: the new version before any zero; pairs with fence_acquire in try_record of table.c, walk.c */
    fence_release();
    for (uint64_t i = 0; i < n && cell; i++) {
        if (skip < room)
            racy_copy((unsigned char *)shms__cell_at(d, cell) + head + skip, zeros, (size_t)(room - skip));
        skip -= min_u64(skip, room);
        cell = i + 1 < n ? shms__cell_behind(d, cell, 1) : 0;
        head = sizeof(struct cell_head);
        room = shms__room_more(d);
    }
}

int64_t shms__change_put(shms_dict *d, const struct wanted *w, const struct place *p, const struct content *c,
                         struct clock *clock)
{
    struct dict_header *h = d->header;
    struct queue q;
    struct redo r;
    uint64_t n = shms__cells_for(d, (uint64_t)w->key_size + c->size), marks = word_of(&h->marks);
    uint64_t cell = p->slot && shms__queue_load(d, &q) ? take(d, &q, n) : 0;
    uint32_t seconds = d->policy == POLICY_LRU ? shms__clock_s(clock) : 0;
    struct content stamped = *c;
    if (!(w->flags & RECORD_LOCK))
        stamped.stamp = make_stamp(d, c->stamp, clock);
    shms__redo_begin(&r);
    if (cell == 0 || !fill(d, cell, n, w, &stamped, seconds))
        return shms__fail(SHMS_E_CORRUPT);
    /* First, so that a walk comes to the cell before a slot names it, and the one before it no more. */
    shms__queue_store_fresh(d, &q, &r);
    uint64_t v = number(d, w, p, &r);
    shms__redo_add(&r, &shms__record_at(d, cell)->cell.version, v);
    shms__table_put(d, &r, p, w->hash, cell);
    if (!replace(d, &q, &r, p))
        return shms__fail(SHMS_E_CORRUPT);
    if (!(w->flags & RECORD_LOCK)) {
        if (!into_ring(d, &q, &r, cell, &marks))
            return shms__fail(SHMS_E_CORRUPT);
        shms__redo_add(&r, &h->marks, marks);
        count_expiring(d, &r, p, c->expires_ns);
    }
    shms__queue_store(d, &q, &r);
    if (!(w->flags & RECORD_LOCK))
        shms__redo_add(&r, &h->version, v);
    int rc = shms__redo_commit(d, &r);
    if (rc == 0 && d->secret && p->cell) {
        a64_store_relaxed(&shms__record_at(d, p->cell)->cell.version, 0); /* relaxed: ordered in wipe() */
        wipe(d, p->cell, p->record.lengths);
    }
    return rc < 0 ? rc : (int64_t)(v & ~VERSION_LOCK);
}

/* ---- drop */

static int64_t drop_lock(shms_dict *d, const struct place *p)
{
    struct queue q;
    struct redo r;
    shms__redo_begin(&r);
    if (!shms__queue_load(d, &q) || !replace(d, &q, &r, p))
        return shms__fail(SHMS_E_CORRUPT);
    shms__table_remove(d, &r, p);
    shms__redo_add(&r, &d->header->locks, word_of(&d->header->locks) - 1);
    shms__queue_store(d, &q, &r);
    return shms__redo_commit(d, &r);
}

int64_t shms__change_drop(shms_dict *d, const struct place *p, uint32_t why, struct stamp stamp,
                          struct clock *clock)
{
    struct dict_header *h = d->header;
    struct record_head *head = shms__record_at(d, p->cell);
    struct lengths l = p->record.lengths, mark = {l.key, 0, RECORD_GONE | why};
    struct queue q;
    struct redo r;
    shms__redo_begin(&r);
    if (l.flags & RECORD_LOCK)
        return drop_lock(d, p);
    uint64_t v = word_of(&h->version) + 1, marks = word_of(&h->marks);
    uint64_t kept = shms__cells_for(d, l.key), n = shms__cells_for(d, (uint64_t)l.key + l.value);
    /* A reader that sees the slot's record finds its slot or its version changed, in this order. */
    shms__table_remove(d, &r, p);
    shms__redo_add(&r, &head->cell.version, v);
    shms__redo_add(&r, &head->lengths, shms__lengths_word(mark));
    if (why == 0) {
        stamp = make_stamp(d, stamp, clock);
        shms__redo_add(&r, &head->stamp_ns, (uint64_t)stamp.ns);
        shms__redo_add(&r, &head->origin, stamp.origin);
    }
    if (!shms__queue_load(d, &q) || !free_cells(d, &q, &r, p->cell, kept, n - kept) ||
        !into_ring(d, &q, &r, p->cell, &marks))
        return shms__fail(SHMS_E_CORRUPT);
    shms__redo_add(&r, &h->marks, marks + kept);
    count_expiring(d, &r, p, 0);
    shms__redo_add(&r, &h->evicted, word_of(&h->evicted) + (why == RECORD_EVICTED));
    shms__redo_add(&r, &h->expired, word_of(&h->expired) + (why == RECORD_EXPIRED));
    shms__queue_store(d, &q, &r);
    shms__redo_add(&r, &h->version, v);
    int rc = shms__redo_commit(d, &r);
    if (rc < 0)
        return rc;
    if (why == 0 || d->secret)
        wipe(d, p->cell, l);
    return (int64_t)(v & ~VERSION_LOCK); /* a peer's number is no code */
}

/* ---- marks */

int shms__change_give_up(shms_dict *d)
{
    struct dict_header *h = d->header;
    struct queue q;
    struct redo r;
    uint64_t last = word_of(&h->version), v = word_of(&h->floor) + 1, n = 0;
    shms__redo_begin(&r);
    if (word_of(&h->marks) == 0)
        return 0;
    if (last >= d->ring && v <= last - d->ring)
        v = last - d->ring + 1;
    for (; v <= last; v++)
        if ((n = mark_cells(d, word_of(shms__ring_word(d, v)), v)) > 0)
            break;
    if (n == 0)
        return 0;
    if (!shms__queue_load(d, &q) || !free_cells(d, &q, &r, word_of(shms__ring_word(d, v)), 0, n))
        return shms__fail(SHMS_E_CORRUPT);
    shms__redo_add(&r, &h->floor, v);
    shms__redo_add(&r, &h->marks, word_of(&h->marks) - min_u64(n, word_of(&h->marks)));
    shms__queue_store(d, &q, &r);
    int rc = shms__redo_commit(d, &r);
    return rc < 0 ? rc : 1;
}
