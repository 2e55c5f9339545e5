/* SPDX-License-Identifier: MIT */
/* fd.h: in a program that has closed its standard streams, nothing of ours ever is one of them. */
#include "child.h"

#include <sys/inotify.h>

static bool streams_closed(int mask)
{
    for (int fd = 0; fd < 3; fd++)
        if ((mask & 1 << fd) && fcntl(fd, F_GETFD) >= 0)
            return false;
    return true;
}

static int see(const char *name, const shms_info *info, void *mask)
{
    (void)name, (void)info;
    return streams_closed(*(int *)mask) ? 0 : 99;
}

static int before_anything(void *mask, uint64_t size)
{
    (void)size;
    return streams_closed(*(int *)mask) ? 0 : 99;
}

static int other_user(void *unused)
{
    (void)unused;
    return 0;
}

/* Every call that opens something. With no words: there may be no stream for them. */
static int use_all(void *of)
{
    int mask = *(int *)of;
    char byte, path[64] = "/tmp/shms-XXXXXX";
    shms_stream *s = NULL, *t = NULL, *u = NULL;
    int made = mkostemp(path, O_CLOEXEC);
    close(made);
    for (int fd = 0; fd < 3; fd++)
        if (mask & 1 << fd)
            close(fd);
    int wrong = 0;
    shms_stream_options *options = OPTIONS(.atomic = 1, .max_size = 4096);
    wrong |= shms_stream_open(NAME, 64, options, &s) || !streams_closed(mask);
    wrong |= (shms_stream_open(NAME, 64, NULL, &t) || !streams_closed(mask)) << 1;
    wrong |= (shms_stream_poll_fd(s) < 3 || !streams_closed(mask)) << 2;
    wrong |= (shms_stream_lock(s, 0) < 0 || shms_stream_pwrite(s, "x", 1, 0) != 1 ||
              shms_stream_resize(s, 4096) || shms_stream_unlock(s) || !streams_closed(mask))
             << 3;
    wrong |= (shms_stream_save(s, path) != 4096 || shms_stream_load(s, path) != 4096 || !streams_closed(mask))
             << 4;
    wrong |= (shms__disk_load(path, &byte, 1, before_anything, of) != SHMS_E_RANGE ||
              shms_list(see, of) != 0 || !streams_closed(mask))
             << 5;
    shms_stream_close(t);
    wrong |= (shms_stream_open(NULL, 64, OPTIONS(.mode = 0400), &t) || !streams_closed(mask)) << 6;
    int fd = shms_stream_fd(t);
    wrong |= (fd < 3 || shms_stream_open_fd(fd, OPTIONS(.access = SHMS_ACCESS_READ), &u) ||
              !streams_closed(mask))
             << 7;
    int passed = shms_stream_fd(u);
    int child = unit_child(other_user, NULL, 0); /* whose end closes nothing here */
    shms_stream_close(s);
    shms_stream_close(t);
    shms_stream_close(u);
    close(fd);
    close(passed);
    unlink(path);
    return wrong || passed < 3 || child || !streams_closed(mask);
}

/* A child of fork opens its own descriptors, under its own numbers. */
static int first_call_of_a_child(void *of)
{
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    shms_stream *s = *(shms_stream **)of;
    return shms_stream_lock(s, 0) != 0 || shms_stream_unlock(s) != 0 || !streams_closed(7);
}

static void closed_streams(void **state)
{
    (void)state;
    for (int mask = 1; mask < 8; mask++)
        assert_int_equal(unit_child(use_all, &mask, 0), 0);
    shms_stream *s = unit_open(NAME, 64, NULL);
    assert_int_equal(unit_child(first_call_of_a_child, &s, 0), 0);
    shms_stream_close(s);
}

/* What the program prints then goes nowhere; least of all into the region. */
static int print_after_open(void *unused)
{
    shms_stream *s = NULL;
    (void)unused;
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    int rc = shms_stream_open(NAME, 64, OPTIONS(.keep = 1), &s);
    rc |= shms_stream_pwrite(s, "cookie", 7, 0) != 7;
    for (int fd = 0; fd < 3; fd++)
        rc |= write(fd, "text that the program prints", 28) != -1;
    return rc;
}

