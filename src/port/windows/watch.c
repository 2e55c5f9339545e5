/* SPDX-License-Identifier: MIT */
/* Windows: there is no descriptor that poll and epoll could wait for. */
#include "../../core/port.h"

int shms__watch_open(const struct file *f, int *ret_fd)
{
    (void)f, (void)ret_fd;
    return shms__fail(SHMS_E_UNSUPPORTED);
}

void shms__watch_drain(int fd)
{
    (void)fd;
}

void shms__watch_close(int fd)
{
    (void)fd;
}

int shms__file_ring(const struct file *f, uint64_t offset)
{
    (void)f, (void)offset;
    return 0;
}
