/* SPDX-License-Identifier: MIT */
/* The calls of jars. Lines, names, values and paths are bytes: Uint8Arrays on their way in, Latin-1 on their
 * way out, as Node has header lines. Hosts, URLs and partitions are strings. */
#include "../addon.h"

#include <stdlib.h>
#include <string.h>

#define LINE_ROOM_FIRST 4096

/* openJar(name, access, create, mode, maxSize, openTimeout, hostCookies, jarCookies, keep, suffixList) */
static napi_value open_jar(napi_env env, napi_callback_info info)
{
    struct call call;
    shms_jar *j = NULL;
    call_begin(&call, env, info);
    shms_jar_options options = {
        .struct_size = sizeof options,
        .access = (uint32_t)int_at(&call, 1),
        .create = (uint32_t)int_at(&call, 2),
        .mode = (uint32_t)int_at(&call, 3),
        .max_size = (uint64_t)int_at(&call, 4),
        .open_timeout_ms = (int32_t)int_at(&call, 5),
        .host_cookies = (uint32_t)int_at(&call, 6),
        .jar_cookies = (uint32_t)int_at(&call, 7),
        .no_keep = int_at(&call, 8) == 0,
    };
    char *list = string_at(&call, 9), *name = string_at(&call, 0);
    int code = SHMS_E_INVALID;
    bool bad = call_is_bad(&call);
    options.suffix_list = list;
    if (!bad)
        code = shms_jar_open(name, &options, &j);
    free(name);
    free(list);
    if (bad)
        return NULL;
    return code < 0 ? number(env, code) : handle_add(call.me, KIND_JAR, j);
}

/* Four arguments from i on: url, flags, site, partition. What it holds is freed by request_free(). */
static shms_jar_request request_at(struct call *call, size_t i)
{
    return (shms_jar_request){
        .struct_size = sizeof(shms_jar_request),
        .flags = (uint32_t)int_at(call, i + 1),
        .site = (uint32_t)int_at(call, i + 2),
        .url = string_at(call, i),
        .partition = string_at(call, i + 3),
    };
}

static void request_free(shms_jar_request *r)
{
    free((void *)(uintptr_t)r->url);
    free((void *)(uintptr_t)r->partition);
}

/* jarSet(id, url, flags, site, partition, line): 0, why it was refused, or a code. */
static napi_value set(napi_env env, napi_callback_info info)
{
    struct call call;
    int code = 0;
    call_begin(&call, env, info);
    shms_jar *j = jar_at(&call, 0);
    shms_jar_request r = request_at(&call, 1);
    struct bytes line = bytes_at(&call, 5);
    bool bad = call_is_bad(&call);
    if (!bad)
        code = shms_jar_set(j, &r, line.size > 0 ? line.data : "", line.size);
    request_free(&r);
    return bad ? NULL : number(env, code);
}

static napi_value latin1(napi_env env, const char *text, size_t size)
{
    napi_value result = NULL;
    if (napi_create_string_latin1(env, text, size, &result) != napi_ok)
        return number(env, SHMS_E_NOMEM);
    return result;
}

/* jarGet(id, url, flags, site, partition): the Cookie line, or a code. */
static napi_value get(napi_env env, napi_callback_info info)
{
    struct call call;
    int64_t n = 0;
    call_begin(&call, env, info);
    shms_jar *j = jar_at(&call, 0);
    shms_jar_request r = request_at(&call, 1);
    bool bad = call_is_bad(&call);
    for (size_t room = LINE_ROOM_FIRST; !bad; room = (size_t)n + 1) { /* with its zero byte */
        n = scratch_for(call.me, room)
                ? shms_jar_get(j, &r, (char *)call.me->scratch, call.me->scratch_size)
                : SHMS_E_NOMEM;
        if (n < (int64_t)call.me->scratch_size)
            break;
    }
    request_free(&r);
    if (bad)
        return NULL;
    return n < 0 ? number(env, n) : latin1(env, (char *)call.me->scratch, (size_t)n);
}

/* ---- cookies */

struct telling {
    napi_env env;
    napi_value cookies;
    uint32_t count;
};

static napi_value signed_big(napi_env env, int64_t value)
{
    napi_value result = NULL;
    napi_create_bigint_int64(env, value, &result);
    return result;
}

/* A row: host, name, value, path, partition or null, flags, sameSite, expires, created, used (in
 * nanoseconds), number of the change that made it, and of the last one. */
