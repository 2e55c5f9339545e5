/* SPDX-License-Identifier: MIT */
/* dict.c and below: get, set, del, add; conditions, expiry, the whole-dict check, and what users of peers
 * reported. */
#include "dict.h"

#define SIZE 65536
#define SMALL DICT_OPTIONS(.cell_size = 64)

static void is_whole(shms_dict *d)
{
    const char *wrong = dict_wrong(d, true);
    if (wrong)
        print_error("%s\n", wrong);
    assert_null(wrong);
}

static shms_dict_record record_of(shms_dict *d, const char *key)
{
    shms_dict_record r = {.struct_size = sizeof r};
    assert_true(shms_dict_get(d, key, strlen(key), NULL, 0, &r) >= 0);
    return r;
}

static shms_dict_stats stats_of(shms_dict *d)
{
    shms_dict_stats s = {.struct_size = sizeof s};
    assert_int_equal(shms_dict_info(d, &s), 0);
    return s;
}

/* ---- hash */

static void hash_is_siphash(void **state)
{
    (void)state;
    /* of SipHash-1-3, by an implementation of others, under the key 00 01 .. 0f; the text is 00 01 .. n-1 */
    static const struct {
        size_t n;
        uint64_t hash;
    } known[] = {{0, 0xabac0158050fc4dcull}, {1, 0xc9f49bf37d57ca93ull}, {2, 0x82cb9b024dc7d44dull}};
    const uint64_t key[2] = {0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull};
    unsigned char text[64];
    for (unsigned i = 0; i < sizeof text; i++)
        text[i] = (unsigned char)i;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(shms__siphash(key, text, known[i].n), known[i].hash);
    /* each bit of text and key counts */
    for (size_t n = 1; n < sizeof text; n++) {
        uint64_t before = shms__siphash(key, text, n);
        text[n - 1] ^= 1;
        assert_int_not_equal(before, shms__siphash(key, text, n));
        text[n - 1] ^= 1;
    }
}

/* ---- the plain calls */

static void set_get_del(void **state)
{
    (void)state;
    shms_dict *d = dict_open(NAME, SIZE, NULL), *other = dict_open(NAME, 0, NULL);
    assert_int_equal(shms_dict_version(d), 0);
    assert_true(dict_is(other, "colour", NULL));
    assert_int_equal(dict_set(d, "colour", "blue"), 1);
    assert_int_equal(dict_set(other, "shape", "round"), 2);
    assert_true(dict_is(other, "colour", "blue"));
    assert_true(dict_is(d, "shape", "round"));
    assert_int_equal(dict_set(other, "colour", "red"), 3);
    assert_true(dict_is(d, "colour", "red"));
    assert_int_equal(record_of(d, "colour").version, 3);
    assert_int_equal(record_of(d, "colour").size, 3);
    assert_int_equal(dict_set(d, "empty", ""), 4);
    assert_true(dict_is(d, "empty", ""));
    assert_int_equal(dict_del(d, "colour"), 5);
    assert_int_equal(dict_del(d, "colour"), SHMS_E_NOT_FOUND);
    assert_true(dict_is(other, "colour", NULL));
    assert_int_equal(dict_set(d, "colour", "green"), 6); /* never an old version */
    char c;
    assert_int_equal(shms_dict_get(d, "shape", 5, &c, 1, NULL), 5);
    assert_int_equal(c, 'r');
    assert_int_equal(stats_of(d).records, 3);
    is_whole(d);
    shms_dict_close(other);
    shms_dict_close(d);
}

