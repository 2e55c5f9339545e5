/* SPDX-License-Identifier: MIT */
/* line.c, set.c, get.c, url.c, suffix.c: what becomes a cookie, and which request it goes along with. */
#include "unit.h"

/* One cookie, and one request after it. sent NULL: only the result of set is looked at. */
struct row {
    const char *from, *line;
    int result;
    const char *to, *sent;
};

static void check_rows(const struct row *row, size_t n)
{
    for (size_t i = 0; i < n; i++, row++) {
        shms_jar *j = jar_new();
        int rc = set(j, row->from, row->line);
        if (rc != row->result)
            fail_msg("%s from %s: %d instead of %d", row->line, row->from, rc, row->result);
        if (row->sent && strcmp(get(j, row->to), row->sent) != 0)
            fail_msg("%s from %s to %s: %s instead of %s", row->line, row->from, row->to, get(j, row->to),
                     row->sent);
        shms_jar_close(j);
    }
}

#define CHECK(...)                                                   \
    do {                                                             \
        static const struct row rows[] = {__VA_ARGS__};              \
        (void)state;                                                 \
        check_rows(rows, sizeof rows / sizeof rows[0]);              \
    } while (0)

#define A "https://a.example.com/"
#define DIR "https://a.example.com/dir/page?q"

static void lines(void **state)
{
    CHECK({A, "a=1", 0, A, "a=1"},
          {A, "  a\t=  1 \t; Secure", 0, A, "a=1"},
          {A, "a=", 0, A, "a="},
          {A, "=1", 0, A, "1"},
          {A, "1", 0, A, "1"},
          {A, "=a=b", 0, A, "a=b"},
          {A, "a=b=c", 0, A, "a=b=c"},
          {A, "a=\"q, w\"", 0, A, "a=\"q, w\""},
          {A, "a=1\t2", 0, A, "a=1\t2"},
          {A, "\xc3\xa9=\xff", 0, A, "\xc3\xa9=\xff"},
          {A, "__proto__=1", 0, A, "__proto__=1"},
          {A, "", SHMS_COOKIE_EMPTY, A, ""},
          {A, "=", SHMS_COOKIE_EMPTY, A, ""},
          {A, ";Secure", SHMS_COOKIE_EMPTY, A, ""},
          {A, "a=1\x01", SHMS_COOKIE_CONTROL, A, ""},
          {A, "a=1; Path=/\n", SHMS_COOKIE_CONTROL, A, ""},
          {A, "a\x7f=1", SHMS_COOKIE_CONTROL, A, ""},
          {A, "a=1; unknown; Unknown=2;;=", 0, A, "a=1"});
}

static void domains(void **state)
{
    CHECK({A, "a=1", 0, "https://b.a.example.com/", ""},
          {A, "a=1; Domain=example.com", 0, "https://b.example.com/", "a=1"},
          {A, "a=1; Domain=.Example.COM", 0, "https://example.com/", "a=1"},
          {A, "a=1; Domain=example.com; Domain=", 0, "https://example.com/", ""},
          {A, "a=1; Domain=; domain=example.com", 0, "https://example.com/", "a=1"},
          {A, "a=1; Domain=example.com", 0, "https://badexample.com/", ""},
          {A, "a=1; Domain=b.example.com", SHMS_COOKIE_DOMAIN, A, ""},
          {A, "a=1; Domain=b.a.example.com", SHMS_COOKIE_DOMAIN, A, ""},
          {A, "a=1; Domain=example.com.", SHMS_COOKIE_DOMAIN, A, ""},
          {A, "a=1; Domain=..example.com", SHMS_COOKIE_DOMAIN, A, ""},
          {A, "a=1; Domain=\xc3\xa9.com", SHMS_COOKIE_DOMAIN, A, ""},
          {"https://A.EXAMPLE.com", "a=1", 0, A, "a=1"},
          {"http://127.0.0.1:80/", "a=1; Domain=127.0.0.1", 0, "http://127.0.0.1:8080/", "a=1"},
          {"http://127.0.0.1/", "a=1; Domain=0.0.1", SHMS_COOKIE_DOMAIN, "http://127.0.0.1/", ""},
          {"http://9.9.3.0x4/", "a=1; Domain=3.0x4", SHMS_COOKIE_DOMAIN, "http://1.2.3.0X4/", ""},
          {"http://9.9.3.0x/", "a=1; Domain=3.0x", SHMS_COOKIE_DOMAIN, "http://1.2.3.0x/", ""},
          {"http://a.b.0xyz/", "a=1; Domain=b.0xyz", 0, "http://c.b.0xyz/", "a=1"},
          {"http://[::1]:80/", "a=1", 0, "http://[::1]/", "a=1"});
}

