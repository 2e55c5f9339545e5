/* SPDX-License-Identifier: MIT */
/* How a record stands in a bucket: its subject and its bytes. */
#ifndef SHMS_BRIDGE_WIRE_H
#define SHMS_BRIDGE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_HEAD 32
#define WIRE_VALUE_MAX (512u << 10)
#define WIRE_KEY_MAX 1023
#define WIRE_SUBJECT_MAX 3200

/* When a record was written, and where: of two of one key the greater one wins. */
struct stamp {
    int64_t ns;
    uint64_t origin;
};

static inline int stamp_order(struct stamp a, struct stamp b)
{
    if (a.ns != b.ns)
        return a.ns < b.ns ? -1 : 1;
    return a.origin < b.origin ? -1 : a.origin > b.origin;
}

struct entry {
    struct stamp stamp;
    int64_t expires_ns;
    bool gone; /* it is the mark of a deleted record */
    const void *value;
    size_t size;
};

/* Letters, digits, - and _: what stands in subjects and names of buckets as it is. */
bool wire_is_plain(char c);
bool wire_bucket_sound(const char *bucket);

/* "$KV.BUCKET.KEY", zero-terminated: its length. */
size_t wire_subject(const char *bucket, const void *key, size_t key_size, char *ret);
/* The key of a subject of this bucket: its length; 0: it is none. */
size_t wire_key(const char *bucket, const char *subject, unsigned char ret[static WIRE_KEY_MAX]);

void wire_head(const struct entry *e, unsigned char ret[static WIRE_HEAD]);
/* False: these bytes are no record. */
bool wire_read(const void *bytes, size_t size, struct entry *ret);

#endif
