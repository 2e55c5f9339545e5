/* SPDX-License-Identifier: MIT */
/*
 * Calls of a channel are not cut off: one whose thread is cancelled goes on, and a handler that leaves one by
 * siglongjmp, or forks in it, leaves nothing that abort does not put right.
 */
#include "channel_unit.h"

#include <pthread.h>
#include <sys/time.h>

static const shms_channel_options turns = {.struct_size = sizeof turns};
static const shms_channel_options promised = {.struct_size = sizeof turns, .one_sender = 1,
                                              .one_receiver = 1};
static const shms_channel_options to_all = {.struct_size = sizeof turns, .kind = SHMS_BROADCAST};
static const shms_channel_options *const kinds[] = {&turns, &promised, &to_all};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

enum { IN_SEND, IN_RESERVE, IN_RECV, IN_PEEK, PLACES };

static bool is_senders(int place)
{
    return place <= IN_RESERVE;
}

/* What a thread that is cancelled has called must be gone by then, with all that a sanitizer knows of it. */
#define APART __attribute__((noinline))

static APART int64_t wait_in(int place, shms_channel *c, int timeout_ms)
{
    void *to;
    const void *from;
    char bytes[2048] = "";
    switch (place) {
    case IN_SEND:
        return shms_channel_send(c, bytes, sizeof bytes, timeout_ms);
    case IN_RESERVE:
        return shms_channel_reserve(c, sizeof bytes, &to, timeout_ms);
    case IN_RECV:
        return shms_channel_recv(c, bytes, sizeof bytes, timeout_ms);
    default:
        return shms_channel_peek(c, &from, timeout_ms);
    }
}

/* So that a sender has to wait. */
static void fill(shms_channel *s)
{
    static const char bytes[4080];
    assert_int_equal(shms_channel_send(s, bytes, sizeof bytes, 0), 0);
}

/* ---- cancellation */

struct calls {
    shms_channel *s, *r;
    int place;
    int64_t rc;
};

static APART int every_call(shms_channel *s, shms_channel *r)
{
    char bytes[8] = "";
    const void *from;
    void *to;
    shms_channel_stats stats = {.struct_size = sizeof stats};
    shms_message about = {.struct_size = sizeof about};
    EXPECT(shms_channel_poll_fd(r) >= 0 && shms_channel_poll_fd(s) >= 0);
    EXPECT(shms_channel_recv(r, bytes, 8, 1) == SHMS_E_TIMEOUT);
    EXPECT(shms_channel_send(s, bytes, 8, -1) == 0 && shms_channel_recv(r, bytes, 8, -1) == 8);
    EXPECT(shms_channel_recv(r, bytes, 8, 0) == SHMS_E_TIMEOUT); /* looks at the descriptor */
    EXPECT(shms_channel_send_all(s, &(shms_slice){bytes, 8}, 1, -1) == 0);
    EXPECT(shms_channel_peek(r, &from, -1) == 8 && shms_channel_release(r) == 0);
    EXPECT(shms_channel_message(r, &about) == 0 && shms_channel_info(r, &stats) == 0);
    EXPECT(shms_channel_reserve(s, 8, &to, -1) == 0 && shms_channel_commit(s, 4) == 0);
    EXPECT(shms_channel_peek(r, &from, -1) == 4 && shms_channel_abort(r) == 0);
    EXPECT(shms_channel_recv(r, bytes, 8, -1) == 4 && shms_channel_notify(s) == 0);
    return 0;
}

static void *calls_of_a_cancelled(void *arg)
{
    struct calls *a = arg;
    pthread_cancel(pthread_self());
    a->rc = every_call(a->s, a->r);
    shms_channel_close(a->s);
    shms_channel_close(a->r);
    a->s = a->r = NULL;
    pthread_testcancel();
    a->rc = 2;
    return NULL;
}

static void no_call_is_a_cancellation_point(void **state)
{
    pthread_t thread;
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        struct calls a = {.rc = 1};
        a.s = channel_open(4096, SHMS_SEND, kinds[k]);
        a.r = channel_open(0, SHMS_RECEIVE, kinds[k]);
        assert_int_equal(pthread_create(&thread, NULL, calls_of_a_cancelled, &a), 0);
        pthread_join(thread, NULL);
        assert_int_equal(a.rc, 0);
        assert_null(a.s);
    }
}

static void *waits_somewhere(void *arg)
{
    struct calls *a = arg;
    a->rc = wait_in(a->place, is_senders(a->place) ? a->s : a->r, -1);
    pthread_testcancel();
    a->rc = 2;
    return NULL;
}

