/* SPDX-License-Identifier: MIT */
/*
 * mix ROLE NAME [NUMBER]: one of several builds (32 and 64 bit, several C libraries, another processor) that
 * use one region at the same time. run.sh starts the roles, each from another build. NAME may be fd:NUMBER:
 * an unnamed region, whose descriptor was inherited.
 *
 * The record in the region is right if check == ~counter; a holder that dies half-way leaves it wrong, unless
 * the region is atomic.
 */
#include "mix.h"

#include <shmstream.h>

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The same bytes on every machine: fixed widths, no holes, little-endian on all that take part. */
struct record {
    uint64_t counter;
    uint64_t check;
    uint64_t joined;
    uint64_t turns;
};

static shms_stream *stream;

void demand(bool good, const char *what, int64_t value)
{
    if (good)
        return;
    fprintf(stderr, "mix: %s: %lld\n", what, (long long)value);
    exit(1);
}

static void lock(int expected)
{
    int rc = shms_stream_lock(stream, PATIENCE_MS);
    demand(rc == expected, "lock", rc);
}

static void unlock(void)
{
    int rc = shms_stream_unlock(stream);
    demand(rc == 0, "unlock", rc);
}

static struct record get(void)
{
    struct record r;
    int64_t n = shms_stream_pread(stream, &r, sizeof r, 0);
    demand(n == (int64_t)sizeof r, "pread", n);
    return r;
}

static void put(const struct record *r)
{
    int64_t n = shms_stream_pwrite(stream, r, sizeof *r, 0);
    demand(n == (int64_t)sizeof *r, "pwrite", n);
}

static struct record snapshot(void)
{
    struct record r;
    int64_t n = shms_stream_snapshot(stream, &r, sizeof r, 0);
    demand(n == (int64_t)sizeof r, "snapshot", n);
    demand(r.check == ~r.counter, "a torn snapshot at", (int64_t)r.counter);
    return r;
}

static void create(const char *name, const shms_stream_options *options)
{
    struct record r = {.check = ~UINT64_C(0)};
    int rc = shms_stream_open(name, 4096, options, &stream);
    demand(rc == 0, "create", rc);
    lock(0);
    put(&r);
    unlock();
}

/* The keeper: makes the region, which stays until `remove`. */
static void role_create(const char *name, bool atomic)
{
    shms_stream_options o = {.struct_size = sizeof o, .create = SHMS_CREATE_ONLY, .keep = 1};
    o.atomic = atomic;
    create(name, &o);
    shms_stream_close(stream);
}

/* Makes an unnamed region, and becomes another program that has its descriptor, and is alone to have it. */
static void role_carry(int number, char **program)
{
    create(NULL, NULL);
    int fd = shms_stream_fd(stream);
    demand(fd >= 0, "fd", fd);
    demand(dup2(fd, number) == number, "dup2 to", number);
    execvp(program[0], program);
    demand(false, "execvp", 0);
}

static int open_it(const char *name)
{
    if (strncmp(name, "fd:", 3) == 0)
        return shms_stream_open_fd(atoi(name + 3), NULL, &stream);
    return shms_stream_open(name, 0, NULL, &stream);
}

/* Beside other readers, and no writer. */
static void look_shared(void)
{
    int rc = shms_stream_lock_shared(stream, PATIENCE_MS);
    demand(rc == 0, "lock_shared", rc);
    struct record r = get();
    demand(r.check == ~r.counter, "a torn record, seen by a reader, at", (int64_t)r.counter);
    unlock();
}

static void await_members(uint64_t members)
{
    int64_t seen = 0;
    lock(0);
    struct record r = get();
    r.joined++;
    put(&r);
    unlock();
    while (snapshot().joined < members) {
        int rc = shms_stream_wait(stream, &seen, PATIENCE_MS);
        demand(rc == 0, "wait for the others", rc);
    }
}

/* All wait for each other, then each counts to `rounds`. */
static void role_count(uint64_t members, uint64_t rounds)
{
    await_members(members);
    struct record r;
    for (uint64_t i = 0; i < rounds; i++) {
        lock(0);
        r = get();
        demand(r.check == ~r.counter, "a torn record at", (int64_t)r.counter);
        r.counter++;
        r.check = ~r.counter;
        put(&r);
        unlock();
        if (i % 16 == 0)
            demand(snapshot().counter > r.counter - 1, "a snapshot from the past at", (int64_t)r.counter);
        if (i % 16 == 8)
            look_shared();
    }
}

