/* SPDX-License-Identifier: MIT */
/* The bytes: a head, then for each cookie its numbers and its three texts, each with a zero byte, up to a
 * multiple of 8. A cookie has at most 4096 bytes of name and value and 1024 of path, so 180 of them and 16
 * marks fit into RECORD_MAX. Whatever the bytes are, reading them stays inside. */
#include "record.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC 0x3152414a534d4853ull /* "SHMSJAR1" */
#define MARKS_LIVE_NS (3600 * INT64_C(1000000000)) /* a record without cookies, for those that watch */

struct head {
    uint64_t magic;
    int64_t forgotten;
    uint64_t count;
};
_Static_assert(sizeof(struct head) == RECORD_BEGIN, "the cookies follow the head");

struct __attribute__((may_alias)) entry { /* read where it lies */
    int64_t created, changed, created_ns, used_ns, expires_ns;
    uint32_t flags, same_site;
    uint32_t name, value, path, reserved; /* lengths */
};
_Static_assert(offsetof(struct record, brief) % 8 == 0 && RECORD_BEGIN % 8 == 0, "entries are aligned");

static size_t entry_size(size_t name, size_t value, size_t path)
{
    return (sizeof(struct entry) + name + value + path + 3 + 7) / 8 * 8;
}

static size_t size_of(const shms_cookie *c)
{
    return entry_size(strlen(c->name), strlen(c->value), strlen(c->path));
}

size_t shms__record_size(const struct record *r)
{
    size_t size = sizeof(struct head);
    for (size_t i = 0; i < r->count; i++)
        size += size_of(&r->cookies[i]);
    return size;
}

/* The text of that length at *at, which moves behind it; NULL if it is none. Its end is looked at first, so
 * that strlen has one. */
static inline const char *take_text(const char **at, uint32_t length)
{
    const char *text = *at;
    *at += length + 1;
    return text[length] == '\0' && strlen(text) == length ? text : NULL;
}

int shms__record_next(const struct record *r, size_t *at, struct stored *ret)
{
    size_t left = r->size - *at;
    const char *text = r->bytes + *at;
    if (left == 0)
        return 0;
    if (left < sizeof(struct entry))
        return SHMS_E_CORRUPT;
    const struct entry *e = (const void *)text;
    if (e->name > SHMS_COOKIE_MAX || e->value > SHMS_COOKIE_MAX || e->path > SHMS_COOKIE_ATTRIBUTE_MAX ||
        e->flags > 15 || e->same_site > SHMS_SAME_SITE_STRICT ||
        entry_size(e->name, e->value, e->path) > left)
        return SHMS_E_CORRUPT;
    *at += entry_size(e->name, e->value, e->path);
    text += sizeof *e;
    shms_cookie *c = &ret->cookie;
    c->struct_size = sizeof *c;
    c->flags = e->flags;
    c->same_site = e->same_site;
    c->reserved = 0;
    c->host = r->place.host;
    c->partition = r->place.partition[0] ? r->place.partition : NULL;
    c->name = take_text(&text, e->name);
    c->value = take_text(&text, e->value);
    c->path = take_text(&text, e->path);
    c->expires_ns = e->expires_ns;
    c->created_ns = e->created_ns;
    c->used_ns = e->used_ns;
    c->created = e->created ? e->created : r->version;
    c->changed = e->changed ? e->changed : r->version;
    ret->name_size = e->name;
    ret->value_size = e->value;
    ret->path_size = e->path;
    return c->name && c->value && c->path ? 1 : SHMS_E_CORRUPT;
}

int shms__record_decode(struct record *r)
{
    struct stored next;
    size_t at = RECORD_BEGIN;
    int rc;
    if (r->version == 0) {
        r->cookies = &r->only;
        return 0;
    }
    r->cookies = malloc((r->in_bytes + 1) * sizeof *r->cookies);
    if (!r->cookies)
        return SHMS_E_NOMEM;
    while ((rc = shms__record_next(r, &at, &next)) == 1) {
        if (r->count == r->in_bytes)
            return SHMS_E_CORRUPT;
        r->cookies[r->count++] = next.cookie;
    }
    return rc < 0 ? rc : r->count == r->in_bytes ? 0 : SHMS_E_CORRUPT;
}

static int read_head(struct record *r)
{
    struct head head;
    if (r->size < sizeof head)
        return SHMS_E_CORRUPT;
    memcpy(&head, r->bytes, sizeof head);
    if (head.magic != MAGIC || head.count > r->size / sizeof(struct entry))
        return SHMS_E_CORRUPT;
    r->forgotten = head.forgotten == FORGOTTEN_NOW ? r->version : head.forgotten;
    r->in_bytes = (size_t)head.count;
    return 0;
}

/* The value's bytes as they are at one moment; it may grow between two looks. Most are short. */
static int fetch(shms_jar *j, struct record *r)
{
    char key[KEY_ROOM];
    size_t key_size = shms__place_key(&r->place, key);
    shms_dict_record about = {.struct_size = sizeof about};
    r->bytes = r->brief;
    r->size = sizeof r->brief;
    for (;;) {
        int64_t n = shms_dict_get(j->dict, key, key_size, r->bytes, r->size, &about);
        if (n < 0)
            return (int)n;
        if (n <= (int64_t)r->size) {
            r->size = (size_t)n;
            r->version = about.version;
            return read_head(r);
        }
        shms__record_free(r); /* all of it may have been written */
        r->bytes = malloc((size_t)n);
        if (!r->bytes)
            return SHMS_E_NOMEM;
        r->size = (size_t)n;
    }
}

