/* SPDX-License-Identifier: MIT */
/* The port's disk.c: what is kept of a file that is replaced, whose rights count, and what is left behind. */
#include "child.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

static char dir[64], path[96], other[96];

static int make_dir(void **state)
{
    int rc = unit_setup(state);
    const char *base = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%.40s/shms-XXXXXX", base ? base : "/tmp");
    if (rc || !mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/file", dir);
    snprintf(other, sizeof other, "%s/other", dir);
    return 0;
}

static int files_in_dir(void)
{
    DIR *d = opendir(dir);
    int n = -2; /* . and .. */
    while (d && readdir(d))
        n++;
    closedir(d);
    return n;
}

static int remove_dir(void **state)
{
    remove(path);
    remove(other);
    if (rmdir(dir))
        print_error("left behind in %s\n", dir);
    return unit_teardown(state);
}

#define IN_DIR(function) cmocka_unit_test_setup_teardown(function, make_dir, remove_dir)

static void put(const char *where, const char *bytes)
{
    int fd = open(where, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, bytes, strlen(bytes)), strlen(bytes));
    close(fd);
}

static bool holds(const char *where, const char *bytes)
{
    char buf[64] = "";
    int fd = open(where, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, buf, sizeof buf - 1);
    close(fd);
    return n == (ssize_t)strlen(bytes) && strcmp(buf, bytes) == 0;
}

static struct stat stat_of(const char *where)
{
    struct stat st = {0};
    assert_int_equal(lstat(where, &st), 0);
    return st;
}

static int save(void *where)
{
    return shms__disk_save(where, "new", 3) == 0 ? 0 : shms_last_oserror();
}

/* ---- modes and owners */

static void bits_that_stay(void **state)
{
    static const mode_t modes[] = {0600, 0644, 0400, 0777, 0000};
    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        put(path, "old");
        assert_int_equal(chmod(path, modes[i]), 0);
        assert_int_equal(save(path), 0);
        assert_int_equal(stat_of(path).st_mode & 07777, modes[i]);
        assert_int_equal(files_in_dir(), 1);
        remove(path);
    }
}

static void no_bits_that_give_rights(void **state)
{
    static const mode_t modes[] = {04777, 02755, 01777, 06711};
    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        put(path, "old");
        assert_int_equal(chmod(path, modes[i]), 0);
        assert_int_equal(save(path), 0);
        assert_int_equal(stat_of(path).st_mode & 07777, modes[i] & 0777);
    }
}

/* Another user's file gives way to one of the caller's own, with nothing of the old one's rights. */
static void another_users_file(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    put(path, "old");
    assert_int_equal(chown(path, STRANGER, STRANGER) | chmod(path, 04777), 0);
    assert_int_equal(save(path), 0);
    struct stat st = stat_of(path);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_uid, 0);
    assert_int_equal(st.st_gid, getegid());
}

/* The group's bits are that group's: kept with it, or not at all. */
static void a_group_that_cannot_be_kept(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    put(path, "old");
    assert_int_equal(chown(path, STRANGER, 12345) | chmod(path, 0664), 0);
    assert_int_equal(chown(dir, STRANGER, STRANGER), 0);
    int rc = unit_child(save, path, STRANGER);
    if (rc == EACCES)
        skip(); /* who may not even come here */
    assert_int_equal(rc, 0);
    struct stat st = stat_of(path);
    assert_int_equal(st.st_mode & 07777, 0604);
    assert_int_equal(st.st_gid, STRANGER);
    put(other, "old");
    assert_int_equal(chown(other, 0, 12345) | chmod(other, 0664), 0);
    assert_int_equal(save(other), 0); /* root may keep it */
    st = stat_of(other);
    assert_int_equal(st.st_mode & 07777, 0664);
    assert_int_equal(st.st_gid, 12345);
}

/* With an access list, the group's bits say what the list may give at most. */
static void an_access_list(void **state)
{
    static const struct {
        uint32_t version;
        struct {
            uint16_t tag, rights;
            uint32_t id;
        } entries[5];
    } list = {2, {{1, 6, ~0u}, {2, 6, 4711}, {4, 0, ~0u}, {16, 6, ~0u}, {32, 0, ~0u}}};
    (void)state;
    put(path, "old");
    if (setxattr(path, "system.posix_acl_access", &list, sizeof list, 0))
        skip(); /* not on this file system */
    assert_int_equal(stat_of(path).st_mode & 0777, 0660);
    assert_int_equal(save(path), 0);
    assert_int_equal(stat_of(path).st_mode & 0777, 0600);
}

