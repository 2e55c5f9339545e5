/* SPDX-License-Identifier: MIT */
/* The shared lock: who is in with whom, who waits for whom, and what the dead leave. */
#include "child.h"

#include <pthread.h>

static uint64_t cell_of(const shms_stream *s)
{
    return a64_load_relaxed(&s->section.member.region.control->cell); /* relaxed: one thread, or a poll */
}

static uint32_t entry_of(const shms_stream *s, uint32_t entry)
{
    /* relaxed: one thread, or a poll */
    return a32_load_relaxed(&s->section.member.region.control->slots[s->section.member.slot].readers[entry]);
}

static void who_is_in_with_whom(void **state)
{
    (void)state;
    shms_stream *a = unit_open(NAME, 16, NULL), *b = unit_open(NAME, 0, NULL);
    shms_stream *r = unit_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ));
    for (int round = 0; round < 2; round++) { /* by turn, and then with S standing */
        assert_int_equal(shms_stream_lock_shared(a, 0), 0);
        assert_int_equal(shms_stream_lock_shared(b, 0), 0);
        assert_int_equal(shms_stream_lock_shared(r, -1), 0);
        assert_int_equal(cell_of(a), CELL_SHARED);
        shms_stream *w = unit_open(NAME, 0, NULL);
        assert_int_equal(shms_stream_lock(w, 0), SHMS_E_TIMEOUT);
        assert_int_equal(shms_stream_lock(w, 5), SHMS_E_TIMEOUT);
        assert_int_equal(cell_of(a) & ~CELL_WAITERS, CELL_SHARED); /* it stands back whole */
        assert_int_equal(shms_stream_unlock(a), 0);
        assert_int_equal(shms_stream_unlock(r), 0);
        assert_int_equal(shms_stream_lock(w, 0), SHMS_E_TIMEOUT);
        assert_int_equal(shms_stream_unlock(b), 0);
        assert_int_equal(shms_stream_unlock(b), SHMS_E_NOT_OWNER);
        assert_int_equal(shms_stream_version(w), 2 * round); /* readers change nothing */
        assert_int_equal(shms_stream_lock(w, 0), 0);
        assert_int_equal(cell_of(w) & ~CELL_WAITERS, w->section.member.id);
        assert_int_equal(shms_stream_lock_shared(a, 0), SHMS_E_TIMEOUT);
        assert_int_equal(shms_stream_lock_shared(a, 5), SHMS_E_TIMEOUT);
        assert_int_equal(entry_of(a, 0), 0);
        assert_int_equal(shms_stream_pwrite(w, "x", 1, 0), 1);
        assert_int_equal(shms_stream_unlock(w), 0);
        shms_stream_close(w);
    }
    shms_stream_close(r);
    shms_stream_close(b);
    shms_stream_close(a);
}

static void wrong_uses(void **state)
{
    (void)state;
    shms_stream *a = unit_open(NAME, 16, NULL), *b = unit_open(NAME, 0, NULL);
    assert_int_equal(shms_stream_lock_shared(NULL, 0), SHMS_E_INVALID);
    assert_int_equal(shms_stream_lock_shared(a, -2), SHMS_E_INVALID);
    assert_int_equal(shms_stream_lock_shared(a, 0), 0);
    assert_int_equal(shms_stream_lock_shared(a, -1), SHMS_E_DEADLOCK);
    assert_int_equal(shms_stream_lock(a, -1), SHMS_E_DEADLOCK); /* no upgrade */
    assert_int_equal(shms_stream_unlock(b), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_stream_repaired(a), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_stream_resize(a, 8), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_stream_unlock(a), 0);
    assert_int_equal(shms_stream_lock(a, 0), 0);
    assert_int_equal(shms_stream_lock_shared(a, -1), SHMS_E_DEADLOCK); /* no downgrade either */
    assert_int_equal(shms_stream_unlock(a), 0);
    shms_stream_close(b);
    shms_stream_close(a);
}

