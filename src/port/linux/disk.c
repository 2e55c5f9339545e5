/* SPDX-License-Identifier: MIT */
/* Linux: ordinary files, written as a whole or not at all. */
#include "../../core/port.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "steady.h"

#define CHUNK ((size_t)256 << 20)

static int write_all(int fd, const char *p, uint64_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n < CHUNK ? (size_t)n : CHUNK);
        if (done < 0 && errno != EINTR)
            return errno;
        if (done > 0) {
            p += done;
            n -= (uint64_t)done;
        }
    }
    return 0;
}

/* Opening a pipe may wait, and a signal end that. */
static int open_file(const char *path, int flags)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* A pipe, a terminal, a device: there is nothing to replace. */
static int write_into(const char *path, const void *buf, uint64_t n)
{
    int fd = open_file(path, O_WRONLY);
    if (fd < 0)
        return errno;
    int e = write_all(fd, buf, n);
    return close(fd) && errno != EINTR && e == 0 ? errno : e;
}

/* Write beside it, make it durable, then change names: a failure at any point leaves the old file. */
static int replace(const char *path, mode_t mode, const void *buf, uint64_t n)
{
    char beside[PATH_MAX + 16];
    const char *slash = strrchr(path, '/'); /* a name of its own: the file's may be as long as names can be */
    int fd;
    do {
        snprintf(beside, sizeof beside, "%.*s.shms-XXXXXX", slash ? (int)(slash - path) + 1 : 0, path);
        fd = mkostemp(beside, O_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return errno;
    int e = fchmod(fd, mode) ? errno : write_all(fd, buf, n);
    while (e == 0 && fsync(fd))
        e = errno == EINTR ? 0 : errno;
    if (close(fd) && errno != EINTR && e == 0) /* EINTR: it is closed, and fsync has told the rest */
        e = errno;
    if (e == 0 && rename(beside, path))
        e = errno;
    if (e)
        unlink(beside);
    return e;
}

int shms__disk_save(const char *path, const void *buf, uint64_t n)
{
    struct stat st;
    char target[PATH_MAX]; /* where a symbolic link leads: the link stays */
    int e;
    if (stat(path, &st))
        e = errno == ENOENT ? replace(path, 0600, buf, n) : errno;
    else if (!S_ISREG(st.st_mode))
        e = write_into(path, buf, n);
    else if (!realpath(path, target))
        e = errno;
    else
        e = replace(target, st.st_mode & 07777, buf, n);
    return e ? shms__fail_os(e) : 0;
}

static int64_t read_all(int fd, char *p, uint64_t n)
{
    uint64_t done = 0;
    while (done < n) {
        ssize_t got = read(fd, p + done, n - done < CHUNK ? (size_t)(n - done) : CHUNK);
        if (got < 0 && errno != EINTR)
            return shms__fail_os(errno);
        if (got == 0)
            break;
        if (got > 0)
            done += (uint64_t)got;
    }
    return (int64_t)done;
}

int64_t shms__disk_load(const char *path, void *buf, uint64_t n, int (*before)(void *context, uint64_t size),
                        void *context)
{
    int fd = open_file(path, O_RDONLY | O_NONBLOCK);
    if (fd < 0)
        return shms__fail_os(errno);
    struct stat st;
    int64_t rc;
    if (fstat(fd, &st))
        rc = shms__fail_os(errno);
    else if (!S_ISREG(st.st_mode))
        rc = shms__fail(SHMS_E_INVALID);
    else if ((uint64_t)st.st_size > n)
        rc = shms__fail(SHMS_E_RANGE);
    else if ((rc = before(context, (uint64_t)st.st_size)) == 0)
        rc = read_all(fd, buf, (uint64_t)st.st_size);
    close(fd);
    return rc;
}
