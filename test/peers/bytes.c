/* SPDX-License-Identifier: MIT */
/*
 * Hostile bytes in the place of a lock. Two processes have entered; then its bytes are overwritten, once;
 * then the first takes the lock with a time-out, the second tries to while it holds it, the first gives it
 * back and takes it again. What may come of it: it works; a clean error or time-out; both are in (one is
 * told that the other died, or neither is told anything); a crash; or no end long after the time-out.
 * Whoever may write a lock's bytes can let two into it, whatever the lock. Crashes and hangs are another
 * matter.
 */
#include "peers.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMEOUT_MS 50
enum { WORKED, REFUSED, BOTH_TOLD, BOTH };

static uint64_t random_state;

/* Marsaglia's xorshift: the same bytes in each run. */
static uint64_t chance(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static uint32_t hostile_word(uint32_t was)
{
    uint32_t r = (uint32_t)(chance() >> 32);
    switch (chance() >> 32 & 7) {
    case 0: return r & 7;
    case 1: return 1u << (r & 31);
    case 2: return was ^ 1u << (r & 31);
    case 3: return UINT32_MAX - (r & 7);
    case 4: return (uint32_t)getpid();
    case 5: return was + (r & 1 ? 1 : UINT32_MAX);
    default: return r;
    }
}

/* Each byte, or one word of those that matter. */
static void plant_all(unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)(chance() >> 56);
}

static void plant_word(unsigned char *bytes, size_t n)
{
    unsigned char *at = bytes + (chance() >> 33) % (n / 4) * 4;
    uint32_t word;
    memcpy(&word, at, sizeof word);
    word = hostile_word(word);
    memcpy(at, &word, sizeof word);
}

/* ---- a trial */

/* The first has the lock: does the second get it too? */
static int let_second_try(pid_t second)
{
    int status = 0;
    kill(second, SIGCONT);
    waitpid(second, &status, 0);
    if (!WIFEXITED(status))
        raise(SIGKILL); /* a crash of this trial */
    return WEXITSTATUS(status);
}

static pid_t start_second(const struct lock *lock, const struct place *at)
{
    pid_t pid = fork();
    if (pid < 0)
        _exit(REFUSED);
    if (pid == 0) {
        void *c = lock->enter(at, false);
        raise(SIGSTOP);
        int rc = lock->take(c, TIMEOUT_MS);
        _exit(rc == GOT ? BOTH : rc == TOLD ? BOTH_TOLD : WORKED);
    }
    waitpid(pid, NULL, WUNTRACED);
    return pid;
}

struct prey {
    const struct lock *lock;
    const char *part;
    size_t from, bytes; /* 0: all of it */
};

static int suffer(const struct prey *prey, const struct place *at, bool all)
{
    const struct lock *lock = prey->lock;
    void *c = lock->enter(at, true);
    uint64_t words[RECORD_WORDS] = {0};
    size_t n;
    if (lock->take(c, -1) != GOT || lock->give(c)) /* as it looks after use */
        _exit(CRASHED);
    pid_t second = start_second(lock, at);
    unsigned char *bytes = (unsigned char *)lock->shared(c, &n) + prey->from;
    (all ? plant_all : plant_word)(bytes, prey->bytes ? prey->bytes : n);
    if (lock->take(c, TIMEOUT_MS) == NOT) {
        kill(second, SIGKILL);
        waitpid(second, NULL, 0);
        return REFUSED;
    }
    lock->write(c, words);
    int in = let_second_try(second);
    if (lock->give(c) || lock->take(c, TIMEOUT_MS) == NOT || lock->give(c))
        return in == WORKED ? REFUSED : in;
    return in;
}

