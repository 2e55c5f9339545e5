/* SPDX-License-Identifier: MIT */
/* The calls of channels. All try once: waiting is done on the poll descriptor. */
#include "addon.h"

#include <stdlib.h>
#include <string.h>

/* openChannel(name, size, role, kind, slow, history, oneSender, oneReceiver, create, mode, keep, openTimeout)
 */
static napi_value open_channel(napi_env env, napi_callback_info info)
{
    struct call call;
    shms_channel *c = NULL;
    call_begin(&call, env, info);
    shms_stream_options region = {
        .struct_size = sizeof region,
        .create = (uint32_t)int_at(&call, 8),
        .mode = (uint32_t)int_at(&call, 9),
        .keep = int_at(&call, 10) != 0,
        .open_timeout_ms = (int32_t)int_at(&call, 11),
    };
    shms_channel_options options = {
        .struct_size = sizeof options,
        .kind = (uint32_t)int_at(&call, 3),
        .slow = (uint32_t)int_at(&call, 4),
        .history = (uint32_t)int_at(&call, 5),
        .one_sender = int_at(&call, 6) != 0,
        .one_receiver = int_at(&call, 7) != 0,
        .region = &region,
    };
    uint64_t size = (uint64_t)int_at(&call, 1);
    int role = (int)int_at(&call, 2);
    char *name = string_at(&call, 0);
    if (call_is_bad(&call)) {
        free(name);
        return NULL;
    }
    int code = shms_channel_open(name, size, role, &options, &c);
    free(name);
    return code < 0 ? number(env, code) : handle_add(call.me, KIND_CHANNEL, c);
}

/* send(id, bytes) */
static napi_value send_one(napi_env env, napi_callback_info info)
{
    struct call call;
    call_begin(&call, env, info);
    shms_channel *c = channel_at(&call, 0);
    struct bytes bytes = bytes_at(&call, 1);
    if (call_is_bad(&call))
        return NULL;
    return number(env, shms_channel_send(c, bytes.data, bytes.size, 0));
}

/* recv(id, room): how many bytes of the room the message has, or a code. */
static napi_value recv_one(napi_env env, napi_callback_info info)
{
    struct call call;
    call_begin(&call, env, info);
    shms_channel *c = channel_at(&call, 0);
    struct bytes room = bytes_at(&call, 1);
    if (call_is_bad(&call))
        return NULL;
    return number(env, shms_channel_recv(c, (void *)(uintptr_t)room.data, room.size, 0));
}

/* peek(id, room, facts): the message, which stays this handle's until release or abort: how many bytes of the
 * room it has, or, if it is longer, a Buffer; or a code. Number and tries come into facts, 16 bytes. */
static napi_value peek_one(napi_env env, napi_callback_info info)
{
    struct call call;
    const void *data = NULL;
    shms_message message = {.struct_size = sizeof message};
    napi_value result = NULL;
    call_begin(&call, env, info);
    shms_channel *c = channel_at(&call, 0);
    struct bytes room = bytes_at(&call, 1), facts = bytes_at(&call, 2);
    if (facts.size != 2 * sizeof(uint64_t))
        call.bad = true;
    if (call_is_bad(&call))
        return NULL;
    int64_t n = shms_channel_peek(c, &data, 0);
    if (n < 0)
        return number(env, n);
    shms_channel_message(c, &message);
    const uint64_t told[] = {message.number, message.tries};
    memcpy((void *)(uintptr_t)facts.data, told, sizeof told);
    if ((uint64_t)n <= room.size) {
        if (n > 0)
            memcpy((void *)(uintptr_t)room.data, data, (size_t)n);
        return number(env, n);
    }
    if (napi_create_buffer_copy(env, (size_t)n, data, NULL, &result) == napi_ok)
        return result;
    shms_channel_abort(c);
    return number(env, SHMS_E_NOMEM);
}

static napi_value release_one(napi_env env, napi_callback_info info)
{
    struct call call;
    call_begin(&call, env, info);
    shms_channel *c = channel_at(&call, 0);
    return call_is_bad(&call) ? NULL : number(env, shms_channel_release(c));
}

static napi_value abort_one(napi_env env, napi_callback_info info)
{
    struct call call;
    call_begin(&call, env, info);
    shms_channel *c = channel_at(&call, 0);
    return call_is_bad(&call) ? NULL : number(env, shms_channel_abort(c));
}

/* message(id): what else is known of the message that recv gave, did not, or missed. */
static napi_value message_last(napi_env env, napi_callback_info info)
{
    struct call call;
    shms_message message = {.struct_size = sizeof message};
    napi_value result = NULL;
    call_begin(&call, env, info);
    shms_channel *c = channel_at(&call, 0);
    if (call_is_bad(&call))
        return NULL;
    int code = shms_channel_message(c, &message);
    if (code < 0)
        return number(env, code);
    napi_create_object(env, &result);
    set_big(env, result, "number", (int64_t)message.number);
    set_big(env, result, "missed", (int64_t)message.missed);
    set_number(env, result, "tries", message.tries);
    set_number(env, result, "size", (int64_t)message.size);
    return result;
}

static napi_value channel_notify(napi_env env, napi_callback_info info)
{
    struct call call;
    call_begin(&call, env, info);
    shms_channel *c = channel_at(&call, 0);
    return call_is_bad(&call) ? NULL : number(env, shms_channel_notify(c));
}

static napi_value channel_info(napi_env env, napi_callback_info info)
{
    struct call call;
    shms_channel_stats stats = {.struct_size = sizeof stats};
    napi_value result = NULL;
    call_begin(&call, env, info);
    shms_channel *c = channel_at(&call, 0);
    if (call_is_bad(&call))
        return NULL;
    int code = shms_channel_info(c, &stats);
    if (code < 0)
        return number(env, code);
    napi_create_object(env, &result);
    set_number(env, result, "kind", stats.kind);
    set_number(env, result, "slow", stats.slow);
    set_number(env, result, "senders", stats.senders);
    set_number(env, result, "receivers", stats.receivers);
    set_number(env, result, "capacity", (int64_t)stats.capacity);
    set_number(env, result, "used", (int64_t)stats.used);
    set_number(env, result, "sent", (int64_t)stats.sent);
    set_number(env, result, "received", (int64_t)stats.received);
    set_number(env, result, "dropped", (int64_t)stats.dropped);
    set_number(env, result, "redelivered", (int64_t)stats.redelivered);
    set_number(env, result, "sendersDied", (int64_t)stats.senders_died);
    return result;
}

const napi_property_descriptor channel_functions[] = {
    FUNCTION("openChannel", open_channel),
    FUNCTION("send", send_one),
    FUNCTION("recv", recv_one),
    FUNCTION("peek", peek_one),
    FUNCTION("channelRelease", release_one),
    FUNCTION("channelAbort", abort_one),
    FUNCTION("message", message_last),
    FUNCTION("channelInfo", channel_info),
    FUNCTION("channelNotify", channel_notify),
};
const size_t channel_function_count = sizeof channel_functions / sizeof *channel_functions;
