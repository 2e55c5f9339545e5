/* SPDX-License-Identifier: MIT */
/*
 * Linux: byte locks are open-file-description locks. They belong to one opening of the file, so they hold
 * between two handles of one process, are not lost when another descriptor of the file closes (as POSIX
 * locks are), and are freed by the kernel with the last descriptor or mapping of that opening.
 */
#include "../../core/port.h"

#include <errno.h>
#include <fcntl.h>

static int ofd(const struct file *f, int command, short type, uint64_t offset, uint64_t n, short *ret_type)
{
    struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)offset, .l_len = (off_t)n};
    if (fcntl(f->fd, command, &l))
        return errno;
    if (ret_type)
        *ret_type = l.l_type;
    return 0;
}

int shms__byte_lock(const struct file *f, uint64_t offset, bool *ret_taken)
{
    int e = ofd(f, F_OFD_SETLK, F_WRLCK, offset, 1, NULL);
    if (e && e != EAGAIN && e != EACCES)
        return shms__fail_os(e);
    *ret_taken = e == 0;
    return 0;
}

int shms__byte_share(const struct file *f, uint64_t offset)
{
    int e = ofd(f, F_OFD_SETLK, F_RDLCK, offset, 1, NULL);
    return e ? shms__fail_os(e) : 0;
}

void shms__byte_unlock(const struct file *f, uint64_t offset)
{
    ofd(f, F_OFD_SETLK, F_UNLCK, offset, 1, NULL);
}

int shms__byte_locked(const struct file *f, uint64_t offset, uint64_t n, int kind)
{
    /* A read lock conflicts with exclusive locks only, a write lock with any. */
    short type = F_WRLCK;
    int e = ofd(f, F_OFD_GETLK, kind == BYTE_EXCLUSIVE ? F_RDLCK : F_WRLCK, offset, n, &type);
    return e ? shms__fail_os(e) : type != F_UNLCK;
}
