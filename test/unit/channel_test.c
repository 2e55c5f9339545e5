/* SPDX-License-Identifier: MIT */
/* The channel's calls: what each gives, in a queue with turns, with promises, and in a broadcast. */
#include "channel_unit.h"

static const shms_channel_options queues[] = {
    {.struct_size = sizeof queues[0]},
    {.struct_size = sizeof queues[0], .one_sender = 1},
    {.struct_size = sizeof queues[0], .one_receiver = 1},
    {.struct_size = sizeof queues[0], .one_sender = 1, .one_receiver = 1},
};
static const shms_channel_options broadcasts[] = {
    {.struct_size = sizeof queues[0], .kind = SHMS_BROADCAST},
    {.struct_size = sizeof queues[0], .kind = SHMS_BROADCAST, .one_sender = 1},
    {.struct_size = sizeof queues[0], .kind = SHMS_BROADCAST, .slow = SHMS_SLOW_DROP},
    {.struct_size = sizeof queues[0], .kind = SHMS_BROADCAST, .slow = SHMS_SLOW_DROP, .one_sender = 1},
    {.struct_size = sizeof queues[0], .kind = SHMS_BROADCAST, .slow = SHMS_SLOW_EXPEL},
    {.struct_size = sizeof queues[0], .kind = SHMS_BROADCAST, .slow = SHMS_SLOW_EXPEL, .one_sender = 1},
};
enum { QUEUES = sizeof queues / sizeof queues[0], BROADCASTS = sizeof broadcasts / sizeof broadcasts[0] };

/* Where positions begin: also near the ends of 32, 63 and 64 bits. */
static const uint64_t starts[] = {0, 0xfffff000, 0x7ffffffffffff000, 0xfffffffffffff000};
enum { STARTS = sizeof starts / sizeof starts[0] };

/* Runs fn for every kind of channel (or queue only) and every start. */
static void for_all(bool queues_only, void (*fn)(const shms_channel_options *))
{
    for (int s = 0; s < STARTS; s++) {
        shms__channel_start = starts[s];
        for (int i = 0; i < QUEUES; i++)
            fn(&queues[i]);
        for (int i = 0; i < BROADCASTS && !queues_only; i++)
            fn(&broadcasts[i]);
    }
    shms__channel_start = 0;
}

/* ---- in and out */

static void passes_messages(const shms_channel_options *o)
{
    shms_channel *s = channel_open(4096, SHMS_SEND, o), *r = channel_open(0, SHMS_RECEIVE, o);
    static unsigned char out[4080], in[4080];
    size_t sizes[] = {0, 1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 100, 1000, 2000};
    for (int lap = 0; lap < 40; lap++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            for (size_t k = 0; k < sizes[i]; k++)
                out[k] = (unsigned char)(k + i + (unsigned)lap);
            assert_int_equal(shms_channel_send(s, out, sizes[i], 0), 0);
            memset(in, 0xee, sizeof in);
            assert_int_equal(shms_channel_recv(r, in, sizeof in, 0), sizes[i]);
            assert_memory_equal(in, out, sizes[i]);
            assert_int_equal(in[sizes[i]], 0xee);
            assert_int_equal(message_of(r).size, sizes[i]);
        }
        assert_int_equal(shms_channel_recv(r, in, sizeof in, 0), SHMS_E_TIMEOUT);
    }
    shms_channel_close(s);
    assert_int_equal(shms_channel_recv(r, in, sizeof in, -1), SHMS_E_CLOSED);
    shms_channel_close(r);
}

static void messages_arrive_whole_and_in_order(void **state)
{
    (void)state;
    for_all(false, passes_messages);
}

static void fills_up(const shms_channel_options *o)
{
    shms_channel *s = channel_open(5000, SHMS_SEND, o), *r = channel_open(0, SHMS_RECEIVE, o);
    assert_int_equal(stats_of(s).capacity, 8192); /* rounded up */
    uint64_t sent = 0, got = 0;
    for (int lap = 0; lap < 5; lap++) {
        uint64_t number = sent + 1;
        while (shms_channel_send(s, &number, sizeof number, 0) == 0)
            number = ++sent + 1;
        assert_int_equal(sent - got, 256); /* 32 bytes each */
        assert_int_equal(stats_of(s).used, 8192);
        int64_t before = shms__now_ns();
        assert_int_equal(shms_channel_send(s, &number, sizeof number, 20), SHMS_E_TIMEOUT);
        assert_true(shms__now_ns() - before >= 20000000);
        while (got < sent)
            assert_int_equal(recv_number(r), ++got);
        assert_int_equal(stats_of(s).used, 0);
    }
    shms_channel_close(s);
    shms_channel_close(r);
}

