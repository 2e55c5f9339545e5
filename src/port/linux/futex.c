/* SPDX-License-Identifier: MIT */
/* Linux: sleeping on a word of shared memory. */
#include "../../port.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
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
