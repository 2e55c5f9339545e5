/* SPDX-License-Identifier: MIT */
/*
 * A browser that shares its cookies with others through a stream.
 *
 *     cookie_client_curl STREAM URL N        is visitor N: takes the cookies it finds, makes two requests,
 *                                            and puts back what it was given
 *     cookie_client_curl STREAM URL count    sends all cookies, and prints how many visitors they are of
 *     cookie_client_curl STREAM              prints the cookies, as a cookie file
 *
 * The lock is held while the stream is read or changed, never during a request. What is put back is merged
 * into what the stream holds by then, so no cookie that a peer was given in the meantime is lost.
 */
#include "demo.h"

#include <curl/curl.h>

/* The stream: one byte that says which half is in use, and two halves that hold a cookie file each. A new
 * file goes into the half that is not in use, then the byte is changed: whoever is killed at whatever moment,
 * the cookies are the old ones or the new ones. */
#define HALF_BYTES 65536
#define STREAM_BYTES (1 + 2 * HALF_BYTES)
#define SHELVES 4

static void check_curl(const char *what, CURLcode code)
{
    if (code != CURLE_OK)
        die(what, curl_easy_strerror(code));
}

static void lock(shms_stream *s)
{
    /* A holder that died leaves nothing to mend here: see above. */
    if (check("lock", shms_stream_lock(s, PATIENCE_MS)) == SHMS_OWNER_DIED)
        check("repaired", shms_stream_repaired(s));
}

static int half_in_use(shms_stream *s)
{
    unsigned char half;
    check("read", shms_stream_pread(s, &half, 1, 0));
    return half & 1;
}

/* The stream's cookie file; text holds HALF_BYTES. The lock is held. */
static void read_text(shms_stream *s, char *text)
{
    check("read", shms_stream_pread(s, text, HALF_BYTES, 1 + half_in_use(s) * HALF_BYTES));
    text[HALF_BYTES - 1] = '\0';
}

/* Replace it. The lock is held. */
static void write_text(shms_stream *s, const char *text)
{
    unsigned char other = !half_in_use(s);
    if (strlen(text) >= HALF_BYTES)
        die("stream", "too many cookies");
    check("write", shms_stream_pwrite(s, text, strlen(text) + 1, 1 + other * HALF_BYTES));
    check("write", shms_stream_pwrite(s, &other, 1, 0));
}

static size_t collect(char *bytes, size_t size, size_t n, void *body)
{
    size_t used = strlen(body);
    size_t room = 63 - used;
    memcpy((char *)body + used, bytes, n < room ? n : room);
    return size * n;
}

/* A libcurl handle that keeps cookies, none yet. */
static CURL *open_browser(void)
{
    CURL *browser = curl_easy_init();
    if (browser == NULL)
        die("curl", "out of memory");
    check_curl("cookie engine", curl_easy_setopt(browser, CURLOPT_COOKIEFILE, ""));
    check_curl("no proxy", curl_easy_setopt(browser, CURLOPT_NOPROXY, "*"));
    check_curl("time-out", curl_easy_setopt(browser, CURLOPT_TIMEOUT_MS, (long)PATIENCE_MS));
    check_curl("fail on error", curl_easy_setopt(browser, CURLOPT_FAILONERROR, 1L));
    check_curl("collect", curl_easy_setopt(browser, CURLOPT_WRITEFUNCTION, collect));
    return browser;
}

/* Get a page; the number in its body. */
static int get(CURL *browser, const char *url, int shelf, const char *page)
{
    char full[512];
    char body[64] = "";
    snprintf(full, sizeof full, "%s/shelf/%d/%s", url, shelf, page);
    check_curl("url", curl_easy_setopt(browser, CURLOPT_URL, full));
    check_curl("body", curl_easy_setopt(browser, CURLOPT_WRITEDATA, body));
    check_curl(full, curl_easy_perform(browser));
    return atoi(body);
}

/* The cookies that a browser holds, a line of a cookie file each. */
static struct curl_slist *list_cookies(CURL *browser)
{
    struct curl_slist *list;
    check_curl("cookie list", curl_easy_getinfo(browser, CURLINFO_COOKIELIST, &list));
    return list;
}

