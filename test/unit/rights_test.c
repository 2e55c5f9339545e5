/* SPDX-License-Identifier: MIT */
/*
 * A process opens a handle and then gives up what it took to open it: its user, its file system, its right
 * to open files at all. The handle works on, and in its children, which must not need to open anything.
 */
#include "child.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

static shms_stream *stream;

/* ---- ways to give up */

static bool become_a_stranger(void)
{
    return setgroups(0, NULL) == 0 && setresgid(STRANGER, STRANGER, STRANGER) == 0 &&
           setresuid(STRANGER, STRANGER, STRANGER) == 0;
}

static bool enter_an_empty_place(void)
{
    char path[] = "/tmp/shms-empty-XXXXXX";
    return mkdtemp(path) && chdir(path) == 0 && rmdir(path) == 0 && chroot(".") == 0;
}

/* A sandbox that answers EACCES to each attempt to open something. */
static bool open_nothing_more(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, 2, &program) == 0;
}

static bool (*const ways[])(void) = {open_nothing_more, become_a_stranger, enter_an_empty_place};
static bool (*give_up)(void);

/* ---- what works on */

static int uses(shms_stream *s)
{
    shms_info info = {.struct_size = sizeof info};
    int64_t seen = 0;
    EXPECT(shms_stream_lock(s, 1000) == 0);
    EXPECT(shms_stream_pwrite(s, "x", 1, 0) == 1 && shms_stream_unlock(s) == 0);
    EXPECT(shms_stream_lock_shared(s, 1000) == 0 && shms_stream_unlock(s) == 0);
    EXPECT((seen = shms_stream_version(s)) > 0 && shms_stream_wait(s, &seen, 1) == SHMS_E_TIMEOUT);
    EXPECT(shms_stream_info(s, &info) == 0 && info.members >= 2);
    return 0;
}

static int uses_and_resizes(shms_stream *s)
{
    EXPECT(uses(s) == 0 && shms_stream_lock(s, 1000) == 0);
    EXPECT(shms_stream_resize(s, 20000) == 0 && shms_stream_resize(s, 5000) == 0);
    EXPECT(shms_stream_unlock(s) == 0);
    return 0;
}

static int uses_the_inherited(void *unused)
{
    (void)unused;
    EXPECT(uses_and_resizes(stream) == 0);
    shms_stream_close(stream);
    return 0;
}

static int holds_and_dies(void *unused)
{
    (void)unused;
    return shms_stream_lock(stream, 1000) == 0 ? 3 : 1;
}

/* The second child of a process that cannot open has no opening left: its code says why. */
static int is_denied(void *unused)
{
    (void)unused;
    int rc = shms_stream_lock(stream, 1000);
    EXPECT((rc == SHMS_E_DENIED && shms_last_oserror() == EACCES) ||
           (rc == SHMS_E_LOST && shms_last_oserror() == ENOENT));
    shms_stream_close(stream);
    return 0;
}

static int gives_up(void *unused)
{
    (void)unused;
    EXPECT(shms_stream_open(NAME, 5000, OPTIONS(.max_size = 1 << 20, .atomic = 1), &stream) == 0);
    if (!give_up())
        return 77;
    EXPECT(uses_and_resizes(stream) == 0);
    EXPECT(unit_child(uses_the_inherited, NULL, 0) == 0);
    EXPECT(uses(stream) == 0);
    EXPECT(unit_child(is_denied, NULL, 0) == 0);
    EXPECT(uses(stream) == 0);
    shms_stream_close(stream);
    return 0;
}

static void each_way(int (*child)(void *))
{
    int skipped = 0;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        give_up = ways[i];
        shms_stream *other = unit_open(NAME, 5000, OPTIONS(.max_size = 1 << 20, .atomic = 1));
        int rc = unit_child(child, NULL, 0);
        skipped += rc == 77;
        assert_true(rc == 0 || rc == 77);
        shms_info info = {.struct_size = sizeof info};
        assert_int_equal(shms_stream_info(other, &info), 0);
        assert_int_equal(info.members, 1);
        assert_int_equal(shms_stream_lock(other, 0) | shms_stream_unlock(other), 0);
        shms_stream_close(other);
    }
    if (skipped)
        print_message("%d ways skipped: not root\n", skipped);
}

static void a_handle_and_its_child(void **state)
{
    (void)state;
    each_way(gives_up);
}

/* A master that may open forks workers, which give that up and fork helpers: each has what its parent
 * could. */
static int works(void *unused)
{
    (void)unused;
    if (!give_up())
        return 77;
    EXPECT(uses(stream) == 0);
    EXPECT(unit_child(uses_the_inherited, NULL, 0) == 0);
    shms_stream_close(stream);
    return 0;
}

static int is_a_master(void *unused)
{
    (void)unused;
    EXPECT(shms_stream_open(NAME, 5000, OPTIONS(.max_size = 1 << 20, .atomic = 1), &stream) == 0);
    for (int i = 0; i < 4; i++) {
        int rc = unit_child(works, NULL, 0);
        if (rc)
            return rc;
    }
    shms_stream_close(stream);
    return 0;
}

static void workers_and_their_helpers(void **state)
{
    (void)state;
    each_way(is_a_master);
}

/* Two handles of one region: the spare is kept by one of them, and the other takes it over. */
static int closes_the_first(void *unused)
{
    shms_stream *first = NULL;
    (void)unused;
    EXPECT(shms_stream_open(NAME, 5000, OPTIONS(.max_size = 1 << 20), &first) == 0);
    EXPECT(shms_stream_open(NAME, 5000, OPTIONS(.max_size = 1 << 20), &stream) == 0);
    if (!give_up())
        return 77;
    shms_stream_close(first);
    EXPECT(unit_child(uses_the_inherited, NULL, 0) == 0);
    shms_stream_close(stream);
    return 0;
}

static void the_spare_is_handed_over(void **state)
{
    (void)state;
    each_way(closes_the_first);
}

/* A child that has the parent's spare is seen to be dead as any other. */
static int has_a_child_that_dies(void *unused)
{
    (void)unused;
    EXPECT(shms_stream_open(NAME, 5000, NULL, &stream) == 0);
    if (!give_up())
        return 77;
    EXPECT(unit_child(holds_and_dies, NULL, 0) == 3);
    EXPECT(shms_stream_lock(stream, 1000) == 0); /* undone: the region is atomic */
    EXPECT(shms_stream_unlock(stream) == 0);
    shms_stream_close(stream);
    return 0;
}

static void its_death_is_seen(void **state)
{
    (void)state;
    each_way(has_a_child_that_dies);
}

/* Without a name there is none to be opened by. */
static int is_unnamed(void *unused)
{
    shms_stream *other = NULL;
    (void)unused;
    EXPECT(shms_stream_open(NULL, 5000, NULL, &stream) == 0);
    int fd = shms_stream_fd(stream);
    EXPECT(fd >= 0 && shms_stream_open_fd(fd, NULL, &other) == 0);
    close(fd);
    if (!give_up())
        return 77;
    EXPECT(uses(stream) == 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(uses(stream));
    EXPECT(unit_wait(pid) == 0);
    shms_stream_close(other);
    shms_stream_close(stream);
    return 0;
}

static void an_unnamed_region(void **state)
{
    (void)state;
    each_way(is_unnamed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_handle_and_its_child),   TEST(workers_and_their_helpers), TEST(the_spare_is_handed_over),
        TEST(its_death_is_seen), TEST(an_unnamed_region),
    };
    return cmocka_run_group_tests_name("rights", tests, NULL, NULL);
}
