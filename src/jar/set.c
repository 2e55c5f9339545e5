/* SPDX-License-Identifier: MIT */
/* Cookies come in: RFC 6265bis, 5.7; and past a request, by put. */
#include "rules.h"

#include <stdlib.h>
#include <string.h>

/* ---- why not */

const char *shms_jar_reason(int reason)
{
    switch (reason) {
    case SHMS_COOKIE_CONTROL: return "it holds a control byte";
    case SHMS_COOKIE_EMPTY: return "it has neither name nor value";
    case SHMS_COOKIE_LONG: return "its name and value have more than 4096 bytes";
    case SHMS_COOKIE_DOMAIN: return "its Domain is not the host's";
    case SHMS_COOKIE_SUFFIX: return "its Domain is a public suffix, under which strangers have their hosts";
    case SHMS_COOKIE_INSECURE: return "it needs Secure, and a secure connection";
    case SHMS_COOKIE_SHADOWS: return "it would hide a Secure cookie, and the connection is not secure";
    case SHMS_COOKIE_HIDDEN: return "a script may neither make nor replace an HttpOnly cookie";
    case SHMS_COOKIE_CROSS_SITE: return "its SameSite does not let another site set it";
    case SHMS_COOKIE_PREFIX:
        return "its prefix promises more: __Secure- wants Secure, __Host- also Path=/ and no Domain, "
               "__Http- and __Host-Http- also HttpOnly";
    case SHMS_COOKIE_UNWRITABLE: return "no Set-Cookie line can make it: see its name, value, and path";
    default: return shms_strerror(reason);
    }
}

/* ---- into the jar */

struct store {
    shms_cookie cookie;
    bool api;
    bool insecure; /* the connection is not secure, and neither is the cookie */
};

static bool hides(const struct record *r, const shms_cookie *c, int64_t now)
{
    for (size_t i = 0; i < r->count; i++) {
        const shms_cookie *old = &r->cookies[i];
        if (!shms__is_gone(old, now) && (old->flags & SHMS_COOKIE_SECURE) &&
            strcmp(old->name, c->name) == 0 && shms__path_match(c->path, strlen(c->path), old->path))
            return true;
    }
    return false;
}

/* An expiry that is over deletes; else the new one takes the place of its like. A Secure cookie may have come
 * since shadows() looked. */
static int store(shms_jar *j, struct record *r, void *context)
{
    const struct store *s = context;
    size_t i = shms__record_find(r, &s->cookie);
    bool there = i < r->count && !(r->cookies[i].flags & SHMS_COOKIE_GONE);
    if (there && s->api && (r->cookies[i].flags & SHMS_COOKIE_HTTP_ONLY))
        return SHMS_COOKIE_HIDDEN;
    int64_t now = shms__jar_now(j);
    if (s->insecure && hides(r, &s->cookie, now))
        return SHMS_COOKIE_SHADOWS;
    if (!shms__is_gone(&s->cookie, now))
        shms__record_put(r, &s->cookie);
    else if (there)
        shms__record_drop(r, i);
    return 0;
}

static int store_cookie(shms_jar *j, const shms_cookie *cookie, bool api, bool insecure)
{
    struct store s = {.cookie = *cookie, .api = api, .insecure = insecure};
    int64_t now = shms__jar_now(j), most = shms__expiry_most(now);
    s.cookie.created_ns = s.cookie.used_ns = now;
    if (s.cookie.expires_ns > most)
        s.cookie.expires_ns = most;
    struct place place;
    if (!shms__place_parse(cookie->host, cookie->partition, &place))
        return SHMS_E_INVALID;
    s.cookie.host = place.host;
    return shms__edit(j, &place, store, &s);
}

/* ---- what a request may set */

/* The host or domain that it is for. */
static int take_domain(const shms_jar *j, const struct url *url, struct set_cookie *c, char host[HOST_ROOM])
{
    bool whole = c->has_domain;
    memcpy(host, url->host, HOST_ROOM);
    if (whole && !shms__host_parse(c->domain, strlen(c->domain), host))
        return SHMS_COOKIE_DOMAIN;
    if (whole && shms__is_suffix(j, host)) {
        if (strcmp(host, url->host) != 0)
            return SHMS_COOKIE_SUFFIX;
        whole = false;
    }
    if (whole && !shms__domain_match(url->host, host))
        return SHMS_COOKIE_DOMAIN;
    if (!whole || shms__host_is_address(host))
        c->cookie.flags |= SHMS_COOKIE_HOST_ONLY;
    c->cookie.host = host;
    return 0;
}

static bool site_allows(const shms_cookie *c, const shms_jar_request *r)
{
    if (c->same_site == SHMS_SAME_SITE_NONE || r->site == SHMS_SITE_SAME)
        return true;
    return r->site != SHMS_SITE_CROSS && !(r->flags & SHMS_JAR_API);
}

/* Whether a cookie without Secure would be sent in the place of one that has it: of this host, of those above
 * and of those below. It has no partition: with one it would have Secure. */
static int shadows(shms_jar *j, const shms_cookie *c)
{
    struct place place;
    uint64_t cursor = 0;
    int rc;
    while ((rc = shms__next_place(j, &cursor, &place)) > 0) {
        struct record r;
        if (place.partition[0] ||
            (!shms__domain_match(place.host, c->host) && !shms__domain_match(c->host, place.host)))
            continue;
        rc = shms__record_read(j, &place, &r);
        if (rc < 0)
            return rc;
        bool hidden = hides(&r, c, shms__jar_now(j));
        shms__record_free(&r);
        if (hidden)
            return SHMS_COOKIE_SHADOWS;
    }
    return rc;
}

