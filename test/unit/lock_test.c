/* SPDX-License-Identifier: MIT */
/* lock.c: one holder at a time, time-outs, turns, and a cell that is clean when all is quiet. */
#include "unit.h"

#include <pthread.h>

static uint64_t cell_of(shms_stream *s)
{
    return a64_load_relaxed(&s->section.member.region.control->cell); /* relaxed: a look */
}

static void set_cell(shms_stream *s, uint64_t value)
{
    a64_store_relaxed(&s->section.member.region.control->cell, value); /* relaxed: no other thread */
}

static uint32_t waiting(shms_stream *s)
{
    const struct member *m = &s->section.member;
    return a32_load_relaxed(&m->region.control->slots[m->slot].waiting); /* relaxed: a look */
}

struct locker {
    shms_stream *s;
    int timeout_ms;
    int rc;
    int64_t took_ns;
};

static void *lock_in_thread(void *arg)
{
    struct locker *l = arg;
    int64_t start = shms__now_ns();
    l->rc = shms_stream_lock(l->s, l->timeout_ms);
    l->took_ns = shms__now_ns() - start;
    if (l->rc >= 0)
        shms_stream_unlock(l->s);
    return NULL;
}

static int lock_elsewhere(shms_stream *s, int timeout_ms)
{
    struct locker l = {.s = s, .timeout_ms = timeout_ms};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, lock_in_thread, &l), 0);
    pthread_join(thread, NULL);
    return l.rc;
}

static void one_at_a_time(void **state)
{
    (void)state;
    shms_stream *a = unit_open(NAME, 16, NULL), *b = unit_open(NAME, 0, NULL);
    assert_int_equal(shms_stream_lock(a, 0), 0);
    assert_int_equal(cell_of(a), a->section.member.id);
    assert_int_equal(shms_stream_lock(b, 0), SHMS_E_TIMEOUT);
    int64_t start = shms__now_ns();
    assert_int_equal(shms_stream_lock(b, 40), SHMS_E_TIMEOUT);
    assert_true(shms__now_ns() - start >= 40000000);
    assert_int_equal(shms_stream_unlock(a), 0);
    assert_int_equal(shms_stream_lock(b, -1), 0);
    assert_int_equal(shms_stream_lock(a, 0), SHMS_E_TIMEOUT);
    assert_int_equal(shms_stream_unlock(b), 0);
    assert_int_equal(cell_of(a), 0);
    assert_int_equal(waiting(a) + waiting(b), 0);
    shms_stream_close(b);
    shms_stream_close(a);
}

static void wrong_uses(void **state)
{
    (void)state;
    shms_stream *a = unit_open(NAME, 16, NULL), *b = unit_open(NAME, 0, NULL);
    assert_int_equal(shms_stream_lock(NULL, 0), SHMS_E_INVALID);
    assert_int_equal(shms_stream_lock(a, -2), SHMS_E_INVALID);
    assert_int_equal(shms_stream_unlock(NULL), SHMS_E_INVALID);
    assert_int_equal(shms_stream_repaired(NULL), SHMS_E_INVALID);
    assert_int_equal(shms_stream_unlock(a), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_stream_repaired(a), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_stream_lock(a, -1), 0);
    uint64_t cell = cell_of(a);
    assert_int_equal(shms_stream_lock(a, -1), SHMS_E_DEADLOCK);
    assert_int_equal(shms_stream_lock(a, 0), SHMS_E_DEADLOCK);
    assert_int_equal(shms_stream_unlock(b), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_stream_repaired(b), SHMS_E_NOT_OWNER);
    assert_int_equal(cell_of(a), cell);
    const struct control *c = a->section.member.region.control;
    assert_int_equal(a64_load_relaxed(&c->sequence), 1); /* relaxed: one thread */
    assert_int_equal(shms_stream_unlock(a), 0);
    assert_int_equal(shms_stream_unlock(a), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_stream_version(a), 0); /* nothing was written */
    shms_stream_close(b);
    shms_stream_close(a);
}

