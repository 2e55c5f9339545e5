/* SPDX-License-Identifier: MIT */
/*
 * The squatting matrix. Another user without rights comes first and occupies what a name means: with every
 * kind of file, at control's name, at data's, and at the victim's private place. The victim, a user without
 * rights too, is refused with a code, at once, in every way to open, list and unlink; it follows nothing,
 * destroys nothing, and leaves nothing.
 */
#include "roles.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PRECIOUS "precious"

static const char *const kinds[] = {"file",    "empty", "loose", "symlink",   "dangling",
                                    "hardlink", "fifo",  "socket", "directory", "open-directory"};
#define KINDS (sizeof kinds / sizeof *kinds)

static unsigned uid_of(bool victim)
{
    return 30000 + (unsigned)getpid() % 10000 + (victim ? 10000 : 0); /* who use this library nowhere else */
}

static void become(const char *uid)
{
    unsigned id = (unsigned)atoi(uid);
    need(setgroups(0, NULL) == 0 && setresgid(id, id, id) == 0 && setresuid(id, id, id) == 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    umask(0);
}

static void make_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    need(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

static void make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    need(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path));
    need(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && close(fd) == 0);
}

/* squatter UID KIND PATH PRECIOUS */
static int squatter(int argc, char **argv)
{
    char other[200];
    need(argc == 5);
    const char *kind = argv[2], *path = argv[3];
    become(argv[1]);
    snprintf(other, sizeof other, "%s-other", path);
    if (strcmp(kind, "file") == 0)
        make_file(path, "not a region", 0600);
    else if (strcmp(kind, "empty") == 0)
        make_file(path, "", 0644);
    else if (strcmp(kind, "loose") == 0)
        make_file(path, "not a region", 0666);
    else if (strcmp(kind, "symlink") == 0)
        need(symlink(argv[4], path) == 0);
    else if (strcmp(kind, "dangling") == 0)
        need(symlink("/dev/shm/nothing/here", path) == 0);
    else if (strcmp(kind, "fifo") == 0)
        need(mkfifo(path, 0666) == 0);
    else if (strcmp(kind, "socket") == 0)
        make_socket(path);
    else if (strcmp(kind, "directory") == 0)
        need(mkdir(path, 0700) == 0);
    else if (strcmp(kind, "open-directory") == 0)
        need(mkdir(path, 0777) == 0);
    else {
        make_file(other, "not a region", 0666);
        need(link(other, path) == 0);
    }
    return 0;
}

static void need_refused(const char *name, uint64_t size, const shms_stream_options *o, bool may_be_new)
{
    shms_stream *s = NULL;
    int64_t began = now_ms();
    int rc = shms_stream_open(name, size, o, &s);
    need(now_ms() - began < BOUND_MS && !s);
    if (may_be_new && (size == 0 || o->create == SHMS_OPEN_ONLY))
        need(rc == SHMS_E_NOT_FOUND);
    else if (o->owners == SHMS_OWNER_ANY)
        need(rc == SHMS_E_DENIED || rc == SHMS_E_FORMAT);
    else
        need(rc == SHMS_E_DENIED);
}

/* victim UID NAME WHERE: every way in is shut. WHERE: control data place */
static int victim(int argc, char **argv)
{
    need(argc == 4);
    become(argv[1]);
    bool at_data = strcmp(argv[3], "data") == 0;
    for (uint32_t create = 0; create <= SHMS_OPEN_ONLY; create++)
        for (uint32_t access = 0; access <= SHMS_ACCESS_READ; access++)
            for (uint32_t owners = 0; owners <= SHMS_OWNER_ANY; owners++)
                for (uint64_t size = create == SHMS_CREATE_ONLY ? 64 : 0; size <= 64; size += 64) {
                    shms_stream_options o = {.struct_size = sizeof o, .create = create, .access = access,
                                             .owners = owners, .mode = 0666, .keep = size > 0};
                    need_refused(argv[2], size, &o, at_data);
                }
    int rc = shms_stream_unlink(argv[2]);
    need(rc == (at_data ? SHMS_E_NOT_FOUND : SHMS_E_DENIED));
    need(open_descriptors(0) == 3 && region_mappings(0) == 0);
    return 0;
}

static int none(const char *name, const shms_info *info, void *context)
{
    (void)name, (void)info, (void)context;
    return 0;
}

/* lister UID CODE */
static int lister(int argc, char **argv)
{
    need(argc == 3);
    become(argv[1]);
    need(shms_list(none, NULL) == atoi(argv[2]));
    return 0;
}

static void remove_all(const char *path)
{
    char other[200];
    snprintf(other, sizeof other, "%s-other", path);
    remove(path);
    remove(other);
}

static void run_as(const char *role, unsigned uid, const char *a, const char *b, const char *c)
{
    char number[16];
    snprintf(number, sizeof number, "%u", uid);
    struct proc p = start(role, number, a, b, c, NULL);
    finish(&p);
}

static void make_precious(char *ret_path, size_t room)
{
    snprintf(ret_path, room, "/dev/shm/process-test-%d-precious", (int)getpid());
    make_file(ret_path, PRECIOUS, 0600);
    assert_int_equal(chown(ret_path, uid_of(true), uid_of(true)), 0);
}

