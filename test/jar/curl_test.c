/* SPDX-License-Identifier: MIT */
/* shmstream/jar_curl.h with the real libcurl, against a server that is a thread of the test. */
#include "unit.h"

#include "shmstream/jar_curl.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <strings.h>
#include <sys/socket.h>

/* What is asked for, and the whole answer; AWAY becomes the other server's address. */
static const char *const pages[][2] = {
    {"POST /login ",
     "302 Found\r\nSet-Cookie: sid=s3; HttpOnly\r\nsEt-CoOkIe: lang=en; Path=/home\r\nLocation: /home\r\n"},
    {"GET /away ", "302 Found\r\nSet-Cookie: here=1; Path=/away\r\nLocation: http://AWAY/there\r\n"},
    {"PUT /kept ", "307 Temporary\r\nLocation: /home\r\n"},
    {"PUT /seen ", "303 See Other\r\nLocation: /home\r\n"},
    {"HEAD /seen ", "303 See Other\r\nLocation: /home\r\n"},
    {"GET /round ", "302 Found\r\nLocation: /round\r\n"},
    {"GET /file ", "302 Found\r\nLocation: file:///etc/hostname\r\n"},
    {"GET /bait ", "302 Found\r\nLocation: http://victim.example\\@AWAY/steal\r\n"},
    {"GET /bad ", "200 OK\r\nSet-Cookie: a=1; Domain=com\r\nSet-Cookie: __Host-b=2\r\nSet-Cookie: c=3\r\n"},
    {"GET /short ", "200 OK\r\nSet-Cookie: early=1\r\nContent-Length: 99\r\n"},
    {"GET /trailer ", "200 OK\r\nSet-Cookie: head=1\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "2\r\nok\r\n0\r\nSet-Cookie: tail=1\r\n"},
    {"GET http://a.test/proxied ", "200 OK\r\nSet-Cookie: origin=1\r\n"},
    {"GET /tunnel ", "200 OK\r\nSet-Cookie: inside=1\r\n"},
};

struct server {
    pthread_t thread;
    int fd;
    int port;
    const struct server *away;
    char log[32768]; /* all heads of requests */
};

static struct server one, other;

/* Sends what stands for a request; 0: the connection is to be closed. */
static int answer(const struct server *s, int fd, const char *head)
{
    char text[1024] = "HTTP/1.1 200 OK\r\n";
    int whole = 1;
    if (strncmp(head, "CONNECT ", 8) == 0) {
        strcpy(text, "HTTP/1.1 200 OK\r\nSet-Cookie: proxy=1\r\n\r\n");
        return send(fd, text, strlen(text), MSG_NOSIGNAL) > 0;
    }
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (strncmp(head, pages[i][0], strlen(pages[i][0])) != 0)
            continue;
        const char *away = strstr(pages[i][1], "AWAY");
        if (away != NULL)
            snprintf(text, sizeof text, "HTTP/1.1 %.*s127.0.0.1:%d%s", (int)(away - pages[i][1]), pages[i][1],
                     s->away->port, away + 4);
        else
            snprintf(text, sizeof text, "HTTP/1.1 %s", pages[i][1]);
        whole = strstr(text, "Content-Length") == NULL;
    }
    if (strstr(text, "Transfer-Encoding") == NULL && whole)
        strcat(text, "Content-Length: 0\r\n");
    strcat(text, "\r\n");
    return send(fd, text, strlen(text), MSG_NOSIGNAL) > 0 && whole;
}

static void serve_one(struct server *s, int fd)
{
    char in[16384];
    size_t used = 0;
    for (ssize_t n; (n = recv(fd, in + used, sizeof in - 1 - used, 0)) > 0;) {
        used += (size_t)n;
        in[used] = '\0';
        const char *end = strstr(in, "\r\n\r\n");
        if (end == NULL)
            continue;
        const char *length = strcasestr(in, "Content-Length: ");
        if (length != NULL && strlen(end + 4) < strtoul(length + 16, NULL, 10))
            continue;
        snprintf(s->log + strlen(s->log), sizeof s->log - strlen(s->log), "%s", in);
        used = 0;
        if (!answer(s, fd, in))
            break;
    }
}

static void *serve(void *context)
{
    struct server *s = context;
    int fd;
    while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
        serve_one(s, fd);
        close(fd);
    }
    return NULL;
}

