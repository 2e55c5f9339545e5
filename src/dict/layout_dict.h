/* SPDX-License-Identifier: MIT */
/*
 * Every byte of a dict that lives in shared memory. The dict lies in the data of its region, from offset 0:
 *
 *    header | ring of changes | cells ...
 *
 * Cell number c begins at offset c * cell_size; the first ones lie under the header and the ring, and are
 * none. Records, slot arrays and free space are all made of cells. doc/format.md is the prose of this file.
 */
#ifndef SHMS_LAYOUT_DICT_H
#define SHMS_LAYOUT_DICT_H

#include "layout.h"

#define DICT_MAGIC 0x0054434944534d53ull /* "SMSDICT" and a zero, in file order on little-endian machines */
#define DICT_FORMAT 1u
#define DICT_CELL_MIN 64u
#define DICT_CELL_MAX 4096u
#define DICT_RING_MIN 16u
#define DICT_RING_MAX 1048576u
#define DICT_KEY_MOST 1024u
#define DICT_SIZE_MIN 16384u
#define DICT_REDO 24u
#define DICT_RING 1024u  /* where the ring begins */
#define DICT_LOG2_MAX 30u /* of the length of a slot array */

/* A slot of the index: 0, empty; 1, a record was here and a search goes on; else the upper half of the hash
 * of a key, and the cell of its record. No cell has number 0 or 1. */
#define SLOT_EMPTY 0ull
#define SLOT_STONE 1ull
#define SLOT_TAG 0xffffffff00000000ull
#define SLOT_CELL 0x00000000ffffffffull

/*
 * header.table: the slot array in use.
 *
 *    63    56 55              32 31                 0
 *   +--------+------------------+--------------------+
 *   |  log2  |    generation    |     first cell     |
 *   +--------+------------------+--------------------+
 */
#define TABLE_FIRST 0x00000000ffffffffull
#define TABLE_GENERATION 0x00ffffff00000000ull
#define TABLE_LOG2_SHIFT 56

/*
 * cell.lengths of a record's first cell.
 *
 *    63    48 47    32 31                 0
 *   +--------+--------+--------------------+
 *   | flags  |  key   |       value        |
 *   +--------+--------+--------------------+
 */
#define LENGTHS_VALUE 0x00000000ffffffffull
#define LENGTHS_KEY_SHIFT 32
#define LENGTHS_KEY 0xffffull
#define LENGTHS_FLAGS_SHIFT 48
#define RECORD_GONE 1u    /* a mark: the key has no record any more; in no slot, but in the ring */
#define RECORD_EXPIRED 2u /* of a mark: why */
#define RECORD_EVICTED 4u
#define RECORD_LOCK 8u /* the lock of a key: its value is the identity of its holder; not in the ring */

/* The version of a RECORD_LOCK has this bit: no change of the feed has such a number. */
#define VERSION_LOCK (1ull << 63)

/* header.policy */
enum { POLICY_NONE = 1, POLICY_LRU = 2 };

/* A word to be stored in the data, at an offset. */
struct redo_word {
    a64 offset;
    a64 value;
};

struct dict_header {
    /* constant, but that magic is written last */
    a64 magic;
    a32 format;
    a32 fingerprint;
    a32 cell_size; /* bytes: a power of two */
    a32 ring;      /* words: a power of two */
    a32 key_max;
    a32 value_max;
    a32 policy;
    a32 unused1;
    a64 seed[2]; /* of the hash of the keys */
    a64 unused2;
    /* read by each get */
    a64 table;
    uint8_t unused3[56];
    /* all below is written by the holder of the lock only. Changed by redo, as one */
    a64 version;    /* number of the last change */
    a64 free_head;  /* cells that are free: a queue */
    a64 free_tail;
    a64 free_count;
    a64 fresh;      /* no cell from this one on was ever used */
    a64 live;       /* slots that name a cell */
    a64 used;       /* slots that are not empty */
    a64 marks;      /* cells that are held by marks */
    a64 locks;      /* records that are locks of keys */
    a64 lock_count; /* numbers the locks that were ever made */
    a64 expiring;   /* records that expire */
    a64 floor;      /* marks up to this change have been given up */
    a64 block;      /* first cell of the two slot arrays */
    a64 pend_first; /* cells of slot arrays that are used no more, to be made free */
    a64 pend_count;
    a64 evicted; /* how many records were evicted, and how many have expired */
    a64 expired;
    /* stored alone */
    a64 total;       /* cells end here */
    a64 hand;        /* the slot that is looked at next for what can go */
    a64 next_expiry; /* nothing expires before this moment */
    a64 clock;       /* no record and no mark has a later stamp that was made here or came by a call */
    a64 unused4[3];
    /* the redo record: while redo_count is not 0, that many words are to be stored */
    a64 redo_count;
    uint8_t unused5[56];
    struct redo_word redo[DICT_REDO];
};

