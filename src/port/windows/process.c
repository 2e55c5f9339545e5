/* SPDX-License-Identifier: MIT */
/* Windows: time, threads, and a process that cannot fork. */
#include "objects.h"

#include <ntsecapi.h>

static int64_t ticks(LARGE_INTEGER *ret_per_second)
{
    LARGE_INTEGER now;
    QueryPerformanceFrequency(ret_per_second);
    QueryPerformanceCounter(&now);
    return now.QuadPart;
}

int64_t shms__now_ns(void)
{
    LARGE_INTEGER hz;
    int64_t t = ticks(&hz);
    /* in two steps, or the product would overflow after some minutes */
    return t / hz.QuadPart * 1000000000 + t % hz.QuadPart * 1000000000 / hz.QuadPart;
}

static int64_t since_1970_ns(FILETIME t)
{
    int64_t since_1601 = (int64_t)((uint64_t)t.dwHighDateTime << 32 | t.dwLowDateTime);
    return (since_1601 - 116444736000000000) * 100;
}

int64_t shms__wall_ns(void)
{
    FILETIME t;
    GetSystemTimePreciseAsFileTime(&t);
    return since_1970_ns(t);
}

int64_t shms__wall_tick_ns(void)
{
    FILETIME t;
    GetSystemTimeAsFileTime(&t);
    return since_1970_ns(t);
}

int shms__random(void *buf, size_t n)
{
    return RtlGenRandom(buf, (ULONG)n) ? 0 : shms__fail(SHMS_E_OS);
}

void shms__nap(int64_t ns)
{
    Sleep((DWORD)((ns + 999999) / 1000000));
}

uintptr_t shms__thread(void)
{
    return GetCurrentThreadId();
}

uint32_t shms__pid(void)
{
    return GetCurrentProcessId();
}

/* Nothing cuts a call off here: there are neither signals nor cancellation. */
void shms__quiet_begin(void)
{
}

void shms__quiet_end(void)
{
}

int shms__steady_begin(void)
{
    return 0;
}

void shms__steady_end(int before)
{
    (void)before;
}

void shms__let_cancel(void)
{
}

static SRWLOCK process_lock = SRWLOCK_INIT;

void shms__process_lock(void)
{
    AcquireSRWLockExclusive(&process_lock);
}

void shms__process_unlock(void)
{
    ReleaseSRWLockExclusive(&process_lock);
}

static a32 never_forked = {1};
a32 *shms__fork_word = &never_forked;

int shms__fork_setup(const struct fork_hooks *hooks)
{
    (void)hooks;
    return 0;
}

void shms__fork_catch_up(void)
{
}
