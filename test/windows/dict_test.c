/* SPDX-License-Identifier: MIT */
/* Dicts: records, conditions, expiry, changes, growth, files; and other processes that write and die. */
#include "check.h"

#include "shmstream/dict.h"

enum { DICT_SIZE = 65536 };

static int64_t now = 1000000000;

static int64_t clock_ns(void *unused)
{
    (void)unused;
    return now;
}

static shms_dict *open_with(const char *name, uint64_t size, uint64_t max_size, uint32_t policy)
{
    shms_dict_options o = {.struct_size = sizeof o, .max_size = max_size, .policy = policy,
                           .now_ns = clock_ns};
    shms_dict *d = NULL;
    CHECK_RC(shms_dict_open(name, size, &o, &d), 0);
    return d;
}

static shms_dict *open_dict(const char *name)
{
    return open_with(name, DICT_SIZE, 0, 0);
}

static int64_t set(shms_dict *d, const char *key, const char *value)
{
    return shms_dict_set(d, key, strlen(key), value, strlen(value), NULL);
}

static bool has(shms_dict *d, const char *key, const char *value)
{
    char got[1000];
    int64_t n = shms_dict_get(d, key, strlen(key), got, sizeof got, NULL);
    if (!value)
        return n == SHMS_E_NOT_FOUND;
    return n == (int64_t)strlen(value) && memcmp(got, value, (size_t)n) == 0;
}

/* ---- one process */

static void records(void)
{
    const char *name = unique("", "records");
    shms_dict *d = open_dict(name), *e = open_dict(name);
    shms_dict_how absent = {.struct_size = sizeof absent, .if_version = -1};
    shms_dict_how second = {.struct_size = sizeof second};
    int64_t sum = 0;
    CHECK_RC(set(d, "colour", "blue"), 1);
    CHECK(has(e, "colour", "blue"));
    CHECK_RC(set(e, "colour", "green"), 2);
    CHECK(has(d, "colour", "green"));
    CHECK_RC(shms_dict_set(d, "colour", 6, "", 0, &absent), SHMS_E_EXISTS);
    second.if_version = 1;
    CHECK_RC(shms_dict_set(d, "colour", 6, "", 0, &second), SHMS_E_CHANGED);
    second.if_version = 2;
    CHECK_RC(shms_dict_del(e, "colour", 6, &second), 3);
    CHECK(has(d, "colour", NULL));
    CHECK_RC(shms_dict_del(d, "colour", 6, NULL), SHMS_E_NOT_FOUND);
    CHECK_RC(shms_dict_add(d, "n", 1, 41, 1, NULL, &sum), 4);
    CHECK_RC(sum, 42);
    CHECK_RC(shms_dict_add(e, "n", 1, -2, 1, NULL, &sum), 5);
    CHECK_RC(sum, 40);
    CHECK_RC(shms_dict_version(d), 5);
    CHECK_RC(shms_dict_poll_fd(d), SHMS_E_UNSUPPORTED);
    shms_dict_close(d);
    CHECK(has(e, "colour", NULL));
    shms_dict_close(e);
    CHECK_RC(shms_dict_open(name, 0, NULL, &d), SHMS_E_NOT_FOUND); /* it went with its last user */
}

static void expiry(void)
{
    shms_dict *d = open_dict(unique("", "expiry"));
    shms_dict_how how = {.struct_size = sizeof how, .ttl_ms = 10};
    CHECK_RC(shms_dict_set(d, "k", 1, "v", 1, &how), 1);
    CHECK(has(d, "k", "v"));
    now += 10000000;
    CHECK(has(d, "k", NULL));
    shms_dict_close(d);
}

struct told {
    char text[200];
};

static int tell(const void *key, size_t key_size, const shms_dict_record *r, void *context)
{
    struct told *t = context;
    size_t n = strlen(t->text);
    snprintf(t->text + n, sizeof t->text - n, "%d %s %.*s\n", (int)r->version, r->flags ? "gone" : "set",
             (int)key_size, (const char *)key);
    return 0;
}