static void a_full_ring_makes_the_sender_wait(void **state)
{
    (void)state;
    for_all(true, fills_up);
    fills_up(&broadcasts[0]);
    fills_up(&broadcasts[1]);
}

static void as_large_as_the_ring(const shms_channel_options *o)
{
    static char out[4080], in[4080];
    shms_channel *s = channel_open(4096, SHMS_SEND, o), *r = channel_open(0, SHMS_RECEIVE, o);
    memset(out, 'x', sizeof out);
    for (int i = 0; i < 3; i++) {
        send_number(s, 5);
        assert_int_equal(recv_number(r), 5);
        if (shms_channel_send(s, out, sizeof out, 0) != 0) { /* the end of the ring is passed over first */
            assert_int_equal(shms_channel_recv(r, in, sizeof in, 0), SHMS_E_TIMEOUT);
            assert_int_equal(shms_channel_send(s, out, sizeof out, 0), 0);
        }
        assert_int_equal(shms_channel_recv(r, in, 4079, 0), SHMS_E_SIZE); /* it stays */
        assert_int_equal(message_of(r).size, 4080);
        assert_int_equal(shms_channel_recv(r, in, sizeof in, 0), sizeof in);
        assert_memory_equal(in, out, sizeof in);
    }
    assert_int_equal(shms_channel_send(s, out, 4081, 0), SHMS_E_RANGE);
    assert_int_equal(shms_channel_send(s, out, SIZE_MAX, 0), SHMS_E_RANGE);
    shms_channel_close(s);
    shms_channel_close(r);
}

static void a_message_may_be_as_large_as_the_ring(void **state)
{
    (void)state;
    for_all(false, as_large_as_the_ring);
}

/* ---- in place */

static void in_place(const shms_channel_options *o)
{
    shms_channel *s = channel_open(4096, SHMS_SEND, o), *r = channel_open(0, SHMS_RECEIVE, o);
    for (int i = 0; i < 300; i++) {
        void *to = NULL;
        const void *from = NULL;
        assert_int_equal(shms_channel_reserve(s, 100, &to, 0), 0);
        assert_int_equal((uintptr_t)to % 16, 0);
        assert_int_equal(shms_channel_reserve(s, 1, &to, 0), SHMS_E_INVALID);
        assert_int_equal(shms_channel_send(s, "", 1, 0), SHMS_E_INVALID);
        assert_int_equal(shms_channel_peek(r, &from, 0), SHMS_E_TIMEOUT); /* not there before the commit */
        memset(to, i, 100);
        assert_int_equal(shms_channel_commit(s, 101), SHMS_E_RANGE);
        assert_int_equal(shms_channel_commit(s, (size_t)i % 101), 0);
        assert_int_equal(shms_channel_commit(s, 0), SHMS_E_NOT_OWNER);
        assert_int_equal(shms_channel_peek(r, &from, 0), i % 101);
        assert_int_equal((uintptr_t)from % 16, 0);
        for (int k = 0; k < i % 101; k++)
            assert_int_equal(((const unsigned char *)from)[k], i & 255);
        assert_int_equal(shms_channel_peek(r, &from, 0), SHMS_E_INVALID);
        assert_int_equal(shms_channel_recv(r, to, 0, 0), SHMS_E_INVALID);
        assert_int_equal(shms_channel_release(r), 0);
        assert_int_equal(shms_channel_release(r), SHMS_E_NOT_OWNER);
    }
    shms_channel_close(s);
    shms_channel_close(r);
}

static void reserve_and_peek_work_in_place(void **state)
{
    (void)state;
    for_all(false, in_place);
}

static void abort_both(const shms_channel_options *o)
{
    shms_channel *s = channel_open(4096, SHMS_SEND, o), *r = channel_open(0, SHMS_RECEIVE, o);
    void *to;
    const void *from;
    assert_int_equal(shms_channel_abort(s), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_channel_abort(r), SHMS_E_NOT_OWNER);
    for (uint64_t i = 0; i < 50; i++) {
        assert_int_equal(shms_channel_reserve(s, 90, &to, 0), 0);
        assert_int_equal(shms_channel_abort(s), 0);
        send_number(s, i);
        for (uint32_t tries = 0; tries < 4; tries++) {
            assert_int_equal(shms_channel_peek(r, &from, 0), 8);
            assert_int_equal(message_of(r).tries, tries);
            assert_memory_equal(from, &i, 8);
            assert_int_equal(shms_channel_abort(r), 0);
        }
        assert_int_equal(recv_number(r), i);
    }
    assert_int_equal(stats_of(r).sent, 50);
    shms_channel_close(s);
    shms_channel_close(r);
}

static void what_is_aborted_is_not_sent_or_comes_again(void **state)
{
    (void)state;
    for_all(false, abort_both);
}

