/* SPDX-License-Identifier: MIT */
/* The addon begins and ends here; handles, arguments and results. */
#include "addon.h"

#include <stdlib.h>
#include <string.h>

/* ---- arguments */

void call_begin(struct call *call, napi_env env, napi_callback_info info)
{
    size_t count = ARGUMENTS_MOST;
    call->env = env;
    call->bad = false;
    call->me = NULL;
    /* Those that are not given are undefined. */
    napi_get_cb_info(env, info, &count, call->arguments, NULL, (void **)&call->me);
}

int64_t int_at(struct call *call, size_t i)
{
    int64_t value = 0;
    if (napi_get_value_int64(call->env, call->arguments[i], &value) != napi_ok)
        call->bad = true;
    return value;
}

int64_t big_at(struct call *call, size_t i)
{
    int64_t value = 0;
    bool lossless = false;
    if (napi_get_value_bigint_int64(call->env, call->arguments[i], &value, &lossless) != napi_ok || !lossless)
        call->bad = true;
    return value;
}

struct bytes bytes_at(struct call *call, size_t i)
{
    bool is = false;
    napi_typedarray_type type;
    size_t size = 0;
    void *data = NULL;
    if (napi_is_typedarray(call->env, call->arguments[i], &is) != napi_ok || !is ||
        napi_get_typedarray_info(call->env, call->arguments[i], &type, &size, &data, NULL, NULL) != napi_ok ||
        type != napi_uint8_array) {
        call->bad = true;
        size = 0;
    }
    return (struct bytes){data, size};
}

void key_at(struct call *call, size_t i, struct key *ret_key)
{
    napi_valuetype type = napi_undefined;
    napi_typeof(call->env, call->arguments[i], &type);
    if (type != napi_string) {
        struct bytes bytes = bytes_at(call, i);
        ret_key->data = bytes.data;
        ret_key->size = bytes.size;
        return;
    }
    /* What is too long for any dict is cut, to a length that is too long still. */
    ret_key->size = 0;
    ret_key->data = ret_key->text;
    if (napi_get_value_string_utf8(call->env, call->arguments[i], ret_key->text, sizeof ret_key->text,
                                   &ret_key->size) != napi_ok)
        call->bad = true;
}

char *string_at(struct call *call, size_t i)
{
    napi_valuetype type = napi_undefined;
    size_t size = 0;
    char *text = NULL;
    napi_typeof(call->env, call->arguments[i], &type);
    if (type == napi_null || type == napi_undefined)
        return NULL;
    if (napi_get_value_string_utf8(call->env, call->arguments[i], NULL, 0, &size) == napi_ok)
        text = malloc(size + 1);
    if (text == NULL)
        call->bad = true;
    else
        napi_get_value_string_utf8(call->env, call->arguments[i], text, size + 1, &size);
    return text;
}

struct handle *handle_at(struct call *call, size_t i, int kinds)
{
    uint32_t id = 0;
    if (napi_get_value_uint32(call->env, call->arguments[i], &id) != napi_ok) {
        call->bad = true;
        return NULL;
    }
    size_t slot = id & 0xffff;
    if (slot >= call->me->slot_count)
        return NULL;
    struct handle *h = call->me->slots[slot].handle;
    return h != NULL && h->id == id && !h->closing && (h->kind & (unsigned)kinds) != 0 ? h : NULL;
}

shms_stream *stream_at(struct call *call, size_t i)
{
    struct handle *h = handle_at(call, i, KIND_STREAM);
    return h != NULL ? h->stream : NULL;
}

shms_channel *channel_at(struct call *call, size_t i)
{
    struct handle *h = handle_at(call, i, KIND_CHANNEL);
    return h != NULL ? h->channel : NULL;
}

shms_dict *dict_at(struct call *call, size_t i)
{
    struct handle *h = handle_at(call, i, KIND_DICT);
    return h != NULL ? h->dict : NULL;
}

shms_jar *jar_at(struct call *call, size_t i)
{
    struct handle *h = handle_at(call, i, KIND_JAR);
    return h != NULL ? h->jar : NULL;
}

