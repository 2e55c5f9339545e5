/* SPDX-License-Identifier: MIT */
/* SQLite in WAL mode, as a store under test, for orientation: in memory, without a sync, prepared. */
#include "store.h"

#include <sqlite3.h>

static sqlite3 *db;
static sqlite3_stmt *getter, *setter;

static inline void check(int rc, int expected)
{
    if (rc != expected)
        bench_die("SQLite: %s", db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
}

static inline void get_sqlite(int store, const char *key, char *value)
{
    (void)store;
    check(sqlite3_bind_blob(getter, 1, key, KEY_BYTES, SQLITE_STATIC), SQLITE_OK);
    check(sqlite3_step(getter), SQLITE_ROW);
    memcpy(value, sqlite3_column_blob(getter, 0), VALUE_BYTES);
    check(sqlite3_reset(getter), SQLITE_OK);
}

static inline void set_sqlite(int store, const char *key, const char *value)
{
    (void)store;
    check(sqlite3_bind_blob(setter, 1, key, KEY_BYTES, SQLITE_STATIC), SQLITE_OK);
    check(sqlite3_bind_blob(setter, 2, value, VALUE_BYTES, SQLITE_STATIC), SQLITE_OK);
    check(sqlite3_step(setter), SQLITE_DONE);
    check(sqlite3_reset(setter), SQLITE_OK);
}

static void prepare(const char *text, sqlite3_stmt **ret)
{
    check(sqlite3_prepare_v2(db, text, -1, ret, NULL), SQLITE_OK);
}

static void open_db(void)
{
    char path[80];
    snprintf(path, sizeof path, "/dev/shm/%s", bench_name("sqlite"));
    check(sqlite3_open(path, &db), SQLITE_OK);
    check(sqlite3_busy_timeout(db, 10000), SQLITE_OK);
    check(sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
                           "CREATE TABLE IF NOT EXISTS t (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID",
                       NULL, NULL, NULL),
          SQLITE_OK);
    prepare("SELECT v FROM t WHERE k = ?", &getter);
    prepare("INSERT OR REPLACE INTO t VALUES (?, ?)", &setter);
}

static bool create_sqlite(int store, uint32_t keys)
{
    char key[KEY_BYTES], value[VALUE_BYTES] = {1};
    open_db();
    for (uint32_t i = 0; i < keys; i++) {
        store_key(key, i);
        set_sqlite(store, key, value);
    }
    return true;
}

/* What a child has inherited is its parent's: it is left alone. */
static void join_sqlite(int store)
{
    (void)store;
    open_db();
}

static void leave_sqlite(void)
{
    sqlite3_finalize(getter);
    sqlite3_finalize(setter);
    sqlite3_close(db);
    db = NULL;
}

static double bytes_sqlite(int store)
{
    (void)store;
    return 0; /* not asked */
}

STORE_KIND(sqlite, "SQLite WAL")
