/* SPDX-License-Identifier: MIT */
/* Each cookie, deletion, and what has changed. */
#include "edit.h"

#include <stdlib.h>
#include <string.h>

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

static int tell_place(shms_jar *j, const struct place *place, struct teller *t)
{
    struct record r;
    int rc = shms__record_read(j, place, &r);
    if (rc < 0)
        return rc;
    int64_t now = shms__jar_now(j);
    for (size_t i = 0; i < r.count; i++)
        if (!shms__is_gone(&r.cookies[i], now) && !tell(t, &r.cookies[i]))
            break;
    shms__record_free(&r);
    return t->ended;
}

/* The next place of a host, in whatever partition; of any host if it is NULL. As shms__next_place(). */
static int next_place_of(shms_jar *j, const char *host, uint64_t *cursor, struct place *ret)
{
    int rc;
    do
        rc = shms__next_place(j, cursor, ret);
    while (rc > 0 && host && strcmp(ret->host, host) != 0);
    return rc;
}

int64_t shms_jar_each(shms_jar *j, const char *host, shms_cookie_fn *callback, void *context)
{
    struct place own, place;
    struct teller t = {.callback = callback, .context = context};
    uint64_t cursor = 0;
    int rc;
    if (!j || !callback || (host && !shms__place_parse(host, NULL, &own)))
        return SHMS_E_INVALID;
    while ((rc = next_place_of(j, host ? own.host : NULL, &cursor, &place)) > 0) {
        rc = tell_place(j, &place, &t);
        if (rc != 0)
            return rc;
    }
    return rc != 0 ? rc : t.told;
}

/* ---- info */

struct sum {
    shms_jar_stats stats;
    char host[HOST_ROOM], partition[PARTITION_ROOM];
};

/* Those of a place come one after the other. */
static int add_cookie(const shms_cookie *c, void *context)
{
    struct sum *s = context;
    const char *partition = c->partition ? c->partition : "";
    s->stats.cookies++;
    if (strcmp(s->host, c->host) != 0 || strcmp(s->partition, partition) != 0) {
        strcpy(s->host, c->host);
        strcpy(s->partition, partition);
        s->stats.places++;
    }
    return 0;
}

