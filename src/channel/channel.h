/* SPDX-License-Identifier: MIT */
/*
 * The channel: its handle, and what its files share. The protocol of the ring:
 *
 * Who takes part. Members with a role: senders and receivers. Each side has a *turn*, a lock cell
 * (core/cell.h). A queue's receivers and all senders take it for each message; where the channel has
 * one_sender or one_receiver, the handle holds its side's turn for life. A broadcast's receivers need none:
 * each has a cursor in its slot.
 *
 *   tail, number              the holder of the senders' turn
 *   floor, limit              the same
 *   head, next, received      the holder of the receivers' turn
 *   a cursor                  its receiver
 *   a frame before tail is    written by the holder of the senders' turn
 *   published
 *   RESERVED -> READY, SKIP   by its owner; -> SKIP by anybody who finds the owner dead; compare-and-swap
 *   READY -> CLAIMED, DONE    the holder of the receivers' turn
 *   CLAIMED -> DONE           its owner, by compare-and-swap
 *   CLAIMED, another owner    the holder of the receivers' turn that finds the owner dead, or gone (0)
 *
 * Invariants.
 *  1. limit <= floor; head <= next <= tail; tail - head <= capacity, and in a broadcast tail - limit <=
 *     capacity. None of them ever goes back.
 *  2. Between head (or limit) and tail there are whole frames, one behind the other.
 *  3. What lies before head (limit) may be overwritten; nothing else ever is. head passes frames that are
 *     DONE or SKIP; limit passes no cursor of a living receiver (but with DROP and EXPEL), and no RESERVED
 *     frame of a living sender.
 *  4. A receiver that joins a broadcast shows its cursor first and looks at floor afterwards; a sender raises
 *     floor first, looks at the cursors once more, and raises limit no further than these. So one of the two
 *     sees the other: no receiver starts in bytes that are being overwritten.
 *
 * States of a frame:  (nothing) -> READY -> DONE                   send, recv
 *                     (nothing) -> RESERVED -> READY | SKIP        reserve, commit | abort or death
 *                     READY -> CLAIMED -> DONE                     peek, release
 *                     CLAIMED -> CLAIMED by another                abort or death, redelivery
 *
 * Linearisation. send: the store of tail; commit: the compare-and-swap to READY. recv: the store of head or
 * cursor, or of DONE. peek: the store of CLAIMED (a queue's one receiver and a broadcast's mark nothing).
 *
 * Progress. A turn is held for one message, never while its holder sleeps; a dead holder's is taken over
 * (tail, head and next are the truth, there is nothing to repair). One that is stopped inside its turn delays
 * its own side, each call for its time-out. Walks over frames are bounded by capacity / 16 steps. Where
 * nobody sleeps and the side has one member, send and recv need no read-modify-write and no system call.
 *
 * What a crash at each step leaves, and who repairs it:
 *   send, before tail                   bytes that nobody reads; perhaps a number that is left out
 *   send, tail stored, turn held        all is sent; the next taker inherits the turn
 *   published, sleeper not woken        its slice ends; the next sender wakes
 *   reserved, not committed             RESERVED, a dead owner: a receiver, or a sender that needs room: SKIP
 *   recv in the turn, before DONE       READY at next: the next receiver takes it
 *   recv in the turn, before next       DONE at next: the next receiver passes it
 *   peek, CLAIMED, before next          CLAIMED at next: the next receiver takes it
 *   peeked, not released                CLAIMED between head and next: redelivered (claim.c)
 *   released, before head               head behind DONE frames: the next in the turn
 *   broadcast receiver, anywhere        a cursor that holds limit back: a sender that waits asks its token
 *   joining                             role and cursor of a dead member: the same
 *   sender, floor raised, limit not     joiners start a little later than they could; limit is true
 *   closing, before the role is cleared a role of a dead member: counted as a death (peers.c)
 *
 * What a call leaves that a handler left by siglongjmp: what a crash there would, but its member lives. A
 * turn may be held; and c->held is set before the frame says so, and cleared after, so the frame may be there
 * not yet, or no more. The handle's next taker of the turn, abort and close look for both.
 *
 * Ideas: positions that never wrap and frames with a SKIP at the end are as in Aeron (T. Montgomery, M.
 * Thompson); the turn that names its holder is that of robust futexes.
 */