/* Values of all lengths around the ends of cells, in cells of three sizes. */
static void lengths(void **state)
{
    (void)state;
    static const uint32_t cells[] = {64, 256, 4096};
    static unsigned char value[9000], found[sizeof value + 1];
    for (size_t i = 0; i < sizeof value; i++)
        value[i] = (unsigned char)(i * 7 + i / 251);
    for (int k = 0; k < 3; k++) {
        shms_dict *d = dict_open(NAME, 1 << 20, DICT_OPTIONS(.cell_size = cells[k], .key_max = 1024));
        char key[1024];
        memset(key, 'k', sizeof key);
        for (size_t key_size = 1; key_size <= sizeof key; key_size = key_size * 3 / 2 + 1)
            for (size_t n = 0; n <= sizeof value; n = n < 500 ? n + 13 : n * 2) {
                assert_true(shms_dict_set(d, key, key_size, value, n, NULL) > 0);
                assert_int_equal(shms_dict_get(d, key, key_size, found, sizeof found, NULL), n);
                assert_memory_equal(value, found, n);
            }
        is_whole(d);
        shms_dict_close(d);
    }
}

static void conditions(void **state)
{
    (void)state;
    shms_dict *d = dict_open(NAME, SIZE, NULL);
    assert_int_equal(shms_dict_set(d, "k", 1, "a", 1, HOW(.if_version = 7)), SHMS_E_CHANGED);
    assert_int_equal(shms_dict_set(d, "k", 1, "a", 1, HOW(.if_version = -1)), 1);
    assert_int_equal(shms_dict_set(d, "k", 1, "b", 1, HOW(.if_version = -1)), SHMS_E_EXISTS);
    assert_int_equal(shms_dict_set(d, "k", 1, "b", 1, HOW(.if_version = 1)), 2);
    assert_int_equal(shms_dict_set(d, "k", 1, "c", 1, HOW(.if_version = 1)), SHMS_E_CHANGED);
    assert_int_equal(shms_dict_del(d, "k", 1, HOW(.if_version = 1)), SHMS_E_CHANGED);
    assert_true(dict_is(d, "k", "b"));
    assert_int_equal(shms_dict_del(d, "k", 1, HOW(.if_version = 2)), 3);
    assert_int_equal(shms_dict_del(d, "k", 1, HOW(.if_version = 2)), SHMS_E_CHANGED);
    assert_int_equal(shms_dict_set(d, "k", 1, "c", 1, HOW(.if_version = 2)), SHMS_E_CHANGED); /* deleted */
    assert_int_equal(shms_dict_version(d), 3);
    is_whole(d);
    shms_dict_close(d);
}

static void counters(void **state)
{
    (void)state;
    shms_dict *d = dict_open(NAME, SIZE, DICT_OPTIONS(.now_ns = clock_ns));
    int64_t n = 0;
    assert_int_equal(shms_dict_add(d, "n", 1, 5, 100, NULL, &n), 1);
    assert_int_equal(n, 105);
    assert_int_equal(shms_dict_add(d, "n", 1, -200, 7, NULL, &n), 2);
    assert_int_equal(n, -95);
    assert_int_equal(shms_dict_add(d, "n", 1, 1, 0, HOW(.if_version = 1), &n), SHMS_E_CHANGED);
    assert_int_equal(shms_dict_add(d, "n", 1, INT64_MIN, 0, NULL, &n), SHMS_E_RANGE);
    assert_int_equal(n, -95);
    dict_set(d, "text", "seven");
    assert_int_equal(shms_dict_add(d, "text", 4, 1, 0, NULL, &n), SHMS_E_INVALID);
    /* openresty/lua-nginx-module#328: the second add keeps the expiry of the first */
    assert_true(shms_dict_add(d, "ttl", 3, 1, 0, HOW(.ttl_ms = 1000), &n) > 0);
    clock_now += 600000000;
    assert_true(shms_dict_add(d, "ttl", 3, 1, 0, HOW(.ttl_ms = 1000), &n) > 0);
    assert_int_equal(n, 2);
    clock_now += 600000000;
    assert_true(dict_is(d, "ttl", NULL));
    assert_true(shms_dict_add(d, "ttl", 3, 1, 0, NULL, &n) > 0);
    assert_int_equal(n, 1);
    assert_int_equal(record_of(d, "ttl").expires_ns, 0);
    is_whole(d);
    shms_dict_close(d);
}

