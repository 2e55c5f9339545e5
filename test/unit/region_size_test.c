/* SPDX-License-Identifier: MIT */
/* region.c, growing and shrinking: pointers stay, new bytes are zero, nobody is hurt. */
#include "child.h"

#include <sys/resource.h>
#include <sys/stat.h>

#define MEGA ((uint64_t)1 << 20)

static uint64_t data_memory(void)
{
    struct file_stat st = {0};
    shms__file_stat(local_files.data, &st);
    return st.memory_bytes;
}

static int resize(shms_stream *s, uint64_t size)
{
    int rc = shms_stream_lock(s, 0);
    if (rc == 0)
        rc = shms_stream_resize(s, size);
    shms_stream_unlock(s);
    return rc;
}

static void grows_under_its_pointers(void **state)
{
    (void)state;
    shms_stream *a = unit_open(NAME, 100, OPTIONS(.max_size = MEGA));
    shms_stream *b = unit_open(NAME, 0, NULL); /* maps what the creator asked */
    unsigned char *pa = shms_stream_memory(a), *pb = shms_stream_memory(b);
    memcpy(pa, "first", 5);
    assert_int_equal(resize(b, MEGA), 0);
    assert_int_equal(shms_stream_size(a), MEGA);
    assert_int_equal(shms_stream_size(b), MEGA);
    assert_ptr_equal(shms_stream_memory(a), pa);
    assert_ptr_equal(shms_stream_memory(b), pb);
    assert_memory_equal(pa, "first", 5);
    for (uint64_t i = 100; i < MEGA; i += 37)
        assert_int_equal(pa[i], 0);
    assert_true(data_memory() >= MEGA);
    pa[MEGA - 1] = 7;
    assert_int_equal(pb[MEGA - 1], 7);
    assert_int_equal(resize(a, MEGA + 1), SHMS_E_RANGE);
    assert_int_equal(shms_stream_size(a), MEGA);
    shms_stream_close(a);
    shms_stream_close(b);
}

static void what_is_cut_comes_back_as_zeros(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, MEGA, NULL);
    shms_stream *reader = unit_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ));
    unsigned char *p = shms_stream_memory(s);
    const unsigned char *old = shms_stream_memory(reader);
    memset(p, 'x', MEGA);
    assert_int_equal(resize(s, 5000), 0);
    assert_int_equal(shms_stream_size(reader), 5000);
    assert_true(data_memory() <= 8192);
    assert_int_equal(old[4999], 'x');
    assert_int_equal(old[5000], 0); /* in the middle of a page */
    assert_int_equal(old[MEGA - 1], 0); /* beyond, through an old pointer: no SIGBUS */
    assert_int_equal(shms_stream_pread(reader, &(char){0}, 1, 5000), 0);
    assert_int_equal(resize(s, MEGA), 0);
    assert_int_equal(p[4999], 'x');
    for (uint64_t i = 5000; i < MEGA; i++)
        assert_true(p[i] == 0);
    assert_true(data_memory() >= MEGA); /* reserved again */
    shms_stream_close(reader);
    shms_stream_close(s);
}

static void who_may_not(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 100, OPTIONS(.max_size = 200));
    shms_stream *other = unit_open(NAME, 0, NULL);
    shms_stream *reader = unit_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ));
    assert_int_equal(shms_stream_resize(s, 150), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_stream_lock(other, 0), 0);
    assert_int_equal(shms_stream_resize(s, 150), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_stream_unlock(other), 0);
    assert_int_equal(shms_stream_lock(reader, 0), 0);
    assert_int_equal(shms_stream_resize(reader, 150), SHMS_E_READ_ONLY);
    assert_int_equal(shms_stream_unlock(reader), 0);
    assert_int_equal(resize(s, 0), SHMS_E_INVALID);
    assert_int_equal(shms_stream_resize(NULL, 1), SHMS_E_INVALID);
    assert_int_equal(resize(s, 201), SHMS_E_RANGE);
    assert_int_equal(resize(s, UINT64_MAX), SHMS_E_RANGE);
    assert_int_equal(shms_stream_size(s), 100);
    assert_int_equal(resize(s, 100), 0);
    assert_int_equal(resize(s, 1), 0);
    assert_int_equal(shms_stream_size(other), 1);
    shms_stream_close(reader);
    shms_stream_close(other);
    shms_stream_close(s);
}

static void how_much_each_maps(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 100, OPTIONS(.max_size = 4 * MEGA));
    shms_stream *less = unit_open(NAME, 100, OPTIONS(.max_size = MEGA));
    shms_stream *more = unit_open(NAME, 0, OPTIONS(.max_size = 8 * MEGA));
    shms_stream *tiny = unit_open(NAME, 0, OPTIONS(.max_size = 1)); /* never less than there is */
    assert_int_equal(shms_stream_size(tiny), 100);
    assert_int_equal(resize(s, 5 * MEGA), SHMS_E_RANGE);
    assert_int_equal(resize(less, 2 * MEGA), SHMS_E_RANGE);
    assert_int_equal(resize(more, 6 * MEGA), 0);
    assert_int_equal(shms_stream_size(more), 6 * MEGA);
    assert_int_equal(shms_stream_size(s), 4 * MEGA);
    assert_int_equal(shms_stream_size(less), MEGA);
    assert_int_equal(shms_stream_pread(less, &(char){0}, 1, (int64_t)MEGA), 0);
    assert_int_equal(shms_stream_pwrite(less, "x", 1, (int64_t)MEGA), SHMS_E_RANGE);
    assert_int_equal(shms_stream_seek(less, 0, SEEK_END), MEGA);
    shms_stream_close(tiny);
    shms_stream_close(more);
    shms_stream_close(less);
    shms_stream_close(s);
}

