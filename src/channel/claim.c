/* SPDX-License-Identifier: MIT */
/*
 * Receiving from a queue with several receivers, through their turn. The protocol is in channel.h.
 *
 * An *orphan* is a CLAIMED frame whose owner is dead, or 0: it was put back. A receiver that finds nothing
 * new looks for orphans between head and next: at once if `returned` has moved since it last found none,
 * for those of the dead after each slice, since each question costs a system call. It takes one by putting
 * its own identity there, within the turn. One that is killed between putting back and counting is found
 * as a dead one.
 *
 * head moves over frames that are done with. Two move it: each holder of the turn on its way out, and one
 * that releases the frame at head, which takes the turn for that. Neither may miss the other's frame: who
 * releases stores DONE and then reads head, the holder stores head and then reads the frame there; each with
 * a fence between the two, so one of them sees the other.
 */
#include "channel.h"

#define RELEASE_TURN_MS 10 /* whoever is in the turn for longer moves head itself, or the next one does */

/* What a walk has found. */
struct found {
    uint64_t pos;
    uint64_t word;
    bool is_orphan;
};

/* ---- head */

/* Over what is done with, from `head` up to next. */
static uint64_t walk_head(const struct shms_channel *c, uint64_t head, uint64_t next)
{
    for (uint64_t i = 0; i <= c->capacity / 16 && head != next; i++) {
        /* acquire: its receiver's reads; pairs with the release in shms__claim_release */
        uint64_t word = a64_load_acquire(&shms__frame(c, head)->word);
        uint32_t state = shms__frame_state(word);
        uint64_t bytes = shms__frame_bytes(word & FRAME_LENGTH);
        if ((state != FRAME_DONE && state != FRAME_SKIP) || !shms__frame_fits(c, head, bytes, next))
            break;
        head += bytes;
    }
    return head;
}

/* The turn is held. */
static void advance_head(struct shms_channel *c)
{
    struct channel *shared = c->shared;
    uint64_t next = a64_load_relaxed(&shared->next); /* relaxed: the turn is held */
    uint64_t head = a64_load_relaxed(&shared->head); /* relaxed: as above */
    if (next - head > c->capacity)
        return;
    for (;;) {
        uint64_t to = walk_head(c, head, next);
        if (to == head)
            return;
        head = to;
        /* release: all reads of what lies before it; pairs with the acquire in queue_room */
        a64_store_release(&shared->head, head);
        /* orders: head before the look at the frame there; pairs with the fence in shms__claim_release */
        fence_seq_cst();
    }
}

static void turn_end(struct shms_channel *c)
{
    if (!shms__cell_drop(&c->section.member, &c->shared->receivers_turn))
        shms__cell_give(&c->section.member, &c->shared->receivers_turn);
}

void shms__claim_tidy(struct shms_channel *c)
{
    if (!shms__channel_turn_at_once(c, &c->shared->receivers_turn))
        return;
    advance_head(c);
    turn_end(c);
    shms__channel_wake(c, SHMS_RECEIVE, false); /* there may be an orphan for it */
}

/* ---- finding */

/* The next frame that can be taken: 1, 0 or a failure. The turn is held; what is passed over stays so. */
static int find_next(struct shms_channel *c, struct found *ret)
{
    struct channel *shared = c->shared;
    uint64_t head = a64_load_relaxed(&shared->head); /* relaxed: the turn is held */
    uint64_t next = a64_load_relaxed(&shared->next); /* relaxed: as above */
    /* acquire: the frames before it; pairs with the release in send.c */
    uint64_t tail = a64_load_acquire(&shared->tail);
    if (next - head > c->capacity || tail - next > c->capacity)
        return shms__fail(SHMS_E_CORRUPT);
    int rc = 0;
    uint64_t start = next;
    for (uint64_t i = 0; i <= c->capacity / 16 && next != tail; i++) {
        struct frame *f = shms__frame(c, next);
        /* acquire: the payload of one that was reserved; pairs with the release in settle, send.c */
        uint64_t word = a64_load_acquire(&f->word);
        uint64_t bytes = shms__frame_bytes(word & FRAME_LENGTH);
        uint32_t state = shms__frame_state(word);
        if (!shms__frame_fits(c, next, bytes, tail))
            return shms__fail(SHMS_E_CORRUPT);
        if (state == FRAME_READY || state == FRAME_CLAIMED) {
            *ret = (struct found){.pos = next, .word = word};
            rc = 1;
            break;
        }
        if (state == FRAME_RESERVED) {
            c->awaited = a64_load_relaxed(&f->owner); /* relaxed: ordered by the acquire of word */
            if (!c->asks || shms__member_alive(&c->section.member, c->awaited))
                break;
            shms__channel_skip(c, f, word);
            continue;
        }
        if (state != FRAME_SKIP && state != FRAME_DONE)
            return shms__fail(SHMS_E_CORRUPT);
        next += bytes;
    }
    if (next != start)
        a64_store_relaxed(&shared->next, next); /* relaxed: read by holders of the turn */
    return rc;
}

