/* SPDX-License-Identifier: MIT */
/* Not enough: room in /dev/shm, names there, file size, descriptors, address space, heap. Nothing is left
 * behind, and what needs none of it goes on. */
#include "roles.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define KIB 1024u
#define MIB (1024u * 1024u)

static unsigned long long free_room(void)
{
    struct statvfs v;
    need(statvfs("/dev/shm", &v) == 0);
    return (unsigned long long)v.f_bfree * v.f_frsize;
}

static int try_open(const char *name, uint64_t size, uint64_t max_size, shms_stream **ret)
{
    shms_stream_options o = {.struct_size = sizeof o, .max_size = max_size};
    return shms_stream_open(name, size, &o, ret);
}

/* Opening fails so, and leaves no name, no descriptor, no mapping. */
static void need_no_open(const char *name, uint64_t size, int code)
{
    shms_stream *s = NULL;
    unsigned descriptors = open_descriptors(0);
    int rc = try_open(name, size, 0, &s);
    need(rc == code);
    need(open_descriptors(0) == descriptors);
    need(region_mappings(0) == 0);
    need(shms_stream_open(name, 0, NULL, &s) == SHMS_E_NOT_FOUND);
}

static void need_grows_no_further(const char *name, uint64_t much)
{
    shms_stream *s = NULL;
    need(try_open(name, 64 * KIB, 2 * MIB, &s) == 0);
    memset(shms_stream_memory(s), 7, 64 * KIB);
    need(shms_stream_lock(s, 0) == 0);
    need(shms_stream_resize(s, much) == SHMS_E_NOSPACE);
    need(shms_stream_size(s) == 64 * KIB);
    need(((unsigned char *)shms_stream_memory(s))[64 * KIB - 1] == 7);
    need(shms_stream_resize(s, 96 * KIB) == 0);
    need(((unsigned char *)shms_stream_memory(s))[96 * KIB - 1] == 0);
    need(shms_stream_unlock(s) == 0);
    shms_stream_close(s);
}

static bool small_shm(const char *options)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", "/dev/shm", "tmpfs", 0, options) == 0;
}

