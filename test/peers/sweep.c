/* SPDX-License-Identifier: MIT */
/*
 * Killed at every N-th instruction of an operation. Before each kill a survivor enters; after it, it asks
 * for the same lock, or does the same operation, as long as that takes, and judges what it finds. The
 * tracing is that of test/crash; here all kills are real, since locks of the operating system know from
 * nothing else who is dead.
 */
#include "../crash/crash.h"
#include "peers.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct subject {
    const struct lock *lock;           /* NULL: the operation enters and judges, too */
    const struct operation *operation; /* NULL: a section that writes the record */
};

/* The control: no lock at all. Whoever dies within its write leaves a torn record, and nobody is told. */

static int take_none(void *c, int timeout_ms)
{
    (void)c;
    (void)timeout_ms;
    return GOT;
}

static int give_none(void *c)
{
    (void)c;
    return 0;
}

static struct lock lock_none;

static const struct subject subjects[] = {
    {&lock_ours, NULL}, {&lock_atomic, NULL}, {&lock_ours, &ours_reads},
    {&lock_none, NULL}, {&lock_mutex, NULL}, {&lock_robust, NULL},
    {&lock_rwlock, NULL}, {&lock_rwlock, &rwlock_reads}, {&lock_sem, NULL},
    {&lock_lmdb, NULL}, {&lock_lmdb, &lmdb_reads}, {&lock_boost, NULL},
    {&lock_boost_named, NULL}, {NULL, &boost_send}, {NULL, &boost_receive},
    {NULL, &boost_allocate},
};

static const struct subject *playing;
static const struct place *scene_at;
static uint64_t new_words[RECORD_WORDS];

/* What test/crash/trace.c asks of its user. */
const struct scene *now_playing = &(const struct scene){.name = "a peer"};

void die_in_section(const struct scene *sc)
{
    (void)sc; /* nobody dies so here */
}

static void *enter(bool first)
{
    return playing->lock ? playing->lock->enter(scene_at, first) : playing->operation->enter(scene_at, first);
}

static void write_section(const struct lock *lock, void *c)
{
    if (lock->take(c, -1) == NOT)
        _exit(1);
    lock->write(c, new_words);
    if (lock->give(c))
        _exit(1);
}

void tracee_main(const struct scene *sc, shms_stream *inherited)
{
    (void)sc;
    (void)inherited;
    void *c = enter(false);
    tracee_ready();
    a32_store_relaxed(&stage->phase, 1); /* relaxed: the judge looks while the tracee is stopped */
    if (playing->operation)
        playing->operation->act(c);
    else
        write_section(playing->lock, c);
    a32_store_relaxed(&stage->done, 1); /* relaxed: as above */
    for (;;)
        pause();
}

/* ---- the survivor */

static int judge_section(const struct lock *lock, void *c, bool finished)
{
    uint64_t words[RECORD_WORDS];
    bool is_new;
    int told = lock->take(c, -1);
    if (told == NOT)
        return ERROR;
    lock->read(c, words);
    int found = judge_words(words, &is_new);
    if (found == ERROR || (found == TORN && told != TOLD))
        return found;
    if (finished && told == GOT && !is_new)
        return LOST;
    if (lock->give(c))
        return ERROR;
    write_section(lock, c);
    if (lock->take(c, -1) != GOT)
        return ERROR;
    lock->read(c, words);
    if (judge_words(words, &is_new) || !is_new || lock->give(c))
        return ERROR;
    return told == TOLD ? FINE_TOLD : FINE;
}

static _Noreturn void survive(void)
{
    void *c = enter(true);
    raise(SIGSTOP);
    bool finished = scene_at->yard->finished != 0;
    if (!playing->lock)
        _exit(playing->operation->judge(c, finished));
    _exit(judge_section(playing->lock, c, finished && !playing->operation));
}

/* ---- the killer */

/* After so many instructions, or when it has done all: then false. */
static bool kill_after(struct crowd *crowd, long n, long *ret_steps)
{
    scene_at = crowd_place(crowd->n);
    pid_t survivor = crowd_fork(crowd);
    if (survivor == 0)
        survive();
    crowd_await_stopped(survivor);
    pid_t pid = spawn_tracee(now_playing, NULL);
    await_ready(pid);
    reach_start(pid);
    bool more = true;
    long steps = 0;
    for (; steps < n && more; steps++)
        more = step(pid);
    scene_at->yard->finished = !more;
    end_tracee(pid);
    crowd_go(survivor);
    *ret_steps = steps;
    return more;
}

static long length_of(unsigned tally[OUTCOMES])
{
    struct crowd crowd = {.n = 0};
    long steps;
    kill_after(&crowd, LONG_MAX, &steps);
    crowd_judge(&crowd, tally);
    names_wipe();
    return steps;
}

static void judge_row(const char *name, const unsigned tally[OUTCOMES], unsigned kills, bool whole)
{
    if (playing->lock == &lock_ours && tally[FINE] + tally[FINE_TOLD] != kills)
        complain("not fine after a kill", name);
    if ((playing->lock == &lock_atomic || playing->operation == &ours_reads) && tally[FINE] != kills)
        complain("told of, or worse, after a kill that nobody should notice", name);
    if (playing->lock == &lock_mutex && tally[HUNG] == 0)
        complain("nothing hung, though it must", name);
    if (playing->lock == &lock_none && tally[TORN] == 0)
        complain("nothing was torn, though it must be", name);
    if (!whole)
        complain("not fine though nobody died within the operation", name);
}

/* Every so many instructions that all kills together take about steps_most steps. */
static void sweep(long steps_most)
{
    const char *name = playing->operation ? playing->operation->name : playing->lock->name;
    const char *does = playing->operation ? playing->operation->does
                       : playing->lock == &lock_lmdb ? "begin, put 64 B, commit"
                                                     : "lock, write 64 B, unlock";
    struct crowd crowd = {.n = 0};
    unsigned tally[OUTCOMES] = {0}, whole[OUTCOMES] = {0};
    long steps, length = length_of(whole), stride = length * length / 2 / steps_most + 1;
    bool more = true;
    for (long n = 0; more; n += stride) {
        more = kill_after(&crowd, n, &steps);
        if (crowd.n == CROWD_MOST || !more) {
            crowd_judge(&crowd, tally);
            names_wipe();
        }
    }
    unsigned kills = 0;
    for (unsigned i = 0; i < OUTCOMES; i++)
        kills += tally[i];
    printf("  %-27s %-24s %6ld %6ld %6u %6u %6u %6u %6u %6u %6u %6u\n", name, does, length, stride, kills,
           tally[FINE], tally[FINE_TOLD], tally[TORN], tally[LOST], tally[ERROR], tally[CRASHED],
           tally[HUNG]);
    judge_row(name, tally, kills, whole[FINE] == 1);
}

void blow_sweep(long steps_most)
{
    trace_setup();
    for (unsigned i = 0; i < RECORD_WORDS; i++)
        new_words[i] = new_word(i);
    lock_none = lock_mutex;
    lock_none.name = "no lock (the control)";
    lock_none.take = take_none;
    lock_none.give = give_none;
    printf("\nkilled within an operation: what a survivor finds\n"
           "  %-27s %-24s %6s %6s %6s %6s %6s %6s %6s %6s %6s %6s\n", "", "", "instr.", "every", "kills",
           "fine", "told", "torn", "lost", "error", "crash", "hangs");
    for (size_t i = 0; i < rows_of(sizeof subjects / sizeof *subjects); i++) {
        playing = &subjects[i];
        sweep(steps_most);
    }
}
