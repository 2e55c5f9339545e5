/* SPDX-License-Identifier: MIT */
#include "bridge.h"

#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void bridge_send(bridge *b, json_t *message)
{
    if (message_write(b->to_browser, message) || b->mute)
        return;
    b->mute = errno != EMSGSIZE && errno != ENOMEM;
    cookie_error(b->args, "a message was not sent to the browser: %s", strerror(errno));
}

/* ---- entries */

static json_t *get(const json_t *entry, const char *field)
{
    return json_object_get(entry, field);
}

static const json_t *held(const json_t *entry)
{
    const json_t *state = get(entry, "browser");
    return state ? state : json_null();
}

static void note(json_t *entry, const char *field, const json_t *state)
{
    json_object_set_new(entry, field, json_deep_copy(state));
}

static json_t *entry_of(bridge *b, const char *key)
{
    json_t *entry = json_object_get(b->entries, key);
    if (entry)
        return entry;
    entry = json_object();
    return json_object_set_new(b->entries, key, entry) == 0 ? entry : NULL;
}

/* What the jar refuses stays in the browser, and the jar's stays in the jar. */
static int64_t adopt(bridge *b, json_t *entry, const shms_cookie *c, bool gone)
{
    int64_t error = 0;
    int rc = state_put(b->jar, c, gone);
    json_object_del(entry, "given");
    if (rc == 0)
        return 0;
    if (rc < 0 && rc != SHMS_E_INVALID && rc != SHMS_E_FULL)
        return rc;
    cookie_error(b->args, "%s: a cookie of the browser was left out: %s", c->host, shms_jar_reason(rc));
    json_t *state = state_in_jar(b->jar, c, &error);
    if (state)
        json_object_set_new(entry, "given", state);
    return error;
}

/* ---- from the jar to the browser */

static void write_down(bridge *b, json_t *entry, const json_t *state)
{
    bool gone = json_is_null(state);
    /* A browser deletes a Secure cookie only if told that it is one; the jar knows no more than its name. */
    const json_t *told = gone ? held(entry) : state;
    note(entry, "sent", state);
    json_object_del(entry, "echoed");
    bridge_send(b, json_pack("{s:s, s:o}", "type", gone ? "delete" : "write", "cookie",
                             json_deep_copy(told)));
}

/* Make the browser hold what the jar holds. */
static int settle(bridge *b, const char *key, const json_t *state)
{
    json_t *entry = entry_of(b, key);
    if (!entry)
        return SHMS_E_NOMEM;
    if (get(entry, "sent"))
        return 0;
    if (json_equal(state, held(entry))) {
        json_object_del(entry, "given");
        if (json_is_null(state))
            json_object_del(b->entries, key);
    } else if (!get(entry, "given") || !json_equal(state, get(entry, "given"))) {
        write_down(b, entry, state);
    }
    return 0;
}

static int collect(const shms_cookie *c, void *context)
{
    json_t *state = state_of(c); /* what is not in UTF-8 stays in the jar */
    char *key = state ? key_of(c) : NULL;
    int rc = key ? json_object_set_new(context, key, state) : 0;
    free(key);
    return rc ? SHMS_E_NOMEM : 0;
}

