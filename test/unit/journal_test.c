/* SPDX-License-Identifier: MIT */
/* journal.c: what a section wrote is all there or not there at all. */
#include "child.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define SIZE 10000
#define ATOMIC OPTIONS(.atomic = 1, .max_size = 1 << 22)

static struct control *control_of(const shms_stream *s)
{
    return s->section.member.region.control;
}

static uint64_t used(const shms_stream *s)
{
    return a64_load_relaxed(&control_of(s)->journal_used); /* relaxed: one thread */
}

/* A stream filled with a pattern, outside any section. */
static shms_stream *patterned(uint64_t size, const shms_stream_options *options)
{
    shms_stream *s = unit_open(NAME, size, options);
    unsigned char *p = shms_stream_memory(s);
    for (uint64_t i = 0; i < size; i++)
        p[i] = (unsigned char)(i * 7 + i / 256);
    return s;
}

static bool is_pattern(shms_stream *s, uint64_t from, uint64_t to)
{
    const unsigned char *p = shms_stream_memory(s);
    for (uint64_t i = from; i < to; i++)
        if (p[i] != (unsigned char)(i * 7 + i / 256))
            return false;
    return true;
}

static void fill(shms_stream *s, uint64_t from, uint64_t to)
{
    static unsigned char bytes[1 << 22];
    memset(bytes, 0xee, sizeof bytes);
    assert_int_equal(shms_stream_pwrite(s, bytes, (size_t)(to - from), (int64_t)from), (int64_t)(to - from));
}

/* A close inside the section undoes it; an unlock keeps it. By every way of writing. */
static void undone_or_kept(void **state)
{
    static const uint64_t ranges[][2] = {{0, 1},    {0, 256},      {255, 257},   {100, 164},
                                         {0, SIZE}, {9990, SIZE}, {1000, 9000}, {SIZE - 1, SIZE}};
    (void)state;
    shms_stream *s = patterned(SIZE, ATOMIC);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(used(s), 0);
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        shms_stream *other = unit_open(NAME, 0, NULL); /* the region is atomic: all its handles are */
        assert_int_equal(shms_stream_lock(other, 0), 0);
        for (size_t k = 0; k <= i; k++)
            fill(other, ranges[k][0], ranges[k][1]);
        assert_int_equal(shms_stream_seek(other, 3, SEEK_SET), 3);
        assert_int_equal(shms_stream_write(other, "written", 7), 7);
        assert_memory_equal((char *)shms_stream_memory(s) + 3, "written", 7);
        assert_true(used(s) > 0);
        shms_stream_close(other);
        assert_true(is_pattern(s, 0, SIZE));
        assert_int_equal(used(s), 0);
        assert_int_equal(shms_stream_lock(s, 0), 0); /* no news: the data is whole */
        assert_int_equal(shms_stream_unlock(s), 0);
    }
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_pwrite(s, "kept", 4, 500), 4);
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(used(s), 0);
    assert_memory_equal((char *)shms_stream_memory(s) + 500, "kept", 4);
    shms_stream_close(s);
}

/* Many writes to one place take the room of one. */
static void each_block_once(void **state)
{
    struct stat st;
    (void)state;
    shms_stream *s = patterned(SIZE, ATOMIC);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(shms_stream_pwrite(s, &i, sizeof i, 8 * (i % 1000)), sizeof i);
    assert_true(used(s) < SIZE + SIZE / 8);
    assert_int_equal(stat(local_files.control, &st), 0);
    assert_true(st.st_size <= LAYOUT_JOURNAL + 65536);
    shms_stream *other = unit_open(NAME, 0, NULL);
    shms_stream_close(s);
    assert_true(is_pattern(other, 0, SIZE));
    shms_stream_close(other);
}

