/* SPDX-License-Identifier: MIT */
/* Sections given up, waiting inside one, first bytes, tasks, members; where the gate must be passed, too. */
#include "ancestor.h"

#include "layout.h"

#define GREATEST 8192

static shms_stream *open_plain(const char *name)
{
    shms_stream *s = NULL;
    CHECK_RC(shms_stream_open(name, 100, NULL, &s), 0);
    return s;
}

static shms_stream *open_atomic(const char *name)
{
    shms_stream_options o = {.struct_size = sizeof o, .atomic = 1, .max_size = GREATEST};
    shms_stream *s = NULL;
    CHECK_RC(shms_stream_open(name, 100, &o, &s), 0);
    return s;
}

static void close_all(shms_stream *s, shms_stream *t, struct ancestor *a)
{
    shms_stream_close(s);
    shms_stream_close(t);
    ancestor_close(a);
}

/* ---- rollback */

static void rollback_undoes(void)
{
    const char *name = unique("", "undoes");
    shms_stream *s = open_atomic(name), *t = open_plain(name);
    struct ancestor a;
    char got[4] = "";
    ancestor_open(&a, name, FILE_MAP_ALL_ACCESS, 100);
    CHECK_RC(shms_stream_rollback(s), SHMS_E_NOT_OWNER);
    CHECK_RC(shms_stream_lock(s, 0), 0);
    CHECK_RC(shms_stream_pwrite(s, "old", 4, 0), 4);
    CHECK_RC(shms_stream_unlock(s), 0);
    int64_t seen = shms_stream_version(t);
    CHECK_RC(shms_stream_lock(s, 0), 0);
    CHECK_RC(shms_stream_pwrite(s, "new", 4, 0), 4);
    CHECK_RC(shms_stream_resize(s, 3000), 0);
    CHECK_RC(shms_stream_rollback(t), SHMS_E_NOT_OWNER);
    CHECK(!ancestor_lock(&a, 0));
    CHECK_RC(shms_stream_rollback(s), 0);
    CHECK_RC(shms_stream_rollback(s), SHMS_E_NOT_OWNER);
    CHECK(ancestor_lock(&a, 0)); /* the gate is open */
    ancestor_unlock(&a);
    CHECK_RC(shms_stream_version(t), seen);
    CHECK_RC(shms_stream_size(t), 100);
    CHECK_RC(shms_stream_snapshot(t, got, 4, 0), 4);
    CHECK(strcmp(got, "old") == 0);
    CHECK_RC(shms_stream_lock(t, 0), 0); /* no news */
    close_all(s, t, &a);
}

/* Bytes whose memory was committed by a later growth. */
static void rollback_after_growth(void)
{
    shms_stream *s = open_atomic(unique("", "grown"));
    char got[4] = "";
    CHECK_RC(shms_stream_lock(s, 0), 0);
    CHECK_RC(shms_stream_resize(s, GREATEST), 0);
    CHECK_RC(shms_stream_pwrite(s, "old", 4, GREATEST - 4), 4);
    CHECK_RC(shms_stream_unlock(s), 0);
    CHECK_RC(shms_stream_lock(s, 0), 0);
    CHECK_RC(shms_stream_pwrite(s, "new", 4, GREATEST - 4), 4);
    CHECK_RC(shms_stream_rollback(s), 0);
    CHECK_RC(shms_stream_pread(s, got, 4, GREATEST - 4), 4);
    CHECK(strcmp(got, "old") == 0);
    shms_stream_close(s);
}

static void rollback_of_a_plain_section(void)
{
    const char *name = unique("", "plain");
    shms_stream *s = open_plain(name), *t = open_plain(name);
    CHECK_RC(shms_stream_lock(s, 0), 0);
    CHECK_RC(shms_stream_rollback(s), 0); /* nothing was written */
    CHECK_RC(shms_stream_version(s), 0);
    CHECK_RC(shms_stream_lock(s, 0), 0);
    CHECK_RC(shms_stream_pwrite(s, "x", 1, 0), 1);
    CHECK_RC(shms_stream_rollback(s), SHMS_E_UNSUPPORTED);
    CHECK_RC(shms_stream_lock(t, 0), SHMS_E_TIMEOUT); /* the section goes on */
    CHECK_RC(shms_stream_unlock(s), 0);
    CHECK(shms_stream_version(s) > 0);
    shms_stream_close(s);
    shms_stream_close(t);
}

