/* SPDX-License-Identifier: MIT */
/* Dicts: opened and closed; get, set, del and add. */
#include "evict.h"
#include "keylock.h"
#include "look.h"

#define KEY_DEFAULT 256
#define VALUE_DEFAULT 65536
#define CELL_DEFAULT 256
#define RING_DEFAULT 1024
#define OPEN_TIMEOUT_MS 5000

/* ---- what a dict is for ever */

struct shape {
    uint64_t size;
    uint64_t seed[2];
    uint32_t cell_size, ring, policy, key_max, value_max;
};

static bool power_of_two(uint64_t n, uint64_t least, uint64_t most)
{
    return n >= least && n <= most && (n & (n - 1)) == 0;
}

static uint32_t log2_of(uint64_t n)
{
    uint32_t log2 = 0;
    while (n >>= 1)
        log2++;
    return log2;
}

static bool shape_sound(const struct shape *s, uint64_t most)
{
    return power_of_two(s->cell_size, DICT_CELL_MIN, DICT_CELL_MAX) &&
           power_of_two(s->ring, DICT_RING_MIN, DICT_RING_MAX) && s->key_max >= 1 &&
           s->key_max <= DICT_KEY_MOST && s->value_max >= 8 && s->value_max <= most / 4 &&
           s->policy >= POLICY_NONE && s->policy <= POLICY_LRU && most / s->cell_size <= CELLS_MOST &&
           s->size >= DICT_SIZE_MIN && DICT_RING + 8ull * s->ring <= s->size / 2;
}

static void shape_of(const shms_dict_options *o, uint64_t size, struct shape *ret)
{
    uint64_t ring = min_u64(RING_DEFAULT, 1ull << log2_of(size / 128 + 1)),
             value = min_u64(VALUE_DEFAULT, size / 8);
    *ret = (struct shape){
        .size = size,
        .cell_size = o->cell_size ? o->cell_size : CELL_DEFAULT,
        .ring = o->ring ? o->ring : (uint32_t)ring,
        .policy = o->policy ? o->policy : POLICY_NONE,
        .key_max = o->key_max ? o->key_max : KEY_DEFAULT,
        .value_max = o->value_max ? o->value_max : (uint32_t)value,
    };
}

/* Keep what the header says for ever, as far as it can be. */
static int take_shape(shms_dict *d, const struct shape *s)
{
    uint64_t most = d->section.member.region.capacity;
    if (!shape_sound(s, most > s->size ? most : s->size))
        return shms__fail(SHMS_E_CORRUPT);
    d->cell_size = s->cell_size;
    d->cell_shift = log2_of(s->cell_size);
    uint64_t first = (DICT_RING + 8ull * s->ring + s->cell_size - 1) >> d->cell_shift;
    d->first_cell = (uint32_t)(first < 2 ? 2 : first);
    d->ring = s->ring;
    d->key_max = s->key_max;
    d->value_max = s->value_max;
    d->policy = s->policy;
    d->seed[0] = s->seed[0];
    d->seed[1] = s->seed[1];
    return 0;
}

/* ---- a new dict */

static void clear(unsigned char *p, uint64_t n)
{
    memset(p, 0, (size_t)n);
}

/* Two slot arrays for about as many records as there are cells, but no more than a quarter of the memory. */
static uint32_t first_log2(const shms_dict *d, uint64_t total)
{
    uint32_t log2 = log2_of(total);
    while (log2 > 3 && 2 * shms__cells_for_slots(d, log2) > total / 4)
        log2--;
    return log2 < DICT_LOG2_MAX ? log2 : DICT_LOG2_MAX;
}

/* All of the header but magic. The region may have bytes of a dead one's try. */
static void write_header(shms_dict *d, const struct shape *s, uint64_t total, uint32_t log2)
{
    struct dict_header *h = d->header;
    uint64_t n = shms__cells_for_slots(d, log2);
    /* relaxed: nobody else is in yet; so are all stores below */
    a32_store_relaxed(&h->format, DICT_FORMAT);
    a32_store_relaxed(&h->fingerprint, DICT_FINGERPRINT);
    a32_store_relaxed(&h->cell_size, s->cell_size);
    a32_store_relaxed(&h->ring, s->ring);
    a32_store_relaxed(&h->key_max, s->key_max);
    a32_store_relaxed(&h->value_max, s->value_max);
    a32_store_relaxed(&h->policy, s->policy);
    a64_store_relaxed(&h->seed[0], s->seed[0]);
    a64_store_relaxed(&h->seed[1], s->seed[1]);
    a64_store_relaxed(&h->table, (uint64_t)log2 << TABLE_LOG2_SHIFT | d->first_cell);
    a64_store_relaxed(&h->block, d->first_cell);
    a64_store_relaxed(&h->fresh, d->first_cell + 2 * n);
    a64_store_relaxed(&h->total, total);
    a64_store_relaxed(&h->next_expiry, INT64_MAX);
}