static void outside_a_section(void **state)
{
    (void)state;
    shms_stream *s = patterned(SIZE, ATOMIC), *other = unit_open(NAME, 0, NULL);
    assert_int_equal(shms_stream_lock(other, 0), 0);
    assert_int_equal(shms_stream_pwrite(s, "x", 1, 0), 1);
    assert_int_equal(used(s), 0);
    shms_stream_close(other);
    assert_memory_equal(shms_stream_memory(s), "x", 1);
    shms_stream_close(s);
}

struct death {
    int *gate;
    int what;
};

static int die_inside(void *context)
{
    const struct death *d = context;
    shms_stream *s;
    EXPECT(shms_stream_open(NAME, 0, ATOMIC, &s) == 0);
    EXPECT(shms_stream_lock(s, 0) == 0);
    fill(s, 10, 2000);
    if (d->what == 1)
        EXPECT(shms_stream_resize(s, SIZE * 3) == 0);
    if (d->what == 1)
        fill(s, SIZE - 5, SIZE * 3);
    if (d->what == 2)
        EXPECT(shms_stream_resize(s, 100) == 0);
    if (d->what == 3) {
        EXPECT(shms_stream_resize(s, 100) == 0);
        EXPECT(shms_stream_resize(s, 9000) == 0);
        for (int i = 100; i < 9000; i++)
            EXPECT(((char *)shms_stream_memory(s))[i] == 0);
        fill(s, 4000, 5000);
        EXPECT(shms_stream_resize(s, 50) == 0);
        EXPECT(shms_stream_resize(s, SIZE * 2) == 0);
        for (int i = 50; i < SIZE * 2; i++)
            EXPECT(((char *)shms_stream_memory(s))[i] == 0);
    }
    unit_gate_open(d->gate);
    for (;;)
        pause();
}

static void kill_inside(int what)
{
    int gate[2];
    assert_int_equal(pipe(gate), 0);
    struct death d = {gate, what};
    pid_t pid = unit_fork(die_inside, &d, 0);
    unit_gate_wait(gate);
    kill(pid, SIGKILL);
    unit_wait(pid);
    close(gate[0]);
    close(gate[1]);
}

static int shrink_and_die(void *gate)
{
    shms_stream *s;
    EXPECT(shms_stream_open(NAME, 0, OPTIONS(.atomic = 1, .max_size = SIZE), &s) == 0);
    unit_gate_open((int *)gate);
    unit_gate_wait((int *)gate + 2);
    EXPECT(shms_stream_size(s) == SIZE);
    EXPECT(shms_stream_lock(s, 0) == 0);
    EXPECT(shms_stream_resize(s, 50) == 0);
    EXPECT(shms_stream_resize(s, 5000) == 0);
    kill(getpid(), SIGKILL);
    return 1;
}

/* Who has mapped a part only, and dies, takes nothing from the rest. */
static void died_with_a_part(void **state)
{
    int gates[4];
    (void)state;
    shms_stream *s = patterned(SIZE, OPTIONS(.atomic = 1, .max_size = 1 << 22));
    assert_int_equal(pipe(gates) | pipe(gates + 2), 0);
    pid_t pid = unit_fork(shrink_and_die, gates, 0);
    unit_gate_wait(gates);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_resize(s, SIZE * 3), 0);
    memset((char *)shms_stream_memory(s) + SIZE, 'r', SIZE * 2);
    assert_int_equal(shms_stream_unlock(s), 0);
    unit_gate_open(gates + 2);
    assert_int_equal(unit_wait(pid), 128 + SIGKILL);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_size(s), SIZE * 3);
    assert_true(is_pattern(s, 0, SIZE));
    for (int i = SIZE; i < SIZE * 3; i++)
        assert_int_equal(((char *)shms_stream_memory(s))[i], 'r');
    assert_int_equal(shms_stream_unlock(s), 0);
    for (int i = 0; i < 4; i++)
        close(gates[i]);
    shms_stream_close(s);
}

/* Each who comes next finds the old bytes and the old size: who locks, who locks to read, who only reads, who
 * opens, who takes a snapshot, who waits. */
