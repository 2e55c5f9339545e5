/* SPDX-License-Identifier: MIT */
/* region.c and port: whose regions are accepted, with which mode, and what a stranger may do with them. */
#include "child.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

static uint32_t mode_of(const char *path)
{
    struct file_stat st = {0};
    shms__file_stat(path, &st);
    return st.mode;
}

static void modes_of_the_files(void **state)
{
    static const uint32_t modes[][3] = {{0, 0600, 0600},    {0600, 0600, 0600}, {0644, 0644, 0600},
                                        {0640, 0640, 0600}, {0660, 0660, 0660}, {0666, 0666, 0666},
                                        {0664, 0664, 0660}, {0622, 0622, 0600}, {0606, 0606, 0606}};
    (void)state;
    mode_t old = umask(0077); /* the option says it, not the umask */
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        shms_stream *s = unit_open(GLOBAL, 16, OPTIONS(.mode = modes[i][0]));
        assert_int_equal(mode_of(global_files.data), modes[i][1]);
        assert_int_equal(mode_of(global_files.control), modes[i][2]);
        shms_stream_close(s);
    }
    umask(old);
}

static void a_looser_mode_than_accepted(void **state)
{
    (void)state;
    shms_stream *s = unit_open(GLOBAL, 16, OPTIONS(.mode = 0644));
    assert_int_equal(unit_refused(GLOBAL, 16, NULL), SHMS_E_DENIED);
    assert_int_equal(unit_refused(GLOBAL, 16, OPTIONS(.mode = 0640)), SHMS_E_DENIED);
    shms_stream_close(unit_open(GLOBAL, 16, OPTIONS(.mode = 0644)));
    shms_stream_close(unit_open(GLOBAL, 16, OPTIONS(.mode = 0666)));
    assert_int_equal(chmod(global_files.control, 0644), 0);
    assert_int_equal(unit_refused(GLOBAL, 16, OPTIONS(.mode = 0644)), SHMS_E_DENIED);
    shms_stream_close(s);
}

/* ---- a stranger, and a region of root's */

static int refused_to_stranger(void *unused)
{
    int maps = unit_maps();
    (void)unused;
    for (uint32_t owners = 0; owners <= SHMS_OWNER_ANY; owners++)
        for (uint32_t access = 0; access <= SHMS_ACCESS_READ; access++) {
            shms_stream_options *o = OPTIONS(.owners = owners, .access = access, .mode = 0666);
            EXPECT(unit_refused(GLOBAL, 16, o) == SHMS_E_DENIED);
            EXPECT(unit_refused(GLOBAL, 0, o) == SHMS_E_DENIED);
        }
    EXPECT(shms_stream_unlink(GLOBAL) == SHMS_E_DENIED);
    EXPECT(unit_names() == 2 && unit_maps() == maps);
    return 0;
}

static void a_private_mode_keeps_strangers_out(void **state)
{
    (void)state;
    shms_stream *s = unit_open(GLOBAL, 16, NULL);
    assert_int_equal(unit_child(refused_to_stranger, NULL, STRANGER), 0);
    shms_stream_close(s);
}

