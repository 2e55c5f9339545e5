/* SPDX-License-Identifier: MIT */
/* Every system call of locking, unlocking, waiting, telling and looking fails in turn (fault.h). */
/* ctest: timeout=600 */
#include "fault.h"

#include <signal.h>
#include <unistd.h>

#define SHORT_MS 20 /* of time-outs that must pass */

/* What holds of a child's first call, too. */
#define JOINING                                                                                             \
    (MAY(SHMS_E_FULL) | MAY(SHMS_E_LOST) | MAY(SHMS_E_TIMEOUT) | MAY(SHMS_E_NOMEM) | MAY(SHMS_E_OS))

/* What undoing a dead holder's section may meet. */
#define UNDOING (MAY(SHMS_E_NOMEM) | MAY(SHMS_E_LOST) | MAY(SHMS_E_OS) | MAY(SHMS_E_DENIED))

/* ---- what comes before */

static void be_impatient(void)
{
    shms_stream_options *o = fault_options();
    o->open_timeout_ms = SHORT_MS;
    need(fault_open(o, FAULT_SIZE) == 0);
}

static void hold(void)
{
    fault_member();
    need(shms_stream_lock(fault_handle, 0) == 0 && shms_stream_pwrite(fault_handle, "\5", 1, 0) == 1);
}

/* The next section rings. */
static void watch(void)
{
    int64_t seen = 0;
    fault_member();
    need(poll_fd_of(fault_handle) >= 0);
    while (shms_stream_wait(fault_handle, &seen, 0) == 0)
        continue;
}

static void watch_and_hold(void)
{
    watch();
    need(shms_stream_lock(fault_handle, 0) == 0);
}

/* As a program does that closes what it does not know. */
static void lose_descriptors(void)
{
    fault_member();
    need(close_others(false) == 0);
}

static void hold_and_lose_descriptors(void)
{
    watch_and_hold();
    need(close_others(false) == 0);
}

static void be_a_child_of_a_watcher(void)
{
    watch();
    fault_become_child();
}

static void be_a_child_of_a_holder(void)
{
    hold();
    fault_become_child();
}

static void lock_only(void)
{
    fault_member();
    need(shms_stream_lock(fault_handle, 0) == 0);
}

static void read_with_others(void)
{
    fault_member();
    need(shms_stream_lock_shared(fault_handle, 0) == 0);
}

/* ---- the calls */

static int64_t tries(void)
{
    return shms_stream_lock(fault_handle, 0);
}

static int64_t locks_a_moment(void)
{
    return shms_stream_lock(fault_handle, SHORT_MS);
}

static int64_t locks(void)
{
    return shms_stream_lock(fault_handle, BOUND_MS);
}

static int64_t takes_over(void)
{
    int rc = shms_stream_lock(fault_handle, BOUND_MS);
    return rc == SHMS_OWNER_DIED ? 0 : rc < 0 ? rc : SHMS_E_CORRUPT;
}

static int64_t locks_shared(void)
{
    return shms_stream_lock_shared(fault_handle, BOUND_MS);
}

static int64_t locks_shared_a_moment(void)
{
    return shms_stream_lock_shared(fault_handle, SHORT_MS);
}

/* What the dead holder wrote has been undone. */
static int64_t undoes(void)
{
    int rc = shms_stream_lock(fault_handle, BOUND_MS);
    need(rc != 0 || *(unsigned char *)shms_stream_memory(fault_handle) == 0);
    return rc;
}

static int64_t writes(void)
{
    unsigned char before = *(unsigned char *)shms_stream_memory(fault_handle);
    int64_t rc = shms_stream_pwrite(fault_handle, "\5", 1, 0);
    need(rc == 1 || *(unsigned char *)shms_stream_memory(fault_handle) == before);
    return rc == 1 ? 0 : rc;
}

static int64_t unlocks(void)
{
    return shms_stream_unlock(fault_handle);
}

static int64_t waits_a_moment(void)
{
    int64_t seen = shms_stream_version(fault_handle);
    return shms_stream_wait(fault_handle, &seen, SHORT_MS);
}

static int64_t waits(void)
{
    int64_t seen = 0; /* the section that is open is the first one, and may be over by now */
    return shms_stream_wait(fault_handle, &seen, BOUND_MS);
}

