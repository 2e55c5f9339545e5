/* SPDX-License-Identifier: MIT */
/* A program that shows functions of the library's names: another copy's, of another version perhaps. The
 * library calls its own ones all the same. */
#include "shmstream.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int strange_calls;

/* What the library calls from within; package.symbols sees that there is none beside. */
int64_t shms_stream_pread(shms_stream *s, void *buf, size_t n, int64_t offset)
{
    (void)s, (void)buf, (void)n, (void)offset;
    return strange_calls++;
}

int64_t shms_stream_pwrite(shms_stream *s, const void *buf, size_t n, int64_t offset)
{
    (void)s, (void)buf, (void)n, (void)offset;
    return strange_calls++;
}

uint64_t shms_stream_size(shms_stream *s)
{
    (void)s;
    return (uint64_t)strange_calls++;
}

int shms_last_oserror(void)
{
    return strange_calls++;
}

static void *library;

static void it_calls_its_own(void **state)
{
    __typeof__(&shms_stream_open) open_stream;
    __typeof__(&shms_stream_file) open_file;
    __typeof__(&shms_stream_close) close_stream;
    char name[64], got[8] = "";
    shms_stream *s;
    FILE *f;
    (void)state;
    *(void **)&open_stream = dlsym(library, "shms_stream_open");
    *(void **)&open_file = dlsym(library, "shms_stream_file");
    *(void **)&close_stream = dlsym(library, "shms_stream_close");
    snprintf(name, sizeof name, "embed-names-%d", (int)getpid());
    assert_int_equal(open_stream(name, 64, NULL, &s), 0);
    assert_int_equal(open_file(s, "r+", &f), 0);
    assert_true(fputs("hello", f) >= 0 && fflush(f) == 0);
    rewind(f);
    assert_int_equal(fread(got, 1, 5, f), 5);
    assert_string_equal(got, "hello");
    fclose(f);
    close_stream(s);
    assert_int_equal(strange_calls, 0);
}

int main(void)
{
    library = dlopen(SHARED_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return fprintf(stderr, "%s\n", dlerror()), 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_calls_its_own)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
