/* SPDX-License-Identifier: MIT */
/* Streams: arguments checked, and the calls handed to the rooms below. */
#include "stream.h"

#include "list.h"
#include "unnamed.h"

/* ---- open and close */

static int call_init(struct section *s, const shms_stream_options *o)
{
    return o->init((shms_stream *)(void *)s, o->init_context);
}

static int open_stream(struct handle_request *h, shms_stream **ret)
{
    struct section *s = NULL;
    h->kind = KIND_STREAM;
    h->init = call_init;
    int rc = shms__handle_open(h, sizeof **ret, &s);
    if (rc == 0)
        *ret = (shms_stream *)(void *)s;
    return rc;
}

int shms_stream_open(const char *name, uint64_t size, const shms_stream_options *options, shms_stream **ret)
{
    struct handle_request h = {.name = name, .size = size, .fd = -1, .options = options};
    return ret ? open_stream(&h, ret) : shms__fail(SHMS_E_INVALID);
}

int shms_stream_open_fd(int fd, const shms_stream_options *options, shms_stream **ret)
{
    struct handle_request h = {.fd = fd, .options = options};
    return ret && fd >= 0 ? open_stream(&h, ret) : shms__fail(SHMS_E_INVALID);
}

int shms_stream_fd(shms_stream *s)
{
    if (!s)
        return shms__fail(SHMS_E_INVALID);
    struct region *r = &s->section.member.region;
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
        shms__handle_close(&s->section);
}

int shms_stream_unlink(const char *name)
{
    return shms__handle_unlink(name);
}

/* ---- what a handle is */

void *shms_stream_memory(shms_stream *s)
{
    if (!s)
        return NULL;
    if (s->section.member.region.writable)
        a32_store_relaxed(&s->section.pointer, CHANGES_POINTER); /* relaxed: private */
    return s->section.member.region.data;
}

uint64_t shms_stream_size(shms_stream *s)
{
    return s && shms__stream_enter_data(s) == 0 ? shms__region_size(&s->section.member.region) : 0;
}

int shms_stream_existed(shms_stream *s)
{
    return s && s->section.member.region.existed;
}

int shms_stream_info(shms_stream *s, shms_info *info)
{
    if (!s || !info || info->struct_size < 8)
        return shms__fail(SHMS_E_INVALID);
    int rc = shms__member_enter(&s->section.member);
    return rc < 0 ? rc : shms__info(&s->section.member, info);
}

int shms_stream_members(shms_stream *s, shms_members_fn *callback, void *context)
{
    if (!s || !callback)
        return shms__fail(SHMS_E_INVALID);
    int rc = shms__member_enter(&s->section.member);
    return rc < 0 ? rc : shms__members(&s->section.member, callback, context);
}

int shms_stream_resize(shms_stream *s, uint64_t size)
{
    if (!s || size == 0)
        return shms__fail(SHMS_E_INVALID);
    struct member *m = &s->section.member;
    if (!m->region.writable)
        return shms__fail(SHMS_E_READ_ONLY);
    int rc = shms__member_enter(m);
    if (rc < 0)
        return rc;
    if (!shms__lock_held(&s->section))
        return shms__fail(SHMS_E_NOT_OWNER);
    if (size > m->region.capacity)
        return shms__fail(SHMS_E_RANGE);
    uint64_t precious = 0;
    rc = shms__section_resize(&s->section, size, &precious);
    return rc < 0 ? rc : (int)shms__member_done(m, shms__region_resize(&m->region, size, precious));
}

/* ---- lock */

static int enter(shms_stream *s)
{
    return s ? shms__member_enter(&s->section.member) : shms__fail(SHMS_E_INVALID);
}

/* A handle that lives in this process and takes part: all but the first call of a child of fork. */
static inline bool as_usual(const shms_stream *s)
{
    return s && shms__member_here(&s->section.member);
}

/* The same for a call that may wait: what a child's first call takes to join is taken from its time. */
static int enter_within(shms_stream *s, int *timeout_ms)
{
    if (!s || *timeout_ms < -1)
        return shms__fail(SHMS_E_INVALID);
    if (as_usual(s))
        return enter(s);
    int64_t begin = shms__now_ns();
    int rc = shms__member_enter_within(&s->section.member, *timeout_ms);
    if (rc < 0 || *timeout_ms <= 0)
        return rc;
    int64_t took_ms = (shms__now_ns() - begin) / 1000000;
    *timeout_ms = took_ms < *timeout_ms ? *timeout_ms - (int)took_ms : 0;
    return rc;
}

