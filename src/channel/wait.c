/* SPDX-License-Identifier: MIT */
/*
 * Sleeping and waking.
 *
 * A sleeper reads its side's signal, sets its side's flag (asleep_...), looks LOOKS times, and sleeps on the
 * signal. The publisher loads the flag; if it is set, takes it out, counts the signal up and wakes. So
 * the signal changes between a sleeper's look and its sleep, or the flag is seen.
 *
 * But for one thing: who publishes does not order its store before its load of the flag, which would cost
 * every message a fence. The store may thus still wait in its processor when the flag is read as 0. It does
 * not wait for long: the sleeper's LOOKS after the flag are there to outlast it, and a slice of SLICE_NS
 * bounds what a store that is slower than that costs. A poll descriptor has no slices, so LOOKS_POLL is
 * longer.
 *
 * In a queue one receiver is woken for one message. It sets the flag again, since others may sleep, and wakes
 * the next where more is there (claim.c). All others are woken together.
 *
 * Slices are long from the first on: a short timer makes each sleep dearer. Deaths are told sooner by the
 * bell (core/slice.h) of the one member that the wait is for: the owner of a frame, the holder of a turn, the
 * slowest receiver, or the first of the other side.
 *
 * What a crash leaves:
 *   sleeper, flag set                 one needless wake-up
 *   waker, flag taken, not woken      the sleepers' slices end
 *   woken receiver, flag not set      the others' slices end
 */
#include "channel.h"

#include <limits.h>

#define SLICE_NS 100000000
#define TRIES_NS 1000000
#define LOOKS 24       /* pauses apart: longer than any store waits */
#define LOOKS_POLL 300
#define SPINS 600       /* pauses in all before the flag is set */
#define SPINS_CLOSE 16
#define LEAD_MOST 63
#define SPINS_APART 32
#define TURN_TRY_MS 2 /* how long a try waits for a turn that another holds for one message */

static a32 *asleep(const struct shms_channel *c, uint32_t role)
{
    return role == SHMS_SEND ? &c->shared->asleep_senders : &c->shared->asleep_receivers;
}

static a32 *signal_of(const struct shms_channel *c, uint32_t role)
{
    return role == SHMS_SEND ? &c->shared->signal_senders : &c->shared->signal_receivers;
}

static void ring_polls(struct shms_channel *c)
{
    const struct file *f = shms__region_control_file(&c->section.member.region);
    if (f)
        shms__file_ring(f, offsetof(struct control, bell));
}

void shms__channel_wake(struct shms_channel *c, uint32_t role, bool all)
{
    /* orders: what was published before the flag goes; pairs with a32_or_seq_cst in arm */
    uint32_t who = a32_exchange_seq_cst(asleep(c, role), 0);
    if (who & ASLEEP_THREAD) {
        shms__member_contend(&c->section.member); /* it may wait for this member again */
        a32_add_relaxed(signal_of(c, role), 1); /* relaxed: the futex call compares it */
        shms__wake(signal_of(c, role), all ? INT_MAX : 1);
    }
    if (who & ASLEEP_POLL)
        ring_polls(c);
}

void shms__channel_wake_all(struct shms_channel *c)
{
    for (uint32_t role = SHMS_SEND; role <= SHMS_RECEIVE; role++) {
        /* orders: the role that was cleared, or the notice, first; pairs with a32_or_seq_cst in arm */
        uint32_t who = a32_exchange_seq_cst(asleep(c, role), 0);
        a32_add_relaxed(signal_of(c, role), 1); /* relaxed: the futex call compares it */
        shms__wake(signal_of(c, role), INT_MAX);
        if (who & ASLEEP_POLL)
            ring_polls(c);
    }
}

/* Has it a poll descriptor? Then what that tells is taken. */
static bool has_poll(struct shms_channel *c)
{
    if (c->section.watch.fd < 0) /* the handle is this thread's alone, and a try must not cost system calls */
        return false;
    shms__process_lock();
    shms__watch_drain(&c->section.watch);
    bool polls = c->section.watch.fd >= 0;
    shms__process_unlock();
    return polls;
}

void shms__channel_poll_again(struct shms_channel *c)
{
    c->turned_away = true;
    if (has_poll(c)) /* drained first: of two writes that nobody has read, the second makes no event */
        ring_polls(c);
}

