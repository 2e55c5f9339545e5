/* SPDX-License-Identifier: MIT */
/* guard.c: memory that is taken away is SHMS_E_LOST, and other people's faults stay theirs. */
#include "child.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define SIZE 100000u

/* ---- faults that are not ours, in children that have no guard yet */

static char buf[SIZE];
static sigjmp_buf back;
static volatile int seen_signal, seen_code;

static void with_info(int number, siginfo_t *info, void *context)
{
    (void)context;
    seen_signal = number;
    seen_code = info->si_code;
    siglongjmp(back, 1);
}

static void plain(int number)
{
    seen_signal = number;
    siglongjmp(back, 1);
}

static void counts(int number)
{
    seen_signal = seen_signal + number;
}

/* A page of a file that has ended. */
static char *gone(void)
{
    int fd = memfd_create("gone", MFD_CLOEXEC);
    char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return p;
}

static int touch(const char *p)
{
    return *(const volatile char *)p;
}

static shms_stream *guarded(const shms_stream_options *options)
{
    shms_stream *s = NULL;
    return shms_stream_open(NAME, SIZE, options, &s) == 0 ? s : NULL;
}

static int chains_to(void *action)
{
    struct sigaction *a = action;
    int runs = 0;
    EXPECT(sigaction(SIGBUS, a, NULL) == 0);
    shms_stream *s = guarded(NULL);
    EXPECT(s);
    const char *p = gone();
    if (sigsetjmp(back, 1) == 0)
        touch(p);
    else
        runs++;
    EXPECT(runs == 1 && seen_signal == SIGBUS);
    EXPECT(!(a->sa_flags & SA_SIGINFO) || seen_code == BUS_ADRERR);
    EXPECT(truncate(local_files.data, 0) == 0 && shms_stream_pread(s, &runs, 1, 0) == SHMS_E_LOST);
    shms_stream_close(s);
    return 0;
}

static int a_fault_kills(void *action)
{
    EXPECT(sigaction(SIGBUS, action, NULL) == 0);
    shms_stream *s = guarded(NULL);
    EXPECT(s && shms_stream_unlink(NAME) == 0);
    touch(gone());
    return 0;
}

/* Sent, and no fault. */
static int a_signal_only(void *action)
{
    struct sigaction *a = action;
    EXPECT(sigaction(SIGBUS, a, NULL) == 0);
    shms_stream *s = guarded(NULL);
    EXPECT(s && shms_stream_unlink(NAME) == 0);
    raise(SIGBUS);
    return a->sa_handler == SIG_IGN || seen_signal == SIGBUS ? 0 : 1;
}

/* ---- how the handler of others is called: as it asked to be */

#if defined(__SANITIZE_THREAD__) /* it runs handlers one after the other, whatever they asked for */
#define DEEPEST 1
#else
#define DEEPEST 3
#endif
static volatile int depth, deepest, runs, seen_other; /* raise is said to call nobody back */
static volatile bool on_own_stack;
static char own_stack[1 << 16];

static void raises_again(int number)
{
    depth = depth + 1;
    deepest = depth > deepest ? depth : deepest;
    runs = runs + 1;
    if (runs < 3)
        raise(number);
    depth = depth - 1;
}

static int runs_within_itself(void *action)
{
    EXPECT(sigaction(SIGBUS, action, NULL) == 0);
    shms_stream *s = guarded(NULL);
    EXPECT(s && shms_stream_unlink(NAME) == 0);
    raise(SIGBUS);
    EXPECT(runs == 3);
    return deepest;
}

static void looks_where_it_is(int number)
{
    const char *here = __builtin_frame_address(0);
    (void)number;
    on_own_stack = here >= own_stack && here < own_stack + sizeof own_stack;
    siglongjmp(back, 1);
}

static int runs_on_its_stack(void *unused)
{
    stack_t stack = {.ss_sp = own_stack, .ss_size = sizeof own_stack};
    struct sigaction a = {.sa_handler = looks_where_it_is, .sa_flags = SA_ONSTACK};
    (void)unused;
    EXPECT(sigaltstack(&stack, NULL) == 0 && sigaction(SIGBUS, &a, NULL) == 0);
    shms_stream *s = guarded(NULL);
    EXPECT(s && shms_stream_unlink(NAME) == 0);
    if (sigsetjmp(back, 1) == 0)
        touch(gone());
    EXPECT(on_own_stack);
    return 0;
}

