/* SPDX-License-Identifier: MIT */
/* Streams: arguments checked, options resolved, and the calls handed to the rooms below. */
#include "stream.h"

#include "unnamed.h"

#include <stdlib.h>
#include <string.h>

#define SIZE_MOST (1ull << 62)
#define OPEN_TIMEOUT_MS 5000

/* ---- options */

/* A private copy, whatever length the caller's header gave it. */
static int copy_options(const shms_stream_options *from, shms_stream_options *ret)
{
    *ret = (shms_stream_options){.struct_size = sizeof *ret};
    if (!from)
        return 0;
    uint32_t size = from->struct_size;
    if (size < 8)
        return SHMS_E_INVALID;
    for (uint32_t i = sizeof *ret; i < size; i++)
        if (((const unsigned char *)from)[i])
            return SHMS_E_INVALID;
    memcpy(ret, from, (size_t)min_u64(size, sizeof *ret));
    return 0;
}

static bool options_sound(const shms_stream_options *o, uint64_t size)
{
    static const uint8_t zero[sizeof o->reserved];
    return o->access <= SHMS_ACCESS_READ && o->create <= SHMS_OPEN_ONLY && o->owners <= SHMS_OWNER_ANY &&
           (o->mode == 0 || o->mode == 0400 || ((o->mode & 0600) == 0600 && !(o->mode & ~0666u))) &&
           (o->max_size == 0 || (o->max_size >= size && o->max_size <= SIZE_MOST)) &&
           o->open_timeout_ms >= 0 && o->keep <= 1 && o->sparse <= 1 && o->huge_pages <= 1 &&
           o->lock_memory <= 1 && o->atomic <= 1 && o->no_bell <= 1 && o->no_guard <= 1 &&
           memcmp(o->reserved, zero, sizeof zero) == 0 && size <= SIZE_MOST;
}

enum kind { NAMED, NEW_UNNAMED, PASSED };

/* What makes no sense for this kind of region. */
static int check_kind(const shms_stream_options *o, uint64_t size, enum kind kind)
{
    bool sound;
    if (kind == NAMED) {
        sound = o->mode != 0400 && (size > 0 || o->create != SHMS_CREATE_ONLY);
    } else {
        bool is_new = kind == NEW_UNNAMED;
        uint32_t contrary = is_new ? SHMS_OPEN_ONLY : SHMS_CREATE_ONLY;
        sound = !o->keep && o->create != contrary && (size > 0) == is_new &&
                (o->max_size == 0 || (is_new && o->max_size == size)) &&
                (is_new ? o->owners == 0 && o->owner_uid == 0 : o->sparse == 0);
        if (sound && o->atomic)
            return shms__fail(SHMS_E_UNSUPPORTED); /* a sealed file has no room for a journal */
    }
    return sound ? 0 : shms__fail(SHMS_E_INVALID);
}

static int resolve_options(const shms_stream_options *options, uint64_t size, enum kind kind,
                           struct region_request *ret)
{
    shms_stream_options o;
    int rc = copy_options(options, &o);
    if (rc < 0 || !options_sound(&o, size))
        return shms__fail(SHMS_E_INVALID);
    rc = check_kind(&o, size, kind);
    if (rc < 0)
        return rc;
    *ret = (struct region_request){
        .size = size,
        .max_size = o.max_size,
        .create = o.create,
        .trust = {.owners = o.owners, .owner_uid = o.owner_uid, .mode = o.mode ? o.mode : 0600},
        .writable = o.access == SHMS_ACCESS_READ_WRITE,
        .keep = o.keep,
        .atomic = o.atomic,
        .sparse = o.sparse,
        .huge_pages = o.huge_pages,
        .lock_memory = o.lock_memory,
        .no_bell = o.no_bell,
        .unnamed = kind != NAMED,
        .fd = -1,
        .no_guard = o.no_guard,
        .timeout_ns = (int64_t)(o.open_timeout_ms ? o.open_timeout_ms : OPEN_TIMEOUT_MS) * 1000000,
    };
    return 0;
}

/* ---- open and close */

static int open_once(shms_stream *s, const struct region_request *q, int64_t deadline)
{
    struct member *m = &s->member;
    int rc = q->unnamed ? shms__unnamed_open(&m->region, q, deadline)
                        : shms__region_open(&m->region, q, deadline);
    if (rc < 0)
        return rc;
    rc = shms__member_join(m);
    if (rc == 0)
        rc = shms__region_publish(&m->region);
    if (rc < 0)
        shms__region_abandon(&m->region);
    return rc;
}

static int open_until(shms_stream *s, const struct region_request *q, struct guard *guard)
{
    int64_t deadline = shms__now_ns() + q->timeout_ns;
    struct name name = s->member.region.name;
    for (;;) {
        *s = (shms_stream){.member = {.region = {.name = name, .guard = guard}, .watch_fd = -1}};
        a32_store_relaxed(&s->member.epoch, a32_load_relaxed(shms__fork_word)); /* relaxed: not shared yet */
        int rc = open_once(s, q, deadline);
        if (rc != SHMS__RETRY)
            return rc;
        if (shms__now_ns() >= deadline)
            return shms__fail(SHMS_E_TIMEOUT);
    }
}

