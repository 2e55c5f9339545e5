/* SPDX-License-Identifier: MIT */
/* Opening a region that is there already, and what a region costs besides its data. */
#include "bench.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <shmstream.h>

enum { REGION_BYTES = 4096 };

static void open_ours(const void *name, uint64_t n)
{
    for (; n > 0; n--) {
        shms_stream *s;
        int rc = shms_stream_open(name, 0, NULL, &s);
        if (rc < 0)
            bench_die("open: %s", shms_strerror(rc));
        shms_stream_close(s);
    }
}

static void open_bare(const void *name, uint64_t n)
{
    for (; n > 0; n--) {
        int fd = shm_open(name, O_RDWR, 0);
        void *p = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (fd < 0 || p == MAP_FAILED)
            bench_die("shm_open");
        munmap(p, REGION_BYTES);
        close(fd);
    }
}

struct opener {
    void (*loop)(const void *name, uint64_t n);
    const char *name;
};

static struct reading measure(const void *arg)
{
    const struct opener *o = arg;
    return (struct reading){.value = bench_loop_ns(o->loop, o->name) / 1e3};
}

static double control_kib(shms_stream *s)
{
    shms_info info = {.struct_size = sizeof info};
    int rc = shms_stream_info(s, &info);
    if (rc < 0)
        bench_die("info: %s", shms_strerror(rc));
    return (double)(info.memory_bytes - info.size) / 1024;
}

void bench_opening(void)
{
    const struct opener ours = {open_ours, bench_name("open")}, bare = {open_bare, bench_name("bare")};
    const struct contender contenders[] = {{BENCH_OURS, &ours}, {"shm_open+mmap+munmap+close", &bare}};
    const struct group opening = {"open", "open+close, others in the region", "us", false, measure};
    const struct group control = {"control", "control memory of a region", "KiB", false, NULL};
    shms_stream *s;
    int rc = shms_stream_open(ours.name, REGION_BYTES, NULL, &s);
    int fd = shm_open(bare.name, O_RDWR | O_CREAT, 0600);
    if (rc < 0 || fd < 0 || ftruncate(fd, REGION_BYTES) < 0)
        bench_die("open: %s", shms_strerror(rc));
    bench_group(&opening, contenders, 2);
    bench_figure(&control, BENCH_OURS, control_kib(s));
    close(fd);
    shm_unlink(bare.name);
    shms_stream_close(s);
}
