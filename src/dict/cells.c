/* SPDX-License-Identifier: MIT */
/* The cells of a dict: memory that is there, chains of cells, bytes of records. */
#include "cells.h"

uint64_t shms__cells_grown(shms_dict *d)
{
    uint64_t size = shms__region_size(&d->section.member.region);
    uint64_t cells = min_u64(size >> d->cell_shift, CELLS_MOST);
    /* relaxed: private; of two racing threads either is right */
    a64_store_relaxed(&d->cells, cells);
    return cells;
}

static uint64_t next_of(const shms_dict *d, uint64_t cell)
{
    /* relaxed: readers check the record's version after they followed it, and holders wrote it themselves */
    return a32_load_relaxed(&shms__head_at(d, cell)->next);
}

bool shms__record_copy(shms_dict *d, uint64_t cell, uint64_t from, void *to, uint64_t n)
{
    unsigned char *out = to;
    uint64_t head = sizeof(struct record_head), room = shms__room_first(d);
    while (n > 0) {
        if (from < room) {
            uint64_t part = min_u64(n, room - from);
            racy_copy(out, (const unsigned char *)shms__cell_at(d, cell) + head + from, (size_t)part);
            out += part;
            n -= part;
            from = room;
        }
        if (n == 0)
            break;
        from -= room;
        cell = next_of(d, cell);
        if (!shms__cells_there(d, cell, 1))
            return false;
        head = sizeof(struct cell_head);
        room = shms__room_more(d);
    }
    return true;
}

bool shms__record_has_key(shms_dict *d, uint64_t cell, const void *key, uint32_t key_size)
{
    if (key_size <= shms__room_first(d))
        return racy_equal((const unsigned char *)shms__cell_at(d, cell) + sizeof(struct record_head), key,
                          key_size);
    unsigned char found[DICT_KEY_MOST];
    return shms__record_copy(d, cell, 0, found, key_size) && memcmp(found, key, key_size) == 0;
}

uint64_t shms__cell_behind(shms_dict *d, uint64_t cell, uint64_t n)
{
    for (; n > 0; n--) {
        cell = next_of(d, cell);
        if (!shms__cells_there(d, cell, 1))
            return 0;
    }
    return cell;
}

uint64_t shms__link_word(uint32_t next, uint32_t used)
{
    const uint32_t pair[2] = {next, used};
    uint64_t word;
    memcpy(&word, pair, sizeof word);
    return word;
}
