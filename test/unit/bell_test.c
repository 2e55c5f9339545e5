/* SPDX-License-Identifier: MIT */
/*
 * The death bell. The first slice is made so long here that nobody is found by asking again: who is found in
 * time was heard.
 * ctest: timeout=300
 */
#include "child.h"

#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

#define LONG_MS 600000
#define SOON_MS 120000 /* long before a slice has passed */
#define HANDLES 6

static int gate[2]; /* how children tell their slots */
static bool no_bell;
static shms_stream *inherited; /* by children */

static int64_t now_ms(void)
{
    return shms__now_ns() / 1000000;
}

static struct slot *slot_at(shms_stream *s, uint32_t slot)
{
    return &s->section.member.region.control->slots[slot];
}

static uint32_t bell_at(shms_stream *s, uint32_t slot)
{
    return a32_load_relaxed(&slot_at(s, slot)->bell); /* relaxed: looked at again */
}

static bool hangs(shms_stream *s, uint32_t slot)
{
    return (bell_at(s, slot) & BELL_GUARD) && !(bell_at(s, slot) & BELL_RUNG);
}

static bool waits(shms_stream *s)
{
    return a32_load_relaxed(&slot_at(s, s->section.member.slot)->waiting) > 0; /* relaxed: looked at again */
}

static int threads(void)
{
    DIR *d = opendir("/proc/self/task");
    int n = -2;
    while (d && readdir(d))
        n++;
    closedir(d);
    return n;
}

/* What its first contention does to a handle. */
static void contend(shms_stream *s)
{
    shms__member_contend(&s->section.member);
}

/* A thread that was joined may be listed a moment longer. */
static bool threads_become(int n)
{
    for (int tries = 0; tries < 20000 && threads() != n; tries++)
        shms__nap(1000000);
    return threads() == n;
}

/* ---- children: they do something with the region, tell their slot, and wait to be killed */

static _Noreturn void tell_and_wait(shms_stream *s)
{
    contend(s);
    unsigned char slot = (unsigned char)s->section.member.slot;
    (void)!write(gate[1], &slot, 1);
    for (;;)
        pause();
}

static uint32_t slot_told(void)
{
    unsigned char slot;
    while (read(gate[0], &slot, 1) != 1)
        ;
    return slot;
}

static int hold(void *name)
{
    shms_stream *s = NULL;
    EXPECT(shms_stream_open(name, 0, OPTIONS(.no_bell = no_bell), &s) == 0);
    EXPECT(shms_stream_lock(s, 0) == 0);
    tell_and_wait(s);
}

static int read_on(void *name)
{
    shms_stream *s = NULL;
    EXPECT(shms_stream_open(name, 0, NULL, &s) == 0);
    EXPECT(shms_stream_lock_shared(s, 0) == 0);
    tell_and_wait(s);
}

/* One of many handles, some of which it has closed. There is a thread from the first contention on. */
static int hold_one_of_many(void *name)
{
    shms_stream *s[HANDLES];
    int before = threads();
    for (int i = 0; i < HANDLES; i++) {
        EXPECT(shms_stream_open(i % 2 ? name : GLOBAL, 16, NULL, &s[i]) == 0);
        EXPECT(threads() == before + (i > 2));
        if (i == 2)
            contend(s[i]);
        EXPECT(hangs(s[i], s[i]->section.member.slot) == (i >= 2));
    }
    contend(s[1]);
    contend(s[3]);
    EXPECT(threads() == before + 1 && hangs(s[1], s[1]->section.member.slot));
    shms_stream_close(s[5]);
    shms_stream_close(s[1]);
    shms_stream_close(s[4]);
    EXPECT(shms_stream_lock(s[3], 0) == 0);
    tell_and_wait(s[3]);
}