/* The head of each cell; the rest of a cell is bytes of the record: its key, then its value. */
struct cell_head {
    a32 next;    /* the record's, or the queue's next cell */
    a32 used;    /* first cell of a record: seconds, when it was last used; a hint, also written by readers */
    a64 version; /* of the record's first cell: number of its change. 0: none, or being filled */
};

/* The head of a record's first cell. */
struct record_head {
    struct cell_head cell;
    a64 expires_ns; /* since 1970, UTC, by the dict's clock; 0: never */
    a64 lengths;
    a64 stamp_ns; /* when it was written or deleted: since 1970, UTC, by the clock of the machine where that
                     was, and later than what was known there before */
    a64 origin;   /* which machine that was; 0: this one */
};

/* control.object of a dict: its format, so that control alone tells what cannot be opened. */
struct dict_object {
    a32 format;
    a32 fingerprint;
};

/* What a saved dict begins with: little-endian on every machine, as all of the file. */
#define SAVED_MAGIC "shms dict 1\n"

#define DICT_AT(struct_, field, offset)                                                                     \
    _Static_assert(offsetof(struct struct_, field) == (offset), #field " moved")
DICT_AT(dict_header, magic, 0);
DICT_AT(dict_header, format, 8);
DICT_AT(dict_header, fingerprint, 12);
DICT_AT(dict_header, cell_size, 16);
DICT_AT(dict_header, ring, 20);
DICT_AT(dict_header, key_max, 24);
DICT_AT(dict_header, value_max, 28);
DICT_AT(dict_header, policy, 32);
DICT_AT(dict_header, unused1, 36);
DICT_AT(dict_header, seed, 40);
DICT_AT(dict_header, unused2, 56);
DICT_AT(dict_header, table, 64);
DICT_AT(dict_header, unused3, 72);
DICT_AT(dict_header, version, 128);
DICT_AT(dict_header, free_head, 136);
DICT_AT(dict_header, free_tail, 144);
DICT_AT(dict_header, free_count, 152);
DICT_AT(dict_header, fresh, 160);
DICT_AT(dict_header, live, 168);
DICT_AT(dict_header, used, 176);
DICT_AT(dict_header, marks, 184);
DICT_AT(dict_header, locks, 192);
DICT_AT(dict_header, lock_count, 200);
DICT_AT(dict_header, expiring, 208);
DICT_AT(dict_header, floor, 216);
DICT_AT(dict_header, block, 224);
DICT_AT(dict_header, pend_first, 232);
DICT_AT(dict_header, pend_count, 240);
DICT_AT(dict_header, evicted, 248);
DICT_AT(dict_header, expired, 256);
DICT_AT(dict_header, total, 264);
DICT_AT(dict_header, hand, 272);
DICT_AT(dict_header, next_expiry, 280);
DICT_AT(dict_header, clock, 288);
DICT_AT(dict_header, unused4, 296);
DICT_AT(dict_header, redo_count, 320);
DICT_AT(dict_header, unused5, 328);
DICT_AT(dict_header, redo, 384);
DICT_AT(redo_word, offset, 0);
DICT_AT(redo_word, value, 8);
DICT_AT(cell_head, next, 0);
DICT_AT(cell_head, used, 4);
DICT_AT(cell_head, version, 8);
DICT_AT(record_head, cell, 0);
DICT_AT(record_head, expires_ns, 16);
DICT_AT(record_head, lengths, 24);
DICT_AT(record_head, stamp_ns, 32);
DICT_AT(record_head, origin, 40);
DICT_AT(dict_object, format, 0);
DICT_AT(dict_object, fingerprint, 4);
_Static_assert(sizeof(struct dict_header) <= DICT_RING, "the header ends before the ring");
_Static_assert(sizeof(struct cell_head) == 16 && sizeof(struct record_head) == 48, "heads have a fixed size");
_Static_assert(sizeof(struct record_head) < DICT_CELL_MIN, "the smallest cell has room for bytes");

#define DICT_FINGERPRINT                                                                                    \
    ((uint32_t)(sizeof(struct dict_header) * 31u + offsetof(struct dict_header, table) * 37u +              \
                offsetof(struct dict_header, redo_count) * 41u + sizeof(struct record_head) * 43u +         \
                DICT_RING * 47u + DICT_REDO * 53u))

#endif
