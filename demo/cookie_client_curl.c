/* SPDX-License-Identifier: MIT */
/*
 * A browser that shares its cookies with others through a jar.
 *
 *     cookie_client_curl JAR URL N       is visitor N: makes two requests, each with the cookies of the jar
 *     cookie_client_curl JAR URL PAGE    asks for count or lost with all cookies, and prints the sum
 *     cookie_client_curl JAR             prints the cookies, a line each
 *
 * A cookie is in the jar before its request has returned, and no process that is killed takes one with it.
 */
#include "demo.h"
#include "shmstream/jar.h"
#include "shmstream/jar_curl.h"

#include <curl/curl.h>

#define SHELVES 4

struct browser {
    CURL *curl;
    shms_jar *jar;
    char body[64];
};

static void check_curl(const char *what, CURLcode code)
{
    if (code != CURLE_OK)
        die(what, curl_easy_strerror(code));
}

static size_t collect(char *bytes, size_t size, size_t n, void *browser)
{
    char *body = ((struct browser *)browser)->body;
    size_t used = strlen(body), room = sizeof ((struct browser *)browser)->body - 1 - used;
    memcpy(body + used, bytes, n < room ? n : room);
    return size * n;
}

static void open_browser(struct browser *b, shms_jar *jar)
{
    *b = (struct browser){ .curl = curl_easy_init(), .jar = jar };
    if (b->curl == NULL)
        die("curl", "out of memory");
    check_curl("no proxy", curl_easy_setopt(b->curl, CURLOPT_NOPROXY, "*"));
    check_curl("time-out", curl_easy_setopt(b->curl, CURLOPT_TIMEOUT_MS, (long)PATIENCE_MS));
    check_curl("fail on error", curl_easy_setopt(b->curl, CURLOPT_FAILONERROR, 1L));
    check_curl("body", curl_easy_setopt(b->curl, CURLOPT_WRITEFUNCTION, collect));
    check_curl("body", curl_easy_setopt(b->curl, CURLOPT_WRITEDATA, b));
}

/* Get a page, with the cookies that the jar has for it; the number in its body. */
static int get(struct browser *b, const char *url, int shelf, const char *page)
{
    char full[512];
    snprintf(full, sizeof full, "%s/shelf/%d/%s", url, shelf, page);
    shms_jar_curl t = { .jar = b->jar, .curl = b->curl, .url = full };
    b->body[0] = '\0';
    check("cookies", shms_jar_curl_before(&t));
    check_curl(full, curl_easy_perform(b->curl));
    check("cookies", shms_jar_curl_after(&t));
    if (t.refused > 0)
        die(full, shms_jar_reason(t.reason));
    return atoi(b->body);
}

static void visit(struct browser *b, const char *url, int visitor)
{
    char page[32];
    snprintf(page, sizeof page, "visit/%d", visitor);
    get(b, url, visitor % SHELVES, page);
    snprintf(page, sizeof page, "hello/%d", visitor);
    get(b, url, visitor % SHELVES, page);
}

static int print_cookie(const shms_cookie *c, void *context)
{
    (void)context;
    printf("%s %s\n", c->host, c->name);
    return 0;
}

static void browse(shms_jar *jar, const char *url, const char *what)
{
    struct browser b;
    int sum = 0;
    open_browser(&b, jar);
    if (atoi(what) > 0) {
        visit(&b, url, atoi(what));
    } else {
        for (int shelf = 0; shelf < SHELVES; shelf++)
            sum += get(&b, url, shelf, what);
        printf("%d\n", sum);
    }
    curl_easy_cleanup(b.curl);
}

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 4)
        die("usage", "cookie_client_curl JAR [URL N|count|lost]");
    /* A jar has 180 cookies of one host, as browsers do; this one server gives more. */
    shms_jar_options o = { .struct_size = sizeof o, .host_cookies = 2000 };
    shms_jar *jar;
    check_curl("libcurl", curl_global_init(CURL_GLOBAL_DEFAULT));
    check("open", shms_jar_open(argv[1], &o, &jar));
    if (argc == 2)
        check("cookies", shms_jar_each(jar, NULL, print_cookie, NULL));
    else
        browse(jar, argv[2], argv[3]);
    shms_jar_close(jar);
    curl_global_cleanup();
    return 0;
}