static void notes(int number)
{
    seen_other = number;
}

static void is_not_disturbed(int number)
{
    raise(SIGUSR1);
    runs = seen_other == 0;
    seen_signal = number;
}

static int runs_with_its_mask(void *unused)
{
    struct sigaction a = {.sa_handler = is_not_disturbed};
    (void)unused;
    EXPECT(sigaddset(&a.sa_mask, SIGUSR1) == 0 && signal(SIGUSR1, notes) != SIG_ERR);
    EXPECT(sigaction(SIGBUS, &a, NULL) == 0);
    shms_stream *s = guarded(NULL);
    EXPECT(s && shms_stream_unlink(NAME) == 0);
    raise(SIGBUS);
    EXPECT(seen_signal == SIGBUS && runs == 1 && seen_other == SIGUSR1);
    return 0;
}

/* Where a child that must die tells how far it came. */
static volatile int *progress;

static int runs_once(void *faults)
{
    struct sigaction a = {.sa_handler = faults ? plain : counts, .sa_flags = (int)SA_RESETHAND};
    EXPECT(sigaction(SIGBUS, &a, NULL) == 0);
    shms_stream *s = guarded(NULL);
    EXPECT(s && shms_stream_unlink(NAME) == 0);
    if (!faults)
        raise(SIGBUS);
    else if (sigsetjmp(back, 1) == 0)
        touch(gone());
    EXPECT(seen_signal == SIGBUS);
    *progress += 1;
    if (!faults)
        raise(SIGBUS);
    else
        touch(gone());
    return 0;
}

static void as_they_asked(void **state)
{
    struct sigaction bare = {.sa_handler = raises_again};
    struct sigaction within = {.sa_handler = raises_again, .sa_flags = SA_NODEFER};
    (void)state;
    progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_int_equal(unit_child(runs_within_itself, &bare, 0), 1);
    assert_int_equal(unit_child(runs_within_itself, &within, 0), DEEPEST);
    assert_int_equal(unit_child(runs_on_its_stack, NULL, 0), 0);
    assert_int_equal(unit_child(runs_with_its_mask, NULL, 0), 0);
    assert_int_equal(unit_child(runs_once, NULL, 0), 128 + SIGBUS);
    assert_int_equal(*progress, 1);
    assert_int_equal(unit_child(runs_once, &bare, 0), 128 + SIGBUS);
    assert_int_equal(*progress, 2);
    munmap((void *)(uintptr_t)progress, sizeof *progress);
}

/* A signal that only looks like a gap in our memory: anybody of the same user can send one. */
static int is_not_fooled(void *unused)
{
    static const int codes[] = {SI_QUEUE, BUS_OBJERR, BUS_MCEERR_AR};
    struct sigaction a = {.sa_handler = counts};
    (void)unused;
    EXPECT(sigaction(SIGBUS, &a, NULL) == 0);
    shms_stream *s = guarded(NULL);
    EXPECT(s && shms_stream_pwrite(s, "x", 1, 5000) == 1);
    for (int i = 0; i < 3; i++) {
        siginfo_t info = {.si_signo = SIGBUS, .si_code = codes[i]};
        info.si_addr = (char *)shms_stream_memory(s) + 5000;
        EXPECT(syscall(SYS_rt_sigqueueinfo, getpid(), SIGBUS, &info) == 0);
        EXPECT(seen_signal == (i + 1) * SIGBUS);
        EXPECT(shms_stream_pread(s, buf, 1, 5000) == 1 && buf[0] == 'x');
    }
    shms_stream_close(s);
    return 0;
}

static void signals_that_are_no_gaps(void **state)
{
    (void)state;
    assert_int_equal(unit_child(is_not_fooled, NULL, 0), 0);
}

