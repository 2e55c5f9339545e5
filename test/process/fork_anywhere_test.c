/* SPDX-License-Identifier: MIT */
/*
 * fork while threads are anywhere in any call, by all the ways that there are to make a child, and with
 * fork handlers of the program that call the library themselves. Each child makes a call of each kind, in
 * bounded time. ctest: timeout=300
 */
#include "roles.h"

#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define HANDLES 4
#define WORKERS 5

static atomic_bool stop;
static const char *region;
static char own[100];
static shms_stream *handles[HANDLES];

/* ---- what the threads do */

static int nothing(const char *name, const shms_info *info, void *context)
{
    (void)name, (void)info, (void)context;
    return 0;
}

static void write_a_section(shms_stream *s, unsigned seed)
{
    char byte = (char)seed;
    if (shms_stream_lock(s, 20) < 0)
        return;
    for (int i = 0; i < 4; i++)
        need(shms_stream_pwrite(s, &byte, 1, (int64_t)((seed + (unsigned)i * 300) % 4000)) == 1);
    need((seed & 3 ? shms_stream_unlock(s) : shms_stream_rollback(s)) == 0);
}

static void do_something(shms_stream *s, unsigned seed)
{
    char buf[32];
    int64_t seen = 0;
    shms_info info = {.struct_size = sizeof info};
    shms_stream *t = NULL;
    switch (seed % 8) {
    case 0:
        if (shms_stream_open(own, 64, NULL, &t) == 0)
            shms_stream_close(t);
        break;
    case 1:
        if (shms_stream_lock_shared(s, 20) == 0)
            need(shms_stream_unlock(s) == 0);
        break;
    case 2:
        shms_stream_snapshot(s, buf, sizeof buf, 0);
        break;
    case 3:
        shms_stream_wait(s, &seen, 1);
        break;
    case 4:
        need(shms_stream_poll_fd(s) >= 0 && shms_stream_notify(s) == 0);
        break;
    case 5:
        need(shms_stream_info(s, &info) == 0 && shms_list(nothing, NULL) == 0);
        break;
    default:
        write_a_section(s, seed);
    }
}

static void *work(void *number)
{
    unsigned seed = 7919u * (unsigned)(size_t)number;
    while (!stop) {
        seed = seed * 1664525u + 1013904223u;
        do_something(handles[(seed >> 20) % HANDLES], seed >> 8);
    }
    return NULL;
}

/* ---- what a child does */

static void try_everything(unsigned seed)
{
    shms_stream *s = handles[seed % HANDLES], *t = NULL;
    int64_t seen = 0;
    char byte;
    need(shms_stream_unlock(s) == SHMS_E_NOT_OWNER); /* what the parent holds stays the parent's */
    need(shms_stream_lock(s, BOUND_MS) >= 0);
    need(shms_stream_pwrite(s, "c", 1, 0) == 1 && shms_stream_unlock(s) == 0);
    need(shms_stream_snapshot(s, &byte, 1, 0) == 1 && shms_stream_wait(s, &seen, BOUND_MS) == 0);
    need(shms_stream_open(own, 64, NULL, &t) == 0);
    shms_stream_close(t);
    for (int i = 0; i < HANDLES; i++)
        shms_stream_close(handles[i]);
}

