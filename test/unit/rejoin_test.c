/* SPDX-License-Identifier: MIT */
/* region.c: what a child of fork is told where it cannot join. */
#include "child.h"

#include <pthread.h>

#define SIZE 5000u

/* Control is mapped anew: later, when there is room, it joins all the same. */
static int without_room(void *s)
{
    unit_limit_address_space(0);
    int rc = shms_stream_lock(s, 0);
    unit_limit_nothing();
    EXPECT(rc == SHMS_E_NOMEM);
    EXPECT(shms_stream_lock(s, 0) == 0 && shms_stream_unlock(s) == 0);
    shms_stream_close(s);
    return 0;
}

static void no_room(void **state)
{
    (void)state;
    if (unit_address_space_huge())
        skip();
    shms_stream *s = unit_open(NAME, SIZE, NULL);
    assert_int_equal(unit_child(without_room, s, 0), 0);
    shms_stream_close(s);
}

static int is_told_lost(void *s)
{
    EXPECT(shms_stream_lock(s, 0) == SHMS_E_LOST);
    shms_stream_close(s);
    return 0;
}

static void a_spoiled_stamp(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, SIZE, NULL);
    struct control *c = s->section.member.region.control;
    a64_store_relaxed(&c->magic, 1);
    assert_int_equal(unit_child(is_told_lost, s, 0), 0);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    a64_store_relaxed(&c->magic, LAYOUT_MAGIC);
    shms_stream_close(s);
}

/* ---- another process sits on the life-cycle lock */

static shms_stream *stream;
static int life_fd;

static void sit_on_life(void)
{
    struct flock l = {.l_type = F_WRLCK, .l_len = 1};
    life_fd = open(local_files.control, O_RDWR | O_CLOEXEC);
    assert_int_equal(fcntl(life_fd, F_OFD_SETLK, &l), 0);
}

/* Its own time-out ends the call: the handle's would last for ten minutes. */
static int waits_for_its_own_time(void *unused)
{
    int64_t seen = 0;
    (void)unused;
    EXPECT(shms_stream_lock(stream, 0) == SHMS_E_TIMEOUT);
    EXPECT(shms_stream_lock(stream, 20) == SHMS_E_TIMEOUT);
    EXPECT(shms_stream_lock_shared(stream, 20) == SHMS_E_TIMEOUT);
    EXPECT(shms_stream_wait(stream, &seen, 20) == SHMS_E_TIMEOUT);
    return 0;
}

static void *lock_at_last(void *ret_rc)
{
    int rc = shms_stream_lock(stream, 100000);
    *(int *)ret_rc = rc == 0 ? shms_stream_unlock(stream) : rc;
    return NULL;
}

/* While threads wait to join, another opens, closes and forks; then all go on. */
static int holds_up_nobody(void *gate)
{
    pthread_t threads[3];
    shms_stream *other = NULL;
    int rc[3] = {1, 1, 1};
    for (int i = 0; i < 3; i++)
        EXPECT(pthread_create(&threads[i], NULL, lock_at_last, &rc[i]) == 0);
    for (int i = 0; i < 50; i++) {
        EXPECT(shms_stream_open(GLOBAL, 64, NULL, &other) == 0);
        EXPECT(shms_stream_lock(other, 0) == 0 && shms_stream_unlock(other) == 0);
        shms_stream_close(other);
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        EXPECT(unit_wait(pid) == 0);
    }
    close(life_fd); /* the parent does the same, and then nobody has it */
    unit_gate_open(gate);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    EXPECT(rc[0] == 0 && rc[1] == 0 && rc[2] == 0);
    shms_stream_close(stream);
    return 0;
}

static void a_life_cycle_lock_that_is_taken(void **state)
{
    int gate[2];
    (void)state;
    stream = unit_open(NAME, SIZE, OPTIONS(.open_timeout_ms = 600000));
    sit_on_life();
    assert_int_equal(unit_child(waits_for_its_own_time, NULL, 0), 0);
    assert_int_equal(pipe(gate), 0);
    pid_t pid = unit_fork(holds_up_nobody, gate, 0);
    unit_gate_wait(gate);
    close(life_fd);
    assert_int_equal(unit_wait(pid), 0);
    close(gate[0]);
    close(gate[1]);
    shms_stream_close(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_room), TEST(a_spoiled_stamp), TEST(a_life_cycle_lock_that_is_taken),
    };
    return cmocka_run_group_tests_name("rejoin", tests, NULL, NULL);
}
