/* SPDX-License-Identifier: MIT */
/* name.c: which names are good, which files they mean, and the way back. */
#include "unit.h"

static int resolve(const char *text, struct name *ret)
{
    return shms__name_resolve(text, true, ret);
}

static const char *file_part(const char *path)
{
    return strrchr(path, '/') + 1;
}

static void bad_names(void **state)
{
    static const char *bad[] = {
        "", "Global\\", "Local\\", "a\\b", "\\a", "a\\", "global\\a", "LOCAL\\a", "Global\\\\a",
        "Global\\Local\\a", "Local\\Global\\a", "Local\\Local\\a", "Session\\1\\a", "\x80", "a\xff",
        "\xc0\xaf", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x9f\xbf", "\xe2\x82", "\xe2\x28\xa1",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xf0\x9f\x98"};
    struct name n;
    (void)state;
    assert_int_equal(resolve(NULL, &n), SHMS_E_INVALID);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(resolve(bad[i], &n), SHMS_E_INVALID);
}

static void good_names(void **state)
{
    static const struct {
        const char *text, *file;
        bool global;
    } good[] = {{"a", "a.ctl", false},
                {"Local\\a", "a.ctl", false},
                {"Global\\a", "shms.a.ctl", true},
                {".", "..ctl", false},
                {"..", "...ctl", false},
                {"a/b", "a%2Fb.ctl", false},
                {"../../etc/passwd", "..%2F..%2Fetc%2Fpasswd.ctl", false},
                {"100%", "100%25.ctl", false},
                {"%2F", "%252F.ctl", false},
                {"tab\there\x7f", "tab%09here%7F.ctl", false},
                {"\x01", "%01.ctl", false},
                {"a b:c*", "a b:c*.ctl", false},
                {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80.ctl", false},
                {"\xc2\x80", "\xc2\x80.ctl", false},
                {"\xed\x9f\xbf", "\xed\x9f\xbf.ctl", false},
                {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf.ctl", false},
                {"Global\\a/b", "shms.a%2Fb.ctl", true}};
    struct name n;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(resolve(good[i].text, &n), 0);
        assert_string_equal(file_part(n.control), good[i].file);
        assert_int_equal(n.global, good[i].global);
        /* the data file differs in its ending only */
        size_t stem = strlen(n.control) - strlen(".ctl");
        assert_memory_equal(n.control, n.data, stem);
        assert_string_equal(n.data + stem, ".data");
    }
}

static void places(void **state)
{
    struct name n;
    char dir[64];
    (void)state;
    snprintf(dir, sizeof dir, "/dev/shm/shms-%u/", (unsigned)geteuid());
    assert_int_equal(resolve("a", &n), 0);
    assert_string_equal(n.prefix, dir);
    assert_int_equal(resolve("Global\\a", &n), 0);
    assert_string_equal(n.prefix, "/dev/shm/shms.");
}

static void the_longest_name(void **state)
{
    char text[8 + SHMS_NAME_MAX + 2] = "";
    struct name n;
    (void)state;
    memset(text, 'x', SHMS_NAME_MAX);
    assert_int_equal(resolve(text, &n), 0);
    text[SHMS_NAME_MAX] = 'x';
    assert_int_equal(resolve(text, &n), SHMS_E_INVALID);
    /* the prefix does not count */
    memset(text, 0, sizeof text);
    strcpy(text, "Global\\");
    memset(text + 7, 'x', SHMS_NAME_MAX);
    assert_int_equal(resolve(text, &n), 0);
    assert_true(strlen(file_part(n.data)) <= 255);
    text[7 + SHMS_NAME_MAX] = 'x';
    assert_int_equal(resolve(text, &n), SHMS_E_INVALID);
    /* an escaped character counts three times, a multi-byte one by its bytes */
    memset(text, 0, sizeof text);
    memset(text, '/', SHMS_NAME_MAX / 3);
    assert_int_equal(resolve(text, &n), 0);
    text[SHMS_NAME_MAX / 3] = '/';
    assert_int_equal(resolve(text, &n), SHMS_E_INVALID);
    memset(text, 0, sizeof text);
    memset(text, 'x', SHMS_NAME_MAX - 1);
    strcat(text, "\xc3\xa4");
    assert_int_equal(resolve(text, &n), SHMS_E_INVALID);
}

static void the_longest_name_works(void **state)
{
    char text[7 + SHMS_NAME_MAX + 1] = "Global\\";
    (void)state;
    size_t used = (size_t)snprintf(text + 7, SHMS_NAME_MAX, "%s", NAME) + 7;
    memset(text + used, 'y', 7 + SHMS_NAME_MAX - used);
    shms_stream *s = unit_open(text, 1, NULL);
    assert_int_equal(unit_refused(text, 1, OPTIONS(.create = SHMS_CREATE_ONLY)), SHMS_E_EXISTS);
    shms_stream_close(s);
}

/* Every character that a name can hold, there and back. */
static void round_trip(void **state)
{
    char text[16], back[NAME_TEXT_MAX], name[32];
    struct name n;
    (void)state;
    for (int c = 1; c < 0x80; c++) {
        bool is_data = true;
        if (c == '\\')
            continue;
        snprintf(text, sizeof text, "a%cb", c);
        for (int global = 0; global < 2; global++) {
            snprintf(name, sizeof name, "%s%s", global ? "Global\\" : "", text);
            assert_int_equal(resolve(name, &n), 0);
            const char *file = n.control + strlen(n.prefix);
            assert_true(shms__name_from_file(global, file, back, &is_data));
            assert_string_equal(back, name);
            assert_false(is_data);
            assert_true(shms__name_from_file(global, n.data + strlen(n.prefix), back, &is_data));
            assert_true(is_data);
        }
    }
}

static void files_that_are_not_ours(void **state)
{
    static const char *files[] = {"", "a", ".ctl", "a.ctl2", "a.CTL", "a.dat", "%.ctl", "%2.ctl", "%2f.ctl",
                                  "%41.ctl", "%00.ctl", "%5C.ctl", "a%zz.ctl", "a%2F", "a\nb.ctl", "a/b.ctl",
                                  "a\x7f.ctl", "Global\\a.ctl", "Local\\a.ctl"};
    char back[NAME_TEXT_MAX], longest[400];
    bool is_data;
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (shms__name_from_file(false, files[i], back, &is_data))
            fail_msg("%s was taken for a file of ours", files[i]);
    memset(longest, 'x', sizeof longest);
    strcpy(longest + sizeof longest - 8, ".ctl");
    assert_false(shms__name_from_file(true, longest, back, &is_data));
}

static void case_matters(void **state)
{
    char upper[sizeof NAME];
    (void)state;
    snprintf(upper, sizeof upper, "%s", NAME);
    upper[0] = 'U';
    shms_stream *s = unit_open(NAME, 16, NULL);
    assert_int_equal(unit_refused(upper, 0, NULL), SHMS_E_NOT_FOUND);
    shms_stream_close(s);
}

static void local_is_plain_and_not_global(void **state)
{
    char local[sizeof NAME + 6];
    (void)state;
    snprintf(local, sizeof local, "Local\\%s", NAME);
    shms_stream *s = unit_open(NAME, 16, NULL);
    shms_stream *same = unit_open(local, 0, NULL);
    assert_int_equal(unit_refused(GLOBAL, 0, NULL), SHMS_E_NOT_FOUND);
    shms_stream_close(same);
    shms_stream_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bad_names),        TEST(good_names),
        TEST(places),           TEST(the_longest_name),
        TEST(the_longest_name_works), TEST(round_trip),
        TEST(files_that_are_not_ours), TEST(case_matters),
        TEST(local_is_plain_and_not_global),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
