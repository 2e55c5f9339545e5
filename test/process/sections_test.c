/* SPDX-License-Identifier: MIT */
/* What sections are for: nothing is lost that is counted under the lock, and no snapshot is torn. */
#include "roles.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS 8

/* ---- a count under the lock, of two parts that only agree between sections */

struct count {
    uint64_t sum;
    uint64_t each[WORKERS];
};

/* Who is told that a holder died makes the sum again out of its parts. */
static void repair(shms_stream *s, struct count *c)
{
    c->sum = 0;
    for (int i = 0; i < WORKERS; i++)
        c->sum += c->each[i];
    need(shms_stream_repaired(s) == 0);
}

/* worker NAME WHICH ROUNDS: the memory is written piece by piece, so that a kill leaves the parts apart. */
static int worker(int argc, char **argv)
{
    shms_stream *s = NULL;
    need(argc == 4);
    need(shms_stream_open(argv[1], sizeof(struct count), NULL, &s) == 0);
    struct count *c = shms_stream_memory(s);
    volatile uint64_t *each = &c->each[atoi(argv[2])], *sum = &c->sum;
    for (long n = atol(argv[3]); n > 0; n--) {
        int rc = shms_stream_lock(s, BOUND_MS);
        need(rc >= 0);
        if (rc == SHMS_OWNER_DIED)
            repair(s, c);
        *each += 1;
        *sum += 1;
        need(shms_stream_unlock(s) == 0);
    }
    shms_stream_close(s);
    return 0;
}

static struct proc start_worker(const char *name, int which, unsigned rounds)
{
    char w[16], r[16];
    snprintf(w, sizeof w, "%d", which);
    snprintf(r, sizeof r, "%u", rounds);
    return start("worker", name, w, r, NULL);
}

static void test_count_is_exact(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream *s = open_here(name, sizeof(struct count));
    struct count *c = shms_stream_memory(s);
    unsigned rounds = count_from("ROUNDS", 50000);
    struct proc all[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        all[i] = start_worker(name, i, rounds);
    for (int i = 0; i < WORKERS; i++)
        finish(&all[i]);
    assert_int_equal(c->sum, (uint64_t)rounds * WORKERS);
    assert_int_equal(shms_stream_version(s), (int64_t)rounds * WORKERS * 2);
    shms_stream_close(s);
}

/* The same with workers killed at random: after each repair the parts agree. */
static void test_count_survives_kills(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream *s = open_here(name, sizeof(struct count));
    struct count *c = shms_stream_memory(s);
    struct proc all[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        all[i] = start_worker(name, i, 100000000);
    for (unsigned kills = count_from("KILLS", 150), i = 0; kills > 0; kills--, i = (i + 1) % WORKERS) {
        uint64_t before = c->each[i];
        await(*(volatile uint64_t *)&c->each[i] > before); /* it is in the middle of its work */
        kill_proc(&all[i]);
        all[i] = start_worker(name, (int)i, 100000000);
    }
    for (int i = 0; i < WORKERS; i++)
        kill_proc(&all[i]);
    int rc = shms_stream_lock(s, BOUND_MS);
    assert_true(rc >= 0);
    if (rc == SHMS_OWNER_DIED)
        repair(s, c);
    uint64_t sum = c->sum;
    repair(s, c);
    assert_int_equal(c->sum, sum);
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(info_of(s).members, 1);
    shms_stream_close(s);
}

/* ---- snapshots of records that carry their own checksum */

struct record {
    uint64_t words[31];
    uint64_t check;
};

static uint64_t checksum(const struct record *r)
{
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; i < 31; i++)
        h = (h ^ r->words[i]) * 1099511628211u;
    return h;
}

static int writer(int argc, char **argv)
{
    shms_stream *s = NULL;
    need(argc == 2);
    need(shms_stream_open(argv[1], sizeof(struct record), NULL, &s) == 0);
    struct record r;
    for (uint64_t n = 1;; n++) {
        for (size_t i = 0; i < 31; i++)
            r.words[i] = n * (i + 1);
        r.check = checksum(&r);
        need(shms_stream_lock(s, BOUND_MS) >= 0);
        need(shms_stream_pwrite(s, &r, sizeof r, 0) == sizeof r);
        need(shms_stream_unlock(s) == 0);
        if (n == 1)
            say("written");
    }
}

/* reader NAME SNAPSHOTS: none may be torn, nor older than the last. */
static int reader(int argc, char **argv)
{
    shms_stream *s = NULL;
    shms_stream_options o = {.struct_size = sizeof o, .access = SHMS_ACCESS_READ};
    uint64_t last = 0, news = 0;
    need(argc == 3);
    need(shms_stream_open(argv[1], 0, &o, &s) == 0);
    for (long n = atol(argv[2]); n > 0 || news < 10; n--) {
        struct record r;
        need(shms_stream_snapshot(s, &r, sizeof r, 0) == sizeof r);
        need(r.check == checksum(&r));
        need(r.words[0] >= last);
        news += r.words[0] > last;
        last = r.words[0];
    }
    shms_stream_close(s);
    return 0;
}

static void test_no_snapshot_is_torn(void **state)
{
    (void)state;
    const char *name = fresh_name();
    struct proc w = start("writer", name, NULL), r[2];
    expect_line(&w, "written");
    for (int i = 0; i < 2; i++)
        r[i] = start("reader", name, "20000", NULL);
    for (int i = 0; i < 2; i++)
        finish(&r[i]);
    kill_proc(&w);
    assert_gone(name);
}

int main(int argc, char **argv)
{
    static const struct role roles[] = {
        {"worker", worker}, {"writer", writer}, {"reader", reader}, {NULL, NULL}};
    const struct CMUnitTest tests[] = {
        process_test(test_count_is_exact),
        process_test(test_count_survives_kills),
        process_test(test_no_snapshot_is_torn),
    };
    roles_begin(argc, argv, roles);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
