/* SPDX-License-Identifier: MIT */
/* ctest: timeout=300 */
/* A storm of signals, whose handler restarts nothing, during every call that can wait: none fails for it,
 * none returns before its time-out, none after its bound. */
#include "roles.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define TICK_US 300
#define SHORT_MS 60
#define LARGE (8u << 20)

static volatile sig_atomic_t ticks;

static void on_tick(int signal_number)
{
    (void)signal_number;
    ticks = ticks + 1;
}

static void start_storm(void)
{
    struct sigaction a = {.sa_handler = on_tick};
    struct itimerval t = {{0, TICK_US}, {0, TICK_US}};
    need(sigaction(SIGALRM, &a, NULL) == 0 && setitimer(ITIMER_REAL, &t, NULL) == 0);
}

static shms_stream *open_soon(const char *name, uint64_t size, uint64_t max_size)
{
    shms_stream_options o = {.struct_size = sizeof o, .open_timeout_ms = SHORT_MS, .max_size = max_size};
    shms_stream *s = NULL;
    need(shms_stream_open(name, size, &o, &s) == 0);
    return s;
}

static void need_just_in_time(int64_t began, int64_t rc)
{
    need(rc == SHMS_E_TIMEOUT);
    need(now_ms() - began >= SHORT_MS - 1);
    need(now_ms() - began < BOUND_MS);
}

/* The test holds the lock of that region. */
static void wait_in_vain(const char *name)
{
    char byte;
    shms_stream *s = open_soon(name, 64, 0);
    int64_t seen = shms_stream_version(s), began = now_ms();
    need_just_in_time(began, shms_stream_lock(s, SHORT_MS));
    began = now_ms();
    need_just_in_time(began, shms_stream_lock_shared(s, SHORT_MS));
    began = now_ms();
    need_just_in_time(began, shms_stream_wait(s, &seen, SHORT_MS));
    began = now_ms();
    need_just_in_time(began, shms_stream_snapshot(s, &byte, 1, 0));
    need(shms_stream_notify(s) == 0);
    say("waiting"); /* and now it is given back */
    need(shms_stream_lock(s, BOUND_MS) == 0 && shms_stream_unlock(s) == 0);
    shms_stream_close(s);
}

/* Somebody sits on the life-cycle lock of a region. */
static void wait_for_life(const char *own)
{
    char path[160];
    struct flock l = {.l_type = F_WRLCK, .l_len = 1};
    shms_stream_options o = {.struct_size = sizeof o, .open_timeout_ms = SHORT_MS};
    shms_stream *s = open_soon(own, 64, LARGE), *late = NULL;
    need(shms_stream_lock(s, 0) == 0);
    snprintf(path, sizeof path, "/dev/shm/shms-%u/%s.ctl", (unsigned)geteuid(), own);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    need(fd >= 0 && fcntl(fd, F_OFD_SETLK, &l) == 0);
    int64_t began = now_ms();
    need_just_in_time(began, shms_stream_open(own, 64, &o, &late));
    need(shms_stream_resize(s, 128) == 0);
    began = now_ms();
    shms_stream_close(s);
    need(now_ms() - began >= SHORT_MS - 1 && now_ms() - began < BOUND_MS);
    close(fd);
    need(shms_stream_open(own, 0, NULL, &s) == SHMS_E_NOT_FOUND); /* reclaims what is left */
}

static int see(const char *name, const shms_info *info, void *seen)
{
    (void)name, (void)info;
    *(int *)seen += 1;
    return 0;
}

static void use_all(const char *own, const char *file)
{
    int seen = 0;
    FILE *f = NULL;
    shms_info info = {.struct_size = sizeof info};
    shms_stream_options o = {.struct_size = sizeof o, .atomic = 1, .max_size = LARGE};
    shms_stream *s = NULL;
    need(shms_stream_open(own, 64, &o, &s) == 0);
    need(shms_stream_lock(s, 0) == 0 && shms_stream_resize(s, LARGE) == 0);
    need(shms_stream_unlock(s) == 0 && shms_stream_lock(s, 0) == 0);
    need(shms_stream_pwrite(s, file, 1, LARGE - 1) == 1);
    need(shms_stream_resize(s, 64) == 0 && shms_stream_unlock(s) == 0);
    need(shms_stream_info(s, &info) == 0 && info.size == 64);
    need(shms_list(see, &seen) == 0 && seen > 0);
    need(poll_fd_of(s) >= 0);
    need(shms_stream_save(s, file) == 64 && shms_stream_load(s, file) == 64);
    need(shms_stream_file(s, "r+", &f) == 0 && fputs("text", f) >= 0 && fclose(f) == 0);
    shms_stream_close(s);
}

/* storm NAME PIPE FILE: name is a region whose lock is held, pipe a named pipe that is read late. */
static int storm(int argc, char **argv)
{
    char own[100];
    need(argc == 4);
    snprintf(own, sizeof own, "%s-own", argv[1]);
    start_storm();
    wait_in_vain(argv[1]);
    wait_for_life(own);
    for (int i = 0; i < 50; i++)
        use_all(own, argv[3]);
    shms_stream *s = open_soon(own, LARGE, 0);
    say("piping");
    need(shms_stream_save(s, argv[2]) == LARGE);
    shms_stream_close(s);
    need(ticks > 100);
    return 0;
}

/* Gives how many bytes came through the pipe. */
static uint64_t drain(const char *path)
{
    static char bytes[40000];
    uint64_t got = 0;
    ssize_t n;
    int64_t late = now_ms() + SHORT_MS; /* so that the writer waits to open it */
    while (now_ms() < late)
        rest();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        got += (uint64_t)n;
    close(fd);
    return got;
}

static void test_every_call_in_a_storm(void **state)
{
    (void)state;
    char directory[] = "/tmp/process-test-XXXXXX", tube[64], file[64];
    const char *name = fresh_name();
    assert_non_null(mkdtemp(directory));
    snprintf(tube, sizeof tube, "%s/pipe", directory);
    snprintf(file, sizeof file, "%s/file", directory);
    assert_int_equal(mkfifo(tube, 0600), 0);
    shms_stream *s = open_here(name, 64);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    struct proc p = start("storm", name, tube, file, NULL);
    expect_line(&p, "waiting");
    await(info_of(s).waiters >= 1);
    assert_int_equal(shms_stream_unlock(s), 0);
    expect_line(&p, "piping");
    assert_int_equal(drain(tube), LARGE);
    finish(&p);
    shms_stream_close(s);
    unlink(tube);
    unlink(file);
    rmdir(directory);
}

int main(int argc, char **argv)
{
    static const struct role roles[] = {{"storm", storm}, {NULL, NULL}};
    const struct CMUnitTest tests[] = {process_test(test_every_call_in_a_storm)};
    roles_begin(argc, argv, roles);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