int shms_jar_info(shms_jar *j, shms_jar_stats *ret)
{
    struct sum s = {.host = ""};
    shms_dict_stats dict = {.struct_size = sizeof dict};
    if (!j || !ret || ret->struct_size < 8)
        return SHMS_E_INVALID;
    int rc = shms_dict_info(j->dict, &dict);
    int64_t n = rc < 0 ? rc : shms_jar_each(j, NULL, add_cookie, &s);
    if (n < 0)
        return (int)n;
    s.stats.struct_size = ret->struct_size;
    s.stats.size = dict.size;
    s.stats.max_size = dict.max_size;
    s.stats.version = dict.version;
    memcpy(ret, &s.stats, ret->struct_size < sizeof s.stats ? ret->struct_size : sizeof s.stats);
    return 0;
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
    struct place place;
    if (!j || !cookie || cookie->struct_size != sizeof *cookie || !cookie->host || !cookie->name ||
        !shms__place_parse(cookie->host, cookie->partition, &place))
        return SHMS_E_INVALID;
    shms_cookie like = *cookie;
    return shms__edit(j, &place, drop_like, &like);
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

int64_t shms_jar_clear(shms_jar *j, const char *host)
{
    struct place own, place;
    uint64_t cursor = 0;
    int64_t sum = 0;
    int rc;
    if (!j || (host && !shms__place_parse(host, NULL, &own)))
        return SHMS_E_INVALID;
    while ((rc = next_place_of(j, host ? own.host : NULL, &cursor, &place)) > 0) {
        int64_t dropped = 0;
        rc = shms__edit(j, &place, drop_all, &dropped);
        if (rc != 0)
            return rc;
        sum += dropped;
    }
    return rc != 0 ? rc : sum;
}

/* ---- changes
 *
 * The dict tells a place's last change, and may tell some before it. So first the places are collected, each
 * once, then the cookies in them that changed after what the caller knows, up to where the dict's telling
 * ended: what came later is told by the next call. */

struct place_change {
    struct place place;
    int64_t version;
};

struct changes {
    struct place_change *places;
    size_t count, room;
    int64_t since, until; /* what the caller knows, and will know */
    struct teller teller;
};

static int collect_place(const void *key, size_t key_size, const shms_dict_record *record, void *context)
{
    struct changes *c = context;
    if (c->count == c->room) {
        size_t room = c->room * 2 + 16;
        struct place_change *more = realloc(c->places, room * sizeof *more);
        if (!more)
            return SHMS_E_NOMEM;
        c->places = more;
        c->room = room;
    }
    c->places[c->count].version = record->version;
    c->count += shms__key_place(key, key_size, &c->places[c->count].place);
    return 0;
}

static int compare_places(const struct place *x, const struct place *y)
{
    int order = strcmp(x->host, y->host);
    return order ? order : strcmp(x->partition, y->partition);
}

static int by_place(const void *a, const void *b)
{
    const struct place_change *x = a, *y = b;
    int order = compare_places(&x->place, &y->place);
    return order ? order : (x->version < y->version) - (x->version > y->version);
}

static int by_version(const void *a, const void *b)
{
    const struct place_change *x = a, *y = b;
    return (x->version > y->version) - (x->version < y->version);
}

/* Leave each place's last change, in their order. */
static void sort_places(struct changes *c)
{
    size_t kept = 0;
    if (c->count == 0)
        return;
    qsort(c->places, c->count, sizeof *c->places, by_place);
    for (size_t i = 0; i < c->count; i++)
        if (kept == 0 || compare_places(&c->places[kept - 1].place, &c->places[i].place) != 0)
            c->places[kept++] = c->places[i];
    c->count = kept;
    qsort(c->places, c->count, sizeof *c->places, by_version);
}

static bool is_news(const struct changes *c, int64_t version)
{
    return version > c->since && version <= c->until;
}

static bool tell_unknown(struct changes *c, const struct place *place, int64_t version)
{
    shms_cookie gone = {.struct_size = sizeof gone, .flags = SHMS_COOKIE_GONE, .host = place->host,
                        .name = "", .partition = place->partition[0] ? place->partition : NULL,
                        .value = "", .path = "", .changed = version};
    return tell(&c->teller, &gone);
}

static int by_change(const void *a, const void *b)
{
    const shms_cookie *x = a, *y = b;
    return (x->changed > y->changed) - (x->changed < y->changed);
}

static int tell_changes_of(shms_jar *j, struct changes *c, const struct place_change *h)
{
    struct record r;
    int rc = shms__record_read(j, &h->place, &r);
    if (rc < 0)
        return rc;
    qsort(r.cookies, r.count, sizeof *r.cookies, by_change);
    int64_t unknown = r.version == 0 ? h->version : r.forgotten;
    bool on = !is_news(c, unknown) || tell_unknown(c, &h->place, unknown);
    for (size_t i = 0; on && i < r.count; i++)
        if (is_news(c, r.cookies[i].changed))
            on = tell(&c->teller, &r.cookies[i]);
    shms__record_free(&r);
    return c->teller.ended;
}

/* A place that changes while the dict tells is told by its later change only, and that may be beyond the end.
 * Its earlier news would then count as known. So this goes on until the dict stood still meanwhile; where it
 * never does, looking at everything is no dearer. */
static int64_t collect_places(shms_jar *j, struct changes *c)
{
    int64_t before = 0;
    for (int i = 0; i < 1000; i++) {
        before = shms_dict_version(j->dict);
        int64_t rc = before < 0 ? before : shms_dict_changes(j->dict, &c->until, collect_place, c);
        if (rc < 0 || shms_dict_version(j->dict) == before)
            return rc;
    }
    c->until = before;
    return SHMS_E_MISSED;
}

static int64_t tell_changes(shms_jar *j, struct changes *c)
{
    int64_t rc = collect_places(j, c);
    if (rc < 0)
        return rc;
    sort_places(c);
    for (size_t i = 0; i < c->count; i++) {
        rc = tell_changes_of(j, c, &c->places[i]);
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
    free(c.places);
    return rc;
}
