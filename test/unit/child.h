/* SPDX-License-Identifier: MIT */
/* Children of unit tests: functions run in a fork, perhaps as another user; 0 means all is well. */
#ifndef CHILD_H
#define CHILD_H

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define STRANGER 65534u /* a user without rights */

/* In children, where an assertion of cmocka has no place to jump to. */
#define EXPECT(condition)                                                                                   \
    do {                                                                                                    \
        if (!(condition)) {                                                                                 \
            fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #condition, shms_last_oserror()); \
            return 1;                                                                                       \
        }                                                                                                   \
    } while (0)

static inline pid_t unit_fork(int (*fn)(void *), void *arg, uid_t uid)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid)
        return pid;
    if (uid && (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid)))
        _exit(77);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(fn(arg));
}

static inline int unit_wait(pid_t pid)
{
    int status = -1;
    if (pid <= 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline int unit_child(int (*fn)(void *), void *arg, uid_t uid)
{
    return unit_wait(unit_fork(fn, arg, uid));
}

/* A pipe as a gate: somebody opens it once, by a byte; the others wait there. */
static inline void unit_gate_open(const int gate[2])
{
    (void)!write(gate[1], "", 1);
}

static inline void unit_gate_wait(const int gate[2])
{
    char c;
    while (read(gate[0], &c, 1) < 0)
        ;
}

static inline uint64_t unit_address_space(void)
{
    unsigned long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f || fscanf(f, "%llu", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* A sanitizer's address space cannot be limited. */
static inline bool unit_address_space_huge(void)
{
    return unit_address_space() >> 40 != 0;
}

/* From now on no more than is in use, and `more`. */
static inline void unit_limit_address_space(uint64_t more)
{
    struct rlimit limit = {.rlim_cur = unit_address_space() + more, .rlim_max = RLIM_INFINITY};
    setrlimit(RLIMIT_AS, &limit);
}

static inline void unit_limit_nothing(void)
{
    struct rlimit limit = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    setrlimit(RLIMIT_AS, &limit);
}

#endif