static void changes_and_walks(void)
{
    shms_dict *d = open_dict(unique("", "changes"));
    struct told t = {""};
    int64_t since = 0;
    uint64_t cursor = 0;
    char key[10], value[10];
    size_t key_size = sizeof key, value_size = sizeof value;
    set(d, "a", "1");
    set(d, "b", "2");
    set(d, "a", "3");
    shms_dict_del(d, "b", 1, NULL);
    CHECK(shms_dict_changes(d, &since, tell, &t) >= 2); /* the first one may be told, too */
    CHECK(strstr(t.text, "3 set a\n4 gone b\n") != NULL);
    CHECK_RC(since, 4);
    CHECK_RC(shms_dict_next(d, &cursor, key, &key_size, value, &value_size, NULL), 1);
    CHECK(key_size == 1 && key[0] == 'a' && value_size == 1 && value[0] == '3');
    CHECK_RC(shms_dict_next(d, &cursor, NULL, NULL, NULL, NULL, NULL), 0);
    shms_dict_close(d);
}

static void fill(shms_dict *d, int keys, int64_t expected)
{
    static const char value[200];
    for (int i = 0; i < keys; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        int64_t rc = shms_dict_set(d, key, strlen(key), value, sizeof value, NULL);
        if (rc < 0) {
            CHECK_RC(rc, expected);
            return;
        }
    }
    CHECK_RC(0, expected);
}

static void full_ones(void)
{
    shms_dict_stats t = {.struct_size = sizeof t};
    shms_dict *d = open_with(unique("", "full"), DICT_SIZE, 0, SHMS_EVICT_NONE);
    fill(d, 1000, SHMS_E_FULL);
    CHECK(set(d, "0", "smaller") > 0);
    shms_dict_close(d);
    d = open_with(unique("", "evicts"), DICT_SIZE, 0, SHMS_EVICT_LRU);
    fill(d, 1000, 0);
    CHECK_RC(shms_dict_info(d, &t), 0);
    CHECK(t.evicted > 0 && t.records > 50);
    shms_dict_close(d);
    d = open_with(unique("", "grows"), DICT_SIZE, 1 << 20, SHMS_EVICT_NONE);
    fill(d, 1000, 0);
    CHECK_RC(shms_dict_info(d, &t), 0);
    CHECK(t.size > DICT_SIZE && t.records == 1000);
    shms_dict_close(d);
}

static void files(void)
{
    char path[MAX_PATH];
    shms_dict *d = open_dict(unique("", "saved")), *e = open_dict(unique("", "loaded"));
    GetTempPathA(sizeof path - 20, path);
    snprintf(path + strlen(path), 20, "dict-%u", (unsigned)GetCurrentProcessId());
    set(d, "a", "1");
    set(d, "b", "2");
    CHECK_RC(shms_dict_save(d, path), 2);
    CHECK_RC(shms_dict_load(e, path), 2);
    CHECK(has(e, "a", "1") && has(e, "b", "2"));
    DeleteFileA(path);
    shms_dict_close(d);
    shms_dict_close(e);
}

static void other_kinds(void)
{
    const char *name = unique("", "kind");
    shms_dict *d = open_dict(name), *e = NULL;
    shms_stream *s = NULL;
    CHECK_RC(shms_stream_open(name, 0, NULL, &s), SHMS_E_KIND);
    shms_dict_close(d);
    CHECK_RC(shms_stream_open(name, DICT_SIZE, NULL, &s), 0);
    CHECK_RC(shms_dict_open(name, DICT_SIZE, NULL, &e), SHMS_E_KIND);
    shms_stream_close(s);
}

/* ---- other processes */