/* Called with the lock held, before anybody else's open returns. */
static int format(struct section *section, const shms_stream_options *o)
{
    shms_dict *d = (shms_dict *)(void *)section;
    struct shape s = *(const struct shape *)o->init_context;
    struct region *r = &section->member.region;
    d->header = (struct dict_header *)(void *)r->data;
    int rc = shms__random(s.seed, sizeof s.seed);
    if (rc == 0)
        rc = take_shape(d, &s);
    if (rc < 0)
        return rc;
    uint64_t total = min_u64(s.size >> d->cell_shift, CELLS_MOST);
    uint32_t log2 = first_log2(d, total);
    uint64_t end = d->first_cell + 2 * shms__cells_for_slots(d, log2);
    uint64_t most = r->capacity >> d->cell_shift;
    if (log2 < 3 || end >= total || end + shms__cells_kept(d) >= most)
        return shms__fail(SHMS_E_INVALID); /* no room for a record */
    clear(r->data, end << d->cell_shift);
    write_header(d, &s, total, log2);
    /* release: the rest of the header; pairs with the acquire in read_shape */
    a64_store_release(&d->header->magic, DICT_MAGIC);
    return 0;
}

/* ---- open and close */

static int read_shape(shms_dict *d, struct shape *ret)
{
    struct region *r = &d->section.member.region;
    const struct dict_header *h = (const struct dict_header *)(const void *)r->data;
    int wrong = r->data_only ? SHMS_E_KIND : SHMS_E_CORRUPT;
    ret->size = shms__region_size(r);
    /* acquire: the rest of the header; pairs with the release in format */
    if (ret->size < DICT_SIZE_MIN || a64_load_acquire(&h->magic) != DICT_MAGIC)
        return shms__fail(wrong);
    /* relaxed: constant since magic was stored; so are all loads below */
    if (a32_load_relaxed(&h->format) != DICT_FORMAT || a32_load_relaxed(&h->fingerprint) != DICT_FINGERPRINT)
        return shms__fail(SHMS_E_FORMAT);
    /* relaxed: as above */
    *ret = (struct shape){.size = ret->size,
                          .seed = {a64_load_relaxed(&h->seed[0]), a64_load_relaxed(&h->seed[1])},
                          .cell_size = a32_load_relaxed(&h->cell_size),
                          .ring = a32_load_relaxed(&h->ring),
                          .key_max = a32_load_relaxed(&h->key_max),
                          .value_max = a32_load_relaxed(&h->value_max),
                          .policy = a32_load_relaxed(&h->policy)};
    return 0;
}

static bool agrees(uint32_t asked, uint32_t found)
{
    return asked == 0 || asked == found;
}

static int join(shms_dict *d, const shms_dict_options *o)
{
    struct shape s = {0};
    int rc = read_shape(d, &s);
    if (rc == 0)
        rc = take_shape(d, &s);
    if (rc < 0)
        return rc;
    d->header = (struct dict_header *)(void *)d->section.member.region.data;
    d->secret = o->secret;
    if (d->secret)
        shms__map_hide(d->section.member.region.data, d->section.member.region.capacity);
    d->now_ns = o->now_ns;
    d->now_context = o->now_context;
    d->timeout_ms = o->open_timeout_ms ? o->open_timeout_ms : OPEN_TIMEOUT_MS;
    shms__cells_grown(d);
    bool same = agrees(o->cell_size, s.cell_size) && agrees(o->ring, s.ring) && agrees(o->policy, s.policy) &&
                agrees(o->key_max, s.key_max) && agrees(o->value_max, s.value_max);
    return same ? 0 : shms__fail(SHMS_E_INVALID);
}

