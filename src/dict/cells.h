/* SPDX-License-Identifier: MIT */
/* The cells of a dict: where they are, what the bytes of a record are, and how a number becomes one. */
#ifndef SHMS_CELLS_H
#define SHMS_CELLS_H

#include "handle.h"
#include "layout_dict.h"
#include "shmstream/dict.h"

#include <string.h>

#define CELLS_MOST 0xffffffffull /* a cell's number has 32 bits */

/* The handle behind shms_dict. What the header says for ever is kept here, checked once. */
struct shms_dict {
    struct section section;
    struct dict_header *header;
    a64 cells; /* below this number there is memory, as far as was seen; private */
    uint64_t seed[2];
    uint32_t cell_size;
    uint32_t cell_shift;
    uint32_t first_cell;
    uint32_t ring;
    uint32_t key_max;
    uint32_t value_max;
    uint32_t policy;
    bool secret;
    int timeout_ms; /* of the writers' lock */
    uint32_t growth_failed; /* tries to grow that failed, less those that did not: the lock's holder's */
    uint32_t growth_waits;  /* how often room is made in other ways before the next one; the same */
    a32 held;       /* locks of keys that this handle holds, about; private */
    int64_t (*now_ns)(void *context);
    void *now_context;
};

/* What a record's lengths say, after a look at whether that can be. */
struct lengths {
    uint32_t key;
    uint32_t value;
    uint32_t flags;
};

static inline bool shms__lengths(const shms_dict *d, uint64_t word, struct lengths *ret)
{
    *ret = (struct lengths){.key = (uint32_t)(word >> LENGTHS_KEY_SHIFT & LENGTHS_KEY),
                            .value = (uint32_t)(word & LENGTHS_VALUE),
                            .flags = (uint32_t)(word >> LENGTHS_FLAGS_SHIFT)};
    return ret->key > 0 && ret->key <= d->key_max && ret->value <= d->value_max;
}

static inline uint64_t shms__lengths_word(struct lengths l)
{
    return (uint64_t)l.flags << LENGTHS_FLAGS_SHIFT | (uint64_t)l.key << LENGTHS_KEY_SHIFT | l.value;
}

/* Bytes of a record in its first cell, and in each further one. */
static inline uint32_t shms__room_first(const shms_dict *d)
{
    return d->cell_size - (uint32_t)sizeof(struct record_head);
}

static inline uint32_t shms__room_more(const shms_dict *d)
{
    return d->cell_size - (uint32_t)sizeof(struct cell_head);
}

/* How many cells a record of so many bytes takes. */
static inline uint64_t shms__cells_for(const shms_dict *d, uint64_t bytes)
{
    uint64_t room = shms__room_first(d), more = shms__room_more(d);
    return bytes <= room ? 1 : 1 + (bytes - room + more - 1) / more;
}

/* How many cells a slot array of 2^log2 takes. */
static inline uint64_t shms__cells_for_slots(const shms_dict *d, uint32_t log2)
{
    return ((8ull << log2) + d->cell_size - 1) >> d->cell_shift;
}

/* Cells that no new record takes, so that each record can still be replaced; none where others can be
 * evicted. */
static inline uint64_t shms__cells_kept(const shms_dict *d)
{
    return d->policy == POLICY_LRU ? 0 : shms__cells_for(d, (uint64_t)d->key_max + d->value_max);
}

/* More memory may be there than was seen: cells below which it is. */
uint64_t shms__cells_grown(shms_dict *d);

/* Whether the n cells from number `cell` on are cells, with memory behind them. */
static inline bool shms__cells_there(shms_dict *d, uint64_t cell, uint64_t n)
{
    /* relaxed: private, and true whenever it was stored */
    uint64_t end = a64_load_relaxed(&d->cells);
    if (cell >= d->first_cell && ref_fits(cell, n, end))
        return true;
    return cell >= d->first_cell && ref_fits(cell, n, shms__cells_grown(d));
}

/* The address of a cell that is there. */
static inline void *shms__cell_at(const shms_dict *d, uint64_t cell)
{
    return d->section.member.region.data + (cell << d->cell_shift);
}

static inline struct record_head *shms__record_at(const shms_dict *d, uint64_t cell)
{
    return shms__cell_at(d, cell);
}

static inline struct cell_head *shms__head_at(const shms_dict *d, uint64_t cell)
{
    return shms__cell_at(d, cell);
}

/* Copy n bytes of the record at `cell`, from its byte `from` on, while others may write there: the caller
 * finds out. False: the chain of cells leads nowhere. */
bool shms__record_copy(shms_dict *d, uint64_t cell, uint64_t from, void *to, uint64_t n);

/* Is the record's key this one? As shms__record_copy. */
bool shms__record_has_key(shms_dict *d, uint64_t cell, const void *key, uint32_t key_size);

/* The cell that is n links behind; 0: the chain leads nowhere. */
uint64_t shms__cell_behind(shms_dict *d, uint64_t cell, uint64_t n);

/* The word that holds a cell's two first fields. */
uint64_t shms__link_word(uint32_t next, uint32_t used);

/* The address of the ring's word for a change. */
static inline a64 *shms__ring_word(const shms_dict *d, uint64_t version)
{
    a64 *ring = (a64 *)(void *)(d->section.member.region.data + DICT_RING);
    return ring + (version & (d->ring - 1));
}

/* The dict's clock, as one call sees it: looked at once, when it is first needed. */
struct clock {
    const shms_dict *dict;
    int64_t ns;
    bool asked;
    int64_t stamp_ns; /* what the change will be stamped with, asked before it has the lock */
};

static inline int64_t shms__clock_ns(struct clock *c)
{
    if (!c->asked) {
        const shms_dict *d = c->dict;
        c->ns = d->now_ns ? d->now_ns(d->now_context) : shms__wall_ns();
        c->asked = true;
    }
    return c->ns;
}

/* What changes are stamped with. The system's clock is asked for what its last tick was: that costs a tenth,
 * and within a tick make_stamp() counts. */
static inline void shms__clock_stamp(struct clock *c)
{
    const shms_dict *d = c->dict;
    int64_t ns = d->now_ns ? d->now_ns(d->now_context) : shms__wall_tick_ns();
    c->stamp_ns = ns > 0 ? ns : 1;
}

/* In seconds, as cells keep it. */
static inline uint32_t shms__clock_s(struct clock *c)
{
    return (uint32_t)(shms__clock_ns(c) / 1000000000);
}

static inline bool shms__clock_past(struct clock *c, int64_t moment_ns)
{
    return moment_ns != 0 && shms__clock_ns(c) >= moment_ns;
}

#endif