#ifndef SHMS_CHANNEL_H
#define SHMS_CHANNEL_H

#include "cell.h"
#include "handle.h"
#include "layout_channel.h"
#include "version.h"

#include "shmstream/channel.h"

/* What a receiver that needs the turn is to do with a message. */
struct wish {
    void *buf; /* recv: into this */
    size_t n;
    bool peeks;
};

struct shms_channel {
    struct section section; /* of which member and poll descriptor are used; the lock is not */
    /* private copies of what never changes */
    struct channel *shared;
    unsigned char *ring;
    uint64_t capacity;
    uint64_t mask; /* of a position: its place in the ring; masks any garbage into it */
    uint32_t epoch; /* the process in which this handle has its role; see shms__channel_here */
    uint32_t role;
    uint32_t kind;
    uint32_t slow;
    bool one_sender;
    bool one_receiver;
    bool alone; /* needs no turn: holds it for life, or reads a broadcast */
    bool lossy; /* what is read may be overwritten: looked for afterwards */
    bool held;  /* something is reserved, or peeked */
    uint32_t history;
    /* cursors */
    uint64_t pos;        /* sender: where the next frame goes; receiver: the next frame */
    uint64_t seen;       /* receiver: tail when it was last looked at */
    uint64_t limit;      /* sender: capacity past head, or limit, when that was last looked at */
    uint64_t number;     /* of the last message sent, or got */
    a64 *progress;       /* receiver: head, or its cursor */
    uint64_t held_pos;   /* the frame that is reserved or peeked */
    uint64_t held_word;
    shms_message last;
    uint64_t missed;     /* to be told with the next message */
    /* waiting */
    uint64_t need;       /* a sender waits for so many bytes */
    uint64_t awaited;    /* the member whose death would end the wait; 0: nobody in particular */
    bool asks;           /* the look that is due asks whether members live */
    uint32_t returned;   /* the shared count, when nothing that was put back was left */
    int64_t asked_ns;    /* when the other side was last seen alive */
    int lead;            /* pauses before the first look, so that the other side gets ahead */
    bool waited;         /* this call has slept */
    bool turned_away;    /* a look found the turn taken; of a try, the poll descriptor tells already */
    bool patient;        /* the look that is due waits for the turn, as long as one message takes */
    bool told;           /* it was ended by notify */
    uint32_t died_before;   /* deaths on the other side before this handle opened */
    uint32_t private_tries; /* of a broadcast's message */
    struct wish wish;
    int64_t got; /* what the wish has got; a failure, too */
};

/* ---- frames */

#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define FRAME_EXTRA_SHIFT 36
#define FRAME_NUMBERS (FRAME_EXTRA >> FRAME_EXTRA_SHIFT)

static inline struct frame *shms__frame(const struct shms_channel *c, uint64_t pos)
{
    return (struct frame *)(void *)(c->ring + (pos & c->mask));
}

static inline uint64_t shms__frame_bytes(uint64_t length)
{
    return sizeof(struct frame) + ((length + 15) & ~15ull);
}

static inline uint64_t shms__frame_word(uint64_t length, uint64_t state, uint64_t extra)
{
    return length | state << 32 | extra << FRAME_EXTRA_SHIFT;
}

static inline uint32_t shms__frame_state(uint64_t word)
{
    return (uint32_t)((word & FRAME_STATE) >> 32);
}

static inline uint64_t shms__frame_extra(uint64_t word)
{
    return word >> FRAME_EXTRA_SHIFT;
}

