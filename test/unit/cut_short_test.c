/* SPDX-License-Identifier: MIT */
/* Steps of which a race or a crash lets only a part happen, replayed one by one. */
#include "child.h"

#include <pthread.h>

/* notify comes when the holder has moved the version and not yet freed the cell, and a waiter saw that. */
static void notify_between_version_and_cell(void **state)
{
    (void)state;
    shms_stream *holder = unit_open(NAME, 64, NULL), *other = unit_open(NAME, 0, NULL);
    struct control *c = holder->section.member.region.control;
    assert_int_equal(shms_stream_lock(holder, 0), 0);
    shms__version_move(c); /* as shms__unlock_quick begins */
    a32_store_relaxed(&holder->section.changes, CHANGES_TOLD);
    int64_t seen = shms_stream_version(other);
    assert_int_equal(shms_stream_wait(other, &seen, 0), SHMS_E_TIMEOUT);
    assert_int_equal(shms_stream_notify(other), 0);
    shms__unlock_wake(&holder->section); /* as it ends where flags stand in the cell */
    assert_int_equal(shms_stream_wait(other, &seen, 0), 0);
    assert_int_equal(a64_load_relaxed(&c->cell), 0);
    shms_stream_close(holder);
    shms_stream_close(other);
}

/* A member died between the store of the smaller size and giving the memory back. */
static void growth_after_a_shrink_cut_short(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 100000, NULL);
    unsigned char *p = shms_stream_memory(s);
    memset(p, 'x', 100000);
    a64_store_release(&s->section.member.region.control->size, 5000); /* as change_size begins */
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_resize(s, 100000), 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(p[i], i < 5000 ? 'x' : 0);
    shms_stream_close(s);
}

static int hold_and_die(void *s)
{
    EXPECT(shms_stream_lock(s, 0) == 0);
    kill(getpid(), SIGKILL);
    return 0;
}

/* Nobody ever takes the lock after the dead: who only waits is told all the same. */
static void a_waiter_ends_a_dead_section(void **state)
{
    (void)state;
    char byte;
    shms_stream *s = unit_open(NAME, 64, NULL);
    shms_stream *watcher = unit_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ));
    int64_t seen = shms_stream_version(watcher);
    assert_int_equal(unit_child(hold_and_die, s, 0), 128 + SIGKILL);
    assert_int_equal(shms_stream_wait(watcher, &seen, 20000), 0);
    assert_int_equal(shms_stream_snapshot(watcher, &byte, 1, 0), SHMS_E_CORRUPT);
    assert_int_equal(shms_stream_lock(s, 0), SHMS_OWNER_DIED);
    assert_int_equal(shms_stream_repaired(s), 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(shms_stream_snapshot(watcher, &byte, 1, 0), 1);
    shms_stream_close(watcher);
    shms_stream_close(s);
}

/* ---- a parent that closes before its child's fork handler has run */

static int closed[2];

static void stand_still_in_fork(void)
{
    if (closed[0])
        unit_gate_wait(closed);
}

static int lock_and_look(void *s)
{
    shms_stream *again = NULL;
    EXPECT(shms_stream_lock(s, 5000) == 0);
    EXPECT(shms_stream_unlock(s) == 0);
    EXPECT(shms_stream_open(NAME, 0, NULL, &again) == 0); /* the name is still there, and means this */
    EXPECT(memcmp(shms_stream_memory(again), "kept", 4) == 0);
    shms_stream_close(again);
    shms_stream_close(s);
    return 0;
}

static void parent_closes_before_the_child_wakes(void **state)
{
    (void)state;
    assert_int_equal(pipe(closed), 0);
    shms_stream *s = unit_open(NAME, 64, NULL);
    assert_int_equal(shms_stream_pwrite(s, "kept", 4, 0), 4);
    pid_t child = unit_fork(lock_and_look, s, 0);
    shms_stream_close(s);
    unit_gate_open(closed);
    assert_int_equal(unit_wait(child), 0);
    assert_int_equal(unit_names(), 0); /* the child was the last */
    close(closed[0]);
    close(closed[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(notify_between_version_and_cell),
        TEST(growth_after_a_shrink_cut_short),
        TEST(a_waiter_ends_a_dead_section),
        TEST(parent_closes_before_the_child_wakes),
    };
    pthread_atfork(NULL, NULL, stand_still_in_fork); /* before the library's, so it runs before that */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
