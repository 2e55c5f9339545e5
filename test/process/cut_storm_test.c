/* SPDX-License-Identifier: MIT */
/*
 * Processes that truncate the files of three regions, make holes in them and fill /dev/shm, for CUT_S (3)
 * seconds, beside processes that use all there is of these regions, and of one that is let alone. No call
 * crashes, hangs, or gives a code that the header does not name; a handle that is lost stays so, and the
 * others work on; afterwards each name can be removed and made anew, and nothing is left.
 * ctest: timeout=300
 */
#include "roles.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define USERS 3
#define CUTTERS 2
#define REGIONS 4
#define ALONE 3 /* the region that nobody cuts */
#define ROUND_MS 1500u
#define LARGEST 100000u
#define SMALLEST 16u
#define OURS 0x50 /* the high half of all bytes that users write */
#define MAPPINGS_MORE 64 /* those of threads' stacks and heaps come and go */

static bool own_shm; /* which can be filled without harm to others, and counted */

/* ---- who uses the regions */

#define MAY(code) (1u << -(code))
/* What a child's first call may give, too. */
#define JOINING                                                                                             \
    (MAY(SHMS_E_FULL) | MAY(SHMS_E_TIMEOUT) | MAY(SHMS_E_NOMEM) | MAY(SHMS_E_OS))

struct user {
    shms_stream *s;
    const char *file; /* to save to */
    unsigned seed;
    bool plain; /* nothing is ever undone there: of a cut journal that brings anything back */
    bool reads;
    bool child;
    int64_t began;
};

static atomic_uint calls, losses, anew;

static int64_t judge(struct user *u, const char *call, int64_t rc, unsigned may)
{
    calls++;
    may |= u->child ? JOINING : 0;
    bool named = rc >= 0 || (rc >= SHMS_E_CLOSED && ((may | MAY(SHMS_E_LOST)) & MAY(rc)));
    if (!named || now_ms() - u->began >= BOUND_MS) {
        fprintf(stderr, "%s: %lld (errno %d) after %d ms\n", call, (long long)rc, shms_last_oserror(),
                (int)(now_ms() - u->began));
        _exit(1);
    }
    return rc;
}

