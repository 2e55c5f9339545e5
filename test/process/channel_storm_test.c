/* SPDX-License-Identifier: MIT */
/*
 * Processes that send and receive are killed at any moment, for a while; a checker that none of them can lie
 * to holds what was sent against what was received. Rules:
 *   whole    each message is as its sender made it, by a sum over its bytes
 *   order    of one sender, each receiver gets rising numbers (but what comes again, which tries tell)
 *   no loss  what a sender was told is sent arrives, but for one message with each receiver killed in recv
 *   once     nothing arrives twice, but one message with each receiver that is killed while it peeks
 *   a broadcast: none is left out between the first and the last that a receiver gets, but where it is told
 *   no hang  all that live reach the end, and the queue is empty then
 * ctest: timeout=300
 */
#include "roles.h"

#include "shmstream/channel.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SIDES = 3, LIVES = 400, NUMBERS = 1 << 18, RING = 8192, LONGEST = 1500 };

/* What the processes write down, in memory that outlives them. One line a life. */
struct book {
    struct life {
        _Atomic uint32_t told;     /* sender: numbers below it were sent, send said so */
        _Atomic uint32_t begun;    /* sender: numbers below it may have been sent */
        _Atomic uint32_t killed;
    } life[LIVES];
    _Atomic uint32_t lives;
    _Atomic uint32_t failed;
    _Atomic uint32_t ending; /* no more kills: what ends now has ended */
    _Atomic uint8_t got[LIVES][NUMBERS / 64]; /* how often it arrived */
};
static struct book *book;

struct message {
    uint32_t life;
    uint32_t number;
    uint32_t size;
    uint32_t sum;
    unsigned char bytes[LONGEST];
};
#define HEAD offsetof(struct message, bytes)
enum { MOST = NUMBERS / 64 };

static uint32_t sum_of(const struct message *m, size_t size)
{
    uint32_t sum = m->life * 31 + m->number * 37 + (uint32_t)size;
    for (size_t i = 0; i < size - HEAD; i++)
        sum = sum * 33 + m->bytes[i];
    return sum;
}

static void fill(struct message *m, uint32_t life, uint32_t number)
{
    size_t n = number % 7 == 0 ? number % LONGEST : number % 50;
    m->life = life;
    m->number = number;
    m->size = (uint32_t)(HEAD + n);
    for (size_t i = 0; i < n; i++)
        m->bytes[i] = (unsigned char)(number + i);
    m->sum = sum_of(m, m->size);
}

static void complain(const char *what, int64_t rc)
{
    fprintf(stderr, "%s: %s\n", what, shms_strerror((int)rc));
    atomic_store(&book->failed, 1);
    _exit(1);
}

static shms_channel *open_channel(const char *name, int role, const shms_channel_options *o)
{
    shms_channel *c = NULL;
    int rc;
    /* The dead one whose place this takes may not be all gone yet. */
    while ((rc = shms_channel_open(name, RING, role, o, &c)) == SHMS_E_FULL)
        rest();
    if (rc < 0)
        complain("open", rc);
    return c;
}

/* ---- a sender's life */

static int send_one(shms_channel *c, const struct message *m)
{
    void *to;
    if (m->number % 3)
        return shms_channel_send(c, m, m->size, BOUND_MS);
    int rc = shms_channel_reserve(c, m->size + m->number % 40, &to, BOUND_MS);
    if (rc < 0)
        return rc;
    memcpy(to, m, m->size);
    return shms_channel_commit(c, m->size);
}

static void send_for_life(const char *name, const shms_channel_options *o, uint32_t life, uint32_t until)
{
    struct message m;
    shms_channel *c = open_channel(name, SHMS_SEND, o);
    for (uint32_t n = 0; n < until; n++) {
        fill(&m, life, n);
        atomic_store(&book->life[life].begun, n + 1);
        int rc = send_one(c, &m);
        while ((rc == SHMS_E_DIED || rc == SHMS_E_CLOSED) && !atomic_load(&book->ending)) {
            rest(); /* all receivers are dead: the next ones come soon */
            rc = send_one(c, &m);
        }
        if (rc == SHMS_E_DIED || rc == SHMS_E_CLOSED)
            break; /* a last receiver takes what was sent */
        if (rc < 0)
            complain("send", rc);
        atomic_store(&book->life[life].told, n + 1);
    }
    shms_channel_close(c);
}