/* Others go on behind a reservation, and order is kept. */
static void a_reservation_keeps_its_place(void **state)
{
    void *to;
    (void)state;
    shms_channel *a = channel_open(4096, SHMS_SEND, NULL), *b = channel_open(0, SHMS_SEND, NULL);
    shms_channel *r = channel_open(0, SHMS_RECEIVE, NULL);
    assert_int_equal(shms_channel_reserve(a, 8, &to, 0), 0);
    send_number(b, 2);
    assert_int_equal(shms_channel_recv(r, &(uint64_t){0}, 8, 0), SHMS_E_TIMEOUT);
    *(uint64_t *)to = 1;
    assert_int_equal(shms_channel_commit(a, 8), 0);
    assert_int_equal(recv_number(r), 1);
    assert_int_equal(recv_number(r), 2);
    assert_int_equal(shms_channel_reserve(a, 8, &to, 0), 0);
    send_number(b, 3);
    shms_channel_close(a); /* gives it up */
    assert_int_equal(recv_number(r), 3);
    assert_int_equal(stats_of(r).aborted, 1);
    shms_channel_close(b);
    shms_channel_close(r);
}

/* A broadcast that nobody reads rolls on, but not over what a living sender is filling. */
static void a_reservation_is_not_overwritten(void **state)
{
    (void)state;
    for (int kind = 0; kind < BROADCASTS; kind += 2) {
        void *to;
        uint64_t n = 0;
        shms_channel *a = channel_open(4096, SHMS_SEND, &broadcasts[kind]);
        shms_channel *b = channel_open(0, SHMS_SEND, &broadcasts[kind]);
        assert_int_equal(shms_channel_reserve(a, 500, &to, 0), 0);
        memset(to, 'a', 500);
        while (n < 1000 && shms_channel_send(b, &n, sizeof n, 0) == 0)
            n++;
        assert_int_equal(n, (4096 - 528) / 32);
        for (int i = 0; i < 500; i++)
            assert_int_equal(((char *)to)[i], 'a');
        assert_int_equal(shms_channel_commit(a, 500), 0);
        assert_int_equal(shms_channel_send(b, &n, sizeof n, 0), 0);
        shms_channel_close(a);
        shms_channel_close(b);
    }
}

/* ---- send_all */

static void batches(const shms_channel_options *o)
{
    shms_channel *s = channel_open(4096, SHMS_SEND, o), *r = channel_open(0, SHMS_RECEIVE, o);
    static unsigned char bytes[900];
    shms_slice three[] = {{"one", 3}, {bytes, sizeof bytes}, {NULL, 0}};
    unsigned char in[1000];
    for (int i = 0; i < 60; i++) {
        memset(bytes, i, sizeof bytes);
        assert_int_equal(shms_channel_send_all(s, three, 3, 0), 0);
        assert_int_equal(shms_channel_recv(r, in, sizeof in, 0), 3);
        assert_memory_equal(in, "one", 3);
        assert_int_equal(shms_channel_recv(r, in, sizeof in, 0), 900);
        assert_memory_equal(in, bytes, sizeof bytes);
        assert_int_equal(shms_channel_recv(r, NULL, 0, 0), 0);
    }
    shms_slice five[] = {{bytes, 900}, {bytes, 900}, {bytes, 900}, {bytes, 900}, {bytes, 900}};
    assert_int_equal(shms_channel_send_all(s, five, 5, 0), SHMS_E_RANGE);
    assert_int_equal(shms_channel_send_all(s, five, 0, 0), 0);
    assert_int_equal(shms_channel_send_all(s, NULL, 1, 0), SHMS_E_INVALID);
    assert_int_equal(shms_channel_recv(r, in, sizeof in, 0), SHMS_E_TIMEOUT);
    shms_channel_close(s);
    shms_channel_close(r);
}

static void a_batch_is_sent_whole(void **state)
{
    (void)state;
    for_all(false, batches);
}

/* ---- bad input */