bool call_is_bad(struct call *call)
{
    if (call->bad)
        napi_throw_type_error(call->env, "ERR_INVALID_ARG_TYPE", "an argument has the wrong type");
    return call->bad;
}

/* ---- results */

napi_value number(napi_env env, int64_t value)
{
    napi_value result = NULL;
    napi_create_int64(env, value, &result);
    return result;
}

napi_value big(napi_env env, int64_t value)
{
    napi_value result = NULL;
    if (value < 0)
        return number(env, value);
    napi_create_bigint_int64(env, value, &result);
    return result;
}

napi_value copied(napi_env env, const void *data, size_t size)
{
    napi_value result = NULL;
    if (napi_create_buffer_copy(env, size, data, NULL, &result) != napi_ok)
        return number(env, SHMS_E_NOMEM);
    return result;
}

napi_value array(napi_env env, size_t count, const napi_value *values)
{
    napi_value result = NULL;
    napi_create_array_with_length(env, count, &result);
    for (size_t i = 0; i < count; i++)
        napi_set_element(env, result, (uint32_t)i, values[i]);
    return result;
}

void set_number(napi_env env, napi_value object, const char *name, int64_t value)
{
    napi_set_named_property(env, object, name, number(env, value));
}

void set_big(napi_env env, napi_value object, const char *name, int64_t value)
{
    napi_value result = NULL;
    napi_create_bigint_int64(env, value, &result);
    napi_set_named_property(env, object, name, result);
}

bool scratch_for(struct instance *me, size_t size)
{
    if (size <= me->scratch_size)
        return true;
    unsigned char *larger = realloc(me->scratch, size);
    if (larger == NULL)
        return false;
    me->scratch = larger;
    me->scratch_size = size;
    return true;
}

/* ---- handles */

static void close_object(enum kind kind, void *object)
{
    if (kind == KIND_STREAM)
        shms_stream_close(object);
    else if (kind == KIND_CHANNEL)
        shms_channel_close(object);
    else if (kind == KIND_DICT)
        shms_dict_close(object);
    else
        shms_jar_close(object);
}

static struct slot *free_slot(struct instance *me)
{
    for (size_t i = 0; i < me->slot_count; i++)
        if (me->slots[i].handle == NULL)
            return &me->slots[i];
    size_t count = me->slot_count == 0 ? 16 : me->slot_count * 2;
    struct slot *larger = count <= 0x10000 ? realloc(me->slots, count * sizeof *larger) : NULL;
    if (larger == NULL)
        return NULL;
    memset(larger + me->slot_count, 0, (count - me->slot_count) * sizeof *larger);
    struct slot *first = larger + me->slot_count;
    me->slots = larger;
    me->slot_count = count;
    return first;
}

napi_value handle_add(struct instance *me, enum kind kind, void *object)
{
    struct slot *slot = free_slot(me);
    struct handle *h = slot != NULL ? calloc(1, sizeof *h) : NULL;
    if (h == NULL) {
        close_object(kind, object);
        return number(me->env, SHMS_E_NOMEM);
    }
    if (++slot->round == 0)
        slot->round = 1; /* no id is 0 */
    h->kind = kind;
    h->id = (uint32_t)slot->round << 16 | (uint32_t)(slot - me->slots);
    h->stream = object; /* whichever it is */
    slot->handle = h;
    return number(me->env, h->id);
}

void handle_close(struct instance *me, struct handle *h)
{
    me->slots[h->id & 0xffff].handle = NULL;
    waiter_forget(me, h);
    watch_close(h);
    memory_forget(h);
    close_object(h->kind, h->stream);
    free(h);
}

/* The memory goes with it: no JavaScript runs any more. */
static void close_all(struct instance *me)
{
    for (size_t i = 0; i < me->slot_count; i++)
        if (me->slots[i].handle != NULL)
            handle_close(me, me->slots[i].handle);
}

static napi_value close_one(napi_env env, napi_callback_info info)
{
    struct call call;
    call_begin(&call, env, info);
    struct handle *h = handle_at(&call, 0, KIND_ANY);
    if (call_is_bad(&call) || h == NULL)
        return NULL;
    if (memory_detach(call.me, h)) {
        handle_close(call.me, h);
        return NULL;
    }
    waiter_forget(call.me, h);
    watch_close(h);
    shms_stream_unlock(h->stream);
    h->closing = true;
    return NULL;
}

