/* SPDX-License-Identifier: MIT */
/* section.c: what a section leaves: roll-back, no change, wait_locked, tasks, and threads beside the journal.
 * */
#include "child.h"

#include <pthread.h>
#include <sys/time.h>

#define SIZE 65536
#define ATOMIC OPTIONS(.atomic = 1, .max_size = 1 << 20)

static const struct control *control_of(shms_stream *s)
{
    return s->section.member.region.control;
}

static char byte_at(shms_stream *s, int64_t offset)
{
    char c = 0;
    assert_int_equal(shms_stream_pread(s, &c, 1, offset), 1);
    return c;
}

static void put(shms_stream *s, char c, int64_t offset)
{
    assert_int_equal(shms_stream_pwrite(s, &c, 1, offset), 1);
}

/* Nothing may be left set while the lock is free. */
static void is_quiet(shms_stream *s)
{
    const struct control *c = control_of(s);
    assert_int_equal(a64_load_relaxed(&c->cell) & CELL_OWNER, 0);  /* relaxed: one thread; so below */
    assert_int_equal(a64_load_relaxed(&c->sequence) & 1, 0);
    assert_int_equal(a64_load_relaxed(&c->journal_used), 0);
    assert_int_equal(a32_load_relaxed(&s->section.journal.open), 0);
}

/* ---- rollback */

static void rolled_back(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, SIZE, ATOMIC), *other = unit_open(NAME, 0, ATOMIC);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    put(s, 'a', 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    int64_t version = shms_stream_version(s);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(shms_stream_lock(s, 0), 0);
        put(s, 'b', 0);
        put(s, 'c', 5000);
        assert_int_equal(shms_stream_resize(s, 2 * SIZE), 0);
        put(s, 'd', SIZE + 1);
        assert_int_equal(shms_stream_rollback(s), 0);
        assert_int_equal(shms_stream_rollback(s), SHMS_E_NOT_OWNER); /* twice */
        assert_int_equal(shms_stream_unlock(s), SHMS_E_NOT_OWNER);
        is_quiet(s);
        assert_int_equal(shms_stream_version(other), version);
        assert_int_equal(shms_stream_size(other), SIZE);
        assert_int_equal(byte_at(other, 0), 'a');
        assert_int_equal(byte_at(other, 5000), 0);
    }
    assert_int_equal(shms_stream_lock(other, 0), 0); /* no news */
    assert_int_equal(shms_stream_resize(other, 2 * SIZE), 0);
    assert_int_equal(byte_at(other, SIZE + 1), 0); /* what was grown and undone does not show */
    assert_int_equal(shms_stream_unlock(other), 0);
    shms_stream_close(other);
    shms_stream_close(s);
}

static void rolled_back_plain(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, SIZE, OPTIONS(.max_size = 2 * SIZE)), *other = unit_open(NAME, 0, NULL);
    assert_int_equal(shms_stream_rollback(s), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_stream_rollback(NULL), SHMS_E_INVALID);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_rollback(other), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_stream_rollback(s), 0);
    is_quiet(s);
    assert_int_equal(shms_stream_version(s), 0);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_non_null(shms_stream_memory(s)); /* who may write through a pointer rolls back what calls wrote */
    assert_int_equal(shms_stream_rollback(s), 0);
    is_quiet(s);
    assert_int_equal(shms_stream_version(other), 0);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    put(s, 'x', 0);
    assert_int_equal(shms_stream_rollback(s), SHMS_E_UNSUPPORTED);
    assert_true(shms_stream_lock(other, 0) == SHMS_E_TIMEOUT); /* the section goes on */
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(shms_stream_version(s), 2);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_resize(s, 2 * SIZE), 0);
    assert_int_equal(shms_stream_rollback(s), SHMS_E_UNSUPPORTED); /* a resize is a write */
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(shms_stream_lock_shared(s, 0), 0);
    assert_int_equal(shms_stream_rollback(s), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_stream_unlock(s), 0);
    shms_stream_close(other);
    shms_stream_close(s);
}

