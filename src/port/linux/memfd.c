/* SPDX-License-Identifier: MIT */
/*
 * Linux: memory without a name, a memfd. What its seals promise is looked up and never taken on trust: a
 * process that passes a descriptor may pass any.
 */
#include "fd.h"
#include "trust.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "steady.h"

#define NO_EXEC_SEAL 0x0008u      /* MFD_NOEXEC_SEAL, since Linux 6.3; some systems insist on it */
#define FUTURE_WRITE_SEAL 0x0010  /* F_SEAL_FUTURE_WRITE, since Linux 5.1 */
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* An opening of its own; it tells watchers of writes, too, which the first one of a memfd does not always. */
static int open_again(int fd, int rights, int *ret_fd)
{
    char own[64];
    shms__fd_path(fd, own);
    int again = shms__fd_above(open(own, rights | O_CLOEXEC | O_NONBLOCK)); /* waits for nobody's lease */
    if (again < 0)
        return shms__fail_os(errno == ENOENT ? EOPNOTSUPP : errno); /* no /proc */
    *ret_fd = again;
    return 0;
}

int shms__memfd_new(uint32_t mode, struct file *ret)
{
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int first = memfd_create("shmstream", flags | NO_EXEC_SEAL);
    if (first < 0 && errno == EINVAL)
        first = memfd_create("shmstream", flags);
    first = shms__fd_above(first);
    if (first < 0)
        return shms__fail_os(errno == ENOSYS ? EOPNOTSUPP : errno);
    /* Reopening asks for the mode, which is set to what was asked for afterwards. */
    int fd = -1;
    int rc = fchmod(first, 0600) ? shms__fail_os(errno) : open_again(first, O_RDWR, &fd);
    close(first);
    if (rc < 0)
        return rc;
    struct stat st;
    if (fchmod(fd, mode) || fstat(fd, &st)) {
        rc = shms__fail_os(errno);
        close(fd);
        return rc;
    }
    *ret = (struct file){fd, (uint64_t)st.st_dev, (uint64_t)st.st_ino, 0, false};
    return 0;
}

int shms__memfd_seal(const struct file *f, bool frozen)
{
    int seals = SEALS | (frozen ? FUTURE_WRITE_SEAL : 0);
    if (fcntl(f->fd, F_ADD_SEALS, seals))
        return shms__fail_os(errno == EINVAL ? EOPNOTSUPP : errno);
    return (fcntl(f->fd, F_GET_SEALS) & seals) == seals ? 0 : shms__fail(SHMS_E_UNSUPPORTED);
}

/* Is it what shms__memfd_new makes, and may it be used? */
static int check(int fd, bool joins, const struct trust *t, struct file *ret)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS); /* first: fstat would ask any file system, and wait for its answer */
    if (seals < 0 && errno == EBADF) {
        shms__fail_os(errno);
        return SHMS_E_INVALID;
    }
    if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) || !shms__on_tmpfs(fd, st.st_dev) ||
        !shms__trusted_owner(t, st.st_uid) || (st.st_mode & 0777 & ~t->mode) ||
        (joins && (seals & (F_SEAL_WRITE | FUTURE_WRITE_SEAL))))
        return shms__fail(SHMS_E_DENIED);
    *ret = (struct file){fd, (uint64_t)st.st_dev, (uint64_t)st.st_ino, (uint64_t)st.st_size, false};
    return 0;
}

int shms__memfd_open(int fd, bool joins, const struct trust *trust, struct file *ret)
{
    struct file f;
    int rc = check(fd, joins, trust, &f); /* before it is opened: opening some files does something */
    int again = -1;
    if (rc == 0)
        rc = shms__memfd_pass(&f, joins, false, &again);
    if (rc < 0)
        return rc;
    rc = check(again, joins, trust, &f); /* the number may have changed its meaning meanwhile */
    if (rc < 0)
        close(again);
    else
        *ret = f;
    return rc;
}

int shms__memfd_pass(const struct file *f, bool joins, bool frozen, int *ret_fd)
{
    if (joins)
        return open_again(f->fd, frozen ? O_RDONLY : O_RDWR, ret_fd);
    /* Without byte locks there is nothing to keep apart. */
    int fd = fcntl(f->fd, F_DUPFD_CLOEXEC, FD_LEAST);
    if (fd < 0)
        return shms__fail_os(errno == EINVAL ? EMFILE : errno); /* EINVAL: the limit is 3 or less */
    *ret_fd = fd;
    return 0;
}