/* The call ends as it would have, and the cancellation comes then. */
static void a_cancelled_wait_goes_on(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS * PLACES; i++) {
        pthread_t thread;
        struct calls a = {.rc = 1, .place = i % PLACES};
        a.s = channel_open(4096, SHMS_SEND, kinds[i / PLACES]);
        a.r = channel_open(0, SHMS_RECEIVE, kinds[i / PLACES]);
        shms_channel *looks = channel_open(0, SHMS_LOOK, NULL);
        if (is_senders(a.place))
            fill(a.s);
        assert_int_equal(pthread_create(&thread, NULL, waits_somewhere, &a), 0);
        while (stats_of(looks).waits == 0)
            shms__nap(1000000);
        pthread_cancel(thread);
        shms_channel_notify(looks);
        pthread_join(thread, NULL);
        assert_int_equal(a.rc, SHMS_E_TIMEOUT);
        shms_channel_close(a.s);
        shms_channel_close(a.r);
        shms_channel_close(looks);
    }
}

/* ---- jumps; in children, which may leak */

static sigjmp_buf back;

static void jump(int number)
{
    siglongjmp(back, number);
}

static void alarm_every(int us, void (*handler)(int))
{
    struct sigaction a = {.sa_handler = handler};
    struct itimerval often = {{0, us}, {0, us}};
    sigaction(SIGALRM, &a, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
}

static void no_signals(void)
{
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
}

/* What a jump has left is put right; then messages pass, until the ring is empty. */
static int goes_on(shms_channel *s, shms_channel *r)
{
    static char bytes[4080];
    shms_channel_stats stats = {.struct_size = sizeof stats};
    int rc = 0;
    for (int i = 0; i < 3 && (rc = shms_channel_abort(s)) != SHMS_E_NOT_OWNER; i++)
        EXPECT(rc == 0);
    EXPECT(rc == SHMS_E_NOT_OWNER);
    for (int i = 0; i < 3 && (rc = shms_channel_abort(r)) != SHMS_E_NOT_OWNER; i++)
        EXPECT(rc == 0);
    EXPECT(rc == SHMS_E_NOT_OWNER);
    while (shms_channel_recv(r, bytes, sizeof bytes, 0) >= 0)
        continue;
    EXPECT(shms_channel_send(s, "goes on", 7, 1000) == 0);
    EXPECT(shms_channel_recv(r, bytes, sizeof bytes, 1000) == 7 && memcmp(bytes, "goes on", 7) == 0);
    EXPECT(shms_channel_recv(r, bytes, sizeof bytes, 0) == SHMS_E_TIMEOUT);
    EXPECT(shms_channel_info(r, &stats) == 0 && stats.used == 0);
    return 0;
}

struct jumps {
    const shms_channel_options *kind;
    int place;
};

static int jumps_out_of_a_wait(void *arg)
{
    static shms_channel *s, *r; /* no locals that siglongjmp may spoil */
    const struct jumps *j = arg;
    EXPECT(shms_channel_open(NAME, 4096, SHMS_SEND, j->kind, &s) == 0);
    EXPECT(shms_channel_open(NAME, 4096, SHMS_RECEIVE, j->kind, &r) == 0);
    if (is_senders(j->place))
        fill(s);
    if (sigsetjmp(back, 1) == 0) {
        alarm_every(3000, jump);
        wait_in(j->place, is_senders(j->place) ? s : r, 60000);
        return 1; /* nobody jumped */
    }
    no_signals();
    EXPECT(goes_on(s, r) == 0);
    shms_channel_close(s);
    shms_channel_close(r);
    return 0;
}

static void a_jump_out_of_a_wait(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS * PLACES; i++) {
        struct jumps j = {.kind = kinds[i / PLACES], .place = i % PLACES};
        assert_int_equal(unit_child(jumps_out_of_a_wait, &j, 0), 0);
    }
}

/* Each message holds its size in all its bytes. */
static bool is_whole(const unsigned char *bytes, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (bytes[i] != (unsigned char)n)
            return false;
    return true;
}

static int pass_some(shms_channel *s, shms_channel *r, unsigned n)
{
    static unsigned char out[256], in[256];
    const void *from;
    void *to;
    size_t size = n % 200;
    memset(out, (int)size, size);
    if (n % 2) {
        (void)!shms_channel_send(s, out, size, 0);
    } else if (shms_channel_reserve(s, size, &to, 0) == 0) {
        memcpy(to, out, size);
        shms_channel_commit(s, size);
    }
    if (n % 3 == 0)
        (void)!shms_channel_send_all(s, (shms_slice[]){{out, size}, {out, size}}, 2, 0);
    int64_t got = n % 5 ? shms_channel_recv(r, in, sizeof in, 0) : shms_channel_peek(r, &from, 0);
    EXPECT(got < 0 || is_whole(n % 5 ? in : from, got));
    if (got >= 0 && n % 5 == 0)
        shms_channel_release(r);
    return 0;
}

