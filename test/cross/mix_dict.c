/* SPDX-License-Identifier: MIT */
/*
 * The roles of a dict, which all builds use at the same time. A value is right if all its bytes are equal; a
 * counter counts what each of them adds; what a key's lock guards is counted by get and set.
 */
#include "mix.h"

#include <shmstream/dict.h>

#include <poll.h>
#include <signal.h>
#include <string.h>

enum { KEYS = 50, VALUE_MOST = 700 };

static shms_dict *dict;

static void open_dict(const char *name, bool create)
{
    shms_dict_options o = {.struct_size = sizeof o, .keep = 1, .max_size = 1 << 20};
    o.create = create ? SHMS_CREATE_ONLY : SHMS_OPEN_ONLY;
    o.open_timeout_ms = PATIENCE_MS;
    int rc = shms_dict_open(name, create ? 65536 : 0, &o, &dict);
    demand(rc == 0, "open the dict", rc);
}

static int64_t add(const char *key, int64_t delta)
{
    int64_t sum = 0;
    int64_t version = shms_dict_add(dict, key, strlen(key), delta, 0, NULL, &sum);
    demand(version > 0, "add", version);
    return sum;
}

static void set_one(uint64_t i, uint64_t index)
{
    char value[VALUE_MOST];
    unsigned char key = (unsigned char)(i % KEYS);
    size_t n = (size_t)(i * 37 % VALUE_MOST);
    memset(value, (int)('a' + index), n);
    int64_t version = i % 7 == 3 ? shms_dict_del(dict, &key, 1, NULL)
                                 : shms_dict_set(dict, &key, 1, value, n, NULL);
    demand(version > 0 || version == SHMS_E_NOT_FOUND, "set or del", version);
}

static void get_one(uint64_t i)
{
    char value[VALUE_MOST];
    unsigned char key = (unsigned char)(i % KEYS);
    int64_t n = shms_dict_get(dict, &key, 1, value, sizeof value, NULL);
    demand(n == SHMS_E_NOT_FOUND || (n >= 0 && n < VALUE_MOST), "get", n);
    for (int64_t k = 1; k < n; k++)
        demand(value[k] == value[0], "a mixture of two values, in the round", (int64_t)i);
}

/* By the lock of a key alone: without it, counts would be lost. */
static void guard_one(void)
{
    int64_t guarded = 0;
    int rc = shms_dict_lock(dict, "guarded", 7, PATIENCE_MS);
    demand(rc == 0, "lock a key", rc);
    shms_dict_get(dict, "guarded", 7, &guarded, sizeof guarded, NULL);
    guarded++;
    int64_t version = shms_dict_set(dict, "guarded", 7, &guarded, sizeof guarded, NULL);
    demand(version > 0, "set what is guarded", version);
    rc = shms_dict_unlock(dict, "guarded", 7);
    demand(rc == 0, "unlock a key", rc);
}

static int tell(const void *key, size_t key_size, const shms_dict_record *r, void *last)
{
    (void)key;
    demand(key_size > 0 && r->version > *(int64_t *)last, "changes in order, at", r->version);
    *(int64_t *)last = r->version;
    return 0;
}

/* What has changed since the last look; those that missed some go on from now. */
static void follow(int64_t *since)
{
    int64_t last = *since;
    int64_t rc = shms_dict_changes(dict, since, tell, &last);
    demand(rc >= 0 || rc == SHMS_E_MISSED, "changes", rc);
}

static void await_members(int64_t members)
{
    int64_t seen = 0;
    for (int64_t joined = add("joined", 1); joined < members; joined = add("joined", 0)) {
        int rc = shms_dict_wait(dict, "joined", 6, &seen, PATIENCE_MS);
        demand(rc == 0, "wait for the others", rc);
    }
}

static void count(uint64_t members, uint64_t index, uint64_t rounds)
{
    int64_t since = 0;
    await_members((int64_t)members);
    for (uint64_t i = 0; i < rounds; i++) {
        add("counter", 1);
        set_one(i, index);
        get_one(i * 11);
        if (i % 16 == 0)
            guard_one();
        if (i % 64 == 0)
            follow(&since);
    }
}

/* Dies with the lock of a key, as soon as another has opened the dict and waits for it, or nearly. */
static void die(void)
{
    int64_t before = add("heirs", 0); /* an heir adds to it once it has seen the lock taken */
    int rc = shms_dict_lock(dict, "lease", 5, PATIENCE_MS);
    demand(rc == 0 || rc == SHMS_OWNER_DIED, "lock a key", rc);
    for (int64_t ms = 0; add("heirs", 0) == before; ms++) {
        demand(ms < PATIENCE_MS, "nobody waits after ms", ms);
        set_one((uint64_t)ms, 20);
        poll(NULL, 0, 1);
    }
    raise(SIGKILL);
}

/* The key's lock is a living holder's, until this one has said that it is here. */
static void inherit(void)
{
    int rc = SHMS_E_TIMEOUT;
    for (int ms = 0; (rc = shms_dict_lock(dict, "lease", 5, 0)) == 0; ms++) {
        demand(ms < PATIENCE_MS, "nobody holds the lease after ms", ms);
        shms_dict_unlock(dict, "lease", 5);
        poll(NULL, 0, 1);
    }
    demand(rc == SHMS_E_TIMEOUT, "the lease is another's", rc);
    add("heirs", 1);
    rc = shms_dict_lock(dict, "lease", 5, PATIENCE_MS);
    demand(rc == SHMS_OWNER_DIED, "the lease of the dead", rc);
    rc = shms_dict_unlock(dict, "lease", 5);
    demand(rc == 0, "give the lease back", rc);
    for (uint64_t i = 0; i < KEYS; i++)
        get_one(i);
}

/* What was counted, and by a walk how many records there are: all builds must see the same. */
static void show(void)
{
    uint64_t cursor = 0;
    int64_t guarded = 0, records = 0;
    int rc;
    shms_dict_get(dict, "guarded", 7, &guarded, sizeof guarded, NULL);
    while ((rc = shms_dict_next(dict, &cursor, NULL, NULL, NULL, NULL, NULL)) == 1)
        records++;
    demand(rc == 0, "walk", rc);
    printf("%lld %lld %lld\n", (long long)add("counter", 0), (long long)guarded, (long long)records);
}

int play_dict(const char *role, const char *name, int numbers, const uint64_t *number)
{
    bool create = strcmp(role, "dict-create") == 0;
    open_dict(name, create);
    if (strcmp(role, "dict-count") == 0 && numbers == 3)
        count(number[0], number[1], number[2]);
    else if (strcmp(role, "dict-die") == 0)
        die();
    else if (strcmp(role, "dict-inherit") == 0)
        inherit();
    else if (strcmp(role, "dict-show") == 0)
        show();
    else if (!create)
        return 2;
    shms_dict_close(dict);
    return 0;
}
