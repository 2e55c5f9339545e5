/* SPDX-License-Identifier: MIT */
/* guard.c: earlier handlers of rarer kinds, memory that is only read, and no address space for zeros. */
#include "child.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#define SIZE 1000000u
#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))

static sigjmp_buf back;
static volatile int signals;

static void jumps(int number)
{
    (void)number;
    signals++;
    siglongjmp(back, 1);
}

static void counts(int number)
{
    (void)number;
    signals++;
}

static int touch(const char *p)
{
    return *(const volatile char *)p;
}

static shms_stream *opened(const shms_stream_options *options)
{
    shms_stream *s = NULL;
    int rc = shms_stream_open(NAME, SIZE, options, &s);
    if (rc == 0)
        return s;
    fprintf(stderr, "open: %s\n", shms_strerror(rc));
    return NULL;
}

/* A page of a file that has ended: not the library's. */
static const char *gone(void)
{
    int fd = memfd_create("gone", MFD_CLOEXEC);
    const char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    return p;
}

/* ---- handlers that want one signal only; the guard gives way to them, and is no more */

static int a_fault_once(void *unused)
{
    struct sigaction once = {.sa_handler = jumps, .sa_flags = (int)SA_RESETHAND};
    (void)unused;
    EXPECT(sigaction(SIGBUS, &once, NULL) == 0);
    shms_stream *s = opened(NULL);
    const char *p = gone();
    EXPECT(s);
    if (sigsetjmp(back, 1) == 0)
        touch(p);
    EXPECT(signals == 1);
    shms_stream_close(s);
    return 0;
}