static void died_inside(void **state)
{
    char one = 0;
    (void)state;
    shms_stream *s = patterned(SIZE, ATOMIC);
    shms_stream *r = unit_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ, .max_size = 1 << 22));
    for (int what = 0; what < 4; what++)
        for (int who = 0; who < 6; who++) {
            int64_t seen = shms_stream_version(s);
            shms_info info = {.struct_size = sizeof info};
            kill_inside(what);
            assert_int_equal(shms_stream_info(s, &info), 0);
            assert_true(info.rollback == 1 && info.locked == 2 && info.atomic == 1 && info.owner_died == 0);
            if (who == 0)
                assert_int_equal(shms_stream_lock(s, -1), 0);
            if (who == 1)
                assert_int_equal(shms_stream_lock(r, -1), 0);
            if (who == 2)
                assert_int_equal(shms_stream_lock_shared(r, -1), 0);
            if (who == 3)
                shms_stream_close(unit_open(NAME, 0, NULL));
            if (who == 4)
                assert_int_equal(shms_stream_snapshot(r, &one, 1, 10), 1);
            if (who == 5)
                assert_int_equal(shms_stream_wait(r, &seen, 20000), 0);
            assert_true(is_pattern(s, 0, SIZE));
            assert_int_equal(shms_stream_size(s), SIZE);
            assert_int_equal(used(s), 0);
            if (who == 0)
                assert_int_equal(shms_stream_unlock(s), 0);
            if (who == 1 || who == 2)
                assert_int_equal(shms_stream_unlock(r), 0);
            assert_int_equal(shms_stream_version(s) & 1, 0);
            assert_int_equal(shms_stream_info(s, &info), 0);
            assert_true(info.rollback == 0 && info.locked == 0);
        }
    shms_stream_close(r);
    shms_stream_close(s);
}

/* Nobody is left but the files: the next opener of a kept region rolls back. */
static void kept_and_died(void **state)
{
    (void)state;
    shms_stream_close(patterned(SIZE, OPTIONS(.atomic = 1, .keep = 1, .max_size = 1 << 22)));
    kill_inside(1);
    shms_stream *s = unit_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ));
    assert_true(is_pattern(s, 0, SIZE));
    assert_int_equal(shms_stream_size(s), SIZE);
    shms_stream_close(s);
    assert_int_equal(shms_stream_unlink(NAME), 0);
}

/* Resizes that are kept: their memory goes when the section ends, and new bytes are zero. */
static void resized_and_kept(void **state)
{
    struct stat st;
    (void)state;
    shms_stream *s = patterned(1 << 21, ATOMIC);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_resize(s, 4096), 0);
    assert_int_equal(stat(local_files.data, &st), 0);
    assert_true(st.st_blocks * 512 >= 1 << 21);
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(stat(local_files.data, &st), 0);
    assert_true(st.st_blocks * 512 <= 65536);
    assert_true(is_pattern(s, 0, 4096));
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_resize(s, 1 << 22), 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    const char *p = shms_stream_memory(s);
    for (int i = 4096; i < 1 << 22; i++)
        assert_int_equal(p[i], 0);
    shms_stream_close(s);
}

/* A large section's journal is given back; what stays is bounded. */
static void a_large_section(void **state)
{
    struct stat st;
    (void)state;
    shms_stream *s = patterned(1 << 22, ATOMIC);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(shms_stream_lock(s, 0), 0);
        fill(s, 0, 1 << 22);
        assert_true(used(s) > 1 << 22);
        assert_int_equal(shms_stream_unlock(s), 0);
        assert_int_equal(stat(local_files.control, &st), 0);
        assert_true(st.st_blocks * 512 <= (1 << 20) + 65536);
    }
    shms_stream_close(s);
}

