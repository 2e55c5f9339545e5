/* SPDX-License-Identifier: MIT */
/* Programs close descriptors that they do not know, and open others that get the same numbers. */
#include "roles.h"

#include <signal.h>
#include <sys/wait.h>

/* All a member does, from "alive" to "dead", by the test's own handle s. */
static void use_and_die(struct proc *p, shms_stream *s)
{
    assert_int_equal(ask(p, "lock -1"), 0);
    assert_int_equal(info_of(s).members, 2);
    assert_int_equal(shms_stream_lock(s, 60), SHMS_E_TIMEOUT);
    assert_int_equal(ask(p, "write 0 1"), 1);
    assert_int_equal(ask(p, "resize 32"), 0);
    assert_int_equal(ask(p, "resize 64"), 0);
    assert_int_equal(ask(p, "unlock"), 0);
    assert_int_equal(ask(p, "snapshot 0"), 1);
    assert_true(ask(p, "version") > 0);
    assert_int_equal(ask(p, "wait 0"), SHMS_E_TIMEOUT);
    tell(p, "wait -1");
    assert_int_equal(shms_stream_notify(s), 0);
    assert_int_equal(answer(p), 0);
    assert_int_equal(ask(p, "notify"), 0);
    assert_int_equal(ask(p, "lock -1"), 0);
    kill_proc(p);
    assert_int_equal(shms_stream_lock(s, BOUND_MS), SHMS_OWNER_DIED);
    assert_int_equal(info_of(s).members, 1);
}

static void test_everything_works(void **state)
{
    (void)state;
    for (int reused = 0; reused < 2; reused++) {
        const char *name = fresh_name();
        shms_stream *s = open_here(name, 64);
        struct proc p = start_member(name, 64);
        assert_int_equal(ask(&p, "closefrom"), 0);
        assert_int_equal(ask(&p, "squat %d", reused * 8), reused * 8);
        use_and_die(&p, s);
        shms_stream_close(s);
    }
}

/* A dead holder is found by a member that has lost its descriptors. */
static void test_finds_the_dead(void **state)
{
    (void)state;
    const char *name = fresh_name();
    struct proc p = start_member(name, 64), holder = start_member(name, 64);
    assert_int_equal(ask(&holder, "lock -1"), 0);
    assert_int_equal(ask(&p, "closefrom"), 0);
    assert_int_equal(ask(&p, "squat 8"), 8);
    assert_int_equal(ask(&p, "lock 60"), SHMS_E_TIMEOUT);
    kill_proc(&holder);
    assert_int_equal(ask(&p, "lock 1000"), SHMS_OWNER_DIED);
    assert_int_equal(ask(&p, "unlock"), 0);
    assert_int_equal(ask(&p, "close"), 0);
    assert_int_equal(ask(&p, "squatters"), 8);
    kill_proc(&p);
    assert_gone(name);
}

/* Close frees the slot, removes the name where it was the last, and leaves the program's files alone. */
static void test_close(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream *s = open_here(name, 64);
    for (int polls = 0; polls < 2; polls++) {
        struct proc p = start_member(name, 64);
        if (polls)
            assert_true(ask(&p, "poll") >= 3);
        assert_int_equal(ask(&p, "closefrom"), 0);
        assert_int_equal(ask(&p, "squat 8"), 8);
        assert_int_equal(ask(&p, "wait 0"), SHMS_E_TIMEOUT);
        assert_int_equal(ask(&p, "squatters"), 8);
        assert_int_equal(ask(&p, "close"), 0);
        assert_int_equal(ask(&p, "squatters"), 8);
        assert_int_equal(open_descriptors(p.pid), 3 + 8);
        assert_int_equal(region_mappings(p.pid), 0);
        assert_int_equal(info_of(s).members, 1);
        kill_proc(&p);
    }
    struct proc p = start_member(name, 64);
    shms_stream_close(s);
    assert_int_equal(ask(&p, "closefrom"), 0);
    assert_int_equal(ask(&p, "close"), 0);
    unsigned left = open_descriptors(p.pid);
    assert_int_equal(left, 3);
    assert_gone(name);
    kill_proc(&p);
}

