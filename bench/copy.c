/* SPDX-License-Identifier: MIT */
/* Bytes into the region and out of it, beside memcpy between the very same places. */
#include "bench.h"

#include <string.h>
#include <sys/mman.h>

#include <shmstream.h>

static shms_stream *stream;
static char *region, *buffer; /* the region's memory; private memory as large */
static size_t size;           /* of one copy, known only at run time */

static void check(int64_t rc)
{
    if (rc != (int64_t)size)
        bench_die("copying: %s", shms_strerror((int)rc));
}

static void write_ours(const void *unused, uint64_t n)
{
    (void)unused;
    for (; n > 0; n--)
        check(shms_stream_pwrite(stream, buffer, size, 0));
}

static void read_ours(const void *unused, uint64_t n)
{
    (void)unused;
    for (; n > 0; n--)
        check(shms_stream_pread(stream, buffer, size, 0));
}

static void write_memcpy(const void *unused, uint64_t n)
{
    (void)unused;
    for (; n > 0; n--) {
        memcpy(region, buffer, size);
        __asm__ volatile("" ::"r"(region) : "memory");
    }
}

static void read_memcpy(const void *unused, uint64_t n)
{
    (void)unused;
    for (; n > 0; n--) {
        memcpy(buffer, region, size);
        __asm__ volatile("" ::"r"(buffer) : "memory");
    }
}

struct copier {
    void (*loop)(const void *unused, uint64_t n);
};

static struct reading measure(const void *arg)
{
    const struct copier *c = arg;
    return (struct reading){.value = (double)size / bench_loop_ns(c->loop, NULL)};
}

static const struct copier writers[] = {{write_ours}, {write_memcpy}};
static const struct copier readers[] = {{read_ours}, {read_memcpy}};
static const struct contender writing[] = {{BENCH_OURS, &writers[0]}, {"memcpy", &writers[1]}};
static const struct contender reading[] = {{BENCH_OURS, &readers[0]}, {"memcpy", &readers[1]}};

static const struct size_case {
    size_t size;
    const char *write_key, *write_title, *read_key, *read_title;
} cases[] = {
    {64, "write-64", "write of 64 B", "read-64", "read of 64 B"},
    {1 << 10, "write-1K", "write of 1 KiB", "read-1K", "read of 1 KiB"},
    {64 << 10, "write-64K", "write of 64 KiB", "read-64K", "read of 64 KiB"},
    {1 << 20, "write-1M", "write of 1 MiB", "read-1M", "read of 1 MiB"},
    {16 << 20, "write-16M", "write of 16 MiB", "read-16M", "read of 16 MiB"},
    {64 << 20, "write-64M", "write of 64 MiB", "read-64M", "read of 64 MiB"},
};
enum { CASE_COUNT = sizeof cases / sizeof *cases };

/** The largest case that /dev/shm has room for; a smoke test stops at 1 MiB. */
static size_t open_largest(void)
{
    size_t count = bench_plan.quick ? CASE_COUNT - 2 : CASE_COUNT;
    int rc = shms_stream_open(bench_name("copy"), cases[count - 1].size, NULL, &stream);
    while (rc == SHMS_E_NOSPACE && count > 1) {
        count--;
        rc = shms_stream_open(bench_name("copy"), cases[count - 1].size, NULL, &stream);
    }
    if (rc < 0)
        bench_die("open: %s", shms_strerror(rc));
    return count;
}

void bench_copies(void)
{
    size_t count = open_largest(), largest = cases[count - 1].size;
    region = shms_stream_memory(stream);
    /* Aligned like the region: what two places differ by in their page is not the subject, nor page faults.
     */
    buffer = bench_shared(largest);
    memset(buffer, 1, largest);
    memset(region, 2, largest);
    for (size_t i = 0; i < count; i++) {
        const struct group in = {cases[i].write_key, cases[i].write_title, "GB/s", true, measure};
        const struct group out = {cases[i].read_key, cases[i].read_title, "GB/s", true, measure};
        size = cases[i].size;
        bench_group(&in, writing, 2);
        bench_group(&out, reading, 2);
    }
    if (count < CASE_COUNT && !bench_plan.quick)
        bench_note("larger copies left out: no room in /dev/shm");
    munmap(buffer, largest);
    shms_stream_close(stream);
}