/* Over and over, wherever it is. */
static int jumps_anywhere(void *options)
{
    static shms_channel *s, *r;
    static unsigned n;
    static int jumps, rc;
    EXPECT(shms_channel_open(NAME, 4096, SHMS_SEND, options, &s) == 0);
    EXPECT(shms_channel_open(NAME, 4096, SHMS_RECEIVE, options, &r) == 0);
    for (jumps = 0; jumps < 600; jumps++) {
        if (sigsetjmp(back, 1) == 0) {
            if (jumps == 0)
                alarm_every(150, jump); /* not before there is a place to jump to */
            while (rc == 0)
                rc = pass_some(s, r, n++);
            return rc;
        }
        sigset_t alarm, before;
        sigemptyset(&alarm);
        sigaddset(&alarm, SIGALRM);
        sigprocmask(SIG_BLOCK, &alarm, &before);
        EXPECT(goes_on(s, r) == 0);
        sigprocmask(SIG_SETMASK, &before, NULL);
    }
    no_signals();
    shms_channel_close(s);
    shms_channel_close(r);
    return 0;
}

static void jumps_out_of_any_call(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++)
        assert_int_equal(unit_child(jumps_anywhere, (void *)(uintptr_t)kinds[k], 0), 0);
}

/* The same by hand, at the places that a signal rarely hits. */

static void hold_turn(a64 *turn, const shms_channel *c)
{
    a64_store_relaxed(turn, c->section.member.id);
}

static void abort_gives_a_turn_back(void **state)
{
    (void)state;
    shms_channel *s = channel_open(4096, SHMS_SEND, NULL), *s2 = channel_open(0, SHMS_SEND, NULL);
    shms_channel *r = channel_open(0, SHMS_RECEIVE, NULL), *r2 = channel_open(0, SHMS_RECEIVE, NULL);
    hold_turn(&s->shared->senders_turn, s);
    assert_int_equal(shms_channel_send(s2, "x", 1, 0), SHMS_E_TIMEOUT);
    assert_int_equal(shms_channel_abort(s), SHMS_E_NOT_OWNER);
    send_number(s2, 1);
    hold_turn(&r->shared->receivers_turn, r);
    assert_int_equal(shms_channel_abort(r), SHMS_E_NOT_OWNER);
    assert_int_equal(recv_number(r2), 1);
    /* The next call of its own does as well; so does close. */
    hold_turn(&s->shared->senders_turn, s);
    send_number(s, 2);
    send_number(s2, 3);
    hold_turn(&r->shared->receivers_turn, r);
    assert_int_equal(recv_number(r), 2);
    assert_int_equal(recv_number(r2), 3);
    hold_turn(&s->shared->senders_turn, s);
    hold_turn(&s->shared->receivers_turn, s); /* a sender that tidied */
    shms_channel_close(s);
    send_number(s2, 4);
    assert_int_equal(recv_number(r2), 4);
    shms_channel_close(s2);
    shms_channel_close(r);
    shms_channel_close(r2);
}

static void a_claim_that_was_cut_off_comes_again(void **state)
{
    const void *from;
    (void)state;
    shms_channel *s = channel_open(4096, SHMS_SEND, NULL);
    shms_channel *r = channel_open(0, SHMS_RECEIVE, NULL), *r2 = channel_open(0, SHMS_RECEIVE, NULL);
    send_number(s, 1);
    send_number(s, 2);
    uint64_t next = a64_load_relaxed(&r->shared->next);
    assert_int_equal(shms_channel_peek(r, &from, 0), 8);
    hold_turn(&r->shared->receivers_turn, r); /* as if it had stopped before it moved next */
    a64_store_relaxed(&r->shared->next, next);
    assert_int_equal(shms_channel_abort(r), 0);
    assert_int_equal(shms_channel_abort(r), SHMS_E_NOT_OWNER);
    assert_int_equal(recv_number(r2), 2);
    assert_int_equal(recv_number(r2), 1);
    assert_int_equal(message_of(r2).tries, 1);
    shms_channel_close(s);
    shms_channel_close(r);
    shms_channel_close(r2);
}

