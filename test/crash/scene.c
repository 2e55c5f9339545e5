/* SPDX-License-Identifier: MIT */
/* The scenes of a plain region: every call that touches shared bytes, in the states in which it matters. */
#include "crash.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- what only these scenes do */

static void hold_to_repair(shms_stream *s)
{
    hold_half_written(s);
    seek_first(s);
}

static void hold_large(shms_stream *s)
{
    hold(s);
    shms_stream_resize(s, DATA_GROWN);
    memset((char *)shms_stream_memory(s) + DATA_SIZE, 0xee, DATA_GROWN - DATA_SIZE);
}

static void do_take_over(shms_stream *s)
{
    at(1);
    gives(shms_stream_lock(s, -1), SHMS_OWNER_DIED);
    at(2);
    gives(shms_stream_unlock(s), 0);
    at(3);
}

/* Of one who died with all written, but for the version: it moves. */
static void do_take_over_ended(shms_stream *s)
{
    int64_t version = version_of(s);
    at(1);
    gives(shms_stream_lock(s, -1), 0);
    at(2);
    gives(version_of(s), version);
    at(3);
    gives(shms_stream_unlock(s), 0);
    at(4);
    gives(version_of(s) > version, true);
}

static void do_wait_for_change(shms_stream *s)
{
    int64_t seen = shms_stream_version(s);
    at(1);
    gives(shms_stream_wait(s, &seen, -1), 0);
    at(2);
}

static void do_give_up_in_vain(shms_stream *s)
{
    at(1);
    gives(shms_stream_rollback(s), SHMS_E_UNSUPPORTED);
    at(2);
}

/* Tasks of one thread: the lock is nobody's in particular. */
static void do_tasks(shms_stream *s)
{
    at(1);
    gives(shms_stream_lock(s, -1), 0);
    at(2);
    gives(shms_stream_lock(s, 0), SHMS_E_TIMEOUT);
    gives(shms_stream_lock_shared(s, 0), SHMS_E_TIMEOUT);
    at(3);
    gives(shms_stream_unlock(s), 0);
    at(4);
}

static void do_repair(shms_stream *s)
{
    at(1);
    write_first(s);
    write_second(s);
    at(2);
    gives(shms_stream_repaired(s), 0);
    at(3);
    gives(shms_stream_unlock(s), 0);
    at(4);
}

static void do_lock_in_vain(shms_stream *s)
{
    at(1);
    gives(shms_stream_lock(s, 3), SHMS_E_TIMEOUT);
    at(2);
}

static void do_grow(shms_stream *s)
{
    at(1);
    gives(shms_stream_resize(s, DATA_GROWN), 0);
    at(2);
}

static void do_shrink(shms_stream *s)
{
    at(1);
    gives(shms_stream_resize(s, DATA_SIZE), 0);
    at(2);
}

static void do_unlink(shms_stream *s)
{
    (void)s;
    at(1);
    gives(shms_stream_unlink(region_name), 0);
    at(2);
}

static void do_look(shms_stream *s)
{
    uint64_t copy[WORDS];
    shms_info info = {.struct_size = sizeof info};
    at(1);
    gives(shms_stream_seek(s, 8, SEEK_SET), 8);
    gives(shms_stream_read(s, copy, 16), 16);
    gives(shms_stream_tell(s), 24);
    gives(shms_stream_pread(s, copy, sizeof copy, 0), sizeof copy);
    gives((int64_t)shms_stream_size(s), DATA_SIZE);
    gives(shms_stream_existed(s), 1);
    gives(shms_stream_memory(s) != NULL, true);
    gives(shms_stream_version(s), 0);
    gives(shms_stream_info(s, &info), 0);
    at(2);
}

static void do_wait(shms_stream *s)
{
    int64_t seen = shms_stream_version(s);
    at(1);
    gives(shms_stream_wait(s, &seen, 2), SHMS_E_TIMEOUT);
    at(2);
}

static void do_snapshot_of_broken(shms_stream *s)
{
    uint64_t copy[WORDS];
    at(1);
    gives(shms_stream_snapshot(s, copy, sizeof copy, 0), SHMS_E_CORRUPT);
    at(2);
}

/* ---- the table */

