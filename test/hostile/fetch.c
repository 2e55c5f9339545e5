/* SPDX-License-Identifier: MIT */
/*
 * Double fetches, looked for in the compiled library. Control is made inaccessible, so that each access of it
 * traps; it is noted, done by itself (the processor's single step), and control is closed again.
 *
 * 1. A call loads once what it range-checks: loads of size and of the slots' generations are counted, and
 *    those of journal_used, which who takes over, and who unlocks, only asks whether it is zero.
 * 2. Each access of each call is a moment at which a peer may write, and each of them is tried: just before
 *    the n-th access, the word that is about to be accessed gets a hostile value, for good or until just
 *    after it. So a value that is loaded twice is seen as good and then as bad, and the other way round. What
 *    the call then answers is judged by calls.c; an access outside the region ends the process.
 *
 * Limits. It sees the paths that these calls take from these states, in this build; one word changes at one
 * moment; the system's own accesses (futex) fail, so sleeping is left to the other programs here; open maps
 * control itself and is not seen. Single steps are those of x86-64.
 */
#include "calls.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef __x86_64__
int main(void)
{
    puts("SKIP: single steps are known for x86-64 only");
    return 77;
}
#else

#define TRAP_FLAG 0x100
#define WRITES 2 /* in a page fault's error code */
#define ACCESSES_MOST 48
#define ACCESSES_OF_TRIES 6 /* where a call is many equal tries */

#define USED_LOADS_MOST 3
#define SIZE_LOADS_OF_RESIZE 3

enum { SIZE_AT = offsetof(struct control, size), SLOTS_AT = offsetof(struct control, slots) };
enum { USED_AT = offsetof(struct control, journal_used) };
enum {
    STATE_FREE,
    STATE_MINE,
    STATE_OTHERS,
    STATE_DEAD,
    STATE_NOBODYS,
    STATE_BROKEN_OFF,
    STATE_UNDO,   /* a dead holder's section is to be undone */
    STATE_OWED,   /* the same, by whoever comes, and the lock is free */
    STATE_READ,   /* readers may be in, and one is */
    STATE_AWAITS, /* the handle has the cell beside readers, dead and alive */
    STATES
};

static struct control *trapped; /* the mapping of the handle under test */
static struct control *peer;    /* the hostile peer's own */
static struct control clean;
static struct actor actor;
static shms_stream *other;
static char region_name[64], file[80];

static struct {
    unsigned accesses;
    unsigned size_loads;
    unsigned slot_loads;
    unsigned used_loads;
    unsigned strike_at; /* 0: never */
    bool for_a_moment;
    uint64_t value;
    uint64_t *struck, was;
} now;

/* ---- traps */

static void say_and_end(const char *text)
{
    (void)!write(2, text, strlen(text));
    (void)!write(2, call_current, strlen(call_current));
    (void)!write(2, "\n", 1);
    _exit(1);
}

static void strike(size_t offset)
{
    now.struck = (uint64_t *)((unsigned char *)peer + (offset & ~(size_t)7));
    now.was = *now.struck;
    *now.struck = now.value;
}

static void on_access(int number, siginfo_t *info, void *context)
{
    (void)number;
    ucontext_t *c = context;
    size_t offset = (size_t)((unsigned char *)info->si_addr - (unsigned char *)trapped);
    if (offset >= sizeof *trapped)
        say_and_end("an access outside the region in: ");
    now.accesses++;
    if (!(c->uc_mcontext.gregs[REG_ERR] & WRITES)) {
        now.size_loads += offset == SIZE_AT;
        now.used_loads += offset == USED_AT;
        now.slot_loads += offset >= SLOTS_AT && (offset - SLOTS_AT) % sizeof(struct slot) == 0;
    }
    if (now.accesses == now.strike_at)
        strike(offset);
    mprotect(trapped, sizeof *trapped, PROT_READ | PROT_WRITE);
    c->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void after_access(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    ucontext_t *c = context;
    c->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
    mprotect(trapped, sizeof *trapped, PROT_NONE);
    if (now.struck && now.for_a_moment)
        *now.struck = now.was;
    now.struck = NULL;
}

static void on_bus_error(int number)
{
    (void)number;
    say_and_end("an access behind the end of the file in: ");
}

static void catch(int number, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(number, &a, NULL);
}

/* ---- the world */

static int64_t clock_now(void)
{
    return shms__now_ns();
}

static void check(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "not so: %s\n", what);
    exit(1);
}

