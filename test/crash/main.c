/* SPDX-License-Identifier: MIT */
/*
 * crash [SCENE]    judges every point of every scene, or of one, and prints what it counted.
 * SHMS_CRASH_STRIDE (1): of the instructions at which no shared byte changed, every how many-th is judged.
 * SHMS_CRASH_LONG_STRIDE (1): of all instructions of the scenes that have very many, every how many-th is
 * looked at.
 * SHMS_CRASH_KILL_STRIDE (499): every how many-th instruction of the calls that know names is a real kill.
 * SHMS_CRASH_TRIP_STRIDE (1): the same for the short trips with a waiter.
 */
#include "crash.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef CRASH_VARIANT
#define CRASH_VARIANT "built by hand"
#endif
#define LIFE_S 14400 /* longest life of this program, on a busy machine */

/* Where a step is one instruction, and the tables here were tried. */
#if defined(__x86_64__)
#define CAN_STEP true
#else
#define CAN_STEP false
#endif

static struct picture member_was, member_is, name_was, name_is;

/* Take both pictures; has one of them changed? */
static bool look(const struct setting *t, const struct scene *sc)
{
    bool changed = false;
    if (t->bystander) {
        picture_by_member(&member_is, t->bystander);
        changed = !picture_same(&member_is, &member_was);
        if (changed)
            member_was = member_is;
    }
    if (sc->traits & LIFE) {
        picture_by_name(&name_is);
        if (!picture_same(&name_is, &name_was)) {
            name_was = name_is;
            changed = true;
        }
    }
    return changed;
}

static void judge_point(const struct setting *t, const struct scene *sc)
{
    unsigned allowed = sc->allowed[a32_load_relaxed(&stage->phase)]; /* relaxed: the tracee is stopped */
    counts.points++;
    if (t->bystander) {
        judge_member(sc, &member_is, allowed, t->holds, false);
        judge_member(sc, &member_is, allowed, t->holds, true);
    }
    if (t->holds)
        allowed |= EITHER; /* it dies too */
    if (sc->traits & INITS)
        judge_init(sc, &name_is);
    judge_next_life(sc, sc->traits & LIFE ? &name_is : &member_is, allowed);
}

static void sweep(const struct scene *sc, long stride, long long_stride)
{
    struct setting t;
    struct counts before = counts;
    unsigned descriptors = open_descriptors();
    uint32_t phase = 0;
    now_playing = sc;
    now_at = 0;
    memset(&member_was, 0, sizeof member_was);
    memset(&name_was, 0, sizeof name_was);
    set_up(&t, sc);
    for (bool more = true; more; now_at++) {
        uint32_t now = a32_load_relaxed(&stage->phase); /* relaxed: the tracee is stopped */
        bool passed_by = (sc->traits & LONG) && now_at % long_stride != 0 && now == phase;
        bool changed = !passed_by && look(&t, sc);
        counts.states += changed;
        if (changed || now != phase || (!passed_by && now_at % stride == 0))
            judge_point(&t, sc);
        phase = now;
        before_step(&t, sc);
        more = step(t.tracee);
    }
    judge_results();
    tear_down(&t, sc);
    must(open_descriptors() == descriptors, "leak", "%u descriptors, %u before", open_descriptors(),
         descriptors);
    must(!name_is_there(region_name), "life", "the region's files are left");
    printf("%-20s %7lld instructions %7llu points %4llu states | told %6llu clean %6llu died | "
           "data %6llu old %6llu new %6llu mixed | %llu broken\n",
           sc->name, (long long)now_at, (unsigned long long)(counts.points - before.points),
           (unsigned long long)(counts.states - before.states),
           (unsigned long long)(counts.told_clean - before.told_clean),
           (unsigned long long)(counts.told_died - before.told_died),
           (unsigned long long)(counts.data_old - before.data_old),
           (unsigned long long)(counts.data_new - before.data_new),
           (unsigned long long)(counts.data_mixed - before.data_mixed),
           (unsigned long long)(counts.violations - before.violations));
}

