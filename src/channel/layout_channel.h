/* SPDX-License-Identifier: MIT */
/*
 * Every byte of a channel that lives in shared memory, and nothing else: its part of control's object area,
 * of a member's slot, and the frames of the ring. doc/format.md is the prose of this file; ci/check-format
 * holds the two against each other.
 */
#ifndef SHMS_LAYOUT_CHANNEL_H
#define SHMS_LAYOUT_CHANNEL_H

#include "layout.h"

#define CHANNEL_FORMAT 1u
#define CHANNEL_CAPACITY_LEAST 4096u
#define CHANNEL_CAPACITY_MOST 0x80000000u

/*
 * The ring is the region's data. A *position* counts bytes since the channel began and never wraps; its place
 * is position & (capacity - 1). A frame begins at a multiple of 16 and never crosses the end of the ring. Its
 * payload follows the head and is padded to 16.
 *
 * frame.word:
 *    63                36 35  32 31               0
 *   +--------------------+------+------------------+
 *   |       extra        | state|      length      |
 *   +--------------------+------+------------------+
 * extra: of a broadcast the low bits of the message's number, of a queue how often it was delivered before.
 */
struct frame {
    a64 word;
    a64 owner; /* of RESERVED and CLAIMED: the member's identity; else it means nothing */
};
#define FRAME_LENGTH 0xffffffffull
#define FRAME_STATE 0xf00000000ull
#define FRAME_EXTRA 0xfffffff000000000ull
/* frame.word, state: can be received; being filled; to be passed over; being used; used */
enum { FRAME_READY = 1, FRAME_RESERVED = 2, FRAME_SKIP = 3, FRAME_CLAIMED = 4, FRAME_DONE = 5 };

/* asleep_receivers, asleep_senders: a thread sleeps on the signal; a poll descriptor is armed */
enum { ASLEEP_THREAD = 1, ASLEEP_POLL = 2 };

/* The last 16 bytes of a member's slot. */
struct member_channel {
    a64 cursor; /* of a broadcast's receiver: all before this position it has done with */
    a64 role;   /* generation << 32 | SHMS_SEND or SHMS_RECEIVE; 0: none. A dead member leaves it */
};
#define CHANNEL_SLOT_WORD 8u /* its place in slot.readers */

struct channel {
    /* constants: written by the creator before the region is READY */
    a32 format;
    a32 fingerprint;
    a32 kind; /* SHMS_QUEUE or SHMS_BROADCAST */
    a32 slow; /* SHMS_SLOW_... */
    a32 one_sender;
    a32 one_receiver;
    a64 capacity;
    uint8_t unused1[32];
    /* senders: written by the one that has their turn */
    a64 tail;   /* all before it is published */
    a64 number; /* of the last message: they are counted from 1 */
    uint8_t unused2[48];
    a64 senders_turn;
    uint8_t unused3[56];
    /* receivers of a queue: written by the one that has their turn */
    a64 head;     /* all before it is free */
    a64 next;     /* all before it is claimed; not used where there is one receiver */
    a64 received; /* messages taken out */
    uint8_t unused4[40];
    a64 receivers_turn;
    uint8_t unused5[56];
    /* room of a broadcast: written by the one that has the senders' turn; neither ever goes back */
    a64 floor; /* who joins begins here, or later */
    a64 limit; /* all before it may be overwritten; never past floor */
    uint8_t unused6[48];
    /* who sleeps: rarely written, so that it stays in everybody's cache */
    a32 asleep_receivers;
    a32 asleep_senders;
    a32 signal_receivers; /* counted up with each wake-up: sleepers sleep on it */
    a32 signal_senders;
    a32 notices; /* counted up by notify */
    a32 returned; /* counted up when a queue's message is put back: receivers look for it then */
    uint8_t unused7[40];
    /* counters */
    a32 senders_ever;
    a32 senders_died;
    a32 receivers_ever;
    a32 receivers_died;
    a64 dropped;
    a64 aborted;
    a64 redelivered;
    a64 waits;
    uint8_t unused8[16];
};

#define CHANNEL_AT(field, offset)                                                                           \
    _Static_assert(offsetof(struct channel, field) == (offset), #field " moved")
CHANNEL_AT(format, 0);
CHANNEL_AT(fingerprint, 4);
CHANNEL_AT(kind, 8);
CHANNEL_AT(slow, 12);
CHANNEL_AT(one_sender, 16);
CHANNEL_AT(one_receiver, 20);
CHANNEL_AT(capacity, 24);
CHANNEL_AT(tail, 64);
CHANNEL_AT(number, 72);
CHANNEL_AT(senders_turn, 128);
CHANNEL_AT(head, 192);
CHANNEL_AT(next, 200);
CHANNEL_AT(received, 208);
CHANNEL_AT(receivers_turn, 256);
CHANNEL_AT(floor, 320);
CHANNEL_AT(limit, 328);
CHANNEL_AT(asleep_receivers, 384);
CHANNEL_AT(asleep_senders, 388);
CHANNEL_AT(signal_receivers, 392);
CHANNEL_AT(signal_senders, 396);
CHANNEL_AT(notices, 400);
CHANNEL_AT(returned, 404);
CHANNEL_AT(senders_ever, 448);
CHANNEL_AT(senders_died, 452);
CHANNEL_AT(receivers_ever, 456);
CHANNEL_AT(receivers_died, 460);
CHANNEL_AT(dropped, 464);
CHANNEL_AT(aborted, 472);
CHANNEL_AT(redelivered, 480);
CHANNEL_AT(waits, 488);
_Static_assert(sizeof(struct channel) == 512, "the channel's part of control has a fixed size");
_Static_assert(sizeof(struct channel) <= LAYOUT_OBJECT_SIZE, "it fits");
_Static_assert(sizeof(struct frame) == 16, "a frame's head has a fixed size");
_Static_assert(offsetof(struct member_channel, cursor) == 0 && offsetof(struct member_channel, role) == 8 &&
                   sizeof(struct member_channel) == (LAYOUT_READERS - CHANNEL_SLOT_WORD) * sizeof(a32),
               "the channel's part of a slot has a fixed size");

#define CHANNEL_FINGERPRINT                                                                                 \
    ((uint32_t)(sizeof(struct channel) * 31u + sizeof(struct frame) * 37u +                                 \
                offsetof(struct channel, asleep_receivers) * 41u + CHANNEL_SLOT_WORD * 43u + FRAME_DONE))

#endif
