/* SPDX-License-Identifier: MIT */
/*
 * The index of a dict: open addressing, linear probing, a word a slot.
 *
 * Who takes part. Holders of the lock change slots, by redo; readers look without the lock.
 *
 * Invariants.
 *  1. No slot moves inside an array: a record that is replaced keeps its slot, whose word changes by one
 *     store from one whole record to another whole one.
 *  2. From the slot where a key's search begins to the one that names its record no slot is empty. So a slot
 *     is emptied only where the next one is empty; else it becomes a stone.
 *  3. At most two thirds of the slots are not empty. When more would be, the second array, which is as long
 *     and lies beside the first, is filled, and the two are exchanged: that takes no memory, so an index does
 *     not wear out. Or, from half full on, two arrays of twice the length are made of fresh cells.
 *  4. header.table changes with each exchange, because it carries a generation.
 *  5. A cell that is filled has version 0, and gets its version by redo, before a slot names it.
 *
 * A reader loads table, slot, version; reads the record; then looks at all three again.
 *   the version: the cell was filled anew meanwhile, and the bytes may be of both records;
 *   the slot:    the record was freed, and the cell filled, before the version was loaded at all: what was
 *                read may be a record that was never committed, or another key's;
 *   the table:   the array itself was given up, filled anew or made into cells.
 * If all three stand, the record was the key's at the moment when the slot was loaded first.
 *
 * Linearisation of a look: the first load of the slot; of one that finds nothing, some moment in it: a key
 * that is there all the time is found, for its slot does not move and is passed by nobody.
 *
 * Progress. A look loads each slot once at most; it is repeated only after a writer has gone on.
 *
 * What a crash at each step leaves, and who repairs it:
 *   filling the second or a new array      nothing: nobody looks there; what is written is overwritten
 *   exchange committed (redo.c)            the new array; the next holder applies the words again
 *   growth committed, old arrays not free  pend_count cells from pend_first: the next holder makes them free
 *   chaining the old arrays' cells         the same, from the beginning; who still looks there finds
 *                                          header.table changed
 */
#include "table.h"

#define CLEARED 4 /* stones that one removal makes empty, at most */

static uint64_t word_of(const a64 *word)
{
    return a64_load_relaxed(word); /* relaxed: written by holders of the lock only, to whom this belongs */
}

static uint32_t log2_of(uint64_t table)
{
    return (uint32_t)(table >> TABLE_LOG2_SHIFT);
}

static bool slots_of(shms_dict *d, uint64_t table, struct slots *ret)
{
    uint64_t first = table & TABLE_FIRST;
    uint32_t log2 = log2_of(table);
    if (log2 > DICT_LOG2_MAX || !shms__cells_there(d, first, shms__cells_for_slots(d, log2)))
        return false;
    *ret = (struct slots){table, shms__cell_at(d, first), (1ull << log2) - 1};
    return true;
}

/* ---- without the lock */

/* Is the array still the one in use? Asked last. */
static bool current(const shms_dict *d, uint64_t table)
{
    /* relaxed: after loads that acquire, or a fence */
    return a64_load_relaxed(&d->header->table) == table;
}

/* A number led behind the memory that is there. A handle that mapped less than the dict has become is told
 * so. */
static int beyond(const shms_dict *d, uint64_t table, const a64 *slot, uint64_t word)
{
    fence_acquire(); /* orders: the number was loaded before this look; pairs with the releases of redo.c */
    /* relaxed: ordered by the fence */
    if (!current(d, table) || (slot && a64_load_relaxed(slot) != word))
        return LOOK_AGAIN;
    uint64_t total = a64_load_relaxed(&d->header->total); /* relaxed: only decides which failure it is */
    /* relaxed: private */
    return shms__fail(total > a64_load_relaxed(&d->cells) ? SHMS_E_RANGE : SHMS_E_CORRUPT);
}

