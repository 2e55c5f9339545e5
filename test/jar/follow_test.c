/* SPDX-License-Identifier: MIT */
/* A copy that follows a jar by its changes ends as the jar does, however fast others write. */
#include "jar.h"
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { HOSTS = 3, NAMES = 50, ROUNDS = 200 };

static atomic_int written, seen; /* rounds */

/* In a round each cookie is set once, so news that is lost is not made up for. Neighbours in time are other
 * hosts' cookies: one host changes while another one's news is told. */
static void *write_many(void *none)
{
    shms_jar *j = jar_open((shms_jar_options){0});
    for (int i = 0; i < ROUNDS * HOSTS * NAMES; i++) {
        char url[40], line[24];
        snprintf(url, sizeof url, "https://h%d.example.com/", i % HOSTS);
        snprintf(line, sizeof line, "n%d=%d", i / HOSTS % NAMES, i);
        assert_int_equal(set(j, url, line), 0);
        if ((i + 1) % (HOSTS * NAMES) == 0)
            for (atomic_fetch_add(&written, 1); atomic_load(&seen) < atomic_load(&written);)
                sched_yield();
    }
    shms_jar_close(j);
    return none;
}

static int copy(const shms_cookie *c, void *context)
{
    int (*known)[NAMES] = context;
    known[c->host[1] - '0'][atoi(c->name + 1)] = atoi(c->value);
    return 0;
}

static void follow(void **state)
{
    (void)state;
    static int known[HOSTS][NAMES], there[HOSTS][NAMES];
    shms_jar *j = jar_new();
    int64_t since = 0;
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, write_many, NULL), 0);
    for (int round = 0; round < ROUNDS; atomic_store(&seen, round)) {
        bool last = atomic_load(&written) > round;
        int64_t n = shms_jar_changes(j, &since, copy, known);
        if (n == SHMS_E_MISSED)
            n = shms_jar_each(j, NULL, copy, known);
        assert_true(n >= 0);
        if (!last)
            continue;
        assert_int_equal(shms_jar_each(j, NULL, copy, there), HOSTS * NAMES);
        assert_memory_equal(known, there, sizeof there);
        round++;
    }
    pthread_join(writer, NULL);
    shms_jar_close(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(follow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
