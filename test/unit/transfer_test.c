/* SPDX-License-Identifier: MIT */
/* transfer.c: bytes in and out, positions, and every edge of the region. */
#include "unit.h"

#include <pthread.h>

#define SIZE 10

static shms_stream *digits(void)
{
    shms_stream *s = unit_open(NAME, SIZE, NULL);
    assert_int_equal(shms_stream_pwrite(s, "0123456789", SIZE, 0), SIZE);
    return s;
}

static void is_digits(shms_stream *s)
{
    assert_memory_equal(shms_stream_memory(s), "0123456789", SIZE);
}

static void read_moves_on(void **state)
{
    char buf[32];
    (void)state;
    shms_stream *s = digits();
    assert_int_equal(shms_stream_read(s, buf, 4), 4);
    assert_memory_equal(buf, "0123", 4);
    assert_int_equal(shms_stream_tell(s), 4);
    assert_int_equal(shms_stream_read(s, NULL, 0), 0);
    assert_int_equal(shms_stream_read(s, buf, sizeof buf), 6); /* what is there */
    assert_memory_equal(buf, "456789", 6);
    assert_int_equal(shms_stream_tell(s), SIZE);
    assert_int_equal(shms_stream_read(s, buf, 1), 0);
    assert_int_equal(shms_stream_tell(s), SIZE);
    shms_stream_close(s);
}

static void write_is_all_or_nothing(void **state)
{
    (void)state;
    shms_stream *s = digits();
    assert_int_equal(shms_stream_write(s, "abc", 3), 3);
    assert_int_equal(shms_stream_tell(s), 3);
    assert_memory_equal(shms_stream_memory(s), "abc3456789", SIZE);
    assert_int_equal(shms_stream_write(s, "ABCDEFGH", 8), SHMS_E_RANGE);
    assert_int_equal(shms_stream_tell(s), 3);
    assert_memory_equal(shms_stream_memory(s), "abc3456789", SIZE);
    assert_int_equal(shms_stream_write(s, "ABCDEFG", 7), 7);
    assert_memory_equal(shms_stream_memory(s), "abcABCDEFG", SIZE);
    assert_int_equal(shms_stream_write(s, "x", 1), SHMS_E_RANGE);
    assert_int_equal(shms_stream_write(s, NULL, 0), 0);
    assert_int_equal(shms_stream_tell(s), SIZE);
    shms_stream_close(s);
}

static void seek_never_clamps(void **state)
{
    static const struct {
        int64_t offset;
        int whence;
        int64_t to; /* from position 4 */
    } table[] = {{0, SEEK_SET, 0},
                 {SIZE, SEEK_SET, SIZE},
                 {SIZE + 5, SEEK_SET, SIZE + 5},
                 {INT64_MAX, SEEK_SET, INT64_MAX},
                 {-1, SEEK_SET, SHMS_E_RANGE},
                 {INT64_MIN, SEEK_SET, SHMS_E_RANGE},
                 {0, SEEK_CUR, 4},
                 {-4, SEEK_CUR, 0},
                 {-5, SEEK_CUR, SHMS_E_RANGE},
                 {INT64_MAX - 4, SEEK_CUR, INT64_MAX},
                 {INT64_MAX - 3, SEEK_CUR, SHMS_E_RANGE},
                 {INT64_MAX, SEEK_CUR, SHMS_E_RANGE},
                 {INT64_MIN, SEEK_CUR, SHMS_E_RANGE},
                 {0, SEEK_END, SIZE},
                 {-SIZE, SEEK_END, 0},
                 {-SIZE - 1, SEEK_END, SHMS_E_RANGE},
                 {1, SEEK_END, SIZE + 1},
                 {INT64_MAX, SEEK_END, SHMS_E_RANGE},
                 {INT64_MAX - SIZE, SEEK_END, INT64_MAX},
                 {0, 3, SHMS_E_INVALID},
                 {0, -1, SHMS_E_INVALID}};
    (void)state;
    shms_stream *s = digits();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_int_equal(shms_stream_seek(s, 4, SEEK_SET), 4);
        assert_int_equal(shms_stream_seek(s, table[i].offset, table[i].whence), table[i].to);
        assert_int_equal(shms_stream_tell(s), table[i].to < 0 ? 4 : table[i].to);
    }
    shms_stream_close(s);
}

