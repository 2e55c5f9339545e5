/* SPDX-License-Identifier: MIT */
/*
 * Calls are not cut off: a thread that is to be cancelled goes on through all of them, but begins no open;
 * handlers that leave by siglongjmp, or fork, and callbacks that leave by longjmp, find nothing locked.
 * And a thread with the smallest stack can make every call.
 */
#include "every.h"

#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/time.h>

static char file[64];
static shms_stream *stream;
static int result;

static shms_stream *open_atomic(void)
{
    return unit_open(NAME, 4096, OPTIONS(.atomic = 1, .max_size = 2 << 20));
}

static void run_in_thread(void *(*fn)(void *), size_t stack)
{
    pthread_t thread;
    pthread_attr_t how;
    assert_int_equal(pthread_attr_init(&how), 0);
    if (stack)
        assert_int_equal(pthread_attr_setstacksize(&how, stack), 0);
    assert_int_equal(pthread_create(&thread, &how, fn, NULL), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&how);
}

/* ---- cancellation: pending from before the first call, so that the first cancellation point acts upon it */

static void *every_call_of_a_cancelled(void *unused)
{
    result = 1;
    pthread_cancel(pthread_self());
    result = every_call_on(stream, file);
    shms_stream_close(stream);
    stream = NULL;
    pthread_testcancel();
    result = 2;
    return unused;
}

static void calls_are_no_cancellation_points(void **state)
{
    (void)state;
    stream = open_atomic();
    shms_stream *other = unit_open(NAME, 0, NULL);
    run_in_thread(every_call_of_a_cancelled, 0);
    unlink(file);
    assert_int_equal(result, 0);
    assert_null(stream);
    shms_stream_close(other);
}

static void *open_of_a_cancelled(void *unused)
{
    shms_stream *s = NULL;
    pthread_cancel(pthread_self());
    shms_stream_open(NAME, 64, NULL, &s);
    result = 3;
    return unused;
}

static void an_open_does_not_begin(void **state)
{
    (void)state;
    result = 0;
    run_in_thread(open_of_a_cancelled, 0);
    assert_int_equal(result, 0);
    assert_int_equal(unit_names(), 0);
}

/* In the middle: another opening has the life-cycle lock when the cancellation comes. */
static int sit_on_life(void)
{
    struct flock l = {.l_type = F_WRLCK, .l_len = 1};
    int fd = open(local_files.control, O_RDWR | O_CLOEXEC);
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &l), 0);
    return fd;
}

static void *open_slowly(void *unused)
{
    (void)unused;
    result = shms_stream_open(NAME, 0, OPTIONS(.open_timeout_ms = 20000), &stream);
    return NULL;
}

/* It sleeps in the system: so it waits for somebody. */
static bool sleeps(const char *task)
{
    char path[80], line[256] = "";
    snprintf(path, sizeof path, "/proc/self/task/%s/wchan", task);
    FILE *f = fopen(path, "re");
    if (f) {
        (void)!fgets(line, sizeof line, f);
        fclose(f);
    }
    return strstr(line, "sleep") || strstr(line, "poll");
}

static bool another_sleeps(void)
{
    bool found = false;
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *e; d && (e = readdir(d));)
        found |= e->d_name[0] != '.' && atoi(e->d_name) != getpid() && sleeps(e->d_name);
    closedir(d);
    return found;
}

static void a_waiting_open_ends_as_ever(void **state)
{
    pthread_t thread;
    (void)state;
    shms_stream *s = unit_open(NAME, 64, NULL);
    int fd = sit_on_life();
    stream = NULL;
    assert_int_equal(pthread_create(&thread, NULL, open_slowly, NULL), 0);
    for (int i = 0; i < 200 && !another_sleeps(); i++)
        shms__nap(1000000);
    pthread_cancel(thread);
    close(fd);
    pthread_join(thread, NULL);
    assert_int_equal(result, 0);
    shms_stream_close(stream);
    shms_stream_close(s);
}

/* ---- handlers; in children, which may leak */

static sigjmp_buf back;

static void jump(int number)
{
    siglongjmp(back, number);
}

