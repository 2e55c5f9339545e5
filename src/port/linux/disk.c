/* SPDX-License-Identifier: MIT */
/*
 * Linux: ordinary files, written as a whole or not at all.
 *
 * Saving. The new bytes go into a file without a name in the same directory (where there is no such thing,
 * into one with a name of its own). That is made durable, and then takes the place of the old one. The
 * directory is held open meanwhile, so that nobody can lead the last step elsewhere. What a crash leaves:
 *   before the new file has a name        nothing
 *   between that and the rename           .shms-XXXXXXXX, whole, beside the old file: two system calls
 *   no files without names there          the same, perhaps not whole: from the first byte to the rename
 * A failure leaves nothing but the old file.
 *
 * Links. A symbolic link at the end of the path is followed. In a sticky directory that all may write to, its
 * owner must be the caller or the directory's owner, as with fs.protected_symlinks, whatever the setting of
 * that is. Pipes and devices are opened there under the same rule.
 */
#include "fd.h"
#include "room.h"

#include "../../core/port.h"
#include "../../core/ref.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "steady.h"

#define CHUNK ((size_t)256 << 20)
#define LINKS_MOST 40 /* as the kernel has it */
#define NAMES_MOST 100
#define PROC_MAGIC_NUMBER 0x9fa0
#define BESIDE_ROOM 32

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

/* EINTR: it is closed all the same, and fsync has told the rest. */
static int close_told(int fd)
{
    return close(fd) && errno != EINTR ? errno : 0;
}

/* Opening a pipe may wait, and a signal end that. */
static int open_file(int dir, const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = openat(dir, path, flags | O_CLOEXEC | O_NOCTTY, mode);
    while (fd < 0 && errno == EINTR);
    return shms__fd_above(fd);
}

/* ---- where a path leads */

/* The end of a path: a name in a directory that is open. */
struct place {
    int dir;
    char name[NAME_MAX + 1];
    bool there;
    bool by_kernel; /* a link of /proc, which only the kernel can follow */
    struct stat st; /* of what is there */
};

/* Go to the directory of `path`, from the one that the place is in. */
static int enter_dir(struct place *p, const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    int n = slash ? (int)(slash - path) + 1 : 0;
    if (!*path)
        return ENOENT;
    if (strlen(name) > NAME_MAX || n >= PATH_MAX)
        return ENAMETOOLONG;
    memcpy(dir, path, (size_t)n); /* snprintf takes half as much stack again */
    dir[n] = 0;
    int fd = open_file(p->dir, n > 0 ? dir : ".", O_PATH | O_DIRECTORY, 0);
    if (fd < 0)
        return errno;
    if (p->dir >= 0)
        close(p->dir);
    p->dir = fd;
    strcpy(p->name, *name ? name : ".");
    return 0;
}

/* May what another user has put there be followed, or written into? */
static int check_trusted(const struct place *p, const struct stat *st)
{
    struct stat dir;
    if (fstat(p->dir, &dir))
        return errno;
    bool open_to_others = (dir.st_mode & S_ISVTX) && (dir.st_mode & S_IWOTH);
    return !open_to_others || st->st_uid == geteuid() || st->st_uid == dir.st_uid ? 0 : EACCES;
}

static bool on_proc(int fd)
{
    struct statfs fs;
    return fstatfs(fd, &fs) == 0 && (unsigned long)fs.f_type == PROC_MAGIC_NUMBER;
}

/* The link that `fd` is: where it leads. 0, with ->by_kernel: nowhere that a path could tell. */
static int follow(struct place *p, int fd, const struct stat *link)
{
    char to[PATH_MAX];
    int e = check_trusted(p, link);
    if (e)
        return e;
    ssize_t n = readlinkat(fd, "", to, sizeof to - 1);
    if (n < 0)
        return errno;
    to[n] = 0;
    if (!on_proc(fd))
        return enter_dir(p, to);
    if (fstatat(p->dir, p->name, &p->st, 0))
        return errno;
    /* A file that has lost its name, or never had one: the text of the link is no path to it. */
    struct stat named;
    bool is_named = stat(to, &named) == 0 && named.st_dev == p->st.st_dev && named.st_ino == p->st.st_ino;
    if (S_ISREG(p->st.st_mode) && is_named)
        return enter_dir(p, to);
    p->by_kernel = p->there = true;
    return 0;
}

