/* SPDX-License-Identifier: MIT */
/*
 * The members: roles, deaths, joining and leaving.
 *
 * A role stands in its member's slot together with the member's generation, so the slot's next member is not
 * taken for it. A member that leaves clears it. One that died leaves it there, even where its slot has got
 * another member: the one that finds it counts the death and then clears it, by compare-and-swap. In this
 * order, since a death must not go untold if its finder dies; two that find it in the same moment may count
 * it twice.
 *
 * An opener counts all deaths that are there, and remembers their number: so a later one is news to it.
 */
#include "channel.h"

#define JOIN_TRIES 1000

static uint32_t slots_used(const struct shms_channel *c)
{
    /* relaxed: never goes back; a member that it does not cover yet has not joined yet */
    return (uint32_t)min_u64(a32_load_relaxed(&c->section.member.region.control->slots_used), LAYOUT_SLOTS);
}

/* Whether the member of a role lives; else its death is counted. */
static bool lives(struct shms_channel *c, uint32_t slot, uint64_t role)
{
    if (shms__member_alive(&c->section.member, ref_owner(slot, (uint32_t)(role >> 32))))
        return true;
    struct member_channel *m = shms__channel_slot(c, slot);
    /* relaxed: repeated by the compare-and-swap */
    if (a64_load_relaxed(&m->role) == role) {
        uint32_t which = (uint32_t)role;
        /* relaxed: a counter, compared with its own older value only; the compare-and-swap comes after it */
        a32_add_relaxed(which == SHMS_SEND ? &c->shared->senders_died : &c->shared->receivers_died, 1);
        /* release: the count first; pairs with the acquire in shms__channel_count */
        a64_cas_release(&m->role, &role, 0);
    }
    return false;
}

uint32_t shms__channel_count(struct shms_channel *c, uint32_t role, uint32_t most)
{
    uint32_t n = 0, used = slots_used(c);
    for (uint32_t s = 0; s < used && n < most; s++) {
        /* acquire: what a sender sent before it cleared its role; pairs with shms__channel_leave */
        uint64_t r = a64_load_acquire(&shms__channel_slot(c, s)->role);
        if ((uint32_t)r == role && lives(c, s, r)) {
            n++;
            c->awaited = c->awaited ? c->awaited : ref_owner(s, (uint32_t)(r >> 32));
        }
    }
    return n;
}

/* Has anybody of the role not closed? */
static bool listed(const struct shms_channel *c, uint32_t role)
{
    uint32_t used = slots_used(c);
    for (uint32_t s = 0; s < used; s++)
        /* acquire: as in shms__channel_count; pairs with the same */
        if ((uint32_t)a64_load_acquire(&shms__channel_slot(c, s)->role) == role)
            return true;
    return false;
}

int shms__channel_other_side(struct shms_channel *c, bool asks)
{
    uint32_t role = SHMS_SEND + SHMS_RECEIVE - c->role;
    if (asks ? shms__channel_count(c, role, 1) > 0 : listed(c, role))
        return 0;
    bool receives = c->role == SHMS_RECEIVE;
    /* relaxed: counted before the role was cleared, whose load was an acquire */
    uint32_t died = a32_load_relaxed(receives ? &c->shared->senders_died : &c->shared->receivers_died);
    if (died != c->died_before)
        return SHMS_E_DIED;
    /* relaxed: counted before any role could be cleared */
    bool ever = a32_load_relaxed(receives ? &c->shared->senders_ever : &c->shared->receivers_ever) != 0;
    return ever ? SHMS_E_CLOSED : 0;
}