static int save_under_a_umask(void *where)
{
    umask(0777);
    return save(where);
}

static void a_strict_umask(void **state)
{
    (void)state;
    assert_int_equal(unit_child(save_under_a_umask, path, 0), 0);
    assert_int_equal(stat_of(path).st_mode & 07777, 0600);
}

/* ---- links and pipes of others */

static void links_are_followed(void **state)
{
    char deep[128];
    (void)state;
    put(path, "old");
    assert_int_equal(symlink("file", other), 0);
    assert_int_equal(save(other), 0);
    assert_true(S_ISLNK(stat_of(other).st_mode) && holds(path, "new"));
    remove(path); /* it leads nowhere: there the file is made */
    assert_int_equal(save(other), 0);
    assert_true(S_ISLNK(stat_of(other).st_mode) && holds(path, "new"));
    remove(other);
    assert_int_equal(symlink("other", other), 0);
    assert_int_equal(save(other), ELOOP);
    snprintf(deep, sizeof deep, "%s/../%s/./file", dir, strrchr(dir, '/') + 1);
    put(path, "old");
    assert_int_equal(save(deep), 0);
    assert_true(holds(path, "new"));
}

/* In a directory like /tmp, another user's link or pipe at the path may not lead the caller elsewhere, even
 * where the system would allow it. */
static int in_a_shared_dir(void *unused)
{
    (void)unused;
    EXPECT(symlink("/nothing/here", path) == 0 && lchown(path, STRANGER, STRANGER) == 0);
    EXPECT(save(path) == EACCES);
    EXPECT(unlink(path) == 0 && symlink(other, path) == 0 && lchown(path, STRANGER, STRANGER) == 0);
    EXPECT(save(path) == EACCES && holds(other, "precious"));
    EXPECT(unlink(path) == 0 && mkfifo(path, 0666) == 0 && chown(path, STRANGER, STRANGER) == 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    char c;
    EXPECT(save(path) == EACCES && read(reader, &c, 1) == 0);
    close(reader);
    EXPECT(unlink(path) == 0 && symlink(other, path) == 0); /* the caller's own */
    EXPECT(save(path) == 0 && holds(other, "new"));
    return 0;
}

static void what_others_have_put_there(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    put(other, "precious");
    assert_int_equal(chmod(dir, 01777), 0);
    assert_int_equal(unit_child(in_a_shared_dir, NULL, 0), 0);
}

/* What stands behind /dev/stdout and the like is no path. */
static void a_pipe_by_its_number(void **state)
{
    int ends[2];
    char number[64], buf[8] = "";
    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    snprintf(number, sizeof number, "/proc/self/fd/%d", ends[1]);
    assert_int_equal(save(number), 0);
    assert_int_equal(read(ends[0], buf, sizeof buf), 3);
    close(ends[0]);
    close(ends[1]);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    snprintf(number, sizeof number, "/proc/self/fd/%d", fd);
    assert_int_equal(save(number), 0);
    close(fd);
    assert_true(holds(path, "new"));
}

/* ---- limits, deaths */

static int save_beyond_the_limit(void *most)
{
    struct rlimit limit = {*(rlim_t *)most, *(rlim_t *)most};
    EXPECT(setrlimit(RLIMIT_FSIZE, &limit) == 0); /* SIGXFSZ would end this process */
    EXPECT(shms__disk_save(path, "0123456789", 10) == (*(rlim_t *)most < 10 ? SHMS_E_NOSPACE : 0));
    EXPECT(*(rlim_t *)most >= 10 || shms_last_oserror() == EFBIG);
    return 0;
}

static void a_limit_of_files(void **state)
{
    static rlim_t limits[] = {0, 1, 9};
    static rlim_t enough = 10;
    (void)state;
    put(path, "old, and longer than any limit");
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        assert_int_equal(unit_child(save_beyond_the_limit, &limits[i], 0), 0);
        assert_true(holds(path, "old, and longer than any limit"));
        assert_int_equal(files_in_dir(), 1);
    }
    assert_int_equal(unit_child(save_beyond_the_limit, &enough, 0), 0);
    assert_true(holds(path, "0123456789"));
}