static int find_orphan(struct shms_channel *c, struct found *ret)
{
    uint64_t pos = a64_load_relaxed(&c->shared->head);  /* relaxed: the turn is held */
    uint64_t next = a64_load_relaxed(&c->shared->next); /* relaxed: as above */
    uint64_t claimed_by = 0;
    for (uint64_t i = 0; i <= c->capacity / 16 && pos != next; i++) {
        struct frame *f = shms__frame(c, pos);
        uint64_t word = a64_load_relaxed(&f->word); /* relaxed: the claim was made within the turn */
        uint64_t bytes = shms__frame_bytes(word & FRAME_LENGTH);
        if (next - pos > c->capacity || !shms__frame_fits(c, pos, bytes, next))
            return shms__fail(SHMS_E_CORRUPT);
        if (shms__frame_state(word) == FRAME_CLAIMED) {
            /* acquire: the owner is done with it; pairs with the release in shms__claim_put_back */
            uint64_t owner = a64_load_acquire(&f->owner);
            if (owner == 0 || (c->asks && !shms__member_alive(&c->section.member, owner))) {
                *ret = (struct found){.pos = pos, .word = word, .is_orphan = true};
                return 1;
            }
            claimed_by = claimed_by ? claimed_by : owner;
        }
        pos += bytes;
    }
    c->awaited = claimed_by ? claimed_by : c->awaited;
    return 0;
}

/* ---- taking */

/* Has it been delivered before? One that is CLAIMED at next was a dead receiver's, too: it may have begun to
 * use it. */
static bool comes_again(const struct found *f)
{
    return f->is_orphan || shms__frame_state(f->word) == FRAME_CLAIMED;
}

static uint64_t tries_of(const struct found *f)
{
    return (shms__frame_extra(f->word) + comes_again(f)) & FRAME_NUMBERS;
}

/* Mark the frame, in the order in which a crash between two steps leaves something whole. */
static void mark(struct shms_channel *c, const struct found *f, uint64_t state)
{
    struct frame *frame = shms__frame(c, f->pos);
    if (comes_again(f))
        a64_add_relaxed(&c->shared->redelivered, 1); /* relaxed: a counter for people */
    c->held_word = shms__frame_word(f->word & FRAME_LENGTH, state, tries_of(f));
    a64_store_relaxed(&frame->owner, c->section.member.id); /* relaxed: read within the turn */
    /* release: the copy, and the owner; pairs with the acquire in walk_head */
    a64_store_release(&frame->word, c->held_word);
    if (f->is_orphan)
        return;
    a64_store_relaxed(&c->shared->next, f->pos + shms__frame_bytes(f->word & FRAME_LENGTH)); /* relaxed: */
    /* relaxed: the turn is held */
    a64_store_relaxed(&c->shared->received, a64_load_relaxed(&c->shared->received) + 1);
}

/* The turn is held. Bytes of the message, or why not. */
static int64_t take(struct shms_channel *c, const struct found *f)
{
    const struct wish *w = &c->wish;
    uint64_t length = f->word & FRAME_LENGTH;
    c->last.size = length;
    c->last.number = c->last.missed = 0;
    c->last.tries = (uint32_t)tries_of(f);
    if (!w->peeks && length > w->n)
        return shms__fail(SHMS_E_SIZE);
    if (!w->peeks)
        shms__copy(w->buf, shms__frame(c, f->pos) + 1, (size_t)length);
    c->held_pos = f->pos;
    c->held = w->peeks; /* before others can see it: what a call that is cut off has left, abort finds */
    mark(c, f, w->peeks ? FRAME_CLAIMED : FRAME_DONE);
    return (int64_t)length;
}

