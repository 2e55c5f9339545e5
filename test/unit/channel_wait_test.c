/* SPDX-License-Identifier: MIT */
/* Waiting in a channel, its descriptor, deaths of either side, and children of fork. */
#include "channel_unit.h"

#include <poll.h>
#include <pthread.h>

static const shms_channel_options plain = {.struct_size = sizeof plain};
static const shms_channel_options promised = {.struct_size = sizeof plain, .one_sender = 1,
                                              .one_receiver = 1};
static const shms_channel_options spread = {.struct_size = sizeof plain, .kind = SHMS_BROADCAST};
static const shms_channel_options dropping = {.struct_size = sizeof plain, .kind = SHMS_BROADCAST,
                                              .slow = SHMS_SLOW_DROP};
static const shms_channel_options *const all[] = {&plain, &promised, &spread, &dropping};
enum { ALL = sizeof all / sizeof all[0] };

/* ---- two threads, each with a handle */

enum { MANY = 20000 };

static void *sends_many(void *options)
{
    shms_channel *s = NULL;
    if (shms_channel_open(NAME, 4096, SHMS_SEND, options, &s) < 0)
        return "open";
    for (uint64_t n = 1; n <= MANY; n++)
        if (shms_channel_send(s, &n, sizeof n, -1) < 0)
            return "send";
    shms_channel_close(s);
    return NULL;
}

static void one_waits_for_the_other(void **state)
{
    (void)state;
    for (int i = 0; i < ALL - 1; i++) {
        pthread_t thread;
        void *failed = "";
        shms_channel *r = channel_open(4096, SHMS_RECEIVE, all[i]);
        uint64_t number = 0, expected = 0;
        assert_int_equal(pthread_create(&thread, NULL, sends_many, (void *)(uintptr_t)all[i]), 0);
        while (shms_channel_recv(r, &number, sizeof number, -1) == sizeof number)
            assert_int_equal(number, ++expected);
        assert_int_equal(expected, MANY);
        pthread_join(thread, &failed);
        assert_null(failed);
        shms_channel_close(r);
    }
}

/* Several on either side: each message once, and each sender's in order. */
static void *sends_tagged(void *tag)
{
    shms_channel *s = NULL;
    if (shms_channel_open(NAME, 4096, SHMS_SEND, NULL, &s) < 0)
        return "open";
    for (uint64_t n = 0; n < MANY; n++) {
        uint64_t message[2] = {(uintptr_t)tag, n};
        if (shms_channel_send(s, message, sizeof message, -1) < 0)
            return "send";
    }
    shms_channel_close(s);
    return NULL;
}

static unsigned char seen[3][MANY];

static void *receives_tagged(void *peeks)
{
    shms_channel *r = NULL;
    if (shms_channel_open(NAME, 4096, SHMS_RECEIVE, NULL, &r) < 0)
        return "open";
    uint64_t last[3] = {0}, message[2];
    for (;;) {
        const void *from = message;
        int64_t rc = peeks ? shms_channel_peek(r, &from, -1)
                           : shms_channel_recv(r, message, sizeof message, -1);
        if (rc == SHMS_E_CLOSED)
            break;
        if (rc != sizeof message)
            return "recv";
        memcpy(message, from, sizeof message);
        if (message[0] > 2 || message[1] >= MANY || message[1] + 1 <= last[message[0]])
            return "order";
        last[message[0]] = message[1] + 1;
        __atomic_add_fetch(&seen[message[0]][message[1]], 1, __ATOMIC_RELAXED);
        if (peeks && shms_channel_release(r) != 0)
            return "release";
    }
    shms_channel_close(r);
    return NULL;
}

static void each_message_goes_to_exactly_one(void **state)
{
    pthread_t senders[3], receivers[3];
    (void)state;
    memset(seen, 0, sizeof seen);
    shms_channel *keep = channel_open(4096, SHMS_SEND, NULL);
    for (uintptr_t i = 0; i < 3; i++) {
        pthread_create(&receivers[i], NULL, receives_tagged, (void *)(i % 2));
        pthread_create(&senders[i], NULL, sends_tagged, (void *)i);
    }
    for (int i = 0; i < 3; i++) {
        void *failed;
        pthread_join(senders[i], &failed);
        assert_ptr_equal(failed, NULL);
    }
    shms_channel_close(keep);
    for (int i = 0; i < 3; i++) {
        void *failed;
        pthread_join(receivers[i], &failed);
        assert_ptr_equal(failed, NULL);
    }
    for (int i = 0; i < 3; i++)
        for (int n = 0; n < MANY; n++)
            assert_int_equal(seen[i][n], 1);
}