static void add_cookie(CURL *browser, const char *line)
{
    check_curl("cookie", curl_easy_setopt(browser, CURLOPT_COOKIELIST, line));
}

static int is_in(const struct curl_slist *list, const char *line)
{
    while (list != NULL && strcmp(list->data, line) != 0)
        list = list->next;
    return list != NULL;
}

/* Give a browser the cookies of a cookie file, but for those in `before` and not in `after`. Cuts text up. */
static void add_cookies(CURL *browser, char *text, const struct curl_slist *before,
                        const struct curl_slist *after)
{
    char *rest;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        if (!is_in(before, line) || is_in(after, line))
            add_cookie(browser, line);
    }
}

static void format_cookies(CURL *browser, char *text)
{
    struct curl_slist *list = list_cookies(browser);
    size_t used = 0;
    text[0] = '\0';
    for (const struct curl_slist *c = list; c != NULL; c = c->next) {
        if (used + strlen(c->data) + 2 > HALF_BYTES)
            die("stream", "too many cookies");
        used += (size_t)sprintf(text + used, "%s\n", c->data);
    }
    curl_slist_free_all(list);
}

/* Take the cookies that are in the stream. */
static void take_cookies(shms_stream *s, CURL *browser)
{
    static char text[HALF_BYTES];
    lock(s);
    read_text(s, text);
    check("unlock", shms_stream_unlock(s));
    add_cookies(browser, text, NULL, NULL);
}

/* Merge into the stream what has changed in the browser: cookies it lost, and cookies it was given. A second
 * cookie engine merges, as it knows which cookie replaces which, and which have expired. */
static void put_back(shms_stream *s, CURL *browser, const struct curl_slist *before)
{
    static char text[HALF_BYTES];
    struct curl_slist *after = list_cookies(browser);
    CURL *merger = open_browser();
    lock(s);
    read_text(s, text); /* again: peers have been here since */
    add_cookies(merger, text, before, after);
    for (const struct curl_slist *c = after; c != NULL; c = c->next) {
        if (!is_in(before, c->data))
            add_cookie(merger, c->data);
    }
    format_cookies(merger, text);
    write_text(s, text);
    check("unlock", shms_stream_unlock(s));
    curl_easy_cleanup(merger);
    curl_slist_free_all(after);
}

static void visit(shms_stream *s, const char *url, int visitor)
{
    char page[32];
    CURL *browser = open_browser();
    take_cookies(s, browser);
    struct curl_slist *before = list_cookies(browser);
    snprintf(page, sizeof page, "visit/%d", visitor);
    get(browser, url, visitor % SHELVES, page);
    snprintf(page, sizeof page, "hello/%d", visitor);
    get(browser, url, visitor % SHELVES, page);
    put_back(s, browser, before);
    curl_slist_free_all(before);
    curl_easy_cleanup(browser);
}

static void count(shms_stream *s, const char *url)
{
    int visitors = 0;
    CURL *browser = open_browser();
    take_cookies(s, browser);
    for (int shelf = 0; shelf < SHELVES; shelf++)
        visitors += get(browser, url, shelf, "count");
    printf("%d\n", visitors);
    curl_easy_cleanup(browser);
}

static void print(shms_stream *s)
{
    static char text[HALF_BYTES];
    lock(s);
    read_text(s, text);
    check("unlock", shms_stream_unlock(s));
    fputs(text, stdout);
}

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 4)
        die("usage", "cookie_client_curl STREAM [URL N|count]");
    /* Kept: there may be moments at which no browser runs. */
    shms_stream_options o = { .struct_size = sizeof o, .keep = 1 };
    shms_stream *s;
    check_curl("libcurl", curl_global_init(CURL_GLOBAL_DEFAULT));
    check("open", shms_stream_open(argv[1], STREAM_BYTES, &o, &s));
    if (argc == 2)
        print(s);
    else if (strcmp(argv[3], "count") == 0)
        count(s, argv[2]);
    else
        visit(s, argv[2], atoi(argv[3]));
    shms_stream_close(s);
    curl_global_cleanup();
    return 0;
}