static void start(struct server *s, const struct server *away)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    *s = (struct server){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .away = away};
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, n), 0);
    assert_int_equal(listen(s->fd, 8), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &n), 0);
    s->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void stop(struct server *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

static size_t drop(char *bytes, size_t size, size_t n, void *context)
{
    (void)bytes, (void)context;
    return size * n;
}

static shms_jar_curl new_transfer(shms_jar *j, const char *path)
{
    static char url[256];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", one.port, path);
    one.log[0] = other.log[0] = '\0';
    CURL *curl = curl_easy_init();
    assert_non_null(curl);
    assert_int_equal(curl_easy_setopt(curl, CURLOPT_NOPROXY, "*"), CURLE_OK);
    assert_int_equal(curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 20000L), CURLE_OK);
    assert_int_equal(curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L), CURLE_OK); /* is turned off */
    assert_int_equal(curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop), CURLE_OK);
    return (shms_jar_curl){.jar = j, .curl = curl, .url = url, .redirects = 5};
}

/* The loop of the header's comment; what libcurl said last. */
static CURLcode run(shms_jar_curl *t, int *ret_rc)
{
    CURLcode code = CURLE_OK;
    do {
        *ret_rc = shms_jar_curl_before(t);
        if (*ret_rc == 0)
            code = curl_easy_perform(t->curl);
    } while (*ret_rc == 0 && code == CURLE_OK && (*ret_rc = shms_jar_curl_after(t)) > 0);
    return code;
}

static void run_well(shms_jar_curl *t)
{
    int rc;
    assert_int_equal(run(t, &rc), CURLE_OK);
    assert_int_equal(rc, 0);
    curl_easy_cleanup(t->curl);
}

static int add_name(const shms_cookie *c, void *names)
{
    strcat(strcat(names, c->name), " ");
    return 0;
}

/* The names of all cookies. */
static const char *names_in(shms_jar *j)
{
    static char names[512];
    names[0] = '\0';
    assert_true(shms_jar_each(j, NULL, add_name, names) >= 0);
    return names;
}

static void login(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    shms_jar_curl t = new_transfer(j, "/login");
    curl_easy_setopt(t.curl, CURLOPT_POSTFIELDS, "user=u");
    curl_easy_setopt(t.curl, CURLOPT_USERPWD, "user:word");
    run_well(&t);
    assert_string_equal(names_in(j), "sid lang ");
    const char *second = strstr(one.log, "GET /home HTTP/1.1\r\n");
    assert_non_null(second); /* POST has become GET */
    assert_non_null(strstr(second, "Cookie: lang=en; sid=s3\r\n"));
    assert_non_null(strstr(second, "Authorization: Basic")); /* the same server */
    assert_null(strstr(second, "user=u"));
    shms_jar_close(j);
}

static void other_origin(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    struct curl_slist *headers = curl_slist_append(NULL, "Authorization: Bearer s3cret");
    headers = curl_slist_append(headers, "X-Key: s3cret");
    shms_jar_curl t = new_transfer(j, "/away");
    curl_easy_setopt(t.curl, CURLOPT_HTTPHEADER, headers);
    run_well(&t);
    assert_non_null(strstr(one.log, "X-Key: s3cret"));
    assert_non_null(strstr(other.log, "GET /there "));
    assert_null(strstr(other.log, "s3cret"));
    assert_null(strstr(other.log, "here=1")); /* its path is another */
    assert_string_equal(names_in(j), "here ");
    curl_slist_free_all(headers);

    t = new_transfer(j, "/away");
    curl_easy_setopt(t.curl, CURLOPT_USERPWD, "user:word");
    run_well(&t);
    assert_non_null(strstr(one.log, "Cookie: here=1\r\n"));
    assert_non_null(strstr(one.log, "Authorization: Basic"));
    assert_null(strstr(other.log, "Authorization"));
    shms_jar_close(j);
}

/* A URL that jar and libcurl could read in two ways: for one the host is before the backslash, for the other
 * behind it. */
static void no_cookies_by_a_backslash(void **state)
{
    (void)state;
    int rc;
    shms_jar *j = jar_new();
    assert_int_equal(set(j, "http://victim.example/", "sid=s3cret; Path=/"), 0);
    shms_jar_curl t = new_transfer(j, "/bait");
    run(&t, &rc);
    curl_easy_cleanup(t.curl);
    assert_int_equal(rc, SHMS_E_INVALID);
    assert_null(strstr(other.log, "s3cret"));
    shms_jar_close(j);
}

static void methods(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    shms_jar_curl t = new_transfer(j, "/kept");
    curl_easy_setopt(t.curl, CURLOPT_POSTFIELDS, "body");
    curl_easy_setopt(t.curl, CURLOPT_CUSTOMREQUEST, "PUT");
    run_well(&t);
    assert_non_null(strstr(one.log, "PUT /home "));
    t = new_transfer(j, "/seen");
    curl_easy_setopt(t.curl, CURLOPT_POSTFIELDS, "body");
    curl_easy_setopt(t.curl, CURLOPT_CUSTOMREQUEST, "PUT");
    run_well(&t);
    assert_non_null(strstr(one.log, "GET /home "));
    t = new_transfer(j, "/seen");
    curl_easy_setopt(t.curl, CURLOPT_NOBODY, 1L);
    run_well(&t);
    assert_non_null(strstr(one.log, "HEAD /home "));
    shms_jar_close(j);
}

