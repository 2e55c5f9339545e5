/* SPDX-License-Identifier: MIT */
#include "check.h"

static int failures;

bool check_that(bool condition, const char *text, const char *file, int line)
{
    if (!condition) {
        failures++;
        printf("%s:%d: %s (os %d)\n", file, line, text, shms_last_oserror());
        fflush(stdout);
    }
    return condition;
}

bool check_equal(int64_t got, int64_t expected, const char *text, const char *file, int line)
{
    if (got != expected)
        printf("got %lld, expected %lld\n", (long long)got, (long long)expected);
    return check_that(got == expected, text, file, line);
}

const char *unique(const char *prefix, const char *rest)
{
    static char store[8][8192];
    static int next;
    char *text = store[next++ % 8];
    snprintf(text, sizeof store[0], "%stest-%lu-%s", prefix, GetCurrentProcessId(), rest);
    return text;
}

const wchar_t *wide(const char *text, const char *ending)
{
    static wchar_t store[8][8192];
    static int next;
    wchar_t *to = store[next++ % 8];
    int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, to, 8000);
    MultiByteToWideChar(CP_UTF8, 0, ending, -1, to + n - 1, 100);
    return to;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return play_role(argv[1]) + (failures > 0);
    for (const struct test *t = tests; t->name; t++) {
        int before = failures;
        t->run();
        printf("%-6s %s\n", failures > before ? "FAILED" : "ok", t->name);
        fflush(stdout);
    }
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
