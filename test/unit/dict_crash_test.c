/* SPDX-License-Identifier: MIT */
/*
 * ctest: timeout=300
 * Death of a dict's writer at every instruction, by snapshots: a child makes one change in single steps;
 * whenever the dict's bytes have become others, a copy of them is judged as what a writer that died here
 * has left. Before anything is repaired, a reader, a walk and the feed look at the copy; then it is
 * recovered, also by members that die in the recovery; then the whole-dict check is made, every record must
 * be the old or the new one, and nothing that was seen may be taken back. And readers that are stopped, at
 * every instruction, while a writer goes on or is stopped, too.
 */
#include "dict.h"

#include "child.h"

#include <sys/ptrace.h>

#define SIZE 32768
#define KEYS 400 /* that scenes use, "0" to "399" */

/* ---- single steps */

static pid_t traced(int (*fn)(void *), void *arg)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (ptrace(PTRACE_TRACEME, 0, 0, 0))
            _exit(77);
        _exit(fn(arg)); /* raises SIGSTOP where the steps begin, and where they end */
    }
    int status;
    assert_true(pid > 1);
    waitpid(pid, &status, 0);
    if (!WIFSTOPPED(status))
        skip();
    return pid;
}

/* One instruction. False: the steps have ended. */
static bool step(pid_t pid)
{
    int status;
    if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) || waitpid(pid, &status, 0) != pid)
        return false;
    return WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP;
}

