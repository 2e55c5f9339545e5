/* SPDX-License-Identifier: MIT */
/* member.c and life.c: slots, generations, life tokens, and descriptors that were closed behind our back. */
#include "child.h"

static uint32_t generation_of(shms_stream *s)
{
    return (uint32_t)(s->section.member.id >> 32);
}

static void slots_are_reused_with_a_new_generation(void **state)
{
    (void)state;
    shms_stream *a = unit_open(NAME, 16, NULL), *b = unit_open(NAME, 0, NULL);
    assert_int_equal(a->section.member.slot, 0);
    assert_int_equal(b->section.member.slot, 1);
    for (uint32_t life = 1; life <= 5; life++) {
        assert_int_equal(b->section.member.slot, 1);
        assert_int_equal(generation_of(b), life);
        uint64_t id = b->section.member.id;
        assert_true(shms__member_alive(&a->section.member, id));
        shms_stream_close(b);
        assert_false(shms__member_alive(&a->section.member, id));
        b = unit_open(NAME, 0, NULL);
        assert_false(shms__member_alive(&a->section.member, id)); /* although the slot is taken again */
    }
    shms_stream_close(b);
    shms_stream_close(a);
}

static void the_generation_skips_zero(void **state)
{
    (void)state;
    shms_stream *a = unit_open(NAME, 16, NULL);
    /* relaxed: one thread */
    a32_store_relaxed(&a->section.member.region.control->slots[1].generation, UINT32_MAX);
    shms_stream *b = unit_open(NAME, 0, NULL);
    assert_int_equal(generation_of(b), 1);
    assert_true(shms__member_alive(&a->section.member, b->section.member.id));
    shms_stream_close(b);
    shms_stream_close(a);
}

static void who_is_alive(void **state)
{
    (void)state;
    shms_stream *a = unit_open(NAME, 16, NULL), *b = unit_open(NAME, 0, NULL);
    struct member *m = &a->section.member;
    assert_true(shms__member_alive(m, m->id));
    assert_true(shms__member_alive(m, b->section.member.id));
    assert_true(shms__member_alive(&b->section.member, m->id));
    assert_false(shms__member_alive(m, ref_owner(m->slot, generation_of(a) + 1)));
    assert_false(shms__member_alive(m, ref_owner(b->section.member.slot, 0)));
    assert_false(shms__member_alive(m, ref_owner(100, 1)));
    assert_false(shms__member_alive(m, ref_owner(100, 0))); /* never joined, nobody holds its token */
    assert_false(shms__member_alive(m, 0));
    assert_false(shms__member_alive(m, CELL_SLOT));
    shms_stream_close(b);
    shms_stream_close(a);
}

static void two_hundred_and_fifty_six(void **state)
{
    static shms_stream *all[SHMS_MEMBERS_MAX];
    shms_info info = {.struct_size = sizeof info};
    (void)state;
    for (int i = 0; i < SHMS_MEMBERS_MAX; i++)
        all[i] = unit_open(NAME, 16, OPTIONS(.access = SHMS_ACCESS_READ));
    assert_int_equal(shms_stream_info(all[7], &info), 0);
    assert_int_equal(info.members, SHMS_MEMBERS_MAX);
    int fds = unit_fds(), maps = unit_maps();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(unit_refused(NAME, 16, NULL), SHMS_E_FULL);
        assert_int_equal(unit_refused(NAME, 0, NULL), SHMS_E_FULL);
    }
    assert_int_equal(unit_fds(), fds);
    assert_int_equal(unit_maps(), maps);
    shms_stream_close(all[100]);
    all[100] = unit_open(NAME, 16, NULL);
    assert_int_equal(all[100]->section.member.slot, 100);
    assert_int_equal(unit_refused(NAME, 16, NULL), SHMS_E_FULL);
    for (int i = 0; i < SHMS_MEMBERS_MAX; i++) {
        assert_int_equal(shms_stream_lock(all[i], 0), 0);
        assert_int_equal(shms_stream_unlock(all[i]), 0);
        if (i > 0)
            shms_stream_close(all[i]);
    }
    assert_int_equal(unit_names(), 2);
    shms_stream_close(all[0]);
}

static int joins_and_dies(void *ret_pipe)
{
    shms_stream *s;
    EXPECT(shms_stream_open(NAME, 0, NULL, &s) == 0);
    EXPECT(write(((int *)ret_pipe)[1], &s->section.member.id, 8) == 8);
    return 0;
}

