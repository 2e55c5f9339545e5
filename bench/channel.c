/* SPDX-License-Identifier: MIT */
/* Messages between processes: how many a second, and how long there and back. */
#include "flow.h"

#include <linux/futex.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <shmstream.h>
#include <shmstream/channel.h>

/* ------------------------------------------------------------- one way */

enum { SIDES_MOST = 8, QUICK = 500 };

/* One run, which all its processes share. */
static struct race {
    int ready;
    int go BENCH_APART;
    int sending BENCH_APART; /* senders that are not done */
    uint64_t sum;            /* of the numbers that came */
    uint64_t end[SIDES_MOST];
} * race;

struct job {
    const struct flow_way *way;
    const struct flow *flow;
    uint64_t *count; /* messages of each sender, so that a run is as long as the plan says; 0: not known */
};

static char buffer[FLOW_LONGEST] BENCH_APART; /* of each process, its own */

static void send_side(const struct job *j, uint64_t n)
{
    const struct flow *f = j->flow;
    j->way->send(buffer, f->size, n);
    if (__atomic_sub_fetch(&race->sending, 1, __ATOMIC_ACQ_REL) == 0)
        j->way->stop(buffer, f->size, f->to_all ? 1 : f->receivers);
}

static void run_side(const struct job *j, int who, uint64_t n)
{
    const struct flow *f = j->flow;
    bool sends = who < f->senders;
    bench_pin(sends ? who % 2 : 1 - (who - f->senders) % 2);
    memset(buffer, 1, sizeof buffer); /* no page faults, no shared pages of the parent's */
    j->way->join(f, sends);
    __atomic_fetch_add(&race->ready, 1, __ATOMIC_ACQ_REL);
    bench_until(&race->go, 1);
    if (sends) {
        send_side(j, n);
    } else {
        uint64_t sum = j->way->receive(buffer, f->size);
        race->end[who] = bench_now();
        __atomic_fetch_add(&race->sum, sum, __ATOMIC_ACQ_REL);
    }
    j->way->leave();
}

/** Nanoseconds until the last receiver has all of n messages of each sender. */
static double run_race(const struct job *j, uint64_t n)
{
    const struct flow *f = j->flow;
    int sides = f->senders + f->receivers;
    pid_t child[SIDES_MOST];
    bench_pin(-1);
    j->way->create(f);
    *race = (struct race){.sending = f->senders};
    for (int who = 0; who < sides; who++) {
        child[who] = bench_fork();
        if (child[who] == 0) {
            run_side(j, who, n);
            _exit(0);
        }
    }
    bench_until(&race->ready, sides);
    uint64_t start = bench_now(), end = start;
    bench_store(&race->go, 1);
    for (int who = 0; who < sides; who++)
        bench_reap(child[who], false);
    for (int who = 0; who < sides; who++)
        end = race->end[who] > end ? race->end[who] : end;
    uint64_t all = n * (n - 1) / 2 * (uint64_t)f->senders * (uint64_t)(f->to_all ? f->receivers : 1);
    if (race->sum != all)
        bench_die("%s: messages were lost or forged", j->way->name);
    return (double)(end - start) + 1;
}

static struct reading measure_flow(const void *arg)
{
    const struct job *j = arg;
    double want = bench_plan.seconds * 4e9, took = 0;
    if (bench_plan.quick)
        *j->count = QUICK;
    while (*j->count == 0) {
        uint64_t n = 64;
        while ((took = run_race(j, n)) < want / 8)
            n *= 4;
        *j->count = (uint64_t)((double)n * want / took) + 1;
    }
    took = run_race(j, *j->count);
    double per_ns = (double)*j->count * j->flow->senders / took;
    if (!bench_plan.quick && took < want / 2) /* the first ones were held up: more in the next round */
        *j->count = (uint64_t)((double)*j->count * (took < want / 4 ? 4 : want / took));
    bool in_bytes = j->flow->size >= FLOW_LONGEST;
    return (struct reading){.value = in_bytes ? per_ns * (double)j->flow->size : per_ns * 1e3};
}