static int reads_only(void *unused)
{
    shms_stream *s;
    char buf[16];
    int64_t seen = 0;
    int maps = unit_maps(); /* inherited ones */
    shms_info info = {.struct_size = sizeof info};
    (void)unused;
    EXPECT(unit_refused(GLOBAL, 0, OPTIONS(.owners = SHMS_OWNER_ROOT, .mode = 0644)) == SHMS_E_DENIED);
    EXPECT(unit_refused(GLOBAL, 0, OPTIONS(.mode = 0644, .access = SHMS_ACCESS_READ)) == SHMS_E_DENIED);
    shms_stream_options *o =
        OPTIONS(.owners = SHMS_OWNER_ROOT, .mode = 0644, .access = SHMS_ACCESS_READ, .max_size = 1 << 20);
    EXPECT(unit_refused(GLOBAL, 17, o) == SHMS_E_SIZE);
    EXPECT(shms_stream_open(GLOBAL, 16, o, &s) == 0);
    EXPECT(shms_stream_existed(s) == 1 && shms_stream_size(s) == 16);
    EXPECT(memcmp(shms_stream_memory(s), "shown to all", 12) == 0);
    EXPECT(shms_stream_read(s, buf, 5) == 5 && memcmp(buf, "shown", 5) == 0 && shms_stream_tell(s) == 5);
    EXPECT(shms_stream_pread(s, buf, 16, 9) == 7 && shms_stream_seek(s, 0, SEEK_END) == 16);
    EXPECT(shms_stream_write(s, "x", 1) == SHMS_E_READ_ONLY);
    EXPECT(shms_stream_resize(s, 8) == SHMS_E_READ_ONLY);
    EXPECT(shms_stream_lock(s, 0) == SHMS_E_DENIED);
    EXPECT(shms_stream_unlock(s) == SHMS_E_DENIED);
    EXPECT(shms_stream_repaired(s) == SHMS_E_DENIED);
    EXPECT(shms_stream_snapshot(s, buf, 4, 0) == SHMS_E_DENIED);
    EXPECT(shms_stream_version(s) == SHMS_E_DENIED);
    EXPECT(shms_stream_wait(s, &seen, 0) == SHMS_E_DENIED);
    EXPECT(shms_stream_notify(s) == SHMS_E_DENIED);
    EXPECT(shms_stream_poll_fd(s) == SHMS_E_DENIED);
    EXPECT(shms_stream_info(s, &info) == SHMS_E_DENIED);
    shms_stream_close(s);
    EXPECT(unit_maps() == maps && unit_names() == 2);
    return 0;
}

static void who_may_read_the_data_reads(void **state)
{
    (void)state;
    shms_stream *s = unit_open(GLOBAL, 16, OPTIONS(.mode = 0644));
    assert_int_equal(shms_stream_write(s, "shown to all", 12), 12);
    assert_int_equal(unit_child(reads_only, NULL, STRANGER), 0);
    shms_stream_close(s);
}

static int takes_part(void *unused)
{
    shms_stream *s;
    (void)unused;
    EXPECT(unit_refused(GLOBAL, 16, OPTIONS(.mode = 0666)) == SHMS_E_DENIED);
    EXPECT(unit_refused(GLOBAL, 16, OPTIONS(.mode = 0666, .owners = SHMS_OWNER_UID, .owner_uid = 1)) ==
           SHMS_E_DENIED);
    EXPECT(unit_refused(GLOBAL, 16, OPTIONS(.mode = 0666, .owners = SHMS_OWNER_UID)) == 0);
    EXPECT(unit_refused(GLOBAL, 16, OPTIONS(.mode = 0666, .owners = SHMS_OWNER_ANY)) == 0);
    EXPECT(unit_refused(GLOBAL, 16, OPTIONS(.mode = 0644, .owners = SHMS_OWNER_ANY)) == SHMS_E_DENIED);
    EXPECT(shms_stream_open(GLOBAL, 16, OPTIONS(.mode = 0666, .owners = SHMS_OWNER_ROOT), &s) == 0);
    EXPECT(shms_stream_lock(s, 0) == 0);
    EXPECT(shms_stream_write(s, "hello", 5) == 5);
    EXPECT(shms_stream_unlock(s) == 0);
    EXPECT(shms_stream_version(s) == 2);
    int fd = shms_stream_poll_fd(s); /* also where /proc belongs to the former user */
    EXPECT(fd >= 0);
    EXPECT(shms_stream_unlink(GLOBAL) == SHMS_E_DENIED);
    shms_stream_close(s);
    return 0;
}

static void an_open_mode_lets_all_take_part(void **state)
{
    (void)state;
    shms_stream *s = unit_open(GLOBAL, 16, OPTIONS(.mode = 0666));
    assert_int_equal(unit_child(takes_part, NULL, STRANGER), 0);
    assert_memory_equal(shms_stream_memory(s), "hello", 5);
    shms_stream_close(s);
}

/* ---- root, and a region of a stranger's */

static int lives_a_while(void *gates)
{
    shms_stream *s;
    EXPECT(shms_stream_open(GLOBAL, 16, OPTIONS(.mode = 0666), &s) == 0);
    unit_gate_open(gates);
    unit_gate_wait((int *)gates + 2);
    shms_stream_close(s);
    return 0;
}

