/* SPDX-License-Identifier: MIT */
/*
 * Sending. The protocol is in channel.h.
 *
 * A message that does not fit between its place and the end of the ring begins at the ring's start; a SKIP
 * frame fills the rest. That frame is published by itself, since the two together may never fit; one that
 * has no message behind it harms nobody.
 *
 * Where senders share the turn, one that finds no room gives the turn back before it sleeps, and each look
 * takes it anew.
 */
#include "channel.h"

/* ---- the turn */

/* As far as others have come. */
static void catch_up(struct shms_channel *c)
{
    /* relaxed: the turn is held, and came with an acquire */
    c->pos = a64_load_relaxed(&c->shared->tail);
    c->number = a64_load_relaxed(&c->shared->number);
}

static int turn_begin(struct shms_channel *c, struct patience *p)
{
    if (c->alone)
        return 0;
    int rc = shms__channel_turn(c, &c->shared->senders_turn, p);
    if (rc == 0)
        catch_up(c);
    return rc;
}

static void turn_end(struct shms_channel *c)
{
    if (!c->alone && !shms__cell_drop(&c->section.member, &c->shared->senders_turn))
        shms__cell_give(&c->section.member, &c->shared->senders_turn);
}

/* ---- room */

static bool try_turn(struct shms_channel *c)
{
    struct patience none = {.timeout_ms = 0};
    a64 *turn = &c->shared->senders_turn;
    if (c->patient)
        return shms__channel_turn(c, turn, &none) == 0;
    if (!c->asks)
        return !(c->turned_away = !shms__cell_try(&c->section.member, turn));
    if (shms__channel_turn_at_once(c, turn)) /* whether its holder lives is asked with the rest */
        return true;
    shms__channel_poll_again(c); /* there may be room, which was told before this handle listened */
    return false;
}

/* For shms__channel_wait: 1 comes with the turn. */
static int look_for_room(struct shms_channel *c)
{
    if (c->alone)
        return shms__channel_room(c);
    if (!try_turn(c))
        return 0;
    catch_up(c);
    int rc = shms__channel_room(c);
    if (rc != 1)
        turn_end(c);
    return rc;
}

/* The slowest receivers have had their time. */
static int expel(struct shms_channel *c)
{
    struct patience none = {.timeout_ms = 0};
    int rc = turn_begin(c, &none);
    if (rc < 0)
        return rc;
    rc = shms__channel_expel(c);
    if (rc != 1)
        turn_end(c);
    return rc == 0 ? shms__fail(SHMS_E_TIMEOUT) : rc;
}

/* Room for `need` bytes at c->pos, which another sender may move meanwhile. The turn is held, unless it
 * fails. *ret_waited: c->pos may be another. */
static int get_room(struct shms_channel *c, uint64_t need, struct patience *p, bool *ret_waited)
{
    c->need = need;
    c->asks = false;
    *ret_waited = false;
    int rc = shms__channel_room(c);
    if (rc == 0) {
        *ret_waited = true;
        turn_end(c);
        rc = shms__channel_wait(c, look_for_room, p);
        if (rc == SHMS_E_TIMEOUT && c->slow == SHMS_SLOW_EXPEL && !c->told)
            rc = expel(c);
        if (rc > 0)
            shms__channel_tell_senders(c); /* there may be room for more than one of those that sleep */
        return rc > 0 ? 0 : rc;
    }
    if (rc < 0)
        turn_end(c);
    return rc > 0 ? 0 : rc;
}

/* ---- frames */

/* Of a frame, what its extra bits are. */
static uint64_t extra(const struct shms_channel *c, uint64_t number)
{
    return c->kind == SHMS_BROADCAST ? number & FRAME_NUMBERS : 0;
}

/* Frames are written behind `e`, and only then is c moved there: so a handler that leaves this call by
 * siglongjmp leaves all of them behind tail, or none; abort takes back what tail does not tell of. */
struct end {
    uint64_t pos;
    uint64_t number; /* of the last message */
};

static struct end end_of(const struct shms_channel *c)
{
    return (struct end){.pos = c->pos, .number = c->number};
}

