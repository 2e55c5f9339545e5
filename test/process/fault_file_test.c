/* SPDX-License-Identifier: MIT */
/* Every system call of resizing, and of what has to do with files and lists, fails in turn (fault.h). */
/* ctest: timeout=600 */
#include "fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES                                                                                               \
    (MAY(SHMS_E_DENIED) | MAY(SHMS_E_NOT_FOUND) | MAY(SHMS_E_NOSPACE) | MAY(SHMS_E_NOMEM) | MAY(SHMS_E_OS))
#define RESIZING                                                                                            \
    (MAY(SHMS_E_NOSPACE) | MAY(SHMS_E_LOST) | MAY(SHMS_E_DENIED) | MAY(SHMS_E_TIMEOUT) |                    \
     MAY(SHMS_E_NOMEM) | MAY(SHMS_E_OS))

#define TELLING (MAY(SHMS_E_LOST) | MAY(SHMS_E_NOMEM) | MAY(SHMS_E_OS))
#define LISTING (MAY(SHMS_E_NOMEM) | MAY(SHMS_E_DENIED) | MAY(SHMS_E_OS))

/* ---- resize */

static void open_and_hold(bool sparse)
{
    shms_stream_options *o = fault_options();
    o->max_size = 16 * FAULT_SIZE;
    o->sparse = sparse;
    need(fault_open(o, FAULT_SIZE) == 0);
    need(shms_stream_lock(fault_handle, 0) == 0);
}

static void hold(void)
{
    open_and_hold(false);
}

static void hold_sparse(void)
{
    open_and_hold(true);
}

static void hold_and_lose_descriptors(void)
{
    open_and_hold(false);
    close_others(false);
}

/* The file is longer than the region then. */
static void hold_what_has_shrunk(void)
{
    open_and_hold(false);
    need(shms_stream_resize(fault_handle, 4 * FAULT_SIZE) == 0);
    memset(shms_stream_memory(fault_handle), 5, 4 * FAULT_SIZE);
    need(shms_stream_resize(fault_handle, FAULT_SIZE) == 0);
}

static int64_t grows(void)
{
    return shms_stream_resize(fault_handle, 4 * FAULT_SIZE);
}

static int64_t shrinks(void)
{
    return shms_stream_resize(fault_handle, FAULT_SIZE / 2);
}

/* The size is the old one or the new one, and what is new is zero. */
static void check_size(int64_t rc, uint64_t size)
{
    const unsigned char *bytes = shms_stream_memory(fault_handle);
    need(shms_stream_size(fault_handle) == (rc == 0 ? size : FAULT_SIZE));
    for (uint64_t i = FAULT_SIZE; i < shms_stream_size(fault_handle); i++)
        need(bytes[i] == 0);
    if (rc < 0) /* and at the second attempt nothing is in the way */
        need(shms_stream_resize(fault_handle, size) == 0);
    need(shms_stream_size(fault_handle) == size);
    for (uint64_t i = FAULT_SIZE; i < size; i++)
        need(bytes[i] == 0);
    fault_use_and_close(rc);
}

static void check_grown(int64_t rc)
{
    check_size(rc, 4 * FAULT_SIZE);
}

static void check_shrunk(int64_t rc)
{
    check_size(rc, FAULT_SIZE / 2);
}

/* What another member has made longer is looked at for the first time. */
static void be_beside_one_that_grows(void)
{
    shms_stream *other;
    hold();
    other = fault_handle;
    shms_stream_options *o = fault_options();
    o->max_size = 16 * FAULT_SIZE;
    need(fault_open(o, FAULT_SIZE) == 0);
    need(shms_stream_resize(other, 4 * FAULT_SIZE) == 0 && shms_stream_unlock(other) == 0);
    shms_stream_close(other);
}

static int64_t reads_what_is_new(void)
{
    unsigned char c = 1;
    int64_t rc = shms_stream_pread(fault_handle, &c, 1, 3 * FAULT_SIZE);
    return rc == 1 && c == 0 ? 0 : rc < 0 ? rc : SHMS_E_RANGE;
}

/* ---- files, in a directory of their own */

static char directory[] = "/tmp/process-test-XXXXXX";
static char path[64];

static void fill_file(const char *file, char byte, size_t n)
{
    FILE *f = fopen(file, "we");
    need(f != NULL);
    for (size_t i = 0; i < n; i++)
        fputc(byte, f);
    need(fclose(f) == 0);
}

