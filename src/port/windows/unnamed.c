/* SPDX-License-Identifier: MIT */
/* Windows: a region's objects are found by their names, so there are none without. */
#include "../../core/unnamed.h"

int shms__unnamed_open(struct region *r, const struct region_request *q, int64_t deadline)
{
    (void)r, (void)q, (void)deadline;
    return shms__fail(SHMS_E_UNSUPPORTED);
}

int shms__unnamed_stat(const struct region *r, struct file_stat *ret)
{
    (void)r, (void)ret;
    return shms__fail(SHMS_E_UNSUPPORTED);
}

int shms__unnamed_pass(struct region *r, int *ret_fd)
{
    (void)r, (void)ret_fd;
    return shms__fail(SHMS_E_UNSUPPORTED);
}
