/* SPDX-License-Identifier: MIT */
#include "url.h"

#include "shmstream.h"

#include <idn2.h>
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
    if ((c >= 'a' && c <= 'z') || c == '.') /* most are */
        return true;
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

bool shms__host_canonical(const char *text, size_t size, char ret[HOST_ROOM])
{
    char utf8[HOST_ROOM * 4], *ascii;
    bool plain = true;
    for (size_t i = 0; i < size; i++)
        plain = plain && (unsigned char)text[i] < 0x80;
    if (plain)
        return shms__host_parse(text, size, ret);
    if (size >= sizeof utf8 || memchr(text, '\0', size))
        return false;
    memcpy(utf8, text, size);
    utf8[size] = '\0';
    if (idn2_to_ascii_8z(utf8, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return false;
    bool sound = shms__host_parse(ascii, strlen(ascii), ret);
    idn2_free(ascii);
    return sound;
}

/* ---- places */

static bool take_partition(const char *text, size_t size, char ret[PARTITION_ROOM])
{
    if (size == 0 || size >= PARTITION_ROOM)
        return false;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] <= 0x20 || text[i] == 0x7f)
            return false;
    memcpy(ret, text, size);
    ret[size] = '\0';
    return true;
}

bool shms__partition_parse(const char *text, char ret[PARTITION_ROOM])
{
    char own[PARTITION_ROOM];
    return take_partition(text, strlen(text), ret ? ret : own);
}

bool shms__place_parse(const char *host, const char *partition, struct place *ret)
{
    ret->partition[0] = '\0';
    return shms__host_canonical(host, strlen(host), ret->host) &&
           (!partition || shms__partition_parse(partition, ret->partition));
}

size_t shms__place_key(const struct place *place, char ret[KEY_ROOM])
{
    size_t n = strlen(place->partition), host = strlen(place->host);
    if (n > 0)
        memcpy(ret, place->partition, ++n);
    memcpy(ret + n, place->host, host);
    return n + host;
}

bool shms__key_place(const void *key, size_t size, struct place *ret)
{
    const char *zero = memchr(key, '\0', size), *host = zero ? zero + 1 : key;
    ret->partition[0] = '\0';
    if (zero && !take_partition(key, (size_t)(zero - (const char *)key), ret->partition))
        return false;
    return shms__host_parse(host, size - (size_t)(host - (const char *)key), ret->host);
}

/* ---- what lies above and below */

bool shms__host_is_address(const char *host)
{
    size_t n = strlen(host);
    if (host[0] == '[')
        return true;
    n -= host[n - 1] == '.';
    const char *last = host + n;
    while (last > host && last[-1] != '.')
        last--;
    size_t size = (size_t)(host + n - last);
    return size > 0 && (strspn(last, "0123456789") == size ||
                        (strncmp(last, "0x", 2) == 0 && 2 + strspn(last + 2, "0123456789abcdef") == size));
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
    if (cookie_path[0] == '/' && cookie_path[1] == '\0' && size > 0 && path[0] == '/')
        return true; /* most have this one */
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

/* A backslash before the path: browsers end the host there, curl and others take what comes before it for a
 * user's name. Whoever wrote the URL could have one host's cookies sent to another, so it is refused. */
int shms__url_parse(const char *text, struct url *ret)
{
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return SHMS_E_INVALID;
    const char *start = skip_scheme(text, &ret->secure);
    if (!start)
        return SHMS_E_INVALID;
    const char *end = start + strcspn(start, "/?#\\");
    if (*end == '\\')
        return SHMS_E_INVALID;
    for (const char *p = start; p < end; p++)
        if (*p == '@')
            start = p + 1;
    const char *host = start, *stop = host_end(start, end);
    if (!stop || !shms__host_canonical(host, (size_t)(stop - host), ret->host))
        return SHMS_E_INVALID;
    ret->secure = ret->secure || is_local(ret->host);
    ret->path_size = *end == '/' ? strcspn(end, "?#") : 1;
    ret->path = *end == '/' ? end : "/";
    return 0;
}