static void expiry(void **state)
{
    (void)state;
    shms_dict *d = dict_open(NAME, SIZE, DICT_OPTIONS(.now_ns = clock_ns));
    assert_true(shms_dict_set(d, "a", 1, "1", 1, HOW(.ttl_ms = 10)) > 0);
    assert_true(shms_dict_set(d, "b", 1, "2", 1, HOW(.expires_ns = clock_now + 20000000)) > 0);
    assert_int_equal(record_of(d, "a").expires_ns, clock_now + 10000000);
    clock_now += 9999999;
    assert_true(dict_is(d, "a", "1"));
    clock_now++; /* expired is now >= expires_ns */
    assert_true(dict_is(d, "a", NULL));
    assert_int_equal(shms_dict_set(d, "a", 1, "3", 1, HOW(.if_version = 1)), SHMS_E_CHANGED);
    assert_int_equal(shms_dict_del(d, "a", 1, NULL), SHMS_E_NOT_FOUND);
    assert_int_equal(stats_of(d).expired, 1);
    assert_true(shms_dict_set(d, "a", 1, "4", 1, HOW(.if_version = -1)) > 0);
    assert_true(dict_set(d, "b", "5") > 0); /* a plain set takes the expiry away */
    clock_now += 1000000000;
    assert_true(dict_is(d, "a", "4"));
    assert_true(dict_is(d, "b", "5"));
    is_whole(d);
    shms_dict_close(d);
}

