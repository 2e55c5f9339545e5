/* SPDX-License-Identifier: MIT */
/*
 * What of the ring may be overwritten. The protocol is in channel.h; here are the rules of its invariants 3
 * and 4: a queue's room ends where head stands, a broadcast's where limit stands.
 *
 * Raising limit, where receivers are waited for: m is the smallest cursor; floor goes up to m, so that nobody
 * joins before it; then, after a fence, the cursors are looked at again, since one may have joined meanwhile;
 * then limit goes up to the smallest there is now. (One word for both, lowered again where the second look
 * finds a smaller one, lets a receiver start in bytes that a sender had begun to overwrite before it died.)
 *
 * What makes room tells the senders that sleep: a receiver that passes a frame; one that joins and goes on,
 * since the cursor that it showed first may have been in the way of the second look; and a member that
 * settles a reservation, which limit does not pass (model/broadcast.pml: without the last two they sleep for
 * a slice, and a poll loop for ever).
 */
#include "channel.h"

#define DROP_AHEAD 8 /* the part of the ring that is given up at once: so one walk serves many messages */

static bool is_enough(const struct shms_channel *c)
{
    return !shms__before(c->limit, c->pos + c->need);
}

/* ---- queue */

static int queue_room(struct shms_channel *c)
{
    /* acquire: the receiver's reads came before; pairs with the releases of head in receive.c and claim.c */
    uint64_t head = a64_load_acquire(&c->shared->head);
    if (c->pos - head > c->capacity)
        return shms__fail(SHMS_E_CORRUPT);
    c->limit = head + c->capacity;
    if (is_enough(c))
        return 1;
    if (c->one_receiver) {
        c->awaited = a64_load_relaxed(&c->shared->receivers_turn) & CELL_OWNER; /* relaxed: a hint */
        return 0;
    }
    const struct frame *f = shms__frame(c, head);
    if (shms__frame_state(a64_load_relaxed(&f->word)) == FRAME_CLAIMED) /* relaxed: a hint */
        c->awaited = a64_load_relaxed(&f->owner);                       /* relaxed: a hint */
    if (c->asks)
        shms__claim_tidy(c);
    return 0;
}

/* ---- broadcast */

/* How far limit can go on its way to `target`: over whole frames, but none that is being filled. */
static int walk(struct shms_channel *c, uint64_t from, uint64_t target, uint64_t *ret)
{
    for (uint64_t i = 0; i <= c->capacity / 16 && shms__before(from, target); i++) {
        struct frame *f = shms__frame(c, from);
        /* acquire: of RESERVED, its owner; pairs with the release of tail in send.c */
        uint64_t word = a64_load_acquire(&f->word);
        uint64_t bytes = shms__frame_bytes(word & FRAME_LENGTH);
        if (!shms__frame_fits(c, from, bytes, c->pos))
            return shms__fail(SHMS_E_CORRUPT);
        if (shms__frame_state(word) == FRAME_RESERVED) {
            uint64_t owner = a64_load_relaxed(&f->owner); /* relaxed: ordered by the acquire of word */
            if (!c->asks || shms__member_alive(&c->section.member, owner)) {
                c->awaited = owner;
                break;
            }
            shms__channel_skip(c, f, word);
        }
        from += bytes;
    }
    *ret = from;
    return 0;
}

/* By the holder of the senders' turn: receivers look at these two after they have read. */
static void raise_both(struct shms_channel *c, uint64_t to)
{
    struct channel *shared = c->shared;
    if (shms__before(a64_load_relaxed(&shared->floor), to)) /* relaxed: the turn is held; as below */
        a64_store_release(&shared->floor, to); /* release: the frames behind it; pairs with begin_at */
    a64_store_relaxed(&shared->limit, to);     /* relaxed: ordered by the fence */
    /* orders: limit before the bytes are overwritten; pairs with fence_acquire in shms__overtaken */
    fence_release();
    c->limit = to + c->capacity;
}

static int drop_room(struct shms_channel *c, uint64_t limit)
{
    uint64_t most = c->need + c->capacity / DROP_AHEAD;
    uint64_t target = c->pos + (most < c->capacity ? most : c->capacity) - c->capacity;
    target = shms__before(target, c->pos) ? target : c->pos;
    int rc = walk(c, limit, target, &target);
    if (rc < 0)
        return rc;
    if (shms__before(limit, target))
        raise_both(c, target);
    return is_enough(c);
}

/* Of what may go up to `most`: no more than half of the ring, unless the message needs it. Receivers that
 * join with `history` find the rest. */
static uint64_t spare_half(const struct shms_channel *c, uint64_t most)
{
    uint64_t room = c->need > c->capacity / 2 ? c->need : c->capacity / 2;
    uint64_t target = c->pos + room - c->capacity;
    return shms__before(target, most) ? target : most;
}

static int wait_room(struct shms_channel *c, uint64_t limit)
{
    struct channel *shared = c->shared;
    uint64_t m = shms__channel_slowest(c, limit, c->pos, &c->awaited);
    int rc = walk(c, limit, spare_half(c, m), &m);
    if (rc < 0)
        return rc;
    if (shms__before(a64_load_relaxed(&shared->floor), m)) /* relaxed: the turn is held */
        a64_store_release(&shared->floor, m); /* release: the frames behind it; pairs with begin_at */
    /* orders: floor before the second look at the cursors; pairs with fence_seq_cst in begin_at */
    fence_seq_cst();
    uint64_t now = shms__channel_slowest(c, limit, m, &c->awaited);
    if (shms__before(limit, now))
        raise_both(c, now);
    return is_enough(c);
}

int shms__channel_room(struct shms_channel *c)
{
    if (is_enough(c))
        return 1;
    if (c->kind == SHMS_QUEUE)
        return queue_room(c);
    uint64_t limit = a64_load_relaxed(&c->shared->limit); /* relaxed: the turn is held */
    if (c->pos - limit > c->capacity)
        return shms__fail(SHMS_E_CORRUPT);
    c->limit = limit + c->capacity;
    if (is_enough(c))
        return 1;
    return c->slow == SHMS_SLOW_DROP ? drop_room(c, limit) : wait_room(c, limit);
}

int shms__channel_expel(struct shms_channel *c)
{
    c->asks = true;
    for (uint32_t i = 0; i < LAYOUT_SLOTS; i++) {
        uint64_t owner = 0;
        int rc = shms__channel_room(c);
        if (rc != 0)
            return rc;
        uint64_t limit = a64_load_relaxed(&c->shared->limit); /* relaxed: the turn is held */
        uint64_t m = shms__channel_slowest(c, limit, c->pos, &owner);
        if (owner == 0)
            break; /* it is no receiver that is waited for */
        /* Just past the slowest: it is then one that has been overtaken. */
        uint64_t next = shms__channel_slowest(c, m + 16, c->pos, NULL);
        rc = walk(c, limit, spare_half(c, next), &next);
        if (rc < 0)
            return rc;
        if (!shms__before(m, next))
            break;
        raise_both(c, next);
    }
    return is_enough(c);
}
