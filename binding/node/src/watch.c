/* SPDX-License-Identifier: MIT */
/* Poll descriptors in the loop of Node. One that is stopped does not keep the loop alive. */
#include "addon.h"

#include <stdlib.h>
#include <uv.h>

struct watch {
    uv_poll_t poll; /* first, so that it is freed with the watch */
    struct instance *owner;
    uint32_t id;
};

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct watch *w = (struct watch *)poll;
    napi_env env = w->owner->env;
    napi_handle_scope scope;
    napi_value function, receiver, id = NULL;
    (void)events;
    if (status < 0)
        uv_poll_stop(poll); /* the look once a second goes on */
    if (w->owner->ending || napi_open_handle_scope(env, &scope) != napi_ok)
        return;
    id = number(env, w->id);
    if (napi_get_reference_value(env, w->owner->on_event, &function) == napi_ok &&
        napi_create_object(env, &receiver) == napi_ok)
        napi_make_callback(env, w->owner->context, receiver, function, 1, &id, NULL);
    napi_close_handle_scope(env, scope);
}

static int descriptor(struct handle *h)
{
    if (h->kind == KIND_STREAM)
        return shms_stream_poll_fd(h->stream);
    if (h->kind == KIND_CHANNEL)
        return shms_channel_poll_fd(h->channel);
    if (h->kind == KIND_DICT)
        return shms_dict_poll_fd(h->dict);
    return shms_jar_poll_fd(h->jar);
}

static int make(struct instance *me, struct handle *h)
{
    uv_loop_t *loop;
    int fd = (me->refuses & REFUSES_DESCRIPTORS) == 0 ? descriptor(h) : SHMS_E_OS;
    if (fd < 0)
        return fd;
    struct watch *w = calloc(1, sizeof *w);
    if (w == NULL)
        return SHMS_E_NOMEM;
    if (napi_get_uv_event_loop(me->env, &loop) != napi_ok || uv_poll_init(loop, &w->poll, fd) < 0) {
        free(w);
        return SHMS_E_OS;
    }
    w->owner = me;
    w->id = h->id;
    h->watch = w;
    me->watches++;
    return 1;
}

int watch_start(struct instance *me, struct handle *h)
{
    int code = h->watch == NULL ? make(me, h) : 0;
    if (code >= 0 && uv_poll_start(&h->watch->poll, UV_READABLE, on_readable) < 0)
        code = SHMS_E_OS;
    return code;
}

void watch_stop(struct handle *h)
{
    if (h->watch != NULL)
        uv_poll_stop(&h->watch->poll);
}

static void on_closed(uv_handle_t *poll)
{
    struct watch *w = (struct watch *)poll;
    struct instance *me = w->owner;
    me->watches--;
    free(w);
    instance_settle(me);
}

void watch_close(struct handle *h)
{
    struct watch *w = h->watch;
    h->watch = NULL;
    if (w != NULL && w->owner->env != NULL) /* at exit() there is no loop any more */
        uv_close((uv_handle_t *)&w->poll, on_closed);
}
