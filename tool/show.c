/* SPDX-License-Identifier: MIT */
#include "show.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "system.h"

/* ---- collecting */

typedef struct collection {
    region *regions;
    size_t n, room;
} collection;

static int collect(const char *name, const shms_info *info, void *context)
{
    collection *c = context;
    if (c->n == c->room) {
        size_t room = c->room ? 2 * c->room : 16;
        region *grown = realloc(c->regions, room * sizeof *grown);
        if (!grown)
            return SHMS_E_NOMEM;
        c->regions = grown;
        c->room = room;
    }
    char *copy = strdup(name);
    if (!copy)
        return SHMS_E_NOMEM;
    c->regions[c->n++] = (region){.name = copy, .info = *info};
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const region *)a)->name, ((const region *)b)->name);
}

static bool place_taken;

bool show_place_taken(void)
{
    return place_taken;
}

int show_list(region **ret_regions, size_t *ret_n)
{
    collection c = {0};
    int rc = shms_list(collect, &c);
    place_taken = rc == SHMS_E_DENIED; /* the names of all users come before the private ones */
    if (rc < 0 && !place_taken) {
        show_free(c.regions, c.n);
        return rc;
    }
    if (c.n > 0)
        qsort(c.regions, c.n, sizeof *c.regions, by_name);
    *ret_regions = c.regions;
    *ret_n = c.n;
    return 0;
}

void show_free(region *regions, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(regions[i].name);
    free(regions);
}

const char *show_plain_name(const char *name)
{
    return strncmp(name, "Local\\", 6) == 0 ? name + 6 : name;
}

int show_find(const char *name, shms_info *ret_info)
{
    region *regions;
    size_t n;
    int rc = show_list(&regions, &n);
    if (rc < 0)
        return rc;
    rc = SHMS_E_NOT_FOUND;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(regions[i].name, show_plain_name(name)) == 0) {
            *ret_info = regions[i].info;
            rc = 0;
        }
    }
    show_free(regions, n);
    return rc;
}

/* The usual way: behind a star that did not fit, try again one byte further on. */
static bool fits(const char *name, const char *pattern)
{
    const char *star = NULL, *again = NULL;
    while (*name) {
        if (*pattern == '*') {
            star = pattern++;
            again = name;
        } else if (*pattern == '?' || *pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star + 1;
            name = ++again;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == 0;
}

bool show_is_name(const char *text, const region *regions, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(regions[i].name, show_plain_name(text)) == 0)
            return true;
    return false;
}

bool show_matches(const char *name, const char *pattern)
{
    const char *plain = show_plain_name(pattern);
    return strcmp(name, plain) == 0 || fits(name, plain);
}

/* ---- units */

const char *show_size(char text[SHOW_TEXT], uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1023.95 && unit < 6) {
        value /= 1024;
        unit++;
    }
    snprintf(text, SHOW_TEXT, "%.1f", value);
    size_t end = strlen(text);
    if (strcmp(text + end - 2, ".0") == 0)
        end -= 2;
    snprintf(text + end, SHOW_TEXT - end, " %s", units[unit]);
    return text;
}

const char *show_age(char text[SHOW_TEXT], int64_t created_ns)
{
    int64_t s = (show_now_ns() - created_ns) / 1000000000;
    if (s < 0) /* the clock was set back */
        s = 0;
    if (s < 60)
        snprintf(text, SHOW_TEXT, "%" PRId64 "s", s);
    else if (s < 3600)
        snprintf(text, SHOW_TEXT, "%" PRId64 "m", s / 60);
    else if (s < 86400)
        snprintf(text, SHOW_TEXT, "%" PRId64 "h", s / 3600);
    else
        snprintf(text, SHOW_TEXT, "%" PRId64 "d", s / 86400);
    return text;
}

const char *show_time(char text[SHOW_TEXT], int64_t unix_ns)
{
    time_t s = (time_t)(unix_ns / 1000000000);
    const struct tm *tm = unix_ns < 0 ? NULL : gmtime(&s);
    if (!tm || strftime(text, SHOW_TEXT, "%Y-%m-%dT%H:%M:%S", tm) == 0)
        return "?";
    size_t end = strlen(text);
    snprintf(text + end, SHOW_TEXT - end, ".%03dZ", (int)(unix_ns % 1000000000 / 1000000));
    return text;
}

int64_t show_now_ns(void)
{
    return system_wall_ns();
}

const char *show_holder(char text[SHOW_TEXT], const shms_info *info)
{
    if (info->locked == 2)
        return "dead";
    if (info->locked && info->owner_pid > 0) {
        snprintf(text, SHOW_TEXT, "%d", (int)info->owner_pid);
        return text;
    }
    return info->locked ? "?" : info->owner_died ? "died" : "-";
}

const char *show_state(uint32_t state)
{
    static const char *const words[] = {"live", "kept", "dead", "foreign"};
    return state < 4 ? words[state] : "?";
}

const char *show_slow(uint32_t slow)
{
    static const char *const words[] = {"block", "drop", "expel"};
    return slow < 3 ? words[slow] : "?";
}

const char *show_evict(uint32_t policy)
{
    static const char *const words[] = {"?", "none", "lru"};
    return policy < 3 ? words[policy] : "?";
}

const char *show_kind(uint32_t kind)
{
    static const char *const words[] = {"stream", "channel", "dict"};
    return kind < 3 ? words[kind] : "?";
}

/* ---- JSON */

