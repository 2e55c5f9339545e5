/* SPDX-License-Identifier: MIT */
/*
 * Atomic cells and their ordered operations, the order in the name of each.
 *
 * Every use outside this file says in a comment what it orders and which line it pairs with
 * ("pairs with"), or why no order is needed ("relaxed:"); ci/check-atomics fails on a bare one.
 * The cells are as wide and as aligned on 32 as on 64 bit, so they may stand in shared memory.
 */
#ifndef SHMS_ATOMIC_H
#define SHMS_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    _Alignas(4) _Atomic uint32_t value;
} a32;

typedef struct {
    _Alignas(8) _Atomic uint64_t value;
} a64;

_Static_assert(sizeof(a32) == 4 && sizeof(a64) == 8, "atomic cells are plain words");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2, "cells need no hidden lock");

static inline uint32_t a32_load_relaxed(const a32 *a)
{
    return atomic_load_explicit(&a->value, memory_order_relaxed);
}

static inline uint32_t a32_load_acquire(const a32 *a)
{
    return atomic_load_explicit(&a->value, memory_order_acquire);
}

static inline void a32_store_relaxed(a32 *a, uint32_t v)
{
    atomic_store_explicit(&a->value, v, memory_order_relaxed);
}

static inline void a32_store_release(a32 *a, uint32_t v)
{
    atomic_store_explicit(&a->value, v, memory_order_release);
}

static inline uint32_t a32_add_relaxed(a32 *a, uint32_t v)
{
    return atomic_fetch_add_explicit(&a->value, v, memory_order_relaxed);
}

static inline uint32_t a32_or_relaxed(a32 *a, uint32_t bits)
{
    return atomic_fetch_or_explicit(&a->value, bits, memory_order_relaxed);
}

static inline uint32_t a32_or_seq_cst(a32 *a, uint32_t bits)
{
    return atomic_fetch_or_explicit(&a->value, bits, memory_order_seq_cst);
}

static inline bool a32_cas_relaxed(a32 *a, uint32_t *expected, uint32_t desired)
{
    return atomic_compare_exchange_strong_explicit(&a->value, expected, desired, memory_order_relaxed,
                                                   memory_order_relaxed);
}

static inline bool a32_cas_seq_cst(a32 *a, uint32_t *expected, uint32_t desired)
{
    return atomic_compare_exchange_strong_explicit(&a->value, expected, desired, memory_order_seq_cst,
                                                   memory_order_relaxed);
}

static inline uint32_t a32_exchange_acquire(a32 *a, uint32_t v)
{
    return atomic_exchange_explicit(&a->value, v, memory_order_acquire);
}

static inline uint64_t a64_load_relaxed(const a64 *a)
{
    return atomic_load_explicit(&a->value, memory_order_relaxed);
}

static inline uint64_t a64_load_acquire(const a64 *a)
{
    return atomic_load_explicit(&a->value, memory_order_acquire);
}

static inline uint64_t a64_load_seq_cst(const a64 *a)
{
    return atomic_load_explicit(&a->value, memory_order_seq_cst);
}

static inline uint32_t a32_exchange_seq_cst(a32 *a, uint32_t v)
{
    return atomic_exchange_explicit(&a->value, v, memory_order_seq_cst);
}

static inline void a64_store_relaxed(a64 *a, uint64_t v)
{
    atomic_store_explicit(&a->value, v, memory_order_relaxed);
}

static inline void a64_store_release(a64 *a, uint64_t v)
{
    atomic_store_explicit(&a->value, v, memory_order_release);
}

static inline uint64_t a64_add_relaxed(a64 *a, uint64_t v)
{
    return atomic_fetch_add_explicit(&a->value, v, memory_order_relaxed);
}

/* The three below give back in *expected what was found, as in C11, when they fail. */
static inline bool a64_cas_relaxed(a64 *a, uint64_t *expected, uint64_t desired)
{
    return atomic_compare_exchange_strong_explicit(&a->value, expected, desired, memory_order_relaxed,
                                                   memory_order_relaxed);
}

static inline bool a64_cas_acquire(a64 *a, uint64_t *expected, uint64_t desired)
{
    return atomic_compare_exchange_strong_explicit(&a->value, expected, desired, memory_order_acquire,
                                                   memory_order_relaxed);
}

static inline bool a64_cas_release(a64 *a, uint64_t *expected, uint64_t desired)
{
    return atomic_compare_exchange_strong_explicit(&a->value, expected, desired, memory_order_release,
                                                   memory_order_relaxed);
}

static inline uint64_t a64_or_acquire(a64 *a, uint64_t bits)
{
    return atomic_fetch_or_explicit(&a->value, bits, memory_order_acquire);
}

static inline uint64_t a64_or_relaxed(a64 *a, uint64_t bits)
{
    return atomic_fetch_or_explicit(&a->value, bits, memory_order_relaxed);
}

static inline uint64_t a64_and_relaxed(a64 *a, uint64_t bits)
{
    return atomic_fetch_and_explicit(&a->value, bits, memory_order_relaxed);
}

static inline uint64_t a64_exchange_release(a64 *a, uint64_t v)
{
    return atomic_exchange_explicit(&a->value, v, memory_order_release);
}

static inline void fence_acquire(void)
{
    atomic_thread_fence(memory_order_acquire);
}

static inline void fence_release(void)
{
    atomic_thread_fence(memory_order_release);
}

static inline void fence_seq_cst(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}

/* For the compiler only: what a handler of a signal in this thread may see. */
static inline void fence_signal(void)
{
    atomic_signal_fence(memory_order_seq_cst);
}

/* The half of a 64-bit cell that a 32-bit futex can sleep on: its low 32 bits. */
static inline a32 *a64_low_half(a64 *a)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return (a32 *)(void *)a + 1;
#else
    return (a32 *)(void *)a;
#endif
}

/*
 * Copy bytes that others may be writing. The caller finds out afterwards whether they did, and then throws
 * the copy away: a race by the letter of C11 that no hardware or compiler turns into more than wrong bytes.
 */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RACY_COPY_BY_HAND
#endif
#elif defined(__SANITIZE_THREAD__)
#define RACY_COPY_BY_HAND
#endif
#ifdef RACY_COPY_BY_HAND /* where memcpy itself would be reported */
__attribute__((no_sanitize("thread"), noinline, unused)) static void racy_copy(void *to, const void *from,
                                                                               size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)to)[i] = ((const unsigned char *)from)[i];
}
/* The same, of comparing such bytes with private ones. */
__attribute__((no_sanitize("thread"), noinline, unused)) static bool racy_equal(const void *a, const void *b,
                                                                                size_t n)
{
    size_t same = 0;
    for (size_t i = 0; i < n; i++)
        same += ((const unsigned char *)a)[i] == ((const unsigned char *)b)[i];
    return same == n;
}
#else
static inline void racy_copy(void *to, const void *from, size_t n)
{
    memcpy(to, from, n);
}

/* The same, of comparing such bytes with private ones. */
static inline bool racy_equal(const void *a, const void *b, size_t n)
{
    return memcmp(a, b, n) == 0;
}
#endif

/* Tell the processor that this is a spin loop. */
static inline void spin_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ __volatile__("yield");
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

#endif