static void choose_file(void)
{
    fault_member();
    memset(shms_stream_memory(fault_handle), 5, FAULT_SIZE);
    need(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/file", directory);
}

static void have_file(void)
{
    choose_file();
    fill_file(path, 5, 100);
}

static void have_link(void)
{
    char target[80];
    choose_file();
    snprintf(target, sizeof target, "%s/target", directory);
    fill_file(target, 5, 100);
    need(symlink("target", path) == 0);
}

static void have_device(void)
{
    choose_file();
    need(symlink("/dev/null", path) == 0);
}

static int64_t saves(void)
{
    int64_t rc = shms_stream_save(fault_handle, path);
    return rc == FAULT_SIZE ? 0 : rc < 0 ? rc : SHMS_E_RANGE;
}

static int64_t loads(void)
{
    int64_t rc = shms_stream_load(fault_handle, path);
    return rc == 100 ? 0 : rc < 0 ? rc : SHMS_E_RANGE;
}

/* Nothing was left beside the file; and it is the old one or the new one. */
static void check_file(int64_t rc)
{
    char file[400];
    DIR *d = opendir(directory);
    need(d != NULL);
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (*e->d_name == '.' && (!e->d_name[1] || (e->d_name[1] == '.' && !e->d_name[2])))
            continue;
        need(strcmp(e->d_name, "file") == 0 || strcmp(e->d_name, "target") == 0);
        snprintf(file, sizeof file, "%s/%s", directory, e->d_name);
        need(lstat(file, &st) == 0);
        if (S_ISREG(st.st_mode))
            need(st.st_size == 100 || st.st_size == FAULT_SIZE);
        need(unlink(file) == 0);
    }
    closedir(d);
    need(rmdir(directory) == 0);
    fault_use_and_close(rc);
}

/* ---- lists, and what can be told */

static int64_t tells(void)
{
    shms_info info = {.struct_size = sizeof info};
    int rc = shms_stream_info(fault_handle, &info);
    return rc == 0 && info.members != 2 ? SHMS_E_RANGE : rc;
}

static int see(const char *name, const shms_info *info, void *context)
{
    (void)info;
    *(bool *)context |= strcmp(name, fault_name) == 0;
    return 0;
}

static bool was_listed;

static int64_t lists(void)
{
    return shms_list(see, &was_listed);
}

static void lose_descriptors(void)
{
    fault_member();
    close_others(false);
}

static const struct trial table[] = {
    {"grow", ALIVE, hold, .act = grows, .after = check_grown, .may = RESIZING},
    {"grow_sparse", NOTHING, hold_sparse, .act = grows, .after = check_grown, .may = RESIZING},
    {"grow_where_old_bytes_are", ALIVE, hold_what_has_shrunk, .act = grows, .after = check_grown,
     .may = RESIZING},
    {"grow_without_descriptors", ALIVE, hold_and_lose_descriptors, .act = grows, .after = check_grown,
     .may = RESIZING},
    {"shrink", ALIVE, hold, .act = shrinks, .after = check_shrunk, .may = RESIZING},
    {"grow_journaled", ALIVE, hold, .act = grows, .after = check_grown, .may = RESIZING, .atomic = true},
    {"shrink_journaled", ALIVE, hold, .act = shrinks, .after = check_shrunk, .may = RESIZING, .atomic = true},
    {"read_what_has_grown", ALIVE, be_beside_one_that_grows, .act = reads_what_is_new},
    {"save_new", ALIVE, choose_file, .act = saves, .after = check_file, .may = FILES},
    {"save_over", ALIVE, have_file, .act = saves, .after = check_file, .may = FILES},
    {"save_over_a_link", ALIVE, have_link, .act = saves, .after = check_file, .may = FILES},
    {"save_into_a_device", ALIVE, have_device, .act = saves, .after = check_file, .may = FILES},
    {"load", ALIVE, have_file, .act = loads, .after = check_file, .may = FILES},
    {"info", ALIVE, fault_member, .act = tells, .may = TELLING},
    {"info_without_descriptors", ALIVE, lose_descriptors, .act = tells, .may = TELLING},
    {"list", ALIVE, NULL, .act = lists, .may = LISTING},
    {"list_the_dead", DEAD, NULL, .act = lists, .may = LISTING},
    {"list_an_orphan", ORPHAN, NULL, .act = lists, .may = LISTING},
    {.name = NULL}};

int main(int argc, char **argv)
{
    return fault_main(argc, argv, table);
}
