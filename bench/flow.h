/* SPDX-License-Identifier: MIT */
/*
 * Ways to pass messages between processes. Each brings its own loops, made by FLOW_WAY, so that no pointer to
 * a function stands between a message and its call. The header is C and C++.
 *
 * What is the same for all: the sender copies each message out of a private buffer; the receiver reads a word
 * of each of its cache lines, in place where the way can. A message begins with its number; FLOW_STOP ends
 * its receiver.
 */
#ifndef BENCH_FLOW_H
#define BENCH_FLOW_H

#include "bench.h"

#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { FLOW_LONGEST = 64 << 10, FLOW_RING = 4 << 20 };
#define FLOW_STOP UINT64_MAX

/* What is sent: by how many, to how many. */
struct flow {
    size_t size;
    int senders, receivers;
    bool to_all;
    uint64_t ring; /* bytes of it, if it is ours; 0: FLOW_RING */
};

struct flow_way {
    const char *name;
    void (*create)(const struct flow *); /* in the parent, before each run; names are free */
    void (*join)(const struct flow *, bool sends);
    /* Numbers below n, then so many of FLOW_STOP. */
    void (*send)(char *message, size_t size, uint64_t n);
    void (*stop)(char *message, size_t size, int count);
    /* Until FLOW_STOP: the sum of the numbers. */
    uint64_t (*receive)(char *buffer, size_t size);
    void (*leave)(void);
};

extern const struct flow_way flow_ours, flow_copied, flow_turns, flow_pipe, flow_socket, flow_mq,
    flow_ck, flow_ck_many, flow_boost;

/** One number of a message, and a word of each line. */
static inline uint64_t flow_read(const void *message, size_t size)
{
    const char *m = (const char *)message;
    uint64_t number, word, sum = 0;
    for (size_t at = 64; at + sizeof word <= size; at += 64) {
        memcpy(&word, m + at, sizeof word);
        sum += word;
    }
    __asm__ volatile("" ::"r"(sum));
    memcpy(&number, m, sizeof number);
    return number;
}

/** Where a way has no sleep of its own, and more processes than processors. */
void flow_idle(unsigned *turns);

/*
 * put_ of the tag, in the same file, sends one message; get_ receives one, and gives its number; both are
 * inlined here.
 */
#define FLOW_WAY(tag, title, create, join, leave)                                  \
    static void send_##tag(char *message, size_t size, uint64_t n)                 \
    {                                                                              \
        for (uint64_t i = 0; i < n; i++) {                                         \
            memcpy(message, &i, sizeof i);                                         \
            put_##tag(message, size);                                              \
        }                                                                          \
    }                                                                              \
    static void stop_##tag(char *message, size_t size, int count)                  \
    {                                                                              \
        const uint64_t stop = FLOW_STOP;                                           \
        memcpy(message, &stop, sizeof stop);                                       \
        for (; count > 0; count--)                                                 \
            put_##tag(message, size);                                              \
    }                                                                              \
    static uint64_t receive_##tag(char *buffer, size_t size)                       \
    {                                                                              \
        uint64_t sum = 0, number;                                                  \
        while ((number = get_##tag(buffer, size)) != FLOW_STOP)                    \
            sum += number;                                                         \
        return sum;                                                                \
    }                                                                              \
    const struct flow_way flow_##tag = {title,      create,        join, send_##tag, \
                                        stop_##tag, receive_##tag, leave};

#ifdef __cplusplus
}
#endif

#endif