/* ---- what is a change */

static void looking_is_no_change(void)
{
    const char *name = unique("", "look");
    shms_stream *s = open_plain(name), *t = open_plain(name);
    CHECK_RC(shms_stream_lock(s, 0), 0);
    CHECK_RC(shms_stream_unlock(s), 0);
    CHECK_RC(shms_stream_version(t), 0);
    CHECK(shms_stream_memory(s) != NULL);
    CHECK_RC(shms_stream_lock_shared(s, 0), 0); /* alone, but it writes nothing */
    CHECK(shms_stream_memory(s) != NULL);
    char got[1];
    CHECK_RC(shms_stream_snapshot(t, got, 1, 0), 1);
    CHECK_RC(shms_stream_unlock(s), 0);
    CHECK_RC(shms_stream_version(t), 0);
    CHECK_RC(shms_stream_lock_shared(s, 0), 0);
    shms_stream_close(s);
    CHECK_RC(shms_stream_lock(t, 0), 0); /* a reader leaves nothing half-written */
    CHECK(shms_stream_memory(t) != NULL);
    CHECK_RC(shms_stream_unlock(t), 0);
    CHECK(shms_stream_version(t) > 0);
    shms_stream_close(t);
}

/* ---- wait_locked */

static int answer(const char *region)
{
    shms_stream *s = open_plain(region);
    struct ancestor a;
    char got[1] = "";
    ancestor_open(&a, region, FILE_MAP_ALL_ACCESS, 100);
    say_ready(region);
    CHECK_RC(shms_stream_lock(s, PATIENCE_MS), 0); /* the waiter has let go of both */
    CHECK_RC(shms_stream_pread(s, got, 1, 0), 1);
    CHECK(got[0] == '?');
    CHECK(!ancestor_lock(&a, 0));
    CHECK_RC(shms_stream_pwrite(s, "!", 1, 0), 1);
    CHECK_RC(shms_stream_unlock(s), 0);
    ancestor_close(&a);
    shms_stream_close(s);
    return 0;
}

static void waiting_in_a_section(void)
{
    const char *name = unique("", "turns");
    shms_stream *s = open_plain(name), *t = open_plain(name);
    struct ancestor a;
    char got[1] = "";
    ancestor_open(&a, name, FILE_MAP_ALL_ACCESS, 100);
    CHECK_RC(shms_stream_wait_locked(s, 0), SHMS_E_NOT_OWNER);
    meet_make(name);
    HANDLE other = start("answer", name);
    await_ready();
    CHECK_RC(shms_stream_lock(s, PATIENCE_MS), 0);
    CHECK_RC(shms_stream_pwrite(s, "?", 1, 0), 1);
    say_go();
    while (got[0] != '!') {
        CHECK_RC(shms_stream_wait_locked(s, PATIENCE_MS), 0);
        CHECK_RC(shms_stream_pread(s, got, 1, 0), 1);
    }
    CHECK_RC(shms_stream_wait_locked(s, 20), SHMS_E_TIMEOUT);
    CHECK_RC(shms_stream_lock(t, 0), SHMS_E_TIMEOUT); /* it holds both again */
    CHECK(!ancestor_lock(&a, 0));
    CHECK_RC(shms_stream_unlock(s), 0);
    CHECK_RC(finish(other), 0);
    close_all(s, t, &a);
    meet_close();
}

static int die_when_told(const char *region)
{
    shms_stream *s = open_plain(region);
    say_ready(region);
    CHECK_RC(shms_stream_lock(s, PATIENCE_MS), 0);
    CHECK_RC(shms_stream_pwrite(s, "half", 4, 0), 4);
    TerminateProcess(GetCurrentProcess(), 7);
    return 0;
}