int shms__channel_turn(struct shms_channel *c, a64 *turn, struct patience *p)
{
    struct member *m = &c->section.member;
    if (LIKELY(shms__cell_try(m, turn)) || shms__cell_mine(m, turn))
        return 0; /* ours already: a call was cut off by siglongjmp */
    /* A try is to fail for want of a message, not because another receives one at this moment. */
    struct patience at_least = {.timeout_ms = TURN_TRY_MS};
    int rc = shms__cell_take(m, turn, p->timeout_ms == 0 ? &at_least : p);
    if (rc == SHMS_E_TIMEOUT && p->timeout_ms == 0)
        shms__channel_poll_again(c);
    return rc < 0 ? rc : 0;
}

bool shms__channel_turn_at_once(struct shms_channel *c, a64 *turn)
{
    struct patience none = {.timeout_ms = 0};
    struct member *m = &c->section.member;
    return shms__cell_mine(m, turn) || shms__cell_take(m, turn, &none) >= 0;
}

void shms__channel_give_turns(struct shms_channel *c)
{
    struct member *m = &c->section.member;
    struct channel *shared = c->shared;
    bool for_life = c->alone && c->kind == SHMS_QUEUE && c->role == SHMS_RECEIVE;
    if (!for_life && shms__cell_mine(m, &shared->receivers_turn)) {
        shms__claim_finish(c);
        shms__cell_give(m, &shared->receivers_turn);
    }
    for_life = c->alone && c->role == SHMS_SEND;
    if (for_life) /* what the call had written, but not published, is not sent */
        c->pos = a64_load_relaxed(&shared->tail); /* relaxed: only this handle writes it */
    if (!for_life && shms__cell_mine(m, &shared->senders_turn)) {
        /* relaxed: the turn is held. Reserved, but not shown yet */
        if (c->held && !shms__before(c->held_pos, a64_load_relaxed(&shared->tail)))
            c->held = false;
        shms__cell_give(m, &shared->senders_turn);
    }
}

/* ---- looking */

static int look_often(struct shms_channel *c, int (*look)(struct shms_channel *c), int looks)
{
    for (int i = 0; i < looks; i++) {
        int rc = look(c);
        if (rc != 0)
            return rc;
        spin_pause();
    }
    return 0;
}

static void pause_often(int n)
{
    while (n-- > 0)
        spin_pause();
}

/* Looks at growing distances: each takes the line from the one that is to write it. The first are close to
 * each other, for one that waits for an answer. Where what is awaited is always there at the first look, the
 * other side sends without a pause: it gets a lead then, since two that write and read the same lines at once
 * are both slow. */
static int spin(struct shms_channel *c, int (*look)(struct shms_channel *c))
{
    pause_often(c->lead);
    int rc = look(c);
    if (rc != 0) {
        c->lead = c->alone && c->lead < LEAD_MOST ? 2 * c->lead + 1 : c->lead; /* a turn gives leads anyway */
        return rc;
    }
    c->lead = 0;
    for (int step = 1, spun = 0; spun < SPINS; spun += step) {
        pause_often(step);
        rc = look(c);
        if (rc != 0)
            return rc;
        if (spun >= SPINS_CLOSE && step < SPINS_APART)
            step *= 2;
    }
    return 0;
}

/* Nothing is there, and nobody holds anything that could come back. */
static bool is_empty(const struct shms_channel *c)
{
    if (c->role == SHMS_SEND)
        return c->kind == SHMS_QUEUE; /* a broadcast needs no receiver */
    /* relaxed: what follows looks again, after the acquire of the roles */
    return c->alone || a64_load_relaxed(&c->shared->head) == a64_load_relaxed(&c->shared->tail);
}

/* 0, what look() gives, or how the stream has ended. */
static int look_for_end(struct shms_channel *c, int (*look)(struct shms_channel *c), bool asks)
{
    if (!is_empty(c))
        return 0;
    int end = shms__channel_other_side(c, asks);
    if (end == 0)
        return 0;
    int rc = look(c); /* what was sent before the last one closed */
    return rc != 0 || !is_empty(c) ? rc : shms__fail(end);
}

/* Set the flag, so that who publishes from now on wakes. */
static void arm(struct shms_channel *c, uint32_t flags)
{
    /* orders: the flag before the looks that follow; pairs with the exchange in shms__channel_wake */
    a32_or_seq_cst(asleep(c, c->role), flags);
}

