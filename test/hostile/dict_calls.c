/* SPDX-License-Identifier: MIT */
#include "dict_calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SLACK_NS 5000000
#define PICK(list, n) (list)[(n) % (sizeof(list) / sizeof(list)[0])]

static unsigned char buffer[4096]; /* the sanitizer watches its end */

struct key {
    const char *bytes;
    size_t size;
};

static struct key key_of(unsigned x)
{
    static const char longest[257] = {[0] = 'l', [100] = 'l', [255] = 'l'};
    static const struct key keys[] = {
        {"0", 1}, {"1", 1}, {"2", 1},       {"3", 1},      {"5", 1},       {"7", 1},
        {"9", 1}, {"x", 1}, {"counter", 7}, {longest, 60}, {longest, 256}, {longest, 257},
    };
    return PICK(keys, x);
}

static size_t size_of(unsigned y)
{
    static const size_t sizes[] = {0, 1, 8, 40, 100, 300, 1000, 2000};
    return PICK(sizes, y);
}

static shms_dict_how how_of(unsigned y)
{
    shms_dict_how how = {.struct_size = sizeof how};
    how.if_version = y & 32 ? (int64_t)(y & 7) * 3 - 1 : 0;
    how.if_version = how.if_version < -1 ? 0 : how.if_version;
    how.ttl_ms = y & 64 ? 1 + (y & 7) : 0;
    return how;
}

static int64_t do_get(struct caller *c, unsigned x, unsigned y, int *ret_ms)
{
    struct key k = key_of(x);
    shms_dict_record r = {.struct_size = sizeof r};
    size_t room = size_of(y);
    *ret_ms = OPEN_TIMEOUT_MS;
    int64_t n = shms_dict_get(c->d, k.bytes, k.size, room ? buffer : NULL, room, &r);
    demand(n < 0 || (n <= (int64_t)c->d->value_max && r.size == (uint64_t)n), "get: a length that cannot be");
    return n;
}

static int64_t do_set(struct caller *c, unsigned x, unsigned y, int *ret_ms)
{
    struct key k = key_of(x);
    shms_dict_how how = how_of(y);
    *ret_ms = OPEN_TIMEOUT_MS;
    return shms_dict_set(c->d, k.bytes, k.size, buffer, size_of(y), &how);
}

static int64_t do_del(struct caller *c, unsigned x, unsigned y, int *ret_ms)
{
    struct key k = key_of(x);
    shms_dict_how how = {.struct_size = sizeof how, .if_version = y & 32 ? 1 + (y & 7) : 0};
    *ret_ms = OPEN_TIMEOUT_MS;
    return shms_dict_del(c->d, k.bytes, k.size, &how);
}

static int64_t do_add(struct caller *c, unsigned x, unsigned y, int *ret_ms)
{
    struct key k = key_of(x & 1 ? 8 : x);
    shms_dict_how how = how_of(y);
    int64_t sum = 0;
    *ret_ms = OPEN_TIMEOUT_MS;
    return shms_dict_add(c->d, k.bytes, k.size, y & 1 ? INT64_MAX : -1, x, &how, &sum);
}

/* A walk ends, whatever the bytes are: it goes forward. */
static int64_t do_next(struct caller *c, unsigned x, unsigned y, int *ret_ms)
{
    uint64_t cursor = x & 1 ? (uint64_t)x << (y & 63) : 0;
    int rc = 1;
    *ret_ms = 0;
    for (int i = 0; rc == 1; i++) {
        uint64_t before = cursor;
        size_t key_size = 300, value_size = size_of(y);
        shms_dict_record r = {.struct_size = sizeof r};
        *ret_ms += OPEN_TIMEOUT_MS;
        rc = shms_dict_next(c->d, &cursor, buffer, &key_size, buffer + 300, &value_size, &r);
        demand(rc < 1 || (key_size >= 1 && key_size <= c->d->key_max), "next: a key that cannot be");
        demand(rc < 1 || cursor > before, "next: a walk stands still");
        demand(i <= (int)(2 * REGION_MOST / 64), "next: a walk without an end");
    }
    return rc;
}

