/* SPDX-License-Identifier: MIT */
/* region.c and port: names occupied by something else. Each gets its code, and nothing is destroyed. */
#include "child.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static char victim[128]; /* a file that a link at our name leads to */

static void make_file(const char *path, const void *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
}

static void occupy(const char *kind, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = -1;
    if (strcmp(kind, "symlink") == 0)
        assert_int_equal(symlink(victim, path), 0);
    else if (strcmp(kind, "dangling") == 0)
        assert_int_equal(symlink("/dev/shm/nothing/here", path), 0);
    else if (strcmp(kind, "hardlink") == 0)
        assert_int_equal(link(victim, path), 0);
    else if (strcmp(kind, "fifo") == 0)
        assert_int_equal(mkfifo(path, 0600), 0);
    else if (strcmp(kind, "directory") == 0)
        assert_int_equal(mkdir(path, 0700), 0);
    else if (strcmp(kind, "socket") == 0) {
        memcpy(address.sun_path, path, strlen(path));
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
        close(fd);
    } else
        make_file(path, kind, strlen(kind));
}

static void check_victim(const struct stat *before)
{
    struct stat st;
    char bytes[16] = "";
    assert_int_equal(stat(victim, &st), 0);
    assert_int_equal(st.st_mode, before->st_mode);
    assert_int_equal(st.st_mtim.tv_nsec, before->st_mtim.tv_nsec);
    int fd = open(victim, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, bytes, sizeof bytes), 8);
    close(fd);
    assert_string_equal(bytes, "precious");
}

static void make_victim(const struct name *n, struct stat *ret)
{
    snprintf(victim, sizeof victim, "%.100s-victim", n->control);
    make_file(victim, "precious", 8);
    assert_int_equal(stat(victim, ret), 0);
}

/* Whatever stands at control's name, opening in each way and unlinking say so and leave it there. */
static void control_is_occupied(void **state)
{
    static const struct {
        const char *kind;
        int code;
    } kinds[] = {{"symlink", SHMS_E_DENIED}, {"dangling", SHMS_E_DENIED},
                 {"fifo", SHMS_E_DENIED},    {"socket", SHMS_E_DENIED},
                 {"directory", SHMS_E_DENIED}, {"a foreign file", SHMS_E_FORMAT},
                 {"", SHMS_E_FORMAT}};
    const char *names[] = {NAME, GLOBAL};
    const struct name *files[] = {&local_files, &global_files};
    struct stat before, there, after;
    (void)state;
    for (int g = 0; g < 2; g++) {
        make_victim(files[g], &before);
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
            occupy(kinds[i].kind, files[g]->control);
            assert_int_equal(lstat(files[g]->control, &there), 0);
            for (uint32_t create = 0; create <= SHMS_OPEN_ONLY; create++)
                for (uint32_t access = 0; access <= SHMS_ACCESS_READ; access++) {
                    shms_stream_options *o = OPTIONS(.create = create, .access = access);
                    assert_int_equal(unit_refused(names[g], 16, o), kinds[i].code);
                }
            assert_int_equal(unit_refused(names[g], 0, NULL), kinds[i].code);
            if (kinds[i].code == SHMS_E_DENIED)
                assert_int_equal(shms_stream_unlink(names[g]), SHMS_E_DENIED);
            assert_int_equal(lstat(files[g]->control, &after), 0);
            assert_int_equal(after.st_ino, there.st_ino);
            assert_int_equal(after.st_mode, there.st_mode);
            assert_int_equal(after.st_size, there.st_size);
            assert_false(shms__file_exists(files[g]->data));
            check_victim(&before);
            remove(files[g]->control);
        }
        remove(victim);
    }
}

/* What is no region can still be removed by its name: a sweep needs that. */
static void unlink_removes_what_is_ours_to_remove(void **state)
{
    (void)state;
    make_file(local_files.control, "a foreign file", 14);
    assert_int_equal(shms_stream_unlink(NAME), 0);
    assert_int_equal(unit_names(), 0);
}