/* ---- notify, poll */

static void *waits_in_recv(void *channel)
{
    char byte;
    return (void *)(intptr_t)shms_channel_recv(channel, &byte, 1, -1);
}

static void notify_ends_a_wait(void **state)
{
    (void)state;
    for (int i = 0; i < ALL; i++) {
        shms_channel *s = channel_open(4096, SHMS_SEND, all[i]), *r = channel_open(0, SHMS_RECEIVE, all[i]);
        pthread_t thread;
        void *rc;
        uint64_t waits = stats_of(s).waits;
        pthread_create(&thread, NULL, waits_in_recv, r);
        WAIT_FOR(stats_of(s).waits != waits);
        assert_int_equal(shms_channel_notify(s), 0);
        pthread_join(thread, &rc);
        assert_int_equal((intptr_t)rc, SHMS_E_TIMEOUT);
        shms_channel_close(s);
        shms_channel_close(r);
    }
}

static bool readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1 && (p.revents & POLLIN);
}

static void the_descriptor_tells_of_messages_room_and_the_end(void **state)
{
    static char bytes[3000];
    (void)state;
    for (int i = 0; i < ALL; i++) {
        shms_channel *s = channel_open(4096, SHMS_SEND, all[i]), *r = channel_open(0, SHMS_RECEIVE, all[i]);
        int from = shms_channel_poll_fd(r), to = shms_channel_poll_fd(s);
        assert_true(from >= 0 && to >= 0 && from != to);
        assert_int_equal(shms_channel_poll_fd(r), from);
        for (int k = 0; k < 3; k++) {
            assert_int_equal(shms_channel_recv(r, bytes, sizeof bytes, 0), SHMS_E_TIMEOUT);
            assert_false(readable(from, 0));
            assert_int_equal(shms_channel_send(s, bytes, sizeof bytes, 0), 0);
            assert_true(readable(from, 20000));
            if (all[i]->slow == SHMS_SLOW_BLOCK) {
                assert_int_equal(shms_channel_send(s, bytes, sizeof bytes, 0), SHMS_E_TIMEOUT);
                assert_false(readable(to, 0));
            }
            assert_int_equal(shms_channel_recv(r, bytes, sizeof bytes, 0), sizeof bytes);
            if (all[i]->slow == SHMS_SLOW_BLOCK)
                assert_true(readable(to, 20000));
        }
        assert_int_equal(shms_channel_recv(r, bytes, sizeof bytes, 0), SHMS_E_TIMEOUT);
        assert_int_equal(shms_channel_notify(s), 0);
        assert_true(readable(from, 20000));
        assert_int_equal(shms_channel_recv(r, bytes, sizeof bytes, 0), SHMS_E_TIMEOUT);
        assert_false(readable(from, 0));
        shms_channel_close(s);
        assert_true(readable(from, 20000));
        assert_int_equal(shms_channel_recv(r, bytes, sizeof bytes, 0), SHMS_E_CLOSED);
        shms_channel_close(r);
    }
}

/* No room is made beyond a frame that another sender fills. The one that waits for it is told when it is
 * settled, also where no receiver would tell. */
static void the_descriptor_tells_of_what_is_settled(void **state)
{
    static char bytes[3000];
    static const shms_channel_options *const lossy[] = {&spread, &dropping};
    (void)state;
    for (int i = 0; i < 4; i++) {
        const shms_channel_options *o = lossy[i % 2];
        void *to;
        shms_channel *s = channel_open(4096, SHMS_SEND, o), *other = channel_open(0, SHMS_SEND, o);
        int fd = shms_channel_poll_fd(s);
        assert_int_equal(shms_channel_reserve(other, sizeof bytes, &to, 0), 0);
        assert_int_equal(shms_channel_send(s, bytes, sizeof bytes, 0), SHMS_E_TIMEOUT);
        assert_false(readable(fd, 0));
        assert_int_equal(i < 2 ? shms_channel_commit(other, 1) : shms_channel_abort(other), 0);
        assert_true(readable(fd, 20000));
        assert_int_equal(shms_channel_send(s, bytes, sizeof bytes, 0), 0);
        shms_channel_close(other);
        shms_channel_close(s);
    }
}