static void bad_arguments_have_codes(void **state)
{
    shms_channel *c = NULL;
    (void)state;
    assert_int_equal(shms_channel_open(NULL, 4096, SHMS_SEND, NULL, &c), SHMS_E_INVALID);
    assert_int_equal(shms_channel_open(NAME, 4096, SHMS_SEND, NULL, NULL), SHMS_E_INVALID);
    assert_int_equal(channel_refused(4095, SHMS_SEND, NULL), SHMS_E_INVALID);
    assert_int_equal(channel_refused(0x80000001u, SHMS_SEND, NULL), SHMS_E_INVALID);
    assert_int_equal(channel_refused(4096, SHMS_LOOK, NULL), SHMS_E_INVALID);
    assert_int_equal(channel_refused(0, -1, NULL), SHMS_E_INVALID);
    assert_int_equal(channel_refused(4096, 3, NULL), SHMS_E_INVALID);
    assert_int_equal(channel_refused(0, SHMS_SEND, NULL), SHMS_E_NOT_FOUND);
    assert_int_equal(channel_refused(4096, SHMS_SEND, CHANNEL(.kind = 2)), SHMS_E_INVALID);
    assert_int_equal(channel_refused(4096, SHMS_SEND, CHANNEL(.slow = SHMS_SLOW_DROP)), SHMS_E_INVALID);
    assert_int_equal(channel_refused(4096, SHMS_SEND, CHANNEL(.kind = 1, .slow = 3)), SHMS_E_INVALID);
    assert_int_equal(channel_refused(4096, SHMS_SEND, CHANNEL(.kind = 1, .one_receiver = 1)), SHMS_E_INVALID);
    assert_int_equal(channel_refused(4096, SHMS_SEND, CHANNEL(.one_sender = 2)), SHMS_E_INVALID);
    assert_int_equal(channel_refused(4096, SHMS_SEND, CHANNEL(.reserved = {1})), SHMS_E_INVALID);
    assert_int_equal(channel_refused(4096, SHMS_SEND, &(shms_channel_options){.struct_size = 4}),
                     SHMS_E_INVALID);
    const shms_stream_options *bad[] = {OPTIONS(.access = SHMS_ACCESS_READ), OPTIONS(.max_size = 1 << 20),
                                        OPTIONS(.atomic = 1), OPTIONS(.tasks = 1), OPTIONS(.mode = 1)};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(channel_refused(4096, SHMS_SEND, CHANNEL(.region = bad[i])), SHMS_E_INVALID);
    shms_channel *s = channel_open(4096, SHMS_SEND, NULL), *r = channel_open(4096, SHMS_RECEIVE, NULL);
    const void *from;
    void *to;
    assert_int_equal(shms_channel_send(r, "", 1, 0), SHMS_E_INVALID);
    assert_int_equal(shms_channel_send(s, NULL, 1, 0), SHMS_E_INVALID);
    assert_int_equal(shms_channel_send(s, "", 1, -2), SHMS_E_INVALID);
    assert_int_equal(shms_channel_send(NULL, "", 1, 0), SHMS_E_INVALID);
    assert_int_equal(shms_channel_recv(s, &to, 1, 0), SHMS_E_INVALID);
    assert_int_equal(shms_channel_recv(r, NULL, 1, 0), SHMS_E_INVALID);
    assert_int_equal(shms_channel_recv(NULL, &to, 1, 0), SHMS_E_INVALID);
    assert_int_equal(shms_channel_peek(s, &from, 0), SHMS_E_INVALID);
    assert_int_equal(shms_channel_peek(r, NULL, 0), SHMS_E_INVALID);
    assert_int_equal(shms_channel_reserve(r, 1, &to, 0), SHMS_E_INVALID);
    assert_int_equal(shms_channel_reserve(s, 5000, &to, 0), SHMS_E_RANGE);
    assert_int_equal(shms_channel_commit(s, 0), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_channel_commit(r, 0), SHMS_E_INVALID);
    assert_int_equal(shms_channel_release(r), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_channel_release(s), SHMS_E_INVALID);
    assert_int_equal(shms_channel_abort(NULL), SHMS_E_INVALID);
    assert_int_equal(shms_channel_notify(NULL), SHMS_E_INVALID);
    assert_int_equal(shms_channel_poll_fd(NULL), SHMS_E_INVALID);
    assert_int_equal(shms_channel_info(s, NULL), SHMS_E_INVALID);
    assert_int_equal(shms_channel_message(s, &(shms_message){.struct_size = 8}), SHMS_E_INVALID);
    assert_int_equal(shms_channel_message(r, &(shms_message){.struct_size = 4}), SHMS_E_INVALID);
    shms_channel_close(s);
    shms_channel_close(r);
    shms_channel_close(NULL);
}

