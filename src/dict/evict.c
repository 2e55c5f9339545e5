/* SPDX-License-Identifier: MIT */
/*
 * Room for a record.
 *
 * Who takes part. The holder of the lock. Each step is a change of its own (change.c), so a crash between two
 * of them leaves a whole dict with a little more room.
 *
 * Invariant. Where nothing is evicted, cells_kept cells are always free, can be given up as marks, or are
 * taken by nobody but a record that replaces one: so replacing by what is not larger never fails for want of
 * room. A larger one may, like a new one.
 *
 * The order: what has expired; more memory, up to the region's greatest size; marks, if they suffice or hold
 * more than a sixteenth of the cells; the record that was used longest ago, of some; at last locks of the
 * dead. Where shared memory is full, the others make room all the same; and tries to grow get smaller and
 * rarer, until one succeeds.
 */
#include "evict.h"

#define SAMPLE 16      /* records of which the longest unused one goes */
#define SWEEP 64       /* expired records that go at once */
#define STEP 2         /* slots that each change looks at */
#define MARKS_SHARE 16 /* marks that hold this part of the cells are given up before records are */
#define LOCKS_ASKED 16 /* holders of locks whose life is asked at once */
#define GROWTH 65536   /* bytes: growth is a multiple of that */
#define GROWTH_FAILS 10 /* so often growth that failed is halved; and after it 2 to the power of that changes,
                           at most, make room in other ways before the next try */

static uint64_t word_of(const a64 *word)
{
    return a64_load_relaxed(word); /* relaxed: written by holders of the lock only, to whom this belongs */
}

/* ---- what may go */

uint64_t shms__lock_holder(shms_dict *d, const struct place *p)
{
    uint64_t holder = 0;
    const struct lengths *l = &p->record.lengths;
    return l->value == sizeof holder && shms__record_copy(d, p->cell, l->key, &holder, sizeof holder) ? holder
                                                                                                      : 0;
}

static bool is_lock(const struct place *p)
{
    return p->record.lengths.flags & RECORD_LOCK;
}

static bool dead_lock(shms_dict *d, const struct place *p, uint32_t *asked)
{
    return is_lock(p) && (*asked)++ < LOCKS_ASKED &&
           !shms__member_alive(&d->section.member, shms__lock_holder(d, p));
}

static bool something_expired(const shms_dict *d, struct clock *clock)
{
    const struct dict_header *h = d->header;
    return word_of(&h->expiring) && shms__clock_past(clock, (int64_t)word_of(&h->next_expiry));
}

/* Once round the slots, or until enough went: what has expired, and locks of the dead. How many went. */
static int64_t sweep(shms_dict *d, uint64_t slots, uint64_t most, struct clock *clock)
{
    struct dict_header *h = d->header;
    struct slots s;
    struct place p;
    int64_t gone = 0, earliest = INT64_MAX;
    uint32_t asked = slots > STEP ? 0 : LOCKS_ASKED;
    if (!shms__table_slots(d, &s))
        return shms__fail(SHMS_E_CORRUPT);
    uint64_t hand = word_of(&h->hand), i;
    for (i = 0; i < slots && i <= s.mask && gone < (int64_t)most; i++, hand++) {
        if (!shms__table_record(d, &s, hand, &p))
            continue;
        bool expired = shms__clock_past(clock, p.record.expires_ns);
        if (expired || dead_lock(d, &p, &asked)) {
            int64_t rc = shms__change_drop(d, &p, expired ? RECORD_EXPIRED : 0, (struct stamp){0}, clock);
            if (rc < 0)
                return rc;
            gone++;
        } else if (p.record.expires_ns != 0 && p.record.expires_ns < earliest) {
            earliest = p.record.expires_ns;
        }
    }
    a64_store_relaxed(&h->hand, hand & s.mask); /* relaxed: holders only; any number will do */
    if (i > s.mask)
        a64_store_relaxed(&h->next_expiry, (uint64_t)earliest); /* relaxed: holders only; all were seen */
    return gone;
}

bool shms__evict_step(shms_dict *d, struct clock *clock)
{
    return something_expired(d, clock) && sweep(d, STEP, STEP, clock) > 0;
}

/* The longest unused of some records, but not this one. 1: it went; 0: there is none. */
static int evict_one(shms_dict *d, uint64_t but, struct clock *clock)
{
    struct slots s;
    struct place p, oldest = {0};
    uint32_t now = shms__clock_s(clock), age = 0;
    if (!shms__table_slots(d, &s))
        return shms__fail(SHMS_E_CORRUPT);
    uint64_t hand = word_of(&d->header->hand), seen = 0;
    for (uint64_t i = 0; i <= s.mask && seen < SAMPLE; i++, hand++) {
        if (!shms__table_record(d, &s, hand, &p) || is_lock(&p) || p.cell == but)
            continue;
        seen++;
        /* relaxed: a hint, that readers write, too */
        uint32_t unused = now - a32_load_relaxed(&shms__head_at(d, p.cell)->used);
        if (!oldest.cell || (unused > age && unused <= INT32_MAX)) {
            age = unused;
            oldest = p;
        }
    }
    a64_store_relaxed(&d->header->hand, hand & s.mask); /* relaxed: as in sweep */
    if (!oldest.cell)
        return 0;
    int64_t rc = shms__change_drop(d, &oldest, RECORD_EVICTED, (struct stamp){0}, clock);
    return rc < 0 ? (int)rc : 1;
}

/* ---- more memory */

