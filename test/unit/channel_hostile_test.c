/* SPDX-License-Identifier: MIT */
/*
 * A peer that writes anything anywhere: into a channel's part of control, into slots, into the ring, before
 * calls and during them. Whatever the calls say, they come back in time, and touch nothing outside.
 */
#include "channel_unit.h"

#include <pthread.h>
#include <sys/mman.h>

#define ROUNDS 3000
#define LATE_NS 5000000000 /* a call with a time-out of 5 ms; the rest is for a machine that is busy */

static unsigned seed;

static uint64_t any(void)
{
    static const uint64_t likely[] = {0, 1, 15, 16, 4080, 4096, 8192, UINT32_MAX, INT64_MAX, UINT64_MAX};
    uint64_t r = (uint64_t)rand_r(&seed);
    switch (r % 4) {
    case 0: return likely[r / 4 % (sizeof likely / sizeof likely[0])];
    case 1: return r % 10000;
    case 2: return shms__frame_word(r % 5000, (r >> 8) % 8, r >> 4); /* what looks like a frame */
    default: return r << 33 ^ (uint64_t)rand_r(&seed) << 11 ^ r;
    }
}

/* What the peer writes into: but not the constants, which are private by now, nor the lock of the region. */
static void spoil(struct shms_channel *c)
{
    struct control *control = c->section.member.region.control;
    uint64_t *area = (uint64_t *)(void *)control->object, *ring = (uint64_t *)(void *)c->ring;
    switch (rand_r(&seed) % 4) {
    case 0: area[8 + (unsigned)rand_r(&seed) % 56] = any(); break;
    case 1: ring[(unsigned)rand_r(&seed) % 512] = any(); break;
    case 2: ring[(unsigned)rand_r(&seed) % 8 * 2] = any(); break;
    default: {
        /* A slot's cursor and role, of some member. */
        uint64_t *words = (uint64_t *)(void *)shms__channel_slot(c, (unsigned)rand_r(&seed) % 4);
        words[rand_r(&seed) % 2] = any();
    }
    }
}

static void sound(int64_t rc)
{
    assert_true(rc <= 4080 && rc >= -23);
}

static void call_any(shms_channel *s, shms_channel *r)
{
    static char bytes[4096];
    const void *from;
    void *to;
    shms_slice two[] = {{bytes, 100}, {bytes, 7}};
    int64_t before = shms__now_ns();
    int timeout = rand_r(&seed) % 8 ? 0 : 5;
    switch (rand_r(&seed) % 10) {
    case 0: sound(shms_channel_send(s, bytes, (size_t)rand_r(&seed) % 5000, timeout)); break;
    case 1: sound(shms_channel_send_all(s, two, 2, timeout)); break;
    case 2: sound(shms_channel_recv(r, bytes, (size_t)rand_r(&seed) % 4097, timeout)); break;
    case 3:
        if (shms_channel_reserve(s, 200, &to, timeout) == 0)
            memset(to, 1, 200);
        break;
    case 4: sound(shms_channel_commit(s, (size_t)rand_r(&seed) % 201)); break;
    case 5: {
        int64_t n = shms_channel_peek(r, &from, timeout);
        sound(n);
        if (n > 0) { /* it lies in the ring */
            assert_true((const unsigned char *)from >= r->ring &&
                        (const unsigned char *)from + n <= r->ring + r->capacity);
            memcpy(bytes, from, (size_t)n);
        }
        break;
    }
    case 6: sound(shms_channel_release(r)); break;
    case 7: sound(shms_channel_abort(rand_r(&seed) % 2 ? s : r)); break;
    case 8: stats_of(r); break;
    default: sound(shms_channel_notify(s));
    }
    assert_true(shms__now_ns() - before < LATE_NS);
}

static const shms_channel_options kinds[] = {
    {.struct_size = sizeof kinds[0]},
    {.struct_size = sizeof kinds[0], .one_sender = 1, .one_receiver = 1},
    {.struct_size = sizeof kinds[0], .kind = SHMS_BROADCAST},
    {.struct_size = sizeof kinds[0], .kind = SHMS_BROADCAST, .slow = SHMS_SLOW_DROP},
    {.struct_size = sizeof kinds[0], .kind = SHMS_BROADCAST, .slow = SHMS_SLOW_EXPEL},
    {.struct_size = sizeof kinds[0], .kind = SHMS_BROADCAST, .slow = SHMS_SLOW_DROP, .one_sender = 1},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void spoiled_between_calls(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        seed = (unsigned)kind + 1;
        for (int i = 0; i < ROUNDS / 30; i++) {
            shms_channel *s = channel_open(4096, SHMS_SEND, &kinds[kind]);
            shms_channel *r = channel_open(4096, SHMS_RECEIVE, &kinds[kind]);
            for (int k = 0; k < 60; k++) {
                if (k > 20 && k % 4 == 0)
                    spoil(s);
                call_any(s, r);
            }
            shms_channel_close(s);
            shms_channel_close(r);
        }
    }
}

