/* SPDX-License-Identifier: MIT */
/* cookies_txt.c: files of curl and others, in and out. */
#include "unit.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>

static char path[64];

static void write_file(const char *text)
{
    snprintf(path, sizeof path, "/tmp/jar-test-%d.txt", (int)getpid());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static const char *read_file(void)
{
    static char text[4096];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static int64_t import(shms_jar *j, const char *text, uint64_t *ret_left_out)
{
    write_file(text);
    *ret_left_out = 99;
    int64_t n = shms_jar_import(j, path, ret_left_out);
    unlink(path);
    return n;
}

/* A clock that is looked at while cookies are written out, and looks for a file with them. */
static int64_t clock_that_looks(void *context)
{
    glob_t found;
    char beside[80];
    snprintf(beside, sizeof beside, "%s*", path);
    *(size_t *)context += glob(beside, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
    globfree(&found);
    return clock_ns;
}

/* Half of an export has no name: who is killed there leaves no secrets behind. */
static void no_file_in_between(void **state)
{
    (void)state;
    size_t seen = 0;
    int fd = open("/tmp", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        skip(); /* that file system has no files without a name */
    close(fd);
    shms_jar *j = jar_new(), *out;
    assert_int_equal(set(j, "https://a.example/", "sid=s3cret"), 0);
    shms_jar_options o = {.struct_size = sizeof o, .no_keep = 1, .now_ns = clock_that_looks,
                          .now_context = &seen};
    assert_int_equal(shms_jar_open(jar_name(), &o, &out), 0);
    snprintf(path, sizeof path, "/tmp/jar-test-%d-out", (int)getpid());
    assert_int_equal(shms_jar_export(out, path, NULL), 1);
    assert_int_equal(seen, 0);
    assert_non_null(strstr(read_file(), "s3cret"));
    clock_that_looks(&seen);
    assert_int_equal(seen, 1); /* and nothing beside it */
    assert_int_equal(shms_jar_export(out, path, NULL), 1);
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(shms_jar_export(out, path, NULL), SHMS_E_INVALID);
    rmdir(path);
    shms_jar_close(out);
    shms_jar_close(j);
}

static void in(void **state)
{
    (void)state;
    uint64_t left;
    shms_jar *j = jar_new();
    assert_int_equal(import(j,
                            "# Netscape HTTP Cookie File\n\n"
                            "example.com\tFALSE\t/\tFALSE\t0\thost\t1\n"
                            ".example.com\tTRUE\t/\tTRUE\t1800000000\tdomain\t2\r\n"
                            "#HttpOnly_.example.com\tTRUE\t/x\tFALSE\t1800000000.5\tdeep\t3\n"
                            "example.com\tTRUE\t/\tFALSE\t0\tempty\n"
                            "example.com\tFALSE\t/\tFALSE\t0\t\tnameless\n",
                            &left),
                     5);
    assert_int_equal(left, 0);
    assert_string_equal(get(j, "https://example.com/x"), "deep=3; host=1; domain=2; empty=; nameless");
    assert_string_equal(get(j, "http://a.example.com/"), "empty=");
    const char *marked[] = {"\xef\xbb\xbf# Netscape HTTP Cookie File\r\n", "\xef\xbb\xbf"};
    for (size_t i = 0; i < 2; i++) { /* as editors write it */
        char text[128];
        snprintf(text, sizeof text, "%sm.example\tFALSE\t/\tFALSE\t0\tmark\t%zu\n", marked[i], i);
        assert_int_equal(import(j, text, &left), 1);
        assert_int_equal(left, 0);
    }
    assert_string_equal(get(j, "https://m.example/"), "mark=1");
    assert_int_equal(import(j, "#\n", &left), 0);
    shms_jar_request script = request_of("https://example.com/x");
    script.flags = SHMS_JAR_API;
    assert_string_equal(get_as(j, script), "host=1; domain=2; empty=; nameless");
    shms_jar_close(j);
}

/* Each of these is left out, counted, and does no harm to what is there. */
static void left_out(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "example.com\tFALSE\t/\tFALSE\t0\ta\t2",         /* no end: it may be cut short */
        "example.com\tFALSE\t/\tFALSE\t0\n",             /* cut short, too */
        "example.com\tFALSE\t/\tFALSE\t0\ta\t2\tmore\n", /* a TAB in the value */
        "example.com\tMAYBE\t/\tFALSE\t0\ta\t2\n",
        "example.com\tFALSE\t/\tFALSE\tsoon\ta\t2\n",
        "example.com\tFALSE\t/\tFALSE\t-1\ta\t2\n",
        "example.com\tFALSE\t/\tFALSE\t1000000000\ta\t2\n", /* expired */
        "example.com FALSE / FALSE 0 a 2\n",
        "exa mple.com\tFALSE\t/\tFALSE\t0\ta\t2\n",
        "example.com\tFALSE\tx\tFALSE\t0\ta\t2\n",
        ".co.uk\tTRUE\t/\tFALSE\t0\ta\t2\n",
        "example.com\tFALSE\t/\tFALSE\t0\t__Host-a\t2\n",
        "example.com\tFALSE\t/\tFALSE\t0\ta\t2\x01\n",
        "example.com\tFALSE\t/\tFALSE\t0\ta\t2; b=3\n",
        "#HttpOnly_\n",
    };
    shms_jar *j = jar_new();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[512];
        uint64_t left;
        snprintf(text, sizeof text, "example.com\tFALSE\t/\tFALSE\t0\ta\t1\n%s", bad[i]);
        int64_t n = import(j, text, &left);
        if (n != 1 || left != 1 || strcmp(get(j, "https://example.com/"), "a=1") != 0)
            fail_msg("%s: %d, %d left out, %s", bad[i], (int)n, (int)left, get(j, "https://example.com/"));
    }
    shms_jar_close(j);
}

/* Nothing is taken out of it. */
static void import_from_pipe(shms_jar *j)
{
    static const char text[] = "a.example\tFALSE\t/\tFALSE\t0\tn\tv\n";
    char name[32], found[sizeof text];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, sizeof text - 1), sizeof text - 1);
    snprintf(name, sizeof name, "/dev/fd/%d", ends[0]);
    assert_int_equal(shms_jar_import(j, name, NULL), SHMS_E_INVALID);
    assert_int_equal(read(ends[0], found, sizeof found), sizeof text - 1);
    close(ends[0]);
    close(ends[1]);
}

