/* SPDX-License-Identifier: MIT */
/* The calls of streams. */
#include "addon.h"

#include <stdlib.h>

enum { FLAG_KEEP = 1, FLAG_ATOMIC = 2, FLAG_SPARSE = 4 };

/* openStream(name, size, access, create, mode, maxSize, openTimeout, flags) */
static napi_value open_stream(napi_env env, napi_callback_info info)
{
    struct call call;
    shms_stream *s = NULL;
    call_begin(&call, env, info);
    int64_t flags = int_at(&call, 7);
    shms_stream_options options = {
        .struct_size = sizeof options,
        .access = (uint32_t)int_at(&call, 2),
        .create = (uint32_t)int_at(&call, 3),
        .mode = (uint32_t)int_at(&call, 4),
        .max_size = (uint64_t)int_at(&call, 5),
        .open_timeout_ms = (int32_t)int_at(&call, 6),
        .keep = (flags & FLAG_KEEP) != 0,
        .atomic = (flags & FLAG_ATOMIC) != 0,
        .sparse = (flags & FLAG_SPARSE) != 0,
        .tasks = 1, /* a section ends on whichever turn of the loop it does */
    };
    uint64_t size = (uint64_t)int_at(&call, 1);
    char *name = string_at(&call, 0);
    if (call_is_bad(&call)) {
        free(name);
        return NULL;
    }
    int code = shms_stream_open(name, size, &options, &s);
    free(name);
    return code < 0 ? number(env, code) : handle_add(call.me, KIND_STREAM, s);
}

/* ---- the memory as an ArrayBuffer */

/*
 * An ArrayBuffer can be emptied here while it has its memory. One that has given it away (by transfer())
 * cannot: then the stream stays open until the garbage collector has found the memory's new owner.
 */
struct exposure {
    struct instance *me;
    struct handle *handle; /* NULL: it is closed */
};

void memory_forget(struct handle *h)
{
    if (h->exposure != NULL)
        h->exposure->handle = NULL;
    h->exposure = NULL;
}

/* JavaScript has let go of the memory, for good. */
static void let_go(napi_env env, void *data, void *hint)
{
    struct exposure *exposure = hint;
    struct handle *h = exposure->handle;
    (void)env, (void)data;
    if (h != NULL) {
        h->exposure = NULL;
        if (h->closing)
            handle_close(exposure->me, h);
    }
    free(exposure);
}

/* The ArrayBuffer that there is; NULL: none. */
static napi_value memory_now(napi_env env, struct handle *h)
{
    napi_value buffer = NULL;
    if (h->memory != NULL)
        napi_get_reference_value(env, h->memory, &buffer);
    return buffer;
}

bool memory_detach(struct instance *me, struct handle *h)
{
    napi_value buffer = memory_now(me->env, h);
    size_t size = 0;
    if (buffer != NULL && napi_get_arraybuffer_info(me->env, buffer, NULL, &size) == napi_ok && size > 0)
        napi_detach_arraybuffer(me->env, buffer);
    if (h->memory != NULL)
        napi_delete_reference(me->env, h->memory);
    h->memory = NULL;
    if (size > 0)
        memory_forget(h);
    return h->exposure == NULL;
}

static napi_value make_memory(struct instance *me, struct handle *h)
{
    napi_env env = me->env;
    napi_value buffer = NULL, ignored;
    napi_status status = napi_no_external_buffers_allowed;
    struct exposure *exposure = calloc(1, sizeof *exposure);
    if (exposure == NULL)
        return number(env, SHMS_E_NOMEM);
    *exposure = (struct exposure){me, h};
    h->exposure = exposure;
    if ((me->refuses & REFUSES_EXTERNAL) == 0)
        status =
            napi_create_external_arraybuffer(env, shms_stream_memory(h->stream),
                                             (size_t)shms_stream_size(h->stream), let_go, exposure, &buffer);
    if (status == napi_ok && napi_create_reference(env, buffer, 0, &h->memory) == napi_ok)
        return buffer;
    bool pending = false;
    napi_is_exception_pending(env, &pending);
    if (pending)
        napi_get_and_clear_last_exception(env, &ignored);
    /* What else fails may have called let_go, or may do so yet. */
    memory_forget(h);
    if (status == napi_no_external_buffers_allowed)
        free(exposure);
    return number(env, SHMS_E_UNSUPPORTED);
}

/* memory(id): one ArrayBuffer a handle; if the size has changed, a new one, and the one before is detached.
 */