/* ---- a receiver's life */

static void check(const struct message *m, int64_t size)
{
    if (size < (int64_t)HEAD || m->size != size || m->life >= LIVES || m->number >= MOST ||
        m->sum != sum_of(m, (size_t)size))
        complain("a torn message", (int)size);
}

static int64_t receive_one(shms_channel *c, struct message *m, bool peeks)
{
    const void *from;
    if (!peeks)
        return shms_channel_recv(c, m, sizeof *m, BOUND_MS);
    int64_t n = shms_channel_peek(c, &from, BOUND_MS);
    if (n < 0 || n > (int64_t)sizeof *m)
        return n;
    memcpy(m, from, (size_t)n);
    return n;
}

static void receive_for_life(const char *name, const shms_channel_options *o, uint32_t life)
{
    static uint32_t last[LIVES];
    struct message m;
    shms_channel *c = open_channel(name, SHMS_RECEIVE, o);
    bool peeks = life % 2;
    for (;;) {
        int64_t n = receive_one(c, &m, peeks);
        if (n == SHMS_E_CLOSED || n == SHMS_E_DIED) {
            if (atomic_load(&book->ending))
                break;
            rest(); /* all senders are dead: the next ones come soon */
            continue;
        }
        if (n == SHMS_E_MISSED && o->slow != SHMS_SLOW_BLOCK) {
            memset(last, 0, sizeof last);
            continue;
        }
        if (n < 0)
            complain("recv", n);
        bool counts = !peeks || o->slow == SHMS_SLOW_BLOCK || shms_channel_release(c) == 0;
        if (!counts) {
            memset(last, 0, sizeof last);
            continue; /* it was overwritten while it was copied */
        }
        check(&m, n);
        shms_message about = {.struct_size = sizeof about};
        shms_channel_message(c, &about);
        if (about.tries == 0 && m.number + 1 <= last[m.life])
            complain("out of order", (int)m.number);
        if (o->kind == SHMS_BROADCAST && last[m.life] && m.number != last[m.life])
            complain("one is left out", (int)m.number);
        if (about.tries == 0)
            last[m.life] = m.number + 1;
        atomic_fetch_add(&book->got[m.life][m.number], 1);
        if (peeks && o->slow == SHMS_SLOW_BLOCK && shms_channel_release(c) != 0)
            complain("release", 0);
    }
    shms_channel_close(c);
}

/* ---- the storm */

struct player {
    pid_t pid;
    uint32_t life;
    bool sends;
};

static void begin(struct player *p, const char *name, const shms_channel_options *o, uint32_t until)
{
    p->life = atomic_fetch_add(&book->lives, 1);
    p->pid = fork();
    if (p->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (p->sends)
            send_for_life(name, o, p->life, until);
        else
            receive_for_life(name, o, p->life);
        _exit(0);
    }
}

static void nap_us(unsigned us)
{
    struct timespec t = {.tv_nsec = (long)us * 1000};
    nanosleep(&t, NULL);
}

static void judge(unsigned recv_kills, unsigned peek_kills)
{
    unsigned lost = 0, doubled = 0, forged = 0;
    for (uint32_t l = 0; l < atomic_load(&book->lives); l++) {
        for (uint32_t n = 0; n < MOST; n++) {
            unsigned got = atomic_load(&book->got[l][n]);
            lost += got == 0 && n < atomic_load(&book->life[l].told);
            doubled += got > 1 ? got - 1 : 0;
            forged += got > 0 && n >= atomic_load(&book->life[l].begun);
        }
    }
    assert_int_equal(atomic_load(&book->failed), 0);
    assert_int_equal(forged, 0);
    assert_true(lost <= recv_kills);
    assert_true(doubled <= peek_kills);
}