/* A name in other letters is the one that its xn--... form means, also in the eyes of the suffix list. */
static void letters(void **state)
{
#define BUCH "https://b\xc3\xbc" "cher.example/"
    CHECK({BUCH, "a=1", 0, "https://xn--bcher-kva.example/", "a=1"},
          {"https://XN--BCHER-KVA.example/", "a=1", 0, BUCH, "a=1"},
          {"https://B\xc3\x9c" "CHER.example/", "a=1", 0, BUCH, "a=1"},
          {"https://bu\xcc\x88" "cher.example/", "a=1", 0, BUCH, "a=1"}, /* u and two dots */
          {"https://\xe4\xbe\x8b\xe3\x80\x82jp/", "a=1", 0, "https://xn--fsq.jp/", "a=1"}, /* its own dot */
          {"https://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/", "a=1; Domain=0.0.1", SHMS_COOKIE_DOMAIN,
           "http://127.0.0.1/", ""},
          {"https://stra\xc3\x9f" "e.example/", "a=1", 0, "https://strasse.example/", ""},
          {"https://a.\xe5\x85\xac\xe5\x8f\xb8.cn/", "a=1; Domain=xn--55qx5d.cn", SHMS_COOKIE_SUFFIX,
           "https://b.xn--55qx5d.cn/", ""},
          {BUCH, "a=1; Domain=b\xc3\xbc" "cher.example", SHMS_COOKIE_DOMAIN, BUCH, ""});
}

static void suffixes(void **state)
{
    /* CVE-2023-46218: a suffix in capitals is one, too. And with a dot behind it. */
    CHECK({"https://curl.co.uk/", "a=1; Domain=co.UK", SHMS_COOKIE_SUFFIX, "https://evil.co.uk/", ""},
          {"https://curl.CO.UK/", "a=1; Domain=CO.uk", SHMS_COOKIE_SUFFIX, "https://evil.co.uk/", ""},
          {"https://curl.co.uk./", "a=1; Domain=co.uk.", SHMS_COOKIE_SUFFIX, "https://evil.co.uk./", ""},
          {"https://x.github.io/", "a=1; Domain=github.io", SHMS_COOKIE_SUFFIX, "https://y.github.io/", ""},
          {"https://x.com/", "a=1; Domain=com", SHMS_COOKIE_SUFFIX, "https://y.com/", ""},
          {"https://github.io/", "a=1; Domain=github.io", 0, "https://github.io/", "a=1"},
          {"https://github.io/", "a=1; Domain=github.io", 0, "https://x.github.io/", ""},
          {"http://localhost/", "a=1; Domain=localhost", 0, "http://localhost/", "a=1"},
          {"http://localhost/", "a=1; Domain=localhost", 0, "http://b.localhost/", ""},
          {"https://x.curl.co.uk/", "a=1; Domain=curl.co.uk", 0, "https://y.curl.co.uk/", "a=1"});
}

static void paths(void **state)
{
    CHECK({DIR, "a=1", 0, "https://a.example.com/dir", "a=1"},
          {DIR, "a=1", 0, "https://a.example.com/dirt", ""},
          {DIR, "a=1", 0, "https://a.example.com/dir/x", "a=1"},
          {DIR, "a=1; Path=/", 0, A, "a=1"},
          {DIR, "a=1; Path=relative", 0, A, ""},
          {DIR, "a=1; Path=/; Path=", 0, A, ""},
          {A, "a=1; Path=/x/", 0, "https://a.example.com/x", ""},
          {A, "a=1; Path=/x/", 0, "https://a.example.com/x/y#z", "a=1"},
          {"https://a.example.com?x/y", "a=1", 0, A, "a=1"},
          {"https://a.example.com", "a=1", 0, DIR, "a=1"});
}