void show_json_record(FILE *out, const char *key, size_t key_size, const shms_dict_record *record)
{
    char time[SHOW_TEXT];
    show_json_bytes(out, "key", key, key_size);
    fprintf(out, ", \"version\": %" PRId64, record->version);
    if (record->flags & SHMS_RECORD_GONE)
        return;
    if (record->expires_ns)
        fprintf(out, ", \"expires\": \"%s\"", show_time(time, record->expires_ns));
    else
        fputs(", \"expires\": null", out);
    fprintf(out, ", \"size\": %" PRIu64, record->size);
}

static const char *json_bool(uint32_t value)
{
    return value ? "true" : "false";
}

static void json_holder(FILE *out, const shms_info *info)
{
    static const char *const words[] = {"free", "held", "dead", "stranger"};
    fprintf(out, ", \"lock\": \"%s\", \"holder_pid\": ", info->locked < 4 ? words[info->locked] : "?");
    if (info->locked && info->owner_pid > 0)
        fprintf(out, "%d", (int)info->owner_pid);
    else
        fputs("null", out);
}

static void json_channel(FILE *out, const shms_channel_stats *t)
{
    fprintf(out, ", \"channel\": {\"kind\": \"%s\", \"slow\": \"%s\"",
            t->kind == SHMS_BROADCAST ? "broadcast" : "queue", show_slow(t->slow));
    fprintf(out, ", \"capacity\": %" PRIu64 ", \"used\": %" PRIu64, t->capacity, t->used);
    fprintf(out, ", \"senders\": %" PRIu32 ", \"receivers\": %" PRIu32, t->senders, t->receivers);
    fprintf(out, ", \"sent\": %" PRIu64 ", \"received\": %" PRIu64, t->sent, t->received);
    fprintf(out, ", \"dropped\": %" PRIu64 ", \"aborted\": %" PRIu64, t->dropped, t->aborted);
    fprintf(out, ", \"redelivered\": %" PRIu64, t->redelivered);
    fprintf(out, ", \"senders_died\": %" PRIu64 ", \"waits\": %" PRIu64 "}", t->senders_died, t->waits);
}

static void json_dict(FILE *out, const shms_dict_stats *t)
{
    fprintf(out, ", \"dict\": {\"records\": %" PRIu64 ", \"slots\": %" PRIu64, t->records, t->slots);
    fprintf(out, ", \"cells\": %" PRIu64 ", \"cells_free\": %" PRIu64, t->cells, t->cells_free);
    fprintf(out, ", \"cell_size\": %" PRIu32 ", \"evict\": \"%s\"", t->cell_size, show_evict(t->policy));
    fprintf(out, ", \"evicted\": %" PRIu64 ", \"expired\": %" PRIu64, t->evicted, t->expired);
    fprintf(out, ", \"locks\": %" PRIu64 ", \"version\": %" PRId64, t->locks, t->version);
    fprintf(out, ", \"ring\": %" PRIu32 ", \"key_max\": %" PRIu32, t->ring, t->key_max);
    fprintf(out, ", \"value_max\": %" PRIu32 "}", t->value_max);
}

static void json_members(FILE *out, const inside *in)
{
    fputs(", \"member_list\": [", out);
    for (size_t i = 0; i < in->n_members; i++) {
        const shms_member *m = &in->member[i];
        fprintf(out, "%s{\"pid\": %d, \"locked\": %s", i ? ", " : "", (int)m->pid, json_bool(m->locked));
        fprintf(out, ", \"readers\": %" PRIu32 ", \"waiting\": %" PRIu32 "}", m->readers, m->waiters);
    }
    fputc(']', out);
}

static void json_region(FILE *out, const char *name, const shms_info *info, const inside *in)
{
    char time[SHOW_TEXT];
    fputs("{\"name\": ", out);
    show_json_string(out, name, strlen(name));
    fprintf(out, ", \"state\": \"%s\", \"size\": %" PRIu64, show_state(info->state), info->size);
    fprintf(out, ", \"max_size\": %" PRIu64 ", \"memory\": %" PRIu64, info->max_size, info->memory_bytes);
    fprintf(out, ", \"members\": %" PRIu32 ", \"waiters\": %" PRIu32, info->members, info->waiters);
    if (info->strangers)
        fprintf(out, ", \"strangers\": %" PRIu32, info->strangers);
    json_holder(out, info);
    fprintf(out, ", \"owner_died\": %s, \"version\": %" PRId64, json_bool(info->owner_died), info->version);
    fprintf(out, ", \"created\": \"%s\", \"uid\": %" PRIu32 ", \"mode\": \"%04" PRIo32 "\"",
            show_time(time, info->created_ns), info->uid, info->mode);
    fprintf(out, ", \"keep\": %s, \"sparse\": %s", json_bool(info->keep), json_bool(info->sparse));
    fprintf(out, ", \"atomic\": %s, \"rollback\": %s, \"kind\": \"%s\"", json_bool(info->atomic),
            json_bool(info->rollback), show_kind(info->kind));
    if (in && in->has_members)
        json_members(out, in);
    if (in && in->has_channel)
        json_channel(out, &in->channel);
    if (in && in->has_dict)
        json_dict(out, &in->dict);
}

void show_json_region(FILE *out, const char *name, const shms_info *info, const inside *in)
{
    json_region(out, name, info, in);
    fputc('}', out);
}

void show_json_rate(FILE *out, const char *name, const shms_info *info, double rate)
{
    json_region(out, name, info, NULL);
    if (rate < 0)
        fputs(", \"rate\": null}", out);
    else
        fprintf(out, ", \"rate\": %.1f}", rate);
}