/* The bytes go back and forth beneath a reader that takes no lock. */
static void *roll_back_for_ever(void *arg)
{
    shms_stream *s = arg;
    static char bytes[4096];
    memset(bytes, 'r', sizeof bytes);
    for (int i = 0; i < 20000; i++)
        if (shms_stream_lock(s, -1) != 0 || shms_stream_pwrite(s, bytes, sizeof bytes, 0) != sizeof bytes ||
            shms_stream_rollback(s) != 0)
            return "a section";
    return NULL;
}

static void snapshots_see_no_rollback(void **state)
{
    pthread_t thread;
    void *rc;
    (void)state;
    shms_stream *s = unit_open(NAME, SIZE, ATOMIC), *reader = unit_open(NAME, 0, NULL);
    assert_int_equal(pthread_create(&thread, NULL, roll_back_for_ever, s), 0);
    for (int i = 0; i < 20000; i++) {
        char bytes[4096];
        int64_t got = shms_stream_snapshot(reader, bytes, sizeof bytes, 0);
        assert_true(got == sizeof bytes || got == SHMS_E_TIMEOUT);
        for (size_t k = 0; got > 0 && k < sizeof bytes; k++)
            assert_int_equal(bytes[k], 0);
    }
    pthread_join(thread, &rc);
    assert_null(rc);
    assert_int_equal(shms_stream_version(reader), 0);
    shms_stream_close(reader);
    shms_stream_close(s);
}

/* An opener's size is held against what is there once a dead section is undone, not against what it left. */
static int resizes_and_dies(void *size)
{
    shms_stream *s = NULL;
    EXPECT(shms_stream_open(NAME, 0, NULL, &s) == 0 && shms_stream_lock(s, 0) == 0);
    EXPECT(shms_stream_resize(s, *(uint64_t *)size) == 0);
    kill(getpid(), SIGKILL);
    return 1;
}

static void openers_see_the_size_after_rollback(void **state)
{
    (void)state;
    uint64_t sizes[] = {SIZE / 2, 2 * SIZE};
    for (int i = 0; i < 2; i++) {
        shms_stream *s = unit_open(NAME, SIZE, OPTIONS(.atomic = 1, .max_size = 2 * SIZE, .keep = 1));
        shms_stream_close(s);
        assert_int_equal(unit_child(resizes_and_dies, &sizes[i], 0), 128 + SIGKILL);
        if (i)
            assert_int_equal(unit_refused(NAME, 2 * SIZE, NULL), SHMS_E_SIZE);
        s = unit_open(NAME, SIZE, NULL);
        assert_int_equal(shms_stream_size(s), SIZE);
        is_quiet(s);
        shms_stream_close(s);
        assert_int_equal(shms_stream_unlink(NAME), 0);
    }
}

/* The size of a section that is open is nobody's but its holder's. */
static void a_size_of_between(void **state)
{
    static char bytes[SIZE];
    (void)state;
    for (int atomic = 0; atomic < 2; atomic++) {
        shms_stream *s = unit_open(NAME, SIZE, atomic ? ATOMIC : OPTIONS(.max_size = 1 << 20));
        shms_stream *other = unit_open(NAME, 0, OPTIONS(.open_timeout_ms = 20));
        assert_int_equal(shms_stream_lock(s, 0), 0);
        assert_int_equal(shms_stream_resize(s, 100), 0);
        assert_int_equal(shms_stream_snapshot(other, bytes, sizeof bytes, 100), SHMS_E_TIMEOUT);
        assert_int_equal(shms_stream_snapshot(other, bytes, sizeof bytes, SIZE), SHMS_E_TIMEOUT);
        assert_int_equal(shms_stream_snapshot(other, bytes, 0, 100), 0);
        assert_int_equal(unit_refused(NAME, SIZE, OPTIONS(.open_timeout_ms = 20)), SHMS_E_TIMEOUT);
        assert_int_equal(shms_stream_resize(s, SIZE), 0);
        assert_int_equal(shms_stream_unlock(s), 0);
        assert_int_equal(shms_stream_snapshot(other, bytes, sizeof bytes, 100), SIZE - 100);
        assert_int_equal(shms_stream_snapshot(other, bytes, sizeof bytes, SIZE), 0);
        assert_int_equal(unit_refused(NAME, SIZE + 1, NULL), SHMS_E_SIZE);
        shms_stream_close(other);
        shms_stream_close(s);
    }
}