static int a_signal_once(void *unused)
{
    struct sigaction once = {.sa_handler = counts, .sa_flags = (int)SA_RESETHAND}, now;
    (void)unused;
    EXPECT(sigaction(SIGBUS, &once, NULL) == 0);
    shms_stream *s = opened(NULL);
    EXPECT(s && raise(SIGBUS) == 0 && signals == 1);
    EXPECT(sigaction(SIGBUS, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
    shms_stream_close(s);
    return 0;
}

/* "A page of yours is broken, in case you want to do something before you touch it." */
static int early_news(void *unused)
{
    siginfo_t news = {.si_signo = SIGBUS, .si_code = BUS_MCEERR_AO};
    (void)unused;
    signal(SIGBUS, SIG_IGN);
    shms_stream *s = opened(NULL);
    EXPECT(s && syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGBUS, &news) == 0);
    EXPECT(shms_stream_lock(s, 0) == 0 && shms_stream_unlock(s) == 0);
    shms_stream_close(s);
    return 0;
}

static void rare_handlers(void **state)
{
    (void)state;
    assert_int_equal(unit_child(a_fault_once, NULL, 0), 0);
    assert_int_equal(unit_child(a_signal_once, NULL, 0), 0);
    assert_int_equal(unit_child(early_news, NULL, 0), 0);
}

/* ---- a handle that only reads has zeros that are only read */

static int reads_only(void *unused)
{
    char c = 1;
    int pipes[2];
    (void)unused;
    signal(SIGBUS, SIG_DFL);
    shms_stream *s = opened(NULL), *t = opened(OPTIONS(.access = SHMS_ACCESS_READ));
    EXPECT(s && t && truncate(local_files.data, 0) == 0);
    EXPECT(shms_stream_pread(t, &c, 1, SIZE - 1) == SHMS_E_LOST);
    char *p = shms_stream_memory(t);
    EXPECT(touch(p) == 0 && touch(p + SIZE - 1) == 0);
    EXPECT(pipe(pipes) == 0 && write(pipes[1], "x", 1) == 1);
    EXPECT(read(pipes[0], p, 1) == -1 && errno == EFAULT);
    shms_stream_close(t);
    shms_stream_close(s);
    return 0;
}

static void read_only_memory(void **state)
{
    (void)state;
    assert_int_equal(unit_child(reads_only, NULL, 0), 0);
}

/* ---- the gap is met by a system call, which says so and sends no signal */

static int saves_what_is_gone(void *unused)
{
    (void)unused;
    shms_stream *s = opened(NULL);
    EXPECT(s && truncate(local_files.data, 0) == 0);
    int pipes[2];
    char path[64];
    EXPECT(pipe(pipes) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", pipes[1]);
    EXPECT(shms_stream_save(s, path) == SHMS_E_LOST);
    EXPECT(shms_last_oserror() == EFAULT);
    shms_stream_close(s);
    return 0;
}

static void met_by_a_system_call(void **state)
{
    (void)state;
    assert_int_equal(unit_child(saves_what_is_gone, NULL, 0), 0);
}

/* ---- no address space */

/* Not for all that follows the gap, but for a page at a time. */
static int page_by_page(void *unused)
{
    (void)unused;
    signal(SIGBUS, SIG_DFL);
    shms_stream *s = opened(NULL);
    EXPECT(s && truncate(local_files.data, 0) == 0);
    const char *p = shms_stream_memory(s);
    unit_limit_address_space(4 * PAGE);
    int sum = touch(p) + touch(p + 10 * PAGE) + touch(p + SIZE - 1);
    unit_limit_nothing();
    char c;
    EXPECT(sum == 0 && shms_stream_pread(s, &c, 1, 0) == SHMS_E_LOST);
    shms_stream_close(s);
    return 0;
}

/* Not even for one: as if there were no guard. */
static int not_one_page(void *unused)
{
    (void)unused;
    signal(SIGBUS, jumps);
    shms_stream *s = opened(NULL);
    EXPECT(s && truncate(local_files.data, 0) == 0);
    const char *p = shms_stream_memory(s);
    unit_limit_address_space(0);
    if (sigsetjmp(back, 1) == 0)
        touch(p);
    unit_limit_nothing();
    EXPECT(signals == 1);
    shms_stream_close(s);
    return 0;
}

/* Control goes as a whole, also where it is another page than its first that is missing. */
static int all_of_control(void *unused)
{
    enum { MANY = 64 }; /* the last one's slot is not on the first page */
    shms_stream *s[MANY];
    (void)unused;
    signal(SIGBUS, SIG_DFL);
    for (int i = 0; i < MANY; i++) {
        s[i] = opened(OPTIONS(.no_bell = 1)); /* its thread would take of the room that is left */
        EXPECT(s[i]);
    }
    EXPECT(truncate(local_files.control, (off_t)PAGE) == 0);
    unit_limit_address_space(PAGE);
    int rc = shms_stream_lock_shared(s[MANY - 1], 0);
    unit_limit_nothing();
    EXPECT(rc == SHMS_E_LOST);
    const struct control *c = s[MANY - 1]->section.member.region.control;
    EXPECT(a64_load_relaxed(&c->version) == 1); /* relaxed: private now */
    for (int i = 60; i < MANY; i++)
        EXPECT(a32_load_relaxed(&c->slots[i].generation) == 0); /* relaxed: as above */
    for (int i = 0; i < MANY; i++)
        shms_stream_close(s[i]);
    remove(local_files.control);
    remove(local_files.data);
    return 0;
}

static int cannot_map_control(void *unused)
{
    shms_stream *s = NULL;
    (void)unused;
    unit_limit_address_space(0);
    int rc = shms_stream_open(NULL, SIZE, NULL, &s);
    unit_limit_nothing();
    EXPECT(rc == SHMS_E_NOMEM);
    return 0;
}

static void *volatile piece; /* else the compiler may leave out an allocation that nobody uses */

/* All of the heap, in pieces that are never given back. */
static void take_heap(void)
{
    for (size_t size = SIZE; size >= 16;) {
        piece = malloc(size);
        if (!piece)
            size /= 2;
    }
}

/* The entries of 64 handles are there from the start; more are a piece of the heap. */
static int one_handle_too_many(void *unused)
{
    shms_stream *all[64], *s = NULL;
    (void)unused;
    for (int i = 0; i < 64; i++) {
        all[i] = opened(OPTIONS(.no_bell = 1));
        EXPECT(all[i]);
    }
    void *volatile handle = malloc(sizeof *s);
    unit_limit_address_space(0);
    take_heap();
    free(handle); /* room for a handle, and no more */
    int rc = shms_stream_open(NAME, SIZE, OPTIONS(.no_bell = 1), &s);
    unit_limit_nothing();
    EXPECT(rc == SHMS_E_NOMEM);
    s = opened(NULL);
    EXPECT(s);
    shms_stream_close(s);
    for (int i = 0; i < 64; i++)
        shms_stream_close(all[i]);
    return 0;
}

static void no_address_space(void **state)
{
    (void)state;
    if (unit_address_space_huge())
        skip();
    assert_int_equal(unit_child(page_by_page, NULL, 0), 0);
    assert_int_equal(unit_child(not_one_page, NULL, 0), 0);
    if (PAGE == 4096)
        assert_int_equal(unit_child(all_of_control, NULL, 0), 0);
    assert_int_equal(unit_child(cannot_map_control, NULL, 0), 0);
    assert_int_equal(unit_child(one_handle_too_many, NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rare_handlers), TEST(read_only_memory), TEST(met_by_a_system_call), TEST(no_address_space),
    };
    return cmocka_run_group_tests_name("guard, rarely", tests, NULL, NULL);
}