static int check_request(shms_jar *j, const shms_jar_request *r, const struct url *url,
                         const struct set_cookie *c)
{
    bool secure = c->cookie.flags & SHMS_COOKIE_SECURE;
    if (secure && !url->secure)
        return SHMS_COOKIE_INSECURE;
    if ((c->cookie.flags & SHMS_COOKIE_HTTP_ONLY) && (r->flags & SHMS_JAR_API))
        return SHMS_COOKIE_HIDDEN;
    if (!site_allows(&c->cookie, r))
        return SHMS_COOKIE_CROSS_SITE;
    if ((c->cookie.same_site == SHMS_SAME_SITE_NONE || c->cookie.partition) && !secure)
        return SHMS_COOKIE_INSECURE;
    if (!shms__prefix_kept(&c->cookie, c->has_path))
        return SHMS_COOKIE_PREFIX;
    return secure || url->secure ? 0 : shadows(j, &c->cookie);
}

static int set_parsed(shms_jar *j, const shms_jar_request *request, const struct url *url,
                      const struct set_cookie *parsed)
{
    struct set_cookie c = *parsed; /* its host and path may lie here */
    char host[HOST_ROOM], path[SHMS_COOKIE_ATTRIBUTE_MAX + 1];
    int rc = take_domain(j, url, &c, host);
    if (rc != 0)
        return rc;
    if (!c.has_path) {
        /* One that is longer than an attribute may be is cut at a '/'. */
        size_t n = shms__path_default(url->path, url->path_size < sizeof path ? url->path_size : sizeof path);
        memcpy(path, url->path, n);
        path[n] = '\0';
        c.cookie.path = path;
    }
    c.cookie.partition = c.partitioned ? request->partition : NULL;
    rc = check_request(j, request, url, &c);
    bool insecure = !url->secure && !(c.cookie.flags & SHMS_COOKIE_SECURE);
    return rc != 0 ? rc : store_cookie(j, &c.cookie, request->flags & SHMS_JAR_API, insecure);
}

int shms_jar_set(shms_jar *j, const shms_jar_request *request, const char *line, size_t size)
{
    struct url url;
    struct set_cookie c;
    if (!j || (!line && size > 0) || !shms__request_sound(request) || shms__url_parse(request->url, &url) < 0)
        return SHMS_E_INVALID;
    int rc = shms__line_parse(size > 0 ? line : "", size, shms__jar_now(j), &c);
    if (rc == 0)
        rc = set_parsed(j, request, &url, &c);
    if (c.text)
        explicit_bzero(c.text, size);
    free(c.text);
    return rc;
}

/* ---- past a request */

static bool has_byte(const char *text, bool semicolon)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 ? *text != '\t' : *text == 0x7f || (semicolon && *text == ';'))
            return true;
    return false;
}

/* What stands around a text in a line is no part of it; servers pass over it, too, so a name with a blank
 * before it could promise by a prefix what nobody has looked at. */
static bool has_blank_ends(const char *text)
{
    size_t n = strlen(text);
    return n > 0 && (text[0] == ' ' || text[0] == '\t' || text[n - 1] == ' ' || text[n - 1] == '\t');
}

static int check_put(const shms_jar *j, const shms_cookie *c)
{
    if (has_byte(c->name, false) || has_byte(c->value, false) || has_byte(c->path, false))
        return SHMS_COOKIE_CONTROL;
    if (c->name[0] == '\0' && c->value[0] == '\0')
        return SHMS_COOKIE_EMPTY;
    if (strlen(c->name) + strlen(c->value) > SHMS_COOKIE_MAX)
        return SHMS_COOKIE_LONG;
    if (has_byte(c->name, true) || has_byte(c->value, true) || has_byte(c->path, true) ||
        has_blank_ends(c->name) || has_blank_ends(c->value) || has_blank_ends(c->path) ||
        strchr(c->name, '=') || c->path[0] != '/' || strlen(c->path) > SHMS_COOKIE_ATTRIBUTE_MAX)
        return SHMS_COOKIE_UNWRITABLE;
    if (!(c->flags & SHMS_COOKIE_HOST_ONLY) && shms__is_suffix(j, c->host))
        return SHMS_COOKIE_SUFFIX;
    if (c->partition && !(c->flags & SHMS_COOKIE_SECURE))
        return SHMS_COOKIE_INSECURE;
    return shms__prefix_kept(c, true) ? 0 : SHMS_COOKIE_PREFIX;
}

int shms_jar_put(shms_jar *j, const shms_cookie *cookie)
{
    struct place place;
    const uint32_t known = SHMS_COOKIE_SECURE | SHMS_COOKIE_HTTP_ONLY | SHMS_COOKIE_HOST_ONLY;
    if (!j || !cookie || cookie->struct_size != sizeof *cookie || (cookie->flags & ~known) ||
        cookie->same_site > SHMS_SAME_SITE_STRICT || cookie->reserved || !cookie->host || !cookie->name ||
        !cookie->value || !cookie->path || cookie->expires_ns < 0 ||
        !shms__place_parse(cookie->host, cookie->partition, &place))
        return SHMS_E_INVALID;
    shms_cookie c = *cookie;
    c.host = place.host;
    if (shms__host_is_address(place.host))
        c.flags |= SHMS_COOKIE_HOST_ONLY;
    int rc = check_put(j, &c);
    return rc != 0 ? rc : store_cookie(j, &c, false, false);
}
