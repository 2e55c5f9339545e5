/* SPDX-License-Identifier: MIT */
#include "dict.h"

static uint64_t word_of(const a64 *word)
{
    return a64_load_relaxed(word); /* relaxed: nobody is changing it */
}

struct check {
    shms_dict *d;
    struct dict_header *h;
    unsigned char *seen; /* for each cell: how often */
    uint64_t fresh;
    uint64_t live, used, locks, expiring, marks;
};

static const char *mark(struct check *c, uint64_t cell)
{
    if (cell < c->d->first_cell || cell >= c->fresh)
        return "a cell's number is out of range";
    return c->seen[cell]++ ? "a cell is in two places" : NULL;
}

static const char *mark_chain(struct check *c, uint64_t cell, uint64_t n, uint64_t *ret_last)
{
    const char *wrong = NULL;
    for (uint64_t i = 0; i < n && !wrong; i++) {
        wrong = mark(c, cell);
        *ret_last = cell;
        if (!wrong)
            cell = a32_load_relaxed(&shms__head_at(c->d, cell)->next); /* relaxed: as above */
    }
    return wrong;
}

static const char *mark_block(struct check *c, uint64_t first, uint64_t n)
{
    const char *wrong = NULL;
    for (uint64_t i = 0; i < n && !wrong; i++)
        wrong = mark(c, first + i);
    return wrong;
}

static const char *check_record(struct check *c, uint64_t word)
{
    struct entry e = {.cell = word & SLOT_CELL};
    uint64_t last, version = word_of(&c->h->version);
    if (e.cell < c->d->first_cell || e.cell >= c->fresh)
        return "a slot names no cell";
    const struct record_head *head = shms__record_at(c->d, e.cell);
    e.version = word_of(&head->cell.version);
    if (!shms__lengths(c->d, word_of(&head->lengths), &e.lengths))
        return "a record's lengths";
    if (word_of(&head->stamp_ns) > word_of(&c->h->clock))
        return "a record's stamp";
    unsigned char key[DICT_KEY_MOST];
    shms__record_copy(c->d, e.cell, 0, key, e.lengths.key);
    struct wanted w = shms__wanted(c->d, key, e.lengths.key, e.lengths.flags);
    struct entry found;
    if (((w.hash ^ word) & SLOT_TAG) || shms__table_look(c->d, &w, NULL, 0, &found) != LOOK_FOUND ||
        found.cell != e.cell)
        return "a record is not found by its key";
    c->expiring += word_of(&head->expires_ns) != 0;
    if (word_of(&head->expires_ns) != 0 && word_of(&head->expires_ns) < word_of(&c->h->next_expiry))
        return "a record expires before next_expiry";
    if (e.lengths.flags & RECORD_LOCK)
        c->locks++;
    else if (e.lengths.flags)
        return "a mark is in the index";
    else if (e.version == 0 || e.version > version)
        return "a record's version";
    else if (version - e.version < c->d->ring && word_of(shms__ring_word(c->d, e.version)) != e.cell)
        return "the ring does not name a record";
    return mark_chain(c, e.cell, shms__cells_for(c->d, (uint64_t)e.lengths.key + e.lengths.value), &last);
}

static const char *check_index(struct check *c)
{
    struct slots s;
    if (!shms__table_slots(c->d, &s))
        return "the table";
    const char *wrong = NULL;
    for (uint64_t i = 0; i <= s.mask && !wrong; i++) {
        uint64_t word = word_of(&s.slot[i]);
        c->used += word != SLOT_EMPTY;
        c->live += word > SLOT_STONE;
        wrong = word > SLOT_STONE ? check_record(c, word) : NULL;
    }
    uint64_t n = shms__cells_for_slots(c->d, (uint32_t)(s.table >> TABLE_LOG2_SHIFT));
    uint64_t first = s.table & TABLE_FIRST, block = word_of(&c->h->block);
    if (!wrong && first != block && first != block + n)
        return "the table is not in its block";
    if (!wrong && c->used * 3 > (s.mask + 1) * 2)
        return "the index is too full";
    return wrong ? wrong : mark_block(c, block, 2 * n);
}

static const char *check_marks(struct check *c)
{
    uint64_t version = word_of(&c->h->version), floor = word_of(&c->h->floor), last;
    const char *wrong = NULL;
    for (uint64_t v = version; v > 0 && version - v < c->d->ring && !wrong; v--) {
        uint64_t cell = word_of(shms__ring_word(c->d, v));
        if (cell < c->d->first_cell || cell >= c->fresh)
            return "the ring names no cell";
        const struct record_head *head = shms__record_at(c->d, cell);
        struct lengths l;
        if (v <= floor || word_of(&head->cell.version) != v ||
            !shms__lengths(c->d, word_of(&head->lengths), &l) || !(l.flags & RECORD_GONE))
            continue;
        if (l.value)
            return "a mark has a value";
        uint64_t n = shms__cells_for(c->d, l.key);
        c->marks += n;
        wrong = mark_chain(c, cell, n, &last);
    }
    return wrong;
}

static const char *check_queue(struct check *c)
{
    uint64_t last = 0, n = word_of(&c->h->free_count);
    const char *wrong = mark_chain(c, word_of(&c->h->free_head), n, &last);
    if (!wrong && n > 0 && last != word_of(&c->h->free_tail))
        return "the queue's tail";
    return wrong ? wrong : mark_block(c, word_of(&c->h->pend_first), word_of(&c->h->pend_count));
}

static const char *check_counts(const struct check *c)
{
    const struct dict_header *h = c->h;
    if (c->live != word_of(&h->live) || c->used != word_of(&h->used))
        return "live or used";
    if (c->locks != word_of(&h->locks) || c->expiring != word_of(&h->expiring))
        return "locks or expiring";
    if (c->marks != word_of(&h->marks))
        return "marks";
    for (uint64_t i = c->d->first_cell; i < c->fresh; i++)
        if (!c->seen[i])
            return "a cell is nowhere";
    return NULL;
}

const char *dict_wrong(shms_dict *d, bool finished)
{
    struct check c = {.d = d, .h = d->header, .fresh = word_of(&d->header->fresh)};
    if (finished && (word_of(&c.h->redo_count) || word_of(&c.h->pend_count)))
        return "a change is not finished";
    if (c.fresh > word_of(&c.h->total) || !shms__cells_there(d, d->first_cell, c.fresh - d->first_cell))
        return "fresh";
    c.seen = calloc(c.fresh, 1);
    const char *wrong = check_index(&c);
    if (!wrong)
        wrong = check_marks(&c);
    if (!wrong)
        wrong = check_queue(&c);
    if (!wrong)
        wrong = check_counts(&c);
    free(c.seen);
    return wrong;
}
