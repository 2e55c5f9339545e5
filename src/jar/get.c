/* SPDX-License-Identifier: MIT */
/* Cookies go out: RFC 6265bis, 5.8. */
#include "rules.h"

#include <stdlib.h>
#include <string.h>

#define SECOND_NS INT64_C(1000000000)
#define USED_AGAIN_NS (60 * SECOND_NS)    /* that a cookie was used is noted so often at most */
#define LAX_UNSAFE_NS (120 * SECOND_NS)   /* so long a new cookie without SameSite goes with unsafe methods */

struct looked_at {
    struct record record;
    bool due; /* its use is to be noted */
    struct looked_at *next;
};

/* A cookie that goes along. Its texts lie in a record. */
struct found {
    const char *name, *value;
    size_t name_size, value_size, path_size;
    int64_t created;
};

/* What one request takes out of the jar. */
struct request {
    shms_jar *jar;
    const shms_jar_request *asked;
    struct url url;
    int64_t now_ns;
    struct looked_at *records; /* those of its host and of hosts above that hold cookies */
    struct found *found;
    size_t count;
};

bool shms__request_sound(const shms_jar_request *r)
{
    return r && r->struct_size == sizeof *r && (r->flags & ~(uint32_t)SHMS_JAR_API) == 0 &&
           r->site <= SHMS_SITE_CROSS && r->reserved == 0 && r->url &&
           (!r->partition || shms__partition_parse(r->partition, NULL));
}

static bool site_allows(const struct request *q, const shms_cookie *c)
{
    uint32_t site = q->asked->site;
    if (site == SHMS_SITE_SAME || c->same_site == SHMS_SAME_SITE_NONE)
        return true;
    if (site == SHMS_SITE_CROSS || c->same_site == SHMS_SAME_SITE_STRICT || (q->asked->flags & SHMS_JAR_API))
        return false;
    return site == SHMS_SITE_LAX ||
           (c->same_site == SHMS_SAME_SITE_DEFAULT && c->created_ns <= q->now_ns &&
            q->now_ns <= shms__later(c->created_ns, LAX_UNSAFE_NS));
}

/* Which cookies of a host go along: of the request's own host all, of one above those for a whole domain. The
 * list of suffixes may have come to know that one since they were made. */
enum reach { NONE, DOMAIN, ALL };

static enum reach reach_of(const struct request *q, const char *host)
{
    return strcmp(host, q->url.host) == 0 ? ALL : shms__is_suffix(q->jar, host) ? NONE : DOMAIN;
}

static bool is_sent(const struct request *q, const shms_cookie *c, enum reach reach)
{
    return !shms__is_gone(c, q->now_ns) && (reach == ALL || !(c->flags & SHMS_COOKIE_HOST_ONLY)) &&
           (q->url.secure || !(c->flags & SHMS_COOKIE_SECURE)) &&
           (!(c->flags & SHMS_COOKIE_HTTP_ONLY) || !(q->asked->flags & SHMS_JAR_API)) &&
           shms__path_match(q->url.path, q->url.path_size, c->path) && site_allows(q, c);
}

/* Also if it was used in a future that the clock has come back from. */
static bool is_due(const struct request *q, const shms_cookie *c)
{
    return q->now_ns >= shms__later(c->used_ns, USED_AGAIN_NS) ||
           c->used_ns >= shms__later(q->now_ns, USED_AGAIN_NS);
}

static int select_cookies(struct request *q, struct looked_at *l)
{
    const struct record *r = &l->record;
    enum reach reach = reach_of(q, r->place.host);
    struct found *more = realloc(q->found, (q->count + r->in_bytes + 1) * sizeof *more);
    struct stored s;
    size_t at = RECORD_BEGIN, last = q->count + r->in_bytes;
    int rc = 1;
    if (!more)
        return SHMS_E_NOMEM;
    q->found = more;
    while (reach != NONE && q->count < last && (rc = shms__record_next(r, &at, &s)) == 1) {
        if (!is_sent(q, &s.cookie, reach))
            continue;
        l->due = l->due || is_due(q, &s.cookie);
        q->found[q->count++] = (struct found){s.cookie.name, s.cookie.value, s.name_size,
                                              s.value_size,  s.path_size,    s.cookie.created};
    }
    return rc < 0 ? rc : 0;
}

/* A record that is found becomes the first of the request's. *spare: memory for one, or NULL. */
static int look(struct request *q, const struct place *place, struct looked_at **spare)
{
    struct looked_at *l = *spare ? *spare : malloc(sizeof *l);
    *spare = l;
    if (!l)
        return SHMS_E_NOMEM;
    int rc = shms__record_fetch(q->jar, place, &l->record);
    if (rc < 0 || l->record.version == 0)
        return rc;
    l->due = false;
    l->next = q->records;
    q->records = l;
    *spare = NULL;
    return select_cookies(q, l);
}

