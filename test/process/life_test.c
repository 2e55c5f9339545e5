/* SPDX-License-Identifier: MIT */
/* How a region begins and ends: racing creators, the last user's leaving and dying, keep, unlink, resize. */
#include "roles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RACERS 24

static void test_last_user_leaves(void **state)
{
    (void)state;
    const char *name = fresh_name();
    struct proc a = start_member(name, 64), b = start_member(name, 0);
    assert_int_equal(ask(&a, "existed"), 0);
    assert_int_equal(ask(&b, "existed"), 1);
    assert_int_equal(ask(&a, "write 0 1"), 1);
    assert_int_equal(ask(&a, "close"), 0);
    assert_int_equal(ask(&b, "read 0"), 1);
    assert_int_equal(ask(&b, "close"), 0);
    assert_int_equal(ask(&a, "open %s 0", name), SHMS_E_NOT_FOUND);
    kill_proc(&a);
    kill_proc(&b);
}

/* Nothing of the old life shows, whoever of them comes next. */
static void test_last_user_dies(void **state)
{
    (void)state;
    const char *name = fresh_name();
    struct proc p = start_member(name, 64);
    assert_int_equal(ask(&p, "lock -1"), 0);
    assert_int_equal(ask(&p, "write 0 1"), 1);
    kill_proc(&p);
    shms_stream *s = open_here(name, 16);
    unsigned char bytes[16], zero[16] = {0};
    assert_int_equal(shms_stream_existed(s), 0);
    assert_int_equal(shms_stream_size(s), 16);
    assert_int_equal(shms_stream_pread(s, bytes, 16, 0), 16);
    assert_memory_equal(bytes, zero, 16);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_version(s), 0);
    shms_stream_close(s);
}

static int count_name(const char *name, const shms_info *info, void *context)
{
    const char **wanted = context;
    if (strcmp(name, wanted[0]) == 0)
        wanted[1] = info->state == SHMS_STATE_DEAD ? "dead" : "there";
    return 0;
}

/* What a sweep does: an opening that would create nothing removes what is dead. */
static void test_open_only_sweeps(void **state)
{
    (void)state;
    const char *name = fresh_name();
    struct proc p = start_member(name, 64);
    kill_proc(&p);
    const char *look[2] = {name, "gone"};
    assert_int_equal(shms_list(count_name, look), 0);
    assert_string_equal(look[1], "dead");
    assert_gone(name);
    look[1] = "gone";
    assert_int_equal(shms_list(count_name, look), 0);
    assert_string_equal(look[1], "gone");
}

static void test_keep(void **state)
{
    (void)state;
    for (int dies = 0; dies < 2; dies++) {
        const char *name = fresh_name();
        struct proc p = start("member", NULL);
        assert_int_equal(ask(&p, "open %s 64 0 1", name), 0);
        assert_int_equal(ask(&p, "lock -1"), 0);
        assert_int_equal(ask(&p, "write 0 8"), 1);
        if (!dies)
            assert_int_equal(ask(&p, "unlock") | ask(&p, "close"), 0);
        kill_proc(&p);
        shms_stream *s = open_here(name, 0);
        unsigned char c = 0;
        assert_int_equal(shms_stream_existed(s), 1);
        assert_int_equal(shms_stream_lock(s, 0), dies ? SHMS_OWNER_DIED : 0);
        assert_int_equal(shms_stream_pread(s, &c, 1, 0), 1);
        assert_int_equal(c, 8);
        assert_int_equal(shms_stream_unlock(s), 0);
        shms_stream_close(s);
        assert_int_equal(shms_stream_unlink(name), 0);
        assert_gone(name);
    }
}

