/* SPDX-License-Identifier: MIT */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const int errors[] = {EINTR, EAGAIN, ENOMEM, EACCES, EIO, /* from here on: long */
                             EMFILE, ENFILE, EPERM, ENOSPC, EINVAL, ENOSYS};
#define ERRORS (sizeof errors / sizeof *errors)
#define ERRORS_QUICK 5
#define CALLS_MOST 100 /* of one trial; there are about thirty, but a list is as long as /dev/shm is full */
#define REFUSED 100    /* exit status of a traced process: this less the code */
#define TRIALS_MOST 60

static const struct trial *trials; /* the table, and the one whose turn it is */
static const struct trial *trial;

/* ---- the side of the traced process */

const char *fault_name;
shms_stream *fault_handle;

static void choose_trial(const char *name)
{
    for (trial = trials; strcmp(trial->name, name) != 0; trial++)
        continue;
}

shms_stream_options *fault_options(void)
{
    static shms_stream_options o;
    o = (shms_stream_options){
        .struct_size = sizeof o, .mode = trial->mode, .atomic = trial->atomic, .keep = trial->keep};
    if (trial->mode)
        o.owners = SHMS_OWNER_ANY;
    return &o;
}

int fault_open(const shms_stream_options *options, uint64_t size)
{
    int rc = shms_stream_open(fault_name, size, options ? options : fault_options(), &fault_handle);
    bool may_exist = trial->stage != NOTHING && (trial->stage < DEAD || trial->keep);
    need(rc < 0 || shms_stream_existed(fault_handle) == may_exist); /* nobody is shown the dead */
    return rc;
}

void fault_member(void)
{
    need(fault_open(NULL, FAULT_SIZE) == 0);
}

void fault_become_child(void)
{
    pid_t pid = (pid_t)syscall(SYS_clone, (long)(CLONE_PARENT | SIGCHLD), 0L, 0L, 0L, 0L);
    need(pid >= 0);
    if (pid == 0)
        bounded();
    else
        for (;; pause()) /* ends with the test's child */
            continue;
}

void fault_use(void)
{
    unsigned char c = 0;
    int rc = shms_stream_lock(fault_handle, BOUND_MS);
    need(rc == 0 || rc == SHMS_OWNER_DIED || rc == SHMS_E_DEADLOCK);
    need(shms_stream_pread(fault_handle, &c, 1, 0) == 1 && (c == 0 || c == 5));
    rc = (int)shms_stream_pwrite(fault_handle, "\5", 1, 0);
    need(rc == 1 || rc == SHMS_E_READ_ONLY);
    need(shms_stream_unlock(fault_handle) == 0);
}

void fault_only_close(int64_t rc)
{
    (void)rc;
    shms_stream_close(fault_handle);
    fault_handle = NULL;
}

void fault_use_and_close(int64_t rc)
{
    if (!fault_handle)
        return;
    if (trial->stage == HELD || trial->stage == SHARED || trial->stage == STOPPED_HOLDER)
        need(shms_stream_lock(fault_handle, 0) == SHMS_E_TIMEOUT);
    else
        fault_use();
    fault_only_close(rc);
}

