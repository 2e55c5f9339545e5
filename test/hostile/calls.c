/* SPDX-License-Identifier: MIT */
/* Calls, and what they may answer by their words in shmstream.h. */
#include "calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *volatile call_current = "none";

static const int timeouts_ms[] = {0, 0, 0, 1, 2, 5};
static const uint32_t lengths[] = {0, 1, 8, 63, 64, 4095, 4096, 4097, 65535, 65536, 65537, 70000};
static const int64_t offsets[] = {
    0,     1,     64,    4000,         4095,         4096,      4097,      65535,
    65536, 65537, -4096, (int64_t)1 << 40, INT64_MAX, INT64_MIN, -1,        INT32_MAX,
};
static const uint64_t sizes[] = {
    1, 64, 4095, 4096, 4097, 8192, 65535, 65536, 65537, (uint64_t)1 << 40, UINT64_MAX,
};

#define PICK(table, i) (table)[(i) % (sizeof(table) / sizeof(table)[0])]

/* The header's promise that is broken, and the end. */
static _Noreturn void broken(const char *call, const char *what, int64_t number)
{
    fprintf(stderr, "BROKEN PROMISE: %s: %s: %lld\n", call, what, (long long)number);
    abort();
}

/* ---- one function a call: makes it, and says in *ret_ms how long it may take */

static uint64_t owner(const struct actor *a)
{
    return a64_load_relaxed(&a->s->section.member.region.control->cell) & CELL_OWNER;
}

/* How many threads read through this handle, as it has noted itself. */
static unsigned reads(const struct actor *a)
{
    unsigned n = 0;
    for (unsigned i = 0; i < LAYOUT_READERS; i++)
        n += a64_load_relaxed(&a->s->section.readers.by[i]) != 0;
    return n;
}

static int64_t do_lock(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)y;
    struct control *c = a->s->section.member.region.control;
    uint64_t meddlings = a->meddlings ? *a->meddlings : 0;
    bool was_free = a->meddlings && a64_load_relaxed(&c->cell) == 0 &&
                    !(a32_load_relaxed(&c->died) & DIED_OWED);
    *ret_ms = PICK(timeouts_ms, x);
    int rc = shms_stream_lock(a->s, *ret_ms);
    if (!a->meddlings || meddlings != *a->meddlings)
        return rc;
    if (was_free && rc < 0)
        broken("lock", "a free lock was not given", rc);
    if (rc >= 0 && owner(a) != a->s->section.member.id)
        broken("lock", "the cell does not name who was given the lock", (int64_t)owner(a));
    if (rc >= 0 && !a->reads_only && !(a64_load_relaxed(&c->sequence) & 1))
        broken("lock", "the sequence is even inside a section", 0);
    return rc;
}

static int64_t do_lock_shared(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)y;
    uint64_t meddlings = a->meddlings ? *a->meddlings : 0;
    unsigned before = reads(a);
    *ret_ms = PICK(timeouts_ms, x);
    int rc = shms_stream_lock_shared(a->s, *ret_ms);
    if (!a->meddlings || meddlings != *a->meddlings)
        return rc;
    /* Where a peer has taken our entry out, entering again is no more than entering. */
    if (rc >= 0 ? reads(a) == 0 : reads(a) > before)
        broken("lock_shared", "what it answers is not what it has noted", rc);
    if (rc >= 0 && !(a64_load_relaxed(&a->s->section.member.region.control->cell) & CELL_SHARED))
        broken("lock_shared", "no writer would know of this reader", rc);
    return rc;
}

static int64_t do_unlock(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)x, (void)y, (void)ret_ms;
    uint64_t meddlings = a->meddlings ? *a->meddlings : 0;
    bool reading = a->meddlings && reads(a) > 0;
    bool held = a->meddlings && (owner(a) == a->s->section.member.id || reading);
    int rc = shms_stream_unlock(a->s);
    if (!a->meddlings || meddlings != *a->meddlings)
        return rc;
    if (held != (rc == 0))
        broken("unlock", held ? "refused to the holder" : "allowed to another", rc);
    if (rc == 0 && !reading && owner(a) == a->s->section.member.id)
        broken("unlock", "the cell still names who released", 0);
    return rc;
}