/* A sender that finds no room, and then the turn taken, has not seen whether there is room. It waits for
 * the turn, since its holder may have made room before that sender asked to be told. */
static void *sends_large(void *c)
{
    static char bytes[3000];
    return (void *)(intptr_t)shms_channel_send(c, bytes, sizeof bytes, 20000);
}

static void who_finds_the_turn_taken_waits_for_it(void **state)
{
    char bytes[3000];
    pthread_t thread;
    bool waits = false;
    void *rc;
    (void)state;
    shms_channel *s = channel_open(4096, SHMS_SEND, NULL), *r = channel_open(0, SHMS_RECEIVE, NULL);
    shms_channel *holder = channel_open(0, SHMS_SEND, NULL);
    a64 *turn = &s->shared->senders_turn;
    assert_ptr_equal(sends_large(holder), NULL);
    assert_int_equal(pthread_create(&thread, NULL, sends_large, s), 0);
    WAIT_FOR(a64_load_relaxed(&s->shared->waits) > 0); /* relaxed: a look; so below */
    WAIT_FOR(shms__channel_turn_at_once(holder, turn));
    assert_int_equal(shms_channel_recv(r, bytes, sizeof bytes, 0), sizeof bytes);
    WAIT_FOR(waits || (waits = (a64_load_relaxed(turn) & CELL_WAITERS) != 0));
    shms__channel_give_turns(holder);
    pthread_join(thread, &rc);
    assert_ptr_equal(rc, NULL);
    assert_int_equal(shms_channel_recv(r, bytes, sizeof bytes, 0), sizeof bytes);
    shms_channel_close(holder);
    shms_channel_close(s);
    shms_channel_close(r);
}

/* Giving a turn back tells no descriptor: so a try that failed for the turn is told to come again. */
static void the_descriptor_tells_after_a_try_without_the_turn(void **state)
{
    (void)state;
    shms_channel *s = channel_open(4096, SHMS_SEND, NULL), *r = channel_open(0, SHMS_RECEIVE, NULL);
    for (int role = SHMS_SEND; role <= SHMS_RECEIVE; role++) {
        shms_channel *c = role == SHMS_SEND ? s : r, *stopped = channel_open(0, role, NULL);
        a64 *turn = role == SHMS_SEND ? &c->shared->senders_turn : &c->shared->receivers_turn;
        int fd = shms_channel_poll_fd(c);
        uint64_t n = 1;
        assert_true(fd >= 0);
        assert_true(shms__channel_turn_at_once(stopped, turn));
        for (int i = 0; i < 2; i++) {
            assert_int_equal(role == SHMS_SEND ? shms_channel_send(c, &n, sizeof n, 0)
                                               : shms_channel_recv(c, &n, sizeof n, 0), SHMS_E_TIMEOUT);
            assert_true(readable(fd, 0));
        }
        shms__channel_give_turns(stopped);
        if (role == SHMS_SEND)
            send_number(c, 2);
        else
            assert_int_equal(recv_number(c), 2);
        shms_channel_close(stopped);
    }
    assert_int_equal(shms_channel_recv(r, &(uint64_t){0}, sizeof(uint64_t), 0), SHMS_E_TIMEOUT);
    assert_false(readable(shms_channel_poll_fd(r), 0));
    shms_channel_close(r);
    shms_channel_close(s);
}

/* ---- deaths */

static int gate[2];

struct victim {
    const shms_channel_options *options;
    int role;
    int (*does)(shms_channel *c);
};