static int take_memory(shms_dict *d, uint64_t size)
{
    uint64_t total = min_u64(size >> d->cell_shift, CELLS_MOST);
    shms__cells_grown(d);
    /* release: the memory is there; pairs with the load in beyond() of table.c */
    a64_store_release(&d->header->total, total);
    return 1;
}

/* How much a try adds: half of what there is, less after tries that failed; but so many cells. 0: there can
 * be no more. */
static uint64_t growth(const shms_dict *d, uint64_t size, uint64_t cells)
{
    uint64_t least = cells << d->cell_shift;
    uint64_t more = (size / 2) >> d->growth_failed;
    more = more > least ? more : least;
    uint64_t most = d->section.member.region.capacity;
    uint64_t wanted = min_u64(most, (size + more + GROWTH - 1) / GROWTH * GROWTH);
    return wanted >> d->cell_shift > size >> d->cell_shift ? wanted - size : 0;
}

static int grow_by(shms_dict *d, uint64_t size, uint64_t more)
{
    uint64_t precious = 0;
    int rc = shms__section_resize(&d->section, size + more, &precious);
    if (rc == 0)
        rc = shms__region_resize(&d->section.member.region, size + more, precious);
    if (rc == 0) {
        d->growth_failed -= d->growth_failed > 0;
        return take_memory(d, size + more);
    }
    d->growth_failed += d->growth_failed < GROWTH_FAILS;
    d->growth_waits = 1u << d->growth_failed;
    return rc;
}

/* 1: there are more cells; 0: there can be no more. Where nothing is evicted, as much as there is will do. */
static int grow(shms_dict *d, uint64_t cells)
{
    uint64_t size = shms__region_size(&d->section.member.region), more;
    if (min_u64(size >> d->cell_shift, CELLS_MOST) > word_of(&d->header->total))
        return take_memory(d, size); /* a dead one got this far */
    int rc = 0;
    for (uint64_t tried = UINT64_MAX; (more = growth(d, size, cells)) > 0 && more < tried; tried = more) {
        rc = grow_by(d, size, more);
        if (rc != SHMS_E_NOSPACE || d->policy == POLICY_LRU)
            return rc;
    }
    return rc;
}

/* After a try that failed some go by before the next one, as long as room can be made in other ways. */
static bool grows_later(shms_dict *d)
{
    d->growth_waits -= d->growth_waits > 0;
    return d->growth_waits > 0;
}

/* ---- */

/* Would so many free cells do? */
static bool enough(const shms_dict *d, const struct place *p, uint64_t n, uint64_t room)
{
    const struct lengths *l = &p->record.lengths;
    uint64_t old = p->cell ? shms__cells_for(d, (uint64_t)l->key + l->value) : 0;
    return room >= n && (n <= old || room + old - n >= shms__cells_kept(d));
}

static bool many_marks(const shms_dict *d)
{
    return word_of(&d->header->marks) >= word_of(&d->header->total) / MARKS_SHARE;
}

/* Give up a mark, or evict a record. `cells`: it is cells that are wanted, not a place in the index. */
static int give_way(shms_dict *d, const struct place *p, bool cells, struct room *room, struct clock *clock)
{
    if (d->policy != POLICY_LRU) {
        struct queue q;
        /* Marks that would not suffice are kept. */
        bool helps = cells && shms__queue_load(d, &q) &&
                     enough(d, p, room->cells, shms__queue_room(&q) + word_of(&d->header->marks));
        return helps ? shms__change_give_up(d) : 0;
    }
    int rc = cells && many_marks(d) ? shms__change_give_up(d) : 0;
    if (rc == 0) {
        rc = evict_one(d, p->cell, clock);
        room->changed |= rc > 0;
    }
    return rc == 0 && cells ? shms__change_give_up(d) : rc;
}

/* One step towards more room. 1, 0: nothing can go any more, or a failure. */
static int make_room(shms_dict *d, const struct place *p, bool cells, struct room *room, struct clock *clock)
{
    uint64_t wanted = room->cells + shms__cells_kept(d);
    int64_t rc = something_expired(d, clock) ? sweep(d, UINT64_MAX, SWEEP, clock) : 0;
    if (rc != 0)
        return rc > 0 ? 1 : (int)rc;
    bool later = grows_later(d);
    int grown = later ? 0 : grow(d, wanted);
    if (grown > 0)
        return 1;
    rc = give_way(d, p, cells, room, clock);
    if (rc == 0 && word_of(&d->header->locks))
        rc = sweep(d, UINT64_MAX, SWEEP, clock);
    if (rc == 0)
        rc = later ? grow(d, wanted) : grown;
    return rc > 0 ? 1 : (int)rc;
}

int shms__evict_for(shms_dict *d, const struct place *p, struct room *room, struct clock *clock)
{
    struct queue q;
    int rc = p->cell ? 0 : shms__table_make_room(d);
    if (rc != 0 && rc != SHMS_E_FULL)
        return rc;
    if (!shms__queue_load(d, &q))
        return shms__fail(SHMS_E_CORRUPT);
    bool cells = !enough(d, p, room->cells, shms__queue_room(&q));
    if (rc == 0 && !cells) {
        if (q.count >= room->cells || q.total - q.fresh >= room->cells)
            return 0;
        rc = shms__queue_join(d);
        return rc < 0 ? rc : 1;
    }
    if (room->tries++ >= 4 * (room->cells + SWEEP))
        return shms__fail(SHMS_E_FULL);
    rc = make_room(d, p, cells, room, clock);
    return rc == 0 ? shms__fail(SHMS_E_FULL) : rc;
}