/* Soon, and again, should the call not have begun to wait. */
static void expect_signal(void (*handler)(int))
{
    struct sigaction a = {.sa_handler = handler};
    struct itimerval soon = {{0, 3000}, {0, 3000}};
    sigaction(SIGALRM, &a, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
}

static void no_signals(void)
{
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
}

static int everything_goes_on(void)
{
    sigset_t mask;
    shms_stream *s = NULL;
    int before = 0;
    EXPECT(pthread_sigmask(0, NULL, &mask) == 0 && sigismember(&mask, SIGUSR1) == 0);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
    EXPECT(before == PTHREAD_CANCEL_ENABLE);
    EXPECT(shms_stream_open(GLOBAL, 64, NULL, &s) == 0);
    EXPECT(shms_stream_lock(s, 0) == 0 && shms_stream_unlock(s) == 0);
    shms_stream_close(s);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    EXPECT(unit_wait(pid) == 0);
    return 0;
}

enum { IN_OPEN, IN_UNLINK, IN_CLOSE, IN_REJOIN, IN_LOCK, IN_WAIT, PLACES };
static int place;

static int wait_somewhere(shms_stream *s)
{
    shms_stream *t = NULL;
    int64_t seen = shms_stream_version(s);
    switch (place) {
    case IN_OPEN:
        return shms_stream_open(NAME, 0, OPTIONS(.open_timeout_ms = 60000), &t);
    case IN_UNLINK:
        return shms_stream_unlink(NAME);
    case IN_CLOSE:
        shms_stream_close(s);
        return 0;
    case IN_REJOIN:
        return shms_stream_lock(stream, 60000);
    case IN_LOCK:
        return shms_stream_lock(s, 60000);
    default:
        return shms_stream_wait(s, &seen, 60000);
    }
}

/* `stream` is the parent's, whose life-cycle lock and lock are taken by others. */
static int leaves_by_a_jump(void *unused)
{
    static shms_stream *s; /* no locals that siglongjmp may spoil */
    static int fd;
    (void)unused;
    fd = -1;
    if (place == IN_CLOSE || place == IN_LOCK || place == IN_WAIT)
        EXPECT(shms_stream_open(place == IN_CLOSE ? GLOBAL : NAME, 64, NULL, &s) == 0);
    if (place == IN_CLOSE) { /* the last one */
        struct flock l = {.l_type = F_WRLCK, .l_len = 1};
        fd = open(global_files.control, O_RDWR | O_CLOEXEC);
        EXPECT(fcntl(fd, F_OFD_SETLK, &l) == 0);
    } else if (place != IN_LOCK && place != IN_WAIT) {
        sit_on_life();
    }
    if (sigsetjmp(back, 1) == 0) {
        expect_signal(jump);
        wait_somewhere(s);
        return 1; /* nobody jumped */
    }
    no_signals();
    if (fd >= 0) {
        close(fd);
        unlink(global_files.control), unlink(global_files.data);
    }
    if (place == IN_LOCK)
        EXPECT(shms_stream_unlock(s) == SHMS_E_NOT_OWNER);
    return everything_goes_on();
}

static void a_jump_out_of_a_wait(void **state)
{
    (void)state;
    for (place = 0; place < PLACES; place++) {
        stream = unit_open(NAME, 64, NULL);
        assert_int_equal(shms_stream_lock(stream, 0), 0);
        assert_int_equal(unit_child(leaves_by_a_jump, NULL, 0), 0);
        assert_int_equal(shms_stream_unlock(stream), 0);
        assert_int_equal(shms_stream_lock(stream, 1000) | shms_stream_unlock(stream), 0);
        shms_stream_close(stream);
    }
}

/* Over and over, wherever it is: the lock is held or not, and unlock says which. */
static int jumps_out_of_lock(void *unused)
{
    (void)unused;
    static shms_stream *s;
    static int jumps; /* no local that siglongjmp may spoil */
    EXPECT(shms_stream_open(NAME, 64, NULL, &s) == 0);
    struct itimerval often = {{0, 200}, {0, 200}};
    struct sigaction a = {.sa_handler = jump};
    sigaction(SIGALRM, &a, NULL);
    for (jumps = 0; jumps < 300; jumps++)
        if (sigsetjmp(back, 1) == 0) {
            if (jumps == 0) /* not before there is a place to jump to */
                setitimer(ITIMER_REAL, &often, NULL);
            for (;;)
                (void)!shms_stream_lock(s, -1), shms_stream_unlock(s);
        } else {
            sigset_t alarm;
            sigemptyset(&alarm);
            sigaddset(&alarm, SIGALRM);
            sigprocmask(SIG_BLOCK, &alarm, NULL);
            int rc = shms_stream_unlock(s);
            EXPECT(rc == 0 || rc == SHMS_E_NOT_OWNER);
            EXPECT(shms_stream_lock(stream, 1000) >= 0 && shms_stream_unlock(stream) == 0);
            sigprocmask(SIG_UNBLOCK, &alarm, NULL);
        }
    no_signals();
    shms_stream_close(s);
    return 0;
}

static void jumps_out_of_lock_and_unlock(void **state)
{
    (void)state;
    stream = unit_open(NAME, 64, NULL);
    assert_int_equal(unit_child(jumps_out_of_lock, NULL, 0), 0);
    shms_stream_close(stream);
}

/* ---- fork in a handler: the child's calls work there, and the call that was interrupted ends in both */

static sig_atomic_t forked, in_child;
static pid_t forked_pid;

static void fork_here(int number)
{
    (void)number;
    if (forked)
        return;
    forked = 1;
    forked_pid = fork();
    if (forked_pid == 0) {
        in_child = 1;
        shms_stream *s = NULL;
        bool well = shms_stream_open(GLOBAL, 64, NULL, &s) == 0 && shms_stream_lock(s, 1000) == 0;
        shms_stream_close(s);
        if (!well)
            _exit(9);
    }
}

static int forks_in_a_wait(void *unused)
{
    shms_stream *s = NULL;
    (void)unused;
    if (place == IN_LOCK || place == IN_WAIT)
        EXPECT(shms_stream_open(NAME, 64, NULL, &s) == 0);
    int fd = place == IN_LOCK || place == IN_WAIT ? -1 : sit_on_life();
    expect_signal(fork_here);
    int rc = place == IN_OPEN     ? shms_stream_open(NAME, 0, OPTIONS(.open_timeout_ms = 300), &s)
             : place == IN_REJOIN ? shms_stream_lock(stream, 300)
             : place == IN_LOCK   ? shms_stream_lock(s, 300)
                                  : shms_stream_wait(s, &(int64_t){shms_stream_version(s)}, 300);
    no_signals();
    /* A child's memory of control is not that which the call began with; nor does it wait any longer. */
    bool cut = in_child && (place == IN_LOCK || place == IN_WAIT);
    EXPECT(forked && rc == (cut ? SHMS_E_LOST : SHMS_E_TIMEOUT));
    if (in_child) {
        if (cut) { /* the handle is as good as any that a child inherits */
            EXPECT(shms_stream_version(s) >= 0 && shms_stream_lock(s, 10) == SHMS_E_TIMEOUT);
            shms_stream_close(s);
        }
        return 0;
    }
    EXPECT(unit_wait(forked_pid) == 0);
    close(fd);
    return everything_goes_on();
}

static void a_fork_in_a_wait(void **state)
{
    static const int places[] = {IN_OPEN, IN_REJOIN, IN_LOCK, IN_WAIT};
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        place = places[i];
        stream = unit_open(NAME, 64, NULL);
        assert_int_equal(shms_stream_lock(stream, 0), 0);
        assert_int_equal(unit_child(forks_in_a_wait, NULL, 0), 0);
        assert_int_equal(shms_stream_unlock(stream), 0);
        shms_stream_close(stream);
        unlink(global_files.control), unlink(global_files.data);
    }
}

