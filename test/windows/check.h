/* SPDX-License-Identifier: MIT */
/*
 * What the tests for Windows stand on, where cmocka is not to be had. A test program has a table of tests; it
 * is also the other process of its tests: started again with the name of a role, it plays that.
 */
#ifndef SHMS_TEST_WINDOWS_CHECK_H
#define SHMS_TEST_WINDOWS_CHECK_H

#include "shmstream.h"

#include <windows.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Counts, says what is wrong, and goes on. */
#define CHECK(condition) check_that((condition), #condition, __FILE__, __LINE__)
#define CHECK_RC(call, expected) check_equal((int64_t)(call), (expected), #call, __FILE__, __LINE__)
bool check_that(bool condition, const char *text, const char *file, int line);
bool check_equal(int64_t got, int64_t expected, const char *text, const char *file, int line);

/* More than any honest wait takes, even on a machine that stands still now and then. */
#define PATIENCE_MS 60000

struct test {
    const char *name;
    void (*run)(void);
};

struct role {
    const char *name;
    int (*play)(const char *region); /* its exit status */
};

/* Both tables end with a zero. */
extern const struct test tests[];
extern const struct role roles[];

/* A name of this run only. The text lasts until the eighth next call. */
const char *unique(const char *prefix, const char *rest);

/* The same in wide characters, with an ending; the same store. */
const wchar_t *wide(const char *text, const char *ending);

int play_role(const char *name);

/* Start this program again in a role; kill or wait for it. */
HANDLE start(const char *role, const char *region);
int finish(HANDLE process);
void kill_it(HANDLE process);

/* Two events by which the processes of a test meet: `ready` is set by a role, `go` by the test, for all. */
void meet_make(const char *region);
void meet_close(void);
void say_ready(const char *region); /* in a role; then waits for go */
void await_ready(void);
void say_go(void);

#endif