static void printing_harms_nothing(void **state)
{
    (void)state;
    assert_int_equal(unit_child(print_after_open, NULL, 0), 0);
    shms_stream *s = unit_open(NAME, 64, NULL);
    assert_string_equal(shms_stream_memory(s), "cookie");
    shms_stream_close(s);
    assert_int_equal(shms_stream_unlink(NAME), 0);
}

/* ---- no room above: no descriptor is left below, and the errno tells why */

static int limited(void *unused)
{
    struct rlimit limit = {3, 3};
    shms_stream *s = NULL;
    (void)unused;
    close(0);
    int rc = setrlimit(RLIMIT_NOFILE, &limit);
    rc |= shms_stream_open(NAME, 64, NULL, &s) != SHMS_E_OS || shms_last_oserror() != EMFILE;
    return rc || !streams_closed(1);
}

static void no_room_above(void **state)
{
    (void)state;
    assert_int_equal(unit_child(limited, NULL, 0), 0);
}

/* ---- the program closes what it does not know, and another handle of the region gets the numbers */

static void another_handles_files(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 64, NULL);
    int control = s->section.member.region.control_file.fd, data = s->section.member.region.data_file.fd;
    close(control);
    close(data);
    shms_stream *t = unit_open(NAME, 64, NULL);
    assert_int_equal(t->section.member.region.control_file.fd, control);
    assert_int_equal(t->section.member.region.data_file.fd, data);
    shms_stream_close(s);
    assert_true(fcntl(control, F_GETFD) >= 0 && fcntl(data, F_GETFD) >= 0);
    shms_stream_close(t);
    assert_true(fcntl(control, F_GETFD) < 0 && fcntl(data, F_GETFD) < 0);
}

/* ---- the poll descriptor: a number that means another watch by now is left alone */

static int foreign_watch(int number)
{
    char events[1024];
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(inotify_add_watch(fd, "/tmp", IN_ATTRIB | IN_MODIFY) >= 0);
    if (fd != number) {
        assert_int_equal(dup3(fd, number, O_CLOEXEC), number);
        close(fd);
    }
    while (read(number, events, sizeof events) > 0)
        continue;
    assert_int_equal(inotify_add_watch(number, "/dev/shm", IN_DELETE_SELF), 2);
    assert_int_equal(inotify_rm_watch(number, 2), 0); /* that is an event */
    return number;
}

static void another_ones_watch(void **state)
{
    char event[1024];
    int64_t seen = 0;
    (void)state;
    shms_stream *s = unit_open(NAME, 64, NULL);
    int fd = shms_stream_poll_fd(s);
    assert_int_equal(shms_stream_poll_fd(s), fd);
    close(fd);
    foreign_watch(fd);
    assert_int_equal(shms_stream_wait(s, &seen, 0), SHMS_E_TIMEOUT);
    assert_true(read(fd, event, sizeof event) > 0); /* not drained */
    int again = shms_stream_poll_fd(s);
    assert_true(again >= 3 && again != fd);
    close(again);
    foreign_watch(again);
    shms_stream_close(s);
    assert_true(read(again, event, sizeof event) > 0); /* nor closed */
    close(again);
    close(fd);
}

/* The number has become that of another handle: the earlier one has none any more. */
static void another_handles_watch(void **state)
{
    int64_t seen = 0;
    (void)state;
    shms_stream *s = unit_open(NAME, 64, NULL), *t = unit_open(NAME, 64, NULL);
    int fd = shms_stream_poll_fd(s);
    close(fd);
    assert_int_equal(shms_stream_poll_fd(t), fd);
    assert_int_equal(shms_stream_wait(t, &seen, 0), SHMS_E_TIMEOUT);
    assert_int_equal(shms_stream_notify(s), 0);
    assert_int_equal(shms_stream_wait(s, &(int64_t){0}, 0), 0); /* does not take t's event */
    char event[1024];
    assert_true(read(fd, event, sizeof event) > 0);
    shms_stream_close(s);
    assert_int_equal(shms_stream_poll_fd(t), fd);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    shms_stream_close(t);
    assert_true(fcntl(fd, F_GETFD) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(closed_streams),     TEST(printing_harms_nothing), TEST(no_room_above),
        TEST(another_handles_files), TEST(another_ones_watch), TEST(another_handles_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
