/* SPDX-License-Identifier: MIT */
/* region.c: what happens between two steps of an opener or closer that has no life-cycle lock at that moment.
 * The steps are met by wrapping the calls in between (CMakeLists.txt). */
#include "unit.h"

#include "region.h"

#include <sys/stat.h>

static shms_stream *closes; /* by whoever comes to that step next */
static void (*before_life)(void);

int __real_shms__region_alive(const struct file *f);
int __wrap_shms__region_alive(const struct file *f);
int __wrap_shms__region_alive(const struct file *f)
{
    int alive = __real_shms__region_alive(f);
    shms_stream *s = closes;
    closes = NULL;
    shms_stream_close(s);
    return alive;
}

int __real_shms__life_take(const struct file *f, int64_t deadline);
int __wrap_shms__life_take(const struct file *f, int64_t deadline);
int __wrap_shms__life_take(const struct file *f, int64_t deadline)
{
    void (*now)(void) = before_life;
    before_life = NULL;
    if (now)
        now();
    return __real_shms__life_take(f, deadline);
}

/* Of several that leave at once, one sees that it is the last. */
static void two_leave_at_once(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 64, NULL);
    closes = unit_open(NAME, 64, NULL);
    shms_stream_close(s);
    assert_null(closes);
    assert_int_equal(unit_names(), 0);
    s = unit_open(NAME, 64, NULL);
    assert_int_equal(shms_stream_existed(s), 0);
    shms_stream_close(s);
}

/* Whoever comes between the look and the clean-up finds the region dead, and makes it anew. */
static shms_stream *late;

static void come(void)
{
    late = unit_open(NAME, 64, NULL);
}

static void one_comes_as_the_last_leaves(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 64, NULL);
    assert_int_equal(shms_stream_pwrite(s, "old", 3, 0), 3);
    before_life = come;
    shms_stream_close(s);
    assert_int_equal(shms_stream_existed(late), 0);
    assert_string_equal(shms_stream_memory(late), "");
    assert_int_equal(unit_names(), 2);
    s = unit_open(NAME, 64, NULL);
    assert_int_equal(shms_stream_existed(s), 1);
    shms_stream_close(s);
    shms_stream_close(late);
    assert_int_equal(unit_names(), 0);
}

/* Begin anew in place, shorter, as a user does who cannot remove the files. */
static shms_stream *member;

static void begin_anew(void)
{
    struct control *c = member->section.member.region.control;
    assert_int_equal(truncate(local_files.data, 0) | truncate(local_files.data, 4096), 0);
    a64_store_relaxed(&c->size, 4096);
    a64_store_relaxed(&c->created_ns, a64_load_relaxed(&c->created_ns) + 1);
}

static void another_life_comes_between(void **state)
{
    const uint64_t size = 1 << 20;
    (void)state;
    member = unit_open(NAME, size, NULL);
    before_life = begin_anew;
    shms_stream *t = unit_open(NAME, 1, NULL);
    assert_null(before_life);
    assert_int_equal(shms_stream_size(t), 4096);
    /* A size that the new life never had is not believed, though the old one had it. */
    a64_store_relaxed(&member->section.member.region.control->size, size);
    assert_int_equal(shms_stream_size(t), 4096);
    a64_store_relaxed(&member->section.member.region.control->size, 4096);
    shms_stream_close(t);
    shms_stream_close(member);
}

/* The region grows, or shrinks, meanwhile: the opener sees what it has at the end. */
static void grow(void)
{
    assert_int_equal(shms_stream_lock(member, 0) | shms_stream_resize(member, 1 << 20), 0);
    assert_int_equal(shms_stream_unlock(member), 0);
}

static void shrink(void)
{
    assert_int_equal(shms_stream_lock(member, 0) | shms_stream_resize(member, 100), 0);
    assert_int_equal(shms_stream_unlock(member), 0);
}

static void another_size_comes_between(void **state)
{
    (void)state;
    member = unit_open(NAME, 4096, OPTIONS(.max_size = 1 << 20));
    before_life = grow;
    shms_stream *t = unit_open(NAME, 4096, NULL);
    assert_int_equal(shms_stream_size(t), 1 << 20);
    shms_stream_close(t);
    before_life = shrink;
    assert_int_equal(unit_refused(NAME, 4096, NULL), SHMS_E_SIZE);
    before_life = grow;
    t = unit_open(NAME, 4096, NULL); /* which was too small before */
    assert_int_equal(shms_stream_size(t), 1 << 20);
    shms_stream_close(t);
    shms_stream_close(member);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_leave_at_once),
        TEST(one_comes_as_the_last_leaves),
        TEST(another_life_comes_between),
        TEST(another_size_comes_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