/* Does a frame of so many bytes lie at pos, before `end` and before the end of the ring? */
static inline bool shms__frame_fits(const struct shms_channel *c, uint64_t pos, uint64_t bytes, uint64_t end)
{
    return bytes <= end - pos && (pos & c->mask) + bytes <= c->capacity;
}

/* Of a position that lies behind another: positions never wrap, so the difference has a sign. */
static inline bool shms__before(uint64_t a, uint64_t b)
{
    return (int64_t)(b - a) > 0;
}

/* ---- the handle */

/* Has it its role, in this process? */
static inline bool shms__channel_here(const struct shms_channel *c)
{
    return c->epoch == a32_load_relaxed(shms__fork_word); /* relaxed: the word is private */
}

static inline int64_t shms__channel_done(const struct shms_channel *c, int64_t rc)
{
    return shms__member_done(&c->section.member, rc);
}

/* To be called first by every call that is not on its quick path; one that may wait for timeout_ms, or -1. */
int shms__channel_enter(struct shms_channel *c, int timeout_ms);

/* Something is reserved, or peeked, by this handle, which has that role (0: any). */
int shms__channel_check_held(struct shms_channel *c, uint32_t role);

/* ---- peers.c: who is there */

static inline struct member_channel *shms__channel_slot(const struct shms_channel *c, uint32_t slot)
{
    return (struct member_channel *)(void *)&c->section.member.region.control->slots[slot]
        .readers[CHANNEL_SLOT_WORD];
}

/* Take up the role that this handle has. SHMS_E_FULL: its one_ role is taken. */
int shms__channel_join(struct shms_channel *c);
/* Give it up. */
void shms__channel_leave(struct shms_channel *c);

/* How many living members have the role; `most` ends the count early. Counts deaths that it finds. */
uint32_t shms__channel_count(struct shms_channel *c, uint32_t role, uint32_t most);

/* Is there still somebody on the other side, or may there be? 0, SHMS_E_CLOSED or SHMS_E_DIED. `asks`:
 * whether members live, and not only whether they have closed. */
int shms__channel_other_side(struct shms_channel *c, bool asks);

/* The smallest cursor of the living receivers, not before `from`; `most` if none is smaller. */
uint64_t shms__channel_slowest(struct shms_channel *c, uint64_t from, uint64_t most, uint64_t *ret_owner);

/* ---- wait.c: sleeping and waking */

/* Until look() gives something else than 0; SHMS_E_TIMEOUT, or how the stream ends. */
int shms__channel_wait(struct shms_channel *c, int (*look)(struct shms_channel *c), struct patience *p);

void shms__channel_wake(struct shms_channel *c, uint32_t role, bool all);
/* Whether anybody sleeps or not. */
void shms__channel_wake_all(struct shms_channel *c);

/* After publishing. Nobody sleeps: one load. Who went to sleep before that load was seen to be in vain looks
 * again, for longer than a store waits in its processor (wait.c). */
static inline void shms__channel_tell_receivers(struct shms_channel *c)
{
    if (!LIKELY(!a32_load_relaxed(&c->shared->asleep_receivers))) /* relaxed: see above */
        shms__channel_wake(c, SHMS_RECEIVE, c->kind == SHMS_BROADCAST);
}

static inline void shms__channel_tell_senders(struct shms_channel *c)
{
    if (!LIKELY(!a32_load_relaxed(&c->shared->asleep_senders))) /* relaxed: as above */
        shms__channel_wake(c, SHMS_SEND, !c->one_sender);
}

/* A side's turn for one message: 0, or SHMS_E_TIMEOUT. */
int shms__channel_turn(struct shms_channel *c, a64 *turn, struct patience *p);
/* A try failed for the turn. Giving a turn back tells no poll descriptor: this handle's tells at once, so
 * that the program tries again. */