static int tell(const void *key, size_t key_size, const shms_dict_record *r, void *context)
{
    const struct caller *c = context;
    demand(key_size >= 1 && key_size <= c->d->key_max && r->version > 0, "changes: told what cannot be");
    memcpy(buffer, key, key_size);
    return r->version % 5 == 4;
}

static int64_t do_changes(struct caller *c, unsigned x, unsigned y, int *ret_ms)
{
    int64_t since = (int64_t)(x * (y & 1 ? 1 : INT64_C(0x123456789abc)));
    *ret_ms = OPEN_TIMEOUT_MS;
    int64_t n = shms_dict_changes(c->d, &since, tell, c);
    demand(since >= 0, "changes: a version that cannot be");
    return n;
}

static int64_t do_wait(struct caller *c, unsigned x, unsigned y, int *ret_ms)
{
    struct key k = key_of(x);
    int64_t seen = y & 31;
    *ret_ms = (int)(y >> 5) + OPEN_TIMEOUT_MS; /* it may finish a dead one's change */
    return x & 1 ? shms_dict_wait(c->d, NULL, 0, &seen, (int)(y >> 5))
                 : shms_dict_wait(c->d, k.bytes, k.size, &seen, (int)(y >> 5));
}

static int64_t do_lock(struct caller *c, unsigned x, unsigned y, int *ret_ms)
{
    struct key k = key_of(x);
    *ret_ms = (int)(y & 7) + 2 * OPEN_TIMEOUT_MS;
    return shms_dict_lock(c->d, k.bytes, k.size, (int)(y & 7));
}

static int64_t do_unlock(struct caller *c, unsigned x, unsigned y, int *ret_ms)
{
    struct key k = key_of(x);
    (void)y;
    *ret_ms = OPEN_TIMEOUT_MS;
    return shms_dict_unlock(c->d, k.bytes, k.size);
}

static int64_t do_info(struct caller *c, unsigned x, unsigned y, int *ret_ms)
{
    shms_dict_stats t = {.struct_size = 8 + x % (sizeof t - 7)};
    (void)y;
    *ret_ms = 0;
    return shms_dict_info(c->d, &t);
}

static int64_t do_version(struct caller *c, unsigned x, unsigned y, int *ret_ms)
{
    (void)x, (void)y;
    *ret_ms = 0;
    return shms_dict_version(c->d);
}

/* A second handle, which reads the header that was overwritten, for a moment. */
static int64_t do_open(struct caller *c, unsigned x, unsigned y, int *ret_ms)
{
    shms_dict_options o = {.struct_size = sizeof o, .create = SHMS_OPEN_ONLY, .access = c->reads_only,
                           .open_timeout_ms = OPEN_TIMEOUT_MS, .now_ns = c->now_ns};
    struct caller second = {.reads_only = c->reads_only};
    int ms;
    *ret_ms = 8 * OPEN_TIMEOUT_MS;
    int rc = shms_dict_open(DICT_NAME, 0, &o, &second.d);
    if (rc < 0)
        return rc;
    do_get(&second, x, y, &ms);
    do_set(&second, x, y, &ms);
    shms_dict_close(second.d);
    return rc;
}

static const char *saved_path(void)
{
    static char path[240];
    snprintf(path, sizeof path, "%s/saved", world_dir);
    return path;
}

static int64_t do_save(struct caller *c, unsigned x, unsigned y, int *ret_ms)
{
    (void)x, (void)y;
    *ret_ms = OPEN_TIMEOUT_MS;
    return shms_dict_save(c->d, saved_path());
}

static int64_t do_load(struct caller *c, unsigned x, unsigned y, int *ret_ms)
{
    (void)x, (void)y;
    *ret_ms = 200 * OPEN_TIMEOUT_MS;
    return shms_dict_load(c->d, saved_path());
}

