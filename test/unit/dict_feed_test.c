/* SPDX-License-Identifier: MIT */
/* feed.c, walk.c, keylock.c, saved.c: walks, changes, waiting, locks of keys, files; readers by right. */
#include "dict.h"

#include "change.h"

#include "child.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>

#define SIZE 65536

static void is_whole(shms_dict *d)
{
    const char *wrong = dict_wrong(d, true);
    if (wrong)
        print_error("%s\n", wrong);
    assert_null(wrong);
}

/* What the feed told, one change after the other: key and sign. */
struct told {
    char text[4096];
    int64_t last;
};

static int tell(const void *key, size_t key_size, const shms_dict_record *r, void *context)
{
    struct told *t = context;
    const char *sign = r->flags & SHMS_RECORD_EXPIRED   ? "~"
                       : r->flags & SHMS_RECORD_EVICTED ? "!"
                       : r->flags & SHMS_RECORD_GONE    ? "-"
                                                        : "+";
    /* An earlier change of the key may be told, too, while its cell has not been filled anew. */
    for (char *at = t->text, *end; (end = strchr(at, ' ')) != NULL;) {
        bool same = (size_t)(end - at) == key_size + 1 && memcmp(at + 1, key, key_size) == 0;
        if (same)
            memmove(at, end + 1, strlen(end));
        else
            at = end + 1;
    }
    size_t n = strlen(t->text);
    snprintf(t->text + n, sizeof t->text - n, "%s%.*s ", sign, (int)key_size, (const char *)key);
    assert_true(r->version > t->last);
    t->last = r->version;
    return 0;
}

static void told_is(shms_dict *d, int64_t *since, const char *text)
{
    struct told t = {.last = *since};
    int64_t n = shms_dict_changes(d, since, tell, &t);
    assert_true(n >= 0);
    assert_string_equal(t.text, text);
}

/* ---- changes */

static uint64_t stats_expired(shms_dict *d)
{
    shms_dict_stats s = {.struct_size = sizeof s};
    assert_int_equal(shms_dict_info(d, &s), 0);
    return s.expired;
}

static void changes(void **state)
{
    (void)state;
    shms_dict *d = dict_open(NAME, SIZE, DICT_OPTIONS(.now_ns = clock_ns));
    int64_t since = 0;
    told_is(d, &since, "");
    dict_set(d, "a", "1");
    dict_set(d, "b", "2");
    told_is(d, &since, "+a +b ");
    dict_set(d, "a", "3");
    dict_set(d, "a", "4");
    dict_del(d, "b");
    assert_true(shms_dict_set(d, "c", 1, "5", 1, HOW(.ttl_ms = 1)) > 0);
    told_is(d, &since, "+a -b +c "); /* of each key the last one */
    clock_now += 1000000;
    dict_set(d, "d", "6"); /* reclaims what has expired, a little at a time */
    while (dict_wrong(d, true) == NULL && stats_expired(d) == 0)
        dict_set(d, "d", "6");
    struct told t = {.last = since};
    assert_true(shms_dict_changes(d, &since, tell, &t) > 0);
    assert_non_null(strstr(t.text, "~c "));
    assert_int_equal(since, shms_dict_version(d));
    since = since + 1;
    assert_int_equal(shms_dict_changes(d, &since, tell, &t), SHMS_E_MISSED); /* another life's */
    assert_int_equal(since, shms_dict_version(d));
    since = -1;
    assert_int_equal(shms_dict_changes(d, &since, tell, &t), SHMS_E_INVALID);
    is_whole(d);
    shms_dict_close(d);
}

static int stop_at_b(const void *key, size_t key_size, const shms_dict_record *r, void *context)
{
    (void)key_size, (void)r, (void)context;
    return *(const char *)key == 'b' ? 42 : 0;
}

static void callback_stops(void **state)
{
    (void)state;
    shms_dict *d = dict_open(NAME, SIZE, NULL);
    dict_set(d, "a", "1");
    dict_set(d, "b", "1");
    dict_set(d, "c", "1");
    int64_t since = 0;
    assert_int_equal(shms_dict_changes(d, &since, stop_at_b, NULL), 42);
    assert_int_equal(since, 2);
    told_is(d, &since, "+c ");
    shms_dict_close(d);
}

static int stop_as_missed(const void *key, size_t key_size, const shms_dict_record *r, void *context)
{
    (void)key, (void)key_size, (void)r, (void)context;
    return SHMS_E_MISSED; /* as one that hands on what a call inside of it gave */
}