/* A private copy, whatever length the caller's header gave it. */
static int copy_options(const shms_dict_options *from, shms_dict_options *ret)
{
    *ret = (shms_dict_options){.struct_size = sizeof *ret};
    if (!from)
        return 0;
    uint32_t size = from->struct_size;
    if (size < 8)
        return shms__fail(SHMS_E_INVALID);
    for (uint32_t i = sizeof *ret; i < size; i++)
        if (((const unsigned char *)from)[i])
            return shms__fail(SHMS_E_INVALID);
    memcpy(ret, from, (size_t)min_u64(size, sizeof *ret));
    static const uint8_t zero[sizeof ret->reserved];
    bool sound = memcmp(ret->reserved, zero, sizeof zero) == 0 && ret->open_timeout_ms >= 0 &&
                 ret->secret <= 1;
    return sound ? 0 : shms__fail(SHMS_E_INVALID);
}

static int never_called(shms_stream *s, void *context)
{
    (void)s, (void)context;
    return SHMS_E_INVALID; /* format is called in its place */
}

/* A handle that only reads makes no dict. */
static shms_stream_options region_options(const shms_dict_options *o, struct shape *s)
{
    bool reads = o->access == SHMS_ACCESS_READ && o->create == SHMS_CREATE_OR_OPEN;
    return (shms_stream_options){
        .struct_size = sizeof(shms_stream_options),
        .access = o->access,
        .create = reads ? SHMS_OPEN_ONLY : o->create,
        .owners = o->owners,
        .owner_uid = o->owner_uid,
        .mode = o->mode,
        .max_size = o->max_size,
        .open_timeout_ms = o->open_timeout_ms,
        .keep = o->keep,
        .no_bell = o->no_bell,
        .no_guard = o->no_guard,
        .init = never_called,
        .init_context = s,
    };
}

int shms_dict_open(const char *name, uint64_t size, const shms_dict_options *options, shms_dict **ret)
{
    static const struct dict_object object = {{DICT_FORMAT}, {DICT_FINGERPRINT}};
    shms_dict_options o;
    struct section *section = NULL;
    int rc = ret && name ? copy_options(options, &o) : shms__fail(SHMS_E_INVALID);
    if (rc < 0)
        return rc;
    struct shape s;
    shape_of(&o, size, &s);
    if ((size && !shape_sound(&s, o.max_size > size ? o.max_size : size)) ||
        (o.access == SHMS_ACCESS_READ && o.create == SHMS_CREATE_ONLY))
        return shms__fail(SHMS_E_INVALID);
    shms_stream_options region = region_options(&o, &s);
    struct handle_request h = {.name = name, .size = size, .fd = -1, .options = &region, .kind = KIND_DICT,
                               .object = &object, .object_size = sizeof object, .init = format};
    rc = shms__handle_open(&h, sizeof **ret, &section);
    if (rc < 0)
        return rc;
    rc = join((shms_dict *)(void *)section, &o);
    if (rc < 0) {
        shms__handle_close(section);
        return rc;
    }
    *ret = (shms_dict *)(void *)section;
    return 0;
}

void shms_dict_close(shms_dict *d)
{
    if (!d)
        return;
    shms__keylock_release_all(d);
    shms__handle_close(&d->section);
}

int shms_dict_unlink(const char *name)
{
    return shms__handle_unlink(name);
}

/* ---- get */

/* Where records go that were not used for long, readers say that they used one: to the second. */
static void touch(shms_dict *d, const struct entry *r, struct clock *clock)
{
    if (d->policy != POLICY_LRU || !d->section.member.region.writable)
        return;
    a32 *used = &shms__head_at(d, r->cell)->used;
    uint32_t now = shms__clock_s(clock);
    /* relaxed: a hint; in a cell that has become another record's meanwhile it does no harm */
    if (a32_load_relaxed(used) != now)
        a32_store_relaxed(used, now); /* relaxed: as above */
}