/* Where the dead one's section cannot be undone, nobody is shown a part of it. */
static int reads_without_means(void *unused)
{
    struct rlimit limit, none;
    char byte = 0;
    shms_stream *s = NULL;
    uint64_t size = 100;
    (void)unused;
    EXPECT(shms_stream_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ), &s) == 0);
    EXPECT(unit_child(resizes_and_dies, &size, 0) == 128 + SIGKILL);
    EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    none = (struct rlimit){0, limit.rlim_max};
    EXPECT(setrlimit(RLIMIT_NOFILE, &none) == 0);
    int locked = shms_stream_lock(s, 0), shared = shms_stream_lock_shared(s, 0);
    int64_t got = shms_stream_snapshot(s, &byte, 1, 0), beyond = shms_stream_snapshot(s, &byte, 1, 200);
    int oserror = shms_last_oserror();
    EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    EXPECT(locked == SHMS_E_OS && shared == SHMS_E_OS && got == SHMS_E_OS);
    EXPECT(beyond == SHMS_E_OS && oserror == EMFILE);
    EXPECT(shms_stream_lock_shared(s, 0) == 0 && shms_stream_size(s) == SIZE);
    shms_stream_close(s);
    return 0;
}

static void nobody_reads_what_must_be_undone(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, SIZE, ATOMIC);
    assert_int_equal(unit_child(reads_without_means, NULL, 0), 0);
    is_quiet(s);
    shms_stream_close(s);
}

/* ---- a section that wrote nothing is no change */

static void what_is_a_change(void **state)
{
    char path[] = "/tmp/section-test-XXXXXX";
    FILE *f = NULL;
    (void)state;
    for (int atomic = 0; atomic < 2; atomic++) {
        shms_stream *s = unit_open(NAME, SIZE, atomic ? ATOMIC : OPTIONS(.max_size = 1 << 20));
        int64_t seen = 0;
        for (int i = 0; i < 3; i++) {
            assert_int_equal(shms_stream_lock(s, 0), 0);
            (void)byte_at(s, 0);
            assert_int_equal(shms_stream_unlock(s), 0);
            assert_int_equal(shms_stream_wait(s, &seen, 0), SHMS_E_TIMEOUT);
        }
#define CHANGES(what)                                                                                       \
    do {                                                                                                    \
        assert_int_equal(shms_stream_lock(s, 0), 0);                                                        \
        what;                                                                                               \
        assert_int_equal(shms_stream_unlock(s), 0);                                                         \
        assert_int_equal(shms_stream_wait(s, &seen, 0), 0);                                                 \
        assert_int_equal(shms_stream_wait(s, &seen, 0), SHMS_E_TIMEOUT);                                    \
    } while (0)
        CHANGES(put(s, 'x', 0));
        CHANGES(assert_int_equal(shms_stream_write(s, "y", 1), 1));
        CHANGES(assert_int_equal(shms_stream_resize(s, SIZE + 1), 0));
        CHANGES(assert_int_equal(shms_stream_file(s, "r+", &f), 0); fputc('z', f); fclose(f));
        int fd = mkstemp(path);
        assert_int_equal(write(fd, "l", 1), 1);
        close(fd);
        CHANGES(assert_int_equal(shms_stream_load(s, path), 1));
        remove(path);
        strcpy(path, "/tmp/section-test-XXXXXX");
        assert_int_equal(shms_stream_pwrite(s, "u", 1, 0), 1); /* outside a section: it makes none a change */
        assert_int_equal(shms_stream_lock(s, 0), 0);
        assert_int_equal(shms_stream_unlock(s), 0);
        assert_int_equal(shms_stream_wait(s, &seen, 0), SHMS_E_TIMEOUT);
        CHANGES(assert_non_null(shms_stream_memory(s))); /* from here on nobody can tell */
        CHANGES((void)0);
        shms_stream_close(s);
    }
}