/* The slot has our tag: is it our key's record? */
static int try_record(shms_dict *d, const struct wanted *w, const struct slots *s, a64 *slot, uint64_t word,
                      void *buf, uint64_t size, struct entry *ret)
{
    uint64_t cell = word & SLOT_CELL;
    if (!shms__cells_there(d, cell, 1))
        return beyond(d, s->table, slot, word);
    struct record_head *head = shms__record_at(d, cell);
    /* acquire: what was filled before; pairs with the release in shms__redo_commit */
    ret->version = a64_load_acquire(&head->cell.version);
    uint64_t lengths = a64_load_relaxed(&head->lengths);           /* relaxed: the version is checked below */
    ret->expires_ns = (int64_t)a64_load_relaxed(&head->expires_ns); /* relaxed: as above */
    ret->stamp_ns = (int64_t)a64_load_relaxed(&head->stamp_ns);     /* relaxed: as above; so below */
    ret->origin = a64_load_relaxed(&head->origin);
    ret->cell = cell;
    bool sound = shms__lengths(d, lengths, &ret->lengths);
    bool same = sound && ret->lengths.key == w->key_size && ret->lengths.flags == w->flags &&
                shms__record_has_key(d, cell, w->key, w->key_size);
    bool whole = !same || shms__record_copy(d, cell, w->key_size, buf, min_u64(size, ret->lengths.value));
    /* orders: all that was read before the second look; pairs with the releases of redo.c and of fill() */
    fence_acquire();
    /* relaxed: ordered by the fence */
    if (ret->version == 0 || a64_load_relaxed(&head->cell.version) != ret->version ||
        a64_load_relaxed(slot) != word || !current(d, s->table)) /* relaxed: as above */
        return LOOK_AGAIN;
    if (!sound || !whole)
        return shms__fail(SHMS_E_CORRUPT);
    return same ? LOOK_FOUND : LOOK_ABSENT;
}

/* Begin a look: 0, LOOK_AGAIN or a failure. */
static int begin(shms_dict *d, struct slots *ret)
{
    /* acquire: the array was filled before; pairs with the release in shms__redo_commit */
    uint64_t table = a64_load_acquire(&d->header->table);
    return slots_of(d, table, ret) ? 0 : beyond(d, table, NULL, 0);
}

int shms__table_look(shms_dict *d, const struct wanted *w, void *buf, uint64_t size, struct entry *ret)
{
    struct slots s;
    int rc = begin(d, &s);
    if (rc != 0)
        return rc;
    uint64_t tag = w->hash & SLOT_TAG, index = w->hash >> 32;
    for (uint64_t i = 0; i <= s.mask; i++, index++) {
        a64 *slot = &s.slot[index & s.mask];
        /* acquire: the record was filled before; pairs with the release in shms__redo_commit */
        uint64_t word = a64_load_acquire(slot);
        if (word == SLOT_EMPTY)
            break;
        if ((word & SLOT_TAG) != tag || word == SLOT_STONE)
            continue;
        rc = try_record(d, w, &s, slot, word, buf, size, ret);
        if (rc != LOOK_ABSENT)
            return rc;
    }
    return current(d, s.table) ? LOOK_ABSENT : LOOK_AGAIN;
}

int shms__table_names(shms_dict *d, const struct wanted *w, uint64_t cell)
{
    struct slots s;
    int rc = begin(d, &s);
    if (rc != 0)
        return rc;
    uint64_t wanted = (w->hash & SLOT_TAG) | cell, index = w->hash >> 32;
    for (uint64_t i = 0; i <= s.mask; i++, index++) {
        /* acquire: as in shms__table_look; pairs with the same */
        uint64_t word = a64_load_acquire(&s.slot[index & s.mask]);
        if (word == SLOT_EMPTY)
            break;
        if (word == wanted)
            return current(d, s.table) ? LOOK_FOUND : LOOK_AGAIN;
    }
    return current(d, s.table) ? LOOK_ABSENT : LOOK_AGAIN;
}

/* ---- by the holder of the lock */

bool shms__table_slots(shms_dict *d, struct slots *ret)
{
    return slots_of(d, word_of(&d->header->table), ret);
}

