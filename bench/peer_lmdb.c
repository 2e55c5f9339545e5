/* SPDX-License-Identifier: MIT */
/* LMDB, as a store under test: in memory, without a sync, readers that renew their transaction. */
#include "store.h"

#include <lmdb.h>

static MDB_env *envs[STORES];
static MDB_dbi dbis[STORES];
static MDB_txn *readers[STORES];

static const char *path_of(int store)
{
    static char path[STORES][80];
    snprintf(path[store], sizeof path[store], "/dev/shm/%s",
             bench_name(store == STORE_LARGE ? "lmdb-large" : "lmdb"));
    return path[store];
}

static inline void check(int rc)
{
    if (rc)
        bench_die("LMDB: %s", mdb_strerror(rc));
}

/* The value is copied out, as a program needs it that goes on while others write. */
static inline void get_lmdb(int store, const char *key, char *value)
{
    MDB_val k = {KEY_BYTES, (void *)(uintptr_t)key}, v;
    check(mdb_txn_renew(readers[store]));
    check(mdb_get(readers[store], dbis[store], &k, &v));
    memcpy(value, v.mv_data, VALUE_BYTES);
    mdb_txn_reset(readers[store]);
}

static inline void set_lmdb(int store, const char *key, const char *value)
{
    MDB_val k = {KEY_BYTES, (void *)(uintptr_t)key}, v = {VALUE_BYTES, (void *)(uintptr_t)value};
    MDB_txn *txn;
    check(mdb_txn_begin(envs[store], NULL, 0, &txn));
    check(mdb_put(txn, dbis[store], &k, &v, 0));
    check(mdb_txn_commit(txn));
}

static void fill(int store, uint32_t keys)
{
    char key[KEY_BYTES], value[VALUE_BYTES] = {1};
    MDB_val k = {KEY_BYTES, key}, v = {VALUE_BYTES, value};
    MDB_txn *txn;
    check(mdb_txn_begin(envs[store], NULL, 0, &txn));
    check(mdb_dbi_open(txn, NULL, MDB_CREATE, &dbis[store]));
    for (uint32_t i = 0; i < keys; i++) {
        store_key(key, i);
        check(mdb_put(txn, dbis[store], &k, &v, 0));
    }
    check(mdb_txn_commit(txn));
}

static void open_env(int store, uint32_t keys)
{
    check(mdb_env_create(&envs[store]));
    /* A reader that gets no processor for a while holds up the reuse of many pages. */
    if (keys)
        check(mdb_env_set_mapsize(envs[store], 268435456 + 512u * (size_t)keys));
    check(mdb_env_open(envs[store], path_of(store), MDB_NOSUBDIR | MDB_NOSYNC | MDB_WRITEMAP, 0600));
}

static void begin_reading(int store)
{
    check(mdb_txn_begin(envs[store], NULL, MDB_RDONLY, &readers[store]));
    check(mdb_dbi_open(readers[store], NULL, 0, &dbis[store]));
    mdb_txn_reset(readers[store]);
}

static bool create_lmdb(int store, uint32_t keys)
{
    open_env(store, keys);
    fill(store, keys);
    begin_reading(store);
    return true;
}

/* What a child has inherited is its parent's: it is left alone. */
static void join_lmdb(int store)
{
    open_env(store, 0);
    begin_reading(store);
}

static void leave_lmdb(void)
{
    for (int i = 0; i < STORES; i++) {
        if (!envs[i])
            continue;
        mdb_txn_abort(readers[i]);
        mdb_env_close(envs[i]);
        envs[i] = NULL;
    }
}

static double bytes_lmdb(int store)
{
    MDB_stat s;
    check(mdb_env_stat(envs[store], &s));
    return (double)(s.ms_branch_pages + s.ms_leaf_pages + s.ms_overflow_pages) * s.ms_psize /
           (double)s.ms_entries;
}

STORE_KIND(lmdb, "LMDB")