/* An opener finds whole data, even before anybody takes the lock. */
static void roll_back_the_dead(struct member *m)
{
    /* relaxed: a hint; a section that is open and lives is left alone */
    if (m->region.control && a64_load_relaxed(&m->region.control->journal_used))
        shms__settle(m);
}

/* `name` may be NULL for a region without one. */
static int open_stream(const char *name, const struct region_request *q, shms_stream **ret)
{
    int rc = shms__region_setup();
    if (rc < 0)
        return rc;
    shms_stream *s = calloc(1, sizeof *s);
    if (!s)
        return shms__fail(SHMS_E_NOMEM);
    if (!q->unnamed)
        rc = shms__name_resolve(name, q->size > 0 && q->create != SHMS_OPEN_ONLY, &s->member.region.name);
    struct guard *guard = NULL;
    if (rc == 0 && !q->no_guard)
        rc = shms__guard_take(&s->member, shms__member_lose, shms__member_fill, &guard);
    if (rc == 0)
        rc = open_until(s, q, guard);
    if (rc < 0) {
        shms__guard_drop(guard);
        free(s);
        return rc;
    }
    roll_back_the_dead(&s->member);
    if (shms__member_lost(&s->member)) {
        shms_stream_close(s);
        return shms__fail(SHMS_E_LOST);
    }
    *ret = s;
    return 0;
}

int shms_stream_open(const char *name, uint64_t size, const shms_stream_options *options, shms_stream **ret)
{
    struct region_request q;
    if (!ret)
        return shms__fail(SHMS_E_INVALID);
    int rc = resolve_options(options, size, name ? NAMED : NEW_UNNAMED, &q);
    return rc < 0 ? rc : open_stream(name, &q, ret);
}

int shms_stream_open_fd(int fd, const shms_stream_options *options, shms_stream **ret)
{
    struct region_request q;
    if (!ret || fd < 0)
        return shms__fail(SHMS_E_INVALID);
    int rc = resolve_options(options, 0, PASSED, &q);
    q.fd = fd;
    return rc < 0 ? rc : open_stream(NULL, &q, ret);
}

int shms_stream_fd(shms_stream *s)
{
    if (!s)
        return shms__fail(SHMS_E_INVALID);
    struct region *r = &s->member.region;
    if (!r->unnamed)
        return shms__fail(SHMS_E_UNSUPPORTED);
    int rc = shms__stream_enter_data(s);
    if (rc < 0)
        return rc;
    int fd = -1;
    rc = shms__unnamed_pass(r, &fd);
    return rc < 0 ? rc : fd;
}

void shms_stream_close(shms_stream *s)
{
    if (!s)
        return;
    struct member *m = &s->member;
    shms__process_lock();
    shms__fork_catch_up();
    shms__process_unlock();
    if (m->region.control)
        shms__lock_forsake(m, m->region.writable);
    shms__poll_close(m);
    shms__journal_close(m);
    struct guard *guard = m->region.guard;
    shms__member_leave(m);
    shms__guard_drop(guard);
    free(s);
}

int shms_stream_unlink(const char *name)
{
    struct name n;
    int rc = shms__name_resolve(name, false, &n);
    return rc < 0 ? rc : shms__region_unlink(&n, (int64_t)OPEN_TIMEOUT_MS * 1000000);
}

/* ---- what a handle is */

void *shms_stream_memory(shms_stream *s)
{
    return s ? s->member.region.data : NULL;
}

uint64_t shms_stream_size(shms_stream *s)
{
    return s && shms__stream_enter_data(s) == 0 ? shms__region_size(&s->member.region) : 0;
}

int shms_stream_existed(shms_stream *s)
{
    return s && s->member.region.existed;
}

int shms_stream_resize(shms_stream *s, uint64_t size)
{
    if (!s || size == 0)
        return shms__fail(SHMS_E_INVALID);
    struct region *r = &s->member.region;
    if (!r->writable)
        return shms__fail(SHMS_E_READ_ONLY);
    int rc = shms__member_enter(&s->member);
    if (rc < 0)
        return rc;
    if (!shms__lock_held(&s->member))
        return shms__fail(SHMS_E_NOT_OWNER);
    if (size > r->capacity)
        return shms__fail(SHMS_E_RANGE);
    uint64_t precious = 0;
    if (s->member.id & CELL_ATOMIC)
        rc = shms__journal_resize(&s->member, size, &precious);
    return rc < 0 ? rc : (int)shms__member_done(&s->member, shms__region_resize(r, size, precious));
}

/* ---- lock */

static int enter(shms_stream *s)
{
    return s ? shms__member_enter(&s->member) : shms__fail(SHMS_E_INVALID);
}