static int tell_one(const shms_cookie *c, void *context)
{
    struct telling *telling = context;
    napi_env env = telling->env;
    napi_handle_scope scope;
    napi_value partition = NULL;
    if (napi_open_handle_scope(env, &scope) != napi_ok)
        return SHMS_E_NOMEM;
    if (c->partition != NULL)
        partition = latin1(env, c->partition, strlen(c->partition));
    else
        napi_get_null(env, &partition);
    napi_value row =
        array(env, 12,
              (napi_value[]){latin1(env, c->host, strlen(c->host)), latin1(env, c->name, strlen(c->name)),
                             latin1(env, c->value, strlen(c->value)), latin1(env, c->path, strlen(c->path)),
                             partition, number(env, c->flags), number(env, c->same_site),
                             signed_big(env, c->expires_ns), signed_big(env, c->created_ns),
                             signed_big(env, c->used_ns), signed_big(env, c->created),
                             signed_big(env, c->changed)});
    int code = napi_set_element(env, telling->cookies, telling->count++, row) == napi_ok ? 0 : SHMS_E_NOMEM;
    napi_close_handle_scope(env, scope);
    return code;
}

/* jarEach(id, host or null): rows, or a code. */
static napi_value each(napi_env env, napi_callback_info info)
{
    struct call call;
    struct telling telling = {env, NULL, 0};
    int64_t code = 0;
    call_begin(&call, env, info);
    shms_jar *j = jar_at(&call, 0);
    char *host = string_at(&call, 1);
    bool bad = call_is_bad(&call);
    napi_create_array(env, &telling.cookies);
    if (!bad)
        code = shms_jar_each(j, host, tell_one, &telling);
    free(host);
    return bad ? NULL : code < 0 ? number(env, code) : telling.cookies;
}

/* jarChanges(id, since): [since, rows], or a code. */
static napi_value changes(napi_env env, napi_callback_info info)
{
    struct call call;
    struct telling telling = {env, NULL, 0};
    call_begin(&call, env, info);
    shms_jar *j = jar_at(&call, 0);
    int64_t since = big_at(&call, 1);
    if (call_is_bad(&call))
        return NULL;
    napi_create_array(env, &telling.cookies);
    int64_t code = shms_jar_changes(j, &since, tell_one, &telling);
    return code < 0 ? number(env, code) : array(env, 2, (napi_value[]){big(env, since), telling.cookies});
}

/* A text of bytes, with a zero byte behind it, to be freed; NULL for null. A zero byte inside is bad. */
static char *text_at(struct call *call, size_t i)
{
    napi_valuetype type = napi_undefined;
    napi_typeof(call->env, call->arguments[i], &type);
    if (type == napi_null)
        return NULL;
    struct bytes bytes = bytes_at(call, i);
    char *text = call->bad ? NULL : malloc(bytes.size + 1);
    if (text == NULL) {
        call->bad = true;
        return NULL;
    }
    if (bytes.size > 0)
        memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = '\0';
    if (strlen(text) != bytes.size)
        call->bad = true;
    return text;
}

/* Five arguments from i on: host, name, value, path, partition; freed by cookie_free(). */
static shms_cookie cookie_at(struct call *call, size_t i)
{
    return (shms_cookie){
        .struct_size = sizeof(shms_cookie),
        .host = string_at(call, i),
        .name = text_at(call, i + 1),
        .value = text_at(call, i + 2),
        .path = text_at(call, i + 3),
        .partition = string_at(call, i + 4),
    };
}

static void cookie_free(shms_cookie *c)
{
    const char *const texts[] = {c->host, c->name, c->value, c->path, c->partition};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free((void *)(uintptr_t)texts[i]);
}

/* jarPut(id, host, name, value, path, partition, flags, sameSite, expires): as jarSet */
static napi_value put(napi_env env, napi_callback_info info)
{
    struct call call;
    int code = 0;
    call_begin(&call, env, info);
    shms_jar *j = jar_at(&call, 0);
    shms_cookie c = cookie_at(&call, 1);
    c.flags = (uint32_t)int_at(&call, 6);
    c.same_site = (uint32_t)int_at(&call, 7);
    c.expires_ns = big_at(&call, 8);
    bool bad = call_is_bad(&call);
    if (!bad)
        code = shms_jar_put(j, &c);
    cookie_free(&c);
    return bad ? NULL : number(env, code);
}

/* jarDel(id, host, name, null, path or null, partition) */
static napi_value del(napi_env env, napi_callback_info info)
{
    struct call call;
    int code = 0;
    call_begin(&call, env, info);
    shms_jar *j = jar_at(&call, 0);
    shms_cookie c = cookie_at(&call, 1);
    bool bad = call_is_bad(&call);
    if (!bad)
        code = shms_jar_del(j, &c);
    cookie_free(&c);
    return bad ? NULL : number(env, code);
}

/* ---- calls with one string, or none */

/* Such a call: its result. */
typedef int64_t string_call(shms_jar *j, const char *text);

