/* SPDX-License-Identifier: MIT */
/* A holder that dies, in every way a process can; and one that only seems to. */
#include "roles.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* The lock is to be had, with the news; then all is as before. */
static void take_over_and_repair(shms_stream *s)
{
    assert_int_equal(shms_stream_lock(s, BOUND_MS), SHMS_OWNER_DIED);
    assert_int_equal(shms_stream_repaired(s), 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_unlock(s), 0);
}

static void asleep_on_lock(shms_stream *s, unsigned n)
{
    await(info_of(s).waiters == n);
}

/* A waiter that is asleep, a newcomer, and everybody after them are told, until somebody repairs. */
static void test_killed_holder_is_told_to_all(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream *s = open_here(name, 64);
    struct proc holder = start_member(name, 64), waiter = start_member(name, 64);
    assert_int_equal(ask(&holder, "lock -1"), 0);
    assert_int_equal(ask(&holder, "write 0 7"), 1); /* killed half-way through writing */
    tell(&waiter, "lock -1");
    asleep_on_lock(s, 1);
    kill_proc(&holder);
    assert_int_equal(answer(&waiter), SHMS_OWNER_DIED);
    assert_int_equal(ask(&waiter, "read 0"), 7);
    assert_int_equal(ask(&waiter, "unlock"), 0);
    assert_int_equal(ask(&waiter, "snapshot 0"), SHMS_E_CORRUPT);
    struct proc newcomer = start_member(name, 64);
    assert_int_equal(ask(&newcomer, "lock 0"), SHMS_OWNER_DIED);
    assert_int_equal(ask(&newcomer, "unlock"), 0);
    assert_int_equal(info_of(s).owner_died, 1);
    take_over_and_repair(s);
    assert_int_equal(info_of(s).owner_died, 0);
    assert_int_equal(ask(&newcomer, "lock 0"), 0);
    assert_int_equal(ask(&newcomer, "unlock"), 0);
    assert_int_equal(ask(&waiter, "snapshot 0"), 7);
    kill_proc(&newcomer);
    kill_proc(&waiter);
    shms_stream_close(s);
}

/* Who takes over and dies in turn leaves the news up. */
static void test_killed_recoverer(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream *s = open_here(name, 64);
    for (int i = 0; i < 3; i++) {
        struct proc p = start_member(name, 64);
        assert_int_equal(ask(&p, "lock -1"), i ? SHMS_OWNER_DIED : 0);
        kill_proc(&p);
    }
    assert_int_equal(info_of(s).locked, 2);
    take_over_and_repair(s);
    shms_stream_close(s);
}

/* A dead waiter, a dead member between two sections: no news, and nobody is kept waiting. */
static void test_killed_waiter_and_killed_between(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream *s = open_here(name, 64);
    struct proc dies = start_member(name, 64), lives = start_member(name, 64), idle = start_member(name, 64);
    assert_int_equal(shms_stream_lock(s, -1), 0);
    tell(&dies, "lock -1");
    tell(&lives, "lock -1");
    asleep_on_lock(s, 2);
    kill_proc(&dies);
    asleep_on_lock(s, 1); /* the dead are not counted */
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(answer(&lives), 0);
    assert_int_equal(ask(&lives, "unlock"), 0);
    assert_int_equal(ask(&idle, "lock -1"), 0);
    assert_int_equal(ask(&idle, "unlock"), 0);
    kill_proc(&idle);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    kill_proc(&lives);
    assert_int_equal(info_of(s).members, 1);
    shms_stream_close(s);
}

static void test_stopped_holder_is_never_robbed(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream *s = open_here(name, 64);
    struct proc holder = start_member(name, 64);
    assert_int_equal(ask(&holder, "lock -1"), 0);
    assert_int_equal(kill(holder.pid, SIGSTOP), 0);
    assert_int_equal(waitpid(holder.pid, NULL, WUNTRACED), holder.pid);
    assert_int_equal(shms_stream_lock(s, 0), SHMS_E_TIMEOUT);
    assert_int_equal(shms_stream_lock(s, 150), SHMS_E_TIMEOUT); /* several slices long */
    assert_int_equal(info_of(s).locked, 1);
    assert_int_equal(kill(holder.pid, SIGCONT), 0);
    assert_int_equal(ask(&holder, "write 3 4"), 1);
    assert_int_equal(ask(&holder, "unlock"), 0);
    assert_int_equal(shms_stream_lock(s, BOUND_MS), 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    kill_proc(&holder);
    shms_stream_close(s);
}

/* Ends other than by a signal, each with the lock held: `command` is the holder's last. */
static void test_holder_ends_by_itself(void **state)
{
    (void)state;
    static const char *const commands[] = {"exit", "return", "exec"};
    for (size_t i = 0; i < 3; i++) {
        const char *name = fresh_name();
        shms_stream *s = open_here(name, 64);
        struct proc holder = start_member(name, 64);
        assert_int_equal(ask(&holder, "lock -1"), 0);
        tell(&holder, "%s", commands[i]);
        take_over_and_repair(s);
        assert_int_equal(info_of(s).members, 1);
        if (i == 2) {
            await(open_descriptors(holder.pid) == 3); /* exec leaks none */
            assert_int_equal(region_mappings(holder.pid), 0);
        }
        kill_proc(&holder);
        shms_stream_close(s);
    }
}

static void test_holder_closes(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream *s = open_here(name, 64);
    struct proc holder = start_member(name, 64);
    assert_int_equal(ask(&holder, "lock -1"), 0);
    assert_int_equal(ask(&holder, "close"), 0);
    assert_int_equal(info_of(s).members, 1);
    take_over_and_repair(s);
    kill_proc(&holder);
    shms_stream_close(s);
}

/* Dead is dead, whether or not its parent has asked yet. */
static void test_zombie_is_dead(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream *s = open_here(name, 64);
    struct proc holder = start_member(name, 64);
    siginfo_t info;
    assert_int_equal(ask(&holder, "lock -1"), 0);
    assert_int_equal(kill(holder.pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)holder.pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(shms_stream_lock(s, 0), SHMS_OWNER_DIED);
    assert_int_equal(info_of(s).members, 1);
    assert_int_equal(shms_stream_unlock(s), 0);
    end_of(&holder);
    shms_stream_close(s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        process_test(test_killed_holder_is_told_to_all),
        process_test(test_killed_recoverer),
        process_test(test_killed_waiter_and_killed_between),
        process_test(test_stopped_holder_is_never_robbed),
        process_test(test_holder_ends_by_itself),
        process_test(test_holder_closes),
        process_test(test_zombie_is_dead),
    };
    roles_begin(argc, argv, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
