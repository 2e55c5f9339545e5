/* SPDX-License-Identifier: MIT */
/* The dict, as a store under test. */
#include "store.h"

#include <shmstream/dict.h>

static shms_dict *dicts[STORES];

static const char *name_of(int store)
{
    return bench_name(store == STORE_LARGE ? "dict-large" : "dict");
}

static inline void check(int64_t rc, int64_t least)
{
    if (rc < least)
        bench_die("dict: %s", rc < 0 ? shms_strerror((int)rc) : "a wrong value");
}

static inline void get_ours(int store, const char *key, char *value)
{
    check(shms_dict_get(dicts[store], key, KEY_BYTES, value, VALUE_BYTES, NULL), VALUE_BYTES);
}

static inline void set_ours(int store, const char *key, const char *value)
{
    check(shms_dict_set(dicts[store], key, KEY_BYTES, value, VALUE_BYTES, NULL), 1);
}

static bool create_ours(int store, uint32_t keys)
{
    char key[KEY_BYTES], value[VALUE_BYTES] = {1};
    int rc = shms_dict_open(name_of(store), 1048576 + 512ull * keys, NULL, &dicts[store]);
    if (rc == SHMS_E_NOSPACE)
        return false;
    check(rc, 0);
    for (uint32_t i = 0; i < keys; i++) {
        store_key(key, i);
        set_ours(store, key, value);
    }
    return true;
}

static void join_ours(int store)
{
    check(shms_dict_open(name_of(store), 0, NULL, &dicts[store]), 0);
}

static void leave_ours(void)
{
    for (int i = 0; i < STORES; i++) {
        shms_dict_close(dicts[i]);
        dicts[i] = NULL;
    }
}

static double bytes_ours(int store)
{
    shms_dict_stats t = {.struct_size = sizeof t};
    check(shms_dict_info(dicts[store], &t), 0);
    return (double)(t.cells - t.cells_free) * t.cell_size / (double)t.records;
}

STORE_KIND(ours, BENCH_OURS)
