/* SPDX-License-Identifier: MIT */
/* version.c: snapshots, waiting for a change, and telling of one. */
#include "unit.h"

#include <pthread.h>

static void section(shms_stream *s)
{
    assert_int_equal(shms_stream_lock(s, -1), 0);
    shms_stream_pwrite(s, "x", 1, 0); /* a reader's is refused, and changes nothing */
    assert_int_equal(shms_stream_unlock(s), 0);
}

static uint64_t cell_of(shms_stream *s)
{
    return a64_load_relaxed(&s->section.member.region.control->cell); /* relaxed: a look */
}

static void moves_by_two(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    shms_stream *reader = unit_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ));
    assert_int_equal(shms_stream_version(s), 0);
    for (int i = 1; i <= 5; i++) {
        section(s);
        assert_int_equal(shms_stream_version(reader), 2 * i);
        section(reader); /* cannot have changed anything */
        assert_int_equal(shms_stream_version(s), 2 * i);
    }
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_pwrite(s, "x", 1, 0), 1);
    assert_int_equal(shms_stream_version(s), 10); /* of the last finished section */
    assert_int_equal(shms_stream_version(reader), 10);
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(shms_stream_version(reader), 12);
    assert_int_equal(shms_stream_version(NULL), SHMS_E_INVALID);
    shms_stream_close(reader);
    shms_stream_close(s);
}

/* ---- snapshot */

/* Long enough for a copy to be overtaken; and so many that it happens on one processor, too. */
enum { WORDS = 16384, SEEN = 300 };

static atomic_bool writing;

static void *write_records(void *arg)
{
    static uint64_t record[WORDS];
    shms_stream *s = arg;
    for (uint64_t i = 1; atomic_load(&writing); i++) {
        for (int k = 0; k < WORDS; k++)
            record[k] = i;
        if (shms_stream_lock(s, -1) < 0)
            break;
        /* the end first, so that a reader runs into it */
        shms_stream_pwrite(s, record, sizeof record / 2, sizeof record / 2);
        shms_stream_pwrite(s, record, sizeof record / 2, 0);
        shms_stream_unlock(s);
    }
    return NULL;
}

static void snapshots_are_consistent(void **state)
{
    static uint64_t record[WORDS];
    pthread_t thread;
    uint64_t last = 0;
    (void)state;
    shms_stream *s = unit_open(NAME, sizeof record, NULL);
    atomic_store(&writing, true);
    assert_int_equal(pthread_create(&thread, NULL, write_records, s), 0);
    for (int seen = 0; seen < SEEN;) {
        assert_int_equal(shms_stream_snapshot(s, record, sizeof record, 0), sizeof record);
        assert_true(memcmp(record, record + 1, sizeof record - 8) == 0); /* one number all over */
        assert_true(record[0] >= last);
        seen += record[0] > last;
        last = record[0];
    }
    atomic_store(&writing, false);
    pthread_join(thread, NULL);
    assert_int_equal(cell_of(s) & ~CELL_SHARED, 0);
    shms_stream_close(s);
}

static void snapshot_edges(void **state)
{
    char buf[16];
    (void)state;
    memset(buf, '.', sizeof buf);
    shms_stream *s = unit_open(NAME, 10, NULL);
    assert_int_equal(shms_stream_pwrite(s, "0123456789", 10, 0), 10);
    assert_int_equal(shms_stream_snapshot(s, buf, 16, 7), 3);
    assert_memory_equal(buf, "789.", 4);
    assert_int_equal(shms_stream_snapshot(s, buf, 16, 10), 0);
    assert_int_equal(shms_stream_snapshot(s, buf, 16, INT64_MAX), 0);
    assert_int_equal(shms_stream_snapshot(s, NULL, 0, 0), 0);
    assert_int_equal(shms_stream_snapshot(s, buf, 1, -1), SHMS_E_RANGE);
    assert_int_equal(shms_stream_snapshot(s, buf, 1, INT64_MIN), SHMS_E_RANGE);
    assert_int_equal(shms_stream_snapshot(s, NULL, 1, 0), SHMS_E_INVALID);
    assert_int_equal(shms_stream_snapshot(NULL, buf, 1, 0), SHMS_E_INVALID);
    assert_int_equal(shms_stream_tell(s), 0);
    shms_stream_close(s);
}

static void snapshot_and_the_lock(void **state)
{
    char buf[4];
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    shms_stream *other = unit_open(NAME, 0, OPTIONS(.open_timeout_ms = 50));
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_pwrite(s, "new", 4, 0), 4);
    assert_int_equal(shms_stream_snapshot(s, buf, 4, 0), 4); /* the holder sees what is there */
    assert_string_equal(buf, "new");
    int64_t start = shms__now_ns();
    assert_int_equal(shms_stream_snapshot(other, buf, 4, 0), SHMS_E_TIMEOUT);
    assert_true(shms__now_ns() - start >= 50000000);
    shms_stream_close(s); /* inside its section */
    assert_int_equal(shms_stream_snapshot(other, buf, 4, 0), SHMS_E_CORRUPT);
    assert_int_equal(shms_stream_snapshot(other, buf, 4, 0), SHMS_E_CORRUPT);
    assert_int_equal(shms_stream_pread(other, buf, 4, 0), 4);
    assert_int_equal(shms_stream_lock(other, 0), SHMS_OWNER_DIED);
    assert_int_equal(shms_stream_repaired(other), 0);
    assert_int_equal(shms_stream_unlock(other), 0);
    assert_int_equal(shms_stream_snapshot(other, buf, 4, 0), 4);
    assert_int_equal(cell_of(other), 0);
    shms_stream_close(other);
}