static void *read_lock(void *s)
{
    return (void *)(intptr_t)shms_stream_lock_shared(s, 0);
}

static void *unlock(void *s)
{
    return (void *)(intptr_t)shms_stream_unlock(s);
}

static int elsewhere(void *(*what)(void *), shms_stream *s)
{
    pthread_t thread;
    void *rc;
    assert_int_equal(pthread_create(&thread, NULL, what, s), 0);
    pthread_join(thread, &rc);
    return (int)(intptr_t)rc;
}

/* Each thread of a handle has an entry of its own, as far as they go; any thread may give one back. */
static void threads_of_one_handle(void **state)
{
    pthread_t one[LAYOUT_READERS];
    void *rc;
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    for (uint32_t i = 0; i < LAYOUT_READERS; i++) /* none is joined: a thread's identity may be used again */
        assert_int_equal(pthread_create(&one[i], NULL, read_lock, s), 0);
    WAIT_FOR(entry_of(s, LAYOUT_READERS - 1));
    assert_int_equal(shms_stream_lock_shared(s, 0), SHMS_E_FULL);
    assert_int_equal(shms_stream_lock(s, 0), SHMS_E_TIMEOUT);
    for (uint32_t i = 0; i < LAYOUT_READERS; i++) {
        assert_int_equal(pthread_join(one[i], &rc), 0);
        assert_null(rc);
        assert_int_equal(elsewhere(unlock, s), 0);
    }
    assert_int_equal(elsewhere(unlock, s), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(elsewhere(read_lock, s), SHMS_E_TIMEOUT);
    assert_int_equal(shms_stream_unlock(s), 0);
    shms_stream_close(s);
}

static void *lock_for_long(void *s)
{
    return (void *)(intptr_t)shms_stream_lock(s, 20000);
}

/* Who waits to write has the cell, but no section yet: what is given back is a reader's. */
static void a_writer_waits_for_its_own_handle(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    for (int by_another = 0; by_another < 2; by_another++) {
        pthread_t writer;
        void *rc = NULL;
        assert_int_equal(elsewhere(read_lock, s), 0);
        assert_int_equal(shms_stream_lock_shared(s, 0), 0);
        assert_int_equal(elsewhere(unlock, s), 0);
        assert_int_equal(entry_of(s, 0), 0); /* this thread's is the second */
        assert_int_equal(pthread_create(&writer, NULL, lock_for_long, s), 0);
        WAIT_FOR((cell_of(s) & CELL_OWNER) == s->section.member.id);
        assert_int_equal(by_another ? elsewhere(unlock, s) : shms_stream_unlock(s), 0);
        assert_int_equal(pthread_join(writer, &rc), 0);
        assert_int_equal((intptr_t)rc, 0);
        assert_int_equal(cell_of(s) & CELL_OWNER, s->section.member.id);
        assert_int_equal(shms_stream_unlock(s), 0);
        assert_int_equal(shms_stream_unlock(s), SHMS_E_NOT_OWNER);
    }
    shms_stream_close(s);
}

static void closed_while_reading(void **state)
{
    (void)state;
    shms_stream *a = unit_open(NAME, 16, NULL), *b = unit_open(NAME, 0, NULL);
    assert_int_equal(shms_stream_lock_shared(b, 0), 0);
    shms_stream_close(b);
    assert_int_equal(shms_stream_lock(a, 0), 0); /* without news: readers leave nothing half-written */
    assert_int_equal(shms_stream_unlock(a), 0);
    shms_stream_close(a);
}

static int read_and_die(void *gates)
{
    shms_stream *s;
    EXPECT(shms_stream_open(NAME, 0, NULL, &s) == 0);
    EXPECT(shms_stream_lock_shared(s, 0) == 0);
    unit_gate_open(gates);
    for (;;)
        pause();
}

/* A dead reader is passed over by a try, by a waiter who slept on its entry, and before its slot is used
 * again; one who only stopped is not. */
static void died_while_reading(void **state)
{
    int gate[2];
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    for (int how = 0; how < 4; how++) {
        assert_int_equal(pipe(gate), 0);
        pid_t pid = unit_fork(read_and_die, gate, 0);
        unit_gate_wait(gate);
        assert_int_equal(kill(pid, SIGSTOP), 0);
        assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
        assert_int_equal(shms_stream_lock(s, 0), SHMS_E_TIMEOUT);
        assert_int_equal(shms_stream_lock(s, 30), SHMS_E_TIMEOUT);
        kill(pid, SIGKILL);
        if (how > 0)
            unit_wait(pid);
        if (how == 2) /* another member in the dead one's slot */
            shms_stream_close(unit_open(NAME, 0, NULL));
        shms_stream *late = how == 3 ? unit_open(NAME, 0, NULL) : NULL;
        if (late)
            assert_int_equal(shms_stream_lock_shared(late, -1), 0);
        if (late)
            assert_int_equal(shms_stream_unlock(late), 0);
        assert_int_equal(shms_stream_lock(s, 20000), 0);
        assert_int_equal(cell_of(s) & ~CELL_WAITERS, s->section.member.id);
        assert_int_equal(shms_stream_unlock(s), 0);
        if (how == 0)
            unit_wait(pid);
        shms_stream_close(late);
        close(gate[0]);
        close(gate[1]);
    }
    shms_stream_close(s);
}

/* An entry of another generation than its slot's is a dead member's, whoever has the slot now. */
static void the_slot_of_a_dead_reader(void **state)
{
    (void)state;
    shms_stream *a = unit_open(NAME, 16, NULL), *b = unit_open(NAME, 0, NULL);
    uint32_t generation = (uint32_t)(b->section.member.id >> 32);
    assert_int_equal(shms_stream_lock_shared(b, 0), 0);
    assert_int_equal(entry_of(b, 0), generation);
    a32_store_relaxed(&b->section.member.entries[5], generation - 1); /* relaxed: one thread */
    a32_store_relaxed(&a->section.member.entries[5], 77);             /* relaxed: one thread */
    assert_int_equal(shms_stream_lock(a, 0), SHMS_E_TIMEOUT);
    assert_int_equal(shms_stream_unlock(b), 0);
    assert_int_equal(shms_stream_lock(a, 0), 0);
    assert_int_equal(entry_of(b, 5) + entry_of(a, 5), 0);
    assert_int_equal(shms_stream_unlock(a), 0);
    shms_stream_close(b);
    shms_stream_close(a);
}

/* Who joins in the slot of one that died with all of its entries in has all of them, and nobody waits. */
static void a_slot_full_of_dead_readers(void **state)
{
    (void)state;
    shms_stream *a = unit_open(NAME, 16, NULL), *b = unit_open(NAME, 0, NULL);
    uint32_t slot = b->section.member.slot;
    shms_stream_close(b);
    for (uint32_t i = 0; i < LAYOUT_READERS; i++) /* relaxed: one thread */
        a32_store_relaxed(&a->section.member.region.control->slots[slot].readers[i], 1);
    b = unit_open(NAME, 0, NULL);
    assert_int_equal(b->section.member.slot, slot);
    assert_int_equal(shms_stream_lock_shared(b, 0), 0);
    assert_int_equal(shms_stream_unlock(b), 0);
    assert_int_equal(shms_stream_lock(a, 0), 0);
    assert_int_equal(shms_stream_unlock(a), 0);
    shms_stream_close(b);
    shms_stream_close(a);
}

static int write_and_die(void *gates)
{
    shms_stream *s;
    EXPECT(shms_stream_open(NAME, 0, NULL, &s) == 0);
    EXPECT(shms_stream_lock(s, 0) == 0);
    unit_gate_open(gates);
    for (;;)
        pause();
}

/* A reader that takes over from a dead writer is told, and so are those that come with it, and after it. */
static void a_reader_is_told(void **state)
{
    int gate[2];
    (void)state;
    shms_stream *a = unit_open(NAME, 16, NULL), *b = unit_open(NAME, 0, NULL);
    assert_int_equal(pipe(gate), 0);
    pid_t pid = unit_fork(write_and_die, gate, 0);
    unit_gate_wait(gate);
    assert_int_equal(shms_stream_lock_shared(a, 0), SHMS_E_TIMEOUT);
    kill(pid, SIGKILL);
    unit_wait(pid);
    assert_int_equal(shms_stream_lock_shared(a, -1), SHMS_OWNER_DIED);
    assert_int_equal(shms_stream_lock_shared(b, -1), SHMS_OWNER_DIED);
    assert_int_equal(shms_stream_unlock(a), 0);
    assert_int_equal(shms_stream_unlock(b), 0);
    assert_int_equal(shms_stream_version(a) & 1, 0);
    assert_int_equal(shms_stream_lock(a, 0), SHMS_OWNER_DIED);
    assert_int_equal(shms_stream_repaired(a), 0);
    assert_int_equal(shms_stream_unlock(a), 0);
    assert_int_equal(shms_stream_lock_shared(b, -1), 0);
    assert_int_equal(shms_stream_unlock(b), 0);
    close(gate[0]);
    close(gate[1]);
    shms_stream_close(b);
    shms_stream_close(a);
}

/* Readers see two numbers that writers move together; nobody is kept out for ever by the others. */
static atomic_int bad, reads, writes;

static void *reader(void *unused)
{
    shms_stream *s = unit_open(NAME, 0, NULL);
    uint64_t *n = shms_stream_memory(s);
    for (int i = 0; i < 20000 || atomic_load(&writes) == 0; i++) {
        if (shms_stream_lock_shared(s, -1) != 0)
            break;
        atomic_fetch_add(&bad, n[0] != n[1]);
        atomic_fetch_add(&reads, 1);
        shms_stream_unlock(s);
    }
    shms_stream_close(s);
    return unused;
}

static void *writer(void *unused)
{
    shms_stream *s = unit_open(NAME, 0, NULL);
    uint64_t *n = shms_stream_memory(s);
    for (int i = 0; i < 2000 || atomic_load(&reads) == 0; i++) {
        if (shms_stream_lock(s, -1) != 0)
            break;
        n[0]++;
        n[1]++;
        atomic_fetch_add(&writes, 1);
        shms_stream_unlock(s);
    }
    shms_stream_close(s);
    return unused;
}

static void readers_and_writers(void **state)
{
    pthread_t threads[5];
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    for (int i = 0; i < 5; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i < 3 ? reader : writer, NULL), 0);
    for (int i = 0; i < 5; i++)
        pthread_join(threads[i], NULL);
    uint64_t *n = shms_stream_memory(s);
    assert_int_equal(atomic_load(&bad), 0);
    assert_int_equal(n[0], atomic_load(&writes));
    assert_true(atomic_load(&writes) >= 4000 && atomic_load(&reads) >= 60000);
    shms_stream_close(s);
}

/* A child of fork has no part in what its parent reads, and may read itself. */
static int child(void *s)
{
    EXPECT(shms_stream_unlock(s) == SHMS_E_NOT_OWNER);
    EXPECT(shms_stream_lock(s, 0) == SHMS_E_TIMEOUT);
    EXPECT(shms_stream_lock_shared(s, 0) == 0);
    shms_stream_close(s);
    return 0;
}

static void forked_while_reading(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    assert_int_equal(shms_stream_lock_shared(s, 0), 0);
    assert_int_equal(unit_wait(unit_fork(child, s, 0)), 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    shms_stream_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_in_with_whom),   TEST(wrong_uses),       TEST(threads_of_one_handle),
        TEST(closed_while_reading),  TEST(died_while_reading), TEST(a_reader_is_told),
        TEST(readers_and_writers),   TEST(forked_while_reading), TEST(the_slot_of_a_dead_reader),
        TEST(a_slot_full_of_dead_readers), TEST(a_writer_waits_for_its_own_handle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
