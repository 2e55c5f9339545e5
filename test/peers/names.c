/* SPDX-License-Identifier: MIT */
/*
 * What killed processes leave. Each of some processes makes a thing with a name of its own and is killed.
 * Then another opens or makes each of them, and leaves as its last user does who ends in order, removing
 * nothing by hand. And: users killed one after the other beside one that lives on; are newcomers let in?
 */
#include "peers.h"

#include <fcntl.h>
#include <lmdb.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shmstream.h>

/* ---- the things */

static unsigned char *memory;
static sem_t *semaphore;
static shms_stream *stream;
static MDB_env *env;

static bool use_byte(unsigned char *byte)
{
    bool before = *byte != 0;
    *byte = 1;
    return before;
}

static bool use_shm(const char *name)
{
    int fd = shm_open(name, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || ftruncate(fd, 4096))
        give_up("shm_open");
    memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (memory == MAP_FAILED)
        give_up("mmap");
    return use_byte(memory);
}

static void leave_shm(void)
{
    munmap(memory, 4096);
}

static bool use_sem(const char *name)
{
    semaphore = sem_open(name, O_CREAT, 0600, 1);
    if (semaphore == SEM_FAILED)
        give_up("sem_open");
    return sem_trywait(semaphore) != 0; /* the dead one has it */
}

static void leave_sem(void)
{
    sem_post(semaphore);
    sem_close(semaphore);
}

static bool use_ours(const char *name)
{
    if (shms_stream_open(name, 4096, NULL, &stream) < 0)
        give_up("shms_stream_open");
    return use_byte(shms_stream_memory(stream));
}

static void leave_ours(void)
{
    shms_stream_close(stream);
}

static bool open_lmdb(const char *name)
{
    char path[80];
    snprintf(path, sizeof path, "/dev/shm/%s.mdb", name);
    return mdb_env_create(&env) == 0 && mdb_env_open(env, path, MDB_NOSUBDIR, 0600) == 0;
}

static bool use_lmdb(const char *name)
{
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val k = {.mv_size = 1, .mv_data = "k"}, v = {.mv_size = 1, .mv_data = "v"}, old;
    if (!open_lmdb(name) || mdb_txn_begin(env, NULL, 0, &txn) || mdb_dbi_open(txn, NULL, 0, &dbi))
        give_up("LMDB");
    bool before = mdb_get(txn, dbi, &k, &old) == 0;
    if (mdb_put(txn, dbi, &k, &v, 0) || mdb_txn_commit(txn))
        give_up("LMDB");
    return before;
}

static void leave_lmdb(void)
{
    mdb_env_close(env);
}

const struct named named_shm = {"shm_open", use_shm, leave_shm};
const struct named named_sem = {"sem_open", use_sem, leave_sem};
const struct named named_ours = {OURS, use_ours, leave_ours};
const struct named named_lmdb = {"LMDB", use_lmdb, leave_lmdb};

/* ---- names */

enum { FRESH, OLD };

/* Each uses a thing of its own, and is killed, or leaves in order. How many found old bytes. */
static unsigned use_all(const struct named *thing, const char *stem, unsigned n, bool killed)
{
    struct crowd crowd = {.n = 0};
    unsigned tally[OUTCOMES] = {0};
    for (unsigned i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, "%.40s-%u", stem, i);
        if (crowd_fork(&crowd) == 0) {
            bool old = thing->use(name);
            if (killed)
                raise(SIGKILL);
            thing->leave();
            _exit(old ? OLD : FRESH);
        }
    }
    crowd_judge(&crowd, tally);
    if (tally[killed ? CRASHED : FRESH] + tally[OLD] != n)
        complain("a process failed by itself", thing->name);
    return tally[OLD];
}

static void names_row(const struct named *thing, unsigned n)
{
    const char *stem = crowd_place(0)->name;
    use_all(thing, stem, n, true);
    unsigned left = names_left();
    unsigned old = use_all(thing, stem, n, false);
    unsigned left_then = names_left();
    printf("  %-28s %6u %6u %6u %6u\n", thing->name, n, left, old, left_then);
    names_wipe();
    if (thing == &named_ours && old + left_then > 0)
        complain("a dead one's bytes or names stay", thing->name);
}

/* ---- newcomers, beside one who lives on */

static bool read_lmdb(const char *name)
{
    MDB_txn *txn;
    return open_lmdb(name) && mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0;
}

static bool check_and_read_lmdb(const char *name)
{
    MDB_txn *txn;
    int dead;
    return open_lmdb(name) && mdb_reader_check(env, &dead) == 0 &&
           mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0;
}

static bool join_ours(const char *name)
{
    return shms_stream_open(name, 0, NULL, &stream) == 0;
}

typedef bool join_fn(const char *name);

static int join_and_die(join_fn *join, const char *name)
{
    struct crowd one = {.n = 0};
    int status = 0;
    pid_t pid = crowd_fork(&one);
    if (pid == 0) {
        if (join(name))
            raise(SIGKILL);
        _exit(1);
    }
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status);
}

static void newcomers_row(const struct named *thing, const char *does, join_fn *join, unsigned n)
{
    struct crowd one = {.n = 0};
    unsigned tally[OUTCOMES] = {0}, joined = 0;
    const char *name = crowd_place(0)->name;
    pid_t pid = crowd_fork(&one);
    if (pid == 0) {
        thing->use(name);
        raise(SIGSTOP);
        _exit(0);
    }
    crowd_await_stopped(pid);
    for (unsigned i = 0; i < n; i++)
        joined += join_and_die(join, name) != 0;
    crowd_go(pid);
    crowd_judge(&one, tally);
    printf("  %-28s %-22s %6u %6u %6u\n", thing->name, does, n, joined, n - joined);
    names_wipe();
    if (thing == &named_ours && joined != n)
        complain("newcomers are refused", thing->name);
}

void blow_names(unsigned kills)
{
    static const struct named *const things[] = {&named_ours, &named_shm, &named_sem, &named_boost_memory,
                                                 &named_boost_mutex, &named_boost_queue, &named_lmdb};
    printf("\nkilled users of things with names: left in /dev/shm, what the next users find and leave\n"
           "  %-28s %6s %6s %6s %6s\n", "", "kills", "left", "old", "then");
    for (size_t i = 0; i < rows_of(sizeof things / sizeof *things); i++)
        names_row(things[i], kills);
    printf("\nusers killed one after the other beside one that lives on\n"
           "  %-28s %-22s %6s %6s %6s\n", "", "", "users", "let in", "not");
    newcomers_row(&named_ours, "open", join_ours, 3 * kills);
    newcomers_row(&named_lmdb, "open, read", read_lmdb, 3 * kills);
    newcomers_row(&named_lmdb, "open, check, read", check_and_read_lmdb, 3 * kills);
}