static void bad_input(void **state)
{
    (void)state;
    shms_dict *d = dict_open(NAME, SIZE, DICT_OPTIONS(.key_max = 16, .value_max = 100)), *none = NULL;
    char big[200] = {0}, buf[8];
    assert_int_equal(shms_dict_set(d, "", 0, "v", 1, NULL), SHMS_E_INVALID);
    assert_int_equal(shms_dict_set(d, NULL, 1, "v", 1, NULL), SHMS_E_INVALID);
    assert_int_equal(shms_dict_set(d, "k", 1, NULL, 1, NULL), SHMS_E_INVALID);
    assert_int_equal(shms_dict_set(NULL, "k", 1, "v", 1, NULL), SHMS_E_INVALID);
    assert_int_equal(shms_dict_set(d, big, 17, "v", 1, NULL), SHMS_E_RANGE);
    assert_int_equal(shms_dict_set(d, "k", 1, big, 101, NULL), SHMS_E_RANGE);
    assert_int_equal(shms_dict_set(d, "k", 1, "v", 1, HOW(.ttl_ms = 1, .expires_ns = 1)), SHMS_E_INVALID);
    assert_int_equal(shms_dict_set(d, "k", 1, "v", 1, HOW(.ttl_ms = -1)), SHMS_E_INVALID);
    assert_int_equal(shms_dict_set(d, "k", 1, "v", 1, HOW(.expires_ns = -1)), SHMS_E_INVALID);
    assert_int_equal(shms_dict_set(d, "k", 1, "v", 1, HOW(.if_version = -2)), SHMS_E_INVALID);
    assert_int_equal(shms_dict_set(d, "k", 1, "v", 1, HOW(.flags = 2)), SHMS_E_INVALID);
    assert_int_equal(shms_dict_set(d, "k", 1, "v", 1, HOW(.ttl_ms = INT64_MAX)), SHMS_E_RANGE);
    assert_int_equal(shms_dict_del(d, "k", 1, HOW(.ttl_ms = 1)), SHMS_E_INVALID);
    assert_int_equal(shms_dict_del(d, "k", 1, HOW(.if_version = -1)), SHMS_E_INVALID);
    assert_int_equal(shms_dict_get(d, "k", 1, NULL, 1, NULL), SHMS_E_INVALID);
    assert_int_equal(shms_dict_get(d, "k", 1, buf, 8, &(shms_dict_record){.struct_size = 4}), SHMS_E_INVALID);
    assert_int_equal(shms_dict_open(NAME, 0, DICT_OPTIONS(.key_max = 17), &none), SHMS_E_INVALID);
    assert_int_equal(shms_dict_open(NAME, 0, DICT_OPTIONS(.policy = SHMS_EVICT_LRU), &none), SHMS_E_INVALID);
    assert_int_equal(shms_dict_open(NAME, 0, DICT_OPTIONS(.cell_size = 64), &none), SHMS_E_INVALID);
    assert_int_equal(shms_dict_open(NAME, 2 * SIZE, NULL, &none), SHMS_E_SIZE);
    assert_int_equal(shms_dict_open(NAME, SIZE, DICT_OPTIONS(.reserved = {1}), &none), SHMS_E_INVALID);
    assert_int_equal(shms_dict_version(d), 0);
    shms_dict *reads = dict_open(NAME, 0, DICT_OPTIONS(.access = SHMS_ACCESS_READ));
    dict_set(d, "k", "v");
    assert_true(dict_is(reads, "k", "v"));
    assert_int_equal(dict_set(reads, "k", "w"), SHMS_E_READ_ONLY);
    assert_int_equal(dict_del(reads, "k"), SHMS_E_READ_ONLY);
    shms_dict_close(reads);
    shms_stream *s;
    assert_int_equal(shms_stream_open(NAME, 0, NULL, &s), SHMS_E_KIND);
    shms_dict_close(d);
    static const shms_dict_options bad[] = {
        {.struct_size = sizeof bad[0], .cell_size = 100},
        {.struct_size = sizeof bad[0], .cell_size = 8192},
        {.struct_size = sizeof bad[0], .ring = 17},
        {.struct_size = sizeof bad[0], .key_max = 1025},
        {.struct_size = sizeof bad[0], .policy = 3},
        {.struct_size = sizeof bad[0], .value_max = SIZE / 4 + 1},
        {.struct_size = 4},
        {.struct_size = sizeof bad[0], .access = 2},
        {.struct_size = sizeof bad[0], .ring = 8192},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(shms_dict_open(NAME, SIZE, &bad[i], &none), SHMS_E_INVALID);
    assert_int_equal(shms_dict_open(NAME, SHMS_DICT_SIZE_MIN - 1, NULL, &none), SHMS_E_INVALID);
    s = unit_open(NAME, SIZE, NULL);
    assert_int_equal(shms_dict_open(NAME, 0, NULL, &none), SHMS_E_KIND);
    shms_stream_close(s);
    shms_dict_close(NULL);
}

/* ---- a model beside random operations */

enum { KEYS = 300, VALUE = 400 };

struct model {
    struct {
        int64_t version, expires_ns;
        uint32_t size;
        unsigned char seed;
        bool there;
    } key[KEYS];
    uint64_t random;
};

static uint32_t draw(struct model *m, uint32_t n)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (uint32_t)(m->random >> 20) % n;
}

static void value_of(unsigned char *value, uint32_t size, unsigned char seed)
{
    for (uint32_t i = 0; i < size; i++)
        value[i] = (unsigned char)(seed + i * 3);
}

static bool alive(const struct model *m, uint32_t k)
{
    return m->key[k].there && (m->key[k].expires_ns == 0 || clock_now < m->key[k].expires_ns);
}

static void check_key(struct model *m, shms_dict *d, uint32_t k, bool may_be_evicted)
{
    unsigned char found[VALUE], value[VALUE];
    char key[16];
    shms_dict_record r = {.struct_size = sizeof r};
    size_t key_size = (size_t)snprintf(key, sizeof key, "key %u", k);
    int64_t n = shms_dict_get(d, key, key_size, found, sizeof found, &r);
    if (n == SHMS_E_NOT_FOUND && may_be_evicted)
        m->key[k].there = false;
    if (!alive(m, k)) {
        assert_int_equal(n, SHMS_E_NOT_FOUND);
        return;
    }
    assert_int_equal(n, m->key[k].size);
    assert_int_equal(r.version, m->key[k].version);
    assert_int_equal(r.expires_ns, m->key[k].expires_ns);
    value_of(value, m->key[k].size, m->key[k].seed);
    assert_memory_equal(found, value, (size_t)n);
}