static void handlers_of_others(void **state)
{
    struct sigaction info = {.sa_sigaction = with_info, .sa_flags = SA_SIGINFO};
    struct sigaction bare = {.sa_handler = plain}, counting = {.sa_handler = counts};
    struct sigaction ignore = {.sa_handler = SIG_IGN}, standard = {.sa_handler = SIG_DFL};
    (void)state;
    assert_int_equal(unit_child(chains_to, &info, 0), 0);
    assert_int_equal(unit_child(chains_to, &bare, 0), 0);
    assert_int_equal(unit_child(a_fault_kills, &standard, 0), 128 + SIGBUS);
    assert_int_equal(unit_child(a_fault_kills, &ignore, 0), 128 + SIGBUS);
    assert_int_equal(unit_child(a_signal_only, &standard, 0), 128 + SIGBUS);
    assert_int_equal(unit_child(a_signal_only, &ignore, 0), 0);
    assert_int_equal(unit_child(a_signal_only, &counting, 0), 0);
}

static int dies_of_it(void *options)
{
    char c;
    signal(SIGBUS, SIG_DFL);
    shms_stream *s = guarded(options);
    EXPECT(s && truncate(local_files.data, 0) == 0 && shms_stream_unlink(NAME) == 0);
    return shms_stream_pread(s, &c, 1, 0) == SHMS_E_LOST ? 9 : 1;
}

static void whoever_does_not_want_it(void **state)
{
    (void)state;
    assert_int_equal(unit_child(dies_of_it, NULL, 0), 9);
    assert_int_equal(unit_child(dies_of_it, OPTIONS(.no_guard = 1), 0), 128 + SIGBUS);
    setenv("SHMSTREAM_GUARD", "off", 1);
    assert_int_equal(unit_child(dies_of_it, NULL, 0), 128 + SIGBUS);
    unsetenv("SHMSTREAM_GUARD");
}

/* ---- ours: each call is the first that meets the gap */

/* cmocka sets a handler of its own at the start of each test; this one was there before. */
static struct sigaction ours;

static void guard_again(void)
{
    assert_int_equal(sigaction(SIGBUS, &ours, NULL), 0);
}

static int64_t call(shms_stream *s, int which)
{
    int64_t version = 0;
    shms_info info = {.struct_size = sizeof info};
    FILE *f = NULL;
    switch (which) {
    case 0: return shms_stream_lock(s, 0);
    case 1: return shms_stream_lock(s, -1);
    case 2: return shms_stream_lock_shared(s, 0);
    case 3: return shms_stream_version(s);
    case 4: version = -1; return shms_stream_wait(s, &version, -1);
    case 5: return shms_stream_notify(s);
    case 6: return shms_stream_read(s, buf, 64);
    case 7: return shms_stream_write(s, buf, 64);
    case 8: return shms_stream_pread(s, buf, SIZE, 0);
    case 9: return shms_stream_pwrite(s, buf, SIZE, 0);
    case 10: return shms_stream_snapshot(s, buf, 64, 0);
    case 11: return shms_stream_snapshot(s, buf, SIZE, 0);
    case 12: return shms_stream_save(s, "/dev/null") < 0 ? SHMS_E_LOST : shms_stream_read(s, buf, 1);
    case 13: shms_stream_size(s); return shms_stream_read(s, buf, 1);
    case 14: shms_stream_poll_fd(s); return shms_stream_pread(s, buf, 1, 0);
    case 15: shms_stream_info(s, &info); return shms_stream_pread(s, buf, 1, 0);
    case 16: return shms_stream_file(s, "r", &f) < 0 ? SHMS_E_LOST : (fclose(f), shms_stream_read(s, buf, 1));
    case 17: shms_stream_unlock(s); return shms_stream_read(s, buf, 1);
    default: return 1;
    }
}

/* Calls that touch control alone do not meet a gap in the data. */
static bool touches_data(int which)
{
    return which >= 6;
}

static void all_calls(const shms_stream_options *options, bool control)
{
    for (int which = 0; call(NULL, which) != 1; which++) {
        if (!control && !touches_data(which))
            continue;
        shms_stream *s = unit_open(NAME, SIZE, options);
        assert_int_equal(truncate(control ? local_files.control : local_files.data, 0), 0);
        assert_int_equal(call(s, which), SHMS_E_LOST);
        for (int again = 0; call(NULL, again) != 1; again++)
            assert_int_equal(call(s, again), SHMS_E_LOST);
        assert_int_equal(shms_stream_size(s), 0);
        char *p = shms_stream_memory(s);
        assert_int_equal(p[0] | p[SIZE - 1], 0);
        shms_stream_close(s);
        shms_stream_unlink(NAME);
        remove(local_files.control);
        remove(local_files.data);
    }
}

