/* SPDX-License-Identifier: MIT */
/* Jars: opened and closed; what is the dict's as it is. */
#include "jar.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOST_COOKIES 180
#define JAR_COOKIES 3300
#define CELL_SIZE 512 /* one cookie or two; longer records chain */

int64_t shms__jar_now(const shms_jar *j)
{
    if (j->now_ns)
        return j->now_ns(j->now_context);
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The caller's options, or the defaults. A longer struct will do if what this version does not know is 0. */
static bool take_options(const shms_jar_options *from, shms_jar_options *ret)
{
    *ret = (shms_jar_options){0};
    if (!from)
        return true;
    if (from->struct_size < 8)
        return false;
    const char *bytes = (const char *)from;
    for (size_t i = sizeof *ret; i < from->struct_size; i++)
        if (bytes[i] != 0)
            return false;
    memcpy(ret, from, from->struct_size < sizeof *ret ? from->struct_size : sizeof *ret);
    return ret->no_keep <= 1 && !ret->reserved[0] && !ret->reserved[1] && !ret->reserved[2] &&
           (ret->max_size == 0 || ret->max_size >= JAR_SIZE_LEAST) && ret->open_timeout_ms >= 0;
}

static int open_dict(const char *name, const shms_jar_options *o, shms_dict **ret)
{
    shms_dict_options dict = {
        .struct_size = sizeof dict,
        .access = o->access,
        .create = o->create,
        .owners = o->owners,
        .owner_uid = o->owner_uid,
        .mode = o->mode,
        .max_size = o->max_size,
        .open_timeout_ms = o->open_timeout_ms,
        .cell_size = CELL_SIZE,
        .key_max = KEY_ROOM,
        .value_max = RECORD_MAX,
        .keep = !o->no_keep,
        .secret = 1,
        .now_ns = o->now_ns,
        .now_context = o->now_context,
    };
    /* A jar that is there grows as far as its creator said: each handle has to map that much. */
    if (o->create != SHMS_CREATE_ONLY) {
        int rc = shms_dict_open(name, 0, &dict, ret);
        if (rc != SHMS_E_NOT_FOUND || o->create == SHMS_OPEN_ONLY || o->access == SHMS_ACCESS_READ)
            return rc;
    }
    dict.max_size = o->max_size ? o->max_size : JAR_SIZE_MAX;
    return shms_dict_open(name, JAR_SIZE, &dict, ret);
}

static int open_jar(const char *name, const shms_jar_options *o, shms_jar *j)
{
    j->host_cookies = o->host_cookies ? o->host_cookies : HOST_COOKIES;
    j->jar_cookies = o->jar_cookies ? o->jar_cookies : JAR_COOKIES;
    j->now_ns = o->now_ns;
    j->now_context = o->now_context;
    int rc = shms__suffix_open(j, o->suffix_list);
    return rc < 0 ? rc : open_dict(name, o, &j->dict);
}

int shms_jar_open(const char *name, const shms_jar_options *options, shms_jar **ret)
{
    shms_jar_options o;
    if (!name || !ret || !take_options(options, &o))
        return SHMS_E_INVALID;
    shms_jar *j = calloc(1, sizeof *j);
    if (!j)
        return SHMS_E_NOMEM;
    int rc = open_jar(name, &o, j);
    if (rc < 0)
        shms_jar_close(j);
    else
        *ret = j;
    return rc < 0 ? rc : 0;
}

void shms_jar_close(shms_jar *j)
{
    if (!j)
        return;
    shms_dict_close(j->dict);
    shms__suffix_close(j);
    free(j);
}

int shms_jar_unlink(const char *name)
{
    return shms_dict_unlink(name);
}

int shms_jar_wait(shms_jar *j, int64_t *seen, int timeout_ms)
{
    return j ? shms_dict_wait(j->dict, NULL, 0, seen, timeout_ms) : SHMS_E_INVALID;
}

int shms_jar_poll_fd(shms_jar *j)
{
    return j ? shms_dict_poll_fd(j->dict) : SHMS_E_INVALID;
}

int64_t shms_jar_version(shms_jar *j)
{
    return j ? shms_dict_version(j->dict) : SHMS_E_INVALID;
}

int shms_jar_lock(shms_jar *j, const char *host, int timeout_ms)
{
    struct place own;
    if (!j || !host || !shms__place_parse(host, NULL, &own))
        return SHMS_E_INVALID;
    return shms_dict_lock(j->dict, own.host, strlen(own.host), timeout_ms);
}

int shms_jar_unlock(shms_jar *j, const char *host)
{
    struct place own;
    if (!j || !host || !shms__place_parse(host, NULL, &own))
        return SHMS_E_INVALID;
    return shms_dict_unlock(j->dict, own.host, strlen(own.host));
}
