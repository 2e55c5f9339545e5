/* SPDX-License-Identifier: MIT */
/** @file shmstream/jar_curl.h
 * libcurl with the cookies of a jar (shmstream/jar.h): two calls around each transfer. All of it is in this
 * header, so that libshmstream-jar needs no libcurl; what includes it is linked with libcurl from 7.72 on.
 *
 *     shms_jar_curl t = {.jar = jar, .curl = curl, .url = "https://example.com/login", .redirects = 20};
 *     CURLcode code = CURLE_OK;
 *     int rc;
 *     do {
 *         rc = shms_jar_curl_before(&t);                                  // its cookies go along
 *         if (rc == 0)
 *             code = curl_easy_perform(curl);
 *     } while (rc == 0 && code == CURLE_OK && (rc = shms_jar_curl_after(&t)) > 0);
 *
 * - A cookie is in the jar as soon as its header line has come, whether or not the transfer ends well.
 * - Redirects are followed by this loop, not by libcurl: each of them is sent the cookies of its own URL,
 *   those of the answer before it included. As with libcurl, POST becomes GET at 301, 302 and 303.
 * - A redirect to another scheme, host or port takes away what the first server alone was to see: user and
 *   password, bearer token, and all of CURLOPT_HTTPHEADER. Set them again before the next use of the handle.
 * - The options URL, COOKIE, FOLLOWLOCATION, HEADERFUNCTION, HEADERDATA and SUPPRESS_CONNECT_HEADERS are used
 *   here. Leave libcurl's own cookies off (COOKIEFILE, COOKIEJAR, COOKIELIST, a shared cookie list): they
 *   would be sent, too.
 * With the multi interface: before, then curl_multi_add_handle; when it is done remove it, then after.
 */
#ifndef SHMSTREAM_JAR_CURL_H
#define SHMSTREAM_JAR_CURL_H

#include "jar.h"

#include <curl/curl.h>

#include <stdlib.h>
#include <string.h>

/* A cast without a warning in either language. */
#ifdef __cplusplus
#define SHMS_JAR_CURL_AS(type, value) static_cast<type>(value)
#else
#define SHMS_JAR_CURL_AS(type, value) ((type)(value))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** A transfer, and those that its redirects lead to. Zero everything, set jar, curl and url. */
typedef struct shms_jar_curl {
    shms_jar *jar;         /**< open, read-write */
    CURL *curl;            /**< an easy handle */
    const char *url;       /**< of the next request, http or https. NULL after it was sent; after a redirect
                                the new one, valid until the next transfer */
    const char *partition; /**< as in shms_jar_request */
    uint32_t site;         /**< as in shms_jar_request */
    uint32_t redirects;    /**< how many may still be followed; 0: none, an answer 302 is the last one */
    size_t (*header)(char *line, size_t size, size_t n, void *context); /**< the program's own
                                CURLOPT_HEADERFUNCTION; NULL: none */
    void *header_context;  /**< passed on to header */
    int rc;                /**< the first failure of the jar, below 0; set it to 0 to go on after it */
    int reason;            /**< of the cookie refused last: SHMS_COOKIE_... */
    uint32_t refused;      /**< how many cookies were refused */
    int in_head;           /**< used inside */
} shms_jar_curl;

/* Whether text begins with a word, in whatever case of ASCII letters. */
static inline int shms_jar_curl_begins(const char *text, size_t size, const char *word)
{
    size_t i;
    for (i = 0; word[i] != '\0'; i++) {
        int c = i < size ? text[i] : '\0';
        if (c >= 'A' && c <= 'Z')
            c += 'a' - 'A';
        if (c != word[i])
            return 0;
    }
    return 1;
}

/* A Set-Cookie line, without the bytes that end it, of the request that libcurl now makes. */
static inline void shms_jar_curl_take(shms_jar_curl *t, const char *value, size_t size)
{
    shms_jar_request r;
    char *url = NULL;
    int rc;
    memset(&r, 0, sizeof r);
    curl_easy_getinfo(t->curl, CURLINFO_EFFECTIVE_URL, &url);
    r.struct_size = sizeof r;
    r.site = t->site;
    r.url = url;
    r.partition = t->partition;
    rc = shms_jar_set(t->jar, &r, value, size);
    if (rc > 0) {
        t->refused++;
        t->reason = rc;
    } else if (rc < 0 && t->rc == 0) {
        t->rc = rc;
    }
}

/* CURLOPT_HEADERFUNCTION. libcurl hands in trailers, too, which come after the head's empty line: a cookie
 * in them is none. What a proxy says to CONNECT does not come here. */
static inline size_t shms_jar_curl_header(char *line, size_t size, size_t n, void *context)
{
    static const char name[] = "set-cookie:";
    shms_jar_curl *t = SHMS_JAR_CURL_AS(shms_jar_curl *, context);
    size_t skip = sizeof name - 1, end = size * n;
    while (end > 0 && (line[end - 1] == '\r' || line[end - 1] == '\n'))
        end--;
    if (shms_jar_curl_begins(line, end, "http/"))
        t->in_head = 1;
    else if (end == 0)
        t->in_head = 0;
    else if (t->in_head && shms_jar_curl_begins(line, end, name))
        shms_jar_curl_take(t, line + skip, end - skip);
    return t->header ? t->header(line, size, n, t->header_context) : size * n;
}

