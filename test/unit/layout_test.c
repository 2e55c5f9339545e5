/* SPDX-License-Identifier: MIT */
/* layout.h, ref.h, atomic.h: the bytes are where the format says, and no number of a peer leads outside. */
#include "unit.h"

#include <fcntl.h>

static void slots_from_owners(void **state)
{
    uint32_t slot = 77;
    (void)state;
    assert_false(ref_slot(0, &slot));
    assert_false(ref_slot(0xffffffff00000000ull, &slot));
    assert_false(ref_slot(LAYOUT_SLOTS + 1, &slot));
    assert_false(ref_slot(CELL_SLOT, &slot));
    assert_int_equal(slot, 77);
    assert_true(ref_slot(1, &slot));
    assert_int_equal(slot, 0);
    assert_true(ref_slot(LAYOUT_SLOTS | CELL_WAITERS, &slot));
    assert_int_equal(slot, LAYOUT_SLOTS - 1);
    for (uint32_t s = 0; s < LAYOUT_SLOTS; s++) {
        uint64_t owner = ref_owner(s, 0xffffffffu);
        assert_int_equal(owner & ~CELL_OWNER, 0);
        assert_int_equal(owner >> 32, 0xffffffffu);
        assert_true(ref_slot(owner, &slot));
        assert_int_equal(slot, s);
    }
}

static void parts(void **state)
{
    (void)state;
    assert_int_equal(ref_part(0, 10, 10), 10);
    assert_int_equal(ref_part(0, 11, 10), 10);
    assert_int_equal(ref_part(9, 5, 10), 1);
    assert_int_equal(ref_part(10, 5, 10), 0);
    assert_int_equal(ref_part(11, 5, 10), 0);
    assert_int_equal(ref_part(UINT64_MAX, UINT64_MAX, 10), 0);
    assert_int_equal(ref_part(1, UINT64_MAX, UINT64_MAX), UINT64_MAX - 1);
    assert_int_equal(ref_part(5, 0, 10), 0);
}

static void fits(void **state)
{
    (void)state;
    assert_true(ref_fits(0, 10, 10));
    assert_false(ref_fits(0, 11, 10));
    assert_true(ref_fits(9, 1, 10));
    assert_false(ref_fits(9, 2, 10));
    assert_true(ref_fits(10, 0, 10));
    assert_false(ref_fits(10, 1, 10));
    assert_false(ref_fits(11, 0, 10));
    assert_false(ref_fits(UINT64_MAX, 2, 10)); /* the sum would wrap to 1 */
    assert_false(ref_fits(2, UINT64_MAX, 10));
    assert_true(ref_fits(0, UINT64_MAX, UINT64_MAX));
}

static void flags_do_not_overlap(void **state)
{
    static const uint64_t bits[] = {CELL_WAITERS, CELL_CHANGE, CELL_POLL, CELL_RESERVED,
                                    CELL_NOTICE,  CELL_OWNER};
    uint64_t all = 0;
    (void)state;
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
        assert_int_equal(all & bits[i], 0);
        all |= bits[i];
    }
    assert_true(LAYOUT_SLOTS <= CELL_SLOT);
    assert_true(LAYOUT_SLOTS == SHMS_MEMBERS_MAX);
}

static void the_low_half(void **state)
{
    a64 cell;
    (void)state;
    a64_store_relaxed(&cell, 0x1111111122222222ull); /* relaxed: one thread */
    assert_int_equal(a32_load_relaxed(a64_low_half(&cell)), 0x22222222u);
}

/* The published format, byte by byte, as another implementation would read it from the file. */
static void a_fresh_control_file(void **state)
{
    static unsigned char bytes[LAYOUT_CONTROL_SIZE + 1];
    uint32_t u32;
    uint64_t u64;
    (void)state;
    shms_stream *s = unit_open(NAME, 12345, OPTIONS(.max_size = 1 << 20, .keep = 1));
    int fd = open(local_files.control, O_RDONLY | O_CLOEXEC);
    ssize_t got = pread(fd, bytes, sizeof bytes, 0);
    close(fd);
    shms_stream_close(s);
    assert_int_equal(shms_stream_unlink(NAME), 0);
    assert_int_equal(got, 20480);
    assert_memory_equal(bytes, "SHMSTRM", 8);
#define U32(offset) (memcpy(&u32, bytes + (offset), 4), u32)
#define U64(offset) (memcpy(&u64, bytes + (offset), 8), u64)
    assert_int_equal(U32(8), 3);
    assert_int_equal(U32(12), 0x01020304);
    assert_int_equal(U32(20), 20480);
    assert_int_equal(U32(24), STATE_READY);
    assert_int_equal(U32(28), FLAG_KEEP);
    assert_int_equal(U64(40), 1 << 20);
    assert_true(U64(48) > 1600000000000000000ull);
    assert_int_equal(U64(64), 0);
    assert_int_equal(U64(72), 0);
    assert_int_equal(U32(80), 0);
    assert_int_equal(U64(128), 12345);
    assert_int_equal(U32(256), 1);
    assert_int_equal(U32(260), getpid());
    assert_int_equal(U32(256 + 64), 0);
}

static void a_stamp_of_another_kind(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    struct control c, *own = s->section.member.region.control;
    memcpy(&c, own, sizeof c);
    assert_true(shms__stamp_ok(&c));
    for (size_t i = 0; i < offsetof(struct control, state); i++) {
        ((unsigned char *)&c)[i] ^= 1;
        assert_false(shms__stamp_ok(&c));
        ((unsigned char *)&c)[i] ^= 1;
    }
    assert_true(shms__stamp_ok(&c));
    shms_stream_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(slots_from_owners),    TEST(parts),        TEST(fits),
        TEST(flags_do_not_overlap), TEST(the_low_half), TEST(a_fresh_control_file),
        TEST(a_stamp_of_another_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