static void secure_and_prefixes(void **state)
{
    CHECK({A, "a=1; Secure", 0, "http://a.example.com/", ""},
          {A, "a=1; Secure", 0, "wss://a.example.com/", "a=1"},
          {"http://a.example.com/", "a=1; Secure", SHMS_COOKIE_INSECURE, A, ""}, /* curl#5473 */
          {"http://localhost/", "a=1; Secure", 0, "http://localhost/", "a=1"}, /* curl#6733 */
          {"http://127.9.0.1/", "a=1; Secure", 0, "ws://127.9.0.1/", "a=1"},
          {"http://127.example.com/", "a=1; Secure", SHMS_COOKIE_INSECURE, A, ""},
          {A, "a=1; SameSite=None", SHMS_COOKIE_INSECURE, A, ""},
          {A, "__Secure-a=1", SHMS_COOKIE_PREFIX, A, ""},
          {A, "__SECURE-a=1", SHMS_COOKIE_PREFIX, A, ""},
          {A, "__Secure-a=1; Secure", 0, A, "__Secure-a=1"},
          {A, "__Host-a=1; Secure; Path=/", 0, A, "__Host-a=1"},
          {A, "__Host-a=1; Secure", SHMS_COOKIE_PREFIX, A, ""},
          {A, "__host-a=1; Path=/", SHMS_COOKIE_PREFIX, A, ""},
          {A, "__Host-a=1; Secure; Path=/x", SHMS_COOKIE_PREFIX, A, ""},
          {A, "__Host-a=1; Secure; Path=/; Domain=a.example.com", SHMS_COOKIE_PREFIX, A, ""},
          {A, "__Http-a=1; Secure; HttpOnly", 0, A, "__Http-a=1"},
          {A, "__Http-a=1; Secure", SHMS_COOKIE_PREFIX, A, ""},
          {A, "__http-a=1; HttpOnly", SHMS_COOKIE_PREFIX, A, ""},
          {A, "__Host-Http-a=1; Secure; HttpOnly; Path=/", 0, A, "__Host-Http-a=1"},
          {A, "__Host-Http-a=1; Secure; Path=/", SHMS_COOKIE_PREFIX, A, ""},
          {A, "__host-HTTP-a=1; Secure; HttpOnly; Path=/; Domain=example.com", SHMS_COOKIE_PREFIX, A, ""},
          {A, "__Host-Http-a=1; Secure; HttpOnly", SHMS_COOKIE_PREFIX, A, ""},
          {A, "=__Http-a=1; Secure; HttpOnly", SHMS_COOKIE_PREFIX, A, ""},
          {A, "=__Host-a=1", SHMS_COOKIE_PREFIX, A, ""},
          {A, "__secure-x", SHMS_COOKIE_PREFIX, A, ""});
}

static void expiry_lines(void **state)
{
    CHECK({A, "a=1; Max-Age=10", 0, A, "a=1"},
          {A, "a=1; Max-Age=0", 0, A, ""},
          {A, "a=1; Max-Age=-5", 0, A, ""},
          {A, "a=1; Max-Age=ten", 0, A, "a=1"},
          {A, "a=1; Max-Age=", 0, A, "a=1"},
          {A, "a=1; Max-Age=1x; Expires=Wed, 21 Oct 2015 07:28:00 GMT", 0, A, ""},
          {A, "a=1; Expires=Wed, 21 Oct 2015 07:28:00 GMT", 0, A, ""},
          {A, "a=1; Expires=Wed, 21 Oct 2015 07:28:00 GMT; Max-Age=9", 0, A, "a=1"},
          {A, "a=1; Expires=Wed, 21 Oct 2035 07:28:00 GMT", 0, A, "a=1"},
          {A, "a=1; Max-Age=99999999999999999999999999", 0, A, "a=1"});
}

static void sizes(void **state)
{
    (void)state;
    static char line[8192];
    shms_jar *j = jar_new();
    memset(line, 'v', 4097);
    line[1] = '=';
    assert_int_equal(set(j, A, line), 0); /* 1 and 4095 */
    assert_int_equal(strlen(get(j, A)), 4097);
    line[4097] = 'v';
    assert_int_equal(set(j, A, line), SHMS_COOKIE_LONG);
    /* An attribute of 1024 bytes counts, a longer one is as if it were not there. */
    strcpy(line, "p=1; Path=/");
    memset(line + 11, 'x', 1023);
    line[11 + 1023] = '\0';
    assert_int_equal(set(j, A, line), 0);
    assert_null(strstr(get(j, A), "p=1"));
    line[11 + 1023] = 'x';
    line[11 + 1024] = '\0';
    assert_int_equal(set(j, A, line), 0);
    assert_non_null(strstr(get(j, A), "p=1"));
    shms_jar_close(j);
}