/* 1: c->got is what the call is to give. */
static int claim_once(struct shms_channel *c, struct patience *p)
{
    struct found f = {0};
    int rc = shms__channel_turn(c, &c->shared->receivers_turn, p);
    if (rc < 0)
        return rc;
    /* acquire: what was put back before; pairs with the release in shms__claim_put_back */
    uint32_t returned = a32_load_acquire(&c->shared->returned);
    rc = find_next(c, &f);
    if (rc == 0 && (c->asks || returned != c->returned)) {
        rc = find_orphan(c, &f);
        c->returned = rc == 0 ? returned : c->returned;
    }
    if (rc > 0)
        c->got = take(c, &f);
    advance_head(c);
    turn_end(c);
    shms__channel_tell_senders(c);
    return rc;
}

/* ---- waiting */

/* Without the turn: is it worth taking? */
static bool is_promising(struct shms_channel *c)
{
    uint64_t next = a64_load_relaxed(&c->shared->next); /* relaxed: a hint */
    uint64_t tail = a64_load_relaxed(&c->shared->tail); /* relaxed: a hint */
    if (c->asks)
        return next != tail || a64_load_relaxed(&c->shared->head) != next; /* relaxed: a hint */
    if (next == tail)
        return a32_load_relaxed(&c->shared->returned) != c->returned; /* relaxed: a hint */
    const struct frame *f = shms__frame(c, next);
    if (shms__frame_state(a64_load_relaxed(&f->word)) != FRAME_RESERVED) /* relaxed: a hint */
        return true;
    c->awaited = a64_load_relaxed(&f->owner); /* relaxed: a hint */
    return false;
}

/* For shms__channel_wait. */
static int look(struct shms_channel *c)
{
    struct patience none = {.timeout_ms = 0};
    if (!is_promising(c))
        return 0;
    int rc = claim_once(c, &none);
    return rc == SHMS_E_TIMEOUT ? 0 : rc; /* another is in its turn, and stopped */
}

/* A receiver that slept took one message: others may sleep, and there may be more. */
static void pass_on(struct shms_channel *c)
{
    struct channel *shared = c->shared;
    /* orders: nothing; a sender that sees the flag wakes one more. Pairs with shms__channel_wake */
    a32_or_seq_cst(&shared->asleep_receivers, ASLEEP_THREAD);
    /* relaxed: a hint whether it is worth waking one */
    if (a64_load_relaxed(&shared->next) != a64_load_relaxed(&shared->tail))
        shms__channel_wake(c, SHMS_RECEIVE, false);
}

int64_t shms__claim(struct shms_channel *c, struct patience *p)
{
    c->asks = c->waited = false;
    int rc = claim_once(c, p);
    if (rc == 0)
        rc = shms__channel_wait(c, look, p);
    if (c->waited)
        pass_on(c);
    return rc < 0 ? rc : c->got;
}

/* ---- release, put back */

/* A call that was cut off may have claimed the frame at next, and not got further. */
void shms__claim_finish(struct shms_channel *c)
{
    uint64_t next = a64_load_relaxed(&c->shared->next); /* relaxed: the turn is held */
    if (c->held && next == c->held_pos && shms__held_still(c))
        /* relaxed: the turn is held */
        a64_store_relaxed(&c->shared->next, next + shms__frame_bytes(c->held_word & FRAME_LENGTH));
}

int shms__claim_release(struct shms_channel *c)
{
    struct frame *f = shms__frame(c, c->held_pos);
    uint64_t word = c->held_word;
    uint64_t done = shms__frame_word(word & FRAME_LENGTH, FRAME_DONE, shms__frame_extra(word));
    /* release: the reads; pairs with the acquire in walk_head */
    bool is_done = shms__held_still(c) && a64_cas_release(&f->word, &word, done);
    shms__held_no_more(c);
    if (!is_done)
        return shms__fail(SHMS_E_CORRUPT);
    /* orders: DONE before the look at head; pairs with the fence in advance_head */
    fence_seq_cst();
    if (a64_load_relaxed(&c->shared->head) == c->held_pos) { /* relaxed: ordered by the fence */
        struct patience p = {.timeout_ms = RELEASE_TURN_MS};
        if (shms__channel_turn(c, &c->shared->receivers_turn, &p) == 0) {
            advance_head(c);
            turn_end(c);
        }
    }
    shms__channel_tell_senders(c);
    return 0;
}

void shms__claim_put_back(struct shms_channel *c)
{
    if (!shms__held_still(c))
        return;
    /* release: this receiver is done with it; pairs with the acquire in find_orphan */
    a64_store_release(&shms__frame(c, c->held_pos)->owner, 0);
    fence_release(); /* orders: that before the count; pairs with the acquire in claim_once */
    a32_add_relaxed(&c->shared->returned, 1); /* relaxed: ordered by the fence */
    shms__channel_wake(c, SHMS_RECEIVE, false);
}
