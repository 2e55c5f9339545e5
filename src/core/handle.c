/* SPDX-License-Identifier: MIT */
/* Handles of any kind of object: options resolved, a region found or made and joined, and left. */
#include "handle.h"

#include "fork.h"
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
           o->tasks <= 1 && memcmp(o->reserved, zero, sizeof zero) == 0 && size <= SIZE_MOST;
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
    if (o->init && o->access == SHMS_ACCESS_READ && size > 0 && o->create != SHMS_OPEN_ONLY)
        sound = false; /* what it could make it could not fill */
    return sound ? 0 : shms__fail(SHMS_E_INVALID);
}

static int resolve_options(const struct handle_request *h, enum found found, struct region_request *ret,
                           shms_stream_options *ret_options)
{
    shms_stream_options o;
    int rc = copy_options(h->options, &o);
    if (rc < 0 || !options_sound(&o, h->size))
        return shms__fail(SHMS_E_INVALID);
    *ret_options = o;
    rc = check_found(&o, h->size, found);
    if (rc < 0)
        return rc;
    int64_t timeout_ns = (int64_t)(o.open_timeout_ms ? o.open_timeout_ms : OPEN_TIMEOUT_MS) * 1000000;
    *ret = (struct region_request){
        .size = h->size,
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
        .fd = h->fd,
        .init = o.init != NULL,
        .kind = h->kind,
        .object = h->object,
        .object_size = h->object_size,
        .no_guard = o.no_guard,
        .timeout_ns = timeout_ns,
        .deadline = shms__now_ns() + timeout_ns,
    };
    return 0;
}

/* ---- open and close */

static void renew(struct member *m)
{
    struct section *s = (struct section *)(void *)m;
    shms__section_renew(s);
    shms__watch_close(&s->watch);
}

/* The creator that owes an init holds the lock from before anybody else can see the region. Where it does not
 * get it (a stranger at the gate has it), wait_for_init tries for longer. */
static int join(struct section *s, const struct region_request *q)
{
    int rc = shms__member_join(&s->member);
    if (rc == 0 && q->init && !s->member.region.existed)
        shms__lock(s, 0);
    return rc < 0 ? rc : shms__region_publish(&s->member.region);
}

static int open_once(struct section *s, const struct region_request *q, int64_t deadline)
{
    struct region *r = &s->member.region;
    int rc = q->unnamed ? shms__unnamed_open(r, q, deadline) : shms__region_open(r, q, deadline);
    if (rc < 0)
        return rc;
    s->careful = r->atomic;
    rc = join(s, q);
    if (rc < 0)
        shms__region_abandon(r);
    return rc;
}

static int open_until(struct section *s, const struct region_request *q, const struct name *name,
                      struct guard *guard)
{
    for (;;) {
        *s = (struct section){.member = {.region = {.name = *name, .guard = guard}, .renew = renew},
                              .watch = {.fd = -1}};
        a32_store_relaxed(&s->member.epoch, a32_load_relaxed(shms__fork_word)); /* relaxed: not shared yet */
        int rc = open_once(s, q, q->deadline);
        /* What control says after its memory was taken away is nothing. */
        if (rc < 0 && rc != SHMS__RETRY && shms__member_lost(&s->member))
            return shms__fail(SHMS_E_LOST);
        if (rc != SHMS__RETRY)
            return rc;
        if (shms__now_ns() >= q->deadline)
            return shms__fail(SHMS_E_TIMEOUT);
    }
}

static int open_section(struct section *s, const struct handle_request *h, const struct region_request *q)
{
    struct name name = {0};
    struct guard *guard = NULL;
    int rc = 0;
    if (!q->unnamed)
        rc = shms__name_resolve(h->name, q->size > 0 && q->create != SHMS_OPEN_ONLY, &name);
    if (rc == 0 && !q->no_guard)
        rc = shms__guard_take(&s->member, shms__member_lose, shms__member_fill, &guard);
    if (rc == 0)
        rc = open_until(s, q, &name, guard);
    if (rc < 0)
        shms__guard_drop(guard);
    return rc;
}

/* An opener finds whole data, of its true size, even before anybody takes the lock. */
static int settle(struct section *s, const struct region_request *q)
{
    struct region *r = &s->member.region;
    /* relaxed: a hint; a section that is open and lives is left alone */
    if (r->control && a64_load_relaxed(&r->control->journal_used))
        shms__section_settle(s);
    if (shms__member_lost(&s->member))
        return shms__fail(SHMS_E_LOST);
    return !r->control && shms__region_size(r) < q->size ? shms__fail(SHMS_E_SIZE) : 0;
}

/* What is left of the time for opening, which all of its waits share. */
static int left_ms(const struct region_request *q)
{
    int64_t left = (q->deadline - shms__now_ns()) / 1000000;
    return left < 0 ? 0 : (int)left;
}

/* Smaller than asked counts only between two sections: one that is open may end with the old size. */
static int check_size(struct section *s, const struct region_request *q)
{
    struct region *r = &s->member.region;
    if (shms__region_size(r) >= q->size)
        return 0;
    int rc = shms__lock_shared(s, left_ms(q));
    if (rc < 0)
        return rc;
    bool smaller = shms__region_size(r) < q->size;
    shms__unlock_shared(s);
    return (int)shms__member_done(&s->member, smaller ? shms__fail(SHMS_E_SIZE) : 0);
}

