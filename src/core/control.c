/* SPDX-License-Identifier: MIT */
/* The control file: its stamp, its rights, its mapping, and what a life begins with. */
#include "region.h"

#include <string.h>

bool shms__stamp_ok(const struct control *c)
{
    /* relaxed: written before the file got its name, which the open that led here came after */
    return a64_load_relaxed(&c->magic) == LAYOUT_MAGIC &&
           a32_load_relaxed(&c->format) == SHMS_FORMAT_VERSION &&
           a32_load_relaxed(&c->byte_order) == LAYOUT_BYTE_ORDER &&
           a32_load_relaxed(&c->fingerprint) == LAYOUT_FINGERPRINT &&
           a32_load_relaxed(&c->control_size) == LAYOUT_CONTROL_SIZE;
}

uint32_t shms__control_mode(uint32_t mode)
{
    uint32_t both = 0;
    for (uint32_t class = 0006; class <= 0600; class <<= 3)
        if ((mode & class) == class)
            both |= class;
    return both;
}

int shms__region_map_control(struct region *r)
{
    void *p = NULL;
    int rc = r->no_bell ? shms__map(&r->control_file, 0, LAYOUT_CONTROL_SIZE, true, false, &p)
                        : shms__bell_map(&r->control_file, &r->bell, &p);
    if (rc == 0)
        shms__guard_range(r->guard, GUARD_CONTROL, p, LAYOUT_CONTROL_SIZE, true);
    r->control = p;
    return rc;
}

int shms__region_check_control(const struct region *r)
{
    uint64_t size = r->control_file.size; /* the journal comes behind it, if there is one */
    bool sound = size == LAYOUT_CONTROL_SIZE || size > LAYOUT_JOURNAL;
    return sound && shms__stamp_ok(r->control) ? 0 : shms__fail(SHMS_E_FORMAT);
}

void shms__stamp_write(struct control *c)
{
    /* relaxed: the file has no name yet */
    a64_store_relaxed(&c->magic, LAYOUT_MAGIC);
    a32_store_relaxed(&c->format, SHMS_FORMAT_VERSION);
    a32_store_relaxed(&c->byte_order, LAYOUT_BYTE_ORDER);
    a32_store_relaxed(&c->fingerprint, LAYOUT_FINGERPRINT);
    a32_store_relaxed(&c->control_size, LAYOUT_CONTROL_SIZE);
}

void shms__region_begin(struct region *r, const struct region_request *q, uint64_t max_size)
{
    struct control *c = r->control;
    uint32_t flags = (q->keep ? FLAG_KEEP : 0u) | (q->atomic ? FLAG_ATOMIC : 0u);
    /* relaxed, all below: nobody else is a member; the life-cycle lock hands these to the next one */
    a32_store_relaxed(&c->flags, flags | (q->sparse ? FLAG_SPARSE : 0u));      /* relaxed: as above */
    a32_store_relaxed(&c->kind, q->kind);                                      /* relaxed: as above */
    a64_store_relaxed(&c->data_inode, r->data_file.inode);                     /* relaxed: as above */
    a64_store_relaxed(&c->max_size, max_size);                                 /* relaxed: as above */
    a64_store_relaxed(&c->created_ns, (uint64_t)shms__wall_ns());              /* relaxed: as above */
    a64_store_relaxed(&c->cell, 0);                                            /* relaxed: as above */
    a64_store_relaxed(&c->sequence, 0);                                        /* relaxed: as above */
    a32_store_relaxed(&c->died, 0);                                            /* relaxed: as above */
    a32_store_relaxed(&c->init, q->init ? INIT_OWED : INIT_NONE);              /* relaxed: as above */
    a64_store_relaxed(&c->journal_used, 0);                                    /* relaxed: as above */
    a64_store_relaxed(&c->version, 0);                                         /* relaxed: as above */
    a64_store_relaxed(&c->size, q->size);                                      /* relaxed: as above */
    memset(c->object, 0, sizeof c->object);
    if (q->object)
        memcpy(c->object, q->object, q->object_size);
}

int shms__region_rejoin(struct region *r)
{
    bool taken = false;
    if (r->frozen)
        return shms__fail(SHMS_E_DENIED); /* it could map control, but not write it */
    int rc = shms__region_own_control(r);
    if (rc == 0)
        rc = shms__byte_lock(&r->control_file, LOCK_LIFE, &taken);
    if (rc < 0 || !taken)
        return rc < 0 ? rc : SHMS__RETRY;
    rc = shms__region_map_control(r);
    if (rc == 0 && shms__region_check_control(r) < 0)
        rc = shms__fail(SHMS_E_LOST); /* it was sound when the parent joined */
    if (rc < 0)
        shms__region_rejoined(r, false);
    return rc;
}

void shms__region_rejoined(struct region *r, bool joined)
{
    if (joined)
        shms__byte_unlock(&r->control_file, LOCK_NURSERY);
    else
        shms__region_unmap_control(r);
    shms__byte_unlock(&r->control_file, LOCK_LIFE);
}
