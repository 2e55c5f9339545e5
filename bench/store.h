/* SPDX-License-Identifier: MIT */
/*
 * Stores of records by key, under test: the dict and its peer. Each kind brings its own loop, made by
 * STORE_KIND, so that no pointer to a function stands between its calls and the loop.
 */
#ifndef BENCH_STORE_H
#define BENCH_STORE_H

#include "bench.h"

#include <string.h>

enum { KEY_BYTES = 10, VALUE_BYTES = 100 };

/* Two of each kind: one in the cache, one out of it. */
enum { STORE_SMALL, STORE_LARGE, STORES };

struct mix {
    int store;
    uint32_t keys; /* as many records as there are */
    uint32_t writes_percent;
};

struct store_kind {
    const char *name;
    /* Make the store, and fill it with records of `keys` keys, not in their order. False: no room for it. */
    bool (*create)(int store, uint32_t keys);
    void (*join)(int store); /* in each new process */
    void (*leave)(void);
    void (*work)(const void *mix, uint64_t n); /* n gets and sets of random keys */
    void (*get)(const char *key);              /* one get of the small store */
    double (*bytes_per_record)(int store);
};

extern const struct store_kind store_ours, store_lmdb, store_sqlite;

static inline uint64_t store_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Random numbers of this process. */
extern uint64_t store_state;

/* Keys whose order is not that of their numbers. */
static inline void store_key(char key[KEY_BYTES], uint32_t number)
{
    uint64_t spread = number * 0x9e3779b97f4a7c15u;
    memcpy(key, &spread, sizeof spread);
    memset(key + sizeof spread, 'k', KEY_BYTES - sizeof spread);
}

#define STORE_KIND(tag, title)                                                     \
    static void work_##tag(const void *arg, uint64_t n)                            \
    {                                                                              \
        const struct mix *m = arg;                                                 \
        char key[KEY_BYTES], value[VALUE_BYTES] = {1};                         \
        for (; n > 0; n--) {                                                       \
            uint64_t r = store_random(&store_state);                               \
            store_key(key, (uint32_t)((r >> 32) % m->keys));                       \
            if ((uint32_t)r % 100 < m->writes_percent)                             \
                set_##tag(m->store, key, value);                                   \
            else                                                                   \
                get_##tag(m->store, key, value);                                   \
        }                                                                          \
    }                                                                              \
    static void get_##tag##_once(const char *key)                                  \
    {                                                                              \
        char value[VALUE_BYTES];                                                   \
        get_##tag(STORE_SMALL, key, value);                                        \
    }                                                                              \
    const struct store_kind store_##tag = {title,      create_##tag,     join_##tag, leave_##tag, \
                                           work_##tag, get_##tag##_once, bytes_##tag};

#endif