static void same_site(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    shms_jar_request r = request_of(A);
    assert_int_equal(set(j, A, "strict=1; SameSite=Strict"), 0);
    assert_int_equal(set(j, A, "lax=1; samesite=LAX"), 0);
    assert_int_equal(set(j, A, "none=1; SameSite=None; Secure"), 0);
    assert_int_equal(set(j, A, "plain=1; SameSite=other"), 0);
    assert_string_equal(get_as(j, r), "strict=1; lax=1; none=1; plain=1");
    r.site = SHMS_SITE_LAX;
    assert_string_equal(get_as(j, r), "lax=1; none=1; plain=1");
    r.site = SHMS_SITE_LAX_UNSAFE;
    assert_string_equal(get_as(j, r), "none=1; plain=1");
    clock_ns += 121 * SECOND;
    assert_string_equal(get_as(j, r), "none=1");
    r.site = SHMS_SITE_CROSS;
    assert_string_equal(get_as(j, r), "none=1");
    assert_int_equal(shms_jar_set(j, &r, "plain=2", 7), SHMS_COOKIE_CROSS_SITE);
    assert_int_equal(shms_jar_set(j, &r, "none=2; SameSite=None; Secure", 29), 0);
    r.site = SHMS_SITE_LAX;
    assert_int_equal(shms_jar_set(j, &r, "lax=2; SameSite=Lax", 19), 0);
    assert_string_equal(get(j, A), "strict=1; lax=2; none=2; plain=1");
    shms_jar_close(j);
}

/* Cookies of a partition go along only with requests of its own site, beside those of no partition. */
static void partitions(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    shms_jar_request in_a = request_of(A), in_b = in_a, nowhere = in_a;
    in_a.partition = "https://top-a.example";
    in_b.partition = "https://top-b.example";
    assert_int_equal(shms_jar_set(j, &in_a, "p=a; Secure; Partitioned", 24), 0);
    assert_int_equal(shms_jar_set(j, &in_b, "p=b; Secure; partitioned=x", 26), 0);
    assert_int_equal(shms_jar_set(j, &in_a, "q=1; Secure", 11), 0); /* not said: it is everybody's */
    assert_int_equal(shms_jar_set(j, &nowhere, "p=0; Partitioned", 16), 0);
    assert_int_equal(shms_jar_set(j, &in_a, "r=1; Partitioned", 16), SHMS_COOKIE_INSECURE);
    assert_string_equal(get_as(j, in_a), "p=a; q=1; p=0");
    assert_string_equal(get_as(j, in_b), "p=b; q=1; p=0");
    assert_string_equal(get_as(j, nowhere), "q=1; p=0");
    assert_int_equal(shms_jar_set(j, &in_a, "p=; Secure; Partitioned; Max-Age=0", 34), 0);
    assert_string_equal(get_as(j, in_a), "q=1; p=0");
    assert_string_equal(get_as(j, in_b), "p=b; q=1; p=0");
    in_a.partition = "";
    assert_int_equal(shms_jar_get(j, &in_a, NULL, 0), SHMS_E_INVALID);
    in_a.partition = "two words";
    assert_int_equal(shms_jar_set(j, &in_a, "p=1", 3), SHMS_E_INVALID);
    shms_jar_close(j);
}

static void scripts(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    shms_jar_request api = request_of(A);
    api.flags = SHMS_JAR_API;
    assert_int_equal(set(j, A, "sid=1; HttpOnly"), 0);
    assert_int_equal(set(j, A, "seen=1"), 0);
    assert_string_equal(get_as(j, api), "seen=1");
    assert_int_equal(shms_jar_set(j, &api, "sid=2", 5), SHMS_COOKIE_HIDDEN);
    assert_int_equal(shms_jar_set(j, &api, "sid=; Max-Age=0", 15), SHMS_COOKIE_HIDDEN);
    assert_int_equal(shms_jar_set(j, &api, "new=1; HttpOnly", 15), SHMS_COOKIE_HIDDEN);
    assert_int_equal(shms_jar_set(j, &api, "seen=2", 6), 0);
    assert_string_equal(get(j, A), "sid=1; seen=2");
    shms_jar_close(j);
}

