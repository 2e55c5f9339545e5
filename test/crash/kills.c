/* SPDX-License-Identifier: MIT */
/*
 * Real kills. The calls that know names: at each entry into the kernel and return from it, and at a sample of
 * instructions. The short trips: at every instruction, while a waiter sleeps that must get the lock. Who
 * recovers after one, for every way in which it can leave the region: wherever a shared byte has changed.
 */
#include "crash.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS_STRIDE 32 /* of the kills after which all slots are counted */
#define DEATHS_MOST 64
#define CHANGES_MOST 128
#define SAMPLE 24 /* of the instructions of a recoverer at which nothing changes */

/* ---- calls that know names */

/* The others, the newcomer, the slots, and nothing left. */
static void judge_killed(struct setting *t, const struct scene *sc)
{
    unsigned allowed = sc->allowed[a32_load_relaxed(&stage->phase)]; /* relaxed: the tracee is dead */
    end_tracee(t->tracee);
    t->tracee = 0;
    counts.kills++;
    holder_died = t->bystander && !t->holds && is_held(t->bystander->section.member.region.control);
    if (!t->bystander) {
        static struct picture left;
        picture_by_name(&left);
        judge_opener(region_name, sc, allowed, picture_stays(&left));
        return;
    }
    shms_stream *s = NULL;
    int rc = shms_stream_open(region_name, DATA_SIZE, NULL, &s);
    must(rc == 0, "open", "a newcomer gets %d", rc);
    bool same = rc == 0 && shms_stream_existed(s);
    must(same || (sc->traits & MAY_VANISH) != 0, "life", "the newcomer got another one");
    if (t->holds) {
        must((rc = shms_stream_lock(s, 0)) == SHMS_E_TIMEOUT, "lock", "of a living holder: gives %d", rc);
        shms_stream_unlock(t->bystander);
        allowed = CLEAN | (allowed & ~(unsigned)EITHER);
    }
    judge_lock(t->bystander, allowed, sc->traits);
    if (same)
        judge_lock(s, CLEAN | OLD | NEW, sc->traits);
    else if (s)
        judge_new(s);
    if (same && counts.kills % SLOTS_STRIDE == 0)
        judge_slots(region_name);
    shms_stream_close(s);
}

/* Kill it after n turns of `forward`; true: it had not done all by then. */
static bool kill_after(const struct scene *sc, long n, bool (*forward)(pid_t pid))
{
    struct setting t;
    bool more = true;
    unsigned descriptors = open_descriptors();
    now_at = n;
    set_up(&t, sc);
    for (long i = 0; i < n && more; i++) {
        before_step(&t, sc);
        more = forward(t.tracee);
    }
    judge_killed(&t, sc);
    tear_down(&t, sc);
    must(!name_is_there(region_name), "life", "something is left");
    names_remove(region_name);
    must(open_descriptors() == descriptors, "leak", "%u descriptors, %u before", open_descriptors(),
         descriptors);
    return more;
}

void kill_scene(const struct scene *sc, long stride)
{
    uint64_t kills = counts.kills, broken = counts.violations;
    now_playing = sc;
    long entries = 0;
    while (kill_after(sc, entries, step_to_system_call))
        entries++;
    for (long n = stride / 2; kill_after(sc, n, step); n += stride)
        ;
    printf("killed: %-20s %5ld entries into the kernel and returns, %5llu kills | %llu broken\n", sc->name,
           entries, (unsigned long long)(counts.kills - kills),
           (unsigned long long)(counts.violations - broken));
}

/* ---- short trips */

/* What the waiter got, after each turn that it was given. */
struct turn {
    int told;
    unsigned how;
};

struct waiter {
    pid_t pid;
    int to, from;
};

/* A member that waits for the lock as long as it takes, looks, and leaves all as it was. */
static _Noreturn void wait_and_look(shms_stream *s, int from, int to)
{
    char go;
    counts.violations = 0;
    while (read(from, &go, 1) == 1) {
        struct turn t = {.told = shms_stream_lock(s, BOUND_MS)};
        if (t.told >= 0) {
            t.how = judge_data(s, 0);
            fill_old(s);
            if (t.told == SHMS_OWNER_DIED)
                shms_stream_repaired(s);
            shms_stream_unlock(s);
        }
        if (write(to, &t, sizeof t) != sizeof t)
            break;
    }
    _exit(counts.violations != 0);
}