static void await_child(pid_t pid)
{
    int status = 1;
    need(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

enum { BY_FORK, BY_CLONE, BY_RAW_FORK, BY_VFORK, BY_SPAWN, MANNERS };

static pid_t spawn_true(void)
{
    char *const arguments[] = {(char[]){"true"}, NULL};
    pid_t pid = -1;
    need(posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environ) == 0);
    return pid;
}

static pid_t vfork_true(void)
{
    static char name[] = "true", *const arguments[] = {name, NULL};
    pid_t pid = vfork();
    if (pid == 0) {
        execve("/bin/true", arguments, environ);
        _exit(1);
    }
    return pid;
}

static pid_t make_child(int manner)
{
    switch (manner) {
    case BY_CLONE:
        return (pid_t)syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
    case BY_RAW_FORK:
        return _Fork();
#endif
    case BY_VFORK:
        return vfork_true();
    case BY_SPAWN:
        return spawn_true();
    default:
        return fork();
    }
}

/* Behind the C library's back while other threads are in malloc, the C library itself may be locked: such
 * a child may do no more than the calls that allocate nothing. */
static void try_a_little(unsigned seed)
{
    shms_stream *s = handles[seed % HANDLES];
    need(shms_stream_unlock(s) == SHMS_E_NOT_OWNER);
    need(shms_stream_lock(s, BOUND_MS) >= 0 && shms_stream_unlock(s) == 0);
}

/* ---- the program's own fork handlers: the forking thread may call, before, and after on both sides */

static bool handlers_call;
static shms_stream *of_handlers;

static void call_from_handler(void)
{
    if (!handlers_call)
        return;
    need(shms_stream_lock(of_handlers, BOUND_MS) >= 0);
    need(shms_stream_unlock(of_handlers) == 0);
    need(shms_stream_version(of_handlers) >= 0);
}

static void call_and_open_from_handler(void)
{
    shms_stream *t = NULL;
    if (!handlers_call)
        return;
    call_from_handler();
    need(shms_stream_open(region, 0, NULL, &t) == 0);
    need(shms_stream_size(t) == 4096);
    shms_stream_close(t);
}

/* forker NAME COUNT HANDLERS */
static int forker(int argc, char **argv)
{
    pthread_t threads[WORKERS];
    need(argc == 4);
    region = argv[1];
    snprintf(own, sizeof own, "%s-own", region);
    if (strchr(argv[3], 'b')) /* before the first open */
        need(pthread_atfork(call_from_handler, call_from_handler, call_from_handler) == 0);
    for (int i = 0; i < HANDLES; i++)
        need(shms_stream_open(region, 4096, NULL, &handles[i]) == 0);
    need(shms_stream_open(region, 4096, NULL, &of_handlers) == 0);
    if (strchr(argv[3], 'a')) /* after it */
        need(pthread_atfork(call_and_open_from_handler, call_and_open_from_handler,
                            call_and_open_from_handler) == 0);
    handlers_call = true;
    for (int i = 0; i < WORKERS; i++)
        need(pthread_create(&threads[i], NULL, work, (void *)(size_t)(i + 1)) == 0);
    for (int n = atoi(argv[2]); n > 0; n--) {
        int manner = n % MANNERS;
        pid_t pid = make_child(manner);
        if (pid == 0) {
            bounded();
            if (manner == BY_FORK)
                try_everything((unsigned)n);
            else
                try_a_little((unsigned)n);
            _exit(0);
        }
        await_child(pid);
    }
    stop = true;
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < HANDLES; i++)
        shms_stream_close(handles[i]);
    shms_stream_close(of_handlers);
    return 0;
}

static void fork_anywhere(const char *handlers)
{
    const char *name = fresh_name();
    char count[16], its_own[100];
    shms_stream_options o = {.struct_size = sizeof o, .atomic = 1};
    shms_stream *s = NULL;
    assert_int_equal(shms_stream_open(name, 4096, &o, &s), 0);
    snprintf(count, sizeof count, "%u", count_from("FORKS", 100));
    struct proc p = start("forker", name, count, handlers, NULL);
    finish(&p);
    assert_int_equal(info_of(s).members, 1);
    assert_true(shms_stream_lock(s, 0) >= 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    shms_stream_close(s);
    snprintf(its_own, sizeof its_own, "%s-own", name);
    shms_stream_unlink(its_own); /* of a child that was born while a thread had it open */
}

static void test_without_handlers(void **state)
{
    (void)state;
    fork_anywhere("-");
}

static void test_with_handlers_before_and_after(void **state)
{
    (void)state;
    fork_anywhere("ba");
}

int main(int argc, char **argv)
{
    static const struct role roles[] = {{"forker", forker}, {NULL, NULL}};
    const struct CMUnitTest tests[] = {
        process_test(test_without_handlers),
        process_test(test_with_handlers_before_and_after),
    };
    roles_begin(argc, argv, roles);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