static napi_value with_string(napi_env env, napi_callback_info info, string_call *what)
{
    struct call call;
    int64_t code = 0;
    call_begin(&call, env, info);
    shms_jar *j = jar_at(&call, 0);
    char *text = string_at(&call, 1);
    bool bad = call_is_bad(&call);
    if (!bad)
        code = what(j, text);
    free(text);
    return bad ? NULL : number(env, code);
}

static napi_value clear(napi_env env, napi_callback_info info)
{
    return with_string(env, info, shms_jar_clear);
}

static int64_t try_lock(shms_jar *j, const char *host)
{
    return shms_jar_lock(j, host, 0);
}

static napi_value lock_host(napi_env env, napi_callback_info info)
{
    return with_string(env, info, try_lock);
}

static int64_t unlock(shms_jar *j, const char *host)
{
    return shms_jar_unlock(j, host);
}

static napi_value unlock_host(napi_env env, napi_callback_info info)
{
    return with_string(env, info, unlock);
}

typedef int64_t file_call(shms_jar *j, const char *path, uint64_t *ret_left_out);

/* jarImport(id, path), jarExport(id, path): [how many, how many were left out], or a code. */
static napi_value with_file(napi_env env, napi_callback_info info, file_call *what)
{
    struct call call;
    uint64_t left_out = 0;
    int64_t n = 0;
    call_begin(&call, env, info);
    shms_jar *j = jar_at(&call, 0);
    char *path = string_at(&call, 1);
    bool bad = call_is_bad(&call);
    if (!bad)
        n = what(j, path, &left_out);
    free(path);
    if (bad)
        return NULL;
    if (n < 0)
        return number(env, n);
    return array(env, 2, (napi_value[]){number(env, n), number(env, (int64_t)left_out)});
}

static napi_value import_file(napi_env env, napi_callback_info info)
{
    return with_file(env, info, shms_jar_import);
}

static napi_value export_file(napi_env env, napi_callback_info info)
{
    return with_file(env, info, shms_jar_export);
}

/* jarChanged(id, seen): the version now if it is another one, or SHMS_E_TIMEOUT. */
static napi_value changed(napi_env env, napi_callback_info info)
{
    struct call call;
    call_begin(&call, env, info);
    shms_jar *j = jar_at(&call, 0);
    int64_t seen = big_at(&call, 1);
    if (call_is_bad(&call))
        return NULL;
    int code = shms_jar_wait(j, &seen, 0);
    return code < 0 ? number(env, code) : big(env, seen);
}

static napi_value version(napi_env env, napi_callback_info info)
{
    struct call call;
    call_begin(&call, env, info);
    shms_jar *j = jar_at(&call, 0);
    return call_is_bad(&call) ? NULL : big(env, shms_jar_version(j));
}

static napi_value jar_info(napi_env env, napi_callback_info info)
{
    struct call call;
    shms_jar_stats stats = {.struct_size = sizeof stats};
    napi_value result = NULL;
    call_begin(&call, env, info);
    shms_jar *j = jar_at(&call, 0);
    if (call_is_bad(&call))
        return NULL;
    int code = shms_jar_info(j, &stats);
    if (code < 0)
        return number(env, code);
    napi_create_object(env, &result);
    set_number(env, result, "cookies", (int64_t)stats.cookies);
    set_number(env, result, "places", (int64_t)stats.places);
    set_number(env, result, "size", (int64_t)stats.size);
    set_number(env, result, "maxSize", (int64_t)stats.max_size);
    return result;
}

static napi_value reason(napi_env env, napi_callback_info info)
{
    struct call call;
    call_begin(&call, env, info);
    int64_t code = int_at(&call, 0);
    if (call_is_bad(&call))
        return NULL;
    const char *text = shms_jar_reason((int)code);
    return latin1(env, text, strlen(text));
}

const napi_property_descriptor jar_functions[] = {
    FUNCTION("openJar", open_jar),       FUNCTION("jarSet", set),
    FUNCTION("jarGet", get),             FUNCTION("jarEach", each),
    FUNCTION("jarChanges", changes),     FUNCTION("jarPut", put),
    FUNCTION("jarDel", del),             FUNCTION("jarClear", clear),
    FUNCTION("jarLock", lock_host),      FUNCTION("jarUnlock", unlock_host),
    FUNCTION("jarImport", import_file),  FUNCTION("jarExport", export_file),
    FUNCTION("jarChanged", changed),     FUNCTION("jarVersion", version),
    FUNCTION("jarInfo", jar_info),       FUNCTION("jarReason", reason),
};
const size_t jar_function_count = sizeof jar_functions / sizeof *jar_functions;
