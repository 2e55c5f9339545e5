/* SPDX-License-Identifier: MIT */
/* Streams: arguments checked, and the calls handed to the rooms below. */
#include "stream.h"

#include "list.h"
#include "unnamed.h"

/* ---- open and close */

int shms_stream_open(const char *name, uint64_t size, const shms_stream_options *options, shms_stream **ret)
{
    const struct handle_request q = {.name = name, .size = size, .fd = -1, .options = options};
    struct member *m = NULL;
    if (!ret)
        return shms__fail(SHMS_E_INVALID);
    int rc = shms__handle_open(&q, sizeof **ret, &m);
    if (rc == 0)
        *ret = (shms_stream *)(void *)m;
    return rc;
}

int shms_stream_open_fd(int fd, const shms_stream_options *options, shms_stream **ret)
{
    const struct handle_request q = {.fd = fd, .options = options};
    struct member *m = NULL;
    if (!ret || fd < 0)
        return shms__fail(SHMS_E_INVALID);
    int rc = shms__handle_open(&q, sizeof **ret, &m);
    if (rc == 0)
        *ret = (shms_stream *)(void *)m;
    return rc;
}

int shms_stream_fd(shms_stream *s)
{
    if (!s)
        return shms__fail(SHMS_E_INVALID);
    struct region *r = &s->member.region;
    if (!r->unnamed)
        return shms__fail(SHMS_E_UNSUPPORTED);
    int rc = shms__stream_enter_data(s);
    if (rc < 0)
        return rc;
    int fd = -1;
    rc = shms__unnamed_pass(r, &fd);
    return rc < 0 ? rc : fd;
}

void shms_stream_close(shms_stream *s)
{
    if (s)
        shms__handle_close(&s->member);
}

int shms_stream_unlink(const char *name)
{
    return shms__handle_unlink(name);
}

/* ---- what a handle is */

void *shms_stream_memory(shms_stream *s)
{
    return s ? s->member.region.data : NULL;
}

uint64_t shms_stream_size(shms_stream *s)
{
    return s && shms__stream_enter_data(s) == 0 ? shms__region_size(&s->member.region) : 0;
}

int shms_stream_existed(shms_stream *s)
{
    return s && s->member.region.existed;
}

int shms_stream_info(shms_stream *s, shms_info *info)
{
    if (!s || !info || info->struct_size < 8)
        return shms__fail(SHMS_E_INVALID);
    int rc = shms__member_enter(&s->member);
    return rc < 0 ? rc : shms__info(&s->member, info);
}

int shms_stream_resize(shms_stream *s, uint64_t size)
{
    if (!s || size == 0)
        return shms__fail(SHMS_E_INVALID);
    struct region *r = &s->member.region;
    if (!r->writable)
        return shms__fail(SHMS_E_READ_ONLY);
    int rc = shms__member_enter(&s->member);
    if (rc < 0)
        return rc;
    if (!shms__lock_held(&s->member))
        return shms__fail(SHMS_E_NOT_OWNER);
    if (size > r->capacity)
        return shms__fail(SHMS_E_RANGE);
    uint64_t precious = 0;
    if (s->member.id & CELL_ATOMIC)
        rc = shms__journal_resize(&s->member, size, &precious);
    return rc < 0 ? rc : (int)shms__member_done(&s->member, shms__region_resize(r, size, precious));
}

/* ---- lock */

static int enter(shms_stream *s)
{
    return s ? shms__member_enter(&s->member) : shms__fail(SHMS_E_INVALID);
}

/* A handle that lives in this process and takes part: all but the first call of a child of fork. */
static inline bool as_usual(const shms_stream *s)
{
    return s && shms__member_here(&s->member);
}

/* What the two hot calls do when not all is as usual; apart, so that those need no stack frame. */
static __attribute__((noinline, cold)) int lock_first(shms_stream *s, int timeout_ms)
{
    int rc = timeout_ms < -1 ? shms__fail(SHMS_E_INVALID) : enter(s);
    return rc < 0 ? rc : shms__lock(&s->member, timeout_ms, s->member.region.writable);
}