/* At the first walk what the jar has not comes from the browser; later it has been deleted there. */
static int64_t settle_known(bridge *b, json_t *jar)
{
    const char *key;
    json_t *entry;
    void *next;
    json_object_foreach_safe(b->entries, next, key, entry) {
        shms_cookie c;
        const json_t *state = json_object_get(jar, key);
        if (state || !state_cookie(held(entry), &c))
            continue;
        int64_t rc = b->ready ? settle(b, key, json_null()) : adopt(b, entry, &c, false);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int64_t settle_all(bridge *b)
{
    const char *key;
    json_t *state, *jar = json_object();
    int64_t rc = shms_jar_each(b->jar, NULL, collect, jar);
    if (rc >= 0)
        rc = settle_known(b, jar);
    json_object_foreach(jar, key, state) {
        shms_cookie c;
        if (rc >= 0 && state_cookie(state, &c))
            rc = settle(b, key, state);
    }
    json_decref(jar);
    return rc < 0 ? rc : 0;
}

static int take_change(const shms_cookie *c, void *context)
{
    json_t *state = state_of(c);
    char *key = state ? key_of(c) : NULL;
    int rc = 0;
    if (!*c->name && !*c->path)
        rc = (int)settle_all(context);
    else if (key)
        rc = settle(context, key, c->flags & SHMS_COOKIE_GONE ? json_null() : state);
    free(key);
    json_decref(state);
    return rc;
}

int64_t bridge_follow(bridge *b)
{
    if (!b->ready)
        return 0;
    int64_t n = shms_jar_changes(b->jar, &b->since, take_change, b);
    if (n == SHMS_E_MISSED)
        return settle_all(b);
    return n < 0 ? n : 0;
}

/* ---- from the browser to the jar */

static int64_t take_state(bridge *b, const char *key, const shms_cookie *c, const json_t *state)
{
    json_t *entry = entry_of(b, key);
    if (!entry)
        return SHMS_E_NOMEM;
    const json_t *sent = get(entry, "sent");
    bool echo = sent && !get(entry, "echoed") && json_equal(state, sent);
    bool known = b->ready && json_equal(state, held(entry)); /* the echo of an earlier write, told late */
    note(entry, "browser", state);
    if (echo)
        json_object_set_new(entry, "echoed", json_true());
    return echo || known ? 0 : adopt(b, entry, c, json_is_null(state));
}

/* The browser made room. What it dropped is not written into it again, lest it drops the next one. */
static int64_t take_eviction(bridge *b, const char *key, const shms_cookie *c)
{
    int64_t rc = 0;
    json_t *entry = entry_of(b, key), *state = entry ? state_in_jar(b->jar, c, &rc) : NULL;
    if (!state)
        return entry ? rc : SHMS_E_NOMEM;
    note(entry, "browser", json_null());
    json_object_set_new(entry, "given", state);
    return 0;
}

/* The browser holds `told` now, or none if that is null, and nothing is under way. */
static int64_t take_done(bridge *b, const char *key, const shms_cookie *c, const json_t *told)
{
    int64_t rc = 0;
    shms_cookie now;
    json_t *entry = json_object_get(b->entries, key), *sent = get(entry, "sent");
    if (!sent)
        return 0;
    json_object_set(entry, "given", sent);
    json_object_del(entry, "sent");
    json_object_set_new(entry, "browser", state_cookie(told, &now) ? state_of(&now) : json_null());
    json_t *state = state_in_jar(b->jar, c, &rc);
    if (state)
        rc = settle(b, key, state);
    json_decref(state);
    return rc;
}

/* ---- messages */

static int64_t take_walk(bridge *b, const json_t *cookies)
{
    size_t i;
    const json_t *told;
    json_array_foreach(cookies, i, told) {
        shms_cookie c;
        json_t *state = state_cookie(told, &c) ? state_of(&c) : NULL;
        char *key = state ? key_of(&c) : NULL;
        json_t *entry = key ? entry_of(b, key) : NULL;
        if (entry)
            json_object_set(entry, "browser", state);
        free(key);
        json_decref(state);
    }
    return 0;
}

static int64_t take_ready(bridge *b)
{
    int64_t rc = 0;
    if (!b->ready) {
        b->since = shms_jar_version(b->jar);
        rc = b->since < 0 ? b->since : settle_all(b);
        b->ready = true;
    }
    bridge_send(b, json_pack("{s:s, s:i}", "type", "equal", "cookies", (int)json_object_size(b->entries)));
    return rc < 0 ? rc : 0;
}

static int64_t take_cookie(bridge *b, const char *type, const json_t *message)
{
    shms_cookie c;
    int64_t rc = 0;
    const json_t *told = get(message, "cookie");
    bool done = strcmp(type, "done") == 0;
    json_t *state = state_cookie(done ? get(message, "about") : told, &c) ? state_of(&c) : NULL;
    char *key = state ? key_of(&c) : NULL;
    if (!key)
        cookie_error(b->args, "a message of the browser was passed over: it tells of no cookie");
    else if (done)
        rc = take_done(b, key, &c, told);
    else if (json_is_true(get(message, "evicted")))
        rc = take_eviction(b, key, &c);
    else
        rc = take_state(b, key, &c, strcmp(type, "gone") == 0 ? json_null() : state);
    free(key);
    json_decref(state);
    return rc;
}

/* Until it is told that a change is kept, the extension tells it again to the next host. */
static void answer_kept(bridge *b, const json_t *message)
{
    const json_t *number = get(message, "n");
    if (json_is_integer(number))
        bridge_send(b, json_pack("{s:s, s:I}", "type", "kept", "n", json_integer_value(number)));
}

int64_t bridge_take(bridge *b, const json_t *message)
{
    static const char *const of_a_cookie[] = {"changed", "gone", "done"};
    const char *type = json_string_value(get(message, "type"));
    for (size_t i = 0; type && i < sizeof of_a_cookie / sizeof of_a_cookie[0]; i++)
        if (strcmp(type, of_a_cookie[i]) == 0) {
            int64_t rc = take_cookie(b, type, message);
            if (rc >= 0)
                answer_kept(b, message);
            return rc;
        }
    if (type && strcmp(type, "have") == 0)
        return take_walk(b, get(message, "cookies"));
    if (type && strcmp(type, "ready") == 0)
        return take_ready(b);
    cookie_error(b->args, "a message of the browser was passed over: its type is not known");
    return 0;
}
