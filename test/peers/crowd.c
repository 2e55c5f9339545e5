/* SPDX-License-Identifier: MIT */
/* Processes that may crash and hang, a crowd of them at a time; and what they leave in /dev/shm. */
#include "peers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NAP_MS 50
#define PATIENCE_NAPS 60 /* in which nobody comes to an end: the others never will */

static struct yard *yards;
static struct place places[CROWD_MOST];
static char stem[32]; /* that all our names begin with */

void give_up(const char *what)
{
    printf("FAIL: %s: %s\n", what, strerror(errno));
    exit(2);
}

void crowd_setup(void)
{
    snprintf(stem, sizeof stem, "peers-%d-", (int)getpid());
    yards = mmap(NULL, CROWD_MOST * sizeof *yards, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (yards == MAP_FAILED)
        give_up("mmap");
}

struct place *crowd_place(unsigned i)
{
    static unsigned names;
    struct place *at = &places[i];
    snprintf(at->name, sizeof at->name, "%s%u", stem, names++);
    at->yard = &yards[i];
    memset(at->yard, 0, sizeof *at->yard);
    return at;
}

/* What a process says that aborts is of no use here. */
static void be_quiet(void)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
        _exit(2);
}

pid_t crowd_fork(struct crowd *c)
{
    fflush(stdout);
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        give_up("fork");
    setpgid(pid, pid); /* in both, whoever is first */
    if (pid > 0) {
        c->pids[c->n++] = pid;
        return pid;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(2);
    be_quiet();
    return 0;
}

void crowd_await_stopped(pid_t pid)
{
    int status = 0;
    if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status)) {
        printf("FAIL: a process that should be ready ended with status %#x\n", (unsigned)status);
        exit(2);
    }
}

void crowd_go(pid_t pid)
{
    kill(pid, SIGCONT);
}

static unsigned reap(struct crowd *c, unsigned tally[OUTCOMES])
{
    unsigned reaped = 0;
    for (unsigned i = 0; i < c->n; i++) {
        int status = 0;
        if (c->pids[i] == 0 || waitpid(c->pids[i], &status, WNOHANG) != c->pids[i])
            continue;
        unsigned outcome = WIFEXITED(status) ? (unsigned)WEXITSTATUS(status) : CRASHED;
        tally[outcome < CRASHED ? outcome : CRASHED]++;
        kill(-c->pids[i], SIGKILL); /* whom it may have left */
        c->pids[i] = 0;
        reaped++;
    }
    return reaped;
}

static void end_hung(struct crowd *c, unsigned tally[OUTCOMES])
{
    for (unsigned i = 0; i < c->n; i++) {
        if (c->pids[i] == 0)
            continue;
        kill(-c->pids[i], SIGKILL);
        waitpid(c->pids[i], NULL, 0);
        tally[HUNG]++;
    }
}

/* Patience is counted in naps, not in time: a machine that stands still takes one of them away. */
void crowd_judge(struct crowd *c, unsigned tally[OUTCOMES])
{
    unsigned left = c->n;
    for (unsigned naps = 0; left > 0 && naps < PATIENCE_NAPS; naps++) {
        unsigned reaped = reap(c, tally);
        left -= reaped;
        if (reaped)
            naps = 0;
        if (left)
            nap_ms(NAP_MS);
    }
    end_hung(c, tally);
    c->n = 0;
}

/* ---- names */

static unsigned each_name(const char *dir, bool wipe)
{
    unsigned n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!strstr(e->d_name, stem))
            continue;
        n++;
        if (wipe)
            unlinkat(dirfd(d), e->d_name, 0);
    }
    if (d)
        closedir(d);
    return n;
}

static unsigned everywhere(bool wipe)
{
    char dir[64];
    snprintf(dir, sizeof dir, "/dev/shm/shms-%u", (unsigned)geteuid());
    return each_name("/dev/shm", wipe) + each_name(dir, wipe);
}

unsigned names_left(void)
{
    return everywhere(false);
}

void names_wipe(void)
{
    everywhere(true);
}

/* ---- words and time */

uint64_t old_word(unsigned i)
{
    return 0x01d0000000000000u + i * 0x100010001u;
}

uint64_t new_word(unsigned i)
{
    return 0xe500000000000000u + i * 0x300030003u;
}

int judge_words(const uint64_t *words, bool *ret_new)
{
    unsigned old = 0, new = 0;
    for (unsigned i = 0; i < RECORD_WORDS; i++) {
        old += words[i] == old_word(i);
        new += words[i] == new_word(i);
    }
    *ret_new = new == RECORD_WORDS;
    if (old + new != RECORD_WORDS)
        return ERROR;
    return old && new ? TORN : FINE;
}

int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

void nap_ms(unsigned ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}
