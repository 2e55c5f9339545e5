/* SPDX-License-Identifier: MIT */
/* stream.c: the options struct of any length, each bad value, and the calls' own arguments. */
#include "unit.h"

static void null_and_default(void **state)
{
    shms_stream *s = (void *)1;
    (void)state;
    assert_int_equal(shms_stream_open(NAME, 16, NULL, NULL), SHMS_E_INVALID);
    assert_int_equal(shms_stream_open(NULL, 0, NULL, &s), SHMS_E_INVALID);
    assert_int_equal(shms_stream_open("", 16, NULL, &s), SHMS_E_INVALID);
    assert_int_equal(shms_stream_open(NAME, 0, NULL, &s), SHMS_E_NOT_FOUND);
    assert_ptr_equal(s, (void *)1); /* written on success only */
    shms_stream_close(NULL);
    assert_null(shms_stream_memory(NULL));
    assert_int_equal(shms_stream_size(NULL), 0);
    assert_int_equal(shms_stream_existed(NULL), 0);
    assert_int_equal(shms_stream_poll_fd(NULL), SHMS_E_INVALID);
    shms_stream *defaults = unit_open(NAME, 16, OPTIONS(.keep = 0));
    assert_int_equal(defaults->section.member.region.timeout_ns, 5000000000);
    assert_int_equal(defaults->section.member.region.capacity, 16);
    assert_true(defaults->section.member.region.writable);
    shms_stream_close(defaults);
}

static void bad_values(void **state)
{
    const shms_stream_options bad[] = {
        {.access = 2},
        {.access = UINT32_MAX},
        {.create = 3},
        {.owners = 4},
        {.mode = 01666},
        {.mode = 0777},
        {.mode = 0606 | 1},
        {.mode = 0400},
        {.mode = 0066},
        {.max_size = 15},
        {.max_size = (1ull << 62) + 1},
        {.max_size = UINT64_MAX},
        {.open_timeout_ms = -1},
        {.open_timeout_ms = INT32_MIN},
        {.keep = 2},
        {.sparse = 2},
        {.huge_pages = 2},
        {.lock_memory = 255},
        {.atomic = 2},
        {.no_bell = 2},
        {.reserved = {1}},
        {.no_guard = 2},
        {.reserved = {0, 0, 0, 1}},
        {.tasks = 2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        shms_stream_options o = bad[i];
        o.struct_size = sizeof o;
        if (unit_refused(NAME, 16, &o) != SHMS_E_INVALID)
            fail_msg("bad options %zu were taken", i);
    }
    assert_int_equal(unit_names(), 0);
}

static void good_values(void **state)
{
    (void)state;
    shms_stream_close(unit_open(NAME, 16, OPTIONS(.max_size = 16)));
    shms_stream_close(unit_open(NAME, 16, OPTIONS(.huge_pages = 1, .open_timeout_ms = INT32_MAX)));
    shms_stream_close(unit_open(NAME, 16, OPTIONS(.owners = SHMS_OWNER_ANY, .mode = 0666)));
    shms_stream_close(unit_open(NAME, 1, NULL));
}

static void struct_sizes(void **state)
{
    struct {
        shms_stream_options o;
        unsigned char tail[64];
    } longer = {.o = {.struct_size = sizeof longer}};
    (void)state;
    for (uint32_t size = 0; size < 8; size++) {
        shms_stream_options o = {.struct_size = size};
        assert_int_equal(unit_refused(NAME, 16, &o), SHMS_E_INVALID);
    }
    shms_stream_close(unit_open(NAME, 16, &longer.o)); /* a tail of zeros */
    longer.tail[sizeof longer.tail - 1] = 1;
    assert_int_equal(unit_refused(NAME, 16, &longer.o), SHMS_E_INVALID);
    longer.tail[sizeof longer.tail - 1] = 0;
    longer.tail[0] = 1;
    assert_int_equal(unit_refused(NAME, 16, &longer.o), SHMS_E_INVALID);
    longer.o.struct_size = sizeof longer.o; /* what stands behind the struct is not looked at */
    shms_stream_close(unit_open(NAME, 16, &longer.o));
}

/* A struct of an older header: what it does not reach is the default, whatever stands there. */
static void a_short_struct(void **state)
{
    shms_stream_options o;
    (void)state;
    memset(&o, 0xff, sizeof o);
    o.struct_size = 8;
    o.access = SHMS_ACCESS_READ_WRITE;
    shms_stream_close(unit_open(NAME, 16, &o));
    o.struct_size = offsetof(shms_stream_options, owners);
    o.create = SHMS_OPEN_ONLY;
    assert_int_equal(unit_refused(NAME, 16, &o), SHMS_E_NOT_FOUND);
    o.struct_size += 2; /* half a field counts as far as it goes */
    assert_int_equal(unit_refused(NAME, 16, &o), SHMS_E_INVALID);
}

static void the_struct_has_its_published_shape(void **state)
{
    (void)state;
    assert_int_equal(offsetof(shms_stream_options, access), 4);
    assert_int_equal(offsetof(shms_stream_options, mode), 20);
    assert_int_equal(offsetof(shms_stream_options, max_size), 24);
    assert_int_equal(offsetof(shms_stream_options, open_timeout_ms), 32);
    assert_int_equal(offsetof(shms_stream_options, keep), 36);
    assert_int_equal(offsetof(shms_stream_options, atomic), 40);
    assert_int_equal(offsetof(shms_stream_options, tasks), 43);
    assert_int_equal(offsetof(shms_stream_options, init), 48);
    assert_int_equal(sizeof(shms_stream_options), 48 + 2 * sizeof(void *));
    assert_int_equal(sizeof(shms_info), 88);
}

static void read_only_handles(void **state)
{
    (void)state;
    /* a reader may also be the one who creates */
    shms_stream *s = unit_open(NAME, 16, OPTIONS(.access = SHMS_ACCESS_READ));
    assert_int_equal(shms_stream_existed(s), 0);
    assert_int_equal(*(const char *)shms_stream_memory(s), 0);
    assert_int_equal(shms_stream_write(s, "x", 1), SHMS_E_READ_ONLY);
    assert_int_equal(shms_stream_resize(s, 1), SHMS_E_READ_ONLY);
    assert_int_equal(shms_stream_notify(s), SHMS_E_READ_ONLY);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    shms_stream *writer = unit_open(NAME, 0, NULL);
    assert_int_equal(shms_stream_write(writer, "x", 1), 1);
    assert_int_equal(*(const char *)shms_stream_memory(s), 'x');
    shms_stream_close(writer);
    shms_stream_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(null_and_default), TEST(bad_values),
        TEST(good_values),      TEST(struct_sizes),
        TEST(a_short_struct),   TEST(the_struct_has_its_published_shape),
        TEST(read_only_handles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
