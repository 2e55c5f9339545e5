/* SPDX-License-Identifier: MIT */
/* What the unit tests share: names of each test's own, and a count of what may leak. */
#ifndef UNIT_H
#define UNIT_H

#include "stream.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The test's names, a private and a Global one, and their files. New ones for each test. */
static char NAME[80], GLOBAL[96];
static struct name local_files, global_files;
static int fds_before;

#define OPTIONS(...) &(shms_stream_options){.struct_size = sizeof(shms_stream_options), __VA_ARGS__}
#define TEST(function) cmocka_unit_test_setup_teardown(function, unit_setup, unit_teardown)
/* Wait for a condition, 20 s at most. */
#define WAIT_FOR(condition)                                                                                 \
    do {                                                                                                    \
        for (int tries_ = 0; tries_ < 20000 && !(condition); tries_++)                                      \
            shms__nap(1000000);                                                                             \
        assert_true(condition);                                                                             \
    } while (0)

static inline int unit_names(void)
{
    return shms__file_exists(local_files.control) + shms__file_exists(local_files.data) +
           shms__file_exists(global_files.control) + shms__file_exists(global_files.data);
}

static inline int unit_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;
    while (d && readdir(d))
        n++;
    closedir(d);
    return n;
}

static inline int unit_maps(void)
{
    FILE *f = fopen("/proc/self/maps", "re");
    int n = 0;
    for (char line[1024]; f && fgets(line, sizeof line, f);)
        n += strstr(line, "/dev/shm/") != NULL;
    fclose(f);
    return n;
}

static inline int unit_setup(void **state)
{
    static int count;
    (void)state;
    snprintf(NAME, sizeof NAME, "unit-%d-%d", (int)getpid(), ++count);
    snprintf(GLOBAL, sizeof GLOBAL, "Global\\%s", NAME);
    fds_before = unit_fds();
    return shms__name_resolve(NAME, true, &local_files) | shms__name_resolve(GLOBAL, true, &global_files);
}

static inline int unit_teardown(void **state)
{
    (void)state;
    int fds = unit_fds() - fds_before, maps = unit_maps(), names = unit_names();
    const char *paths[] = {local_files.control, local_files.data, global_files.control, global_files.data};
    for (int i = 0; i < 4; i++)
        remove(paths[i]);
    if (fds || maps || names)
        print_error("left behind: %d descriptors, %d mappings, %d names\n", fds, maps, names);
    return fds || maps || names;
}

static inline shms_stream *unit_open(const char *name, uint64_t size, const shms_stream_options *options)
{
    shms_stream *s = NULL;
    assert_int_equal(shms_stream_open(name, size, options, &s), 0);
    return s;
}

/* What opening that must fail gives. */
static inline int unit_refused(const char *name, uint64_t size, const shms_stream_options *options)
{
    shms_stream *s = NULL;
    int rc = shms_stream_open(name, size, options, &s);
    shms_stream_close(s);
    return rc;
}

#endif
