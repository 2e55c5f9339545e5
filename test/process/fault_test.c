/* SPDX-License-Identifier: MIT */
/* Every system call of opening, closing, unlinking, and of a child's first call fails in turn (fault.h). */
/* ctest: timeout=600 */
#include "fault.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the header says that opening may answer, but for what the arguments are to blame for. */
#define OPENING                                                                                             \
    (MAY(SHMS_E_DENIED) | MAY(SHMS_E_NOSPACE) | MAY(SHMS_E_NOMEM) | MAY(SHMS_E_OS) | MAY(SHMS_E_LOST) |     \
     MAY(SHMS_E_UNSUPPORTED) | MAY(SHMS_E_TIMEOUT) | MAY(SHMS_E_NOT_FOUND))
#define JOINING                                                                                             \
    (MAY(SHMS_E_FULL) | MAY(SHMS_E_LOST) | MAY(SHMS_E_TIMEOUT) | MAY(SHMS_E_NOMEM) | MAY(SHMS_E_OS))

/* ---- open, in all its forms */

static int64_t opens(void)
{
    return fault_open(NULL, FAULT_SIZE);
}

static int64_t opens_with_all_options(void)
{
    shms_stream_options *o = fault_options();
    o->max_size = 4 * FAULT_SIZE;
    o->keep = o->sparse = o->huge_pages = o->lock_memory = 1;
    return fault_open(o, FAULT_SIZE);
}

static int64_t opens_to_read(void)
{
    shms_stream_options *o = fault_options();
    o->access = SHMS_ACCESS_READ;
    return fault_open(o, FAULT_SIZE);
}

static int64_t opens_what_is_there(void)
{
    return fault_open(NULL, 0);
}

static int64_t opens_only_new(void)
{
    shms_stream_options *o = fault_options();
    o->create = SHMS_CREATE_ONLY;
    return fault_open(o, FAULT_SIZE);
}

static int64_t opens_only_existing(void)
{
    shms_stream_options *o = fault_options();
    o->create = SHMS_OPEN_ONLY;
    return fault_open(o, FAULT_SIZE);
}

/* ---- without a name */

static shms_stream *unnamed;
static int passed_on = -1;

static int64_t creates_unnamed(void)
{
    return shms_stream_open(NULL, FAULT_SIZE, NULL, &fault_handle);
}

static void have_unnamed(void)
{
    need(shms_stream_open(NULL, FAULT_SIZE, NULL, &unnamed) == 0);
}

static void have_descriptor(void)
{
    have_unnamed();
    passed_on = shms_stream_fd(unnamed);
    need(passed_on >= 0);
}

static int64_t passes_on(void)
{
    passed_on = shms_stream_fd(unnamed);
    return passed_on < 0 ? passed_on : 0;
}

static int64_t joins_by_descriptor(void)
{
    return shms_stream_open_fd(passed_on, NULL, &fault_handle);
}

static void close_both(int64_t rc)
{
    fault_use_and_close(rc);
    if (passed_on >= 0)
        close(passed_on);
    fault_handle = unnamed;
    fault_use_and_close(rc);
}

/* ---- close */

static int64_t closes(void)
{
    shms_stream_close(fault_handle);
    fault_handle = NULL;
    return 0;
}

static void hold(void)
{
    fault_member();
    need(shms_stream_lock(fault_handle, 0) == 0 && shms_stream_pwrite(fault_handle, "\5", 1, 0) == 1);
}

static void hold_and_watch(void)
{
    hold();
    need(poll_fd_of(fault_handle) >= 0);
}

/* As a program does that closes what it does not know. */
static void lose_descriptors(void)
{
    fault_member();
    close_others(false);
}

static void be_a_reader(void)
{
    need(opens_to_read() == 0);
}

static pid_t sleeper;

/* A child that has inherited the handle and lives on. */
static void leave_a_child_asleep(void)
{
    fault_member();
    sleeper = fork();
    need(sleeper >= 0);
    if (sleeper == 0)
        for (bounded();; pause())
            continue;
}

