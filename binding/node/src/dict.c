/* SPDX-License-Identifier: MIT */
/* The calls of dicts. */
#include "addon.h"

#include <stdlib.h>

#define ROOM_FIRST 4096

/* openDict(name, size, access, create, mode, maxSize, openTimeout, cellSize, ring, policy, keyMax,
 * valueMax, keep) */
static napi_value open_dict(napi_env env, napi_callback_info info)
{
    struct call call;
    shms_dict *d = NULL;
    call_begin(&call, env, info);
    shms_dict_options options = {
        .struct_size = sizeof options,
        .access = (uint32_t)int_at(&call, 2),
        .create = (uint32_t)int_at(&call, 3),
        .mode = (uint32_t)int_at(&call, 4),
        .max_size = (uint64_t)int_at(&call, 5),
        .open_timeout_ms = (int32_t)int_at(&call, 6),
        .cell_size = (uint32_t)int_at(&call, 7),
        .ring = (uint32_t)int_at(&call, 8),
        .policy = (uint32_t)int_at(&call, 9),
        .key_max = (uint32_t)int_at(&call, 10),
        .value_max = (uint32_t)int_at(&call, 11),
        .keep = int_at(&call, 12) != 0,
    };
    uint64_t size = (uint64_t)int_at(&call, 1);
    char *name = string_at(&call, 0);
    if (call_is_bad(&call)) {
        free(name);
        return NULL;
    }
    int code = shms_dict_open(name, size, &options, &d);
    free(name);
    return code < 0 ? number(env, code) : handle_add(call.me, KIND_DICT, d);
}

/* A get into the scratch room, which grows until the value fits. */
static int64_t get_whole(struct instance *me, shms_dict *d, const struct key *key, shms_dict_record *ret)
{
    size_t room = ROOM_FIRST;
    for (;;) {
        if (!scratch_for(me, room))
            return SHMS_E_NOMEM;
        int64_t n = shms_dict_get(d, key->data, key->size, me->scratch, me->scratch_size, ret);
        if (n < 0 || (size_t)n <= me->scratch_size)
            return n;
        room = (size_t)n;
    }
}

/* dictGet(id, key, room): the length of the value, of which as much as fits is in the room; or a code. */
static napi_value get(napi_env env, napi_callback_info info)
{
    struct call call;
    struct key key;
    call_begin(&call, env, info);
    shms_dict *d = dict_at(&call, 0);
    key_at(&call, 1, &key);
    struct bytes room = bytes_at(&call, 2);
    if (call_is_bad(&call))
        return NULL;
    return number(env, shms_dict_get(d, key.data, key.size, (void *)(uintptr_t)room.data, room.size, NULL));
}

/* dictRecord(id, key): [value, version, expires in nanoseconds], or a code. */
static napi_value record(napi_env env, napi_callback_info info)
{
    struct call call;
    struct key key;
    shms_dict_record what = {.struct_size = sizeof what};
    call_begin(&call, env, info);
    shms_dict *d = dict_at(&call, 0);
    key_at(&call, 1, &key);
    if (call_is_bad(&call))
        return NULL;
    int64_t n = get_whole(call.me, d, &key, &what);
    if (n < 0)
        return number(env, n);
    return array(env, 3,
                 (napi_value[]){copied(env, call.me->scratch, (size_t)n), big(env, what.version),
                                big(env, what.expires_ns)});
}

/* Three arguments from i on: ifVersion, expires in nanoseconds, both BigInt, and ttl in milliseconds. */
static shms_dict_how how_at(struct call *call, size_t i)
{
    return (shms_dict_how){
        .struct_size = sizeof(shms_dict_how),
        .if_version = big_at(call, i),
        .expires_ns = big_at(call, i + 1),
        .ttl_ms = int_at(call, i + 2),
    };
}

/* dictSet(id, key, value, ifVersion, expires, ttl): the version */
static napi_value set(napi_env env, napi_callback_info info)
{
    struct call call;
    struct key key;
    call_begin(&call, env, info);
    shms_dict *d = dict_at(&call, 0);
    key_at(&call, 1, &key);
    struct bytes value = bytes_at(&call, 2);
    shms_dict_how how = how_at(&call, 3);
    if (call_is_bad(&call))
        return NULL;
    return big(env, shms_dict_set(d, key.data, key.size, value.data, value.size, &how));
}