/* Only where the dict itself has lost changes is anything passed over. */
static void callback_says_missed(void **state)
{
    (void)state;
    shms_dict *d = dict_open(NAME, SIZE, NULL);
    dict_set(d, "a", "1");
    dict_set(d, "b", "1");
    int64_t since = 0;
    assert_int_equal(shms_dict_changes(d, &since, stop_as_missed, NULL), SHMS_E_MISSED);
    assert_int_equal(since, 1);
    told_is(d, &since, "+b ");
    shms_dict_close(d);
}

/* kine#311: changes since a version that has been forgotten are said to be missed, never just left out. */
static void missed(void **state)
{
    (void)state;
    shms_dict *d = dict_open(NAME, SIZE, DICT_OPTIONS(.ring = 16));
    struct told t = {{0}, 0};
    int64_t since = 0;
    for (int i = 0; i < 15; i++)
        dict_set(d, "k", "v");
    told_is(d, &since, "+k ");
    for (int i = 0; i < 20; i++) {
        char key[8];
        snprintf(key, sizeof key, "%d", i);
        dict_set(d, key, "v");
    }
    assert_int_equal(shms_dict_changes(d, &since, tell, &t), SHMS_E_MISSED);
    assert_int_equal(since, 35);
    told_is(d, &since, "");
    shms_dict_close(d);
    /* a full dict gives marks up before they leave the ring */
    d = dict_open(NAME, SHMS_DICT_SIZE_MIN, DICT_OPTIONS(.cell_size = 64, .ring = 128));
    since = 0;
    int64_t rc = 0;
    for (int i = 0; i < 100 && rc >= 0; i++) {
        char key[8];
        snprintf(key, sizeof key, "%d", i);
        rc = dict_set(d, key, "v");
        if (rc >= 0)
            dict_del(d, key);
    }
    assert_true(rc > 0);
    assert_int_equal(shms_dict_changes(d, &since, tell, &t), SHMS_E_MISSED);
    is_whole(d);
    shms_dict_close(d);
}

/* A reader that keeps a copy by the feed alone has the same records. */
static void mirror(void **state)
{
    (void)state;
    shms_dict *d = dict_open(NAME, SIZE, DICT_OPTIONS(.ring = 32, .policy = SHMS_EVICT_LRU));
    struct told t;
    int64_t since = 0;
    uint32_t random = 1;
    bool there[100] = {false};
    for (int i = 0; i < 20000; i++) {
        char key[8];
        random = random * 1103515245u + 12345u;
        uint32_t k = (random >> 8) % 100;
        snprintf(key, sizeof key, "%u", k);
        if (random >> 28 < 10)
            dict_set(d, key, key);
        else
            dict_del(d, key);
        if (i % 20)
            continue;
        t = (struct told){.last = since};
        assert_true(shms_dict_changes(d, &since, tell, &t) >= 0);
        for (char *p = strtok(t.text, " "); p; p = strtok(NULL, " "))
            there[atoi(p + 1)] = *p == '+';
    }
    for (int k = 0; k < 100; k++) {
        char key[8];
        snprintf(key, sizeof key, "%d", k);
        t = (struct told){.last = since};
        assert_true(shms_dict_changes(d, &since, tell, &t) >= 0);
        for (char *p = strtok(t.text, " "); p; p = strtok(NULL, " "))
            there[atoi(p + 1)] = *p == '+';
        assert_true(dict_is(d, key, there[k] ? key : NULL));
    }
    is_whole(d);
    shms_dict_close(d);
}

/* ---- walk */

static int walk_all(shms_dict *d, int seen[], int keys)
{
    uint64_t cursor = 0;
    int n = 0, rc;
    char key[16];
    for (;; n++) {
        size_t key_size = sizeof key - 1;
        rc = shms_dict_next(d, &cursor, key, &key_size, NULL, NULL, NULL);
        assert_true(rc >= 0);
        if (rc == 0)
            return n;
        key[key_size] = 0;
        assert_true(atoi(key) < keys);
        seen[atoi(key)]++;
    }
}

