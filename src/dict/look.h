/* SPDX-License-Identifier: MIT */
/* Looks into a dict that are repeated until one stood. */
#ifndef SHMS_LOOK_H
#define SHMS_LOOK_H

#include "table.h"

/* Before any look: a child of fork becomes a member; who may only read the data passes. */
static inline int shms__dict_enter(shms_dict *d)
{
    if (d->section.member.region.data_only)
        return (int)shms__member_done(&d->section.member, 0);
    return shms__member_enter(&d->section.member);
}

/* LOOK_FOUND, LOOK_ABSENT, or a failure. What has expired is found. */
int shms__look(shms_dict *d, const struct wanted *w, void *buf, uint64_t size, struct entry *ret);

/*
 * Repeat a look that gave LOOK_AGAIN: some tries, then one under the shared lock, where no writer is. A
 * reader of the data alone cannot lock: SHMS_E_TIMEOUT.
 */
typedef int look_fn(shms_dict *d, void *context);
int shms__look_again(shms_dict *d, look_fn *look, void *context);

/* A key as callers give it: SHMS_E_INVALID, SHMS_E_RANGE: it has 0 bytes, or too many. */
int shms__check_key(const shms_dict *d, const void *key, size_t key_size);

/* What a caller is told of a record, as far as its struct goes. */
void shms__tell(shms_dict_record *ret, const struct entry *r);
/* Is the struct one of ours? NULL is. */
static inline bool shms__record_sound(const shms_dict_record *r)
{
    return !r || r->struct_size >= 8;
}

/* The number of the last change. */
static inline uint64_t shms__dict_version(const shms_dict *d)
{
    /* acquire: all that the change did; pairs with the release in shms__redo_commit */
    return a64_load_acquire(&d->header->version) & ~VERSION_LOCK;
}

#endif