static void random_set(struct model *m, shms_dict *d, uint32_t k, bool evicts)
{
    unsigned char value[VALUE], seed = (unsigned char)draw(m, 256);
    char key[16];
    size_t key_size = (size_t)snprintf(key, sizeof key, "key %u", k);
    uint32_t size = draw(m, 4) ? draw(m, 60) : draw(m, VALUE);
    check_key(m, d, k, evicts);
    shms_dict_how how = {.struct_size = sizeof how};
    if (draw(m, 4) == 0)
        how.ttl_ms = draw(m, 20) + 1;
    uint32_t condition = draw(m, 6);
    how.if_version = condition == 0 ? -1 : condition == 1 ? (int64_t)draw(m, 1000) + 1 : 0;
    if (condition == 2 && alive(m, k))
        how.if_version = m->key[k].version;
    int64_t expect = how.if_version < 0 && alive(m, k) ? SHMS_E_EXISTS
                     : how.if_version > 0 && (!alive(m, k) || m->key[k].version != how.if_version) ?
                     SHMS_E_CHANGED : 0;
    value_of(value, size, seed);
    int64_t rc = shms_dict_set(d, key, key_size, value, size, &how);
    if (expect < 0) {
        assert_int_equal(rc, expect);
        return;
    }
    assert_true(rc > 0 || (!evicts && rc == SHMS_E_FULL));
    if (rc < 0)
        return;
    m->key[k].version = rc;
    m->key[k].expires_ns = how.ttl_ms ? clock_now + how.ttl_ms * 1000000 : 0;
    m->key[k].size = size;
    m->key[k].seed = seed;
    m->key[k].there = true;
}

static void random_del(struct model *m, shms_dict *d, uint32_t k, bool evicts)
{
    char key[16];
    size_t key_size = (size_t)snprintf(key, sizeof key, "key %u", k);
    check_key(m, d, k, evicts);
    int64_t rc = shms_dict_del(d, key, key_size, NULL);
    if (alive(m, k))
        assert_true(rc > 0);
    else
        assert_int_equal(rc, SHMS_E_NOT_FOUND);
    m->key[k].there = false;
}

static void random_run(uint32_t cell_size, uint64_t size, uint64_t max_size, uint32_t policy, uint64_t seed)
{
    struct model m = {.random = seed * 0x9e3779b97f4a7c15ull + 1};
    bool evicts = policy == SHMS_EVICT_LRU;
    shms_dict *d = dict_open(NAME, size,
                             DICT_OPTIONS(.cell_size = cell_size, .policy = policy, .now_ns = clock_ns,
                                          .value_max = 1024, .ring = 64, .max_size = max_size));
    for (int i = 0; i < 20000; i++) {
        uint32_t k = draw(&m, KEYS), what = draw(&m, 10);
        if (what < 6)
            random_set(&m, d, k, evicts);
        else if (what < 9)
            random_del(&m, d, k, evicts);
        else
            check_key(&m, d, k, evicts);
        if (draw(&m, 100) == 0)
            clock_now += draw(&m, 10) * 1000000;
        if (i % 200 == 0)
            is_whole(d);
    }
    for (uint32_t k = 0; k < KEYS; k++)
        check_key(&m, d, k, evicts);
    is_whole(d);
    shms_dict_close(d);
}

static void against_a_model(void **state)
{
    (void)state;
    static const uint32_t cells[] = {64, 256, 1024};
    for (uint64_t seed = 1; seed <= 2; seed++)
        for (int k = 0; k < 3; k++) {
            random_run(cells[k], 1 << 20, 0, SHMS_EVICT_NONE, seed);
            random_run(cells[k], 65536, 0, SHMS_EVICT_NONE, seed);
            random_run(cells[k], 65536, 0, SHMS_EVICT_LRU, seed);
            random_run(cells[k], 65536, 1 << 20, SHMS_EVICT_NONE, seed);
        }
}

/* ---- what users of peers reported */