/* dictDel(id, key, ifVersion): the number of the change */
static napi_value del(napi_env env, napi_callback_info info)
{
    struct call call;
    struct key key;
    call_begin(&call, env, info);
    shms_dict *d = dict_at(&call, 0);
    key_at(&call, 1, &key);
    shms_dict_how how = {.struct_size = sizeof how, .if_version = big_at(&call, 2)};
    if (call_is_bad(&call))
        return NULL;
    return big(env, shms_dict_del(d, key.data, key.size, &how));
}

/* dictAdd(id, key, delta, start, ifVersion, expires, ttl): the sum as a BigInt, or a code */
static napi_value add(napi_env env, napi_callback_info info)
{
    struct call call;
    struct key key;
    int64_t sum = 0;
    napi_value result = NULL;
    call_begin(&call, env, info);
    shms_dict *d = dict_at(&call, 0);
    key_at(&call, 1, &key);
    int64_t delta = big_at(&call, 2), from = big_at(&call, 3);
    shms_dict_how how = how_at(&call, 4);
    if (call_is_bad(&call))
        return NULL;
    int64_t version = shms_dict_add(d, key.data, key.size, delta, from, &how, &sum);
    if (version < 0)
        return number(env, version);
    napi_create_bigint_int64(env, sum, &result); /* a sum may be negative */
    return result;
}

/* dictNext(id, cursor): [cursor, key, value, version, expires]; 0 at the end; or a code. A value that does
 * not fit is asked for again, at the same place. */
static napi_value next(napi_env env, napi_callback_info info)
{
    struct call call;
    shms_dict_record what = {.struct_size = sizeof what};
    unsigned char key[SHMS_DICT_KEY_MOST];
    uint64_t from = 0, cursor;
    size_t key_size, value_size;
    bool lossless;
    napi_value moved = NULL;
    call_begin(&call, env, info);
    shms_dict *d = dict_at(&call, 0);
    if (napi_get_value_bigint_uint64(env, call.arguments[1], &from, &lossless) != napi_ok)
        call.bad = true;
    if (call_is_bad(&call))
        return NULL;
    for (size_t room = ROOM_FIRST;; room = value_size) {
        if (!scratch_for(call.me, room))
            return number(env, SHMS_E_NOMEM);
        cursor = from;
        key_size = sizeof key;
        value_size = call.me->scratch_size;
        int code = shms_dict_next(d, &cursor, key, &key_size, call.me->scratch, &value_size, &what);
        if (code != 1)
            return number(env, code);
        if (value_size <= call.me->scratch_size)
            break;
    }
    napi_create_bigint_uint64(env, cursor, &moved);
    return array(env, 5,
                 (napi_value[]){moved, copied(env, key, key_size), copied(env, call.me->scratch, value_size),
                                big(env, what.version), big(env, what.expires_ns)});
}

struct telling {
    napi_env env;
    napi_value changes;
    uint32_t count;
};

static int tell_one(const void *key, size_t key_size, const shms_dict_record *what, void *context)
{
    struct telling *telling = context;
    napi_env env = telling->env;
    napi_value row =
        array(env, 3,
              (napi_value[]){copied(env, key, key_size), big(env, what->version), number(env, what->flags)});
    return napi_set_element(env, telling->changes, telling->count++, row) == napi_ok ? 0 : SHMS_E_NOMEM;
}

/* dictChanges(id, since): [since, [[key, version, flags] ...]], or a code */
static napi_value changes(napi_env env, napi_callback_info info)
{
    struct call call;
    struct telling telling = {env, NULL, 0};
    call_begin(&call, env, info);
    shms_dict *d = dict_at(&call, 0);
    int64_t since = big_at(&call, 1);
    if (call_is_bad(&call))
        return NULL;
    napi_create_array(env, &telling.changes);
    int64_t code = shms_dict_changes(d, &since, tell_one, &telling);
    return code < 0 ? number(env, code) : array(env, 2, (napi_value[]){big(env, since), telling.changes});
}