static int lives_until_killed(void *arg)
{
    const struct victim *v = arg;
    shms_channel *c = NULL;
    EXPECT(shms_channel_open(NAME, 4096, v->role, v->options, &c) == 0);
    EXPECT(!v->does || v->does(c) == 0);
    unit_gate_open(gate);
    for (;;)
        pause();
}

/* A process that has done what it is to do, and stands still. */
static pid_t victim(const shms_channel_options *o, int role, int (*does)(shms_channel *c))
{
    struct victim v = {.options = o, .role = role, .does = does};
    assert_int_equal(pipe(gate), 0);
    pid_t pid = unit_fork(lives_until_killed, &v, 0);
    unit_gate_wait(gate);
    close(gate[0]);
    close(gate[1]);
    return pid;
}

static void kill_it(pid_t pid)
{
    assert_true(pid > 0); /* -1 would be everybody */
    kill(pid, SIGKILL);
    assert_int_equal(unit_wait(pid), 128 + SIGKILL);
}

static int sends_one(shms_channel *c)
{
    return shms_channel_send(c, "12345678", 8, -1);
}

static int reserves(shms_channel *c)
{
    void *to;
    return shms_channel_reserve(c, 500, &to, -1);
}

static int peeks(shms_channel *c)
{
    const void *from;
    return shms_channel_peek(c, &from, -1) == 8 ? 0 : 1;
}

/* Tries ask once a millisecond whether senders live. */
static int64_t try_patiently(shms_channel *r)
{
    char bytes[8];
    int64_t rc = SHMS_E_TIMEOUT;
    for (int i = 0; i < 3 && rc == SHMS_E_TIMEOUT; i++) {
        rc = shms_channel_recv(r, bytes, 8, 0);
        shms__nap(1000000);
    }
    return rc;
}

static void a_dead_sender_ends_the_stream_with_died(void **state)
{
    char bytes[8];
    (void)state;
    for (int i = 0; i < ALL; i++) {
        shms_channel *r = channel_open(4096, SHMS_RECEIVE, all[i]);
        pid_t pid = victim(all[i], SHMS_SEND, sends_one);
        assert_int_equal(shms_channel_recv(r, bytes, 8, 0), 8);
        assert_int_equal(shms_channel_recv(r, bytes, 8, 0), SHMS_E_TIMEOUT);
        kill_it(pid);
        /* Others take the dead one's slot before anybody has looked. */
        shms_channel *s = channel_open(4096, SHMS_SEND, all[i]);
        shms_channel_close(s);
        assert_int_equal(try_patiently(r), SHMS_E_DIED);
        assert_int_equal(shms_channel_recv(r, bytes, 8, -1), SHMS_E_DIED);
        assert_int_equal(stats_of(r).senders_died, 1);
        s = channel_open(4096, SHMS_SEND, all[i]);
        assert_int_equal(shms_channel_recv(r, bytes, 8, 0), SHMS_E_TIMEOUT); /* not for ever */
        shms_channel_close(r);
        r = channel_open(4096, SHMS_RECEIVE, all[i]);
        shms_channel_close(s);
        assert_int_equal(shms_channel_recv(r, bytes, 8, 0), SHMS_E_CLOSED); /* died before it opened */
        shms_channel_close(r);
    }
}

static void a_death_ends_a_wait(void **state)
{
    (void)state;
    for (int i = 0; i < ALL; i++) {
        pid_t pid = victim(all[i], SHMS_SEND, NULL);
        shms_channel *r = channel_open(4096, SHMS_RECEIVE, all[i]);
        pthread_t thread;
        void *rc;
        pthread_create(&thread, NULL, waits_in_recv, r);
        kill_it(pid);
        pthread_join(thread, &rc);
        assert_int_equal((intptr_t)rc, SHMS_E_DIED);
        shms_channel_close(r);
    }
}