/* Fill with records of n bytes until it is full; how many. */
static int fill_up(shms_dict *d, const void *value, size_t n)
{
    for (int i = 0;; i++) {
        char key[16];
        int64_t rc = shms_dict_set(d, key, (size_t)snprintf(key, sizeof key, "%d", i), value, n, NULL);
        if (rc == SHMS_E_FULL)
            return i;
        assert_true(rc > 0);
    }
}

/* openresty/lua-nginx-module#1365: a value that can never fit leaves the old one and evicts nothing. */
static void too_large(void **state)
{
    (void)state;
    static const char big[SIZE];
    shms_dict *d = dict_open(NAME, SIZE, DICT_OPTIONS(.policy = SHMS_EVICT_LRU, .value_max = 4096));
    for (int i = 0; i < 50; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        dict_set(d, key, "old");
    }
    assert_int_equal(shms_dict_set(d, "7", 1, big, sizeof big, NULL), SHMS_E_RANGE);
    assert_true(dict_is(d, "7", "old"));
    assert_int_equal(stats_of(d).records, 50);
    assert_int_equal(stats_of(d).evicted, 0);
    is_whole(d);
    shms_dict_close(d);
}

/* openresty/lua-nginx-module#175, #1692: there are no classes of sizes in which memory stays. */
static void every_second(void **state)
{
    (void)state;
    static const char value[4096];
    shms_dict *d = dict_open(NAME, 1 << 20, NULL);
    int n = fill_up(d, value, 400), before = (int)stats_of(d).cells_free;
    assert_true(n > 1000);
    for (int i = 0; i < n; i += 2) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        assert_true(dict_del(d, key) > 0);
    }
    assert_true((int)stats_of(d).cells_free > before);
    /* half of what was freed, in larger and in smaller records: the marks of the deleted ones give way */
    for (int i = 0; i < n * 400 / 4 / 4096; i++) {
        char key[16];
        size_t key_size = (size_t)snprintf(key, sizeof key, "large %d", i);
        assert_true(shms_dict_set(d, key, key_size, value, sizeof value, NULL) > 0);
    }
    is_whole(d);
    shms_dict_close(d);
}

/* twitter/twemcache#27: replace all records by larger ones, while others are evicted for them. */
static void larger_ones(void **state)
{
    (void)state;
    static const char value[8192];
    shms_dict *d = dict_open(NAME, 1 << 20, DICT_OPTIONS(.policy = SHMS_EVICT_LRU));
    for (size_t n = 8; n <= sizeof value; n *= 2)
        for (int i = 0; i < 3000; i++) {
            char key[16];
            size_t key_size = (size_t)snprintf(key, sizeof key, "%d", i);
            assert_true(shms_dict_set(d, key, key_size, value, n, NULL) > 0);
            assert_int_equal(shms_dict_get(d, key, key_size, NULL, 0, NULL), n);
        }
    assert_true(stats_of(d).evicted > 0);
    is_whole(d);
    shms_dict_close(d);
}

/* With fewer records than a sample has, the one that was used longest ago goes: neither what was set nor what
 * was got since. */
static void the_unused_goes(void **state)
{
    (void)state;
    static const char value[4000];
    shms_dict *d = dict_open(NAME, SIZE, DICT_OPTIONS(.policy = SHMS_EVICT_LRU, .now_ns = clock_ns));
    char key[2] = "a";
    for (int i = 0; i < 5; i++) {
        key[0] = (char)('a' + i);
        clock_now += 1000000000;
        assert_true(shms_dict_set(d, key, 1, value, sizeof value, NULL) > 0);
    }
    clock_now += 1000000000;
    assert_int_equal(shms_dict_get(d, "a", 1, NULL, 0, NULL), sizeof value);
    for (uint64_t i = 0; stats_of(d).evicted == 0; i++) {
        clock_now += 1000000000;
        assert_true(shms_dict_set(d, (char[]){(char)('A' + i)}, 1, value, sizeof value, NULL) > 0);
        assert_true(i < 12);
    }
    assert_int_equal(shms_dict_get(d, "b", 1, NULL, 0, NULL), SHMS_E_NOT_FOUND);
    assert_int_equal(shms_dict_get(d, "a", 1, NULL, 0, NULL), sizeof value);
    is_whole(d);
    shms_dict_close(d);
}

