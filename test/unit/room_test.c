/* SPDX-License-Identifier: MIT */
/* The port's room.c: what may be had in a memory cgroup, of either version, made up of files; and, where root
 * may make one, in a real one. */
#include "child.h"

#include "../../src/port/linux/room.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

static int put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t n = write(fd, text, strlen(text));
    close(fd);
    return n == (ssize_t)strlen(text) ? 0 : -1;
}

/* Own files in place of the system's. 77: that cannot be. */
static int own_world(const char *cgroup)
{
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", "/sys/fs/cgroup", "tmpfs", 0, NULL) || put("/sys/fs/cgroup/which", cgroup) ||
        mount("/sys/fs/cgroup/which", "/proc/self/cgroup", NULL, MS_BIND, NULL))
        return 77;
    return 0;
}

static uint64_t machine; /* what may be had without cgroups */

static int unified(void *unused)
{
    (void)unused;
    if (own_world("0::/a/b\n"))
        return 77;
    machine = shms__memory_available();
    EXPECT(machine > 3000 && machine < UINT64_MAX);
    EXPECT(mkdir("/sys/fs/cgroup/a", 0700) == 0 && mkdir("/sys/fs/cgroup/a/b", 0700) == 0);
    EXPECT(put("/sys/fs/cgroup/a/b/memory.max", "max\n") == 0);
    EXPECT(put("/sys/fs/cgroup/a/b/memory.current", "700\n") == 0);
    EXPECT(put("/sys/fs/cgroup/a/memory.max", "1000\n") == 0);
    EXPECT(put("/sys/fs/cgroup/a/memory.swap.max", "0\n") == 0);
    EXPECT(put("/sys/fs/cgroup/a/memory.swap.current", "0\n") == 0);
    EXPECT(put("/sys/fs/cgroup/a/memory.current", "700\n") == 0);
    EXPECT(shms__memory_available() == 300); /* of the one above */
    EXPECT(put("/sys/fs/cgroup/a/memory.stat", "anon 5\ninactive_file 20\nactive_file 1\n") == 0);
    EXPECT(shms__memory_available() == 321); /* caches can go */
    EXPECT(put("/sys/fs/cgroup/a/b/memory.max", "701\n") == 0);
    EXPECT(put("/sys/fs/cgroup/a/b/memory.swap.max", "0\n") == 0);
    EXPECT(put("/sys/fs/cgroup/a/b/memory.swap.current", "0\n") == 0);
    EXPECT(shms__memory_available() == 1); /* the least of all */
    EXPECT(put("/sys/fs/cgroup/a/b/memory.max", "9\n") == 0);
    EXPECT(shms__memory_available() == 0); /* used beyond the limit */
    return 0;
}

/* In a container the path may be the host's: then the root of the mount is what counts. */
static int a_foreign_path(void *unused)
{
    (void)unused;
    if (own_world("4:memory:/docker/0123\n0::/docker/0123\n"))
        return 77;
    EXPECT(put("/sys/fs/cgroup/memory.max", "1000\n") == 0);
    EXPECT(put("/sys/fs/cgroup/memory.current", "900\n") == 0);
    EXPECT(put("/sys/fs/cgroup/memory.swap.max", "0\n") == 0);
    EXPECT(put("/sys/fs/cgroup/memory.swap.current", "0\n") == 0);
    EXPECT(shms__memory_available() == 100);
    return 0;
}