static int count(const char *region)
{
    shms_dict *d = open_dict(region);
    say_ready(region);
    for (int i = 0; i < 2000; i++)
        if (shms_dict_add(d, "n", 1, 1, 0, NULL, NULL) < 0)
            return 1;
    shms_dict_close(d);
    return 0;
}

static void counted_by_all(void)
{
    const char *name = unique("", "count");
    shms_dict *d = open_dict(name);
    int64_t sum = 0;
    meet_make(name);
    HANDLE other = start("count", name);
    await_ready();
    say_go();
    for (int i = 0; i < 2000; i++)
        CHECK(shms_dict_add(d, "n", 1, 1, 0, NULL, NULL) > 0);
    CHECK_RC(finish(other), 0);
    CHECK(shms_dict_add(d, "n", 1, 0, 0, NULL, &sum) > 0);
    CHECK_RC(sum, 4000);
    shms_dict_close(d);
    meet_close();
}

static int set_later(const char *region)
{
    shms_dict *d = open_dict(region);
    say_ready(region);
    CHECK(set(d, "other", "x") > 0);
    CHECK(set(d, "k", "v") > 0);
    shms_dict_close(d);
    return 0;
}

static void waiting(void)
{
    const char *name = unique("", "wait");
    shms_dict *d = open_dict(name);
    int64_t seen = 0;
    meet_make(name);
    HANDLE other = start("set_later", name);
    await_ready();
    CHECK_RC(shms_dict_wait(d, "k", 1, &seen, 10), SHMS_E_TIMEOUT);
    say_go();
    CHECK_RC(shms_dict_wait(d, "k", 1, &seen, PATIENCE_MS), 0);
    CHECK_RC(seen, 2);
    CHECK_RC(finish(other), 0);
    shms_dict_close(d);
    meet_close();
}

/* Until it is killed, with the lock of a key, and somewhere in a change. */
static int write_for_ever(const char *region)
{
    shms_dict *d = open_dict(region);
    char value[900];
    CHECK_RC(shms_dict_lock(d, "lease", 5, 0), 0);
    say_ready(region);
    for (int i = 0; i < INT32_MAX; i++) {
        memset(value, 'a' + i % 26, sizeof value);
        shms_dict_set(d, "k", 1, value, sizeof value, NULL);
    }
    return 0;
}

static void killed_writers(void)
{
    for (int round = 0; round < 10; round++) {
        const char *name = unique("", "killed");
        shms_dict *d = open_dict(name);
        char got[900] = "";
        int64_t seen = 0;
        meet_make(name);
        HANDLE other = start("write_for_ever", name);
        await_ready();
        CHECK_RC(shms_dict_lock(d, "lease", 5, 0), SHMS_E_TIMEOUT);
        say_go();
        CHECK_RC(shms_dict_wait(d, "k", 1, &seen, PATIENCE_MS), 0);
        kill_it(other);
        CHECK_RC(shms_dict_get(d, "k", 1, got, sizeof got, NULL), sizeof got);
        for (size_t i = 1; i < sizeof got; i++)
            CHECK(got[i] == got[0]);
        CHECK(set(d, "k", "goes on") > 0);
        CHECK_RC(shms_dict_lock(d, "lease", 5, PATIENCE_MS), SHMS_OWNER_DIED);
        CHECK_RC(shms_dict_unlock(d, "lease", 5), 0);
        CHECK_RC(shms_dict_lock(d, "lease", 5, 0), 0);
        shms_dict_close(d);
        meet_close();
    }
}

const struct test tests[] = {{"records", records},
                             {"expiry", expiry},
                             {"changes and walks", changes_and_walks},
                             {"full ones", full_ones},
                             {"files", files},
                             {"other kinds", other_kinds},
                             {"counted by all", counted_by_all},
                             {"waiting", waiting},
                             {"killed writers", killed_writers},
                             {0}};
const struct role roles[] = {{"count", count},
                             {"set_later", set_later},
                             {"write_for_ever", write_for_ever},
                             {0}};
