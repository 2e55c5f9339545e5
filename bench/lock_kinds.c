/* SPDX-License-Identifier: MIT */
/* The locks under test: ours and the peers'. */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <shmstream.h>

static struct shared {
    uint32_t cas BENCH_APART;
    pthread_mutex_t plain BENCH_APART;
    pthread_mutex_t robust BENCH_APART;
    sem_t sem BENCH_APART;
    char boost[128] BENCH_APART;
    char record[RECORD_BYTES] BENCH_APART;
} * shared;
static shms_stream *stream, *of_tasks;
static int file = -1; /* for the locks that are on files */

/* ---------------------------------------------------------------- ours */

static void join_ours(void)
{
    int rc = shms_stream_open(bench_name("lock"), 0, NULL, &stream);
    if (rc < 0)
        bench_die("open: %s", shms_strerror(rc));
}

/* Out of the way, as what a user does about it is. */
static __attribute__((noinline, cold)) int told_ours(int rc)
{
    if (rc < 0)
        bench_die("lock: %s", shms_strerror(rc));
    shms_stream_repaired(stream);
    return rc;
}

static inline int take_ours(void)
{
    int rc = shms_stream_lock(stream, -1);
    return rc == 0 ? 0 : told_ours(rc);
}

static inline void give_ours(void)
{
    int rc = shms_stream_unlock(stream);
    if (rc < 0)
        bench_die("unlock: %s", shms_strerror(rc));
}

static void check(int64_t rc)
{
    if (rc != RECORD_BYTES)
        bench_die("%s", shms_strerror((int)rc));
}

LOCK_KIND(ours, BENCH_OURS, join_ours, check(shms_stream_pwrite(stream, record, sizeof record, 0)),
          check(shms_stream_pread(stream, record, sizeof record, 0)))

/* Two other ways to call it, without contention. */

static void pairs_tasks(const void *unused, uint64_t n)
{
    (void)unused;
    for (; n > 0; n--)
        if (shms_stream_lock(of_tasks, -1) != 0 || shms_stream_unlock(of_tasks) != 0)
            bench_die("a lock of tasks");
}

static void pairs_rollback(const void *unused, uint64_t n)
{
    (void)unused;
    for (; n > 0; n--)
        if (shms_stream_lock(stream, -1) != 0 || shms_stream_rollback(stream) != 0)
            bench_die("rollback");
}

const struct lock_kind lock_tasks = {.name = "shmstream, tasks", .pairs = pairs_tasks};
const struct lock_kind lock_rollback = {.name = "shmstream, lock+rollback", .pairs = pairs_rollback};

/* --------------------------------------------------------------- peers */

static void join_nothing(void)
{
}

#define PUT memcpy(shared->record, record, sizeof record)
#define GET memcpy(record, shared->record, sizeof record)

/* Not a lock that anybody should use: the price of two atomic operations, which no lock goes below. */
static inline int take_cas(void)
{
    uint32_t free = 0;
    while (!__atomic_compare_exchange_n(&shared->cas, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        free = 0;
    return 0;
}

static inline void give_cas(void)
{
    uint32_t held = 1;
    __atomic_compare_exchange_n(&shared->cas, &held, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

LOCK_KIND(cas, "bare CAS pair", join_nothing, PUT, GET)

static inline int take_pthread(void)
{
    if (pthread_mutex_lock(&shared->plain) != 0)
        bench_die("pthread_mutex_lock");
    return 0;
}

static inline void give_pthread(void)
{
    if (pthread_mutex_unlock(&shared->plain) != 0)
        bench_die("pthread_mutex_unlock");
}

LOCK_KIND(pthread, "pthread process-shared", join_nothing, PUT, GET)

static inline int take_robust(void)
{
    int rc = pthread_mutex_lock(&shared->robust);
    if (rc == 0)
        return 0;
    if (rc != EOWNERDEAD || pthread_mutex_consistent(&shared->robust) != 0)
        bench_die("pthread_mutex_lock (robust)");
    return 1;
}

static inline void give_robust(void)
{
    pthread_mutex_unlock(&shared->robust);
}

LOCK_KIND(robust, "pthread robust", join_nothing, PUT, GET)

static inline int take_sem(void)
{
    while (sem_wait(&shared->sem) != 0)
        if (errno != EINTR)
            bench_die("sem_wait");
    return 0;
}

static inline void give_sem(void)
{
    sem_post(&shared->sem);
}

LOCK_KIND(sem, "sem_t", join_nothing, PUT, GET)

/* Locks on files belong to the open file: each process needs one of its own. */
static void join_file(void)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        bench_die("cannot open the lock file again");
    file = fd;
}

static void check_file(ssize_t rc)
{
    if (rc != RECORD_BYTES)
        bench_die("reading or writing the lock file");
}

#define PUT_FILE check_file(pwrite(file, record, sizeof record, 0))
#define GET_FILE check_file(pread(file, record, sizeof record, 0))

static inline int take_flock(void)
{
    if (flock(file, LOCK_EX) < 0)
        bench_die("flock");
    return 0;
}

static inline void give_flock(void)
{
    flock(file, LOCK_UN);
}

LOCK_KIND(flock, "flock", join_file, PUT_FILE, GET_FILE)

static int ofd(int type)
{
    struct flock l = {.l_type = (short)type, .l_whence = SEEK_SET, .l_len = 1};
    return fcntl(file, F_OFD_SETLKW, &l);
}

static inline int take_ofd(void)
{
    if (ofd(F_WRLCK) < 0)
        bench_die("fcntl");
    return 0;
}

static inline void give_ofd(void)
{
    ofd(F_UNLCK);
}

LOCK_KIND(ofd, "fcntl (OFD)", join_file, PUT_FILE, GET_FILE)

/* -------------------------------------------------------------- set up */

void locks_create(void)
{
    pthread_mutexattr_t a;
    shared = bench_shared(sizeof *shared);
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared->plain, &a);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&shared->robust, &a);
    pthread_mutexattr_destroy(&a);
    sem_init(&shared->sem, 1, 1);
#ifndef SHMS_BENCH_NO_BOOST
    boost_create(shared->boost);
#endif
    file = memfd_create("bench", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, RECORD_BYTES) < 0)
        bench_die("no memory file");
    const shms_stream_options tasks = {.struct_size = sizeof tasks, .tasks = 1};
    int rc = shms_stream_open(bench_name("lock"), 4096, NULL, &stream);
    if (rc == 0)
        rc = shms_stream_open(bench_name("lock"), 0, &tasks, &of_tasks);
    if (rc < 0)
        bench_die("open: %s", shms_strerror(rc));
}

void locks_close(void)
{
    shms_stream_close(stream);
    shms_stream_close(of_tasks);
    close(file);
}
