/* SPDX-License-Identifier: MIT */
/*
 * Linux: a descriptor that tells of writes into a file, by inotify. Each watcher has its own; the kernel
 * takes it away with the process, so a crash leaves nothing behind, and equal events waiting coalesce.
 *
 * Programs close descriptors that they do not know, and get the same numbers for others. To fstat all inotify
 * descriptors are alike, so ours carry a mark: the signal of F_SETSIG. It belongs to the opening, is never
 * sent (nobody sets O_ASYNC), and is 0 where nobody has set it. Where two handles of this process know one
 * number, the descriptor is that of the later one.
 */
#include "fd.h"

#include "../../core/port.h"

#include <signal.h>
#include <sys/inotify.h>

#include "steady.h"

#define MARK SIGILL /* nobody asks to be told of input in this way */
#ifndef F_SETSIG
#define F_SETSIG 10 /* the numbers everywhere; only GNU headers have the names, and not always */
#define F_GETSIG 11
#endif

static struct watch *watches;

static void forget(struct watch *w)
{
    struct watch **at = &watches;
    while (*at && *at != w)
        at = &(*at)->next;
    if (*at)
        *at = w->next;
    w->fd = -1;
}

static void remember(struct watch *w, int fd)
{
    for (struct watch *other = watches, *next; other; other = next) {
        next = other->next;
        if (other->fd == fd)
            forget(other);
    }
    *w = (struct watch){.fd = fd, .next = watches};
    watches = w;
}

static bool is_ours(struct watch *w)
{
    if (w->fd < 0)
        return false;
    if (fcntl(w->fd, F_GETSIG) == MARK)
        return true;
    forget(w);
    return false;
}

static int watch_file(int fd, const struct file *f)
{
    char path[64];
    shms__fd_path(f->fd, path);
    return fcntl(fd, F_SETSIG, MARK) || inotify_add_watch(fd, path, IN_MODIFY) < 0 ? errno : 0;
}

int shms__watch_open(const struct file *f, struct watch *w)
{
    if (is_ours(w))
        return 0;
    int fd = shms__fd_above(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (fd < 0)
        return shms__fail_os(errno);
    int e = watch_file(fd, f);
    if (e) {
        close(fd);
        shms__fail_os(e);
        return SHMS_E_OS;
    }
    remember(w, fd);
    return 0;
}

void shms__watch_drain(struct watch *w)
{
    char events[1024];
    if (!is_ours(w))
        return;
    /* Bounded: a writer that never pauses must not keep us here; what is left wakes the caller again. */
    for (int i = 0; i < 64; i++)
        if (read(w->fd, events, sizeof events) <= 0)
            return;
}

void shms__watch_close(struct watch *w)
{
    if (!is_ours(w))
        return;
    close(w->fd);
    forget(w);
}