static napi_value memory(napi_env env, napi_callback_info info)
{
    struct call call;
    size_t size = 0;
    call_begin(&call, env, info);
    struct handle *h = handle_at(&call, 0, KIND_STREAM);
    if (call_is_bad(&call))
        return NULL;
    if (h == NULL)
        return number(env, SHMS_E_INVALID);
    napi_value buffer = memory_now(env, h);
    if (buffer != NULL && napi_get_arraybuffer_info(env, buffer, NULL, &size) == napi_ok &&
        size == shms_stream_size(h->stream))
        return buffer;
    if (!memory_detach(call.me, h))
        return number(env, SHMS_E_UNSUPPORTED); /* it was given away */
    return make_memory(call.me, h);
}

/* ---- the lock */

static napi_value lock(napi_env env, napi_callback_info info)
{
    struct call call;
    call_begin(&call, env, info);
    shms_stream *s = stream_at(&call, 0);
    int64_t shared = int_at(&call, 1);
    if (call_is_bad(&call))
        return NULL;
    return number(env, shared != 0 ? shms_stream_lock_shared(s, 0) : shms_stream_lock(s, 0));
}

/* Calls that take a handle and give a number. */
#define PLAIN(name, expression)                                   \
    static napi_value name(napi_env env, napi_callback_info info) \
    {                                                             \
        struct call call;                                         \
        call_begin(&call, env, info);                             \
        shms_stream *s = stream_at(&call, 0);                     \
        return call_is_bad(&call) ? NULL : expression;            \
    }

PLAIN(unlock, number(env, shms_stream_unlock(s)))
PLAIN(rollback, number(env, shms_stream_rollback(s)))
PLAIN(repaired, number(env, shms_stream_repaired(s)))
PLAIN(notify, number(env, shms_stream_notify(s)))
PLAIN(size, number(env, (int64_t)shms_stream_size(s)))
PLAIN(existed, number(env, shms_stream_existed(s)))
PLAIN(version, big(env, shms_stream_version(s)))

/* ---- bytes */

typedef int64_t transfer_fn(shms_stream *s, void *buf, size_t n, int64_t offset);

static int64_t put(shms_stream *s, void *buf, size_t n, int64_t offset)
{
    return shms_stream_pwrite(s, buf, n, offset);
}

/* transfer(id, bytes, offset) */
static napi_value transfer(napi_env env, napi_callback_info info, transfer_fn *call_it)
{
    struct call call;
    call_begin(&call, env, info);
    shms_stream *s = stream_at(&call, 0);
    struct bytes bytes = bytes_at(&call, 1);
    int64_t offset = int_at(&call, 2);
    if (call_is_bad(&call))
        return NULL;
    return number(env, call_it(s, (void *)(uintptr_t)bytes.data, bytes.size, offset));
}

static napi_value pread_at(napi_env env, napi_callback_info info)
{
    return transfer(env, info, shms_stream_pread);
}

static napi_value snapshot(napi_env env, napi_callback_info info)
{
    return transfer(env, info, shms_stream_snapshot);
}

static napi_value pwrite_at(napi_env env, napi_callback_info info)
{
    return transfer(env, info, put);
}

static napi_value resize(napi_env env, napi_callback_info info)
{
    struct call call;
    call_begin(&call, env, info);
    shms_stream *s = stream_at(&call, 0);
    int64_t bytes = int_at(&call, 1);
    if (call_is_bad(&call))
        return NULL;
    return number(env, shms_stream_resize(s, (uint64_t)bytes));
}

/* changed(id, seen): the version now if it is another one, or SHMS_E_TIMEOUT. */
static napi_value changed(napi_env env, napi_callback_info info)
{
    struct call call;
    call_begin(&call, env, info);
    shms_stream *s = stream_at(&call, 0);
    int64_t seen = big_at(&call, 1);
    if (call_is_bad(&call))
        return NULL;
    int code = shms_stream_wait(s, &seen, 0);
    return code < 0 ? number(env, code) : big(env, seen);
}

const napi_property_descriptor stream_functions[] = {
    FUNCTION("openStream", open_stream), FUNCTION("memory", memory),     FUNCTION("lock", lock),
    FUNCTION("unlock", unlock),          FUNCTION("rollback", rollback), FUNCTION("repaired", repaired),
    FUNCTION("notify", notify),          FUNCTION("size", size),         FUNCTION("existed", existed),
    FUNCTION("version", version),        FUNCTION("pread", pread_at),    FUNCTION("pwrite", pwrite_at),
    FUNCTION("snapshot", snapshot),      FUNCTION("resize", resize),     FUNCTION("changed", changed),
};
const size_t stream_function_count = sizeof stream_functions / sizeof *stream_functions;
