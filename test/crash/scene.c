/* SPDX-License-Identifier: MIT */
/* What tracees do: every public call that touches shared bytes, in the states in which it matters. */
#include "crash.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- the tracee's words with the judge */

static void at(uint32_t phase)
{
    a32_store_relaxed(&stage->phase, phase); /* relaxed: the judge looks while the tracee is stopped */
}

static void gives(int64_t got, int64_t wanted)
{
    if (got == wanted || a32_load_relaxed(&stage->wrong_phase)) /* relaxed: as above */
        return;
    a32_store_relaxed(&stage->wrong_code, (uint32_t)got); /* relaxed: as above */
    a32_store_relaxed(&stage->wrong_phase, a32_load_relaxed(&stage->phase)); /* relaxed: as above */
}

/* ---- bytes */

uint64_t old_word(unsigned i)
{
    return 0x01d0000000000000u + i * 0x100010001u;
}

static bool is_written(unsigned i)
{
    return (i >= WRITTEN_FIRST && i < WRITTEN_FIRST + WRITTEN_N) ||
           (i >= PWRITTEN_FIRST && i < PWRITTEN_FIRST + WRITTEN_N);
}

uint64_t new_word(unsigned i)
{
    return is_written(i) ? 0xe500000000000000u + i * 0x300030003u : old_word(i);
}

void fill_old(shms_stream *s)
{
    uint64_t *words = shms_stream_memory(s);
    for (unsigned i = 0; i < WORDS; i++)
        words[i] = old_word(i);
}

static uint64_t fresh[WORDS];

static void write_first(shms_stream *s)
{
    gives(shms_stream_write(s, fresh + WRITTEN_FIRST, WRITTEN_N * 8), WRITTEN_N * 8);
}

static void write_second(shms_stream *s)
{
    gives(shms_stream_pwrite(s, fresh + PWRITTEN_FIRST, WRITTEN_N * 8, PWRITTEN_FIRST * 8), WRITTEN_N * 8);
}

static void seek_first(shms_stream *s)
{
    shms_stream_seek(s, WRITTEN_FIRST * 8, SEEK_SET);
}

/* ---- what is prepared */

static void hold(shms_stream *s)
{
    shms_stream_lock(s, BOUND_MS);
}

static void hold_written(shms_stream *s)
{
    hold(s);
    seek_first(s);
    write_first(s);
    write_second(s);
}

static void hold_half_written(shms_stream *s)
{
    hold(s);
    seek_first(s);
    write_first(s);
}

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

/* ---- what is traced */

static void do_lock(shms_stream *s)
{
    at(1);
    gives(shms_stream_lock(s, -1), 0);
    at(2);
}

static void do_section(shms_stream *s)
{
    at(1);
    gives(shms_stream_lock(s, -1), 0);
    at(2);
    write_first(s);
    write_second(s);
    at(3);
    gives(shms_stream_unlock(s), 0);
    at(4);
}

static void do_unlock(shms_stream *s)
{
    at(1);
    gives(shms_stream_unlock(s), 0);
    at(2);
}

static void do_take_over(shms_stream *s)
{
    at(1);
    gives(shms_stream_lock(s, -1), SHMS_OWNER_DIED);
    at(2);
    gives(shms_stream_unlock(s), 0);
    at(3);
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

static void do_wait(shms_stream *s)
{
    int64_t seen = shms_stream_version(s);
    at(1);
    gives(shms_stream_wait(s, &seen, 2), SHMS_E_TIMEOUT);
    at(2);
}

static void do_wait_for_news(shms_stream *s)
{
    int64_t seen = shms_stream_version(s) - 2;
    at(1);
    gives(shms_stream_wait(s, &seen, -1), 0);
    at(2);
}

static void do_notify(shms_stream *s)
{
    at(1);
    gives(shms_stream_notify(s), 0);
    at(2);
}

static void do_snapshot(shms_stream *s)
{
    uint64_t copy[WORDS];
    at(1);
    gives(shms_stream_snapshot(s, copy, sizeof copy, 0), sizeof copy);
    at(2);
}

static void do_snapshot_of_broken(shms_stream *s)
{
    uint64_t copy[WORDS];
    at(1);
    gives(shms_stream_snapshot(s, copy, sizeof copy, 0), SHMS_E_CORRUPT);
    at(2);
}

static void do_close(shms_stream *s)
{
    at(1);
    shms_stream_close(s);
    at(2);
}

static void do_open(shms_stream *s)
{
    at(1);
    gives(shms_stream_open(region_name, DATA_SIZE, NULL, &s), 0);
    at(2);
}

/* A recoverer as the header asks for it: repairs if it was told. */
static void do_recovery(shms_stream *s)
{
    at(1);
    int rc = shms_stream_lock(s, BOUND_MS);
    at(2);
    write_first(s);
    write_second(s);
    if (rc == SHMS_OWNER_DIED)
        gives(shms_stream_repaired(s), 0);
    at(3);
    gives(shms_stream_unlock(s), 0);
    at(4);
}

/* ---- the table */

#define FLAGS_ALL (CELL_WAITERS | CELL_CHANGE | CELL_POLL | CELL_NOTICE)
#define IN_LOCK (EITHER | OLD)
#define IN_SECTION (DIED | OLD | MIX | NEW)
#define IN_UNLOCK (EITHER | NEW)

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
    {"unlock quiet", READS, 0, hold, do_unlock, {0, EITHER | OLD, CLEAN | OLD}},
    {"unlock quiet N", READS, FLAGS_ALL, hold, do_unlock, {0, EITHER | OLD, CLEAN | OLD}},
    {"lock quiet", READS, 0, NULL, do_lock, {0, IN_LOCK, DIED | OLD}},
    {"take over", DEAD_HOLDER, 0, NULL, do_take_over, {0, DIED | MIX, DIED | MIX, DIED | MIX}},
    {"take over apart", DEAD_APART, FLAGS_ALL, NULL, do_take_over, {0, DIED | MIX, DIED | MIX, DIED | MIX}},
    {"take over quiet", DEAD_HOLDER | READS, 0, NULL, do_take_over, {0, DIED | MIX, DIED | MIX, DIED | MIX}},
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

const struct scene trip = {"trip", 0, 0, seek_first, do_section,
                           {0, IN_LOCK, IN_SECTION, IN_UNLOCK, CLEAN | NEW}};
const struct scene recovery = {"recovery", 0, 0, seek_first, do_recovery,
                               {0, EITHER | OLD | MIX | NEW, DIED | OLD | MIX | NEW, IN_UNLOCK, CLEAN | NEW}};

/* ---- processes */

shms_stream *open_region(const char *name, const struct scene *sc)
{
    shms_stream_options o = {.struct_size = sizeof o, .max_size = DATA_MOST, .keep = (sc->traits & KEEP) != 0,
                             .access = sc->traits & READS ? SHMS_ACCESS_READ : SHMS_ACCESS_READ_WRITE};
    shms_stream *s = NULL;
    return shms_stream_open(name, DATA_SIZE, &o, &s) == 0 ? s : NULL;
}

void tracee_main(const struct scene *sc, shms_stream *inherited)
{
    shms_stream *s = inherited;
    for (unsigned i = 0; i < WORDS; i++)
        fresh[i] = new_word(i);
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

void die_in_section(const struct scene *sc)
{
    struct scene writes = *sc;
    writes.traits &= ~(unsigned)READS;
    shms_stream *s = open_region(region_name, &writes);
    if (!s)
        _exit(1);
    for (unsigned i = 0; i < WORDS; i++)
        fresh[i] = new_word(i);
    fill_old(s);
    hold_half_written(s);
}