static void *unlock_in_thread(void *s)
{
    return (void *)(intptr_t)shms_stream_unlock(s);
}

static void threads_of_one_handle(void **state)
{
    pthread_t thread;
    void *rc;
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(lock_elsewhere(s, 0), SHMS_E_TIMEOUT); /* another thread: not DEADLOCK */
    assert_int_equal(pthread_create(&thread, NULL, unlock_in_thread, s), 0);
    pthread_join(thread, &rc);
    assert_ptr_equal(rc, NULL); /* any thread may release */
    assert_int_equal(cell_of(s), 0);
    assert_int_equal(shms_stream_unlock(s), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_stream_lock(s, 0), 0); /* and this one does not think that it holds it */
    assert_int_equal(shms_stream_unlock(s), 0);
    shms_stream_close(s);
}

enum { COUNTERS = 4, ROUNDS = 4000 };

static void *count(void *arg)
{
    shms_stream *s = arg;
    uint64_t *number = shms_stream_memory(s);
    for (int i = 0; i < ROUNDS; i++) {
        if (shms_stream_lock(s, 60000) != 0)
            return "no lock";
        ++*number;
        if (shms_stream_unlock(s) != 0)
            return "no unlock";
    }
    return NULL;
}

static void a_counter(void **state)
{
    pthread_t threads[COUNTERS];
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    for (int i = 0; i < COUNTERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, s), 0);
    for (int i = 0; i < COUNTERS; i++) {
        void *trouble;
        pthread_join(threads[i], &trouble);
        assert_null(trouble);
    }
    assert_int_equal(*(uint64_t *)shms_stream_memory(s), COUNTERS * ROUNDS);
    assert_int_equal(cell_of(s), 0); /* no flag is left when all is quiet */
    assert_int_equal(waiting(s), 0);
    assert_int_equal(shms_stream_version(s), 2 * COUNTERS * ROUNDS);
    shms_stream_close(s);
}

/* ---- fairness */

/* A waiter that was woken in vain reserves the next turn; who never slept then stands back. */
static void a_turn_is_reserved(void **state)
{
    struct locker l = {.timeout_ms = 30000};
    pthread_t thread;
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    l.s = s;
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(pthread_create(&thread, NULL, lock_in_thread, &l), 0);
    WAIT_FOR(waiting(s) == 1 && (shms__wake(a64_low_half(&s->section.member.region.control->cell), 1),
                                 cell_of(s) & CELL_RESERVED));
    assert_int_equal(shms_stream_unlock(s), 0);
    pthread_join(thread, NULL);
    assert_int_equal(l.rc, 0);
    assert_int_equal(cell_of(s), 0);
    /* the one who reserved gives up: the reservation goes, too */
    assert_int_equal(shms_stream_lock(s, 0), 0);
    l.timeout_ms = 300;
    assert_int_equal(pthread_create(&thread, NULL, lock_in_thread, &l), 0);
    WAIT_FOR(waiting(s) == 1 && (shms__wake(a64_low_half(&s->section.member.region.control->cell), 1),
                                 cell_of(s) & CELL_RESERVED));
    pthread_join(thread, NULL);
    assert_int_equal(l.rc, SHMS_E_TIMEOUT);
    assert_true(l.took_ns >= 300000000);
    assert_int_equal(cell_of(s) & CELL_RESERVED, 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(cell_of(s), 0);
    /* who reserved died: a newcomer sleeps a slice, then takes it */
    set_cell(s, CELL_RESERVED);
    int64_t start = shms__now_ns();
    assert_int_equal(shms_stream_lock(s, -1), 0);
    assert_true(shms__now_ns() - start >= 1000000);
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(cell_of(s), 0);
    shms_stream_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_at_a_time), TEST(wrong_uses),         TEST(threads_of_one_handle),
        TEST(a_counter),     TEST(a_turn_is_reserved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