int64_t shms_dict_get(shms_dict *d, const void *key, size_t key_size, void *buf, size_t size,
                      shms_dict_record *ret)
{
    int rc = shms__check_key(d, key, key_size);
    if (rc == 0 && ((!buf && size > 0) || !shms__record_sound(ret)))
        rc = shms__fail(SHMS_E_INVALID);
    if (rc == 0)
        rc = shms__dict_enter(d);
    if (rc < 0)
        return rc;
    struct wanted w = shms__wanted(d, key, (uint32_t)key_size, 0);
    struct clock clock = {.dict = d};
    struct entry r;
    rc = shms__look(d, &w, buf, size, &r);
    if (rc == LOOK_FOUND && shms__clock_past(&clock, r.expires_ns))
        rc = LOOK_ABSENT;
    if (rc == LOOK_ABSENT)
        rc = shms__fail(SHMS_E_NOT_FOUND);
    rc = (int)shms__member_done(&d->section.member, rc);
    if (rc < 0)
        return rc;
    touch(d, &r, &clock);
    shms__tell(ret, &r);
    return (int64_t)r.lengths.value;
}

/* ---- changes */

/* What the caller wants besides: a private copy, and the expiry as a moment. */
struct terms {
    int64_t if_version;
    int64_t expires_ns;
    struct stamp stamp;
    int timeout_ms; /* of the writers' lock */
};

static int read_how(const shms_dict_how *from, bool expires, struct clock *clock, struct terms *ret)
{
    const shms_dict *d = clock->dict;
    shms_dict_how how = {0};
    if (from) {
        if (from->struct_size < 8)
            return shms__fail(SHMS_E_INVALID);
        for (uint32_t i = sizeof how; i < from->struct_size; i++)
            if (((const unsigned char *)from)[i])
                return shms__fail(SHMS_E_INVALID);
        memcpy(&how, from, (size_t)min_u64(from->struct_size, sizeof how));
    }
    if ((how.flags & ~(uint32_t)SHMS_DICT_NO_WAIT) || how.if_version < -1 || how.expires_ns < 0 ||
        how.ttl_ms < 0 || (how.expires_ns && how.ttl_ms) || (!expires && (how.expires_ns || how.ttl_ms)) ||
        how.stamp_ns < 0 || (how.origin && !how.stamp_ns))
        return shms__fail(SHMS_E_INVALID);
    *ret = (struct terms){.if_version = how.if_version,
                          .expires_ns = how.expires_ns,
                          .stamp = {how.stamp_ns, how.origin},
                          .timeout_ms = how.flags & SHMS_DICT_NO_WAIT ? 0 : d->timeout_ms};
    if (how.stamp_ns == 0)
        shms__clock_stamp(clock);
    if (how.ttl_ms == 0)
        return 0;
    int64_t now = shms__clock_ns(clock);
    if (how.ttl_ms > (INT64_MAX - (now > 0 ? now : 0)) / 1000000)
        return shms__fail(SHMS_E_RANGE);
    ret->expires_ns = now + how.ttl_ms * 1000000;
    return ret->expires_ns > 0 ? 0 : shms__fail(SHMS_E_RANGE);
}

/* Is there a record, to the caller? */
static bool present(const struct place *p, struct clock *clock)
{
    return p->cell && !shms__clock_past(clock, p->record.expires_ns);
}

static int check_version(const struct place *p, int64_t if_version, struct clock *clock)
{
    if (if_version == 0)
        return 0;
    bool there = present(p, clock);
    if (if_version < 0)
        return there ? shms__fail(SHMS_E_EXISTS) : 0;
    return there && (int64_t)p->record.version == if_version ? 0 : shms__fail(SHMS_E_CHANGED);
}

/* One change of a record: what it will be is made when its place is known. */
struct edit {
    struct wanted wanted;
    struct terms terms;
    struct content content;
    bool adds; /* the value is a number, to which delta is added */
    int64_t delta;
    int64_t number;
};

static int sum(shms_dict *d, const struct place *p, struct edit *e, struct clock *clock)
{
    if (present(p, clock)) {
        const struct lengths *l = &p->record.lengths;
        if (l->value != sizeof e->number)
            return shms__fail(SHMS_E_INVALID);
        if (!shms__record_copy(d, p->cell, l->key, &e->number, sizeof e->number))
            return shms__fail(SHMS_E_CORRUPT);
        e->content.expires_ns = p->record.expires_ns;
    }
    return __builtin_add_overflow(e->number, e->delta, &e->number) ? shms__fail(SHMS_E_RANGE) : 0;
}

