/* SPDX-License-Identifier: MIT */
/* What surrounds a tracee: the region, another member, those that died before. */
#include "crash.h"

static shms_stream *enter_bystander(const struct scene *sc)
{
    struct scene writes = *sc;
    writes.traits &= ~(unsigned)READS;
    return open_region(region_name, &writes);
}

static void surround(struct setting *t, const struct scene *sc)
{
    if (!t->bystander)
        return;
    if (sc->traits & (DEAD_HOLDER | DEAD_APART))
        die_in_a_child(sc);
    else
        fill_old(t->bystander);
    if (sc->traits & DEAD_HOLDER)
        /* relaxed: a hint; without it the next one to join takes this slot first */
        a32_store_relaxed(&t->bystander->section.member.region.control->slots[1].pid, 0);
    if (sc->traits & HELD)
        t->holds = shms_stream_lock(t->bystander, 0) == 0;
    if (sc->traits & READING)
        t->holds = shms_stream_lock_shared(t->bystander, 0) == 0;
}

void await_ready_unsettled(pid_t pid, shms_stream *s)
{
    struct control *c = s->section.member.region.control;
    uint64_t used = a64_load_relaxed(&c->journal_used); /* relaxed: nobody else is there */
    a64_store_relaxed(&c->journal_used, 0);             /* relaxed: as above */
    await_ready(pid);
    if (used)
        a64_store_relaxed(&c->journal_used, used); /* relaxed: the tracee is stopped */
}

void set_up(struct setting *t, const struct scene *sc)
{
    *t = (struct setting){.tracee = 0};
    names_remove(region_name);
    if (sc->traits & LEFT_DEAD)
        die_in_a_child(sc);
    if (sc->traits & INHERITS) {
        t->bystander = enter_bystander(sc);
        t->tracee = spawn_tracee(sc, t->bystander);
    } else {
        /* The tracee comes first into the world, so that it inherits nothing, and second into the region. */
        t->tracee = spawn_tracee(sc, NULL);
        if (!(sc->traits & ALONE))
            t->bystander = enter_bystander(sc);
    }
    surround(t, sc);
    if (sc->traits & (DEAD_HOLDER | DEAD_APART))
        await_ready_unsettled(t->tracee, t->bystander);
    else
        await_ready(t->tracee);
    if (sc->traits & AWAITS) {
        struct member *m = &t->bystander->section.member;
        t->holds = shms__cell_try(m, &m->region.control->cell);
    }
    if (sc->flags)
        /* acquire: none needed; the tracee is stopped */
        a64_or_acquire(&t->bystander->section.member.region.control->cell, sc->flags);
    reach_start(t->tracee);
    version_was = t->bystander ? version_of(t->bystander) : 0;
}

/* A writer that has the cell, and so many steps later, sleeps on a reader's entry. */
#define STEPS_TO_SLEEP 8000

/* What the tracee waits for, as soon as it asks to be told. */
static void answer(struct setting *t)
{
    struct member *m = &t->bystander->section.member;
    uint64_t word = old_word(0);
    /* relaxed: the tracee is stopped */
    if ((a64_load_relaxed(&m->region.control->cell) & (CELL_CHANGE | CELL_OWNER)) != CELL_CHANGE)
        return;
    if (shms_stream_lock(t->bystander, 0) == 0) {
        shms_stream_pwrite(t->bystander, &word, sizeof word, 0);
        shms_stream_unlock(t->bystander);
    }
}

void before_step(struct setting *t, const struct scene *sc)
{
    if (sc->traits & ANSWERS)
        answer(t);
    if (!(sc->traits & HANDS_OVER) || !t->holds)
        return;
    /* relaxed: the tracee is stopped */
    uint64_t cell = a64_load_relaxed(&t->bystander->section.member.region.control->cell);
    bool waits = sc->traits & READING ? (cell & CELL_OWNER) && t->waited++ > STEPS_TO_SLEEP
                                      : (cell & CELL_WAITERS) != 0;
    if (waits) {
        shms_stream_unlock(t->bystander);
        t->holds = false;
    }
}

void tear_down(struct setting *t, const struct scene *sc)
{
    if (t->tracee)
        end_tracee(t->tracee);
    shms_stream_close(t->bystander);
    if (sc->traits & (KEEP | ALONE))
        names_remove(region_name);
}