static void an_existing_channel_is_not_another(void **state)
{
    (void)state;
    const shms_channel_options *o = CHANNEL(.kind = SHMS_BROADCAST, .slow = SHMS_SLOW_DROP, .one_sender = 1);
    shms_channel *s = channel_open(4096, SHMS_SEND, o);
    assert_int_equal(channel_refused(4096, SHMS_RECEIVE, NULL), SHMS_E_INVALID);
    assert_int_equal(channel_refused(0, SHMS_RECEIVE, CHANNEL(.one_receiver = 1)), SHMS_E_INVALID);
    assert_int_equal(channel_refused(0, SHMS_RECEIVE, CHANNEL(.kind = 1, .slow = 2)), SHMS_E_INVALID);
    assert_int_equal(channel_refused(8192, SHMS_RECEIVE, o), SHMS_E_SIZE);
    assert_int_equal(channel_refused(0, SHMS_SEND, o), SHMS_E_FULL);
    shms_channel *r = channel_open(0, SHMS_RECEIVE, NULL); /* as it is */
    assert_int_equal(stats_of(r).slow, SHMS_SLOW_DROP);
    assert_int_equal(unit_refused(NAME, 0, NULL), SHMS_E_KIND);
    shms_stream *reader = unit_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ));
    assert_int_equal(shms_stream_size(reader), 4096);
    shms_stream_close(reader);
    shms_channel_close(s);
    s = channel_open(0, SHMS_SEND, NULL);
    shms_channel_close(s);
    shms_channel_close(r);
    shms_stream *stream = unit_open(NAME, 4096, NULL);
    assert_int_equal(channel_refused(0, SHMS_SEND, NULL), SHMS_E_KIND);
    shms_stream_close(stream);
}

/* A stream's handle of a channel reads its bytes, and has no part in its locks. Flags that stand in a turn,
 * or in the region's own lock, as only damage could put them there, hold up no call. */
static void a_stream_holds_up_no_channel(void **state)
{
    static const uint64_t flags[] = {CELL_SHARED, CELL_WAITERS, CELL_RESERVED, CELL_CHANGE, CELL_POLL,
                                     CELL_NOTICE,
                                     CELL_SHARED | CELL_WAITERS | CELL_RESERVED | CELL_CHANGE | CELL_POLL};
    (void)state;
    shms_channel *s = channel_open(4096, SHMS_SEND, NULL), *r = channel_open(0, SHMS_RECEIVE, NULL);
    shms_stream *reader = unit_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ));
    assert_int_equal(shms_stream_lock(reader, 0), SHMS_E_DENIED);
    assert_int_equal(shms_stream_lock_shared(reader, 0), SHMS_E_DENIED);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        a64_store_relaxed(&s->shared->senders_turn, flags[i]);
        a64_store_relaxed(&s->shared->receivers_turn, flags[i]);
        a64_store_relaxed(&s->section.member.region.control->cell, flags[i]);
        send_number(s, i);
        assert_int_equal(recv_number(r), i);
        assert_int_equal(shms_channel_send(s, &i, sizeof i, 1000), 0);
        assert_int_equal(shms_channel_recv(r, &i, sizeof i, 1000), sizeof i);
        shms_channel *another = channel_open(0, SHMS_SEND, NULL);
        send_number(another, i);
        shms_channel_close(another);
        assert_int_equal(recv_number(r), i);
    }
    shms_stream_close(reader);
    shms_channel_close(s);
    shms_channel_close(r);
}

static void no_slot_is_free(void **state)
{
    static shms_channel *c[SHMS_MEMBERS_MAX];
    (void)state;
    for (int i = 0; i < SHMS_MEMBERS_MAX; i++)
        c[i] = channel_open(4096, i % 2 ? SHMS_SEND : SHMS_RECEIVE, NULL);
    assert_int_equal(channel_refused(4096, SHMS_SEND, NULL), SHMS_E_FULL);
    assert_int_equal(stats_of(c[0]).senders, 128);
    for (int i = 0; i < SHMS_MEMBERS_MAX; i++)
        shms_channel_close(c[i]);
}

/* ---- the end */

static void ends(const shms_channel_options *o)
{
    char byte;
    shms_channel *r = channel_open(4096, SHMS_RECEIVE, o);
    assert_int_equal(shms_channel_recv(r, &byte, 1, 0), SHMS_E_TIMEOUT); /* nobody came yet */
    for (int i = 0; i < 3; i++) {
        shms_channel *s = channel_open(4096, SHMS_SEND, o);
        assert_int_equal(shms_channel_recv(r, &byte, 1, 0), SHMS_E_TIMEOUT);
        assert_int_equal(shms_channel_send(s, "x", 1, 0), 0);
        shms_channel_close(s);
        assert_int_equal(shms_channel_recv(r, &byte, 1, 0), 1); /* what was sent comes first */
        assert_int_equal(shms_channel_recv(r, &byte, 1, 0), SHMS_E_CLOSED);
        assert_int_equal(shms_channel_recv(r, &byte, 1, -1), SHMS_E_CLOSED);
    }
    shms_channel_close(r);
}

static void closing_ends_the_stream_for_receivers(void **state)
{
    (void)state;
    for_all(false, ends);
}