static void past_the_end(void **state)
{
    static const int64_t positions[] = {SIZE, SIZE + 1, 1ll << 40, INT64_MAX - 1, INT64_MAX};
    char c;
    (void)state;
    shms_stream *s = digits();
    for (size_t i = 0; i < sizeof positions / sizeof *positions; i++) {
        assert_int_equal(shms_stream_seek(s, positions[i], SEEK_SET), positions[i]);
        assert_int_equal(shms_stream_read(s, &c, 1), 0);
        assert_int_equal(shms_stream_read(s, &c, INT64_MAX), 0);
        assert_int_equal(shms_stream_write(s, "x", 1), SHMS_E_RANGE);
        assert_int_equal(shms_stream_write(s, "x", INT64_MAX), SHMS_E_RANGE);
        assert_int_equal(shms_stream_tell(s), positions[i]);
        assert_int_equal(shms_stream_pread(s, &c, 1, positions[i]), 0);
        assert_int_equal(shms_stream_pwrite(s, "x", 1, positions[i]), SHMS_E_RANGE);
        assert_int_equal(shms_stream_pwrite(s, NULL, 0, positions[i]), 0);
    }
    is_digits(s);
    shms_stream_close(s);
}

static void at_an_offset(void **state)
{
    char buf[32];
    (void)state;
    shms_stream *s = digits();
    assert_int_equal(shms_stream_seek(s, 2, SEEK_SET), 2);
    assert_int_equal(shms_stream_pread(s, buf, 3, 7), 3);
    assert_memory_equal(buf, "789", 3);
    assert_int_equal(shms_stream_pread(s, buf, 32, 8), 2);
    assert_int_equal(shms_stream_pread(s, buf, 1, -1), SHMS_E_RANGE);
    assert_int_equal(shms_stream_pread(s, buf, 1, INT64_MIN), SHMS_E_RANGE);
    assert_int_equal(shms_stream_pread(s, NULL, 0, 3), 0);
    assert_int_equal(shms_stream_pwrite(s, "xyz", 3, 8), SHMS_E_RANGE);
    assert_int_equal(shms_stream_pwrite(s, "x", 1, -1), SHMS_E_RANGE);
    assert_int_equal(shms_stream_pwrite(s, "x", 0, -1), SHMS_E_RANGE);
    assert_int_equal(shms_stream_pwrite(s, "0123456789x", 11, 0), SHMS_E_RANGE);
    is_digits(s);
    assert_int_equal(shms_stream_pwrite(s, "yz", 2, 8), 2);
    assert_memory_equal(shms_stream_memory(s), "01234567yz", SIZE);
    assert_int_equal(shms_stream_tell(s), 2); /* neither used nor moved */
    shms_stream_close(s);
}

static void inside_the_region(void **state)
{
    (void)state;
    shms_stream *s = digits();
    char *p = shms_stream_memory(s);
    assert_int_equal(shms_stream_pwrite(s, p, 8, 2), 8); /* forward, overlapping */
    assert_memory_equal(p, "0101234567", SIZE);
    assert_int_equal(shms_stream_write(s, p + 2, 8), 8); /* and backward */
    assert_memory_equal(p, "0123456767", SIZE);
    shms_stream_close(s);
}