/* Both sides are killed and replaced for a while; then all live to the end. */
static void storm(const shms_channel_options *options, int sides, unsigned kills)
{
    struct player p[2 * SIDES];
    shms_stream_options kept = {.struct_size = sizeof kept, .keep = 1};
    shms_channel_options o = *options;
    const char *name = fresh_name();
    unsigned seed = (unsigned)getpid(), recv_kills = 0, peek_kills = 0;
    o.region = &kept;
    book = mmap(NULL, sizeof *book, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(book != MAP_FAILED);
    for (int i = 0; i < 2 * sides; i++) {
        p[i] = (struct player){.sends = i % 2};
        begin(&p[i], name, &o, MOST);
    }
    for (unsigned k = 0; k < kills; k++) {
        struct player *v = &p[(unsigned)rand_r(&seed) % (unsigned)(2 * sides)];
        nap_us((unsigned)rand_r(&seed) % 3000);
        if (v->pid > 0) /* -1 would be everybody */
            kill(v->pid, SIGKILL);
        waitpid(v->pid, NULL, 0);
        if (!v->sends) {
            recv_kills += v->life % 2 == 0;
            peek_kills += v->life % 2;
        }
        begin(v, name, &o, v->sends ? MOST : 0);
    }
    atomic_store(&book->ending, 1);
    /* The senders go; new receivers take what is left, until none is. */
    for (int i = 0; i < 2 * sides; i++) {
        if (!p[i].sends)
            continue;
        if (p[i].pid > 0)
            kill(p[i].pid, SIGKILL);
        waitpid(p[i].pid, NULL, 0);
        begin(&p[i], name, &o, 10);
    }
    for (int i = 0; i < 2 * sides; i++) {
        int status = -1;
        waitpid(p[i].pid, &status, 0);
        assert_int_equal(status, 0);
    }
    if (o.kind == SHMS_BROADCAST) {
        assert_int_equal(atomic_load(&book->failed), 0);
        shms_stream_unlink(name);
        munmap(book, sizeof *book);
        return;
    }
    struct player last = {.sends = false};
    begin(&last, name, &o, 0);
    waitpid(last.pid, NULL, 0);
    shms_channel *c = open_channel(name, SHMS_SEND, &o);
    shms_channel_stats stats = {.struct_size = sizeof stats};
    assert_int_equal(shms_channel_info(c, &stats), 0);
    assert_int_equal(stats.used, 0);
    shms_channel_close(c);
    shms_stream_unlink(name);
    judge(recv_kills, peek_kills);
    munmap(book, sizeof *book);
}

static const shms_channel_options turns = {.struct_size = sizeof turns};
static const shms_channel_options promises = {.struct_size = sizeof turns, .one_sender = 1,
                                              .one_receiver = 1};

static void queue_three_by_three(void **state)
{
    (void)state;
    storm(&turns, SIDES, count_from("KILLS", 120));
}

static void queue_one_by_one(void **state)
{
    (void)state;
    storm(&promises, 1, count_from("KILLS", 120));
}

static void broadcast_three_by_three(void **state)
{
    shms_channel_options o = {.struct_size = sizeof o, .kind = SHMS_BROADCAST};
    (void)state;
    for (o.slow = SHMS_SLOW_BLOCK; o.slow <= SHMS_SLOW_EXPEL; o.slow++)
        storm(&o, SIDES, count_from("KILLS", 120) / 2);
}

static void broadcast_one_by_one(void **state)
{
    shms_channel_options o = {.struct_size = sizeof o, .kind = SHMS_BROADCAST, .one_sender = 1};
    (void)state;
    for (o.slow = SHMS_SLOW_BLOCK; o.slow <= SHMS_SLOW_EXPEL; o.slow++)
        storm(&o, 1, count_from("KILLS", 120) / 2);
}

int main(int argc, char **argv)
{
    roles_begin(argc, argv, NULL);
    const struct CMUnitTest tests[] = {
        process_test(queue_three_by_three),
        process_test(queue_one_by_one),
        process_test(broadcast_three_by_three),
        process_test(broadcast_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