/* One step from the path to its end. */
static int look(struct place *p, bool *ret_done)
{
    int fd = open_file(p->dir, p->name, O_PATH | O_NOFOLLOW, 0);
    p->there = fd >= 0;
    *ret_done = true;
    if (fd < 0)
        return errno == ENOENT ? 0 : errno;
    int e = fstat(fd, &p->st) ? errno : 0;
    if (e == 0 && S_ISLNK(p->st.st_mode)) {
        e = follow(p, fd, &p->st);
        *ret_done = p->by_kernel;
    }
    close(fd);
    return e;
}

static int find_place(const char *path, struct place *ret)
{
    *ret = (struct place){.dir = AT_FDCWD};
    bool done = false;
    int e = enter_dir(ret, path);
    for (int links = 0; e == 0 && !done; links++)
        e = links < LINKS_MOST ? look(ret, &done) : ELOOP;
    return e;
}

/* ---- replacing */

/*
 * What stays of a file that is replaced: the permission bits, if it is the caller's own. The bits of the
 * group stay only if the group does; with an access list they mean the most that the list gives, and go, too.
 */
static int set_mode(int fd, const struct place *p)
{
    struct stat new;
    char old[64], path[sizeof old + sizeof p->name];
    if (!p->there || p->st.st_uid != geteuid())
        return fchmod(fd, 0600) ? errno : 0;
    if (fstat(fd, &new))
        return errno;
    mode_t mode = p->st.st_mode & 0777;
    bool same_group = new.st_gid == p->st.st_gid || fchown(fd, (uid_t)-1, p->st.st_gid) == 0;
    shms__fd_path(p->dir, old);
    snprintf(path, sizeof path, "%s/%s", old, p->name);
    bool listed = lgetxattr(path, "system.posix_acl_access", NULL, 0) >= 0 ||
                  (errno != ENODATA && errno != EOPNOTSUPP);
    if (!same_group || listed)
        mode &= 0707;
    return fchmod(fd, mode) ? errno : 0;
}

/* A name of its own: the file's may be as long as names can be. */
static void beside(char ret_name[BESIDE_ROOM])
{
    static a32 count;
    /* relaxed: a number that no other call of this process gets */
    uint64_t mine = (uint64_t)shms__pid() << 32 | a32_add_relaxed(&count, 1);
    uint64_t mixed = ((uint64_t)shms__wall_ns() ^ mine) * 0x9e3779b97f4a7c15ull;
    snprintf(ret_name, BESIDE_ROOM, ".shms-%08" PRIx32, (uint32_t)(mixed >> 32));
}

static int open_beside(int dir, char ret_name[BESIDE_ROOM])
{
    int fd = -1;
    for (int i = 0; i < NAMES_MOST; i++) {
        beside(ret_name);
        fd = open_file(dir, ret_name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0600);
        if (fd >= 0 || errno != EEXIST)
            break;
    }
    return fd;
}

static int link_as(int fd, int dir, const char *name)
{
    char own[64];
    shms__fd_path(fd, own);
    if (linkat(AT_FDCWD, own, dir, name, AT_SYMLINK_FOLLOW) == 0)
        return 0;
    /* without /proc; older kernels want a privilege */
    if (errno == ENOENT && linkat(fd, "", dir, name, AT_EMPTY_PATH) == 0)
        return 0;
    return errno;
}