/* dictChanged(id, seen): the version now if it is another one, or SHMS_E_TIMEOUT. */
static napi_value changed(napi_env env, napi_callback_info info)
{
    struct call call;
    call_begin(&call, env, info);
    shms_dict *d = dict_at(&call, 0);
    int64_t seen = big_at(&call, 1);
    if (call_is_bad(&call))
        return NULL;
    int code = shms_dict_wait(d, NULL, 0, &seen, 0);
    return code < 0 ? number(env, code) : big(env, seen);
}

static napi_value version(napi_env env, napi_callback_info info)
{
    struct call call;
    call_begin(&call, env, info);
    shms_dict *d = dict_at(&call, 0);
    return call_is_bad(&call) ? NULL : big(env, shms_dict_version(d));
}

static napi_value dict_info(napi_env env, napi_callback_info info)
{
    struct call call;
    shms_dict_stats stats = {.struct_size = sizeof stats};
    napi_value result = NULL;
    call_begin(&call, env, info);
    shms_dict *d = dict_at(&call, 0);
    if (call_is_bad(&call))
        return NULL;
    int code = shms_dict_info(d, &stats);
    if (code < 0)
        return number(env, code);
    napi_create_object(env, &result);
    set_number(env, result, "size", (int64_t)stats.size);
    set_number(env, result, "maxSize", (int64_t)stats.max_size);
    set_number(env, result, "records", (int64_t)stats.records);
    set_number(env, result, "cells", (int64_t)stats.cells);
    set_number(env, result, "cellsFree", (int64_t)stats.cells_free);
    set_number(env, result, "evicted", (int64_t)stats.evicted);
    set_number(env, result, "expired", (int64_t)stats.expired);
    set_number(env, result, "locks", (int64_t)stats.locks);
    set_number(env, result, "keyMax", stats.key_max);
    set_number(env, result, "valueMax", stats.value_max);
    return result;
}

/* dictLock(id, key), dictUnlock(id, key) */
static napi_value key_call(napi_env env, napi_callback_info info, bool take)
{
    struct call call;
    struct key key;
    call_begin(&call, env, info);
    shms_dict *d = dict_at(&call, 0);
    key_at(&call, 1, &key);
    if (call_is_bad(&call))
        return NULL;
    return number(env,
                  take ? shms_dict_lock(d, key.data, key.size, 0) : shms_dict_unlock(d, key.data, key.size));
}

static napi_value lock_key(napi_env env, napi_callback_info info)
{
    return key_call(env, info, true);
}

static napi_value unlock_key(napi_env env, napi_callback_info info)
{
    return key_call(env, info, false);
}

/* dictSave(id, path), dictLoad(id, path): how many records */
static napi_value with_file(napi_env env, napi_callback_info info, int64_t (*act)(shms_dict *, const char *))
{
    struct call call;
    call_begin(&call, env, info);
    shms_dict *d = dict_at(&call, 0);
    char *path = string_at(&call, 1);
    if (call_is_bad(&call)) {
        free(path);
        return NULL;
    }
    int64_t n = act(d, path);
    free(path);
    return number(env, n);
}

static napi_value save(napi_env env, napi_callback_info info)
{
    return with_file(env, info, shms_dict_save);
}

static napi_value load(napi_env env, napi_callback_info info)
{
    return with_file(env, info, shms_dict_load);
}

const napi_property_descriptor dict_functions[] = {
    FUNCTION("dictSave", save),         FUNCTION("dictLoad", load),
    FUNCTION("openDict", open_dict),    FUNCTION("dictGet", get),         FUNCTION("dictRecord", record),
    FUNCTION("dictSet", set),           FUNCTION("dictDel", del),         FUNCTION("dictAdd", add),
    FUNCTION("dictNext", next),         FUNCTION("dictChanges", changes), FUNCTION("dictChanged", changed),
    FUNCTION("dictVersion", version),   FUNCTION("dictInfo", dict_info),  FUNCTION("dictLock", lock_key),
    FUNCTION("dictUnlock", unlock_key),
};
const size_t dict_function_count = sizeof dict_functions / sizeof *dict_functions;