/* Let it go on to the end of its steps, and then to its own. What it returned. */
static int finish(pid_t pid)
{
    int status;
    do
        ptrace(PTRACE_CONT, pid, 0, 0);
    while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* ---- a copy of the dict, to be judged */

struct copy {
    shms_dict dict;
    _Alignas(4096) unsigned char bytes[SIZE];
};

static void take_copy(struct copy *c, shms_dict *d)
{
    c->dict = *d;
    memcpy(c->bytes, d->section.member.region.data, SIZE);
    struct region *r = &c->dict.section.member.region;
    r->control = NULL;
    r->data = c->bytes;
    r->capacity = SIZE;
    r->data_only = true;
    c->dict.header = (struct dict_header *)(void *)c->bytes;
    shms__cells_grown(&c->dict);
}

/* What can be seen of the dict: of each key the version, 0 if absent; and how far the feed goes. */
struct seen {
    int64_t version[KEYS];
    int64_t locked;
    int64_t feed;
    int64_t records;
};

static int64_t look_for(shms_dict *d, const char *key, uint32_t flags)
{
    char value[512];
    struct entry e;
    struct wanted w = shms__wanted(d, key, (uint32_t)strlen(key), flags);
    int rc = shms__table_look(d, &w, value, sizeof value, &e);
    assert_int_not_equal(rc, LOOK_AGAIN); /* nobody would ever go on */
    assert_true(rc >= 0);
    for (uint32_t i = 1; rc == LOOK_FOUND && flags == 0 && e.lengths.value != 8 && i < e.lengths.value; i++)
        assert_int_equal(value[i], value[0]);
    return rc == LOOK_FOUND ? (int64_t)e.version : 0;
}

static int count_change(const void *key, size_t key_size, const shms_dict_record *r, void *context)
{
    struct seen *s = context;
    (void)key, (void)key_size;
    assert_int_equal(r->version, s->feed + 1); /* the scenes' rings are long enough, and cells rest */
    s->feed = r->version;
    return 0;
}

static int64_t before_everything(void *context)
{
    (void)context;
    return 1;
}

/* A walk comes to the same records, and to each once. */
static void walk(const shms_dict *d, const struct seen *s)
{
    shms_dict all = *d;
    all.now_ns = before_everything; /* what has expired, too */
    uint64_t cursor = 0;
    int64_t records = 0;
    for (int rc = 1; rc == 1;) {
        char key[17] = "";
        size_t key_size = sizeof key - 1;
        shms_dict_record r = {.struct_size = sizeof r};
        rc = shms_dict_next(&all, &cursor, key, &key_size, NULL, NULL, &r);
        assert_true(rc >= 0);
        int k = rc == 1 && strspn(key, "0123456789") == key_size ? atoi(key) : KEYS;
        if (k >= KEYS)
            continue;
        assert_int_equal(r.version, s->version[k]);
        records++;
    }
    assert_int_equal(records, s->records);
}

static void see(shms_dict *d, struct seen *s, int64_t since)
{
    char key[16];
    *s = (struct seen){.feed = since};
    for (int k = 0; k < KEYS; k++) {
        snprintf(key, sizeof key, "%d", k);
        s->version[k] = look_for(d, key, 0);
        s->records += s->version[k] != 0;
    }
    walk(d, s);
    s->locked = look_for(d, "0", RECORD_LOCK);
    int64_t at = since;
    int64_t told = shms_dict_changes(d, &at, count_change, s);
    assert_true(told >= 0 || told == SHMS_E_MISSED);
    if (told >= 0)
        assert_int_equal(at, shms_dict_version(d));
    s->feed = at;
}

/* What the feed told of the changes before the sweep; later it may leave some out, but tells nothing else. */
struct history {
    int64_t since, last;
    bool judges;
    char key[64][16];
};

static int compare_change(const void *key, size_t key_size, const shms_dict_record *r, void *context)
{
    struct history *h = context;
    int64_t at = r->version - h->since;
    if (at >= 64 || r->version > h->last)
        return 0;
    if (!h->judges)
        snprintf(h->key[at], sizeof h->key[at], "%.*s", (int)key_size, (const char *)key);
    else if (key_size != strlen(h->key[at]) || memcmp(key, h->key[at], key_size) != 0)
        fail_msg("change %d was of %s, and is told of %.*s", (int)r->version, h->key[at], (int)key_size,
                 (const char *)key);
    return 0;
}

static void compare_history(shms_dict *d, struct history *h)
{
    int64_t at = h->since;
    int64_t told = shms_dict_changes(d, &at, compare_change, h);
    assert_true(told >= 0 || told == SHMS_E_MISSED);
    h->judges = true;
}

static void recover(shms_dict *d)
{
    shms__redo_recover(d);
    assert_int_equal(shms__table_free_old(d), 0);
}

/* Members that die in the recovery, after each word, change nothing of what the last one makes of it. */
static void recover_in_parts(const struct copy *torn, const struct copy *whole)
{
    static struct copy c;
    uint64_t n = a64_load_relaxed(&torn->dict.header->redo_count); /* relaxed: a copy; so below */
    for (uint64_t k = 0; k < n; k++) {
        memcpy(c.bytes, torn->bytes, SIZE);
        c.dict = torn->dict;
        c.dict.section.member.region.data = c.bytes;
        c.dict.header = (struct dict_header *)(void *)c.bytes;
        for (uint64_t i = 0; i <= k; i++) {
            uint64_t offset = a64_load_relaxed(&c.dict.header->redo[i].offset);
            uint64_t value = a64_load_relaxed(&c.dict.header->redo[i].value);
            a64_store_relaxed((a64 *)(void *)(c.bytes + offset), value);
        }
        recover(&c.dict);
        assert_memory_equal(c.bytes, whole->bytes, SIZE);
    }
}

struct sweep {
    shms_dict *d;
    int64_t since;
    struct seen old, last; /* before the change; at the last point, before recovery */
    struct history history;
    int points, steps;
};

static void judge(struct sweep *w)
{
    static struct copy c, torn;
    struct seen before, after;
    take_copy(&c, w->d);
    see(&c.dict, &before, w->since);
    compare_history(&c.dict, &w->history);
    take_copy(&torn, w->d);
    recover(&c.dict);
    recover_in_parts(&torn, &c);
    const char *wrong = dict_wrong(&c.dict, true);
    if (wrong)
        print_error("step %d: %s\n", w->steps, wrong);
    assert_null(wrong);
    see(&c.dict, &after, w->since);
    for (int k = 0; k < KEYS; k++) {
        int64_t old = w->old.version[k];
        if (before.version[k] != old) /* seen: it stays */
            assert_int_equal(after.version[k], before.version[k]);
        if (w->last.version[k] != old)
            assert_int_equal(before.version[k], w->last.version[k]);
    }
    assert_true(after.feed >= before.feed && before.feed >= w->last.feed);
    w->last = before;
    w->points++;
}

/* The change of a scene, in single steps; nothing may be wrong at any of them. */
static void sweep(shms_dict *d, int (*change)(void *))
{
    static unsigned char previous[SIZE];
    struct sweep w = {.d = d, .since = shms_dict_version(d)};
    see(d, &w.old, w.since);
    w.history.last = w.since;
    w.history.since = w.since > 30 ? w.since - 30 : 0;
    compare_history(d, &w.history);
    w.last = w.old;
    memcpy(previous, d->section.member.region.data, SIZE);
    pid_t pid = traced(change, d);
    for (; step(pid); w.steps++) {
        if (memcmp(previous, d->section.member.region.data, SIZE) == 0)
            continue;
        memcpy(previous, d->section.member.region.data, SIZE);
        judge(&w);
    }
    judge(&w);
    assert_int_equal(finish(pid), 0);
    assert_true(w.points > 3);
    assert_true(dict_set(d, "after", "value") > 0); /* and the dict goes on */
    assert_null(dict_wrong(d, true));
    print_message("%d steps, %d states\n", w.steps, w.points);
}

/* The child of fork joins before the steps begin. */
#define SCENE(name, ...)                                                                                    \
    static int name(void *arg)                                                                              \
    {                                                                                                       \
        shms_dict *d = arg;                                                                                 \
        char big[1500];                                                                                     \
        memset(big, 'b', sizeof big);                                                                       \
        if (shms_dict_version(d) < 0)                                                                       \
            return 2;                                                                                       \
        raise(SIGSTOP);                                                                                     \
        int64_t rc = __VA_ARGS__;                                                                           \
        raise(SIGSTOP);                                                                                     \
        return rc < 0;                                                                                      \
    }

SCENE(set_new, shms_dict_set(d, "1", 1, big, 300, NULL))
SCENE(set_other, shms_dict_set(d, "0", 1, big, 10, NULL))
SCENE(set_longer, shms_dict_set(d, "0", 1, big, 400, NULL))
SCENE(set_ttl, shms_dict_set(d, "0", 1, big, 10, HOW(.ttl_ms = 1000)))
SCENE(del, shms_dict_del(d, "0", 1, NULL))
SCENE(add, shms_dict_add(d, "counter", 7, 1, 0, NULL, NULL))
SCENE(set_399, shms_dict_set(d, "399", 3, big, 5, NULL))
SCENE(lock_0, shms_dict_lock(d, "0", 1, 0))
SCENE(lock_and_unlock, shms_dict_lock(d, "0", 1, 0) | shms_dict_unlock(d, "0", 1))

static shms_dict *scene(uint32_t cell_size, uint32_t policy)
{
    char value[256];
    memset(value, 'o', sizeof value);
    shms_dict *d = dict_open(NAME, SIZE, DICT_OPTIONS(.cell_size = cell_size, .policy = policy, .ring = 64,
                                                      .value_max = 512, .key_max = 16, .now_ns = clock_ns));
    assert_true(shms_dict_set(d, "0", 1, value, 200, NULL) > 0);
    return d;
}

static void plain_changes(void **state)
{
    (void)state;
    static int (*const changes[])(void *) = {set_new, set_other, set_longer, set_ttl, del,
                                             add,     lock_0,    lock_and_unlock};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        for (uint32_t cell_size = 64; cell_size <= 256; cell_size *= 4) {
            shms_dict *d = scene(cell_size, SHMS_EVICT_NONE);
            sweep(d, changes[i]);
            shms_dict_close(d);
        }
}

static void what_has_expired_goes(void **state)
{
    (void)state;
    shms_dict *d = scene(64, SHMS_EVICT_NONE);
    for (int k = 1; k < 60; k++) {
        char key[16];
        size_t n = (size_t)snprintf(key, sizeof key, "%d", k);
        assert_true(shms_dict_set(d, key, n, "xx", 2, HOW(.ttl_ms = 1)) > 0);
    }
    clock_now += 2000000;
    for (int i = 0; i < 10; i++)
        sweep(d, set_other);
    shms_dict_close(d);
}

/* Until the next new key makes the index be exchanged: stones are made by deleting. */
static void index_is_exchanged(void **state)
{
    (void)state;
    shms_dict *d = scene(64, SHMS_EVICT_NONE);
    struct slots s;
    for (int k = 1000;; k++) {
        char key[16];
        snprintf(key, sizeof key, "%d", k);
        assert_true(shms__table_slots(d, &s));
        if ((a64_load_relaxed(&d->header->used) + 1) * 3 > (s.mask + 1) * 2)
            break;
        assert_true(dict_set(d, key, "v") > 0);
        if (a64_load_relaxed(&d->header->live) > s.mask / 3)
            for (int j = 0; j < 8; j++) {
                snprintf(key, sizeof key, "%d", k - j);
                dict_del(d, key);
            }
    }
    uint64_t table = a64_load_relaxed(&d->header->table); /* relaxed: one thread; so are all in this file */
    for (int k = 0; k < 50 && a64_load_relaxed(&d->header->table) == table; k++) {
        sweep(d, set_399);
        dict_del(d, "399");
    }
    shms_dict_close(d);
}

static void index_grows(void **state)
{
    (void)state;
    shms_dict *d = scene(256, SHMS_EVICT_NONE);
    struct slots s;
    for (int k = 1000;; k++) {
        char key[16];
        snprintf(key, sizeof key, "%d", k);
        assert_true(shms__table_slots(d, &s));
        if (a64_load_relaxed(&d->header->live) + 1 > (s.mask + 1) * 9 / 16)
            break;
        if (dict_set(d, key, "v") < 0)
            break;
    }
    uint64_t table = a64_load_relaxed(&d->header->table);
    sweep(d, set_399);
    assert_int_not_equal(a64_load_relaxed(&d->header->table) >> TABLE_LOG2_SHIFT, table >> TABLE_LOG2_SHIFT);
    shms_dict_close(d);
}

static void full_dicts(void **state)
{
    (void)state;
    for (int policy = SHMS_EVICT_NONE; policy <= SHMS_EVICT_LRU; policy++) {
        shms_dict *d = scene(64, (uint32_t)policy);
        int k;
        for (k = 1000; k < 1600; k++) {
            char key[16];
            snprintf(key, sizeof key, "%d", k);
            if (dict_set(d, key, "0123456789") < 0)
                break;
        }
        if (policy == SHMS_EVICT_NONE) /* marks are to be given up */
            for (int i = 1000; i < 1010; i++) {
                char key[16];
                snprintf(key, sizeof key, "%d", i);
                assert_true(dict_del(d, key) > 0);
            }
        sweep(d, set_new);
        shms_dict_close(d);
    }
}

/* ---- readers that are stopped */

static char got[512];
static int read_0(void *arg)
{
    shms_dict *d = arg;
    shms_dict_record r = {.struct_size = sizeof r};
    if (shms_dict_version(d) < 0)
        return 2;
    raise(SIGSTOP);
    int64_t n = shms_dict_get(d, "0", 1, got, sizeof got, &r);
    raise(SIGSTOP);
    if (n == SHMS_E_NOT_FOUND)
        return 10; /* it is there all the time */
    for (int64_t i = 1; i < n; i++)
        if (got[i] != got[0])
            return 3;
    return (n == 200 && got[0] == 'o') || (n == 190 && got[0] == 'n') || (n == 195 && got[0] == 'm') ? 11 : 4;
}

/* Two changes: "0" is replaced, and `key` is set, whose record gets the cells that were "0"'s. Before them
 * `fresh` is made, a record of one cell, if it is not NULL. */
static int replace_and_set(shms_dict *d, const char *fresh, const char *key, char byte)
{
    char value[256];
    memset(value, 'n', sizeof value);
    if (shms_dict_version(d) < 0)
        return 2;
    raise(SIGSTOP);
    if (fresh && dict_set(d, fresh, "") < 0)
        return 3;
    int64_t a = shms_dict_set(d, "0", 1, value, 190, NULL);
    memset(value, byte, sizeof value);
    int64_t b = shms_dict_set(d, key, 1, value, 195, NULL);
    raise(SIGSTOP);
    return a < 0 || b < 0;
}

/* The slot of "0" names another cell then, and its old cell another record. */
static int fill_by_another(void *d)
{
    return replace_and_set(d, NULL, "1", 'x');
}

/* The slot of "0" is as it was, and its cell has other bytes. */
static int fill_by_itself(void *d)
{
    return replace_and_set(d, NULL, "0", 'm');
}

/* The same as by another, but the slot of "0" that names the old cell is in an array that is used no more. */
static int fill_after_an_exchange(void *d)
{
    return replace_and_set(d, "fresh", "1", 'x');
}

static uint64_t cells_free(shms_dict *d)
{
    shms_dict_stats s = {.struct_size = sizeof s};
    assert_int_equal(shms_dict_info(d, &s), 0);
    return s.cells_free;
}

/* A dict with just as many free cells as the record of "0" has: once that is replaced, the next record gets
 * its cells, the first one first. `spare` cells more are for a new record before. */
static shms_dict *crowded(uint64_t spare)
{
    shms_dict *d = scene(64, SHMS_EVICT_LRU);
    char value[200], key[16];
    memset(value, 'f', sizeof value);
    uint64_t cells = shms__cells_for(d, 201) + spare;
    for (int k = 1000; cells_free(d) > cells; k++) {
        snprintf(key, sizeof key, "%d", k);
        assert_true(shms_dict_set(d, key, 4, value, cells_free(d) > cells + 8 ? 100 : 2, NULL) > 0);
    }
    assert_int_equal(cells_free(d), cells);
    return d;
}

SCENE(set_1, shms_dict_set(d, "1", 1, big, 195, NULL))

/* The cells that are filled are those of a change that the ring still names. */
static void ring_names_what_is_filled(void **state)
{
    (void)state;
    shms_dict *d = crowded(0);
    char value[195];
    memset(value, 'v', sizeof value);
    for (int i = 0; i < 2; i++)
        assert_true(shms_dict_set(d, "0", 1, value, sizeof value, NULL) > 0);
    sweep(d, set_1);
    shms_dict_close(d);
}

/* Stop the reader after i instructions, and the writer after j (less than 0: at its end); the reader goes on
 * first. */
static bool both_stopped(int (*change)(void *), int i, int j)
{
    bool exchange = change == fill_after_an_exchange;
    shms_dict *d = crowded(exchange);
    if (exchange) /* as if there were stones enough */
        a64_store_relaxed(&d->header->used, (a64_load_relaxed(&d->header->table) >> TABLE_LOG2_SHIFT) * 1000);
    uint64_t table = a64_load_relaxed(&d->header->table);
    pid_t reader = traced(read_0, d), writer = traced(change, d);
    bool inside = true, whole = j >= 0;
    for (int k = 0; k < i && inside; k++)
        inside = step(reader);
    for (int k = 0; k < j && whole; k++)
        whole = step(writer);
    int written = j < 0 ? finish(writer) : 0;
    int result = finish(reader);
    if (result != 11)
        print_error("reader stopped at %d, writer at %d: %d\n", i, j, result);
    assert_int_equal(result, 11);
    if (j >= 0)
        written = finish(writer);
    assert_int_equal(written, 0);
    assert_true((a64_load_relaxed(&d->header->table) != table) == exchange);
    assert_null(dict_wrong(d, true));
    shms_dict_close(d);
    return inside;
}

static void stop_readers(int (*change)(void *))
{
    int stride = getenv("DICT_STRIDE") ? atoi(getenv("DICT_STRIDE")) : 5;
    for (int i = 0; both_stopped(change, i, -1); i += stride)
        ;
    for (int i = 0; both_stopped(change, i, 0); i += 40 * stride)
        for (int j = 0; j < 2000; j += 61 * stride)
            both_stopped(change, i, j);
}

static void readers_stopped(void **state)
{
    (void)state;
    stop_readers(fill_by_another);
    stop_readers(fill_by_itself);
    stop_readers(fill_after_an_exchange);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(plain_changes), TEST(what_has_expired_goes), TEST(index_is_exchanged),
        TEST(index_grows),   TEST(full_dicts),            TEST(ring_names_what_is_filled),
        TEST(readers_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
