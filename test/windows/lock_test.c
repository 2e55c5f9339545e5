/* SPDX-License-Identifier: MIT */
/* The lock's rules, and what the dead leave, at each step of passing and leaving the gate. */
#include "ancestor.h"

#include "layout.h"
#include "ref.h"

static shms_stream *open_it(const char *name)
{
    shms_stream *s = NULL;
    CHECK_RC(shms_stream_open(name, 100, NULL, &s), 0);
    return s;
}

static DWORD WINAPI unlock_elsewhere(void *s)
{
    CHECK_RC(shms_stream_lock(s, 0), SHMS_E_TIMEOUT);
    CHECK_RC(shms_stream_unlock(s), 0);
    return 0;
}

static void rules(void)
{
    shms_stream *s = open_it(unique("", "rules")), *t = open_it(unique("", "rules"));
    CHECK_RC(shms_stream_unlock(s), SHMS_E_NOT_OWNER);
    CHECK_RC(shms_stream_lock(s, -2), SHMS_E_INVALID);
    CHECK_RC(shms_stream_lock(s, -1), 0);
    CHECK_RC(shms_stream_lock(s, -1), SHMS_E_DEADLOCK);
    CHECK_RC(shms_stream_lock(t, 0), SHMS_E_TIMEOUT);
    CHECK_RC(shms_stream_unlock(t), SHMS_E_NOT_OWNER);
    CHECK_RC(shms_stream_repaired(t), SHMS_E_NOT_OWNER);
    HANDLE thread = CreateThread(NULL, 0, unlock_elsewhere, s, 0, NULL);
    CHECK(WaitForSingleObject(thread, PATIENCE_MS) == WAIT_OBJECT_0);
    CloseHandle(thread);
    CHECK_RC(shms_stream_lock_shared(t, 0), 0);
    CHECK_RC(shms_stream_lock(s, 0), SHMS_E_TIMEOUT);
    CHECK_RC(shms_stream_unlock(t), 0);
    CHECK_RC(shms_stream_lock(s, 0), 0);
    shms_stream_close(s); /* holding: the next one is told */
    CHECK_RC(shms_stream_lock(t, 0), SHMS_OWNER_DIED);
    CHECK_RC(shms_stream_repaired(t), 0);
    CHECK_RC(shms_stream_unlock(t), 0);
    CHECK_RC(shms_stream_lock(t, 0), 0);
    shms_stream_close(t);
}

static int change_once(const char *region)
{
    shms_stream *s = open_it(region);
    say_ready(region);
    CHECK_RC(shms_stream_lock(s, PATIENCE_MS), 0);
    CHECK_RC(shms_stream_write(s, "new", 4), 4);
    CHECK_RC(shms_stream_unlock(s), 0);
    shms_stream_close(s);
    return 0;
}

static void waiting(void)
{
    const char *name = unique("", "wait");
    shms_stream *s = open_it(name);
    char got[4] = "";
    int64_t seen = shms_stream_version(s);
    meet_make(name);
    HANDLE other = start("change_once", name);
    await_ready();
    CHECK_RC(shms_stream_wait(s, &seen, 0), SHMS_E_TIMEOUT);
    say_go();
    CHECK_RC(shms_stream_wait(s, &seen, PATIENCE_MS), 0);
    CHECK_RC(shms_stream_snapshot(s, got, 4, 0), 4);
    CHECK(strcmp(got, "new") == 0);
    CHECK_RC(finish(other), 0);
    CHECK_RC(shms_stream_notify(s), 0);
    CHECK_RC(shms_stream_wait(s, &seen, 0), 0);
    CHECK_RC(shms_stream_wait(s, &seen, 20), SHMS_E_TIMEOUT);
    shms_stream_close(s);
    meet_close();
}

/* ---- the dead */

/* The objects behind a stream, for a role that dies half-way. */
struct inside {
    struct control *control;
    HANDLE gate, parity;
    uint64_t id;
};

static struct inside look_inside(const char *region)
{
    struct inside in = {0};
    HANDLE section = OpenFileMappingW(FILE_MAP_READ | FILE_MAP_WRITE, FALSE, wide(region, "_shms_control"));
    in.control = MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, sizeof *in.control);
    in.gate = OpenEventW(SYNCHRONIZE | EVENT_MODIFY_STATE, FALSE, wide(region, "_TShareMemStream_Event"));
    in.parity = OpenSemaphoreW(SYNCHRONIZE, FALSE, wide(region, "_shms_parity"));
    for (uint32_t s = 0; s < LAYOUT_SLOTS; s++) /* relaxed: a test */
        if (a32_load_relaxed(&in.control->slots[s].pid) == GetCurrentProcessId())
            in.id = ref_owner(s, a32_load_relaxed(&in.control->slots[s].generation));
    CHECK(in.control && in.gate && in.parity && in.id);
    return in;
}