static void end_the_child(int64_t rc)
{
    (void)rc;
    need(kill(sleeper, SIGKILL) == 0 && waitpid(sleeper, NULL, 0) == sleeper);
}

static void be_a_child(void)
{
    fault_member();
    fault_become_child();
}

/* ---- unlink, and a child's first call */

static int64_t unlinks(void)
{
    return shms_stream_unlink(fault_name);
}

static int64_t locks_at_once(void)
{
    return shms_stream_lock(fault_handle, 0);
}

static int64_t tells_the_size(void)
{
    return shms_stream_size(fault_handle) > 0 ? 0 : SHMS_E_OS;
}

/* A reader, perhaps of the data alone: that is what it becomes where control may not be opened. */
static void read_and_close(int64_t rc)
{
    unsigned char c = 0;
    if (rc == 0) {
        int taken = shms_stream_lock(fault_handle, BOUND_MS);
        need(taken == 0 ? shms_stream_unlock(fault_handle) == 0 : taken == SHMS_E_DENIED);
        need(shms_stream_pread(fault_handle, &c, 1, 0) == 1);
    }
    fault_only_close(rc);
}

/* ---- memory that is taken away: what the handler of SIGBUS asks for is refused */

static char second[100]; /* a region that nobody else looks at */

static void take_away(const shms_stream_options *options, const char *ending)
{
    char path[160];
    snprintf(second, sizeof second, "%s-cut", fault_name);
    need(shms_stream_open(second, FAULT_SIZE, NULL, &fault_handle) == 0);
    shms_stream_close(fault_handle);
    need(shms_stream_open(second, FAULT_SIZE, options, &fault_handle) == 0);
    region_path(second, ending, path, sizeof path);
    need(truncate(path, 0) == 0);
}

static void lose_data(void)
{
    take_away(NULL, "data");
}

static void lose_data_to_read(void)
{
    shms_stream_options *o = fault_options();
    o->access = SHMS_ACCESS_READ;
    take_away(o, "data");
}

static void lose_control(void)
{
    shms_stream_options *o = fault_options();
    o->no_bell = 1; /* whose thread might meet the gap first */
    take_away(o, "ctl");
}

static int64_t reads(void)
{
    static char bytes[FAULT_SIZE];
    return shms_stream_pread(fault_handle, bytes, sizeof bytes, 0);
}

static void be_lost(int64_t rc)
{
    need(rc == SHMS_E_LOST && locks_at_once() == SHMS_E_LOST && reads() == SHMS_E_LOST);
    fault_only_close(rc);
    need(shms_stream_unlink(second) == SHMS_E_NOT_FOUND); /* the last one removes even that */
}

#define GLOBAL_OPEN 0666
#define GLOBAL_SHOWN 0644 /* to strangers, who may read the data alone */

