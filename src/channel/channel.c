/* SPDX-License-Identifier: MIT */
/* Channels: opened and closed, options checked, and what can be told about them. */
#include "channel.h"

uint64_t shms__channel_start = 0;

/* ---- options */

static int copy_options(const shms_channel_options *from, shms_channel_options *ret)
{
    static const uint8_t zero[sizeof ret->reserved];
    *ret = (shms_channel_options){.struct_size = sizeof *ret};
    if (!from)
        return 0;
    uint32_t size = from->struct_size;
    if (size < 8)
        return SHMS_E_INVALID;
    for (uint32_t i = sizeof *ret; i < size; i++)
        if (((const unsigned char *)from)[i])
            return SHMS_E_INVALID;
    memcpy(ret, from, (size_t)min_u64(size, sizeof *ret));
    bool sound = ret->kind <= SHMS_BROADCAST && ret->slow <= SHMS_SLOW_EXPEL &&
                 (ret->slow == 0 || ret->kind == SHMS_BROADCAST) && ret->one_sender <= 1 &&
                 ret->one_receiver <= 1 && !(ret->one_receiver && ret->kind == SHMS_BROADCAST) &&
                 memcmp(ret->reserved, zero, sizeof zero) == 0;
    return sound ? 0 : SHMS_E_INVALID;
}

/* Of a region's options, what has no sense for a channel. */
static bool region_sound(const shms_stream_options *from)
{
    shms_stream_options o = {.struct_size = 0};
    if (!from)
        return true;
    memcpy(&o, from, (size_t)min_u64(from->struct_size, sizeof o));
    return o.access == SHMS_ACCESS_READ_WRITE && o.max_size == 0 && !o.atomic && !o.tasks && !o.init;
}

/* Rounded up; 0 stays 0. */
static bool round_up(uint64_t size, uint64_t *ret_capacity)
{
    uint64_t capacity = CHANNEL_CAPACITY_LEAST;
    if (size == 0)
        capacity = 0;
    else if (size < CHANNEL_CAPACITY_LEAST || size > CHANNEL_CAPACITY_MOST)
        return false;
    while (capacity < size)
        capacity *= 2;
    *ret_capacity = capacity;
    return true;
}

/* What a new channel's part of control begins with. */
static struct channel fresh(const shms_channel_options *o, uint64_t capacity)
{
    struct channel s;
    uint64_t start = shms__channel_start;
    memset(&s, 0, sizeof s);
    a32_store_relaxed(&s.format, CHANNEL_FORMAT);           /* relaxed: private, as all below */
    a32_store_relaxed(&s.fingerprint, CHANNEL_FINGERPRINT); /* relaxed: as above */
    a32_store_relaxed(&s.kind, o->kind);                    /* relaxed: as above */
    a32_store_relaxed(&s.slow, o->slow);                    /* relaxed: as above */
    a32_store_relaxed(&s.one_sender, o->one_sender);        /* relaxed: as above */
    a32_store_relaxed(&s.one_receiver, o->one_receiver);    /* relaxed: as above */
    a64_store_relaxed(&s.capacity, capacity);               /* relaxed: as above */
    a64_store_relaxed(&s.tail, start);                      /* relaxed: as above */
    a64_store_relaxed(&s.head, start);                      /* relaxed: as above */
    a64_store_relaxed(&s.next, start);                      /* relaxed: as above */
    a64_store_relaxed(&s.floor, start);                     /* relaxed: as above */
    a64_store_relaxed(&s.limit, start);                     /* relaxed: as above */
    return s;
}

/* ---- open and close */

