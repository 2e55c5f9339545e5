/* SPDX-License-Identifier: MIT */
/*
 * KILLS (3000) kills at moments of chance, of processes that use all there is of three regions: a plain one,
 * a crash-atomic one, one that is atomic and kept. What they find is always right; afterwards no name, slot,
 * descriptor, inode or byte of memory is left. `KILLS=100000` is what doc/reliability.md speaks of.
 * ctest: long timeout=300
 */
#include "roles.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KILLERS 4
#define BATCH 400u /* kills in the life of one killer */
#define REGIONS 3
#define LARGEST 100000u
#define SMALLEST 16u

static bool private_memory; /* so that its bytes can be counted */

/* ---- what the victims do */

/* Of an atomic region, after so many turns. */
static uint64_t size_after(uint64_t turns)
{
    static const uint64_t sizes[] = {SMALLEST, 4096, 5000, LARGEST, 300, 8192, SMALLEST};
    return sizes[turns % (sizeof sizes / sizeof *sizes)];
}

static shms_stream *open_one(const char *name, unsigned which, bool reads)
{
    shms_stream_options o = {.struct_size = sizeof o, .max_size = LARGEST};
    o.access = reads ? SHMS_ACCESS_READ : SHMS_ACCESS_READ_WRITE;
    o.atomic = which > 0;
    o.keep = which == 2;
    shms_stream *s = NULL;
    int rc = shms_stream_open(name, SMALLEST, &o, &s);
    need(rc == 0);
    return s;
}

/* Both numbers are equal, or in a plain region the one before died between them. */
static void take_plain_turn(shms_stream *s)
{
    volatile uint64_t *turns = shms_stream_memory(s);
    int rc = shms_stream_lock(s, BOUND_MS);
    need(rc >= 0);
    need(turns[0] == turns[1] || (rc == SHMS_OWNER_DIED && turns[0] == turns[1] + 1));
    turns[1] = turns[0];
    if (rc == SHMS_OWNER_DIED)
        need(shms_stream_repaired(s) == 0);
    turns[0] = turns[0] + 1;
    turns[1] = turns[1] + 1;
    need(shms_stream_unlock(s) == 0);
}

/* The numbers stand at both ends, and the size goes with them. */
static uint64_t look_at_turns(shms_stream *s)
{
    uint64_t first = 0, last = 1, size = shms_stream_size(s);
    need(shms_stream_pread(s, &first, sizeof first, 0) == sizeof first);
    need(shms_stream_pread(s, &last, sizeof last, (int64_t)size - 8) == sizeof last);
    need(first == last);
    need(size == size_after(first));
    return first;
}

static void take_atomic_turn(shms_stream *s)
{
    need(shms_stream_lock(s, BOUND_MS) == 0);
    uint64_t turns = look_at_turns(s) + 1, size = size_after(turns);
    need(shms_stream_pwrite(s, &turns, sizeof turns, 0) == sizeof turns);
    need(shms_stream_resize(s, size) == 0);
    need(shms_stream_pwrite(s, &turns, sizeof turns, (int64_t)size - 8) == sizeof turns);
    need(shms_stream_unlock(s) == 0);
}

static void read_turns(shms_stream *s, unsigned which)
{
    uint64_t both[2] = {0, 0};
    int rc = shms_stream_lock_shared(s, BOUND_MS);
    need(rc == 0 || (rc == SHMS_OWNER_DIED && which == 0));
    if (which > 0)
        look_at_turns(s);
    else
        need(shms_stream_pread(s, both, sizeof both, 0) == sizeof both && (both[0] == both[1] || rc > 0));
    need(shms_stream_unlock(s) == 0);
}

static void visit(char **names)
{
    unsigned which = (unsigned)rand() % REGIONS;
    char some[64];
    int64_t seen = 0;
    bool reads = rand() % 4 == 0;
    shms_stream *s = open_one(names[which], which, reads);
    for (int n = rand() % 20; n > 0; n--)
        if (reads || rand() % 2)
            read_turns(s, which);
        else if (which > 0)
            take_atomic_turn(s);
        else
            take_plain_turn(s);
    int64_t rc = shms_stream_snapshot(s, some, sizeof some, 0);
    need(rc >= (int64_t)SMALLEST || (rc == SHMS_E_CORRUPT && which == 0));
    if (rand() % 8 == 0)
        need(poll_fd_of(s) >= 0);
    need(reads || shms_stream_notify(s) == 0);
    need(shms_stream_wait(s, &seen, rand() % 2) <= 0);
    shms_stream_close(s);
}

