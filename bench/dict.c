/* SPDX-License-Identifier: MIT */
/* Records by key: gets and sets, by one process and by several, in the cache and out of it. */
#include "store.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define OURS_ALONE "shmstream, one process"
#define OURS_WITHOUT "shmstream, no writer"

#ifdef SHMS_BENCH_NO_LMDB
#define HAVE_LMDB 0
#define store_lmdb store_ours
#else
#define HAVE_LMDB 1
#endif

#ifdef SHMS_BENCH_NO_SQLITE
#define HAVE_SQLITE 0
#define store_sqlite store_ours
#else
#define HAVE_SQLITE 1
#endif

uint64_t store_state = 0x9e3779b97f4a7c15;

enum { KEYS_SMALL = 1000, KEYS_LARGE = 300000, KEYS_LARGE_QUICK = 3000 };

static struct mix gets = {STORE_SMALL, KEYS_SMALL, 0}, sets = {STORE_SMALL, KEYS_SMALL, 100},
                  some_sets = {STORE_SMALL, KEYS_SMALL, 5}, half_sets = {STORE_SMALL, KEYS_SMALL, 50},
                  large_gets = {STORE_LARGE, KEYS_LARGE, 0};

struct way {
    const struct store_kind *kind;
    const struct mix *mix;
    int processes;
};

static struct duel *duel;

static struct reading measure_one(const void *arg)
{
    const struct way *way = arg;
    return (struct reading){.value = bench_loop_ns(way->kind->work, way->mix)};
}

/* A few at a time, so that counting is no work beside it. */
static void turns(struct duel *d, int who, const void *arg)
{
    const struct way *way = arg;
    enum { AT_A_TIME = 32 };
    way->kind->join(way->mix->store);
    store_state ^= (uint64_t)getpid() << 20;
    bench_ready(d);
    while (!bench_load(&d->stop)) {
        way->kind->work(way->mix, AT_A_TIME);
        for (int i = 0; i < AT_A_TIME; i++)
            bench_did(d, who);
    }
    way->kind->leave();
}

static struct reading measure_together(const void *arg)
{
    const struct way *way = arg;
    double ns = bench_contest(duel, turns, way->processes, way, bench_plan.seconds * 4);
    uint64_t all = 0, least = UINT64_MAX;
    for (int i = 0; i < way->processes; i++) {
        uint64_t n = duel->side[i].count;
        all += n;
        least = n < least ? n : least;
    }
    bool two = way->processes == 2;
    return (struct reading){.value = (double)all / ns * 1e3,
                            .share = two ? 100.0 * (double)least / (double)all : 0};
}

/* ---------------------------------------------------- a writer is stopped */

/* The first gets fetch what the writer had in its cache, which is no waiting: they are not counted. */
enum { STOPS = 8, GETS_A_STOP = 2500, GETS_BEFORE = 4 * KEYS_SMALL };

static pid_t start_writer(void)
{
    *duel = (struct duel){.ready = 0};
    pid_t child = bench_fork();
    if (child != 0)
        return child;
    bench_pin(1);
    store_ours.join(STORE_SMALL);
    bench_store(&duel->ready, 1);
    for (;;)
        store_ours.work(&sets, 1024);
}

/* Somewhere in its work, most likely in a change. */
static void stop_writer(pid_t child)
{
    int status = 0;
    bench_until(&duel->ready, 1);
    bench_sleep(1e-3 + 1e-6 * (rand() % 1000));
    kill(child, SIGSTOP);
    if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status))
        bench_die("the writer did not stop");
}

static void time_gets(double *ret_ns, int n)
{
    char key[KEY_BYTES];
    store_ours.work(&gets, GETS_BEFORE);
    for (int i = 0; i < n; i++) {
        store_key(key, (uint32_t)(store_random(&store_state) >> 32) % KEYS_SMALL);
        uint64_t start = bench_now();
        store_ours.get(key);
        ret_ns[i] = (double)(bench_now() - start);
    }
}