/* Links and directories at data's name are neither followed nor destroyed while there is no region. */
static void data_is_occupied(void **state)
{
    struct stat before;
    (void)state;
    make_victim(&local_files, &before);
    assert_int_equal(mkdir(local_files.data, 0700), 0);
    assert_int_equal(unit_refused(NAME, 16, NULL), SHMS_E_DENIED);
    assert_false(shms__file_exists(local_files.control));
    assert_int_equal(rmdir(local_files.data), 0);
    assert_int_equal(symlink(victim, local_files.data), 0);
    shms_stream *s = unit_open(NAME, 16, NULL); /* the link goes, what it led to stays */
    assert_int_equal(shms_stream_write(s, "destroyed?", 10), 10);
    check_victim(&before);
    /* while members live, a joiner follows nothing */
    assert_int_equal(remove(local_files.data), 0);
    assert_int_equal(symlink(victim, local_files.data), 0);
    assert_int_equal(unit_refused(NAME, 16, NULL), SHMS_E_DENIED);
    assert_int_equal(remove(local_files.data), 0);
    assert_int_equal(link(victim, local_files.data), 0); /* nor is that believed: the name is taken back */
    shms_stream *t = unit_open(NAME, 16, OPTIONS(.create = SHMS_CREATE_ONLY));
    check_victim(&before);
    shms_stream_close(s);
    shms_stream_close(t);
    remove(victim);
}

/* ---- second names, which only their makers can remove */

static char second[128];

static void link_second(const struct name *n, bool data)
{
    snprintf(second, sizeof second, "%.100s-second", n->control);
    assert_int_equal(link(data ? n->data : n->control, second), 0);
}

/* A file of ours under another region's name: the name is taken back, and the file is not touched. */
static void a_link_to_another_file(void **state)
{
    static const uint32_t ways[] = {SHMS_CREATE_OR_OPEN, SHMS_CREATE_ONLY, SHMS_OPEN_ONLY};
    const char *names[] = {NAME, GLOBAL};
    const struct name *files[] = {&local_files, &global_files};
    struct stat before;
    (void)state;
    for (int g = 0; g < 2; g++) {
        make_victim(files[g], &before);
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
            occupy("hardlink", files[g]->control);
            if (ways[i] == SHMS_OPEN_ONLY)
                assert_int_equal(unit_refused(names[g], 16, OPTIONS(.create = ways[i])), SHMS_E_NOT_FOUND);
            else
                shms_stream_close(unit_open(names[g], 16, OPTIONS(.create = ways[i])));
            assert_false(shms__file_exists(files[g]->control));
            check_victim(&before);
        }
        occupy("hardlink", files[g]->control);
        assert_int_equal(shms_stream_unlink(names[g]), 0);
        assert_false(shms__file_exists(files[g]->control));
        check_victim(&before);
        remove(victim);
    }
}

/* One region's control under the name of another: the two are not mixed up. */
static void a_link_to_another_region(void **state)
{
    (void)state;
    shms_stream *s = unit_open(GLOBAL, 16, OPTIONS(.keep = 1));
    assert_int_equal(link(global_files.control, local_files.control), 0);
    assert_int_equal(link(global_files.data, local_files.data), 0);
    shms_stream *t = unit_open(NAME, 16, NULL);
    assert_int_equal(shms_stream_existed(t), 0);
    assert_int_equal(shms_stream_pwrite(s, "x", 1, 0), 1);
    assert_int_equal(*(char *)shms_stream_memory(t), 0);
    shms_stream_close(t);
    shms_stream *u = unit_open(GLOBAL, 16, NULL); /* with its one name, it is what it was */
    assert_int_equal(shms_stream_existed(u), 1);
    shms_stream_close(s);
    shms_stream_close(u);
    assert_int_equal(shms_stream_unlink(GLOBAL), 0);
}

/* Whoever links to a region's file denies the name until its owner's next open, or unlink. */
static void a_second_name(void **state)
{
    (void)state;
    for (int way = 0; way < 8; way++) {
        bool data = way & 1, alive = way & 2, unlinks = way & 4;
        shms_stream *s = unit_open(GLOBAL, 16, OPTIONS(.keep = !alive)), *t;
        assert_int_equal(shms_stream_pwrite(s, "old", 4, 0), 4);
        if (!alive)
            shms_stream_close(s);
        link_second(&global_files, data);
        if (unlinks)
            assert_int_equal(shms_stream_unlink(GLOBAL), 0);
        t = unit_open(GLOBAL, 16, OPTIONS(.open_timeout_ms = 20000));
        assert_int_equal(shms_stream_existed(t), 0);
        assert_string_equal(shms_stream_memory(t), "");
        if (alive) { /* its members go on, as after unlink */
            assert_string_equal(shms_stream_memory(s), "old");
            assert_int_equal(shms_stream_lock(s, 0) | shms_stream_unlock(s), 0);
            shms_stream_close(s);
        }
        shms_stream *u = unit_open(GLOBAL, 16, NULL);
        assert_int_equal(shms_stream_existed(u), 1);
        shms_stream_close(u);
        shms_stream_close(t);
        assert_int_equal(unit_names(), 0);
        assert_int_equal(remove(second), 0);
    }
}