static void without_receivers(const shms_channel_options *o)
{
    static char bytes[2000];
    shms_channel *s = channel_open(4096, SHMS_SEND, o);
    assert_int_equal(shms_channel_send(s, bytes, sizeof bytes, 0), 0);
    assert_int_equal(shms_channel_send(s, bytes, sizeof bytes, 0), 0);
    assert_int_equal(shms_channel_send(s, bytes, sizeof bytes, 0), SHMS_E_TIMEOUT); /* nobody came yet */
    shms_channel_close(channel_open(0, SHMS_RECEIVE, o));
    assert_int_equal(shms_channel_send(s, bytes, sizeof bytes, 0), SHMS_E_CLOSED);
    assert_int_equal(shms_channel_send(s, bytes, sizeof bytes, -1), SHMS_E_CLOSED);
    shms_channel_close(s);
}

static void a_full_queue_without_receivers_is_closed(void **state)
{
    (void)state;
    for_all(true, without_receivers);
}

/* ---- broadcast */

static void each_receiver_gets_each_message(void **state)
{
    (void)state;
    for (int kind = 0; kind < BROADCASTS; kind++) {
        const shms_channel_options *o = &broadcasts[kind];
        shms_channel *s = channel_open(4096, SHMS_SEND, o), *r[5];
        send_number(s, 0); /* before anybody came */
        for (int i = 0; i < 5; i++)
            r[i] = channel_open(0, SHMS_RECEIVE, o);
        for (uint64_t n = 1; n < 1000; n++) {
            send_number(s, n);
            for (int i = 0; i < 5; i++) {
                assert_int_equal(recv_number(r[i]), n);
                assert_int_equal(message_of(r[i]).number, n + 1);
            }
        }
        shms_channel_close(s);
        for (int i = 0; i < 5; i++)
            shms_channel_close(r[i]);
    }
}

static void without_receivers_the_ring_rolls(void **state)
{
    (void)state;
    for (int kind = 0; kind < BROADCASTS; kind++) {
        shms_channel *s = channel_open(4096, SHMS_SEND, &broadcasts[kind]);
        for (uint64_t n = 0; n < 1000; n++)
            send_number(s, n);
        shms_channel_close(s);
    }
}

static void history_begins_earlier(void **state)
{
    (void)state;
    for (int kind = 0; kind < BROADCASTS; kind++) {
        shms_channel_options o = broadcasts[kind];
        shms_channel *s = channel_open(4096, SHMS_SEND, &o);
        for (uint64_t n = 1; n <= 1000; n++)
            send_number(s, n);
        for (o.history = 1; o.history <= 64; o.history++) { /* half the ring */
            shms_channel *r = channel_open(0, SHMS_RECEIVE, &o);
            for (uint64_t n = 1000 - o.history; n < 1000; n++)
                assert_int_equal(recv_number(r), n + 1);
            assert_int_equal(shms_channel_recv(r, &(uint64_t){0}, 8, 0), SHMS_E_TIMEOUT);
            shms_channel_close(r);
        }
        shms_channel_close(s);
    }
}

/* Wherever the ring is full, and whether there are receivers that have read all or none. */
static void half_the_ring_is_history(void **state)
{
    (void)state;
    for (int kind = 0; kind < BROADCASTS; kind++)
        for (int listens = 0; listens < 2; listens++) {
            shms_channel_options o = broadcasts[kind];
            shms_channel *s = channel_open(4096, SHMS_SEND, &o);
            shms_channel *listener = listens ? channel_open(0, SHMS_RECEIVE, &o) : NULL;
            o.history = 64; /* frames of 32 bytes */
            for (uint64_t n = 1; n <= 400; n++) {
                send_number(s, n);
                if (listener)
                    assert_int_equal(recv_number(listener), n);
                if (n < 64)
                    continue;
                shms_channel *r = channel_open(0, SHMS_RECEIVE, &o);
                assert_int_equal(recv_number(r), n - 63);
                shms_channel_close(r);
            }
            shms_channel_close(listener);
            shms_channel_close(s);
        }
}

