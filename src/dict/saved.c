/* SPDX-License-Identifier: MIT */
/*
 * A dict as a file: save and load.
 *
 * The file: SAVED_MAGIC; the number of records, 8 bytes; for each record the lengths of key and value, 4
 * bytes each, the moment when it expires (0: never), 8 bytes, key, value; at last SipHash-1-3 of all that,
 * under the key {0, 0}, 8 bytes. Numbers are little-endian. Nothing of the file is believed before the hash
 * was right.
 *
 * Memory is taken and given back in frames, since a handler that leaves malloc by siglongjmp leaves the heap
 * of the process locked; what the call had taken is then lost. Of a dict that is `secret` no copy stays in
 * it.
 */
#include "look.h"
#include "version.h"

#include <stdlib.h>

#define MAGIC_SIZE (sizeof SAVED_MAGIC - 1)
#define RECORD_HEAD 16
#define FIRST_ROOM 65536

static const uint64_t no_key[2];

struct buffer {
    unsigned char *bytes;
    uint64_t n, room;
    bool secret; /* wiped before it is given back */
};

/* NULL: there is not so much. */
static void *take_memory(uint64_t n)
{
    shms__quiet_begin();
    void *memory = n <= SIZE_MAX ? malloc((size_t)n) : NULL;
    shms__quiet_end();
    return memory;
}

static void wipe(unsigned char *bytes, uint64_t n)
{
    static const unsigned char zeros[256];
    /* Atomic stores: a compiler leaves those of memset out before free. */
    for (uint64_t at = 0; at < n; at += sizeof zeros)
        racy_copy(bytes + at, zeros, (size_t)min_u64(n - at, sizeof zeros));
}

static void give_back(struct buffer *b)
{
    if (b->bytes && b->secret)
        wipe(b->bytes, b->room);
    shms__quiet_begin();
    free(b->bytes);
    shms__quiet_end();
}

static int grow(struct buffer *b, uint64_t n)
{
    struct buffer more = *b;
    more.room = b->room < FIRST_ROOM ? FIRST_ROOM : b->room;
    while (more.room - b->n < n)
        more.room *= 2;
    more.bytes = take_memory(more.room);
    if (!more.bytes)
        return shms__fail(SHMS_E_NOMEM);
    if (b->n > 0)
        memcpy(more.bytes, b->bytes, (size_t)b->n);
    give_back(b);
    *b = more;
    return 0;
}

static int append(struct buffer *b, const void *bytes, uint64_t n)
{
    int rc = b->room - b->n < n ? grow(b, n) : 0;
    if (rc < 0)
        return rc;
    if (n > 0)
        memcpy(b->bytes + b->n, bytes, (size_t)n);
    b->n += n;
    return 0;
}

static void write_number(unsigned char *to, uint64_t number, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (unsigned char)(number >> (8 * i));
}

static uint64_t read_number(const unsigned char *from, int bytes)
{
    uint64_t number = 0;
    for (int i = 0; i < bytes; i++)
        number |= (uint64_t)from[i] << (8 * i);
    return number;
}

/* ---- save */

static int append_record(struct buffer *b, const void *key, size_t key_size, const void *value,
                         const shms_dict_record *r)
{
    unsigned char head[RECORD_HEAD];
    write_number(head, key_size, 4);
    write_number(head + 4, r->size, 4);
    write_number(head + 8, (uint64_t)r->expires_ns, 8);
    int rc = append(b, head, sizeof head);
    if (rc == 0)
        rc = append(b, key, key_size);
    return rc < 0 ? rc : append(b, value, r->size);
}

/* All records, while nobody changes one. */
static int64_t gather(shms_dict *d, struct buffer *b, void *value)
{
    unsigned char key[DICT_KEY_MOST], number[8] = {0};
    int64_t n = 0;
    int rc = append(b, SAVED_MAGIC, MAGIC_SIZE);
    if (rc == 0)
        rc = append(b, number, sizeof number);
    for (uint64_t cursor = 0; rc == 0; n++) {
        size_t key_size = sizeof key, value_size = d->value_max;
        shms_dict_record r = {.struct_size = sizeof r};
        rc = shms_dict_next(d, &cursor, key, &key_size, value, &value_size, &r);
        if (rc == 0)
            break;
        if (rc > 0)
            rc = append_record(b, key, key_size, value, &r);
    }
    if (rc < 0)
        return rc;
    write_number(b->bytes + MAGIC_SIZE, (uint64_t)n, 8);
    write_number(number, shms__siphash(no_key, b->bytes, (size_t)b->n), 8);
    rc = append(b, number, sizeof number);
    return rc < 0 ? rc : n;
}

static int64_t gather_locked(shms_dict *d, struct buffer *b, void *value)
{
    int rc = shms__lock_shared(&d->section, d->timeout_ms);
    if (rc < 0)
        return rc;
    int64_t n = gather(d, b, value);
    shms__unlock_shared(&d->section);
    return n;
}

static int write_file(const char *path, const struct buffer *b)
{
    int steady = shms__steady_begin();
    int rc = shms__disk_save(path, b->bytes, b->n);
    shms__steady_end(steady);
    return rc;
}