/* What the two hot calls do when not all is as usual; apart, so that those need no stack frame. */
static __attribute__((noinline, cold)) int lock_first(shms_stream *s, int timeout_ms)
{
    int rc = enter_within(s, &timeout_ms);
    return rc < 0 ? rc : shms__lock(&s->section, timeout_ms);
}

static __attribute__((noinline, cold)) int unlock_first(shms_stream *stream)
{
    int rc = enter(stream);
    if (rc < 0)
        return rc;
    struct section *s = &stream->section;
    /* A thread of this handle that waits for readers has the cell, too, but no section to give back yet.
     * relaxed: private; a thread that may release the lock knows that it was taken */
    bool reads = shms__readers_here(&s->readers) || a64_load_relaxed(&s->holder) == 0;
    rc = reads ? shms__unlock_shared(s) : shms__unlock_wake(s);
    if (rc == SHMS_E_NOT_OWNER)
        rc = reads ? shms__unlock_wake(s) : shms__unlock_shared(s);
    return (int)shms__member_done(&s->member, rc);
}

int shms_stream_lock(shms_stream *s, int timeout_ms)
{
    if (!as_usual(s) || timeout_ms < -1)
        return lock_first(s, timeout_ms);
    return shms__lock(&s->section, timeout_ms);
}

int shms_stream_unlock(shms_stream *s)
{
    if (!as_usual(s))
        return unlock_first(s);
    if (shms__unlock_quick(&s->section, ~0u))
        return 0;
    /* relaxed: only this thread's own store can match */
    bool reads = a64_load_relaxed(&s->section.readers.by[0]) == shms__thread();
    return reads ? shms__reader_out(&s->section.member, &s->section.readers, 0) : unlock_first(s);
}

static __attribute__((noinline, cold)) int lock_shared_first(shms_stream *s, int timeout_ms)
{
    int rc = enter_within(s, &timeout_ms);
    return rc < 0 ? rc : shms__lock_shared(&s->section, timeout_ms);
}

int shms_stream_lock_shared(shms_stream *s, int timeout_ms)
{
    if (!as_usual(s) || timeout_ms < -1)
        return lock_shared_first(s, timeout_ms);
    return shms__lock_shared(&s->section, timeout_ms);
}

int shms_stream_rollback(shms_stream *s)
{
    int rc = enter(s);
    return rc < 0 ? rc : shms__rollback(&s->section);
}

int shms_stream_repaired(shms_stream *s)
{
    int rc = enter(s);
    return rc < 0 ? rc : (int)shms__member_done(&s->section.member, shms__repaired(&s->section));
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
    return shms__member_done(&s->section.member, shms__snapshot_again(&s->section, buf, n, (uint64_t)offset));
}

int64_t shms_stream_snapshot(shms_stream *s, void *buf, size_t n, int64_t offset)
{
    /* one test for two: neither has its highest bit set */
    if (as_usual(s) && buf && ((uint64_t)n | (uint64_t)offset) <= INT64_MAX &&
        shms__snapshot_whole(&s->section, buf, n, (uint64_t)offset))
        return (int64_t)n;
    return snapshot_first(s, buf, n, offset);
}

int64_t shms_stream_version(shms_stream *s)
{
    int rc = enter(s);
    return rc < 0 ? rc : shms__member_done(&s->section.member, shms__version(&s->section));
}

int shms_stream_wait(shms_stream *s, int64_t *seen, int timeout_ms)
{
    int rc = !seen ? shms__fail(SHMS_E_INVALID) : enter_within(s, &timeout_ms);
    if (rc == 0)
        rc = (int)shms__member_done(&s->section.member, shms__wait(&s->section, seen, timeout_ms));
    return rc;
}

int shms_stream_wait_locked(shms_stream *s, int timeout_ms)
{
    int rc = enter_within(s, &timeout_ms);
    if (rc == 0 && !shms__lock_held(&s->section))
        rc = shms__fail(SHMS_E_NOT_OWNER);
    if (rc == 0)
        rc = (int)shms__member_done(&s->section.member, shms__wait_locked(&s->section, timeout_ms));
    return rc;
}

int shms_stream_notify(shms_stream *s)
{
    int rc = enter(s);
    if (rc == 0 && !s->section.member.region.writable)
        rc = shms__fail(SHMS_E_READ_ONLY);
    return rc < 0 ? rc : (int)shms__member_done(&s->section.member, shms__section_notify(&s->section));
}

int shms_stream_poll_fd(shms_stream *s)
{
    int fd = -1;
    int rc = enter(s);
    if (rc == 0 && s->section.member.region.frozen) /* ringing is a write, which it has forbidden itself */
        rc = shms__fail(SHMS_E_UNSUPPORTED);
    if (rc == 0)
        rc = shms__poll_open(&s->section, &fd);
    return rc < 0 ? rc : fd;
}
