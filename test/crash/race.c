/* SPDX-License-Identifier: MIT */
/*
 * Not death, but the order of two: one stops at each instruction of taking the lock, another tries the
 * exclusive lock there. If that one gets it, the first goes on until it sleeps, and does not come in.
 */
#include "crash.h"

#include <stdio.h>

#define STEPS_ON 4000 /* of the first, beside a holder; it takes fewer to come in, or to go to sleep */

static bool is_in(void)
{
    return a32_load_relaxed(&stage->phase) == 2; /* relaxed: the tracee is stopped */
}

static void at_instruction(const struct scene *sc, shms_stream *s, long n, bool *ret_more, unsigned *ret_ins)
{
    pid_t pid = run_to(sc, s, n, ret_more);
    bool inside = is_in();
    int rc = shms_stream_lock(s, 0);
    must(rc == 0 || rc == SHMS_E_TIMEOUT, "lock", "a try gives %d", rc);
    must(rc != 0 || !inside, "race", "the lock was given beside one who has it");
    must(rc == 0 || n > 0, "lock", "a free one is not given");
    const struct control *c = s->section.member.region.control;
    bool waits = rc != 0 || inside;
    for (int i = 0; i < STEPS_ON && !waits; i++) /* relaxed: the tracee is stopped */
        waits = !step(pid) || is_in() || (a64_load_relaxed(&c->cell) & CELL_WAITERS);
    must(inside || !is_in(), "race", "it came in beside a holder");
    *ret_ins += rc == 0;
    if (rc == 0)
        shms_stream_unlock(s);
    end_tracee(pid);
    rc = shms_stream_lock(s, BOUND_MS); /* after a writer that died inside */
    must(rc >= 0, "lock", "after the race: gives %d", rc);
    shms_stream_repaired(s);
    shms_stream_unlock(s);
}

void race(const struct scene *sc, long stride)
{
    uint64_t broken = counts.violations;
    unsigned ins = 0;
    bool more = true;
    long n = 0;
    names_remove(region_name);
    shms_stream *s = open_region(region_name, sc);
    fill_old(s);
    at(0);
    for (; more && !is_in(); n += stride)
        at_instruction(sc, s, n, &more, &ins);
    shms_stream_close(s);
    must(ins > 0, "race", "the other one was never in first");
    printf("raced:  %-20s %5ld instructions, at %u of those tried the other one was in first | %llu broken\n",
           sc->name, n, ins, (unsigned long long)(counts.violations - broken));
}
