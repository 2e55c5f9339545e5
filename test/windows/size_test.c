/* SPDX-License-Identifier: MIT */
/* Sizes up to and over 4 GiB, growing and shrinking, here and seen from another process. */
#include "check.h"

#define GIB (1ull << 30)

static shms_stream *open_sized(const char *name, uint64_t size, uint64_t max_size, bool atomic)
{
    shms_stream_options o = {.struct_size = sizeof o, .max_size = max_size, .sparse = 1, .atomic = atomic};
    shms_stream *s = NULL;
    CHECK_RC(shms_stream_open(name, size, &o, &s), 0);
    return s;
}

/* What a 32-bit process has no room for, it says so and goes on. */
static void large(void)
{
    static const uint64_t sizes[] = {2 * GIB + 5, 4 * GIB - 1, 4 * GIB, 4 * GIB + 4096, 5 * GIB + 1};
    const char *name = unique("", "large");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        shms_stream *s = NULL, *t = NULL;
        int rc = shms_stream_open(name, sizes[i], NULL, &s);
        if (sizeof(void *) == 4) {
            CHECK(rc < 0);
            continue;
        }
        CHECK_RC(rc, 0);
        CHECK_RC(shms_stream_size(s), (int64_t)sizes[i]);
        CHECK_RC(shms_stream_pwrite(s, "x", 1, (int64_t)sizes[i] - 1), 1);
        CHECK_RC(shms_stream_pwrite(s, "x", 1, (int64_t)sizes[i]), SHMS_E_RANGE);
        CHECK_RC(shms_stream_open(name, 0, NULL, &t), 0);
        CHECK(((char *)shms_stream_memory(t))[sizes[i] - 1] == 'x');
        CHECK_RC(shms_stream_seek(t, 0, SEEK_END), (int64_t)sizes[i]);
        shms_stream_close(t);
        shms_stream_close(s);
    }
}

static int watch_growth(const char *region)
{
    shms_stream *s = NULL;
    CHECK_RC(shms_stream_open(region, 0, NULL, &s), 0);
    CHECK_RC(shms_stream_size(s), 100);
    char *p = shms_stream_memory(s);
    say_ready(region);
    CHECK(shms_stream_memory(s) == p);
    CHECK_RC(shms_stream_size(s), 1 << 20);
    CHECK(p[(1 << 20) - 1] == 'z');
    CHECK(p[200] == 0);
    CHECK_RC(shms_stream_lock(s, PATIENCE_MS), 0);
    CHECK_RC(shms_stream_resize(s, 2 << 20), 0);
    p[(2 << 20) - 1] = 'y';
    CHECK_RC(shms_stream_unlock(s), 0);
    shms_stream_close(s);
    return 0;
}

static void grow_and_shrink(bool atomic)
{
    const char *name = unique("", atomic ? "atomic" : "grows");
    shms_stream *s = open_sized(name, 100, 2 << 20, atomic);
    char *p = shms_stream_memory(s);
    meet_make(name);
    HANDLE other = start("watch_growth", name);
    await_ready();
    CHECK_RC(shms_stream_resize(s, 200), SHMS_E_NOT_OWNER);
    CHECK_RC(shms_stream_lock(s, PATIENCE_MS), 0);
    CHECK_RC(shms_stream_resize(s, (2 << 20) + 1), SHMS_E_RANGE);
    CHECK_RC(shms_stream_resize(s, 1 << 20), 0);
    p[(1 << 20) - 1] = 'z';
    CHECK_RC(shms_stream_unlock(s), 0);
    say_go();
    CHECK_RC(finish(other), 0);
    CHECK_RC(shms_stream_size(s), 2 << 20);
    CHECK(p[(2 << 20) - 1] == 'y');
    CHECK_RC(shms_stream_lock(s, PATIENCE_MS), 0);
    CHECK_RC(shms_stream_resize(s, 50), 0);
    CHECK_RC(shms_stream_pwrite(s, "x", 1, 50), SHMS_E_RANGE);
    CHECK_RC(shms_stream_unlock(s), 0);
    CHECK_RC(shms_stream_lock(s, PATIENCE_MS), 0);
    CHECK_RC(shms_stream_resize(s, 2 << 20), 0);
    CHECK(p[(2 << 20) - 1] == 0 && p[(1 << 20) - 1] == 0);
    CHECK(shms_stream_memory(s) == p);
    shms_stream_close(s);
    meet_close();
}

static void grows(void)
{
    grow_and_shrink(false);
}

static void grows_atomically(void)
{
    grow_and_shrink(true);
}

static int die_writing(const char *region)
{
    shms_stream *s = NULL;
    static char bytes[70000];
    CHECK_RC(shms_stream_open(region, 0, NULL, &s), 0);
    CHECK_RC(shms_stream_lock(s, PATIENCE_MS), 0);
    CHECK_RC(shms_stream_pwrite(s, bytes, sizeof bytes, 3), sizeof bytes);
    CHECK_RC(shms_stream_resize(s, 1000), 0);
    TerminateProcess(GetCurrentProcess(), 7);
    return 0;
}

static void a_dead_atomic_section_is_undone(void)
{
    const char *name = unique("", "undone");
    shms_stream *s = open_sized(name, 100000, 1 << 20, true);
    char *p = shms_stream_memory(s);
    memset(p, 'a', 100000);
    CHECK_RC(finish(start("die_writing", name)), 7);
    CHECK_RC(shms_stream_lock(s, PATIENCE_MS), 0); /* no news: nothing is half-written */
    CHECK_RC(shms_stream_size(s), 100000);
    int changed = 0;
    for (int i = 0; i < 100000; i++)
        changed += p[i] != 'a';
    CHECK_RC(changed, 0);
    CHECK_RC(shms_stream_unlock(s), 0);
    shms_stream_close(s);
}

/* Its size, too, before anybody has taken the lock. */
static void openers_see_the_true_size(void)
{
    const char *name = unique("", "sizes");
    shms_stream *s = open_sized(name, 100000, 1 << 20, true), *t = NULL;
    CHECK_RC(finish(start("die_writing", name)), 7);
    CHECK_RC(shms_stream_open(name, 100001, NULL, &t), SHMS_E_SIZE);
    CHECK_RC(finish(start("die_writing", name)), 7);
    CHECK_RC(shms_stream_open(name, 100000, NULL, &t), 0);
    CHECK_RC(shms_stream_size(t), 100000);
    shms_stream_close(t);
    shms_stream_close(s);
}

static void atomic_wants_room_from_the_start(void)
{
    const char *name = unique("", "late");
    shms_stream_options o = {.struct_size = sizeof o, .atomic = 1};
    shms_stream *s = open_sized(name, 100, 0, false), *t = NULL;
    CHECK_RC(shms_stream_open(name, 100, &o, &t), SHMS_E_UNSUPPORTED);
    shms_stream_close(s);
    CHECK_RC(shms_stream_open(name, 100, &o, &s), 0);
    CHECK_RC(shms_stream_open(name, 100, NULL, &t), 0);
    shms_stream_close(s);
    shms_stream_close(t);
}

const struct test tests[] = {{"large", large},
                             {"grows", grows},
                             {"grows atomically", grows_atomically},
                             {"a dead atomic section is undone", a_dead_atomic_section_is_undone},
                             {"openers see the true size", openers_see_the_true_size},
                             {"atomic wants room from the start", atomic_wants_room_from_the_start},
                             {0}};
const struct role roles[] = {{"watch_growth", watch_growth}, {"die_writing", die_writing}, {0}};