static int collect(struct request *q)
{
    int rc = 0;
    struct looked_at *spare = NULL;
    for (const char *host = q->url.host; host && rc == 0; host = shms__host_above(host)) {
        struct place place = {.partition = ""};
        strcpy(place.host, host);
        rc = look(q, &place, &spare);
        if (rc == 0 && q->asked->partition) {
            shms__partition_parse(q->asked->partition, place.partition);
            rc = look(q, &place, &spare);
        }
    }
    free(spare);
    return rc;
}

/* Longer paths first, then older cookies. */
static int by_order(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->path_size != y->path_size)
        return x->path_size > y->path_size ? -1 : 1;
    return (x->created > y->created) - (x->created < y->created);
}

/* Most often they lie in that order. */
static void sort_found(struct request *q)
{
    for (size_t i = 1; i < q->count; i++)
        if (by_order(&q->found[i - 1], &q->found[i]) > 0) {
            qsort(q->found, q->count, sizeof *q->found, by_order);
            return;
        }
}

struct text {
    char *buf;
    size_t size;
    size_t length; /* of all that was put, also of what there was no room for */
};

static void put(struct text *t, const char *text, size_t n)
{
    size_t room = t->length < t->size ? t->size - t->length : 0;
    if (room > 0)
        memcpy(t->buf + t->length, text, n < room ? n : room);
    t->length += n;
}

/* "name=value; ", without "=" where there is no name. */
static void put_cookie(struct text *t, const struct found *f)
{
    put(t, f->name, f->name_size);
    put(t, "=", f->name_size > 0);
    put(t, f->value, f->value_size);
    put(t, "; ", 2);
}

/* The same, where it fits. */
static inline bool put_quick(struct text *t, const struct found *f)
{
    size_t named = f->name_size > 0, n = f->name_size + named + f->value_size + 2;
    if (t->length + n > t->size)
        return false;
    char *at = t->buf + t->length;
    memcpy(at, f->name, f->name_size);
    at[f->name_size] = '='; /* where there is no name, the value comes here */
    memcpy(at + f->name_size + named, f->value, f->value_size);
    memcpy(at + n - 2, "; ", 2);
    t->length += n;
    return true;
}

static int64_t write_line(const struct request *q, char *buf, size_t size)
{
    struct text t = {.buf = buf, .size = size};
    for (size_t i = 0; i < q->count; i++)
        if (!put_quick(&t, &q->found[i]))
            put_cookie(&t, &q->found[i]);
    if (q->count > 0)
        t.length -= 2; /* the last "; " */
    if (size > 0)
        buf[t.length < size ? t.length : size - 1] = '\0';
    return (int64_t)t.length;
}

/* Note that cookies of a host were used: in the record that was read, on the condition that it still is the
 * one. It waits for nobody, and is not tried again: the next request does it. */
static void note_use(const struct request *q, struct record *r)
{
    enum reach reach = reach_of(q, r->place.host);
    if (shms__record_decode(r) < 0)
        return;
    for (size_t i = 0; i < r->count; i++) {
        shms_cookie *c = &r->cookies[i];
        if (is_due(q, c) && is_sent(q, c, reach))
            c->used_ns = q->now_ns;
    }
    shms__record_write(q->jar, r, SHMS_DICT_NO_WAIT);
}

static int64_t answer(struct request *q, char *buf, size_t size)
{
    int rc = collect(q);
    if (rc < 0)
        return rc;
    sort_found(q);
    int64_t length = write_line(q, buf, size);
    for (struct looked_at *l = q->records; l; l = l->next)
        if (l->due)
            note_use(q, &l->record);
    return length;
}

int64_t shms_jar_get(shms_jar *j, const shms_jar_request *request, char *buf, size_t size)
{
    struct request q;
    if (!j || (!buf && size > 0) || !shms__request_sound(request) ||
        shms__url_parse(request->url, &q.url) < 0)
        return SHMS_E_INVALID;
    q.jar = j;
    q.asked = request;
    q.now_ns = shms__jar_now(j);
    q.records = NULL;
    q.count = 0;
    q.found = NULL;
    int64_t length = answer(&q, buf, size);
    for (struct looked_at *l = q.records, *next; l; l = next) {
        next = l->next;
        shms__record_free(&l->record);
        free(l);
    }
    free(q.found);
    return length;
}
