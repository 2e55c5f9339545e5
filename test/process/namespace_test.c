/* SPDX-License-Identifier: MIT */
/*
 * Members in namespaces of their own, where process ids mean something else: who lives there and who died
 * there is judged rightly from outside, and from inside.
 */
#include "roles.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

static const int kinds[] = {0, CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC};
#define KINDS (sizeof kinds / sizeof *kinds)

/* p goes on as the first process of a new PID namespace; its pid from outside. 0: not permitted here. */
static pid_t go_inside(struct proc *p, int kind)
{
    long long pid = ask(p, "inside %d", kind);
    if (pid < 0) {
        print_message("SKIP: namespaces (flags %#x) are not permitted here\n", (unsigned)kind);
        return 0;
    }
    assert_int_equal(pid, 1);
    pid_t outside = child_of(p->pid);
    assert_true(outside > 1);
    return outside;
}

static void holds_and_dies(struct proc *p, pid_t inside, shms_stream *s)
{
    assert_int_equal(ask(p, "lock -1"), 0);
    assert_int_equal(info_of(s).owner_pid, 1);
    assert_int_equal(shms_stream_lock(s, 60), SHMS_E_TIMEOUT);
    assert_int_equal(kill(inside, SIGKILL), 0);
    assert_int_equal(shms_stream_lock(s, BOUND_MS), SHMS_OWNER_DIED);
    assert_int_equal(shms_stream_repaired(s), 0);
    assert_int_equal(shms_stream_unlock(s), 0);
}

static void test_holder_inside(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        const char *name = fresh_name();
        shms_stream *s = open_here(name, 64);
        struct proc p = start("member", NULL);
        pid_t inside = go_inside(&p, kinds[i]);
        if (inside) {
            assert_int_equal(ask(&p, "open %s 64", name), 0);
            assert_int_equal(ask(&p, "existed"), 1);
            holds_and_dies(&p, inside, s);
        }
        kill_proc(&p);
        assert_int_equal(info_of(s).members, 1);
        shms_stream_close(s);
    }
}

/* The handle was opened outside and taken along. A process with a thread cannot go into a user namespace. */
static void test_inherited_handle(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        const char *name = fresh_name();
        shms_stream *s = open_here(name, 64);
        if (kinds[i] & CLONE_NEWUSER)
            setenv("SHMSTREAM_BELL", "off", 1);
        struct proc p = start_member(name, 64);
        unsetenv("SHMSTREAM_BELL");
        pid_t inside = go_inside(&p, kinds[i]);
        if (inside)
            holds_and_dies(&p, inside, s);
        kill_proc(&p);
        assert_int_equal(info_of(s).members, 1);
        shms_stream_close(s);
    }
}

/* Seen from inside: an owner outside that lives, then is dead. Its pid does not exist in there. */
static void test_holder_outside(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        const char *name = fresh_name();
        struct proc p = start("member", NULL), holder = start_member(name, 64);
        assert_int_equal(ask(&holder, "lock -1"), 0);
        if (go_inside(&p, kinds[i])) {
            assert_int_equal(ask(&p, "open %s 64", name), 0);
            assert_int_equal(ask(&p, "lock 60"), SHMS_E_TIMEOUT);
            tell(&p, "lock -1");
            kill_proc(&holder);
            assert_int_equal(answer(&p), SHMS_OWNER_DIED);
            assert_int_equal(ask(&p, "close"), 0);
        } else {
            kill_proc(&holder);
        }
        kill_proc(&p);
        assert_gone(name);
    }
}

/* Two namespaces, in each of which the member is process 1. */
static void test_two_namespaces(void **state)
{
    (void)state;
    const char *name = fresh_name();
    struct proc a = start_member(name, 64), b = start("member", NULL);
    pid_t in_a = go_inside(&a, 0), in_b = go_inside(&b, 0);
    if (in_a && in_b) {
        assert_int_equal(ask(&b, "open %s 64", name), 0);
        assert_int_equal(ask(&a, "lock -1"), 0);
        assert_int_equal(ask(&b, "lock 60"), SHMS_E_TIMEOUT);
        tell(&b, "lock -1");
        assert_int_equal(kill(in_a, SIGKILL), 0);
        assert_int_equal(answer(&b), SHMS_OWNER_DIED);
    }
    kill_proc(&a);
    if (in_b)
        assert_int_equal(kill(in_b, SIGKILL), 0);
    kill_proc(&b);
    if (in_b)
        assert_int_equal(waitpid(in_b, NULL, 0), in_b);
    assert_gone(name);
}

/* No /proc to look into: names are made, locks taken, the dead found. */
static void test_without_proc(void **state)
{
    (void)state;
    const char *name = fresh_name();
    struct proc p = start("member", NULL);
    if (ask(&p, "without-proc") == 0) {
        assert_int_equal(ask(&p, "open %s 64", name), 0);
        struct proc holder = start_member(name, 64);
        assert_int_equal(ask(&holder, "existed"), 1);
        assert_int_equal(ask(&holder, "lock -1"), 0);
        assert_int_equal(ask(&p, "lock 60"), SHMS_E_TIMEOUT);
        kill_proc(&holder);
        assert_int_equal(ask(&p, "lock 1000"), SHMS_OWNER_DIED);
        assert_int_equal(ask(&p, "unlock"), 0);
        pid_t child = (pid_t)ask(&p, "fork");
        assert_int_equal(ask(&p, "lock 1000"), SHMS_OWNER_DIED);
        assert_int_equal(ask(&p, "close"), 0);
        kill(child, SIGKILL);
    } else {
        print_message("SKIP: mount namespaces are not permitted here\n");
    }
    kill_proc(&p);
    assert_gone(name);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        process_test(test_holder_inside),  process_test(test_inherited_handle),
        process_test(test_holder_outside), process_test(test_two_namespaces),
        process_test(test_without_proc),
    };
    roles_begin(argc, argv, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
