/* SPDX-License-Identifier: MIT */
/* options.init: who calls it and when, what it may do, and what a failing or dying one leaves. And kinds. */
#include "child.h"

#include <pthread.h>

#define SIZE 8192
#define FILLED(...) OPTIONS(.init = fill, .init_context = &calls, __VA_ARGS__)

static const struct control *control_of(shms_stream *s)
{
    return s->section.member.region.control;
}

/* A peer's: control of NAME, written from outside. */
static void forge(size_t offset, uint32_t value)
{
    int fd = open(local_files.control, O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, &value, sizeof value, (off_t)offset), sizeof value);
    close(fd);
}

/* Until so many have joined NAME. */
static void await_members(uint32_t n)
{
    int fd = open(local_files.control, O_RDONLY | O_CLOEXEC);
    uint32_t used = 0;
    WAIT_FOR(pread(fd, &used, sizeof used, offsetof(struct control, slots_used)) == sizeof used && used >= n);
    close(fd);
}

static char byte_at(shms_stream *s, int64_t offset)
{
    char c = 0;
    return shms_stream_pread(s, &c, 1, offset) == 1 ? c : '!';
}

static int calls;

static int fill(shms_stream *s, void *context)
{
    ++*(int *)context;
    return shms_stream_pwrite(s, "full", 4, 0) == 4 ? 7 : SHMS_E_RANGE; /* 7: as good as 0 */
}

/* ---- who calls it */

static void the_creator_calls_it(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 8; how++) {
        shms_stream_options *o = FILLED(.atomic = how & 1, .tasks = how >> 1 & 1, .keep = how >> 2 & 1);
        calls = 0;
        shms_stream *s = unit_open(NAME, SIZE, o);
        assert_int_equal(calls, 1);
        assert_int_equal(shms_stream_existed(s), 0);
        shms_stream *other = unit_open(NAME, SIZE, o), *plain = unit_open(NAME, 0, NULL);
        shms_stream *reader = unit_open(NAME, 0, FILLED(.access = SHMS_ACCESS_READ));
        assert_int_equal(calls, 1);
        assert_int_equal(shms_stream_existed(other), 1);
        assert_int_equal(byte_at(reader, 3), 'l');
        assert_int_equal(shms_stream_lock(plain, 0), 0); /* it is free, and nobody has died */
        assert_int_equal(shms_stream_unlock(plain), 0);
        shms_stream_close(reader);
        shms_stream_close(plain);
        shms_stream_close(other);
        shms_stream_close(s);
        s = unit_open(NAME, SIZE, o); /* kept, or new */
        assert_int_equal(calls, o->keep ? 1 : 2);
        assert_int_equal(shms_stream_existed(s), o->keep);
        shms_stream_close(s);
        assert_int_equal(shms_stream_unlink(NAME), o->keep ? 0 : SHMS_E_NOT_FOUND);
    }
}

static void a_region_without_one_needs_none(void **state)
{
    (void)state;
    calls = 0;
    shms_stream *s = unit_open(NAME, SIZE, NULL), *other = unit_open(NAME, SIZE, FILLED(.keep = 0));
    assert_int_equal(calls, 0);
    assert_int_equal(a32_load_relaxed(&control_of(s)->init), INIT_NONE); /* relaxed: one thread; so below */
    shms_stream_close(other);
    shms_stream_close(s);
}

static void an_unnamed_region_has_one_too(void **state)
{
    shms_stream *other = NULL;
    (void)state;
    calls = 0;
    shms_stream *s = unit_open(NULL, SIZE, FILLED(.keep = 0));
    int fd = shms_stream_fd(s);
    assert_true(fd >= 0);
    assert_int_equal(shms_stream_open_fd(fd, FILLED(.keep = 0), &other), 0);
    close(fd);
    assert_int_equal(calls, 1);
    assert_int_equal(byte_at(other, 0), 'f');
    shms_stream_close(other);
    shms_stream_close(s);
}

/* ---- nobody comes in before */

static atomic_bool inside, go_on, has_succeeded;

static int fill_when_told(shms_stream *s, void *context)
{
    int rc = fill(s, context);
    inside = true;
    while (!go_on)
        shms__nap(1000000);
    has_succeeded = rc >= 0;
    return rc;
}

static void *create_slowly(void *ret)
{
    return (void *)(intptr_t)shms_stream_open(
        NAME, SIZE, OPTIONS(.init = fill_when_told, .init_context = &calls, .open_timeout_ms = 20000), ret);
}

