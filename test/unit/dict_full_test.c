/* SPDX-License-Identifier: MIT */
/* Dicts that may grow, but shared memory is full: here the limit of a file's size, which tells the same. */
#include "dict.h"

#include "child.h"

#include <signal.h>

#define SIZE (1u << 20)
#define PAGE 65536u /* growth is a multiple of that */

static int tries; /* to grow */
int __real_shms__file_grow(const struct file *f, uint64_t from, uint64_t to, bool sparse);
int __wrap_shms__file_grow(const struct file *f, uint64_t from, uint64_t to, bool sparse);
int __wrap_shms__file_grow(const struct file *f, uint64_t from, uint64_t to, bool sparse)
{
    tries++;
    return __real_shms__file_grow(f, from, to, sparse);
}

static int limit_files(uint64_t size)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = size;
    return setrlimit(RLIMIT_FSIZE, &limit);
}

static uint64_t size_of(shms_dict *d)
{
    shms_dict_stats t = {.struct_size = sizeof t};
    return shms_dict_info(d, &t) == 0 ? t.size : 0;
}

/* Numbered records from `from` on, up to `most`. How many it took. */
static int fill(shms_dict *d, int from, int most, int64_t *ret_last)
{
    static const char value[1000];
    int n = 0;
    for (; n < most; n++) {
        int key = from + n;
        *ret_last = shms_dict_set(d, &key, sizeof key, value, sizeof value, NULL);
        if (*ret_last < 0)
            break;
    }
    return n;
}

static int nothing_goes(void *unused)
{
    int64_t last;
    (void)unused;
    shms_dict *d = dict_open(NAME, SIZE, DICT_OPTIONS(.max_size = 16 * SIZE, .value_max = 2000));
    EXPECT(limit_files(SIZE) == 0);
    int n = fill(d, 0, 100000, &last);
    EXPECT(last == SHMS_E_NOSPACE && size_of(d) == SIZE && n > 100);
    for (int key = 0; key < n; key++)
        EXPECT(shms_dict_del(d, &key, sizeof key, NULL) > 0);
    EXPECT(fill(d, n, n, &last) == n); /* in the place of the marks */
    EXPECT(limit_files(SIZE + 5 * PAGE) == 0); /* less than half of what there is */
    EXPECT(fill(d, 2 * n, 100000, &last) > 100 && last == SHMS_E_NOSPACE);
    EXPECT(size_of(d) == SIZE + 5 * PAGE && dict_wrong(d, true) == NULL);
    EXPECT(limit_files(RLIM_INFINITY) == 0);
    EXPECT(fill(d, 100000, 1000, &last) == 1000 && dict_wrong(d, true) == NULL); /* at once */
    shms_dict_close(d);
    return 0;
}

static int others_go(void *unused)
{
    int64_t last;
    (void)unused;
    shms_dict *d = dict_open(NAME, SIZE, DICT_OPTIONS(.max_size = 16 * SIZE, .value_max = 2000,
                                                      .policy = SHMS_EVICT_LRU));
    EXPECT(limit_files(SIZE) == 0);
    tries = 0;
    EXPECT(fill(d, 0, 20000, &last) == 20000 && size_of(d) == SIZE);
    EXPECT(tries > 0 && tries < 50);
    EXPECT(limit_files(RLIM_INFINITY) == 0);
    for (int i = 0; i < 20 && size_of(d) < 2 * SIZE; i++)
        EXPECT(fill(d, 20000, 5000, &last) == 5000);
    EXPECT(size_of(d) >= 2 * SIZE && dict_wrong(d, true) == NULL); /* it is tried again */
    shms_dict_close(d);
    return 0;
}

static void nothing_is_evicted(void **state)
{
    (void)state;
    assert_int_equal(unit_child(nothing_goes, NULL, 0), 0);
}

static void others_are_evicted(void **state)
{
    (void)state;
    assert_int_equal(unit_child(others_go, NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(nothing_is_evicted), TEST(others_are_evicted)};
    return cmocka_run_group_tests_name("dict_full", tests, NULL, NULL);
}