bool shms__table_record(shms_dict *d, const struct slots *s, uint64_t index, struct place *ret)
{
    index &= s->mask;
    uint64_t word = word_of(&s->slot[index]), cell = word & SLOT_CELL;
    if (word <= SLOT_STONE || !shms__cells_there(d, cell, 1))
        return false;
    const struct record_head *head = shms__record_at(d, cell);
    *ret = (struct place){*s, &s->slot[index], index, cell,
                          {.cell = cell, .version = word_of(&head->cell.version),
                           .expires_ns = (int64_t)word_of(&head->expires_ns)}};
    return shms__lengths(d, word_of(&head->lengths), &ret->record.lengths);
}

int shms__table_find(shms_dict *d, const struct wanted *w, struct place *ret)
{
    struct slots s;
    if (!shms__table_slots(d, &s))
        return shms__fail(SHMS_E_CORRUPT);
    a64 *room = NULL;
    uint64_t index = w->hash >> 32, room_index = 0;
    for (uint64_t i = 0; i <= s.mask; i++, index++) {
        uint64_t word = word_of(&s.slot[index & s.mask]);
        if (word <= SLOT_STONE && !room) {
            room = &s.slot[index & s.mask];
            room_index = index & s.mask;
        }
        if (word == SLOT_EMPTY)
            break;
        if (word == SLOT_STONE || ((word ^ w->hash) & SLOT_TAG))
            continue;
        if (!shms__table_record(d, &s, index, ret))
            return shms__fail(SHMS_E_CORRUPT);
        if (ret->record.lengths.key == w->key_size && ret->record.lengths.flags == w->flags &&
            shms__record_has_key(d, ret->cell, w->key, w->key_size))
            return 0;
    }
    *ret = (struct place){.slots = s, .slot = room, .index = room_index};
    return 0;
}

void shms__table_put(shms_dict *d, struct redo *r, const struct place *p, uint64_t hash, uint64_t cell)
{
    struct dict_header *h = d->header;
    shms__redo_add(r, p->slot, (hash & SLOT_TAG) | cell);
    if (p->cell)
        return;
    shms__redo_add(r, &h->live, word_of(&h->live) + 1);
    if (word_of(p->slot) == SLOT_EMPTY)
        shms__redo_add(r, &h->used, word_of(&h->used) + 1);
}

void shms__table_remove(shms_dict *d, struct redo *r, const struct place *p)
{
    struct dict_header *h = d->header;
    const struct slots *s = &p->slots;
    uint64_t used = word_of(&h->used);
    bool last = word_of(&s->slot[(p->index + 1) & s->mask]) == SLOT_EMPTY;
    shms__redo_add(r, p->slot, last ? (uint64_t)SLOT_EMPTY : (uint64_t)SLOT_STONE);
    if (last) {
        used--;
        for (uint64_t i = 1; i <= CLEARED; i++) {
            a64 *before = &s->slot[(p->index - i) & s->mask];
            if (word_of(before) != SLOT_STONE)
                break;
            shms__redo_add(r, before, SLOT_EMPTY);
            used--;
        }
    }
    shms__redo_add(r, &h->used, used);
    shms__redo_add(r, &h->live, word_of(&h->live) - 1);
}

/* ---- a new array */

/* Fill an array with what another names; how many, or -1: the other has more than can be. */
static int64_t fill(const struct slots *from, const struct slots *to)
{
    int64_t n = 0;
    for (uint64_t i = 0; i <= to->mask; i++)
        a64_store_relaxed(&to->slot[i], SLOT_EMPTY); /* relaxed: who still looks here finds table changed */
    for (uint64_t i = 0; i <= from->mask; i++) {
        uint64_t word = word_of(&from->slot[i]), index = word >> 32, tries = 0;
        if (word <= SLOT_STONE)
            continue;
        while (word_of(&to->slot[index & to->mask]) != SLOT_EMPTY && tries++ <= to->mask)
            index++;
        if (tries > to->mask)
            return -1;
        a64_store_relaxed(&to->slot[index & to->mask], word); /* relaxed: as above */
        n++;
    }
    return n;
}

