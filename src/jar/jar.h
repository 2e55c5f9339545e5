/* SPDX-License-Identifier: MIT */
/* An open jar, and how its dict is used.
 *
 * One record a place, which is a host, or a host in a partition: the key is the host in lower case, with the
 * partition and a zero byte before it; the value its cookies (record.c). A request for a.b.example.com looks
 * at a.b.example.com, b.example.com, example.com and com: what it finds does not depend on a list of public
 * suffixes, so processes with different lists see each other's cookies. One more record, under COUNT_KEY,
 * counts the cookies of all places.
 *
 * A change is: read the record, edit it, set it on the condition that it still has the version that was read;
 * else again (edit.c). That set is the only step that others see, so a process that dies anywhere leaves the
 * old record or the new one. If it dies between a set and the count, the count is wrong by what it changed
 * until a sweep counts anew. */
#ifndef SHMS_JAR_H
#define SHMS_JAR_H

#include "shmstream/dict.h"
#include "shmstream/jar.h"
#include "url.h"

#include <libpsl.h>
#include <stdbool.h>

#define COUNT_KEY "\0count" /* no place: before the zero byte is no partition */
#define COUNT_KEY_SIZE 6
#define JAR_SIZE (4u << 20)
#define JAR_SIZE_MAX (64u << 20)
#define JAR_SIZE_LEAST (8u << 20)
#define RECORD_MAX (1u << 20) /* 180 cookies of the largest size, and marks: see record.c */

struct shms_jar {
    shms_dict *dict;
    const psl_ctx_t *suffixes;
    psl_ctx_t *own_suffixes; /* to be freed, or NULL */
    uint32_t host_cookies, jar_cookies;
    int64_t (*now_ns)(void *context);
    void *now_context;
};

/* The time by the jar's clock. */
int64_t shms__jar_now(const shms_jar *j);

/* The time so much later, or the last one that there is. A clock may stand at an end, and so may what lies in
 * the jar. */
static inline int64_t shms__later(int64_t ns, int64_t by_ns)
{
    return ns > INT64_MAX - by_ns ? INT64_MAX : ns + by_ns;
}

/* 0, or SHMS_E_NOT_FOUND, SHMS_E_FORMAT, SHMS_E_UNSUPPORTED. */
int shms__suffix_open(shms_jar *j, const char *path);
void shms__suffix_close(shms_jar *j);

/* Whether cookies for a whole domain of that name would go to strangers. */
bool shms__is_suffix(const shms_jar *j, const char *host);

/* A number for the site of a host: its domain below the public suffix. */
uint64_t shms__site_of(const shms_jar *j, const char *host);

#endif
