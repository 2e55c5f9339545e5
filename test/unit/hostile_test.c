/* SPDX-License-Identifier: MIT */
/* What a hostile peer writes into control, and what must not come of it. test/hostile found each of them. */
#include "unit.h"

#define SIZE 4096u
#define MOST 65536u

/* No size that a peer writes leads a reader behind the end of the file, where every touch is SIGBUS. */
static void a_size_without_memory(void **state)
{
    (void)state;
    static const uint64_t lies[] = {SIZE + 1, 2 * SIZE, MOST - 1, MOST, MOST + 1, 1ull << 40, UINT64_MAX};
    static unsigned char buf[MOST];
    for (uint32_t access = 0; access < 2; access++) {
        shms_stream *s = unit_open(NAME, SIZE, OPTIONS(.max_size = MOST));
        shms_stream *t = unit_open(NAME, 0, OPTIONS(.access = access, .max_size = MOST));
        for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
            a64_store_relaxed(&s->section.member.region.control->size, lies[i]);
            assert_int_equal(shms_stream_size(t), SIZE);
            assert_int_equal(shms_stream_pread(t, buf, MOST, 0), SIZE);
            assert_int_equal(shms_stream_snapshot(t, buf, MOST, 0), SIZE);
            assert_int_equal(shms_stream_snapshot(t, buf, SIZE, SIZE), 0);
            assert_int_equal(shms_stream_seek(t, 0, SEEK_END), SIZE);
            assert_int_equal(shms_stream_pwrite(t, buf, 1, SIZE), access ? SHMS_E_READ_ONLY : SHMS_E_RANGE);
        }
        a64_store_relaxed(&s->section.member.region.control->size, SIZE);
        shms_stream_close(t);
        shms_stream_close(s);
    }
}

/* But an honest growth is seen by all. */
static void a_size_with_memory(void **state)
{
    (void)state;
    unsigned char byte = 1;
    shms_stream *s = unit_open(NAME, SIZE, OPTIONS(.max_size = MOST));
    shms_stream *t = unit_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ));
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_resize(s, MOST), 0);
    assert_int_equal(shms_stream_pwrite(s, &byte, 1, MOST - 1), 1);
    assert_int_equal(shms_stream_unlock(s), 0);
    byte = 0;
    assert_int_equal(shms_stream_size(t), MOST);
    assert_int_equal(shms_stream_snapshot(t, &byte, 1, MOST - 1), 1);
    assert_int_equal(byte, 1);
    shms_stream_close(t);
    shms_stream_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(a_size_without_memory), TEST(a_size_with_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
