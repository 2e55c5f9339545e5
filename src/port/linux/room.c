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
#define PATH_ROOM 512

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

/* The beginning of a small file, as a text. By descriptor: stdio would take a number below 3. */
static bool read_text(const char *path, char *text, size_t room)
{
    int fd = shms__fd_above(open(path, O_RDONLY | O_CLOEXEC));
    if (fd < 0)
        return false;
    size_t n = 0;
    ssize_t got;
    while (n < room - 1 && ((got = read(fd, text + n, room - 1 - n)) > 0 || (got < 0 && errno == EINTR)))
        n += got > 0 ? (size_t)got : 0;
    close(fd);
    text[n] = 0;
    return n > 0;
}

/* The number after a word at the beginning of a line. */
static bool find_number(const char *text, const char *word, uint64_t *ret)
{
    size_t n = strlen(word);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, word, n) == 0) {
            *ret = strtoull(line + n, NULL, 10);
            return true;
        }
    }
    return false;
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

static bool read_file(const char *dir, const char *name, char *text, size_t room)
{
    char path[PATH_ROOM + 64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return read_text(path, text, room);
}

/* A file of one number. False: not there, or "max". */
static bool read_number(const char *dir, const char *name, uint64_t *ret)
{
    char text[32];
    return read_file(dir, name, text, sizeof text) && find_number(text, "", ret) && text[0] != 'm';
}

static uint64_t cache_of(const struct cgroups *c, const char *dir)
{
    char text[4096];
    uint64_t sum = 0, n;
    bool told = read_file(dir, "memory.stat", text, sizeof text);
    for (int i = 0; told && i < 2; i++)
        if (find_number(text, c->cache[i], &n))
            sum = sum_of(sum, n);
    return sum;
}

/* What may be had in one cgroup. */
static uint64_t room_in(const struct cgroups *c, const char *dir, uint64_t swap_free)
{
    uint64_t limit, used, swap_limit, swap_used = 0;
    if (!read_number(dir, c->limit, &limit) || !read_number(dir, c->used, &used))
        return UINT64_MAX;
    uint64_t cache = cache_of(c, dir);
    uint64_t memory = sum_of(rest_of(limit, used), cache);
    if (!read_number(dir, c->swap_limit, &swap_limit) || !read_number(dir, c->swap_used, &swap_used))
        return sum_of(memory, swap_free);
    uint64_t swap = rest_of(swap_limit, swap_used);
    if (c->swap_is_sum)
        return min_of(sum_of(memory, swap_free), sum_of(swap, cache));
    return sum_of(memory, min_of(swap, swap_free));
}

/* In the cgroup at `path` beneath the mount, and in all above it. */
static uint64_t room_up(const struct cgroups *c, const char *path, uint64_t swap_free)
{
    char dir[PATH_ROOM];
    int n = snprintf(dir, sizeof dir, "%s%s", c->mount, strcmp(path, "/") == 0 ? "" : path);
    if (n < 0 || (size_t)n >= sizeof dir)
        snprintf(dir, sizeof dir, "%s", c->mount);
    uint64_t room = UINT64_MAX;
    for (int level = 0; level < LEVELS_MOST; level++) {
        room = min_of(room, room_in(c, dir, swap_free));
        if (strlen(dir) <= strlen(c->mount))
            break;
        *strrchr(dir, '/') = 0;
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
    char text[4096];
    uint64_t room = UINT64_MAX;
    if (!read_text("/proc/self/cgroup", text, sizeof text))
        return room;
    for (char *line = text, *end; line && *line; line = end) {
        end = strchr(line, '\n');
        if (end)
            *end++ = 0;
        room = min_of(room, room_by_line(line, swap_free));
    }
    return room;
}

/* ---- */

uint64_t shms__memory_available(void)
{
    char text[4096];
    uint64_t available = 0, swap = 0;
    bool told = read_text("/proc/meminfo", text, sizeof text);
    told = told && find_number(text, "MemAvailable:", &available);
    if (told)
        find_number(text, "SwapFree:", &swap);
    uint64_t room = told ? (available + swap) * 1024 : UINT64_MAX;
    return min_of(room, room_in_cgroups(told ? swap * 1024 : UINT64_MAX));
}