/* Of a deleted value no byte stays in shared memory, whether it had one cell or more. */
static void deleted_bytes_go(void **state)
{
    (void)state;
    static char secret[600];
    memset(secret, 's', sizeof secret);
    for (size_t n = 20; n <= sizeof secret; n += 290) {
        shms_dict *d = dict_open(NAME, SIZE, NULL);
        const unsigned char *data = d->section.member.region.data;
        assert_true(shms_dict_set(d, "k", 1, secret, n, NULL) > 0);
        assert_non_null(memmem(data, SIZE, secret, 10));
        assert_true(dict_del(d, "k") > 0);
        assert_null(memmem(data, SIZE, secret, 2));
        shms_dict_close(d);
    }
}

/* Kong#14160: records are evicted during a walk: it ends, and what it tells is whole. */
static void walk_and_evict(void **state)
{
    (void)state;
    shms_dict *d = dict_open(NAME, SIZE, DICT_OPTIONS(.policy = SHMS_EVICT_LRU));
    char key[32], value[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "%d", i);
        dict_set(d, key, key);
    }
    uint64_t cursor = 0;
    int walked = 0;
    for (int rc = 1; rc == 1; walked++) {
        size_t key_size = sizeof key, value_size = sizeof value;
        rc = shms_dict_next(d, &cursor, key, &key_size, value, &value_size, NULL);
        assert_true(rc >= 0);
        if (rc == 1) {
            assert_int_equal(key_size, value_size);
            assert_memory_equal(key, value, key_size);
        }
        char other[32];
        snprintf(other, sizeof other, "other %d", walked);
        assert_true(dict_set(d, other, other) > 0);
        assert_true(walked < 10000);
    }
    is_whole(d);
    shms_dict_close(d);
}

/* ekv#7: set after delete never meets an old version, whatever else happens meanwhile. */
static void version_again(void **state)
{
    (void)state;
    shms_dict *d = dict_open(NAME, SHMS_DICT_SIZE_MIN, SMALL);
    int64_t last = 0;
    for (int i = 0; i < 1000; i++) {
        int64_t v = dict_set(d, "k", "v");
        assert_true(v > last);
        if (last > 1)
            assert_int_equal(shms_dict_set(d, "k", 1, "w", 1, HOW(.if_version = last - 1)), SHMS_E_CHANGED);
        assert_int_equal(dict_del(d, "k"), v + 1);
        last = v + 1;
    }
    is_whole(d);
    shms_dict_close(d);
}

/* ---- it does not wear out, and is full in good order */

static void does_not_wear_out(void **state)
{
    (void)state;
    shms_dict *d = dict_open(NAME, SHMS_DICT_SIZE_MIN, SMALL);
    for (int i = 0; i < 1000000; i++) {
        char key[16];
        size_t key_size = (size_t)snprintf(key, sizeof key, "%d", i);
        int64_t rc = shms_dict_set(d, key, key_size, "value", 5, NULL);
        if (rc < 0)
            fail_msg("set number %d gave %d", i, (int)rc);
        if (i >= 100) {
            key_size = (size_t)snprintf(key, sizeof key, "%d", i - 100);
            assert_true(shms_dict_del(d, key, key_size, NULL) > 0);
        }
        if (i % 50000 == 0)
            is_whole(d);
    }
    assert_int_equal(stats_of(d).records, 100);
    is_whole(d);
    shms_dict_close(d);
}