int64_t shms_dict_save(shms_dict *d, const char *path)
{
    if (!d || !path)
        return shms__fail(SHMS_E_INVALID);
    int rc = shms__member_enter(&d->section.member);
    if (rc < 0)
        return rc;
    struct buffer b = {.secret = d->secret};
    struct buffer value = {take_memory(d->value_max), 0, d->value_max, d->secret};
    int64_t n = value.bytes ? gather_locked(d, &b, value.bytes) : shms__fail(SHMS_E_NOMEM);
    n = shms__member_done(&d->section.member, n);
    if (n >= 0) {
        rc = write_file(path, &b);
        n = rc < 0 ? rc : n;
    }
    give_back(&value);
    give_back(&b);
    return n;
}

/* ---- load */

/* A record of the file. */
struct saved {
    const unsigned char *key, *value;
    uint32_t key_size, value_size;
    int64_t expires_ns;
};

/* The record at *at, which moves behind it. False: there is none. */
static bool next_saved(const struct buffer *b, uint64_t *at, struct saved *ret)
{
    if (!ref_fits(*at, RECORD_HEAD, b->n))
        return false;
    const unsigned char *head = b->bytes + *at;
    *ret = (struct saved){.key = head + RECORD_HEAD,
                          .key_size = (uint32_t)read_number(head, 4),
                          .value_size = (uint32_t)read_number(head + 4, 4),
                          .expires_ns = (int64_t)read_number(head + 8, 8)};
    ret->value = ret->key + ret->key_size;
    *at += RECORD_HEAD;
    if (!ref_fits(*at, (uint64_t)ret->key_size + ret->value_size, b->n) || ret->expires_ns < 0)
        return false;
    *at += (uint64_t)ret->key_size + ret->value_size;
    return true;
}

/* Is it a saved dict whose records this one can take? b->n goes back to where they end. */
static int check(const shms_dict *d, struct buffer *b, uint64_t *ret_count)
{
    struct saved s;
    uint64_t at = MAGIC_SIZE + 8;
    if (b->n < at + 8 || memcmp(b->bytes, SAVED_MAGIC, MAGIC_SIZE) != 0)
        return shms__fail(SHMS_E_FORMAT);
    b->n -= 8;
    if (read_number(b->bytes + b->n, 8) != shms__siphash(no_key, b->bytes, (size_t)b->n))
        return shms__fail(SHMS_E_CORRUPT);
    *ret_count = read_number(b->bytes + MAGIC_SIZE, 8);
    for (uint64_t i = 0; i < *ret_count; i++) {
        if (!next_saved(b, &at, &s))
            return shms__fail(SHMS_E_CORRUPT);
        if (s.key_size == 0 || s.key_size > d->key_max || s.value_size > d->value_max)
            return shms__fail(SHMS_E_RANGE);
    }
    return at == b->n ? 0 : shms__fail(SHMS_E_CORRUPT);
}

static int64_t store_all(shms_dict *d, const struct buffer *b, uint64_t count)
{
    struct clock clock = {.dict = d};
    uint64_t at = MAGIC_SIZE + 8;
    int64_t stored = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct saved s;
        if (!next_saved(b, &at, &s))
            return shms__fail(SHMS_E_CORRUPT);
        if (shms__clock_past(&clock, s.expires_ns))
            continue;
        shms_dict_how how = {.struct_size = sizeof how, .expires_ns = s.expires_ns};
        int64_t rc = shms_dict_set(d, s.key, s.key_size, s.value, s.value_size, &how);
        if (rc < 0)
            return rc;
        stored++;
    }
    return stored;
}

/* The file's size is asked before there is memory for it. */
static int learn_size(void *context, uint64_t size)
{
    *(uint64_t *)context = size;
    return SHMS__RETRY;
}

/* What is no saved dict need not fit into memory to be told so. */
static int check_begin(const char *path)
{
    unsigned char begin[MAGIC_SIZE];
    int64_t n = shms__disk_begin(path, begin, sizeof begin);
    if (n < 0)
        return (int)n;
    bool ours = n == sizeof begin && memcmp(begin, SAVED_MAGIC, sizeof begin) == 0;
    return ours ? 0 : shms__fail(SHMS_E_FORMAT);
}

static int go_on(void *context, uint64_t size)
{
    (void)context, (void)size;
    return 0;
}

static int64_t read_file(const char *path, struct buffer *b)
{
    int64_t rc = check_begin(path);
    if (rc == 0)
        rc = shms__disk_load(path, NULL, INT64_MAX, learn_size, &b->room);
    if (rc != SHMS__RETRY)
        return rc;
    b->bytes = b->room < SIZE_MAX ? take_memory(b->room + 1) : NULL;
    if (!b->bytes)
        return shms__fail(SHMS_E_NOMEM);
    rc = shms__disk_load(path, b->bytes, b->room, go_on, NULL);
    b->n = rc < 0 ? 0 : (uint64_t)rc;
    return rc;
}

int64_t shms_dict_load(shms_dict *d, const char *path)
{
    if (!d || !path)
        return shms__fail(SHMS_E_INVALID);
    if (!d->section.member.region.writable)
        return shms__fail(d->section.member.region.data_only ? SHMS_E_DENIED : SHMS_E_READ_ONLY);
    struct buffer b = {.secret = d->secret};
    uint64_t count = 0;
    int steady = shms__steady_begin();
    int64_t rc = read_file(path, &b);
    shms__steady_end(steady);
    if (rc >= 0)
        rc = check(d, &b, &count);
    if (rc >= 0)
        rc = store_all(d, &b, count);
    give_back(&b);
    return rc;
}
