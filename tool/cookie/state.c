/* SPDX-License-Identifier: MIT */
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS 1000000000

static const char *const same_sites[] = {"default", "none", "lax", "strict"};

json_t *state_of(const shms_cookie *c)
{
    /* Whole seconds: finer ones are not the same in every browser. */
    return json_pack("{s:s, s:s, s:s, s:s, s:s*, s:I, s:b, s:b, s:b, s:s}", "host", c->host, "name", c->name,
                     "value", c->value, "path", c->path, "partition", c->partition, "expires",
                     (json_int_t)(c->expires_ns / NS), "secure", !!(c->flags & SHMS_COOKIE_SECURE),
                     "http_only", !!(c->flags & SHMS_COOKIE_HTTP_ONLY), "host_only",
                     !!(c->flags & SHMS_COOKIE_HOST_ONLY), "same_site", same_sites[c->same_site & 3]);
}

/* No text of a cookie has a line end in it. */
char *key_of(const shms_cookie *c)
{
    char *key;
    int n = asprintf(&key, "%s\n%s\n%s\n%s\n%s", c->partition ? c->partition : "", c->host,
                     c->flags & SHMS_COOKIE_HOST_ONLY ? "host" : "domain", c->name, c->path);
    return n < 0 ? NULL : key;
}

static uint32_t flag(const json_t *state, const char *name, uint32_t value)
{
    return json_is_true(json_object_get(state, name)) ? value : 0;
}

static const char *text(const json_t *state, const char *name)
{
    return json_string_value(json_object_get(state, name));
}

bool state_cookie(const json_t *state, shms_cookie *ret)
{
    double expires = json_number_value(json_object_get(state, "expires"));
    const char *same_site = text(state, "same_site");
    shms_cookie c = {.struct_size = sizeof c, .host = text(state, "host"), .name = text(state, "name"),
                     .value = text(state, "value"), .path = text(state, "path"),
                     .partition = text(state, "partition")};
    if (!c.host || !c.name || !c.value || !c.path || !same_site || !(expires >= 0))
        return false;
    while (c.same_site < 4 && strcmp(same_site, same_sites[c.same_site]) != 0)
        c.same_site++;
    c.flags = flag(state, "secure", SHMS_COOKIE_SECURE) | flag(state, "http_only", SHMS_COOKIE_HTTP_ONLY) |
              flag(state, "host_only", SHMS_COOKIE_HOST_ONLY);
    if (c.same_site == SHMS_SAME_SITE_NONE && !(c.flags & SHMS_COOKIE_SECURE))
        c.same_site = SHMS_SAME_SITE_DEFAULT; /* how older browsers tell that nothing was said */
    c.expires_ns = expires < (double)(INT64_MAX / NS) ? (int64_t)expires * NS : INT64_MAX;
    *ret = c;
    return c.same_site < 4;
}

/* ---- in the jar */

struct search {
    const char *key;
    json_t *found;
};

static int compare(const shms_cookie *c, void *context)
{
    struct search *s = context;
    char *key = key_of(c);
    bool found = key && strcmp(key, s->key) == 0;
    free(key);
    if (!key)
        return SHMS_E_NOMEM;
    if (found)
        s->found = state_of(c);
    return found;
}

json_t *state_in_jar(shms_jar *j, const shms_cookie *like, int64_t *ret_error)
{
    char *key = key_of(like);
    struct search s = {.key = key};
    int64_t n = key ? shms_jar_each(j, like->host, compare, &s) : SHMS_E_NOMEM;
    free(key);
    if (n >= 0 || n == SHMS_E_INVALID) /* no such host can be */
        return s.found ? s.found : json_null();
    *ret_error = n;
    return NULL;
}

int state_put(shms_jar *j, const shms_cookie *cookie, bool gone)
{
    shms_cookie c = *cookie;
    if (gone)
        c.expires_ns = 1; /* long over */
    return shms_jar_put(j, &c);
}