/* A change shows at once, and not only when nobody is in a section. */
static void changes_show_beside_a_section(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, SIZE, NULL), *other = unit_open(NAME, 0, NULL);
    int64_t seen = 0;
    assert_int_equal(shms_stream_lock(s, 0), 0);
    put(s, 'x', 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(shms_stream_lock(other, 0), 0);
    put(other, 'y', 1);
    assert_int_equal(shms_stream_wait(s, &seen, 0), 0);
    assert_int_equal(seen, 2);
    assert_int_equal(shms_stream_wait(s, &seen, 0), SHMS_E_TIMEOUT);
    assert_int_equal(shms_stream_unlock(other), 0);
    assert_int_equal(shms_stream_wait(s, &seen, 0), 0);
    shms_stream_close(other);
    shms_stream_close(s);
}

/* ---- wait_locked */

struct turns {
    shms_stream *s;
    unsigned char mine;
};

/* Two count to a number, each only when it is its turn. */
static void *take_turns(void *arg)
{
    struct turns *t = arg;
    unsigned char now = 0;
    if (shms_stream_lock(t->s, 20000) != 0)
        return "lock";
    while (now < 200) {
        while (shms_stream_pread(t->s, &now, 1, 0) == 1 && now < 200 && now % 2 != t->mine)
            if (shms_stream_wait_locked(t->s, 20000) != 0)
                return "wait_locked";
        if (now < 200) {
            now++;
            if (shms_stream_pwrite(t->s, &now, 1, 0) != 1)
                return "pwrite";
        }
    }
    return shms_stream_unlock(t->s) ? "unlock" : NULL;
}

static void waits_for_each_other(void **state)
{
    (void)state;
    for (int pointer = 0; pointer < 2; pointer++) {
        pthread_t threads[2];
        void *rc;
        struct turns t[2] = {{unit_open(NAME, 16, NULL), 0}, {unit_open(NAME, 16, NULL), 1}};
        for (int i = 0; i < 2; i++) {
            if (pointer)
                shms_stream_memory(t[i].s);
            assert_int_equal(pthread_create(&threads[i], NULL, take_turns, &t[i]), 0);
        }
        for (int i = 0; i < 2; i++) {
            pthread_join(threads[i], &rc);
            if (rc)
                fail_msg("%s failed", (char *)rc);
        }
        shms_stream_close(t[1].s);
        shms_stream_close(t[0].s);
    }
}

static void wait_locked_edges(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL), *other = unit_open(NAME, 16, NULL);
    assert_int_equal(shms_stream_wait_locked(NULL, 0), SHMS_E_INVALID);
    assert_int_equal(shms_stream_wait_locked(s, -2), SHMS_E_INVALID);
    assert_int_equal(shms_stream_wait_locked(s, 0), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_stream_lock_shared(s, 0), 0);
    assert_int_equal(shms_stream_wait_locked(s, 0), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    put(s, 'x', 0); /* its own change is none that it waits for */
    assert_int_equal(shms_stream_wait_locked(s, 0), SHMS_E_TIMEOUT);
    assert_int_equal(shms_stream_wait_locked(s, 20), SHMS_E_TIMEOUT);
    assert_int_equal(shms_stream_notify(s), 0); /* nor its own notice */
    assert_int_equal(shms_stream_wait_locked(s, 20), SHMS_E_TIMEOUT);
    assert_int_equal(shms_stream_lock(other, 0), SHMS_E_TIMEOUT); /* the lock is held all the same */
    assert_int_equal(shms_stream_unlock(s), 0);
    is_quiet(s);
    shms_stream_close(other);
    shms_stream_close(s);
}

/* What another says while the waiter still has the lock is news for it, even if that has changed something
 * itself. */
