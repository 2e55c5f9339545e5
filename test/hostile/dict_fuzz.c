/* SPDX-License-Identifier: MIT */
/*
 * Hostile bytes in a dict, from libFuzzer. The input is a script: overwrites of any bytes of the dict and of
 * control, and calls of three handles between them, two that write and one that reads. From its end backwards
 * it also says what is overwritten *inside* the calls: at each look at a clock, the dict's own included, and
 * at each sleep (world.h). In every second dict nothing lies behind its last byte but a page of nobody's.
 *
 * Not in scope: truncating the files, and punching holes into them.
 */
#include "dict_calls.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define HANDLES 3
#define DICT_SIZE 16384u
#define CALLS_MOST 40
#define REBUILD_EVERY 4096 /* runs after which the handles begin anew in any case */

static struct caller callers[HANDLES];
static char path[240], data_path[240];
static struct control *control;  /* the hostile peer's own mappings */
static unsigned char *data;
static struct control clean;     /* as they were when all handles had been opened */
static unsigned char clean_data[DICT_SIZE];
static uint64_t meddlings, calls_made, runs, rebuilds;
static const uint8_t *front, *back; /* what is left of the input */

static unsigned next_front(void)
{
    return front < back ? *front++ : 0;
}

static uint64_t number_front(unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | next_front();
    return v;
}

unsigned world_chance(void)
{
    return front < back ? *--back : 0xff;
}

void world_free_lock(void)
{
    world_free_lock_of(control);
}

/* ---- overwriting */

static uint64_t edge(uint64_t now, unsigned how, uint64_t number)
{
    static const uint64_t edges[] = {
        0, 1, 2, 7, 63, 64, 127, 128, 255, 256, DICT_SIZE / 64 - 1, DICT_SIZE / 64, DICT_SIZE,
        REGION_MOST / 64, UINT32_MAX, 1ull << 32, 3ull << 56 | 40, 30ull << 56 | 40, 63ull << 56 | 40,
        INT64_MAX, 1ull << 63,
        UINT64_MAX,
        1ull << 32 | 100, 256ull << 32 | 2048, 1ull << 32 | UINT32_MAX, 1ull << 48 | 1ull << 32 | 8,
        8ull << 48 | 1ull << 32 | 8,
    };
    const unsigned n = sizeof edges / sizeof edges[0];
    switch (how % (n + 6)) {
    case 0: return number;
    case 1: return now + 1;
    case 2: return now - 1;
    case 3: return now ^ 1ull << (number & 63);
    case 4: return (now & ~UINT64_C(0xffffffff)) | number; /* another cell under the same tag */
    case 5: return now << 8 | number;
    default: return edges[how % (n + 6) - 6];
    }
}

/* A word of the dict: of what decides most, or any. */
static void meddle_dict(unsigned where, unsigned how, uint64_t number)
{
    size_t at = where % 4 == 0   ? number * 8 + where
                : where % 4 == 1 ? 64 + where / 4 * 8
                : where % 4 == 2 ? 320 + where / 4 * 8
                                 : 768 + where / 4 * 8;
    a64 *word = (a64 *)(void *)(data + (at % DICT_SIZE & ~(size_t)7));
    a64_store_relaxed(word, edge(a64_load_relaxed(word), how, number));
    meddlings++;
}

void world_moment(void)
{
    world_clock_ns += 500;
    unsigned what = control ? world_chance() : 0xff;
    if (what >= 0x80)
        return;
    unsigned how = world_chance(), where = world_chance();
    if (what < 0x10)
        meddle(control, callers[how % HANDLES].d->section.member.id, where, how, how * 0x0101010101010101ull);
    else
        meddle_dict(where, how, what | (uint64_t)how << 8);
    meddlings++;
}

/* The dict's clock is behind at times, as clocks are. */
static int64_t dict_clock(void *context)
{
    (void)context;
    world_moment();
    return 1000000000 + world_clock_ns / 4;
}

/* ---- the world of one run */

static void *map_file(const char *file, size_t size)
{
    int fd = open(file, O_RDWR | O_CLOEXEC);
    demand(fd >= 0 && fd < 40, "descriptors leak");
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    demand(p != MAP_FAILED, "address space leaks");
    return p;
}