/* ---- waiting */

static napi_value submit(napi_env env, napi_callback_info info)
{
    struct call call;
    struct key key = {NULL, 0, ""};
    call_begin(&call, env, info);
    int64_t what = int_at(&call, 1);
    int kind = what == WAIT_KEY ? KIND_DICT : what == WAIT_HOST ? KIND_JAR : KIND_STREAM;
    struct handle *h = handle_at(&call, 0, kind);
    if (what == WAIT_KEY || what == WAIT_HOST)
        key_at(&call, 2, &key);
    if (what == WAIT_HOST && key.data != key.text)
        call.bad = true;
    if (call_is_bad(&call))
        return NULL;
    if (what == WAIT_HOST)
        key.size++; /* its zero byte */
    if (h == NULL || what < WAIT_EXCLUSIVE || what > WAIT_HOST)
        return number(env, SHMS_E_INVALID);
    return number(env, waiter_submit(call.me, h, (enum wait_for)what, &key));
}

static napi_value cancel(napi_env env, napi_callback_info info)
{
    struct call call;
    call_begin(&call, env, info);
    int64_t ticket = int_at(&call, 0);
    if (!call_is_bad(&call))
        waiter_cancel(call.me, (uint32_t)ticket);
    return NULL;
}

static napi_value watch(napi_env env, napi_callback_info info)
{
    struct call call;
    call_begin(&call, env, info);
    struct handle *h = handle_at(&call, 0, KIND_ANY);
    int64_t on = int_at(&call, 1);
    if (call_is_bad(&call))
        return NULL;
    if (h == NULL)
        return number(env, SHMS_E_INVALID);
    if (on != 0)
        return number(env, watch_start(call.me, h));
    watch_stop(h);
    return number(env, 0);
}

/* ---- what exists, and words */

static napi_value unlink_name(napi_env env, napi_callback_info info)
{
    struct call call;
    call_begin(&call, env, info);
    char *name = string_at(&call, 0);
    if (call_is_bad(&call))
        return NULL;
    int code = shms_stream_unlink(name);
    free(name);
    return number(env, code);
}

struct listing {
    napi_env env;
    napi_value regions;
    uint32_t count;
};

static int list_one(const char *name, const shms_info *info, void *context)
{
    struct listing *listing = context;
    napi_env env = listing->env;
    napi_value region, text;
    if (napi_create_object(env, &region) != napi_ok ||
        napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &text) != napi_ok)
        return SHMS_E_NOMEM;
    napi_set_named_property(env, region, "name", text);
    set_number(env, region, "state", info->state);
    set_number(env, region, "kind", info->kind);
    set_number(env, region, "size", (int64_t)info->size);
    set_number(env, region, "memoryBytes", (int64_t)info->memory_bytes);
    set_number(env, region, "members", info->members);
    set_number(env, region, "waiters", info->waiters);
    set_number(env, region, "locked", info->locked);
    set_number(env, region, "ownerPid", info->owner_pid);
    set_number(env, region, "ownerDied", info->owner_died);
    set_number(env, region, "keep", info->keep);
    set_number(env, region, "atomic", info->atomic);
    set_number(env, region, "mode", info->mode);
    set_number(env, region, "uid", info->uid);
    set_big(env, region, "version", info->version);
    napi_set_element(env, listing->regions, listing->count++, region);
    return 0;
}

static napi_value list(napi_env env, napi_callback_info info)
{
    struct listing listing = {env, NULL, 0};
    (void)info;
    napi_create_array(env, &listing.regions);
    int code = shms_list(list_one, &listing);
    return code < 0 ? number(env, code) : listing.regions;
}

static napi_value oserror(napi_env env, napi_callback_info info)
{
    (void)info;
    return number(env, shms_last_oserror());
}