static void waiting_for_the_dead(void)
{
    const char *name = unique("", "dead");
    shms_stream *s = open_plain(name);
    meet_make(name);
    HANDLE other = start("die_when_told", name);
    await_ready();
    CHECK_RC(shms_stream_lock(s, PATIENCE_MS), 0);
    say_go();
    CHECK_RC(shms_stream_wait_locked(s, PATIENCE_MS), SHMS_OWNER_DIED);
    CHECK_RC(shms_stream_unlock(s), 0);
    CHECK_RC(finish(other), 7);
    shms_stream_close(s);
    meet_close();
}

/* ---- init */

/* What an init does, and how often it was called. */
struct first {
    int rc;
    int calls;
};

static int fill(shms_stream *s, void *context)
{
    struct first *f = context;
    f->calls++;
    CHECK_RC(shms_stream_lock(s, 0), SHMS_E_DEADLOCK);
    CHECK_RC(shms_stream_unlock(s), SHMS_E_INVALID);
    CHECK_RC(shms_stream_rollback(s), SHMS_E_INVALID);
    CHECK_RC(shms_stream_pwrite(s, "first", 6, 0), 6);
    return f->rc;
}

static int open_first(const char *name, struct first *f, int32_t timeout_ms, shms_stream **ret)
{
    shms_stream_options o = {.struct_size = sizeof o, .open_timeout_ms = timeout_ms};
    o.init = fill;
    o.init_context = f;
    return shms_stream_open(name, 100, &o, ret);
}

static void init_once(void)
{
    const char *name = unique("", "init");
    struct first f = {.rc = SHMS_E_CHANGED};
    shms_stream *s = NULL, *t = NULL;
    char got[6] = "";
    CHECK_RC(open_first(name, &f, 0, &s), SHMS_E_CHANGED);
    CHECK_RC(shms_stream_open(name, 0, NULL, &s), SHMS_E_NOT_FOUND);
    f.rc = 0;
    CHECK_RC(open_first(name, &f, 0, &s), 0);
    CHECK_RC(open_first(name, &f, 0, &t), 0);
    CHECK_RC(f.calls, 2);
    CHECK_RC(shms_stream_pread(t, got, 6, 0), 6);
    CHECK(strcmp(got, "first") == 0);
    CHECK_RC(shms_stream_lock(t, 0), 0); /* open, and no news */
    shms_stream_close(s);
    shms_stream_close(t);
}

static int die_in_init(shms_stream *s, void *context)
{
    say_ready(context);
    CHECK_RC(shms_stream_pwrite(s, "half", 5, 0), 5);
    TerminateProcess(GetCurrentProcess(), 7);
    return 0;
}

static int open_and_die(const char *region)
{
    shms_stream_options o = {.struct_size = sizeof o};
    shms_stream *s = NULL;
    o.init = die_in_init;
    o.init_context = (void *)(uintptr_t)region;
    return shms_stream_open(region, 100, &o, &s);
}

static DWORD WINAPI open_beside(void *name)
{
    struct first f = {0};
    shms_stream *s = NULL;
    char got[6] = "";
    CHECK_RC(open_first(name, &f, PATIENCE_MS, &s), 0);
    CHECK_RC(f.calls, 1); /* the dead one's does not count */
    CHECK_RC(shms_stream_pread(s, got, 6, 0), 6);
    CHECK(strcmp(got, "first") == 0);
    CHECK_RC(shms_stream_lock(s, 0), 0);
    shms_stream_close(s);
    return 0;
}