/* Give the new file the name that it will have, if that is nobody's yet, or else one beside it. */
static int name_new(int fd, const struct place *p, char ret_name[BESIDE_ROOM], bool *ret_placed)
{
    int e = p->there ? EEXIST : link_as(fd, p->dir, p->name);
    *ret_placed = e == 0;
    for (int i = 0; e == EEXIST && i < NAMES_MOST; i++) {
        beside(ret_name);
        e = link_as(fd, p->dir, ret_name);
        if (e)
            *ret_name = 0;
    }
    return e;
}

/* All but the name. */
static int fill_new(int fd, const struct place *p, const void *buf, uint64_t n)
{
    int e = write_all(fd, buf, n);
    if (e == 0)
        e = set_mode(fd, p);
    while (e == 0 && fsync(fd))
        e = errno == EINTR ? 0 : errno;
    return e;
}

/* By a file without a name. *ret_cannot: there is no such thing here, or it could not be given one. */
static int replace_by_unnamed(const struct place *p, const void *buf, uint64_t n, bool *ret_cannot)
{
    char name[BESIDE_ROOM] = "";
    bool placed = false;
    int fd = open_file(p->dir, ".", O_TMPFILE | O_WRONLY, 0600);
    *ret_cannot = fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL);
    if (fd < 0)
        return errno;
    int e = fill_new(fd, p, buf, n);
    if (e == 0) {
        e = name_new(fd, p, name, &placed);
        *ret_cannot = e == ENOENT || e == EPERM || e == EOPNOTSUPP;
    }
    int closed = close_told(fd);
    e = e ? e : closed;
    if (e == 0 && !placed && renameat(p->dir, name, p->dir, p->name))
        e = errno;
    if (e && *name)
        unlinkat(p->dir, name, 0);
    return e;
}

static int replace_by_named(const struct place *p, const void *buf, uint64_t n)
{
    char name[BESIDE_ROOM];
    int fd = open_beside(p->dir, name);
    if (fd < 0)
        return errno;
    int e = fill_new(fd, p, buf, n);
    int closed = close_told(fd);
    e = e ? e : closed;
    if (e == 0 && renameat(p->dir, name, p->dir, p->name))
        e = errno;
    if (e)
        unlinkat(p->dir, name, 0);
    return e;
}

static int replace(const struct place *p, const void *buf, uint64_t n)
{
    bool cannot = false;
    if (!shms__within_file_limit(n))
        return EFBIG; /* before it is a signal */
    int e = replace_by_unnamed(p, buf, n, &cannot);
    return cannot ? replace_by_named(p, buf, n) : e;
}

/* A pipe, a terminal, a device, a file without a name: there is nothing to replace. */
static int write_into(const struct place *p, const void *buf, uint64_t n)
{
    struct stat st;
    int e = p->by_kernel ? 0 : check_trusted(p, &p->st);
    if (e)
        return e;
    int fd = open_file(p->dir, p->name, O_WRONLY | (p->by_kernel ? 0 : O_NOFOLLOW), 0);
    if (fd < 0)
        return errno;
    bool same = fstat(fd, &st) == 0 && st.st_dev == p->st.st_dev && st.st_ino == p->st.st_ino;
    bool file = S_ISREG(p->st.st_mode);
    e = !same ? EACCES : file && !shms__within_file_limit(n) ? EFBIG : write_all(fd, buf, n);
    if (e == 0 && file && ftruncate(fd, (off_t)n))
        e = errno;
    int closed = close_told(fd);
    return e ? e : closed;
}

int shms__disk_save(const char *path, const void *buf, uint64_t n)
{
    struct place p;
    int e = find_place(path, &p);
    if (e == 0)
        e = p.there && (p.by_kernel || !S_ISREG(p.st.st_mode)) ? write_into(&p, buf, n) : replace(&p, buf, n);
    if (p.dir >= 0)
        close(p.dir);
    return e ? shms__fail_os(e) : 0;
}

/* ---- reading */