#define CALL(expression, may) \
    judge(u, #expression, (u->began = now_ms(), (int64_t)(expression)), (may))

static unsigned any(struct user *u, unsigned n)
{
    return (unsigned)rand_r(&u->seed) % n;
}

/* What users wrote, or zeros. */
static void check_bytes(const struct user *u, const unsigned char *bytes, int64_t n)
{
    for (int64_t i = 0; i < n && u->plain; i++)
        need(bytes[i] == 0 || (bytes[i] & 0xf0) == OURS);
}

static void write_and_read(struct user *u, unsigned what)
{
    const unsigned writing = MAY(SHMS_E_RANGE) | MAY(SHMS_E_READ_ONLY) | MAY(SHMS_E_NOSPACE) |
                             MAY(SHMS_E_NOMEM) | MAY(SHMS_E_OS);
    static _Thread_local unsigned char bytes[20000];
    size_t n = any(u, 2) ? any(u, 64) : any(u, sizeof bytes);
    int64_t offset = any(u, LARGEST);
    memset(bytes, OURS + (int)any(u, 16), sizeof bytes);
    switch (what) {
    case 0: CALL(shms_stream_write(u->s, bytes, n), writing); break;
    case 1: CALL(shms_stream_pwrite(u->s, bytes, n, offset), writing); break;
    case 2: CALL(shms_stream_seek(u->s, offset, SEEK_SET), MAY(SHMS_E_RANGE)); break;
    case 3: check_bytes(u, bytes, CALL(shms_stream_read(u->s, bytes, n), 0)); break;
    default: check_bytes(u, bytes, CALL(shms_stream_pread(u->s, bytes, n, offset), 0));
    }
}

/* By the pointer, which needs no call at all. */
static void touch(struct user *u, bool writes)
{
    volatile unsigned char *memory = shms_stream_memory(u->s);
    uint64_t size = shms_stream_size(u->s);
    unsigned char c = OURS;
    if (size == 0)
        return;
    uint64_t at = any(u, LARGEST) % size;
    if (writes)
        memory[at] = OURS + 1;
    else
        c = memory[at];
    check_bytes(u, &c, 1);
}

static void files(struct user *u)
{
    const unsigned filing = MAY(SHMS_E_NOT_FOUND) | MAY(SHMS_E_NOSPACE) | MAY(SHMS_E_NOMEM) | MAY(SHMS_E_OS);
    FILE *f = NULL;
    if (any(u, 2))
        CALL(shms_stream_save(u->s, u->file), filing);
    else
        CALL(shms_stream_load(u->s, u->file), filing | MAY(SHMS_E_READ_ONLY) | MAY(SHMS_E_RANGE));
    if (any(u, 2) && CALL(shms_stream_file(u->s, "r", &f), MAY(SHMS_E_NOMEM)) == 0) {
        fgetc(f);
        fclose(f);
    }
}

static void unlock(struct user *u)
{
    CALL(shms_stream_unlock(u->s), MAY(SHMS_E_NOT_OWNER)); /* a hole is a free lock */
}

static void be_in_a_section(struct user *u)
{
    const unsigned locking = MAY(SHMS_E_TIMEOUT) | MAY(SHMS_E_DEADLOCK) | MAY(SHMS_E_NOMEM) | MAY(SHMS_E_OS);
    static const int times[] = {0, 5, 50, -1};
    int64_t rc = CALL(shms_stream_lock(u->s, times[any(u, 4)]), locking);
    if (rc < 0)
        return;
    if (rc == SHMS_OWNER_DIED)
        CALL(shms_stream_repaired(u->s), MAY(SHMS_E_NOT_OWNER));
    for (unsigned n = any(u, 4); n > 0; n--)
        write_and_read(u, any(u, 5));
    if (any(u, 3) == 0)
        CALL(shms_stream_resize(u->s, SMALLEST + any(u, LARGEST - SMALLEST)),
             MAY(SHMS_E_NOT_OWNER) | MAY(SHMS_E_RANGE) | MAY(SHMS_E_NOSPACE) | MAY(SHMS_E_READ_ONLY) |
                 MAY(SHMS_E_TIMEOUT) | MAY(SHMS_E_NOMEM) | MAY(SHMS_E_OS));
    if (any(u, 8) == 0)
        files(u);
    unlock(u);
}

static void be_a_reader(struct user *u)
{
    const unsigned locking = MAY(SHMS_E_TIMEOUT) | MAY(SHMS_E_DEADLOCK) | MAY(SHMS_E_FULL) |
                             MAY(SHMS_E_NOMEM) | MAY(SHMS_E_OS);
    if (CALL(shms_stream_lock_shared(u->s, any(u, 2) ? 20 : -1), locking) < 0)
        return;
    write_and_read(u, 4);
    unlock(u);
}

static int see(const char *name, const shms_info *info, void *context)
{
    (void)name, (void)info, (void)context;
    return 0;
}

static void look_around(struct user *u)
{
    const unsigned looking = MAY(SHMS_E_NOMEM) | MAY(SHMS_E_OS);
    static _Thread_local unsigned char bytes[5000];
    int64_t seen = any(u, 2) ? 0 : CALL(shms_stream_version(u->s), 0);
    shms_info info = {.struct_size = sizeof info};
    switch (any(u, 6)) {
    case 0: CALL(shms_stream_info(u->s, &info), looking); break;
    case 1: CALL(shms_stream_wait(u->s, &seen, (int)any(u, 3)), MAY(SHMS_E_TIMEOUT)); break;
    case 2: CALL(shms_stream_notify(u->s), MAY(SHMS_E_TIMEOUT) | MAY(SHMS_E_READ_ONLY)); break;
    case 3: CALL(shms_stream_poll_fd(u->s), looking); break;
    case 4: CALL(shms_list(see, NULL), looking); break;
    default:
        check_bytes(u, bytes, CALL(shms_stream_snapshot(u->s, bytes, sizeof bytes, any(u, LARGEST)),
                                   MAY(SHMS_E_TIMEOUT) | MAY(SHMS_E_CORRUPT) | MAY(SHMS_E_FULL) | looking));
    }
}

/* For good, and nothing else is to be had. */
static void be_lost(struct user *u)
{
    char c;
    losses++;
    need(shms_stream_lock(u->s, 0) == SHMS_E_LOST && shms_stream_lock(u->s, -1) == SHMS_E_LOST);
    need(shms_stream_lock_shared(u->s, -1) == SHMS_E_LOST && shms_stream_unlock(u->s) == SHMS_E_LOST);
    need(shms_stream_pread(u->s, &c, 1, 0) == SHMS_E_LOST && shms_stream_size(u->s) == 0);
    need(shms_stream_snapshot(u->s, &c, 1, 0) == SHMS_E_LOST);
}

/* A few calls, or until the handle is lost. */
static void *use(void *user)
{
    struct user *u = user;
    for (unsigned n = 1 + any(u, 30); n > 0; n--) {
        switch (any(u, 6)) {
        case 0: be_in_a_section(u); break;
        case 1: be_a_reader(u); break;
        case 2: look_around(u); break;
        case 3: touch(u, !u->reads && any(u, 2)); break;
        case 4: files(u); break;
        default: write_and_read(u, any(u, 5));
        }
        if (CALL(shms_stream_version(u->s), 0) == SHMS_E_LOST) {
            be_lost(u);
            break;
        }
    }
    return NULL;
}

static pid_t have_a_child(struct user *u)
{
    pid_t pid = fork();
    need(pid >= 0);
    if (pid > 0)
        return pid;
    bounded();
    u->child = true;
    use(u);
    shms_stream_close(u->s);
    _exit(0);
}

static void use_in_two_threads(struct user *u)
{
    pthread_t thread;
    struct user other = *u;
    other.seed = (unsigned)rand_r(&u->seed);
    need(pthread_create(&thread, NULL, use, &other) == 0);
    use(u);
    need(pthread_join(thread, NULL) == 0);
}

static void visit(struct user *u, char *name, unsigned which)
{
    const unsigned opening = MAY(SHMS_E_SIZE) | MAY(SHMS_E_FORMAT) | MAY(SHMS_E_CORRUPT) |
                             MAY(SHMS_E_NOSPACE) | MAY(SHMS_E_NOMEM) | MAY(SHMS_E_TIMEOUT) |
                             MAY(SHMS_E_UNSUPPORTED); /* a hole where it said that it is atomic */
    shms_stream_options o = {.struct_size = sizeof o, .max_size = LARGEST};
    u->reads = any(u, 4) == 0;
    o.access = u->reads ? SHMS_ACCESS_READ : SHMS_ACCESS_READ_WRITE;
    o.no_bell = any(u, 4) == 0;
    o.atomic = which > 0;
    o.keep = which == 2;
    u->plain = which == 0;
    u->s = NULL;
    int64_t rc = CALL(shms_stream_open(name, SMALLEST, &o, &u->s), opening);
    if (rc < 0 && rc != SHMS_E_NOSPACE) {
        anew++; /* by the next one */
        CALL(shms_stream_unlink(name), MAY(SHMS_E_NOT_FOUND) | MAY(SHMS_E_TIMEOUT));
    }
    if (rc < 0)
        return;
    pid_t child = any(u, 16) == 0 ? have_a_child(u) : 0;
    if (any(u, 4) == 0)
        use_in_two_threads(u);
    else
        use(u);
    if (any(u, 8) == 0)
        rc = shms_stream_lock(u->s, 0); /* and so it is closed, if it was got */
    shms_stream_close(u->s); /* what is lost may still hold the lock, for which the child waits */
    int status = 0;
    need(child == 0 || (waitpid(child, &status, 0) == child && status == 0));
}

/* What happens to the other regions is no matter here. */
static void take_a_turn(shms_stream *s)
{
    volatile uint64_t *turns = shms_stream_memory(s);
    need(shms_stream_lock(s, BOUND_MS) == 0);
    need(turns[0] == turns[1]);
    turns[0] = turns[0] + 1;
    turns[1] = turns[1] + 1;
    need(shms_stream_unlock(s) == 0);
}

static unsigned all_mappings(void)
{
    unsigned n = 0;
    FILE *f = fopen("/proc/self/maps", "re");
    need(f != NULL);
    for (int c; (c = fgetc(f)) != EOF;)
        n += c == '\n';
    fclose(f);
    return n;
}

/* user SEED FILE NAME... */
static int user(int argc, char **argv)
{
    need(argc == 3 + REGIONS);
    struct user u = {.seed = (unsigned)atoi(argv[1]), .file = argv[2]};
    int64_t end = now_ms() + ROUND_MS;
    shms_stream *alone = NULL;
    need(shms_stream_open(argv[3 + ALONE], SMALLEST, NULL, &alone) == 0);
    unsigned descriptors = open_descriptors(0), mappings = region_mappings(0), all = all_mappings();
    while (now_ms() < end) {
        unsigned which = any(&u, ALONE);
        visit(&u, argv[3 + which], which);
        take_a_turn(alone);
    }
    need(open_descriptors(0) == descriptors);
    need(region_mappings(0) == mappings);
    need(SANITIZED || all_mappings() < all + MAPPINGS_MORE);
    shms_stream_close(alone);
    say("%u %u %u", calls, losses, anew);
    return 0;
}

/* ---- who takes memory away */

static off_t some_length(unsigned *seed)
{
    static const off_t lengths[] = {0,     1,     100,   130,   4095,  4096,   4097,   8192,
                                    12288, 16384, 20479, 20480, 65536, 65600,  69632,  100000,
                                    131072, 1 << 30, (off_t)1 << 45, (off_t)1 << 62};
    unsigned n = sizeof lengths / sizeof *lengths;
    return rand_r(seed) % 3 ? lengths[(unsigned)rand_r(seed) % n] : rand_r(seed) % 150000;
}

/* Those that leave the length alone, and those that tmpfs may or may not have. */
static void make_a_hole(int fd, unsigned *seed)
{
    static const int modes[] = {FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_COLLAPSE_RANGE,
                                FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
                                FALLOC_FL_INSERT_RANGE};
    int mode = modes[rand_r(seed) % 2 ? 0 : rand_r(seed) % 5];
    off_t page = 4096, from = rand_r(seed) % 30 * page, n = (1 + rand_r(seed) % 6) * page;
    if (rand_r(seed) % 4 == 0)
        from += rand_r(seed) % 100;
    need(fallocate(fd, mode, from, n) == 0 || errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSPC);
}

/* All that is free, or nothing. */
static void fill_memory(int fd, bool full)
{
    struct statvfs v;
    if (!own_shm || fd < 0)
        return;
    need(ftruncate(fd, 0) == 0 && statvfs("/dev/shm", &v) == 0);
    if (full && v.f_bfree > 0)
        need(fallocate(fd, 0, 0, (off_t)(v.f_bfree * v.f_frsize)) == 0 || errno == ENOSPC);
}

/* cutter SEED HOW NAME...: "cuts" or "punches" */
static int cutter(int argc, char **argv)
{
    need(argc == 3 + REGIONS);
    unsigned seed = (unsigned)atoi(argv[1]), done = 0;
    bool punches = strcmp(argv[2], "punches") == 0;
    int64_t end = now_ms() + ROUND_MS;
    own_shm = getenv("CUT_OWN_SHM") != NULL;
    int filler = own_shm ? open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -1;
    while (now_ms() < end) {
        char path[160];
        for (int n = rand_r(&seed) % 12; n > 0; n--)
            rest();
        region_path(argv[3 + rand_r(&seed) % ALONE], rand_r(&seed) % 2 ? "ctl" : "data", path, sizeof path);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
            continue;
        if (punches)
            make_a_hole(fd, &seed);
        else
            need(ftruncate(fd, some_length(&seed)) == 0);
        close(fd);
        done++;
        if (punches && rand_r(&seed) % 8 == 0)
            fill_memory(filler, rand_r(&seed) % 2);
    }
    say("%u", done);
    return 0;
}

/* ---- the test */

struct counts {
    unsigned calls, losses, anew, cuts;
};

static void one_round(unsigned seed, const char *const *names, const char *file, struct counts *c)
{
    struct proc users[USERS], cutters[CUTTERS];
    char text[16], line[64];
    for (unsigned i = 0; i < USERS; i++) {
        snprintf(text, sizeof text, "%u", seed + i);
        users[i] = start("user", text, file, names[0], names[1], names[2], names[3], NULL);
    }
    for (unsigned i = 0; i < CUTTERS; i++) {
        snprintf(text, sizeof text, "%u", seed + USERS + i);
        cutters[i] = start("cutter", text, i % 2 ? "punches" : "cuts", names[0], names[1], names[2], names[3],
                           NULL);
    }
    for (unsigned i = 0; i < CUTTERS; i++) {
        c->cuts += (unsigned)answer(&cutters[i]);
        finish(&cutters[i]);
    }
    for (unsigned i = 0; i < USERS; i++) {
        unsigned n[3];
        read_line(&users[i], line, sizeof line);
        assert_int_equal(sscanf(line, "%u %u %u", &n[0], &n[1], &n[2]), 3);
        finish(&users[i]);
        c->calls += n[0], c->losses += n[1], c->anew += n[2];
    }
}

/* By a name that is free, whatever was behind it. */
static void make_anew(const char *name)
{
    char byte = 1;
    shms_stream *s = NULL;
    int rc = shms_stream_unlink(name);
    assert_true(rc == 0 || rc == SHMS_E_NOT_FOUND);
    assert_int_equal(shms_stream_open(name, LARGEST, NULL, &s), 0);
    assert_int_equal(shms_stream_existed(s), 0);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_pread(s, &byte, 1, LARGEST - 1), 1);
    assert_int_equal(byte, 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(info_of(s).members, 1);
    shms_stream_close(s);
    assert_gone(name);
}

static void test_cuts(void **state)
{
    (void)state;
    unsigned rounds = (count_from("CUT_S", 3) * 1000 + ROUND_MS - 1) / ROUND_MS, seed = count_from("SEED", 1);
    char names[REGIONS][64], file[100];
    const char *const all[] = {names[0], names[1], names[2], names[3]};
    struct counts c = {0};
    for (unsigned i = 0; i < REGIONS; i++)
        snprintf(names[i], sizeof names[i], "%s", fresh_name());
    snprintf(file, sizeof file, "/dev/shm/%s.saved", names[0]);
    shms_stream *alone = open_here(names[ALONE], SMALLEST);
    struct used before = memory_used();
    for (unsigned i = 0; i < rounds; i++) {
        one_round(seed + 100 * i, all, file, &c);
        unlink(file);
        for (unsigned k = 0; k < ALONE; k++)
            make_anew(names[k]);
        struct used after = memory_used();
        assert_true(!own_shm || after.blocks == before.blocks);
        assert_true(!own_shm || after.inodes == before.inodes);
    }
    assert_int_equal(info_of(alone).members, 1);
    shms_stream_close(alone);
    assert_gone(names[ALONE]);
    printf("%u cuts and holes, %u calls, %u handles lost, %u regions made anew%s\n", c.cuts, c.calls,
           c.losses, c.anew, own_shm ? "; nothing is left, no inode and no byte" : "");
    assert_true(c.losses > 0 && c.anew > 0);
}

int main(int argc, char **argv)
{
    static const struct role roles[] = {{"user", user}, {"cutter", cutter}, {NULL, NULL}};
    const struct CMUnitTest tests[] = {process_test(test_cuts)};
    roles_begin(argc, argv, roles);
    own_shm = have_own_shm("mode=1777,size=8m");
    if (own_shm)
        setenv("CUT_OWN_SHM", "1", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
