/* SPDX-License-Identifier: MIT */
/* error.c: the codes are pinned, each has its text, and the errno behind a failure is a thread's own. */
#include "unit.h"

#include <errno.h>
#include <pthread.h>

static void codes_are_pinned(void **state)
{
    static const struct {
        int code, value;
        const char *word;
    } pinned[] = {{SHMS_OWNER_DIED, 1, "owner"},   {SHMS_OK, 0, "success"},
                  {SHMS_E_INVALID, -1, "invalid"},  {SHMS_E_NOT_FOUND, -2, "of that name"},
                  {SHMS_E_EXISTS, -3, "exists"},    {SHMS_E_DENIED, -4, "denied"},
                  {SHMS_E_TIMEOUT, -5, "timed"},    {SHMS_E_RANGE, -6, "outside"},
                  {SHMS_E_SIZE, -7, "smaller"},     {SHMS_E_NOSPACE, -8, "room"},
                  {SHMS_E_NOMEM, -9, "memory"},     {SHMS_E_NOT_OWNER, -10, "not hold"},
                  {SHMS_E_DEADLOCK, -11, "already"}, {SHMS_E_READ_ONLY, -12, "read-only"},
                  {SHMS_E_CORRUPT, -13, "damaged"}, {SHMS_E_FORMAT, -14, "format"},
                  {SHMS_E_LOST, -15, "taken away"}, {SHMS_E_FULL, -16, "one more"},
                  {SHMS_E_OS, -17, "system"},       {SHMS_E_UNSUPPORTED, -18, "not supported"},
                  {SHMS_E_CLOSED, -19, "closed"},   {SHMS_E_KIND, -20, "kind"},
                  {SHMS_E_DIED, -21, "died"},       {SHMS_E_MISSED, -22, "overwritten"},
                  {SHMS_E_CHANGED, -23, "changed"}};
    (void)state;
    for (size_t i = 0; i < sizeof pinned / sizeof *pinned; i++) {
        assert_int_equal(pinned[i].code, pinned[i].value);
        assert_non_null(strstr(shms_strerror(pinned[i].code), pinned[i].word));
    }
    for (int code = -23; code <= 1; code++) {
        const char *text = shms_strerror(code);
        assert_string_not_equal(text, "unknown code");
        assert_int_not_equal(text[strlen(text) - 1], '.');
        for (int other = code + 1; other <= 1; other++)
            assert_string_not_equal(text, shms_strerror(other));
    }
}

static void others_are_unknown(void **state)
{
    static const int others[] = {2, -24, INT32_MAX, INT32_MIN, SHMS__RETRY};
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_string_equal(shms_strerror(others[i]), "unknown code");
}

static void system_errors_become_codes(void **state)
{
    static const struct {
        int oserror, code;
    } table[] = {{ENOENT, SHMS_E_NOT_FOUND}, {EEXIST, SHMS_E_EXISTS},     {EACCES, SHMS_E_DENIED},
                 {EPERM, SHMS_E_DENIED},     {EROFS, SHMS_E_DENIED},      {ELOOP, SHMS_E_DENIED},
                 {EISDIR, SHMS_E_DENIED},    {ENOTDIR, SHMS_E_DENIED},    {ENXIO, SHMS_E_DENIED},
                 {ENOSPC, SHMS_E_NOSPACE},   {EFBIG, SHMS_E_NOSPACE},     {EDQUOT, SHMS_E_NOSPACE},
                 {ENOMEM, SHMS_E_NOMEM},     {EOPNOTSUPP, SHMS_E_UNSUPPORTED},
                 {ENAMETOOLONG, SHMS_E_INVALID}, {EMFILE, SHMS_E_OS},     {EIO, SHMS_E_OS}};
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_int_equal(shms__fail_os(table[i].oserror), table[i].code);
        assert_int_equal(shms_last_oserror(), table[i].oserror);
    }
}

static void own_failures_have_no_errno(void **state)
{
    (void)state;
    shms__fail_os(EIO);
    assert_int_equal(shms__fail(SHMS_E_RANGE), SHMS_E_RANGE);
    assert_int_equal(shms_last_oserror(), 0);
}

static void *fail_elsewhere(void *seen)
{
    *(int *)seen = shms_last_oserror();
    shms__fail_os(ENOSPC);
    return NULL;
}

static void a_thread_has_its_own_errno(void **state)
{
    pthread_t thread;
    int seen = -1;
    (void)state;
    shms__fail_os(EIO);
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, &seen), 0);
    pthread_join(thread, NULL);
    assert_int_equal(seen, 0);
    assert_int_equal(shms_last_oserror(), EIO);
}

static void the_version_is_the_headers(void **state)
{
    char text[32];
    (void)state;
    snprintf(text, sizeof text, "%d.%d.%d", SHMS_VERSION_MAJOR, SHMS_VERSION_MINOR, SHMS_VERSION_PATCH);
    assert_string_equal(shms_version(), text);
    assert_string_equal(shms_version(), SHMS_VERSION_STRING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(codes_are_pinned),           TEST(others_are_unknown),
        TEST(system_errors_become_codes), TEST(own_failures_have_no_errno),
        TEST(a_thread_has_its_own_errno), TEST(the_version_is_the_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
