/* SPDX-License-Identifier: MIT */
/* Each cookie, deletion, and what has changed. */
#include "edit.h"

#include <stdlib.h>
#include <string.h>

static bool canonical(const char *host, char ret[HOST_ROOM])
{
    return shms__host_parse(host, strlen(host), ret);
}

/* ---- each */

/* A call of the caller's for cookies; ended is what it returned. */
struct teller {
    shms_cookie_fn *callback;
    void *context;
    int64_t told;
    int ended;
};

static bool tell(struct teller *t, const shms_cookie *c)
{
    t->told++;
    t->ended = t->callback(c, t->context);
    return t->ended == 0;
}

static int tell_host(shms_jar *j, const char *host, struct teller *t)
{
    struct record r;
    int rc = shms__record_read(j, host, &r);
    if (rc < 0)
        return rc;
    int64_t now = shms__jar_now(j);
    for (size_t i = 0; i < r.count; i++)
        if (!shms__is_gone(&r.cookies[i], now) && !tell(t, &r.cookies[i]))
            break;
    shms__record_free(&r);
    return t->ended;
}

static int tell_all(shms_jar *j, struct teller *t)
{
    char host[HOST_ROOM];
    uint64_t cursor = 0;
    int rc;
    while ((rc = shms__next_host(j, &cursor, host)) > 0) {
        rc = tell_host(j, host, t);
        if (rc != 0)
            return rc;
    }
    return rc;
}

int64_t shms_jar_each(shms_jar *j, const char *host, shms_cookie_fn *callback, void *context)
{
    char own[HOST_ROOM];
    struct teller t = {.callback = callback, .context = context};
    if (!j || !callback || (host && !canonical(host, own)))
        return SHMS_E_INVALID;
    int rc = host ? tell_host(j, own, &t) : tell_all(j, &t);
    return rc != 0 ? rc : t.told;
}

/* ---- deletion */

static int drop_like(shms_jar *j, struct record *r, void *context)
{
    const shms_cookie *like = context;
    (void)j;
    size_t dropped = 0;
    for (size_t i = 0; i < r->count; i++) {
        const shms_cookie *c = &r->cookies[i];
        if (!(c->flags & SHMS_COOKIE_GONE) && strcmp(c->name, like->name) == 0 &&
            (!like->path || strcmp(c->path, like->path) == 0)) {
            shms__record_drop(r, i);
            dropped++;
        }
    }
    return dropped > 0 ? 0 : SHMS_E_NOT_FOUND;
}

int shms_jar_del(shms_jar *j, const shms_cookie *cookie)
{
    char host[HOST_ROOM];
    if (!j || !cookie || cookie->struct_size != sizeof *cookie || !cookie->host || !cookie->name ||
        !canonical(cookie->host, host))
        return SHMS_E_INVALID;
    shms_cookie like = *cookie;
    return shms__edit(j, host, drop_like, &like);
}

static int drop_all(shms_jar *j, struct record *r, void *context)
{
    int64_t *dropped = context;
    (void)j;
    *dropped = 0;
    for (size_t i = 0; i < r->count; i++)
        if (!(r->cookies[i].flags & SHMS_COOKIE_GONE)) {
            shms__record_drop(r, i);
            ++*dropped;
        }
    return 0;
}

static int clear_host(shms_jar *j, const char *host, int64_t *sum)
{
    int64_t dropped = 0;
    int rc = shms__edit(j, host, drop_all, &dropped);
    *sum += rc == 0 ? dropped : 0;
    return rc;
}

static int clear_all(shms_jar *j, int64_t *sum)
{
    char host[HOST_ROOM];
    uint64_t cursor = 0;
    int rc;
    while ((rc = shms__next_host(j, &cursor, host)) > 0) {
        rc = clear_host(j, host, sum);
        if (rc != 0)
            return rc;
    }
    return rc;
}

int64_t shms_jar_clear(shms_jar *j, const char *host)
{
    char own[HOST_ROOM];
    int64_t sum = 0;
    if (!j || (host && !canonical(host, own)))
        return SHMS_E_INVALID;
    int rc = host ? clear_host(j, own, &sum) : clear_all(j, &sum);
    return rc != 0 ? rc : sum;
}

