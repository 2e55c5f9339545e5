/* SPDX-License-Identifier: MIT */
/*
 * Hostile bytes from libFuzzer. The input is a script: overwrites of control and journal, and calls of three
 * handles of one region between them: one that writes plainly (as a peer made it do, that took FLAG_ATOMIC
 * away while it was opened), one whose writes are journaled, and a reader, whose lock is of tasks. From
 * its end backwards it also says what is overwritten *inside* the calls: at each look at the clock, each
 * sleep, each question about a byte lock, each mapping.
 *
 * Time is not real here (world.h). All that decides is the library's own code.
 *
 * With HOSTILE_CALLS=fast it leaves out the calls that are the kernel's work more than ours (slow[]), and so
 * makes many times as many runs of the others.
 *
 * Not in scope: truncating the files, and punching holes into them.
 */
#include "world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HANDLES 3
#define CALLS_MOST 40
#define SLACK_NS 5000000
#define REBUILD_EVERY 256 /* runs after which the handles begin anew in any case */
#define REBUILD_EVERY_FAST 65536

static struct actor actors[HANDLES];
static char path[240], data_path[240];
static ino_t inodes[2];
static struct control *shared;       /* the hostile peer's own mapping of control */
static struct control clean;         /* as it was when all handles had been opened */
static unsigned char *journal;       /* the hostile peer's own mapping of it */
static bool journal_touched;
static uint64_t meddlings, calls_made, runs, rebuilds;

static const uint8_t *front, *back; /* what is left of the input */

static const char *const slow[] = {"open", "close", "list", "save", "load",
                                   "fd",   "poll_fd", "file", "resize", "info"};
static bool fast_only;
static unsigned allowed[64], allowed_count; /* calls that are made */

static unsigned next_front(void)
{
    return front < back ? *front++ : 0;
}

static unsigned next_back(void)
{
    return front < back ? *--back : 0xff;
}

static uint64_t number_front(unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | next_front();
    return v;
}

static uint64_t some_id(unsigned which)
{
    const struct actor *a = &actors[which % HANDLES];
    return a->s ? a->s->section.member.id : 1;
}

void world_moment(void)
{
    world_clock_ns += 500;
    unsigned field = shared ? next_back() : 0xff;
    if (field >= 0x80)
        return;
    unsigned how = next_back();
    journal_touched |= field >= 0x70;
    if (field >= 0x70)
        meddle_record(journal, field, how, how * 0x0101010101010101ull);
    else
        meddle(shared, some_id(how >> 6), field, how, how * 0x0101010101010101ull);
    meddlings++;
}

unsigned world_chance(void)
{
    return next_back();
}

void world_free_lock(void)
{
    world_free_lock_of(shared);
}

/* ---- the world of one run */

static ino_t inode_of(const char *file)
{
    struct stat st;
    return stat(file, &st) ? 0 : st.st_ino;
}

static void map_shared(void)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    demand(fd >= 0 && fd < 40, "descriptors leak");
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    journal = mmap(NULL, JOURNAL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, LAYOUT_JOURNAL);
    close(fd);
    demand(shared != MAP_FAILED && (void *)journal != MAP_FAILED, "address space leaks");
    memcpy(&clean, shared, sizeof clean);
    inodes[0] = inode_of(path);
    inodes[1] = inode_of(data_path);
}

/* A section that makes the journal, so that there is one to meddle with. */
static void make_journal(shms_stream *s)
{
    demand(shms_stream_lock(s, 0) == 0 && shms_stream_pwrite(s, "", 1, 0) == 1 && shms_stream_unlock(s) == 0,
           "a fresh atomic region cannot be written");
}

/* The handle that is opened next takes the region for one without a journal; or not any more. */
static void deny_journal(bool denied)
{
    struct control *c = actors[1].s->section.member.region.control;
    a32_store_relaxed(&c->flags, denied ? 0 : FLAG_ATOMIC);
}