static void init_of_the_dead(void)
{
    static char name[100];
    snprintf(name, sizeof name, "%s", unique("", "unborn"));
    shms_stream_options o = {.struct_size = sizeof o, .open_timeout_ms = 30};
    shms_stream *s = NULL;
    meet_make(name);
    HANDLE other = start("open_and_die", name);
    await_ready();
    CHECK_RC(shms_stream_open(name, 100, &o, &s), SHMS_E_TIMEOUT); /* it waits, and has no init */
    HANDLE thread = CreateThread(NULL, 0, open_beside, name, 0, NULL);
    HANDLE token;
    char ending[20];
    snprintf(ending, sizeof ending, "_shms_%u", (unsigned)LOCK_SLOT(1));
    do /* until it is a member */
        token = OpenEventW(SYNCHRONIZE, FALSE, wide(name, ending));
    while (!token && WaitForSingleObject(thread, 1) == WAIT_TIMEOUT);
    CHECK(token != NULL);
    CloseHandle(token);
    say_go();
    CHECK_RC(finish(other), 7);
    CHECK(WaitForSingleObject(thread, PATIENCE_MS) == WAIT_OBJECT_0);
    CloseHandle(thread);
    meet_close();
}

static bool is_published(const char *name)
{
    HANDLE section = OpenFileMappingW(FILE_MAP_READ, FALSE, wide(name, "_shms_control"));
    struct control *c = section ? MapViewOfFile(section, FILE_MAP_READ, 0, 0, sizeof *c) : NULL;
    bool ready = c && a32_load_relaxed(&c->state) == STATE_READY; /* relaxed: a test */
    if (c)
        UnmapViewOfFile(c);
    if (section)
        CloseHandle(section);
    return ready;
}

/* A program that knows no control holds the lock before there is a region: the first open waits for it. */
static void init_behind_a_stranger(void)
{
    static char name[100];
    snprintf(name, sizeof name, "%s", unique("", "behind"));
    HANDLE gate = CreateEventW(NULL, FALSE, FALSE, wide(name, "_TShareMemStream_Event"));
    struct first f = {0};
    shms_stream *s = NULL;
    CHECK_RC(open_first(name, &f, 30, &s), SHMS_E_TIMEOUT);
    CHECK_RC(f.calls, 0);
    HANDLE thread = CreateThread(NULL, 0, open_beside, name, 0, NULL);
    while (!is_published(name) && WaitForSingleObject(thread, 1) == WAIT_TIMEOUT)
        ;
    SetEvent(gate);
    CHECK(WaitForSingleObject(thread, PATIENCE_MS) == WAIT_OBJECT_0);
    CHECK(WaitForSingleObject(gate, 0) == WAIT_OBJECT_0);
    CloseHandle(thread);
    CloseHandle(gate);
}

/* Bytes of theirs are not overwritten. */
static void no_init_of_what_strangers_made(void)
{
    const char *name = unique("", "theirs");
    struct first f = {0};
    struct ancestor a;
    shms_stream *s = NULL;
    ancestor_open(&a, name, FILE_MAP_ALL_ACCESS, 100);
    memcpy(a.memory, "theirs", 7);
    CHECK_RC(open_first(name, &f, 0, &s), 0);
    CHECK_RC(f.calls, 0);
    CHECK(strcmp(shms_stream_memory(s), "theirs") == 0);
    close_all(s, NULL, &a);
}

/* ---- tasks, members */

static DWORD WINAPI unlock_later(void *s)
{
    shms_info info = {.struct_size = sizeof info};
    do
        CHECK_RC(shms_stream_info(s, &info), 0);
    while (info.waiters == 0);
    CHECK_RC(shms_stream_unlock(s), 0);
    return 0;
}

static void tasks(void)
{
    shms_stream_options o = {.struct_size = sizeof o, .tasks = 1};
    shms_stream *s = NULL;
    CHECK_RC(shms_stream_open(unique("", "tasks"), 100, &o, &s), 0);
    CHECK_RC(shms_stream_lock(s, 0), 0);
    CHECK_RC(shms_stream_lock(s, 20), SHMS_E_TIMEOUT); /* another task, on the same thread */
    CHECK_RC(shms_stream_lock_shared(s, 0), SHMS_E_TIMEOUT);
    HANDLE thread = CreateThread(NULL, 0, unlock_later, s, 0, NULL);
    CHECK_RC(shms_stream_lock(s, PATIENCE_MS), 0);
    CHECK(WaitForSingleObject(thread, PATIENCE_MS) == WAIT_OBJECT_0);
    CloseHandle(thread);
    CHECK_RC(shms_stream_unlock(s), 0);
    CHECK_RC(shms_stream_unlock(s), SHMS_E_NOT_OWNER);
    shms_stream_close(s);
}

