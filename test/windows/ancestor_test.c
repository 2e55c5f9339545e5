/* SPDX-License-Identifier: MIT */
/* One region, shared with programs that know no control block: the ancestor's calls against ours. */
#include "ancestor.h"

static void ours_creates(void)
{
    const char *name = unique("", "ours");
    struct ancestor a;
    shms_stream *s = NULL;
    CHECK_RC(shms_stream_open(name, 5000, NULL, &s), 0);
    CHECK_RC(shms_stream_write(s, "from ours", 10), 10);
    ancestor_open(&a, name, FILE_MAP_ALL_ACCESS, 5000);
    CHECK(a.existed && a.memory && strcmp((char *)a.memory, "from ours") == 0);
    memcpy(a.memory, "from them", 10);
    CHECK(strcmp(shms_stream_memory(s), "from them") == 0);
    CHECK(ancestor_lock(&a, 0));
    CHECK_RC(shms_stream_lock(s, 0), SHMS_E_TIMEOUT);
    CHECK_RC(shms_stream_lock(s, 30), SHMS_E_TIMEOUT);
    ancestor_unlock(&a);
    CHECK_RC(shms_stream_lock(s, 0), 0);
    CHECK(!ancestor_lock(&a, 0) && !ancestor_lock(&a, 30));
    CHECK_RC(shms_stream_unlock(s), 0);
    CHECK(ancestor_lock(&a, 0));
    ancestor_unlock(&a);
    ancestor_close(&a);
    shms_stream_close(s);
}

static void theirs_creates(void)
{
    const char *name = unique("Global\\", "theirs \xe4\xb8\xad");
    struct ancestor a;
    shms_stream *s = NULL;
    ancestor_open(&a, name, FILE_MAP_ALL_ACCESS, 5000);
    CHECK(!a.existed);
    strcpy((char *)a.memory, "theirs");
    CHECK_RC(shms_stream_open(name, 8193, NULL, &s), SHMS_E_SIZE);
    CHECK_RC(shms_stream_open(name, 5000, NULL, &s), 0);
    CHECK_RC(shms_stream_existed(s), 1);
    CHECK_RC(shms_stream_size(s), 8192); /* the system knows whole pages only */
    CHECK(strcmp(shms_stream_memory(s), "theirs") == 0);
    CHECK(ancestor_lock(&a, 0));
    CHECK_RC(shms_stream_lock(s, 30), SHMS_E_TIMEOUT);
    ancestor_close(&a); /* without releasing: the lock stays taken as long as anybody has it open */
    CHECK_RC(shms_stream_lock(s, 30), SHMS_E_TIMEOUT);
    CHECK(strcmp(shms_stream_memory(s), "theirs") == 0);
    shms_stream_close(s);
    ancestor_open(&a, name, FILE_MAP_ALL_ACCESS, 5000);
    CHECK(!a.existed && a.memory[0] == 0 && ancestor_lock(&a, 0));
    ancestor_close(&a);
}

static void windows_of_other_sizes(void)
{
    const char *name = unique("", "windows");
    struct ancestor small, large, reader;
    shms_stream *s = NULL;
    CHECK_RC(shms_stream_open(name, 100000, NULL, &s), 0);
    ancestor_open(&small, name, FILE_MAP_ALL_ACCESS, 100);
    ancestor_open(&large, name, FILE_MAP_ALL_ACCESS, 200000);
    ancestor_open(&reader, name, FILE_MAP_READ, 100000);
    CHECK(small.memory && !large.memory && large.existed && reader.memory);
    CHECK(ancestor_lock(&large, 0));
    CHECK_RC(shms_stream_lock(s, 0), SHMS_E_TIMEOUT);
    for (int i = 0; i < 5; i++)
        ancestor_unlock(&large); /* many count as one */
    CHECK_RC(shms_stream_lock(s, 0), 0);
    CHECK(!ancestor_lock(&reader, 0));
    CHECK_RC(shms_stream_unlock(s), 0);
    ancestor_close(&small);
    ancestor_close(&large);
    ancestor_close(&reader);
    shms_stream_close(s);
}

/* Among ours the cell excludes, even where one of theirs releases what it does not hold. */
static void a_false_release(void)
{
    const char *name = unique("", "false");
    struct ancestor a;
    shms_stream *s = NULL, *t = NULL;
    CHECK_RC(shms_stream_open(name, 100, NULL, &s), 0);
    CHECK_RC(shms_stream_open(name, 100, NULL, &t), 0);
    ancestor_open(&a, name, FILE_MAP_ALL_ACCESS, 100);
    CHECK_RC(shms_stream_lock(s, 0), 0);
    ancestor_unlock(&a);
    CHECK_RC(shms_stream_lock(t, 30), SHMS_E_TIMEOUT);
    CHECK_RC(shms_stream_unlock(s), 0);
    CHECK_RC(shms_stream_lock(t, 0), 0);
    CHECK_RC(shms_stream_unlock(t), 0);
    ancestor_close(&a);
    shms_stream_close(s);
    shms_stream_close(t);
}