static void publish(struct shms_channel *c, struct end e)
{
    struct channel *shared = c->shared;
    c->number = e.number;
    c->pos = e.pos;
    a64_store_relaxed(&shared->number, e.number); /* relaxed: ordered by the store of tail */
    /* release: frames and payloads; pairs with the acquires of tail in receive.c, claim.c, peers.c */
    a64_store_release(&shared->tail, e.pos);
}

/* SKIP up to the end of the ring. */
static struct end append_skip(const struct shms_channel *c, struct end e)
{
    uint64_t rest = c->capacity - (e.pos & c->mask);
    uint64_t word = shms__frame_word(rest - sizeof(struct frame), FRAME_SKIP, extra(c, e.number + 1));
    a64_store_relaxed(&shms__frame(c, e.pos)->word, word); /* relaxed: ordered by the store of tail */
    e.pos += rest;
    return e;
}

/* Fill the ring up to its end. */
static int pad(struct shms_channel *c, struct patience *p)
{
    uint64_t rest = c->capacity - (c->pos & c->mask);
    bool waited;
    int rc = get_room(c, rest, p, &waited);
    if (rc < 0 || waited)
        return rc; /* where another has moved tail, all begins again */
    publish(c, append_skip(c, end_of(c)));
    shms__channel_tell_receivers(c); /* the message may need the room that this frame takes */
    return 0;
}

/* A place for `bytes` in one piece at c->pos. The turn is held before, and after unless it fails. */
static int place(struct shms_channel *c, uint64_t bytes, struct patience *p)
{
    for (;;) {
        bool waited = false;
        int rc;
        if ((c->pos & c->mask) + bytes > c->capacity) {
            rc = pad(c, p);
        } else {
            rc = get_room(c, bytes, p, &waited);
            if (rc == 0 && (c->pos & c->mask) + bytes <= c->capacity)
                return 0;
        }
        if (rc < 0)
            return rc;
    }
}

/* The payload is there already. */
static inline struct end append_head(const struct shms_channel *c, struct end e, size_t n)
{
    e.number++;
    /* relaxed: ordered by the store of tail */
    a64_store_relaxed(&shms__frame(c, e.pos)->word, shms__frame_word(n, FRAME_READY, extra(c, e.number)));
    e.pos += shms__frame_bytes(n);
    return e;
}

static inline struct end append(const struct shms_channel *c, struct end e, const void *buf, size_t n)
{
    shms__copy(shms__frame(c, e.pos) + 1, buf, n);
    return append_head(c, e, n);
}

/* ---- send */

static int check(struct shms_channel *c, int timeout_ms)
{
    if (!c || timeout_ms < -1 || c->role != SHMS_SEND)
        return shms__fail(SHMS_E_INVALID);
    int rc = shms__channel_enter(c, timeout_ms);
    return rc == 0 && c->held ? shms__fail(SHMS_E_INVALID) : rc;
}

static bool is_short(const struct shms_channel *c, size_t n)
{
    return n <= c->capacity - sizeof(struct frame);
}

static __attribute__((noinline)) int send_slowly(struct shms_channel *c, const void *buf, size_t n,
                                                 int timeout_ms)
{
    int rc = !buf && n > 0 ? shms__fail(SHMS_E_INVALID) : check(c, timeout_ms);
    if (rc == 0 && !is_short(c, n))
        rc = shms__fail(SHMS_E_RANGE);
    struct patience p = {.timeout_ms = timeout_ms};
    if (rc == 0)
        rc = turn_begin(c, &p);
    if (rc == 0)
        rc = place(c, shms__frame_bytes(n), &p);
    if (rc == 0) {
        publish(c, append(c, end_of(c), buf, n));
        turn_end(c);
        shms__channel_tell_receivers(c);
    }
    return c ? (int)shms__channel_done(c, rc) : rc;
}

