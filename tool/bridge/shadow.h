/* SPDX-License-Identifier: MIT */
/*
 * What a bridge knows of each key, in a dict of its own, NAME.bridge, that stays when the bridge ends: so a
 * restart knows what is new. It is as old as the dict itself: both end with the machine.
 */
#ifndef SHMS_BRIDGE_SHADOW_H
#define SHMS_BRIDGE_SHADOW_H

#include "wire.h"

#include "shmstream/dict.h"

#define SHADOW_SUFFIX ".bridge"

enum {
    KNOWN_GONE = 1, /* deleted: the stamp is the mark's */
    KNOWN_PUSH = 2, /* it was not seen in the bucket yet */
    KNOWN_HELD = 4, /* the bucket has what this machine does not take: it is not overwritten */
    KNOWN_ACKED = 8, /* with PUSH: the server has it, as it says, but it has not come back yet */
    KNOWN_REFUSED = 16 /* the server has a newer one, which has not come yet */
};

/* The greatest stamp that was seen of a key, here or in the bucket. All zero: nothing is known. */
struct known {
    struct stamp stamp;
    int64_t expires_ns;
    uint64_t revision; /* of the key's last message in the bucket; 0: none was seen */
    uint64_t flags;
};

/* How far this machine's dict has been read. */
struct local_mark {
    int64_t created_ns; /* the dict's: another one is another dict */
    int64_t since;      /* changes up to this version have been noticed */
    int64_t noted_ns;   /* until when no deletion was overlooked */
};

/* How far the bucket has been read. */
struct bucket_mark {
    int64_t created_ns;
    uint64_t next; /* message */
};

/* 0, or a code of the library. */
int shadow_open(const char *dict_name, const shms_dict_stats *of, shms_dict **ret);
void shadow_clear(shms_dict *shadow);

/* False: nothing is known of the key, and *ret is zero. */
bool shadow_get(shms_dict *shadow, const void *key, size_t key_size, struct known *ret);
int shadow_put(shms_dict *shadow, const void *key, size_t key_size, const struct known *k);
/* As shms_dict_next(), of keys only; other records are passed over. key: WIRE_KEY_MAX bytes. */
int shadow_next(shms_dict *shadow, uint64_t *cursor, void *key, size_t *ret_key_size, struct known *ret);

/* Records beside those of keys: "local", "bucket", "owner", "status". */
int64_t shadow_about(shms_dict *shadow, const char *what, void *buf, size_t size);
int shadow_tell(shms_dict *shadow, const char *what, const void *bytes, size_t size);

#endif
