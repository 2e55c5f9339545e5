/* SPDX-License-Identifier: MIT */
/*
 * Death at every instruction. A *tracee* runs public calls on a region under ptrace, one instruction at a
 * time; the *judge*, this program, looks what its death there would leave to the others.
 *
 * Two ways. Snapshot death: the region is copied as it is at that instruction, to a name at which nobody
 * holds the tracee's life token, and a survivor judges the copy by the library's own calls. That is linear in
 * the instructions. Real kills: the tracee is killed there, and the region itself is judged.
 */
#ifndef CRASH_H
#define CRASH_H

#include "readers.h"
#include "stream.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define DATA_SIZE 512u     /* bytes of the region that is tried */
#define DATA_GROWN 8192u   /* to which it is grown, from which it is shrunk */
#define DATA_MOST 16384u   /* that its handles map */
#define JOURNAL_MOST 12288u /* bytes of records that a section here makes, and more */
#define WORDS (DATA_SIZE / 8u)
#define BOUND_MS 2000      /* in which a survivor must have the lock */
#define MARK_BYTE 0xeeu
#define PHASES 5
/* What a section writes, in words of the data. */
#define WRITTEN_N 8u
#define WRITTEN_FIRST 8u
#define PWRITTEN_FIRST 33u

/* What the next locker may be told, and how the data may look then. */
enum { CLEAN = 1, DIED = 2, EITHER = CLEAN | DIED, OLD = 4, NEW = 8, MIX = 16 };

/* Of a scene. */
enum {
    ALONE = 1,       /* no other member: nobody survives but the next opener */
    HELD = 2,        /* the bystander holds the lock */
    DEAD_HOLDER = 4, /* somebody died in a section before, with the data half-written */
    DEAD_APART = 8,  /* the same, but the tracee does not get its slot */
    INHERITS = 16,   /* the tracee is a child of fork with the bystander's handle */
    KEEP = 32,       /* the region stays without members */
    LIFE = 64,       /* names matter: killed for real, too */
    NO_REGION = 128, /* before the call */
    HANDS_OVER = 256, /* the bystander unlocks when the tracee waits */
    LEFT_DEAD = 512, /* the last member died before the call */
    RESIZES = 1024,
    MAY_VANISH = 2048, /* the name may be gone */
    READS = 4096,      /* the tracee's handle is read-only */
    UNJOINED = 8192,   /* the tracee has no handle before the call */
    ATOMIC = 16384,    /* the region is crash-atomic */
    READING = 65536,   /* the bystander holds the shared lock */
    AWAITS = 131072,   /* the bystander has the cell, and waits for readers */
    LONG = 262144,     /* many equal changes, of which few are judged in the bounded part */
    /* What a crash-atomic section changes beside the words: the size, and the marks behind DATA_SIZE. */
    WAS_MARKED = 524288, /* before, it was DATA_GROWN with marks; else DATA_SIZE */
    BECOMES_MARKED = 1048576,
    BECOMES_EMPTY = 2097152, /* DATA_GROWN with zeros */
    QUIET = 4194304,  /* tells of no change, unless somebody dies with the lock */
    ANSWERS = 8388608, /* the bystander changes something when the tracee waits for that */
    ENDED = 16777216,  /* the dead holder had all but told of its change */
    TASKS = 33554432,  /* the tracee's handle is of tasks */
    INITS = 67108864  /* the tracee makes the region, and fills it in its init */
};

struct scene {
    const char *name;
    unsigned traits;
    uint64_t flags;               /* set in the lock cell before the call, as dead waiters leave them */
    void (*prepare)(shms_stream *s); /* in the tracee, before it is traced */
    void (*act)(shms_stream *s);
    unsigned allowed[PHASES];     /* by the phase that act() is in, from 1 on */
};

/* What the tracee tells the judge, in memory that both share. */
struct stage {
    a32 phase;
    a32 done;
    a32 wrong_phase; /* in which a call gave what it must not */
    a32 wrong_code;
};