/* With its last handle the guard ends, and there is a new one when that is worth it again. */
static int hold_later(void *name)
{
    shms_stream *s = NULL;
    int before = threads();
    shms_stream_close(inherited); /* it would be the last one */
    for (int i = 0; i < 20; i++) {
        EXPECT(shms_stream_open(name, 0, NULL, &s) == 0);
        EXPECT(threads() == before && !hangs(s, s->section.member.slot));
        contend(s);
        EXPECT(threads() == before + 1 && hangs(s, s->section.member.slot));
        shms_stream_close(s);
        EXPECT(threads_become(before));
    }
    EXPECT(shms_stream_open(name, 0, NULL, &s) == 0);
    EXPECT(shms_stream_lock(s, 0) == 0);
    tell_and_wait(s);
}

static int hold_and_exec(void *name)
{
    shms_stream *s = NULL;
    EXPECT(shms_stream_open(name, 0, NULL, &s) == 0);
    EXPECT(shms_stream_lock(s, 0) == 0);
    contend(s);
    unsigned char slot = (unsigned char)s->section.member.slot;
    (void)!write(gate[1], &slot, 1);
    const struct control *c = s->section.member.region.control;
    while (!a32_load_relaxed(&c->slots[0].waiting)) /* relaxed: looked at again */
        shms__nap(1000000);
    execlp("sleep", "sleep", "1000", (char *)NULL);
    return 1;
}

/* ---- a waiter with long slices, in a thread */

struct waiter {
    shms_stream *s;
    pthread_t thread;
    int rc;
    int64_t ms;
};

static void *lock_slowly(void *arg)
{
    struct waiter *w = arg;
    int64_t start = now_ms();
    w->rc = shms_stream_lock(w->s, LONG_MS);
    w->ms = now_ms() - start;
    return NULL;
}

static void begin_waiting(struct waiter *w, shms_stream *s)
{
    shms__first_slice_ns = (int64_t)LONG_MS * 1000000;
    *w = (struct waiter){.s = s};
    assert_int_equal(pthread_create(&w->thread, NULL, lock_slowly, w), 0);
}

static void end_waiting(struct waiter *w, int expected)
{
    pthread_join(w->thread, NULL);
    shms__first_slice_ns = 1000000;
    assert_int_equal(w->rc, expected);
    assert_true(w->ms < SOON_MS);
    assert_int_equal(shms_stream_repaired(w->s), 0);
    assert_int_equal(shms_stream_unlock(w->s), 0);
}

/* Wait for what the child holds; when we sleep, end it. */
static void end_and_be_told(shms_stream *s, pid_t child, int expected)
{
    struct waiter w;
    uint32_t slot = slot_told();
    assert_true(hangs(s, slot));
    begin_waiting(&w, s);
    WAIT_FOR(waits(s) || expected == 0); /* who waits for readers is not counted */
    shms__nap(expected == 0 ? 20000000 : 0);
    assert_int_equal(kill(child, SIGKILL), 0);
    end_waiting(&w, expected);
    assert_int_equal(unit_wait(child), 128 + SIGKILL);
    assert_true(bell_at(s, slot) & BELL_RUNG);
}

static void a_killed_holder(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    for (int i = 0; i < 10; i++)
        end_and_be_told(s, unit_fork(hold, NAME, 0), SHMS_OWNER_DIED);
    shms_stream_close(s);
}

static void a_killed_reader(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    for (int i = 0; i < 5; i++)
        end_and_be_told(s, unit_fork(read_on, NAME, 0), 0);
    shms_stream_close(s);
}

static void one_handle_of_many(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL), *global = unit_open(GLOBAL, 16, NULL);
    end_and_be_told(s, unit_fork(hold_one_of_many, NAME, 0), SHMS_OWNER_DIED);
    shms_stream_close(global);
    shms_stream_close(s);
}

static void the_guard_ends_with_the_last_handle(void **state)
{
    (void)state;
    shms_stream *s = inherited = unit_open(NAME, 16, NULL);
    end_and_be_told(s, unit_fork(hold_later, NAME, 0), SHMS_OWNER_DIED);
    shms_stream_close(s);
}

static void an_exec(void **state)
{
    struct waiter w;
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    assert_int_equal(s->section.member.slot, 0);
    pid_t child = unit_fork(hold_and_exec, NAME, 0);
    uint32_t slot = slot_told();
    WAIT_FOR(hangs(s, slot));
    begin_waiting(&w, s);
    end_waiting(&w, SHMS_OWNER_DIED);
    kill(child, SIGKILL);
    assert_int_equal(unit_wait(child), 128 + SIGKILL);
    shms_stream_close(s);
}