static int fill(unsigned long long bytes)
{
    int fd = open("/dev/shm/ballast", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    need(fd >= 0 && ftruncate(fd, 0) == 0 && fallocate(fd, 0, 0, (off_t)bytes) == 0);
    return fd;
}

/* The whole of what is left: an atomic section that needs more room than there is changes nothing. */
static void need_whole_when_full(const char *name)
{
    static char bytes[96 * KIB];
    shms_stream_options o = {.struct_size = sizeof o, .atomic = 1};
    shms_stream *s = NULL;
    need(shms_stream_open(name, sizeof bytes, &o, &s) == 0);
    memset(bytes, 1, sizeof bytes);
    int fd = fill(free_room());
    need(shms_stream_lock(s, 0) == 0);
    int64_t rc = shms_stream_pwrite(s, bytes, sizeof bytes, 0);
    need(rc == SHMS_E_NOSPACE);
    need(*(char *)shms_stream_memory(s) == 0);
    need(shms_stream_unlock(s) == 0);
    need(shms_stream_save(s, "/dev/shm/saved") == SHMS_E_NOSPACE && access("/dev/shm/saved", F_OK) < 0);
    need(close(fd) == 0 && unlink("/dev/shm/ballast") == 0);
    need(shms_stream_lock(s, 0) == 0 && shms_stream_pwrite(s, bytes, sizeof bytes, 0) == sizeof bytes);
    need(shms_stream_unlock(s) == 0);
    shms_stream_close(s);
}

/* In a /dev/shm of its own. */
static int full_shm(int argc, char **argv)
{
    need(argc == 2);
    if (!small_shm("size=256k,mode=1777"))
        return 77;
    need_no_open(argv[1], MIB, SHMS_E_NOSPACE);
    unsigned long long before = free_room();
    need_no_open(argv[1], MIB, SHMS_E_NOSPACE);
    need(free_room() == before);
    need_grows_no_further(argv[1], MIB);
    need(free_room() == before);
    int fd = open("/dev/shm/ballast", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    need(fd >= 0);
    int rc = SHMS_E_NOSPACE;
    /* At first there is not even room for control; then for a page more each time, until it works. */
    for (unsigned long long room = 0; rc == SHMS_E_NOSPACE; room += 4 * KIB) {
        shms_stream *s = NULL;
        need(ftruncate(fd, 0) == 0 && fallocate(fd, 0, 0, (off_t)(before - room)) == 0);
        rc = try_open(argv[1], 8 * KIB, 0, &s);
        need(rc == (room < 28 * KIB ? SHMS_E_NOSPACE : 0));
        shms_stream_close(s);
        need(free_room() == room);
    }
    need(close(fd) == 0 && unlink("/dev/shm/ballast") == 0);
    need_whole_when_full(argv[1]);
    need(free_room() == before);
    return 0;
}

/* A /dev/shm that can hold few files: one more each time, until it works. */
static int no_names(int argc, char **argv)
{
    need(argc == 2);
    int rc = SHMS_E_NOSPACE, inodes = 2; /* the first is the directory itself */
    for (; rc == SHMS_E_NOSPACE && inodes < 10; inodes++) {
        char options[64];
        snprintf(options, sizeof options, "size=1m,mode=1777,nr_inodes=%d", inodes);
        if (!small_shm(options))
            return 77;
        shms_stream *s = NULL;
        rc = try_open(argv[1], 64, 0, &s);
        need(rc == 0 || rc == SHMS_E_NOSPACE);
        shms_stream_close(s);
        need(shms_stream_open(argv[1], 0, NULL, &s) == SHMS_E_NOT_FOUND);
    }
    need(rc == 0 && inodes > 3);
    return 0;
}

static void need_unsupported(const char *name)
{
    char global[100];
    shms_stream *s = NULL;
    snprintf(global, sizeof global, "Global\\%s", name);
    need(shms_stream_open(global, 64, NULL, &s) == SHMS_E_UNSUPPORTED);
    need(shms_stream_open(name, 64, NULL, &s) == SHMS_E_UNSUPPORTED);
}

static int nothing(const char *name, const shms_info *info, void *context)
{
    (void)name, (void)info, (void)context;
    return 5;
}

/* Systems that have no shared memory at its place, or something else, or no /proc. */
static int no_shm(int argc, char **argv)
{
    shms_stream *s = NULL;
    need(argc == 2);
    if (!small_shm("size=128m,mode=1777"))
        return 77;
    int fd = open("/dev/shm/shms.", O_CREAT | O_RDWR | O_CLOEXEC, 0600); /* a prefix, and no name behind it */
    need(fd >= 0 && close(fd) == 0 && shms_list(nothing, NULL) == 0);
    need(umount2("/proc", MNT_DETACH) == 0); /* whoever may, links without it */
    need(shms_stream_open(argv[1], 66 * MIB, NULL, &s) == 0 && shms_stream_lock(s, 0) == 0);
    shms_stream_close(s);
    need(mount("none", "/dev/shm", "ramfs", 0, "mode=1777") == 0);
    need_unsupported(argv[1]);
    fd = open("/dev/shm/shms.x.ctl", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    need(fd >= 0 && close(fd) == 0 && shms_stream_open("Global\\x", 64, NULL, &s) == SHMS_E_DENIED);
    need(mount("none", "/dev", "tmpfs", 0, "size=64k") == 0);
    need_unsupported(argv[1]); /* not there */
    need(shms_list(nothing, NULL) == 0);
    fd = open("/dev/shm", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    need(fd >= 0 && close(fd) == 0);
    need_unsupported(argv[1]); /* a file */
    need(shms_list(nothing, NULL) == 0);
    return 0;
}

static int file_size(int argc, char **argv)
{
    struct rlimit limit = {.rlim_cur = 4 * KIB, .rlim_max = RLIM_INFINITY};
    shms_stream *s = NULL;
    int64_t seen = 0;
    need(argc == 2);
    setrlimit(RLIMIT_FSIZE, &limit);
    need_no_open(argv[1], 64, SHMS_E_NOSPACE);
    limit.rlim_cur = MIB;
    setrlimit(RLIMIT_FSIZE, &limit);
    need_no_open(argv[1], 2 * MIB, SHMS_E_NOSPACE);
    need_grows_no_further(argv[1], 2 * MIB);
    need(try_open(argv[1], 64, 0, &s) == 0);
    need(poll_fd_of(s) >= 0);
    need(shms_stream_wait(s, &seen, 0) == SHMS_E_TIMEOUT);
    limit.rlim_cur = 0; /* as a sandbox does: the ring of the poll descriptor must not raise SIGXFSZ */
    setrlimit(RLIMIT_FSIZE, &limit);
    need(shms_stream_lock(s, 0) == 0 && shms_stream_pwrite(s, "x", 1, 0) == 1 && shms_stream_unlock(s) == 0);
    need(shms_stream_wait(s, &seen, 0) == 0);
    shms_stream_close(s);
    limit.rlim_cur = RLIM_INFINITY; /* what this process itself has to write at its end */
    setrlimit(RLIMIT_FSIZE, &limit);
    return 0;
}

static int never(const char *name, const shms_info *info, void *context)
{
    (void)name, (void)info, (void)context;
    need(false);
}

/* Descriptors run out: first none is left, then one more each time, until it works. */
static int descriptors(int argc, char **argv)
{
    struct rlimit limit = {.rlim_cur = 32, .rlim_max = 32};
    int taken[32], n = 0, freed = 0;
    shms_stream *s = NULL, *t = NULL;
    need(argc == 2);
    setrlimit(RLIMIT_NOFILE, &limit);
    while (n < 32 && (taken[n] = dup(STDIN_FILENO)) >= 0)
        n++;
    while (freed < 4 && shms_stream_open(argv[1], 64, NULL, &s) < 0) {
        need(shms_last_oserror() == EMFILE);
        close(taken[n - ++freed]);
    }
    need(s && freed >= 1);
    need(shms_stream_open(argv[1], 64, NULL, &t) == SHMS_E_OS && shms_last_oserror() == EMFILE);
    need(shms_stream_poll_fd(s) == SHMS_E_OS && shms_last_oserror() == EMFILE);
    need(shms_stream_save(s, "/tmp/never") == SHMS_E_OS && shms_last_oserror() == EMFILE);
    need(shms_stream_load(s, "/proc/self/exe") == SHMS_E_OS && shms_last_oserror() == EMFILE);
    need(shms_list(never, NULL) == SHMS_E_OS && shms_last_oserror() == EMFILE);
    need(shms_stream_unlink(argv[1]) == SHMS_E_OS && shms_last_oserror() == EMFILE);
    shms_info info = {.struct_size = sizeof info};
    need(shms_stream_info(s, &info) == 0 && info.members == 1);
    need(shms_stream_lock(s, 0) == 0 && shms_stream_lock(s, 0) == SHMS_E_DEADLOCK);
    need(shms_stream_unlock(s) == 0);
    shms_stream_close(s); /* leaves, and removes the name, without a descriptor more */
    need(shms_stream_open(argv[1], 0, NULL, &t) == SHMS_E_NOT_FOUND);
    return 0;
}

static int address_space(int argc, char **argv)
{
    struct rlimit limit = {.rlim_cur = 256 * MIB, .rlim_max = RLIM_INFINITY};
    shms_stream *s = NULL;
    need(argc == 2);
    setrlimit(RLIMIT_AS, &limit);
    shms_stream_options o = {.struct_size = sizeof o, .sparse = 1};
    need(shms_stream_open(argv[1], 512 * MIB, &o, &s) == SHMS_E_NOMEM);
    need(shms_stream_open(argv[1], 0, NULL, &s) == SHMS_E_NOT_FOUND);
    need(open_descriptors(0) == 3 && region_mappings(0) == 0);
    need(try_open(argv[1], 64, 512 * MIB, &s) == SHMS_E_NOMEM);
    need(shms_stream_open(argv[1], 64, NULL, &s) == 0);
    shms_stream_close(s);
    return 0;
}

static int little_room(int argc, char **argv)
{
    struct rlimit limit = {.rlim_cur = 256 * MIB, .rlim_max = RLIM_INFINITY};
    shms_stream *s = NULL;
    need(argc == 2);
    setrlimit(RLIMIT_AS, &limit);
    need(shms_stream_open(argv[1], 64, NULL, &s) == 0 && shms_stream_lock(s, 0) == 0);
    need(shms_stream_resize(s, 128) == SHMS_E_RANGE && shms_stream_unlock(s) == 0);
    shms_stream_close(s);
    return 0;
}

/* All of the heap, and all that it could grow by. The chain begins at the last piece. */
static void **take_heap(void)
{
    void **last = NULL;
    for (size_t size = 16 * MIB; size >= 16;) {
        void **piece = malloc(size);
        if (!piece) {
            size /= 2;
            continue;
        }
        *piece = (void *)last;
        last = piece;
    }
    return last;
}

static int heap(int argc, char **argv)
{
    struct rlimit limit = {.rlim_cur = 64 * MIB, .rlim_max = RLIM_INFINITY};
    shms_stream *s = NULL, *t = NULL;
    shms_info info = {.struct_size = sizeof info};
    FILE *f = NULL;
    char c = 5;
    need(argc == 2);
    shms_stream_options o = {.struct_size = sizeof o, .atomic = 1, .max_size = 512 * KIB};
    need(shms_stream_open(argv[1], 64, &o, &s) == 0);
    setrlimit(RLIMIT_AS, &limit);
    void **taken = take_heap();
    int opened = shms_stream_open(argv[1], 64, NULL, &t), filed = shms_stream_file(s, "r", &f);
    int told = shms_stream_info(s, &info), listed = shms_list(never, NULL);
    int locked = shms_stream_lock(s, 0), grown = shms_stream_resize(s, 512 * KIB);
    int64_t wrote = shms_stream_pwrite(s, &c, 1, 0), got = shms_stream_pread(s, &c, 1, 0);
    int unlocked = shms_stream_unlock(s);
    for (void **piece = taken; piece; piece = taken) {
        taken = *piece;
        free((void *)piece);
    }
    need(opened == SHMS_E_NOMEM && filed == SHMS_E_NOMEM && told == SHMS_E_NOMEM && listed == SHMS_E_NOMEM);
    need(locked == 0 && (grown == 0 || grown == SHMS_E_NOMEM) && got == 1 && unlocked == 0);
    need(wrote == SHMS_E_NOMEM && c == 0); /* an atomic section keeps a private note of what it saved */
    need(shms_stream_lock(s, 0) == 0 && shms_stream_pwrite(s, &c, 1, 0) == 1 && shms_stream_unlock(s) == 0);
    need(shms_stream_info(s, &info) == 0 && info.members == 1);
    shms_stream_close(s);
    return 0;
}

static void run_role(const char *role)
{
    const char *name = fresh_name();
    struct proc p = start(role, name, NULL);
    int status = end_of(&p);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        print_message("SKIP: a /dev/shm of its own is not permitted here\n");
    else
        assert_int_equal(WEXITSTATUS(status), 0);
    assert_gone(name);
}

static void test_full_shm(void **state)
{
    (void)state;
    run_role("full_shm");
}

static void test_no_names(void **state)
{
    (void)state;
    run_role("no_names");
}

static void test_no_shm(void **state)
{
    (void)state;
    run_role("no_shm");
}

/* Somebody mapped more than there is address space for here: what is there will do. */
static void test_joins_with_little_room(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream_options o = {.struct_size = sizeof o, .max_size = 512 * MIB};
    shms_stream *s = NULL;
    assert_int_equal(shms_stream_open(name, 64, &o, &s), 0);
    if (!SANITIZED) {
        struct proc p = start("little_room", name, NULL);
        finish(&p);
    }
    shms_stream_close(s);
}

static void test_heap(void **state)
{
    (void)state;
    if (!SANITIZED)
        run_role("heap");
}

static void test_file_size(void **state)
{
    (void)state;
    run_role("file_size");
}

static void test_descriptors(void **state)
{
    (void)state;
    run_role("descriptors");
}

static void test_address_space(void **state)
{
    (void)state;
    if (!SANITIZED) /* which takes more than the limit for itself */
        run_role("address_space");
}

int main(int argc, char **argv)
{
    static const struct role roles[] = {{"full_shm", full_shm},
                                        {"file_size", file_size},
                                        {"descriptors", descriptors},
                                        {"address_space", address_space},
                                        {"no_names", no_names},
                                        {"heap", heap},
                                        {"no_shm", no_shm},
                                        {"little_room", little_room},
                                        {NULL, NULL}};
    const struct CMUnitTest tests[] = {
        process_test(test_full_shm),
        process_test(test_file_size),
        process_test(test_descriptors),
        process_test(test_address_space),
        process_test(test_no_names),
        process_test(test_heap),
        process_test(test_no_shm),
        process_test(test_joins_with_little_room),
    };
    roles_begin(argc, argv, roles);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