extern struct stage *stage;
extern const struct scene scenes[], scenes_shared[], scenes_atomic[]; /* each up to one without a name */

/* Of the real kills with a waiter: who dies first, and who comes after. */
struct trip {
    const struct scene first, second;
};
extern const struct trip trip_plain, trip_shared, trip_atomic;
extern const struct scene races[];

#define FLAGS_ALL (CELL_WAITERS | CELL_CHANGE | CELL_POLL | CELL_NOTICE)
#define IN_LOCK (EITHER | OLD)
#define IN_SECTION (DIED | OLD | MIX | NEW)
#define IN_UNLOCK (EITHER | NEW)

/* ---- act.c: what tracees do */

void at(uint32_t phase);
void gives(int64_t got, int64_t wanted); /* in this phase */
extern uint64_t fresh[WORDS];            /* all new words */
void make_fresh(void);
void write_first(shms_stream *s);
void write_second(shms_stream *s);
void seek_first(shms_stream *s);
void mark(shms_stream *s);    /* by calls, behind DATA_SIZE */
bool marked_byte(uint64_t i); /* of the data: would mark() write there? */
void hold(shms_stream *s);
void hold_written(shms_stream *s);
void hold_half_written(shms_stream *s);
void do_lock(shms_stream *s);
void do_section(shms_stream *s);
void do_unlock(shms_stream *s);
void do_look_inside(shms_stream *s); /* a section that writes nothing */
void do_give_up(shms_stream *s);     /* the open section */
void do_wait_locked(shms_stream *s); /* in vain */
void do_wait_answered(shms_stream *s);
void do_init(shms_stream *s); /* opens the region, which is new */
void do_close(shms_stream *s);
void do_open(shms_stream *s);
void do_notify(shms_stream *s);
void do_snapshot(shms_stream *s);
void do_wait_for_news(shms_stream *s);
void do_recovery(shms_stream *s);
void do_poll_fd(shms_stream *s);
void do_save(shms_stream *s);
void do_load(shms_stream *s); /* a section that loads what save_fresh() saved */
void do_file(shms_stream *s); /* a section that writes through a FILE */
void make_file(shms_stream *s);
extern char file_path[256];    /* of an ordinary file */

/* ---- scene.c */

uint64_t old_word(unsigned i);
uint64_t new_word(unsigned i); /* the same as the old one where nothing is written */
unsigned char *bytes_of(shms_stream *s); /* without asking for a pointer, which would make sections changes */
int64_t version_of(const shms_stream *s);
void fill_old(shms_stream *s);
void fill_new(shms_stream *s); /* all words, by one call */
shms_stream *open_region(const char *name, const struct scene *sc);
void tracee_main(const struct scene *sc, shms_stream *inherited);
void die_in_section(const struct scene *sc); /* all but the dying */

/* ---- trace.c */

void trace_setup(void);
pid_t spawn_tracee(const struct scene *sc, shms_stream *inherited); /* stopped before it prepares */
void tracee_ready(void);      /* in the tracee: it has prepared */
void await_ready(pid_t pid);  /* until then */
void reach_start(pid_t pid);  /* the first instruction of phase 1 */
bool step(pid_t pid);         /* one instruction; false: it has done all */
bool step_to_system_call(pid_t pid); /* to the next entry into the kernel, or return from it */
void go_on(pid_t pid, int signal); /* with that signal, if any, until it stops itself */
void end_tracee(pid_t pid);   /* SIGKILL, and reaped */
void die_in_a_child(const struct scene *sc); /* a process that dies in a section of the region */

/* ---- setting.c: what surrounds the tracee */

struct setting {
    shms_stream *bystander; /* NULL: the scene is ALONE */
    bool holds;             /* the bystander holds the lock, exclusive or shared, or the cell */
    long waited;            /* steps that the tracee has waited for it */
    pid_t tracee;
};