/* After a failure the section goes on, but where the journal was damaged: then the next one is told. */
static int64_t do_rollback(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)x, (void)y, (void)ret_ms;
    uint64_t meddlings = a->meddlings ? *a->meddlings : 0;
    uint64_t version = a->meddlings ? a64_load_relaxed(&a->s->section.member.region.control->version) : 0;
    uint64_t cell = a->meddlings ? a64_load_relaxed(&a->s->section.member.region.control->cell) : 0;
    bool held = a->meddlings && owner(a) == a->s->section.member.id;
    bool begun = a->meddlings && a64_load_relaxed(&a->s->section.holder) != 0;
    int rc = shms_stream_rollback(a->s);
    if (!a->meddlings || meddlings != *a->meddlings)
        return rc;
    bool holds = owner(a) == a->s->section.member.id;
    if (!held && rc != SHMS_E_NOT_OWNER)
        broken("rollback", "allowed to another", rc);
    if (held && holds != (rc != 0 && rc != SHMS_E_CORRUPT))
        broken("rollback", holds ? "the lock is still held" : "the lock is gone", rc);
    if (rc == 0 && begun && !(cell & CELL_NOTICE) && !a32_load_relaxed(&a->s->section.changes) &&
        version != a64_load_relaxed(&a->s->section.member.region.control->version))
        broken("rollback", "it told of a change", 0);
    return rc;
}

/* It takes the lock again without a limit: who keeps that from it may do so for ever. */
static int64_t do_wait_locked(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)y;
    uint64_t meddlings = a->meddlings ? *a->meddlings : 0;
    bool held = a->meddlings && owner(a) == a->s->section.member.id;
    *ret_ms = INT32_MAX;
    int rc = shms_stream_wait_locked(a->s, PICK(timeouts_ms, x));
    if (!a->meddlings || meddlings != *a->meddlings)
        return rc;
    if (!held && rc != SHMS_E_NOT_OWNER)
        broken("wait_locked", "allowed to another", rc);
    if ((rc >= 0 || rc == SHMS_E_TIMEOUT) && owner(a) != a->s->section.member.id)
        broken("wait_locked", "the lock is not held", rc);
    return rc;
}

static int64_t do_repaired(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)x, (void)y, (void)ret_ms;
    return shms_stream_repaired(a->s);
}

static int64_t within(const char *call, int64_t rc, int64_t n)
{
    if (rc > n)
        broken(call, "more bytes than were asked for", rc);
    return rc;
}

/* Buffers are exactly as long as the call is told, so that the sanitizer sees one byte more. */
static int64_t do_read(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)y, (void)ret_ms;
    size_t n = PICK(lengths, x);
    void *buf = malloc(n ? n : 1);
    int64_t rc = within("read", shms_stream_read(a->s, n ? buf : NULL, n), (int64_t)n);
    free(buf);
    return rc;
}

static int64_t do_write(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)ret_ms;
    size_t n = PICK(lengths, x);
    void *buf = malloc(n ? n : 1);
    memset(buf, (int)(y & 0xff), n ? n : 1);
    int64_t rc = within("write", shms_stream_write(a->s, buf, n), (int64_t)n);
    free(buf);
    return rc;
}

static int64_t do_pread(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)ret_ms;
    size_t n = PICK(lengths, x);
    void *buf = malloc(n ? n : 1);
    int64_t rc = within("pread", shms_stream_pread(a->s, buf, n, PICK(offsets, y)), (int64_t)n);
    free(buf);
    return rc;
}

static int64_t do_pwrite(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)ret_ms;
    size_t n = PICK(lengths, x);
    void *buf = malloc(n ? n : 1);
    memset(buf, (int)(y & 0xff), n ? n : 1);
    int64_t rc = within("pwrite", shms_stream_pwrite(a->s, buf, n, PICK(offsets, y)), (int64_t)n);
    free(buf);
    return rc;
}

static int64_t do_snapshot(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    size_t n = PICK(lengths, x);
    void *buf = malloc(n ? n : 1);
    *ret_ms = OPEN_TIMEOUT_MS;
    int64_t rc = within("snapshot", shms_stream_snapshot(a->s, buf, n, PICK(offsets, y)), (int64_t)n);
    free(buf);
    return rc;
}