/* ---- fork: the child has a bell of its own, and leaves the parent's alone */

static int hold_the_inherited(void *unused)
{
    (void)unused;
    EXPECT(shms_stream_lock(inherited, 0) == 0);
    tell_and_wait(inherited);
}

static void a_child_of_fork(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    inherited = unit_open(NAME, 16, NULL);
    uint32_t mine = inherited->section.member.slot;
    contend(inherited);
    assert_true(hangs(s, mine));
    uint32_t before = bell_at(s, mine);
    end_and_be_told(s, unit_fork(hold_the_inherited, NULL, 0), SHMS_OWNER_DIED);
    assert_int_equal(bell_at(s, mine), before);
    shms_stream_close(inherited);
    assert_int_equal(bell_at(s, mine), 0);
    shms_stream_close(s);
}

/* ---- without */

/* Who holds has no bell; the waiter has ordinary slices. */
static void found_by_asking(shms_stream *s)
{
    pid_t child = unit_fork(hold, NAME, 0);
    uint32_t slot = slot_told();
    assert_int_equal(bell_at(s, slot), 0);
    assert_int_equal(shms_stream_lock(s, 60), SHMS_E_TIMEOUT);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(shms_stream_lock(s, SOON_MS), SHMS_OWNER_DIED);
    assert_int_equal(shms_stream_repaired(s) | shms_stream_unlock(s), 0);
    assert_int_equal(unit_wait(child), 128 + SIGKILL);
    assert_int_equal(bell_at(s, slot), 0);
}

static int has_no_guard(void *name)
{
    shms_stream *s = NULL;
    int before = threads(); /* a sanitizer may have one */
    EXPECT(shms_stream_open(name, 16, OPTIONS(.no_bell = no_bell), &s) == 0);
    contend(s);
    EXPECT(threads_become(before));
    EXPECT(bell_at(s, s->section.member.slot) == 0);
    EXPECT(shms_stream_lock(s, 0) >= 0);
    EXPECT(shms_stream_unlock(s) == 0);
    shms_stream_close(s);
    return 0;
}

static void off_by_option(void **state)
{
    (void)state;
    no_bell = true;
    assert_int_equal(unit_child(has_no_guard, NAME, 0), 0);
    shms_stream *s = unit_open(NAME, 16, NULL);
    found_by_asking(s);
    shms_stream_close(s);
    no_bell = false;
}

static int with_the_variable(void *name)
{
    EXPECT(setenv("SHMSTREAM_BELL", "off", 1) == 0);
    return has_no_guard(name);
}

/* The first test of all: the variable is read once, and a child has what its parent has read. */
static void off_by_variable(void **state)
{
    (void)state;
    assert_int_equal(unit_child(with_the_variable, NAME, 0), 0);
}

/* ---- where the system has none: a filter answers `error` to a call, if its first argument has `flag` */

#define FUTEX_WAITV 449 /* younger than some headers */

static bool forbid(uint32_t call, uint32_t flag, uint32_t error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, flag, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, 2, &program) == 0;
}

static uint32_t answer_to_waitv;

/* The holder has a bell, which cannot be heard. */
static int waits_deaf(void *s)
{
    EXPECT(forbid(FUTEX_WAITV, UINT32_MAX, answer_to_waitv));
    EXPECT(shms_stream_lock(s, 60) == SHMS_E_TIMEOUT);
    unit_gate_open(gate);
    EXPECT(shms_stream_lock(s, SOON_MS) == SHMS_OWNER_DIED);
    EXPECT(shms_stream_repaired(s) == 0);
    EXPECT(shms_stream_unlock(s) == 0);
    shms_stream_close(s);
    return 0;
}