/* The name goes, the members stay; the next of that name is another region, and theirs do not mix. */
static void test_unlink_while_used(void **state)
{
    (void)state;
    const char *name = fresh_name();
    struct proc a = start_member(name, 64), b = start_member(name, 64);
    assert_int_equal(ask(&a, "lock -1"), 0);
    assert_int_equal(shms_stream_unlink(name), 0);
    shms_stream *s = open_here(name, 64);
    assert_int_equal(shms_stream_existed(s), 0);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(ask(&a, "write 0 1"), 1);
    assert_int_equal(ask(&b, "read 0"), 1);
    assert_int_equal(ask(&b, "lock 0"), SHMS_E_TIMEOUT);
    unsigned char c = 1;
    assert_int_equal(shms_stream_pread(s, &c, 1, 0), 1);
    assert_int_equal(c, 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    kill_proc(&a);
    assert_int_equal(ask(&b, "lock -1"), SHMS_OWNER_DIED);
    assert_int_equal(ask(&b, "close"), 0); /* the last of the old one leaves: the new one stays */
    assert_int_equal(info_of(s).members, 1);
    shms_stream *again = open_here(name, 0);
    assert_int_equal(shms_stream_existed(again), 1);
    shms_stream_close(again);
    shms_stream_close(s);
    kill_proc(&b);
}

/* racer NAME: opens when told; says whether it existed; closes when told. */
static int racer(int argc, char **argv)
{
    need(argc == 2);
    for (;;) {
        shms_stream *s = NULL;
        hear();
        need(shms_stream_open(argv[1], 128, NULL, &s) == 0);
        say("%d", shms_stream_existed(s));
        hear();
        shms_stream_close(s);
        say("closed");
    }
}

static void test_one_creator_a_life(void **state)
{
    (void)state;
    const char *name = fresh_name();
    struct proc all[RACERS];
    for (int i = 0; i < RACERS; i++)
        all[i] = start("racer", name, NULL);
    for (int round = 0; round < 20; round++) {
        int created = 0;
        for (int i = 0; i < RACERS; i++)
            tell(&all[i], "go");
        for (int i = 0; i < RACERS; i++)
            created += answer(&all[i]) == 0;
        assert_int_equal(created, 1);
        for (int i = 0; i < RACERS; i++)
            tell(&all[i], "go");
        for (int i = 0; i < RACERS; i++)
            expect_line(&all[i], "closed");
    }
    assert_gone(name);
    for (int i = 0; i < RACERS; i++)
        kill_proc(&all[i]);
}

/* visitor NAME ROUNDS: opens, takes a turn and leaves, all the time. A region that it made starts at zero,
 * and within a life the count of turns never goes back. */
static int visitor(int argc, char **argv)
{
    need(argc == 3);
    for (int n = atoi(argv[2]); n > 0; n--) {
        shms_stream *s = NULL;
        uint64_t turns[2] = {1, 1};
        shms_stream_options patient = {.struct_size = sizeof patient, .open_timeout_ms = BOUND_MS};
        need(shms_stream_open(argv[1], sizeof turns, &patient, &s) == 0);
        need(shms_stream_lock(s, BOUND_MS) == 0);
        need(shms_stream_pread(s, turns, sizeof turns, 0) == sizeof turns);
        need(turns[0] == turns[1]);
        turns[0]++;
        turns[1]++;
        need(shms_stream_pwrite(s, turns, sizeof turns, 0) == sizeof turns);
        need(shms_stream_unlock(s) == 0);
        shms_stream_close(s);
    }
    return 0;
}

static void test_storm_of_visitors(void **state)
{
    (void)state;
    const char *name = fresh_name();
    struct proc all[8];
    for (int i = 0; i < 8; i++)
        all[i] = start("visitor", name, "300", NULL);
    for (int i = 0; i < 8; i++)
        finish(&all[i]);
    assert_gone(name);
}

/* A member's growth and shrinking is seen by the others as far as they mapped it. */
static void test_resize(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream_options o = {.struct_size = sizeof o, .max_size = 1 << 20};
    shms_stream *s = NULL;
    assert_int_equal(shms_stream_open(name, 64, &o, &s), 0);
    struct proc p = start_member(name, 64);
    assert_int_equal(ask(&p, "resize 128"), SHMS_E_NOT_OWNER);
    assert_int_equal(ask(&p, "lock -1"), 0);
    assert_int_equal(ask(&p, "resize 1048576"), 0);
    assert_int_equal(ask(&p, "write 1048575 3"), 1);
    assert_int_equal(shms_stream_size(s), 1 << 20);
    assert_int_equal(((unsigned char *)shms_stream_memory(s))[(1 << 20) - 1], 3);
    assert_int_equal(ask(&p, "resize 64"), 0);
    assert_int_equal(ask(&p, "write 64 3"), SHMS_E_RANGE);
    assert_int_equal(ask(&p, "resize 1048576"), 0);
    assert_int_equal(ask(&p, "read 1048575"), 0); /* what was cut off comes back as zeros */
    assert_int_equal(ask(&p, "resize 1048577"), SHMS_E_RANGE);
    kill_proc(&p);
    shms_stream_close(s);
}

int main(int argc, char **argv)
{
    static const struct role roles[] = {{"racer", racer}, {"visitor", visitor}, {NULL, NULL}};
    const struct CMUnitTest tests[] = {
        process_test(test_last_user_leaves),  process_test(test_last_user_dies),
        process_test(test_open_only_sweeps),  process_test(test_keep),
        process_test(test_unlink_while_used), process_test(test_one_creator_a_life),
        process_test(test_storm_of_visitors), process_test(test_resize),
    };
    roles_begin(argc, argv, roles);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
