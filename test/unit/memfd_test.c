/* SPDX-License-Identifier: MIT */
/* memfd.c, unnamed.c: what may come with a descriptor that was passed. */
#include "child.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define SIZE 5000u

static int open_fd(int fd)
{
    shms_stream *s = NULL;
    int rc = shms_stream_open_fd(fd, OPTIONS(.open_timeout_ms = 100), &s);
    shms_stream_close(s);
    return rc;
}

/* Opening a file makes the holder of its lease give way, for which the system grants 45 seconds. */
static void nobodys_lease_is_waited_for(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NULL, SIZE, NULL);
    int fd = shms_stream_fd(s);
    assert_int_equal(fcntl(fd, F_SETLEASE, F_WRLCK), -1); /* none while others have it open */
    shms_stream_close(s);
    void (*before)(int) = signal(SIGIO, SIG_IGN); /* and does not give way */
    if (fcntl(fd, F_SETLEASE, F_WRLCK))
        skip();
    int64_t began = shms__now_ns();
    assert_int_equal(open_fd(fd), SHMS_E_OS);
    assert_true(shms__now_ns() - began < INT64_C(20000000000));
    assert_int_equal(shms_last_oserror(), EAGAIN);
    assert_int_equal(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
    assert_int_equal(open_fd(fd), 0);
    signal(SIGIO, before);
    close(fd);
}

/* ---- memory that looks like a region, and was never finished, or is empty */

static int made_up(const struct control *c)
{
    int fd = memfd_create("made-up", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(fchmod(fd, 0600) | ftruncate(fd, LAYOUT_UNNAMED_DATA + SIZE), 0);
    assert_int_equal(pwrite(fd, c, sizeof *c, 0), sizeof *c);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    int rc = open_fd(fd);
    close(fd);
    return rc;
}

static void made_up_regions(void **state)
{
    (void)state;
    static struct control c;
    shms_stream *s = unit_open(NULL, SIZE, NULL);
    c = *s->section.member.region.control;
    shms_stream_close(s);
    assert_int_equal(made_up(&c), 0);
    a32_store_relaxed(&c.state, STATE_SETUP);
    assert_int_equal(made_up(&c), SHMS_E_CORRUPT);
    a32_store_relaxed(&c.state, STATE_READY);
    a64_store_relaxed(&c.size, 0);
    assert_int_equal(made_up(&c), SHMS_E_CORRUPT);
}

/* ---- a reader passes on what it was given, as long as it has it */

static void limit_descriptors(unsigned most)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = most ? most : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void a_reader_passes_on(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NULL, SIZE, OPTIONS(.mode = 0400)), *t = NULL;
    int fd = shms_stream_fd(s);
    assert_int_equal(shms_stream_open_fd(fd, OPTIONS(.access = SHMS_ACCESS_READ), &t), 0);
    limit_descriptors(3);
    assert_int_equal(shms_stream_fd(t), SHMS_E_OS);
    assert_int_equal(shms_last_oserror(), EMFILE);
    limit_descriptors(0);
    close(t->section.member.region.data_file.fd);
    assert_int_equal(shms_stream_fd(t), SHMS_E_LOST);
    shms_stream_close(t);
    shms_stream_close(s);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobodys_lease_is_waited_for),
        TEST(made_up_regions),
        TEST(a_reader_passes_on),
    };
    return cmocka_run_group_tests_name("memfd", tests, NULL, NULL);
}