static void wrong_uses(void **state)
{
    char c = 0;
    (void)state;
    shms_stream *s = digits();
    assert_int_equal(shms_stream_read(NULL, &c, 1), SHMS_E_INVALID);
    assert_int_equal(shms_stream_write(NULL, &c, 1), SHMS_E_INVALID);
    assert_int_equal(shms_stream_pread(NULL, &c, 1, 0), SHMS_E_INVALID);
    assert_int_equal(shms_stream_pwrite(NULL, &c, 1, 0), SHMS_E_INVALID);
    assert_int_equal(shms_stream_seek(NULL, 0, SEEK_SET), SHMS_E_INVALID);
    assert_int_equal(shms_stream_tell(NULL), SHMS_E_INVALID);
    assert_int_equal(shms_stream_read(s, NULL, 1), SHMS_E_INVALID);
    assert_int_equal(shms_stream_write(s, NULL, 1), SHMS_E_INVALID);
    assert_int_equal(shms_stream_pread(s, NULL, 1, 0), SHMS_E_INVALID);
    assert_int_equal(shms_stream_pwrite(s, NULL, 1, 0), SHMS_E_INVALID);
    assert_true(shms_stream_write(s, &c, SIZE_MAX) < 0);
    assert_true(shms_stream_pwrite(s, &c, SIZE_MAX, 0) < 0);
    shms_stream *reader = unit_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ));
    assert_int_equal(shms_stream_write(reader, "x", 1), SHMS_E_READ_ONLY);
    assert_int_equal(shms_stream_pwrite(reader, "x", 1, 0), SHMS_E_READ_ONLY);
    assert_int_equal(shms_stream_read(reader, &c, 1), 1);
    assert_int_equal(c, '0');
    is_digits(s);
    shms_stream_close(reader);
    shms_stream_close(s);
}

/* ---- threads that share one position */

enum { THREADS = 4, EACH = 2000, PIECE = 5 };

static void *write_pieces(void *arg)
{
    shms_stream *s = arg;
    for (int i = 0; i < EACH; i++)
        if (shms_stream_write(s, "piece", PIECE) != PIECE)
            return "short";
    return NULL;
}

static void *read_pieces(void *arg)
{
    char piece[PIECE];
    intptr_t n = 0;
    while (shms_stream_read(arg, piece, PIECE) == PIECE && memcmp(piece, "piece", PIECE) == 0)
        n++;
    return (void *)n;
}

static void threads_get_different_bytes(void **state)
{
    pthread_t threads[THREADS];
    void *ret;
    intptr_t sum = 0;
    (void)state;
    shms_stream *s = unit_open(NAME, THREADS * EACH * PIECE, NULL);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_pieces, s), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &ret);
        assert_null(ret);
    }
    assert_int_equal(shms_stream_tell(s), THREADS * EACH * PIECE);
    assert_int_equal(shms_stream_seek(s, 0, SEEK_SET), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_pieces, s), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &ret);
        sum += (intptr_t)ret;
    }
    assert_int_equal(sum, THREADS * EACH); /* each piece read once, none missed */
    shms_stream_close(s);
}

static void beyond_four_gigabytes(void **state)
{
    const int64_t at = (5ll << 30) + 123;
    char buf[16];
    (void)state;
    if (SIZE_MAX == UINT32_MAX) {
        puts("SKIP: no room for 6 GiB in 32 bit");
        skip();
    }
    shms_stream *s = unit_open(NAME, 6ull << 30, OPTIONS(.sparse = 1));
    assert_int_equal(shms_stream_size(s), 6ull << 30);
    assert_int_equal(shms_stream_pwrite(s, "far away", 8, at), 8);
    assert_int_equal(shms_stream_pread(s, buf, 8, at - (4ll << 30)), 8); /* not at its 32-bit remainder */
    assert_memory_equal(buf, "\0\0\0\0\0\0\0\0", 8);
    assert_int_equal(shms_stream_seek(s, at, SEEK_SET), at);
    assert_int_equal(shms_stream_read(s, buf, 8), 8);
    assert_memory_equal(buf, "far away", 8);
    assert_int_equal(shms_stream_tell(s), at + 8);
    assert_int_equal(shms_stream_write(s, "!", 1), 1);
    assert_int_equal(shms_stream_snapshot(s, buf, 9, at), 9);
    assert_memory_equal(buf, "far away!", 9);
    assert_int_equal(shms_stream_seek(s, -4, SEEK_END), (6ll << 30) - 4);
    assert_int_equal(shms_stream_read(s, buf, 16), 4);
    assert_int_equal(shms_stream_write(s, "x", 1), SHMS_E_RANGE);
    shms_stream_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(read_moves_on), TEST(write_is_all_or_nothing), TEST(seek_never_clamps),
        TEST(past_the_end),  TEST(at_an_offset),            TEST(inside_the_region),
        TEST(wrong_uses),    TEST(threads_get_different_bytes), TEST(beyond_four_gigabytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
