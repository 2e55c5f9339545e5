/* SPDX-License-Identifier: MIT */
/*
 * Receiving without a turn: the one receiver of a queue, and each receiver of a broadcast. The protocol is in
 * channel.h.
 *
 * Where senders may go past a receiver (DROP, EXPEL), what was read counts only if limit has not passed it
 * meanwhile. So every frame that looks wrong is one that has been overwritten, if limit says so; and damaged
 * bytes, if not.
 */
#include "channel.h"

#define BEHIND_TRIES 100 /* of one that is overtaken again at once */

/* ---- numbers */

uint64_t shms__channel_number_before(const struct shms_channel *c, uint64_t low)
{
    /* relaxed: at least that of the frame, whose publishing came with an acquire */
    uint64_t next = a64_load_relaxed(&c->shared->number) + 1;
    return next - ((next - low) & FRAME_NUMBERS) - 1;
}

static void count_number(struct shms_channel *c, uint64_t word)
{
    if (c->kind == SHMS_QUEUE) {
        c->last.tries = (uint32_t)shms__frame_extra(word);
        return;
    }
    uint64_t low = shms__frame_extra(word);
    c->number = LIKELY(((low - c->number) & FRAME_NUMBERS) == 1) ? c->number + 1
                                                                 : shms__channel_number_before(c, low) + 1;
    c->last.number = c->number;
    c->last.tries = c->private_tries;
}

/* ---- overtaken */

uint64_t shms__receive_number(const struct shms_channel *c)
{
    if (c->pos == c->seen)
        return a64_load_relaxed(&c->shared->number); /* relaxed: it came with the acquire of tail */
    /* relaxed: published before seen, whose load was an acquire */
    return shms__channel_number_before(c, shms__frame_extra(a64_load_relaxed(&shms__frame(c, c->pos)->word)));
}

/* Go on at floor: SHMS_E_MISSED, and how many. */
static int go_on_behind(struct shms_channel *c)
{
    uint64_t now = c->number;
    for (int i = 0; i < BEHIND_TRIES; i++) {
        int rc = shms__channel_begin_at(c, false);
        if (rc < 0)
            return rc;
        now = shms__receive_number(c);
        if (!shms__overtaken(c))
            break;
    }
    c->missed = shms__before(c->number, now) ? now - c->number : 0;
    c->number = now;
    c->last = (shms_message){.struct_size = sizeof c->last, .missed = c->missed};
    c->private_tries = 0;
    a64_add_relaxed(&c->shared->dropped, c->missed); /* relaxed: a counter for people */
    return shms__fail(SHMS_E_MISSED);
}

/* Something is wrong with what was read. */
static int explain(struct shms_channel *c)
{
    return shms__overtaken(c) ? go_on_behind(c) : shms__fail(SHMS_E_CORRUPT);
}

/* ---- looking */

bool shms__channel_skip(struct shms_channel *c, struct frame *frame, uint64_t word)
{
    uint64_t skip = shms__frame_word(word & FRAME_LENGTH, FRAME_SKIP, shms__frame_extra(word));
    /* relaxed: orders nothing: the payload is not looked at */
    bool done = a64_cas_relaxed(&frame->word, &word, skip);
    if (done)
        a64_add_relaxed(&c->shared->aborted, 1); /* relaxed: a counter for people */
    return done;
}

static void pass(struct shms_channel *c, uint64_t bytes)
{
    c->pos += bytes;
    /* release: what was read before it; pairs with the acquires of head and cursors in space.c, peers.c */
    a64_store_release(c->progress, c->pos);
}

static int look_at_tail(struct shms_channel *c)
{
    /* acquire: the frames before it; pairs with the release in send.c */
    uint64_t tail = a64_load_acquire(&c->shared->tail);
    if (tail - c->pos > c->capacity)
        return explain(c);
    c->seen = tail;
    return tail != c->pos;
}

/* A frame that is being filled: 1 if it is to be looked at again. */
static int look_at_reserved(struct shms_channel *c, struct frame *f, uint64_t word)
{
    uint64_t owner = a64_load_relaxed(&f->owner); /* relaxed: ordered by the acquire of word */
    if (shms__overtaken(c))
        return go_on_behind(c);
    c->awaited = owner;
    if (!c->asks || shms__member_alive(&c->section.member, owner))
        return 0;
    shms__channel_skip(c, f, word);
    return 1;
}

