/* SPDX-License-Identifier: MIT */
/*
 * Every byte that lives in shared memory, and nothing else. doc/format.md is the prose of this file;
 * ci/check-format holds the two against each other.
 *
 * A region is two files: *data*, the user's bytes from offset 0, and *control*, described here.
 * Fixed-width fields only, no pointers, the same offsets on every machine.
 */
#ifndef SHMS_LAYOUT_H
#define SHMS_LAYOUT_H

#include "atomic.h"

#include <stddef.h>

#define LAYOUT_MAGIC 0x004d5254534d4853ull /* "SHMSTRM" and a zero, in file order on little-endian machines */
#define LAYOUT_BYTE_ORDER 0x01020304u
#define LAYOUT_SLOTS 256u
#define LAYOUT_CONTROL_SIZE 20480u
#define LAYOUT_READERS 12u
#define LAYOUT_OBJECT_SIZE (LAYOUT_CONTROL_SIZE - 256u - LAYOUT_SLOTS * 64u)
/* The undo journal starts here in the control file: a multiple of every page size. */
#define LAYOUT_JOURNAL 65536u
/* An unnamed region is one file: control, and the data from here on. It has no journal. */
#define LAYOUT_UNNAMED_DATA 65536u

/* control.state */
enum { STATE_SETUP = 0, STATE_READY = 1 };
/* control.flags */
enum { FLAG_KEEP = 1, FLAG_SPARSE = 2, FLAG_ATOMIC = 4 };
/* control.kind: what the data is; opening it as another kind is SHMS_E_KIND, but for reading it as a stream
 * */
enum { KIND_STREAM = 0, KIND_CHANNEL = 1, KIND_DICT = 2 };
/* control.init: the creator named no init; it has not succeeded yet; it has; it has, if nothing of it is to
 * be undone */
enum { INIT_NONE = 0, INIT_OWED = 1, INIT_DONE = 2, INIT_ENDING = 3 };
/* control.died: SHMS_OWNER_DIED is up; a roll-back is owed that could not be made */
enum { DIED_NEWS = 1, DIED_OWED = 2 };
/* slot.bell, as Linux has it: a thread's id; set by the kernel once that has died; wake a sleeper then */
#define BELL_GUARD 0x3fffffffu
#define BELL_RUNG 0x40000000u
#define BELL_AWAITED 0x80000000u

/*
 * The lock cell, 64 bits: the holder of the lock, and which waiters must be woken.
 *
 *    63           32 31 30 29 28 27 26 25        9 8      0
 *   +---------------+--+--+--+--+--+--+-----------+--------+
 *   |  generation   |W |C |P |R |N |S |   zero    | slot+1 |
 *   +---------------+--+--+--+--+--+--+-----------+--------+
 *
 * Generation and slot+1 together are the holder's identity; all zero: the lock is free. A cell of another
 * object (a turn) looks the same and uses W and R only.
 */
#define CELL_WAITERS (1ull << 31)  /* W: a waiter sleeps on the cell; unlock wakes one */
#define CELL_CHANGE (1ull << 30)   /* C: a waiter sleeps on the version; a change wakes all */
#define CELL_POLL (1ull << 29)     /* P: a poll descriptor is armed; a change makes it readable */
#define CELL_RESERVED (1ull << 28) /* R: newcomers stand back for a waiter that slept and came too late */
#define CELL_NOTICE (1ull << 27)   /* N: this section must move the version, whatever it did */
#define CELL_SHARED (1ull << 26)   /* S: readers may be in; a writer that takes the lock waits for them */
#define CELL_SLOT 0x1ffull
#define CELL_OWNER (0xffffffff00000000ull | CELL_SLOT)

/* One member. Its life token is a byte lock on the first byte of its slot in the control file. */
struct slot {
    a32 generation; /* counted up at each join */
    a32 pid;        /* of the member, in its own PID namespace; 0: it left. A hint, and for people */
    a32 waiting;    /* its threads asleep on the lock: for people only */
    a32 bell;       /* changes by itself when the member's process ends: BELL_...; 0: it does not */
    /* The kind's own. Of a stream or dict: for each thread that holds the shared lock, the generation; else 0
     * */
    a32 readers[LAYOUT_READERS];
};

/*
 * One record of the undo journal: `length` bytes follow, as they were at `offset` of the data before this
 * section overwrote them, padded to 8. If length is RECORD_SIZE none follow, and offset was the size.
 */
struct record {
    a64 offset;
    a64 length;
};
#define RECORD_SIZE UINT64_MAX