static void wait_locked_hears_a_notice(void **state)
{
    (void)state;
    for (int atomic = 0; atomic < 2; atomic++)
        for (int writes = 0; writes < 2; writes++) {
            shms_stream *s = unit_open(NAME, 16, atomic ? OPTIONS(.atomic = 1) : NULL);
            shms_stream *other = unit_open(NAME, 16, NULL);
            assert_int_equal(shms_stream_lock(s, 0), 0);
            if (writes)
                put(s, 'x', 0);
            assert_int_equal(shms_stream_notify(other), 0);
            assert_int_equal(shms_stream_wait_locked(s, 0), 0);
            assert_int_equal(shms_stream_wait_locked(s, 0), SHMS_E_TIMEOUT);
            put(s, 'y', 0);
            assert_int_equal(shms_stream_notify(s), 0);
            assert_int_equal(shms_stream_notify(other), 0);
            assert_int_equal(shms_stream_wait_locked(s, 0), 0);
            assert_int_equal(shms_stream_unlock(s), 0);
            shms_stream_close(other);
            shms_stream_close(s);
        }
}

/* A notice of the section's own is told by its end, whatever that is. */
static void a_notice_outlives_a_rollback(void **state)
{
    (void)state;
    for (int atomic = 0; atomic < 2; atomic++) {
        shms_stream *s = unit_open(NAME, 16, atomic ? OPTIONS(.atomic = 1) : NULL);
        for (int i = 0; i < 2; i++) {
            int64_t seen = shms_stream_version(s);
            assert_int_equal(shms_stream_lock(s, 0), 0);
            assert_int_equal(shms_stream_notify(s), 0);
            assert_int_equal(i ? shms_stream_unlock(s) : shms_stream_rollback(s), 0);
            assert_int_equal(shms_stream_wait(s, &seen, 0), 0);
        }
        shms_stream_close(s);
    }
}

static int writes_half_and_dies(void *arg)
{
    EXPECT(shms_stream_lock(arg, 20000) == 0 && shms_stream_pwrite(arg, "half", 4, 0) == 4);
    kill(getpid(), SIGKILL);
    return 0;
}

static void wait_locked_is_told_of_the_dead(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    pid_t pid = unit_fork(writes_half_and_dies, s, 0);
    assert_int_equal(shms_stream_wait_locked(s, 20000), SHMS_OWNER_DIED);
    assert_int_equal(unit_wait(pid), 128 + SIGKILL);
    assert_int_equal(shms_stream_repaired(s), 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    shms_stream_close(s);
}

/* ---- tasks */

static void *locks_in_thread(void *s)
{
    return (void *)(intptr_t)shms_stream_lock(s, 20000);
}

static void the_lock_of_tasks(void **state)
{
    pthread_t thread;
    void *rc;
    (void)state;
    shms_stream *s = unit_open(NAME, 16, OPTIONS(.tasks = 1)), *other = unit_open(NAME, 16, NULL);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_lock(s, 0), SHMS_E_TIMEOUT); /* not DEADLOCK: another task may unlock */
    assert_int_equal(shms_stream_lock(s, 10), SHMS_E_TIMEOUT);
    assert_int_equal(shms_stream_lock_shared(s, 0), SHMS_E_TIMEOUT);
    assert_int_equal(pthread_create(&thread, NULL, locks_in_thread, s), 0);
    WAIT_FOR(a64_load_relaxed(&control_of(s)->cell) & CELL_WAITERS); /* relaxed: a look */
    assert_int_equal(shms_stream_unlock(s), 0);
    pthread_join(thread, &rc);
    assert_ptr_equal(rc, NULL);
    assert_int_equal(shms_stream_unlock(s), 0); /* the task has moved to this thread */
    for (int i = 0; i < 40; i++) /* more than there are entries */
        assert_int_equal(shms_stream_lock_shared(s, 0), 0);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(shms_stream_lock(other, 0), SHMS_E_TIMEOUT);
        assert_int_equal(shms_stream_unlock(s), 0);
    }
    assert_int_equal(shms_stream_unlock(s), SHMS_E_NOT_OWNER);
    assert_int_equal(shms_stream_lock(other, 0), 0);
    assert_int_equal(shms_stream_lock(s, 0), SHMS_E_TIMEOUT);
    assert_int_equal(shms_stream_unlock(other), 0);
    is_quiet(s);
    shms_stream_close(other);
    shms_stream_close(s);
}

