/* SPDX-License-Identifier: MIT */
#include "url.h"

#include "shmstream.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool starts(const char *text, const char *with)
{
    return strncasecmp(text, with, strlen(with)) == 0;
}

static bool ends(const char *text, const char *with)
{
    size_t n = strlen(text), m = strlen(with);
    return n >= m && strcmp(text + n - m, with) == 0;
}

/* Names of one to 63 bytes between dots; the last may be empty, as in "example.com." */
static bool has_labels(const char *host)
{
    for (;;) {
        size_t n = strcspn(host, ".");
        if (n == 0 || n > 63)
            return false;
        host += n;
        if (host[0] == '\0' || host[1] == '\0')
            return true;
        host++;
    }
}

static bool is_name_byte(char c)
{
    return c > ' ' && c < 0x7f && !strchr("\"#%/:<>?@[\\]^`{|},;=", c);
}

static bool is_ipv6(const char *host, size_t size)
{
    return size >= 4 && host[0] == '[' && host[size - 1] == ']' &&
           strspn(host + 1, "0123456789abcdef:.") == size - 2 && memchr(host, ':', size);
}

bool shms__host_parse(const char *text, size_t size, char ret[HOST_ROOM])
{
    if (size == 0 || size > HOST_ROOM - 2)
        return false;
    bool name = true;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        ret[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        name = name && is_name_byte(c);
    }
    ret[size] = '\0';
    return name ? has_labels(ret) : is_ipv6(ret, size);
}

bool shms__host_is_address(const char *host)
{
    size_t n = strlen(host);
    if (host[0] == '[')
        return true;
    n -= host[n - 1] == '.';
    size_t digits = 0;
    while (digits < n && host[n - 1 - digits] >= '0' && host[n - 1 - digits] <= '9')
        digits++;
    return digits > 0 && (digits == n || host[n - 1 - digits] == '.');
}

const char *shms__host_above(const char *host)
{
    const char *dot = shms__host_is_address(host) ? NULL : strchr(host, '.');
    return dot && dot[1] ? dot + 1 : NULL;
}

bool shms__domain_match(const char *host, const char *domain)
{
    size_t n = strlen(host), m = strlen(domain);
    if (strcmp(host, domain) == 0)
        return true;
    return n > m && host[n - m - 1] == '.' && ends(host, domain) && !shms__host_is_address(host);
}

bool shms__path_match(const char *path, size_t size, const char *cookie_path)
{
    size_t n = strlen(cookie_path);
    if (n > size || memcmp(path, cookie_path, n) != 0)
        return false;
    return n == size || (n > 0 && cookie_path[n - 1] == '/') || path[n] == '/';
}

size_t shms__path_default(const char *path, size_t size)
{
    while (size > 1 && path[size - 1] != '/')
        size--;
    return size > 1 ? size - 1 : 1;
}

/* This machine itself: nobody listens between. */
static bool is_local(const char *host)
{
    return strcmp(host, "localhost") == 0 || ends(host, ".localhost") || strcmp(host, "[::1]") == 0 ||
           (starts(host, "127.") && shms__host_is_address(host));
}

static const char *skip_scheme(const char *text, bool *ret_secure)
{
    static const struct {
        const char *start;
        bool secure;
    } known[] = {{"https://", true}, {"wss://", true}, {"http://", false}, {"ws://", false}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (starts(text, known[i].start)) {
            *ret_secure = known[i].secure;
            return text + strlen(known[i].start);
        }
    return NULL;
}

/* The end of the host in host[:port], or NULL: a port that is none. An empty port is the scheme's own. */
static const char *host_end(const char *start, const char *end)
{
    const char *p = end;
    while (p > start && p[-1] >= '0' && p[-1] <= '9')
        p--;
    if (p == start || p[-1] != ':')
        return end;
    if (end - p > 5 || (end > p && strtol(p, NULL, 10) > 65535))
        return NULL;
    return p - 1;
}

int shms__url_parse(const char *text, struct url *ret)
{
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return SHMS_E_INVALID;
    const char *start = skip_scheme(text, &ret->secure);
    if (!start)
        return SHMS_E_INVALID;
    const char *end = start + strcspn(start, "/?#\\");
    for (const char *p = start; p < end; p++)
        if (*p == '@')
            start = p + 1;
    const char *host = start, *stop = host_end(start, end);
    if (!stop || !shms__host_parse(host, (size_t)(stop - host), ret->host))
        return SHMS_E_INVALID;
    ret->secure = ret->secure || is_local(ret->host);
    ret->path_size = *end == '/' ? strcspn(end, "?#") : 1;
    ret->path = *end == '/' ? end : "/";
    return 0;
}