static int64_t do_seek(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)ret_ms;
    static const int whence[] = {SEEK_SET, SEEK_CUR, SEEK_END};
    int64_t rc = shms_stream_seek(a->s, PICK(offsets, x), PICK(whence, y));
    if (rc >= 0 && shms_stream_tell(a->s) != rc)
        broken("seek", "tell says another position", rc);
    return rc;
}

static int64_t do_size(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)x, (void)y, (void)ret_ms;
    uint64_t size = shms_stream_size(a->s);
    if (size > a->s->section.member.region.capacity)
        broken("size", "more than is mapped", (int64_t)size);
    return (int64_t)size;
}

static int64_t do_resize(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)y;
    *ret_ms = OPEN_TIMEOUT_MS;
    int rc = shms_stream_resize(a->s, PICK(sizes, x));
    a->changed_files |= rc == 0 || rc == SHMS_E_OS;
    return rc;
}

static int64_t do_version(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)x, (void)y, (void)ret_ms;
    int64_t rc = shms_stream_version(a->s);
    if (rc > 0 && (rc & 1))
        broken("version", "odd", rc);
    return rc;
}

static int64_t do_wait(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    int64_t seen = y & 1 ? PICK(offsets, y) : shms_stream_version(a->s);
    *ret_ms = PICK(timeouts_ms, x);
    int rc = shms_stream_wait(a->s, &seen, *ret_ms);
    if (rc == 0 && (seen < 0 || (seen & 1)))
        broken("wait", "no version of a finished section", seen);
    return rc;
}

static int64_t do_notify(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)x, (void)y, (void)ret_ms;
    return shms_stream_notify(a->s);
}

static int64_t do_poll_fd(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)x, (void)y, (void)ret_ms;
    return shms_stream_poll_fd(a->s);
}

static int64_t do_info(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)y, (void)ret_ms;
    shms_info info = {.struct_size = x & 1 ? sizeof info : 8 + x % sizeof info};
    int rc = shms_stream_info(a->s, &info);
    if (rc == 0 && info.members > SHMS_MEMBERS_MAX)
        broken("info", "more members than there are slots", info.members);
    return rc;
}

static int count_region(const char *name, const shms_info *info, void *context)
{
    size_t *n = context;
    *n += strlen(name) + info->members;
    return 0;
}

struct told {
    unsigned members, self;
};

static int count_member(const shms_member *m, void *context)
{
    struct told *t = context;
    t->members++;
    t->self += m->self;
    if (m->readers > LAYOUT_READERS)
        broken("members", "more readers than entries", m->readers);
    return t->members > SHMS_MEMBERS_MAX ? 1 : 0;
}

static int64_t do_members(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)x, (void)y, (void)ret_ms;
    struct told t = {0};
    int rc = shms_stream_members(a->s, count_member, &t);
    if (t.members > SHMS_MEMBERS_MAX || t.self > 1)
        broken("members", "more than there can be", t.members);
    return rc;
}

static int64_t do_list(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)a, (void)x, (void)y, (void)ret_ms;
    size_t n = 0;
    return shms_list(count_region, &n);
}

static int64_t do_save(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)y, (void)ret_ms;
    return shms_stream_save(a->s, x & 1 ? "/dev/null" : a->path);
}

static int64_t do_load(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)x, (void)y, (void)ret_ms;
    return shms_stream_load(a->s, a->path);
}

static int64_t do_file(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)ret_ms;
    static const char *const modes[] = {"r", "r+", "w", "a", "a+"};
    static const int whence[] = {SEEK_SET, SEEK_CUR, SEEK_END};
    char some[100] = "some";
    FILE *f = NULL;
    int rc = shms_stream_file(a->s, PICK(modes, x), &f);
    if (rc < 0)
        return rc;
    fseek(f, (long)PICK(offsets, y), PICK(whence, x));
    size_t done = x & 8 ? fwrite(some, 1, sizeof some, f) : fread(some, 1, sizeof some, f);
    fclose(f);
    return done > sizeof some ? -1 : 0;
}

static int fill(shms_stream *s, void *context)
{
    const struct actor *a = context;
    /* What it gives is what open gives. */
    return a->reads_only || shms_stream_pwrite(s, "init", 4, 0) == 4 ? 0 : SHMS_E_OS;
}

