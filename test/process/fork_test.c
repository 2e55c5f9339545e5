/* SPDX-License-Identifier: MIT */
/* fork: an inherited handle works in the child, as a member of its own. */
#include "roles.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* How a child comes to be: through the C library's fork, and behind its back. */
static const char *const ways[] = {"fork", "clone"};

/* `p` goes on in its child; the parent lives on, idle. Gives the child's pid. */
static pid_t go_on_in_child(struct proc *p, const char *way)
{
    long long child = ask(p, "%s", way);
    assert_true(child > 0 && child != p->pid);
    return (pid_t)child;
}

/* A role that goes on in a child: the child ends too. */
static void kill_family(struct proc *p, pid_t child)
{
    kill(child, SIGKILL);
    kill_proc(p);
}

static void test_child_is_a_member_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *name = fresh_name();
        shms_stream *s = open_here(name, 64);
        struct proc p = start_member(name, 64);
        assert_int_equal(ask(&p, "lock -1"), 0);
        assert_int_equal(ask(&p, "write 0 5"), 1);
        pid_t child = go_on_in_child(&p, ways[i]);
        assert_int_equal(info_of(s).members, 2); /* the child has not called anything yet */
        assert_int_equal(ask(&p, "unlock"), SHMS_E_NOT_OWNER);
        assert_int_equal(ask(&p, "repaired"), SHMS_E_NOT_OWNER);
        assert_int_equal(info_of(s).members, 3);
        assert_int_equal(info_of(s).owner_pid, p.pid);
        assert_int_equal(ask(&p, "lock 0"), SHMS_E_TIMEOUT);
        assert_int_equal(ask(&p, "lock 60"), SHMS_E_TIMEOUT);
        assert_int_equal(ask(&p, "read 0"), 5);
        assert_int_equal(ask(&p, "write 1 6"), 1);
        assert_int_equal(ask(&p, "existed"), 1);
        assert_int_equal(ask(&p, "close"), 0);
        assert_int_equal(info_of(s).members, 2); /* the parent's membership and lock are as before */
        assert_int_equal(info_of(s).locked, 1);
        assert_int_equal(shms_stream_lock(s, 60), SHMS_E_TIMEOUT);
        kill_family(&p, child);
        assert_int_equal(shms_stream_lock(s, BOUND_MS), SHMS_OWNER_DIED);
        shms_stream_close(s);
    }
}

static void test_child_locks_the_parent_out(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream *s = open_here(name, 64);
    struct proc p = start_member(name, 64);
    pid_t child = go_on_in_child(&p, "fork");
    assert_int_equal(ask(&p, "lock -1"), 0);
    assert_int_equal(info_of(s).owner_pid, child);
    assert_int_equal(shms_stream_lock(s, 60), SHMS_E_TIMEOUT);
    kill(child, SIGKILL); /* the parent lives on, but it was the child's lock */
    assert_int_equal(shms_stream_lock(s, BOUND_MS), SHMS_OWNER_DIED);
    assert_int_equal(shms_stream_unlock(s), 0);
    await(info_of(s).members == 2);
    kill_proc(&p);
    shms_stream_close(s);
}

/* A child that closes at once, without having called anything before. */
static void test_child_only_closes(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *name = fresh_name();
        shms_stream *s = open_here(name, 64);
        struct proc p = start_member(name, 64);
        assert_int_equal(ask(&p, "lock -1"), 0);
        pid_t child = go_on_in_child(&p, ways[i]);
        assert_int_equal(ask(&p, "close"), 0);
        assert_int_equal(region_mappings(child), 0);
        assert_int_equal(open_descriptors(child), 3);
        assert_int_equal(info_of(s).members, 2);
        assert_int_equal(shms_stream_lock(s, 60), SHMS_E_TIMEOUT);
        kill_family(&p, child);
        assert_int_equal(shms_stream_lock(s, BOUND_MS), SHMS_OWNER_DIED);
        shms_stream_close(s);
    }
}

