/* SPDX-License-Identifier: MIT */
/*
 * The scenes of a crash-atomic region. Whoever dies in whatever instruction leaves, once the next one has the
 * lock, old bytes and the old size, or new ones: never a mix, and nobody is told of a death.
 */
#include "crash.h"

/* ---- what is prepared */

/* A region of DATA_GROWN with marks, from a section of its own. */
static void make_large(shms_stream *s)
{
    hold(s);
    gives(shms_stream_resize(s, DATA_GROWN), 0);
    mark(s);
    gives(shms_stream_unlock(s), 0);
    seek_first(s);
}

static void hold_half_grown(shms_stream *s)
{
    hold_half_written(s);
    gives(shms_stream_resize(s, DATA_GROWN), 0);
    mark(s);
}

static void hold_half_shrunk(shms_stream *s)
{
    make_large(s);
    hold_half_written(s);
    gives(shms_stream_resize(s, DATA_SIZE), 0);
    gives(shms_stream_resize(s, DATA_GROWN), 0);
}

/* ---- what is traced */

static void begin(shms_stream *s)
{
    at(1);
    gives(shms_stream_lock(s, -1), 0);
    at(2);
    write_first(s);
}

static void end(shms_stream *s)
{
    write_second(s);
    at(3);
    gives(shms_stream_unlock(s), 0);
    at(4);
}

static void do_grow(shms_stream *s)
{
    begin(s);
    gives(shms_stream_resize(s, DATA_GROWN), 0);
    mark(s);
    end(s);
}

static void do_shrink(shms_stream *s)
{
    begin(s);
    gives(shms_stream_resize(s, DATA_SIZE), 0);
    end(s);
}

static void do_shrink_and_grow(shms_stream *s)
{
    begin(s);
    gives(shms_stream_resize(s, DATA_SIZE), 0);
    gives(shms_stream_resize(s, DATA_GROWN), 0);
    end(s);
}

static void do_rewrite(shms_stream *s)
{
    begin(s);
    seek_first(s);
    write_first(s);
    end(s);
}

static void do_rollback(shms_stream *s)
{
    int64_t version = version_of(s);
    begin(s);
    write_second(s);
    at(3);
    gives(shms_stream_rollback(s), 0);
    at(4);
    gives(now_playing->traits & QUIET ? version_of(s) : version, version);
}

static void do_read_undone(shms_stream *s)
{
    at(1);
    gives(shms_stream_lock_shared(s, -1), 0);
    at(2);
    gives(shms_stream_unlock(s), 0);
    at(3);
}

/* ---- the table */

#define UNDONE (CLEAN | OLD)
#define DONE (CLEAN | NEW)
#define ONE_OR_THE_OTHER (CLEAN | OLD | NEW)
#define BY_SECTION {0, UNDONE, UNDONE, ONE_OR_THE_OTHER, DONE}
#define BY_SECTION_OLD {0, UNDONE, UNDONE, UNDONE, UNDONE}
#define BY_UNDOING {0, UNDONE, UNDONE, UNDONE}