static void walk(void **state)
{
    (void)state;
    enum { N = 5000 };
    static int seen[N];
    shms_dict *d = dict_open(NAME, SIZE, DICT_OPTIONS(.max_size = 16 << 20));
    shms_dict *other = dict_open(GLOBAL, SIZE, NULL);
    uint64_t cursor = 0;
    assert_int_equal(shms_dict_next(d, &cursor, NULL, NULL, NULL, NULL, NULL), 0);
    char key[16];
    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "%d", i);
        dict_set(d, key, "value");
    }
    /* the dict grows in the middle of a walk: what nobody touches comes exactly once */
    for (int step = 0; step < 100; step++) {
        size_t key_size = sizeof key - 1;
        assert_int_equal(shms_dict_next(d, &cursor, key, &key_size, NULL, NULL, NULL), 1);
        key[key_size] = 0;
        seen[atoi(key)]++;
    }
    for (int i = 200; i < N; i++) {
        snprintf(key, sizeof key, "%d", i);
        assert_true(dict_set(d, key, "value") > 0);
    }
    for (int rc = 1; rc == 1;) {
        size_t key_size = sizeof key - 1, value_size = 0;
        rc = shms_dict_next(d, &cursor, key, &key_size, NULL, &value_size, NULL);
        assert_true(rc >= 0);
        key[key_size] = 0;
        if (rc == 1) {
            assert_int_equal(value_size, 5);
            seen[atoi(key)]++;
        }
    }
    for (int i = 0; i < 200; i++)
        assert_int_equal(seen[i], 1);
    memset(seen, 0, sizeof seen);
    assert_int_equal(walk_all(d, seen, N), N);
    assert_int_equal(shms_dict_lock(d, "4999", 4, 0), 0); /* a lock of a key is in no walk */
    assert_int_equal(walk_all(d, seen, N), N);
    cursor = 0;
    assert_int_equal(shms_dict_next(d, &cursor, NULL, NULL, NULL, NULL, NULL), 1);
    assert_int_equal(shms_dict_next(other, &cursor, NULL, NULL, NULL, NULL, NULL), SHMS_E_INVALID);
    assert_int_equal(shms_dict_next(d, &cursor, key, NULL, NULL, NULL, NULL), SHMS_E_INVALID);
    shms_dict_close(other);
    shms_dict_close(d);
}

/* ---- wait */

static void *set_later(void *d)
{
    shms__nap(20000000);
    dict_set(d, "other", "1");
    shms__nap(20000000);
    dict_set(d, "k", "2");
    return NULL;
}

static void wait_for_change(void **state)
{
    (void)state;
    shms_dict *d = dict_open(NAME, SIZE, NULL), *other = dict_open(NAME, 0, NULL);
    int64_t seen = 0, key_seen = 0;
    assert_int_equal(shms_dict_wait(d, NULL, 0, &seen, 0), SHMS_E_TIMEOUT);
    assert_int_equal(shms_dict_wait(d, "k", 1, &key_seen, 0), SHMS_E_TIMEOUT);
    dict_set(other, "k", "1");
    assert_int_equal(shms_dict_wait(d, NULL, 0, &seen, 0), 0);
    assert_int_equal(seen, 1);
    assert_int_equal(shms_dict_wait(d, "k", 1, &key_seen, 0), 0);
    assert_int_equal(key_seen, 1);
    pthread_t t;
    pthread_create(&t, NULL, set_later, other);
    assert_int_equal(shms_dict_wait(d, "k", 1, &key_seen, -1), 0); /* not for the other key */
    assert_int_equal(key_seen, 3);
    pthread_join(t, NULL);
    /* a key's expiry ends the wait for it, and a lock of it does not */
    assert_true(shms_dict_set(d, "k", 1, "3", 1, HOW(.ttl_ms = 30)) > 0);
    key_seen = 4;
    assert_int_equal(shms_dict_lock(other, "k", 1, 0), 0);
    assert_int_equal(shms_dict_wait(d, "k", 1, &key_seen, -1), 0);
    assert_int_equal(key_seen, 0);
    int64_t version = shms_dict_version(d);
    assert_int_equal(shms_dict_unlock(other, "k", 1), 0);
    assert_int_equal(shms_dict_version(d), version);
    assert_int_equal(shms_dict_wait(d, "", 0, &key_seen, 0), SHMS_E_INVALID);
    shms_dict_close(other);
    shms_dict_close(d);
}

static void *an_hour_later(void *unused)
{
    shms__nap(50000000);
    __atomic_add_fetch(&clock_now, 3600000000000, __ATOMIC_RELAXED);
    return unused;
}

