/* SPDX-License-Identifier: MIT */
/* suffix.c: each rule of the list of public suffixes that Debian's package publicsuffix has; and where that
 * is installed with its documents, the list's own tests. */
#include "jar.h"
#include "unit.h"

#define LIST "/usr/share/publicsuffix/public_suffix_list.dat"
#define TESTS "/usr/share/doc/publicsuffix/examples/test_psl.txt"

static void expect(const shms_jar *j, const char *name, bool suffix)
{
    char host[HOST_ROOM];
    if (!shms__host_canonical(name, strlen(name), host))
        fail_msg("%s cannot be a host", name);
    if (shms__is_suffix(j, host) != suffix)
        fail_msg("%s (%s) is %s suffix", name, host, suffix ? "no" : "a");
}

static void expect_below(const shms_jar *j, const char *below, const char *name, bool suffix)
{
    char host[1024];
    snprintf(host, sizeof host, "%s.%s", below, name);
    expect(j, host, suffix);
}

/* A rule is a suffix; `*.` before it makes one of each name just below it; `!` takes one out. */
static void check_rule(const shms_jar *j, const char *rule)
{
    if (rule[0] == '!') {
        expect(j, rule + 1, false);
    } else if (strncmp(rule, "*.", 2) == 0) {
        expect_below(j, "shmstream-any", rule + 2, true);
        expect_below(j, "a.shmstream-any", rule + 2, false);
    } else {
        expect(j, rule, true);
    }
}

static shms_jar *open_with_list(void)
{
    if (access(LIST, R_OK) != 0) {
        print_message("SKIP: no " LIST " (Debian package publicsuffix)\n");
        exit(77);
    }
    return jar_open((shms_jar_options){.create = SHMS_CREATE_ONLY, .suffix_list = LIST});
}

static void rules(void **state)
{
    (void)state;
    char line[512];
    int count = 0;
    shms_jar *j = open_with_list();
    FILE *file = fopen(LIST, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, " \t\r\n")] = '\0';
        if (line[0] == '\0' || strncmp(line, "//", 2) == 0)
            continue;
        check_rule(j, line);
        count++;
    }
    fclose(file);
    print_message("%d rules\n", count);
    assert_true(count > 5000);
    shms_jar_close(j);
}

/* The shortest name above a host, or itself, for which a cookie may be made: for those below it, too. */
static const char *registrable(const shms_jar *j, const char *host)
{
    const char *found = NULL;
    for (const char *name = host; name && !shms__is_suffix(j, name); name = shms__host_above(name))
        found = name;
    return found;
}

/* Expected is what may have cookies for all below it; null: nothing. A host with a dot before it is none. */
static void check_test(const shms_jar *j, const char *given, const char *expected)
{
    char host[HOST_ROOM], wanted[HOST_ROOM];
    const char *found = NULL;
    if (shms__host_canonical(given, strlen(given), host))
        found = registrable(j, host);
    if (strcmp(expected, "null") == 0) {
        if (found)
            fail_msg("%s: %s, and nothing was expected", given, found);
        return;
    }
    assert_true(shms__host_canonical(expected, strlen(expected), wanted));
    if (!found || strcmp(found, wanted) != 0)
        fail_msg("%s: %s instead of %s", given, found ? found : "nothing", wanted);
}

static void tests_of_the_list(void **state)
{
    (void)state;
    char line[512];
    int count = 0;
    shms_jar *j = open_with_list();
    FILE *file = fopen(TESTS, "r");
    while (file && fgets(line, sizeof line, file)) {
        char given[256], expected[256];
        if (sscanf(line, "checkPublicSuffix('%255[^']', %*1[']%255[^']", given, expected) != 2 &&
            sscanf(line, "checkPublicSuffix('%255[^']', %255[^)]", given, expected) != 2)
            continue;
        check_test(j, given, expected);
        count++;
    }
    if (file) {
        fclose(file);
        assert_true(count > 50);
    }
    print_message(file ? "%d tests of the list\n" : "no " TESTS "\n", count);
    shms_jar_close(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules),
        cmocka_unit_test(tests_of_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