/* A crash in the very middle (the linker puts this before the library's own, CMakeLists.txt): the process
 * lock is held. Its handler forks, as crash reporters do. */
void __real_shms__fork_remember(struct region *r);
void __wrap_shms__fork_remember(struct region *r);
static bool armed;

void __wrap_shms__fork_remember(struct region *r)
{
    if (armed) {
        armed = false;
        raise(SIGSEGV);
    }
    __real_shms__fork_remember(r);
}

static int crashes_in_open(void *unused)
{
    shms_stream *s = NULL;
    struct sigaction a = {.sa_handler = fork_here};
    (void)unused;
    sigaction(SIGSEGV, &a, NULL);
    armed = true;
    int rc = shms_stream_open(NAME, 64, NULL, &s);
    EXPECT(forked && (rc == 0 || in_child)); /* the child may find its files closed */
    if (in_child)
        return 0;
    EXPECT(unit_wait(forked_pid) == 0);
    EXPECT(everything_goes_on() == 0);
    shms_stream_close(s);
    return 0;
}

static void a_fork_in_the_handler_of_a_crash(void **state)
{
    (void)state;
    assert_int_equal(unit_child(crashes_in_open, NULL, 0), 0);
    unlink(global_files.control), unlink(global_files.data);
    unlink(local_files.control), unlink(local_files.data);
}