static struct reading measure_stopped(const void *with_writer)
{
    static double ns[STOPS * GETS_A_STOP];
    for (int i = 0; i < STOPS; i++) {
        pid_t child = with_writer ? start_writer() : -1;
        if (with_writer)
            stop_writer(child);
        bench_pin(0);
        time_gets(ns + i * GETS_A_STOP, GETS_A_STOP);
        bench_pin(-1);
        if (with_writer) {
            kill(child, SIGKILL);
            bench_reap(child, true);
        }
    }
    bench_sort(ns, STOPS * GETS_A_STOP);
    return (struct reading){.value = bench_quantile(ns, STOPS * GETS_A_STOP, 0.99)};
}

static void stopped(void)
{
    const struct contender contenders[] = {{BENCH_OURS, &sets}, {OURS_WITHOUT, NULL}};
    const struct group g = {"dict-stopped", "p99 of a get, the writer stopped anywhere", "ns", false,
                            measure_stopped};
    bench_group(&g, contenders, sizeof contenders / sizeof *contenders);
}

/* ------------------------------------------------------------- the groups */

static struct reading measure_memory(const void *arg)
{
    const struct way *way = arg;
    return (struct reading){.value = way->kind->bytes_per_record(way->mix->store)};
}

static void compare(const char *key, const char *title, const struct mix *mix, int processes)
{
    const struct way ours = {&store_ours, mix, processes}, alone = {&store_ours, mix, 1};
    const struct way peer = {&store_lmdb, mix, processes};
    const struct group g = {key, title, processes ? "M/s" : "ns", processes > 0,
                            processes ? measure_together : measure_one};
    const struct way orientation = {&store_sqlite, mix, processes};
    struct contender contenders[4] = {{BENCH_OURS, &ours}};
    size_t n = 1;
    if (processes == 2 && mix == &gets)
        contenders[n++] = (struct contender){OURS_ALONE, &alone};
    if (HAVE_LMDB)
        contenders[n++] = (struct contender){"LMDB", &peer};
    if (HAVE_SQLITE && mix->store == STORE_SMALL)
        contenders[n++] = (struct contender){"SQLite WAL", &orientation};
    bench_group(&g, contenders, n);
}

static void memory(void)
{
    const struct way ours = {&store_ours, &large_gets, 0}, peer = {&store_lmdb, &large_gets, 0};
    const struct contender contenders[] = {{BENCH_OURS, &ours}, {"LMDB", &peer}};
    const struct group g = {"dict-memory", "memory of a record of 10 + 100 B", "B", false,
                            measure_memory};
    bench_group(&g, contenders, HAVE_LMDB ? 2 : 1);
}

/* False: there is no memory for stores of that size. */
static bool create(int store, uint32_t keys)
{
    return store_ours.create(store, keys) && (!HAVE_LMDB || store_lmdb.create(store, keys));
}

void bench_dicts(void)
{
    duel = bench_shared(sizeof *duel);
    if (!create(STORE_SMALL, KEYS_SMALL))
        bench_die("no memory for a dict");
    if (HAVE_SQLITE)
        store_sqlite.create(STORE_SMALL, KEYS_SMALL);
    compare("dict-get", "get of 100 B, 1000 keys", &gets, 0);
    compare("dict-get-two", "get of 100 B, two processes", &gets, 2);
    compare("dict-set", "set of 100 B, 1000 keys", &sets, 0);
    compare("dict-5", "5% set, two processes", &some_sets, 2);
    compare("dict-50", "50% set, two processes", &half_sets, 2);
    compare("dict-50-four", "50% set, four processes", &half_sets, 4);
    stopped();
    large_gets.keys = bench_plan.quick ? KEYS_LARGE_QUICK : KEYS_LARGE;
    if (create(STORE_LARGE, large_gets.keys)) {
        compare("dict-large", "get of 100 B, 300000 keys", &large_gets, 0);
        memory();
    }
    store_ours.leave();
    if (HAVE_LMDB)
        store_lmdb.leave();
    if (HAVE_SQLITE)
        store_sqlite.leave();
}