void shms__channel_poll_again(struct shms_channel *c);
/* The turn without any wait. */
bool shms__channel_turn_at_once(struct shms_channel *c, a64 *turn);

/* ---- space.c: what may be overwritten */

/* Is there room for c->need bytes at c->pos? 1, 0, or a failure. The senders' turn is held. */
int shms__channel_room(struct shms_channel *c);
/* Put the slowest receivers out until there is. */
int shms__channel_expel(struct shms_channel *c);

/* ---- receive.c, claim.c */

/* The frame at c->pos is READY (1), there is none (0), or a failure. A handle that needs no turn. */
int shms__receive_look(struct shms_channel *c);
void shms__receive_put_back(struct shms_channel *c);
/* The number of the last message before the frame whose extra bits are `low`. */
uint64_t shms__channel_number_before(const struct shms_channel *c, uint64_t low);
/* Has a sender gone past this receiver? */
static inline bool shms__overtaken(const struct shms_channel *c)
{
    fence_acquire(); /* orders: what was read before the look; pairs with fence_release in space.c */
    /* relaxed: ordered by the fence */
    return c->lossy && shms__before(c->pos, a64_load_relaxed(&c->shared->limit));
}
/* Begin at floor. SHMS_E_TIMEOUT: overtaken each time. */
int shms__channel_begin_at(struct shms_channel *c, bool at_tail);

/* That of the last message before c->pos. */
uint64_t shms__receive_number(const struct shms_channel *c);

/* c->wish, through the receivers' turn. */
int64_t shms__claim(struct shms_channel *c, struct patience *p);
int shms__claim_release(struct shms_channel *c);
void shms__claim_put_back(struct shms_channel *c);
void shms__claim_finish(struct shms_channel *c);
/* A sender that waits for room: head may stand behind frames that are used. */
void shms__claim_tidy(struct shms_channel *c);

/* Where a turn is shared: is the frame at held_pos the one that is held? A call that was cut off by
 * siglongjmp may have settled it, and the place is another's now. One that shows our identity and this word
 * is ours. */
static inline bool shms__held_still(const struct shms_channel *c)
{
    const struct frame *f = shms__frame(c, c->held_pos);
    /* relaxed: if both are ours, this thread wrote them; else any two values will do */
    return a64_load_relaxed(&f->owner) == c->section.member.id && a64_load_relaxed(&f->word) == c->held_word;
}

/* After the store by which the others see it. */
static inline void shms__held_no_more(struct shms_channel *c)
{
    fence_signal(); /* orders: that store, for a handler of this thread; pairs with its leaving */
    c->held = false;
}

/* A call that was cut off may have left a turn held: give it back, what was done in it made whole. */
void shms__channel_give_turns(struct shms_channel *c);

/* RESERVED at `frame`, its owner dead: pass over it. */
bool shms__channel_skip(struct shms_channel *c, struct frame *frame, uint64_t word);

/* Tests only: where the positions of a new channel begin. */
extern uint64_t shms__channel_start;

/* Copy into or out of the ring; mostly a few words, for which memcpy's own call would cost the most. */
static inline void shms__copy(void *to, const void *from, size_t n)
{
    unsigned char *t = to;
    const unsigned char *f = from;
    if (n > 64) {
        memcpy(t, f, n);
    } else if (n >= 32) {
        memcpy(t, f, 32);
        memcpy(t + n - 32, f + n - 32, 32);
    } else if (n >= 16) {
        memcpy(t, f, 16);
        memcpy(t + n - 16, f + n - 16, 16);
    } else if (n >= 8) {
        memcpy(t, f, 8);
        memcpy(t + n - 8, f + n - 8, 8);
    } else if (n >= 4) {
        memcpy(t, f, 4);
        memcpy(t + n - 4, f + n - 4, 4);
    } else {
        for (size_t i = 0; i < n; i++)
            t[i] = f[i];
    }
}

#endif