/* The clock is set while a call sleeps until a record expires. */
static void wait_while_the_clock_is_set(void **state)
{
    (void)state;
    shms_dict *d = dict_open(NAME, SIZE, DICT_OPTIONS(.now_ns = clock_ns));
    pthread_t t;
    int64_t seen = shms_dict_set(d, "k", 1, "1", 1, HOW(.ttl_ms = 1800000));
    assert_true(seen > 0);
    int64_t began = shms__now_ns();
    pthread_create(&t, NULL, an_hour_later, NULL);
    assert_int_equal(shms_dict_wait(d, "k", 1, &seen, 20000), 0);
    assert_true(shms__now_ns() - began < 15000000000); /* and not by its last look */
    assert_int_equal(seen, 0);
    pthread_join(t, NULL);
    shms_dict_close(d);
}

/* A writer that is stopped in its change holds the lock for as long as it likes. */
static void wait_beside_a_stopped_writer(void **state)
{
    (void)state;
    shms_dict *d = dict_open(NAME, SIZE, DICT_OPTIONS(.open_timeout_ms = 20000));
    shms_dict *other = dict_open(NAME, 0, NULL);
    assert_int_equal(shms__change_begin(other), 0);
    a64_store_relaxed(&other->header->redo_count, 1); /* relaxed: a test; of one word that is passed over */
    int64_t seen = shms_dict_version(d), began = shms__now_ns();
    assert_int_equal(shms_dict_wait(d, NULL, 0, &seen, 0), SHMS_E_TIMEOUT);
    assert_int_equal(shms_dict_wait(d, NULL, 0, &seen, 50), SHMS_E_TIMEOUT);
    assert_true(shms__now_ns() - began < 10000000000); /* far less than the time for the lock */
    assert_int_equal(shms__change_end(other, false, 0), 0);
    assert_int_equal(shms_dict_wait(d, NULL, 0, &seen, 0), SHMS_E_TIMEOUT); /* and this one finishes it */
    assert_int_equal(a64_load_relaxed(&d->header->redo_count), 0); /* relaxed: a test */
    shms_dict_close(other);
    shms_dict_close(d);
}

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void poll_descriptor(void **state)
{
    (void)state;
    shms_dict *d = dict_open(NAME, SIZE, NULL), *other = dict_open(NAME, 0, NULL);
    int fd = shms_dict_poll_fd(d);
    assert_true(fd >= 0);
    int64_t seen = 0;
    for (int i = 0; i < 3; i++) {
        while (shms_dict_wait(d, NULL, 0, &seen, 0) == 0)
            ;
        assert_false(readable(fd));
        dict_set(other, "k", "v");
        assert_true(readable(fd));
    }
    shms_dict_close(other);
    shms_dict_close(d);
}

/* ---- locks of keys */

static int hold_and_die(void *name)
{
    shms_dict *d;
    EXPECT(shms_dict_open(name, 0, NULL, &d) == 0);
    EXPECT(shms_dict_lock(d, "leader", 6, 0) == 0);
    return 0; /* _exit without close: as if it were killed */
}

static void *unlock_later(void *d)
{
    shms__nap(20000000);
    assert_int_equal(shms_dict_unlock(d, "a", 1), 0);
    return NULL;
}

static void key_locks(void **state)
{
    (void)state;
    shms_dict *d = dict_open(NAME, SIZE, NULL), *other = dict_open(NAME, 0, NULL);
    assert_int_equal(shms_dict_lock(d, "a", 1, 0), 0);
    assert_int_equal(shms_dict_lock(d, "a", 1, 0), SHMS_E_DEADLOCK);
    assert_int_equal(shms_dict_lock(other, "a", 1, 0), SHMS_E_TIMEOUT);
    assert_int_equal(shms_dict_lock(other, "a", 1, 30), SHMS_E_TIMEOUT);
    assert_int_equal(shms_dict_lock(other, "b", 1, 0), 0);
    assert_int_equal(shms_dict_unlock(other, "a", 1), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_dict_unlock(other, "none", 4), SHMS_E_NOT_OWNER);
    assert_true(dict_is(d, "a", NULL)); /* it has no record by that */
    dict_set(other, "a", "value");      /* and nobody is kept from one */
    assert_true(dict_is(d, "a", "value"));
    pthread_t t;
    pthread_create(&t, NULL, unlock_later, d);
    assert_int_equal(shms_dict_lock(other, "a", 1, -1), 0);
    pthread_join(t, NULL);
    is_whole(d);
    shms_dict_close(other); /* gives both back, without news */
    assert_int_equal(shms_dict_lock(d, "a", 1, 0), 0);
    assert_int_equal(shms_dict_lock(d, "b", 1, 0), 0);
    assert_int_equal(unit_child(hold_and_die, NAME, 0), 0);
    assert_int_equal(shms_dict_lock(d, "leader", 6, 10000), SHMS_OWNER_DIED); /* told once */
    assert_int_equal(shms_dict_unlock(d, "leader", 6), 0);
    assert_int_equal(shms_dict_lock(d, "leader", 6, 0), 0);
    is_whole(d);
    shms_dict_close(d);
}