static __attribute__((noinline, cold)) int unlock_first(shms_stream *s)
{
    int rc = enter(s);
    if (rc < 0)
        return rc;
    struct member *m = &s->member;
    /* A thread of this handle that waits for readers has the cell, too, but no section to give back yet.
     * relaxed: private; whoever may release the lock knows that it was taken */
    bool reads = shms__reads_here(m) || a64_load_relaxed(&m->holder) == 0;
    rc = reads ? shms__unlock_shared(m) : shms__unlock_wake(m, m->region.writable);
    if (rc == SHMS_E_NOT_OWNER)
        rc = reads ? shms__unlock_wake(m, m->region.writable) : shms__unlock_shared(m);
    return (int)shms__member_done(m, rc);
}

int shms_stream_lock(shms_stream *s, int timeout_ms)
{
    if (!as_usual(s) || timeout_ms < -1)
        return lock_first(s, timeout_ms);
    return shms__lock(&s->member, timeout_ms, s->member.region.writable);
}

int shms_stream_unlock(shms_stream *s)
{
    if (!as_usual(s))
        return unlock_first(s);
    if (shms__unlock_quick(&s->member, s->member.region.writable))
        return 0;
    return shms__reads_first(&s->member) ? shms__reader_leave(&s->member, 0) : unlock_first(s);
}

static __attribute__((noinline, cold)) int lock_shared_first(shms_stream *s, int timeout_ms)
{
    int rc = timeout_ms < -1 ? shms__fail(SHMS_E_INVALID) : enter(s);
    return rc < 0 ? rc : shms__lock_shared(&s->member, timeout_ms);
}

int shms_stream_lock_shared(shms_stream *s, int timeout_ms)
{
    if (!as_usual(s) || timeout_ms < -1)
        return lock_shared_first(s, timeout_ms);
    return shms__lock_shared(&s->member, timeout_ms);
}

int shms_stream_repaired(shms_stream *s)
{
    int rc = enter(s);
    return rc < 0 ? rc : (int)shms__member_done(&s->member, shms__repaired(&s->member));
}

/* ---- version */

static __attribute__((noinline, cold)) int64_t snapshot_first(shms_stream *s, void *buf, size_t n,
                                                              int64_t offset)
{
    if (!s || (!buf && n > 0) || n > PTRDIFF_MAX)
        return shms__fail(SHMS_E_INVALID);
    if (offset < 0)
        return shms__fail(SHMS_E_RANGE);
    int rc = enter(s);
    if (rc < 0)
        return rc;
    return shms__member_done(&s->member, shms__snapshot_again(&s->member, buf, n, (uint64_t)offset));
}

int64_t shms_stream_snapshot(shms_stream *s, void *buf, size_t n, int64_t offset)
{
    /* one test for two: neither has its highest bit set */
    if (as_usual(s) && buf && ((uint64_t)n | (uint64_t)offset) <= INT64_MAX &&
        shms__snapshot_whole(&s->member, buf, n, (uint64_t)offset))
        return (int64_t)n;
    return snapshot_first(s, buf, n, offset);
}

int64_t shms_stream_version(shms_stream *s)
{
    int rc = enter(s);
    return rc < 0 ? rc : shms__member_done(&s->member, shms__version(&s->member));
}

int shms_stream_wait(shms_stream *s, int64_t *seen, int timeout_ms)
{
    int rc = !seen || timeout_ms < -1 ? shms__fail(SHMS_E_INVALID) : enter(s);
    return rc < 0 ? rc : (int)shms__member_done(&s->member, shms__wait(&s->member, seen, timeout_ms));
}

int shms_stream_notify(shms_stream *s)
{
    int rc = enter(s);
    if (rc == 0 && !s->member.region.writable)
        rc = shms__fail(SHMS_E_READ_ONLY);
    return rc < 0 ? rc : (int)shms__member_done(&s->member, shms__notify(&s->member));
}

int shms_stream_poll_fd(shms_stream *s)
{
    int fd = -1;
    int rc = enter(s);
    if (rc == 0 && s->member.region.frozen) /* ringing is a write, which it has forbidden itself, too */
        rc = shms__fail(SHMS_E_UNSUPPORTED);
    if (rc == 0)
        rc = shms__poll_open(&s->member, &fd);
    return rc < 0 ? rc : fd;
}