static void a_sparse_one_stays_sparse(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 100, OPTIONS(.max_size = 64 * MEGA, .sparse = 1));
    assert_int_equal(resize(s, 64 * MEGA), 0);
    assert_true(data_memory() < MEGA);
    assert_int_equal(shms_stream_pwrite(s, "x", 1, 64 * (int64_t)MEGA - 1), 1);
    shms_stream_close(s);
}

static int grow_past_the_limit(void *unused)
{
    struct rlimit limit = {.rlim_cur = 2 * MEGA, .rlim_max = 2 * MEGA};
    shms_stream *s;
    (void)unused;
    EXPECT(shms_stream_open(NAME, MEGA, OPTIONS(.max_size = 16 * MEGA), &s) == 0);
    memset(shms_stream_memory(s), 'x', MEGA);
    EXPECT(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    EXPECT(shms_stream_lock(s, 0) == 0);
    EXPECT(shms_stream_resize(s, 2 * MEGA + 1) == SHMS_E_NOSPACE); /* and no SIGXFSZ */
    EXPECT(shms_stream_size(s) == MEGA);
    EXPECT(*((char *)shms_stream_memory(s) + MEGA - 1) == 'x');
    EXPECT(shms_stream_resize(s, 2 * MEGA) == 0);
    EXPECT(shms_stream_unlock(s) == 0);
    shms_stream_close(s);
    return 0;
}

static void a_failure_leaves_the_size(void **state)
{
    (void)state;
    assert_int_equal(unit_child(grow_past_the_limit, NULL, 0), 0);
}

static void memory_taken_away(void **state)
{
    struct stat st;
    (void)state;
    shms_stream *s = unit_open(NAME, MEGA, OPTIONS(.max_size = 2 * MEGA));
    assert_int_equal(truncate(local_files.data, (off_t)MEGA - 1), 0);
    assert_int_equal(resize(s, 2 * MEGA), SHMS_E_LOST);
    assert_int_equal(unit_refused(NAME, 0, NULL), SHMS_E_LOST); /* too short */
    assert_int_equal(truncate(local_files.data, (off_t)MEGA), 0);
    shms_stream_close(unit_open(NAME, 0, NULL));
    assert_int_equal(remove(local_files.data), 0);
    int fd = open(local_files.data, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, (off_t)MEGA), 0);
    close(fd);
    assert_int_equal(unit_refused(NAME, 0, NULL), SHMS_E_LOST); /* another file */
    assert_int_equal(stat(local_files.data, &st), 0);           /* which is left alone while members live */
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    shms_stream_close(s);
}

/* Whoever unlinked died between the two names: the next opener finishes it, the members go on. */
static void an_unlink_cut_short(void **state)
{
    (void)state;
    shms_stream *old = unit_open(NAME, 64, NULL);
    assert_int_equal(shms_stream_pwrite(old, "old", 3, 0), 3);
    assert_int_equal(remove(local_files.data), 0);
    assert_int_equal(unit_refused(NAME, 0, NULL), SHMS_E_NOT_FOUND);
    assert_int_equal(unit_names(), 0);
    shms_stream *new = unit_open(NAME, 64, NULL);
    assert_int_equal(shms_stream_existed(new), 0);
    assert_int_equal(*(char *)shms_stream_memory(new), 0);
    assert_int_equal(shms_stream_lock(old, 0), 0);
    assert_int_equal(shms_stream_unlock(old), 0);
    assert_memory_equal(shms_stream_memory(old), "old", 3);
    shms_stream_close(old);
    assert_int_equal(unit_names(), 2);
    shms_stream_close(new);
}

static void sizes_that_cannot_be(void **state)
{
    static const uint64_t bad[] = {0, UINT64_MAX, (uint64_t)INT64_MAX + 1};
    (void)state;
    shms_stream *s = unit_open(NAME, 100, NULL);
    a64 *size = &s->section.member.region.control->size;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        a64_store_relaxed(size, bad[i]); /* relaxed: one thread */
        assert_int_equal(unit_refused(NAME, 0, NULL), SHMS_E_CORRUPT);
        assert_true(shms_stream_size(s) <= 100); /* never past what is mapped */
    }
    a64_store_relaxed(size, 100);                                        /* relaxed: one thread */
    a32_store_relaxed(&s->section.member.region.control->state, STATE_SETUP); /* relaxed: one thread */
    assert_int_equal(unit_refused(NAME, 0, NULL), SHMS_E_CORRUPT);
    shms_stream_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(grows_under_its_pointers),  TEST(what_is_cut_comes_back_as_zeros), TEST(who_may_not),
        TEST(how_much_each_maps),        TEST(a_sparse_one_stays_sparse),
        TEST(a_failure_leaves_the_size), TEST(memory_taken_away),               TEST(an_unlink_cut_short),
        TEST(sizes_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