static void no_cookies_at_all(void **state)
{
    (void)state;
    uint64_t left;
    shms_jar *j = jar_new();
    assert_int_equal(import(j, "{\"cookies\": []}\n", &left), SHMS_E_FORMAT);
    assert_int_equal(import(j, "", &left), 0);
    assert_int_equal(import(j, "# Netscape HTTP Cookie File\n", &left), 0);
    assert_int_equal(left, 0);
    assert_int_equal(shms_jar_import(j, "/nowhere", NULL), SHMS_E_NOT_FOUND);
    assert_int_equal(shms_jar_import(j, "/tmp", NULL), SHMS_E_INVALID);
    assert_int_equal(shms_jar_import(j, "/dev/zero", NULL), SHMS_E_FORMAT);
    import_from_pipe(j);
    assert_int_equal(shms_jar_import(j, NULL, NULL), SHMS_E_INVALID);
    assert_int_equal(count_of(j, NULL), 0);
    shms_jar_close(j);
}

static void out(void **state)
{
    (void)state;
    uint64_t left = 99;
    struct stat about;
    shms_jar *j = jar_new();
    write_file("of before");
    chmod(path, 0644);
    assert_int_equal(set(j, "https://example.com/", "a=1"), 0);
    const char *line = "d=2; Domain=example.com; Secure; HttpOnly; Max-Age=5";
    assert_int_equal(set(j, "https://example.com/", line), 0);
    assert_int_equal(set(j, "https://example.com/", "t=\t1\t2"), 0);
    assert_int_equal(shms_jar_export(j, path, &left), 2);
    assert_int_equal(left, 1);
    const char *text = read_file();
    assert_non_null(strstr(text, "# Netscape HTTP Cookie File\n"));
    assert_non_null(strstr(text, "\nexample.com\tFALSE\t/\tFALSE\t0\ta\t1\n"
                                 "#HttpOnly_.example.com\tTRUE\t/\tTRUE\t1700000005\td\t2\n"));
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_int_equal(shms_jar_clear(j, NULL), 3);
    assert_int_equal(shms_jar_import(j, path, &left), 2);
    assert_string_equal(get(j, "https://example.com/"), "a=1; d=2");
    unlink(path);
    assert_int_equal(shms_jar_export(j, "/nowhere/x", NULL), SHMS_E_NOT_FOUND);
    assert_int_equal(shms_jar_export(j, "", NULL), SHMS_E_INVALID);
    shms_jar_close(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in),  cmocka_unit_test(left_out),          cmocka_unit_test(no_cookies_at_all),
        cmocka_unit_test(out), cmocka_unit_test(no_file_in_between)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