/* It has settled what it held, and did not come to know: the place may be another's by then. */
static void what_is_settled_is_not_settled_again(void **state)
{
    void *to, *other;
    const void *from, *from2;
    (void)state;
    shms_channel *s = channel_open(4096, SHMS_SEND, NULL), *s2 = channel_open(0, SHMS_SEND, NULL);
    shms_channel *r = channel_open(0, SHMS_RECEIVE, NULL), *r2 = channel_open(0, SHMS_RECEIVE, NULL);
    assert_int_equal(shms_channel_reserve(s, 4080, &to, 0), 0);
    assert_int_equal(shms_channel_commit(s, 4080), 0);
    assert_int_equal(shms_channel_peek(r, &from, 0), 4080);
    assert_int_equal(shms_channel_release(r), 0);
    assert_int_equal(shms_channel_reserve(s2, 4080, &other, 0), 0);
    s->held = true;
    assert_int_equal(shms_channel_abort(s), 0);
    assert_int_equal(shms_channel_commit(s2, 4080), 0);
    assert_int_equal(shms_channel_peek(r2, &from2, 0), 4080);
    r->held = true;
    assert_int_equal(shms_channel_abort(r), 0);
    r->held = true;
    assert_int_equal(shms_channel_release(r), SHMS_E_CORRUPT);
    assert_int_equal(shms_channel_recv(r, &to, 8, 0), SHMS_E_TIMEOUT); /* it is r2's still */
    assert_int_equal(shms_channel_release(r2), 0);
    shms_channel_close(s);
    shms_channel_close(s2);
    shms_channel_close(r);
    shms_channel_close(r2);
}

/* A receiver that was cut off before it showed its progress shows it before it waits. */
static void progress_is_shown_before_a_wait(void **state)
{
    (void)state;
    shms_channel *s = channel_open(4096, SHMS_SEND, &promised);
    shms_channel *r = channel_open(0, SHMS_RECEIVE, &promised);
    fill(s);
    static char bytes[4080];
    assert_int_equal(shms_channel_recv(r, bytes, sizeof bytes, 0), 4080);
    a64_store_relaxed(r->progress, r->pos - 4096);
    assert_int_equal(shms_channel_send(s, "x", 1, 0), SHMS_E_TIMEOUT);
    assert_int_equal(shms_channel_recv(r, bytes, sizeof bytes, 0), SHMS_E_TIMEOUT);
    assert_int_equal(shms_channel_send(s, "x", 1, 0), 0);
    shms_channel_close(s);
    shms_channel_close(r);
}

/* The one sender was cut off between its own position and tail. */
static void abort_takes_back_what_is_not_published(void **state)
{
    (void)state;
    shms_channel *s = channel_open(4096, SHMS_SEND, &promised);
    shms_channel *r = channel_open(0, SHMS_RECEIVE, &promised);
    send_number(s, 1);
    send_number(s, 2);
    a64_store_relaxed(&s->shared->tail, s->pos - 32);
    assert_int_equal(shms_channel_abort(s), SHMS_E_NOT_OWNER);
    send_number(s, 3);
    assert_int_equal(recv_number(r), 1);
    assert_int_equal(recv_number(r), 3);
    shms_channel_close(s);
    shms_channel_close(r);
}

/* ---- fork in a handler: the call ends in both, and the child's next one joins anew */

static sig_atomic_t forked, in_child;
static pid_t forked_pid;

static void fork_here(int number)
{
    (void)number;
    if (forked)
        return;
    forked = 1;
    forked_pid = fork();
    in_child = forked_pid == 0;
}

static int forks_in_a_wait(void *arg)
{
    const struct jumps *j = arg;
    shms_channel *s = NULL, *r = NULL;
    EXPECT(shms_channel_open(NAME, 4096, SHMS_SEND, j->kind, &s) == 0);
    EXPECT(shms_channel_open(NAME, 4096, SHMS_RECEIVE, j->kind, &r) == 0);
    if (is_senders(j->place))
        fill(s);
    alarm_every(3000, fork_here);
    int64_t rc = wait_in(j->place, is_senders(j->place) ? s : r, 200);
    no_signals();
    EXPECT(forked && rc == (in_child ? SHMS_E_LOST : SHMS_E_TIMEOUT));
    if (in_child) {
        rc = shms_channel_abort(is_senders(j->place) ? s : r);
        EXPECT(rc == (j->kind == &promised ? SHMS_E_FULL : SHMS_E_NOT_OWNER));
        shms_channel_close(s);
        shms_channel_close(r);
        return 0;
    }
    EXPECT(unit_wait(forked_pid) == 0);
    EXPECT(goes_on(s, r) == 0);
    shms_channel_close(s);
    shms_channel_close(r);
    return 0;
}

static void a_fork_in_a_wait(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS * PLACES; i++) {
        struct jumps j = {.kind = kinds[i / PLACES], .place = i % PLACES};
        assert_int_equal(unit_child(forks_in_a_wait, &j, 0), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_call_is_a_cancellation_point), TEST(a_cancelled_wait_goes_on),
        TEST(a_jump_out_of_a_wait), TEST(jumps_out_of_any_call),
        TEST(abort_gives_a_turn_back), TEST(a_claim_that_was_cut_off_comes_again),
        TEST(what_is_settled_is_not_settled_again), TEST(progress_is_shown_before_a_wait),
        TEST(abort_takes_back_what_is_not_published), TEST(a_fork_in_a_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
