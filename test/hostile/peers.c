/* SPDX-License-Identifier: MIT */
/*
 * hostile_peers SECONDS [ACT...]: hostile processes beside victims that make calls under the sanitizers, in
 * real time, in named regions and in unnamed ones whose descriptor was passed to all. Each act gets an equal
 * share of the seconds. It fails by a victim that ends badly, that a sanitizer stops, that gets an answer its
 * words do not name, or that makes no call for STUCK_S seconds.
 *
 * Named regions that are cut short: test/unit/guard_test.c.
 */
#include "peers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct board *board;
int unnamed_fd = -1;
int sockets[2];

const struct act acts[] = {
    {"flip", "control rewritten with anything", NAMED | UNNAMED, {flipped, flipper_wild}},
    {"flip-plausible", "control rewritten with what could be true", NAMED | UNNAMED,
     {flipped, flipper_plausible}},
    {"thief", "wake-ups sent for nothing, sleepers requeued", NAMED | UNNAMED,
     {robbed_first, robbed_second, thief}},
    {"lock-hoarder", "the lock taken and never released", NAMED | UNNAMED, {locked_out, lock_hoarder}},
    {"entry-hoarder", "readers' entries taken and never given back", NAMED | UNNAMED,
     {read_beside, entry_hoarder}},
    {"life-hoarder", "the life-cycle lock taken and never released", NAMED | UNNAMED,
     {held_up, life_hoarder}},
    {"slot-hoarder", "all life tokens taken", NAMED | UNNAMED, {crowded_out, slot_hoarder}},
    {"grabber", "memory cut, punched, sealed, leased by who was given it", UNNAMED, {flipped, grabber}},
    {"frozen", "the same, and written, by who may only read it", THEIR_OWN,
     {frozen_writer, frozen_reader, frozen_grabber}},
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

int join(uint32_t access, int timeout_ms, shms_stream **ret)
{
    shms_stream_options o = {.struct_size = sizeof o, .access = access, .open_timeout_ms = timeout_ms};
    o.no_guard = unnamed_fd >= 0; /* nobody can take its memory */
    if (unnamed_fd >= 0)
        return shms_stream_open_fd(unnamed_fd, &o, ret);
    o.max_size = REGION_MOST;
    return shms_stream_open(board->name, REGION_SIZE, &o, ret);
}

shms_stream *open_region(uint32_t access)
{
    shms_stream *s = NULL;
    need_is(join(access, 0, &s), 0);
    return s;
}

int open_control(void)
{
    char own[64];
    struct name n;
    snprintf(own, sizeof own, "/proc/self/fd/%d", unnamed_fd);
    if (unnamed_fd >= 0)
        return open(own, O_RDWR | O_CLOEXEC);
    return shms__name_resolve(board->name, false, &n) < 0 ? -1 : open(n.control, O_RDWR | O_CLOEXEC);
}

struct control *map_control(uint64_t *ret_inode)
{
    int fd = open_control();
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

/* Waits so long; false: a part ended badly, or nothing happened any more. */
static bool watch(pid_t pids[3], int64_t milliseconds)
{
    uint64_t calls = 0;
    int64_t end = shms__now_ns() + milliseconds * 1000000, moved_at = shms__now_ns();
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

/* As its owner would pass it on: bytes to grow by, nobody in it. This process starts and catches nothing. */
static int make_unnamed(void)
{
    shms_stream_options o = {.struct_size = sizeof o, .no_bell = 1, .no_guard = 1};
    shms_stream *s = NULL;
    need_is(shms_stream_open(NULL, REGION_MOST, &o, &s), 0);
    need_is(shms_stream_lock(s, 0), 0);
    need_is(shms_stream_resize(s, REGION_SIZE), 0);
    need_is(shms_stream_unlock(s), 0);
    int fd = shms_stream_fd(s);
    need(fd >= 0);
    shms_stream_close(s);
    return fd;
}

static void set_stage(const struct act *act, bool unnamed)
{
    const char *scratch = getenv("TMPDIR");
    memset(board, 0, sizeof *board);
    snprintf(board->name, sizeof board->name, "hostile-%d-%s", (int)getpid(), act->name);
    snprintf(board->path, sizeof board->path, "%s/hostile-%d", scratch ? scratch : "/tmp", (int)getpid());
    unnamed_fd = unnamed ? make_unnamed() : -1;
    need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) == 0);
}

static void clear_stage(void)
{
    shms_stream_unlink(board->name);
    unlink(board->path);
    close(unnamed_fd);
    close(sockets[0]);
    close(sockets[1]);
}

static bool play(const struct act *act, unsigned region, int64_t milliseconds)
{
    set_stage(act, region == UNNAMED);
    pid_t pids[3] = {0};
    for (int i = 0; i < 3 && act->parts[i]; i++)
        pids[i] = start(act->parts[i]);
    bool well = watch(pids, milliseconds);
    well &= end_all(pids);
    clear_stage();
    printf("%-15s %s%s: %llu calls, %llu blows: %s\n", act->name, region == UNNAMED ? "unnamed: " : "",
           act->words, (unsigned long long)a64_load_relaxed(&board->calls),
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

/* The plays of all acts that are wanted; 0 milliseconds: only counts them. */
static int play_all(int argc, char **argv, int64_t milliseconds, bool *ret_well)
{
    int n = 0;
    for (unsigned i = 0; i < act_count; i++)
        for (unsigned region = NAMED; region <= THEIR_OWN; region *= 2) {
            if (!(acts[i].regions & region) || !wanted(acts[i].name, argc, argv))
                continue;
            n++;
            if (milliseconds)
                *ret_well &= play(&acts[i], region, milliseconds);
        }
    return n;
}

int main(int argc, char **argv)
{
    bool well = true;
    int64_t seconds = argc > 1 ? atoll(argv[1]) : 0;
    int n = play_all(argc, argv, 0, &well);
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (seconds <= 0 || n == 0 || board == MAP_FAILED) {
        fprintf(stderr, "usage: %s SECONDS [ACT...]\n", argv[0]);
        return 2;
    }
    play_all(argc, argv, seconds * 1000 / n, &well);
    return well ? 0 : 1;
}