/* No room for the old bytes: nothing is written, and the section can go on. */
static void no_room(void **state)
{
    struct rlimit limit, small;
    (void)state;
    shms_stream *s = patterned(1 << 20, ATOMIC);
    getrlimit(RLIMIT_FSIZE, &limit);
    small = limit;
    small.rlim_cur = LAYOUT_JOURNAL + 65536;
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_pwrite(s, "in", 2, 0), 2);
    setrlimit(RLIMIT_FSIZE, &small);
    static char bytes[1 << 20];
    int64_t rc = shms_stream_pwrite(s, bytes, sizeof bytes, 0);
    int64_t rc2 = shms_stream_write(s, bytes, sizeof bytes);
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_int_equal(rc, SHMS_E_NOSPACE);
    assert_int_equal(rc2, SHMS_E_NOSPACE);
    assert_int_equal(shms_stream_tell(s), 0);
    assert_memory_equal(shms_stream_memory(s), "in", 2);
    assert_true(is_pattern(s, 2, 1 << 20));
    assert_int_equal(shms_stream_pwrite(s, bytes, sizeof bytes, 0), sizeof bytes);
    shms_stream *other = unit_open(NAME, 0, NULL);
    shms_stream_close(s);
    assert_true(is_pattern(other, 0, 1 << 20));
    shms_stream_close(other);
}

static shms_stream *shared_handle;

/* Each its own two of every eight bytes, so that all write in the same blocks. */
static void *write_a_part(void *offset)
{
    for (int i = 0; i < 1000; i++)
        if (shms_stream_pwrite(shared_handle, "ab", 2, i * 8 + (int)(intptr_t)offset) != 2)
            return shared_handle;
    return NULL;
}

/* Threads that share a handle write in its section at once. */
static void threads_inside(void **state)
{
    pthread_t threads[4];
    void *rc;
    (void)state;
    shms_stream *s = patterned(SIZE, ATOMIC), *other = unit_open(NAME, 0, NULL);
    shared_handle = s;
    assert_int_equal(shms_stream_lock(s, 0), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_a_part, (void *)(intptr_t)(i * 2)), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &rc);
        assert_null(rc);
    }
    shms_stream_close(s);
    assert_true(is_pattern(other, 0, SIZE));
    shms_stream_close(other);
}

/* Loading a file, and a FILE, write through the same door. */
static void files(void **state)
{
    char path[] = "/tmp/journal-test-XXXXXX";
    FILE *f;
    (void)state;
    shms_stream *s = patterned(SIZE, ATOMIC), *other = unit_open(NAME, 0, NULL);
    int fd = mkstemp(path);
    assert_int_equal(ftruncate(fd, 5000), 0);
    close(fd);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_load(s, path), 5000);
    assert_int_equal(shms_stream_file(s, "r+", &f), 0);
    fseek(f, 6000, SEEK_SET);
    fputs("text", f);
    fclose(f);
    assert_memory_equal((char *)shms_stream_memory(other) + 6000, "text", 4);
    shms_stream_close(s);
    remove(path);
    assert_true(is_pattern(other, 0, SIZE));
    shms_stream_close(other);
}