static void build(void)
{
    static char file[240];
    static const unsigned order[HANDLES] = {1, 0, 2};
    snprintf(file, sizeof file, "%s/saved", world_dir);
    for (unsigned n = 0; n < HANDLES; n++) {
        unsigned i = order[n];
        if (n > 0)
            deny_journal(i == 0);
        shms_stream_options o = {.struct_size = sizeof o, .open_timeout_ms = OPEN_TIMEOUT_MS};
        o.max_size = REGION_MOST;
        o.access = i == 2 ? SHMS_ACCESS_READ : SHMS_ACCESS_READ_WRITE;
        o.atomic = i == 1;
        o.tasks = i == 2;
        actors[i] = (struct actor){.name = "fuzz", .path = file, .now_ns = world_clock, .slack_ns = SLACK_NS,
                                   .meddlings = &meddlings, .reads_only = i == 2};
        int rc = shms_stream_open("fuzz", REGION_SIZE, &o, &actors[i].s);
        demand(rc == 0, "a fresh region cannot be opened");
    }
    make_journal(actors[1].s);
    map_shared();
    rebuilds++;
}

/* What a handle has noted for itself about a control that is not so any more. */
static void forget(struct actor *a)
{
    struct section *s = &a->s->section;
    shms__readers_renew(&s->readers);
    journal_touched |= a32_load_relaxed(&s->journal.open) != 0;
    a32_store_relaxed(&s->journal.open, 0);
    a64_store_relaxed(&s->holder, 0);
    a32_store_relaxed(&s->changes, 0);
    shms_stream_seek(a->s, 0, SEEK_SET);
}

/* Undo what was done to control. If the files have changed, begin a new region: its names must go, too. */
static void restore(void)
{
    bool changed = runs % (fast_only ? REBUILD_EVERY_FAST : REBUILD_EVERY) == 0;
    if (!fast_only)
        changed |= inode_of(path) != inodes[0] || inode_of(data_path) != inodes[1];
    for (unsigned i = 0; i < HANDLES; i++)
        changed |= actors[i].changed_files;
    memcpy(shared, &clean, sizeof clean);
    for (unsigned i = 0; i < HANDLES; i++)
        if (!changed)
            forget(&actors[i]);
        else
            shms_stream_close(actors[i].s);
    if (!changed && journal_touched)
        memset(journal, 0, JOURNAL_SIZE);
    journal_touched = false;
    if (!changed)
        return;
    munmap(shared, sizeof *shared);
    munmap(journal, JOURNAL_SIZE);
    shared = NULL;
    shms_stream_unlink("fuzz");
    demand(access(path, F_OK) != 0 && access(data_path, F_OK) != 0, "a region cannot be removed");
    build();
}

static void report(void)
{
    fprintf(stderr, "hostile bytes, %s calls: %llu runs, %llu calls, %llu overwrites in or between them, ",
            fast_only ? "fast" : "all", (unsigned long long)runs, (unsigned long long)calls_made,
            (unsigned long long)meddlings);
    fprintf(stderr, "%llu regions\n", (unsigned long long)rebuilds);
}

static void step(void)
{
    unsigned op = next_front();
    if (op < 0x60) {
        unsigned how = next_front();
        meddle(shared, some_id(how >> 6), op, how, number_front(how % 4 ? 1 : 8));
        meddlings++;
    } else if (op < 0x66) {
        unsigned how = next_front();
        meddle_record(journal, next_front(), how, number_front(how % 4 ? 1 : 8));
        journal_touched = true;
        meddlings++;
    } else if (op < 0x68) {
        size_t at = number_front(2) % sizeof *shared, n = next_front() % 65;
        for (; n > 0 && at < sizeof *shared; n--)
            ((unsigned char *)shared)[at++] = (unsigned char)next_front();
        meddlings++;
    } else {
        unsigned which = next_front(), x = next_front(), y = next_front();
        world_call_began_ns = world_clock_ns;
        call_run(&actors[op % HANDLES], allowed[which % allowed_count], x, y);
        calls_made++;
    }
}

static bool is_slow(const char *name)
{
    for (unsigned i = 0; i < sizeof slow / sizeof slow[0]; i++)
        if (strcmp(name, slow[i]) == 0)
            return true;
    return false;
}

static void choose_calls(void)
{
    const char *wish = getenv("HOSTILE_CALLS");
    fast_only = wish && strcmp(wish, "fast") == 0;
    for (unsigned i = 0; i < call_count; i++)
        if (!fast_only || !is_slow(call_name(i)))
            allowed[allowed_count++] = i;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    world_begin("fuzz", path, data_path);
    choose_calls();
    build();
    atexit(report);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    front = data;
    back = data + size;
    for (int i = 0; i < CALLS_MOST && front < back; i++)
        step();
    front = back;
    restore();
    runs++;
    return 0;
}