/* By the holder of the lock. */
static int64_t put(shms_dict *d, struct edit *e, struct room *room, struct clock *clock)
{
    int64_t start = e->number;
    for (;;) {
        struct place p;
        e->number = start;
        e->content.expires_ns = e->terms.expires_ns;
        e->content.stamp = e->terms.stamp;
        int rc = shms__table_find(d, &e->wanted, &p);
        if (rc == 0)
            rc = check_version(&p, e->terms.if_version, clock);
        if (rc == 0 && e->adds)
            rc = sum(d, &p, e, clock);
        if (rc == 0)
            rc = shms__evict_for(d, &p, room, clock);
        if (rc < 0)
            return rc;
        if (rc == 0)
            return shms__change_put(d, &e->wanted, &p, &e->content, clock);
    }
}

static int64_t change(shms_dict *d, struct edit *e, struct clock *clock)
{
    struct room room = {.cells = shms__cells_for(d, (uint64_t)e->wanted.key_size + e->content.size)};
    int rc = shms__change_begin_within(d, e->terms.timeout_ms);
    if (rc < 0)
        return rc;
    room.changed = shms__evict_step(d, clock);
    int64_t version = put(d, e, &room, clock);
    return shms__change_end(d, version >= 0 || room.changed, version);
}

int64_t shms_dict_set(shms_dict *d, const void *key, size_t key_size, const void *value, size_t value_size,
                      const shms_dict_how *how)
{
    struct clock clock = {.dict = d};
    struct edit e = {.content = {.value = value, .size = (uint32_t)value_size}};
    int rc = shms__check_key(d, key, key_size);
    if (rc == 0 && !value && value_size > 0)
        rc = shms__fail(SHMS_E_INVALID);
    if (rc == 0 && value_size > d->value_max)
        rc = shms__fail(SHMS_E_RANGE);
    if (rc == 0)
        rc = read_how(how, true, &clock, &e.terms);
    if (rc < 0)
        return rc;
    e.wanted = shms__wanted(d, key, (uint32_t)key_size, 0);
    return change(d, &e, &clock);
}

int64_t shms_dict_add(shms_dict *d, const void *key, size_t key_size, int64_t delta, int64_t start,
                      const shms_dict_how *how, int64_t *ret_value)
{
    struct clock clock = {.dict = d};
    struct edit e = {.adds = true, .delta = delta, .number = start};
    int rc = shms__check_key(d, key, key_size);
    if (rc == 0)
        rc = read_how(how, true, &clock, &e.terms);
    if (rc < 0)
        return rc;
    e.content = (struct content){.value = &e.number, .size = sizeof e.number};
    if (d->value_max < sizeof e.number)
        return shms__fail(SHMS_E_RANGE);
    e.wanted = shms__wanted(d, key, (uint32_t)key_size, 0);
    int64_t version = change(d, &e, &clock);
    if (version >= 0 && ret_value)
        *ret_value = e.number;
    return version;
}

/* By the holder of the lock. *ret_wrote: what had expired went, though nothing was there to delete. */
static int64_t drop(shms_dict *d, const struct wanted *w, const struct terms *terms, struct clock *clock,
                    bool *ret_wrote)
{
    struct place p;
    int rc = shms__table_find(d, w, &p);
    if (rc < 0)
        return rc;
    bool there = present(&p, clock);
    if (!there && terms->if_version > 0)
        rc = shms__fail(SHMS_E_CHANGED);
    else if (!there)
        rc = shms__fail(SHMS_E_NOT_FOUND);
    else
        rc = check_version(&p, terms->if_version, clock);
    if (rc < 0 && !(p.cell && !there))
        return rc;
    int64_t version = shms__change_drop(d, &p, there ? 0 : RECORD_EXPIRED, terms->stamp, clock);
    *ret_wrote = version >= 0;
    return there || version < 0 ? version : rc;
}

int64_t shms_dict_del(shms_dict *d, const void *key, size_t key_size, const shms_dict_how *how)
{
    struct clock clock = {.dict = d};
    struct terms terms;
    int rc = shms__check_key(d, key, key_size);
    if (rc == 0)
        rc = read_how(how, false, &clock, &terms);
    if (rc == 0 && terms.if_version < 0)
        rc = shms__fail(SHMS_E_INVALID); /* delete what is not there */
    if (rc == 0)
        rc = shms__change_begin_within(d, terms.timeout_ms);
    if (rc < 0)
        return rc;
    struct wanted w = shms__wanted(d, key, (uint32_t)key_size, 0);
    bool wrote = false;
    int64_t version = drop(d, &w, &terms, &clock, &wrote);
    return shms__change_end(d, wrote, version);
}
