/* SPDX-License-Identifier: MIT */
/*
 * The N-th system call of open, close and of a child's first call fails, for every N, with every error it
 * could plausibly have: the region is whole or gone, nothing leaks, and the next open works.
 */
#include "inject.h"
#include "roles.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const int errors[] = {ENOMEM, EACCES, ENOSPC, EIO, EINTR};
#define CALLS_MOST 400 /* of one open or close; there are about thirty */

static shms_stream *handle;

static void need_nothing_open(unsigned descriptors)
{
    need(open_descriptors(0) == descriptors);
    need(region_mappings(0) == 0);
}

/* After a call that failed or not: an open handle works. */
static void use_and_close(void)
{
    unsigned char c = 0;
    need(shms_stream_lock(handle, BOUND_MS) == 0);
    need(shms_stream_pread(handle, &c, 1, 0) == 1 && (c == 0 || c == 5));
    need(shms_stream_pwrite(handle, "\5", 1, 0) == 1);
    need(shms_stream_unlock(handle) == 0);
    shms_stream_close(handle);
}

/* ---- roles: what is tried stands between the marks */

/* opener NAME: creates or opens. */
static int opener(int argc, char **argv)
{
    need(argc == 2);
    unsigned before = open_descriptors(0);
    inject_offer();
    inject_mark();
    int rc = shms_stream_open(argv[1], 4096, NULL, &handle);
    inject_mark();
    need(rc == 0 || (rc < 0 && rc >= SHMS_E_CLOSED && !handle));
    if (rc == 0)
        use_and_close();
    need_nothing_open(before);
    return rc == 0 ? 0 : 10;
}

/* closer NAME */
static int closer(int argc, char **argv)
{
    need(argc == 2);
    unsigned before = open_descriptors(0);
    need(shms_stream_open(argv[1], 4096, NULL, &handle) == 0);
    inject_offer();
    inject_mark();
    shms_stream_close(handle);
    inject_mark();
    need_nothing_open(before);
    return 0;
}

/* child NAME: what is traced is a child, made behind the C library's back, that calls for the first time. */
static int child(int argc, char **argv)
{
    need(argc == 2);
    unsigned before = open_descriptors(0);
    need(shms_stream_open(argv[1], 4096, NULL, &handle) == 0);
    pid_t pid = (pid_t)syscall(SYS_clone, (long)(CLONE_PARENT | SIGCHLD), 0L, 0L, 0L, 0L);
    need(pid >= 0);
    if (pid > 0) {
        say("%d", (int)pid);
        hear(); /* ends with the test's pipe */
        return 0;
    }
    bounded();
    inject_offer();
    inject_mark();
    int rc = shms_stream_lock(handle, 0);
    inject_mark();
    if (rc == 0)
        need(shms_stream_unlock(handle) == 0);
    use_and_close(); /* whatever went wrong, the second call gets on */
    need_nothing_open(before);
    return rc == 0 ? 0 : 10;
}

/* ---- the test */

/* One run. False: there is no nth call any more. */
static bool try_once(const char *role, const char *name, unsigned nth, int error, unsigned *failures)
{
    struct proc p = start(role, name, NULL);
    pid_t traced = strcmp(role, "child") == 0 ? (pid_t)answer(&p) : p.pid;
    int status = 0, how = inject(traced, nth, error);
    if (traced != p.pid) {
        assert_int_equal(waitpid(traced, &status, 0), traced);
        kill_proc(&p);
    } else {
        status = end_of(&p);
    }
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if ((code != 0 && code != 10) || (code == 10 && (how != INJECT_DONE || error == EINTR)))
        fail_msg("%s: call %u failing with %s: status %#x", role, nth, strerror(error), (unsigned)status);
    *failures += code == 10;
    return how != INJECT_BEYOND;
}

/* Every call, every error. `alive`: another member is there all the time. */
static void try_all(const char *role, bool alive)
{
    const char *name = fresh_name();
    unsigned failures = 0, calls = 0;
    for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
        bool more = true;
        for (calls = 0; more; calls++) {
            assert_true(calls < CALLS_MOST);
            shms_stream *s = alive ? open_here(name, 4096) : NULL;
            more = try_once(role, name, calls + 1, errors[e], &failures);
            if (alive)
                assert_int_equal(info_of(s).members, 1);
            shms_stream *next = open_here(name, 4096); /* works; old life only where one lives */
            assert_int_equal(shms_stream_existed(next), alive);
            assert_int_equal(shms_stream_lock(next, 0), 0);
            assert_int_equal(shms_stream_version(next), alive ? shms_stream_version(s) : 0);
            assert_int_equal(shms_stream_unlock(next), 0);
            shms_stream_close(s);
            shms_stream_close(next);
            assert_gone(name);
        }
    }
    print_message("%s: %u calls, %u runs failed as they should\n", role, calls - 1, failures);
    assert_true(failures > 0 || strcmp(role, "closer") == 0);
}

static void test_create(void **state)
{
    (void)state;
    try_all("opener", false);
}

static void test_open_existing(void **state)
{
    (void)state;
    try_all("opener", true);
}

static void test_close(void **state)
{
    (void)state;
    try_all("closer", true);
}

static void test_close_last(void **state)
{
    (void)state;
    try_all("closer", false);
}

static void test_first_call_of_a_child(void **state)
{
    (void)state;
    try_all("child", true);
}

int main(int argc, char **argv)
{
    static const struct role roles[] = {
        {"opener", opener}, {"closer", closer}, {"child", child}, {NULL, NULL}};
    const struct CMUnitTest tests[] = {
        process_test(test_create),     process_test(test_open_existing),
        process_test(test_close),      process_test(test_close_last),
        process_test(test_first_call_of_a_child),
    };
    if (!INJECT_CAN) {
        puts("SKIP: system calls can be made to fail on x86-64 only");
        return 77;
    }
    roles_begin(argc, argv, roles);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