static void check_precious(const char *path)
{
    char bytes[20] = "";
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && read(fd, bytes, sizeof bytes - 1) == (ssize_t)strlen(PRECIOUS));
    assert_int_equal(fstat(fd, &st), 0);
    close(fd);
    assert_string_equal(bytes, PRECIOUS);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_nlink, 1);
}

/* One of a name's two files is occupied; the other is not there, and is not left there. */
static void occupy_each(const char *where, const char *ending, const char *other_ending)
{
    char path[160], other[160], precious[100], name[100];
    struct stat before, after;
    const char *bare = fresh_name();
    snprintf(name, sizeof name, "Global\\%s", bare);
    snprintf(path, sizeof path, "/dev/shm/shms.%s.%s", bare, ending);
    snprintf(other, sizeof other, "/dev/shm/shms.%s.%s", bare, other_ending);
    make_precious(precious, sizeof precious);
    for (size_t i = 0; i < KINDS; i++) {
        run_as("squatter", uid_of(false), kinds[i], path, precious);
        assert_int_equal(lstat(path, &before), 0);
        run_as("victim", uid_of(true), name, where, NULL);
        assert_int_equal(lstat(path, &after), 0);
        assert_true(after.st_ino == before.st_ino && after.st_mode == before.st_mode);
        assert_true(after.st_size == before.st_size && after.st_nlink == before.st_nlink);
        assert_true(lstat(other, &after) < 0 && errno == ENOENT);
        check_precious(precious);
        remove_all(path);
    }
    remove(precious);
    print_message("%zu kinds at %s, 40 ways to open each\n", KINDS, where);
}

static void test_control_is_occupied(void **state)
{
    (void)state;
    occupy_each("control", "ctl", "data");
}

static void test_data_is_occupied(void **state)
{
    (void)state;
    occupy_each("data", "data", "ctl");
}

/* The directory of the victim's private names, where the victim has none yet. */
static void test_place_is_occupied(void **state)
{
    (void)state;
    char path[100], precious[100];
    const char *name = fresh_name();
    char denied[16];
    snprintf(denied, sizeof denied, "%d", SHMS_E_DENIED);
    make_precious(precious, sizeof precious);
    snprintf(path, sizeof path, "/dev/shm/shms-%u", uid_of(true));
    run_as("lister", uid_of(true), "0", NULL, NULL); /* who has none lists the names of all */
    for (size_t i = 0; i < KINDS; i++) {
        run_as("squatter", uid_of(false), kinds[i], path, precious);
        run_as("victim", uid_of(true), name, "place", NULL);
        run_as("lister", uid_of(true), denied, NULL, NULL);
        check_precious(precious);
        remove_all(path);
    }
    remove(precious);
    print_message("%zu kinds at the private place, 40 ways to open in each\n", KINDS);
}

/* owner UID NAME MODE: a region that is sound, but another user's. */
static int owner(int argc, char **argv)
{
    shms_stream *s = NULL;
    need(argc == 4);
    become(argv[1]);
    shms_stream_options o = {.struct_size = sizeof o, .mode = (uint32_t)atoi(argv[3]), .keep = 1};
    need(shms_stream_open(argv[2], 64, &o, &s) == 0);
    say("made");
    hear();
    shms_stream_close(s);
    need(shms_stream_unlink(argv[2]) == 0);
    return 0;
}

/* refused UID NAME: with the default options, and by those that trust somebody else. */
static int refused(int argc, char **argv)
{
    need(argc == 3);
    become(argv[1]);
    for (uint32_t owners = SHMS_OWNER_SELF; owners <= SHMS_OWNER_UID; owners++)
        for (uint32_t access = 0; access <= SHMS_ACCESS_READ; access++) {
            shms_stream_options o = {.struct_size = sizeof o, .owners = owners, .access = access,
                                     .mode = 0666, .owner_uid = 1};
            need_refused(argv[2], 64, &o, false);
        }
    need(shms_stream_unlink(argv[2]) == SHMS_E_DENIED);
    return 0;
}

/* A trap that works: it is used by nobody who has not said that this user is trusted. */
static void test_sound_region_of_another_user(void **state)
{
    (void)state;
    char uid[16], name[100];
    const char *const modes[] = {"384", "420", "438"}; /* 0600 0644 0666 */
    snprintf(uid, sizeof uid, "%u", uid_of(false));
    snprintf(name, sizeof name, "Global\\%s", fresh_name());
    for (int i = 0; i < 3; i++) {
        struct proc p = start("owner", uid, name, modes[i], NULL);
        expect_line(&p, "made");
        run_as("refused", uid_of(true), name, NULL, NULL);
        tell(&p, "go");
        finish(&p);
    }
}

int main(int argc, char **argv)
{
    static const struct role roles[] = {{"squatter", squatter}, {"victim", victim},   {"lister", lister},
                                        {"owner", owner},       {"refused", refused}, {NULL, NULL}};
    const struct CMUnitTest tests[] = {
        process_test(test_control_is_occupied),
        process_test(test_data_is_occupied),
        process_test(test_place_is_occupied),
        process_test(test_sound_region_of_another_user),
    };
    roles_begin(argc, argv, roles);
    if (geteuid() != 0) {
        puts("SKIP: only root can be two users");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
