/* SPDX-License-Identifier: MIT */
/* Two processes that wake each other in turn, both asleep in between. */
#include "bench.h"

#include <linux/futex.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <shmstream.h>

enum { PATIENCE_MS = 2000 };

/* Side 0 calls on line 0 and is answered on line 1. */
static struct shared {
    struct {
        uint32_t futex;
    } BENCH_APART line[2];
} * shared;
static int event[2];
static shms_stream *stream[2];
static int64_t seen[2];
static int watch_fd;

static void join_futex(int who)
{
    (void)who;
}

static void call_futex(int line)
{
    uint32_t *word = &shared->line[line].futex;
    __atomic_store_n(word, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void hear_futex(int line)
{
    uint32_t *word = &shared->line[line].futex;
    const struct timespec patience = {PATIENCE_MS / 1000, 0};
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == 0)
        syscall(SYS_futex, word, FUTEX_WAIT, 0, &patience, NULL, 0);
    __atomic_store_n(word, 0, __ATOMIC_RELAXED);
}

static void join_ours(int who)
{
    (void)who;
    for (int line = 0; line < 2; line++) {
        int rc = shms_stream_open(bench_name(line == 0 ? "ping" : "pong"), 0, NULL, &stream[line]);
        if (rc < 0)
            bench_die("open: %s", shms_strerror(rc));
        seen[line] = shms_stream_version(stream[line]);
    }
}

static void call_ours(int line)
{
    if (shms_stream_notify(stream[line]) != 0)
        bench_die("notify");
}

static void hear_ours(int line)
{
    int rc = shms_stream_wait(stream[line], &seen[line], PATIENCE_MS);
    if (rc != 0)
        bench_die("wait: %s", shms_strerror(rc));
}

static void poll_in(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, PATIENCE_MS) != 1)
        bench_die("poll");
}

static void join_watch(int who)
{
    join_ours(who);
    watch_fd = shms_stream_poll_fd(stream[1 - who]);
    if (watch_fd < 0)
        bench_die("poll_fd: %s", shms_strerror(watch_fd));
}

static void hear_watch(int line)
{
    while (shms_stream_wait(stream[line], &seen[line], 0) != 0)
        poll_in(watch_fd);
}

static void call_event(int line)
{
    uint64_t one = 1;
    if (write(event[line], &one, sizeof one) != sizeof one)
        bench_die("eventfd");
}

static void hear_event(int line)
{
    uint64_t count;
    poll_in(event[line]);
    if (read(event[line], &count, sizeof count) != sizeof count)
        bench_die("eventfd");
}

/* --------------------------------------------------------- the two sides */

struct way {
    void (*join)(int who);
    void (*call)(int line);
    void (*hear)(int line);
};

static void caller(struct duel *d, int who, const void *arg)
{
    const struct way *way = arg;
    way->join(who);
    bench_ready(d);
    while (!bench_load(&d->stop)) {
        way->call(0);
        way->hear(1);
        bench_did(d, who);
    }
    bench_store(&d->side[1].failed, -1); /* the last call only wakes the other */
    way->call(0);
}

static void answerer(struct duel *d, int who, const void *arg)
{
    const struct way *way = arg;
    way->join(who);
    bench_ready(d);
    for (;;) {
        way->hear(0);
        if (bench_load(&d->side[1].failed))
            break;
        way->call(1);
        bench_did(d, who);
    }
    bench_store(&d->side[1].failed, 0);
}

static struct duel *duel;

static struct reading measure(const void *arg)
{
    duel_fn *const fn[2] = {caller, answerer};
    shared->line[0].futex = shared->line[1].futex = 0;
    double ns = bench_duel(duel, fn, arg, bench_plan.seconds * 4);
    return (struct reading){.value = ns / 1e3 / (double)duel->side[0].count};
}

void bench_wakeups(void)
{
    static const struct way ways[] = {{join_ours, call_ours, hear_ours},
                                      {join_futex, call_futex, hear_futex},
                                      {join_watch, call_ours, hear_watch},
                                      {join_futex, call_event, hear_event}};
    static const struct contender sleeping[] = {{BENCH_OURS, &ways[0]}, {"bare futex", &ways[1]}};
    static const struct contender polling[] = {{BENCH_OURS, &ways[2]}, {"eventfd", &ways[3]}};
    const struct group round_trip = {"round-trip", "wait/notify round trip, both asleep", "us", false,
                                     measure};
    const struct group polled = {"poll-round-trip", "the same by descriptor and poll()", "us", false,
                                 measure};
    shms_stream *keep[2];
    duel = bench_shared(sizeof *duel);
    shared = bench_shared(sizeof *shared);
    for (int line = 0; line < 2; line++) {
        event[line] = eventfd(0, EFD_CLOEXEC);
        int rc = shms_stream_open(bench_name(line == 0 ? "ping" : "pong"), 4096, NULL, &keep[line]);
        if (event[line] < 0 || rc < 0)
            bench_die("open: %s", shms_strerror(rc));
    }
    bench_group(&round_trip, sleeping, 2);
    bench_group(&polled, polling, 2);
    for (int line = 0; line < 2; line++) {
        close(event[line]);
        shms_stream_close(keep[line]);
    }
}
