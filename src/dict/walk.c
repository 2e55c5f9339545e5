/* SPDX-License-Identifier: MIT */
/*
 * A walk over all records, by the addresses of their cells: these do not move, so growth does not disturb it.
 * A cell holds a record if a look for its key would find this cell; whatever else it holds, slots or old
 * bytes, no slot names it under a hash that fits. A reader that is late finds out as in table.c.
 */
#include "look.h"

struct walk {
    uint64_t cell;
    void *key, *value; /* the caller's, with room for so many bytes */
    uint64_t key_room, value_room;
    struct entry record;
};

/* The record's bytes are copied, and are its own if the version stood. */
static int look_at(shms_dict *d, struct walk *k)
{
    unsigned char key[DICT_KEY_MOST];
    const struct lengths *l = &k->record.lengths;
    if (!shms__record_copy(d, k->cell, 0, key, l->key))
        return LOOK_ABSENT;
    struct wanted w = shms__wanted(d, key, l->key, 0);
    int rc = shms__table_names(d, &w, k->cell);
    if (rc != LOOK_FOUND)
        return rc;
    if (k->key_room > 0)
        memcpy(k->key, key, (size_t)min_u64(k->key_room, l->key));
    return shms__record_copy(d, k->cell, l->key, k->value, min_u64(k->value_room, l->value)) ? rc
                                                                                             : LOOK_ABSENT;
}

static int look_once(shms_dict *d, void *context)
{
    struct walk *k = context;
    struct record_head *head = shms__record_at(d, k->cell);
    struct entry *r = &k->record;
    /* acquire: what was filled before; pairs with the release in shms__redo_commit */
    r->version = a64_load_acquire(&head->cell.version);
    if (r->version == 0 || (r->version & VERSION_LOCK))
        return LOOK_ABSENT;
    uint64_t lengths = a64_load_relaxed(&head->lengths);           /* relaxed: the version is checked below */
    r->expires_ns = (int64_t)a64_load_relaxed(&head->expires_ns); /* relaxed: as above */
    r->stamp_ns = (int64_t)a64_load_relaxed(&head->stamp_ns);       /* relaxed: as above; so below */
    r->origin = a64_load_relaxed(&head->origin);
    r->cell = k->cell;
    int rc = shms__lengths(d, lengths, &r->lengths) && r->lengths.flags == 0 ? look_at(d, k) : LOOK_ABSENT;
    fence_acquire(); /* orders: all that was read before the second look; pairs with the fence in fill() */
    /* relaxed: ordered by the fence */
    return a64_load_relaxed(&head->cell.version) == r->version ? rc : LOOK_AGAIN;
}

/* A cursor names the dict that it belongs to, besides the cell where the walk goes on. */
static uint64_t cursor_tag(const shms_dict *d)
{
    return ((d->seed[0] ^ d->seed[1]) | 1ull << 32) & ~CELLS_MOST;
}

/* 1: the next record; 0: the end; or a failure. k->cell is where it begins, and where it was found. */
static int walk(shms_dict *d, struct walk *k)
{
    struct clock clock = {.dict = d};
    for (;; k->cell++) {
        /* acquire: the cells below it were filled before; pairs with the release in shms__redo_commit */
        uint64_t end = a64_load_acquire(&d->header->fresh);
        if (k->cell >= end)
            return 0;
        if (!shms__cells_there(d, k->cell, 1))
            return shms__fail(end > CELLS_MOST ? SHMS_E_CORRUPT : SHMS_E_RANGE);
        int rc = shms__look_again(d, look_once, k);
        if (rc < 0 || (rc == LOOK_FOUND && !shms__clock_past(&clock, k->record.expires_ns)))
            return rc;
    }
}

int shms_dict_next(shms_dict *d, uint64_t *cursor, void *key, size_t *key_size, void *value,
                   size_t *value_size, shms_dict_record *ret)
{
    if (!d || !cursor || (key && !key_size) || (value && !value_size) || !shms__record_sound(ret) ||
        (*cursor != 0 && (*cursor & ~CELLS_MOST) != cursor_tag(d)))
        return shms__fail(SHMS_E_INVALID);
    int rc = shms__dict_enter(d);
    if (rc < 0)
        return rc;
    uint64_t from = *cursor & CELLS_MOST;
    struct walk k = {.cell = from < d->first_cell ? d->first_cell : from, .key = key, .value = value,
                     .key_room = key ? *key_size : 0, .value_room = value ? *value_size : 0};
    rc = (int)shms__member_done(&d->section.member, walk(d, &k));
    if (rc <= 0)
        return rc;
    *cursor = cursor_tag(d) | (k.cell + 1);
    if (key_size)
        *key_size = k.record.lengths.key;
    if (value_size)
        *value_size = k.record.lengths.value;
    shms__tell(ret, &k.record);
    return 1;
}
