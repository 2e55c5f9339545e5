/* SPDX-License-Identifier: MIT */
/*
 * Many processes that open, lock, write, wait, fork and close, each killed at a moment of chance: the regions
 * are consistent all the time, and afterwards no name, slot or descriptor is left.
 * ctest: long timeout=300
 */
#include "roles.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VISITORS 8
#define REGIONS 3

static void pause_us(long us)
{
    struct timespec t = {.tv_nsec = us * 1000};
    nanosleep(&t, NULL);
}

/* One turn: both numbers are equal, or the one before died between them. */
static void take_turn(shms_stream *s)
{
    volatile uint64_t *turns = shms_stream_memory(s);
    int rc = shms_stream_lock(s, BOUND_MS);
    need(rc >= 0);
    need(turns[0] == turns[1] || (rc == SHMS_OWNER_DIED && turns[0] == turns[1] + 1));
    if (rc == SHMS_OWNER_DIED) {
        turns[1] = turns[0];
        need(shms_stream_repaired(s) == 0);
    }
    turns[0] = turns[0] + 1;
    turns[1] = turns[1] + 1;
    need(shms_stream_unlock(s) == 0);
}

static void in_a_child(shms_stream *s)
{
    pid_t pid = fork();
    need(pid >= 0);
    if (pid == 0) {
        bounded();
        take_turn(s);
        shms_stream_close(s);
        _exit(0);
    }
    if (rand() % 2)
        need(waitpid(pid, NULL, 0) == pid);
}

static void visit(const char *name)
{
    uint64_t copy[2] = {0, 0};
    int64_t seen = 0;
    shms_stream *s = NULL;
    need(shms_stream_open(name, sizeof copy, NULL, &s) == 0);
    for (int n = rand() % 20; n > 0; n--)
        take_turn(s);
    int64_t rc = shms_stream_snapshot(s, copy, sizeof copy, 0);
    need((rc == sizeof copy && copy[0] == copy[1]) || rc == SHMS_E_CORRUPT);
    if (rand() % 8 == 0)
        in_a_child(s);
    if (rand() % 8 == 0)
        need(poll_fd_of(s) >= 0);
    need(shms_stream_wait(s, &seen, rand() % 2) <= 0);
    shms_stream_close(s);
}

/* visitor SEED NAME... */
static int visitor(int argc, char **argv)
{
    need(argc == 2 + REGIONS);
    srand((unsigned)atoi(argv[1]));
    for (;;)
        visit(argv[2 + rand() % REGIONS]);
}

static struct proc start_visitor(const char *const *names, unsigned seed)
{
    char text[16];
    snprintf(text, sizeof text, "%u", seed);
    return start("visitor", text, names[0], names[1], names[2], NULL);
}

/* None but us and the visitors' forgotten children may be there; those end by themselves. */
static void test_random_kills(void **state)
{
    (void)state;
    unsigned kills = count_from("KILLS", 2000), seed = count_from("SEED", 1);
    const char *names[REGIONS] = {fresh_name(), fresh_name(), fresh_name()};
    shms_stream *s = open_here(names[0], 16);
    struct proc all[VISITORS];
    srand(seed);
    for (unsigned i = 0; i < VISITORS; i++)
        all[i] = start_visitor(names, seed + i);
    for (unsigned k = 0; k < kills; k++) {
        unsigned i = (unsigned)rand() % VISITORS;
        int status = 0;
        pause_us(rand() % 2000);
        if (waitpid(all[i].pid, &status, WNOHANG) != 0)
            fail_msg("visitor %u ended by itself, status %#x, after %u kills", i, (unsigned)status, k);
        kill_proc(&all[i]);
        all[i] = start_visitor(names, seed + VISITORS + k);
        while (waitpid(-1, &status, WNOHANG) > 0 && WIFEXITED(status)) /* orphans that came to us */
            assert_int_equal(WEXITSTATUS(status), 0);
    }
    for (unsigned i = 0; i < VISITORS; i++)
        kill_proc(&all[i]);
    await(info_of(s).members == 1);
    assert_true(shms_stream_lock(s, BOUND_MS) >= 0);
    shms_stream_close(s);
    await(child_of(getpid()) == 0 || waitpid(-1, NULL, WNOHANG) < 0);
    for (int i = 0; i < REGIONS; i++)
        assert_gone(names[i]);
}

int main(int argc, char **argv)
{
    static const struct role roles[] = {{"visitor", visitor}, {NULL, NULL}};
    const struct CMUnitTest tests[] = {process_test(test_random_kills)};
    roles_begin(argc, argv, roles);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
