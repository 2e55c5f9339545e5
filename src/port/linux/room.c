/* SPDX-License-Identifier: MIT */
/*
 * Linux: how much memory may be had. tmpfs hands out what the machine, or the memory cgroup, does not have,
 * and the kernel then kills somebody. So larger reservations ask first.
 *
 * What is counted as free: memory that is free, or that the kernel takes back from file caches, and the swap
 * to which shared memory can go. Cgroups are looked for at their usual mount points, from the one that
 * /proc/self/cgroup names up to the root of the mount; in a container whose names are the host's, only the
 * root, which is then the container's own, can be found.
 */
#include "room.h"

#include "fd.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define LEVELS_MOST 32
#define LINE_ROOM 640 /* small: regions grow on any stack, be it of 16 KiB */

bool shms__within_file_limit(uint64_t size)
{
    struct rlimit limit;
    return size <= INT64_MAX &&
           (getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur == RLIM_INFINITY || size <= limit.rlim_cur);
}

static uint64_t min_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t rest_of(uint64_t limit, uint64_t used)
{
    return used < limit ? limit - used : 0;
}

static uint64_t sum_of(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* ---- small files, a line at a time */

struct lines {
    int fd;
    size_t begin, end; /* of what was read and not told yet */
    char text[LINE_ROOM];
};

/* By descriptor: stdio would take a number below 3. */
static bool open_lines(const char *path, struct lines *l)
{
    l->begin = l->end = 0;
    l->fd = shms__fd_above(open(path, O_RDONLY | O_CLOEXEC));
    return l->fd >= 0;
}

/* Read on. False: the end, or there is no room. */
static bool read_more(struct lines *l)
{
    memmove(l->text, l->text + l->begin, l->end - l->begin);
    l->end -= l->begin;
    l->begin = 0;
    ssize_t got;
    do
        got = read(l->fd, l->text + l->end, sizeof l->text - 1 - l->end);
    while (got < 0 && errno == EINTR);
    l->end += got > 0 ? (size_t)got : 0;
    return got > 0;
}

/* The next line, valid until the one after it; NULL: there is none. One that is too long comes in parts. */
static char *next_line(struct lines *l)
{
    char *end;
    while (!(end = memchr(l->text + l->begin, '\n', l->end - l->begin)) && read_more(l))
        continue;
    if (!end && l->begin == l->end)
        return NULL;
    char *line = l->text + l->begin;
    size_t n = end ? (size_t)(end - line) : l->end - l->begin;
    line[n] = 0;
    l->begin += n + (end != NULL);
    return line;
}

/* The number after a word at the beginning of a line. */
static bool find_number(const char *line, const char *word, uint64_t *ret)
{
    size_t n = strlen(word);
    if (strncmp(line, word, n) != 0)
        return false;
    *ret = strtoull(line + n, NULL, 10);
    return true;
}

/* ---- cgroups */

/* The two versions: where they are, and what their files are called. */
struct cgroups {
    const char *mount, *limit, *used, *swap_limit, *swap_used, *cache[2];
    bool swap_is_sum; /* the swap files count memory and swap together */
};

static const struct cgroups unified = {
    .mount = "/sys/fs/cgroup",
    .limit = "memory.max",
    .used = "memory.current",
    .swap_limit = "memory.swap.max",
    .swap_used = "memory.swap.current",
    .cache = {"inactive_file ", "active_file "},
};
static const struct cgroups legacy = {
    .mount = "/sys/fs/cgroup/memory",
    .limit = "memory.limit_in_bytes",
    .used = "memory.usage_in_bytes",
    .swap_limit = "memory.memsw.limit_in_bytes",
    .swap_used = "memory.memsw.usage_in_bytes",
    .cache = {"total_inactive_file ", "total_active_file "},
    .swap_is_sum = true,
};

/* A cgroup: in which version, and its path beneath the mount. */
struct place {
    const struct cgroups *in;
    const char *path;
};

static bool open_in(const struct place *p, const char *name, struct lines *l)
{
    int n = snprintf(l->text, sizeof l->text, "%s%s/%s", p->in->mount, p->path, name);
    return n > 0 && (size_t)n < sizeof l->text && open_lines(l->text, l);
}

/* A file of one number. False: not there, or "max". */
static bool read_number(const struct place *p, const char *name, uint64_t *ret)
{
    struct lines l;
    if (!open_in(p, name, &l))
        return false;
    const char *line = next_line(&l);
    close(l.fd);
    return line && find_number(line, "", ret) && line[0] != 'm';
}

static uint64_t cache_of(const struct place *p)
{
    struct lines l;
    uint64_t sum = 0, n;
    if (!open_in(p, "memory.stat", &l))
        return 0;
    for (const char *line; (line = next_line(&l));)
        for (int i = 0; i < 2; i++)
            if (find_number(line, p->in->cache[i], &n))
                sum = sum_of(sum, n);
    close(l.fd);
    return sum;
}

/* What may be had in one cgroup. */
static uint64_t room_in(const struct place *p, uint64_t swap_free)
{
    const struct cgroups *c = p->in;
    uint64_t limit, used, swap_limit, swap_used = 0;
    if (!read_number(p, c->limit, &limit) || !read_number(p, c->used, &used))
        return UINT64_MAX;
    uint64_t cache = cache_of(p);
    uint64_t memory = sum_of(rest_of(limit, used), cache);
    if (!read_number(p, c->swap_limit, &swap_limit) || !read_number(p, c->swap_used, &swap_used))
        return sum_of(memory, swap_free);
    uint64_t swap = rest_of(swap_limit, swap_used);
    if (c->swap_is_sum)
        return min_of(sum_of(memory, swap_free), sum_of(swap, cache));
    return sum_of(memory, min_of(swap, swap_free));
}

/* In the cgroup at `path` beneath the mount, and in all above it. The path is cut. */
static uint64_t room_up(const struct cgroups *c, char *path, uint64_t swap_free)
{
    uint64_t room = UINT64_MAX;
    for (int level = 0; level < LEVELS_MOST; level++) {
        room = min_of(room, room_in(&(struct place){c, path}, swap_free));
        char *last = strrchr(path, '/');
        if (!last)
            break;
        *last = 0;
    }
    return room;
}

/* A line of /proc/self/cgroup: NUMBER:CONTROLLERS:PATH. */
static uint64_t room_by_line(char *line, uint64_t swap_free)
{
    char *controllers = strchr(line, ':');
    char *path = controllers ? strchr(++controllers, ':') : NULL;
    if (!path)
        return UINT64_MAX;
    *path++ = 0;
    if (!*controllers)
        return room_up(&unified, path, swap_free);
    bool memory = strcmp(controllers, "memory") == 0 || strncmp(controllers, "memory,", 7) == 0;
    return memory || strstr(controllers, ",memory") ? room_up(&legacy, path, swap_free) : UINT64_MAX;
}

static uint64_t room_in_cgroups(uint64_t swap_free)
{
    struct lines l;
    uint64_t room = UINT64_MAX;
    if (!open_lines("/proc/self/cgroup", &l))
        return room;
    for (char *line; (line = next_line(&l));)
        room = min_of(room, room_by_line(line, swap_free));
    close(l.fd);
    return room;
}

/* ---- */

/* In KiB, as the kernel tells it. False: it does not. */
static bool read_machine(uint64_t *ret_available, uint64_t *ret_swap)
{
    struct lines l;
    bool told = false;
    if (!open_lines("/proc/meminfo", &l))
        return false;
    for (const char *line; (line = next_line(&l));) {
        told |= find_number(line, "MemAvailable:", ret_available);
        find_number(line, "SwapFree:", ret_swap);
    }
    close(l.fd);
    return told;
}

uint64_t shms__memory_available(void)
{
    uint64_t available = 0, swap = 0;
    bool told = read_machine(&available, &swap);
    uint64_t room = told ? (available + swap) * 1024 : UINT64_MAX;
    return min_of(room, room_in_cgroups(told ? swap * 1024 : UINT64_MAX));
}
