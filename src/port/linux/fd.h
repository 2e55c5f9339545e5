/* SPDX-License-Identifier: MIT */
/* Linux: descriptors of ours, where their numbers come from, and their paths. */
#ifndef SHMS_PORT_FD_H
#define SHMS_PORT_FD_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define FD_LEAST (STDERR_FILENO + 1)

/*
 * To be called on every new descriptor: what is below 3 moves up. In a program that has closed its standard
 * streams, each new descriptor would else be one of them, and what the program prints would go into control.
 * -1 and errno if `fd` is that already, or there is no room above.
 */
static inline int shms__fd_above(int fd)
{
    if (fd < 0 || fd >= FD_LEAST)
        return fd;
    int above = fcntl(fd, F_DUPFD_CLOEXEC, FD_LEAST);
    int e = errno == EINVAL ? EMFILE : errno; /* EINVAL: the limit is 3 or less */
    close(fd);
    errno = e;
    return above;
}

/* Where the file behind a descriptor can be opened once more. */
static inline void shms__fd_path(int fd, char ret_path[64])
{
    snprintf(ret_path, 64, "/proc/self/fd/%d", fd);
}

#endif