static int look(struct shms_channel *c)
{
    for (uint64_t i = 0; i <= c->capacity / 16; i++) {
        int rc = c->pos == c->seen ? look_at_tail(c) : 1;
        if (rc != 1)
            return rc;
        struct frame *f = shms__frame(c, c->pos);
        /* acquire: the payload of one that was reserved; pairs with the release in settle, send.c */
        uint64_t word = a64_load_acquire(&f->word);
        uint64_t bytes = shms__frame_bytes(word & FRAME_LENGTH);
        if (!shms__frame_fits(c, c->pos, bytes, c->seen))
            return explain(c);
        switch (shms__frame_state(word)) {
        case FRAME_READY:
            c->held_word = word;
            return 1;
        case FRAME_SKIP:
            if (shms__overtaken(c))
                return go_on_behind(c);
            pass(c, bytes);
            shms__channel_tell_senders(c);
            break;
        case FRAME_RESERVED:
            rc = look_at_reserved(c, f, word);
            if (rc != 1)
                return rc;
            break;
        default:
            return explain(c);
        }
    }
    return shms__fail(SHMS_E_CORRUPT);
}

int shms__receive_look(struct shms_channel *c)
{
    int rc = SHMS_E_MISSED;
    /* Where only frames were overtaken that are no messages, there is nothing to tell. */
    for (int i = 0; i < BEHIND_TRIES && rc == SHMS_E_MISSED; i++) {
        rc = look(c);
        if (rc == SHMS_E_MISSED && c->missed > 0)
            return rc;
    }
    return rc == SHMS_E_MISSED ? 0 : rc;
}

/* ---- taking */

/* The message at c->pos is done with. */
static void finish(struct shms_channel *c, uint64_t word)
{
    if (c->kind == SHMS_QUEUE) {
        c->last.number = ++c->number;
        a64_store_relaxed(&c->shared->received, c->number); /* relaxed: written by the one receiver */
    }
    pass(c, shms__frame_bytes(word & FRAME_LENGTH));
    c->private_tries = 0;
    if (c->slow != SHMS_SLOW_DROP)
        shms__channel_tell_senders(c);
}

static void describe(struct shms_channel *c, uint64_t word)
{
    c->last.size = word & FRAME_LENGTH;
    c->last.missed = c->missed;
    c->missed = 0;
    count_number(c, word);
}

/* It is too long for the caller's buffer, and stays. */
static void describe_waiting(struct shms_channel *c, uint64_t word)
{
    uint64_t extra = shms__frame_extra(word);
    bool queue = c->kind == SHMS_QUEUE;
    c->last.size = word & FRAME_LENGTH;
    c->last.missed = c->missed;
    c->last.number = queue ? c->number + 1 : shms__channel_number_before(c, extra) + 1;
    c->last.tries = queue ? (uint32_t)extra : c->private_tries;
}

static int64_t copy_out(struct shms_channel *c, void *buf, size_t n)
{
    uint64_t word = c->held_word, length = word & FRAME_LENGTH;
    if (length > n) {
        describe_waiting(c, word);
        return shms__overtaken(c) ? go_on_behind(c) : shms__fail(SHMS_E_SIZE);
    }
    shms__copy(buf, shms__frame(c, c->pos) + 1, (size_t)length);
    if (c->lossy && shms__overtaken(c))
        return go_on_behind(c);
    describe(c, word);
    finish(c, word);
    return (int64_t)length;
}

static int find(struct shms_channel *c, struct patience *p)
{
    c->asks = false;
    int rc = shms__receive_look(c);
    /* relaxed: only this handle writes it. A call that was cut off may have come no further than c->pos */
    if (rc == 0 && a64_load_relaxed(c->progress) != c->pos)
        a64_store_release(c->progress, c->pos); /* release: as in pass; pairs with the same */
    return rc != 0 ? rc : shms__channel_wait(c, shms__receive_look, p);
}

static int check(struct shms_channel *c, int timeout_ms)
{
    if (!c || timeout_ms < -1 || c->role != SHMS_RECEIVE)
        return shms__fail(SHMS_E_INVALID);
    int rc = shms__channel_enter(c, timeout_ms);
    return rc == 0 && c->held ? shms__fail(SHMS_E_INVALID) : rc;
}

static __attribute__((noinline)) int64_t recv_slowly(struct shms_channel *c, void *buf, size_t n,
                                                     int timeout_ms)
{
    struct patience p = {.timeout_ms = timeout_ms};
    int64_t rc = !buf && n > 0 ? shms__fail(SHMS_E_INVALID) : check(c, timeout_ms);
    if (rc == 0 && !c->alone) {
        c->wish = (struct wish){.buf = buf, .n = n};
        rc = shms__claim(c, &p);
    } else if (rc == 0) {
        rc = find(c, &p);
        if (rc > 0)
            rc = copy_out(c, buf, n);
    }
    return c ? shms__channel_done(c, rc) : rc;
}