/* What does not fit into the buffer is told of as what it is, not as the one before it. */
static void what_is_too_long_is_told_of(void **state)
{
    (void)state;
    static const shms_channel_options options[] = {
        {.struct_size = sizeof options[0]},
        {.struct_size = sizeof options[0], .one_receiver = 1},
        {.struct_size = sizeof options[0], .kind = SHMS_BROADCAST},
    };
    for (int kind = 0; kind < 3; kind++) {
        shms_channel *s = channel_open(4096, SHMS_SEND, &options[kind]);
        shms_channel *r = channel_open(0, SHMS_RECEIVE, &options[kind]);
        const void *p;
        char small[4];
        for (int n = 1; n <= 3; n++)
            send_number(s, (uint64_t)n);
        assert_int_equal(recv_number(r), 1);
        assert_int_equal(shms_channel_peek(r, &p, 0), 8);
        assert_int_equal(shms_channel_abort(r), 0);
        if (kind > 0) { /* else the next one may come first */
            assert_int_equal(shms_channel_recv(r, small, sizeof small, 0), SHMS_E_SIZE);
            assert_int_equal(message_of(r).number, 2);
            assert_int_equal(message_of(r).tries, 1);
        }
        assert_int_equal(recv_number(r) + recv_number(r), 5);
        send_number(s, 4);
        assert_int_equal(shms_channel_recv(r, small, sizeof small, 0), SHMS_E_SIZE);
        assert_int_equal(message_of(r).number, kind > 0 ? 4 : 0);
        assert_int_equal(message_of(r).tries, 0);
        assert_int_equal(message_of(r).size, 8);
        assert_int_equal(recv_number(r), 4);
        shms_channel_close(r);
        shms_channel_close(s);
    }
}

/* A slow reader is told exactly how many it has missed, however many they are. */
static void drop_tells_how_many_were_missed(void **state)
{
    (void)state;
    for (int one = 0; one < 2; one++) {
        const shms_channel_options *o = &broadcasts[2 + one];
        shms_channel *s = channel_open(4096, SHMS_SEND, o), *r = channel_open(0, SHMS_RECEIVE, o);
        uint64_t sent = 0, expected = 1, missed = 0, number = 0;
        for (uint64_t burst = 1; burst < 3000; burst += 97) {
            for (uint64_t i = 0; i < burst; i++)
                send_number(s, ++sent);
            while (expected <= sent) {
                int64_t rc = shms_channel_recv(r, &number, sizeof number, 0);
                if (rc == SHMS_E_MISSED) {
                    expected += message_of(r).missed;
                    missed += message_of(r).missed;
                    continue;
                }
                assert_int_equal(rc, sizeof number);
                assert_int_equal(number, expected++);
                assert_int_equal(message_of(r).number, number);
            }
        }
        assert_true(missed > 1000);
        assert_int_equal(stats_of(s).dropped, missed);
        shms_channel_close(s);
        shms_channel_close(r);
    }
}

/* Of a message that is shorter than what was reserved, the rest is a frame of its own, and a reader may have
 * to go on there: the message before it is missed, be it the only one. */
static void a_short_commit_is_missed_like_any_other(void **state)
{
    static const unsigned char bytes[2048];
    void *to;
    (void)state;
    shms_channel *s = channel_open(4096, SHMS_SEND, &broadcasts[2]);
    shms_channel *r = channel_open(0, SHMS_RECEIVE, &broadcasts[2]);
    assert_int_equal(shms_channel_reserve(s, 2032, &to, 0), 0);
    memcpy(to, bytes, 1008);
    assert_int_equal(shms_channel_commit(s, 1008), 0);
    assert_int_equal(shms_channel_send(s, bytes, 2032, 0), 0);
    send_number(s, 3); /* where the first was */
    assert_int_equal(shms_channel_recv(r, to, 0, 0), SHMS_E_MISSED);
    assert_int_equal(message_of(r).missed, 1);
    assert_int_equal(shms_channel_recv(r, &(unsigned char[2032]){0}, 2032, 0), 2032);
    assert_int_equal(message_of(r).number, 2);
    assert_int_equal(recv_number(r), 3);
    shms_channel_close(s);
    shms_channel_close(r);
}

static void what_is_peeked_may_be_overwritten(void **state)
{
    const void *from;
    (void)state;
    for (int one = 0; one < 2; one++) {
        const shms_channel_options *o = &broadcasts[2 + one];
        shms_channel *s = channel_open(4096, SHMS_SEND, o), *r = channel_open(0, SHMS_RECEIVE, o);
        send_number(s, 1);
        assert_int_equal(shms_channel_peek(r, &from, 0), 8);
        assert_int_equal(shms_channel_release(r), 0);
        send_number(s, 2);
        assert_int_equal(shms_channel_peek(r, &from, 0), 8);
        for (uint64_t n = 3; n < 300; n++)
            send_number(s, n);
        assert_int_equal(shms_channel_release(r), SHMS_E_MISSED);
        uint64_t next = 3 + message_of(r).missed;
        assert_int_equal(recv_number(r), next);
        shms_channel_close(s);
        shms_channel_close(r);
    }
}

