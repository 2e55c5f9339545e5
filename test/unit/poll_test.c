/* SPDX-License-Identifier: MIT */
/* version.c and the port's watch.c: the descriptor that poll understands. */
#include "child.h"

#include <poll.h>
#include <sys/resource.h>

static bool readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1 && (p.revents & POLLIN);
}

static void section(shms_stream *s)
{
    assert_int_equal(shms_stream_lock(s, -1), 0);
    shms_stream_pwrite(s, "x", 1, 0); /* a reader's is refused */
    assert_int_equal(shms_stream_unlock(s), 0);
}

/* All news is taken, and the descriptor armed. Gives how many news there were. */
static int drain(shms_stream *s, int64_t *seen)
{
    int n = 0, rc;
    while ((rc = shms_stream_wait(s, seen, 0)) == 0)
        n++;
    assert_int_equal(rc, SHMS_E_TIMEOUT);
    return n;
}

static void readable_after_a_change(void **state)
{
    int64_t seen = 0;
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    shms_stream *reader = unit_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ));
    int fd = shms_stream_poll_fd(reader);
    assert_true(fd >= 0);
    assert_int_equal(shms_stream_poll_fd(reader), fd); /* the same each time */
    assert_int_equal(drain(reader, &seen), 0);
    assert_false(readable(fd, 0));
    section(reader); /* no change */
    assert_false(readable(fd, 0));
    for (int i = 0; i < 3; i++) {
        section(s);
        assert_true(readable(fd, 20000));
        assert_int_equal(drain(reader, &seen), 1);
        assert_false(readable(fd, 0));
    }
    assert_int_equal(shms_stream_notify(s), 0);
    assert_true(readable(fd, 20000));
    section(s); /* not armed: two changes, one event, one look */
    assert_int_equal(drain(reader, &seen), 1);
    assert_int_equal(seen, 10);
    assert_false(readable(fd, 0));
    section(s);
    section(s);
    assert_int_equal(a64_load_relaxed(&s->section.member.region.control->cell), 0); /* relaxed: one thread */
    shms_stream_close(reader);
    shms_stream_close(s);
}

static void several_pollers(void **state)
{
    shms_stream *pollers[3];
    int64_t seen[3] = {0};
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    for (int i = 0; i < 3; i++) {
        pollers[i] = unit_open(NAME, 0, NULL);
        assert_true(shms_stream_poll_fd(pollers[i]) >= 0);
        drain(pollers[i], &seen[i]);
    }
    assert_int_not_equal(shms_stream_poll_fd(pollers[0]), shms_stream_poll_fd(pollers[1]));
    section(s);
    for (int i = 0; i < 3; i++)
        assert_true(readable(shms_stream_poll_fd(pollers[i]), 20000));
    for (int i = 0; i < 3; i++)
        assert_int_equal(drain(pollers[i], &seen[i]), 1);
    section(pollers[1]); /* one's own change, too */
    for (int i = 0; i < 3; i++) {
        assert_true(readable(shms_stream_poll_fd(pollers[i]), 20000));
        shms_stream_close(pollers[i]);
    }
    shms_stream_close(s);
}

static void one_region_is_not_another(void **state)
{
    int64_t seen = 0;
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL), *other = unit_open(GLOBAL, 16, NULL);
    int fd = shms_stream_poll_fd(s);
    drain(s, &seen);
    section(other);
    assert_int_equal(shms_stream_pwrite(s, "x", 1, 0), 1); /* in no section */
    assert_false(readable(fd, 0));
    shms_stream_close(other);
    shms_stream_close(s);
}

static int without_descriptors(void *unused)
{
    struct rlimit limit;
    shms_stream *s;
    (void)unused;
    EXPECT(shms_stream_open(NAME, 16, NULL, &s) == 0);
    EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = 1;
    EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    EXPECT(shms_stream_poll_fd(s) == SHMS_E_OS && shms_last_oserror() == EMFILE);
    limit.rlim_cur = limit.rlim_max;
    EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    EXPECT(shms_stream_poll_fd(s) >= 0);
    shms_stream_close(s);
    return 0;
}

static void no_descriptor_left(void **state)
{
    (void)state;
    assert_int_equal(shms_stream_poll_fd(NULL), SHMS_E_INVALID);
    assert_int_equal(unit_child(without_descriptors, NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(readable_after_a_change),
        TEST(several_pollers),
        TEST(one_region_is_not_another),
        TEST(no_descriptor_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