static void pass(const struct inside *in)
{
    HANDLE both[] = {in->gate, in->parity};
    CHECK(WaitForMultipleObjects(2, both, TRUE, PATIENCE_MS) == WAIT_OBJECT_0);
}

static int die(void)
{
    fflush(stdout);
    TerminateProcess(GetCurrentProcess(), 7);
    return 0;
}

static int die_before_the_gate(const char *region)
{
    open_it(region);
    struct inside in = look_inside(region);
    a64_store_relaxed(&in.control->cell, in.id);
    return die();
}

static int die_after_the_gate(const char *region)
{
    open_it(region);
    struct inside in = look_inside(region);
    a64_store_relaxed(&in.control->cell, in.id);
    pass(&in);
    return die();
}

static int die_in_the_section(const char *region)
{
    CHECK_RC(shms_stream_lock(open_it(region), PATIENCE_MS), 0);
    return die();
}

static int die_after_leaving(const char *region)
{
    open_it(region);
    struct inside in = look_inside(region);
    a64_store_relaxed(&in.control->cell, in.id);
    pass(&in);
    CHECK(SignalObjectAndWait(in.gate, in.parity, 0, FALSE) == WAIT_OBJECT_0);
    return die();
}

/* One of theirs has the gate or has it not; then one of ours dies in a role; then ours wants the lock. */
static void after_death(const char *role, bool theirs, int expected)
{
    const char *name = unique("", role);
    struct ancestor a;
    shms_stream *s = open_it(name);
    ancestor_open(&a, name, FILE_MAP_ALL_ACCESS, 100);
    if (theirs)
        CHECK(ancestor_lock(&a, 0));
    CHECK_RC(finish(start(role, name)), 7);
    if (theirs) {
        CHECK_RC(shms_stream_lock(s, 50), SHMS_E_TIMEOUT); /* a dead one of ours is no reason to break in */
        ancestor_unlock(&a);
    }
    CHECK_RC(shms_stream_lock(s, PATIENCE_MS), expected);
    CHECK(!ancestor_lock(&a, 0));
    CHECK_RC(shms_stream_repaired(s), 0);
    CHECK_RC(shms_stream_unlock(s), 0);
    CHECK(ancestor_lock(&a, 0));
    CHECK_RC(shms_stream_lock(s, 20), SHMS_E_TIMEOUT);
    ancestor_unlock(&a);
    CHECK_RC(shms_stream_lock(s, 0), 0);
    CHECK_RC(shms_stream_unlock(s), 0);
    ancestor_close(&a);
    shms_stream_close(s);
}

static void deaths(void)
{
    after_death("die_before_the_gate", false, 0);
    after_death("die_before_the_gate", true, 0);
    after_death("die_after_the_gate", false, 0);
    after_death("die_in_the_section", false, SHMS_OWNER_DIED);
    after_death("die_after_leaving", false, 0);
}

/* It had left, and one of theirs has come since. */
static void dead_after_leaving_and_theirs_inside(void)
{
    const char *name = unique("", "left");
    struct ancestor a;
    shms_stream *s = open_it(name);
    ancestor_open(&a, name, FILE_MAP_ALL_ACCESS, 100);
    CHECK_RC(finish(start("die_after_leaving", name)), 7);
    CHECK(ancestor_lock(&a, 0));
    CHECK_RC(shms_stream_lock(s, 50), SHMS_E_TIMEOUT);
    ancestor_unlock(&a);
    CHECK_RC(shms_stream_lock(s, 50), 0);
    ancestor_close(&a);
    shms_stream_close(s);
}

/* All of ours are gone, and nobody can know; the newcomer is told of a stranger. */
static void the_only_one_dies(void)
{
    const char *name = unique("", "only");
    struct ancestor a;
    ancestor_open(&a, name, FILE_MAP_ALL_ACCESS, 100);
    CHECK_RC(finish(start("die_in_the_section", name)), 7);
    shms_stream *s = open_it(name);
    shms_info info = {.struct_size = sizeof info};
    CHECK_RC(shms_stream_lock(s, 30), SHMS_E_TIMEOUT);
    CHECK_RC(shms_stream_info(s, &info), 0);
    CHECK_RC(info.locked, 3);
    ancestor_unlock(&a); /* anybody of theirs may release */
    CHECK_RC(shms_stream_lock(s, 30), 0);
    shms_stream_close(s);
    ancestor_close(&a);
}

