/* SPDX-License-Identifier: MIT */
/* Windows: the life-cycle lock. What keeps a region alive is the system's business here: see region.c. */
#include "../../core/fork.h"

int shms__region_setup(void)
{
    return 0;
}

int shms__life_take(const struct file *f, int64_t deadline)
{
    for (;;) {
        bool taken = false;
        int rc = shms__byte_lock(f, LOCK_LIFE, &taken);
        if (rc < 0 || taken)
            return rc;
        if (shms__now_ns() >= deadline)
            return shms__fail(SHMS_E_TIMEOUT);
        shms__nap(1000000);
    }
}

/* The holder of f has seen it under its name, which is gone with the last member or looker. */
int shms__region_alive(const struct file *f)
{
    (void)f;
    return 1;
}

const struct file *shms__region_control_file(struct region *r)
{
    return &r->control_file;
}
