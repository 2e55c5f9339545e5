/* SPDX-License-Identifier: MIT */
/* The C library's locks, in shared memory, all of them made for processes to share. */
#include "peers.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(pthread_mutex_t) <= OBJECT_BYTES && sizeof(pthread_rwlock_t) <= OBJECT_BYTES &&
                   sizeof(sem_t) <= OBJECT_BYTES, "the memory is too small");

static const struct timespec *until(int timeout_ms)
{
    static struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += timeout_ms % 1000 * 1000000L;
    t.tv_sec += timeout_ms / 1000 + t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return &t;
}

static void write_record(void *c, const uint64_t *words)
{
    memcpy(((struct yard *)c)->record, words, RECORD_BYTES);
}

static void read_record(void *c, uint64_t *ret_words)
{
    memcpy(ret_words, ((struct yard *)c)->record, RECORD_BYTES);
}

static void first_record(struct yard *y)
{
    for (unsigned i = 0; i < RECORD_WORDS; i++)
        y->record[i] = old_word(i);
}

static void leave_nothing(void *c)
{
    (void)c;
}

/* ---- mutexes */

static void *enter_mutex(const struct place *at, bool first, int robust)
{
    pthread_mutexattr_t attr;
    if (!first)
        return at->yard;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, robust);
    if (pthread_mutex_init((pthread_mutex_t *)at->yard, &attr))
        give_up("pthread_mutex_init");
    first_record(at->yard);
    return at->yard;
}

static void *enter_plain(const struct place *at, bool first)
{
    return enter_mutex(at, first, PTHREAD_MUTEX_STALLED);
}

static void *enter_robust(const struct place *at, bool first)
{
    return enter_mutex(at, first, PTHREAD_MUTEX_ROBUST);
}

static int take_mutex(void *c, int timeout_ms)
{
    int rc = timeout_ms < 0 ? pthread_mutex_lock(c) : pthread_mutex_timedlock(c, until(timeout_ms));
    if (rc == EOWNERDEAD)
        return pthread_mutex_consistent(c) == 0 ? TOLD : NOT;
    return rc == 0 ? GOT : NOT;
}

static int give_mutex(void *c)
{
    return pthread_mutex_unlock(c);
}

static void *shared_mutex(void *c, size_t *ret_bytes)
{
    *ret_bytes = sizeof(pthread_mutex_t);
    return c;
}

const struct lock lock_mutex = {"pthread mutex", enter_plain, take_mutex, give_mutex,
                                write_record, read_record, shared_mutex, leave_nothing};
const struct lock lock_robust = {"pthread robust mutex", enter_robust, take_mutex, give_mutex,
                                 write_record, read_record, shared_mutex, leave_nothing};

/* ---- the rwlock, for writing */

static void *enter_rwlock(const struct place *at, bool first)
{
    pthread_rwlockattr_t attr;
    if (!first)
        return at->yard;
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    if (pthread_rwlock_init((pthread_rwlock_t *)at->yard, &attr))
        give_up("pthread_rwlock_init");
    first_record(at->yard);
    return at->yard;
}

static int take_rwlock(void *c, int timeout_ms)
{
    int rc = timeout_ms < 0 ? pthread_rwlock_wrlock(c) : pthread_rwlock_timedwrlock(c, until(timeout_ms));
    return rc == 0 ? GOT : NOT;
}

static int give_rwlock(void *c)
{
    return pthread_rwlock_unlock(c);
}

static void *shared_rwlock(void *c, size_t *ret_bytes)
{
    *ret_bytes = sizeof(pthread_rwlock_t);
    return c;
}

const struct lock lock_rwlock = {"pthread rwlock", enter_rwlock, take_rwlock, give_rwlock,
                                 write_record, read_record, shared_rwlock, leave_nothing};

static void act_share(void *c)
{
    uint64_t words[RECORD_WORDS];
    if (pthread_rwlock_rdlock(c))
        _exit(1);
    read_record(c, words);
    pthread_rwlock_unlock(c);
}

const struct operation rwlock_reads = {"pthread rwlock", "read lock, read 64 B", NULL, act_share, NULL};

/* ---- the semaphore, as a lock */

static void *enter_sem(const struct place *at, bool first)
{
    if (!first)
        return at->yard;
    if (sem_init((sem_t *)at->yard, 1, 1))
        give_up("sem_init");
    first_record(at->yard);
    return at->yard;
}

static int take_sem(void *c, int timeout_ms)
{
    int rc = timeout_ms < 0 ? sem_wait(c) : sem_timedwait(c, until(timeout_ms));
    return rc == 0 ? GOT : NOT;
}

static int give_sem(void *c)
{
    return sem_post(c);
}

static void *shared_sem(void *c, size_t *ret_bytes)
{
    *ret_bytes = sizeof(sem_t);
    return c;
}

const struct lock lock_sem = {"sem_t", enter_sem, take_sem, give_sem,
                              write_record, read_record, shared_sem, leave_nothing};
