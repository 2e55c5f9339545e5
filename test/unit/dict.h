/* SPDX-License-Identifier: MIT */
/* What the unit tests of the dict share: short calls, an injected clock, and the check of a whole dict. */
#ifndef DICT_TEST_H
#define DICT_TEST_H

#include "unit.h"

#include "evict.h"
#include "look.h"

#define DICT_OPTIONS(...) &(shms_dict_options){.struct_size = sizeof(shms_dict_options), __VA_ARGS__}
#define HOW(...) &(shms_dict_how){.struct_size = sizeof(shms_dict_how), __VA_ARGS__}

static int64_t clock_now = 1000000000;

static inline int64_t clock_ns(void *context)
{
    (void)context;
    return __atomic_load_n(&clock_now, __ATOMIC_RELAXED); /* another thread may set it */
}

static inline shms_dict *dict_open(const char *name, uint64_t size, const shms_dict_options *options)
{
    shms_dict *d = NULL;
    assert_int_equal(shms_dict_open(name, size, options, &d), 0);
    return d;
}

static inline int64_t dict_set(shms_dict *d, const char *key, const char *value)
{
    return shms_dict_set(d, key, strlen(key), value, strlen(value), NULL);
}

static inline int64_t dict_del(shms_dict *d, const char *key)
{
    return shms_dict_del(d, key, strlen(key), NULL);
}

/* The key's value is this text; NULL: it is absent. */
static inline bool dict_is(shms_dict *d, const char *key, const char *value)
{
    char buf[8192];
    int64_t n = shms_dict_get(d, key, strlen(key), buf, sizeof buf, NULL);
    if (!value)
        return n == SHMS_E_NOT_FOUND;
    return n == (int64_t)strlen(value) && memcmp(buf, value, (size_t)n) == 0;
}

/*
 * The check of a whole dict that nobody is changing: every cell in exactly one place, every count right,
 * and the ring naming what it must. NULL, or what is wrong. `finished`: a redo record that stands is an
 * error.
 */
const char *dict_wrong(shms_dict *d, bool finished);

#endif
