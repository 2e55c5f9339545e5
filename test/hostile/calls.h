/* SPDX-License-Identifier: MIT */
/*
 * Every call of the library, with arguments made from two small numbers, and a judge of what it answers: only
 * codes that shmstream.h names for that call, in the time it was given, never a length above what was asked.
 */
#ifndef HOSTILE_CALLS_H
#define HOSTILE_CALLS_H

#include "stream.h"

#define REGION_SIZE 4096u
#define REGION_MOST 65536u
#define JOURNAL_SIZE 65536u /* what a small section reserves */
#define OPEN_TIMEOUT_MS 2 /* of opening, and of all that is bounded by it */

/* Who calls: one handle of the region that somebody else meddles with. */
struct actor {
    shms_stream *s; /* NULL: not open now */
    const char *name;         /* NULL: it has none */
    int fd;                   /* then, of an unnamed region */
    const char *path;         /* of an ordinary file, to save to and load from */
    int64_t (*now_ns)(void);  /* the clock that time-outs are held against */
    int64_t slack_ns;         /* what a call may take beyond its time-out */
    const uint64_t *meddlings; /* counts the overwrites of control; NULL: they go on all the time */
    uint64_t calls;
    bool reads_only;
    bool changed_files; /* its handle was closed, or the region resized */
};

extern const unsigned call_count;
const char *call_name(unsigned which);

/* Make one call; an answer that is not allowed aborts the process. */
void call_run(struct actor *a, unsigned which, unsigned x, unsigned y);

/* What the call being made is, for who finds that it never ends. */
extern const char *volatile call_current;

/* Write into one of the fields that matter, a number by one of many recipes (how). */
extern const unsigned field_count;
void meddle(struct control *c, uint64_t own_id, unsigned field, unsigned how, uint64_t number);
/* The same for a record, or what may be taken for one, in the first JOURNAL_SIZE bytes of the journal. */
void meddle_record(unsigned char *journal, unsigned where, unsigned how, uint64_t number);

#endif
