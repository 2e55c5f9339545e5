/* SPDX-License-Identifier: MIT */
/*
 * Calls of a dict are not cut off: a thread that is to be cancelled goes on through all of them; and handlers
 * that leave them by siglongjmp leave nothing that closing the handle does not put right.
 */
#include "dict.h"

#include "child.h"

#include <pthread.h>
#include <sys/time.h>

#define SIZE 65536

static shms_dict *dict;
static char file[100];

static int no_change(const void *key, size_t key_size, const shms_dict_record *r, void *context)
{
    (void)key, (void)key_size, (void)r, (void)context;
    return 0;
}

/* ---- cancellation */

static int every_call(shms_dict *d)
{
    char buf[64];
    size_t key_size = sizeof buf;
    uint64_t cursor = 0;
    int64_t at = 0, sum = 0;
    shms_dict_stats stats = {.struct_size = sizeof stats};
    EXPECT(shms_dict_set(d, "k", 1, "v", 1, NULL) > 0);
    EXPECT(shms_dict_get(d, "k", 1, buf, sizeof buf, NULL) == 1);
    EXPECT(shms_dict_add(d, "c", 1, 1, 0, NULL, &sum) > 0 && sum == 1);
    EXPECT(shms_dict_next(d, &cursor, buf, &key_size, NULL, NULL, NULL) == 1);
    EXPECT(shms_dict_changes(d, &at, no_change, NULL) >= 0 && shms_dict_version(d) == at);
    EXPECT(shms_dict_poll_fd(d) >= 0 && shms_dict_info(d, &stats) == 0);
    EXPECT(shms_dict_wait(d, NULL, 0, &at, 5) == SHMS_E_TIMEOUT);
    EXPECT(shms_dict_lock(d, "mine", 4, 0) == 0 && shms_dict_unlock(d, "mine", 4) == 0);
    EXPECT(shms_dict_lock(d, "taken", 5, 5) == SHMS_E_TIMEOUT);
    EXPECT(shms_dict_save(d, file) >= 2 && shms_dict_load(d, file) >= 2);
    EXPECT(shms_dict_del(d, "k", 1, NULL) > 0);
    return 0;
}

static void *every_call_of_a_cancelled(void *ret)
{
    pthread_cancel(pthread_self()); /* pending: the first cancellation point acts upon it */
    *(int *)ret = every_call(dict);
    return NULL;
}

static void no_call_is_a_cancellation_point(void **state)
{
    (void)state;
    pthread_t thread;
    int result = -1;
    dict = dict_open(NAME, SIZE, NULL);
    shms_dict *other = dict_open(NAME, 0, NULL);
    snprintf(file, sizeof file, "%s.saved", NAME);
    assert_int_equal(shms_dict_lock(other, "taken", 5, 0), 0);
    pthread_create(&thread, NULL, every_call_of_a_cancelled, &result);
    pthread_join(thread, NULL);
    unlink(file);
    assert_int_equal(result, 0);
    shms_dict_close(dict);
    shms_dict_close(other);
}

/* ---- jumps */

static sigjmp_buf out;
static volatile sig_atomic_t inside;

static void leave(int signal)
{
    (void)signal;
    if (inside)
        siglongjmp(out, 1);
}

/* One handle, whose calls a handler leaves after so many microseconds; then it is closed. */
static int cut_off(const char *name, int microseconds)
{
    shms_dict *d = NULL;
    const struct itimerval once = {.it_value = {.tv_usec = microseconds}};
    EXPECT(shms_dict_open(name, 0, DICT_OPTIONS(.open_timeout_ms = 100), &d) == 0);
    if (sigsetjmp(out, 1) == 0) {
        inside = 1;
        setitimer(ITIMER_REAL, &once, NULL);
        for (;;) {
            shms_dict_save(d, "/nowhere/at/all"); /* most of its time is spent with the heap */
            shms_dict_load(d, file);
        }
    }
    inside = 0;
    shms_dict_close(d);
    return 0;
}

static int cut_off_often(void *name)
{
    char big[200] = "";
    shms_dict *d = NULL;
    signal(SIGALRM, leave);
    EXPECT(shms_dict_open(name, 0, NULL, &d) == 0);
    for (int k = 0; k < 40; k++)
        EXPECT(shms_dict_set(d, &k, sizeof k, big, sizeof big, NULL) > 0);
    EXPECT(shms_dict_save(d, file) == 40);
    for (int i = 0; i < 2000; i++) {
        EXPECT(cut_off(name, 20 + i % 150) == 0);
        EXPECT(shms_dict_set(d, "goes on", 7, "", 0, NULL) > 0);
    }
    shms_dict_close(d);
    return 0;
}

/* The heap of the process, above all. */
static void jumps_out_of_save_and_load(void **state)
{
    (void)state;
    int status = 0;
    shms_dict *d = dict_open(NAME, SIZE, NULL);
    snprintf(file, sizeof file, "%s.saved", NAME);
    pid_t pid = unit_fork(cut_off_often, NAME, 0), ended = 0;
    for (int i = 0; i < 30000 && ended == 0; i++) {
        shms__nap(1000000);
        ended = waitpid(pid, &status, WNOHANG);
    }
    if (ended == 0) { /* it hangs */
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    unlink(file);
    assert_int_equal(status, 0);
    shms_dict_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_call_is_a_cancellation_point),
        TEST(jumps_out_of_save_and_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
