/* SPDX-License-Identifier: MIT */
/* region.c: what a child of fork is told where it cannot join. */
#include "child.h"

#define SIZE 5000u

/* Control is mapped anew: later, when there is room, it joins all the same. */
static int without_room(void *s)
{
    unit_limit_address_space(0);
    int rc = shms_stream_lock(s, 0);
    unit_limit_nothing();
    EXPECT(rc == SHMS_E_NOMEM);
    EXPECT(shms_stream_lock(s, 0) == 0 && shms_stream_unlock(s) == 0);
    shms_stream_close(s);
    return 0;
}

static void no_room(void **state)
{
    (void)state;
    if (unit_address_space_huge())
        skip();
    shms_stream *s = unit_open(NAME, SIZE, NULL);
    assert_int_equal(unit_child(without_room, s, 0), 0);
    shms_stream_close(s);
}

static int is_told_lost(void *s)
{
    EXPECT(shms_stream_lock(s, 0) == SHMS_E_LOST);
    shms_stream_close(s);
    return 0;
}

static void a_spoiled_stamp(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, SIZE, NULL);
    struct control *c = s->section.member.region.control;
    a64_store_relaxed(&c->magic, 1);
    assert_int_equal(unit_child(is_told_lost, s, 0), 0);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    a64_store_relaxed(&c->magic, LAYOUT_MAGIC);
    shms_stream_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(no_room), TEST(a_spoiled_stamp)};
    return cmocka_run_group_tests_name("rejoin", tests, NULL, NULL);
}
