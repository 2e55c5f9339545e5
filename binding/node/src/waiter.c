/* SPDX-License-Identifier: MIT */
/*
 * One thread of the process that waits for locks, so that neither JavaScript nor libuv's pool does.
 *
 * Roles: the threads of JavaScript submit, cancel and forget waits; the waiter thread turns from one
 * wait to the next, each for a slice; an environment takes what is done by its thread-safe function.
 *
 * What always holds, under `lock`: a wait is in `turns`, or in its instance's `done`, or freed. While the
 * waiter thread is inside a wait, its handle stays open: waiter_forget() waits for the slice to end. A lock
 * that was got and not yet told belongs to the wait: waiter_forget() gives it back.
 *
 * The thread starts with the first wait, and ends with the last instance. A program that ends by exit() runs
 * no cleanup of Node's: `at_exit` closes the handles then, so that nothing is left behind.
 */
#include "addon.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_MS 50
#define SLICE_SHARED_MS 10 /* of a turn of all waits, if there are several */

struct wait {
    struct wait *next;
    struct instance *owner;
    struct handle *handle;
    enum wait_for what;
    uint32_t ticket;
    bool cancelled, inside;
    int code, oserror;
    size_t key_size;
    unsigned char key[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* All below: guarded by lock. */
static pthread_cond_t work = PTHREAD_COND_INITIALIZER, left = PTHREAD_COND_INITIALIZER;
static struct instance *instances;
static struct wait *turns; /* the next one first */
static size_t turn_count;
static pthread_t thread;
static bool running, ending;

static void append(struct wait **list, struct wait *w)
{
    while (*list != NULL)
        list = &(*list)->next;
    w->next = NULL;
    *list = w;
}

static void take_out(struct wait **list, struct wait *w)
{
    while (*list != w)
        list = &(*list)->next;
    *list = w->next;
}

/* ---- the thread */

static int attempt(struct wait *w, int timeout_ms)
{
    switch (w->what) {
    case WAIT_EXCLUSIVE:
        return shms_stream_lock(w->handle->stream, timeout_ms);
    case WAIT_SHARED:
        return shms_stream_lock_shared(w->handle->stream, timeout_ms);
    case WAIT_KEY:
        return shms_dict_lock(w->handle->dict, w->key, w->key_size, timeout_ms);
    default:
        return shms_jar_lock(w->handle->jar, (const char *)w->key, timeout_ms);
    }
}

static int slice_ms(void)
{
    if (turn_count == 1)
        return SLICE_MS;
    return turn_count < SLICE_SHARED_MS ? SLICE_SHARED_MS / (int)turn_count : 1;
}

static void take_turn(struct wait *w)
{
    int timeout_ms = slice_ms();
    w->inside = true;
    pthread_mutex_unlock(&lock);
    int code = attempt(w, timeout_ms);
    int oserror = shms_last_oserror();
    pthread_mutex_lock(&lock);
    w->inside = false;
    take_out(&turns, w);
    if (code == SHMS_E_TIMEOUT && !w->cancelled) {
        append(&turns, w);
    } else {
        turn_count--;
        w->code = code;
        w->oserror = code < 0 ? oserror : 0;
        append(&w->owner->done, w);
        napi_call_threadsafe_function(w->owner->answer, NULL, napi_tsfn_nonblocking);
    }
    pthread_cond_broadcast(&left);
}

static void *run(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    while (!ending)
        if (turns == NULL)
            pthread_cond_wait(&work, &lock);
        else
            take_turn(turns);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static bool start(void)
{
    sigset_t all, before;
    if (running)
        return true;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for Node's threads */
    running = pthread_create(&thread, NULL, run, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return running;
}

/* ---- answers */

static void tell(napi_env env, struct instance *me, struct wait *w)
{
    napi_value function, undefined;
    napi_value arguments[] = {number(env, w->ticket), number(env, w->code), number(env, w->oserror)};
    napi_get_reference_value(env, me->on_done, &function);
    napi_get_undefined(env, &undefined);
    napi_call_function(env, undefined, function, 3, arguments, NULL);
}

/* One wait a call; there are at least as many calls as waits that are done. */
static void answer(napi_env env, napi_value unused, void *context, void *data)
{
    struct instance *me = context;
    (void)unused, (void)data;
    if (env == NULL)
        return;
    pthread_mutex_lock(&lock);
    struct wait *w = me->done;
    bool last = false;
    if (w != NULL) {
        me->done = w->next;
        last = --me->waits == 0;
    }
    pthread_mutex_unlock(&lock);
    if (w == NULL)
        return; /* it was forgotten */
    if (last)
        napi_unref_threadsafe_function(env, me->answer);
    tell(env, me, w);
    free(w);
}

/* ---- from JavaScript */

int64_t waiter_submit(struct instance *me, struct handle *h, enum wait_for what, const struct key *key)
{
    struct wait *w = calloc(1, sizeof *w + key->size);
    if (w == NULL)
        return SHMS_E_NOMEM;
    w->owner = me;
    w->handle = h;
    w->what = what;
    w->key_size = key->size;
    if (key->size > 0)
        memcpy(w->key, key->data, key->size);
    pthread_mutex_lock(&lock);
    if (!start()) {
        pthread_mutex_unlock(&lock);
        free(w);
        return SHMS_E_OS;
    }
    w->ticket = ++me->last_ticket;
    append(&turns, w);
    turn_count++;
    bool first = me->waits++ == 0;
    pthread_cond_signal(&work);
    int64_t ticket = w->ticket;
    pthread_mutex_unlock(&lock);
    if (first)
        napi_ref_threadsafe_function(me->env, me->answer); /* the loop goes on while something is awaited */
    return ticket;
}

void waiter_cancel(struct instance *me, uint32_t ticket)
{
    pthread_mutex_lock(&lock);
    for (struct wait *w = turns; w != NULL; w = w->next)
        if (w->owner == me && w->ticket == ticket)
            w->cancelled = true;
    pthread_mutex_unlock(&lock);
}

static void give_back(struct wait *w)
{
    if (w->code < 0)
        return;
    if (w->what == WAIT_KEY)
        shms_dict_unlock(w->handle->dict, w->key, w->key_size);
    else if (w->what == WAIT_HOST)
        shms_jar_unlock(w->handle->jar, (const char *)w->key);
    else
        shms_stream_unlock(w->handle->stream);
}

static struct wait *wait_of(struct wait *list, const struct handle *h)
{
    while (list != NULL && list->handle != h)
        list = list->next;
    return list;
}

/* Called with the lock, which it gives up while the thread is inside. */
static size_t forget_turns(struct handle *h)
{
    size_t count = 0;
    struct wait *w;
    for (w = turns; w != NULL; w = w->next)
        if (w->handle == h)
            w->cancelled = true;
    while ((w = wait_of(turns, h)) != NULL)
        if (w->inside) {
            pthread_cond_wait(&left, &lock);
        } else {
            take_out(&turns, w);
            turn_count--;
            count++;
            free(w);
        }
    return count;
}

void waiter_forget(struct instance *me, struct handle *h)
{
    struct wait *w;
    pthread_mutex_lock(&lock);
    size_t count = forget_turns(h);
    while ((w = wait_of(me->done, h)) != NULL) {
        take_out(&me->done, w);
        give_back(w);
        count++;
        free(w);
    }
    me->waits -= count;
    bool none_left = count > 0 && me->waits == 0;
    pthread_mutex_unlock(&lock);
    if (none_left && me->env != NULL)
        napi_unref_threadsafe_function(me->env, me->answer);
}

/* ---- instances */

/* exit() was called. No JavaScript runs any more; Node has stopped the workers. */
static void at_exit(void)
{
    for (struct instance *me = instances; me != NULL; me = me->next) {
        me->env = NULL;
        for (size_t i = 0; i < me->slot_count; i++)
            if (me->slots[i].handle != NULL)
                handle_close(me, me->slots[i].handle);
    }
}

bool waiter_join(struct instance *me)
{
    static bool registered;
    napi_value name = NULL;
    if (napi_create_string_utf8(me->env, "shmstream", NAPI_AUTO_LENGTH, &name) != napi_ok ||
        napi_create_threadsafe_function(me->env, NULL, NULL, name, 0, 1, NULL, NULL, me, answer,
                                        &me->answer) != napi_ok ||
        napi_unref_threadsafe_function(me->env, me->answer) != napi_ok)
        return false;
    pthread_mutex_lock(&lock);
    if (!registered)
        registered = atexit(at_exit) == 0;
    me->next = instances;
    instances = me;
    pthread_mutex_unlock(&lock);
    return true;
}

void waiter_leave(struct instance *me)
{
    pthread_mutex_lock(&lock);
    struct instance **at = &instances;
    while (*at != me)
        at = &(*at)->next;
    *at = me->next;
    bool last = instances == NULL && running;
    if (last) {
        ending = true;
        pthread_cond_signal(&work);
    }
    pthread_mutex_unlock(&lock);
    if (!last)
        return;
    pthread_join(thread, NULL);
    pthread_mutex_lock(&lock);
    running = ending = false;
    pthread_mutex_unlock(&lock);
}