/* ---- a flipper that never pauses */

static struct {
    struct shms_channel *channel;
    int stop;
} flipper;

__attribute__((no_sanitize("thread"))) static void *flips(void *arg)
{
    unsigned own = 7;
    struct shms_channel *c = flipper.channel;
    uint64_t *area = (uint64_t *)(void *)c->section.member.region.control->object;
    uint64_t *ring = (uint64_t *)(void *)c->ring;
    (void)arg;
    while (!__atomic_load_n(&flipper.stop, __ATOMIC_RELAXED)) {
        uint64_t word = shms__frame_word((unsigned)rand_r(&own) % 5000, (unsigned)rand_r(&own) % 7, 0);
        __atomic_store_n(&ring[(unsigned)rand_r(&own) % 32 * 2], word, __ATOMIC_RELAXED);
        if (rand_r(&own) % 64 == 0)
            __atomic_store_n(&area[8 + (unsigned)rand_r(&own) % 40], (uint64_t)rand_r(&own),
                             __ATOMIC_RELAXED);
    }
    return NULL;
}

static void spoiled_during_calls(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        pthread_t thread;
        shms_channel *s = channel_open(4096, SHMS_SEND, &kinds[kind]);
        shms_channel *r = channel_open(4096, SHMS_RECEIVE, &kinds[kind]);
        flipper.channel = s;
        flipper.stop = 0;
        assert_int_equal(pthread_create(&thread, NULL, flips, NULL), 0);
        for (int k = 0; k < ROUNDS; k++)
            call_any(s, r);
        __atomic_store_n(&flipper.stop, 1, __ATOMIC_RELAXED);
        pthread_join(thread, NULL);
        shms_channel_close(s);
        shms_channel_close(r);
    }
}

/* What an opener finds is checked before it is believed. */
static void spoiled_constants(void **state)
{
    (void)state;
    for (unsigned field = 0; field < 8; field++) {
        shms_channel *s = channel_open(4096, SHMS_SEND, NULL);
        uint32_t *area = (uint32_t *)(void *)s->section.member.region.control->object;
        uint32_t was = area[field];
        area[field] = field == 7 ? 1 : 77;
        int rc = channel_refused(0, SHMS_RECEIVE, NULL);
        assert_true(rc == SHMS_E_FORMAT || rc == SHMS_E_CORRUPT);
        area[field] = was;
        shms_channel_close(s);
    }
}

/* A length that ends before tail, but behind the end of the ring: what lies there is no message. */
static void a_length_that_leads_out_of_the_ring(void **state)
{
    static const shms_channel_options readers[] = {{.struct_size = sizeof readers[0]},
                                                 {.struct_size = sizeof readers[0], .one_receiver = 1},
                                                 {.struct_size = sizeof readers[0], .kind = SHMS_BROADCAST}};
    (void)state;
    for (size_t k = 0; k < sizeof readers / sizeof readers[0]; k++) {
        static unsigned char bytes[512];
        const void *from;
        shms_channel *s = channel_open(4096, SHMS_SEND, &readers[k]);
        shms_channel *r = channel_open(0, SHMS_RECEIVE, &readers[k]);
        for (int i = 0; i < 63; i++) {
            assert_int_equal(shms_channel_send(s, bytes, 48, 0), 0);
            assert_int_equal(shms_channel_recv(r, bytes, sizeof bytes, 0), 48);
        }
        for (int i = 0; i < 8; i++) /* the first of them is the last before the end */
            assert_int_equal(shms_channel_send(s, bytes, 48, 0), 0);
        a64_store_relaxed(&shms__frame(r, 4032)->word, shms__frame_word(200, FRAME_READY, 64));
        assert_int_equal(shms_channel_recv(r, bytes, sizeof bytes, 0), SHMS_E_CORRUPT);
        assert_int_equal(shms_channel_peek(r, &from, 0), SHMS_E_CORRUPT);
        shms_channel_close(s);
        shms_channel_close(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(spoiled_between_calls),
        TEST(spoiled_during_calls),
        TEST(spoiled_constants),
        TEST(a_length_that_leads_out_of_the_ring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
