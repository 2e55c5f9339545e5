/* SPDX-License-Identifier: MIT */
/* One process: names, sizes, bytes, and what is refused. */
#include "check.h"

static shms_stream *open_new(const char *name, uint64_t size)
{
    shms_stream *s = NULL;
    CHECK_RC(shms_stream_open(name, size, NULL, &s), 0);
    return s;
}

static void one_name(const char *name)
{
    shms_stream *a = open_new(name, 5000), *b = NULL;
    char got[6] = "";
    CHECK_RC(shms_stream_existed(a), 0);
    CHECK_RC(shms_stream_open(name, 5000, NULL, &b), 0);
    CHECK_RC(shms_stream_existed(b), 1);
    CHECK_RC(shms_stream_size(b), 5000);
    CHECK_RC(shms_stream_write(a, "hello", 6), 6);
    CHECK_RC(shms_stream_read(b, got, 6), 6);
    CHECK(strcmp(got, "hello") == 0);
    HANDLE section = OpenFileMappingW(FILE_MAP_READ, FALSE, wide(name, ""));
    HANDLE event = OpenEventW(SYNCHRONIZE, FALSE, wide(name, "_TShareMemStream_Event"));
    CHECK(section && event);
    CloseHandle(section);
    CloseHandle(event);
    shms_stream_close(a);
    CHECK_RC(shms_stream_pread(b, got, 6, 0), 6);
    shms_stream_close(b);
    CHECK_RC(shms_stream_open(name, 0, NULL, &a), SHMS_E_NOT_FOUND);
    a = open_new(name, 10);
    CHECK_RC(shms_stream_pread(a, got, 6, 0), 6);
    CHECK(got[0] == 0);
    shms_stream_close(a);
}

static void names(void)
{
    char longest[4097];
    one_name(unique("", "plain"));
    one_name(unique("Local\\", "local"));
    one_name(unique("Global\\", "global"));
    one_name(unique("", "a/b: *?\"<>|%"));
    one_name(unique("Global\\", "\xe4\xb8\xad\xe6\x96\x87 \xf0\x9f\x8d\xaa"));
    memset(longest, 'n', 900);
    longest[900] = 0;
    one_name(unique("", longest));
    for (int i = 0; i < 980; i++)
        memcpy(longest + 3 * i, "\xe4\xb8\xad", 4);
    one_name(unique("Global\\", longest));
}

static void places(void)
{
    shms_stream *plain = open_new(unique("", "place"), 10), *other = NULL;
    CHECK_RC(shms_stream_open(unique("Local\\", "place"), 0, NULL, &other), 0);
    shms_stream_close(other);
    CHECK_RC(shms_stream_open(unique("Global\\", "place"), 0, NULL, &other), SHMS_E_NOT_FOUND);
    CHECK_RC(shms_stream_open(unique("", "PLACE"), 0, NULL, &other), SHMS_E_NOT_FOUND);
    shms_stream_close(plain);
}

static void refused_names(void)
{
    static char longest[5000];
    static const char *const bad[] = {"", "Global\\", "Local\\", "a\\b", "Global\\a\\b", "\\a",
                                      "\xff", "\xed\xa0\x80", "x_shms_control", longest, NULL};
    shms_stream *s = NULL;
    memset(longest, 'n', sizeof longest - 1);
    for (int i = 0; bad[i]; i++)
        CHECK_RC(shms_stream_open(bad[i], 10, NULL, &s), SHMS_E_INVALID);
    CHECK_RC(shms_stream_open(NULL, 10, NULL, &s), SHMS_E_UNSUPPORTED); /* a region without a name */
    CHECK_RC(shms_stream_open_fd(0, NULL, &s), SHMS_E_UNSUPPORTED);
    CHECK(s == NULL);
    HANDLE event = CreateEventW(NULL, FALSE, TRUE, wide(unique("", "kind"), ""));
    CHECK_RC(shms_stream_open(unique("", "kind"), 10, NULL, &s), SHMS_E_DENIED);
    CloseHandle(event);
    HANDLE section = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 10,
                                        wide(unique("", "kind"), "_TShareMemStream_Event"));
    CHECK_RC(shms_stream_open(unique("", "kind"), 10, NULL, &s), SHMS_E_DENIED);
    CloseHandle(section);
}

static int open_with(shms_stream_options *o, uint64_t size)
{
    shms_stream *s = NULL;
    if (o->struct_size == 0)
        o->struct_size = sizeof *o;
    int rc = shms_stream_open(unique("", "options"), size, o, &s);
    shms_stream_close(s);
    return rc;
}

