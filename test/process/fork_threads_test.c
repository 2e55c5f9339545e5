/* SPDX-License-Identifier: MIT */
/*
 * fork while other threads open, lock and close: whatever they were doing, the child keeps nothing of theirs
 * alive. And children that share memory with their parent (vfork, posix_spawn).
 */
#include "roles.h"

#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static atomic_bool stop;
static const char *region;

static void *open_and_close(void *unused)
{
    (void)unused;
    do {
        shms_stream *s = NULL;
        need(shms_stream_open(region, 64, NULL, &s) == 0);
        shms_stream_close(s);
    } while (!stop);
    return NULL;
}

static void *lock_and_unlock(void *s)
{
    while (!stop) {
        need(shms_stream_lock(s, -1) == 0);
        need(shms_stream_unlock(s) == 0);
    }
    return NULL;
}

/* forker NAME COUNT: forks that many children, which stay and call nothing, while a thread of ours is busy
 * in the library. Then it waits to be killed, without any member. */
static int forker(int argc, char **argv)
{
    pthread_t thread;
    need(argc == 3);
    region = argv[1];
    stop = true;
    open_and_close(NULL); /* the library makes its fork handler known at the first opening */
    stop = false;
    need(pthread_create(&thread, NULL, open_and_close, NULL) == 0);
    for (int n = atoi(argv[2]); n > 0; n--) {
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            bounded();
            for (;;)
                pause();
        }
    }
    stop = true;
    pthread_join(thread, NULL);
    say("done");
    hear();
    return 0;
}

static void test_fork_while_a_thread_opens(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream *s = open_here(name, 64), *again = NULL;
    char count[16];
    snprintf(count, sizeof count, "%u", count_from("FORKS", 300));
    struct proc p = start("forker", name, count, NULL);
    expect_line(&p, "done");
    await(info_of(s).members == 1); /* the children are there, and have let go what was the thread's */
    shms_stream_options o = {.struct_size = sizeof o, .open_timeout_ms = 1000};
    assert_int_equal(shms_stream_open(name, 64, &o, &again), 0); /* nobody has the life-cycle lock */
    shms_stream_close(again);
    shms_stream_close(s);
    kill_proc(&p);
    shms_stream_unlink(name); /* children that were born with a whole handle keep the region alive */
}

/* locker NAME COUNT: children are forked while a thread locks and unlocks; each child then takes its turn. */
static int locker(int argc, char **argv)
{
    pthread_t thread;
    shms_stream *s = NULL;
    need(argc == 3);
    need(shms_stream_open(argv[1], 64, NULL, &s) == 0);
    need(pthread_create(&thread, NULL, lock_and_unlock, s) == 0);
    for (int n = atoi(argv[2]); n > 0; n--) {
        int status = 1;
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            bounded();
            need(shms_stream_unlock(s) == SHMS_E_NOT_OWNER);
            need(shms_stream_lock(s, BOUND_MS) == 0);
            need(shms_stream_unlock(s) == 0);
            shms_stream_close(s);
            _exit(0);
        }
        need(waitpid(pid, &status, 0) == pid && status == 0);
    }
    stop = true;
    pthread_join(thread, NULL);
    shms_stream_close(s);
    return 0;
}

static void test_fork_while_a_thread_locks(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream *s = open_here(name, 64);
    struct proc p = start("locker", name, "100", NULL);
    finish(&p);
    assert_int_equal(info_of(s).members, 1);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    shms_stream_close(s);
}

/* What a child does that runs in its parent's memory changes nothing there. */
static int spawner(int argc, char **argv)
{
    shms_stream *s = NULL;
    int status = 1;
    pid_t pid;
    char *const arguments[] = {(char[]){"true"}, NULL};
    need(argc == 2);
    need(shms_stream_open(argv[1], 64, NULL, &s) == 0);
    need(shms_stream_lock(s, -1) == 0);
    pid = vfork();
    if (pid == 0) {
        execve("/bin/true", arguments, environ);
        _exit(1);
    }
    need(waitpid(pid, &status, 0) == pid && status == 0);
    need(posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environ) == 0);
    need(waitpid(pid, &status, 0) == pid && status == 0);
    need(system("true") == 0);
    say("held");
    hear();
    need(shms_stream_pwrite(s, "x", 1, 0) == 1);
    need(shms_stream_unlock(s) == 0);
    shms_stream_close(s);
    return 0;
}

static void test_vfork_and_spawn(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream *s = open_here(name, 64);
    struct proc p = start("spawner", name, NULL);
    expect_line(&p, "held");
    assert_int_equal(shms_stream_lock(s, 60), SHMS_E_TIMEOUT);
    assert_int_equal(info_of(s).members, 2);
    tell(&p, "go on");
    finish(&p);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    shms_stream_close(s);
}

int main(int argc, char **argv)
{
    static const struct role roles[] = {
        {"forker", forker}, {"locker", locker}, {"spawner", spawner}, {NULL, NULL}};
    const struct CMUnitTest tests[] = {
        process_test(test_fork_while_a_thread_opens),
        process_test(test_fork_while_a_thread_locks),
        process_test(test_vfork_and_spawn),
    };
    roles_begin(argc, argv, roles);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