/* Gives NULL if its open came back after an init had succeeded. */
static void *come_in(void *options)
{
    shms_stream *s = NULL;
    int rc = shms_stream_open(NAME, 0, options, &s);
    bool soon = !has_succeeded || byte_at(s, 0) != 'f';
    shms_stream_close(s);
    return rc < 0 ? "open" : soon ? "too soon" : NULL;
}

static void nobody_comes_in_before(void **state)
{
    pthread_t creator, others[3];
    void *rc;
    shms_stream *s = NULL;
    (void)state;
    calls = 0;
    inside = go_on = has_succeeded = false;
    assert_int_equal(pthread_create(&creator, NULL, create_slowly, &s), 0);
    WAIT_FOR(inside);
    /* one who would fill it, one who would not, and a reader */
    shms_stream_options *options[3] = {FILLED(.open_timeout_ms = 20000), OPTIONS(.open_timeout_ms = 20000),
                                       FILLED(.access = SHMS_ACCESS_READ, .open_timeout_ms = 20000)};
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&others[i], NULL, come_in, options[i]), 0);
    assert_int_equal(unit_refused(NAME, 0, OPTIONS(.open_timeout_ms = 20)), SHMS_E_TIMEOUT);
    assert_int_equal(unit_refused(NAME, 0, FILLED(.open_timeout_ms = 20)), SHMS_E_TIMEOUT);
    go_on = true;
    for (int i = 0; i < 3; i++) {
        pthread_join(others[i], &rc);
        if (rc)
            fail_msg("%d: %s", i, (char *)rc);
    }
    pthread_join(creator, &rc);
    assert_ptr_equal(rc, NULL);
    assert_int_equal(calls, 1);
    shms_stream_close(s);
}

/* ---- one that fails */

static int refuse(shms_stream *s, void *context)
{
    shms_stream_pwrite(s, "bad", 3, 0);
    return (int)(intptr_t)context;
}

static void what_it_gives_comes_out(void **state)
{
    (void)state;
    for (int keep = 0; keep < 2; keep++)
        for (int atomic = 0; atomic < 2; atomic++) {
            shms_stream_options *o = OPTIONS(.init = refuse, .keep = (uint8_t)keep, .atomic = (uint8_t)atomic,
                                             .init_context = (void *)(intptr_t)SHMS_E_RANGE);
            assert_int_equal(unit_refused(NAME, SIZE, o), SHMS_E_RANGE);
            assert_int_equal(unit_names(), 0);
            o->init_context = (void *)(intptr_t)-1000; /* the program's own */
            assert_int_equal(unit_refused(NAME, SIZE, o), -1000);
            assert_int_equal(unit_names(), 0);
            shms_stream *s = unit_open(NAME, SIZE, NULL);
            assert_int_equal(shms_stream_existed(s), 0);
            assert_int_equal(byte_at(s, 0), 0);
            shms_stream_close(s);
        }
}

static int fail_when_told(shms_stream *s, void *context)
{
    (void)fill_when_told(s, context);
    has_succeeded = false;
    return SHMS_E_NOMEM;
}

static void *create_in_vain(void *options)
{
    return (void *)(intptr_t)unit_refused(NAME, SIZE, options);
}

static int fill_second(shms_stream *s, void *context)
{
    int rc = fill(s, context);
    has_succeeded = true;
    return rc;
}

/* Whoever waits and can fill it does so then, and who cannot is let in after that. */
static void the_next_one_fills_it(void **state)
{
    pthread_t creator, others[2];
    void *rc;
    int first = 0;
    (void)state;
    calls = 0;
    inside = go_on = has_succeeded = false;
    shms_stream_options *fails = OPTIONS(.init = fail_when_told, .init_context = &first, .keep = 1);
    assert_int_equal(pthread_create(&creator, NULL, create_in_vain, fails), 0);
    WAIT_FOR(inside);
    shms_stream_options *options[2] = {
        OPTIONS(.open_timeout_ms = 20000),
        OPTIONS(.init = fill_second, .init_context = &calls, .open_timeout_ms = 20000)};
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&others[i], NULL, come_in, options[i]), 0);
    await_members(3);
    go_on = true;
    pthread_join(creator, &rc);
    assert_int_equal((intptr_t)rc, SHMS_E_NOMEM);
    for (int i = 0; i < 2; i++) {
        pthread_join(others[i], &rc);
        if (rc)
            fail_msg("%d: %s", i, (char *)rc);
    }
    assert_int_equal(calls, 1);
    shms_stream_unlink(NAME); /* the first one had asked to keep it */
}