/* From now on the process ends with that system call. */
static int die_at(long call)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int die_saving(void *call)
{
    return die_at(*(long *)call) ? 77 : save(path);
}

static void a_death_leaves_nothing(void **state)
{
    static long calls[] = {SYS_write, SYS_fchmod, SYS_fsync, SYS_linkat};
    (void)state;
    int fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        skip(); /* no files without names here */
    close(fd);
    put(path, "old");
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        int rc = unit_child(die_saving, &calls[i], 0);
        if (rc == 77)
            skip();
        assert_int_equal(rc, 128 + SIGSYS);
        assert_int_equal(files_in_dir(), 1);
        assert_true(holds(path, "old"));
    }
}

static int without_proc(void *unused)
{
    (void)unused;
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", "/proc", "tmpfs", 0, NULL))
        return 77;
    EXPECT(save(path) == 0);
    EXPECT(save(other) == 0);
    return 0;
}

static void no_proc(void **state)
{
    (void)state;
    put(path, "old");
    if (unit_child(without_proc, NULL, 0) == 77)
        skip();
    assert_true(holds(path, "new") && holds(other, "new"));
    assert_int_equal(files_in_dir(), 2);
}

/* A file that has lost its name: what the kernel says of it is no path, and nothing is made there. */
static void a_file_without_a_name(void **state)
{
    char number[64];
    (void)state;
    put(path, "older");
    int fd = open(path, O_RDWR | O_CLOEXEC);
    snprintf(number, sizeof number, "/proc/self/fd/%d", fd);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(save(number), 0);
    assert_true(holds(number, "new"));
    assert_int_equal(files_in_dir(), 0);
    close(fd);
}

/* ---- reading */

static int before(void *ret_told, uint64_t size)
{
    *(uint64_t *)ret_told = size;
    return 0;
}

/* Files of the kernel say that they are empty. */
static void a_length_that_lies(void **state)
{
    char all[4096] = "", some[8] = "untold.";
    uint64_t told = 0;
    (void)state;
    assert_int_equal(stat_of("/proc/version").st_size, 0);
    int64_t n = shms__disk_load("/proc/version", all, sizeof all, before, &told);
    assert_true(n > 10 && (uint64_t)n == told);
    assert_memory_equal(all, "Linux version", 13);
    assert_int_equal(shms__disk_load("/proc/version", some, 7, before, &told), SHMS_E_RANGE);
    assert_string_equal(some, "untold."); /* nothing is written */
    char *exact = calloc(1, (size_t)n);
    assert_int_equal(shms__disk_load("/proc/version", exact, (uint64_t)n, before, &told), n);
    assert_memory_equal(exact, all, (size_t)n);
    free(exact);
    static char longer[8 << 20];
    assert_true(shms__disk_load("/proc/self/smaps", longer, sizeof longer, before, &told) > 4096);
}

static int append_first(void *unused, uint64_t size)
{
    (void)unused;
    if (size != 3)
        return 0;
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    int rc = write(fd, "defg", 4) == 4 ? 0 : SHMS_E_OS;
    close(fd);
    return rc;
}

static void a_file_that_grows(void **state)
{
    char buf[8] = "";
    (void)state;
    put(path, "abc");
    assert_int_equal(shms__disk_load(path, buf, 7, append_first, NULL), 7);
    assert_string_equal(buf, "abcdefg");
    put(path, "abc");
    assert_int_equal(shms__disk_load(path, buf, 6, append_first, NULL), SHMS_E_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(bits_that_stay),       IN_DIR(no_bits_that_give_rights),
        IN_DIR(another_users_file),   IN_DIR(a_group_that_cannot_be_kept),
        IN_DIR(an_access_list),       IN_DIR(a_strict_umask),
        IN_DIR(links_are_followed),   IN_DIR(what_others_have_put_there),
        IN_DIR(a_pipe_by_its_number), IN_DIR(a_file_without_a_name),
        IN_DIR(a_limit_of_files),
        IN_DIR(a_death_leaves_nothing), IN_DIR(no_proc),
        IN_DIR(a_length_that_lies),   IN_DIR(a_file_that_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
