/* SPDX-License-Identifier: MIT */
/* memfd.c: descriptors whose sender wants the receiver to wait. */
#include "child.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobodys_lease_is_waited_for),
    };
    return cmocka_run_group_tests_name("memfd", tests, NULL, NULL);
}