/* Holds that are counted do not keep a writer out for ever. */
static atomic_bool stop_reading;

static void *reads_without_pause(void *arg)
{
    shms_stream *s = arg;
    if (shms_stream_lock_shared(s, 20000) < 0)
        return "the first hold";
    while (!stop_reading) { /* one hold is always taken before the other is given back */
        int rc = shms_stream_lock_shared(s, 50);
        if (rc != 0 && rc != SHMS_E_TIMEOUT)
            return "a hold";
        if (shms_stream_unlock(s) != 0)
            return "unlock";
        if (rc == SHMS_E_TIMEOUT && shms_stream_lock_shared(s, 20000) < 0)
            return "a hold after the writer";
    }
    return shms_stream_unlock(s) ? "the last unlock" : NULL;
}

static void counted_holds_let_writers_in(void **state)
{
    pthread_t thread;
    void *rc;
    (void)state;
    shms_stream *s = unit_open(NAME, 16, OPTIONS(.tasks = 1)), *writer = unit_open(NAME, 16, NULL);
    assert_int_equal(shms_stream_lock_shared(s, 0), 0);
    assert_int_equal(pthread_create(&thread, NULL, locks_in_thread, writer), 0);
    WAIT_FOR(a64_load_relaxed(&control_of(s)->cell) & CELL_OWNER); /* relaxed: a look */
    assert_int_equal(shms_stream_lock_shared(s, 0), SHMS_E_TIMEOUT);
    assert_int_equal(shms_stream_unlock(s), 0);
    pthread_join(thread, &rc);
    assert_ptr_equal(rc, NULL);
    assert_int_equal(shms_stream_unlock(writer), 0);

    stop_reading = false;
    assert_int_equal(pthread_create(&thread, NULL, reads_without_pause, s), 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(shms_stream_lock(writer, 20000), 0);
        assert_int_equal(shms_stream_unlock(writer), 0);
    }
    stop_reading = true;
    pthread_join(thread, &rc);
    if (rc)
        fail_msg("%s failed", (char *)rc);
    shms_stream_close(writer);
    shms_stream_close(s);
}

/* ---- threads beside the journal */

static shms_stream *shared_handle;
static atomic_bool stop_writing;

static void *writes_without_the_lock(void *place)
{
    char bytes[256];
    int64_t at = *(int64_t *)place;
    for (unsigned n = 0; !stop_writing; n++) {
        memset(bytes, (int)n, sizeof bytes);
        if (shms_stream_pwrite(shared_handle, bytes, sizeof bytes, at + n % 16 * 256) != sizeof bytes)
            return "pwrite";
    }
    return NULL;
}

static void *makes_sections(void *unused)
{
    char bytes[512];
    memset(bytes, 1, sizeof bytes);
    (void)unused;
    while (!stop_writing)
        if (shms_stream_lock(shared_handle, 20000) < 0 ||
            shms_stream_pwrite(shared_handle, bytes, sizeof bytes, 0) != sizeof bytes ||
            shms_stream_unlock(shared_handle) != 0)
            return "a section";
    return NULL;
}

static int dies_in_its_fifth_section(void *unused)
{
    shms_stream *s = NULL;
    char bytes[4096];
    (void)unused;
    EXPECT(shms_stream_open(NAME, 0, NULL, &s) == 0);
    for (int n = 1; n <= 5; n++) {
        EXPECT(shms_stream_lock(s, 20000) == 0);
        memset(bytes, n, sizeof bytes);
        EXPECT(shms_stream_pwrite(s, bytes, n < 5 ? sizeof bytes : 1000, 32768) > 0);
        if (n == 5)
            kill(getpid(), SIGKILL);
        EXPECT(shms_stream_unlock(s) == 0);
    }
    return 1;
}