uint64_t shms__channel_slowest(struct shms_channel *c, uint64_t from, uint64_t most, uint64_t *ret_owner)
{
    uint32_t used = slots_used(c);
    for (uint32_t s = 0; s < used; s++) {
        struct member_channel *m = shms__channel_slot(c, s);
        /* acquire: the cursor; pairs with the release in shms__channel_begin_at */
        uint64_t role = a64_load_acquire(&m->role);
        if ((uint32_t)role != SHMS_RECEIVE)
            continue;
        /* acquire: the receiver's reads came before it; pairs with the releases of receive.c */
        uint64_t cursor = a64_load_acquire(&m->cursor);
        /* What lies before `from` has been overtaken; what lies behind tail is nonsense. */
        if (shms__before(cursor, from) || !shms__before(cursor, most))
            continue;
        if (c->asks && !lives(c, s, role))
            continue;
        most = cursor;
        if (ret_owner)
            *ret_owner = ref_owner(s, (uint32_t)(role >> 32));
    }
    return most;
}

/* ---- joining */

int shms__channel_begin_at(struct shms_channel *c, bool at_tail)
{
    struct channel *shared = c->shared;
    struct member_channel *m = shms__channel_slot(c, c->section.member.slot);
    uint64_t role = (c->section.member.id & 0xffffffff00000000ull) | SHMS_RECEIVE;
    for (int i = 0; i < JOIN_TRIES; i++) {
        /* acquire: the frames from there on; pairs with the releases of tail (send.c) and floor (space.c) */
        uint64_t pos = at_tail ? a64_load_acquire(&shared->tail) : a64_load_acquire(&shared->floor);
        a64_store_relaxed(&m->cursor, pos); /* relaxed: ordered by the store of role */
        /* release: the cursor first; pairs with the acquire in shms__channel_slowest */
        a64_store_release(&m->role, role);
        /* orders: the cursor before the look at floor; pairs with fence_seq_cst in space.c */
        fence_seq_cst();
        /* relaxed: ordered by the fence */
        if (shms__before(pos, a64_load_relaxed(&shared->floor)))
            continue;
        c->pos = pos;
        /* acquire: the frames before it; pairs with the release in send.c */
        c->seen = a64_load_acquire(&shared->tail);
        if (c->seen - pos > c->capacity)
            continue; /* senders have gone on meanwhile, or the bytes are damaged */
        if (i > 0)
            shms__channel_tell_senders(c); /* the cursor that was shown first may have held one up */
        return 0;
    }
    return shms__fail(SHMS_E_TIMEOUT);
}

/* Where the last `history` messages begin: walk there from floor, as a receiver. */
static void pass_older(struct shms_channel *c)
{
    /* relaxed: at least that of the tail that was seen; ordered by its acquire */
    uint64_t newest = a64_load_relaxed(&c->shared->number);
    for (uint64_t i = 0; i < c->capacity / 16 && c->pos != c->seen; i++) {
        uint64_t word = a64_load_relaxed(&shms__frame(c, c->pos)->word); /* relaxed: published before seen */
        uint64_t bytes = shms__frame_bytes(word & FRAME_LENGTH);
        if (shms__overtaken(c) || !shms__frame_fits(c, c->pos, bytes, c->seen))
            return; /* what is wrong, the first call will say */
        uint64_t number = shms__channel_number_before(c, shms__frame_extra(word)) + 1;
        if (newest - number + 1 <= c->history && newest + 1 != number)
            return;
        c->pos += bytes;
        /* release: what was read; pairs with the acquire in shms__channel_slowest */
        a64_store_release(c->progress, c->pos);
    }
}

static int join_broadcast(struct shms_channel *c)
{
    c->progress = &shms__channel_slot(c, c->section.member.slot)->cursor;
    int rc = shms__channel_begin_at(c, c->history == 0);
    if (rc < 0)
        return rc;
    if (c->history > 0)
        pass_older(c);
    c->number = shms__receive_number(c);
    return 0;
}

/* The one receiver before this one may have peeked the message at head. */
static void take_over_head(struct shms_channel *c)
{
    /* acquire: the frame; pairs with the release in send.c */
    uint64_t tail = a64_load_acquire(&c->shared->tail);
    if (tail == c->pos || tail - c->pos > c->capacity)
        return;
    struct frame *f = shms__frame(c, c->pos);
    uint64_t word = a64_load_relaxed(&f->word); /* relaxed: published before tail */
    if (shms__frame_state(word) == FRAME_READY)
        /* relaxed: only receivers change a READY frame, and this is the only one */
        a64_cas_relaxed(&f->word, &word, word + (1ull << FRAME_EXTRA_SHIFT));
}