static const struct trial table[] = {
    {"create", NOTHING, NULL, .act = opens, .may = OPENING},
    {"create_with_all_options", NOTHING, NULL, .act = opens_with_all_options, .may = OPENING,
     .may_be_gone = true},
    {"create_global", NOTHING, NULL, .act = opens, .may = OPENING, .mode = GLOBAL_OPEN},
    {"create_the_place_too", NOTHING, NULL, .act = opens, .may = OPENING, .as_stranger = true},
    {"open_existing", ALIVE, NULL, .act = opens, .may = OPENING},
    {"open_to_read", ALIVE, NULL, .act = opens_to_read, .after = read_and_close, .may = OPENING},
    {"open_what_is_there", ALIVE, NULL, .act = opens_what_is_there, .may = OPENING},
    {"open_and_keep", ALIVE, NULL, .act = opens_with_all_options, .may = OPENING},
    {"open_only_new", ALIVE, NULL, .act = opens_only_new, .usual = SHMS_E_EXISTS, .may = OPENING},
    {"open_nothing", NOTHING, NULL, .act = opens_what_is_there, .usual = SHMS_E_NOT_FOUND, .may = OPENING},
    {"open_kept", KEPT, NULL, .act = opens, .may = OPENING},
    {"open_after_a_death", DEAD, NULL, .act = opens, .may = OPENING},
    {"find_the_dead", DEAD, NULL, .act = opens_what_is_there, .usual = SHMS_E_NOT_FOUND, .may = OPENING},
    {"open_over_an_orphan", ORPHAN, NULL, .act = opens, .may = OPENING},
    {"find_an_orphan", ORPHAN, NULL, .act = opens_what_is_there, .usual = SHMS_E_NOT_FOUND, .may = OPENING},
    {"open_over_a_half", HALF, NULL, .act = opens, .may = OPENING},
    {"begin_again_in_place", DEAD, NULL, .act = opens, .may = OPENING, .mode = GLOBAL_OPEN,
     .as_stranger = true},
    {"begin_again_without_data", HALF, NULL, .act = opens, .may = OPENING, .mode = GLOBAL_OPEN,
     .as_stranger = true},
    {"open_only_the_dead", DEAD, NULL, .act = opens_only_existing, .usual = SHMS_E_NOT_FOUND, .may = OPENING},
    {"open_data_alone", ALIVE, NULL, .act = opens_to_read, .after = read_and_close, .may = OPENING,
     .mode = GLOBAL_SHOWN, .as_stranger = true},
    {"create_unnamed", NOTHING, NULL, .act = creates_unnamed, .may = OPENING},
    {"pass_on", NOTHING, have_unnamed, .act = passes_on, .after = close_both, .may = OPENING},
    {"join_by_descriptor", NOTHING, have_descriptor, .act = joins_by_descriptor, .after = close_both,
     .may = OPENING},
    {"close_last", NOTHING, fault_member, .act = closes},
    {"close_one_of_two", ALIVE, fault_member, .act = closes},
    {"close_a_reader", ALIVE, be_a_reader, .act = closes},
    {"close_holding", NOTHING, hold, .act = closes},
    {"open_what_must_be_undone", DEAD_AT_WORK, NULL, .act = opens, .may = OPENING, .atomic = true,
     .keep = true},
    {"close_what_must_be_undone", NOTHING, hold, .act = closes, .atomic = true, .keep = true,
     .may_be_gone = true},
    {"close_with_waiters", WAITERS, hold_and_watch, .act = closes},
    {"close_without_descriptors", ALIVE, lose_descriptors, .act = closes},
    {"close_last_without_descriptors", NOTHING, lose_descriptors, .act = closes},
    {"close_beside_a_child", NOTHING, leave_a_child_asleep, .act = closes, .after = end_the_child},
    {"close_in_a_child", ALIVE, be_a_child, .act = closes},
    {"close_last_in_place", DEAD, fault_member, .act = closes, .mode = GLOBAL_OPEN, .as_stranger = true},
    {"unlink_alive", ALIVE, NULL, .act = unlinks, .may = OPENING, .may_be_gone = true},
    {"unlink_kept", KEPT, NULL, .act = unlinks, .may = OPENING, .may_be_gone = true},
    {"unlink_dead", DEAD, NULL, .act = unlinks, .may = OPENING, .may_be_gone = true},
    {"unlink_nothing", NOTHING, NULL, .act = unlinks, .usual = SHMS_E_NOT_FOUND, .may = OPENING,
     .may_be_gone = true},
    {"meet_a_gap", NOTHING, lose_data, .act = reads, .after = be_lost, .usual = SHMS_E_LOST},
    {"meet_a_gap_reading", NOTHING, lose_data_to_read, .act = reads, .after = be_lost, .usual = SHMS_E_LOST},
    {"meet_a_gap_in_control", NOTHING, lose_control, .act = locks_at_once, .after = be_lost,
     .usual = SHMS_E_LOST},
    {"child_locks", ALIVE, be_a_child, .act = locks_at_once, .may = JOINING},
    {"child_asks_the_size", ALIVE, be_a_child, .act = tells_the_size, .may = MAY(SHMS_E_OS)},
    {.name = NULL}};

int main(int argc, char **argv)
{
    return fault_main(argc, argv, table);
}
