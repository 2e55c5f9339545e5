/* SPDX-License-Identifier: MIT */
/*
 * Nobody dies: at each instruction of a call, something else happens, all of it; then the call goes on to its
 * end. What threads of a process do to each other shows here on one processor, too.
 */
#include "crash.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define ASIDE 40u /* a word in a block of the journal that the dead one has not written */

/* ---- in the tracee */

static shms_stream *handle;

/* As another thread of this process may, at any time: no part of any section. */
static void write_aside(int signal)
{
    uint64_t word = old_word(ASIDE);
    (void)signal;
    gives(shms_stream_pwrite(handle, &word, sizeof word, ASIDE * 8), sizeof word);
}

static void await_signal(shms_stream *s)
{
    handle = s;
    signal(SIGUSR1, write_aside);
}

static void do_undo(shms_stream *s)
{
    do_lock(s);
    raise(SIGSTOP);
}

static bool is_whole(const uint64_t *words)
{
    bool old = true, new = true;
    for (unsigned i = 0; i < WORDS; i++) {
        old &= words[i] == old_word(i);
        new &= words[i] == new_word(i);
    }
    return old || new;
}

static void do_whole_snapshot(shms_stream *s)
{
    uint64_t copy[WORDS];
    at(1);
    gives(shms_stream_snapshot(s, copy, sizeof copy, 0), sizeof copy);
    at(2);
    gives(is_whole(copy), true);
    raise(SIGSTOP);
}

/* A handler leaves the call; then what is held is given up, or what has been written is taken back. */
static sigjmp_buf back;

static void leave(int signal)
{
    (void)signal;
    siglongjmp(back, 1);
}

static void be_left(shms_stream *s)
{
    seek_first(s);
    signal(SIGUSR1, leave);
}

static void be_left_reading(shms_stream *s)
{
    be_left(s);
    gives(shms_stream_lock_shared(s, 0), 0);
    gives(shms_stream_unlock(s), 0);
}

static void read_once(shms_stream *s)
{
    gives(shms_stream_lock_shared(s, -1), 0);
    gives(shms_stream_unlock(s), 0);
}

static void write_once(shms_stream *s)
{
    gives(shms_stream_lock(s, -1), 0);
    write_first(s);
    write_second(s);
    gives(shms_stream_unlock(s), 0);
}

static void until_left(shms_stream *s, void (*call)(shms_stream *s), int (*end)(shms_stream *s))
{
    if (!sigsetjmp(back, 1)) {
        at(1);
        call(s);
        at(2);
        for (;;)
            pause();
    }
    int rc = 0;
    for (int i = 0; rc == 0 && i < 3; i++)
        rc = end(s);
    gives(rc, SHMS_E_NOT_OWNER);
    raise(SIGSTOP);
}

static void do_leave_reading(shms_stream *s)
{
    until_left(s, read_once, shms_stream_unlock);
}

static void do_leave_section(shms_stream *s)
{
    until_left(s, write_once, shms_stream_rollback);
}

/* ---- in the judge */

static void interrupt(struct setting *t)
{
    go_on(t->tracee, SIGUSR1);
}

static void change_all(struct setting *t)
{
    make_fresh();
    gives(shms_stream_lock(t->bystander, 0), 0);
    fill_new(t->bystander);
    gives(shms_stream_unlock(t->bystander), 0);
    go_on(t->tracee, 0);
}

const struct between betweens[] = {
    {{"write beside undo", ATOMIC | DEAD_APART | LONG, 0, await_signal, do_undo, {0}},
     interrupt, CLEAN | OLD},
    {{"section beside snapshot", 0, 0, NULL, do_whole_snapshot, {0}}, change_all, CLEAN | NEW},
    {{"leave reading", 0, 0, be_left_reading, do_leave_reading, {0}}, interrupt, CLEAN | OLD},
    {{"leave reading first", LONG, 0, be_left, do_leave_reading, {0}}, interrupt, CLEAN | OLD},
    {{"leave task reading", TASKS, 0, be_left_reading, do_leave_reading, {0}}, interrupt, CLEAN | OLD},
    {{"leave section", ATOMIC | LONG, 0, be_left, do_leave_section, {0}}, interrupt, CLEAN | OLD | NEW},
    {.scene = {.name = NULL}}};

/* False: the call ends before so many instructions. */
static bool happens_at(const struct between *b, long n)
{
    struct setting t;
    bool more = true;
    now_playing = &b->scene;
    now_at = n;
    set_up(&t, &b->scene);
    uint32_t first = a32_load_relaxed(&stage->phase); /* relaxed: the tracee is stopped; so below */
    for (long i = 0; i < n && more; i++) {
        step(t.tracee);
        more = a32_load_relaxed(&stage->phase) == first;
    }
    b->happens(&t);
    judge_results();
    holder_died = is_held(t.bystander->section.member.region.control);
    if (holder_died) { /* else it lives on, and must not be in the way */
        end_tracee(t.tracee);
        t.tracee = 0;
    }
    judge_lock(t.bystander, b->left, b->scene.traits);
    tear_down(&t, &b->scene);
    return more;
}

void play_between(const struct between *b, long stride)
{
    uint64_t broken = counts.violations;
    long n = 0;
    while (happens_at(b, n))
        n += stride;
    printf("between: %-24s beside every %ldth of %ld instructions | %llu broken\n", b->scene.name, stride, n,
           (unsigned long long)(counts.violations - broken));
}
