/* SPDX-License-Identifier: MIT */
/* Waiting for a change between processes: none is lost, asleep or by a descriptor in a loop. */
#include "roles.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define WAIT_MS (BOUND_MS / 3) /* of a player, so that it can say what it missed before the test gives up */

/* The ball: whose turn it is. Players only ever add one, under the lock. */
static uint64_t ball(shms_stream *s)
{
    uint64_t turn = 0;
    int64_t rc = shms_stream_snapshot(s, &turn, sizeof turn, 0);
    need(rc == sizeof turn);
    return turn;
}

static void hit(shms_stream *s)
{
    uint64_t turn = 0;
    need(shms_stream_lock(s, WAIT_MS) == 0);
    need(shms_stream_pread(s, &turn, sizeof turn, 0) == sizeof turn);
    turn++;
    need(shms_stream_pwrite(s, &turn, sizeof turn, 0) == sizeof turn);
    need(shms_stream_unlock(s) == 0);
}

/* By a descriptor in a loop, or where there is none asleep in the call. */
static void await_news(shms_stream *s, int64_t *seen, int loop)
{
    if (loop < 0) {
        need(shms_stream_wait(s, seen, WAIT_MS) == 0);
        return;
    }
    while (shms_stream_wait(s, seen, 0) == SHMS_E_TIMEOUT) {
        struct epoll_event e;
        need(epoll_wait(loop, &e, 1, WAIT_MS) == 1);
    }
}

/* player NAME PARITY TURNS WAY: plays when turn % 2 is its parity, until TURNS; waits in that way. */
static int player(int argc, char **argv)
{
    shms_stream *s = NULL;
    int loop = -1;
    need(argc == 5);
    need(shms_stream_open(argv[1], 8, NULL, &s) == 0);
    uint64_t parity = (uint64_t)atoi(argv[2]), turns = (uint64_t)atoi(argv[3]);
    if (argv[4][0] == 'e') {
        struct epoll_event e = {.events = EPOLLIN};
        loop = epoll_create1(EPOLL_CLOEXEC);
        need(epoll_ctl(loop, EPOLL_CTL_ADD, poll_fd_of(s), &e) == 0);
    }
    int64_t seen = shms_stream_version(s);
    for (uint64_t turn; (turn = ball(s)) < turns;) {
        if (turn % 2 == parity)
            hit(s);
        else
            await_news(s, &seen, loop);
    }
    if (loop >= 0)
        close(loop);
    shms_stream_close(s);
    return 0;
}

static void play(const char *way_a, const char *way_b, unsigned turns)
{
    const char *name = fresh_name();
    char count[16];
    snprintf(count, sizeof count, "%u", turns);
    shms_stream *s = open_here(name, 8);
    int64_t began = now_ms();
    struct proc a = start("player", name, "0", count, way_a, NULL);
    struct proc b = start("player", name, "1", count, way_b, NULL);
    finish(&a);
    finish(&b);
    /* A lost wake-up ends by itself, after a slice of 100 ms; they must not be what moves the ball. */
    assert_true(now_ms() - began < 10000 + (int64_t)turns * 10);
    assert_int_equal(ball(s), turns);
    assert_int_equal(shms_stream_version(s), turns * 2);
    shms_stream_close(s);
}

static void test_ping_pong(void **state)
{
    (void)state;
    play("wait", "wait", count_from("TURNS", 4000));
}

/* A lost event would stop the loop for BOUND_MS, and the player with it. */
static void test_ping_pong_in_a_loop(void **state)
{
    (void)state;
    play("epoll", "epoll", count_from("TURNS", 4000));
    play("epoll", "wait", count_from("TURNS", 1000));
}

/* A waiter that died asleep, one that died armed: the others are told all the same. */
static void test_dead_waiter(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream *s = open_here(name, 8);
    struct proc dies = start_member(name, 8), armed = start_member(name, 8), lives = start_member(name, 8);
    int64_t seen = shms_stream_version(s);
    int fd = poll_fd_of(s);
    assert_true(fd >= 0);
    assert_int_equal(shms_stream_wait(s, &seen, 0), SHMS_E_TIMEOUT);
    assert_true(ask(&armed, "poll") >= 0);
    assert_int_equal(ask(&armed, "wait 0"), SHMS_E_TIMEOUT);
    tell(&dies, "wait -1");
    tell(&lives, "wait -1");
    kill_proc(&dies);
    kill_proc(&armed);
    struct proc writer = start_member(name, 8);
    assert_int_equal(ask(&writer, "lock -1"), 0);
    assert_true(ask(&writer, "write 0 1") > 0);
    assert_int_equal(ask(&writer, "unlock"), 0);
    assert_int_equal(answer(&lives), 0);
    int loop = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN};
    assert_int_equal(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &e), 0);
    assert_int_equal(epoll_wait(loop, &e, 1, BOUND_MS), 1);
    assert_int_equal(shms_stream_wait(s, &seen, 0), 0);
    assert_int_equal(shms_stream_wait(s, &seen, 0), SHMS_E_TIMEOUT);
    assert_int_equal(epoll_wait(loop, &e, 1, 0), 0); /* quiet again */
    close(loop);
    kill_proc(&writer);
    kill_proc(&lives);
    shms_stream_close(s);
}

/* The holder dies inside its section: waiters are told once somebody has ended it. */
static void test_dead_writer(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream *s = open_here(name, 8);
    struct proc writer = start_member(name, 8), waiter = start_member(name, 8);
    assert_int_equal(ask(&writer, "lock -1"), 0);
    tell(&waiter, "wait -1");
    kill_proc(&writer);
    assert_int_equal(shms_stream_lock(s, BOUND_MS), SHMS_OWNER_DIED);
    assert_int_equal(shms_stream_repaired(s) | shms_stream_unlock(s), 0);
    assert_int_equal(answer(&waiter), 0);
    kill_proc(&waiter);
    shms_stream_close(s);
}

/* notify: for bytes that were written outside a section; in somebody's section, its end tells. */
static void test_notify(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream *s = open_here(name, 8);
    struct proc p = start_member(name, 8);
    assert_int_equal(ask(&p, "version"), 0);
    for (int i = 0; i < 200; i++) {
        tell(&p, "wait -1");
        assert_int_equal(shms_stream_notify(s), 0);
        assert_int_equal(answer(&p), 0);
    }
    assert_int_equal(shms_stream_lock(s, 0), 0);
    tell(&p, "notify");
    assert_int_equal(answer(&p), 0);
    assert_int_equal(ask(&p, "wait 0"), SHMS_E_TIMEOUT);
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(ask(&p, "wait 0"), 0);
    kill_proc(&p);
    shms_stream_close(s);
}

int main(int argc, char **argv)
{
    static const struct role roles[] = {{"player", player}, {NULL, NULL}};
    const struct CMUnitTest tests[] = {
        process_test(test_ping_pong),   process_test(test_ping_pong_in_a_loop),
        process_test(test_dead_waiter), process_test(test_dead_writer),
        process_test(test_notify),
    };
    roles_begin(argc, argv, roles);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
