/* SPDX-License-Identifier: MIT */
/* Linux: sleeping on a word of shared memory. */
#include "../../core/port.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* What the kernel's futex call reads: two words of the machine's size, whatever time_t has become. */
struct kernel_time {
    long seconds;
    long nanoseconds;
};

int shms__sleep_on(a32 *word, uint32_t expected, int64_t ns)
{
    if (ns <= 0)
        return SLEEP_TIMEOUT;
    struct kernel_time t = {.seconds = (long)(ns / 1000000000), .nanoseconds = (long)(ns % 1000000000)};
    if (syscall(SYS_futex, word, FUTEX_WAIT, expected, &t, NULL, 0) == 0)
        return SLEEP_WOKEN;
    return errno == ETIMEDOUT ? SLEEP_TIMEOUT : SLEEP_CHANGED;
}

/* One of the words that futex_waitv waits for, and its time, which is a moment of the monotonic clock: both
 * the same on 32 and on 64 bit. Headers may be older than the call. */
struct wait_word {
    uint64_t value;
    uint64_t address;
    uint32_t flags;
    uint32_t reserved;
};
struct wait_moment {
    int64_t seconds;
    int64_t nanoseconds;
};
#define WAIT_32_BIT 2u
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

int shms__sleep_on_both(a32 *word, uint32_t expected, a32 *bell, uint32_t says, int64_t ns)
{
    static a32 missing = {0}; /* kernels before 5.16, and sandboxes that do not know it */
    /* relaxed: a single value, right whenever it is found */
    if (ns <= 0 || a32_load_relaxed(&missing))
        return shms__sleep_on(word, expected, ns);
    const struct wait_word words[] = {{expected, (uintptr_t)word, WAIT_32_BIT, 0},
                                      {says, (uintptr_t)bell, WAIT_32_BIT, 0}};
    int64_t end = shms__now_ns() + ns;
    struct wait_moment t = {end / 1000000000, end % 1000000000};
    long rc = syscall(SYS_futex_waitv, words, 2, 0, &t, CLOCK_MONOTONIC);
    if (rc >= 0)
        return rc == 0 ? SLEEP_WOKEN : SLEEP_RUNG;
    if (errno == ETIMEDOUT)
        return SLEEP_TIMEOUT;
    if (errno == EAGAIN || errno == EINTR)
        return SLEEP_CHANGED;
    if (errno == ENOSYS || errno == EPERM)
        a32_store_relaxed(&missing, 1); /* relaxed: as above */
    return shms__sleep_on(word, expected, ns);
}

bool shms__memory_there(const void *address)
{
    /* The call reads the word before all else, and fails where reading it here would raise SIGBUS. */
    uintptr_t word = (uintptr_t)address & ~(uintptr_t)3;
    struct kernel_time none = {0, 0};
    return syscall(SYS_futex, word, FUTEX_WAIT, 0, &none, NULL, 0) == 0 || errno != EFAULT;
}

void shms__wake(a32 *word, int count)
{
    syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}
