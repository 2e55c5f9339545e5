/* SPDX-License-Identifier: MIT */
/* process.c and member.c: a child of fork is a member of its own from its first call on. */
#include "child.h"

#include <poll.h>
#include <sys/syscall.h>

static uint32_t word(void)
{
    return a32_load_relaxed(shms__fork_word); /* relaxed: private memory */
}

static shms_stream *inherited;

static uint32_t members(shms_stream *s)
{
    shms_info info = {.struct_size = sizeof info};
    return shms_stream_info(s, &info) < 0 ? 0 : info.members;
}

static int grandchild_differs(void *words)
{
    EXPECT(word() != ((uint32_t *)words)[0] && word() != ((uint32_t *)words)[1]);
    return 0;
}

static int child_differs(void *words)
{
    EXPECT(word() != ((uint32_t *)words)[0] && word() != 0);
    ((uint32_t *)words)[1] = word();
    return unit_child(grandchild_differs, words, 0);
}

static void the_word_is_new_in_each_child(void **state)
{
    uint32_t words[2] = {0};
    (void)state;
    shms_stream_close(unit_open(NAME, 16, NULL)); /* makes fork known */
    words[0] = word();
    assert_int_not_equal(words[0], 0);
    assert_int_equal(unit_child(child_differs, words, 0), 0);
    assert_int_equal(word(), words[0]);
}

static int uses_its_parents_handle(void *unused)
{
    shms_stream *s = inherited;
    uint64_t parents = s->section.member.id;
    (void)unused;
    EXPECT(shms_stream_tell(s) == 3 && *(char *)shms_stream_memory(s) == 'a');
    EXPECT(shms_stream_unlock(s) == SHMS_E_NOT_OWNER); /* what the parent holds stays the parent's */
    EXPECT(s->section.member.id != parents);
    EXPECT(members(s) == 2);
    EXPECT(shms_stream_lock(s, 0) == SHMS_E_TIMEOUT);
    EXPECT(shms_stream_lock(s, 10) == SHMS_E_TIMEOUT);
    EXPECT(shms_stream_write(s, "child", 5) == 5 && shms_stream_tell(s) == 8);
    EXPECT(shms_stream_size(s) == 16 && shms_stream_existed(s) == 0);
    shms_stream_close(s);
    return 0;
}

static void a_child_joins_as_its_own(void **state)
{
    (void)state;
    inherited = unit_open(NAME, 16, NULL);
    assert_int_equal(shms_stream_write(inherited, "abc", 3), 3);
    assert_int_equal(shms_stream_lock(inherited, 0), 0);
    assert_int_equal(unit_child(uses_its_parents_handle, NULL, 0), 0);
    assert_int_equal(shms_stream_tell(inherited), 3);
    assert_memory_equal(shms_stream_memory(inherited), "abcchild", 8);
    assert_int_equal(members(inherited), 1);
    assert_int_equal(shms_stream_unlock(inherited), 0);
    assert_int_equal(shms_stream_lock(inherited, 0), 0);
    assert_int_equal(shms_stream_unlock(inherited), 0);
    shms_stream_close(inherited);
}

static int closes_at_once(void *unused)
{
    (void)unused;
    shms_stream_close(inherited);
    return 0;
}

static int locks_and_dies(void *unused)
{
    (void)unused;
    return shms_stream_lock(inherited, 0);
}

static void a_child_that_closes_or_dies(void **state)
{
    (void)state;
    inherited = unit_open(NAME, 16, NULL);
    assert_int_equal(shms_stream_lock(inherited, 0), 0);
    assert_int_equal(unit_child(closes_at_once, NULL, 0), 0);
    assert_int_equal(unit_names(), 2);
    assert_int_equal(shms_stream_unlock(inherited), 0); /* still held by the parent */
    assert_int_equal(unit_child(locks_and_dies, NULL, 0), 0);
    assert_int_equal(shms_stream_lock(inherited, 0), SHMS_OWNER_DIED);
    assert_int_equal(shms_stream_unlock(inherited), 0);
    shms_stream_close(inherited);
}