/* ---- the judge */

#define C(code) (1u << -(code))
#define ANY (C(SHMS_E_CORRUPT) | C(SHMS_E_LOST))
/* DEADLOCK: a peer has written into the cell of the lock that this handle holds it. */
#define CHANGE (ANY | C(SHMS_E_RANGE) | C(SHMS_E_TIMEOUT) | C(SHMS_E_READ_ONLY) | C(SHMS_E_DEADLOCK))
#define ROOM (CHANGE | C(SHMS_E_FULL) | C(SHMS_E_NOSPACE) | C(SHMS_E_EXISTS) | C(SHMS_E_CHANGED))
#define OPEN                                                                                                 \
    (ANY | C(SHMS_E_INVALID) | C(SHMS_E_KIND) | C(SHMS_E_FORMAT) | C(SHMS_E_NOT_FOUND) | C(SHMS_E_SIZE) |    \
     C(SHMS_E_DENIED) | C(SHMS_E_FULL) | C(SHMS_E_NOSPACE) | C(SHMS_E_NOMEM) | C(SHMS_E_TIMEOUT) |           \
     C(SHMS_E_UNSUPPORTED) | C(SHMS_E_OS))

static const struct {
    const char *name;
    int64_t (*run)(struct caller *c, unsigned x, unsigned y, int *ret_ms);
    uint32_t codes; /* what the header names for it */
} calls[] = {
    {"get", do_get, ANY | C(SHMS_E_NOT_FOUND) | C(SHMS_E_RANGE) | C(SHMS_E_TIMEOUT)},
    {"set", do_set, ROOM},
    {"del", do_del, CHANGE | C(SHMS_E_NOT_FOUND) | C(SHMS_E_CHANGED)},
    {"add", do_add, ROOM | C(SHMS_E_INVALID)},
    {"next", do_next, ANY | C(SHMS_E_INVALID) | C(SHMS_E_RANGE) | C(SHMS_E_TIMEOUT)},
    {"changes", do_changes, ANY | C(SHMS_E_MISSED) | C(SHMS_E_RANGE)},
    {"wait", do_wait, ANY | C(SHMS_E_TIMEOUT) | C(SHMS_E_RANGE)},
    {"lock", do_lock, CHANGE | C(SHMS_E_FULL) | C(SHMS_E_NOSPACE)},
    {"unlock", do_unlock, CHANGE | C(SHMS_E_NOT_OWNER)},
    {"info", do_info, C(SHMS_E_LOST)},
    {"version", do_version, C(SHMS_E_LOST)},
    {"open", do_open, OPEN},
    {"save", do_save, ANY | C(SHMS_E_TIMEOUT) | C(SHMS_E_NOMEM) | C(SHMS_E_RANGE) | C(SHMS_E_FULL) |
                          C(SHMS_E_DEADLOCK) | C(SHMS_E_OS)},
    {"load", do_load, ROOM | C(SHMS_E_FORMAT) | C(SHMS_E_NOT_FOUND) | C(SHMS_E_OS)},
};
const unsigned dict_call_count = sizeof calls / sizeof calls[0];

void dict_call_run(struct caller *c, unsigned which, unsigned x, unsigned y)
{
    int ms = 0;
    int64_t began = world_clock_ns;
    world_call_began_ns = began;
    int64_t rc = calls[which].run(c, x, y, &ms);
    int64_t took = world_clock_ns - began;
    if (rc < 0 && (rc < -31 || !(calls[which].codes & 1u << -rc))) {
        fprintf(stderr, "%s(%u, %u): %s\n", calls[which].name, x, y, shms_strerror((int)rc));
        demand(false, "a code that the header does not name");
    }
    if (took > (int64_t)ms * 1000000 + SLACK_NS) {
        fprintf(stderr, "%s(%u, %u): %lld us\n", calls[which].name, x, y, (long long)took / 1000);
        demand(false, "a call took longer than it may");
    }
}