/* The change that makes `to`, filled, the array in use. */
static int use(shms_dict *d, const struct slots *from, uint64_t first, uint32_t log2, struct redo *r)
{
    struct dict_header *h = d->header;
    struct slots to;
    uint64_t table = (uint64_t)log2 << TABLE_LOG2_SHIFT | first |
                     ((from->table + (TABLE_FIRST + 1)) & TABLE_GENERATION);
    int64_t n = slots_of(d, table, &to) ? fill(from, &to) : -1;
    if (n < 0)
        return shms__fail(SHMS_E_CORRUPT);
    shms__redo_add(r, &h->table, table);
    shms__redo_add(r, &h->live, (uint64_t)n);
    shms__redo_add(r, &h->used, (uint64_t)n);
    return shms__redo_commit(d, r);
}

/* Use the other one of the two arrays. */
static int exchange(shms_dict *d, const struct slots *from)
{
    struct redo r;
    uint32_t log2 = log2_of(from->table);
    uint64_t first = from->table & TABLE_FIRST, block = word_of(&d->header->block);
    uint64_t n = shms__cells_for_slots(d, log2);
    shms__redo_begin(&r);
    if ((first != block && first != block + n) || !shms__cells_there(d, block, 2 * n))
        return shms__fail(SHMS_E_CORRUPT);
    int rc = use(d, from, first == block ? block + n : block, log2, &r);
    return rc < 0 ? rc : 1;
}

/* Make two arrays of twice the length. 0: there is no room for them. */
static int grow(shms_dict *d, const struct slots *from)
{
    struct dict_header *h = d->header;
    struct redo r;
    struct queue q;
    uint32_t log2 = log2_of(from->table) + 1;
    uint64_t n = 2 * shms__cells_for_slots(d, log2), old = 2 * shms__cells_for_slots(d, log2 - 1);
    shms__redo_begin(&r);
    if (!shms__queue_load(d, &q))
        return shms__fail(SHMS_E_CORRUPT);
    if (log2 > DICT_LOG2_MAX || shms__queue_room(&q) + old < n + shms__cells_kept(d))
        return 0;
    uint64_t first = shms__queue_take_block(&q, n);
    if (first == 0)
        return 0;
    shms__queue_store_fresh(d, &q, &r);
    shms__queue_store(d, &q, &r);
    shms__redo_add(&r, &h->pend_first, word_of(&h->block));
    shms__redo_add(&r, &h->pend_count, old);
    shms__redo_add(&r, &h->block, first);
    int rc = use(d, from, first, log2, &r);
    if (rc == 0)
        rc = shms__table_free_old(d);
    return rc < 0 ? rc : 1;
}

int shms__table_free_old(shms_dict *d)
{
    struct dict_header *h = d->header;
    struct redo r;
    struct queue q;
    uint64_t first = word_of(&h->pend_first), n = word_of(&h->pend_count);
    shms__redo_begin(&r);
    if (n == 0)
        return 0;
    if (!shms__cells_there(d, first, n) || !shms__queue_load(d, &q))
        return shms__fail(SHMS_E_CORRUPT);
    shms__queue_chain(d, first, n);
    shms__queue_append(d, &q, &r, first, first + n - 1, n);
    shms__queue_store(d, &q, &r);
    shms__redo_add(&r, &h->pend_count, 0);
    return shms__redo_commit(d, &r);
}

int shms__table_make_room(shms_dict *d)
{
    struct slots s;
    if (!shms__table_slots(d, &s))
        return shms__fail(SHMS_E_CORRUPT);
    uint64_t length = s.mask + 1, live = word_of(&d->header->live), used = word_of(&d->header->used);
    bool crowded = (used + 1) * 3 > length * 2, many = live + 1 > length / 2 + length / 16;
    if (!crowded && !many)
        return 0;
    int rc = live + 1 > length / 2 ? grow(d, &s) : 0;
    if (rc != 0)
        return rc;
    return many ? shms__fail(SHMS_E_FULL) : exchange(d, &s);
}