/* Sleeps until there is something new, as an event loop does, or in the call itself. */
static void sleep_until_new(int64_t *seen, bool polls)
{
    int rc = shms_stream_wait(stream, seen, polls ? 0 : PATIENCE_MS);
    if (polls && rc == SHMS_E_TIMEOUT) {
        struct pollfd p = {.fd = shms_stream_poll_fd(stream), .events = POLLIN};
        demand(p.fd >= 0, "poll_fd", p.fd);
        rc = shms_stream_wait(stream, seen, 0); /* the first call arms it */
        if (rc == SHMS_E_TIMEOUT)
            rc = poll(&p, 1, PATIENCE_MS) == 1 ? 0 : SHMS_E_TIMEOUT;
    }
    demand(rc == 0, "wait for one's turn", rc);
}

/* One after the other writes, without the lock, and tells the next. */
static void role_turns(uint64_t members, uint64_t index, uint64_t rounds)
{
    const int64_t at = offsetof(struct record, turns);
    for (uint64_t next = index; next < rounds * members; next += members) {
        int64_t seen = shms_stream_version(stream);
        uint64_t turn = 0;
        while (shms_stream_pread(stream, &turn, sizeof turn, at) == sizeof turn && turn != next)
            sleep_until_new(&seen, next / members % 2);
        turn++;
        demand(shms_stream_pwrite(stream, &turn, sizeof turn, at) == sizeof turn, "pwrite", (int64_t)next);
        int rc = shms_stream_notify(stream);
        demand(rc == 0, "notify", rc);
    }
}

/* Dies holding the lock, the record half-written, as soon as somebody sleeps on the lock. */
static void role_die(void)
{
    shms_info info = {.struct_size = sizeof info};
    lock(0);
    struct record r = get();
    r.counter++;
    put(&r);
    for (int ms = 0; info.waiters == 0; ms++) {
        int rc = shms_stream_info(stream, &info);
        demand(rc == 0, "info", rc);
        demand(ms < PATIENCE_MS, "nobody waits after ms", ms);
        poll(NULL, 0, 1);
    }
    raise(SIGKILL);
}

/* Gets a dead holder's lock, is told, finds the damage, repairs; finds none where the region is atomic. */
static void role_recover(void)
{
    shms_info info = {.struct_size = sizeof info};
    int told = shms_stream_info(stream, &info);
    demand(told == 0, "info", told);
    lock(info.atomic ? 0 : SHMS_OWNER_DIED);
    struct record r = get();
    if (info.atomic) {
        demand(r.counter == 0 && r.check == ~r.counter, "what was to be undone", (int64_t)r.counter);
        unlock();
        return;
    }
    demand(r.check == ~(r.counter - 1), "the dead holder's half-written record", (int64_t)r.counter);
    r.counter--;
    put(&r);
    int rc = shms_stream_repaired(stream);
    demand(rc == 0, "repaired", rc);
    unlock();
    lock(0);
    unlock();
}

/* Waits until somebody holds the lock. */
static void role_await_holder(void)
{
    shms_info info = {.struct_size = sizeof info};
    for (int ms = 0; info.locked != 1; ms++) {
        int rc = shms_stream_info(stream, &info);
        demand(rc == 0, "info", rc);
        demand(ms < PATIENCE_MS, "nobody holds the lock after ms", ms);
        poll(NULL, 0, 1);
    }
}

static int play_dict_with(const char *role, const char *name, int n, char **numbers)
{
    uint64_t number[3] = {0};
    for (int i = 0; i < n && i < 3; i++)
        number[i] = strtoull(numbers[i], NULL, 10);
    return play_dict(role, name, n, number);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    const char *role = argv[1], *name = argv[2];
    if (strncmp(role, "dict-", 5) == 0)
        return play_dict_with(role, name, argc - 3, argv + 3);
    if (strcmp(role, "remove") == 0)
        return shms_stream_unlink(name) == 0 ? 0 : 1;
    if (strcmp(role, "create") == 0) {
        role_create(name, argc > 3 && strcmp(argv[3], "atomic") == 0);
        return 0;
    }
    if (strcmp(role, "carry") == 0 && argc > 3)
        role_carry(atoi(name + 3), argv + 3);
    int rc = open_it(name);
    demand(rc == 0, "open", rc);
    if (strcmp(role, "count") == 0 && argc == 5)
        role_count(strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
    else if (strcmp(role, "turns") == 0 && argc == 6)
        role_turns(strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10), strtoull(argv[5], NULL, 10));
    else if (strcmp(role, "die") == 0)
        role_die();
    else if (strcmp(role, "recover") == 0)
        role_recover();
    else if (strcmp(role, "await-holder") == 0)
        role_await_holder();
    else if (strcmp(role, "show") == 0)
        printf("%llu\n", (unsigned long long)snapshot().counter);
    else
        return 2;
    shms_stream_close(stream);
    return 0;
}
