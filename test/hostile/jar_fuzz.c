/* SPDX-License-Identifier: MIT */
/*
 * What servers, files and users may hand to a jar, from libFuzzer. The first byte of the input says which: a
 * Set-Cookie line, a cookies.txt, or a URL; the second one, of what kind the request is. After each the jar
 * must hold nothing that it promises not to hold, and must come back from a cookies.txt as it went there.
 */
#include "jar.h"
#include "rules.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NOW_S 1700000000
#define SECOND_NS INT64_C(1000000000)
#define CLEAR_EVERY 64

static shms_jar *jar;
static char list[300]; /* a cookies.txt */
static uint64_t runs, stored;

static void demand(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

static int64_t clock_now(void *context)
{
    (void)context;
    return NOW_S * SECOND_NS;
}

static void tell_end(void)
{
    printf("hostile bytes for a jar: %llu runs, %llu cookies stored\n", (unsigned long long)runs,
           (unsigned long long)stored);
    shms_jar_close(jar);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    char name[300];
    const char *folder = getenv("HOSTILE_DIR");
    shms_jar_options o = {.struct_size = sizeof o, .no_keep = 1, .now_ns = clock_now};
    snprintf(name, sizeof name, "jar-fuzz-%d", (int)getpid());
    snprintf(list, sizeof list, "%s/cookies.txt", folder ? folder : "/dev/shm");
    demand(shms_jar_open(name, &o, &jar) == 0, "a jar can be opened");
    atexit(tell_end);
    return 0;
}

/* ---- what is always so */

static bool is_clean(const char *text, bool semicolon)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c < 0x20 && c != '\t') || c == 0x7f || (c == ';' && !semicolon))
            return false;
    }
    return true;
}

static int check_cookie(const shms_cookie *c, void *context)
{
    char host[HOST_ROOM];
    ++*(int *)context;
    demand(is_clean(c->name, false) && is_clean(c->value, false) && is_clean(c->path, false), "no control");
    demand(!strchr(c->name, '='), "no = in a name");
    demand(*c->name || *c->value, "a name or a value");
    demand(strlen(c->name) + strlen(c->value) <= SHMS_COOKIE_MAX, "the size of a cookie");
    demand(c->path[0] == '/' && strlen(c->path) <= SHMS_COOKIE_ATTRIBUTE_MAX, "a path");
    demand(shms__host_parse(c->host, strlen(c->host), host) && strcmp(host, c->host) == 0, "a host");
    demand((c->flags & SHMS_COOKIE_HOST_ONLY) || !shms__is_suffix(jar, c->host), "no public suffix");
    demand(shms__prefix_kept(c, true), "what a prefix promises");
    demand(c->expires_ns == 0 || (c->expires_ns > NOW_S * SECOND_NS &&
                                  c->expires_ns <= shms__expiry_most(NOW_S * SECOND_NS)), "a lifetime");
    demand(!c->partition || (c->flags & SHMS_COOKIE_SECURE), "a partition is Secure");
    return 0;
}

static void check_line(const shms_jar_request *r)
{
    static char line[1 << 20];
    int64_t n = shms_jar_get(jar, r, line, sizeof line);
    demand(n >= 0 && n < (int64_t)sizeof line && (size_t)n == strlen(line), "the length of a Cookie line");
    demand(is_clean(line, true), "a Cookie line without control bytes");
}

/* Out, away, and in again. */
static void check_export(void)
{
    uint64_t left_out = 0, left_in = 0;
    int64_t out = shms_jar_export(jar, list, &left_out);
    demand(out >= 0, "an export");
    demand(shms_jar_clear(jar, NULL) == out + (int64_t)left_out, "all is cleared");
    demand(shms_jar_import(jar, list, &left_in) == out && left_in == 0, "what was exported is imported");
    unlink(list);
}

static void check_jar(const shms_jar_request *r)
{
    int count = 0;
    demand(shms_jar_each(jar, NULL, check_cookie, &count) == count, "cookies are told");
    stored += count > 0;
    check_line(r);
    if (runs % 4 == 0)
        check_export();
    if (runs % CLEAR_EVERY == 0)
        demand(shms_jar_clear(jar, NULL) >= 0, "a clear");
}

/* ---- what is handed in */

static void hand_file(const uint8_t *bytes, size_t size)
{
    int fd = open(list, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    demand(fd >= 0 && write(fd, bytes, size) == (ssize_t)size, "a file");
    close(fd);
    int64_t n = shms_jar_import(jar, list, NULL);
    demand(n >= 0 || n == SHMS_E_FORMAT, "an import");
    unlink(list);
}

static void hand_url(shms_jar_request r, const uint8_t *bytes, size_t size)
{
    char *url = malloc(size + 1);
    demand(url, "memory");
    memcpy(url, bytes, size);
    url[size] = '\0';
    r.url = url;
    int rc = shms_jar_set(jar, &r, "a=1; Path=/x", 12);
    demand(rc >= 0 || rc == SHMS_E_INVALID, "a URL");
    demand((shms_jar_get(jar, &r, NULL, 0) >= 0) == (rc >= 0), "set and get think alike of a URL");
    free(url);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const urls[] = {"https://www.example.co.uk/dir/page", "http://a.example.com/",
                                       "http://127.0.0.1:8080/x", "https://xn--bcher-kva.example/"};
    if (size < 2)
        return 0;
    unsigned what = bytes[0] % 4, kind = bytes[1];
    shms_jar_request r = {.struct_size = sizeof r, .url = urls[kind % 4], .flags = kind / 4 % 2,
                          .site = kind / 8 % 4, .partition = kind / 32 % 2 ? "https://top.example" : NULL};
    runs++;
    if (what == 1)
        hand_file(bytes + 2, size - 2);
    else if (what == 2)
        hand_url(r, bytes + 2, size - 2);
    else
        demand(shms_jar_set(jar, &r, (const char *)bytes + 2, size - 2) >= 0, "a line is stored or refused");
    check_jar(&r);
    return 0;
}
