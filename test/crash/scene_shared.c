/* SPDX-License-Identifier: MIT */
/* The scenes of the shared lock: who dies as a reader, or waiting for readers, leaves nothing to tell of. */
#include "crash.h"

#define WAIT_MS 3

/* ---- what is prepared */

/* Lets readers in without a turn at the cell. */
static void open_door(shms_stream *s)
{
    gives(shms_stream_lock_shared(s, 0), 0);
    gives(shms_stream_unlock(s), 0);
}

static void read_on(shms_stream *s)
{
    gives(shms_stream_lock_shared(s, 0), 0);
}

static void read_twice(shms_stream *s)
{
    read_on(s);
    read_on(s);
}

/* As if another thread of this process read through the handle's first entry. */
static void read_beside(shms_stream *s)
{
    read_on(s);
    a64_store_relaxed(&s->section.readers.by[0], UINT64_MAX); /* relaxed: nobody else is there */
}

/* ---- what is traced */

static void do_read(shms_stream *s)
{
    at(1);
    gives(shms_stream_lock_shared(s, -1), 0);
    at(2);
    gives(shms_stream_unlock(s), 0);
    at(3);
}

/* Two tasks hold it at once, through one entry. */
static void do_read_as_tasks(shms_stream *s)
{
    at(1);
    gives(shms_stream_lock_shared(s, -1), 0);
    at(2);
    gives(shms_stream_lock_shared(s, -1), 0);
    gives(shms_stream_unlock(s), 0);
    at(3);
    gives(shms_stream_unlock(s), 0);
    at(4);
    gives(shms_stream_unlock(s), SHMS_E_NOT_OWNER);
}

static void do_give_up_unheld(shms_stream *s)
{
    at(1);
    gives(shms_stream_rollback(s), SHMS_E_NOT_OWNER);
    at(2);
}

static void do_read_dead(shms_stream *s)
{
    at(1);
    gives(shms_stream_lock_shared(s, -1), SHMS_OWNER_DIED);
    at(2);
    gives(shms_stream_unlock(s), 0);
    at(3);
}

static void do_read_in_vain(shms_stream *s)
{
    at(1);
    gives(shms_stream_lock_shared(s, WAIT_MS), SHMS_E_TIMEOUT);
    at(2);
}

static void do_lock_in_vain(shms_stream *s)
{
    at(1);
    gives(shms_stream_lock(s, WAIT_MS), SHMS_E_TIMEOUT);
    at(2);
}

static void do_try_in_vain(shms_stream *s)
{
    at(1);
    gives(shms_stream_lock(s, 0), SHMS_E_TIMEOUT);
    at(2);
}

/* ---- the table */

#define NOTHING (CLEAN | OLD)
#define BROKEN (DIED | MIX)

const struct scene scenes_shared[] = {
    {"read", 0, 0, open_door, do_read, {0, NOTHING, NOTHING, NOTHING}},
    {"read first", 0, 0, NULL, do_read, {0, NOTHING, NOTHING, NOTHING}},
    {"read flags", 0, FLAGS_ALL, NULL, do_read, {0, NOTHING, NOTHING, NOTHING}},
    {"read beside", 0, 0, read_beside, do_read, {0, NOTHING, NOTHING, NOTHING}},
    {"read quietly", READS, 0, open_door, do_read, {0, NOTHING, NOTHING, NOTHING}},
    {"read with another", READING, 0, NULL, do_read, {0, NOTHING, NOTHING, NOTHING}},
    {"read in vain", HELD, 0, NULL, do_read_in_vain, {0, DIED | OLD, DIED | OLD}},
    {"read by turn", HELD | HANDS_OVER, 0, NULL, do_read, {0, NOTHING, NOTHING, NOTHING}},
    {"read behind dead", DEAD_APART, 0, NULL, do_read_dead, {0, BROKEN, BROKEN, BROKEN}},
    {"read broken", DEAD_HOLDER, 0, NULL, do_read_dead, {0, BROKEN, BROKEN, BROKEN}},
    {"read as tasks", TASKS, 0, open_door, do_read_as_tasks, {0, NOTHING, NOTHING, NOTHING, NOTHING}},
    {"read as task first", TASKS, 0, NULL, do_read_as_tasks, {0, NOTHING, NOTHING, NOTHING, NOTHING}},
    {"close task reading", TASKS | LIFE, 0, read_twice, do_close, {0, NOTHING, NOTHING}},
    {"rollback by reader", QUIET, 0, read_on, do_give_up_unheld, {0, NOTHING, NOTHING}},
    {"unlock shared", 0, 0, read_on, do_unlock, {0, NOTHING, NOTHING}},
    {"unlock awaited", AWAITS, 0, read_on, do_unlock, {0, NOTHING, NOTHING}},
    {"close reading", LIFE, 0, read_on, do_close, {0, NOTHING, NOTHING}},
    {"close awaited", LIFE | AWAITS, 0, read_on, do_close, {0, NOTHING, NOTHING}},
    {"write behind reader", READING, 0, NULL, do_lock_in_vain, {0, NOTHING, NOTHING}},
    {"try behind reader", READING, 0, NULL, do_try_in_vain, {0, NOTHING, NOTHING}},
    {"write after reader", READING | HANDS_OVER, 0, NULL, do_lock, {0, IN_LOCK, DIED | OLD}},
    {"write after own", 0, 0, open_door, do_lock, {0, IN_LOCK, DIED | OLD}},
    {"notify beside reader", READING, 0, NULL, do_notify, {0, IN_LOCK, NOTHING}},
    {"rejoin reading", INHERITS | LIFE, 0, NULL, do_read, {0, NOTHING, NOTHING, NOTHING}},
    {.name = NULL}};

const struct scene races[] = {
    {"read race", 0, 0, open_door, do_read, {0}},
    {"read race by turn", LONG, 0, NULL, do_read, {0}},
    {"lock race", 0, 0, NULL, do_lock, {0}},
    {.name = NULL}};

const struct trip trip_shared = {
    {"read trip", 0, 0, open_door, do_read, {0, NOTHING, NOTHING, NOTHING}},
    {"after read", 0, 0, seek_first, do_section, {0, IN_LOCK, IN_SECTION, IN_UNLOCK, CLEAN | NEW}}};
