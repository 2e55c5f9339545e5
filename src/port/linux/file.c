/* SPDX-License-Identifier: MIT */
/* Linux: files in /dev/shm, made without a name, opened with suspicion, mapped. */
#include "fd.h"
#include "room.h"
#include "trust.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "steady.h"

#define SHM_DIR "/dev/shm"
#define TMPFS_MAGIC_NUMBER 0x01021994
#define RESERVE_CHUNK (64ull << 20)
#define RESERVE_CHUNK_LEAST (64ull << 10)
#define RESERVE_UNASKED (4ull << 20) /* above this, asking what may be had costs little beside zeroing it */

/* ---- places */

/* No directory /dev/shm, and kernels and file systems without O_TMPFILE: this is no place for regions. */
static int fail_place(int oserror)
{
    bool unfit = oserror == ENOENT || oserror == ENOTDIR || oserror == EISDIR || oserror == EINVAL;
    return shms__fail_os(unfit ? EOPNOTSUPP : oserror);
}

static int check_private_dir(const char *path)
{
    struct stat st;
    if (lstat(path, &st))
        return errno == ENOTDIR ? fail_place(errno) : shms__fail_os(errno);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
        return shms__fail(SHMS_E_DENIED);
    /* Too few rights: under a strict umask, its maker was killed between mkdir and chmod. /dev/shm is sticky:
     * what is ours there stays what it is. */
    if ((st.st_mode & 0700) != 0700 && chmod(path, 0700))
        return shms__fail_os(errno);
    return 0;
}

int shms__place(bool global, bool create, char ret_prefix[PORT_PATH_MAX])
{
    if (global) {
        snprintf(ret_prefix, PORT_PATH_MAX, SHM_DIR "/shms.");
        return 0;
    }
    char dir[PORT_PATH_MAX];
    snprintf(dir, sizeof dir, SHM_DIR "/shms-%" PRIu32, shms__user());
    int rc = check_private_dir(dir);
    if (rc == SHMS_E_NOT_FOUND && create) {
        if (mkdir(dir, 0700) && errno != EEXIST)
            return fail_place(errno);
        rc = check_private_dir(dir); /* which mends what the umask has taken */
    }
    if (rc == 0)
        snprintf(ret_prefix, PORT_PATH_MAX, "%.300s/", dir);
    return rc;
}

/* The directory of a place's prefix: all up to the last slash. */
static void place_dir(const char *prefix, char ret_dir[PORT_PATH_MAX])
{
    snprintf(ret_dir, PORT_PATH_MAX, "%.*s", (int)(strrchr(prefix, '/') - prefix), prefix);
}

int shms__place_walk(const char *prefix, int (*fn)(void *context, const char *file_name), void *context)
{
    char dir[PORT_PATH_MAX];
    place_dir(prefix, dir);
    const char *start = strrchr(prefix, '/') + 1;
    int fd = shms__fd_above(open(dir, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC));
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : shms__fail_os(errno);
    DIR *d = fdopendir(fd);
    if (!d) {
        int oserror = errno;
        close(fd);
        return shms__fail_os(oserror);
    }
    int rc = 0;
    for (struct dirent *e; rc == 0 && (e = readdir(d));)
        if (strncmp(e->d_name, start, strlen(start)) == 0 && e->d_name[strlen(start)])
            rc = fn(context, e->d_name + strlen(start));
    closedir(d);
    return rc;
}

/* ---- opening */

/* Is this descriptor on tmpfs? Device numbers that were seen to be are remembered. */
bool shms__on_tmpfs(int fd, dev_t device)
{
    static a64 known = {UINT64_MAX};
    /* relaxed: a single value that is right whenever it is found */
    if (a64_load_relaxed(&known) == (uint64_t)device)
        return true;
    struct statfs fs;
    if (fstatfs(fd, &fs) || (unsigned long)fs.f_type != TMPFS_MAGIC_NUMBER)
        return false;
    a64_store_relaxed(&known, (uint64_t)device); /* relaxed: as above */
    return true;
}

bool shms__trusted_owner(const struct trust *t, uid_t owner)
{
    return owner == geteuid() || t->owners == SHMS_OWNER_ANY ||
           (t->owners == SHMS_OWNER_ROOT && owner == 0) ||
           (t->owners == SHMS_OWNER_UID && owner == t->owner_uid);
}

static int check_file(int fd, const struct trust *t, struct file *ret)
{
    struct stat st;
    if (fstat(fd, &st))
        return shms__fail_os(errno);
    if (!S_ISREG(st.st_mode) || (st.st_nlink > 1 && !t->links) || !shms__trusted_owner(t, st.st_uid) ||
        (st.st_mode & 0777 & ~t->mode) || !shms__on_tmpfs(fd, st.st_dev))
        return shms__fail(SHMS_E_DENIED);
    if (st.st_nlink == 0)
        return SHMS__RETRY;
    *ret = (struct file){fd, (uint64_t)st.st_dev, (uint64_t)st.st_ino, (uint64_t)st.st_size,
                         st.st_nlink > 1};
    return 0;
}