static void build(void)
{
    struct name n;
    shms_stream_options o = {.struct_size = sizeof o, .open_timeout_ms = OPEN_TIMEOUT_MS};
    o.max_size = REGION_MOST;
    actor = (struct actor){.name = region_name, .path = file, .now_ns = clock_now, .slack_ns = INT64_MAX / 2};
    o.atomic = 1;
    check(shms_stream_open(region_name, REGION_SIZE, &o, &actor.s) == 0, "the region opens");
    check(shms_stream_open(region_name, REGION_SIZE, &o, &other) == 0, "the region opens twice");
    check(shms_stream_lock(actor.s, 0) == 0 && shms_stream_pwrite(actor.s, "", 1, 0) == 1 &&
              shms_stream_unlock(actor.s) == 0, "it can be written");
    actor.s->section.member.region.timeout_ns = 0; /* a snapshot then tries the lock once */
    trapped = actor.s->section.member.region.control;
    check(shms__name_resolve(region_name, false, &n) == 0, "its name is known");
    int fd = open(n.control, O_RDWR | O_CLOEXEC);
    peer = mmap(NULL, sizeof *peer, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    check(fd >= 0 && peer != MAP_FAILED, "a peer can map control");
    const uint64_t records[] = {64, 16, 0, 0, REGION_SIZE, RECORD_SIZE};
    check(pwrite(fd, records, sizeof records, LAYOUT_JOURNAL) == sizeof records, "a peer can write records");
    close(fd);
    memcpy(&clean, peer, sizeof clean);
    catch(SIGSEGV, on_access);
    catch(SIGTRAP, after_access);
    signal(SIGBUS, on_bus_error);
}

static void put(uint64_t cell, uint64_t version)
{
    a64_store_relaxed(&peer->cell, cell);
    a64_store_relaxed(&peer->sequence, version);
}

static void set_journal(uint32_t died)
{
    a64_store_relaxed(&peer->journal_used, 48);
    a32_store_relaxed(&peer->died, died);
}

static void set_readers(void)
{
    struct member *m = &other->section.member;
    a32_store_relaxed(&peer->slots[m->slot].readers[0], (uint32_t)(m->id >> 32));
    a32_store_relaxed(&peer->slots[m->slot].readers[1], 77); /* of nobody alive */
}

static void set_state(int state)
{
    memcpy(peer, &clean, sizeof clean);
    shms__section_renew(&actor.s->section);
    a32_store_relaxed(&peer->slots[9].generation, 3);
    switch (state) {
    case STATE_MINE: put(actor.s->section.member.id | CELL_WAITERS | CELL_CHANGE | CELL_NOTICE, 5); break;
    case STATE_OTHERS: put(other->section.member.id, 5); break;
    case STATE_DEAD: put(ref_owner(9, 3), 5); break;
    case STATE_NOBODYS: put(0x1ff, 4); break; /* no such slot */
    case STATE_BROKEN_OFF: put(CELL_RESERVED | CELL_POLL, 5); break;
    case STATE_UNDO: put(ref_owner(9, 3), 5), set_journal(0); break;
    case STATE_OWED: put(CELL_WAITERS, 6), set_journal(DIED_OWED); break;
    case STATE_READ: put(CELL_SHARED, 6), set_readers(); break;
    case STATE_AWAITS: put(actor.s->section.member.id | CELL_SHARED, 6), set_readers(); break;
    default: break;
    }
    shms_stream_seek(actor.s, 0, SEEK_SET);
}

static void run(unsigned which, unsigned x, unsigned y)
{
    now.accesses = now.size_loads = now.slot_loads = now.used_loads = 0;
    now.struck = NULL;
    mprotect(trapped, sizeof *trapped, PROT_NONE);
    call_run(&actor, which, x, y);
    mprotect(trapped, sizeof *trapped, PROT_READ | PROT_WRITE);
}

/* ---- the two checks */

static bool left_out(const char *name)
{
    return strcmp(name, "open") == 0 || strcmp(name, "close") == 0;
}

/*
 * More than once is right only where one call is many tries, and each checks what it has loaded itself:
 * snapshot and notify lock again and again, a FILE reads and seeks several times, members asks each slot.
 */
static unsigned loads_allowed(const char *name)
{
    bool tries = strcmp(name, "snapshot") == 0 || strcmp(name, "notify") == 0 || strcmp(name, "file") == 0 ||
                 strcmp(name, "members") == 0;
    return tries ? UINT_MAX : 1;
}

/* The journal and the region each look at the size, and each holds its own against the file. */
static unsigned size_loads_allowed(const char *name)
{
    bool twice = strcmp(name, "resize") == 0 || strcmp(name, "unlock") == 0;
    return twice ? SIZE_LOADS_OF_RESIZE : loads_allowed(name);
}

static void count_loads(unsigned which, unsigned x, unsigned y, int state)
{
    const char *name = call_name(which);
    set_state(state);
    now.strike_at = 0;
    run(which, x, y);
    bool too_many = now.size_loads > size_loads_allowed(name) || now.slot_loads > loads_allowed(name);
    if (too_many || (now.used_loads > USED_LOADS_MOST && loads_allowed(name) == 1)) {
        fprintf(stderr, "%s, state %d: %u loads of size, %u of a generation, %u of journal_used\n", name,
                state, now.size_loads, now.slot_loads, now.used_loads);
        exit(1);
    }
}

/* It takes the lock again without a limit, and a peer may keep that from it for ever. */
static bool has_no_limit(const char *name)
{
    return strcmp(name, "wait_locked") == 0;
}

static uint64_t strike_each(unsigned which, unsigned x, unsigned y, int state, unsigned accesses)
{
    const uint64_t values[] = {0,  UINT64_MAX,      INT64_MAX, REGION_MOST, REGION_SIZE + 1, 0x1ff,
                               ~0ull << 32 | 0x101, 7,         actor.s->section.member.id};
    uint64_t runs = 0;
    unsigned most = loads_allowed(call_name(which)) == 1 ? ACCESSES_MOST : ACCESSES_OF_TRIES;
    for (unsigned at = 1; at <= accesses && at <= most; at++)
        for (unsigned v = 0; v < 2 * (sizeof values / sizeof values[0]); v++, runs++) {
            set_state(state);
            now.strike_at = at;
            now.value = values[v / 2];
            now.for_a_moment = v & 1;
            run(which, x, y);
        }
    return runs;
}

static const unsigned arguments[][2] = {{6, 0}, {7, 4}, {1, 2}};

/* How many of the arguments are tried. */
static unsigned ways(unsigned which, int state)
{
    if (has_no_limit(call_name(which)) && state == STATE_AWAITS)
        return 0;
    return state < STATE_UNDO ? sizeof arguments / sizeof arguments[0] : 1;
}

static void try_all(void)
{
    uint64_t runs = 0, accesses = 0, paths = 0;
    build();
    for (unsigned which = 0; which < call_count; which++)
        for (int state = 0; state < STATES && !left_out(call_name(which)); state++)
            for (unsigned i = 0; i < ways(which, state); i++) {
                count_loads(which, arguments[i][0], arguments[i][1], state);
                accesses += now.accesses;
                paths++;
                if (!has_no_limit(call_name(which)))
                    runs += strike_each(which, arguments[i][0], arguments[i][1], state, now.accesses);
            }
    printf("double fetches: %llu ways through the calls, %llu accesses of control trapped, "
           "%llu runs with one struck: none\n",
           (unsigned long long)paths, (unsigned long long)accesses, (unsigned long long)runs);
    set_state(STATE_FREE);
    shms_stream_close(other);
    shms_stream_close(actor.s);
}

/* In a child, so that what it leaves when it fails can be taken away. */
int main(void)
{
    int status = 1;
    snprintf(region_name, sizeof region_name, "hostile-fetch-%d", (int)getpid());
    snprintf(file, sizeof file, "/tmp/%s", region_name);
    setenv("SHMSTREAM_BELL", "off", 1); /* its thread would run into the closed control, traps blocked */
    pid_t pid = fork();
    if (pid == 0) {
        try_all();
        exit(0);
    }
    waitpid(pid, &status, 0);
    shms_stream_unlink(region_name);
    unlink(file);
    return status ? 1 : 0;
}
#endif