/* Leave secure cookies alone: from http none is replaced, hidden by a longer path, or by a host above. */
static void shadowed(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    assert_int_equal(set(j, A, "sid=1; Secure; Path=/login"), 0);
    assert_int_equal(set(j, "http://a.example.com/login/x", "sid=2; Path=/login/x"), SHMS_COOKIE_SHADOWS);
    assert_int_equal(set(j, "http://a.example.com/", "sid=2; Path=/login; Domain=example.com"),
                     SHMS_COOKIE_SHADOWS);
    assert_int_equal(set(j, "http://b.a.example.com/", "sid=2; Path=/login"), SHMS_COOKIE_SHADOWS);
    assert_int_equal(set(j, "http://a.example.com/", "sid=2; Path=/"), 0); /* shorter: it comes behind */
    assert_int_equal(set(j, "http://a.example.com/", "other=2; Path=/login"), 0);
    assert_int_equal(set(j, "http://example.org/", "sid=2; Path=/login"), 0);
    /* curl#3445: over https it is replaced, and deleted, also by a line without Secure. */
    assert_int_equal(set(j, A, "sid=3; Path=/login"), 0);
    assert_string_equal(get(j, "http://a.example.com/login"), "sid=3; other=2; sid=2");
    assert_int_equal(set(j, A, "sid=; Path=/login; Max-Age=0"), 0);
    assert_string_equal(get(j, "http://a.example.com/login"), "other=2; sid=2");
    shms_jar_close(j);
}

/* A clock that lets another process set a Secure cookie at one of the looks at it. */
struct interruption {
    shms_jar *other;
    int left; /* looks until then */
};

static int64_t interrupting_clock(void *context)
{
    struct interruption *i = context;
    if (i->left-- == 0)
        assert_int_equal(set(i->other, A, "sid=good; Path=/; Secure"), 0);
    return clock_ns;
}

/* The same where the Secure cookie comes while the other one is on its way in. */
static void shadowed_meanwhile(void **state)
{
    (void)state;
    int done = 0;
    for (int look = 0; look < 12; look++) {
        struct interruption i = {jar_new(), -1};
        shms_jar_options o = {.struct_size = sizeof o, .no_keep = 1, .now_ns = interrupting_clock,
                              .now_context = &i};
        shms_jar *j;
        assert_int_equal(shms_jar_open(jar_name(), &o, &j), 0);
        i.left = look;
        int rc = set(j, "http://a.example.com/", "sid=evil; Path=/");
        if (i.left < 0) { /* else it was over by then */
            assert_true(rc == 0 || rc == SHMS_COOKIE_SHADOWS);
            assert_string_equal(get(i.other, A), "sid=good");
            done++;
        }
        shms_jar_close(j);
        shms_jar_close(i.other);
    }
    assert_true(done >= 4);
}

/* Clocks at their ends, and one that goes back. */
static void odd_clocks(void **state)
{
    (void)state;
    static const int64_t ends[] = {-5 * SECOND, 0, INT64_MAX - 300 * DAY, INT64_MAX - SECOND, INT64_MAX};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        shms_jar *j = jar_new();
        clock_ns = ends[i];
        set(j, A, "a=1; Max-Age=5");
        set(j, A, "b=1; Max-Age=34560000");
        set(j, A, "s=1");
        get(j, A);
        shms_jar_close(j);
    }
    shms_jar *j = jar_new();
    shms_jar_request r = request_of(A);
    r.site = SHMS_SITE_LAX_UNSAFE;
    assert_int_equal(set(j, A, "new=1"), 0);
    assert_string_equal(get_as(j, r), "new=1");
    clock_ns = START - DAY; /* it is not new for a whole day now */
    assert_string_equal(get_as(j, r), "");
    assert_string_equal(get(j, A), "new=1");
    shms_jar_close(j);
}

