/* SPDX-License-Identifier: MIT */
/* A Set-Cookie line: RFC 6265bis, 5.6. */
#include "date.h"
#include "rules.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECOND_NS INT64_C(1000000000)
#define MOST_SECONDS (400 * INT64_C(86400))

/* Part of a line. */
struct span {
    char *at;
    size_t size;
};

static struct span trim(char *at, char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (struct span){at, (size_t)(end - at)};
}

/* What stands before and behind the first '=' of at..end; without one, all of it is before. */
static bool split(char *at, char *end, struct span *before, struct span *behind)
{
    char *equals = memchr(at, '=', (size_t)(end - at));
    *before = trim(at, equals ? equals : end);
    *behind = equals ? trim(equals + 1, end) : (struct span){end, 0};
    return equals;
}

static bool has_control(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

static bool is(struct span s, const char *word)
{
    return s.size == strlen(word) && strncasecmp(s.at, word, s.size) == 0;
}

int64_t shms__expiry_most(int64_t now_ns)
{
    return shms__later(now_ns, MOST_SECONDS * SECOND_NS);
}

/* A second since 1970, as an expiry: never 0, which says that there is none. */
static int64_t expiry_of(int64_t seconds, int64_t now_ns)
{
    int64_t most = shms__expiry_most(now_ns);
    if (seconds <= 0)
        return 1;
    return seconds > most / SECOND_NS ? most : seconds * SECOND_NS;
}

/* Seconds from now; anything but digits behind a sign, and it was not said. */
static void take_max_age(struct span v, int64_t now_ns, int64_t *ret)
{
    size_t sign = v.size > 0 && v.at[0] == '-';
    int64_t n = 0;
    if (v.size == sign)
        return;
    for (size_t i = sign; i < v.size; i++) {
        if (v.at[i] < '0' || v.at[i] > '9')
            return;
        n = n > MOST_SECONDS ? n : n * 10 + (v.at[i] - '0');
    }
    int64_t over = shms__later(now_ns, (n < MOST_SECONDS ? n : MOST_SECONDS) * SECOND_NS);
    *ret = sign || n == 0 || over <= 0 ? 1 : over;
}

static uint32_t same_site_of(struct span v)
{
    return is(v, "none") ? SHMS_SAME_SITE_NONE : is(v, "lax") ? SHMS_SAME_SITE_LAX
           : is(v, "strict") ? SHMS_SAME_SITE_STRICT : SHMS_SAME_SITE_DEFAULT;
}

/* Max-Age counts more than Expires; of each the last one. */
struct expiries {
    int64_t max_age_ns, expires_ns;
};

static void take_attribute(struct span name, struct span v, int64_t now_ns, struct set_cookie *c,
                           struct expiries *e)
{
    int64_t seconds;
    if (v.size > SHMS_COOKIE_ATTRIBUTE_MAX)
        return;
    if (is(name, "expires") && shms__date_parse(v.at, v.size, &seconds))
        e->expires_ns = expiry_of(seconds, now_ns);
    else if (is(name, "max-age"))
        take_max_age(v, now_ns, &e->max_age_ns);
    else if (is(name, "secure"))
        c->cookie.flags |= SHMS_COOKIE_SECURE;
    else if (is(name, "httponly"))
        c->cookie.flags |= SHMS_COOKIE_HTTP_ONLY;
    else if (is(name, "partitioned"))
        c->partitioned = true;
    else if (is(name, "samesite"))
        c->cookie.same_site = same_site_of(v);
    else if (is(name, "domain")) {
        c->domain = v.size > 0 && v.at[0] == '.' ? v.at + 1 : v.at;
        v.at[v.size] = '\0';
        c->has_domain = *c->domain != '\0';
    } else if (is(name, "path")) {
        v.at[v.size] = '\0';
        c->cookie.path = v.at;
        c->has_path = v.at[0] == '/';
    }
}

/* Where a value ends a zero byte is put, on the blank or semicolon behind it, which has been read by then. */
static void take_attributes(char *at, char *end, int64_t now_ns, struct set_cookie *c)
{
    struct expiries e = {0};
    while (at < end) {
        char *stop = memchr(at, ';', (size_t)(end - at));
        struct span name, value;
        stop = stop ? stop : end;
        split(at, stop, &name, &value);
        take_attribute(name, value, now_ns, c, &e);
        at = stop + 1;
    }
    c->cookie.expires_ns = e.max_age_ns ? e.max_age_ns : e.expires_ns;
}

int shms__line_parse(const char *line, size_t size, int64_t now_ns, struct set_cookie *ret)
{
    *ret = (struct set_cookie){.cookie = {.struct_size = sizeof ret->cookie}};
    if (has_control(line, size))
        return SHMS_COOKIE_CONTROL;
    ret->text = malloc(size + 1);
    if (!ret->text)
        return SHMS_E_NOMEM;
    memcpy(ret->text, line, size);
    ret->text[size] = '\0';
    char *end = ret->text + size, *stop = memchr(ret->text, ';', size);
    stop = stop ? stop : end;
    struct span name, value;
    if (!split(ret->text, stop, &name, &value)) {
        value = name;
        name = (struct span){end, 0};
    }
    if (name.size + value.size == 0)
        return SHMS_COOKIE_EMPTY;
    if (name.size + value.size > SHMS_COOKIE_MAX)
        return SHMS_COOKIE_LONG;
    take_attributes(stop + 1, end, now_ns, ret);
    name.at[name.size] = value.at[value.size] = '\0';
    ret->cookie.name = name.at;
    ret->cookie.value = value.at;
    return 0;
}

static bool starts(const char *text, const char *prefix)
{
    return strncasecmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_host_wide(const shms_cookie *c, bool has_path)
{
    return (c->flags & SHMS_COOKIE_HOST_ONLY) && has_path && strcmp(c->path, "/") == 0;
}

/* The prefixes that servers rely on, in whatever case. What begins with __Http- no script has made. */
bool shms__prefix_kept(const shms_cookie *c, bool has_path)
{
    static const struct {
        const char *prefix;
        uint32_t flags;
        bool host_wide;
    } known[] = {{"__Secure-", SHMS_COOKIE_SECURE, false},
                 {"__Http-", SHMS_COOKIE_SECURE | SHMS_COOKIE_HTTP_ONLY, false},
                 {"__Host-Http-", SHMS_COOKIE_SECURE | SHMS_COOKIE_HTTP_ONLY, true},
                 {"__Host-", SHMS_COOKIE_SECURE, true}};
    /* Without a name the value stands where a server looks for one. */
    const char *name = c->name[0] ? c->name : c->value;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (starts(name, known[i].prefix))
            return c->name[0] && (c->flags & known[i].flags) == known[i].flags &&
                   (!known[i].host_wide || is_host_wide(c, has_path));
    return true;
}