static int close_inherited(void *d)
{
    EXPECT(shms_dict_unlock(d, "a", 1) == SHMS_E_NOT_OWNER); /* joins, and holds nothing */
    EXPECT(shms_dict_lock(d, "a", 1, 0) == SHMS_E_TIMEOUT);
    EXPECT(dict_set(d, "child", "was here") > 0);
    shms_dict_close(d);
    return 0;
}

static void forked(void **state)
{
    (void)state;
    shms_dict *d = dict_open(NAME, SIZE, NULL), *other = dict_open(NAME, 0, NULL);
    assert_int_equal(shms_dict_lock(d, "a", 1, 0), 0);
    assert_int_equal(unit_child(close_inherited, d, 0), 0);
    assert_true(dict_is(d, "child", "was here"));
    assert_int_equal(shms_dict_lock(other, "a", 1, 0), SHMS_E_TIMEOUT);
    assert_int_equal(shms_dict_unlock(d, "a", 1), 0);
    shms_dict_close(other);
    shms_dict_close(d);
}

/* ---- files */

/* Every byte of the file, and its length. */
static void every_byte_counts(shms_dict *to, const char *path)
{
    FILE *f = fopen(path, "r+e");
    char bytes[4096];
    size_t n = fread(bytes, 1, sizeof bytes, f);
    int64_t version = shms_dict_version(to);
    for (size_t i = 0; i < n; i += i < 200 ? 1 : 37) {
        bytes[i] ^= 1;
        rewind(f);
        fwrite(bytes, 1, n, f);
        fflush(f);
        assert_int_equal(shms_dict_load(to, path), i < 12 ? SHMS_E_FORMAT : SHMS_E_CORRUPT);
        bytes[i] ^= 1;
    }
    rewind(f);
    fwrite(bytes, 1, n, f);
    fclose(f);
    assert_int_equal(shms_dict_version(to), version);
    for (size_t i = 0; i < n; i += 41) {
        assert_int_equal(truncate(path, (off_t)(n - i - 1)), 0);
        assert_true(shms_dict_load(to, path) < 0);
    }
}

static void save_and_load(void **state)
{
    (void)state;
    char path[128], long_value[3000];
    snprintf(path, sizeof path, "/tmp/%s.dict", NAME);
    memset(long_value, 'l', sizeof long_value);
    shms_dict *d = dict_open(NAME, SIZE, DICT_OPTIONS(.now_ns = clock_ns, .max_size = 1 << 20));
    dict_set(d, "a", "1");
    assert_true(shms_dict_set(d, "b", 1, "2", 1, HOW(.ttl_ms = 1000)) > 0);
    assert_true(shms_dict_set(d, "c", 1, "3", 1, HOW(.ttl_ms = 10)) > 0);
    assert_true(shms_dict_set(d, "long", 4, long_value, sizeof long_value, NULL) > 0);
    dict_set(d, "gone", "x");
    dict_del(d, "gone");
    assert_int_equal(shms_dict_lock(d, "a", 1, 0), 0);
    assert_int_equal(shms_dict_save(d, path), 4);
    clock_now += 20000000;
    /* bitcask#82: deleted, then grown, saved and loaded: stays deleted */
    for (int i = 0; i < 2000; i++) {
        char key[16];
        snprintf(key, sizeof key, "more %d", i);
        assert_true(dict_set(d, key, "x") > 0);
    }
    shms_dict *to = dict_open(GLOBAL, SIZE, DICT_OPTIONS(.cell_size = 64, .now_ns = clock_ns));
    dict_set(to, "a", "old");
    dict_set(to, "other", "stays");
    assert_int_equal(shms_dict_load(to, path), 3); /* c has expired meanwhile */
    assert_true(dict_is(to, "a", "1"));
    assert_true(dict_is(to, "other", "stays"));
    assert_true(dict_is(to, "gone", NULL));
    shms_dict_record r = {.struct_size = sizeof r};
    assert_int_equal(shms_dict_get(to, "b", 1, NULL, 0, &r), 1);
    assert_int_equal(r.expires_ns, clock_now - 20000000 + 1000000000);
    assert_int_equal(shms_dict_get(to, "long", 4, NULL, 0, NULL), sizeof long_value);
    is_whole(to);
    every_byte_counts(to, path);
    shms_dict *small = dict_open(NAME, 0, DICT_OPTIONS(.access = SHMS_ACCESS_READ));
    assert_int_equal(shms_dict_load(small, path), SHMS_E_READ_ONLY);
    assert_int_equal(shms_dict_load(d, "/tmp/there is no such file"), SHMS_E_NOT_FOUND);
    shms_dict_close(small);
    shms_dict_close(to);
    shms_dict_close(d);
    unlink(path);
}