static void root_does_not_trust_strangers(void **state)
{
    int gates[4];
    (void)state;
    assert_int_equal(pipe(gates) | pipe(gates + 2), 0);
    pid_t pid = unit_fork(lives_a_while, gates, STRANGER);
    unit_gate_wait(gates);
    assert_int_equal(unit_refused(GLOBAL, 16, OPTIONS(.mode = 0666)), SHMS_E_DENIED);
    shms_stream_options *roots = OPTIONS(.mode = 0666, .owners = SHMS_OWNER_ROOT);
    assert_int_equal(unit_refused(GLOBAL, 16, roots), SHMS_E_DENIED);
    shms_stream_options *o = OPTIONS(.mode = 0666, .owners = SHMS_OWNER_UID, .owner_uid = STRANGER);
    shms_stream_close(unit_open(GLOBAL, 16, o));
    unit_gate_open(gates + 2);
    assert_int_equal(unit_wait(pid), 0);
    for (int i = 0; i < 4; i++)
        close(gates[i]);
}

/* The last member cannot remove another user's names in a sticky directory; it empties the memory. */
static int outlives_the_owner(void *unused)
{
    shms_stream *s;
    struct file_stat st;
    shms_stream_options *o = OPTIONS(.mode = 0666, .owners = SHMS_OWNER_ROOT);
    (void)unused;
    EXPECT(shms_stream_open(GLOBAL, 16, o, &s) == 0); /* dead, and begun anew in place */
    EXPECT(shms_stream_existed(s) == 0 && shms_stream_size(s) == 16);
    EXPECT(*(char *)shms_stream_memory(s) == 0);
    EXPECT(shms_stream_lock(s, 0) == 0 && shms_stream_write(s, "new", 3) == 3 && shms_stream_unlock(s) == 0);
    EXPECT(unit_refused(GLOBAL, 0, o) == 0); /* others find it alive */
    shms_stream_close(s);
    EXPECT(shms__file_stat(global_files.data, &st) == 0 && st.size == 0 && st.memory_bytes == 0);
    EXPECT(unit_refused(GLOBAL, 0, o) == SHMS_E_NOT_FOUND);
    return 0;
}

static int dies_open(void *unused)
{
    shms_stream *s;
    (void)unused;
    EXPECT(shms_stream_open(GLOBAL, 64, OPTIONS(.mode = 0666), &s) == 0);
    EXPECT(shms_stream_write(s, "secret", 6) == 6);
    return 0;
}

static void the_dead_of_another_user(void **state)
{
    (void)state;
    assert_int_equal(unit_child(dies_open, NULL, 0), 0);
    assert_int_equal(unit_names(), 2);
    assert_int_equal(unit_child(outlives_the_owner, NULL, STRANGER), 0);
    assert_int_equal(unit_refused(GLOBAL, 0, OPTIONS(.mode = 0666)), SHMS_E_NOT_FOUND);
    assert_int_equal(unit_names(), 0);
}

static int locks_little_memory(void *unused)
{
    struct rlimit limit = {.rlim_cur = 4096, .rlim_max = 4096};
    int maps = unit_maps();
    (void)unused;
    EXPECT(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    static char much[1 << 20];
    if (mlock(much, sizeof much) == 0)
        return 77; /* sanitizers replace it by one that does nothing */
    EXPECT(unit_refused(GLOBAL, 1 << 20, OPTIONS(.lock_memory = 1)) == SHMS_E_NOMEM);
    EXPECT(unit_names() == 0 && unit_maps() == maps);
    EXPECT(unit_refused(GLOBAL, 16, OPTIONS(.lock_memory = 1)) == 0);
    return 0;
}

static void memory_that_cannot_be_locked(void **state)
{
    (void)state;
    int rc = unit_child(locks_little_memory, NULL, STRANGER);
    assert_true(rc == 0 || rc == 77);
    shms_stream_close(unit_open(NAME, 1 << 16, OPTIONS(.lock_memory = 1, .huge_pages = 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(modes_of_the_files),
        TEST(a_looser_mode_than_accepted),
        TEST(a_private_mode_keeps_strangers_out),
        TEST(who_may_read_the_data_reads),
        TEST(an_open_mode_lets_all_take_part),
        TEST(root_does_not_trust_strangers),
        TEST(the_dead_of_another_user),
        TEST(memory_that_cannot_be_locked),
    };
    if (geteuid() != 0) {
        puts("SKIP: only root can be two users");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
