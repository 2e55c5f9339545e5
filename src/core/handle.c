/* SPDX-License-Identifier: MIT */
/* Handles of any kind of object: options resolved, a region found or made and joined, and left. */
#include "handle.h"

#include "readers.h"
#include "unnamed.h"
#include "version.h"

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

enum found { NAMED, NEW_UNNAMED, PASSED };

/* What makes no sense for this way to a region. */
static int check_found(const shms_stream_options *o, uint64_t size, enum found found)
{
    bool sound;
    if (found == NAMED) {
        sound = o->mode != 0400 && (size > 0 || o->create != SHMS_CREATE_ONLY);
    } else {
        bool is_new = found == NEW_UNNAMED;
        uint32_t contrary = is_new ? SHMS_OPEN_ONLY : SHMS_CREATE_ONLY;
        sound = !o->keep && o->create != contrary && (size > 0) == is_new &&
                (o->max_size == 0 || (is_new && o->max_size == size)) &&
                (is_new ? o->owners == 0 && o->owner_uid == 0 : o->sparse == 0);
        if (sound && o->atomic)
            return shms__fail(SHMS_E_UNSUPPORTED); /* a sealed file has no room for a journal */
    }
    return sound ? 0 : shms__fail(SHMS_E_INVALID);
}

static int resolve_options(const shms_stream_options *options, uint64_t size, enum found found,
                           struct region_request *ret)
{
    shms_stream_options o;
    int rc = copy_options(options, &o);
    if (rc < 0 || !options_sound(&o, size))
        return shms__fail(SHMS_E_INVALID);
    rc = check_found(&o, size, found);
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
        .unnamed = found != NAMED,
        .fd = -1,
        .no_guard = o.no_guard,
        .timeout_ns = (int64_t)(o.open_timeout_ms ? o.open_timeout_ms : OPEN_TIMEOUT_MS) * 1000000,
    };
    return 0;
}

/* ---- open and close */

static int open_once(struct member *m, const struct region_request *q, int64_t deadline)
{
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

static int open_until(struct member *m, const struct region_request *q, struct guard *guard)
{
    int64_t deadline = shms__now_ns() + q->timeout_ns;
    struct name name = m->region.name;
    for (;;) {
        *m = (struct member){.region = {.name = name, .guard = guard}, .watch = {.fd = -1}};
        a32_store_relaxed(&m->epoch, a32_load_relaxed(shms__fork_word)); /* relaxed: not shared yet */
        int rc = open_once(m, q, deadline);
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

static int open_handle(const struct handle_request *h, const struct region_request *q, struct member *m)
{
    int rc = 0;
    if (!q->unnamed)
        rc = shms__name_resolve(h->name, q->size > 0 && q->create != SHMS_OPEN_ONLY, &m->region.name);
    struct guard *guard = NULL;
    if (rc == 0 && !q->no_guard)
        rc = shms__guard_take(m, shms__member_lose, shms__member_fill, &guard);
    if (rc == 0)
        rc = open_until(m, q, guard);
    if (rc < 0)
        shms__guard_drop(guard);
    return rc;
}

int shms__handle_open(const struct handle_request *h, size_t object_size, struct member **ret)
{
    struct region_request q;
    enum found found = h->fd >= 0 ? PASSED : h->name ? NAMED : NEW_UNNAMED;
    int rc = resolve_options(h->options, h->size, found, &q);
    q.fd = h->fd;
    if (rc == 0)
        rc = shms__region_setup();
    if (rc < 0)
        return rc;
    struct member *m = calloc(1, object_size);
    if (!m)
        return shms__fail(SHMS_E_NOMEM);
    rc = open_handle(h, &q, m);
    if (rc < 0) {
        free(m);
        return rc;
    }
    roll_back_the_dead(m);
    if (shms__member_lost(m)) {
        shms__handle_close(m);
        return shms__fail(SHMS_E_LOST);
    }
    *ret = m;
    return 0;
}

void shms__handle_close(struct member *m)
{
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
    free(m);
}

int shms__handle_unlink(const char *name)
{
    struct name n;
    int rc = shms__name_resolve(name, false, &n);
    return rc < 0 ? rc : shms__region_unlink(&n, (int64_t)OPEN_TIMEOUT_MS * 1000000);
}
