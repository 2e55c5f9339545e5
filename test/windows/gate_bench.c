/* SPDX-License-Identifier: MIT */
/* What a lock and unlock of ours cost beside the bare event's, interleaved, the best of many batches. */
#include "ancestor.h"

#include <math.h>

enum { BATCHES = 60, PAIRS = 300 };

static double now_us(void)
{
    LARGE_INTEGER hz, t;
    QueryPerformanceFrequency(&hz);
    QueryPerformanceCounter(&t);
    return (double)t.QuadPart * 1e6 / (double)hz.QuadPart;
}

static double bare(const struct ancestor *a)
{
    double start_us = now_us();
    for (int i = 0; i < PAIRS; i++) {
        ancestor_lock(a, INFINITE);
        ancestor_unlock(a);
    }
    return (now_us() - start_us) / PAIRS;
}

static double ours(shms_stream *s)
{
    double start_us = now_us();
    for (int i = 0; i < PAIRS; i++) {
        if (shms_stream_lock(s, -1) >= 0)
            shms_stream_unlock(s);
    }
    return (now_us() - start_us) / PAIRS;
}

static void measure(void)
{
    const char *name = unique("", "bench");
    struct ancestor a;
    shms_stream *s = NULL;
    double best_bare = 1e9, best_ours = 1e9;
    ancestor_open(&a, name, FILE_MAP_ALL_ACCESS, 100);
    if (!CHECK(shms_stream_open(name, 100, NULL, &s) == 0))
        return;
    for (int i = 0; i < BATCHES; i++) {
        best_bare = fmin(best_bare, bare(&a));
        best_ours = fmin(best_ours, ours(s));
    }
    printf("lock + unlock: bare event %.2f us, ours %.2f us, ratio %.2f\n", best_bare, best_ours,
           best_ours / best_bare);
    shms_stream_close(s);
    ancestor_close(&a);
}

const struct test tests[] = {{"measured", measure}, {0}};
const struct role roles[] = {{0}};