static void full_in_good_order(void **state)
{
    (void)state;
    static const char value[4096];
    shms_dict *d = dict_open(NAME, SIZE, DICT_OPTIONS(.value_max = 4096));
    int n = fill_up(d, value, 100);
    assert_int_equal(dict_set(d, "new", "value"), SHMS_E_FULL);
    int64_t version = shms_dict_version(d);
    assert_int_equal(shms_dict_set(d, "0", 1, value, 1000, NULL), SHMS_E_FULL); /* larger: as a new one */
    assert_int_equal(shms_dict_get(d, "0", 1, NULL, 0, NULL), 100);
    assert_int_equal(shms_dict_version(d), version);
    for (int round = 0; round < 100; round++) /* not larger: always */
        for (int i = 0; i < n; i++) {
            char key[16];
            size_t key_size = (size_t)snprintf(key, sizeof key, "%d", i);
            assert_true(shms_dict_set(d, key, key_size, value, 100, NULL) > 0);
        }
    for (int round = 0; round < 20; round++) { /* deleting in a full dict gives its memory back */
        for (int i = 0; i < n; i++) {
            char key[16];
            snprintf(key, sizeof key, "%d", i);
            assert_true(dict_del(d, key) > 0);
        }
        assert_int_equal(fill_up(d, value, 100), n);
    }
    is_whole(d);
    shms_dict_close(d);
}

static void grows(void **state)
{
    (void)state;
    shms_dict *d = dict_open(NAME, SIZE, DICT_OPTIONS(.max_size = 16 << 20));
    shms_dict *other = dict_open(NAME, 0, NULL), *small = dict_open(NAME, 0, DICT_OPTIONS(.max_size = SIZE));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 30000; i++) {
            char key[16];
            snprintf(key, sizeof key, "%d", i);
            assert_true(dict_set(i % 2 ? d : other, key, key) > 0);
        }
        assert_true(dict_is(d, "29998", "29998"));
        assert_true(dict_is(other, "29999", "29999"));
        is_whole(other);
    }
    assert_true(stats_of(d).size > SIZE);
    assert_int_equal(stats_of(d).records, 30000);
    assert_int_equal(dict_set(small, "k", "v"), SHMS_E_RANGE);
    assert_int_equal(shms_dict_get(small, "29999", 5, NULL, 0, NULL), SHMS_E_RANGE);
    shms_dict_close(small);
    shms_dict_close(other);
    shms_dict_close(d);
}

/* A clock that is looked at by a writer inside, and then asks for a change through another handle. */
struct inside {
    shms_dict *other;
    int64_t rc;
};

static int64_t clock_inside(void *context)
{
    struct inside *in = context;
    if (in->other)
        in->rc = shms_dict_set(in->other, "b", 1, "2", 1, HOW(.flags = SHMS_DICT_NO_WAIT));
    return shms__now_ns();
}

static void no_wait(void **state)
{
    (void)state;
    struct inside in = {0};
    shms_dict *d = dict_open(NAME, SIZE, DICT_OPTIONS(.now_ns = clock_inside, .now_context = &in));
    shms_dict *other = dict_open(NAME, 0, DICT_OPTIONS(.open_timeout_ms = 3600000));
    assert_true(shms_dict_set(d, "a", 1, "1", 1, HOW(.expires_ns = INT64_MAX)) > 0);
    in.other = other;
    assert_true(shms_dict_set(d, "a", 1, "2", 1, NULL) > 0);
    in.other = NULL;
    assert_int_equal(in.rc, SHMS_E_TIMEOUT);
    assert_true(shms_dict_set(other, "b", 1, "2", 1, HOW(.flags = SHMS_DICT_NO_WAIT)) > 0);
    assert_true(shms_dict_del(other, "b", 1, HOW(.flags = SHMS_DICT_NO_WAIT)) > 0);
    is_whole(d);
    shms_dict_close(other);
    shms_dict_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hash_is_siphash), TEST(set_get_del),       TEST(lengths),
        TEST(conditions),      TEST(counters),          TEST(expiry),
        TEST(bad_input),       TEST(against_a_model),   TEST(too_large),
        TEST(every_second),    TEST(larger_ones),       TEST(walk_and_evict),
        TEST(version_again),   TEST(does_not_wear_out), TEST(full_in_good_order),
        TEST(grows),           TEST(the_unused_goes),   TEST(deleted_bytes_go),
        TEST(no_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