static void nobody_can_hear(void **state)
{
    static const uint32_t answers[] = {ENOSYS, EPERM, ENOMEM};
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        answer_to_waitv = answers[i];
        pid_t holder = unit_fork(hold, NAME, 0);
        uint32_t slot = slot_told();
        WAIT_FOR(hangs(s, slot));
        pid_t waiter = unit_fork(waits_deaf, s, 0);
        slot_told();
        kill(holder, SIGKILL);
        assert_int_equal(unit_wait(waiter), 0);
        assert_int_equal(unit_wait(holder), 128 + SIGKILL);
    }
    shms_stream_close(s);
}

static int has_no_threads(void *name)
{
    EXPECT(forbid(SYS_clone3, UINT32_MAX, ENOSYS) && forbid(SYS_clone, CLONE_THREAD, EPERM));
    EXPECT(has_no_guard(name) == 0);
    return has_no_guard(name);
}

static void no_thread_can_be_made(void **state)
{
    (void)state;
    assert_int_equal(unit_child(has_no_threads, NAME, 0), 0);
}

/* The guard begins, and ends again: nothing would ring for it. */
static int has_no_robust_list(void *name)
{
    shms_stream *s = NULL, *other = NULL;
    int before = threads();
    EXPECT(forbid(SYS_set_robust_list, UINT32_MAX, ENOSYS));
    EXPECT(shms_stream_open(name, 16, NULL, &s) == 0);
    contend(s);
    EXPECT(threads_become(before));
    EXPECT(bell_at(s, s->section.member.slot) == 0);
    EXPECT(shms_stream_lock(s, 0) == 0);
    EXPECT(shms_stream_open(name, 16, NULL, &other) == 0);
    EXPECT(threads() == before && bell_at(other, other->section.member.slot) == 0);
    EXPECT(shms_stream_lock(other, 20) == SHMS_E_TIMEOUT);
    shms_stream_close(s);
    EXPECT(shms_stream_lock(other, 0) == SHMS_OWNER_DIED);
    shms_stream_close(other);
    return 0;
}

static void no_list_is_robust(void **state)
{
    (void)state;
    assert_int_equal(unit_child(has_no_robust_list, NAME, 0), 0);
}

/* ---- when: a holder that nobody ever waited for has none; who waits, and who wakes a waiter, has one */

static void *lock_once(void *s)
{
    if (shms_stream_lock(s, SOON_MS) == 0)
        shms_stream_unlock(s);
    return NULL;
}

static int meets_others(void *unused)
{
    pthread_t thread;
    shms_stream *s = NULL, *other = NULL;
    int before = threads();
    (void)unused;
    EXPECT(shms_stream_open(NAME, 16, NULL, &s) == 0 && shms_stream_open(NAME, 16, NULL, &other) == 0);
    for (int i = 0; i < 100; i++)
        EXPECT(shms_stream_lock(s, -1) == 0 && shms_stream_unlock(s) == 0);
    EXPECT(threads() == before && !hangs(s, s->section.member.slot));
    EXPECT(shms_stream_lock(s, 0) == 0);
    EXPECT(pthread_create(&thread, NULL, lock_once, other) == 0);
    while (!waits(other) || !hangs(other, other->section.member.slot))
        shms__nap(1000000);
    EXPECT(!hangs(s, s->section.member.slot));
    EXPECT(shms_stream_unlock(s) == 0);
    EXPECT(hangs(s, s->section.member.slot));
    pthread_join(thread, NULL);
    shms_stream_close(s);
    shms_stream_close(other);
    EXPECT(threads_become(before));
    return 0;
}

static void who_meets_others(void **state)
{
    (void)state;
    assert_int_equal(unit_child(meets_others, NULL, 0), 0);
}

/* Open and close again and again: the process is as big afterwards. */
static void nothing_is_left(void **state)
{
    shms_stream *s[HANDLES];
    int before = 0;
    (void)state;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < HANDLES; i++)
            s[i] = unit_open(NAME, 16, NULL);
        for (int i = 0; i < HANDLES; i++)
            shms_stream_close(s[(i * 5 + round) % HANDLES]);
        int maps = 0;
        FILE *f = fopen("/proc/self/maps", "re");
        for (int c; (c = fgetc(f)) != EOF;)
            maps += c == '\n';
        fclose(f);
        if (round < 2)
            before = maps;
        assert_true(maps >= 1 && maps <= before + 4); /* what others than we do */
    }
}