/* A quiet section of another delays no snapshot. */
static void snapshot_beside_a_reader(void **state)
{
    char c;
    (void)state;
    shms_stream *s = unit_open(NAME, 16, OPTIONS(.open_timeout_ms = 20));
    shms_stream *reader = unit_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ));
    assert_int_equal(shms_stream_lock(reader, 0), 0);
    assert_int_equal(shms_stream_snapshot(s, &c, 1, 0), 1);
    assert_int_equal(shms_stream_unlock(reader), 0);
    shms_stream_close(reader);
    shms_stream_close(s);
}

/* ---- wait */

static void wait_at_once(void **state)
{
    int64_t seen = 0;
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    assert_int_equal(shms_stream_wait(s, &seen, 0), SHMS_E_TIMEOUT);
    assert_int_equal(seen, 0);
    section(s);
    assert_int_equal(shms_stream_wait(s, &seen, 0), 0);
    assert_int_equal(seen, 2);
    assert_int_equal(shms_stream_wait(s, &seen, 0), SHMS_E_TIMEOUT);
    int64_t start = shms__now_ns();
    assert_int_equal(shms_stream_wait(s, &seen, 30), SHMS_E_TIMEOUT);
    assert_true(shms__now_ns() - start >= 30000000);
    seen = 77; /* never seen: any other version is news */
    assert_int_equal(shms_stream_wait(s, &seen, -1), 0);
    assert_int_equal(seen, 2);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_pwrite(s, "y", 1, 0), 1);
    assert_int_equal(shms_stream_wait(s, &seen, 10), SHMS_E_TIMEOUT); /* an open section is no change yet */
    seen = 0;
    assert_int_equal(shms_stream_wait(s, &seen, 10), 0); /* and hides none that came before */
    assert_int_equal(seen, 2);
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(cell_of(s), 0);
    assert_int_equal(shms_stream_wait(NULL, &seen, 0), SHMS_E_INVALID);
    assert_int_equal(shms_stream_wait(s, NULL, 0), SHMS_E_INVALID);
    assert_int_equal(shms_stream_wait(s, &seen, -2), SHMS_E_INVALID);
    shms_stream_close(s);
}

struct waiter {
    pthread_t thread;
    shms_stream *s;
    int64_t seen;
    int rc;
};

static void *wait_in_thread(void *arg)
{
    struct waiter *w = arg;
    w->rc = shms_stream_wait(w->s, &w->seen, 20000);
    return NULL;
}

static void start(struct waiter w[3], shms_stream *a, shms_stream *b, shms_stream *c)
{
    shms_stream *handles[] = {a, b, c};
    for (int i = 0; i < 3; i++) {
        w[i] = (struct waiter){.s = handles[i], .seen = shms_stream_version(a), .rc = 1};
        assert_int_equal(pthread_create(&w[i].thread, NULL, wait_in_thread, &w[i]), 0);
    }
    WAIT_FOR(cell_of(a) & CELL_CHANGE);
}

static void check(struct waiter w[3], int64_t version)
{
    for (int i = 0; i < 3; i++) {
        pthread_join(w[i].thread, NULL);
        assert_int_equal(w[i].rc, 0);
        assert_int_equal(w[i].seen, version);
    }
}

static void all_that_wait_are_woken(void **state)
{
    struct waiter w[3];
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    shms_stream *reader = unit_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ));
    start(w, s, s, reader);
    section(reader); /* changes nothing, so must not use up the flag */
    assert_true(cell_of(s) & CELL_CHANGE);
    section(s);
    check(w, 2);
    start(w, s, reader, reader);
    assert_int_equal(shms_stream_notify(s), 0);
    check(w, 4);
    shms_stream_close(reader);
    shms_stream_close(s);
}

static void notify(void **state)
{
    struct waiter w[3];
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    shms_stream *other = unit_open(NAME, 0, NULL);
    shms_stream *reader = unit_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ));
    assert_int_equal(shms_stream_notify(NULL), SHMS_E_INVALID);
    assert_int_equal(shms_stream_notify(reader), SHMS_E_READ_ONLY);
    assert_int_equal(shms_stream_notify(s), 0);
    assert_int_equal(shms_stream_version(s), 2);
    assert_int_equal(cell_of(s), 0);
    /* somebody else's changing section, one's own, and a quiet one: its end tells */
    shms_stream *holders[] = {other, s, reader};
    for (int i = 0; i < 3; i++) {
        int64_t before = shms_stream_version(s);
        start(w, s, other, reader);
        assert_int_equal(shms_stream_lock(holders[i], -1), 0);
        assert_int_equal(shms_stream_notify(s), 0);
        assert_true(holders[i] == s || (cell_of(s) & CELL_NOTICE));
        assert_int_equal(shms_stream_version(s), before);
        assert_int_equal(shms_stream_unlock(holders[i]), 0);
        for (int k = 0; k < 3; k++) {
            pthread_join(w[k].thread, NULL);
            assert_int_equal(w[k].rc, 0);
            assert_true(w[k].seen > before);
        }
        assert_int_equal(shms_stream_version(s), before + 2);
        section(s); /* takes away what the last waiter may have set again */
        assert_int_equal(cell_of(s), 0);
    }
    shms_stream_close(reader);
    shms_stream_close(other);
    shms_stream_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(moves_by_two),          TEST(snapshots_are_consistent), TEST(snapshot_edges),
        TEST(snapshot_and_the_lock), TEST(snapshot_beside_a_reader), TEST(wait_at_once),
        TEST(all_that_wait_are_woken), TEST(notify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