/* A journal of nonsense: no byte outside the region is touched, and the next locker is told. */
static void nonsense(void **state)
{
    static const uint64_t heads[][2] = {{SIZE, 1},          {0, SIZE + 1},   {UINT64_MAX, 1},
                                        {1, UINT64_MAX - 1}, {0, RECORD_SIZE}, {1ull << 62, RECORD_SIZE},
                                        {5, 1ull << 63},     {SIZE - 1, 2},   {0, 300}};
    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        shms_stream *s = patterned(SIZE, ATOMIC), *other = unit_open(NAME, 0, NULL);
        assert_int_equal(shms_stream_lock(other, 0), 0);
        assert_int_equal(shms_stream_pwrite(other, "x", 1, 0), 1);
        memcpy(other->section.journal.at, heads[i], sizeof heads[i]);
        /* nothing is behind it: only what it says itself is wrong. relaxed: one thread */
        if (heads[i][1] <= 8)
            a64_store_relaxed(&control_of(s)->journal_used, sizeof heads[i] + 8);
        shms_stream_close(other);
        assert_int_equal(shms_stream_lock(s, 0), SHMS_OWNER_DIED);
        assert_int_equal(used(s), 0);
        assert_int_equal(shms_stream_repaired(s), 0);
        assert_int_equal(shms_stream_unlock(s), 0);
        assert_int_equal(shms_stream_size(s), SIZE);
        /* more records than there is journal */
        assert_int_equal(shms_stream_lock(s, 0), 0);
        assert_int_equal(shms_stream_pwrite(s, "x", 1, 0), 1);
        a64_store_relaxed(&control_of(s)->journal_used, UINT64_MAX - i); /* relaxed: one thread */
        other = unit_open(NAME, 0, NULL);
        shms_stream_close(s);
        assert_int_equal(shms_stream_lock(other, 0), SHMS_OWNER_DIED);
        assert_int_equal(shms_stream_unlock(other), 0);
        shms_stream_close(other);
    }
}

/* A word that says there is a journal where none ever was. */
static void no_journal_at_all(void **state)
{
    (void)state;
    shms_stream *s = patterned(SIZE, NULL);
    a64_store_relaxed(&control_of(s)->journal_used, 12345);       /* relaxed: one thread */
    a64_store_relaxed(&control_of(s)->cell, ref_owner(200, 7));   /* relaxed: one thread */
    assert_int_equal(shms_stream_lock(s, 0), SHMS_OWNER_DIED);
    assert_int_equal(used(s), 0);
    assert_int_equal(shms_stream_repaired(s), 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_true(is_pattern(s, 0, SIZE));
    shms_stream_close(s);
}

/* Sizes that are lies lead nowhere behind the end of the file. */
static void sizes_that_are_lies(void **state)
{
    (void)state;
    shms_stream *s = patterned(4096, OPTIONS(.atomic = 1, .max_size = 65536));
    assert_int_equal(shms_stream_lock(s, 0), 0);
    a64_store_relaxed(&control_of(s)->size, 65536); /* relaxed: one thread */
    assert_int_equal(shms_stream_resize(s, 8192), SHMS_E_LOST);
    a64_store_relaxed(&control_of(s)->size, 4096); /* relaxed: one thread */
    assert_true(shms_stream_resize(s, 65536) <= 0);
    assert_int_equal(shms_stream_pwrite(s, "x", 1, 4095), 1);
    assert_int_equal(shms_stream_unlock(s), 0);
    shms_stream_close(s);
}

/* A section whose memory could not be had: the roll-back is owed, and made later. */
static void owed(void **state)
{
    char one;
    (void)state;
    shms_stream *s = patterned(SIZE, ATOMIC);
    shms_stream *r = unit_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ, .max_size = 1 << 22));
    char aside[PORT_PATH_MAX * 2 + 8];
    snprintf(aside, sizeof aside, "%s.aside", local_files.data);
    kill_inside(0);
    assert_int_equal(rename(local_files.data, aside), 0); /* a reader has no other way to the data */
    assert_int_equal(shms_stream_lock(r, -1), SHMS_OWNER_DIED);
    assert_int_equal(shms_stream_unlock(r), 0);
    assert_int_equal(shms_stream_lock_shared(r, -1), SHMS_OWNER_DIED);
    assert_int_equal(shms_stream_unlock(r), 0);
    assert_int_equal(shms_stream_snapshot(r, &one, 1, 0), SHMS_E_CORRUPT);
    /* not beneath a reader, who was told; then by who comes next, and that is a change */
    assert_int_equal(shms_stream_lock_shared(r, -1), SHMS_OWNER_DIED);
    assert_int_equal(rename(aside, local_files.data), 0);
    shms_stream *late = unit_open(NAME, 0, NULL);
    int64_t seen = shms_stream_version(s);
    assert_int_equal(shms_stream_lock_shared(late, 0), SHMS_OWNER_DIED);
    assert_int_equal(shms_stream_unlock(late), 0);
    assert_int_equal(shms_stream_lock(s, 0), SHMS_E_TIMEOUT);
    assert_true(used(s) > 0 && !is_pattern(s, 0, SIZE));
    assert_int_equal(shms_stream_unlock(r), 0);
    assert_int_equal(shms_stream_lock_shared(late, 0), 0);
    assert_true(is_pattern(s, 0, SIZE));
    assert_int_equal(shms_stream_wait(s, &seen, 0), 0);
    shms_stream_close(late);
    assert_int_equal(shms_stream_lock(s, -1), 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    /* repaired by hand instead: nothing is to be undone */
    kill_inside(0);
    assert_int_equal(rename(local_files.data, aside), 0);
    assert_int_equal(shms_stream_lock(r, -1), SHMS_OWNER_DIED);
    assert_int_equal(rename(aside, local_files.data), 0);
    assert_int_equal(shms_stream_repaired(r), 0);
    assert_int_equal(shms_stream_unlock(r), 0);
    assert_int_equal(used(s), 0);
    assert_int_equal(shms_stream_lock(s, -1), 0);
    assert_false(is_pattern(s, 0, SIZE));
    assert_int_equal(shms_stream_unlock(s), 0);
    shms_stream_close(r);
    shms_stream_close(s);
}

