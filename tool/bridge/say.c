/* SPDX-License-Identifier: MIT */
#include "say.h"

#include "../text.h"

#include <stdio.h>
#include <time.h>

#define APART_NS (10 * INT64_C(1000000000))

void say(const char *format, ...)
{
    char text[2048];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    flockfile(stderr);
    fputs("shms-bridge: ", stderr);
    show_text(stderr, text); /* keys and texts of servers may be anybody's */
    fputc('\n', stderr);
    funlockfile(stderr);
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t now_wall_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

int64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

bool seldom(struct seldom *s, uint64_t *ret_since)
{
    int64_t now = now_ns();
    if (s->last_ns && now - s->last_ns < APART_NS) {
        s->since++;
        return false;
    }
    *ret_since = s->since;
    *s = (struct seldom){.last_ns = now};
    return true;
}