static void control_is_cut(void **state)
{
    (void)state;
    guard_again();
    all_calls(NULL, true);
    all_calls(OPTIONS(.atomic = 1), true);
}

static void data_is_cut(void **state)
{
    (void)state;
    guard_again();
    all_calls(NULL, false);
    all_calls(OPTIONS(.atomic = 1), false);
}

/* What lies before the gap can still be rescued; the lock is given back by closing. */
static void a_part_is_cut(void **state)
{
    (void)state;
    guard_again();
    shms_stream *s = unit_open(NAME, SIZE, NULL);
    shms_stream *t = unit_open(NAME, SIZE, NULL);
    char *p = shms_stream_memory(s);
    memset(p, 7, SIZE);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(truncate(local_files.data, 4096), 0);
    assert_int_equal(p[SIZE - 1], 0);
    assert_int_equal(p[4095], 7);
    p[SIZE - 1] = 1;
    assert_int_equal(p[SIZE - 1], 1); /* private now */
    assert_int_equal(shms_stream_unlock(s), SHMS_E_LOST);
    assert_int_equal(shms_stream_lock(t, 0), SHMS_E_TIMEOUT); /* it has not met the gap yet */
    shms_stream_close(s);
    assert_int_equal(shms_stream_lock(t, 0), SHMS_OWNER_DIED);
    assert_int_equal(shms_stream_pread(t, buf, 4096, 0), 4096);
    assert_int_equal(shms_stream_pread(t, buf, 4097, 0), SHMS_E_LOST);
    shms_stream_close(t);
}

/* Control is replaced as a whole, though its first page is still there: the lost take no part in it. */
static void the_rest_of_control_is_cut(void **state)
{
    enum { MANY = 64 }; /* the last one's slot is not on the first page */
    shms_stream *s[MANY];
    (void)state;
    guard_again();
    if (sysconf(_SC_PAGESIZE) > 4096)
        skip();
    for (int i = 0; i < MANY; i++)
        s[i] = unit_open(NAME, SIZE, NULL);
    const struct control *c = s[0]->section.member.region.control;
    assert_true(offsetof(struct control, slots[MANY - 2]) > 4096);
    assert_int_equal(shms_stream_lock_shared(s[0], 0), 0);
    assert_int_equal(truncate(local_files.control, 4096), 0);
    uint64_t cell = a64_load_relaxed(&c->cell); /* relaxed: nobody writes it here */
    assert_int_equal(cell, CELL_SHARED);
    assert_int_equal(shms_stream_lock_shared(s[MANY - 1], 0), SHMS_E_LOST);
    for (int which = 0; call(NULL, which) != 1; which++)
        assert_int_equal(call(s[MANY - 1], which), SHMS_E_LOST);
    for (int i = MANY - 1; i > 0; i--)
        shms_stream_close(s[i]);
    assert_int_equal(a64_load_relaxed(&c->cell), cell); /* relaxed: as above */
    assert_int_equal(shms_stream_unlock(s[0]), 0);
    shms_stream_close(s[0]);
    remove(local_files.control);
    remove(local_files.data);
}

/* ---- threads that wait for their own handle, which can give nothing back any more */

static void *wait_to_write(void *s)
{
    return (void *)(intptr_t)shms_stream_lock(s, -1);
}

static void *wait_to_read(void *s)
{
    return (void *)(intptr_t)shms_stream_lock_shared(s, -1);
}

static void lose_what_is_waited_for(bool shared, void *(*waits)(void *))
{
    pthread_t thread;
    void *rc = NULL;
    shms_stream *s = unit_open(NAME, SIZE, NULL);
    const struct control *c = s->section.member.region.control;
    assert_int_equal(shared ? shms_stream_lock_shared(s, 0) : shms_stream_lock(s, 0), 0);
    assert_int_equal(pthread_create(&thread, NULL, waits, s), 0);
    /* relaxed: looked at again */
    WAIT_FOR(a64_load_relaxed(&c->cell) & (shared ? CELL_OWNER : CELL_WAITERS));
    assert_int_equal(truncate(local_files.data, 0), 0);
    assert_int_equal(shms_stream_pread(s, buf, 1, 0), SHMS_E_LOST);
    pthread_join(thread, &rc);
    assert_int_equal((intptr_t)rc, SHMS_E_LOST);
    shms_stream_close(s);
}

