/* SPDX-License-Identifier: MIT */
/* What users of other jars have reported, a test each: here it is right. */
#include "unit.h"

#define A "https://a.example.com/"

/* curl#3445: over https a Secure cookie can be replaced and deleted by a line without Secure. */
static void curl_3445(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    assert_int_equal(set(j, A, "sid=1; Secure"), 0);
    assert_int_equal(set(j, A, "sid=2"), 0);
    assert_string_equal(get(j, A), "sid=2");
    assert_int_equal(set(j, A, "sid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"), 0);
    assert_string_equal(get(j, A), "");
    shms_jar_close(j);
}

/* curl#5473: a Secure cookie that came over http is not stored. */
static void curl_5473(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    assert_int_equal(set(j, "http://a.example.com/", "id=3; Secure; Path=/"), SHMS_COOKIE_INSECURE);
    assert_int_equal(count_of(j, NULL), 0);
    shms_jar_close(j);
}

/* curl#6733, curl#10120: http to this machine itself is secure, by whichever of its names. */
static void curl_6733(void **state)
{
    (void)state;
    static const char *const local[] = {"http://localhost:8080/", "http://127.0.0.1:8080/",
                                        "http://[::1]:8080/", "http://app.localhost/"};
    shms_jar *j = jar_new();
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
        assert_int_equal(set(j, local[i], "id=6; Path=/; SameSite=None; Secure"), 0);
        assert_string_equal(get(j, local[i]), "id=6");
    }
    assert_int_equal(set(j, "http://127.0.0.1.evil.example/", "id=6; Secure"), SHMS_COOKIE_INSECURE);
    shms_jar_close(j);
}

/* CVE-2023-46218, aiohttp#13653: a public suffix is one in whatever case, with whatever dots. */
static void suffix_in_any_case(void **state)
{
    (void)state;
    static const char *const lines[] = {"id=e; Domain=co.UK", "id=e; Domain=.CO.uk", "id=e; Domain=.uk"};
    shms_jar *j = jar_new();
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_int_equal(set(j, "https://evil.co.uk/", lines[i]), SHMS_COOKIE_SUFFIX);
    assert_string_equal(get(j, "https://bank.co.uk/"), "");
    assert_int_equal(set(j, "http://attacker.com:8092/", "sid=evil; Domain=.com"), SHMS_COOKIE_SUFFIX);
    assert_string_equal(get(j, "http://victim.com:8093/"), "");
    shms_jar_close(j);
}

/* CVE-2022-35252: control bytes, by which one host makes requests fail that go to its sisters. */
static void control_bytes(void **state)
{
    (void)state;
    char line[] = "a=?; Domain=example.com";
    shms_jar *j = jar_new();
    shms_jar_request r = request_of(A);
    for (int c = 0; c < 0x20; c++) {
        line[2] = (char)c;
        int rc = shms_jar_set(j, &r, line, sizeof line - 1);
        assert_int_equal(rc, c == '\t' ? 0 : SHMS_COOKIE_CONTROL);
    }
    line[2] = 0x7f;
    assert_int_equal(shms_jar_set(j, &r, line, sizeof line - 1), SHMS_COOKIE_CONTROL);
    shms_jar_close(j);
}

/* CVE-2023-26136: names that mean something to a program are names. */
static void names_of_programs(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    assert_int_equal(set(j, A, "__proto__=1; Path=/__proto__"), 0);
    assert_int_equal(set(j, "https://__proto__/", "constructor=1; Domain=__proto__"), 0);
    assert_string_equal(get(j, "https://a.example.com/__proto__"), "__proto__=1");
    assert_string_equal(get(j, "https://__proto__/"), "constructor=1");
    assert_string_equal(get(j, A), "");
    shms_jar_close(j);
}

/* cpython#108931: a domain cookie is deleted with the dot before its Domain and without it. */
static void cpython_108931(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    assert_int_equal(set(j, A, "t=1; Domain=example.com"), 0);
    assert_int_equal(set(j, A, "t=; Domain=.example.com; Max-Age=0"), 0);
    assert_int_equal(set(j, A, "u=1; Domain=.example.com"), 0);
    assert_int_equal(set(j, A, "u=; Domain=example.com; Max-Age=-1"), 0);
    assert_int_equal(set(j, "http://localhost:8088/", "t=1; Domain=localhost"), 0);
    assert_int_equal(set(j, "http://localhost:8088/", "t=; Domain=.localhost; Max-Age=0"), 0);
    assert_int_equal(count_of(j, NULL), 0);
    shms_jar_close(j);
}