/* What a region is, is decided when it is made. */
static void decided_at_creation(void **state)
{
    (void)state;
    shms_stream *plain = patterned(SIZE, NULL);
    assert_int_equal(unit_refused(NAME, 0, ATOMIC), SHMS_E_UNSUPPORTED);
    shms_stream_close(plain);
    shms_stream *s = patterned(SIZE, ATOMIC);
    shms_stream *joins = unit_open(NAME, 0, NULL);
    assert_int_equal(shms_stream_lock(joins, 0), 0);
    fill(joins, 200, 300);
    assert_true(used(s) > 0);
    shms_stream_close(joins);
    assert_true(is_pattern(s, 0, SIZE));
    shms_stream_close(s);
}

static int child(void *context)
{
    shms_stream *s = context;
    EXPECT(shms_stream_pwrite(s, "child", 5, 0) == 5); /* outside its own section */
    EXPECT(shms_stream_lock(s, 0) == SHMS_E_TIMEOUT);
    shms_stream_close(s);
    return 0;
}

static int child_after(void *context)
{
    shms_stream *s = context;
    EXPECT(shms_stream_lock(s, 0) == 0);
    EXPECT(shms_stream_pwrite(s, "child", 5, 700) == 5);
    shms_stream_close(s); /* inside: undone */
    return 0;
}

static void forked(void **state)
{
    (void)state;
    shms_stream *s = patterned(SIZE, ATOMIC);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    fill(s, 100, 900);
    assert_int_equal(unit_wait(unit_fork(child, s, 0)), 0);
    shms_stream *other = unit_open(NAME, 0, NULL);
    shms_stream_close(s);
    assert_true(is_pattern(other, 5, SIZE));
    assert_int_equal(shms_stream_lock(other, 0), 0);
    fill(other, 5, 10);
    assert_int_equal(shms_stream_unlock(other), 0);
    assert_int_equal(unit_wait(unit_fork(child_after, other, 0)), 0);
    assert_true(is_pattern(other, 10, SIZE));
    shms_stream_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(undone_or_kept), TEST(each_block_once), TEST(outside_a_section), TEST(died_inside),
        TEST(kept_and_died),  TEST(resized_and_kept), TEST(a_large_section),  TEST(no_room),
        TEST(threads_inside), TEST(files),           TEST(nonsense),         TEST(owed),
        TEST(decided_at_creation), TEST(forked),         TEST(died_with_a_part), TEST(sizes_that_are_lies),
        TEST(no_journal_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