enum { WAYS_MOST = 8 };

static void measure_ways(const char *key, const char *title, const struct flow *f,
                         const struct flow_way *const *ways, size_t count)
{
    const struct group g = {key, title, f->size >= FLOW_LONGEST ? "GB/s" : "M/s", true, measure_flow};
    struct job jobs[WAYS_MOST];
    struct contender contenders[WAYS_MOST];
    uint64_t counts[WAYS_MOST] = {0};
    for (size_t i = 0; i < count; i++) {
        jobs[i] = (struct job){ways[i], f, &counts[i]};
        contenders[i] = (struct contender){i == 0 ? BENCH_OURS : ways[i]->name, &jobs[i]};
    }
    bench_group(&g, contenders, count);
}

#ifdef SHMS_BENCH_NO_BOOST
#define BOOST
#else
#define BOOST &flow_boost,
#endif
#ifdef SHMS_BENCH_NO_CK
#define CK
#define CK_MANY
#else
#define CK &flow_ck,
#define CK_MANY &flow_ck_many,
#endif

static void one_way(void)
{
    static const struct flow_way *const ways[] = {&flow_ours, &flow_copied, &flow_turns,
                                                  CK BOOST &flow_pipe, &flow_socket, &flow_mq};
    enum { WAYS = sizeof ways / sizeof *ways, MQ_LONGEST = 8192 /* what systems allow to everybody */ };
    static const struct {
        struct flow flow;
        const char *key, *title;
    } cases[] = {
        {{8, 1, 1, false, 0}, "channel-8", "messages of 8 B, one to one"},
        {{64, 1, 1, false, 0}, "channel-64", "messages of 64 B, one to one"},
        {{1 << 10, 1, 1, false, 0}, "channel-1K", "messages of 1 KiB, one to one"},
        {{FLOW_LONGEST, 1, 1, false, 0}, "channel-64K", "messages of 64 KiB, one to one"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        measure_ways(cases[i].key, cases[i].title, &cases[i].flow, ways,
                     cases[i].flow.size <= MQ_LONGEST ? WAYS : WAYS - 1);
}

static void many(void)
{
    static const struct flow two = {8, 2, 2, false, 0}, four = {8, 4, 4, false, 0};
    static const struct flow each = {8, 1, 1, true, 0}, to_four = {8, 1, 4, true, 0};
    static const struct flow_way *const queues[] = {&flow_copied, CK_MANY BOOST};
    static const struct flow_way *const all[] = {&flow_ours, &flow_copied};
    size_t count = sizeof queues / sizeof *queues;
    measure_ways("channel-2-2", "messages of 8 B, two senders, two receivers", &two, queues, count);
    measure_ways("channel-4-4", "messages of 8 B, four senders, four receivers", &four, queues, count);
    measure_ways("broadcast", "broadcast of 8 B, one sender, one receiver", &each, all, 2);
    measure_ways("broadcast-4", "broadcast of 8 B, one sender, each of four", &to_four, all, 2);
}

/* What a small ring costs: each line of it then comes out of the other processor's own cache. */
static void ring_sizes(void)
{
    enum { SIZES = 4 };
    static const struct flow flows[SIZES] = {
        {64, 1, 1, false, 0},
        {64, 1, 1, false, 256 << 10},
        {64, 1, 1, false, 64 << 10},
        {64, 1, 1, false, 4 << 10},
    };
    static const char *const called[SIZES] = {BENCH_OURS, "a ring of 256 KiB", "a ring of 64 KiB",
                                              "a ring of 4 KiB"};
    static const struct group g = {"channel-ring", "messages of 64 B, by the size of the ring", "M/s", true,
                                   measure_flow};
    struct job jobs[SIZES];
    struct contender contenders[SIZES];
    uint64_t counts[SIZES] = {0};
    for (size_t i = 0; i < SIZES; i++) {
        jobs[i] = (struct job){&flow_ours, &flows[i], &counts[i]};
        contenders[i] = (struct contender){called[i], &jobs[i]};
    }
    bench_group(&g, contenders, SIZES);
}

/* ------------------------------------------------------ there and back */

enum { LETTER = 64, SAMPLES = 4096, BATCH = 16, WORK_NS = 30000, MOVING = 64 << 10 };

/* What the raw ways use: a word of each side, and bytes that move on like those of a ring. */
static struct wire {
    struct {
        uint64_t flag BENCH_APART;
        uint32_t futex BENCH_APART;
        char bytes[MOVING] BENCH_APART;
    } side[2];
    uint32_t ns[SAMPLES];
} * wire;

struct route {
    void (*join)(int who);
    void (*say)(int who, uint64_t turn, const char *letter);
    void (*hear)(int who, uint64_t turn, char *letter);
    bool asleep; /* the other side is to sleep by the time it is spoken to */
};

static shms_channel *mouth, *ear;

static shms_channel *open_one(const char *purpose, int role)
{
    shms_channel *c = NULL;
    int rc = shms_channel_open(bench_name(purpose), 0, role, NULL, &c);
    if (rc < 0)
        bench_die("open: %s", shms_strerror(rc));
    return c;
}

static void join_channels(int who)
{
    mouth = open_one(who == 0 ? "ping" : "pong", SHMS_SEND);
    ear = open_one(who == 0 ? "pong" : "ping", SHMS_RECEIVE);
}

static void say_channel(int who, uint64_t turn, const char *letter)
{
    (void)who, (void)turn;
    if (shms_channel_send(mouth, letter, LETTER, -1) != 0)
        bench_die("send");
}

static void hear_channel(int who, uint64_t turn, char *letter)
{
    (void)who, (void)turn;
    if (shms_channel_recv(ear, letter, LETTER, -1) != LETTER)
        bench_die("recv");
}

static void join_wire(int who)
{
    (void)who;
}

/* Where a ring of frames would have them. */
static size_t place(uint64_t turn)
{
    return turn * (LETTER + 16) % (MOVING - LETTER) & ~(size_t)15;
}

static void say_flag(int who, uint64_t turn, const char *letter)
{
    memcpy(wire->side[who].bytes + place(turn), letter, LETTER);
    __atomic_store_n(&wire->side[who].flag, turn, __ATOMIC_RELEASE);
}

static void hear_flag(int who, uint64_t turn, char *letter)
{
    while (__atomic_load_n(&wire->side[1 - who].flag, __ATOMIC_ACQUIRE) != turn)
        continue;
    memcpy(letter, wire->side[1 - who].bytes + place(turn), LETTER);
}

static void say_futex(int who, uint64_t turn, const char *letter)
{
    uint32_t *word = &wire->side[who].futex;
    memcpy(wire->side[who].bytes + place(turn), letter, LETTER);
    __atomic_store_n(word, (uint32_t)turn, __ATOMIC_RELEASE);
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void hear_futex(int who, uint64_t turn, char *letter)
{
    uint32_t *word = &wire->side[1 - who].futex, now;
    while ((now = __atomic_load_n(word, __ATOMIC_ACQUIRE)) != (uint32_t)turn)
        syscall(SYS_futex, word, FUTEX_WAIT, now, NULL, NULL, 0);
    memcpy(letter, wire->side[1 - who].bytes + place(turn), LETTER);
}

static void work(void)
{
    for (uint64_t start = bench_now(); bench_now() - start < WORK_NS;)
        continue;
}

static uint64_t round_trip(const struct route *r, uint64_t turn, char *letter)
{
    if (r->asleep)
        work();
    uint64_t start = bench_now();
    r->say(0, turn, letter);
    r->hear(0, turn, letter);
    return bench_now() - start - (r->asleep ? WORK_NS : 0);
}

/* Whole batches where a single trip is shorter than the clock is exact. */
static void ask_all(const struct route *r, uint64_t samples)
{
    char letter[LETTER] = {1};
    uint64_t turn = 0;
    for (uint64_t i = 0; i < samples; i++) {
        if (r->asleep) {
            wire->ns[i] = (uint32_t)round_trip(r, ++turn, letter);
            continue;
        }
        uint64_t start = bench_now();
        for (int k = 0; k < BATCH; k++) {
            r->say(0, ++turn, letter);
            r->hear(0, turn, letter);
        }
        wire->ns[i] = (uint32_t)(bench_now() - start) / BATCH;
    }
}

static void answer_all(const struct route *r, uint64_t samples)
{
    char letter[LETTER];
    uint64_t turns = r->asleep ? samples : samples * BATCH;
    for (uint64_t turn = 1; turn <= turns; turn++) {
        r->hear(1, turn, letter);
        if (r->asleep)
            work();
        r->say(1, turn, letter);
    }
}

static void talk(const struct route *r, int who, uint64_t samples)
{
    bench_pin(who);
    r->join(who);
    __atomic_fetch_add(&race->ready, 1, __ATOMIC_ACQ_REL);
    bench_until(&race->go, 1);
    if (who == 0)
        ask_all(r, samples);
    else
        answer_all(r, samples);
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static struct reading measure_route(const void *arg)
{
    const struct route *r = arg;
    pid_t child[2];
    uint64_t samples = bench_plan.quick ? 64 : r->asleep ? 1000 : SAMPLES;
    bench_pin(-1);
    *race = (struct race){0};
    for (int who = 0; who < 2; who++) {
        wire->side[who].flag = wire->side[who].futex = 0;
        child[who] = bench_fork();
        if (child[who] == 0) {
            talk(r, who, samples);
            _exit(0);
        }
    }
    bench_until(&race->ready, 2);
    bench_store(&race->go, 1);
    for (int who = 0; who < 2; who++)
        bench_reap(child[who], false);
    qsort(wire->ns, samples, sizeof wire->ns[0], by_size);
    return (struct reading){.value = wire->ns[samples / 2]};
}

static void there_and_back(void)
{
    static const struct route channels[] = {{join_channels, say_channel, hear_channel, false},
                                            {join_channels, say_channel, hear_channel, true}};
    static const struct route flags = {join_wire, say_flag, hear_flag, false};
    static const struct route futexes = {join_wire, say_futex, hear_futex, true};
    static const struct contender spinning[] = {{BENCH_OURS, &channels[0]},
                                                {"a flag and 64 moving bytes", &flags}};
    static const struct contender sleeping[] = {{BENCH_OURS, &channels[1]}, {"bare futex", &futexes}};
    const struct group spin = {"channel-spin", "64 B there and back, both awake, median", "ns", false,
                               measure_route};
    const struct group sleep = {"channel-sleep", "64 B there and back, both asleep, median", "ns", false,
                                measure_route};
    const shms_stream_options kept = {.struct_size = sizeof kept, .keep = 1};
    const shms_channel_options o = {.struct_size = sizeof o, .one_sender = 1, .one_receiver = 1,
                                    .region = &kept};
    wire = bench_shared(sizeof *wire);
    for (int i = 0; i < 2; i++) {
        shms_channel *c = NULL;
        const char *name = bench_name(i == 0 ? "ping" : "pong");
        shms_stream_unlink(name);
        int rc = shms_channel_open(name, MOVING, SHMS_SEND, &o, &c);
        if (rc < 0)
            bench_die("open: %s", shms_strerror(rc));
        shms_channel_close(c);
    }
    bench_group(&spin, spinning, 2);
    bench_group(&sleep, sleeping, 2);
    munmap(wire, sizeof *wire);
}

void bench_channels(void)
{
    race = bench_shared(sizeof *race);
    one_way();
    many();
    ring_sizes();
    there_and_back();
    munmap(race, sizeof *race);
}