/* Threads of one process write, with the lock and without, while others die inside their sections. */
static void the_dead_are_undone_beside_threads(void **state)
{
    static int64_t places[] = {8192, 16384};
    pthread_t threads[3];
    void *rc;
    (void)state;
    shared_handle = unit_open(NAME, SIZE, ATOMIC);
    shms_stream *judge = unit_open(NAME, 0, NULL);
    stop_writing = false;
    assert_int_equal(pthread_create(&threads[0], NULL, makes_sections, NULL), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, writes_without_the_lock, &places[0]), 0);
    assert_int_equal(pthread_create(&threads[2], NULL, writes_without_the_lock, &places[1]), 0);
    for (int round = 0; round < 60; round++) {
        unsigned char bytes[4096];
        assert_int_equal(unit_child(dies_in_its_fifth_section, NULL, 0), 128 + SIGKILL);
        assert_int_equal(shms_stream_lock(judge, 20000), 0);
        assert_int_equal(shms_stream_pread(judge, bytes, sizeof bytes, 32768), sizeof bytes);
        assert_int_equal(shms_stream_unlock(judge), 0);
        for (size_t i = 0; i < sizeof bytes; i++)
            assert_int_equal(bytes[i], 4);
    }
    stop_writing = true;
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], &rc);
        if (rc)
            fail_msg("%s failed", (char *)rc);
    }
    is_quiet(judge);
    shms_stream_close(judge);
    shms_stream_close(shared_handle);
}

/* Threads share one open section: what each of them saves is undone. */
static void *writes_its_blocks(void *arg)
{
    int first = *(int *)arg;
    for (int64_t i = first; i < SIZE / 256; i += 4)
        if (shms_stream_pwrite(shared_handle, "thread", 6, i * 256) != 6)
            return "pwrite";
    return NULL;
}

static void threads_write_in_one_section(void **state)
{
    (void)state;
    shared_handle = unit_open(NAME, SIZE, ATOMIC);
    for (int round = 0; round < 30; round++) {
        pthread_t threads[4];
        int firsts[4] = {0, 1, 2, 3};
        void *rc;
        assert_int_equal(shms_stream_lock(shared_handle, 0), 0);
        for (int i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, writes_its_blocks, &firsts[i]), 0);
        for (int i = 0; i < 4; i++) {
            pthread_join(threads[i], &rc);
            if (rc)
                fail_msg("%s failed", (char *)rc);
        }
        assert_int_equal(shms_stream_rollback(shared_handle), 0);
        for (int64_t i = 0; i < SIZE / 256; i++)
            assert_int_equal(byte_at(shared_handle, i * 256), 0);
    }
    is_quiet(shared_handle);
    shms_stream_close(shared_handle);
}

/* A writer is inside the journal while its process forks: the child begins with a clean one. */
static void *fills_sections(void *unused)
{
    static char bytes[32768];
    (void)unused;
    memset(bytes, 7, sizeof bytes);
    while (!stop_writing)
        if (shms_stream_lock(shared_handle, 20000) < 0 ||
            shms_stream_pwrite(shared_handle, bytes, sizeof bytes, 0) != sizeof bytes ||
            shms_stream_unlock(shared_handle) != 0)
            return "a section";
    return NULL;
}

static int overwrites_and_dies(void *unused)
{
    static char bytes[32768];
    (void)unused;
    memset(bytes, 9, sizeof bytes);
    EXPECT(shms_stream_lock(shared_handle, 20000) == 0);
    EXPECT(shms_stream_pwrite(shared_handle, bytes, sizeof bytes, 0) == sizeof bytes);
    kill(getpid(), SIGKILL);
    return 1;
}