static void start_waiter(struct waiter *w, shms_stream *s)
{
    int to[2], from[2];
    if (pipe(to) || pipe(from) || (w->pid = fork()) < 0)
        exit(2);
    if (w->pid == 0) {
        close(to[1]);
        close(from[0]);
        wait_and_look(s, to[0], from[1]);
    }
    close(to[0]);
    close(from[1]);
    w->to = to[1];
    w->from = from[0];
}

static void stop_waiter(struct waiter *w)
{
    int status = 0;
    close(w->to);
    close(w->from);
    waitpid(w->pid, &status, 0);
    must(status == 0, "data", "the waiter saw bad words");
}

/* It sleeps, or has had its turn. */
static void send_to_sleep(struct waiter *w, const struct control *c)
{
    struct pollfd answer = {.fd = w->from, .events = POLLIN};
    uint64_t was = a64_load_relaxed(&c->cell), now = was; /* relaxed: asked again and again */
    if (write(w->to, "", 1) != 1)
        exit(2);
    /* On the cell; or it has that, and sleeps on a reader's entry. */
    while (!(now & CELL_WAITERS) && ((now & CELL_OWNER) == 0 || ((now ^ was) & CELL_OWNER) == 0) &&
           poll(&answer, 1, 1) == 0)
        now = a64_load_relaxed(&c->cell); /* relaxed: as above */
}

static void judge_turn(struct waiter *w, const struct control *c, unsigned allowed)
{
    struct turn t;
    if (read(w->from, &t, sizeof t) != sizeof t)
        exit(2);
    counts.kills++;
    unsigned told = t.told == SHMS_OWNER_DIED ? DIED : t.told == 0 ? CLEAN : 0;
    must(told, "lock", "the waiter gets %d", t.told);
    must(!told || told & allowed, "told", "the waiter gets %d", t.told);
    must(told != CLEAN || t.how != MIX, "data", "half-written, but the waiter was not told");
    must(!told || t.how & allowed, "data", "the waiter found %u", t.how);
    uint64_t v = a64_load_relaxed(&c->sequence); /* relaxed: nobody is in a section */
    must(!(v & 1) && !(a64_load_relaxed(&c->cell) & CELL_OWNER), "sequence", /* relaxed: as above */
         "%llu after the waiter's turn", (unsigned long long)v);
    v = a64_load_relaxed(&c->version); /* relaxed: as above */
    must((int64_t)v > version_was || !(t.how & (NEW | MIX)), "version",
         "the waiter found new bytes, but it has not moved");
    counts.told_clean += told == CLEAN;
    counts.told_died += told == DIED;
}

pid_t run_to(const struct scene *sc, shms_stream *s, long n, bool *ret_more)
{
    pid_t pid = spawn_tracee(sc, NULL);
    *ret_more = true;
    now_playing = sc;
    now_at = n;
    await_ready_unsettled(pid, s);
    reach_start(pid);
    for (long i = 0; i < n && *ret_more; i++)
        *ret_more = step(pid);
    return pid;
}

/* To be asked before the waiter comes. */
static unsigned phase_allows(const struct scene *sc, shms_stream *s)
{
    unsigned allowed = sc->allowed[a32_load_relaxed(&stage->phase)]; /* relaxed: the tracee is stopped */
    return allowed & (~(unsigned)EITHER | expected_news(s->section.member.region.control));
}

/* In which of its ways a dead one has left the region. */
static unsigned way_left(shms_stream *s)
{
    const struct control *c = s->section.member.region.control;
    bool held = (a64_load_relaxed(&c->cell) & CELL_OWNER) != 0; /* relaxed: the tracee is dead */
    unsigned odd = a64_load_relaxed(&c->sequence) & 1;          /* relaxed: as above */
    unsigned moved = version_of(s) != version_was;
    unsigned undo = a64_load_relaxed(&c->journal_used) != 0;    /* relaxed: as above */
    return judge_data(s, 0) | odd << 8 | (unsigned)held << 9 | 1u << 10 | undo << 11 | moved << 12;
}

