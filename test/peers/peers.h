/* SPDX-License-Identifier: MIT */
/*
 * The peers under the blows that the library itself must stand. Each blow is a table that main.c prints:
 *   sweep    killed at every N-th instruction of an operation; a survivor, there before, judges what is left
 *   many     killed while holding thousands of locks
 *   bytes    hostile bytes in the place of a lock, then calls with time-outs
 *   requeue  a sleeping waiter taken away to another word
 *   addresses   what a held lock tells of its holder
 *   names    what killed processes leave
 * The library goes through the same code as its peers. What hangs is found by patience: nobody of a crowd has
 * come to an end for some seconds.
 */
#ifndef PEERS_H
#define PEERS_H

#ifdef __cplusplus
extern "C" {
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define OURS "shmstream"
#define RECORD_WORDS 8u  /* 64 bytes */
#define RECORD_BYTES (RECORD_WORDS * 8)
#define OBJECT_BYTES 128u /* as large as any lock that lives in memory */

/* Memory that all processes of a trial share. */
struct yard {
    union {
        unsigned char bytes[OBJECT_BYTES];
        long double align;
    } object;
    uint64_t record[RECORD_WORDS];
    uint32_t trap;     /* where stolen sleepers are taken to */
    uint32_t finished; /* the killed one had come back from its call */
    int64_t when_ns;   /* the sleeper had the lock */
};

/* Where a trial has its objects: such memory, and a name that nobody else has. */
struct place {
    char name[64];
    struct yard *yard;
};

/* What asking for a lock gives. */
enum { NOT = -1, GOT = 0, TOLD = 1 };

/*
 * A lock and the record of 64 bytes that it protects. Each process enters for itself; the first one makes
 * everything, with the old record. Who is told of a death says at once that all is well again.
 */
struct lock {
    const char *name;
    void *(*enter)(const struct place *at, bool first);
    int (*take)(void *c, int timeout_ms); /* -1: for ever. LMDB knows no other */
    int (*give)(void *c);                 /* 0, or the lock was not given back */
    void (*write)(void *c, const uint64_t *words);
    void (*read)(void *c, uint64_t *ret_words);
    void *(*shared)(void *c, size_t *ret_bytes); /* all that a hostile peer may write, but the record */
    void (*leave)(void *c);
};

extern const struct lock lock_ours, lock_atomic, lock_mutex, lock_robust, lock_rwlock, lock_sem, lock_boost,
    lock_boost_named, lock_lmdb;

/* Of a message, a record, or a queue with both: what a survivor finds. */
enum { FINE, FINE_TOLD, TORN, LOST, ERROR };

/* An operation that is no section of a lock, or one of its readers; then the lock enters and judges. */
struct operation {
    const char *name, *does;
    void *(*enter)(const struct place *at, bool first);
    void (*act)(void *c);
    int (*judge)(void *c, bool finished);
};

extern const struct operation ours_reads, rwlock_reads, lmdb_reads, boost_send, boost_receive, boost_allocate;

/* A thing with a name, used by a process that is killed. */
struct named {
    const char *name;
    bool (*use)(const char *name); /* open or make it, write to it; true: it had been written before */
    void (*leave)(void);           /* close it as the last user does who ends in order */
};

extern const struct named named_boost_mutex, named_boost_queue, named_boost_memory, named_shm, named_sem,
    named_lmdb, named_ours;

uint64_t old_word(unsigned i);
uint64_t new_word(unsigned i);
/* FINE if all words are old, or all new; TORN; ERROR if there is something else. */
int judge_words(const uint64_t *words, bool *ret_new);

/* ---- crowd.c: processes that may crash and hang */

#define CROWD_MOST 200u
enum { CRASHED = 6, HUNG = 7, OUTCOMES = 8 }; /* below: the exit status */

struct crowd {
    unsigned n;
    pid_t pids[CROWD_MOST];
};

void crowd_setup(void);
struct place *crowd_place(unsigned i); /* empty, with a new name */
pid_t crowd_fork(struct crowd *c);   /* 0: in the child, which leads a process group */
void crowd_await_stopped(pid_t pid); /* it stops itself when it is ready */
void crowd_go(pid_t pid);
void crowd_judge(struct crowd *c, unsigned tally[OUTCOMES]); /* all of them, and the crowd is empty again */
unsigned names_left(void);            /* in /dev/shm, of our places */
void names_wipe(void);
int64_t now_ns(void);
void nap_ms(unsigned ms);
__attribute__((noreturn)) void give_up(const char *what);

/* ---- the blows. Each prints its table, and counts what is wrong with ours or with the harness. */

size_t rows_of(size_t n); /* of a table's rows, how many are wanted */
void complain(const char *what, const char *name);
void blow_sweep(long steps_most);
void blow_many(void);
void blow_bytes(unsigned patterns);
void blow_addresses(void);
void blow_requeue(unsigned trials);
void blow_names(unsigned kills);

const char *boost_version(void);
const char *lmdb_version(void);

#ifdef __cplusplus
}
#endif

#endif
