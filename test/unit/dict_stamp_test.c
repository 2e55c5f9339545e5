/* SPDX-License-Identifier: MIT */
/* change.c: when and on which machine a record was written, as bridges between machines need it. */
#include "dict.h"

#define SIZE 65536
#define SET(d, key, ...) shms_dict_set(d, key, strlen(key), "v", 1, HOW(__VA_ARGS__))
#define DEL(d, key, ...) shms_dict_del(d, key, strlen(key), HOW(__VA_ARGS__))

static shms_dict *dict_at(int64_t now)
{
    clock_now = now;
    return dict_open(NAME, SIZE, DICT_OPTIONS(.now_ns = clock_ns));
}

static shms_dict_record record_of(shms_dict *d, const char *key)
{
    shms_dict_record r = {.struct_size = sizeof r};
    assert_true(shms_dict_get(d, key, strlen(key), NULL, 0, &r) >= 0);
    return r;
}

static void is(shms_dict_record r, int64_t stamp_ns, uint64_t origin)
{
    assert_int_equal(r.stamp_ns, stamp_ns);
    assert_int_equal(r.origin, origin);
}

static int keep_last(const void *key, size_t key_size, const shms_dict_record *r, void *context)
{
    (void)key, (void)key_size;
    *(shms_dict_record *)context = *r;
    return 0;
}

/* What the feed tells last. */
static shms_dict_record last_told(shms_dict *d)
{
    shms_dict_record r = {0};
    int64_t since = shms_dict_version(d) - 1;
    assert_int_equal(shms_dict_changes(d, &since, keep_last, &r), 1);
    return r;
}

/* A clock that stands still, or is set back: each change has a later stamp than the one before. */
static void later_than_the_one_before(void **state)
{
    (void)state;
    shms_dict *d = dict_at(5000);
    dict_set(d, "a", "1");
    is(record_of(d, "a"), 5000, 0);
    dict_set(d, "b", "1");
    is(record_of(d, "b"), 5001, 0);
    clock_now = 4000;
    dict_set(d, "a", "2");
    is(record_of(d, "a"), 5002, 0);
    assert_true(shms_dict_add(d, "n", 1, 1, 0, NULL, NULL) > 0);
    is(record_of(d, "n"), 5003, 0);
    dict_del(d, "a");
    is(last_told(d), 5004, 0);
    clock_now = 6000;
    dict_set(d, "a", "3");
    is(record_of(d, "a"), 6000, 0);
    shms_dict_close(d);
}

/* What another machine wrote keeps its stamp, and what is written here afterwards is later. */
static void from_elsewhere(void **state)
{
    (void)state;
    shms_dict *d = dict_at(5000);
    assert_true(SET(d, "a", .stamp_ns = 9000, .origin = 7) > 0);
    is(record_of(d, "a"), 9000, 7);
    is(last_told(d), 9000, 7);
    dict_set(d, "a", "here");
    is(record_of(d, "a"), 9001, 0);
    assert_true(SET(d, "b", .stamp_ns = 100, .origin = 7) > 0);
    is(record_of(d, "b"), 100, 7);
    assert_true(DEL(d, "b", .stamp_ns = 9500, .origin = 8) > 0);
    is(last_told(d), 9500, 8);
    dict_set(d, "b", "again");
    is(record_of(d, "b"), 9501, 0);
    uint64_t cursor = 0;
    shms_dict_record r = {.struct_size = sizeof r};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(shms_dict_next(d, &cursor, NULL, NULL, NULL, NULL, &r), 1);
        assert_true(r.stamp_ns == 9001 || r.stamp_ns == 9501);
    }
    assert_null(dict_wrong(d, true));
    shms_dict_close(d);
}

static void bad_stamps(void **state)
{
    (void)state;
    shms_dict *d = dict_at(5000);
    assert_int_equal(SET(d, "a", .stamp_ns = -1), SHMS_E_INVALID);
    assert_int_equal(SET(d, "a", .origin = 3), SHMS_E_INVALID);
    dict_set(d, "a", "1");
    assert_int_equal(DEL(d, "a", .stamp_ns = -1), SHMS_E_INVALID);
    assert_int_equal(DEL(d, "a", .origin = 3), SHMS_E_INVALID);
    is(record_of(d, "a"), 5000, 0);
    shms_dict_close(d);
}

/* A peer's or a stranger's number can be the greatest there is: the clock goes on to stamp. */
static void end_of_time(void **state)
{
    (void)state;
    shms_dict *d = dict_at(5000);
    assert_true(SET(d, "a", .stamp_ns = INT64_MAX, .origin = 7) > 0);
    dict_set(d, "b", "1");
    is(record_of(d, "b"), 5000, 0);
    dict_set(d, "c", "1");
    is(record_of(d, "c"), 5001, 0);
    shms_dict_close(d);
}

/* Without a clock of one's own it is the system's. */
static void wall_clock(void **state)
{
    (void)state;
    shms_dict *d = dict_open(NAME, SIZE, NULL);
    int64_t before = shms__wall_ns();
    dict_set(d, "a", "1");
    int64_t stamp = record_of(d, "a").stamp_ns, tick = 20000000;
    assert_true(stamp > before - tick && stamp <= shms__wall_ns());
    shms_dict_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(later_than_the_one_before), TEST(from_elsewhere), TEST(bad_stamps),
        TEST(end_of_time),               TEST(wall_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
