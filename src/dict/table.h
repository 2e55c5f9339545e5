/* SPDX-License-Identifier: MIT */
/* The index of a dict: which cell has the record of a key. */
#ifndef SHMS_TABLE_H
#define SHMS_TABLE_H

#include "hash.h"
#include "queue.h"

/* What is looked for. flags: 0, or RECORD_LOCK. */
struct wanted {
    const void *key;
    uint32_t key_size;
    uint32_t flags;
    uint64_t hash;
};

static inline struct wanted shms__wanted(const shms_dict *d, const void *key, uint32_t key_size,
                                         uint32_t flags)
{
    const uint64_t seed[2] = {d->seed[0], d->seed[1] ^ flags};
    return (struct wanted){key, key_size, flags, shms__siphash(seed, key, key_size)};
}

/* A slot array. */
struct slots {
    uint64_t table; /* header.table, as it was */
    a64 *slot;
    uint64_t mask;
};

/* ---- without the lock */

/* A record as it was found. */
struct entry {
    uint64_t cell;
    uint64_t version;
    int64_t expires_ns;
    struct lengths lengths;
    int64_t stamp_ns;
    uint64_t origin;
};

/* What a look gives, besides failures. LOOK_AGAIN: somebody changed it meanwhile. */
enum { LOOK_ABSENT = 0, LOOK_FOUND = 1, LOOK_AGAIN = 2 };

/* Look once for a record, which may have expired; up to `size` bytes of its value go to buf. */
int shms__table_look(shms_dict *d, const struct wanted *w, void *buf, uint64_t size, struct entry *ret);

/* Is this cell the one that a look for the key would find? LOOK_... */
int shms__table_names(shms_dict *d, const struct wanted *w, uint64_t cell);

/* ---- by the holder of the lock */

/* Where a key stands, or would stand. */
struct place {
    struct slots slots;
    a64 *slot;      /* that names the record; or where one can be put, NULL: nowhere */
    uint64_t index; /* of the slot */
    uint64_t cell;  /* 0: there is no record */
    struct entry record;
};

/* 0, or SHMS_E_CORRUPT. */
int shms__table_find(shms_dict *d, const struct wanted *w, struct place *ret);

/* The record that a slot names. False: it names none. */
bool shms__table_record(shms_dict *d, const struct slots *s, uint64_t index, struct place *ret);
/* The slot array in use. */
bool shms__table_slots(shms_dict *d, struct slots *ret);

/* The record of this cell stands in the place from now on. */
void shms__table_put(shms_dict *d, struct redo *r, const struct place *p, uint64_t hash, uint64_t cell);
/* None stands there any more. */
void shms__table_remove(shms_dict *d, struct redo *r, const struct place *p);

/* Room for one more: 0, there is; 1: made, look for the place again; SHMS_E_FULL, SHMS_E_CORRUPT. */
int shms__table_make_room(shms_dict *d);

/* What a dead one, or this handle, has left of old slot arrays becomes free cells. */
int shms__table_free_old(shms_dict *d);

#endif