static void refused_arguments(void)
{
    shms_stream *s = NULL;
    const char *name = unique("", "options");
    CHECK_RC(shms_stream_open(name, 0, NULL, &s), SHMS_E_NOT_FOUND);
    CHECK_RC(shms_stream_open(name, (1ull << 62) + 1, NULL, &s), SHMS_E_INVALID);
    CHECK_RC(shms_stream_open(name, 10, NULL, NULL), SHMS_E_INVALID);
    CHECK(shms_stream_open(name, 1ull << 62, NULL, &s) < 0);
    CHECK_RC(open_with(&(shms_stream_options){.struct_size = 4}, 10), SHMS_E_INVALID);
    CHECK_RC(open_with(&(shms_stream_options){.access = 2}, 10), SHMS_E_INVALID);
    CHECK_RC(open_with(&(shms_stream_options){.mode = 0111}, 10), SHMS_E_INVALID);
    CHECK_RC(open_with(&(shms_stream_options){.max_size = 5}, 10), SHMS_E_INVALID);
    CHECK_RC(open_with(&(shms_stream_options){.create = SHMS_CREATE_ONLY}, 0), SHMS_E_INVALID);
    CHECK_RC(open_with(&(shms_stream_options){.keep = 1}, 10), SHMS_E_UNSUPPORTED);
    CHECK_RC(open_with(&(shms_stream_options){.create = SHMS_OPEN_ONLY}, 10), SHMS_E_NOT_FOUND);
    CHECK_RC(open_with(&(shms_stream_options){.lock_memory = 1, .huge_pages = 1, .sparse = 1}, 4096), 0);
    CHECK_RC(shms_stream_unlink(name), SHMS_E_NOT_FOUND);
    s = open_new(name, 5000);
    CHECK_RC(open_with(&(shms_stream_options){.create = SHMS_CREATE_ONLY}, 10), SHMS_E_EXISTS);
    CHECK_RC(open_with(&(shms_stream_options){0}, 5001), SHMS_E_SIZE);
    CHECK_RC(shms_stream_unlink(name), SHMS_E_UNSUPPORTED);
    shms_stream_close(s);
}

static void nothing_given(void)
{
    int64_t seen = 0;
    shms_stream_close(NULL);
    CHECK(shms_stream_memory(NULL) == NULL);
    CHECK_RC(shms_stream_size(NULL), 0);
    CHECK_RC(shms_stream_lock(NULL, 0), SHMS_E_INVALID);
    CHECK_RC(shms_stream_unlock(NULL), SHMS_E_INVALID);
    CHECK_RC(shms_stream_lock_shared(NULL, 0), SHMS_E_INVALID);
    CHECK_RC(shms_stream_write(NULL, "", 1), SHMS_E_INVALID);
    CHECK_RC(shms_stream_read(NULL, &seen, 1), SHMS_E_INVALID);
    CHECK_RC(shms_stream_snapshot(NULL, &seen, 1, 0), SHMS_E_INVALID);
    CHECK_RC(shms_stream_wait(NULL, &seen, 0), SHMS_E_INVALID);
    CHECK_RC(shms_stream_save(NULL, "x"), SHMS_E_INVALID);
    CHECK_RC(shms_stream_resize(NULL, 1), SHMS_E_INVALID);
    CHECK_RC(shms_list(NULL, NULL), SHMS_E_INVALID);
}

static void reading_only(void)
{
    shms_stream_options read = {.struct_size = sizeof read, .access = SHMS_ACCESS_READ};
    const char *name = unique("", "read");
    shms_stream *r = NULL, *w = NULL;
    char got[4] = "";
    CHECK_RC(shms_stream_open(name, 100, &read, &r), 0); /* comes first: writers can still come */
    CHECK_RC(shms_stream_open(name, 100, NULL, &w), 0);
    CHECK_RC(shms_stream_write(w, "abc", 4), 4);
    CHECK_RC(shms_stream_read(r, got, 4), 4);
    CHECK(strcmp(got, "abc") == 0);
    CHECK_RC(shms_stream_write(r, "x", 1), SHMS_E_READ_ONLY);
    CHECK_RC(shms_stream_pwrite(r, "x", 1, 0), SHMS_E_READ_ONLY);
    CHECK_RC(shms_stream_load(r, "x"), SHMS_E_READ_ONLY);
    CHECK_RC(shms_stream_notify(r), SHMS_E_READ_ONLY);
    CHECK_RC(shms_stream_lock(r, 0), 0);
    CHECK_RC(shms_stream_lock(w, 0), SHMS_E_TIMEOUT);
    CHECK_RC(shms_stream_resize(r, 50), SHMS_E_READ_ONLY);
    CHECK_RC(shms_stream_unlock(r), 0);
    shms_stream_close(r);
    shms_stream_close(w);
}