static void a_reservation_of_the_dead_is_passed_over(void **state)
{
    (void)state;
    for (int i = 0; i < ALL; i++) {
        if (all[i]->one_sender)
            continue;
        shms_channel *r = channel_open(4096, SHMS_RECEIVE, all[i]);
        pid_t pid = victim(all[i], SHMS_SEND, reserves);
        shms_channel *s = channel_open(4096, SHMS_SEND, all[i]);
        send_number(s, 42);
        assert_int_equal(shms_channel_recv(r, &(uint64_t){0}, 8, 0), SHMS_E_TIMEOUT);
        kill_it(pid);
        assert_int_equal(recv_number(r), 42);
        assert_int_equal(stats_of(r).aborted, 1);
        /* Where nobody reads, a sender that needs the room finds it. */
        shms_channel_close(r);
        pid = victim(all[i], SHMS_SEND, reserves);
        kill_it(pid);
        if (all[i]->kind == SHMS_BROADCAST)
            for (uint64_t n = 0; n < 500; n++)
                send_number(s, n);
        shms_channel_close(s);
    }
}

static void what_the_dead_had_peeked_comes_again(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        shms_channel *s = channel_open(4096, SHMS_SEND, all[i]);
        send_number(s, 1);
        send_number(s, 2);
        pid_t pid = victim(all[i], SHMS_RECEIVE, peeks);
        shms_channel *r = NULL;
        if (all[i]->one_receiver) {
            assert_int_equal(channel_refused(0, SHMS_RECEIVE, all[i]), SHMS_E_FULL);
            kill_it(pid);
            r = channel_open(0, SHMS_RECEIVE, all[i]);
            assert_int_equal(recv_number(r), 1);
            assert_int_equal(message_of(r).tries, 1);
            assert_int_equal(recv_number(r), 2);
        } else {
            r = channel_open(0, SHMS_RECEIVE, all[i]);
            assert_int_equal(recv_number(r), 2);
            assert_int_equal(shms_channel_recv(r, &(uint64_t){0}, 8, 0), SHMS_E_TIMEOUT);
            kill_it(pid);
            assert_int_equal(recv_number(r), 1);
            assert_int_equal(message_of(r).tries, 1);
            assert_int_equal(stats_of(r).redelivered, 1);
            assert_int_equal(stats_of(r).used, 0);
        }
        shms_channel_close(s);
        assert_int_equal(shms_channel_recv(r, &(uint64_t){0}, 8, -1), SHMS_E_CLOSED);
        shms_channel_close(r);
    }
}

/* A message that is put back is there at once, like a new one: nobody sleeps. */
static void what_is_put_back_ends_a_wait(void **state)
{
    const void *bytes;
    (void)state;
    shms_channel *s = channel_open(4096, SHMS_SEND, NULL);
    shms_channel *r = channel_open(0, SHMS_RECEIVE, NULL), *other = channel_open(0, SHMS_RECEIVE, NULL);
    for (uint64_t n = 1; n <= 3; n++) {
        send_number(s, n);
        assert_int_equal(shms_channel_peek(r, &bytes, 0), sizeof n);
        assert_int_equal(shms_channel_abort(r), 0);
    }
    for (int i = 0; i < 3; i++) {
        uint64_t n = 0;
        assert_int_equal(shms_channel_recv(i ? r : other, &n, sizeof n, 50), sizeof n);
    }
    send_number(s, 4);
    assert_int_equal(shms_channel_peek(r, &bytes, 0), sizeof(uint64_t));
    shms_channel_close(r); /* which puts back, too */
    assert_int_equal(shms_channel_recv(other, &(uint64_t){0}, sizeof(uint64_t), 50), sizeof(uint64_t));
    assert_int_equal(stats_of(other).waits, 0);
    assert_int_equal(shms_channel_recv(other, &(uint64_t){0}, sizeof(uint64_t), 0), SHMS_E_TIMEOUT);
    shms_channel_close(other);
    shms_channel_close(s);
}

/* A dead receiver holds back nobody; a stopped one only as far as the policy says. */
static void receivers_that_are_gone_hold_back_nobody(void **state)
{
    (void)state;
    shms_channel *s = channel_open(4096, SHMS_SEND, &spread);
    pid_t pid = victim(&spread, SHMS_RECEIVE, NULL);
    uint64_t n = 0;
    while (shms_channel_send(s, &n, sizeof n, 0) == 0)
        n++;
    assert_int_equal(n, 128);
    assert_true(pid > 0);
    kill(pid, SIGSTOP);
    assert_int_equal(shms_channel_send(s, &n, sizeof n, 150), SHMS_E_TIMEOUT);
    kill_it(pid);
    assert_int_equal(shms_channel_send(s, &n, sizeof n, 0), 0);
    shms_channel_close(s);
    s = channel_open(4096, SHMS_SEND, &plain);
    pid = victim(&plain, SHMS_RECEIVE, NULL);
    while (shms_channel_send(s, &n, sizeof n, 0) == 0)
        continue;
    kill_it(pid);
    assert_int_equal(shms_channel_send(s, &n, sizeof n, -1), SHMS_E_DIED);
    shms_channel_close(s);
}

