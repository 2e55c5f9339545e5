/* SPDX-License-Identifier: MIT */
/* Hostile processes and their victims: what they share, and the acts they play. */
#ifndef HOSTILE_PEERS_H
#define HOSTILE_PEERS_H

#include "calls.h"

#include <stdio.h>
#include <sys/types.h>

#define STUCK_S 20 /* a victim that makes no call for so long hangs; nothing else is that slow */

/* The region of the act as it was passed to all who play in it; -1: they open it by its name. */
extern int unnamed_fd;
/* A pair of sockets for those who pass a descriptor of their own. */
extern int sockets[2];

/* Memory of the acts alone; no hostile peer touches it. */
struct board {
    a32 stop;
    a32 ready;  /* what one has done, for another to wait for */
    a64 calls;  /* of all victims */
    a64 blows;  /* overwrites, wake-ups, requeues: what the hostile did */
    a64 sections;
    a32 trap;   /* where stolen sleepers are taken */
    char name[64];
    char path[200]; /* of a scratch file */
    char doing[2][32]; /* the call that each victim is in */
};
extern struct board *board;

static inline bool stopped(void)
{
    return a32_load_acquire(&board->stop) != 0;
}

/* Ends the process, and with it the act. */
_Noreturn void fail(const char *what, const char *file, int line, long long got);
#define need(condition) ((condition) ? (void)0 : fail(#condition, __FILE__, __LINE__, shms_last_oserror()))
#define need_is(call, code) need_equal(#call " == " #code, __FILE__, __LINE__, (call), (code))
void need_equal(const char *what, const char *file, int line, long long got, long long wanted);

void count(a64 *a, uint64_t n);
void await_ready(uint32_t value); /* without a bound: who watches the act has one */
void get_ready(uint32_t value);
uint64_t chance(uint64_t *state); /* the next pseudo-random number */
int join(uint32_t access, int timeout_ms, shms_stream **ret);
shms_stream *open_region(uint32_t access);
struct control *map_control(uint64_t *ret_inode); /* NULL: there is none */
int open_control(void);                           /* always an opening of its own */

/* An act: who plays in it, and in what. Each part returns when stopped(), or earlier. */
enum { NAMED = 1, UNNAMED = 2, THEIR_OWN = 4 };
struct act {
    const char *name;
    const char *words;
    unsigned regions;
    void (*parts[3])(void);
};
extern const struct act acts[];
extern const unsigned act_count;

void flipper_wild(void);
void flipper_plausible(void);
void flipped(void);
void thief(void);
void robbed_first(void);
void robbed_second(void);
void lock_hoarder(void);
void locked_out(void);
void entry_hoarder(void);
void read_beside(void);
void life_hoarder(void);
void held_up(void);
void slot_hoarder(void);
void crowded_out(void);
void grabber(void);
void frozen_writer(void);
void frozen_reader(void);
void frozen_grabber(void);

#endif