/* Kill the first at every instruction. Gives back in how many ways it can leave the region, and where. */
static unsigned kill_first(const struct trip *trip, shms_stream *s, struct waiter *w, long stride,
                           long deaths[DEATHS_MOST])
{
    unsigned ways = 0, last = 0;
    bool more = true;
    for (long n = 0; more; n += stride) {
        version_was = version_of(s);
        pid_t pid = run_to(&trip->first, s, n, &more);
        unsigned allowed = phase_allows(&trip->first, s);
        unsigned way = way_left(s);
        if (way != last && ways < DEATHS_MOST)
            deaths[ways++] = n;
        last = way;
        send_to_sleep(w, s->section.member.region.control);
        end_tracee(pid);
        judge_turn(w, s->section.member.region.control, allowed);
    }
    return ways;
}

/* The first dies after `death` instructions, the one who recovers after n. */
static bool kill_both(const struct trip *trip, shms_stream *s, struct waiter *w, long death, long n)
{
    bool more = true;
    version_was = version_of(s);
    end_tracee(run_to(&trip->first, s, death, &more));
    pid_t pid = run_to(&trip->second, s, n, &more);
    unsigned allowed = phase_allows(&trip->second, s);
    send_to_sleep(w, s->section.member.region.control);
    end_tracee(pid);
    judge_turn(w, s->section.member.region.control, allowed);
    return more;
}

/* After how many instructions of the one who recovers a shared byte has changed. */
static unsigned find_changes(const struct trip *trip, shms_stream *s, long death, long changes[CHANGES_MOST],
                             long *ret_length)
{
    static struct picture was, is;
    bool more = true;
    unsigned n_changes = 0;
    long n = 0;
    end_tracee(run_to(&trip->first, s, death, &more));
    pid_t pid = run_to(&trip->second, s, 0, &more);
    picture_by_member(&was, s);
    for (; more; n++, was = is) {
        more = step(pid);
        picture_by_member(&is, s);
        if (!picture_same(&is, &was) && n_changes < CHANGES_MOST)
            changes[n_changes++] = n + 1;
    }
    end_tracee(pid);
    int rc = shms_stream_lock(s, BOUND_MS); /* as the waiter leaves it */
    must(rc >= 0, "lock", "after the waiter: gives %d", rc);
    fill_old(s);
    shms_stream_repaired(s);
    shms_stream_unlock(s);
    *ret_length = n;
    return n_changes;
}

/* At each change, and at a sample of the rest, which is mostly waiting. */
static void kill_second(const struct trip *trip, shms_stream *s, struct waiter *w, long death, long sample)
{
    long changes[CHANGES_MOST], length = 0;
    unsigned n_changes = find_changes(trip, s, death, changes, &length);
    for (unsigned i = 0; i < n_changes; i++)
        kill_both(trip, s, w, death, changes[i]);
    for (long i = 0; i < sample; i++)
        kill_both(trip, s, w, death, i * length / sample);
}

void kill_trips(const struct trip *trip, long stride)
{
    struct waiter w;
    long deaths[DEATHS_MOST];
    uint64_t kills = counts.kills, broken = counts.violations;
    names_remove(region_name);
    shms_stream *s = open_region(region_name, &trip->first);
    fill_old(s);
    start_waiter(&w, s);
    unsigned ways = kill_first(trip, s, &w, stride, deaths);
    printf("killed: %-20s %5llu kills with a waiter; left in %u ways | %llu broken\n", trip->first.name,
           (unsigned long long)(counts.kills - kills), ways,
           (unsigned long long)(counts.violations - broken));
    kills = counts.kills;
    broken = counts.violations;
    for (unsigned i = 0; i < ways; i++)
        kill_second(trip, s, &w, deaths[i], 1 + SAMPLE / stride);
    printf("killed: %-20s %5llu kills of the next one, with a waiter | %llu broken\n", trip->second.name,
           (unsigned long long)(counts.kills - kills), (unsigned long long)(counts.violations - broken));
    stop_waiter(&w);
    judge_slots(region_name);
    shms_stream_close(s);
    must(!name_is_there(region_name), "life", "something is left");
}