/* ---- changes
 *
 * The dict tells a host's last change, and may tell some before it. So first the hosts are collected, each
 * once, then the cookies in them that changed after what the caller knows, up to where the dict's telling
 * ended: what came later is told by the next call. */

struct host_change {
    char host[HOST_ROOM];
    int64_t version;
};

struct changes {
    struct host_change *hosts;
    size_t count, room;
    int64_t since, until; /* what the caller knows, and will know */
    struct teller teller;
};

static int collect_host(const void *key, size_t key_size, const shms_dict_record *record, void *context)
{
    struct changes *c = context;
    if (c->count == c->room) {
        size_t room = c->room * 2 + 16;
        struct host_change *more = realloc(c->hosts, room * sizeof *more);
        if (!more)
            return SHMS_E_NOMEM;
        c->hosts = more;
        c->room = room;
    }
    c->hosts[c->count].version = record->version;
    c->count += shms__key_host(key, key_size, c->hosts[c->count].host);
    return 0;
}

static int by_host(const void *a, const void *b)
{
    const struct host_change *x = a, *y = b;
    int order = strcmp(x->host, y->host);
    return order ? order : (x->version < y->version) - (x->version > y->version);
}

static int by_version(const void *a, const void *b)
{
    const struct host_change *x = a, *y = b;
    return (x->version > y->version) - (x->version < y->version);
}

/* Leave each host's last change, in their order. */
static void sort_hosts(struct changes *c)
{
    size_t kept = 0;
    if (c->count == 0)
        return;
    qsort(c->hosts, c->count, sizeof *c->hosts, by_host);
    for (size_t i = 0; i < c->count; i++)
        if (kept == 0 || strcmp(c->hosts[kept - 1].host, c->hosts[i].host) != 0)
            c->hosts[kept++] = c->hosts[i];
    c->count = kept;
    qsort(c->hosts, c->count, sizeof *c->hosts, by_version);
}

static bool is_news(const struct changes *c, int64_t version)
{
    return version > c->since && version <= c->until;
}

static bool tell_unknown(struct changes *c, const char *host, int64_t version)
{
    shms_cookie gone = {.struct_size = sizeof gone, .flags = SHMS_COOKIE_GONE, .host = host, .name = "",
                        .value = "", .path = "", .changed = version};
    return tell(&c->teller, &gone);
}

static int by_change(const void *a, const void *b)
{
    const shms_cookie *x = a, *y = b;
    return (x->changed > y->changed) - (x->changed < y->changed);
}

static int tell_changes_of(shms_jar *j, struct changes *c, const struct host_change *h)
{
    struct record r;
    int rc = shms__record_read(j, h->host, &r);
    if (rc < 0)
        return rc;
    qsort(r.cookies, r.count, sizeof *r.cookies, by_change);
    int64_t unknown = r.version == 0 ? h->version : r.forgotten;
    bool on = !is_news(c, unknown) || tell_unknown(c, h->host, unknown);
    for (size_t i = 0; on && i < r.count; i++)
        if (is_news(c, r.cookies[i].changed))
            on = tell(&c->teller, &r.cookies[i]);
    shms__record_free(&r);
    return c->teller.ended;
}

static int64_t tell_changes(shms_jar *j, struct changes *c)
{
    int64_t rc = shms_dict_changes(j->dict, &c->until, collect_host, c);
    if (rc < 0)
        return rc;
    sort_hosts(c);
    for (size_t i = 0; i < c->count; i++) {
        rc = tell_changes_of(j, c, &c->hosts[i]);
        if (rc != 0)
            return rc;
    }
    return c->teller.told;
}

int64_t shms_jar_changes(shms_jar *j, int64_t *since, shms_cookie_fn *callback, void *context)
{
    if (!j || !since || !callback)
        return SHMS_E_INVALID;
    struct changes c = {.since = *since, .until = *since,
                        .teller = {.callback = callback, .context = context}};
    int64_t rc = tell_changes(j, &c);
    if (rc == SHMS_E_MISSED || (rc >= 0 && !c.teller.ended))
        *since = c.until;
    free(c.hosts);
    return rc;
}
