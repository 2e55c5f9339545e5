/* SPDX-License-Identifier: MIT */
/* bell.c, guard.c: switched off by those who go on living, or refused by the system. In children: a process
 * decides once. */
#include "child.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define SIZE 5000u

static shms_stream *opened(const shms_stream_options *options)
{
    shms_stream *s = NULL;
    return shms_stream_open(NAME, SIZE, options, &s) == 0 ? s : NULL;
}

static uint32_t bell_of_handle(const shms_stream *s)
{
    return a32_load_relaxed(&s->section.member.region.control->slots[s->section.member.slot].bell);
}

/* One who waits for another, for longer than the first slices, and then gets it. */
static int waits(shms_stream *s, shms_stream *t)
{
    EXPECT(shms_stream_lock(s, 0) == 0);
    EXPECT(shms_stream_lock(t, 50) == SHMS_E_TIMEOUT);
    EXPECT(shms_stream_lock(t, 10) == SHMS_E_TIMEOUT);
    EXPECT(shms_stream_unlock(s) == 0);
    EXPECT(shms_stream_lock(t, 0) == 0);
    return 0;
}

static int hears_no_bell(void *options)
{
    shms_stream *s = opened(options), *t = opened(options);
    EXPECT(s && t && waits(s, t) == 0);
    EXPECT(bell_of_handle(s) == 0 && bell_of_handle(t) == 0);
    shms_stream_close(s);
    shms_stream_close(t);
    return 0;
}

static int has_a_bell(void *options)
{
    shms_stream *s = opened(options);
    EXPECT(s);
    shms__member_contend(&s->section.member);
    EXPECT(bell_of_handle(s) != 0);
    shms_stream_close(s);
    return 0;
}

static void the_bell(void **state)
{
    (void)state;
    setenv("SHMSTREAM_BELL", "off", 1);
    assert_int_equal(unit_child(hears_no_bell, NULL, 0), 0);
    setenv("SHMSTREAM_BELL", "of course", 1);
    assert_int_equal(unit_child(has_a_bell, NULL, 0), 0);
    unsetenv("SHMSTREAM_BELL");
}

static int has_no_guard(void *options)
{
    shms_stream *s = opened(options), *t = opened(options);
    struct sigaction a;
    EXPECT(s && t && sigaction(SIGBUS, NULL, &a) == 0 && a.sa_handler == SIG_DFL);
    shms_stream_close(s);
    shms_stream_close(t);
    return 0;
}

static int has_a_guard(void *options)
{
    struct sigaction a;
    signal(SIGBUS, SIG_DFL);
    shms_stream *s = opened(options);
    EXPECT(s && sigaction(SIGBUS, NULL, &a) == 0 && a.sa_handler != SIG_DFL);
    shms_stream_close(s);
    return 0;
}

static void the_guard(void **state)
{
    (void)state;
    signal(SIGBUS, SIG_DFL); /* cmocka has one of its own */
    assert_int_equal(unit_child(has_no_guard, OPTIONS(.no_guard = 1), 0), 0);
    setenv("SHMSTREAM_GUARD", "off", 1);
    assert_int_equal(unit_child(has_no_guard, NULL, 0), 0);
    setenv("SHMSTREAM_GUARD", "of course", 1);
    assert_int_equal(unit_child(has_a_guard, NULL, 0), 0);
    unsetenv("SHMSTREAM_GUARD");
}

/* ---- a system that lets nobody have a robust list: glibc does without, and so does the bell */

static bool forbid_robust_lists(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_set_robust_list, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, 2, &program) == 0;
}

/* The first contention starts the thread; once that is refused, handles get no place for a bell. */
static int has_no_list(void *unused)
{
    (void)unused;
    EXPECT(forbid_robust_lists());
    shms_stream *s = opened(NULL), *t = NULL;
    EXPECT(s && s->section.member.region.bell);
    shms__member_contend(&s->section.member);
    t = opened(NULL);
    EXPECT(t && !t->section.member.region.bell && hears_no_bell(NULL) == 0);
    shms_stream_close(t);
    shms_stream_close(s);
    return 0;
}

static void no_list_can_be_had(void **state)
{
    (void)state;
    assert_int_equal(unit_child(has_no_list, NULL, 0), 0);
}

int main(void)
{
    unsetenv("SHMSTREAM_BELL"); /* the tests may run where it is off */
    const struct CMUnitTest tests[] = {TEST(the_bell), TEST(the_guard), TEST(no_list_can_be_had)};
    return cmocka_run_group_tests_name("switches", tests, NULL, NULL);
}