static int64_t looks(void)
{
    int64_t seen = shms_stream_version(fault_handle);
    return shms_stream_wait(fault_handle, &seen, 0);
}

static int64_t notifies(void)
{
    return shms_stream_notify(fault_handle);
}

static int64_t polls(void)
{
    int fd = shms_stream_poll_fd(fault_handle);
    return fd < 0 ? fd : 0;
}

static int64_t reads_whole(void)
{
    unsigned char c = 0;
    int64_t rc = shms_stream_snapshot(fault_handle, &c, 1, 0);
    return rc == 1 && (c == 0 || c == 5) ? 0 : rc < 0 ? rc : SHMS_E_RANGE;
}

static const struct trial table[] = {
    {"lock_is_held", HELD, fault_member, .act = locks_a_moment, .usual = SHMS_E_TIMEOUT},
    {"lock_is_held_and_tried", HELD, fault_member, .act = tries, .usual = SHMS_E_TIMEOUT},
    {"lock_tried_without_descriptors", HELD, lose_descriptors, .act = tries, .usual = SHMS_E_TIMEOUT},
    {"lock_of_the_stopped", STOPPED_HOLDER, fault_member, .act = locks_a_moment, .usual = SHMS_E_TIMEOUT},
    {"lock_of_the_dead", DEAD_HOLDER, fault_member, .act = takes_over},
    {"lock_of_the_dead_without_descriptors", DEAD_HOLDER, lose_descriptors, .act = takes_over},
    {"lock_that_becomes_free", RELEASED, fault_member, .act = locks},
    {"unlock_with_waiters", WAITERS, hold, .act = unlocks},
    {"unlock_with_a_watcher", WAITERS, watch_and_hold, .act = unlocks},
    {"unlock_without_descriptors", ALIVE, hold_and_lose_descriptors, .act = unlocks},
    {"unlock_in_a_child", ALIVE, be_a_child_of_a_holder, .act = unlocks, .after = fault_only_close,
     .usual = SHMS_E_NOT_OWNER, .may = JOINING},
    {"wait_in_vain", ALIVE, fault_member, .act = waits_a_moment, .usual = SHMS_E_TIMEOUT},
    {"wait_for_the_dead", DEAD_HOLDER, fault_member, .act = waits},
    {"wait_for_news", RELEASED, fault_member, .act = waits},
    {"wait_with_a_poll_descriptor", ALIVE, watch, .act = looks, .usual = SHMS_E_TIMEOUT},
    {"notify_a_watcher", ALIVE, watch, .act = notifies},
    {"poll_fd", ALIVE, fault_member, .act = polls, .may = JOINING | MAY(SHMS_E_DENIED)},
    {"poll_fd_in_a_child", ALIVE, be_a_child_of_a_watcher, .act = polls, .may = JOINING | MAY(SHMS_E_DENIED)},
    {"snapshot_while_held", HELD, be_impatient, .act = reads_whole, .usual = SHMS_E_TIMEOUT},
    {"snapshot_of_the_dead", DEAD_HOLDER, fault_member, .act = reads_whole, .usual = SHMS_E_CORRUPT},
    {"snapshot_that_becomes_free", RELEASED, fault_member, .act = reads_whole},
    {"lock_among_readers", SHARED, fault_member, .act = locks_a_moment, .usual = SHMS_E_TIMEOUT},
    {"lock_shared_while_held", HELD, fault_member, .act = locks_shared_a_moment, .usual = SHMS_E_TIMEOUT},
    {"lock_shared_that_becomes_free", RELEASED, fault_member, .act = locks_shared},
    {"unlock_shared_with_a_waiter", WAITERS, read_with_others, .act = unlocks},
    {"undo_the_dead", DEAD_HOLDER, fault_member, .act = undoes, .may = UNDOING, .atomic = true},
    {"undo_the_dead_without_descriptors", DEAD_HOLDER, lose_descriptors, .act = undoes, .may = UNDOING,
     .atomic = true},
    {"write_journaled", ALIVE, lock_only, .act = writes, .may = UNDOING | MAY(SHMS_E_NOSPACE),
     .atomic = true},
    {"unlock_journaled", WAITERS, hold, .act = unlocks, .atomic = true},
    {.name = NULL}};

int main(int argc, char **argv)
{
    return fault_main(argc, argv, table);
}
