/* SPDX-License-Identifier: MIT */
/* A region in a child of fork. */
#include "region.h"

int shms__region_rejoin(struct region *r)
{
    const struct file *f = &r->control_file;
    if (r->frozen)
        return shms__fail(SHMS_E_DENIED); /* it could map control, but not write it */
    if (!shms__region_own_control(r))
        return shms__fail(SHMS_E_LOST);
    int rc = shms__life_take(f, shms__now_ns() + r->timeout_ns);
    if (rc < 0)
        return rc;
    rc = shms__region_map_control(r);
    if (rc == 0 && shms__region_check_control(r) < 0)
        rc = shms__fail(SHMS_E_LOST); /* it was sound when the parent joined */
    if (rc < 0) {
        shms__region_unmap_control(r);
        shms__byte_unlock(f, LOCK_LIFE);
    }
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
