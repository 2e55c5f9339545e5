/* SPDX-License-Identifier: MIT */
/*
 * Threads times deaths. A *crowd* is a process with many threads on one handle of an atomic region: they make
 * sections, give sections up, write without the lock, read, wait, fork, run sections in a handler of a
 * signal, and are cancelled. Beside it *mortals*, which are killed inside their sections. The judge takes
 * the lock again and again: each section has happened completely or not at all, nobody is told of a death,
 * and at the end nothing is left.
 *
 * A section writes its number into all words of its part; the judge finds them equal, and old or new. Each
 * section of a crowd is counted in a ledger of its process, so that none that was committed is lost.
 */
#include "roles.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PART 2048u    /* bytes that a section writes */
#define PARTS 4u      /* one of them for each way to write */
#define WORDS (PART / 8u)
#define STRAY (PARTS * PART) /* where threads write that take no lock */
#define SIZE (STRAY + PART)
#define GROWN (4u * SIZE)

/* ---- sections */

/* All words of a part become one higher; half of them, then the other half. */
static bool add_one(shms_stream *s, unsigned part)
{
    uint64_t words[WORDS];
    if (shms_stream_pread(s, words, PART, part * PART) != PART)
        return false;
    for (unsigned i = 0; i < WORDS; i++)
        words[i]++;
    return shms_stream_pwrite(s, words, PART / 2, part * PART) == PART / 2 &&
           shms_stream_pwrite(s, words + WORDS / 2, PART / 2, part * PART + PART / 2) == PART / 2;
}

/* The number in a part, which must be the same in all its words. */
static uint64_t number_of(shms_stream *s, unsigned part)
{
    uint64_t words[WORDS];
    need(shms_stream_pread(s, words, PART, part * PART) == PART);
    for (unsigned i = 1; i < WORDS; i++)
        need(words[i] == words[0]);
    return words[0];
}

/* ---- a crowd */

static shms_stream *shared;
static atomic_bool stop;
static atomic_ulong committed; /* sections of part 0 */

static void *makes_sections(void *unused)
{
    (void)unused;
    while (!stop) {
        need(shms_stream_lock(shared, BOUND_MS) == 0);
        need(add_one(shared, 0));
        need(shms_stream_unlock(shared) == 0);
        committed++;
    }
    return NULL;
}

static void *gives_up(void *unused)
{
    (void)unused;
    for (unsigned n = 0; !stop; n++) {
        need(shms_stream_lock(shared, BOUND_MS) == 0);
        need(n % 4 || shms_stream_resize(shared, GROWN) == 0);
        need(add_one(shared, 1));
        need(shms_stream_rollback(shared) == 0);
    }
    return NULL;
}

static void *writes_without_the_lock(void *unused)
{
    char bytes[256];
    (void)unused;
    for (unsigned n = 0; !stop; n++) {
        memset(bytes, (int)n, sizeof bytes);
        need(shms_stream_pwrite(shared, bytes, sizeof bytes, STRAY + n % 8 * 256) == sizeof bytes);
    }
    return NULL;
}

static void *reads(void *unused)
{
    (void)unused;
    while (!stop) {
        int64_t seen = 0;
        need(shms_stream_lock_shared(shared, BOUND_MS) == 0);
        for (unsigned part = 0; part < PARTS; part++)
            number_of(shared, part);
        need(shms_stream_unlock(shared) == 0);
        int rc = shms_stream_wait(shared, &seen, 1);
        need(rc == 0 || rc == SHMS_E_TIMEOUT);
    }
    return NULL;
}

/* Children go on with the handle as members of their own: some live, some die in their section. */
static void *forks(void *unused)
{
    (void)unused;
    for (unsigned n = 0; !stop; n++) {
        int status = 1;
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            bounded();
            need(shms_stream_unlock(shared) == SHMS_E_NOT_OWNER);
            need(shms_stream_lock(shared, BOUND_MS) == 0);
            need(add_one(shared, 2));
            if (n % 2)
                kill(getpid(), SIGKILL);
            need(shms_stream_unlock(shared) == 0);
            shms_stream_close(shared);
            _exit(0);
        }
        need(waitpid(pid, &status, 0) == pid);
        need(n % 2 ? WIFSIGNALED(status) : status == 0);
    }
    return NULL;
}

/* It works in the library all the time, and a handler interrupts it anywhere and works there, too. */
static _Thread_local shms_stream *of_handler;

static void on_signal(int number)
{
    (void)number;
    if (!of_handler || shms_stream_lock(of_handler, 0) != 0)
        return;
    need(add_one(of_handler, 3));
    need(shms_stream_unlock(of_handler) == 0);
}

static void *is_interrupted(void *handle)
{
    of_handler = handle;
    while (!stop) {
        need(shms_stream_lock(shared, BOUND_MS) == 0);
        need(add_one(shared, 0));
        need(shms_stream_unlock(shared) == 0);
        committed++;
    }
    of_handler = NULL;
    return NULL;
}

/* Cancelled at a moment of chance, the deferred way: between calls, never inside one. */
static void *is_cancelled(void *unused)
{
    (void)unused;
    for (;;) {
        int64_t seen = 0;
        need(shms_stream_lock(shared, BOUND_MS) == 0);
        need(add_one(shared, 1));
        need(shms_stream_rollback(shared) == 0);
        shms_stream_wait(shared, &seen, 0);
        pthread_testcancel();
    }
    return NULL;
}