static int die_when_told(const char *region)
{
    shms_stream *s = open_it(region);
    say_ready(region);
    CHECK_RC(shms_stream_lock(s, PATIENCE_MS), 0);
    return die();
}

/* All of ours are gone, but parity is still there: a newcomer inherits the gate, and the bytes. */
static void the_only_one_dies_and_parity_stays(void)
{
    const char *name = unique("", "parity");
    struct ancestor a;
    ancestor_open(&a, name, FILE_MAP_ALL_ACCESS, 100);
    meet_make(name);
    HANDLE other = start("die_when_told", name);
    await_ready();
    HANDLE parity = OpenSemaphoreW(SYNCHRONIZE, FALSE, wide(name, "_shms_parity"));
    say_go();
    CHECK_RC(finish(other), 7);
    shms_stream *s = open_it(name);
    CHECK_RC(shms_stream_lock(s, 30), SHMS_OWNER_DIED);
    CHECK_RC(shms_stream_repaired(s), 0);
    CHECK_RC(shms_stream_unlock(s), 0);
    CHECK(ancestor_lock(&a, 0));
    CloseHandle(parity);
    shms_stream_close(s);
    ancestor_close(&a);
    meet_close();
}

/* ---- killed anywhere */

static int storm(const char *region)
{
    shms_stream *s = open_it(region);
    uint32_t *inside = shms_stream_memory(s);
    for (;;) {
        int rc = shms_stream_lock(s, -1);
        if (rc == SHMS_OWNER_DIED) {
            *(volatile uint32_t *)inside = 0;
            shms_stream_repaired(s);
        }
        inside[1] += *(volatile uint32_t *)inside != 0;
        *(volatile uint32_t *)inside = GetCurrentProcessId();
        *(volatile uint32_t *)inside = 0;
        shms_stream_unlock(s);
    }
    return 0;
}

static int storm_theirs(const char *region)
{
    struct ancestor a;
    ancestor_open(&a, region, FILE_MAP_ALL_ACCESS, 100);
    uint32_t *inside = (uint32_t *)(void *)a.memory;
    HANDLE stop = OpenEventW(SYNCHRONIZE, FALSE, wide(region, "-stop"));
    while (WaitForSingleObject(stop, 0) != WAIT_OBJECT_0) {
        if (!ancestor_lock(&a, 100))
            continue;
        uint32_t who = *(volatile uint32_t *)inside;
        inside[1] += who != 0;
        *(volatile uint32_t *)inside = GetCurrentProcessId();
        *(volatile uint32_t *)inside = who;
        ancestor_unlock(&a);
    }
    ancestor_close(&a);
    return 0;
}

static void killed_anywhere(void)
{
    const char *name = unique("", "storm");
    shms_stream *s = open_it(name);
    uint32_t *inside = shms_stream_memory(s);
    HANDLE stop = CreateEventW(NULL, TRUE, FALSE, wide(name, "-stop"));
    HANDLE theirs = start("storm_theirs", name), steady = start("storm", name);
    for (int i = 0; i < 25; i++) {
        HANDLE victim = start("storm", name);
        Sleep(20 + (DWORD)(i * 37 % 50)); /* anywhere: no result hangs on it */
        kill_it(victim);
        int rc = shms_stream_lock(s, PATIENCE_MS);
        CHECK(rc >= 0);
        if (rc == SHMS_OWNER_DIED) {
            *(volatile uint32_t *)inside = 0;
            shms_stream_repaired(s);
        }
        CHECK_RC(shms_stream_unlock(s), 0);
    }
    kill_it(steady);
    SetEvent(stop);
    CHECK_RC(finish(theirs), 0);
    CHECK(shms_stream_lock(s, PATIENCE_MS) >= 0);
    CHECK_RC(inside[1], 0); /* nobody ever met another inside */
    shms_stream_close(s);
    CloseHandle(stop);
}

const struct test tests[] = {{"rules", rules},
                             {"waiting", waiting},
                             {"deaths", deaths},
                             {"dead after leaving and theirs inside", dead_after_leaving_and_theirs_inside},
                             {"the only one dies", the_only_one_dies},
                             {"the only one dies and parity stays", the_only_one_dies_and_parity_stays},
                             {"killed anywhere", killed_anywhere},
                             {0}};
const struct role roles[] = {{"change_once", change_once},
                             {"die_before_the_gate", die_before_the_gate},
                             {"die_after_the_gate", die_after_the_gate},
                             {"die_in_the_section", die_in_the_section},
                             {"die_after_leaving", die_after_leaving},
                             {"die_when_told", die_when_told},
                             {"storm", storm},
                             {"storm_theirs", storm_theirs},
                             {0}};
