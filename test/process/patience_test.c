/* SPDX-License-Identifier: MIT */
/* Signals at every moment, and somebody who sits on the life-cycle lock: no call fails or hangs for it. */
#include "roles.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t ticks;

static void on_tick(int signal_number)
{
    (void)signal_number;
    ticks = ticks + 1;
}

static void start_ticking(void)
{
    struct sigaction a = {.sa_handler = on_tick}; /* no SA_RESTART: every call that can be is interrupted */
    struct itimerval t = {{0, 1000}, {0, 1000}};
    need(sigaction(SIGALRM, &a, NULL) == 0);
    need(setitimer(ITIMER_REAL, &t, NULL) == 0);
}

/* As much as /dev/shm has to spare, up to what takes many ticks to reserve. */
static uint64_t large(void)
{
    struct statvfs v;
    uint64_t spare = statvfs("/dev/shm", &v) ? 0 : (uint64_t)v.f_bavail * v.f_frsize / 4;
    return spare < 192u << 20 ? spare + 1 : 192u << 20;
}

static void need_time_out(shms_stream *s, int timeout_ms)
{
    int64_t seen = shms_stream_version(s), began = now_ms();
    need(shms_stream_lock(s, timeout_ms) == SHMS_E_TIMEOUT);
    need(now_ms() - began >= timeout_ms - 1);
    began = now_ms();
    need(shms_stream_wait(s, &seen, timeout_ms) == SHMS_E_TIMEOUT);
    need(now_ms() - began >= timeout_ms - 1);
}

static void save_and_load(shms_stream *s)
{
    char path[] = "/tmp/process-test-XXXXXX";
    int fd = mkstemp(path);
    int64_t size = (int64_t)shms_stream_size(s);
    need(fd >= 0);
    memset(shms_stream_memory(s), 'x', (size_t)size);
    need(shms_stream_save(s, path) == size);
    memset(shms_stream_memory(s), 0, (size_t)size);
    need(shms_stream_load(s, path) == size);
    need(((char *)shms_stream_memory(s))[size - 1] == 'x');
    close(fd);
    unlink(path);
}

/* ticking NAME: name is a region whose lock is held. */
static int ticking(int argc, char **argv)
{
    char own[100];
    shms_stream *s = NULL;
    need(argc == 2);
    snprintf(own, sizeof own, "%s-own", argv[1]);
    start_ticking();
    for (int i = 0; i < 300; i++) {
        need(shms_stream_open(own, 64, NULL, &s) == 0);
        shms_stream_close(s);
    }
    need(shms_stream_open(argv[1], 64, NULL, &s) == 0);
    need_time_out(s, 100);
    say("waiting");
    need(shms_stream_lock(s, BOUND_MS) == 0);
    shms_stream_close(s);
    int64_t began = now_ms();
    need(shms_stream_open(own, large(), NULL, &s) == 0);
    need(now_ms() - began < BOUND_MS);
    save_and_load(s);
    shms_stream_close(s);
    need(ticks > 100);
    return 0;
}

static void test_signals_at_every_moment(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream *s = open_here(name, 64);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    struct proc p = start("ticking", name, NULL);
    expect_line(&p, "waiting");
    await(info_of(s).waiters == 1);
    assert_int_equal(shms_stream_unlock(s), 0);
    finish(&p);
    shms_stream_close(s);
}

/* ---- the life-cycle lock, held by a member that means no good */

static void control_path(const char *name, char *ret, size_t room)
{
    snprintf(ret, room, "/dev/shm/shms-%u/%s.ctl", (unsigned)geteuid(), name);
}

static int sit_on_life(const char *name)
{
    char path[160];
    struct flock l = {.l_type = F_WRLCK, .l_len = 1};
    control_path(name, path, sizeof path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &l), 0);
    return fd;
}

static void test_life_lock_is_taken(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream_options o = {.struct_size = sizeof o, .open_timeout_ms = 100};
    shms_stream_options patient = {.struct_size = sizeof patient, .open_timeout_ms = 10000 * LIFE_S};
    shms_stream *s = open_here(name, 64), *t = NULL;
    assert_int_equal(shms_stream_open(name, 64, &patient, &t), 0);
    struct proc p = start_member(name, 64);
    int fd = sit_on_life(name);
    for (uint64_t size = 0; size <= 64; size += 64) {
        shms_stream *late = NULL;
        int64_t began = now_ms();
        assert_int_equal(shms_stream_open(name, size, &o, &late), SHMS_E_TIMEOUT);
        assert_true(now_ms() - began >= 99 && now_ms() - began < BOUND_MS);
    }
    assert_int_equal(ask(&p, "lock -1") | ask(&p, "write 0 1") | ask(&p, "unlock"), 1); /* members go on */
    shms_stream_close(t); /* waits for nobody: others stay */
    assert_int_equal(info_of(s).members, 2);
    close(fd);
    shms_stream *next = NULL;
    assert_int_equal(shms_stream_open(name, 64, &o, &next), 0);
    shms_stream_close(next);
    kill_proc(&p);
    shms_stream_close(s);
}

/* Whoever holds it and dies frees it; who is stopped in it delays openers no longer than they say. */
static void test_last_one_closes_under_a_taken_life_lock(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream_options o = {.struct_size = sizeof o, .open_timeout_ms = 50};
    shms_stream *t = NULL;
    assert_int_equal(shms_stream_open(name, 64, &o, &t), 0);
    int fd = sit_on_life(name);
    shms_stream_close(t);
    close(fd);
    shms_stream *s = open_here(name, 64); /* what remained is reclaimed by the next */
    assert_int_equal(shms_stream_existed(s), 0);
    shms_stream_close(s);
}

int main(int argc, char **argv)
{
    static const struct role roles[] = {{"ticking", ticking}, {NULL, NULL}};
    const struct CMUnitTest tests[] = {
        process_test(test_signals_at_every_moment),
        process_test(test_life_lock_is_taken),
        process_test(test_last_one_closes_under_a_taken_life_lock),
    };
    roles_begin(argc, argv, roles);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