/* The constants become private copies. */
static int read_constants(struct shms_channel *c)
{
    struct region *r = &c->section.member.region;
    const struct channel *s = (const struct channel *)(const void *)r->control->object;
    /* relaxed: written before the region was ready, which the life-cycle lock came after */
    if (a32_load_relaxed(&s->format) != CHANNEL_FORMAT ||
        a32_load_relaxed(&s->fingerprint) != CHANNEL_FINGERPRINT)
        return shms__fail(SHMS_E_FORMAT);
    uint32_t one_sender = a32_load_relaxed(&s->one_sender);     /* relaxed: as above */
    uint32_t one_receiver = a32_load_relaxed(&s->one_receiver); /* relaxed: as above */
    c->kind = a32_load_relaxed(&s->kind);                       /* relaxed: as above */
    c->slow = a32_load_relaxed(&s->slow);                       /* relaxed: as above */
    c->capacity = a64_load_relaxed(&s->capacity);               /* relaxed: as above */
    bool sound = c->kind <= SHMS_BROADCAST && c->slow <= SHMS_SLOW_EXPEL && one_sender <= 1 &&
                 one_receiver <= 1 && c->capacity >= CHANNEL_CAPACITY_LEAST &&
                 c->capacity <= CHANNEL_CAPACITY_MOST && (c->capacity & (c->capacity - 1)) == 0 &&
                 c->capacity <= shms__region_size(r);
    if (!sound)
        return shms__fail(SHMS_E_CORRUPT);
    c->one_sender = one_sender;
    c->one_receiver = one_receiver;
    c->ring = r->data;
    c->mask = (c->capacity - 1) & ~15ull;
    return 0;
}

/* Is it what the opener said? One that creates nothing may say nothing. */
static bool agrees(const struct shms_channel *c, const shms_channel_options *o, bool may_be_silent)
{
    const uint32_t is[] = {c->kind, c->slow, c->one_sender, c->one_receiver};
    const uint32_t wanted[] = {o->kind, o->slow, o->one_sender, o->one_receiver};
    for (size_t i = 0; i < sizeof is / sizeof is[0]; i++)
        if (is[i] != wanted[i] && !(may_be_silent && wanted[i] == 0))
            return false;
    return true;
}

static int take_up(struct shms_channel *c, uint32_t role, const shms_channel_options *o, bool may_be_silent)
{
    int rc = read_constants(c);
    if (rc < 0)
        return rc;
    if (!agrees(c, o, may_be_silent))
        return shms__fail(SHMS_E_INVALID);
    c->role = role;
    c->history = o->history;
    c->last.struct_size = sizeof c->last;
    c->alone = role == SHMS_SEND ? c->one_sender : c->kind == SHMS_BROADCAST || c->one_receiver;
    c->lossy = c->kind == SHMS_BROADCAST && c->slow != SHMS_SLOW_BLOCK;
    rc = shms__channel_join(c);
    return (int)shms__channel_done(c, rc);
}

static int open_whole(const struct handle_request *h, uint32_t role, const shms_channel_options *o,
                      struct shms_channel **ret)
{
    struct section *s = NULL;
    int rc = shms__handle_open(h, sizeof **ret, &s);
    if (rc < 0)
        return rc;
    struct shms_channel *c = (struct shms_channel *)(void *)s;
    rc = take_up(c, role, o, h->size == 0);
    if (rc < 0) {
        int oserror = shms_last_oserror();
        shms__handle_close(s);
        shms__restore_oserror(oserror);
        return rc;
    }
    *ret = c;
    return 0;
}

int shms_channel_open(const char *name, uint64_t size, int role, const shms_channel_options *options,
                      shms_channel **ret)
{
    shms_channel_options o;
    uint64_t capacity = 0;
    if (!name || !ret || role < SHMS_LOOK || role > SHMS_RECEIVE || (role == SHMS_LOOK && size > 0) ||
        copy_options(options, &o) < 0 ||
        !region_sound(o.region) || !round_up(size, &capacity))
        return shms__fail(SHMS_E_INVALID);
    struct channel begin = fresh(&o, capacity);
    struct handle_request h = {.name = name, .size = capacity, .fd = -1, .options = o.region,
                               .kind = KIND_CHANNEL, .object = &begin, .object_size = sizeof begin};
    shms__let_cancel();
    shms__quiet_begin(); /* no handler meets a member whose role is half there */
    int rc = open_whole(&h, (uint32_t)role, &o, ret);
    shms__quiet_end();
    return rc;
}