/* ---- fork */

static int child_joins_anew(void *handles)
{
    shms_channel *s = ((shms_channel **)handles)[0], *r = ((shms_channel **)handles)[1];
    EXPECT(shms_channel_release(r) == SHMS_E_NOT_OWNER); /* the parent has peeked */
    EXPECT(shms_channel_commit(s, 1) == SHMS_E_NOT_OWNER);
    EXPECT(shms_channel_send(s, "child", 5, 0) == 0);
    shms_channel_stats stats = {.struct_size = sizeof stats};
    EXPECT(shms_channel_info(r, &stats) == 0 && stats.senders == 2 && stats.receivers == 2);
    shms_channel_close(s);
    shms_channel_close(r);
    return 0;
}

static int child_only_closes(void *handles)
{
    shms_channel_close(((shms_channel **)handles)[0]);
    shms_channel_close(((shms_channel **)handles)[1]);
    return 0;
}

static int child_is_one_too_many(void *handles)
{
    EXPECT(shms_channel_send(((shms_channel **)handles)[0], "x", 1, 0) == SHMS_E_FULL);
    EXPECT(shms_channel_recv(((shms_channel **)handles)[1], (char[1]){0}, 1, 0) == SHMS_E_FULL);
    return 0;
}

static void a_child_joins_anew(void **state)
{
    char bytes[8];
    const void *from;
    void *to;
    (void)state;
    shms_channel *c[2] = {channel_open(4096, SHMS_SEND, NULL), channel_open(0, SHMS_RECEIVE, NULL)};
    assert_int_equal(shms_channel_send(c[0], "parent", 6, 0), 0);
    assert_int_equal(shms_channel_peek(c[1], &from, 0), 6);
    assert_int_equal(unit_child(child_only_closes, c, 0), 0);
    assert_int_equal(shms_channel_reserve(c[0], 8, &to, 0), 0);
    assert_int_equal(unit_child(child_joins_anew, c, 0), 0);
    assert_memory_equal(from, "parent", 6);
    assert_int_equal(shms_channel_release(c[1]), 0);
    assert_int_equal(shms_channel_commit(c[0], 1), 0);
    assert_int_equal(shms_channel_recv(c[1], bytes, 8, 0), 1);
    assert_int_equal(shms_channel_recv(c[1], bytes, 8, 0), 5);
    assert_memory_equal(bytes, "child", 5);
    shms_channel_close(c[0]);
    shms_channel_close(c[1]);
    c[0] = channel_open(4096, SHMS_SEND, &promised);
    c[1] = channel_open(0, SHMS_RECEIVE, &promised);
    assert_int_equal(unit_child(child_is_one_too_many, c, 0), 0);
    send_number(c[0], 1);
    assert_int_equal(recv_number(c[1]), 1);
    shms_channel_close(c[0]);
    shms_channel_close(c[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_waits_for_the_other), TEST(each_message_goes_to_exactly_one), TEST(notify_ends_a_wait),
        TEST(the_descriptor_tells_of_messages_room_and_the_end),
        TEST(the_descriptor_tells_of_what_is_settled), TEST(who_finds_the_turn_taken_waits_for_it),
        TEST(the_descriptor_tells_after_a_try_without_the_turn),
        TEST(a_dead_sender_ends_the_stream_with_died), TEST(a_death_ends_a_wait),
        TEST(a_reservation_of_the_dead_is_passed_over), TEST(what_the_dead_had_peeked_comes_again),
        TEST(what_is_put_back_ends_a_wait),
        TEST(receivers_that_are_gone_hold_back_nobody), TEST(a_child_joins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