void set_up(struct setting *t, const struct scene *sc);
void before_step(struct setting *t, const struct scene *sc); /* what the bystander does meanwhile */
void tear_down(struct setting *t, const struct scene *sc);
/* Until it has prepared; its opening does not find the dead one's journal, so that it is for it to undo. */
void await_ready_unsettled(pid_t pid, shms_stream *s);

/* ---- copy.c */

/* All bytes of a region at one moment. */
struct picture {
    bool has_control;
    bool has_data;
    bool belongs; /* the data file is the one that control means */
    bool has_journal; /* the control file goes on behind LAYOUT_JOURNAL */
    uint64_t data_size;
    union {
        struct control control;
        unsigned char bytes[LAYOUT_CONTROL_SIZE];
    } c;
    unsigned char data[DATA_MOST];
    unsigned char journal[JOURNAL_MOST];
};

extern char region_name[64], copy_name[64];
void names_setup(void);
void names_remove(const char *name); /* whatever is left of it */
bool name_is_there(const char *name);
void picture_by_name(struct picture *p);                    /* what an opener would find */
void picture_by_member(struct picture *p, shms_stream *s);  /* what a member has */
bool picture_same(const struct picture *a, const struct picture *b);
void picture_put(const struct picture *p);   /* under copy_name */
void invite_to_slot(struct picture *p, uint32_t slot); /* the next one to join takes it */
int hold_slots(uint32_t n);                  /* the first n of the copy, as living members do; a descriptor */
void release_slots(int fd, uint32_t first, uint32_t n);

/* ---- judge.c */

struct counts {
    uint64_t points, states, survivors, lives;
    uint64_t told_clean, told_died, data_old, data_new, data_mixed;
    uint64_t kills, violations;
};

extern struct counts counts;
extern const struct scene *now_playing;
extern int64_t now_at;
extern int64_t version_was; /* before the tracee did anything */
extern bool holder_died;    /* with the lock, whatever it had done */
bool is_held(const struct control *c);
void violated(const char *invariant, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define must(condition, invariant, ...) ((condition) ? (void)0 : violated(invariant, __VA_ARGS__))

void judge_results(void); /* of the tracee's calls */
unsigned expected_news(const struct control *c); /* CLEAN or DIED: once its holder is dead */
unsigned judge_data(shms_stream *s, unsigned traits);
/* Takes the lock and looks, repairs, releases, looks again. */
void judge_lock(shms_stream *s, unsigned allowed, unsigned traits);
void judge_member(const struct scene *sc, const struct picture *p, unsigned allowed, bool holder,
                  bool dead_slot);
void judge_next_life(const struct scene *sc, const struct picture *p, unsigned allowed);
/* Whoever dies in an init, the next one's is called; and nobody comes in before one has succeeded. */
void judge_init(const struct scene *sc, const struct picture *p);
bool picture_stays(const struct picture *p); /* a kept region: without members it goes on */
void judge_new(shms_stream *s); /* a new life shows nothing of the old */
void judge_opener(const char *name, const struct scene *sc, unsigned allowed, bool whole);
void judge_slots(const char *name); /* every one that nobody has can be had */
unsigned open_descriptors(void);

/* ---- kills.c */

void kill_scene(const struct scene *sc, long stride);
void kill_trips(const struct trip *trip, long stride);
/* A process that does n instructions of a scene. */
pid_t run_to(const struct scene *sc, shms_stream *s, long n, bool *ret_more);

/* ---- scene_channel.c */

void play_channels(const char *only, long stride); /* all; of one name; or `channel`, all of them alone */

/* ---- between.c */

struct between {
    struct scene scene;
    void (*happens)(struct setting *t); /* and the tracee goes on until it stops itself */
    unsigned left;                      /* what the next one may find */
};
extern const struct between betweens[];
void play_between(const struct between *b, long stride);

/* ---- race.c */

void race(const struct scene *sc, long stride); /* every stride-th instruction */

#endif