struct counted {
    int members, here, self, holders;
};

static int count(const shms_member *m, void *context)
{
    struct counted *c = context;
    c->members++;
    c->here += m->pid == (int32_t)GetCurrentProcessId();
    c->self += m->self != 0;
    c->holders += m->locked && !m->self;
    return 0;
}

static int hold(const char *region)
{
    shms_stream *s = open_plain(region);
    CHECK_RC(shms_stream_lock(s, PATIENCE_MS), 0);
    say_ready(region);
    shms_stream_close(s);
    return 0;
}

static void members(void)
{
    const char *name = unique("", "members");
    shms_stream *s = open_plain(name), *t = open_plain(name);
    struct counted c = {0};
    meet_make(name);
    HANDLE other = start("hold", name);
    await_ready();
    CHECK_RC(shms_stream_members(s, count, &c), 0);
    CHECK(c.members == 3 && c.here == 2 && c.self == 1 && c.holders == 1);
    say_go();
    CHECK_RC(finish(other), 0);
    CHECK_RC(shms_stream_members(s, count, (c = (struct counted){0}, &c)), 0);
    CHECK(c.members == 2 && c.here == 2);
    shms_stream_close(s);
    shms_stream_close(t);
    meet_close();
}

/* ---- kinds */

static void kinds(void)
{
    const char *name = unique("", "kinds");
    shms_stream *s = open_plain(name), *t = NULL;
    shms_stream_options read = {.struct_size = sizeof read, .access = SHMS_ACCESS_READ};
    shms_info info = {.struct_size = sizeof info};
    char got[200] = "";
    CHECK_RC(shms_stream_pwrite(s, "channel", 8, 0), 8);
    CHECK_RC(shms_stream_info(s, &info), 0);
    CHECK_RC(info.kind, SHMS_KIND_STREAM);
    HANDLE section = OpenFileMappingW(FILE_MAP_READ | FILE_MAP_WRITE, FALSE, wide(name, "_shms_control"));
    struct control *c = MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, sizeof *c);
    if (!CHECK(c != NULL))
        return;
    a32_store_relaxed(&c->kind, KIND_CHANNEL); /* relaxed: a test */
    CHECK_RC(shms_stream_info(s, &info), 0);
    CHECK_RC(info.kind, SHMS_KIND_CHANNEL);
    CHECK_RC(shms_stream_open(name, 100, NULL, &t), SHMS_E_KIND);
    CHECK_RC(shms_stream_open(name, 101, &read, &t), SHMS_E_SIZE);
    CHECK_RC(shms_stream_open(name, 100, &read, &t), 0);
    CHECK_RC(shms_stream_pread(t, got, sizeof got, 0), 100); /* and not a whole page */
    CHECK(strcmp(got, "channel") == 0);
    CHECK_RC(shms_stream_lock(t, 0), SHMS_E_DENIED);
    shms_stream_close(t);
    UnmapViewOfFile(c);
    CloseHandle(section);
    shms_stream_close(s);
}

const struct test tests[] = {{"rollback undoes", rollback_undoes},
                             {"rollback after growth", rollback_after_growth},
                             {"rollback of a plain section", rollback_of_a_plain_section},
                             {"looking is no change", looking_is_no_change},
                             {"waiting in a section", waiting_in_a_section},
                             {"waiting for the dead", waiting_for_the_dead},
                             {"init once", init_once},
                             {"init of the dead", init_of_the_dead},
                             {"init behind a stranger", init_behind_a_stranger},
                             {"no init of what strangers made", no_init_of_what_strangers_made},
                             {"tasks", tasks},
                             {"members", members},
                             {"kinds", kinds},
                             {0}};
const struct role roles[] = {{"answer", answer},
                             {"die_when_told", die_when_told},
                             {"open_and_die", open_and_die},
                             {"hold", hold},
                             {0}};