/* What was put back has not been got: it is there again, or missed like all others. */
static void what_is_put_back_is_missed_like_any_other(void **state)
{
    const void *from;
    (void)state;
    shms_channel *s = channel_open(4096, SHMS_SEND, &broadcasts[2]);
    shms_channel *r = channel_open(0, SHMS_RECEIVE, &broadcasts[2]);
    for (uint64_t n = 1; n <= 3; n++)
        send_number(s, n);
    assert_int_equal(recv_number(r), 1);
    for (int tries = 0; tries < 2; tries++) {
        assert_int_equal(shms_channel_peek(r, &from, 0), 8);
        assert_int_equal(message_of(r).number, 2);
        assert_int_equal(message_of(r).tries, tries);
        assert_int_equal(shms_channel_abort(r), 0);
    }
    for (uint64_t n = 4; n < 300; n++)
        send_number(s, n);
    assert_int_equal(shms_channel_recv(r, NULL, 0, 0), SHMS_E_MISSED);
    uint64_t next = 2 + message_of(r).missed;
    assert_int_equal(recv_number(r), next);
    assert_int_equal(message_of(r).number, next);
    shms_channel_close(s);
    shms_channel_close(r);
}

static void expel_goes_on_without_the_slowest(void **state)
{
    (void)state;
    for (int one = 0; one < 2; one++) {
        const shms_channel_options *o = &broadcasts[4 + one];
        shms_channel *s = channel_open(4096, SHMS_SEND, o);
        shms_channel *slow = channel_open(0, SHMS_RECEIVE, o), *fast = channel_open(0, SHMS_RECEIVE, o);
        uint64_t n = 0;
        for (; n < 128; n++) {
            send_number(s, n);
            assert_int_equal(recv_number(fast), n);
        }
        int64_t before = shms__now_ns();
        assert_int_equal(shms_channel_send(s, &n, sizeof n, 20), 0); /* after its time */
        assert_true(shms__now_ns() - before >= 20000000);
        assert_int_equal(recv_number(fast), n);
        assert_int_equal(shms_channel_recv(slow, &n, sizeof n, 0), SHMS_E_MISSED);
        uint64_t missed = message_of(slow).missed;
        assert_true(missed > 0 && missed <= 129);
        for (n = missed; n <= 128; n++)
            assert_int_equal(recv_number(slow), n);
        send_number(s, 7);
        assert_int_equal(recv_number(slow), 7); /* it goes on as one of them */
        shms_channel_close(s);
        shms_channel_close(slow);
        shms_channel_close(fast);
    }
}

/* ---- info */

static void counts_add_up(void **state)
{
    const void *from;
    (void)state;
    shms_channel *s = channel_open(4096, SHMS_SEND, NULL), *r = channel_open(0, SHMS_RECEIVE, NULL);
    for (uint64_t n = 0; n < 10; n++)
        send_number(s, n);
    for (uint64_t n = 0; n < 4; n++)
        recv_number(r);
    assert_int_equal(shms_channel_peek(r, &from, 0), 8);
    shms_channel_stats t = stats_of(r);
    assert_int_equal(t.senders, 1);
    assert_int_equal(t.receivers, 1);
    assert_int_equal(t.sent, 10);
    assert_int_equal(t.received, 5);
    assert_int_equal(t.used, 6 * 32); /* with the one that is peeked */
    shms_channel *looks = channel_open(0, SHMS_LOOK, NULL);
    t = stats_of(looks);
    assert_int_equal(t.senders + t.receivers, 2);
    assert_int_equal(shms_channel_send(looks, "", 1, 0), SHMS_E_INVALID);
    assert_int_equal(shms_channel_recv(looks, &t, 1, 0), SHMS_E_INVALID);
    assert_int_equal(shms_channel_abort(looks), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_channel_notify(looks), 0);
    shms_channel_close(looks);
    shms_channel_close(s);
    shms_channel_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_arrive_whole_and_in_order), TEST(a_full_ring_makes_the_sender_wait),
        TEST(a_message_may_be_as_large_as_the_ring), TEST(reserve_and_peek_work_in_place),
        TEST(what_is_aborted_is_not_sent_or_comes_again), TEST(a_reservation_keeps_its_place),
        TEST(a_reservation_is_not_overwritten),
        TEST(a_batch_is_sent_whole), TEST(bad_arguments_have_codes),
        TEST(an_existing_channel_is_not_another), TEST(a_stream_holds_up_no_channel),
        TEST(no_slot_is_free),
        TEST(closing_ends_the_stream_for_receivers), TEST(a_full_queue_without_receivers_is_closed),
        TEST(each_receiver_gets_each_message), TEST(without_receivers_the_ring_rolls),
        TEST(history_begins_earlier),
        TEST(half_the_ring_is_history),
        TEST(what_is_too_long_is_told_of), TEST(drop_tells_how_many_were_missed),
        TEST(a_short_commit_is_missed_like_any_other), TEST(what_is_peeked_may_be_overwritten),
        TEST(what_is_put_back_is_missed_like_any_other),
        TEST(expel_goes_on_without_the_slowest),
        TEST(counts_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