/* As daemons do: the parent ends before the child's first call. The region lives on in the child. */
static void test_daemonize(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *name = fresh_name();
        struct proc p = start_member(name, 64);
        assert_int_equal(ask(&p, "write 0 9"), 1);
        pid_t child = go_on_in_child(&p, ways[i]);
        kill(p.pid, SIGKILL);
        assert_int_equal(waitpid(p.pid, NULL, 0), p.pid);
        shms_stream *s = open_here(name, 64);
        assert_int_equal(shms_stream_existed(s), 1);
        assert_int_equal(ask(&p, "read 0"), 9);
        assert_int_equal(info_of(s).members, 2);
        shms_stream_close(s);
        assert_int_equal(ask(&p, "lock -1"), 0);
        assert_int_equal(ask(&p, "unlock"), 0);
        assert_int_equal(ask(&p, "close"), 0);
        p.pid = child; /* which is ours now that its parent is dead */
        kill_proc(&p);
        assert_gone(name);
    }
}

/* The parent is killed while the child lives on and has not called anything: the parent's lock is free. */
static void test_dead_parent_is_seen(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream *s = open_here(name, 64);
    struct proc p = start_member(name, 64);
    pid_t child = (pid_t)ask(&p, "breed");
    assert_int_equal(ask(&p, "lock -1"), 0);
    kill_proc(&p);
    assert_int_equal(kill(child, 0), 0);
    assert_int_equal(shms_stream_lock(s, 1000), SHMS_OWNER_DIED);
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(info_of(s).members, 1);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    shms_stream_close(s);
}

/* Children of children, none of which has called anything, then each does. */
static void test_grandchildren(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        const char *name = fresh_name();
        struct proc p = start_member(name, 64);
        assert_int_equal(ask(&p, "write 0 3"), 1);
        pid_t child = go_on_in_child(&p, ways[i & 1]);
        pid_t grandchild = (pid_t)ask(&p, "%s", ways[i >> 1]);
        kill(p.pid, SIGKILL);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(p.pid, NULL, 0), p.pid);
        assert_int_equal(waitpid(child, NULL, 0), child);
        shms_stream *s = open_here(name, 64);
        assert_int_equal(shms_stream_existed(s), 1);
        assert_int_equal(ask(&p, "lock -1"), 0);
        assert_int_equal(info_of(s).members, 2);
        assert_int_equal(shms_stream_lock(s, 0), SHMS_E_TIMEOUT);
        p.pid = grandchild;
        kill_proc(&p);
        assert_int_equal(shms_stream_lock(s, BOUND_MS), SHMS_OWNER_DIED);
        assert_int_equal(info_of(s).members, 1);
        shms_stream_close(s);
    }
}

/* fork then exec: the new image has nothing of ours, and the parent all. */
static void test_fork_then_exec(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream *s = open_here(name, 64);
    struct proc p = start_member(name, 64);
    assert_int_equal(ask(&p, "lock -1"), 0);
    pid_t child = go_on_in_child(&p, "fork");
    tell(&p, "exec");
    assert_int_equal(ask(&p, "pid"), child);
    assert_int_equal(open_descriptors(child), 3);
    assert_int_equal(region_mappings(child), 0);
    assert_int_equal(info_of(s).members, 2);
    assert_int_equal(shms_stream_lock(s, 60), SHMS_E_TIMEOUT);
    kill_family(&p, child);
    assert_int_equal(shms_stream_lock(s, BOUND_MS), SHMS_OWNER_DIED);
    shms_stream_close(s);
}

/* Wait, version and poll descriptor in a child, which has its own. */
static void test_child_waits_and_polls(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream *s = open_here(name, 64);
    struct proc p = start_member(name, 64);
    assert_true(ask(&p, "poll") >= 0);
    pid_t child = go_on_in_child(&p, "fork");
    assert_true(ask(&p, "version") >= 0);
    tell(&p, "wait -1");
    assert_int_equal(shms_stream_notify(s), 0);
    assert_int_equal(answer(&p), 0);
    assert_true(ask(&p, "poll") >= 0);
    assert_int_equal(ask(&p, "close"), 0);
    assert_int_equal(open_descriptors(child), 3);
    kill_family(&p, child);
    shms_stream_close(s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        process_test(test_child_is_a_member_of_its_own), process_test(test_child_locks_the_parent_out),
        process_test(test_child_only_closes), process_test(test_daemonize),
        process_test(test_dead_parent_is_seen), process_test(test_grandchildren),
        process_test(test_fork_then_exec), process_test(test_child_waits_and_polls),
    };
    roles_begin(argc, argv, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