/* A second handle of the same region for a moment; or, where this actor has none, its own again. */
static int64_t do_open(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    static const uint64_t asked[] = {0, 1, 4096, 4097, 65536};
    shms_stream_options o = {.struct_size = sizeof o, .open_timeout_ms = OPEN_TIMEOUT_MS};
    o.access = a->reads_only;
    o.max_size = y & 8 && a->name ? 2 * REGION_MOST : 0;
    o.create = y & 16 ? SHMS_OPEN_ONLY : SHMS_CREATE_OR_OPEN;
    o.keep = (y & 96) == 96;
    o.atomic = (y & 5) == 5 && a->name;
    o.tasks = (y & 3) == 3;
    o.init = (y & 130) == 130 ? fill : NULL;
    o.init_context = a;
    o.no_guard = !a->name; /* nobody can take its memory */
    shms_stream *s = NULL;
    *ret_ms = 3 * OPEN_TIMEOUT_MS; /* and waiting for init, and closing it */
    int rc = a->name ? shms_stream_open(a->name, PICK(asked, x), &o, &s) : shms_stream_open_fd(a->fd, &o, &s);
    if (rc < 0)
        return rc;
    if (a->s)
        shms_stream_close(s);
    else
        a->s = s;
    return rc;
}

/* Only an unnamed region is passed on; its second handle lives for a moment. */
static int64_t do_fd(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)y;
    shms_stream_options o = {.struct_size = sizeof o, .open_timeout_ms = OPEN_TIMEOUT_MS, .access = x & 1};
    shms_stream *s = NULL;
    o.no_guard = !a->name;
    *ret_ms = 2 * OPEN_TIMEOUT_MS;
    int fd = shms_stream_fd(a->s);
    int rc = fd < 0 ? fd : shms_stream_open_fd(fd, &o, &s);
    shms_stream_close(s);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int64_t do_close(struct actor *a, unsigned x, unsigned y, int *ret_ms)
{
    (void)x, (void)y;
    *ret_ms = OPEN_TIMEOUT_MS;
    a->changed_files = true;
    shms_stream_close(a->s);
    a->s = NULL;
    return 0;
}

/* ---- the judge */

#define C(code) (1u << -(code))
#define USUAL (C(SHMS_E_INVALID) | C(SHMS_E_DENIED))
#define JOURNAL (C(SHMS_E_NOSPACE) | C(SHMS_E_NOMEM) | C(SHMS_E_LOST))
#define ANY INT64_MAX