/* ---- init */

/* The lock is held, and nobody's init has succeeded yet. */
static int run_init(struct section *s, const struct handle_request *h, const shms_stream_options *o)
{
    struct control *c = s->member.region.control;
    s->opening = s->careful = true;
    shms__restore_oserror(0); /* what is told of a failure is init's */
    int rc = h->init(s, o);
    s->opening = false;
    s->careful = s->member.region.atomic;
    if (s->gone)
        return shms__fail(SHMS_E_CLOSED);
    if (!shms__member_here(&s->member))
        return shms__fail(SHMS_E_NOT_OWNER); /* a child that init has forked; the section is the parent's */
    if (rc < 0)
        return rc;
    /* The commit decides: a taker that undoes the section makes init owed again. relaxed: the lock is held */
    a32_store_relaxed(&c->init, INIT_ENDING);
    shms__section_commit(s);
    shms__repaired(s); /* it is all new */
    /* release: what init wrote; pairs with the acquire in wait_for_init */
    a32_store_release(&c->init, INIT_DONE);
    rc = shms__unlock(s);
    return rc < 0 ? shms__fail(SHMS_E_CORRUPT) : 0; /* a peer has overwritten the cell */
}

/* Until an init has succeeded, be it by this call. */
static int wait_for_init(struct section *s, const struct handle_request *h, const struct region_request *q,
                         const shms_stream_options *o)
{
    struct control *c = s->member.region.control;
    uint32_t init;
    /* acquire: what init wrote; pairs with the release in run_init */
    while ((init = a32_load_acquire(&c->init)) == INIT_OWED || init == INIT_ENDING) {
        int64_t seen = shms__version(s);
        int rc = shms__lock(s, left_ms(q));
        if (rc < 0)
            return rc;
        bool owed = a32_load_relaxed(&c->init) == INIT_OWED; /* relaxed: the lock is held; so below */
        if (a32_load_relaxed(&c->init) == INIT_ENDING) /* its process died, after the commit */
            a32_store_release(&c->init, INIT_DONE); /* release: as in run_init */
        if (owed && o->init && s->member.region.writable)
            return run_init(s, h, o);
        shms__unlock(s);
        if (owed && shms__wait(s, &seen, left_ms(q)) < 0)
            return shms__fail(SHMS_E_TIMEOUT);
    }
    return 0;
}

/* ---- */

/* The region is joined, and whole; *ret is set even if it is not. */
static int open_whole(const struct handle_request *h, const struct region_request *q, size_t object_size,
                      struct section **ret)
{
    struct section *s = calloc(1, object_size);
    if (!s)
        return shms__fail(SHMS_E_NOMEM);
    int rc = open_section(s, h, q);
    if (rc < 0) {
        free(s);
        return rc;
    }
    *ret = s;
    return settle(s, q);
}

static int complete(struct section *s, const struct handle_request *h, const struct region_request *q,
                    const shms_stream_options *o)
{
    struct region *r = &s->member.region;
    if (!r->control)
        return 0;
    bool owes = o->init && shms__lock_held(s); /* else it is a peer that says so */
    int rc = owes ? run_init(s, h, o) : wait_for_init(s, h, q, o);
    if (rc == 0)
        rc = check_size(s, q);
    s->tasks = s->readers.tasks = o->tasks; /* init is no task: it may not lock once more */
    /* relaxed: never taken back */
    if (rc == 0 && q->keep && !(a32_load_relaxed(&r->control->flags) & FLAG_KEEP))
        rc = shms__region_keep(r);
    return rc;
}

/* In one frame, but for init and the wait for another's. */
int shms__handle_open(const struct handle_request *h, size_t object_size, struct section **ret)
{
    struct region_request q;
    shms_stream_options o;
    struct section *s = NULL;
    int rc = resolve_options(h, h->fd >= 0 ? PASSED : h->name ? NAMED : NEW_UNNAMED, &q, &o);
    if (rc == 0)
        rc = shms__region_setup();
    if (rc < 0)
        return rc;
    shms__let_cancel();
    shms__quiet_begin();
    rc = open_whole(h, &q, object_size, &s);
    shms__quiet_end();
    if (rc == 0)
        rc = complete(s, h, &q, &o);
    if (rc < 0 && s) {
        int oserror = shms_last_oserror();
        shms__handle_close(s);
        shms__restore_oserror(oserror);
    }
    if (rc == 0)
        *ret = s;
    return rc;
}

static void leave(struct section *s)
{
    struct guard *guard = s->member.region.guard;
    shms__process_lock();
    shms__fork_catch_up();
    shms__process_unlock();
    if (s->member.region.token)
        shms__section_release_all(s);
    shms__poll_close(s);
    shms__journal_close(&s->member, &s->journal);
    shms__member_leave(&s->member);
    shms__guard_drop(guard);
}

void shms__handle_close(struct section *s)
{
    shms__quiet_begin();
    if (!s->gone)
        leave(s);
    s->gone = s->opening; /* closed by the init that open is still running */
    if (!s->gone)
        free(s);
    shms__quiet_end();
}

int shms__handle_unlink(const char *name)
{
    struct name n;
    shms__quiet_begin();
    int rc = shms__name_resolve(name, false, &n);
    if (rc == 0)
        rc = shms__region_unlink(&n, (int64_t)OPEN_TIMEOUT_MS * 1000000);
    shms__quiet_end();
    return rc;
}
