/* SPDX-License-Identifier: MIT */
/*
 * ctest: timeout=300
 * A dict under processes that are killed and stopped: no count is lost or told twice, records are whole,
 * the dict is whole afterwards, and readers go on beside a writer that is stopped in a change.
 */
#include "dict.h"

#include "child.h"

#include <sys/mman.h>

#define WORKERS 8
#define KILLS 60

struct board {
    a64 added[WORKERS]; /* sums that were given back to a worker */
    a64 begun[WORKERS];
    a32 reads;
    a32 bad;
};

static struct board *board;

static int worker(void *arg)
{
    uint32_t w = (uint32_t)(uintptr_t)arg, random = (uint32_t)getpid();
    shms_dict *d;
    EXPECT(shms_dict_open(NAME, 0, NULL, &d) == 0);
    for (;;) {
        char key[16], value[600], found[600];
        random = random * 1103515245u + 12345u;
        size_t n = (size_t)snprintf(key, sizeof key, "%u", (random >> 16) % 400), size = (random >> 8) % 600;
        memset(value, (int)(size & 0xff), size);
        a64_store_relaxed(&board->begun[w],
                          a64_load_relaxed(&board->begun[w]) + 1); /* relaxed: own; so below */
        EXPECT(shms_dict_add(d, "count", 5, 1, 0, NULL, NULL) > 0);
        a64_store_relaxed(&board->added[w], a64_load_relaxed(&board->added[w]) + 1);
        int64_t rc =
            random % 5 ? shms_dict_set(d, key, n, value, size, NULL) : shms_dict_del(d, key, n, NULL);
        EXPECT(rc > 0 || rc == SHMS_E_NOT_FOUND || rc == SHMS_E_FULL);
        rc = shms_dict_get(d, key, n, found, sizeof found, NULL);
        for (int64_t i = 0; i < rc; i++)
            if (found[i] != (char)(rc & 0xff))
                a32_add_relaxed(&board->bad, 1);
        a32_add_relaxed(&board->reads, 1);
    }
}

/* Never a number that kill() would take for many. */
static pid_t start(uintptr_t w)
{
    pid_t pid = unit_fork(worker, (void *)w, 0);
    assert_true(pid > 1);
    return pid;
}

static uint64_t sum(const a64 *of)
{
    uint64_t n = 0;
    for (int w = 0; w < WORKERS; w++)
        n += a64_load_relaxed(&of[w]); /* relaxed: they are dead */
    return n;
}

static void storm(uint32_t policy)
{
    pid_t pid[WORKERS];
    memset(board, 0, sizeof *board);
    shms_dict *d =
        dict_open(NAME, 65536, DICT_OPTIONS(.policy = policy, .max_size = 131072, .cell_size = 64));
    for (uintptr_t w = 0; w < WORKERS; w++)
        pid[w] = start(w);
    for (int i = 0; i < KILLS; i++) {
        uintptr_t w = (uintptr_t)i * 5 % WORKERS;
        uint32_t before = a32_load_relaxed(&board->reads); /* relaxed: a moment */
        WAIT_FOR(a32_load_relaxed(&board->reads) > before + 50);
        kill(pid[w], SIGKILL);
        assert_int_equal(unit_wait(pid[w]), 128 + SIGKILL);
        pid[w] = start(w);
    }
    for (int w = 0; w < WORKERS; w++) {
        kill(pid[w], SIGKILL);
        assert_int_equal(unit_wait(pid[w]), 128 + SIGKILL);
    }
    int64_t count = 0;
    assert_true(shms_dict_add(d, "count", 5, 0, 0, NULL, &count) > 0);
    if (policy == SHMS_EVICT_NONE) { /* else the counter may have been evicted */
        assert_true((uint64_t)count >= sum(board->added));
        assert_true((uint64_t)count <= sum(board->begun));
    }
    assert_int_equal(a32_load_relaxed(&board->bad), 0); /* relaxed: as above */
    const char *wrong = dict_wrong(d, true);
    if (wrong)
        print_error("%s\n", wrong);
    assert_null(wrong);
    shms_dict_close(d);
}

/* libshmcache#29: eight processes, and one key that all change; many that come and go. */
static void killed(void **state)
{
    (void)state;
    storm(SHMS_EVICT_NONE);
    storm(SHMS_EVICT_LRU);
}

/* A writer is stopped, often in a change: every look ends, and finds whole records. */
static void stopped(void **state)
{
    (void)state;
    memset(board, 0, sizeof *board);
    shms_dict *d = dict_open(NAME, 1 << 20, NULL);
    assert_true(dict_set(d, "there", "value") > 0);
    pid_t pid = start(0);
    for (int i = 0; i < 200; i++) {
        uint32_t before = a32_load_relaxed(&board->reads); /* relaxed: a moment */
        WAIT_FOR(a32_load_relaxed(&board->reads) > before);
        kill(pid, SIGSTOP);
        for (int k = 0; k < 400; k++) {
            char key[16], found[600];
            size_t n = (size_t)snprintf(key, sizeof key, "%d", k);
            int64_t rc = shms_dict_get(d, key, n, found, sizeof found, NULL);
            assert_true(rc >= 0 || rc == SHMS_E_NOT_FOUND);
            for (int64_t b = 0; b < rc; b++)
                assert_int_equal(found[b], (char)(rc & 0xff));
        }
        assert_true(dict_is(d, "there", "value"));
        kill(pid, SIGCONT);
    }
    kill(pid, SIGKILL);
    unit_wait(pid);
    assert_true(dict_set(d, "there", "other") > 0);
    assert_null(dict_wrong(d, true));
    shms_dict_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(killed), TEST(stopped)};
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
