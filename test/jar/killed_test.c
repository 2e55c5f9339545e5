/* SPDX-License-Identifier: MIT */
/* Processes set cookies of one host and of many, all at once, and are killed at random moments: what one of
 * them was told is in is there at the end, with its value, and nothing else. */
#include "unit.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#define WRITERS 8
#define ROUNDS 12
#define COOKIES 40 /* of each process of a round */

/* What was confirmed, of each process: it writes the number after the set has returned. */
static volatile sig_atomic_t *confirmed; /* a page that all share */

static void url_of(int writer, int cookie, char url[64])
{
    snprintf(url, 64, cookie % 2 ? "https://one.example.com/" : "https://w%d.example.com/", writer);
}

static void write_cookies(int writer)
{
    shms_jar *j = jar_open((shms_jar_options){.host_cookies = 10000, .jar_cookies = 100000});
    for (int i = 0; i < COOKIES; i++) {
        char url[64], line[64];
        url_of(writer, i, url);
        snprintf(line, sizeof line, "c%d-%d=%d", writer, i, writer * 1000 + i);
        int rc = set(j, url, line);
        if (rc != 0) {
            print_error("writer %d, cookie %d: %s\n", writer, i, shms_jar_reason(rc));
            _exit(1);
        }
        confirmed[writer] = i + 1;
    }
    _exit(0);
}

/* Until the writer has come that far, wherever it is then; or has ended, or a minute has gone. */
static void await(pid_t pid, const volatile sig_atomic_t *count, int until)
{
    siginfo_t ended = {0};
    time_t end = time(NULL) + 60;
    while (*count < until && ended.si_pid == 0) {
        assert_true(time(NULL) < end);
        sched_yield();
        assert_int_equal(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT), 0);
    }
}

static void run_round(int round)
{
    pid_t pids[WRITERS];
    for (int w = 0; w < WRITERS; w++) {
        pids[w] = fork();
        assert_true(pids[w] >= 0);
        if (pids[w] == 0)
            write_cookies(round * WRITERS + w);
    }
    for (int w = 0; w < WRITERS; w++) {
        int status, until = rand() % COOKIES;
        bool is_killed = w % 2;
        if (is_killed) {
            await(pids[w], &confirmed[round * WRITERS + w], until);
            kill(pids[w], SIGKILL);
        }
        assert_int_equal(waitpid(pids[w], &status, 0), pids[w]);
        if (!is_killed)
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

/* Cookies seen, by writer: how many, and whether each is as it was set. */
static int take(const shms_cookie *c, void *context)
{
    int *seen = context, writer, i;
    assert_int_equal(sscanf(c->name, "c%d-%d", &writer, &i), 2);
    assert_true(writer >= 0 && writer < ROUNDS * WRITERS && i >= 0 && i < COOKIES);
    assert_int_equal(atoi(c->value), writer * 1000 + i);
    seen[writer]++;
    return 0;
}

static void killed(void **state)
{
    (void)state;
    static int seen[ROUNDS * WRITERS];
    void *page = mmap(NULL, sizeof *confirmed * ROUNDS * WRITERS, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    confirmed = page;
    shms_jar *j = jar_new();
    int sum = 0;
    srand((unsigned)getpid());
    for (int round = 0; round < ROUNDS; round++)
        run_round(round);
    assert_int_equal(shms_jar_each(j, NULL, take, seen), count_of(j, NULL));
    for (int w = 0; w < ROUNDS * WRITERS; w++) {
        /* The one under way when it was killed may be in. */
        assert_true(seen[w] == confirmed[w] || seen[w] == confirmed[w] + 1);
        sum += confirmed[w];
    }
    print_message("%d cookies confirmed, all there\n", sum);
    shms_jar_close(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