static void order(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    const char *page = "https://a.example.com/x/y/z";
    assert_int_equal(set(j, page, "first=1; Path=/"), 0);
    assert_int_equal(set(j, page, "above=1; Path=/; Domain=example.com"), 0);
    assert_int_equal(set(j, page, "last=1; Path=/"), 0);
    assert_int_equal(set(j, page, "deep=1; Path=/x/y"), 0);
    assert_int_equal(set(j, page, "mid=1; Path=/x"), 0);
    assert_int_equal(set(j, page, "first=2; Path=/"), 0); /* keeps its place */
    assert_string_equal(get(j, page), "deep=1; mid=1; first=2; above=1; last=1");
    assert_int_equal(set(j, page, "first=; Path=/; Max-Age=0"), 0);
    assert_int_equal(set(j, page, "first=3; Path=/"), 0); /* a new one */
    assert_string_equal(get(j, page), "deep=1; mid=1; above=1; last=1; first=3");
    /* Host-only and not are two cookies, and so are two paths. */
    assert_int_equal(set(j, "https://example.com/", "above=2; Path=/"), 0);
    assert_string_equal(get(j, "https://example.com/"), "above=1; above=2");
    assert_int_equal(set(j, "https://example.com/", "bare; Path=/"), 0);
    /* The length is told whatever the room; what fits is there, with its end, and nothing behind it. */
    static const char all[] = "above=1; above=2; bare";
    shms_jar_request r = request_of("https://example.com/");
    for (size_t room = 1; room < sizeof all + 4; room++) {
        char small[sizeof all + 8];
        memset(small, '#', sizeof small);
        assert_int_equal(shms_jar_get(j, &r, small, room), sizeof all - 1);
        assert_int_equal(small[sizeof all + 7], '#');
        assert_memory_equal(small + room, "#####", room < sizeof all ? 5 : 1);
        assert_int_equal(strlen(small), room < sizeof all ? room - 1 : sizeof all - 1);
        assert_memory_equal(small, all, strlen(small));
    }
    assert_int_equal(shms_jar_get(j, &r, NULL, 0), sizeof all - 1);
    shms_jar_close(j);
}

static void urls(void **state)
{
    (void)state;
    static const char *const good[] = {"HTTP://a.example.com", "https://user:pw@a.example.com:65535/x",
                                       "https://a@b@a.example.com/", "https://a.example.com:/",
                                       "https://a.example.com?x", "ws://a.example.com#x"};
    static const char *const bad[] = {
        "", "a.example.com", "ftp://a.example.com/", "https:///x", "https://", "https://:80/",
        "https://user@/", "https://a.example.com:65536/", "https://a.example.com:999999/",
        "https://a.example.com:8x/",
        "https://a.example.com:-1/", "https://a b.com/", "https://\xc3.com/", "https://\xc3\xa9 .com/",
        "https://\xe3\x80\x82.com/", "https://a\xe2\x80\xae.com/", "https://a..com/",
        "https://.a.com/", "https://a.com/\n", "https://[::1/", "https://[x]/", "https://a%41.com/",
        "https://a;b.com/", "https://a.example.com\\", "https://a.example.com\\@evil.example/",
        "https://a.example.com:443\\x@evil.example/", "https://evil.example\\/a.example.com/"};
    shms_jar *j = jar_new();
    assert_int_equal(set(j, A, "a=1"), 0);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_string_equal(get(j, good[i]), "a=1");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        shms_jar_request r = request_of(bad[i]);
        if (shms_jar_get(j, &r, NULL, 0) != SHMS_E_INVALID || set(j, bad[i], "a=1") != SHMS_E_INVALID)
            fail_msg("%s was taken", bad[i]);
    }
    shms_jar_close(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(domains),
        cmocka_unit_test(letters),
        cmocka_unit_test(suffixes),
        cmocka_unit_test(paths),
        cmocka_unit_test(secure_and_prefixes),
        cmocka_unit_test(expiry_lines),
        cmocka_unit_test(sizes),
        cmocka_unit_test(same_site),
        cmocka_unit_test(partitions),
        cmocka_unit_test(scripts),
        cmocka_unit_test(shadowed),
        cmocka_unit_test(shadowed_meanwhile),
        cmocka_unit_test(odd_clocks),
        cmocka_unit_test(order),
        cmocka_unit_test(urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
