/* SPDX-License-Identifier: MIT */
/* The part of bench.pas that is in C. */
#include "shmstream.h"

#include <time.h>

int64_t now_ns(void);
void lock_in_c(shms_stream *s, int64_t count);

int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void lock_in_c(shms_stream *s, int64_t count)
{
    for (; count > 0; count--) {
        if (shms_stream_lock(s, -1) >= 0)
            shms_stream_unlock(s);
    }
}