static void a_killed_members_slot_is_free(void **state)
{
    int fd[2];
    uint64_t id = 0;
    (void)state;
    shms_stream *s = unit_open(NAME, 16, NULL);
    assert_int_equal(pipe(fd), 0);
    pid_t pid = unit_fork(joins_and_dies, fd, 0);
    assert_int_equal(read(fd[0], &id, 8), 8);
    assert_int_equal(id & CELL_SLOT, 2);
    /* relaxed: written before the pipe */
    assert_int_equal(a32_load_relaxed(&s->section.member.region.control->slots[1].pid), pid);
    assert_int_equal(unit_wait(pid), 0);
    assert_false(shms__member_alive(&s->section.member, id));
    /* the dead left its pid, so its slot is the last that is asked for */
    static shms_stream *others[SHMS_MEMBERS_MAX - 2];
    for (size_t i = 0; i < SHMS_MEMBERS_MAX - 2; i++) {
        others[i] = unit_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ));
        assert_int_equal(others[i]->section.member.slot, i + 2);
    }
    shms_stream *next = unit_open(NAME, 0, NULL);
    assert_int_equal(next->section.member.slot, 1);
    assert_int_not_equal(next->section.member.id, id);
    shms_stream_close(next);
    for (size_t i = 0; i < SHMS_MEMBERS_MAX - 2; i++)
        shms_stream_close(others[i]);
    shms_stream_close(s);
    close(fd[0]);
    close(fd[1]);
}

/* ---- descriptors that somebody else closed (closefrom at the start of a daemon) */

static void close_behind(shms_stream *s)
{
    close(s->section.member.region.control_file.fd);
    if (s->section.member.region.data_file.fd >= 0)
        close(s->section.member.region.data_file.fd);
}

static void closed_behind_our_back(void **state)
{
    (void)state;
    shms_stream *a = unit_open(NAME, 16, OPTIONS(.max_size = 64));
    shms_stream *b = unit_open(NAME, 0, NULL);
    uint64_t id = a->section.member.id;
    close_behind(a);
    assert_true(shms__member_alive(&b->section.member, id)); /* the mapping holds the token */
    assert_true(shms__member_alive(&a->section.member, b->section.member.id));
    assert_int_equal(shms_stream_lock(b, 0), 0);
    assert_int_equal(shms_stream_lock(a, 5), SHMS_E_TIMEOUT); /* it can still ask */
    assert_int_equal(shms_stream_unlock(b), 0);
    close_behind(a);
    assert_int_equal(shms_stream_lock(a, 0), 0);
    assert_int_equal(shms_stream_resize(a, 64), 0);
    assert_int_equal(shms_stream_unlock(a), 0);
    assert_int_equal(shms_stream_size(b), 64);
    close_behind(a);
    assert_true(shms_stream_poll_fd(a) >= 0);
    shms_stream_close(a);
    assert_false(shms__member_alive(&b->section.member, id));
    assert_int_equal(unit_names(), 2);
    close_behind(b);
    shms_stream_close(b); /* the last, and the names go */
}

/* The numbers mean something else by now: neither used nor closed. */
static void numbers_that_were_given_away(void **state)
{
    (void)state;
    shms_stream *a = unit_open(NAME, 16, NULL), *b = unit_open(NAME, 0, NULL);
    int control = a->section.member.region.control_file.fd, data = a->section.member.region.data_file.fd;
    int foreign = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_int_equal(dup2(foreign, control), control);
    assert_int_equal(dup2(foreign, data), data);
    assert_int_equal(shms_stream_lock(b, 0), 0);
    assert_int_equal(shms_stream_lock(a, 0), SHMS_E_TIMEOUT);
    shms_stream_close(b);
    assert_int_equal(shms_stream_lock(a, 0), SHMS_OWNER_DIED);
    shms_stream_close(a);
    assert_int_equal(close(control) | close(data) | close(foreign), 0);
}

/* The number is another opening of the very same file, which sees another's token as its own. */
static void a_number_that_is_anothers(void **state)
{
    (void)state;
    shms_stream *a = unit_open(NAME, 16, NULL), *b = unit_open(NAME, 0, NULL);
    int control = a->section.member.region.control_file.fd;
    assert_int_equal(dup2(b->section.member.region.control_file.fd, control), control);
    assert_int_equal(shms_stream_lock(b, 0), 0);
    assert_int_equal(shms_stream_lock(a, 0), SHMS_E_TIMEOUT);
    assert_true(shms__member_alive(&b->section.member, a->section.member.id));
    shms_stream_close(a);
    assert_int_equal(close(control), 0);
    assert_int_equal(shms_stream_unlock(b), 0);
    assert_int_equal(unit_names(), 2);
    shms_stream_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(slots_are_reused_with_a_new_generation), TEST(the_generation_skips_zero),
        TEST(who_is_alive),                           TEST(two_hundred_and_fifty_six),
        TEST(a_killed_members_slot_is_free),          TEST(closed_behind_our_back),
        TEST(numbers_that_were_given_away),           TEST(a_number_that_is_anothers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
