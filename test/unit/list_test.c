/* SPDX-License-Identifier: MIT */
/* list.c: what exists, and what is told of a region. */
#include "child.h"

#include <pthread.h>

struct found {
    int n;
    bool seen[2];      /* NAME, GLOBAL */
    shms_info info[2]; /* theirs */
};

static int collect(const char *name, const shms_info *info, void *context)
{
    struct found *f = context;
    f->n++;
    for (int i = 0; i < 2; i++)
        if (strcmp(name, i ? GLOBAL : NAME) == 0) {
            if (f->seen[i])
                return 99; /* told twice */
            f->seen[i] = true;
            f->info[i] = *info;
        }
    return 0;
}

static struct found list(void)
{
    struct found f = {0};
    assert_int_equal(shms_list(collect, &f), 0);
    return f;
}

static shms_info info_of(shms_stream *s)
{
    shms_info info = {.struct_size = sizeof info};
    assert_int_equal(shms_stream_info(s, &info), 0);
    assert_int_equal(info.struct_size, sizeof info);
    return info;
}

static void *hold_in_thread(void *s)
{
    if (shms_stream_lock(s, 20000) >= 0)
        shms_stream_unlock(s);
    return NULL;
}

static void info_tells(void **state)
{
    pthread_t thread;
    (void)state;
    int64_t before = shms__wall_ns();
    shms_stream *s = unit_open(NAME, 10000, OPTIONS(.max_size = 1 << 20, .keep = 1));
    shms_info i = info_of(s);
    assert_int_equal(i.state, SHMS_STATE_LIVE);
    assert_int_equal(i.size, 10000);
    assert_int_equal(i.max_size, 1 << 20);
    assert_true(i.memory_bytes >= 10000 + 20480 && i.memory_bytes <= 128 << 10);
    assert_true(i.created_ns >= before && i.created_ns <= shms__wall_ns());
    assert_int_equal(i.uid, geteuid());
    assert_int_equal(i.mode, 0600);
    assert_true(i.keep == 1 && i.sparse == 0 && i.atomic == 0 && i.rollback == 0);
    assert_true(i.members == 1 && i.locked == 0 && i.owner_pid == 0 && i.waiters == 0 && i.owner_died == 0);
    shms_stream *other = unit_open(NAME, 0, NULL);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(pthread_create(&thread, NULL, hold_in_thread, other), 0);
    WAIT_FOR(info_of(s).waiters == 1);
    i = info_of(other);
    assert_true(i.members == 2 && i.locked == 1 && i.owner_pid == getpid() && i.version == 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    pthread_join(thread, NULL);
    i = info_of(s);
    assert_true(i.locked == 0 && i.owner_pid == 0 && i.waiters == 0 && i.version == 0);
    assert_int_equal(shms_stream_lock(other, 0), 0);
    shms_stream_close(other);
    i = info_of(s);
    assert_true(i.members == 1 && i.locked == 0 && i.owner_died == 1);
    shms_stream_close(s);
    assert_int_equal(shms_stream_unlink(NAME), 0);
    s = unit_open(NAME, 16, OPTIONS(.sparse = 1));
    i = info_of(s);
    assert_true(i.sparse == 1 && i.keep == 0);
    shms_stream_close(s);
}

static int tell_first(const shms_member *member, void *ret)
{
    *(shms_member *)ret = *member;
    return 1;
}

/* A writer that has the turn, and waits for the readers that are in, holds nothing yet. */
static void a_writer_behind_readers(void **state)
{
    pthread_t thread;
    shms_member first;
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL), *reader = unit_open(NAME, 0, NULL);
    assert_int_equal(shms_stream_lock_shared(reader, 0), 0);
    assert_int_equal(pthread_create(&thread, NULL, hold_in_thread, s), 0);
    WAIT_FOR(info_of(s).waiters == 1);
    shms_info i = info_of(reader);
    assert_true(i.locked == 0 && i.owner_pid == 0 && i.waiters == 1);
    assert_int_equal(shms_stream_members(s, tell_first, &first), 1);
    assert_true(first.locked == 0 && first.waiters == 1);
    assert_int_equal(shms_stream_unlock(reader), 0);
    pthread_join(thread, NULL);
    shms_stream_close(reader);
    shms_stream_close(s);
}

static void info_of_other_lengths(void **state)
{
    unsigned char room[sizeof(shms_info) + 16];
    shms_info info = {.struct_size = 7};
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    assert_int_equal(shms_stream_info(s, &info), SHMS_E_INVALID);
    assert_int_equal(shms_stream_info(s, NULL), SHMS_E_INVALID);
    assert_int_equal(shms_stream_info(NULL, &info), SHMS_E_INVALID);
    uint32_t sizes[] = {8, 16, sizeof info, sizeof room};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        memset(room, 0xee, sizeof room);
        memcpy(room, &sizes[i], 4);
        shms_info *short_or_long = (shms_info *)(void *)room;
        assert_int_equal(shms_stream_info(s, short_or_long), 0);
        assert_memory_equal(room, &sizes[i], 4);
        for (size_t k = sizes[i] < sizeof info ? sizes[i] : sizeof info; k < sizeof room; k++)
            assert_int_equal(room[k], 0xee);
    }
    shms_stream_close(s);
}