const struct scene scenes[] = {
    {"lock", 0, 0, NULL, do_lock, {0, IN_LOCK, DIED | OLD}},
    {"section", 0, 0, seek_first, do_section, {0, IN_LOCK, IN_SECTION, IN_UNLOCK, CLEAN | NEW}},
    {"section kept", KEEP, 0, seek_first, do_section, {0, IN_LOCK, IN_SECTION, IN_UNLOCK, CLEAN | NEW}},
    {"unlock W", 0, CELL_WAITERS, hold_written, do_unlock, {0, IN_UNLOCK, CLEAN | NEW}},
    {"unlock C", 0, CELL_CHANGE, hold_written, do_unlock, {0, IN_UNLOCK, CLEAN | NEW}},
    {"unlock P", 0, CELL_POLL, hold_written, do_unlock, {0, IN_UNLOCK, CLEAN | NEW}},
    {"unlock WCPN", 0, FLAGS_ALL, hold_written, do_unlock, {0, IN_UNLOCK, CLEAN | NEW}},
    {"unlock WCPR", 0, (FLAGS_ALL & ~CELL_NOTICE) | CELL_RESERVED, hold_written, do_unlock,
     {0, IN_UNLOCK, CLEAN | NEW}},
    {"unlock quiet", READS, 0, hold, do_unlock, {0, CLEAN | OLD, CLEAN | OLD}},
    {"unlock quiet N", READS, FLAGS_ALL, hold, do_unlock, {0, CLEAN | OLD, CLEAN | OLD}},
    {"lock quiet", READS, 0, NULL, do_lock, {0, CLEAN | OLD, CLEAN | OLD}},
    {"section by FILE", 0, 0, make_file, do_file, {0, IN_LOCK, IN_SECTION, IN_UNLOCK, CLEAN | NEW}},
    {"section by load", 0, 0, NULL, do_load, {0, IN_LOCK, IN_SECTION, IN_UNLOCK, CLEAN | NEW}},
    {"save", 0, 0, NULL, do_save, {0, CLEAN | OLD, CLEAN | OLD}},
    {"look inside", QUIET, 0, NULL, do_look_inside, {0, IN_LOCK, DIED | OLD, IN_LOCK, CLEAN | OLD}},
    {"rollback empty", QUIET, 0, hold, do_give_up, {0, IN_LOCK, CLEAN | OLD}},
    {"rollback WCPR", QUIET, (FLAGS_ALL & ~CELL_NOTICE) | CELL_RESERVED, hold, do_give_up,
     {0, IN_LOCK, CLEAN | OLD}},
    {"rollback refused", 0, 0, hold_written, do_give_up_in_vain, {0, DIED | NEW, DIED | NEW}},
    {"wait_locked", 0, 0, hold_written, do_wait_locked, {0, IN_UNLOCK, DIED | NEW}},
    {"wait_locked quiet", QUIET, 0, hold, do_wait_locked, {0, IN_LOCK, DIED | OLD}},
    {"wait_locked told", ANSWERS, 0, hold, do_wait_answered, {0, IN_LOCK, DIED | OLD}},
    {"tasks", TASKS | QUIET, 0, NULL, do_tasks, {0, IN_LOCK, DIED | OLD, IN_LOCK, CLEAN | OLD}},
    {"init", INITS | LIFE | ALONE | UNJOINED | NO_REGION, 0, NULL, do_init,
     {0, CLEAN | NEW, CLEAN | NEW, IN_UNLOCK, CLEAN | NEW}},
    {"init kept", INITS | KEEP | LIFE | ALONE | UNJOINED | NO_REGION, 0, NULL, do_init,
     {0, CLEAN | NEW, CLEAN | NEW, IN_UNLOCK, CLEAN | NEW}},
    {"poll_fd", 0, 0, NULL, do_poll_fd, {0, CLEAN | OLD, CLEAN | OLD, CLEAN | OLD}},
    {"calls that look", 0, 0, NULL, do_look, {0, CLEAN | OLD, CLEAN | OLD}},
    {"take over", DEAD_HOLDER, 0, NULL, do_take_over, {0, DIED | MIX, DIED | MIX, DIED | MIX}},
    {"take over apart", DEAD_APART, FLAGS_ALL, NULL, do_take_over, {0, DIED | MIX, DIED | MIX, DIED | MIX}},
    {"take over quiet", DEAD_HOLDER | READS, 0, NULL, do_take_over, {0, DIED | MIX, DIED | MIX, DIED | MIX}},
    {"take over ended", DEAD_APART | ENDED, 0, NULL, do_take_over_ended,
     {0, IN_UNLOCK, DIED | NEW, IN_UNLOCK, CLEAN | NEW}},
    {"wait behind ended", DEAD_APART | ENDED, 0, NULL, do_wait_for_change, {0, CLEAN | NEW, CLEAN | NEW}},
    {"repaired", DEAD_APART, 0, hold_to_repair, do_repair,
     {0, DIED | MIX | NEW, DIED | NEW, IN_UNLOCK, CLEAN | NEW}},
    {"lock in vain", HELD, 0, NULL, do_lock_in_vain, {0, DIED | OLD, DIED | OLD}},
    {"lock handed over", HELD | HANDS_OVER, 0, NULL, do_lock, {0, IN_LOCK, DIED | OLD}},
    {"grow", RESIZES | LIFE, 0, hold, do_grow, {0, DIED | OLD, DIED | OLD}},
    {"shrink", RESIZES | LIFE, 0, hold_large, do_shrink, {0, DIED | OLD, DIED | OLD}},
    {"wait", 0, 0, NULL, do_wait, {0, CLEAN | OLD, CLEAN | OLD}},
    {"wait for news", 0, 0, NULL, do_wait_for_news, {0, CLEAN | OLD, CLEAN | OLD}},
    {"wait behind dead", DEAD_APART, 0, NULL, do_wait_for_news, {0, DIED | MIX, DIED | MIX}},
    {"notify", 0, CELL_CHANGE | CELL_POLL, NULL, do_notify, {0, IN_LOCK, CLEAN | OLD}},
    {"notify behind", HELD, 0, NULL, do_notify, {0, DIED | OLD, DIED | OLD}},
    {"snapshot", 0, 0, NULL, do_snapshot, {0, CLEAN | OLD, CLEAN | OLD}},
    {"snapshot of broken", DEAD_APART, 0, NULL, do_snapshot_of_broken, {0, DIED | MIX, DIED | MIX}},
    {"rejoin", INHERITS | LIFE, 0, NULL, do_lock, {0, IN_LOCK, DIED | OLD}},
    {"close", LIFE, 0, NULL, do_close, {0, CLEAN | OLD, CLEAN | OLD}},
    {"close held", LIFE, 0, hold_half_written, do_close, {0, DIED | MIX, DIED | MIX}},
    {"close last", LIFE | ALONE, 0, NULL, do_close, {0, CLEAN | OLD, CLEAN | OLD}},
    {"close last kept", LIFE | ALONE | KEEP, 0, NULL, do_close, {0, CLEAN | OLD, CLEAN | OLD}},
    {"open", LIFE | UNJOINED, 0, NULL, do_open, {0, CLEAN | OLD, CLEAN | OLD}},
    {"open behind", LIFE | UNJOINED | HELD, 0, NULL, do_open, {0, DIED | OLD, DIED | OLD}},
    {"open new", LIFE | ALONE | UNJOINED | NO_REGION, 0, NULL, do_open, {0, CLEAN | OLD, CLEAN | OLD}},
    {"open dead", LIFE | ALONE | UNJOINED | LEFT_DEAD, 0, NULL, do_open, {0, CLEAN | OLD, CLEAN | OLD}},
    {"unlink", LIFE | MAY_VANISH, 0, NULL, do_unlink, {0, CLEAN | OLD, CLEAN | OLD}},
    {"unlink kept", LIFE | ALONE | UNJOINED | KEEP | LEFT_DEAD | MAY_VANISH, 0, NULL, do_unlink,
     {0, DIED | MIX, DIED | MIX}},
    {.name = NULL}};