/* ---- callbacks that do not come back */

static jmp_buf out;

static int leave_list(const char *name, const shms_info *info, void *context)
{
    (void)name, (void)info, (void)context;
    longjmp(out, 1);
}

static int leave_members(const shms_member *member, void *context)
{
    (void)member, (void)context;
    longjmp(out, 1);
}

static size_t allocated(void)
{
#if __GLIBC_PREREQ(2, 33)
    return mallinfo2().uordblks;
#else
    return (size_t)mallinfo().uordblks;
#endif
}

static void a_jump_out_of_a_callback(void **state)
{
    (void)state;
    stream = unit_open(NAME, 64, NULL);
    for (int i = 0; i < 3; i++) { /* at first, libc takes what it keeps */
        static size_t before, after;
        before = allocated();
        static int jumps;
        for (jumps = 0; jumps < 20; jumps++)
            if (setjmp(out) == 0) {
                if (jumps % 2)
                    shms_list(leave_list, NULL);
                else
                    shms_stream_members(stream, leave_members, NULL);
                fail_msg("nobody jumped");
            }
        after = allocated();
        if (i == 2)
            assert_true(after < before + 4096);
    }
    assert_int_equal(everything_goes_on(), 0);
    shms_stream_close(stream);
}

/* ---- stacks */

static void *every_call_there(void *unused)
{
    char own[100];
    snprintf(own, sizeof own, "%s-own", NAME);
    result = every_call_on(stream, file);
    if (result == 0)
        result = every_opening(own);
    return unused;
}

/* The thread's own storage counts, and that of a sanitizer is no stack of 16 KiB. */
static void the_smallest_stack(void **state)
{
    (void)state;
    if (unit_address_space_huge())
        skip();
    stream = open_atomic();
    result = 1;
    run_in_thread(every_call_there, (size_t)PTHREAD_STACK_MIN);
    unlink(file);
    assert_int_equal(result, 0);
    shms_stream_close(stream);
}

/* ---- what the header calls async-signal-safe */

static volatile sig_atomic_t safe;

static void call_the_safe(int number)
{
    (void)number;
    safe = shms_stream_memory(stream) && shms_stream_size(stream) == 64 && !shms_stream_existed(stream) &&
           shms_stream_tell(stream) == 0 && shms_last_oserror() >= 0 && shms_strerror(-3) && shms_version();
}

static int interrupts_calls(void *unused)
{
    (void)unused;
    struct sigaction a = {.sa_handler = call_the_safe};
    struct itimerval often = {{0, 300}, {0, 300}};
    sigaction(SIGALRM, &a, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 300; i++) {
        safe = 1;
        EXPECT(every_opening(GLOBAL) == 0 && safe);
    }
    no_signals();
    return 0;
}

static void the_safe_in_a_handler(void **state)
{
    (void)state;
    stream = unit_open(NAME, 64, NULL);
    assert_int_equal(unit_child(interrupts_calls, NULL, 0), 0);
    shms_stream_close(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_are_no_cancellation_points), TEST(an_open_does_not_begin),
        TEST(a_waiting_open_ends_as_ever),      TEST(a_jump_out_of_a_wait),
        TEST(jumps_out_of_lock_and_unlock),     TEST(a_fork_in_a_wait),
        TEST(a_fork_in_the_handler_of_a_crash), TEST(a_jump_out_of_a_callback),
        TEST(the_smallest_stack),               TEST(the_safe_in_a_handler),
    };
    snprintf(file, sizeof file, "/tmp/shms-cut-off-%d", (int)getpid());
    return cmocka_run_group_tests_name("cut_off", tests, NULL, NULL);
}
