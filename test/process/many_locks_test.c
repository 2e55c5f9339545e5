/* SPDX-License-Identifier: MIT */
/* 3000 locks, of 3000 regions, held by one process that is killed: every one is recovered. */
#include "roles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define LOCKS 3000
#define DESCRIPTORS (LOCKS * 2 + 64) /* a handle that writes has two */

static void name_of(char *ret, size_t room, const char *start, int i)
{
    snprintf(ret, room, "%s-%d", start, i);
}

static bool allow_descriptors(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= DESCRIPTORS)
        return true;
    limit.rlim_cur = DESCRIPTORS;
    if (limit.rlim_max < DESCRIPTORS)
        limit.rlim_max = DESCRIPTORS; /* root may */
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static int hoarder(int argc, char **argv)
{
    need(argc == 2);
    for (int i = 0; i < LOCKS; i++) {
        char name[80];
        shms_stream *s = NULL;
        name_of(name, sizeof name, argv[1], i);
        need(shms_stream_open(name, 16, NULL, &s) == 0);
        need(shms_stream_lock(s, 0) == 0);
    }
    say("held");
    hear();
    return 0;
}

static void open_all(shms_stream **all, const char *start)
{
    for (int i = 0; i < LOCKS; i++) {
        char name[80];
        name_of(name, sizeof name, start, i);
        all[i] = open_here(name, 0);
    }
}

static void test_all_are_recovered(void **state)
{
    (void)state;
    static shms_stream *all[LOCKS];
    const char *start_of_names = fresh_name();
    int told = 0;
    struct proc p = start("hoarder", start_of_names, NULL);
    expect_line(&p, "held");
    open_all(all, start_of_names);
    for (int i = 0; i < LOCKS; i += 100)
        assert_int_equal(shms_stream_lock(all[i], 0), SHMS_E_TIMEOUT);
    kill_proc(&p);
    for (int i = 0; i < LOCKS; i++)
        told += shms_stream_lock(all[i], 0) == SHMS_OWNER_DIED;
    for (int i = 0; i < LOCKS; i++)
        shms_stream_close(all[i]);
    assert_int_equal(told, LOCKS);
}

int main(int argc, char **argv)
{
    static const struct role roles[] = {{"hoarder", hoarder}, {NULL, NULL}};
    const struct CMUnitTest tests[] = {process_test(test_all_are_recovered)};
    if (!allow_descriptors()) {
        puts("SKIP: 3000 regions need more open files than this user may have");
        return 77;
    }
    roles_begin(argc, argv, roles);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
