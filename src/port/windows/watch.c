/* SPDX-License-Identifier: MIT */
/* Windows: there is no descriptor that poll and epoll could wait for. */
#include "../../core/port.h"

int shms__watch_open(const struct file *f, struct watch *w)
{
    (void)f, (void)w;
    return shms__fail(SHMS_E_UNSUPPORTED);
}

void shms__watch_drain(struct watch *w)
{
    (void)w;
}

void shms__watch_close(struct watch *w)
{
    (void)w;
}

int shms__file_ring(const struct file *f, uint64_t offset)
{
    (void)f, (void)offset;
    return 0;
}
