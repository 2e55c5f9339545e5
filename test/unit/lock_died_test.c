/* SPDX-License-Identifier: MIT */
/* lock.c: the news that a holder died or closed, who is found dead, and who is not. */
#include "child.h"

#include <pthread.h>

static uint64_t cell_of(shms_stream *s)
{
    return a64_load_relaxed(&s->section.member.region.control->cell); /* relaxed: a look */
}

static void closed_while_holding(void **state)
{
    (void)state;
    shms_stream *a = unit_open(NAME, 16, NULL), *b = unit_open(NAME, 0, NULL);
    assert_int_equal(shms_stream_lock(b, 0), 0);
    shms_stream_close(b);
    assert_int_equal(shms_stream_version(a), 2);
    for (int i = 0; i < 3; i++) { /* up until somebody repairs */
        assert_int_equal(shms_stream_lock(a, 0), SHMS_OWNER_DIED);
        assert_int_equal(shms_stream_unlock(a), 0);
    }
    assert_int_equal(shms_stream_lock(a, 0), SHMS_OWNER_DIED);
    assert_int_equal(shms_stream_repaired(a), 0);
    assert_int_equal(shms_stream_unlock(a), 0);
    assert_int_equal(shms_stream_lock(a, 0), 0);
    assert_int_equal(shms_stream_unlock(a), 0);
    /* a handle that only reads can have left nothing half-written */
    shms_stream *reader = unit_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ));
    assert_int_equal(shms_stream_lock(reader, 0), 0);
    shms_stream_close(reader);
    assert_int_equal(shms_stream_lock(a, 0), 0);
    assert_int_equal(shms_stream_unlock(a), 0);
    assert_int_equal(cell_of(a), 0);
    shms_stream_close(a);
}

static int hold_and_die(void *gates)
{
    shms_stream *s;
    shms_info info = {.struct_size = sizeof info};
    EXPECT(shms_stream_open(NAME, 0, NULL, &s) == 0);
    EXPECT(shms_stream_lock(s, 0) == 0);
    unit_gate_open(gates);
    for (int i = 0; gates && i < 20000 && info.waiters == 0; i++) { /* die only when somebody waits */
        EXPECT(shms_stream_info(s, &info) == 0);
        shms__nap(1000000);
    }
    return 0;
}

static pthread_t waiter;
static atomic_bool storm_over;

static void tick(int number)
{
    (void)number;
}

static void *storm(void *unused)
{
    while (!atomic_load(&storm_over))
        pthread_kill(waiter, SIGALRM);
    return unused;
}

/* Found by a newcomer, by a waiter, and by a waiter whose sleeps are all ended by signals. */
static void died_while_holding(void **state)
{
    pthread_t storming;
    int gate[2];
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    waiter = pthread_self();
    signal(SIGALRM, tick);
    for (int how = 0; how < 3; how++) {
        assert_int_equal(pipe(gate), 0);
        pid_t pid = unit_fork(hold_and_die, gate, 0);
        unit_gate_wait(gate);
        if (how == 0) {
            assert_int_equal(kill(pid, SIGKILL), 0);
            assert_int_equal(unit_wait(pid), 128 + SIGKILL);
            assert_int_equal(shms_stream_lock(s, 0), SHMS_OWNER_DIED);
        } else {
            atomic_store(&storm_over, how != 2);
            assert_int_equal(pthread_create(&storming, NULL, storm, NULL), 0);
            int rc = shms_stream_lock(s, 20000);
            atomic_store(&storm_over, true);
            pthread_join(storming, NULL);
            assert_int_equal(rc, SHMS_OWNER_DIED);
            assert_int_equal(unit_wait(pid), 0);
        }
        assert_int_equal(shms_stream_repaired(s), 0);
        assert_int_equal(shms_stream_unlock(s), 0);
        assert_int_equal(cell_of(s), 0);
        close(gate[0]);
        close(gate[1]);
    }
    signal(SIGALRM, SIG_DFL);
    shms_stream_close(s);
}

static void a_stopped_holder_is_not_robbed(void **state)
{
    int gate[2];
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    assert_int_equal(pipe(gate), 0);
    pid_t pid = unit_fork(hold_and_die, gate, 0);
    unit_gate_wait(gate);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
    assert_int_equal(shms_stream_lock(s, 60), SHMS_E_TIMEOUT);
    assert_int_equal(shms_stream_lock(s, 0), SHMS_E_TIMEOUT);
    kill(pid, SIGKILL);
    unit_wait(pid);
    assert_int_equal(shms_stream_lock(s, -1), SHMS_OWNER_DIED);
    assert_int_equal(shms_stream_unlock(s), 0);
    close(gate[0]);
    close(gate[1]);
    shms_stream_close(s);
}

/* Identities that no living member has, as a dead or a hostile one may leave them. */
static void holders_that_are_nobody(void **state)
{
    (void)state;
    shms_stream *a = unit_open(NAME, 16, NULL), *b = unit_open(NAME, 0, NULL);
    uint64_t one_life = 1ull << 32;
    uint64_t me = a->section.member.id, it = b->section.member.id;
    uint64_t nobody[] = {it - one_life, it + one_life, me + one_life,
                         ref_owner(7, 1), ref_owner(LAYOUT_SLOTS, 1), one_life | CELL_SLOT, one_life};
    for (size_t i = 0; i < sizeof nobody / sizeof *nobody; i++) {
        /* relaxed: no other thread */
        a64_store_relaxed(&a->section.member.region.control->cell, nobody[i] | CELL_WAITERS);
        assert_int_equal(shms_stream_lock(a, 0), 0); /* no section was open: nothing can be half-written */
        a64 *cell = &a->section.member.region.control->cell;
        a64_store_relaxed(cell, nobody[i] | CELL_WAITERS); /* relaxed: as above */
        assert_int_equal(shms_stream_lock(a, 0), SHMS_OWNER_DIED);
        assert_int_equal(shms_stream_repaired(a), 0);
        assert_int_equal(shms_stream_unlock(a), 0);
        assert_int_equal(cell_of(a), 0);
    }
    shms_stream_close(b);
    shms_stream_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(closed_while_holding),
        TEST(died_while_holding),
        TEST(a_stopped_holder_is_not_robbed),
        TEST(holders_that_are_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