int shms__file_open(const char *path, bool writable, const struct trust *trust, struct file *ret)
{
    int flags = O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    int fd = shms__fd_above(open(path, (writable ? O_RDWR : O_RDONLY) | flags));
    if (fd < 0)
        return errno == ENOTDIR ? fail_place(errno) : shms__fail_os(errno);
    int rc = check_file(fd, trust, ret);
    if (rc < 0)
        close(fd);
    return rc;
}

int shms__file_new(const char *prefix, uint32_t mode, struct file *ret)
{
    char dir[PORT_PATH_MAX];
    place_dir(prefix, dir);
    int fd = shms__fd_above(open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (fd < 0)
        return fail_place(errno);
    struct stat st;
    if (fchmod(fd, mode) || fstat(fd, &st)) {
        int rc = shms__fail_os(errno);
        close(fd);
        return rc;
    }
    if (!shms__on_tmpfs(fd, st.st_dev)) {
        close(fd);
        return shms__fail(SHMS_E_UNSUPPORTED);
    }
    *ret = (struct file){fd, (uint64_t)st.st_dev, (uint64_t)st.st_ino, 0, false};
    return 0;
}

int shms__file_link(const struct file *f, const char *path)
{
    char own[64];
    shms__fd_path(f->fd, own);
    if (linkat(AT_FDCWD, own, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0)
        return 0;
    /* without /proc; needs a privilege there */
    if (errno == ENOENT && linkat(f->fd, "", AT_FDCWD, path, AT_EMPTY_PATH) == 0)
        return 0;
    return errno == ENOENT ? fail_place(errno) : shms__fail_os(errno);
}

int shms__file_again(const struct file *f, struct file *ret)
{
    char own[64];
    if (!shms__file_intact(f))
        return shms__fail_os(EBADF);
    shms__fd_path(f->fd, own);
    int fd = shms__fd_above(open(own, O_RDWR | O_CLOEXEC | O_NONBLOCK));
    if (fd < 0)
        return shms__fail_os(errno);
    *ret = *f;
    ret->fd = fd;
    return 0;
}

int shms__file_unlink(const char *path)
{
    return unlink(path) ? shms__fail_os(errno) : 0;
}

bool shms__file_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

bool shms__file_has_name(const struct file *f, const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && (uint64_t)st.st_dev == f->device && (uint64_t)st.st_ino == f->inode;
}

bool shms__file_is_named(const struct file *f)
{
    struct stat st;
    return fstat(f->fd, &st) == 0 && st.st_nlink > 0;
}

bool shms__file_intact(const struct file *f)
{
    struct stat st;
    return f->fd >= 0 && fstat(f->fd, &st) == 0 && (uint64_t)st.st_dev == f->device &&
           (uint64_t)st.st_ino == f->inode;
}

void shms__file_close(struct file *f)
{
    if (shms__file_intact(f))
        close(f->fd);
    f->fd = -1;
}

void shms__file_discard(struct file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

int shms__file_length(const struct file *f, uint64_t *ret_size)
{
    struct stat st;
    if (fstat(f->fd, &st))
        return shms__fail_os(errno);
    *ret_size = (uint64_t)st.st_size;
    return 0;
}

static struct file_stat stat_of(const struct stat *st)
{
    return (struct file_stat){.size = (uint64_t)st->st_size,
                              .memory_bytes = (uint64_t)st->st_blocks * 512,
                              .uid = (uint32_t)st->st_uid,
                              .mode = st->st_mode & 0777,
                              .linked = st->st_nlink > 1};
}

int shms__file_stat(const char *path, struct file_stat *ret)
{
    struct stat st;
    if (lstat(path, &st))
        return shms__fail_os(errno);
    if (!S_ISREG(st.st_mode))
        return shms__fail(SHMS_E_DENIED);
    *ret = stat_of(&st);
    return 0;
}

int shms__file_stat_open(const struct file *f, struct file_stat *ret)
{
    struct stat st;
    if (fstat(f->fd, &st))
        return shms__fail_os(errno);
    *ret = stat_of(&st);
    return 0;
}

int64_t shms__file_read(const struct file *f, void *buf, size_t n, uint64_t offset)
{
    ssize_t got;
    do
        got = pread(f->fd, buf, n, (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got < 0 ? shms__fail_os(errno) : got;
}

/* ---- memory */

int shms__file_ring(const struct file *f, uint64_t offset)
{
    /* Past the limit, writing raises SIGXFSZ even inside a file; giving back a byte tells, too. */
    if (!shms__within_file_limit(offset + 1))
        return shms__file_cut(f, offset, offset + 1);
    return pwrite(f->fd, "", 1, (off_t)offset) == 1 ? 0 : shms__fail_os(errno);
}

/* Trying to find out would take what is left from all others until it fails. */
static bool certainly_full(int fd, uint64_t n)
{
    struct statfs fs;
    if (fstatfs(fd, &fs) || fs.f_blocks == 0 || fs.f_bsize <= 0) /* not told, or no limit */
        return false;
    return n / (uint64_t)fs.f_bsize > (uint64_t)fs.f_bavail;
}

/* In chunks, which get smaller where signals come faster than they can be reserved: some kernels undo all
 * of a call that a signal interrupts. */
static int reserve(int fd, uint64_t from, uint64_t to)
{
    /* tmpfs would hand out what the machine does not have, and the kernel then kills somebody */
    if (to - from > RESERVE_UNASKED && to - from > STEADY(shms__memory_available()))
        return ENOSPC;
    if (certainly_full(fd, to - from))
        return ENOSPC;
    uint64_t chunk = RESERVE_CHUNK;
    while (from < to) {
        uint64_t n = to - from < chunk ? to - from : chunk;
        if (fallocate(fd, 0, (off_t)from, (off_t)n) == 0)
            from += n;
        else if (errno != EINTR)
            return errno;
        else if (chunk > RESERVE_CHUNK_LEAST)
            chunk /= 2;
    }
    return 0;
}

/* Without memory behind it, but for the last page: that the file is so long can then be seen by touching its
 * end, however full the file system gets (shms__memory_there). */
static int stretch(int fd, uint64_t length, uint64_t to)
{
    if (to > length && ftruncate(fd, (off_t)to))
        return errno;
    return to > 0 ? reserve(fd, to - 1, to) : 0;
}

int shms__file_grow(const struct file *f, uint64_t from, uint64_t to, bool sparse)
{
    uint64_t length = 0;
    int rc = shms__file_length(f, &length);
    if (rc < 0)
        return rc;
    if (!shms__within_file_limit(to))
        return shms__fail_os(EFBIG);
    int e = 0;
    if (!sparse)
        e = reserve(f->fd, from, to);
    else
        e = stretch(f->fd, length, to);
    if (e == 0)
        return 0;
    /* Nobody was told of the new part yet, so it can go. */
    shms__file_cut(f, from, to);
    (void)!ftruncate(f->fd, (off_t)length);
    return shms__fail_os(e);
}

int shms__file_cut(const struct file *f, uint64_t from, uint64_t to)
{
    if (to > from &&
        fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(to - from)))
        return shms__fail_os(errno);
    return 0;
}

int shms__file_empty(const struct file *f)
{
    return ftruncate(f->fd, 0) ? shms__fail_os(errno) : 0;
}

int shms__map(const struct file *f, uint64_t offset, uint64_t size, bool writable, bool child, void **ret)
{
    if (size > SIZE_MAX / 2)
        return shms__fail(SHMS_E_NOMEM);
    int rights = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void *p = mmap(NULL, (size_t)size, rights, MAP_SHARED, f->fd, (off_t)offset);
    if (p == MAP_FAILED) {
        int rc = shms__fail_os(errno);
        return errno == EAGAIN ? SHMS_E_NOMEM : rc; /* the limit of mlockall(MCL_FUTURE) */
    }
    if (!child && madvise(p, (size_t)size, MADV_DONTFORK)) {
        int rc = shms__fail_os(errno);
        shms__unmap(p, size);
        return rc;
    }
    *ret = p;
    return 0;
}

void shms__map_hint_huge(void *address, uint64_t size)
{
    madvise(address, (size_t)size, MADV_HUGEPAGE); /* refusal is fine */
}

void shms__map_hide(void *address, uint64_t size)
{
    madvise(address, (size_t)size, MADV_DONTDUMP); /* refusal is fine */
}

void shms__unmap(void *address, uint64_t size)
{
    munmap(address, (size_t)size);
}

bool shms__map_private(void *address, uint64_t size)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    void *p = mmap(address, (size_t)size, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (p != MAP_FAILED && p != address) /* kernels before 4.17 take the address for a hint */
        munmap(p, (size_t)size);
    return p == address;
}

void shms__unmap_both(void *a, uint64_t a_size, void *b, uint64_t b_size)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t whole = (a_size + page - 1) / page * page;
    if (a && b && (uintptr_t)a + whole == (uintptr_t)b) {
        munmap(a, (size_t)(whole + b_size));
        return;
    }
    if (a)
        munmap(a, (size_t)a_size);
    if (b)
        munmap(b, (size_t)b_size);
}

int shms__pin(void *address, uint64_t size)
{
    if (mlock(address, (size_t)size) == 0)
        return 0;
    shms__fail_os(errno); /* keep the errno; EPERM and EAGAIN mean the limit here, too */
    return SHMS_E_NOMEM;
}