/* The Cookie line of the next request goes to libcurl, which copies it. */
static inline int shms_jar_curl_send(shms_jar_curl *t)
{
    shms_jar_request r;
    char *line = NULL;
    int64_t n = 0, room;
    CURLcode code;
    memset(&r, 0, sizeof r);
    r.struct_size = sizeof r;
    r.site = t->site;
    r.url = t->url;
    r.partition = t->partition;
    do { /* others may add cookies meanwhile */
        free(line);
        room = n + 4096;
        line = SHMS_JAR_CURL_AS(char *, malloc(SHMS_JAR_CURL_AS(size_t, room)));
        if (line == NULL)
            return SHMS_E_NOMEM;
        n = shms_jar_get(t->jar, &r, line, SHMS_JAR_CURL_AS(size_t, room));
    } while (n >= room);
    code = n < 0 ? CURLE_OK : curl_easy_setopt(t->curl, CURLOPT_COOKIE, n > 0 ? line : NULL);
    free(line);
    return n < 0 ? SHMS_JAR_CURL_AS(int, n) : code != CURLE_OK ? SHMS_E_NOMEM : 0;
}

/* Whether two URLs have the same scheme, host and port. */
static inline int shms_jar_curl_same_origin(const char *one, const char *other)
{
    static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
    CURLU *a = curl_url(), *b = curl_url();
    int same = a != NULL && b != NULL && curl_url_set(a, CURLUPART_URL, one, 0) == CURLUE_OK &&
               curl_url_set(b, CURLUPART_URL, other, 0) == CURLUE_OK;
    size_t i;
    for (i = 0; same && i < sizeof parts / sizeof parts[0]; i++) {
        char *x = NULL, *y = NULL;
        same = curl_url_get(a, parts[i], &x, CURLU_DEFAULT_PORT) == CURLUE_OK &&
               curl_url_get(b, parts[i], &y, CURLU_DEFAULT_PORT) == CURLUE_OK && strcmp(x, y) == 0;
        curl_free(x);
        curl_free(y);
    }
    curl_url_cleanup(a);
    curl_url_cleanup(b);
    return same;
}

/* What a redirect changes of the request: its method, and what only the first server was to see. */
static inline void shms_jar_curl_turn(CURL *curl, const char *next)
{
    char *from = NULL, *method = NULL;
    long status = 0;
    int is_post, is_safe;
    curl_easy_getinfo(curl, CURLINFO_EFFECTIVE_URL, &from);
    curl_easy_getinfo(curl, CURLINFO_EFFECTIVE_METHOD, &method);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    is_post = method != NULL && strcmp(method, "POST") == 0;
    is_safe = method != NULL && (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0);
    if ((status == 303 && !is_safe) || ((status == 301 || status == 302) && is_post)) {
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, NULL);
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    }
    if (from == NULL || !shms_jar_curl_same_origin(from, next)) {
        curl_easy_setopt(curl, CURLOPT_USERPWD, NULL);
        curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, NULL);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);
    }
}

/**
 * Before each transfer: give libcurl the URL, and the cookies that the jar has for it.
 * @param t  the transfer, with a url; not NULL
 * @return 0, or SHMS_E_INVALID (as shms_jar_get(); also no url, and a redirect to what is not HTTP),
 *     SHMS_E_NOMEM, or what shms_jar_get() gives. Then do not start the transfer: it could send the cookies
 *     of the last one.
 * Threads: as the handle of libcurl: one at a time. They may share the jar.
 * Processes: as shms_jar_get().
 * Signals: not async-signal-safe.
 * Fork: as libcurl; the jar works in a child.
 * Blocks: as shms_jar_get().
 * Since: 0.2.0
 */
static inline int shms_jar_curl_before(shms_jar_curl *t)
{
    int rc = t->url != NULL ? shms_jar_curl_send(t) : SHMS_E_INVALID;
    if (rc != 0)
        return rc;
    if (curl_easy_setopt(t->curl, CURLOPT_URL, t->url) != CURLE_OK ||
        curl_easy_setopt(t->curl, CURLOPT_FOLLOWLOCATION, 0L) != CURLE_OK ||
        curl_easy_setopt(t->curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) != CURLE_OK ||
        curl_easy_setopt(t->curl, CURLOPT_HEADERFUNCTION, shms_jar_curl_header) != CURLE_OK ||
        curl_easy_setopt(t->curl, CURLOPT_HEADERDATA, t) != CURLE_OK)
        return SHMS_E_NOMEM;
    t->url = NULL;
    t->in_head = 0;
    return 0;
}

/**
 * After each transfer: is there a redirect to follow? Cookies are in the jar already.
 * @param t  the transfer; not NULL
 * @return 1: url is that of a redirect, go on with shms_jar_curl_before(); 0: that was all; or t->rc, the
 *     failure of the jar at a cookie of this transfer.
 * Threads: as shms_jar_curl_before().
 * Processes: no shared state.
 * Signals: not async-signal-safe.
 * Fork: as libcurl.
 * Blocks: never.
 * Since: 0.2.0
 */
static inline int shms_jar_curl_after(shms_jar_curl *t)
{
    char *next = NULL;
    if (t->rc < 0)
        return t->rc;
    curl_easy_getinfo(t->curl, CURLINFO_REDIRECT_URL, &next);
    if (next == NULL || t->redirects == 0)
        return 0;
    t->redirects--;
    shms_jar_curl_turn(t->curl, next);
    t->url = next;
    return 1;
}

#ifdef __cplusplus
}
#endif

#endif
