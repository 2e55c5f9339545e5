/* SPDX-License-Identifier: MIT */
/* Looks into a dict that are repeated until one stood: what readers do without the lock, and what they are
 * told. */
#include "look.h"

#define TRIES 32 /* each is lost only to a writer that went on meanwhile */
#define APART 4  /* pauses between two tries */

struct look {
    const struct wanted *wanted;
    void *buf;
    uint64_t size;
    struct entry *ret;
};

static int look_once(shms_dict *d, void *context)
{
    struct look *l = context;
    return shms__table_look(d, l->wanted, l->buf, l->size, l->ret);
}

static int look_locked(shms_dict *d, look_fn *look, void *context)
{
    if (d->section.member.region.data_only)
        return shms__fail(SHMS_E_TIMEOUT);
    int rc = shms__lock_shared(&d->section, d->timeout_ms);
    if (rc < 0)
        return rc;
    rc = look(d, context);
    bool whole = shms__unlock_shared(&d->section) == 0 && rc != LOOK_AGAIN;
    return whole ? rc : shms__fail(SHMS_E_CORRUPT); /* a peer writes without the lock, or overwrote it */
}

int shms__look_again(shms_dict *d, look_fn *look, void *context)
{
    for (int i = 0; i < TRIES; i++) {
        int rc = look(d, context);
        if (rc != LOOK_AGAIN)
            return rc;
        for (int k = 0; k < APART; k++)
            spin_pause();
    }
    return look_locked(d, look, context);
}

int shms__look(shms_dict *d, const struct wanted *w, void *buf, uint64_t size, struct entry *ret)
{
    int rc = shms__table_look(d, w, buf, size, ret);
    if (__builtin_expect(rc != LOOK_AGAIN, 1))
        return rc;
    struct look l = {w, buf, size, ret};
    return shms__look_again(d, look_once, &l);
}

int shms__check_key(const shms_dict *d, const void *key, size_t key_size)
{
    if (!d || !key || key_size == 0)
        return shms__fail(SHMS_E_INVALID);
    return key_size > d->key_max ? shms__fail(SHMS_E_RANGE) : 0;
}

void shms__tell(shms_dict_record *ret, const struct entry *r)
{
    if (!ret)
        return;
    shms_dict_record told = {.struct_size = ret->struct_size,
                             .flags = r->lengths.flags & (RECORD_GONE | RECORD_EXPIRED | RECORD_EVICTED),
                             .version = (int64_t)r->version,
                             .expires_ns = r->expires_ns,
                             .size = r->lengths.value,
                             .stamp_ns = r->stamp_ns,
                             .origin = r->origin};
    memcpy(ret, &told, (size_t)min_u64(ret->struct_size, sizeof told));
}