/* ---- one that dies */

static int fill_and_die(shms_stream *s, void *context)
{
    (void)context;
    if (shms_stream_pwrite(s, "dead", 4, 100) == 4)
        kill(getpid(), SIGKILL);
    return SHMS_E_RANGE;
}

static int dies_in_its_init(void *options)
{
    shms_stream *s = NULL;
    return shms_stream_open(NAME, SIZE, options, &s);
}

static void nothing_of_a_dead_one_is_kept(void **state)
{
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        shms_stream_options *o = OPTIONS(.init = fill_and_die, .keep = (uint8_t)keep);
        calls = 0;
        assert_int_equal(unit_child(dies_in_its_init, o, 0), 128 + SIGKILL);
        assert_int_equal(unit_refused(NAME, 0, OPTIONS(.create = SHMS_OPEN_ONLY)), SHMS_E_NOT_FOUND);
        assert_int_equal(unit_child(dies_in_its_init, o, 0), 128 + SIGKILL);
        shms_stream *s = unit_open(NAME, SIZE, FILLED(.keep = 0));
        assert_int_equal(calls, 1);
        assert_int_equal(shms_stream_existed(s), 0);
        assert_int_equal(byte_at(s, 100), 0);
        shms_stream_close(s);
    }
}

static void *fill_after_the_dead(void *options)
{
    shms_stream *s = NULL;
    int rc = shms_stream_open(NAME, SIZE, options, &s);
    char found = byte_at(s, 100);
    int locked = shms_stream_lock(s, 0);
    shms_stream_unlock(s);
    bool existed = shms_stream_existed(s);
    shms_stream_close(s);
    return rc < 0 ? "open" : locked != 0 ? "there is news" : !existed ? "it is new" : found ? "bytes" : NULL;
}

static int gate[2];

static int die_when_told(shms_stream *s, void *context)
{
    unit_gate_wait(gate);
    return fill_and_die(s, context);
}

/* One who waits finds it dead, and fills the same region: bytes of the dead one are there, or undone. */
static void a_waiter_fills_after_the_dead(void **state)
{
    (void)state;
    for (int atomic = 0; atomic < 2; atomic++) {
        pthread_t thread;
        void *rc;
        calls = 0;
        assert_int_equal(pipe(gate), 0);
        shms_stream_options *dies = OPTIONS(.init = die_when_told, .atomic = (uint8_t)atomic);
        pid_t pid = unit_fork(dies_in_its_init, dies, 0);
        WAIT_FOR(shms__file_exists(local_files.data));
        shms_stream_options *o = FILLED(.atomic = (uint8_t)atomic, .open_timeout_ms = 20000);
        assert_int_equal(pthread_create(&thread, NULL, fill_after_the_dead, o), 0);
        await_members(2);
        unit_gate_open(gate);
        assert_int_equal(unit_wait(pid), 128 + SIGKILL);
        pthread_join(thread, &rc);
        if (atomic)
            assert_ptr_equal(rc, NULL);
        else
            assert_string_equal(rc, "bytes");
        assert_int_equal(calls, 1);
        close(gate[0]);
        close(gate[1]);
    }
}

/* All was written and committed, only not said yet. */
static void an_ended_one_is_done(void **state)
{
    (void)state;
    calls = 0;
    shms_stream *s = unit_open(NAME, SIZE, FILLED(.atomic = 1, .keep = 1));
    shms_stream_close(s);
    forge(offsetof(struct control, init), INIT_ENDING);
    s = unit_open(NAME, SIZE, FILLED(.atomic = 1)); /* and kept */
    assert_int_equal(calls, 1);
    assert_int_equal(a32_load_relaxed(&control_of(s)->init), INIT_DONE);
    assert_int_equal(byte_at(s, 0), 'f');
    shms_stream_close(s);
    assert_int_equal(shms_stream_unlink(NAME), 0);
}

/* ---- what it may do */

