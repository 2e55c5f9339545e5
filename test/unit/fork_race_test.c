/* SPDX-License-Identifier: MIT */
/* A thread closes its handle when another has forked and the library has not noticed yet. */
#include "child.h"

#include <pthread.h>
#include <stdatomic.h>

void __real_shms__region_leave(struct region *r);
void __wrap_shms__region_leave(struct region *r);

static atomic_bool armed, leaving, forked, closed;
static int gate[2];
static shms_stream *stream;

/* The linker puts this before the library's own (CMakeLists.txt). */
void __wrap_shms__region_leave(struct region *r)
{
    if (atomic_load(&armed)) {
        atomic_store(&leaving, true);
        while (!atomic_load(&forked))
            shms__nap(100000);
    }
    __real_shms__region_leave(r);
}

/* Registered before the library's own handlers, so these run before them, too. */
static void in_parent(void)
{
    atomic_store(&forked, true);
    for (int i = 0; i < 300 && atomic_load(&armed) && !atomic_load(&closed); i++)
        shms__nap(1000000); /* time for a close that does not wait for the fork to be over */
}

static void in_child(void)
{
    if (atomic_load(&armed))
        unit_gate_wait(gate); /* the library has not run here before the close is over */
}

static void *close_in_between(void *unused)
{
    shms_stream_close(stream);
    atomic_store(&closed, true);
    unit_gate_open(gate);
    return unused;
}

static int child(void *unused)
{
    shms_stream *other;
    (void)unused;
    atomic_store(&armed, false);
    EXPECT(shms_stream_lock(stream, 0) == 0);
    EXPECT(shms_stream_open(NAME, 0, NULL, &other) == 0); /* the same region, which has not lost its name */
    EXPECT(shms_stream_lock(other, 0) == SHMS_E_TIMEOUT);
    shms_stream_close(other);
    shms_stream_close(stream);
    return 0;
}

static void closed_while_another_forks(void **state)
{
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_atfork(NULL, in_parent, in_child), 0);
    assert_int_equal(pipe(gate), 0);
    stream = unit_open(NAME, 64, NULL);
    atomic_store(&armed, true);
    assert_int_equal(pthread_create(&thread, NULL, close_in_between, NULL), 0);
    while (!atomic_load(&leaving))
        shms__nap(100000);
    assert_int_equal(unit_child(child, NULL, 0), 0);
    pthread_join(thread, NULL);
    close(gate[0]);
    close(gate[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(closed_while_another_forks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
