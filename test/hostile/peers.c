/* SPDX-License-Identifier: MIT */
/*
 * hostile_peers SECONDS [ACT...]: hostile processes beside victims that make calls under the sanitizers, in
 * real time. Each act gets an equal share of the seconds. It fails by a victim that ends badly, that a
 * sanitizer stops, that gets an answer its words do not name, or that makes no call for STUCK_S seconds.
 *
 * Not in scope: truncating the files, and punching holes into them. This version has no guard against SIGBUS.
 */
#include "peers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct board *board;

const struct act acts[] = {
    {"flip", "control rewritten with anything", {flipped, flipper_wild}},
    {"flip-plausible", "control rewritten with what could be true", {flipped, flipper_plausible}},
    {"thief", "wake-ups sent for nothing, sleepers requeued", {robbed_first, robbed_second, thief}},
    {"lock-hoarder", "the lock taken and never released", {locked_out, lock_hoarder}},
    {"entry-hoarder", "readers' entries taken and never given back", {read_beside, entry_hoarder}},
    {"life-hoarder", "the life-cycle lock taken and never released", {held_up, life_hoarder}},
    {"slot-hoarder", "all life tokens taken", {crowded_out, slot_hoarder}},
};
const unsigned act_count = sizeof acts / sizeof acts[0];

_Noreturn void fail(const char *what, const char *file, int line, long long got)
{
    fprintf(stderr, "%s:%d: not so: %s (%lld)\n", file, line, what, got);
    abort();
}

void need_equal(const char *what, const char *file, int line, long long got, long long wanted)
{
    if (got != wanted)
        fail(what, file, line, got);
}

void count(a64 *a, uint64_t n)
{
    uint64_t v = a64_load_relaxed(a);
    while (!a64_cas_relaxed(a, &v, v + n))
        continue;
}

void await_ready(uint32_t value)
{
    while (a32_load_acquire(&board->ready) < value)
        shms__nap(100000);
}

void get_ready(uint32_t value)
{
    a32_store_release(&board->ready, value);
}

uint64_t chance(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15ull;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

shms_stream *open_region(uint32_t access)
{
    shms_stream_options o = {.struct_size = sizeof o, .access = access, .max_size = REGION_MOST};
    shms_stream *s = NULL;
    need_is(shms_stream_open(board->name, REGION_SIZE, &o, &s), 0);
    return s;
}

int open_control_of(const char *name)
{
    struct name n;
    return shms__name_resolve(name, false, &n) < 0 ? -1 : open(n.control, O_RDWR | O_CLOEXEC);
}

struct control *map_control_of(const char *name, uint64_t *ret_inode)
{
    int fd = open_control_of(name);
    struct stat st;
    if (fd < 0)
        return NULL;
    void *p = MAP_FAILED;
    if (fstat(fd, &st) == 0)
        p = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    *ret_inode = (uint64_t)st.st_ino;
    return p == MAP_FAILED ? NULL : p;
}

/* ---- acts */

static pid_t start(void (*part)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    need(pid >= 0);
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    part();
    exit(0); /* through the leak check */
}

/* Waits `seconds`; false: a part ended badly, or nothing happened any more. */
static bool watch(pid_t pids[3], int64_t seconds)
{
    uint64_t calls = 0;
    int64_t end = shms__now_ns() + seconds * 1000000000, moved_at = shms__now_ns();
    while (shms__now_ns() < end) {
        shms__nap(20000000);
        for (int i = 0; i < 3; i++) {
            int status = 0;
            if (pids[i] > 0 && waitpid(pids[i], &status, WNOHANG) == pids[i]) {
                pids[i] = 0;
                if (status)
                    return false;
            }
        }
        if (a64_load_relaxed(&board->calls) != calls) {
            calls = a64_load_relaxed(&board->calls);
            moved_at = shms__now_ns();
        } else if (shms__now_ns() > moved_at + STUCK_S * INT64_C(1000000000)) {
            fprintf(stderr, "stuck in: %s, %s\n", board->doing[0], board->doing[1]);
            return false;
        }
    }
    return true;
}

static bool end_all(pid_t pids[3])
{
    bool well = true;
    a32_store_release(&board->stop, 1);
    int64_t end = shms__now_ns() + STUCK_S * INT64_C(1000000000);
    for (int i = 0; i < 3; i++) {
        int status = 0;
        pid_t ended = pids[i] > 0 ? 0 : -1;
        while (ended == 0 && shms__now_ns() < end) {
            ended = waitpid(pids[i], &status, WNOHANG);
            shms__nap(1000000);
        }
        if (ended == 0) {
            fprintf(stderr, "does not end: %s, %s\n", board->doing[0], board->doing[1]);
            kill(pids[i], SIGKILL);
            waitpid(pids[i], &status, 0);
        }
        well &= status == 0;
    }
    return well;
}

static bool play(const struct act *act, int64_t seconds)
{
    memset(board, 0, sizeof *board);
    snprintf(board->name, sizeof board->name, "hostile-%d-%s", (int)getpid(), act->name);
    const char *scratch = getenv("TMPDIR");
    snprintf(board->path, sizeof board->path, "%s/hostile-%d", scratch ? scratch : "/tmp", (int)getpid());
    pid_t pids[3] = {0};
    for (int i = 0; i < 3 && act->parts[i]; i++)
        pids[i] = start(act->parts[i]);
    bool well = watch(pids, seconds);
    well &= end_all(pids);
    shms_stream_unlink(board->name);
    unlink(board->path);
    printf("%-15s %s: %llu calls, %llu blows: %s\n", act->name, act->words,
           (unsigned long long)a64_load_relaxed(&board->calls),
           (unsigned long long)a64_load_relaxed(&board->blows), well ? "passed" : "FAILED");
    return well;
}

static bool wanted(const char *name, int argc, char **argv)
{
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc <= 2;
}

int main(int argc, char **argv)
{
    int64_t seconds = argc > 1 ? atoll(argv[1]) : 0, n = 0;
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (unsigned i = 0; i < act_count; i++)
        n += wanted(acts[i].name, argc, argv);
    if (seconds <= 0 || n == 0 || board == MAP_FAILED) {
        fprintf(stderr, "usage: %s SECONDS [ACT...]\n", argv[0]);
        return 2;
    }
    bool well = true;
    for (unsigned i = 0; i < act_count; i++)
        if (wanted(acts[i].name, argc, argv))
            well &= play(&acts[i], seconds > n ? seconds / n : 1);
    return well ? 0 : 1;
}