static int call_back(shms_stream *s, void *context)
{
    char bytes[8];
    int64_t seen = shms_stream_version(s);
    int rc = 0;
#define GIVES(call, wanted)                                                                                 \
    do {                                                                                                    \
        int64_t got_ = (int64_t)(call);                                                                     \
        if (got_ != (wanted)) {                                                                             \
            print_error("%s gives %lld\n", #call, (long long)got_);                                         \
            rc = SHMS_E_RANGE;                                                                              \
        }                                                                                                   \
    } while (0)
    *(int *)context += 1;
    GIVES(shms_stream_lock(s, -1), SHMS_E_DEADLOCK); /* also of a handle for tasks: init is none */
    GIVES(shms_stream_lock_shared(s, -1), SHMS_E_DEADLOCK);
    GIVES(shms_stream_unlock(s), SHMS_E_INVALID);
    GIVES(shms_stream_rollback(s), SHMS_E_INVALID);
    GIVES(shms_stream_wait_locked(s, 0), SHMS_E_INVALID);
    GIVES(shms_stream_existed(s), 0);
    GIVES(shms_stream_resize(s, 2 * SIZE), 0);
    GIVES(shms_stream_size(s), 2 * SIZE);
    GIVES(shms_stream_pwrite(s, "grown", 5, SIZE), 5);
    GIVES(shms_stream_write(s, "full", 4), 4);
    GIVES(shms_stream_notify(s), 0);
    GIVES(shms_stream_wait(s, &seen, 0), SHMS_E_TIMEOUT);
    GIVES(shms_stream_snapshot(s, bytes, 4, 0), 4);
    GIVES(shms_stream_repaired(s), 0);
    return rc;
}

static void it_may_call(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 4; how++) {
        calls = 0;
        shms_stream_options *o = OPTIONS(.init = call_back, .init_context = &calls, .atomic = how & 1,
                                         .tasks = how >> 1 & 1, .max_size = 2 * SIZE);
        shms_stream *s = unit_open(NAME, SIZE, o);
        shms_stream *other = unit_open(NAME, 2 * SIZE, NULL);
        assert_int_equal(calls, 1);
        assert_int_equal(byte_at(other, SIZE), 'g');
        assert_true(shms_stream_version(other) > 0);
        assert_int_equal(shms_stream_lock(other, 0), 0);
        assert_int_equal(shms_stream_unlock(other), 0);
        shms_stream_close(other);
        shms_stream_close(s);
    }
}

/* Its child returns out of it, too: the section is the parent's. */
static int forks(shms_stream *s, void *ret_pid)
{
    (void)s;
    *(pid_t *)ret_pid = fork();
    return -900;
}

static void a_child_of_it(void **state)
{
    pid_t pid = -1;
    (void)state;
    int rc = unit_refused(NAME, SIZE, OPTIONS(.init = forks, .init_context = &pid));
    if (pid == 0)
        _exit(rc == SHMS_E_NOT_OWNER ? 0 : 1);
    assert_int_equal(rc, -900);
    assert_int_equal(shms_last_oserror(), 0); /* init met none */
    assert_int_equal(unit_wait(pid), 0);
    assert_int_equal(unit_names(), 0);
}

/* It could not fill what it would make. */
static void a_reader_that_would_make(void **state)
{
    shms_stream_options *o = FILLED(.access = SHMS_ACCESS_READ, .keep = 0);
    (void)state;
    calls = 0;
    assert_int_equal(unit_refused(NAME, SIZE, o), SHMS_E_INVALID);
    assert_int_equal(unit_refused(NULL, SIZE, o), SHMS_E_INVALID);
    assert_int_equal(unit_refused(NAME, 0, o), SHMS_E_NOT_FOUND);
    shms_stream *s = unit_open(NAME, SIZE, FILLED(.keep = 0));
    assert_int_equal(calls, 1);
    shms_stream_close(unit_open(NAME, 0, o));
    assert_int_equal(calls, 1);
    shms_stream_close(s);
}

static int close_itself(shms_stream *s, void *context)
{
    shms_stream_pwrite(s, "gone", 4, 0);
    shms_stream_close(s);
    return (int)(intptr_t)context;
}

static void one_that_closes(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 8; how++) {
        int gives = how & 4 ? SHMS_E_RANGE : 0;
        shms_stream_options *o = OPTIONS(.init = close_itself, .init_context = (void *)(intptr_t)gives,
                                         .atomic = how & 1, .keep = how >> 1 & 1);
        assert_int_equal(unit_refused(NAME, SIZE, o), SHMS_E_CLOSED);
        assert_int_equal(unit_names(), 0);
    }
}

static jmp_buf out;
/* Their memory cannot be given back: open would still need it, for all close knows. */
static shms_stream *left[2];

static int leap_out(shms_stream *s, void *context)
{
    int atomically = *(const uint8_t *)context;
    left[atomically] = s;
    shms_stream_pwrite(s, "leap", 4, 0);
    longjmp(out, 1);
}