static int legacy(void *unused)
{
    (void)unused;
    if (own_world("9:name=systemd:/\n8:cpu,memory:/a\n"))
        return 77;
    EXPECT(mkdir("/sys/fs/cgroup/memory", 0700) == 0 && mkdir("/sys/fs/cgroup/memory/a", 0700) == 0);
    EXPECT(put("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "1000\n") == 0);
    EXPECT(put("/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "400\n") == 0);
    EXPECT(put("/sys/fs/cgroup/memory/a/memory.memsw.limit_in_bytes", "1000\n") == 0);
    EXPECT(put("/sys/fs/cgroup/memory/a/memory.memsw.usage_in_bytes", "500\n") == 0);
    EXPECT(put("/sys/fs/cgroup/memory/a/memory.stat", "inactive_file 9\ntotal_inactive_file 7\n") == 0);
    EXPECT(shms__memory_available() == 507);
    return 0;
}

static void made_up(void **state)
{
    static int (*const worlds[])(void *) = {unified, a_foreign_path, legacy};
    (void)state;
    for (size_t i = 0; i < sizeof worlds / sizeof *worlds; i++) {
        int rc = unit_child(worlds[i], NULL, 0);
        if (rc == 77)
            skip();
        assert_int_equal(rc, 0);
    }
}

/* A region that the cgroup has no memory for is refused, and nobody is killed. */
static int open_beyond(void *procs)
{
    shms_stream *s = NULL;
    int64_t before = (int64_t)shms__memory_available();
    EXPECT(put(procs, "0") == 0);
    EXPECT((int64_t)shms__memory_available() <= before);
    EXPECT(shms_stream_open(NAME, 48 << 20, NULL, &s) == SHMS_E_NOSPACE);
    EXPECT(unit_names() == 0);
    EXPECT(shms_stream_open(NAME, 1 << 20, OPTIONS(.max_size = 64 << 20), &s) == 0);
    EXPECT(shms_stream_lock(s, 0) == 0 && shms_stream_resize(s, 48 << 20) == SHMS_E_NOSPACE);
    EXPECT(shms_stream_size(s) == 1 << 20);
    shms_stream_close(s);
    return 0;
}

static void a_real_one(void **state)
{
    static const char *const parents[] = {"/sys/fs/cgroup/memory", "/sys/fs/cgroup"};
    static const char *const limits[] = {"memory.limit_in_bytes", "memory.max"};
    static const char *const swap_limits[] = {"memory.memsw.limit_in_bytes", "memory.swap.max"};
    char group[96], file[160];
    int rc = 77;
    (void)state;
    for (int i = 0; i < 2 && rc == 77; i++) {
        snprintf(group, sizeof group, "%s/%.60s", parents[i], NAME);
        if (mkdir(group, 0700))
            continue;
        snprintf(file, sizeof file, "%s/%s", group, limits[i]);
        bool limited = access(file, W_OK) == 0 && put(file, "33554432") == 0;
        snprintf(file, sizeof file, "%s/%s", group, swap_limits[i]);
        if (access(file, W_OK) == 0)
            limited = limited && put(file, i ? "0" : "33554432") == 0;
        snprintf(file, sizeof file, "%s/cgroup.procs", group);
        if (limited)
            rc = unit_child(open_beyond, file, 0);
        rmdir(group);
    }
    if (rc == 77)
        skip();
    assert_int_equal(rc, 0);
}

/* ---- other limits */

static int all_memory_locked(void *unused)
{
    struct rlimit limit = {1 << 20, 1 << 20};
    shms_stream *s = NULL;
    (void)unused;
    EXPECT(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    if (mlockall(MCL_FUTURE) ||
        mmap(NULL, 2 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
        return 77; /* there are sanitizers that make it do nothing */
    int fds = unit_fds();
    EXPECT(shms_stream_open("locked", 2 << 20, NULL, &s) == SHMS_E_NOMEM);
    EXPECT(shms_last_oserror() == EAGAIN);
    EXPECT(shms_stream_open("locked", 0, NULL, &s) == SHMS_E_NOT_FOUND);
    EXPECT(unit_fds() == fds && unit_maps() == 0);
    char place[64];
    snprintf(place, sizeof place, "/dev/shm/shms-%u", STRANGER);
    rmdir(place);
    return 0;
}

static void a_limit_of_locked_memory(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    int rc = unit_child(all_memory_locked, NULL, STRANGER);
    if (rc == 77)
        skip();
    assert_int_equal(rc, 0);
}

/* With few descriptors, or fewer: what fails has left nothing, and says why. */
static int few_descriptors(void *unused)
{
    struct rlimit limit;
    int fds = unit_fds();
    (void)unused;
    EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (rlim_t most = 0; most < (rlim_t)fds + 8; most++) {
        shms_stream *s = NULL, *t = NULL;
        struct rlimit few = {most, limit.rlim_max};
        EXPECT(setrlimit(RLIMIT_NOFILE, &few) == 0);
        int rc = shms_stream_open(NAME, 64, OPTIONS(.atomic = 1, .max_size = 8192), &s);
        EXPECT(rc == 0 || (rc == SHMS_E_OS && shms_last_oserror() == EMFILE));
        if (rc == 0) {
            rc = shms_stream_poll_fd(s);
            EXPECT(rc >= 3 || (rc == SHMS_E_OS && shms_last_oserror() == EMFILE));
            rc = shms_stream_open(NULL, 64, NULL, &t);
            EXPECT(rc == 0 || (rc == SHMS_E_OS && shms_last_oserror() == EMFILE));
            rc = rc == 0 ? shms_stream_fd(t) : -1;
            if (rc >= 0)
                close(rc);
            EXPECT(shms_stream_lock(s, 0) == 0 && shms_stream_pwrite(s, "x", 1, 0) == 1);
            EXPECT(shms_stream_resize(s, 8192) == 0 && shms_stream_unlock(s) == 0);
            shms_stream_close(t);
            shms_stream_close(s);
        }
        EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        EXPECT(unit_names() == 0 && unit_maps() == 0 && unit_fds() == fds);
    }
    return 0;
}

static void a_limit_of_descriptors(void **state)
{
    (void)state;
    assert_int_equal(unit_child(few_descriptors, NULL, 0), 0);
}

/* ---- a full /dev/shm */

static int own_shm(const char *options)
{
    return unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
           mount("tmpfs", "/dev/shm", "tmpfs", 0, options);
}

/* All but `pages` pages. */
static int fill_shm(unsigned pages)
{
    static char page[4096];
    int fd = open("/dev/shm/filler", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    while (write(fd, page, sizeof page) > 0)
        continue;
    int rc = ftruncate(fd, lseek(fd, 0, SEEK_END) - (off_t)(pages * sizeof page));
    close(fd);
    return rc;
}

/* What resize answers is what the region then has, for all its members. */
static int grow_sparse(void *unused)
{
    shms_stream *s = NULL, *t = NULL;
    (void)unused;
    if (own_shm("size=1m"))
        return 77;
    EXPECT(shms_stream_open(NAME, 4096, OPTIONS(.sparse = 1, .max_size = 8 << 20), &s) == 0);
    EXPECT(shms_stream_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ), &t) == 0);
    EXPECT(fill_shm(0) == 0);
    EXPECT(shms_stream_lock(s, 0) == 0);
    EXPECT(shms_stream_resize(s, 4 << 20) == SHMS_E_NOSPACE);
    EXPECT(shms_stream_size(s) == 4096 && shms_stream_size(t) == 4096);
    EXPECT(fill_shm(1) == 0);
    EXPECT(shms_stream_resize(s, 4 << 20) == 0);
    EXPECT(shms_stream_size(s) == 4 << 20 && shms_stream_size(t) == 4 << 20);
    EXPECT(shms_stream_resize(s, 8 << 20) == SHMS_E_NOSPACE); /* and takes nothing away */
    EXPECT(shms_stream_size(s) == 4 << 20 && shms_stream_size(t) == 4 << 20);
    EXPECT(shms_stream_pwrite(s, "x", 1, (4 << 20) - 1) == 1);
    EXPECT(shms_stream_unlock(s) == 0);
    shms_stream_close(s);
    shms_stream_close(t);
    unlink("/dev/shm/filler");
    return 0;
}

/* No inode is left for the one file or the other. */
static int no_inodes(void *unused)
{
    char options[64];
    shms_stream *s = NULL;
    (void)unused;
    for (int inodes = 2; inodes < 7; inodes++) {
        snprintf(options, sizeof options, "size=1m,nr_inodes=%d", inodes);
        if (own_shm(options))
            return 77;
        int rc = shms_stream_open(NAME, 4096, NULL, &s);
        EXPECT(rc == 0 || rc == SHMS_E_NOSPACE);
        EXPECT(inodes > 3 || rc == SHMS_E_NOSPACE);
        if (rc == 0)
            shms_stream_close(s);
        EXPECT(unit_names() == 0 && unit_maps() == 0);
    }
    return 0;
}

/* What is too large is refused, and meanwhile others have the room that there is. */
static uint64_t least_free;
static bool watching;

static void *watch_room(void *unused)
{
    struct statvfs fs;
    while (__atomic_load_n(&watching, __ATOMIC_RELAXED))
        if (statvfs("/dev/shm", &fs) == 0 && fs.f_bavail < least_free)
            least_free = fs.f_bavail;
    return unused;
}

static int takes_nothing(void *unused)
{
    shms_stream *s = NULL;
    pthread_t watcher;
    struct statvfs fs;
    (void)unused;
    if (own_shm("size=16m"))
        return 77;
    EXPECT(shms_stream_open(NAME, 4096, OPTIONS(.max_size = 64 << 20), &s) == 0);
    EXPECT(fill_shm(2048) == 0 && statvfs("/dev/shm", &fs) == 0);
    least_free = fs.f_bavail;
    watching = true;
    EXPECT(pthread_create(&watcher, NULL, watch_room, NULL) == 0);
    EXPECT(shms_stream_lock(s, 0) == 0);
    for (int i = 0; i < 50; i++)
        EXPECT(shms_stream_resize(s, 12 << 20) == SHMS_E_NOSPACE);
    EXPECT(shms_stream_unlock(s) == 0);
    __atomic_store_n(&watching, false, __ATOMIC_RELAXED);
    pthread_join(watcher, NULL);
    EXPECT(least_free == fs.f_bavail);
    shms_stream_close(s);
    unlink("/dev/shm/filler");
    return 0;
}

static void a_full_place(void **state)
{
    (void)state;
    int rc = unit_child(grow_sparse, NULL, 0);
    if (rc == 0)
        rc = unit_child(takes_nothing, NULL, 0);
    if (rc == 0)
        rc = unit_child(no_inodes, NULL, 0);
    if (rc == 77)
        skip();
    assert_int_equal(rc, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(made_up),
        TEST(a_real_one),
        TEST(a_limit_of_locked_memory),
        TEST(a_limit_of_descriptors),
        TEST(a_full_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