/* A handle that needs no turn, a message that is there, and nothing unusual: else the slow way. */
static inline bool is_there(struct shms_channel *c, uint64_t most)
{
    if (c->pos == c->seen)
        /* acquire: the frames before it; pairs with the release in send.c */
        c->seen = a64_load_acquire(&c->shared->tail);
    /* acquire: the payload of one that was reserved; pairs with the release in settle, send.c */
    uint64_t word = a64_load_acquire(&shms__frame(c, c->pos)->word);
    uint64_t length = word & FRAME_LENGTH, left = c->seen - c->pos;
    if (LIKELY(left - 1 < c->capacity && length <= most && shms__frame_state(word) == FRAME_READY) &&
        LIKELY(shms__frame_fits(c, c->pos, shms__frame_bytes(length), c->seen))) {
        c->held_word = word;
        return true;
    }
    if (left > c->capacity)
        c->seen = c->pos; /* nonsense, or overtaken: to be looked at with care */
    return false;
}

static inline bool is_plain(const struct shms_channel *c, bool held)
{
    return LIKELY(c && c->alone && c->role == SHMS_RECEIVE && c->held == held) &&
           LIKELY(shms__channel_here(c));
}

int64_t shms_channel_recv(shms_channel *c, void *buf, size_t n, int timeout_ms)
{
    if (is_plain(c, false) && LIKELY(timeout_ms >= -1 && buf) && is_there(c, n))
        return shms__channel_done(c, copy_out(c, buf, n));
    return recv_slowly(c, buf, n, timeout_ms);
}

/* ---- peek, release */

/* The message that has been found. */
static inline int64_t hold(struct shms_channel *c)
{
    if (c->lossy && shms__overtaken(c))
        return go_on_behind(c);
    c->held = true;
    c->held_pos = c->pos;
    describe(c, c->held_word);
    if (c->kind == SHMS_QUEUE)
        c->last.number = c->number + 1;
    return (int64_t)(c->held_word & FRAME_LENGTH);
}

static __attribute__((noinline)) int64_t peek_slowly(struct shms_channel *c, const void **ret, int timeout_ms)
{
    struct patience p = {.timeout_ms = timeout_ms};
    int64_t rc = !ret ? shms__fail(SHMS_E_INVALID) : check(c, timeout_ms);
    if (rc == 0 && !c->alone) {
        c->wish = (struct wish){.peeks = true};
        rc = shms__claim(c, &p);
    } else if (rc == 0) {
        rc = find(c, &p);
        if (rc > 0)
            rc = hold(c);
    }
    if (rc >= 0)
        *ret = shms__frame(c, c->held_pos) + 1;
    return c ? shms__channel_done(c, rc) : rc;
}

int64_t shms_channel_peek(shms_channel *c, const void **ret, int timeout_ms)
{
    if (is_plain(c, false) && LIKELY(timeout_ms >= -1 && ret) && is_there(c, c->capacity)) {
        int64_t rc = hold(c);
        if (LIKELY(rc >= 0))
            *ret = shms__frame(c, c->held_pos) + 1;
        return shms__channel_done(c, rc);
    }
    return peek_slowly(c, ret, timeout_ms);
}

static inline int release(struct shms_channel *c)
{
    c->held = false;
    if (c->lossy && shms__overtaken(c))
        return go_on_behind(c);
    finish(c, c->held_word);
    return 0;
}

int shms_channel_release(shms_channel *c)
{
    if (is_plain(c, true))
        return (int)shms__channel_done(c, release(c));
    int rc = shms__channel_check_held(c, SHMS_RECEIVE);
    if (rc < 0)
        return rc;
    return (int)shms__channel_done(c, c->alone ? release(c) : shms__claim_release(c));
}

/* It stays where it is; only the count of tries is new. */
void shms__receive_put_back(struct shms_channel *c)
{
    uint64_t word = c->held_word;
    if (c->kind == SHMS_BROADCAST) {
        c->private_tries++;
        c->number--; /* not got: if it is overwritten now, it has been missed */
        return;
    }
    /* relaxed: only the one receiver changes a READY frame */
    if (a64_cas_relaxed(&shms__frame(c, c->held_pos)->word, &word, word + (1ull << FRAME_EXTRA_SHIFT)))
        a64_add_relaxed(&c->shared->redelivered, 1); /* relaxed: a counter for people */
}

int shms_channel_message(shms_channel *c, shms_message *message)
{
    if (!c || !message || message->struct_size < 8 || c->role != SHMS_RECEIVE)
        return shms__fail(SHMS_E_INVALID);
    uint32_t size = message->struct_size;
    memcpy(message, &c->last, (size_t)min_u64(size, sizeof c->last));
    message->struct_size = size;
    return 0;
}