/* cpython#83157: #HttpOnly_ of a cookies.txt begins a cookie, not a comment, and keeps its meaning. */
static void cpython_83157(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "/tmp/jar-reports-%d.txt", (int)getpid());
    shms_jar *j = jar_new();
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("# Netscape HTTP Cookie File\n# HttpOnly_x\n", file);
    fputs("#HttpOnly_.example.com\tTRUE\t/\tTRUE\t0\tsid\t1\n", file);
    fclose(file);
    uint64_t left_out = 9;
    assert_int_equal(shms_jar_import(j, path, &left_out), 1);
    assert_int_equal(left_out, 0);
    assert_int_equal(only_cookie(j, "example.com").flags, SHMS_COOKIE_SECURE | SHMS_COOKIE_HTTP_ONLY);
    assert_int_equal(shms_jar_export(j, path, NULL), 1);
    assert_int_equal(shms_jar_clear(j, NULL), 1);
    assert_int_equal(shms_jar_import(j, path, NULL), 1);
    assert_int_equal(only_cookie(j, "example.com").flags, SHMS_COOKIE_SECURE | SHMS_COOKIE_HTTP_ONLY);
    unlink(path);
    shms_jar_close(j);
}

/* hoppscotch#6585: without a Domain a cookie is its host's only, beside one of the same name that is not. */
static void hoppscotch_6585(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    assert_int_equal(set(j, "https://example.com/", "sid=host"), 0);
    assert_int_equal(set(j, "https://api.example.com/", "sid=api; Domain=api.example.com"), 0);
    assert_string_equal(get(j, "https://example.com/"), "sid=host");
    assert_string_equal(get(j, "https://api.example.com/"), "sid=api");
    shms_jar_close(j);
}

/* obscura#1034: prefixes hold for servers, for scripts, and for what is put in. */
static void obscura_1034(void **state)
{
    (void)state;
    static const char *const lines[] = {"__Host-s=e; Secure; Path=/; Domain=example.com",
                                        "__Host-s=e; Secure; Path=/admin", "__Secure-x=e; Path=/"};
    shms_jar *j = jar_new();
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        shms_jar_request r = request_of(A);
        assert_int_equal(shms_jar_set(j, &r, lines[i], strlen(lines[i])), SHMS_COOKIE_PREFIX);
        r.flags = SHMS_JAR_API;
        assert_int_equal(shms_jar_set(j, &r, lines[i], strlen(lines[i])), SHMS_COOKIE_PREFIX);
    }
    shms_cookie c = {.struct_size = sizeof c, .flags = SHMS_COOKIE_SECURE, .host = "example.com",
                     .name = "__Host-s", .value = "e", .path = "/"};
    assert_int_equal(shms_jar_put(j, &c), SHMS_COOKIE_PREFIX);
    assert_int_equal(count_of(j, NULL), 0);
    shms_jar_close(j);
}

/* httrack#1638: example.com is no part of wwwexample.com, nor 1.1 of 192.168.1.1. */
static void httrack_1638(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    assert_int_equal(set(j, "https://example.com/", "a=1; Domain=example.com"), 0);
    assert_string_equal(get(j, "https://wwwexample.com/"), "");
    assert_int_equal(set(j, "http://192.168.1.1/", "a=1; Domain=1.1"), SHMS_COOKIE_DOMAIN);
    shms_jar_close(j);
}

int main(void)
{
    /* jar_test.c has two more: use_writes_no_old_value (SerenityOS#17770), partition_is_told. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(curl_3445),      cmocka_unit_test(curl_5473),
        cmocka_unit_test(curl_6733),      cmocka_unit_test(suffix_in_any_case),
        cmocka_unit_test(control_bytes),  cmocka_unit_test(names_of_programs),
        cmocka_unit_test(cpython_108931), cmocka_unit_test(cpython_83157),
        cmocka_unit_test(hoppscotch_6585), cmocka_unit_test(obscura_1034),
        cmocka_unit_test(httrack_1638),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