static int join_anew(struct shms_channel *c, int timeout_ms)
{
    int rc = shms__member_enter_within(&c->section.member, timeout_ms);
    if (rc < 0)
        return rc;
    c->history = 0; /* a child of fork begins now */
    return shms__channel_join(c);
}

int shms__channel_enter(struct shms_channel *c, int timeout_ms)
{
    if (shms__channel_here(c))
        return 0;
    shms__quiet_begin();
    int rc = join_anew(c, timeout_ms);
    shms__quiet_end();
    return rc;
}

void shms_channel_close(shms_channel *c)
{
    if (!c)
        return;
    shms__quiet_begin();
    if (shms__channel_here(c)) {
        (void)shms_channel_abort(c); /* which also gives back what a call that was cut off has left */
        shms__channel_leave(c);
    }
    shms__handle_close(&c->section);
    shms__quiet_end();
}

/* ---- notify, poll */

int shms_channel_notify(shms_channel *c)
{
    int rc = c ? shms__channel_enter(c, -1) : shms__fail(SHMS_E_INVALID);
    if (rc < 0)
        return rc;
    a32_add_relaxed(&c->shared->notices, 1); /* relaxed: ordered by the exchange in shms__channel_wake_all */
    shms__channel_wake_all(c);
    return (int)shms__channel_done(c, 0);
}

int shms_channel_poll_fd(shms_channel *c)
{
    int fd = -1;
    int rc = c ? shms__channel_enter(c, -1) : shms__fail(SHMS_E_INVALID);
    if (rc == 0)
        rc = shms__poll_open(&c->section, &fd);
    return rc < 0 ? rc : fd;
}

/* ---- info */

static uint64_t bytes_used(struct shms_channel *c)
{
    const struct channel *s = c->shared;
    /* acquire: head, or limit, before tail, so that it is not the larger; pairs with their releases */
    uint64_t from = a64_load_acquire(c->kind == SHMS_QUEUE ? &s->head : &s->limit);
    uint64_t tail = a64_load_relaxed(&s->tail); /* relaxed: loaded after it */
    if (c->kind == SHMS_BROADCAST && c->slow != SHMS_SLOW_DROP)
        from = shms__channel_slowest(c, from, tail, NULL);
    return min_u64(tail - from, c->capacity);
}

int shms_channel_info(shms_channel *c, shms_channel_stats *stats)
{
    if (!c || !stats || stats->struct_size < 8)
        return shms__fail(SHMS_E_INVALID);
    int rc = shms__channel_enter(c, -1);
    if (rc < 0)
        return rc;
    const struct channel *s = c->shared;
    uint64_t aborted = a64_load_relaxed(&s->aborted); /* relaxed: this and all below: a moment's numbers */
    uint64_t number = a64_load_relaxed(&s->number);   /* relaxed: as above */
    c->asks = true;
    shms_channel_stats full = {
        .struct_size = stats->struct_size,
        .kind = c->kind,
        .slow = c->slow,
        .senders = shms__channel_count(c, SHMS_SEND, LAYOUT_SLOTS),
        .receivers = shms__channel_count(c, SHMS_RECEIVE, LAYOUT_SLOTS),
        .capacity = c->capacity,
        .used = bytes_used(c),
        .sent = number - min_u64(aborted, number),
        .received = a64_load_relaxed(&s->received),         /* relaxed: as above */
        .dropped = a64_load_relaxed(&s->dropped),           /* relaxed: as above */
        .aborted = aborted,
        .redelivered = a64_load_relaxed(&s->redelivered),   /* relaxed: as above */
        .senders_died = a32_load_relaxed(&s->senders_died), /* relaxed: as above */
        .waits = a64_load_relaxed(&s->waits),               /* relaxed: as above */
    };
    memcpy(stats, &full, (size_t)min_u64(stats->struct_size, sizeof full));
    return (int)shms__channel_done(c, 0);
}