/* The call's name, its greatest success, and the failures that shmstream.h names for it. */
static const struct known_call {
    const char *name;
    int64_t (*run)(struct actor *a, unsigned x, unsigned y, int *ret_ms);
    int64_t most;
    uint32_t codes;
} calls[] = {
    {"lock", do_lock, SHMS_OWNER_DIED,
     USUAL | C(SHMS_E_TIMEOUT) | C(SHMS_E_DEADLOCK) | C(SHMS_E_NOMEM) | C(SHMS_E_LOST) | C(SHMS_E_OS)},
    {"lock_shared", do_lock_shared, SHMS_OWNER_DIED,
     USUAL | C(SHMS_E_TIMEOUT) | C(SHMS_E_DEADLOCK) | C(SHMS_E_FULL)},
    {"unlock", do_unlock, 0, USUAL | C(SHMS_E_NOT_OWNER)},
    {"rollback", do_rollback, 0, USUAL | C(SHMS_E_NOT_OWNER) | C(SHMS_E_UNSUPPORTED) | C(SHMS_E_NOMEM) |
                                     C(SHMS_E_LOST) | C(SHMS_E_OS) | C(SHMS_E_CORRUPT)},
    {"wait_locked", do_wait_locked, SHMS_OWNER_DIED, USUAL | C(SHMS_E_NOT_OWNER) | C(SHMS_E_TIMEOUT) |
                                                         C(SHMS_E_NOMEM) | C(SHMS_E_LOST) | C(SHMS_E_OS)},
    {"repaired", do_repaired, 0, USUAL | C(SHMS_E_NOT_OWNER)},
    {"read", do_read, ANY, C(SHMS_E_INVALID)},
    {"write", do_write, ANY, C(SHMS_E_INVALID) | C(SHMS_E_RANGE) | C(SHMS_E_READ_ONLY) | JOURNAL},
    {"pread", do_pread, ANY, C(SHMS_E_INVALID) | C(SHMS_E_RANGE)},
    {"pwrite", do_pwrite, ANY, C(SHMS_E_INVALID) | C(SHMS_E_RANGE) | C(SHMS_E_READ_ONLY) | JOURNAL},
    {"snapshot", do_snapshot, ANY,
     USUAL | C(SHMS_E_RANGE) | C(SHMS_E_TIMEOUT) | C(SHMS_E_CORRUPT) | C(SHMS_E_FULL)},
    {"seek", do_seek, ANY, C(SHMS_E_INVALID) | C(SHMS_E_RANGE)},
    {"size", do_size, ANY, 0},
    {"resize", do_resize, 0, USUAL | C(SHMS_E_NOT_OWNER) | C(SHMS_E_RANGE) | C(SHMS_E_NOSPACE) |
                                 C(SHMS_E_READ_ONLY) | C(SHMS_E_LOST) | C(SHMS_E_TIMEOUT) | C(SHMS_E_OS) |
                                 C(SHMS_E_NOMEM)},
    {"version", do_version, ANY, USUAL},
    {"wait", do_wait, 0, USUAL | C(SHMS_E_TIMEOUT)},
    {"notify", do_notify, 0, USUAL | C(SHMS_E_READ_ONLY)},
    {"poll_fd", do_poll_fd, ANY, USUAL | C(SHMS_E_OS)},
    {"info", do_info, 0, USUAL | C(SHMS_E_OS)},
    {"members", do_members, 0, USUAL | C(SHMS_E_LOST) | C(SHMS_E_NOMEM) | C(SHMS_E_OS)},
    {"list", do_list, 0, C(SHMS_E_INVALID) | C(SHMS_E_NOMEM) | C(SHMS_E_OS)},
    {"save", do_save, ANY, USUAL | C(SHMS_E_NOT_FOUND) | C(SHMS_E_NOSPACE) | C(SHMS_E_OS)},
    {"load", do_load, ANY, USUAL | C(SHMS_E_RANGE) | C(SHMS_E_READ_ONLY) | C(SHMS_E_NOT_FOUND) |
                               C(SHMS_E_OS) | JOURNAL},
    {"file", do_file, 0, C(SHMS_E_INVALID) | C(SHMS_E_READ_ONLY) | C(SHMS_E_NOMEM)},
    {"open", do_open, 0, USUAL | C(SHMS_E_NOT_FOUND) | C(SHMS_E_EXISTS) | C(SHMS_E_SIZE) | C(SHMS_E_FORMAT) |
                             C(SHMS_E_CORRUPT) | C(SHMS_E_LOST) | C(SHMS_E_FULL) | C(SHMS_E_NOSPACE) |
                             C(SHMS_E_NOMEM) | C(SHMS_E_TIMEOUT) | C(SHMS_E_OS) | C(SHMS_E_KIND) |
                             C(SHMS_E_UNSUPPORTED)},
    {"fd", do_fd, 0, USUAL | C(SHMS_E_UNSUPPORTED) | C(SHMS_E_FORMAT) | C(SHMS_E_CORRUPT) | C(SHMS_E_FULL) |
                         C(SHMS_E_NOMEM) | C(SHMS_E_TIMEOUT) | C(SHMS_E_LOST) | C(SHMS_E_OS) |
                         C(SHMS_E_KIND)},
    {"close", do_close, 0, 0},
};
const unsigned call_count = sizeof calls / sizeof calls[0];

const char *call_name(unsigned which)
{
    return calls[which % call_count].name;
}

void call_run(struct actor *a, unsigned which, unsigned x, unsigned y)
{
    const struct known_call *k = &calls[which % call_count];
    if (!a->s && k->run != do_open && k->run != do_list)
        return;
    call_current = k->name;
    int timeout_ms = 0;
    int64_t began = a->now_ns();
    int64_t rc = k->run(a, x, y, &timeout_ms);
    int64_t late = a->now_ns() - began - (int64_t)timeout_ms * 1000000;
    call_current = "none";
    a->calls++;
    if (rc > k->most || (rc < 0 && (rc < -31 || !(k->codes >> -rc & 1))))
        broken(k->name, "answers what its words do not name", rc);
    if (late > a->slack_ns)
        broken(k->name, "late, by nanoseconds", late);
}
