/* SPDX-License-Identifier: MIT */
/* edit.c: many processes change cookies of one host at the same time. Each gets through, and all is kept. */
#include "jar.h"
#include "unit.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define WRITERS 16
#define CHANGES 150

static pthread_barrier_t *all_opened; /* in a page that all share */

static void change_often(int writer)
{
    char line[64];
    shms_jar *j = jar_open((shms_jar_options){.open_timeout_ms = 60000}); /* the machine may be busy */
    pthread_barrier_wait(all_opened);
    for (int i = 1; i <= CHANGES; i++) {
        snprintf(line, sizeof line, "w%d=%d", writer, i);
        int rc = set(j, "https://one.example.com/", line);
        if (rc != 0) {
            print_error("writer %d, change %d: %s\n", writer, i, shms_jar_reason(rc));
            _exit(1);
        }
    }
    _exit(0);
}

static int take_last(const shms_cookie *c, void *context)
{
    assert_int_equal(atoi(c->value), CHANGES);
    return count_cookie(c, context);
}

static void share_barrier(void)
{
    pthread_barrierattr_t shared;
    all_opened =
        mmap(NULL, sizeof *all_opened, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(all_opened, MAP_FAILED);
    pthread_barrierattr_init(&shared);
    pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    assert_int_equal(pthread_barrier_init(all_opened, &shared, WRITERS), 0);
    pthread_barrierattr_destroy(&shared);
}

static void all_get_through(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    int count = 0, status;
    pid_t pids[WRITERS];
    share_barrier();
    for (int w = 0; w < WRITERS; w++) {
        pids[w] = fork();
        assert_true(pids[w] >= 0);
        if (pids[w] == 0)
            change_often(w);
    }
    for (int w = 0; w < WRITERS; w++) {
        assert_int_equal(waitpid(pids[w], &status, 0), pids[w]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_int_equal(shms_jar_each(j, NULL, take_last, &count), WRITERS);
    shms_jar_close(j);
}

/* The turn is another lock than that of the host, whose holder is in nobody's way. */
static shms_jar *others;
static int meddle;

static uint64_t locks(void)
{
    shms_dict_stats s = {.struct_size = sizeof s};
    assert_int_equal(shms_dict_info(others->dict, &s), 0);
    return s.locks;
}

static int64_t meddling_clock(void *context)
{
    (void)context;
    if (meddle > 0) {
        meddle--;
        assert_int_equal(locks(), meddle > 80 ? 1 : meddle < 20 ? 2 : locks());
        assert_int_equal(set(others, "https://one.example.com/", meddle % 2 ? "x=1" : "x=2"), 0);
    }
    return clock_ns;
}

static void turn_beside_the_lock(void **state)
{
    (void)state;
    shms_jar *j;
    shms_jar_options o = {.struct_size = sizeof o, .no_keep = 1, .now_ns = meddling_clock};
    others = jar_new();
    assert_int_equal(shms_jar_open(jar_name(), &o, &j), 0);
    assert_int_equal(shms_jar_lock(others, "one.example.com", 0), 0);
    meddle = 100; /* the tries alone are lost, and more */
    assert_int_equal(set(j, "https://one.example.com/", "a=1"), 0);
    assert_int_equal(meddle, 0);
    assert_int_equal(locks(), 1);
    assert_string_equal(get(others, "https://one.example.com/"), "x=2; a=1");
    assert_int_equal(shms_jar_unlock(others, "one.example.com"), 0);
    shms_jar_close(j);
    shms_jar_close(others);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_get_through),
        cmocka_unit_test(turn_beside_the_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