/* For life. SHMS_E_FULL: another has it, and lives. */
static int take_for_life(struct shms_channel *c, a64 *turn, bool *ret_inherited)
{
    struct patience p = {.timeout_ms = 0};
    int rc = shms__cell_take(&c->section.member, turn, &p);
    *ret_inherited = rc == CELL_INHERITED;
    return rc == SHMS_E_TIMEOUT ? shms__fail(SHMS_E_FULL) : rc < 0 ? rc : 0;
}

static int join_queue(struct shms_channel *c)
{
    bool inherited = false;
    c->progress = &c->shared->head;
    if (!c->one_receiver)
        return 0;
    int rc = take_for_life(c, &c->shared->receivers_turn, &inherited);
    if (rc < 0)
        return rc;
    c->pos = c->seen = a64_load_relaxed(&c->shared->head);  /* relaxed: the turn is ours */
    c->number = a64_load_relaxed(&c->shared->received);     /* relaxed: as above */
    if (inherited)
        take_over_head(c);
    return 0;
}

static int join_senders(struct shms_channel *c)
{
    bool inherited = false;
    int rc = c->one_sender ? take_for_life(c, &c->shared->senders_turn, &inherited) : 0;
    if (rc < 0)
        return rc;
    /* relaxed: the turn is ours, or they are looked at again */
    c->pos = a64_load_relaxed(&c->shared->tail);
    c->number = a64_load_relaxed(&c->shared->number);
    /* What is known of the room: none yet, so the first message looks. */
    c->limit = c->pos;
    return 0;
}

int shms__channel_join(struct shms_channel *c)
{
    struct member *m = &c->section.member;
    struct channel *shared = c->shared = (struct channel *)(void *)m->region.control->object;
    c->held = false;
    /* Deaths before this one are none of its news; the slot may still show the role of a dead member. */
    shms__channel_count(c, SHMS_SEND, LAYOUT_SLOTS);
    shms__channel_count(c, SHMS_RECEIVE, LAYOUT_SLOTS);
    c->awaited = 0;
    if (c->role == SHMS_LOOK) {
        c->epoch = a32_load_relaxed(shms__fork_word); /* relaxed: private */
        return 0;
    }
    bool sends = c->role == SHMS_SEND;
    /* relaxed: a count to compare with; only a death that comes later is news */
    c->died_before = a32_load_relaxed(sends ? &shared->receivers_died : &shared->senders_died);
    int rc = sends ? join_senders(c) : c->kind == SHMS_QUEUE ? join_queue(c) : join_broadcast(c);
    if (rc < 0)
        return rc;
    /* release: the turn, or the cursor; pairs with the acquire in shms__channel_count */
    a64_store_release(&shms__channel_slot(c, m->slot)->role,
                      (m->id & 0xffffffff00000000ull) | c->role);
    /* relaxed: after the role, so that who sees the count without the role knows that it has left */
    a32_add_relaxed(sends ? &shared->senders_ever : &shared->receivers_ever, 1);
    c->epoch = a32_load_relaxed(shms__fork_word); /* relaxed: private */
    return 0;
}

void shms__channel_leave(struct shms_channel *c)
{
    struct member *m = &c->section.member;
    if (c->role == SHMS_LOOK)
        return;
    /* release: what was sent or read; pairs with the acquires in shms__channel_count and _slowest */
    a64_store_release(&shms__channel_slot(c, m->slot)->role, 0);
    if (c->alone && c->role == SHMS_SEND)
        shms__cell_give(m, &c->shared->senders_turn);
    else if (c->alone && c->kind == SHMS_QUEUE)
        shms__cell_give(m, &c->shared->receivers_turn);
    shms__channel_wake_all(c);
}