const struct scene scenes_atomic[] = {
    {"atomic section", ATOMIC, 0, seek_first, do_section, BY_SECTION},
    {"atomic kept", ATOMIC | KEEP, 0, seek_first, do_section, BY_SECTION},
    {"atomic rewrite", ATOMIC, 0, seek_first, do_rewrite, BY_SECTION},
    {"atomic FILE", ATOMIC, 0, make_file, do_file, BY_SECTION},
    {"atomic load", ATOMIC, 0, NULL, do_load, BY_SECTION},
    {"atomic unlock", ATOMIC, 0, hold_written, do_unlock, {0, ONE_OR_THE_OTHER, DONE}},
    {"atomic unlock WCPN", ATOMIC, FLAGS_ALL, hold_written, do_unlock, {0, ONE_OR_THE_OTHER, DONE}},
    {"atomic grow", ATOMIC | RESIZES | LIFE | BECOMES_MARKED, 0, seek_first, do_grow, BY_SECTION},
    {"atomic shrink", ATOMIC | RESIZES | LIFE | WAS_MARKED, 0, make_large, do_shrink, BY_SECTION},
    {"atomic down up", ATOMIC | RESIZES | LIFE | LONG | WAS_MARKED | BECOMES_EMPTY, 0, make_large,
     do_shrink_and_grow, BY_SECTION},
    {"atomic look inside", ATOMIC | QUIET, 0, NULL, do_look_inside, BY_SECTION_OLD},
    {"rollback", ATOMIC | QUIET, 0, seek_first, do_rollback, BY_SECTION_OLD},
    {"rollback WCP", ATOMIC | QUIET, FLAGS_ALL & ~CELL_NOTICE, hold_written, do_give_up, {0, UNDONE, UNDONE}},
    {"rollback of nothing", ATOMIC | QUIET, 0, hold, do_give_up, {0, UNDONE, UNDONE}},
    {"rollback grown", ATOMIC | QUIET | RESIZES | LIFE, 0, hold_half_grown, do_give_up, {0, UNDONE, UNDONE}},
    {"rollback shrunk", ATOMIC | QUIET | RESIZES | LIFE | WAS_MARKED, 0, hold_half_shrunk, do_give_up,
     {0, UNDONE, UNDONE}},
    {"rollback behind", ATOMIC | DEAD_APART, FLAGS_ALL & ~CELL_NOTICE, seek_first, do_rollback,
     BY_SECTION_OLD},
    {"atomic wait_locked", ATOMIC, 0, hold_written, do_wait_locked, {0, ONE_OR_THE_OTHER, DONE}},
    {"atomic wait quiet", ATOMIC | QUIET, 0, hold, do_wait_locked, {0, UNDONE, UNDONE}},
    {"atomic wait told", ATOMIC | ANSWERS, 0, hold, do_wait_answered, {0, UNDONE, UNDONE}},
    {"atomic take over", ATOMIC | DEAD_APART | ENDED, 0, NULL, do_lock, {0, DONE, DONE}},
    {"atomic init", ATOMIC | INITS | LIFE | ALONE | UNJOINED | NO_REGION, 0, NULL, do_init,
     {0, DONE, DONE, DONE, DONE}},
    {"atomic init kept", ATOMIC | INITS | KEEP | LIFE | ALONE | UNJOINED | NO_REGION, 0, NULL, do_init,
     {0, DONE, DONE, DONE, DONE}},
    {"atomic close held", ATOMIC | LIFE, 0, hold_half_written, do_close, {0, UNDONE, UNDONE}},
    {"atomic close grown", ATOMIC | RESIZES | LIFE, 0, hold_half_grown, do_close, {0, UNDONE, UNDONE}},
    {"atomic close last", ATOMIC | LIFE | ALONE | KEEP, 0, hold_half_written, do_close, {0, UNDONE, UNDONE}},
    {"undo by lock", ATOMIC | DEAD_APART, 0, seek_first, do_section, BY_SECTION},
    {"undo by lock WCPN", ATOMIC | DEAD_APART, FLAGS_ALL, seek_first, do_section, BY_SECTION},
    {"undo in its slot", ATOMIC | DEAD_HOLDER, 0, seek_first, do_section, BY_SECTION},
    {"undo by quiet lock", ATOMIC | DEAD_APART | READS, 0, NULL, do_lock, BY_UNDOING},
    {"undo by reader", ATOMIC | DEAD_APART | READS, 0, NULL, do_read_undone, BY_UNDOING},
    {"undo by reading", ATOMIC | DEAD_APART, 0, NULL, do_read_undone, BY_UNDOING},
    {"undo by snapshot", ATOMIC | DEAD_APART, 0, NULL, do_snapshot, BY_UNDOING},
    {"undo by wait", ATOMIC | DEAD_APART, 0, NULL, do_wait_for_news, BY_UNDOING},
    {"undo by notify", ATOMIC | DEAD_APART, 0, NULL, do_notify, BY_UNDOING},
    {"undo by open", ATOMIC | DEAD_APART | LIFE | UNJOINED, 0, NULL, do_open, BY_UNDOING},
    {"undo by open kept", ATOMIC | LIFE | ALONE | UNJOINED | KEEP | LEFT_DEAD, 0, NULL, do_open, BY_UNDOING},
    {.name = NULL}};

const struct trip trip_atomic = {
    {"atomic trip", ATOMIC, 0, seek_first, do_section, BY_SECTION},
    {"atomic recovery", ATOMIC, 0, seek_first, do_recovery,
     {0, ONE_OR_THE_OTHER, ONE_OR_THE_OTHER, ONE_OR_THE_OTHER, DONE}}};
