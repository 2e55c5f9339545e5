/* SPDX-License-Identifier: MIT */
/* One process holds thousands of locks and is killed: how many of them can be had again? */
#include "peers.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define LOCKS_MOST 3000
#define DESCRIPTORS (LOCKS_MOST * 3 + 64) /* a handle of ours that writes has two, its region a spare one */

static struct place places[LOCKS_MOST];
static void *entered[LOCKS_MOST];

static void make_places(struct yard *yards, unsigned n)
{
    const struct place *name = crowd_place(0);
    for (unsigned i = 0; i < n; i++) {
        snprintf(places[i].name, sizeof places[i].name, "%.40s-%u", name->name, i);
        places[i].yard = &yards[i];
    }
}

/* A process that holds all of them. */
static pid_t hoard(const struct lock *lock, unsigned n, struct crowd *one)
{
    pid_t pid = crowd_fork(one);
    if (pid == 0) {
        for (unsigned i = 0; i < n; i++)
            if (lock->take(lock->enter(&places[i], true), -1) != GOT)
                _exit(1);
        raise(SIGSTOP);
    }
    crowd_await_stopped(pid);
    return pid;
}

static void row(const struct lock *lock, unsigned n, struct yard *yards)
{
    struct crowd one = {.n = 0};
    unsigned told = 0, got = 0, tally[OUTCOMES] = {0};
    make_places(yards, n);
    for (unsigned i = 0; i < n; i++)
        yards[i] = (struct yard){.trap = 0};
    pid_t hoarder = hoard(lock, n, &one);
    for (unsigned i = 0; i < n; i++)
        entered[i] = lock->enter(&places[i], false);
    kill(hoarder, SIGKILL);
    crowd_judge(&one, tally);
    for (unsigned i = 0; i < n; i++) {
        int rc = lock->take(entered[i], 0);
        told += rc == TOLD;
        got += rc == GOT;
        if (rc != NOT)
            lock->give(entered[i]);
    }
    for (unsigned i = 0; i < n; i++)
        lock->leave(entered[i]);
    names_wipe();
    printf("  %-27s %6u %6u %6u %6u\n", lock->name, n, told, got, n - told - got);
    if (lock == &lock_ours && told != n)
        complain("locks are not to be had again", lock->name);
}

void blow_many(void)
{
    static const struct {
        const struct lock *lock;
        unsigned n;
    } rows[] = {{&lock_ours, 3000}, {&lock_robust, 2000}, {&lock_robust, 3000}, {&lock_mutex, 3000},
                {&lock_rwlock, 3000}, {&lock_sem, 3000}, {&lock_boost, 3000}};
    struct rlimit limit = {.rlim_cur = DESCRIPTORS, .rlim_max = DESCRIPTORS};
    struct yard *yards = mmap(NULL, LOCKS_MOST * sizeof *yards, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (yards == MAP_FAILED)
        give_up("mmap");
    if (setrlimit(RLIMIT_NOFILE, &limit))
        printf("\nthousands of locks: left out, no %d open files\n", DESCRIPTORS);
    else {
        printf("\nlocks held by one process that is killed: what the next one gets\n"
               "  %-27s %6s %6s %6s %6s\n", "", "locks", "told", "had", "never");
        for (size_t i = 0; i < rows_of(sizeof rows / sizeof *rows); i++)
            row(rows[i].lock, rows[i].n, yards);
    }
    munmap(yards, LOCKS_MOST * sizeof *yards);
}