static int dies_holding(void *unused)
{
    shms_stream *s;
    (void)unused;
    EXPECT(shms_stream_open(NAME, 0, NULL, &s) == 0);
    return shms_stream_lock(s, 0);
}

static void a_dead_holder(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    assert_int_equal(unit_child(dies_holding, NULL, 0), 0);
    shms_info i = info_of(s);
    assert_true(i.locked == 2 && i.members == 1 && i.owner_pid == 0);
    assert_int_equal(list().info[0].locked, 2);
    assert_int_equal(shms_stream_lock(s, 0), SHMS_OWNER_DIED);
    assert_int_equal(info_of(s).locked, 1);
    assert_int_equal(shms_stream_unlock(s), 0);
    shms_stream_close(s);
}

static int dies_open(void *unused)
{
    shms_stream *s;
    (void)unused;
    return shms_stream_open(GLOBAL, 4096, NULL, &s);
}

static void the_list(void **state)
{
    (void)state;
    struct found f = list();
    assert_false(f.seen[0] || f.seen[1]);
    shms_stream *s = unit_open(NAME, 100, OPTIONS(.keep = 1)), *g = unit_open(GLOBAL, 200, NULL);
    f = list();
    assert_true(f.seen[0] && f.seen[1]);
    assert_true(f.info[0].state == SHMS_STATE_LIVE && f.info[0].size == 100 && f.info[0].members == 1);
    assert_true(f.info[1].state == SHMS_STATE_LIVE && f.info[1].size == 200 && f.info[1].members == 1);
    assert_int_equal(f.info[0].mode, 0600);
    assert_int_equal(f.info[0].struct_size, sizeof(shms_info));
    shms_stream_close(s);
    shms_stream_close(g);
    f = list();
    assert_true(f.seen[0] && f.info[0].state == SHMS_STATE_KEPT && f.info[0].members == 0);
    assert_false(f.seen[1]);
    assert_int_equal(shms_stream_unlink(NAME), 0);
    assert_int_equal(unit_child(dies_open, NULL, 0), 0);
    f = list();
    assert_true(!f.seen[0] && f.seen[1] && f.info[1].state == SHMS_STATE_DEAD && f.info[1].members == 0);
    assert_true(f.info[1].memory_bytes >= 4096 + 20480);
    remove(global_files.control); /* its data alone is dead, too, and told once */
    f = list();
    assert_true(f.seen[1] && f.info[1].state == SHMS_STATE_DEAD && f.info[1].size == 4096);
    remove(global_files.data);
}

static void foreign_files(void **state)
{
    char odd[sizeof local_files.control];
    (void)state;
    int fd = open(local_files.control, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "foreign", 7), 7);
    struct found f = list();
    assert_true(f.seen[0] && f.info[0].state == SHMS_STATE_FOREIGN && f.info[0].size == 0);
    assert_int_equal(ftruncate(fd, LAYOUT_CONTROL_SIZE), 0); /* as long as one of ours */
    f = list();
    assert_true(f.seen[0] && f.info[0].state == SHMS_STATE_FOREIGN);
    close(fd);
    remove(local_files.control);
    /* a file whose name means another region is not told of as that */
    shms_stream *g = unit_open(GLOBAL, 16, NULL);
    snprintf(odd, sizeof odd, "%s%s.ctl", local_files.prefix, GLOBAL);
    fd = open(odd, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    close(fd);
    f = list(); /* collect() fails if one is told of twice */
    assert_true(f.seen[1] && f.info[1].state == SHMS_STATE_LIVE);
    remove(odd);
    shms_stream_close(g);
}

static int end_listing(const char *name, const shms_info *info, void *context)
{
    (void)name, (void)info;
    return ++*(int *)context == 1 ? 42 : 43;
}

static void a_callback_ends_it(void **state)
{
    int calls = 0;
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL), *g = unit_open(GLOBAL, 16, NULL);
    assert_int_equal(shms_list(end_listing, &calls), 42);
    assert_int_equal(calls, 1);
    assert_int_equal(shms_list(NULL, NULL), SHMS_E_INVALID);
    shms_stream_close(s);
    shms_stream_close(g);
}

/* What a stranger may not open it is not told of; and looking keeps nothing alive. */
static int sees_nothing(void *unused)
{
    struct found f = {0};
    (void)unused;
    EXPECT(shms_list(collect, &f) == 0);
    EXPECT(!f.seen[0] && !f.seen[1]);
    return 0;
}

static void strangers_see_nothing(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    shms_stream *s = unit_open(NAME, 16, NULL), *g = unit_open(GLOBAL, 16, NULL);
    assert_int_equal(unit_child(sees_nothing, NULL, STRANGER), 0);
    shms_stream_close(s);
    shms_stream_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(info_tells), TEST(a_writer_behind_readers), TEST(info_of_other_lengths), TEST(a_dead_holder),
        TEST(the_list),
        TEST(foreign_files), TEST(a_callback_ends_it), TEST(strangers_see_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