static void a_child_begins_with_a_clean_journal(void **state)
{
    static char bytes[32768];
    pthread_t thread;
    void *rc;
    (void)state;
    shared_handle = unit_open(NAME, SIZE, ATOMIC);
    shms_stream *judge = unit_open(NAME, 0, NULL);
    memset(bytes, 7, sizeof bytes);
    assert_int_equal(shms_stream_lock(judge, 0), 0);
    assert_int_equal(shms_stream_pwrite(judge, bytes, sizeof bytes, 0), sizeof bytes);
    assert_int_equal(shms_stream_unlock(judge), 0);
    stop_writing = false;
    assert_int_equal(pthread_create(&thread, NULL, fills_sections, NULL), 0);
    for (int round = 0; round < 100; round++) {
        assert_int_equal(unit_child(overwrites_and_dies, NULL, 0), 128 + SIGKILL);
        assert_int_equal(shms_stream_lock(judge, 20000), 0);
        assert_int_equal(shms_stream_pread(judge, bytes, sizeof bytes, 0), sizeof bytes);
        assert_int_equal(shms_stream_unlock(judge), 0);
        for (size_t i = 0; i < sizeof bytes; i++)
            assert_int_equal(bytes[i], 7);
    }
    stop_writing = true;
    pthread_join(thread, &rc);
    if (rc)
        fail_msg("%s failed", (char *)rc);
    shms_stream_close(judge);
    shms_stream_close(shared_handle);
}

/* ---- cut off: a handler of a signal leaves a call by siglongjmp */

static sigjmp_buf back;

static void leap(int signo)
{
    (void)signo;
    siglongjmp(back, 1);
}

/* Whole sections, until the signal comes. */
static void be_cut_off(shms_stream *s, int after_us)
{
    struct itimerval soon = {.it_value = {.tv_usec = after_us}};
    if (sigsetjmp(back, 1))
        return;
    setitimer(ITIMER_REAL, &soon, NULL);
    for (int i = 0; i < 10000000; i++) {
        if (shms_stream_lock(s, -1) >= 0)
            shms_stream_pwrite(s, "0123456789", 10, i % 1000 * 60);
        shms_stream_unlock(s);
        if (shms_stream_lock_shared(s, -1) >= 0)
            shms_stream_unlock(s);
    }
    fail_msg("no signal came");
}

/* At random moments. Afterwards unlock until it is not held, and all goes on, for others too. */
static void cut_off_by_a_handler(void **state)
{
    (void)state;
    signal(SIGALRM, leap);
    for (int atomic = 0; atomic < 2; atomic++) {
        shms_stream *s = unit_open(NAME, SIZE, atomic ? ATOMIC : NULL), *other = unit_open(NAME, 0, NULL);
        for (int round = 0; round < 3000; round++) {
            be_cut_off(s, 1 + round % 97);
            int rc = 0;
            for (int i = 0; rc == 0; i++) {
                assert_true(i < 3);
                rc = shms_stream_unlock(s);
            }
            assert_int_equal(rc, SHMS_E_NOT_OWNER);
            rc = shms_stream_lock(other, 0);
            assert_true(rc == 0 || rc == SHMS_OWNER_DIED);
            if (rc == SHMS_OWNER_DIED)
                assert_int_equal(shms_stream_repaired(other), 0);
            assert_int_equal(shms_stream_unlock(other), 0);
        }
        is_quiet(other);
        shms_stream_close(other);
        shms_stream_close(s);
    }
    signal(SIGALRM, SIG_DFL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rolled_back),
        TEST(rolled_back_plain),
        TEST(snapshots_see_no_rollback),
        TEST(openers_see_the_size_after_rollback),
        TEST(a_size_of_between), TEST(nobody_reads_what_must_be_undone),
        TEST(what_is_a_change),
        TEST(changes_show_beside_a_section),
        TEST(waits_for_each_other),
        TEST(wait_locked_edges),
        TEST(wait_locked_hears_a_notice),
        TEST(a_notice_outlives_a_rollback),
        TEST(wait_locked_is_told_of_the_dead),
        TEST(the_lock_of_tasks),
        TEST(counted_holds_let_writers_in),
        TEST(the_dead_are_undone_beside_threads),
        TEST(threads_write_in_one_section),
        TEST(a_child_begins_with_a_clean_journal),
        TEST(cut_off_by_a_handler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