/* Up to n bytes, to the end. -1: errno. */
static int64_t read_all(int fd, char *p, uint64_t n)
{
    uint64_t done = 0;
    while (done < n) {
        ssize_t got = read(fd, p + done, n - done < CHUNK ? (size_t)(n - done) : CHUNK);
        if (got < 0 && errno != EINTR)
            return -1;
        if (got == 0)
            break;
        if (got > 0)
            done += (uint64_t)got;
    }
    return (int64_t)done;
}

struct target {
    char *bytes;
    uint64_t n;
    int (*before)(void *context, uint64_t size);
    void *context;
};

/* In frames: a handler that leaves malloc by siglongjmp leaves the heap locked. NULL: there is no more. */
static char *make_longer(char *bytes, uint64_t room)
{
    shms__quiet_begin();
    char *more = realloc(bytes, (size_t)room);
    shms__quiet_end();
    return more;
}

static void give_back(char *bytes)
{
    shms__quiet_begin();
    free(bytes);
    shms__quiet_end();
}

/* What is longer than it said: the kernel's own files, and those that somebody is writing. Into memory of our
 * own first, since only its end tells whether it fits; `known` bytes of it are in the target. */
static int64_t load_rest(int fd, const struct target *t, uint64_t known)
{
    uint64_t used = 0, room = 0;
    char *rest = NULL;
    int64_t rc = 0;
    do {
        room = min_u64(room ? 2 * room : 4096, t->n - known + 1);
        char *more = make_longer(rest, room);
        int64_t got = more ? read_all(fd, more + used, room - used) : -1;
        rc = !more ? shms__fail(SHMS_E_NOMEM) : got < 0 ? shms__fail_os(errno) : 0;
        rest = more ? more : rest;
        used += got > 0 ? (uint64_t)got : 0;
    } while (rc == 0 && used == room && used <= t->n - known);
    if (rc == 0 && used > t->n - known)
        rc = shms__fail(SHMS_E_RANGE);
    if (rc == 0 && used > 0)
        rc = t->before(t->context, known + used);
    if (rc == 0 && used > 0)
        racy_copy(t->bytes + known, rest, (size_t)used);
    give_back(rest);
    return rc < 0 ? rc : (int64_t)(known + used);
}

/* What the file says that it has goes where it belongs at once; then come the rest and the end. */
static int64_t load_known(int fd, const struct target *t, uint64_t known)
{
    int64_t rc = t->before(t->context, known);
    if (rc < 0)
        return rc;
    int64_t got = read_all(fd, t->bytes, known);
    if (got < 0)
        return shms__fail_os(errno);
    return (uint64_t)got < known ? got : load_rest(fd, t, known);
}

/* The regular file at path, and what is known of it; or a code. */
static int open_regular(const char *path, struct stat *ret)
{
    int fd = open_file(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0)
        return shms__fail_os(errno);
    int rc = fstat(fd, ret) ? shms__fail_os(errno) : S_ISREG(ret->st_mode) ? 0 : shms__fail(SHMS_E_INVALID);
    if (rc == 0)
        return fd;
    close(fd);
    return rc;
}

int64_t shms__disk_begin(const char *path, void *buf, uint64_t n)
{
    struct stat st;
    int fd = open_regular(path, &st);
    if (fd < 0)
        return fd;
    int64_t got = read_all(fd, buf, n);
    if (got < 0)
        got = shms__fail_os(errno);
    close(fd);
    return got;
}

int64_t shms__disk_load(const char *path, void *buf, uint64_t n, int (*before)(void *context, uint64_t size),
                        void *context)
{
    struct target t = {buf, n, before, context};
    struct stat st;
    int fd = open_regular(path, &st);
    if (fd < 0)
        return fd;
    uint64_t size = (uint64_t)st.st_size;
    int64_t rc = size > n ? shms__fail(SHMS_E_RANGE) : load_known(fd, &t, size);
    close(fd);
    return rc;
}