int shms__record_fetch(shms_jar *j, const struct place *place, struct record *ret)
{
    ret->cookies = NULL;
    ret->count = ret->in_bytes = 0;
    ret->version = ret->forgotten = 0;
    ret->dirty = false;
    strcpy(ret->place.partition, place->partition);
    strcpy(ret->place.host, place->host);
    int rc = fetch(j, ret);
    if (rc == SHMS_E_NOT_FOUND) {
        ret->size = 0; /* nothing was written */
        return 0;
    }
    if (rc < 0)
        shms__record_free(ret);
    return rc;
}

int shms__record_read(shms_jar *j, const struct place *place, struct record *ret)
{
    int rc = shms__record_fetch(j, place, ret);
    if (rc < 0)
        return rc;
    rc = shms__record_decode(ret);
    if (rc < 0)
        shms__record_free(ret);
    return rc;
}

/* Cookies are secrets: nothing of them stays in memory that is given back. */
void shms__record_free(struct record *r)
{
    if (r->bytes)
        explicit_bzero(r->bytes, r->size);
    free(r->bytes == r->brief ? NULL : r->bytes);
    free(r->cookies == &r->only ? NULL : r->cookies);
    r->bytes = NULL;
    r->cookies = NULL;
}

static void put_text(char **at, const char *text)
{
    size_t n = strlen(text) + 1;
    memcpy(*at, text, n);
    *at += n;
}

static void encode(const struct record *r, char *at)
{
    struct head head = {.magic = MAGIC, .forgotten = r->forgotten, .count = r->count};
    memcpy(at, &head, sizeof head);
    at += sizeof head;
    for (size_t i = 0; i < r->count; i++) {
        const shms_cookie *c = &r->cookies[i];
        struct entry e = {
            .created = c->created,
            .changed = c->changed,
            .created_ns = c->created_ns,
            .used_ns = c->used_ns,
            .expires_ns = c->expires_ns,
            .flags = c->flags,
            .same_site = c->same_site,
            .name = (uint32_t)strlen(c->name),
            .value = (uint32_t)strlen(c->value),
            .path = (uint32_t)strlen(c->path),
        };
        char *text = at + sizeof e;
        memcpy(at, &e, sizeof e);
        put_text(&text, c->name);
        put_text(&text, c->value);
        put_text(&text, c->path);
        at += size_of(c);
    }
}

/* When nothing in it is of use any more; 0: never. */
static int64_t expiry(const struct record *r, int64_t now)
{
    int64_t last = shms__later(now, MARKS_LIVE_NS);
    for (size_t i = 0; i < r->count; i++) {
        const shms_cookie *c = &r->cookies[i];
        if (c->flags & SHMS_COOKIE_GONE)
            continue;
        if (c->expires_ns == 0)
            return 0;
        if (c->expires_ns > last)
            last = c->expires_ns;
    }
    return last;
}

int shms__record_write(shms_jar *j, const struct record *r, uint32_t flags)
{
    size_t size = shms__record_size(r);
    char *bytes = calloc(1, size);
    if (!bytes)
        return SHMS_E_NOMEM;
    encode(r, bytes);
    shms_dict_how how = {.struct_size = sizeof how,
                         .flags = flags,
                         .if_version = r->version ? r->version : -1,
                         .expires_ns = expiry(r, shms__jar_now(j))};
    char key[KEY_ROOM];
    int64_t version = shms_dict_set(j->dict, key, shms__place_key(&r->place, key), bytes, size, &how);
    explicit_bzero(bytes, size);
    free(bytes);
    return version < 0 ? (int)version : 0;
}

size_t shms__record_find(const struct record *r, const shms_cookie *like)
{
    for (size_t i = 0; i < r->count; i++) {
        const shms_cookie *c = &r->cookies[i];
        if (strcmp(c->name, like->name) == 0 && strcmp(c->path, like->path) == 0 &&
            ((c->flags ^ like->flags) & SHMS_COOKIE_HOST_ONLY) == 0)
            return i;
    }
    return r->count;
}

void shms__record_drop(struct record *r, size_t i)
{
    shms_cookie *c = &r->cookies[i];
    c->flags = (c->flags & SHMS_COOKIE_HOST_ONLY) | SHMS_COOKIE_GONE;
    c->value = "";
    c->changed = 0;
    r->dirty = true;
}

void shms__record_remove(struct record *r, size_t i)
{
    memmove(&r->cookies[i], &r->cookies[i + 1], (r->count - i - 1) * sizeof *r->cookies);
    r->count--;
    r->dirty = true;
}

void shms__record_put(struct record *r, const shms_cookie *cookie)
{
    size_t i = shms__record_find(r, cookie);
    shms_cookie c = *cookie;
    c.created = c.changed = 0;
    if (i < r->count && !(r->cookies[i].flags & SHMS_COOKIE_GONE)) {
        c.created = r->cookies[i].created;
        c.created_ns = r->cookies[i].created_ns;
        r->cookies[i] = c;
    } else {
        if (i < r->count)
            shms__record_remove(r, i);
        r->cookies[r->count++] = c;
    }
    r->dirty = true;
}

size_t shms__record_alive(const struct record *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += !(r->cookies[i].flags & SHMS_COOKIE_GONE);
    return n;
}

bool shms__is_gone(const shms_cookie *c, int64_t now)
{
    return (c->flags & SHMS_COOKIE_GONE) || (c->expires_ns && c->expires_ns <= now);
}