/* ---- a hostile bell */

static a32 stop;

enum { FLIPS, RINGS_ALL_THE_TIME, SAYS_RUNG };
static int manner;

static void *be_hostile(void *slot)
{
    a32 *bell = &((struct slot *)slot)->bell;
    for (uint32_t i = 1; !a32_load_relaxed(&stop); i++) { /* relaxed: looked at again */
        if (manner == FLIPS)
            a32_store_relaxed(bell, i & ~BELL_RUNG); /* relaxed: any value will do */
        else if (manner == SAYS_RUNG)
            a32_store_relaxed(bell, i | BELL_RUNG); /* relaxed: any value will do */
        else
            syscall(SYS_futex, bell, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
    return NULL;
}

/* It cuts short a bounded number of sleeps, and one for each whole slice. */
static void a_hostile_bell(void **state)
{
    pthread_t thread;
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL), *other = unit_open(NAME, 16, NULL);
    struct member *m = &s->section.member;
    a32 word = {0};
    for (manner = FLIPS; manner <= SAYS_RUNG; manner++) {
        struct slices slices = {.ns = 1000000};
        int cut = 0, whole = 0; /* how many sleeps ended so */
        contend(other);
        assert_true(hangs(s, other->section.member.slot));
        a32_store_relaxed(&stop, 0); /* relaxed: before the thread is there */
        struct slot *slot = slot_at(s, other->section.member.slot);
        assert_int_equal(pthread_create(&thread, NULL, be_hostile, slot), 0);
        WAIT_FOR(manner != SAYS_RUNG || !hangs(s, other->section.member.slot));
        while (whole < 20) {
            int how = shms__sleep(m, &slices, other->section.member.id, &word, 0, INT64_MAX);
            cut += how != SLEEP_TIMEOUT;
            whole += how == SLEEP_TIMEOUT;
            assert_true(cut >= 0 && cut <= 32 + whole);
        }
        a32_store_relaxed(&stop, 1); /* relaxed: seen at some time */
        pthread_join(thread, NULL);
        assert_true(cut >= 32 || manner != SAYS_RUNG);
        a32_store_relaxed(&slot->bell, 1); /* relaxed: nobody waits for it */
    }
    /* ... and keeps nobody from the lock of the living. */
    assert_int_equal(shms_stream_lock(other, 0), 0);
    assert_int_equal(shms_stream_lock(s, 60), SHMS_E_TIMEOUT);
    assert_int_equal(shms_stream_unlock(other), 0);
    assert_int_equal(shms_stream_lock(s, 60), 0);
    shms_stream_close(other);
    shms_stream_close(s);
}

/* Whose slot has another member by now is dead: that is worth asking at once. */
static void a_slot_with_a_new_member(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL), *other = unit_open(NAME, 16, NULL);
    struct slices slices = {.ns = (int64_t)LONG_MS * 1000000};
    a32 word = {0};
    int64_t start = now_ms();
    contend(other);
    uint64_t before = other->section.member.id - (1ull << 32);
    int how = shms__sleep(&s->section.member, &slices, before, &word, 0, (int64_t)SOON_MS * 1000000);
    assert_int_equal(how, SLEEP_RUNG);
    assert_true(now_ms() - start < SOON_MS / 2);
    shms_stream_close(other);
    shms_stream_close(s);
}

int main(void)
{
    unsetenv("SHMSTREAM_BELL");
    const struct CMUnitTest tests[] = {
        TEST(off_by_variable),    TEST(a_killed_holder), TEST(a_killed_reader), TEST(one_handle_of_many),
        TEST(the_guard_ends_with_the_last_handle), TEST(an_exec), TEST(a_child_of_fork), TEST(off_by_option),
        TEST(nobody_can_hear),    TEST(no_thread_can_be_made), TEST(no_list_is_robust),
        TEST(who_meets_others),   TEST(nothing_is_left),    TEST(a_hostile_bell),
        TEST(a_slot_with_a_new_member),
    };
    return pipe2(gate, O_CLOEXEC) ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