static void ends(void **state)
{
    (void)state;
    long status = 0;
    int rc, turns = 0;
    shms_jar *j = jar_new();
    shms_jar_curl t = new_transfer(j, "/round");
    assert_int_equal(run(&t, &rc), CURLE_OK);
    assert_int_equal(rc, 0);
    curl_easy_getinfo(t.curl, CURLINFO_RESPONSE_CODE, &status);
    assert_int_equal(status, 302);
    for (const char *p = one.log; (p = strstr(p, "GET /round ")) != NULL; p++)
        turns++;
    assert_int_equal(turns, 6);
    assert_int_equal(shms_jar_curl_before(&t), SHMS_E_INVALID); /* no url */
    curl_easy_cleanup(t.curl);

    t = new_transfer(j, "/file");
    assert_int_equal(run(&t, &rc), CURLE_OK);
    assert_int_equal(rc, SHMS_E_INVALID);
    static const char *const bad[] = {"", "example.com", "http://", "ftp://a.test/", "http://a:99999/", NULL};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        t.url = bad[i];
        assert_int_equal(shms_jar_curl_before(&t), SHMS_E_INVALID);
    }
    curl_easy_cleanup(t.curl);
    shms_jar_close(j);
}

static void what_is_a_cookie(void **state)
{
    (void)state;
    int rc;
    shms_jar *j = jar_new();
    shms_jar_curl t = new_transfer(j, "/bad");
    run_well(&t);
    assert_int_equal(t.refused, 2);
    assert_int_equal(t.reason, SHMS_COOKIE_PREFIX);
    t = new_transfer(j, "/short"); /* it breaks off in its body */
    assert_int_equal(run(&t, &rc), CURLE_PARTIAL_FILE);
    curl_easy_cleanup(t.curl);
    t = new_transfer(j, "/trailer");
    run_well(&t);
    assert_string_equal(names_in(j), "c early head ");
    shms_jar_close(j);
}

static void proxies(void **state)
{
    (void)state;
    char proxy[64];
    shms_jar *j = jar_new();
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", one.port);
    for (int tunnel = 0; tunnel <= 1; tunnel++) {
        shms_jar_curl t = new_transfer(j, "");
        t.url = tunnel ? "http://a.test/tunnel" : "http://a.test/proxied";
        curl_easy_setopt(t.curl, CURLOPT_NOPROXY, "");
        curl_easy_setopt(t.curl, CURLOPT_PROXY, proxy);
        curl_easy_setopt(t.curl, CURLOPT_HTTPPROXYTUNNEL, (long)tunnel);
        run_well(&t);
    }
    assert_string_equal(names_in(j), "origin inside "); /* and of the proxy itself none */
    shms_jar_close(j);
}

static size_t count_lines(char *line, size_t size, size_t n, void *context)
{
    (void)line;
    ++*(int *)context;
    return size * n;
}

static void own_headers_and_failures(void **state)
{
    (void)state;
    int rc, lines = 0;
    shms_jar *j = jar_new();
    shms_jar *look = jar_open((shms_jar_options){.access = SHMS_ACCESS_READ});
    shms_jar_curl t = new_transfer(look, "/bad");
    t.header = count_lines;
    t.header_context = &lines;
    assert_int_equal(run(&t, &rc), CURLE_OK);
    assert_int_equal(rc, SHMS_E_READ_ONLY);
    assert_int_equal(lines, 6);
    curl_easy_cleanup(t.curl);
    shms_jar_close(look);
    shms_jar_close(j);
}

static void long_lines(void **state)
{
    (void)state;
    char line[64 + 3000];
    shms_jar *j = jar_new();
    shms_jar_request r = {.struct_size = sizeof r, .url = "http://127.0.0.1/"};
    for (int i = 0; i < 4; i++) { /* more than the first room for a line */
        int n = snprintf(line, sizeof line, "c%d=%02900d", i, i);
        assert_int_equal(shms_jar_set(j, &r, line, (size_t)n), 0);
    }
    shms_jar_curl t = new_transfer(j, "/home");
    run_well(&t);
    assert_non_null(strstr(one.log, "c3=000"));
    shms_jar_close(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(login),    cmocka_unit_test(other_origin),     cmocka_unit_test(methods),
        cmocka_unit_test(ends),     cmocka_unit_test(what_is_a_cookie), cmocka_unit_test(proxies),
        cmocka_unit_test(own_headers_and_failures), cmocka_unit_test(long_lines),
        cmocka_unit_test(no_cookies_by_a_backslash),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    start(&one, &other);
    start(&other, &one);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    stop(&one);
    stop(&other);
    curl_global_cleanup();
    return failed;
}