/* The parent leaves before its child's first call: the child keeps the region alive meanwhile. */
static int joins_late(void *gates)
{
    unit_gate_open(gates);
    unit_gate_wait((int *)gates + 2);
    EXPECT(shms_stream_version(inherited) == 2);
    EXPECT(shms_stream_lock(inherited, 0) == 0 && shms_stream_unlock(inherited) == 0);
    EXPECT(members(inherited) == 2);
    shms_stream_close(inherited);
    return 0;
}

static void a_child_outlives_its_parent(void **state)
{
    int gates[4];
    (void)state;
    assert_int_equal(pipe(gates) | pipe(gates + 2), 0);
    for (int early = 0; early < 2; early++) { /* early: perhaps before the child's very first step */
        inherited = unit_open(NAME, 16, NULL);
        assert_int_equal(shms_stream_lock(inherited, 0), 0);
        assert_int_equal(shms_stream_pwrite(inherited, "x", 1, 0), 1);
        assert_int_equal(shms_stream_unlock(inherited), 0);
        pid_t pid = unit_fork(joins_late, gates, 0);
        if (!early)
            unit_gate_wait(gates);
        shms_stream_close(inherited);
        assert_int_equal(unit_names(), 2);
        shms_stream *other = unit_open(NAME, 0, NULL);
        assert_int_equal(shms_stream_existed(other), 1);
        unit_gate_open(gates + 2);
        assert_int_equal(unit_wait(pid), 0);
        assert_int_equal(members(other), 1);
        shms_stream_close(other);
    }
    for (int i = 0; i < 4; i++)
        close(gates[i]);
}

static int polls_for_itself(void *unused)
{
    int64_t seen = shms_stream_version(inherited);
    (void)unused;
    int fd = shms_stream_poll_fd(inherited);
    EXPECT(fd >= 0 && shms_stream_wait(inherited, &seen, 0) == SHMS_E_TIMEOUT);
    EXPECT(shms_stream_lock(inherited, -1) == 0 && shms_stream_pwrite(inherited, "x", 1, 0) == 1 &&
           shms_stream_unlock(inherited) == 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    EXPECT(poll(&p, 1, 20000) == 1 && p.revents == POLLIN);
    EXPECT(shms_stream_wait(inherited, &seen, 0) == 0);
    shms_stream_close(inherited);
    return 0;
}

static void a_poll_descriptor_is_not_inherited(void **state)
{
    int64_t seen = 0;
    (void)state;
    inherited = unit_open(NAME, 16, NULL);
    struct pollfd p = {.fd = shms_stream_poll_fd(inherited), .events = POLLIN};
    assert_int_equal(shms_stream_wait(inherited, &seen, 0), SHMS_E_TIMEOUT);
    assert_int_equal(unit_child(polls_for_itself, NULL, 0), 0);
    assert_int_equal(poll(&p, 1, 20000), 1); /* the parent's event was not taken by the child */
    shms_stream_close(inherited);
}

/* A child that was made behind the C library's back: only the wiped page tells it. */
static int after_a_bare_clone(void)
{
    shms_stream *own;
    EXPECT(word() == 0);
    EXPECT(shms_stream_open(GLOBAL, 16, NULL, &own) == 0); /* a new handle, before the old one is used */
    EXPECT(shms_stream_lock(own, 0) == 0);
    EXPECT(shms_stream_unlock(inherited) == SHMS_E_NOT_OWNER);
    EXPECT(members(inherited) == 2);
    EXPECT(shms_stream_unlock(own) == 0);
    shms_stream_close(inherited);
    shms_stream_close(own);
    return 0;
}

static void a_bare_clone(void **state)
{
    (void)state;
    inherited = unit_open(NAME, 16, NULL);
    assert_int_equal(shms_stream_lock(inherited, 0), 0);
    fflush(NULL);
    long pid = syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);
    if (pid == 0)
        _exit(after_a_bare_clone());
    assert_int_equal(unit_wait((pid_t)pid), 0);
    assert_int_equal(shms_stream_unlock(inherited), 0);
    assert_int_equal(members(inherited), 1);
    shms_stream_close(inherited);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_word_is_new_in_each_child), TEST(a_child_joins_as_its_own),
        TEST(a_child_that_closes_or_dies),   TEST(a_child_outlives_its_parent),
        TEST(a_poll_descriptor_is_not_inherited), TEST(a_bare_clone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