/* A handle that lives in this process and takes part: all but the first call of a child of fork. */
static inline bool as_usual(const shms_stream *s)
{
    return s && shms__member_here(&s->member);
}

/* What the two hot calls do when not all is as usual; apart, so that those need no stack frame. */
static __attribute__((noinline, cold)) int lock_first(shms_stream *s, int timeout_ms)
{
    int rc = timeout_ms < -1 ? shms__fail(SHMS_E_INVALID) : enter(s);
    return rc < 0 ? rc : shms__lock(&s->member, timeout_ms, s->member.region.writable);
}

static __attribute__((noinline, cold)) int unlock_first(shms_stream *s)
{
    int rc = enter(s);
    if (rc < 0)
        return rc;
    struct member *m = &s->member;
    /* A thread of this handle that waits for readers has the cell, too, but no section to give back yet.
     * relaxed: private; whoever may release the lock knows that it was taken */
    bool reads = shms__reads_here(m) || a64_load_relaxed(&m->holder) == 0;
    rc = reads ? shms__unlock_shared(m) : shms__unlock_wake(m, m->region.writable);
    if (rc == SHMS_E_NOT_OWNER)
        rc = reads ? shms__unlock_wake(m, m->region.writable) : shms__unlock_shared(m);
    return (int)shms__member_done(m, rc);
}

int shms_stream_lock(shms_stream *s, int timeout_ms)
{
    if (!as_usual(s) || timeout_ms < -1)
        return lock_first(s, timeout_ms);
    return shms__lock(&s->member, timeout_ms, s->member.region.writable);
}

int shms_stream_unlock(shms_stream *s)
{
    if (!as_usual(s))
        return unlock_first(s);
    if (shms__unlock_quick(&s->member, s->member.region.writable))
        return 0;
    return shms__reads_first(&s->member) ? shms__reader_leave(&s->member, 0) : unlock_first(s);
}

static __attribute__((noinline, cold)) int lock_shared_first(shms_stream *s, int timeout_ms)
{
    int rc = timeout_ms < -1 ? shms__fail(SHMS_E_INVALID) : enter(s);
    return rc < 0 ? rc : shms__lock_shared(&s->member, timeout_ms);
}

int shms_stream_lock_shared(shms_stream *s, int timeout_ms)
{
    if (!as_usual(s) || timeout_ms < -1)
        return lock_shared_first(s, timeout_ms);
    return shms__lock_shared(&s->member, timeout_ms);
}

int shms_stream_repaired(shms_stream *s)
{
    int rc = enter(s);
    return rc < 0 ? rc : (int)shms__member_done(&s->member, shms__repaired(&s->member));
}

/* ---- version */

static __attribute__((noinline, cold)) int64_t snapshot_first(shms_stream *s, void *buf, size_t n,
                                                              int64_t offset)
{
    if (!s || (!buf && n > 0) || n > PTRDIFF_MAX)
        return shms__fail(SHMS_E_INVALID);
    if (offset < 0)
        return shms__fail(SHMS_E_RANGE);
    int rc = enter(s);
    if (rc < 0)
        return rc;
    return shms__member_done(&s->member, shms__snapshot_again(&s->member, buf, n, (uint64_t)offset));
}

int64_t shms_stream_snapshot(shms_stream *s, void *buf, size_t n, int64_t offset)
{
    /* one test for two: neither has its highest bit set */
    if (as_usual(s) && buf && ((uint64_t)n | (uint64_t)offset) <= INT64_MAX &&
        shms__snapshot_whole(&s->member, buf, n, (uint64_t)offset))
        return (int64_t)n;
    return snapshot_first(s, buf, n, offset);
}

int64_t shms_stream_version(shms_stream *s)
{
    int rc = enter(s);
    return rc < 0 ? rc : shms__member_done(&s->member, shms__version(&s->member));
}

int shms_stream_wait(shms_stream *s, int64_t *seen, int timeout_ms)
{
    int rc = !seen || timeout_ms < -1 ? shms__fail(SHMS_E_INVALID) : enter(s);
    return rc < 0 ? rc : (int)shms__member_done(&s->member, shms__wait(&s->member, seen, timeout_ms));
}

int shms_stream_notify(shms_stream *s)
{
    int rc = enter(s);
    if (rc == 0 && !s->member.region.writable)
        rc = shms__fail(SHMS_E_READ_ONLY);
    return rc < 0 ? rc : (int)shms__member_done(&s->member, shms__notify(&s->member));
}

int shms_stream_poll_fd(shms_stream *s)
{
    int fd = -1;
    int rc = enter(s);
    if (rc == 0 && s->member.region.frozen) /* ringing is a write, which it has forbidden itself, too */
        rc = shms__fail(SHMS_E_UNSUPPORTED);
    if (rc == 0)
        rc = shms__poll_open(&s->member, &fd);
    return rc < 0 ? rc : fd;
}