const struct trip trip_plain = {
    {"trip", 0, 0, seek_first, do_section, {0, IN_LOCK, IN_SECTION, IN_UNLOCK, CLEAN | NEW}},
    {"recovery", 0, 0, seek_first, do_recovery,
     {0, EITHER | OLD | MIX | NEW, DIED | OLD | MIX | NEW, IN_UNLOCK, CLEAN | NEW}}};

/* ---- processes */

shms_stream *open_region(const char *name, const struct scene *sc)
{
    shms_stream_options o = {.struct_size = sizeof o, .max_size = DATA_MOST, .keep = (sc->traits & KEEP) != 0,
                             .atomic = (sc->traits & ATOMIC) != 0, .tasks = (sc->traits & TASKS) != 0,
                             .access = sc->traits & READS ? SHMS_ACCESS_READ : SHMS_ACCESS_READ_WRITE};
    shms_stream *s = NULL;
    return shms_stream_open(name, DATA_SIZE, &o, &s) == 0 ? s : NULL;
}

void tracee_main(const struct scene *sc, shms_stream *inherited)
{
    shms_stream *s = inherited;
    make_fresh();
    if (!s && !(sc->traits & UNJOINED) && !(s = open_region(region_name, sc)))
        _exit(1);
    if (sc->traits & ALONE && s)
        fill_old(s);
    if (sc->prepare)
        sc->prepare(s);
    tracee_ready();
    sc->act(s);
    a32_store_relaxed(&stage->done, 1); /* relaxed: the judge looks while the tracee is stopped */
    for (;;)
        pause();
}

/* A section, up to the moment in which its end has been said to snapshots, but not yet to waiters. */
static void end_all_but(shms_stream *s)
{
    struct section *h = &s->section;
    struct control *c = h->member.region.control;
    hold_written(s);
    shms__section_commit(h);
    a64_store_relaxed(&c->sequence, a64_load_relaxed(&c->sequence) + 1); /* relaxed: nobody else is there */
}

void die_in_section(const struct scene *sc)
{
    struct scene writes = *sc;
    writes.traits &= ~(unsigned)READS;
    shms_stream *s = open_region(region_name, &writes);
    if (!s)
        _exit(1);
    make_fresh();
    fill_old(s);
    if (sc->traits & ENDED)
        end_all_but(s);
    else
        hold_half_written(s);
}
