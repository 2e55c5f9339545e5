/* SPDX-License-Identifier: MIT */
/* What the tests of the jar share: a jar with a clock of its own, and short ways to ask it something. */
#ifndef JAR_UNIT_H
#define JAR_UNIT_H

#include "shmstream/dict.h"
#include "shmstream/jar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)
#define DAY (86400 * SECOND)
#define START (1700000000 * SECOND) /* when tests begin */

static int64_t clock_ns = START;

static inline int64_t read_clock(void *context)
{
    (void)context;
    return clock_ns;
}

static inline const char *jar_name(void)
{
    static char name[64]; /* children inherit it */
    if (!name[0])
        snprintf(name, sizeof name, "jar-test-%d", (int)getpid());
    return name;
}

static inline shms_jar *jar_open(shms_jar_options o)
{
    shms_jar *j;
    o.struct_size = sizeof o;
    o.now_ns = read_clock;
    o.no_keep = 1;
    assert_int_equal(shms_jar_open(jar_name(), &o, &j), 0);
    return j;
}

/* A jar that is empty and known to nobody else, at the time START. */
static inline shms_jar *jar_new(void)
{
    clock_ns = START;
    return jar_open((shms_jar_options){.create = SHMS_CREATE_ONLY});
}

static inline shms_jar_request request_of(const char *url)
{
    return (shms_jar_request){.struct_size = sizeof(shms_jar_request), .url = url};
}

static inline int set(shms_jar *j, const char *url, const char *line)
{
    shms_jar_request r = request_of(url);
    return shms_jar_set(j, &r, line, strlen(line));
}

static inline const char *get_as(shms_jar *j, shms_jar_request r)
{
    static char line[1 << 20];
    int64_t n = shms_jar_get(j, &r, line, sizeof line);
    assert_true(n >= 0);
    assert_int_equal(n, strlen(line));
    return line;
}

static inline const char *get(shms_jar *j, const char *url)
{
    return get_as(j, request_of(url));
}

static inline int take_cookie(const shms_cookie *c, void *context)
{
    *(shms_cookie *)context = *c;
    return 0;
}

/* The numbers of the only cookie of a host; its texts are gone. */
static inline shms_cookie only_cookie(shms_jar *j, const char *host)
{
    shms_cookie c = {0};
    assert_int_equal(shms_jar_each(j, host, take_cookie, &c), 1);
    return c;
}

static inline int count_cookie(const shms_cookie *c, void *context)
{
    (void)c;
    ++*(int *)context;
    return 0;
}

static inline int64_t count_of(shms_jar *j, const char *host)
{
    int n = 0;
    int64_t told = shms_jar_each(j, host, count_cookie, &n);
    assert_int_equal(told, n);
    return told;
}

#endif
