/* SPDX-License-Identifier: MIT */
/* What tracees do, in the scenes of more than one table. */
#include "crash.h"

#include <stdio.h>
#include <string.h>

/* ---- the tracee's words with the judge */

void at(uint32_t phase)
{
    a32_store_relaxed(&stage->phase, phase); /* relaxed: the judge looks while the tracee is stopped */
}

void gives(int64_t got, int64_t wanted)
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

unsigned char *bytes_of(shms_stream *s)
{
    return s->section.member.region.data;
}

int64_t version_of(const shms_stream *s)
{
    /* relaxed: nobody else is there, or those who are there are stopped */
    return (int64_t)a64_load_relaxed(&s->section.member.region.control->version);
}

void fill_old(shms_stream *s)
{
    uint64_t *words = (uint64_t *)(void *)bytes_of(s);
    for (unsigned i = 0; i < WORDS; i++)
        words[i] = old_word(i);
}

void fill_new(shms_stream *s)
{
    gives(shms_stream_pwrite(s, fresh, sizeof fresh, 0), sizeof fresh);
}

uint64_t fresh[WORDS];

void make_fresh(void)
{
    for (unsigned i = 0; i < WORDS; i++)
        fresh[i] = new_word(i);
}

void write_first(shms_stream *s)
{
    gives(shms_stream_write(s, fresh + WRITTEN_FIRST, WRITTEN_N * 8), WRITTEN_N * 8);
}

void write_second(shms_stream *s)
{
    gives(shms_stream_pwrite(s, fresh + PWRITTEN_FIRST, WRITTEN_N * 8, PWRITTEN_FIRST * 8), WRITTEN_N * 8);
}

void seek_first(shms_stream *s)
{
    shms_stream_seek(s, WRITTEN_FIRST * 8, SEEK_SET);
}

/* ---- behind DATA_SIZE: marks in its first and in its last block, which lie in different pages */

#define MARK 64u
#define MARK_FIRST (DATA_SIZE + 100u)
#define MARK_LAST (DATA_GROWN - MARK)

bool marked_byte(uint64_t i)
{
    return (i >= MARK_FIRST && i < MARK_FIRST + MARK) || (i >= MARK_LAST && i < DATA_GROWN);
}

void mark(shms_stream *s)
{
    unsigned char marks[MARK];
    memset(marks, MARK_BYTE, sizeof marks);
    gives(shms_stream_pwrite(s, marks, MARK, MARK_FIRST), MARK);
    gives(shms_stream_pwrite(s, marks, MARK, MARK_LAST), MARK);
}

/* ---- what is prepared */

void hold(shms_stream *s)
{
    int rc = shms_stream_lock(s, BOUND_MS);
    gives(rc > 0 ? 0 : rc, 0); /* news of a death may come with it */
}

void hold_written(shms_stream *s)
{
    hold(s);
    seek_first(s);
    write_first(s);
    write_second(s);
}

void hold_half_written(shms_stream *s)
{
    hold(s);
    seek_first(s);
    write_first(s);
}

/* ---- what is traced */

void do_lock(shms_stream *s)
{
    at(1);
    gives(shms_stream_lock(s, -1), 0);
    at(2);
}

void do_section(shms_stream *s)
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

void do_unlock(shms_stream *s)
{
    at(1);
    gives(shms_stream_unlock(s), 0);
    at(2);
}

void do_look_inside(shms_stream *s)
{
    uint64_t word;
    int64_t version = version_of(s);
    at(1);
    gives(shms_stream_lock(s, -1), 0);
    at(2);
    gives(shms_stream_pread(s, &word, sizeof word, 0), sizeof word);
    at(3);
    gives(shms_stream_unlock(s), 0);
    at(4);
    gives(version_of(s), version);
}

void do_give_up(shms_stream *s)
{
    int64_t version = version_of(s);
    at(1);
    gives(shms_stream_rollback(s), 0);
    at(2);
    gives(version_of(s), version);
}

void do_wait_locked(shms_stream *s)
{
    at(1);
    gives(shms_stream_wait_locked(s, 2), SHMS_E_TIMEOUT);
    at(2);
}

void do_wait_answered(shms_stream *s)
{
    at(1);
    gives(shms_stream_wait_locked(s, -1), 0);
    at(2);
}

static int fill_in_init(shms_stream *s, void *context)
{
    (void)context;
    at(2);
    fill_new(s);
    at(3);
    return 0;
}

void do_init(shms_stream *s)
{
    shms_stream_options o = {.struct_size = sizeof o, .max_size = DATA_MOST, .init = fill_in_init,
                             .keep = (now_playing->traits & KEEP) != 0,
                             .atomic = (now_playing->traits & ATOMIC) != 0};
    at(1);
    gives(shms_stream_open(region_name, DATA_SIZE, &o, &s), 0);
    at(4);
}

void do_wait_for_news(shms_stream *s)
{
    int64_t seen = shms_stream_version(s) - 2;
    at(1);
    gives(shms_stream_wait(s, &seen, -1), 0);
    at(2);
}

void do_notify(shms_stream *s)
{
    at(1);
    gives(shms_stream_notify(s), 0);
    at(2);
}

void do_snapshot(shms_stream *s)
{
    uint64_t copy[WORDS];
    at(1);
    gives(shms_stream_snapshot(s, copy, sizeof copy, 0), sizeof copy);
    at(2);
}

void do_close(shms_stream *s)
{
    at(1);
    shms_stream_close(s);
    at(2);
}

void do_open(shms_stream *s)
{
    at(1);
    gives(shms_stream_open(region_name, DATA_SIZE, NULL, &s), 0);
    at(2);
}

/* A recoverer as the header asks for it: repairs if it was told. */
void do_recovery(shms_stream *s)
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

/* ---- the calls that know files */

char file_path[256];
static FILE *stream_file;

void make_file(shms_stream *s)
{
    int rc = shms_stream_file(s, "r+", &stream_file);
    gives(rc, 0);
}

/* Two ranges by fwrite; stdio reads what lies around them and writes when it is told to. */
void do_file(shms_stream *s)
{
    at(1);
    gives(shms_stream_lock(s, -1), 0);
    at(2);
    gives(fseek(stream_file, WRITTEN_FIRST * 8, SEEK_SET), 0);
    gives((int64_t)fwrite(fresh + WRITTEN_FIRST, 8, WRITTEN_N, stream_file), WRITTEN_N);
    gives(fseek(stream_file, PWRITTEN_FIRST * 8, SEEK_SET), 0);
    gives((int64_t)fwrite(fresh + PWRITTEN_FIRST, 8, WRITTEN_N, stream_file), WRITTEN_N);
    gives(fflush(stream_file), 0);
    at(3);
    gives(shms_stream_unlock(s), 0);
    at(4);
}

void do_load(shms_stream *s)
{
    at(1);
    gives(shms_stream_lock(s, -1), 0);
    at(2);
    gives(shms_stream_load(s, file_path), sizeof fresh);
    at(3);
    gives(shms_stream_unlock(s), 0);
    at(4);
}

void do_save(shms_stream *s)
{
    at(1);
    gives(shms_stream_save(s, "/dev/null"), DATA_SIZE);
    at(2);
}

void do_poll_fd(shms_stream *s)
{
    int64_t seen = shms_stream_version(s);
    at(1);
    gives(shms_stream_poll_fd(s) >= 0, true);
    at(2);
    gives(shms_stream_wait(s, &seen, 0), SHMS_E_TIMEOUT);
    at(3);
}