/* ---- who kills them */

static pid_t start_victim(unsigned seed, char **names)
{
    pid_t pid = fork();
    need(pid >= 0);
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bounded();
    srand(seed);
    for (;;)
        visit(names);
}

/* killer SEED KILLS NAME...: it has no handle, so its children inherit none */
static int killer(int argc, char **argv)
{
    need(argc == 3 + REGIONS);
    unsigned seed = (unsigned)atoi(argv[1]), kills = (unsigned)atoi(argv[2]);
    unsigned state = seed;
    for (unsigned k = 0; k < kills; k++) {
        int status = 0;
        pid_t pid = start_victim(seed + k, argv + 3);
        struct timespec t = {.tv_nsec = (rand_r(&state) % 2500) * 1000};
        nanosleep(&t, NULL);
        kill(pid, SIGKILL);
        need(waitpid(pid, &status, 0) == pid);
        need(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); /* else it had ended by itself */
    }
    return 0;
}

/* ---- what is left */

static void all_slots_are_free(const char *name, unsigned which)
{
    shms_stream *all[SHMS_MEMBERS_MAX], *more = NULL;
    for (unsigned i = 0; i < SHMS_MEMBERS_MAX; i++)
        all[i] = open_one(name, which, false);
    assert_int_equal(shms_stream_open(name, 0, NULL, &more), SHMS_E_FULL);
    if (which > 0)
        take_atomic_turn(all[0]);
    else
        take_plain_turn(all[0]);
    for (unsigned i = 0; i < SHMS_MEMBERS_MAX; i++)
        shms_stream_close(all[i]);
}

static void kill_many(unsigned kills, unsigned seed, const char *const *names)
{
    for (unsigned done = 0; done < kills;) {
        struct proc all[KILLERS];
        for (unsigned i = 0; i < KILLERS; i++, done += BATCH / KILLERS) {
            char first[16], many[16];
            snprintf(first, sizeof first, "%u", seed + done);
            snprintf(many, sizeof many, "%u", BATCH / KILLERS);
            all[i] = start("killer", first, many, names[0], names[1], names[2], NULL);
        }
        for (unsigned i = 0; i < KILLERS; i++)
            finish(&all[i]);
    }
}

static void test_nothing_is_left(void **state)
{
    (void)state;
    unsigned kills = count_from("KILLS", 3000), seed = count_from("SEED", 1);
    char names[REGIONS][64];
    const char *const of_all[] = {names[0], names[1], names[2]};
    for (unsigned i = 0; i < REGIONS; i++)
        snprintf(names[i], sizeof names[i], "%s", fresh_name());
    shms_stream_close(open_one(names[0], 0, false)); /* it makes the user's directory, which stays */
    struct used before = memory_used();
    kill_many(kills, seed, of_all);
    for (unsigned i = 0; i < REGIONS; i++)
        all_slots_are_free(names[i], i);
    assert_int_equal(shms_stream_unlink(names[2]), 0);
    for (unsigned i = 0; i < REGIONS; i++)
        assert_gone(names[i]);
    struct used after = memory_used();
    if (private_memory) {
        assert_int_equal(after.blocks, before.blocks);
        assert_int_equal(after.inodes, before.inodes);
    }
    printf("%u kills: no name, slot or descriptor is left%s\n", kills,
           private_memory ? ", no inode and no byte" : "");
}

int main(int argc, char **argv)
{
    static const struct role roles[] = {{"killer", killer}, {NULL, NULL}};
    const struct CMUnitTest tests[] = {process_test(test_nothing_is_left)};
    roles_begin(argc, argv, roles);
    private_memory = have_own_shm("mode=1777,size=64m");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
