/* SPDX-License-Identifier: MIT */
/*
 * ctest: timeout=300
 * A dict whose bytes a peer has overwritten: every call ends, with whatever code, and touches nothing
 * outside. Each word of the header, of the index and of the ring, and heads of cells, get each number of
 * which code may be fond; then words here and there at random.
 */
#include "dict.h"

#define SIZE 16384
#define NO_CODE (-32) /* from here on negative numbers are not codes */

static uint64_t random_state = 88172645463325252ull;

static uint64_t draw(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static int ignore_change(const void *key, size_t key_size, const shms_dict_record *r, void *context)
{
    uint64_t *sum = context;
    for (size_t i = 0; i < key_size; i++)
        *sum += ((const unsigned char *)key)[i];
    *sum += r->size;
    return 0;
}

/* Every call, with keys that are there and that are not. */
static void every_call(shms_dict *d)
{
    static char value[4096], found[4096], key[1024];
    uint64_t cursor = 0, sum = 0;
    int64_t since = 0, seen = 0, sum64;
    shms_dict_record r = {.struct_size = sizeof r};
    shms_dict_stats s = {.struct_size = sizeof s};
    for (int k = 0; k < 8; k++) {
        char name[8];
        size_t n = (size_t)snprintf(name, sizeof name, "%d", k * 3);
        assert_true(shms_dict_get(d, name, n, found, sizeof found, &r) <= (int64_t)d->value_max);
        assert_true(shms_dict_set(d, name, n, value, (size_t)k * 150, NULL) > NO_CODE);
    }
    assert_true(shms_dict_del(d, "5", 1, NULL) > NO_CODE);
    assert_true(shms_dict_add(d, "counter", 7, 1, 0, NULL, &sum64) > NO_CODE);
    for (int i = 0; i < 2000; i++) {
        size_t key_size = sizeof key, value_size = sizeof value;
        if (shms_dict_next(d, &cursor, key, &key_size, found, &value_size, &r) <= 0)
            break;
    }
    shms_dict_changes(d, &since, ignore_change, &sum);
    shms_dict_wait(d, "3", 1, &seen, 0);
    shms_dict_wait(d, NULL, 0, &seen, 0);
    shms_dict_lock(d, "lock", 4, 0);
    shms_dict_unlock(d, "lock", 4);
    shms_dict_info(d, &s);
    shms_dict_version(d);
}

static shms_dict *filled(void)
{
    shms_dict *d = dict_open(NAME, SIZE, DICT_OPTIONS(.cell_size = 64, .ring = 16, .now_ns = clock_ns));
    char value[500] = {0};
    for (int k = 0; k < 40; k++) {
        char key[8];
        size_t n = (size_t)snprintf(key, sizeof key, "%d", k);
        assert_true(shms_dict_set(d, key, n, value, (size_t)k % 3 * 100, k % 4 ? NULL : HOW(.ttl_ms = 5)) >
                    0);
        if (k % 7 == 0)
            shms_dict_del(d, key, n, NULL);
    }
    clock_now += 6000000;
    return d;
}

static void edges(void **state)
{
    (void)state;
    static unsigned char good[SIZE];
    shms_dict *d = filled();
    unsigned char *data = d->section.member.region.data;
    memcpy(good, data, SIZE);
    const uint64_t fond[] = {0, 1, 2, 7, 63, 64, 255, 256, 257, SIZE, 0x7fffffff, UINT32_MAX, 1ull << 32,
                             1ull << 56 | 40, 30ull << 56 | 40, INT64_MAX, 1ull << 63, UINT64_MAX};
    for (uint64_t at = 64; at < SIZE; at += at < 2048 ? 8 : 40)
        for (size_t i = 0; i <= sizeof fond / sizeof fond[0]; i++) {
            uint64_t word, mine;
            memcpy(&word, good + at, 8);
            mine = i < sizeof fond / sizeof fond[0] ? fond[i] : word + 1;
            memcpy(data + at, &mine, 8);
            every_call(d);
            memcpy(data, good, SIZE);
        }
    every_call(d);
    shms_dict_close(d);
}

/* The constant part, too: who opens it then. */
static void shapes(void **state)
{
    (void)state;
    static unsigned char good[SIZE];
    shms_dict *d = filled(), *other;
    unsigned char *data = d->section.member.region.data;
    memcpy(good, data, SIZE);
    for (int i = 0; i < 2000; i++) {
        uint32_t at = (uint32_t)draw() % 16 * 4, mine = draw() % 2 ? 1u << (draw() % 32) : (uint32_t)draw();
        memcpy(data + at, &mine, 4);
        if (shms_dict_open(NAME, 0, NULL, &other) == 0) {
            every_call(other);
            shms_dict_close(other);
        }
        memcpy(data, good, SIZE);
    }
    shms_dict_close(d);
}

static void at_random(void **state)
{
    (void)state;
    static unsigned char good[SIZE];
    shms_dict *d = filled();
    unsigned char *data = d->section.member.region.data;
    memcpy(good, data, SIZE);
    for (int i = 0; i < 5000; i++) {
        for (uint64_t n = draw() % 20 + 1; n > 0; n--) {
            uint64_t at = 64 + draw() % (draw() % 2 ? 700 : SIZE - 72), mine = draw() >> draw() % 64;
            memcpy(data + (at & ~7ull), &mine, 8);
        }
        every_call(d);
        if (i % 3 == 0) /* else it gets worse and worse */
            memcpy(data, good, SIZE);
    }
    memcpy(data, good, SIZE);
    shms_dict_close(d);
}

/* The number of the next change would be none. */
static void a_version_without_a_next(void **state)
{
    (void)state;
    shms_dict *d = filled();
    a64_store_relaxed(&d->header->version, INT64_MAX);
    assert_int_equal(dict_set(d, "1", "v"), SHMS_E_CORRUPT);
    assert_int_equal(dict_del(d, "1"), SHMS_E_CORRUPT);
    assert_int_equal(shms_dict_add(d, "n", 1, 1, 0, NULL, NULL), SHMS_E_CORRUPT);
    shms_dict_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(edges), TEST(shapes), TEST(at_random),
                                       TEST(a_version_without_a_next)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
