/* SPDX-License-Identifier: MIT */
/* Two copies of the library in one process, one in the program, one that it loads: as in two processes. */
#include "shmstream.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE 4096
#define BOUND_MS 30000

/* The calls that the tests make of a copy. */
#define CALLS(X)                                                                                       \
    X(open) X(close) X(memory) X(pread) X(pwrite) X(snapshot)                                          \
    X(lock) X(lock_shared) X(unlock) X(repaired) X(version) X(wait)

struct copy {
#define MEMBER(call) __typeof__(&shms_stream_##call) call;
    CALLS(MEMBER)
};
enum { HELD_IN_PROGRAM, LOADED };
static struct copy copies[2];
static char name[64];

static int fresh(void **state)
{
    static int count;
    (void)state;
    snprintf(name, sizeof name, "embed-%d-%d", (int)getpid(), ++count);
    return 0;
}

static shms_stream *open_by(const struct copy *c)
{
    shms_stream *s = NULL;
    assert_int_equal(c->open(name, SIZE, NULL, &s), 0);
    return s;
}

static int status_of(pid_t pid)
{
    int status = -1;
    if (pid <= 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* For children: they end with the test. */
static void bounded(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(BOUND_MS / 1000);
}

/* Locks, changes and news go from one to the other, as between two processes. */
static void they_meet(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct copy *a = &copies[i], *b = &copies[!i];
        shms_stream *s = open_by(a), *t = open_by(b);
        char got[8] = "";
        int64_t seen = b->version(t);
        assert_int_equal(a->lock(s, 0), 0);
        assert_int_equal(b->lock(t, 10), SHMS_E_TIMEOUT);
        assert_int_equal(b->unlock(t), SHMS_E_NOT_OWNER);
        assert_int_equal(a->pwrite(s, "hello", 6, 0), 6);
        assert_int_equal(a->unlock(s), 0);
        assert_int_equal(b->wait(t, &seen, BOUND_MS), 0);
        assert_int_equal(b->snapshot(t, got, 6, 0), 6);
        assert_string_equal(got, "hello");
        assert_int_equal(a->lock_shared(s, 0), 0);
        assert_int_equal(b->lock_shared(t, 0), 0);
        assert_int_equal(a->unlock(s), 0);
        assert_int_equal(b->unlock(t), 0);
        a->close(s);
        assert_int_equal(b->lock(t, 0), 0); /* and goes on without the other */
        assert_int_equal(b->unlock(t), 0);
        b->close(t);
    }
}

static pid_t fork_that_dies_with_lock(const struct copy *c, shms_stream *s)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        bounded();
        _exit(c->lock(s, BOUND_MS) == 0 && c->pwrite(s, "x", 1, 0) == 1 ? 0 : 1);
    }
    return pid;
}

/* A child joins through either copy, dies inside, and the other one is told. */
static void a_child_dies(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct copy *a = &copies[i], *b = &copies[!i];
        shms_stream *s = open_by(a), *t = open_by(b);
        assert_int_equal(status_of(fork_that_dies_with_lock(a, s)), 0);
        assert_int_equal(b->lock(t, BOUND_MS), SHMS_OWNER_DIED);
        assert_int_equal(b->repaired(t), 0);
        assert_int_equal(b->unlock(t), 0);
        assert_int_equal(a->lock(s, BOUND_MS), 0);
        assert_int_equal(a->unlock(s), 0);
        a->close(s);
        b->close(t);
    }
}

/* Each copy has a handler of SIGBUS, and passes on what is the other's. In a program of its own, since
 * cmocka has a handler too. The numbers: which copy comes first, and whose memory is touched first. */
static int lose(int comes_first, int touched_first)
{
    shms_stream *s[2];
    char path[128], byte;
    bounded();
    fresh(NULL);
    for (int i = 0; i < 2; i++) {
        int which = i ^ comes_first;
        if (copies[which].open(name, SIZE, NULL, &s[which]) != 0)
            return 10 + i;
    }
    snprintf(path, sizeof path, "/dev/shm/shms-%u/%s.data", (unsigned)geteuid(), name);
    if (truncate(path, 0) != 0)
        return 20;
    for (int i = 0; i < 2; i++) {
        int which = i ^ touched_first;
        const volatile char *memory = copies[which].memory(s[which]);
        if (*memory != 0 || copies[which].pread(s[which], &byte, 1, 0) != SHMS_E_LOST)
            return 30 + i;
    }
    copies[0].close(s[0]);
    copies[1].close(s[1]);
    return 0;
}

static void each_minds_its_own_memory(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        const char *first = i % 2 ? "1" : "0", *touched = i / 2 ? "1" : "0";
        pid_t pid = fork();
        if (pid == 0) {
            execl("/proc/self/exe", "two_copies_test", "lose", first, touched, (char *)NULL);
            _exit(127);
        }
        assert_int_equal(status_of(pid), 0);
    }
}

int main(int argc, char **argv)
{
    void *library = dlopen(SHARED_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return fprintf(stderr, "%s\n", dlerror()), 1;
#define TAKE(call)                                     \
    copies[HELD_IN_PROGRAM].call = shms_stream_##call; \
    *(void **)&copies[LOADED].call = dlsym(library, "shms_stream_" #call);
    CALLS(TAKE)
    if (copies[LOADED].open == copies[HELD_IN_PROGRAM].open)
        return fputs("there is but one copy\n", stderr), 1;
    if (argc == 4)
        return lose(atoi(argv[2]), atoi(argv[3]));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(they_meet, fresh),
        cmocka_unit_test_setup(a_child_dies, fresh),
        cmocka_unit_test_setup(each_minds_its_own_memory, fresh),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    dlclose(library); /* it stays: its fork handlers are needed */
    return failed;
}