static int open_as_another(void *unused)
{
    (void)unused;
    shms_stream_options *o = OPTIONS(.mode = 0666, .owners = SHMS_OWNER_ANY);
    EXPECT(unit_refused(GLOBAL, 16, o) == SHMS_E_DENIED);
    EXPECT(shms_stream_unlink(GLOBAL) == SHMS_E_DENIED);
    return 0;
}

/* Others believe it no more than the owner, and cannot take it back. */
static void a_second_name_and_another_user(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    shms_stream_close(unit_open(GLOBAL, 16, OPTIONS(.mode = 0666, .keep = 1)));
    link_second(&global_files, false);
    assert_int_equal(unit_child(open_as_another, NULL, STRANGER), 0);
    assert_int_equal(unit_names(), 2);
    assert_int_equal(unit_refused(GLOBAL, 0, NULL), SHMS_E_NOT_FOUND);
    assert_int_equal(unit_names(), 0);
    assert_int_equal(remove(second), 0);
}

static int find_state(const char *name, const shms_info *info, void *ret)
{
    if (strcmp(name, GLOBAL) == 0)
        *(int *)ret = (int)info->state;
    return 0;
}

/* Sweeping reclaims what is listed as dead. */
static void a_second_name_is_listed(void **state)
{
    (void)state;
    for (int data = 0; data < 2; data++) {
        int listed = -1;
        shms_stream *s = unit_open(GLOBAL, 16, OPTIONS(.keep = 1));
        link_second(&global_files, data);
        assert_int_equal(shms_list(find_state, &listed), 0);
        assert_int_equal(listed, SHMS_STATE_LIVE);
        shms_stream_close(s);
        assert_int_equal(shms_list(find_state, &listed), 0);
        assert_int_equal(listed, SHMS_STATE_DEAD);
        assert_int_equal(unit_refused(GLOBAL, 0, OPTIONS(.create = SHMS_OPEN_ONLY)), SHMS_E_NOT_FOUND);
        assert_int_equal(unit_names(), 0);
        assert_int_equal(remove(second), 0);
    }
}

/* ---- control files that are damaged, or of another kind */

static void control_of_another_kind(void **state)
{
    static const struct {
        size_t offset;
        uint32_t value;
    } changes[] = {{0, 0x12345678},
                   {8, SHMS_FORMAT_VERSION - 1},
                   {8, SHMS_FORMAT_VERSION + 1},
                   {12, 0x04030201},
                   {16, 1},
                   {20, 4096}};
    (void)state;
    shms_stream *s = unit_open(NAME, 16, OPTIONS(.keep = 1));
    unsigned char *c = (unsigned char *)s->section.member.region.control;
    for (int alive = 1; alive >= 0; alive--) {
        int fd = open(local_files.control, O_RDWR | O_CLOEXEC);
        for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
            uint32_t old;
            assert_int_equal(pread(fd, &old, 4, (off_t)changes[i].offset), 4);
            assert_int_equal(pwrite(fd, &changes[i].value, 4, (off_t)changes[i].offset), 4);
            assert_int_equal(unit_refused(NAME, 16, NULL), SHMS_E_FORMAT);
            assert_int_equal(unit_refused(NAME, 16, OPTIONS(.create = SHMS_CREATE_ONLY)), SHMS_E_FORMAT);
            assert_int_equal(unit_refused(NAME, 0, NULL), SHMS_E_FORMAT);
            assert_int_equal(pwrite(fd, &old, 4, (off_t)changes[i].offset), 4);
        }
        close(fd);
        if (alive) {
            memcpy(shms_stream_memory(s), "kept", 4);
            assert_int_equal(c[0], 'S');
            shms_stream_close(s);
        }
    }
    s = unit_open(NAME, 16, NULL); /* nothing of it was lost */
    assert_int_equal(shms_stream_existed(s), 1);
    assert_memory_equal(shms_stream_memory(s), "kept", 4);
    shms_stream_close(s);
    assert_int_equal(shms_stream_unlink(NAME), 0);
}