static void bytes_row(const struct prey *prey, bool all, unsigned patterns)
{
    unsigned tally[OUTCOMES] = {0};
    struct crowd crowd = {.n = 0};
    for (unsigned i = 0; i < patterns; i++) {
        const struct place *at = crowd_place(crowd.n);
        random_state = 0x9e3779b97f4a7c15u * (i + 1);
        if (crowd_fork(&crowd) == 0)
            _exit(suffer(prey, at, all));
        if (crowd.n == CROWD_MOST / 2 || i + 1 == patterns) {
            crowd_judge(&crowd, tally);
            names_wipe();
        }
    }
    printf("  %-27s %-18s %-10s %6u %6u %6u %6u %6u %6u %6u\n", prey->lock->name, prey->part,
           all ? "all bytes" : "one word", patterns, tally[WORKED], tally[REFUSED], tally[BOTH_TOLD],
           tally[BOTH], tally[CRASHED], tally[HUNG]);
    if (prey->lock == &lock_ours && tally[CRASHED] + tally[HUNG] > 0)
        complain("crashed or hung by hostile bytes", prey->part);
}

void blow_bytes(unsigned patterns)
{
    static const struct prey preys[] = {
        {&lock_ours, "all of control", 0, 0},   {&lock_ours, "the lock's line", 64, 64},
        {&lock_mutex, "the object", 0, 0},      {&lock_robust, "the object", 0, 0},
        {&lock_rwlock, "the object", 0, 0},     {&lock_sem, "the object", 0, 0},
        {&lock_boost, "the object", 0, 0},
    };
    printf("\nhostile bytes, then calls with a time-out of %d ms\n"
           "  %-27s %-18s %-10s %6s %6s %6s %6s %6s %6s %6s\n", TIMEOUT_MS, "", "", "", "trials", "works",
           "error", "2 told", "2 in", "crash", "hangs");
    for (size_t i = 0; i < rows_of(sizeof preys / sizeof *preys); i++)
        for (int all = 1; all >= 0; all--)
            bytes_row(&preys[i], all, patterns);
}

/* ---- the other way round: what the lock's bytes tell of who holds it */

static bool is_mapped(uint64_t word)
{
    char line[512];
    bool yes = false;
    FILE *f = fopen("/proc/self/maps", "re");
    while (f && fgets(line, sizeof line, f)) {
        char *end;
        uint64_t from = strtoull(line, &end, 16);
        yes |= word >= from && word < strtoull(end + 1, NULL, 16);
    }
    if (f)
        fclose(f);
    return yes;
}

/* The exit status says how many of the words are addresses of the holder's. */
static int count_addresses(const struct lock *lock, const struct place *at)
{
    size_t bytes;
    int found = 0;
    void *c = lock->enter(at, true);
    const unsigned char *p = lock->shared(c, &bytes);
    if (lock->take(c, -1) != GOT)
        _exit(CRASHED);
    for (size_t i = 0; i + 8 <= bytes; i += 8) {
        uint64_t word;
        memcpy(&word, p + i, sizeof word);
        found += word != 0 && is_mapped(word);
    }
    return found < CRASHED ? found : CRASHED - 1;
}

static void addresses_row(const struct lock *lock)
{
    unsigned tally[OUTCOMES] = {0}, found = 0;
    struct crowd one = {.n = 0};
    const struct place *at = crowd_place(0);
    if (crowd_fork(&one) == 0)
        _exit(count_addresses(lock, at));
    crowd_judge(&one, tally);
    names_wipe();
    while (found < OUTCOMES && tally[found] == 0)
        found++;
    printf("  %-27s %6u\n", lock->name, found);
    if (lock == &lock_ours && found > 0)
        complain("shows addresses", lock->name);
}

void blow_addresses(void)
{
    static const struct lock *const locks[] = {&lock_ours, &lock_mutex, &lock_robust, &lock_rwlock, &lock_sem,
                                               &lock_boost, &lock_lmdb};
    printf("\nwords of a held lock that are addresses of its holder\n");
    for (size_t i = 0; i < rows_of(sizeof locks / sizeof *locks); i++)
        addresses_row(locks[i]);
}