/* The numbers now belong to another handle of the same region: closing the first leaves the second whole. */
static void test_numbers_of_another_handle(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        const char *name = fresh_name();
        shms_stream *s = open_here(name, 64);
        struct proc p = start_member(name, 64);
        assert_int_equal(ask(&p, "closefrom"), 0);
        assert_int_equal(ask(&p, "use 1"), 1);
        assert_int_equal(ask(&p, "open %s 64", name), 0);
        assert_int_equal(info_of(s).members, 3);
        assert_int_equal(ask(&p, "lock -1"), 0);
        assert_int_equal(ask(&p, "use %d", first), first);
        assert_int_equal(ask(&p, "close"), 0);
        assert_int_equal(info_of(s).members, 2);
        assert_int_equal(shms_stream_lock(s, 60), first == 1 ? SHMS_OWNER_DIED : SHMS_E_TIMEOUT);
        if (first == 1)
            assert_int_equal(shms_stream_repaired(s) | shms_stream_unlock(s), 0);
        assert_int_equal(ask(&p, "use %d", !first), !first);
        assert_int_equal(ask(&p, "unlock"), first == 1 ? SHMS_E_NOT_OWNER : 0);
        use_and_die(&p, s);
        shms_stream_close(s);
    }
}

/* The same where the first handle had lost its descriptors twice, or is one that a child inherited and has
 * not used yet; nobody else keeps the region alive. Closing it must not look like the last one's leaving. */
static void test_numbers_of_another_handle_again(void **state)
{
    (void)state;
    for (int inherited = 0; inherited < 2; inherited++) {
        const char *name = fresh_name();
        struct proc p = start_member(name, 64);
        if (inherited)
            assert_true(ask(&p, "fork") > 0);
        else
            assert_int_equal(ask(&p, "closefrom") | ask(&p, "lock -1") | ask(&p, "resize 64"), 0);
        assert_int_equal(ask(&p, "closefrom"), 0);
        assert_int_equal(ask(&p, "use 1"), 1);
        assert_int_equal(ask(&p, "open %s 64", name), 0);
        assert_int_equal(ask(&p, "existed"), 1);
        assert_int_equal(ask(&p, "use 0") | ask(&p, "close"), 0);
        shms_stream *s = open_here(name, 64);
        assert_int_equal(shms_stream_existed(s), 1);
        assert_int_equal(info_of(s).members, inherited ? 3 : 2); /* the parent lives too */
        assert_int_equal(ask(&p, "use 1"), 1);
        assert_true(ask(&p, "lock -1") >= 0);
        assert_int_equal(shms_stream_lock(s, 60), SHMS_E_TIMEOUT);
        assert_int_equal(ask(&p, "unlock") | ask(&p, "close"), 0);
        assert_int_equal(info_of(s).members, inherited ? 2 : 1);
        kill_proc(&p);
        shms_stream_close(s);
    }
}

/* The parent lost its descriptors before the fork; the child gets its own by the name. */
static void test_fork_after(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream *s = open_here(name, 64);
    struct proc p = start_member(name, 64);
    assert_int_equal(ask(&p, "closefrom"), 0);
    assert_int_equal(ask(&p, "squat 8"), 8);
    pid_t child = (pid_t)ask(&p, "fork");
    assert_int_equal(ask(&p, "lock -1"), 0);
    assert_int_equal(info_of(s).members, 3);
    assert_int_equal(ask(&p, "squatters"), 8);
    kill(child, SIGKILL);
    assert_int_equal(shms_stream_lock(s, BOUND_MS), SHMS_OWNER_DIED);
    kill_proc(&p);
    assert_int_equal(info_of(s).members, 1);
    shms_stream_close(s);
}

/* A child that tidies up: it closes all and starts its own life, then uses, or only closes, the handle. */
static void test_child_closes_all(void **state)
{
    (void)state;
    static const char *const ways[] = {"fork", "clone"};
    for (int i = 0; i < 2; i++) {
        const char *name = fresh_name();
        shms_stream *s = open_here(name, 64);
        struct proc p = start_member(name, 64);
        assert_true(ask(&p, "poll") >= 3);
        assert_int_equal(ask(&p, "lock -1"), 0);
        assert_true(ask(&p, "%s", ways[i]) > 0);
        assert_int_equal(ask(&p, "closefrom"), 0);
        assert_int_equal(ask(&p, "squat 8"), 8);
        assert_int_equal(ask(&p, "lock 60"), SHMS_E_TIMEOUT);
        assert_int_equal(ask(&p, "squatters"), 8);
        assert_int_equal(ask(&p, "close"), 0);
        assert_int_equal(ask(&p, "squatters"), 8);
        assert_int_equal(info_of(s).members, 2);
        kill_proc(&p);
        assert_int_equal(shms_stream_lock(s, BOUND_MS), SHMS_OWNER_DIED);
        shms_stream_close(s);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        process_test(test_everything_works), process_test(test_finds_the_dead),
        process_test(test_close), process_test(test_numbers_of_another_handle),
        process_test(test_numbers_of_another_handle_again),
        process_test(test_fork_after), process_test(test_child_closes_all),
    };
    roles_begin(argc, argv, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