int shms_channel_send(shms_channel *c, const void *buf, size_t n, int timeout_ms)
{
    /* The one sender of a channel with room, and nothing unusual. */
    if (LIKELY(c && c->alone && c->role == SHMS_SEND && !c->held && timeout_ms >= -1 && buf) &&
        LIKELY(shms__channel_here(c) && is_short(c, n))) {
        uint64_t bytes = shms__frame_bytes(n);
        if (LIKELY((c->pos & c->mask) + bytes <= c->capacity && !shms__before(c->limit, c->pos + bytes))) {
            publish(c, append(c, end_of(c), buf, n));
            shms__channel_tell_receivers(c);
            return (int)shms__channel_done(c, 0);
        }
    }
    return send_slowly(c, buf, n, timeout_ms);
}

/* ---- send_all */

/* Where the frames end that begin at pos, SKIP frames included. SHMS_E_RANGE: they never fit. */
static int measure(const struct shms_channel *c, uint64_t pos, const shms_slice *messages, size_t count,
                   uint64_t *ret_end)
{
    uint64_t end = pos;
    for (size_t i = 0; i < count; i++) {
        uint64_t place = end & c->mask;
        if (!is_short(c, messages[i].size))
            return SHMS_E_RANGE;
        uint64_t bytes = shms__frame_bytes(messages[i].size);
        end += (place + bytes > c->capacity ? c->capacity - place : 0) + bytes;
        if (end - pos > c->capacity)
            return SHMS_E_RANGE;
    }
    *ret_end = end;
    return 0;
}

static struct end append_all(const struct shms_channel *c, const shms_slice *messages, size_t count)
{
    struct end e = end_of(c);
    for (size_t i = 0; i < count; i++) {
        if ((e.pos & c->mask) + shms__frame_bytes(messages[i].size) > c->capacity)
            e = append_skip(c, e);
        e = append(c, e, messages[i].data, messages[i].size);
    }
    return e;
}

/* Room for all at c->pos. The turn is held before, and after unless it fails. */
static int place_all(struct shms_channel *c, const shms_slice *messages, size_t count, struct patience *p)
{
    for (;;) {
        uint64_t end = 0;
        bool waited = false;
        int rc;
        if (measure(c, c->pos, messages, count, &end) == 0) {
            rc = get_room(c, end - c->pos, p, &waited);
            if (rc == 0 && !waited)
                return 0;
        } else {
            rc = pad(c, p); /* from the start of the ring they fit */
        }
        if (rc < 0)
            return rc;
    }
}

static int check_all(struct shms_channel *c, const shms_slice *messages, size_t count, int timeout_ms)
{
    int rc = !messages && count > 0 ? shms__fail(SHMS_E_INVALID) : check(c, timeout_ms);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (!messages[i].data && messages[i].size > 0)
            rc = shms__fail(SHMS_E_INVALID);
    uint64_t end;
    if (rc == 0 && measure(c, 0, messages, count, &end) < 0)
        rc = shms__fail(SHMS_E_RANGE);
    return rc;
}

int shms_channel_send_all(shms_channel *c, const shms_slice *messages, size_t count, int timeout_ms)
{
    struct patience p = {.timeout_ms = timeout_ms};
    int rc = check_all(c, messages, count, timeout_ms);
    if (rc < 0 || count == 0)
        return rc;
    rc = turn_begin(c, &p);
    if (rc == 0)
        rc = place_all(c, messages, count, &p);
    if (rc == 0) {
        publish(c, append_all(c, messages, count));
        turn_end(c);
        /* One is woken, and wakes the next where more is there. */
        shms__channel_tell_receivers(c);
    }
    return (int)shms__channel_done(c, rc);
}

/* ---- reserve, commit */

/* Where senders share the turn, others go on behind a reservation while it is filled. */
static void mark_reserved(struct shms_channel *c, size_t n)
{
    struct frame *f = shms__frame(c, c->pos);
    struct end e = {.pos = c->pos + shms__frame_bytes(n), .number = c->number + 1};
    c->held_word = shms__frame_word(n, FRAME_RESERVED, extra(c, e.number));
    /* relaxed: both are ordered by the store of tail */
    a64_store_relaxed(&f->owner, c->section.member.id);
    a64_store_relaxed(&f->word, c->held_word);
    publish(c, e);
}