static void threads_of_a_lost_one(void **state)
{
    (void)state;
    guard_again();
    lose_what_is_waited_for(false, wait_to_write);
    lose_what_is_waited_for(false, wait_to_read);
    lose_what_is_waited_for(true, wait_to_write);
}

static void a_reader_of_the_data_alone(void **state)
{
    (void)state;
    guard_again();
    shms_stream *s = unit_open(NULL, SIZE, OPTIONS(.mode = 0400, .sparse = 1));
    int fd = shms_stream_fd(s);
    shms_stream *t = NULL;
    assert_int_equal(shms_stream_open_fd(fd, OPTIONS(.access = SHMS_ACCESS_READ), &t), 0);
    shms__member_lose(&t->section.member); /* sealed memory cannot be taken away: as if */
    assert_int_equal(shms_stream_pread(t, buf, 1, 0), SHMS_E_LOST);
    assert_int_equal(shms_stream_lock(t, 0), SHMS_E_LOST);
    assert_int_equal(shms_stream_pread(s, buf, 1, 0), 1);
    close(fd);
    shms_stream_close(t);
    shms_stream_close(s);
}

static int child_of_a_lost_one(void *stream)
{
    EXPECT(shms_stream_lock(stream, 0) == SHMS_E_LOST);
    shms_stream_close(stream);
    return 0;
}

static void fork_of_a_lost_one(void **state)
{
    (void)state;
    guard_again();
    shms_stream *s = unit_open(NAME, SIZE, NULL);
    assert_int_equal(truncate(local_files.data, 0), 0);
    assert_int_equal(shms_stream_pread(s, buf, 1, 0), SHMS_E_LOST);
    assert_int_equal(unit_child(child_of_a_lost_one, s, 0), 0);
    shms_stream_close(s);
    s = unit_open(NAME, SIZE, NULL);
    assert_int_equal(truncate(local_files.control, 0), 0);
    assert_int_equal(shms_stream_lock(s, 0), SHMS_E_LOST);
    assert_int_equal(unit_child(child_of_a_lost_one, s, 0), 0);
    shms_stream_close(s);
    remove(local_files.control); /* which does not say any more whether it is to be kept */
    remove(local_files.data);
}

/* More handles than one block of entries, closed and opened in any order. */
static void many_handles(void **state)
{
    (void)state;
    guard_again();
    shms_stream *all[200];
    for (int i = 0; i < 200; i++)
        all[i] = unit_open(NAME, SIZE, NULL);
    for (int i = 0; i < 200; i += 2)
        shms_stream_close(all[i]);
    for (int i = 0; i < 200; i += 4)
        all[i] = unit_open(NAME, SIZE, NULL);
    assert_int_equal(truncate(local_files.data, 0), 0);
    for (int i = 0; i < 200; i++)
        if (i % 4 != 2) {
            assert_int_equal(shms_stream_pread(all[i], buf, 1, SIZE - 1), SHMS_E_LOST);
            shms_stream_close(all[i]);
        }
}

int main(void)
{
    const struct CMUnitTest first[] = {TEST(handlers_of_others), TEST(as_they_asked),
                                       TEST(signals_that_are_no_gaps), TEST(whoever_does_not_want_it)};
    const struct CMUnitTest tests[] = {
        TEST(control_is_cut),     TEST(data_is_cut),  TEST(a_part_is_cut), TEST(a_reader_of_the_data_alone),
        TEST(fork_of_a_lost_one), TEST(many_handles),
        TEST(threads_of_a_lost_one), TEST(the_rest_of_control_is_cut),
    };
    int failed = cmocka_run_group_tests_name("before anything is open", first, NULL, NULL);
    shms_stream *s = NULL;
    if (shms_stream_open(NULL, 1, NULL, &s) < 0 || sigaction(SIGBUS, NULL, &ours))
        return 1;
    shms_stream_close(s);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
