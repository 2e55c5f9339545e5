/* SPDX-License-Identifier: MIT */
/*
 * concurrencykit's ring: of pointers, so the messages lie in a slab, twice as many as the ring is long. It
 * has no wake-up and no answer to deaths.
 */
#include "flow.h"

#include <ck_ring.h>
#include <sys/mman.h>

enum { MANY = 1024, FEW = 64, FEW_FROM = 4096 }; /* what it is fastest with */

static struct ck_ring *ring;
static struct ck_ring_buffer *slots;
static char *slab;
static unsigned depth, turns;
static uint64_t sent;

static void create_ck(const struct flow *f)
{
    if (!ring) {
        ring = bench_shared(sizeof *ring);
        slots = bench_shared(sizeof *slots * 8 * MANY);
        slab = bench_shared((size_t)2 * MANY * FEW_FROM + (size_t)2 * FEW * FLOW_LONGEST);
    }
    sent = 0;
    depth = f->senders + f->receivers > 2 ? 8 * MANY : f->size > FEW_FROM ? FEW : MANY;
    ck_ring_init(ring, depth);
}

static void join_ck(const struct flow *f, bool sends)
{
    (void)f, (void)sends;
}

static void leave_ck(void)
{
}

/* A message of one word is the pointer itself; others are numbered by their place. */
static inline void put_ck(const char *message, size_t size)
{
    uint64_t word;
    if (size <= sizeof word) {
        memcpy(&word, message, sizeof word);
        word++;
    } else {
        uint64_t place = sent++ % (2 * depth);
        memcpy(slab + place * size, message, size);
        word = place + 1;
    }
    while (!ck_ring_enqueue_spsc(ring, slots, (void *)(uintptr_t)word))
        ck_pr_stall();
}

static inline uint64_t get_ck(const char *unused, size_t size)
{
    void *got;
    (void)unused;
    while (!ck_ring_dequeue_spsc(ring, slots, (void *)&got))
        ck_pr_stall();
    uint64_t word = (uintptr_t)got - 1;
    return size <= sizeof word ? word : flow_read(slab + word * size, size);
}

FLOW_WAY(ck, "ck_ring", create_ck, join_ck, leave_ck)

static inline void put_ck_many(const char *message, size_t size)
{
    uint64_t word;
    (void)size;
    memcpy(&word, message, sizeof word);
    while (!ck_ring_enqueue_mpmc(ring, slots, (void *)(uintptr_t)(word + 1)))
        flow_idle(&turns);
}

static inline uint64_t get_ck_many(const char *unused, size_t size)
{
    void *got;
    (void)unused, (void)size;
    while (!ck_ring_dequeue_mpmc(ring, slots, (void *)&got))
        flow_idle(&turns);
    return (uintptr_t)got - 1;
}

FLOW_WAY(ck_many, "ck_ring", create_ck, join_ck, leave_ck)