int shms_channel_reserve(shms_channel *c, size_t n, void **ret, int timeout_ms)
{
    struct patience p = {.timeout_ms = timeout_ms};
    int rc = !ret ? shms__fail(SHMS_E_INVALID) : check(c, timeout_ms);
    if (rc == 0 && !is_short(c, n))
        rc = shms__fail(SHMS_E_RANGE);
    if (rc == 0)
        rc = turn_begin(c, &p);
    if (rc == 0)
        rc = place(c, shms__frame_bytes(n), &p);
    if (rc == 0) {
        c->held_pos = c->pos;
        c->held_word = n;
        c->held = true; /* before others can see it: what a call that is cut off has left, abort finds */
        if (!c->alone)
            mark_reserved(c, n);
        turn_end(c);
        *ret = shms__frame(c, c->held_pos) + 1;
    }
    return c ? (int)shms__channel_done(c, rc) : rc;
}

/* One store makes it a message, or nothing. False: it is not ours any more: settled before by a call that was
 * cut off, or damaged by a peer. */
static bool settle(struct shms_channel *c, size_t n, uint64_t state)
{
    struct frame *f = shms__frame(c, c->held_pos);
    uint64_t word = c->held_word, length = word & FRAME_LENGTH;
    if (!shms__held_still(c))
        return false;
    uint64_t bytes = shms__frame_bytes(n), rest = shms__frame_bytes(length) - bytes;
    if (rest > 0) {
        /* Of a broadcast, the number that comes next: a reader that has to go on here has missed this one. */
        uint64_t next = extra(c, shms__frame_extra(word) + 1);
        uint64_t skip = shms__frame_word(rest - sizeof(struct frame), FRAME_SKIP, next);
        /* relaxed: in the payload still; ordered by the compare-and-swap */
        a64_store_relaxed(&shms__frame(c, c->held_pos + bytes)->word, skip);
    }
    /* release: the payload; pairs with the acquire of word in receive.c and claim.c */
    return a64_cas_release(&f->word, &word, shms__frame_word(n, state, shms__frame_extra(word)));
}

static int enter(struct shms_channel *c, uint32_t role)
{
    return !c || (role && c->role != role) ? shms__fail(SHMS_E_INVALID) : shms__channel_enter(c, -1);
}

int shms__channel_check_held(struct shms_channel *c, uint32_t role)
{
    int rc = enter(c, role);
    return rc == 0 && !c->held ? shms__fail(SHMS_E_NOT_OWNER) : rc;
}

/* Receivers wait for it, or look behind it. A sender may wait for it, too: no room is made beyond what is
 * being filled. */
static void tell_settled(struct shms_channel *c)
{
    shms__channel_tell_receivers(c);
    shms__channel_tell_senders(c);
}

int shms_channel_commit(shms_channel *c, size_t n)
{
    int rc = shms__channel_check_held(c, SHMS_SEND);
    if (rc == 0 && n > (c->held_word & FRAME_LENGTH))
        rc = shms__fail(SHMS_E_RANGE);
    if (rc < 0)
        return rc;
    if (c->alone) {
        c->held = false;
        publish(c, append_head(c, end_of(c), n));
        shms__channel_tell_receivers(c);
    } else {
        rc = settle(c, n, FRAME_READY) ? 0 : shms__fail(SHMS_E_CORRUPT);
        shms__held_no_more(c);
        tell_settled(c);
    }
    return (int)shms__channel_done(c, rc);
}

static void give_up(struct shms_channel *c)
{
    if (c->alone)
        return;
    if (settle(c, c->held_word & FRAME_LENGTH, FRAME_SKIP))
        a64_add_relaxed(&c->shared->aborted, 1); /* relaxed: a counter for people */
    tell_settled(c);
}

int shms_channel_abort(shms_channel *c)
{
    int rc = enter(c, 0);
    if (rc == 0) {
        shms__channel_give_turns(c);
        rc = shms__channel_check_held(c, 0);
    }
    if (rc < 0)
        return rc;
    if (c->alone)
        c->held = false;
    if (c->role == SHMS_SEND)
        give_up(c);
    else if (!c->alone)
        shms__claim_put_back(c);
    else
        shms__receive_put_back(c);
    shms__held_no_more(c);
    return (int)shms__channel_done(c, 0);
}