static void pause_us(unsigned us)
{
    struct timespec t = {.tv_nsec = us * 1000L};
    nanosleep(&t, NULL);
}

static void *cancels(void *unused)
{
    (void)unused;
    while (!stop) {
        pthread_t thread;
        void *how = NULL;
        need(pthread_create(&thread, NULL, is_cancelled, NULL) == 0);
        pause_us(500);
        need(pthread_cancel(thread) == 0);
        need(pthread_join(thread, &how) == 0 && how == PTHREAD_CANCELED);
    }
    return NULL;
}

/* crowd NAME: until it is told to stop; says how many sections it has committed. */
static int crowd(int argc, char **argv)
{
    static void *(*const kinds[])(void *) = {makes_sections, gives_up, writes_without_the_lock,
                                             writes_without_the_lock, reads, forks, cancels};
    enum { KINDS = sizeof kinds / sizeof kinds[0] };
    pthread_t threads[KINDS], interrupted;
    shms_stream *other = NULL;
    shms_stream_options o = {.struct_size = sizeof o, .max_size = GROWN};
    struct sigaction a = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    need(argc == 2);
    need(shms_stream_open(argv[1], SIZE, &o, &shared) == 0);
    need(shms_stream_open(argv[1], SIZE, &o, &other) == 0);
    sigaction(SIGUSR1, &a, NULL);
    for (unsigned i = 0; i < KINDS; i++)
        need(pthread_create(&threads[i], NULL, kinds[i], NULL) == 0);
    need(pthread_create(&interrupted, NULL, is_interrupted, other) == 0);
    say("working");
    struct pollfd told = {.fd = 0, .events = POLLIN};
    while (poll(&told, 1, 1) == 0)
        pthread_kill(interrupted, SIGUSR1);
    stop = true;
    hear();
    for (unsigned i = 0; i < KINDS; i++)
        pthread_join(threads[i], NULL);
    pthread_join(interrupted, NULL);
    shms_stream_close(other);
    shms_stream_close(shared);
    say("%lu", committed);
    return 0;
}

/* ---- mortals */

/* mortal NAME PART: sections without end; it is killed in one of them. */
static int mortal(int argc, char **argv)
{
    shms_stream *s = NULL;
    shms_stream_options o = {.struct_size = sizeof o, .max_size = GROWN};
    need(argc == 3);
    unsigned part = (unsigned)atoi(argv[2]);
    need(shms_stream_open(argv[1], SIZE, &o, &s) == 0);
    for (unsigned n = 0;; n++) {
        need(shms_stream_lock(s, BOUND_MS) == 0);
        need(n % 3 || shms_stream_resize(s, GROWN) == 0);
        need(add_one(s, part));
        need(n % 3 || shms_stream_resize(s, SIZE) == 0);
        need(n % 5 ? shms_stream_unlock(s) == 0 : shms_stream_rollback(s) == 0);
    }
}

/* ---- the judge */

static void judge(shms_stream *s, uint64_t before[PARTS])
{
    assert_int_equal(shms_stream_lock(s, BOUND_MS), 0); /* nobody's death is told: all of it was undone */
    assert_int_equal(shms_stream_size(s), SIZE);
    for (unsigned part = 0; part < PARTS; part++) {
        uint64_t now = number_of(s, part);
        assert_true(now >= before[part]);
        before[part] = now;
    }
    assert_int_equal(shms_stream_unlock(s), 0);
}

static void test_threads_times_deaths(void **state)
{
    (void)state;
    uint64_t before[PARTS] = {0};
    const char *name = fresh_name();
    shms_stream *s = NULL;
    shms_stream_options o = {.struct_size = sizeof o, .max_size = GROWN, .atomic = 1};
    assert_int_equal(shms_stream_open(name, SIZE, &o, &s), 0);
    struct proc crowd_proc = start("crowd", name, NULL), mortals[2];
    expect_line(&crowd_proc, "working");
    for (unsigned i = 0; i < 2; i++)
        mortals[i] = start("mortal", name, i ? "2" : "3", NULL);
    int64_t end = now_ms() + 1000 * (int64_t)count_from("STORM_S", 3);
    for (unsigned n = 0; now_ms() < end || n < 10; n++) {
        struct proc *victim = &mortals[n % 2];
        pause_us(n * 7919 % 4000);
        kill_proc(victim);
        judge(s, before);
        *victim = start("mortal", name, n % 2 ? "2" : "3", NULL);
    }
    for (unsigned i = 0; i < 2; i++)
        kill_proc(&mortals[i]);
    tell(&crowd_proc, "stop");
    long long sections = answer(&crowd_proc);
    finish(&crowd_proc);
    judge(s, before);
    assert_int_equal(before[0], sections); /* none was lost, and none that was given up has stayed */
    assert_int_equal(before[1], 0);
    assert_int_equal(info_of(s).members, 1);
    shms_stream_close(s);
    assert_gone(name);
}

int main(int argc, char **argv)
{
    static const struct role roles[] = {{"crowd", crowd}, {"mortal", mortal}, {NULL, NULL}};
    const struct CMUnitTest tests[] = {process_test(test_threads_times_deaths)};
    roles_begin(argc, argv, roles);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