/* Records of one cell and of several, marks, an expiry, a counter, a lock. */
static void fill(shms_dict *d)
{
    static const char value[1000] = {1};
    shms_dict_how how = {.struct_size = sizeof how, .ttl_ms = 3};
    char key[2] = "0";
    for (int i = 0; i < 10; i++) {
        key[0] = (char)('0' + i);
        demand(shms_dict_set(d, key, 1, value, (size_t)i * 70, i % 3 ? NULL : &how) > 0, "set");
    }
    demand(shms_dict_del(d, "5", 1, NULL) > 0 && shms_dict_del(d, "8", 1, NULL) > 0, "del");
    demand(shms_dict_add(d, "counter", 7, 1, 0, NULL, NULL) > 0, "add");
    demand(shms_dict_lock(d, "1", 1, 0) == 0, "lock");
}

static void build(void)
{
    for (unsigned i = 0; i < HANDLES; i++) {
        shms_dict_options o = {.struct_size = sizeof o, .open_timeout_ms = OPEN_TIMEOUT_MS, .cell_size = 64,
                               .ring = 16, .value_max = 2048, .now_ns = dict_clock};
        o.policy = rebuilds & 1 ? SHMS_EVICT_LRU : SHMS_EVICT_NONE;
        o.max_size = rebuilds & 2 ? REGION_MOST : 0;
        o.access = i == 2 ? SHMS_ACCESS_READ : SHMS_ACCESS_READ_WRITE;
        callers[i] = (struct caller){.reads_only = i == 2, .now_ns = dict_clock};
        demand(shms_dict_open(DICT_NAME, DICT_SIZE, &o, &callers[i].d) == 0, "a fresh dict cannot be opened");
    }
    fill(callers[0].d);
    control = map_file(path, sizeof *control);
    data = map_file(data_path, DICT_SIZE);
    memcpy(&clean, control, sizeof clean);
    memcpy(clean_data, data, DICT_SIZE);
    rebuilds++;
}

/* What a handle has noted for itself about a dict that is not so any more. */
static void forget(shms_dict *d)
{
    struct section *s = &d->section;
    shms__readers_renew(&s->readers);
    a64_store_relaxed(&s->holder, 0);
    a32_store_relaxed(&s->changes, 0);
    a32_store_relaxed(&d->held, d == callers[0].d);
    a64_store_relaxed(&d->cells, DICT_SIZE / 64);
}

static bool is_changed(void)
{
    bool changed = runs % REBUILD_EVERY == 0 || access(path, F_OK) || access(data_path, F_OK);
    for (unsigned i = 0; i < HANDLES; i++)
        changed |= shms__region_size(&callers[i].d->section.member.region) != DICT_SIZE ||
                   shms__member_lost(&callers[i].d->section.member);
    return changed;
}

static void restore(void)
{
    memcpy(control, &clean, sizeof clean);
    bool changed = is_changed();
    memcpy(data, clean_data, DICT_SIZE);
    for (unsigned i = 0; i < HANDLES; i++)
        if (!changed)
            forget(callers[i].d);
        else
            shms_dict_close(callers[i].d);
    if (!changed)
        return;
    munmap(control, sizeof *control);
    munmap(data, DICT_SIZE);
    control = NULL;
    shms_dict_unlink(DICT_NAME);
    demand(access(path, F_OK) != 0 && access(data_path, F_OK) != 0, "a dict cannot be removed");
    build();
}

static void report(void)
{
    fprintf(stderr, "hostile bytes in a dict: %llu runs, %llu calls, %llu overwrites in or between them, ",
            (unsigned long long)runs, (unsigned long long)calls_made, (unsigned long long)meddlings);
    fprintf(stderr, "%llu dicts\n", (unsigned long long)rebuilds);
}

static void step(void)
{
    unsigned op = next_front();
    if (op < 0x10) {
        unsigned how = next_front();
        meddle(control, callers[how % HANDLES].d->section.member.id, next_front(), how, number_front(1));
        meddlings++;
    } else if (op < 0x70) {
        unsigned where = next_front();
        meddle_dict(where, next_front(), number_front(op % 4 ? 2 : 8));
    } else if (op < 0x78) {
        size_t at = number_front(2), n = next_front() % 65;
        for (; n > 0; n--, at++)
            data[at % DICT_SIZE] = (unsigned char)next_front();
        meddlings++;
    } else {
        unsigned which = next_front(), x = next_front(), y = next_front();
        dict_call_run(&callers[op % HANDLES], which % dict_call_count, x, y);
        calls_made++;
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    world_begin(DICT_NAME, path, data_path);
    build();
    atexit(report);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    front = input;
    back = input + size;
    for (int i = 0; i < CALLS_MOST && front < back; i++)
        step();
    front = back;
    restore();
    runs++;
    return 0;
}
