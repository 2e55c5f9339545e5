/* SPDX-License-Identifier: MIT */
/*
 * Linux: a descriptor that tells of writes into a file, by inotify. Each watcher has its own; the kernel
 * takes it away with the process, so a crash leaves nothing behind, and equal events waiting coalesce.
 */
#include "../../core/port.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "steady.h"

int shms__watch_open(const struct file *f, int *ret_fd)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0)
        return shms__fail_os(errno);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", f->fd);
    if (inotify_add_watch(fd, path, IN_MODIFY) < 0) {
        int e = errno;
        close(fd);
        shms__fail_os(e);
        return SHMS_E_OS;
    }
    *ret_fd = fd;
    return 0;
}

/* Programs close descriptors that they do not know: never read or close what has taken the number since. */
static bool is_watch(int fd)
{
    char path[64], what[64] = "";
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return readlink(path, what, sizeof what - 1) > 0 && strstr(what, "inotify");
}

void shms__watch_drain(int fd)
{
    char events[1024];
    if (!is_watch(fd))
        return;
    /* Bounded: a writer that never pauses must not keep us here; what is left wakes the caller again. */
    for (int i = 0; i < 64; i++)
        if (read(fd, events, sizeof events) <= 0)
            return;
}

void shms__watch_close(int fd)
{
    if (is_watch(fd))
        close(fd);
}