struct control {
    /* the stamp: written before the control file gets its name, the same ever after */
    a64 magic;
    a32 format;
    a32 byte_order;
    a32 fingerprint;
    a32 control_size;
    /* the life: written under the life-cycle lock only */
    a32 state;
    a32 flags;
    a64 data_inode; /* the data file that belongs to this control */
    a64 max_size;   /* bytes that the creator mapped */
    a64 created_ns; /* since 1970, UTC */
    a32 slots_used; /* no slot from this one on was ever taken */
    a32 kind;       /* KIND_... */
    /* the lock: one cache line, all that lock and unlock touch; all but cell are written by the holder only
     * */
    a64 cell;
    a64 sequence; /* odd while a section is open that may write */
    a32 died;     /* DIED_... */
    a32 init;     /* INIT_... */
    a64 journal_used; /* bytes of records that undo the open section; 0: there is nothing to undo */
    a64 version;      /* of the data: moves on by 2 with each section that changed something */
    uint8_t unused1[24];
    /* the size: read by every transfer, written at creation and by resize */
    a64 size;
    uint8_t unused2[56];
    /* the bell: one byte is written here (by a system call) to ring poll descriptors; nobody reads it */
    uint8_t bell;
    /* the nursery: no byte is stored; children of a fork hold a shared lock here until they join */
    uint8_t nursery;
    uint8_t unused3[62];
    struct slot slots[LAYOUT_SLOTS];
    /* the object area: what an object that is no stream keeps here; first its format and its fingerprint */
    _Alignas(64) uint8_t object[LAYOUT_OBJECT_SIZE];
};

#define LAYOUT_AT(field, offset) _Static_assert(offsetof(struct control, field) == (offset), #field " moved")
LAYOUT_AT(magic, 0);
LAYOUT_AT(format, 8);
LAYOUT_AT(byte_order, 12);
LAYOUT_AT(fingerprint, 16);
LAYOUT_AT(control_size, 20);
LAYOUT_AT(state, 24);
LAYOUT_AT(flags, 28);
LAYOUT_AT(data_inode, 32);
LAYOUT_AT(max_size, 40);
LAYOUT_AT(created_ns, 48);
LAYOUT_AT(slots_used, 56);
LAYOUT_AT(kind, 60);
LAYOUT_AT(cell, 64);
LAYOUT_AT(sequence, 72);
LAYOUT_AT(died, 80);
LAYOUT_AT(init, 84);
LAYOUT_AT(journal_used, 88);
LAYOUT_AT(version, 96);
LAYOUT_AT(size, 128);
LAYOUT_AT(bell, 192);
LAYOUT_AT(nursery, 193);
LAYOUT_AT(slots, 256);
LAYOUT_AT(object, 16640);
_Static_assert(offsetof(struct slot, generation) == 0, "generation moved");
_Static_assert(offsetof(struct slot, pid) == 4, "pid moved");
_Static_assert(offsetof(struct slot, waiting) == 8, "waiting moved");
_Static_assert(offsetof(struct slot, bell) == 12, "bell moved");
_Static_assert(offsetof(struct slot, readers) == 16, "readers moved");
_Static_assert(sizeof(struct slot) == 64, "a slot is a cache line");
_Static_assert(sizeof(struct record) == 16, "a record's head has a fixed size");
_Static_assert(sizeof(struct control) == LAYOUT_CONTROL_SIZE, "control has a fixed size");

/* Two builds that would lay control out differently must not meet: a mix of what could differ. */
#define LAYOUT_FINGERPRINT                                                                                  \
    ((uint32_t)(sizeof(struct control) * 31u + offsetof(struct control, cell) * 37u +                       \
                offsetof(struct control, size) * 41u + offsetof(struct control, slots) * 43u +              \
                sizeof(struct slot) * 47u + LAYOUT_SLOTS * 53u + (uint32_t)(CELL_OWNER >> 32) * 59u +       \
                LAYOUT_JOURNAL * 61u + offsetof(struct slot, readers) * 67u +                              \
                offsetof(struct control, object) * 71u))

/* Byte locks of the control file (life-cycle lock, nursery, tokens): offsets in the file. */
#define LOCK_LIFE offsetof(struct control, magic)
#define LOCK_NURSERY offsetof(struct control, nursery)
#define LOCK_SLOT(index) (offsetof(struct control, slots) + (index) * sizeof(struct slot))
#define LOCK_SLOTS_END LOCK_SLOT(LAYOUT_SLOTS)

#endif