static void positions(void)
{
    shms_stream *s = open_new(unique("", "positions"), 10);
    char got[20];
    CHECK_RC(shms_stream_write(s, "0123456789", 10), 10);
    CHECK_RC(shms_stream_write(s, "x", 1), SHMS_E_RANGE);
    CHECK_RC(shms_stream_read(s, got, 5), 0);
    CHECK_RC(shms_stream_seek(s, 20, SEEK_SET), 20);
    CHECK_RC(shms_stream_read(s, got, 5), 0);
    CHECK_RC(shms_stream_seek(s, -1, SEEK_SET), SHMS_E_RANGE);
    CHECK_RC(shms_stream_seek(s, -3, SEEK_END), 7);
    CHECK_RC(shms_stream_read(s, got, 20), 3);
    CHECK_RC(shms_stream_tell(s), 10);
    CHECK_RC(shms_stream_pwrite(s, (char *)shms_stream_memory(s), 8, 2), 8); /* overlapping */
    CHECK(memcmp(shms_stream_memory(s), "0101234567", 10) == 0);
    CHECK_RC(shms_stream_pread(s, got, 5, -1), SHMS_E_RANGE);
    CHECK_RC(shms_stream_pwrite(s, got, 5, INT64_MAX), SHMS_E_RANGE);
    shms_stream_close(s);
}

static void files(void)
{
    const char *path = unique("", "\xe4\xb8\xad\xe6\x96\x87.bin"), *missing = unique("", "none/x");
    shms_stream *s = open_new(unique("", "files"), 10);
    FILE *f;
    CHECK_RC(shms_stream_write(s, "0123456789", 10), 10);
    CHECK_RC(shms_stream_save(s, path), 10);
    CHECK_RC(shms_stream_save(s, path), 10); /* replaces */
    memset(shms_stream_memory(s), 0, 10);
    CHECK_RC(shms_stream_load(s, path), 10);
    CHECK(memcmp(shms_stream_memory(s), "0123456789", 10) == 0);
    CHECK_RC(shms_stream_load(s, missing), SHMS_E_NOT_FOUND);
    CHECK_RC(shms_stream_save(s, missing), SHMS_E_NOT_FOUND);
    CHECK_RC(shms_stream_load(s, "."), SHMS_E_DENIED);
    CHECK_RC(shms_stream_save(s, "NUL"), 10);
    shms_stream *small = open_new(unique("", "small"), 5);
    CHECK_RC(shms_stream_load(small, path), SHMS_E_RANGE);
    shms_stream_close(small);
    CHECK(DeleteFileW(wide(path, "")));
    CHECK_RC(shms_stream_file(s, "r", &f), SHMS_E_UNSUPPORTED);
    CHECK_RC(shms_stream_poll_fd(s), SHMS_E_UNSUPPORTED);
    CHECK_RC(shms_stream_fd(s), SHMS_E_UNSUPPORTED);
    shms_stream_close(s);
}

static void handles_are_given_back(void)
{
    DWORD before = 0, after = 0;
    shms_stream *s = open_new(unique("", "leak"), 100);
    shms_stream_close(s);
    GetProcessHandleCount(GetCurrentProcess(), &before);
    for (int i = 0; i < 20; i++) {
        shms_stream *t = NULL;
        s = open_new(unique("", "leak"), 100);
        CHECK_RC(shms_stream_open(unique("", "leak"), 200, NULL, &t), SHMS_E_SIZE);
        CHECK_RC(shms_stream_open(unique("", "no-leak"), 0, NULL, &t), SHMS_E_NOT_FOUND);
        CHECK_RC(shms_stream_lock(s, 0), 0);
        shms_stream_close(s);
    }
    GetProcessHandleCount(GetCurrentProcess(), &after);
    CHECK_RC(after, before);
}

const struct test tests[] = {{"names", names},
                             {"places", places},
                             {"refused names", refused_names},
                             {"refused arguments", refused_arguments},
                             {"nothing given", nothing_given},
                             {"reading only", reading_only},
                             {"positions", positions},
                             {"files", files},
                             {"handles are given back", handles_are_given_back},
                             {0}};
const struct role roles[] = {{0}};