static void one_that_leaps_out(void **state)
{
    shms_stream *none = NULL;
    (void)state;
    for (volatile uint8_t atomic = 0; atomic < 2; atomic++) {
        if (setjmp(out) == 0) {
            uint8_t is = atomic;
            shms_stream_open(NAME, SIZE, OPTIONS(.init = leap_out, .init_context = &is, .atomic = is), &none);
            fail();
        }
        assert_int_equal(unit_refused(NAME, 0, OPTIONS(.open_timeout_ms = 20)), SHMS_E_TIMEOUT);
        shms_stream_close(left[atomic]);
        assert_int_equal(unit_names(), 0);
        calls = 0;
        shms_stream *s = unit_open(NAME, SIZE, FILLED(.keep = 0));
        assert_int_equal(calls, 1);
        shms_stream_close(s);
    }
}

/* ---- kinds */

static void another_kind_of_object(void **state)
{
    shms_info info = {.struct_size = sizeof info};
    (void)state;
    shms_stream *s = unit_open(NAME, SIZE, NULL);
    assert_int_equal(shms_stream_pwrite(s, "ring", 4, 0), 4);
    forge(offsetof(struct control, kind), KIND_CHANNEL);
    assert_int_equal(unit_refused(NAME, 0, NULL), SHMS_E_KIND);
    assert_int_equal(unit_refused(NAME, SIZE, FILLED(.keep = 1)), SHMS_E_KIND);
    assert_int_equal(unit_refused(NAME, SIZE, OPTIONS(.create = SHMS_CREATE_ONLY)), SHMS_E_EXISTS);
    assert_int_equal(a32_load_relaxed(&control_of(s)->flags), 0); /* a refused one leaves no wish */
    assert_int_equal(shms_stream_info(s, &info), 0);
    assert_int_equal(info.kind, KIND_CHANNEL);
    assert_int_equal(info.members, 1);
    shms_stream *reader = unit_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ)); /* its bytes, no more */
    assert_int_equal(byte_at(reader, 0), 'r');
    assert_int_equal(shms_stream_lock(reader, 0), SHMS_E_DENIED);
    assert_int_equal(shms_stream_lock_shared(reader, 0), SHMS_E_DENIED);
    shms_stream_close(reader);
    forge(offsetof(struct control, kind), 0xffffffffu); /* of a later version */
    assert_int_equal(unit_refused(NAME, 0, NULL), SHMS_E_KIND);
    forge(offsetof(struct control, kind), KIND_STREAM);
    reader = unit_open(NAME, 0, NULL);
    shms_stream_close(reader);
    shms_stream_close(s);
}

/* An open that fails changes nothing, whatever it had asked for. */
static void a_failed_open_changes_nothing(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, SIZE, NULL);
    assert_int_equal(unit_refused(NAME, 2 * SIZE, OPTIONS(.keep = 1)), SHMS_E_SIZE);
    assert_int_equal(unit_refused(NAME, 0, OPTIONS(.keep = 1, .atomic = 1)), SHMS_E_UNSUPPORTED);
    assert_int_equal(a32_load_relaxed(&control_of(s)->flags), 0);
    assert_int_equal(a32_load_relaxed(&s->section.member.region.control->slots_used), 1);
    shms_stream_close(s);
}

/* A peer has written into the cell what the next handle's identity will be: that one has no init to run. */
static void a_lock_that_was_never_taken(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, SIZE, NULL), *next = unit_open(NAME, 0, NULL);
    uint64_t id = next->section.member.id;
    shms_stream_close(next);
    a64_store_relaxed(&s->section.member.region.control->cell, id + (UINT64_C(1) << 32));
    next = unit_open(NAME, 0, NULL);
    assert_true(next->section.member.id == id + (UINT64_C(1) << 32));
    shms_stream_close(next);
    shms_stream_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_creator_calls_it),      TEST(a_region_without_one_needs_none),
        TEST(an_unnamed_region_has_one_too), TEST(nobody_comes_in_before),
        TEST(what_it_gives_comes_out),   TEST(the_next_one_fills_it),
        TEST(nothing_of_a_dead_one_is_kept), TEST(a_waiter_fills_after_the_dead),
        TEST(an_ended_one_is_done),      TEST(it_may_call),
        TEST(a_child_of_it),             TEST(a_reader_that_would_make),
        TEST(one_that_closes),           TEST(one_that_leaps_out),
        TEST(another_kind_of_object),    TEST(a_failed_open_changes_nothing),
        TEST(a_lock_that_was_never_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