static void become_stranger(unsigned uid)
{
    need(setgroups(0, NULL) == 0 && setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0);
    prctl(PR_SET_DUMPABLE, 1); /* so that it may look into its own /proc directory */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* traced TRIAL NAME UID */
static int traced(int argc, char **argv)
{
    need(argc == 4);
    choose_trial(argv[1]);
    fault_name = argv[2];
    if (trial->as_stranger)
        become_stranger((unsigned)atoi(argv[3]));
    unsigned descriptors = open_descriptors(0), mappings = region_mappings(0);
    if (trial->prepare)
        trial->prepare();
    say("%d", (int)getpid());
    hear();
    inject_offer();
    int64_t began = now_ms();
    inject_mark();
    int64_t rc = trial->act();
    inject_mark();
    need(now_ms() - began < BOUND_MS);
    need(rc >= SHMS_E_CLOSED);
    (trial->after ? trial->after : fault_use_and_close)(rc);
    need(open_descriptors(0) == descriptors);
    need(region_mappings(0) == mappings);
    return rc < 0 ? REFUSED - (int)rc : 0;
}

/* ---- the side of the peers */

static int join(const char *name, uint64_t size, bool keep, shms_stream **ret)
{
    shms_stream_options *o = fault_options();
    o->owners = SHMS_OWNER_SELF;
    if (keep)
        o->keep = 1;
    return shms_stream_open(name, size, o, ret);
}

static bool has_waiters(shms_stream *s)
{
    shms_info info = {.struct_size = sizeof info};
    need(shms_stream_info(s, &info) == 0);
    return info.waiters > 0;
}

/* peer DOES NAME TRIAL */
static int peer(int argc, char **argv)
{
    need(argc == 4);
    int64_t seen = 0;
    shms_stream *s = NULL;
    choose_trial(argv[3]);
    need(join(argv[2], FAULT_SIZE, false, &s) == 0);
    if (strcmp(argv[1], "locks") == 0)
        say("joined"), need(shms_stream_lock(s, BOUND_MS) >= 0 && shms_stream_unlock(s) == 0);
    else if (strcmp(argv[1], "waits") == 0)
        say("joined"), need(shms_stream_wait(s, &seen, BOUND_MS) == 0);
    else if (strcmp(argv[1], "joins") != 0)
        need(shms_stream_lock(s, 0) == 0 && shms_stream_pwrite(s, "\5", 1, 0) == 1);
    say("done");
    if (strcmp(argv[1], "releases") == 0) {
        for (int64_t end = now_ms() + 50; !has_waiters(s) && now_ms() < end;)
            rest();
        need(shms_stream_unlock(s) == 0);
    }
    hear();
    shms_stream_close(s);
    return 0;
}

/* ---- the side of the test: what is around */

struct around {
    shms_stream *own;
    struct proc peers[2];
    int peers_count;
};

static unsigned stranger(void)
{
    return 30000 + (unsigned)getpid() % 30000; /* who uses this library nowhere else */
}

static int files_of(const char *name)
{
    char control[160], data[160];
    region_path(name, "ctl", control, sizeof control);
    region_path(name, "data", data, sizeof data);
    return (access(control, F_OK) == 0) + (access(data, F_OK) == 0);
}

static struct proc *start_peer(struct around *a, const char *does, const char *name)
{
    struct proc *p = &a->peers[a->peers_count++];
    *p = start("peer", does, name, trial->name, NULL);
    return p;
}

static void kill_peer(struct around *a)
{
    kill_proc(&a->peers[--a->peers_count]);
}

static void cut_half(const char *name, const char *ending)
{
    char path[160];
    region_path(name, ending, path, sizeof path);
    assert_int_equal(unlink(path), 0);
}

static shms_stream *join_here(const char *name, uint64_t size, bool keep)
{
    shms_stream *s = NULL;
    assert_int_equal(join(name, size, keep, &s), 0);
    return s;
}

static struct around set_up(const char *name)
{
    static const char *const does[] = {[RELEASED] = "releases",    [DEAD_HOLDER] = "holds",
                                       [STOPPED_HOLDER] = "holds", [DEAD] = "joins",
                                       [DEAD_AT_WORK] = "holds"};
    struct around a = {0};
    enum stage stage = trial->stage;
    if (stage == KEPT || stage == ORPHAN || stage == HALF) {
        shms_stream *s = join_here(name, FAULT_SIZE, stage == KEPT || stage == HALF);
        if (stage == ORPHAN)
            cut_half(name, "ctl");
        if (stage == HALF)
            cut_half(name, "data");
        shms_stream_close(s);
    } else if (stage != NOTHING && stage < KEPT) {
        a.own = join_here(name, FAULT_SIZE, false);
    }
    if (stage == HELD)
        assert_int_equal(shms_stream_lock(a.own, 0), 0);
    if (stage == SHARED)
        assert_int_equal(shms_stream_lock_shared(a.own, 0), 0);
    if (stage <= DEAD_AT_WORK && does[stage]) {
        expect_line(start_peer(&a, does[stage], name), "done");
        if (stage == STOPPED_HOLDER)
            kill(a.peers[0].pid, SIGSTOP);
        else if (stage != RELEASED)
            kill_peer(&a);
    }
    return a;
}

/* Until it has been seen to sleep; it wakes up now and then to look around. */
static void await_asleep(pid_t pid)
{
    char path[64];
    long call = 0;
    bool asleep = false;
    snprintf(path, sizeof path, "/proc/%d/syscall", (int)pid);
    for (int64_t end = now_ms() + BOUND_MS; !asleep && now_ms() < end; rest()) {
        FILE *f = fopen(path, "re");
        if (f && fscanf(f, "%ld", &call) != 1)
            call = 0; /* it is running */
        if (f)
            fclose(f);
        asleep = call == SYS_futex || call == FUTEX_WAITV;
    }
    assert_true(asleep);
}

/* The peers that come when the traced process is prepared. */
static void set_up_late(struct around *a, const char *name)
{
    static const char *const does[] = {"locks", "waits"};
    for (int i = 0; trial->stage == WAITERS && i < 2; i++) {
        struct proc *p = start_peer(a, does[i], name);
        expect_line(p, "joined");
        await_asleep(p->pid);
    }
}

/* ---- the judge */

static void judge(struct around *a, const char *name)
{
    bool must_exist = a->own || trial->stage == KEPT || (trial->keep && trial->stage != NOTHING);
    if (trial->stage == WAITERS)
        for (int i = 0; i < 2; i++)
            expect_line(&a->peers[i], "done");
    while (a->peers_count > 0)
        kill_peer(a);
    if (a->own) {
        assert_int_equal(info_of(a->own).members, 1);
        if (trial->stage == HELD || trial->stage == SHARED)
            assert_int_equal(shms_stream_unlock(a->own), 0);
    }
    shms_stream *next = join_here(name, 1, false); /* a second process goes on */
    if (!trial->may_be_gone)
        assert_int_equal(shms_stream_existed(next), must_exist);
    int rc = shms_stream_lock(next, BOUND_MS);
    assert_true(rc == 0 || rc == SHMS_OWNER_DIED);
    assert_int_equal(shms_stream_pwrite(next, "\5", 1, 0), 1);
    assert_int_equal(shms_stream_version(next) % 2, 0);
    assert_int_equal(shms_stream_repaired(next), 0);
    assert_int_equal(shms_stream_unlock(next), 0);
    bool kept = info_of(next).keep;
    shms_stream_close(a->own);
    shms_stream_close(next);
    if (kept)
        assert_int_equal(shms_stream_unlink(name), 0);
    assert_int_equal(files_of(name), 0);
}

static void remove_the_strangers_place(void)
{
    char place[64];
    snprintf(place, sizeof place, "/dev/shm/shms-%u", stranger());
    assert_true(rmdir(place) == 0 || errno == ENOENT);
}

struct count {
    unsigned runs, refused;
};

/* May a run in which `call` failed end like this? */
static bool acceptable(int rc, long call, int error)
{
    if (rc == trial->usual)
        return true;
    if (rc >= 0 || call == INJECT_BEYOND || error == EINTR)
        return false;
    return trial->may & MAY(rc);
}

/* One run. False: there is no nth call any more. */
static bool run(const char *name, unsigned nth, int error, struct count *count)
{
    char uid[16];
    snprintf(uid, sizeof uid, "%u", stranger());
    struct around around = set_up(name);
    struct proc p = start("traced", trial->name, name, uid, NULL);
    pid_t pid = (pid_t)answer(&p);
    set_up_late(&around, name);
    tell(&p, "go");
    int status = 0;
    long call = inject(pid, nth, error);
    if (pid == p.pid) {
        status = end_of(&p);
    } else {
        assert_int_equal(waitpid(pid, &status, 0), pid);
        kill_proc(&p);
    }
    int rc = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    rc = rc > REFUSED ? REFUSED - rc : rc;
    if (!acceptable(rc, call, error))
        fail_msg("%s for call %u, of number %ld: status %#x, %s", strerror(error), nth, call,
                 (unsigned)status, shms_strerror(rc));
    judge(&around, name);
    if (trial->as_stranger)
        remove_the_strangers_place();
    count->runs += call != INJECT_BEYOND;
    count->refused += rc != trial->usual;
    return call != INJECT_BEYOND;
}

static struct count total;

static void try_all(void **state)
{
    char name[100];
    struct count count = {0};
    trial = *state;
    snprintf(name, sizeof name, "%s%s", trial->mode ? "Global\\" : "", fresh_name());
    for (size_t e = 0; e < (count_from("FAULTS_ALL", 0) ? ERRORS : ERRORS_QUICK); e++)
        for (unsigned n = 1; n < CALLS_MOST && run(name, n, errors[e], &count); n++)
            continue;
    print_message("%u runs with a system call failing, %u of them refused\n", count.runs, count.refused);
    total.runs += count.runs;
    total.refused += count.refused;
}

int fault_main(int argc, char **argv, const struct trial *table)
{
    static const struct role roles[] = {{"traced", traced}, {"peer", peer}, {NULL, NULL}};
    struct CMUnitTest tests[TRIALS_MOST];
    size_t n = 0;
    trials = table;
    if (!INJECT_CAN) {
        puts("SKIP: system calls can be made to fail on x86-64 only");
        return 77;
    }
    roles_begin(argc, argv, roles);
    for (const struct trial *t = table; t->name; t++) {
        need(n < TRIALS_MOST);
        if (t->as_stranger && geteuid() != 0)
            printf("SKIP: %s, only root can be two users\n", t->name);
        else
            tests[n++] = (struct CMUnitTest){t->name, try_all, test_setup, test_teardown,
                                             (void *)(uintptr_t)t};
    }
    int failed = _cmocka_run_group_tests(argv[0], tests, n, NULL, NULL);
    printf("%zu calls, %u runs with a system call of theirs failing, %u of them refused\n", n, total.runs,
           total.refused);
    return failed;
}
