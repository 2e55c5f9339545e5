/* SPDX-License-Identifier: MIT */
/* file.c, and the port's disk.c and stdio.c: to and from a file, and as a FILE. */
#include "child.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char dir[64], path[96];

static int make_dir(void **state)
{
    int rc = unit_setup(state);
    const char *base = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%.40s/shms-XXXXXX", base ? base : "/tmp");
    if (rc || !mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/file", dir);
    return 0;
}

static int files_in_dir(void)
{
    DIR *d = opendir(dir);
    int n = -2; /* . and .. */
    while (d && readdir(d))
        n++;
    closedir(d);
    return n;
}

static int remove_dir(void **state)
{
    remove(path);
    if (rmdir(dir))
        print_error("left behind in %s\n", dir);
    return unit_teardown(state);
}

static void put(const char *bytes)
{
    FILE *f = fopen(path, "we");
    assert_true(f && fwrite(bytes, 1, strlen(bytes), f) == strlen(bytes));
    assert_int_equal(fclose(f), 0);
}

static void holds(const char *bytes)
{
    char buf[64] = "";
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    size_t n = fread(buf, 1, sizeof buf, f);
    fclose(f);
    assert_int_equal(n, strlen(bytes));
    assert_memory_equal(buf, bytes, n);
}

static mode_t mode(void)
{
    struct stat st = {0};
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static shms_stream *digits(void)
{
    shms_stream *s = unit_open(NAME, 10, NULL);
    assert_int_equal(shms_stream_write(s, "0123456789", 10), 10);
    return s;
}

static void saved(void **state)
{
    char other[128];
    struct stat st;
    (void)state;
    shms_stream *s = digits();
    assert_int_equal(shms_stream_save(s, path), 10);
    holds("0123456789");
    assert_int_equal(mode(), 0600);
    assert_int_equal(shms_stream_tell(s), 10);
    put("a longer file that was there before");
    assert_int_equal(chmod(path, 0640), 0);
    snprintf(other, sizeof other, "%s/other", dir);
    assert_int_equal(link(path, other), 0); /* who has the old file open keeps it whole */
    shms_stream *reader = unit_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ));
    assert_int_equal(shms_stream_save(reader, path), 10);
    holds("0123456789");
    assert_int_equal(mode(), 0640);
    assert_true(stat(other, &st) == 0 && st.st_size == 35);
    remove(other);
    assert_int_equal(symlink(path, other), 0); /* a link stays one */
    assert_int_equal(shms_stream_save(s, other), 10);
    assert_int_equal(lstat(other, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    remove(other);
    assert_int_equal(files_in_dir(), 1);
    shms_stream_close(reader);
    shms_stream_close(s);
}

static int save_fails(void *unused)
{
    struct rlimit limit = {.rlim_cur = 4, .rlim_max = 4};
    shms_stream *s;
    (void)unused;
    EXPECT(shms_stream_open(NAME, 0, NULL, &s) == 0);
    signal(SIGXFSZ, SIG_IGN);
    EXPECT(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    EXPECT(shms_stream_save(s, path) == SHMS_E_NOSPACE && shms_last_oserror() == EFBIG);
    return 0;
}

/* A file system of 64 KiB, that only this child sees. */
static int disk_is_full(void *unused)
{
    shms_stream *s;
    char there[128], old[8] = "";
    (void)unused;
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", dir, "tmpfs", 0, "size=64k"))
        return 77;
    snprintf(there, sizeof there, "%s/there", dir);
    EXPECT(shms_stream_open(GLOBAL, 1 << 20, NULL, &s) == 0);
    FILE *f = fopen(there, "we");
    EXPECT(f && fputs("old", f) >= 0 && fclose(f) == 0);
    EXPECT(shms_stream_save(s, there) == SHMS_E_NOSPACE && shms_last_oserror() == ENOSPC);
    EXPECT(files_in_dir() == 1);
    f = fopen(there, "re");
    EXPECT(f && fgets(old, sizeof old, f) && strcmp(old, "old") == 0);
    shms_stream_close(s);
    return 0;
}

static int dir_is_closed(void *unused)
{
    (void)unused;
    EXPECT(shms_stream_save(NULL, path) == SHMS_E_INVALID);
    EXPECT(shms__disk_save(path, "new", 3) == SHMS_E_DENIED);
    return 0;
}

static void a_failure_leaves_the_old_file(void **state)
{
    char buf[128];
    (void)state;
    shms_stream *s = digits();
    put("old");
    assert_int_equal(unit_child(save_fails, NULL, 0), 0);
    holds("old");
    if (geteuid() == 0) {
        assert_int_equal(chmod(dir, 0755), 0);
        assert_int_equal(unit_child(dir_is_closed, NULL, STRANGER), 0);
        int rc = unit_child(disk_is_full, NULL, 0);
        if (rc == 77)
            puts("SKIP: no mount namespace for a full disk");
        else
            assert_int_equal(rc, 0);
    }
    holds("old");
    assert_int_equal(files_in_dir(), 1); /* nothing half-written beside it */
    assert_int_equal(shms_stream_save(s, "/dev/full"), SHMS_E_NOSPACE);
    assert_int_equal(shms_stream_save(s, "/dev/null"), 10);
    assert_int_equal(shms_stream_save(s, dir), SHMS_E_DENIED);
    snprintf(buf, sizeof buf, "%s/none/file", dir);
    assert_int_equal(shms_stream_save(s, buf), SHMS_E_NOT_FOUND);
    assert_int_equal(shms_stream_save(s, ""), SHMS_E_NOT_FOUND);
    assert_int_equal(shms_stream_save(s, NULL), SHMS_E_INVALID);
    shms_stream_close(s);
}

static void loaded(void **state)
{
    (void)state;
    shms_stream *s = digits();
    put("abc");
    assert_int_equal(shms_stream_load(s, path), 3);
    assert_memory_equal(shms_stream_memory(s), "abc3456789", 10);
    assert_int_equal(shms_stream_tell(s), 10);
    put("ABCDEFGHIJK");
    assert_int_equal(shms_stream_load(s, path), SHMS_E_RANGE); /* and nothing is written */
    assert_memory_equal(shms_stream_memory(s), "abc3456789", 10);
    put("ABCDEFGHIJ");
    assert_int_equal(shms_stream_load(s, path), 10);
    put("");
    assert_int_equal(shms_stream_load(s, path), 0);
    assert_memory_equal(shms_stream_memory(s), "ABCDEFGHIJ", 10);
    shms_stream *reader = unit_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ));
    assert_int_equal(shms_stream_load(reader, path), SHMS_E_READ_ONLY);
    assert_int_equal(shms_stream_load(s, dir), SHMS_E_INVALID);
    assert_int_equal(shms_stream_load(s, "/dev/null"), SHMS_E_INVALID);
    remove(path);
    assert_int_equal(shms_stream_load(s, path), SHMS_E_NOT_FOUND);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(shms_stream_load(s, path), SHMS_E_INVALID); /* and does not wait for a writer */
    assert_int_equal(shms_stream_load(s, NULL) + shms_stream_load(NULL, path), 2 * SHMS_E_INVALID);
    shms_stream_close(reader);
    shms_stream_close(s);
}

/* ---- FILE */

static FILE *as_file(shms_stream *s, const char *how)
{
    FILE *f = NULL;
    assert_int_equal(shms_stream_file(s, how, &f), 0);
    assert_non_null(f);
    return f;
}

static void a_file_reads_and_writes(void **state)
{
    char word[8] = "";
    int number = 0;
    (void)state;
    shms_stream *s = unit_open(NAME, 64, NULL);
    FILE *f = as_file(s, "r+");
    assert_true(fprintf(f, "%s %d\n", "word", 42) > 0);
    assert_int_equal(fflush(f), 0);
    assert_memory_equal(shms_stream_memory(s), "word 42\n", 9);
    assert_int_equal(fseek(f, 0, SEEK_SET), 0);
    assert_int_equal(fscanf(f, "%7s %d", word, &number), 2);
    assert_string_equal(word, "word");
    assert_int_equal(number, 42);
    assert_int_equal(fseek(f, -4, SEEK_END), 0);
    assert_int_equal(ftell(f), 60);
    assert_int_equal(fseek(f, -100, SEEK_CUR), -1);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(shms_stream_tell(s), 0); /* a position of its own */
    f = as_file(s, "w"); /* does not truncate */
    assert_int_equal(fclose(f), 0);
    assert_memory_equal(shms_stream_memory(s), "word 42\n", 9);
    f = as_file(s, "rb");
    assert_int_equal(fputc('x', f), EOF);
    clearerr(f);
    for (int i = 0; i < 64; i++)
        assert_int_equal(fgetc(f), ((char *)shms_stream_memory(s))[i]);
    assert_int_equal(fgetc(f), EOF);
    assert_true(feof(f) && !ferror(f));
    assert_int_equal(fclose(f), 0);
    shms_stream_close(s);
}

static void a_file_ends_where_the_region_does(void **state)
{
    (void)state;
    shms_stream *s = digits();
    FILE *f = as_file(s, "w");
    errno = 0;
    assert_int_equal(fwrite("abcdefghijKLM", 1, 13, f) == 13 && fflush(f) == 0, false);
    assert_int_equal(errno, ENOSPC);
    fclose(f);
    assert_memory_equal(shms_stream_memory(s), "abcdefghij", 10); /* what fits is there */
    f = as_file(s, "a");
    assert_int_equal(fputs("x", f) >= 0 && fflush(f) == 0, false);
    assert_int_equal(errno, ENOSPC);
    fclose(f);
    assert_memory_equal(shms_stream_memory(s), "abcdefghij", 10);
    shms_stream_close(s);
}

static void modes_of_a_file(void **state)
{
    static const char *good[] = {"r", "w", "a", "r+", "w+", "a+", "rb", "r+b", "rb+", "wb"};
    static const char *bad[] = {"", "x", "+", "b", "rw", "rx", "r,ccs=UTF-8", "R"};
    FILE *f = NULL;
    (void)state;
    shms_stream *s = digits();
    shms_stream *reader = unit_open(NAME, 0, OPTIONS(.access = SHMS_ACCESS_READ));
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(fclose(as_file(s, good[i])), 0);
        bool writes = good[i][0] != 'r' || strchr(good[i], '+');
        assert_int_equal(shms_stream_file(reader, good[i], &f), writes ? SHMS_E_READ_ONLY : 0);
        if (!writes)
            fclose(f);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(shms_stream_file(s, bad[i], &f), SHMS_E_INVALID);
    assert_int_equal(shms_stream_file(NULL, "r", &f), SHMS_E_INVALID);
    assert_int_equal(shms_stream_file(s, "r", NULL) + shms_stream_file(s, NULL, &f), 2 * SHMS_E_INVALID);
    shms_stream_close(reader);
    shms_stream_close(s);
}

#define IN_DIR(function) cmocka_unit_test_setup_teardown(function, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(saved),
        IN_DIR(a_failure_leaves_the_old_file),
        IN_DIR(loaded),
        TEST(a_file_reads_and_writes),
        TEST(a_file_ends_where_the_region_does),
        TEST(modes_of_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