static void print_sum(void)
{
    printf("sum, %s: %llu points judged (%llu states) by %llu survivors and %llu next openers; "
           "%llu real kills; told %llu clean, %llu died; data %llu old, %llu new, %llu mixed; %llu broken\n",
           CRASH_VARIANT, (unsigned long long)counts.points, (unsigned long long)counts.states,
           (unsigned long long)counts.survivors, (unsigned long long)counts.lives,
           (unsigned long long)counts.kills, (unsigned long long)counts.told_clean,
           (unsigned long long)counts.told_died, (unsigned long long)counts.data_old,
           (unsigned long long)counts.data_new, (unsigned long long)counts.data_mixed,
           (unsigned long long)counts.violations);
}

static long stride_of(const char *variable, long otherwise)
{
    const char *text = getenv(variable);
    long n = text ? atol(text) : otherwise;
    return n > 0 ? n : otherwise;
}

static pid_t judge_pid;

static void clean(void)
{
    if (getpid() != judge_pid)
        return;
    names_remove(region_name);
    names_remove(copy_name);
    unlink(file_path);
}

static void too_long(int signal)
{
    (void)signal;
    clean();
    _exit(3);
}

static bool is_chosen(const char *name, const char *only)
{
    return !only || strcmp(name, only) == 0;
}

static void play(const struct scene *table, const char *only)
{
    for (const struct scene *sc = table; sc->name; sc++)
        if (is_chosen(sc->name, only))
            sweep(sc, stride_of("SHMS_CRASH_STRIDE", 1), stride_of("SHMS_CRASH_LONG_STRIDE", 1));
    for (const struct scene *sc = table; sc->name; sc++)
        if (sc->traits & LIFE && is_chosen(sc->name, only))
            kill_scene(sc, stride_of("SHMS_CRASH_KILL_STRIDE", 499));
}

/* What is loaded: all new words. */
static void make_load_file(void)
{
    const char *scratch = getenv("TMPDIR");
    snprintf(file_path, sizeof file_path, "%s/%s", scratch ? scratch : "/tmp", region_name);
    make_fresh();
    FILE *f = fopen(file_path, "wb");
    if (!f || fwrite(fresh, sizeof fresh, 1, f) != 1 || fclose(f)) {
        printf("FAIL: cannot write %s\n", file_path);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    static const struct trip *const trips[] = {&trip_plain, &trip_shared, &trip_atomic};
    (void)argc;
    setvbuf(stdout, NULL, _IOLBF, 0);
    setenv("SHMSTREAM_BELL", "off", 1); /* instructions of one thread are led */
    if (!CAN_STEP) {
        printf("SKIP: instructions are led on x86-64 only\n");
        return 77;
    }
    judge_pid = getpid();
    setenv("SHMSTREAM_BELL", "off", 1); /* a thread would run on while the tracee is led */
    names_setup();
    make_load_file();
    trace_setup();
    atexit(clean);
    signal(SIGALRM, too_long);
    signal(SIGTERM, too_long);
    signal(SIGINT, too_long);
    alarm(LIFE_S);
    printf("== %s\n", CRASH_VARIANT);
    play(scenes, argv[1]);
    play(scenes_shared, argv[1]);
    play(scenes_atomic, argv[1]);
    play_channels(argv[1], stride_of("SHMS_CRASH_STRIDE", 1));
    for (const struct scene *sc = races; sc->name; sc++)
        if (is_chosen(sc->name, argv[1]))
            race(sc, sc->traits & LONG ? stride_of("SHMS_CRASH_TRIP_STRIDE", 1) : 1);
    for (const struct between *b = betweens; b->scene.name; b++)
        if (is_chosen(b->scene.name, argv[1]))
            play_between(b, b->scene.traits & LONG ? stride_of("SHMS_CRASH_STRIDE", 1) : 1);
    for (unsigned i = 0; i < sizeof trips / sizeof trips[0]; i++)
        if (is_chosen(trips[i]->first.name, argv[1]))
            kill_trips(trips[i], stride_of("SHMS_CRASH_TRIP_STRIDE", 1));
    print_sum();
    return counts.violations != 0;
}