/* Every code of the header, as [name, value, text]. */
static napi_value codes(napi_env env)
{
    static const struct {
        const char *name;
        int value;
        const char *text;
    } table[] = {
#define ROW(name, value, text) {#name, value, text},
        SHMS_CODES(ROW)
#undef ROW
    };
    napi_value rows = NULL;
    napi_create_array(env, &rows);
    for (uint32_t i = 0; i < sizeof table / sizeof *table; i++) {
        napi_value name = NULL, text = NULL;
        napi_create_string_utf8(env, table[i].name, NAPI_AUTO_LENGTH, &name);
        napi_create_string_utf8(env, table[i].text, NAPI_AUTO_LENGTH, &text);
        napi_set_element(env, rows, i,
                         array(env, 3, (napi_value[]){name, number(env, table[i].value), text}));
    }
    return rows;
}

static napi_value refuse(napi_env env, napi_callback_info info)
{
    struct call call;
    call_begin(&call, env, info);
    call.me->refuses = int_at(&call, 0);
    return NULL;
}

/* ---- the instance */

static void free_instance(struct instance *me)
{
    napi_async_cleanup_hook_handle hook = me->hook;
    free(me->slots);
    free(me->scratch);
    free(me);
    napi_remove_async_cleanup_hook(hook);
}

void instance_settle(struct instance *me)
{
    if (me->ending && me->watches == 0)
        free_instance(me);
}

/* The environment ends: a worker, or the program in the ordinary way. Sections that are open stay so: the
 * close of their handles tells the next owner, as the death of the process would. */
static void end_instance(napi_async_cleanup_hook_handle hook, void *data)
{
    struct instance *me = data;
    (void)hook;
    close_all(me);
    waiter_leave(me);
    me->ending = true;
    instance_settle(me);
}

/* setup(onDone, onEvent): once, before anything else. */
static napi_value setup(napi_env env, napi_callback_info info)
{
    struct call call;
    call_begin(&call, env, info);
    struct instance *me = call.me;
    napi_value name = NULL;
    if (me->on_done != NULL || napi_create_reference(env, call.arguments[0], 1, &me->on_done) != napi_ok ||
        napi_create_reference(env, call.arguments[1], 1, &me->on_event) != napi_ok ||
        napi_create_string_utf8(env, "shmstream", NAPI_AUTO_LENGTH, &name) != napi_ok ||
        napi_async_init(env, NULL, name, &me->context) != napi_ok)
        napi_throw_error(env, NULL, "shmstream: setup failed");
    return NULL;
}

static bool define(napi_env env, napi_value exports, struct instance *me,
                   const napi_property_descriptor *them, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        napi_property_descriptor one = them[i];
        one.data = me;
        if (napi_define_properties(env, exports, 1, &one) != napi_ok)
            return false;
    }
    return true;
}

static const napi_property_descriptor functions[] = {
    FUNCTION("setup", setup),
    FUNCTION("close", close_one),
    FUNCTION("submit", submit),
    FUNCTION("cancel", cancel),
    FUNCTION("watch", watch),
    FUNCTION("list", list),
    FUNCTION("unlink", unlink_name),
    FUNCTION("oserror", oserror),
    FUNCTION("refuse", refuse),
};

NAPI_MODULE_INIT(/* napi_env env, napi_value exports */)
{
    struct instance *me = calloc(1, sizeof *me);
    if (me == NULL)
        return NULL;
    me->env = env;
    if (!waiter_join(me)) {
        free(me);
        napi_throw_error(env, NULL, "shmstream: no memory");
        return NULL;
    }
    /* Added after what waiter_join() made, so run before that is taken down. */
    if (napi_add_async_cleanup_hook(env, end_instance, me, &me->hook) != napi_ok ||
        !define(env, exports, me, functions, sizeof functions / sizeof *functions) ||
        !define(env, exports, me, stream_functions, stream_function_count) ||
        !define(env, exports, me, channel_functions, channel_function_count) ||
        !define(env, exports, me, dict_functions, dict_function_count) ||
        !define(env, exports, me, jar_functions, jar_function_count))
        return NULL; /* an exception is pending */
    napi_set_named_property(env, exports, "codes", codes(env));
    return exports;
}