/* However large it is, or says to be. */
static void what_is_no_saved_dict(void **state)
{
    (void)state;
    char path[100];
    shms_dict *d = dict_open(NAME, SIZE, NULL);
    snprintf(path, sizeof path, "/tmp/shms-large-%d", (int)getpid());
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    int large = ftruncate(fd, (off_t)8 << 40); /* there are file systems without holes */
    close(fd);
    if (large == 0)
        assert_int_equal(shms_dict_load(d, path), SHMS_E_FORMAT);
    unlink(path);
    assert_int_equal(shms_dict_load(d, "/proc/self/status"), SHMS_E_FORMAT); /* says that it is empty */
    shms_dict_close(d);
}

/* ---- readers by right */

static int read_by_right(void *name)
{
    shms_dict *d;
    char buf[16];
    int64_t since = 0;
    uint64_t cursor = 0;
    struct told t = {{0}, 0};
    shms_dict_options o = {.struct_size = sizeof o, .access = SHMS_ACCESS_READ, .mode = 0644,
                           .owners = SHMS_OWNER_ANY};
    EXPECT(shms_dict_open(name, 0, &o, &d) == 0);
    EXPECT(shms_dict_get(d, "a", 1, buf, sizeof buf, NULL) == 1 && *buf == '1');
    EXPECT(shms_dict_get(d, "none", 4, buf, sizeof buf, NULL) == SHMS_E_NOT_FOUND);
    EXPECT(shms_dict_next(d, &cursor, NULL, NULL, NULL, NULL, NULL) == 1);
    EXPECT(shms_dict_changes(d, &since, tell, &t) == 2);
    EXPECT(strcmp(t.text, "+a -b ") == 0);
    EXPECT(shms_dict_version(d) == 3);
    EXPECT(shms_dict_set(d, "a", 1, "2", 1, NULL) == SHMS_E_DENIED);
    EXPECT(shms_dict_del(d, "a", 1, NULL) == SHMS_E_DENIED);
    EXPECT(shms_dict_lock(d, "a", 1, 0) == SHMS_E_DENIED);
    EXPECT(shms_dict_wait(d, NULL, 0, &since, 0) == SHMS_E_DENIED);
    EXPECT(shms_dict_poll_fd(d) == SHMS_E_DENIED);
    EXPECT(shms_dict_save(d, "/tmp/never") == SHMS_E_DENIED);
    EXPECT(shms_dict_load(d, "/tmp/never") == SHMS_E_DENIED);
    shms_dict_close(d);
    return 0;
}

static void readers_by_right(void **state)
{
    (void)state;
    if (getuid() != 0)
        skip();
    shms_dict *d = dict_open(GLOBAL, SIZE, DICT_OPTIONS(.mode = 0644));
    dict_set(d, "a", "1");
    dict_set(d, "b", "2");
    dict_del(d, "b");
    assert_int_equal(unit_child(read_by_right, GLOBAL, STRANGER), 0);
    shms_dict_close(d);
    shms_stream *s = unit_open(GLOBAL, SIZE, OPTIONS(.mode = 0644));
    shms_dict *none;
    assert_int_equal(shms_dict_open(GLOBAL, 0, DICT_OPTIONS(.mode = 0644), &none), SHMS_E_KIND);
    shms_stream_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(changes),         TEST(callback_stops), TEST(callback_says_missed),
        TEST(missed),          TEST(mirror),         TEST(walk),
        TEST(wait_for_change), TEST(wait_while_the_clock_is_set),
        TEST(wait_beside_a_stopped_writer),
        TEST(poll_descriptor), TEST(key_locks),       TEST(forked),
        TEST(save_and_load),   TEST(what_is_no_saved_dict), TEST(readers_by_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