static void control_of_another_length(void **state)
{
    static const off_t lengths[] = {0, 1, 100, 4096, 20479, 20481, 40960};
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        shms_stream_close(unit_open(NAME, 16, OPTIONS(.keep = 1)));
        assert_int_equal(truncate(local_files.control, lengths[i]), 0);
        assert_int_equal(unit_refused(NAME, 16, NULL), SHMS_E_FORMAT);
        assert_int_equal(unit_refused(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ)), SHMS_E_FORMAT);
        assert_int_equal(unit_names(), 2);
        assert_int_equal(shms_stream_unlink(NAME), 0);
    }
}

/* ---- the private directory */

static int with_a_bad_place(void *unused)
{
    struct name n;
    (void)unused;
    EXPECT(shms__name_resolve("x", false, &n) == SHMS_E_DENIED);
    EXPECT(unit_refused("x", 16, NULL) == SHMS_E_DENIED);
    EXPECT(unit_refused("x", 0, NULL) == SHMS_E_DENIED);
    EXPECT(shms_stream_unlink("x") == SHMS_E_DENIED);
    return 0;
}

/* The directory of a user who has none, taken by somebody else, by a link, or left open by itself. */
static void the_place_is_occupied(void **state)
{
    char dir[64];
    uid_t nobody = 30000 + (uid_t)getpid() % 30000; /* who uses this library nowhere else */
    (void)state;
    snprintf(dir, sizeof dir, "/dev/shm/shms-%u", (unsigned)nobody);
    if (geteuid() != 0 || mkdir(dir, 0700))
        skip();
    int roots = unit_child(with_a_bad_place, NULL, nobody);
    int own = chown(dir, nobody, nobody) | chmod(dir, 0755);
    int loose = unit_child(with_a_bad_place, NULL, nobody);
    rmdir(dir);
    own |= symlink("/dev/shm/shms-0", dir);
    int linked = unit_child(with_a_bad_place, NULL, nobody);
    unlink(dir);
    assert_int_equal(roots, 0);
    assert_int_equal(own, 0);
    assert_int_equal(loose, 0);
    assert_int_equal(linked, 0);
}

/* Its maker was killed before it could undo what a strict umask did. */
static int in_a_closed_place(void *dir)
{
    static const mode_t modes[] = {0000, 0100, 0400, 0300};
    shms_stream *s = NULL;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        EXPECT(mkdir(dir, 0700) == 0 && chmod(dir, modes[i]) == 0);
        if (i == 0)
            EXPECT(unit_refused("x", 0, NULL) == SHMS_E_NOT_FOUND);
        EXPECT(shms_stream_open("x", 16, NULL, &s) == 0);
        shms_stream_close(s);
        struct stat st;
        EXPECT(stat(dir, &st) == 0 && (st.st_mode & 07777) == 0700 && rmdir(dir) == 0);
    }
    umask(0777);
    EXPECT(shms_stream_open("x", 16, NULL, &s) == 0);
    shms_stream_close(s);
    EXPECT(rmdir(dir) == 0);
    return 0;
}

static void the_place_is_closed(void **state)
{
    char dir[64];
    uid_t nobody = 30000 + (uid_t)getpid() % 30000;
    (void)state;
    if (geteuid() != 0)
        skip();
    snprintf(dir, sizeof dir, "/dev/shm/shms-%u", (unsigned)nobody);
    assert_int_equal(unit_child(in_a_closed_place, dir, nobody), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(control_is_occupied),     TEST(unlink_removes_what_is_ours_to_remove),
        TEST(data_is_occupied),        TEST(control_of_another_kind),
        TEST(control_of_another_length), TEST(the_place_is_occupied),
        TEST(a_link_to_another_file),  TEST(a_link_to_another_region),
        TEST(a_second_name),           TEST(a_second_name_and_another_user),
        TEST(a_second_name_is_listed), TEST(the_place_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