static void info_of(shms_stream *s, uint32_t members, uint32_t strangers, uint32_t locked)
{
    shms_info i = {.struct_size = sizeof i};
    CHECK_RC(shms_stream_info(s, &i), 0);
    CHECK_RC(i.members, members);
    CHECK_RC(i.strangers, strangers);
    CHECK_RC(i.locked, locked);
    CHECK((i.owner_pid == (int32_t)GetCurrentProcessId()) == (locked == 1));
}

static int see_in_list(const char *name, const shms_info *info, void *context)
{
    if (strcmp(name, context) != 0)
        return 0;
    CHECK_RC(info->members, 1);
    CHECK_RC(info->strangers, 1);
    CHECK_RC(info->size, 100);
    return 1234;
}

static void who_is_there(void)
{
    const char *name = unique("", "info \xe4\xb8\xad"), *global = unique("Global\\", "info");
    struct ancestor a;
    shms_stream *s = NULL, *g = NULL;
    CHECK_RC(shms_stream_open(name, 100, NULL, &s), 0);
    info_of(s, 1, 0, 0);
    ancestor_open(&a, name, FILE_MAP_ALL_ACCESS, 100);
    info_of(s, 1, 1, 0);
    CHECK(ancestor_lock(&a, 0));
    info_of(s, 1, 1, 3);
    ancestor_unlock(&a);
    CHECK_RC(shms_stream_lock(s, 0), 0);
    info_of(s, 1, 1, 1);
    CHECK_RC(shms_stream_unlock(s), 0);
    CHECK_RC(shms_list(see_in_list, (void *)name), 1234);
    ancestor_close(&a);
    info_of(s, 1, 0, 0);
    CHECK_RC(shms_stream_open(global, 100, NULL, &g), 0);
    ancestor_open(&a, global, FILE_MAP_ALL_ACCESS, 100);
    CHECK_RC(shms_list(see_in_list, (void *)global), 1234);
    ancestor_close(&a);
    shms_stream_close(s);
    shms_stream_close(g);
}

static void modes(void)
{
    static const uint32_t modes[] = {0600, 0604, 0606, 0666};
    for (int i = 0; i < 4; i++) {
        shms_stream_options o = {.struct_size = sizeof o, .mode = modes[i]};
        shms_info info = {.struct_size = sizeof info};
        shms_stream *s = NULL;
        CHECK_RC(shms_stream_open(unique("", "mode"), 100, &o, &s), 0);
        CHECK_RC(shms_stream_info(s, &info), 0);
        CHECK_RC(info.mode, modes[i] & 0606);
        shms_stream_close(s);
    }
    struct ancestor a;
    shms_info info = {.struct_size = sizeof info};
    shms_stream *s = NULL;
    ancestor_open(&a, unique("", "null"), FILE_MAP_ALL_ACCESS, 100);
    CHECK_RC(shms_stream_open(unique("", "null"), 100, NULL, &s), 0);
    CHECK_RC(shms_stream_info(s, &info), 0);
    CHECK_RC(info.mode, 0666);
    shms_stream_close(s);
    ancestor_close(&a);
}

/* ---- three processes count, two of ours and one of theirs */

#define ROUNDS 1500

static int count_ours(const char *region)
{
    shms_stream *s = NULL;
    CHECK_RC(shms_stream_open(region, 0, NULL, &s), 0);
    uint64_t *count = shms_stream_memory(s);
    say_ready(region);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_RC(shms_stream_lock(s, PATIENCE_MS), 0);
        uint64_t was = *(volatile uint64_t *)count;
        if (i % 64 == 0)
            Sleep(0);
        *(volatile uint64_t *)count = was + 1;
        CHECK_RC(shms_stream_unlock(s), 0);
    }
    shms_stream_close(s);
    return 0;
}

static int count_theirs(const char *region)
{
    struct ancestor a;
    ancestor_open(&a, region, FILE_MAP_ALL_ACCESS, 4096);
    say_ready(region);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(ancestor_lock(&a, PATIENCE_MS));
        uint64_t was = *(volatile uint64_t *)a.memory;
        if (i % 64 == 0)
            Sleep(0);
        *(volatile uint64_t *)a.memory = was + 1;
        ancestor_unlock(&a);
    }
    ancestor_close(&a);
    return 0;
}

static void all_count(void)
{
    const char *name = unique("", "count");
    static const char *const players[] = {"count_ours", "count_theirs", "count_ours"};
    HANDLE child[3];
    shms_stream *s = NULL;
    CHECK_RC(shms_stream_open(name, 4096, NULL, &s), 0);
    meet_make(name);
    for (int i = 0; i < 3; i++) {
        child[i] = start(players[i], name);
        await_ready();
    }
    say_go();
    for (int i = 0; i < 3; i++)
        CHECK_RC(finish(child[i]), 0);
    CHECK_RC(*(uint64_t *)shms_stream_memory(s), 3 * ROUNDS);
    shms_stream_close(s);
    meet_close();
}

const struct test tests[] = {{"ours creates", ours_creates},
                             {"theirs creates", theirs_creates},
                             {"windows of other sizes", windows_of_other_sizes},
                             {"a false release", a_false_release},
                             {"who is there", who_is_there},
                             {"modes", modes},
                             {"all count", all_count},
                             {0}};
const struct role roles[] = {{"count_ours", count_ours}, {"count_theirs", count_theirs}, {0}};
