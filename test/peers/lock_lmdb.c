/* SPDX-License-Identifier: MIT */
/* LMDB: a write transaction is the section, a value of 64 bytes the record. */
#include "peers.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT(x) #x
#define TEXT_OF(x) TEXT(x)

struct database {
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    int lock_fd; /* 0: not open */
    char path[80];
};

const char *lmdb_version(void)
{
    return TEXT_OF(MDB_VERSION_MAJOR) "." TEXT_OF(MDB_VERSION_MINOR) "." TEXT_OF(MDB_VERSION_PATCH);
}

static MDB_val key(void)
{
    static char bytes[] = "record";
    return (MDB_val){.mv_size = sizeof bytes, .mv_data = bytes};
}

static int take_lmdb(void *c, int timeout_ms)
{
    struct database *d = c;
    (void)timeout_ms;
    return mdb_txn_begin(d->env, NULL, 0, &d->txn) == 0 ? GOT : NOT;
}

static int give_lmdb(void *c)
{
    struct database *d = c;
    return mdb_txn_commit(d->txn);
}

static void write_lmdb(void *c, const uint64_t *words)
{
    struct database *d = c;
    uint64_t copy[RECORD_WORDS];
    MDB_val k = key(), v = {.mv_size = sizeof copy, .mv_data = memcpy(copy, words, sizeof copy)};
    mdb_put(d->txn, d->dbi, &k, &v, 0);
}

static void read_lmdb(void *c, uint64_t *ret_words)
{
    struct database *d = c;
    MDB_val k = key(), v;
    memset(ret_words, 0, RECORD_BYTES);
    if (mdb_get(d->txn, d->dbi, &k, &v) == 0 && v.mv_size == RECORD_BYTES)
        memcpy(ret_words, v.mv_data, RECORD_BYTES);
}

static void act_read(void *c)
{
    struct database *d = c;
    uint64_t words[RECORD_WORDS];
    if (mdb_txn_begin(d->env, NULL, MDB_RDONLY, &d->txn))
        _exit(1);
    read_lmdb(d, words);
    mdb_txn_abort(d->txn);
}

const struct operation lmdb_reads = {"LMDB", "begin, get 64 B, abort", NULL, act_read, NULL};

/* Whoever enters makes a transaction first, so that later ones find everything in its place. */
static void *enter_lmdb(const struct place *at, bool first)
{
    struct database *d = calloc(1, sizeof *d);
    uint64_t words[RECORD_WORDS];
    for (unsigned i = 0; i < RECORD_WORDS; i++)
        words[i] = old_word(i);
    snprintf(d->path, sizeof d->path, "/dev/shm/%s.mdb", at->name);
    if (mdb_env_create(&d->env) || mdb_env_set_mapsize(d->env, 1 << 20) ||
        mdb_env_open(d->env, d->path, MDB_NOSUBDIR, 0600) || take_lmdb(d, -1) != GOT ||
        mdb_dbi_open(d->txn, NULL, 0, &d->dbi))
        give_up("LMDB");
    if (first)
        write_lmdb(d, words);
    if (give_lmdb(d))
        give_up("LMDB");
    return d;
}

/*
 * Its lock file, where readers and writers meet. The descriptor stays: closing it would take LMDB's own POSIX
 * locks on that file away, and the next to enter would believe to be the first.
 */
static void *shared_lmdb(void *c, size_t *ret_bytes)
{
    struct database *d = c;
    struct stat st;
    char path[96];
    snprintf(path, sizeof path, "%s-lock", d->path);
    d->lock_fd = open(path, O_RDWR | O_CLOEXEC);
    if (d->lock_fd < 0 || fstat(d->lock_fd, &st))
        give_up(path);
    void *m = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, d->lock_fd, 0);
    if (m == MAP_FAILED)
        give_up("mmap");
    *ret_bytes = (size_t)st.st_size;
    return m;
}

static void leave_lmdb(void *c)
{
    struct database *d = c;
    mdb_env_close(d->env);
    if (d->lock_fd)
        close(d->lock_fd);
    free(d);
}

const struct lock lock_lmdb = {"LMDB", enter_lmdb, take_lmdb, give_lmdb,
                               write_lmdb, read_lmdb, shared_lmdb, leave_lmdb};
