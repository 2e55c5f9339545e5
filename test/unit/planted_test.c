/* SPDX-License-Identifier: MIT */
/* What no other test notices: each of these catches a planted bug of test/mutants. */
#include "child.h"

#include <pthread.h>

#define MEGA (1u << 20)

static int lock_and_die(void *name)
{
    shms_stream *s = NULL;
    EXPECT(shms_stream_open(name, 0, NULL, &s) == 0);
    EXPECT(shms_stream_lock(s, 0) == 0);
    _exit((int)s->section.member.slot);
}

static void the_slot_of_a_dead_holder(void **state)
{
    (void)state;
    shms_stream *a = unit_open(NAME, 16, NULL);
    int slot = unit_child(lock_and_die, NAME, 0);
    assert_int_equal(slot, 1);
    a32_store_relaxed(&a->section.member.region.control->slots[slot].pid, 0); /* the hint: nobody is here */
    shms_stream *b = unit_open(NAME, 0, NULL);
    assert_int_equal(b->section.member.slot, slot);
    assert_int_equal(shms_stream_unlock(b), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_stream_lock(a, 1000), SHMS_OWNER_DIED);
    assert_int_equal(shms_stream_repaired(a), 0);
    assert_int_equal(shms_stream_unlock(a), 0);
    shms_stream_close(b);
    shms_stream_close(a);
}

/* In a child, since what is tested is that this does not end in SIGBUS. */
static int reads_as_far_as_it_is_told(void *name)
{
    static char buf[2 * MEGA];
    shms_stream *s = NULL;
    EXPECT(shms_stream_open(name, 0, OPTIONS(.max_size = 2 * MEGA), &s) == 0);
    a64_store_relaxed(&s->section.member.region.control->size, 2 * MEGA);
    EXPECT(shms_stream_pread(s, buf, sizeof buf, 0) <= MEGA);
    EXPECT(shms_stream_pread(s, buf, 1, 2 * MEGA - 1) <= 0);
    EXPECT(shms_stream_snapshot(s, buf, sizeof buf, 0) <= MEGA);
    EXPECT(shms_stream_pwrite(s, "", 1, 2 * MEGA - 1) == SHMS_E_RANGE);
    EXPECT(shms_stream_size(s) <= MEGA);
    a64_store_relaxed(&s->section.member.region.control->size, MEGA);
    shms_stream_close(s);
    return 0;
}

static void a_size_that_a_peer_wrote(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, MEGA, NULL);
    assert_int_equal(unit_child(reads_as_far_as_it_is_told, NAME, 0), 0);
    shms_stream_close(s);
}

static void *read_bytes(void *s)
{
    char c;
    intptr_t n = 0;
    while (shms_stream_read(s, &c, 1) == 1)
        n++;
    return (void *)n;
}

/* Bytes one by one, so that the two meet at the position for as long as both run. */
static void two_readers_share_a_position(void **state)
{
    pthread_t threads[2];
    void *ret;
    intptr_t sum = 0;
    (void)state;
    shms_stream *s = unit_open(NAME, 4 * MEGA, NULL);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_bytes, s), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], &ret);
        sum += (intptr_t)ret;
    }
    assert_int_equal(sum, 4 * MEGA);
    shms_stream_close(s);
}

static void *open_it(void *unused)
{
    shms_stream *s = NULL;
    (void)unused;
    return shms_stream_open(NAME, 16, NULL, &s) == 0 ? s : NULL;
}

/* The opener has the control file open and waits for its life-cycle lock when the region is removed. */
static void a_region_removed_while_it_is_opened(void **state)
{
    const struct trust any = {.owners = SHMS_OWNER_ANY, .mode = 0777};
    struct file f;
    bool taken = false;
    pthread_t opener;
    void *ret = NULL;
    (void)state;
    shms_stream *old = unit_open(NAME, 16, NULL);
    assert_int_equal(shms__file_open(local_files.control, true, &any, &f), 0);
    assert_int_equal(shms__byte_lock(&f, LOCK_LIFE, &taken), 0);
    assert_true(taken);
    int fds = unit_fds();
    assert_int_equal(pthread_create(&opener, NULL, open_it, NULL), 0);
    WAIT_FOR(unit_fds() > fds);
    assert_int_equal(shms__file_unlink(local_files.data), 0);
    assert_int_equal(shms__file_unlink(local_files.control), 0);
    shms__file_close(&f);
    pthread_join(opener, &ret);
    assert_non_null(ret);
    assert_int_equal(shms_stream_existed(ret), 0);
    shms_stream_close(ret);
    shms_stream_close(old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_slot_of_a_dead_holder),
        TEST(a_size_that_a_peer_wrote),
        TEST(two_readers_share_a_position),
        TEST(a_region_removed_while_it_is_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