/* ---- */

/* Is it time to ask whether others live? Each question is a system call. */
static bool is_due(struct shms_channel *c, int64_t now, int64_t every_ns)
{
    if (now - c->asked_ns < every_ns)
        return false;
    c->asked_ns = now;
    return true;
}

/* A try: a poll descriptor is armed. What a dead member may have left is looked at with all care; but where
 * nothing is there, and a program tries over and over, it asks once a millisecond whether the others live. */
static int look_once(struct shms_channel *c, int (*look)(struct shms_channel *c))
{
    c->asks = true;
    int rc = look(c);
    if (rc == 0 && !c->turned_away && has_poll(c)) {
        arm(c, ASLEEP_POLL);
        /* One that is stopped in its turn is tried once: each look at the turn may take milliseconds. */
        for (int i = 0; i < LOOKS_POLL && rc == 0 && !c->turned_away; i++)
            rc = look_often(c, look, 1);
    }
    if (rc == 0)
        rc = look_for_end(c, look, is_due(c, shms__now_ns(), TRIES_NS));
    return rc != 0 ? rc : shms__fail(SHMS_E_TIMEOUT);
}

static int sleep_once(struct shms_channel *c, struct slices *slices, uint32_t signal, int64_t most_ns)
{
    a64_add_relaxed(&c->shared->waits, 1); /* relaxed: a counter for people */
    c->waited = true;
    return shms__sleep(&c->section.member, slices, c->awaited, signal_of(c, c->role), signal, most_ns);
}

/* The flag is set, and the last look was in vain. One that found the turn taken has not looked at all: its
 * holder may have made its room before the flag was there, and tells of none when it goes. */
static int look_last(struct shms_channel *c, int (*look)(struct shms_channel *c))
{
    if (!c->turned_away)
        return 0;
    c->patient = true;
    int rc = look(c);
    c->patient = c->turned_away = false;
    return rc;
}

static int wait_long(struct shms_channel *c, int (*look)(struct shms_channel *c), struct patience *p)
{
    int rc = spin(c, look);
    if (rc != 0)
        return rc;
    struct slices slices = {.ns = SLICE_NS, .most_ns = SLICE_NS};
    uint32_t notices = a32_load_relaxed(&c->shared->notices); /* relaxed: compared with itself */
    int64_t deadline = shms__patience_end(p);
    bool in_vain = false;
    for (;;) {
        /* acquire: what came before a wake-up that this look has missed; pairs with the or in arm */
        uint32_t signal = a32_load_acquire(signal_of(c, c->role));
        arm(c, ASLEEP_THREAD);
        int64_t now = shms__now_ns();
        c->asks = is_due(c, now, in_vain ? 0 : SLICE_NS);
        if (c->asks)
            c->awaited = 0; /* the looks say anew whom to wait for */
        rc = look_often(c, look, c->asks ? 1 : LOOKS);
        if (rc == 0)
            rc = look_for_end(c, look, c->asks);
        if (rc == 0 && c->asks) {
            c->asks = false;
            rc = look_often(c, look, LOOKS);
        }
        if (rc == 0)
            rc = look_last(c, look);
        if (rc != 0)
            return rc;
        /* relaxed: counted up before the signal, whose change ends the sleep */
        c->told = a32_load_relaxed(&c->shared->notices) != notices;
        if (!shms__member_here(&c->section.member))
            return shms__fail(SHMS_E_LOST); /* a handler of the program forked, and this is the child */
        if (c->told || now >= deadline || shms__member_lost(&c->section.member))
            return shms__fail(SHMS_E_TIMEOUT); /* the caller looks for the last again */
        int how = sleep_once(c, &slices, signal, deadline - now);
        in_vain = how == SLEEP_TIMEOUT || how == SLEEP_RUNG;
    }
}

int shms__channel_wait(struct shms_channel *c, int (*look)(struct shms_channel *c), struct patience *p)
{
    c->asks = c->told = false;
    c->turned_away = false;
    int rc = p->timeout_ms == 0 ? look_once(c, look) : wait_long(c, look, p);
    /* A handler of the program may have forked, and this is the child: what it found is nothing. */
    return (int)shms__member_still(&c->section.member, rc);
}
