/* SPDX-License-Identifier: MIT */
/*
 * The addon of Node: what its files share. index.js is the only caller; it checks arguments and makes errors.
 *
 * A handle is known to JavaScript by a number, its id, which is never a pointer: a wrong or an old one finds
 * nothing. A negative result is a code of shmstream.h.
 *
 * Threads: each environment (the main thread, each worker) has an instance, and its handles are used by its
 * own thread; one thread of the process (waiter.c) waits for locks on behalf of all.
 */
#ifndef SHMSTREAM_NODE_ADDON_H
#define SHMSTREAM_NODE_ADDON_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <shmstream.h>
#include <shmstream/channel.h>
#include <shmstream/dict.h>
#include <shmstream/jar.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kind { KIND_STREAM = 1, KIND_CHANNEL = 2, KIND_DICT = 4, KIND_JAR = 8, KIND_ANY = 15 };

struct exposure;
struct watch;
struct wait;

struct handle {
    enum kind kind;
    uint32_t id;
    union {
        shms_stream *stream;
        shms_channel *channel;
        shms_dict *dict;
        shms_jar *jar;
    };
    napi_ref memory;           /* of the ArrayBuffer over a stream's memory, weak; or NULL */
    struct exposure *exposure; /* of that memory, until JavaScript has let go of it; or NULL */
    struct watch *watch;       /* of the poll descriptor; or NULL */
    bool closing; /* its id is known no more; it is closed when JavaScript lets go of the memory */
};

/* What a test can have refused: memory of ours as an ArrayBuffer, as in Electron; poll descriptors. */
enum { REFUSES_EXTERNAL = 1, REFUSES_DESCRIPTORS = 2 };

struct slot {
    struct handle *handle;
    uint16_t round; /* the upper half of the id: an old id does not fit the next handle here */
};

struct instance {
    napi_env env;
    struct instance *next; /* of all instances, guarded by the waiter's lock */
    struct slot *slots;
    size_t slot_count;
    unsigned char *scratch; /* room for records on their way to JavaScript */
    size_t scratch_size;
    napi_ref on_done;  /* function (ticket, code, errno): a lock was got, or not */
    napi_ref on_event; /* function (id): the poll descriptor was readable */
    napi_async_context context;
    napi_async_cleanup_hook_handle hook;
    size_t watches; /* that libuv has not closed yet */
    bool ending;
    int64_t refuses; /* for tests: REFUSES_... */
    /* the waiter's, guarded by its lock */
    napi_threadsafe_function answer;
    struct wait *done; /* waits that have ended and are not told yet */
    size_t waits;
    uint32_t last_ticket;
};

/* ---- addon.c: arguments and results */

#define ARGUMENTS_MOST 16

/** A call from JavaScript. `bad` is set by a getter whose argument has another type. */
struct call {
    napi_env env;
    struct instance *me;
    napi_value arguments[ARGUMENTS_MOST];
    bool bad;
};

struct bytes {
    const void *data;
    size_t size;
};

/** A key: the bytes of a Uint8Array, or a string in UTF-8. */
struct key {
    const void *data;
    size_t size;
    char text[SHMS_DICT_KEY_MOST + 16];
};

void call_begin(struct call *call, napi_env env, napi_callback_info info);
int64_t int_at(struct call *call, size_t i);
int64_t big_at(struct call *call, size_t i);
struct bytes bytes_at(struct call *call, size_t i);
void key_at(struct call *call, size_t i, struct key *ret_key);
/** A string to be freed; NULL for null and undefined. */
char *string_at(struct call *call, size_t i);
struct handle *handle_at(struct call *call, size_t i, int kinds);
shms_stream *stream_at(struct call *call, size_t i);
shms_channel *channel_at(struct call *call, size_t i);
shms_dict *dict_at(struct call *call, size_t i);
shms_jar *jar_at(struct call *call, size_t i);

/** Throws a TypeError if an argument was bad. */
bool call_is_bad(struct call *call);
napi_value number(napi_env env, int64_t value);
napi_value big(napi_env env, int64_t value); /**< a BigInt; a number if it is negative, a code */
napi_value copied(napi_env env, const void *data, size_t size);
napi_value array(napi_env env, size_t count, const napi_value *values);
void set_number(napi_env env, napi_value object, const char *name, int64_t value);
void set_big(napi_env env, napi_value object, const char *name, int64_t value);
/** Makes the scratch room at least that large. */
bool scratch_for(struct instance *me, size_t size);

/** Gives a new handle an id, or closes its object and gives a code. */
napi_value handle_add(struct instance *me, enum kind kind, void *object);
/** Ends the waits of a handle and closes it. */
void handle_close(struct instance *me, struct handle *h);

/* ---- stream.c, channel.c, dict.c; jar/jar.c, or jar/none.c where there is no libpsl */

extern const napi_property_descriptor stream_functions[], channel_functions[], dict_functions[],
    jar_functions[];
extern const size_t stream_function_count, channel_function_count, dict_function_count, jar_function_count;
/** Makes the ArrayBuffer over the memory have length 0. False: it is another's by now, who may touch it
 * still. */
bool memory_detach(struct instance *me, struct handle *h);
/** The handle goes; what JavaScript still has of its memory does not know it any more. */
void memory_forget(struct handle *h);

#define FUNCTION(name, callback)                                      \
    {                                                                 \
        name, NULL, callback, NULL, NULL, NULL, napi_enumerable, NULL \
    }

/* ---- waiter.c: locks that are waited for */

enum wait_for { WAIT_EXCLUSIVE, WAIT_SHARED, WAIT_KEY, WAIT_HOST };

bool waiter_join(struct instance *me);
/** After this nothing of the instance is waited for; the last one ends the thread. */
void waiter_leave(struct instance *me);
/** A ticket, or a code. The key of WAIT_HOST is a text with its zero byte. */
int64_t waiter_submit(struct instance *me, struct handle *h, enum wait_for what, const struct key *key);
/** The wait ends soon, by a lock that was got just now or by SHMS_E_TIMEOUT. */
void waiter_cancel(struct instance *me, uint32_t ticket);
/** Ends the waits of a handle at once; what they got is given back. */
void waiter_forget(struct instance *me, struct handle *h);

/* ---- watch.c: poll descriptors */

/** 0; 1: the descriptor is new, so look once more before sleeping; or a code. */
int watch_start(struct instance *me, struct handle *h);
void watch_stop(struct handle *h);
void watch_close(struct handle *h);

/** Frees the instance when nothing of it is left. */
void instance_settle(struct instance *me);

#endif
