/* SPDX-License-Identifier: MIT */
/* Regions as people and programs read them: the sorted listing, units, JSON. */
#ifndef SHMS_TOOL_SHOW_H
#define SHMS_TOOL_SHOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "shmstream.h"
#include "shmstream/channel.h"
#include "shmstream/dict.h"
#include "text.h"

typedef struct region {
    char *name;
    shms_info info;
} region;

/* All regions the user may look into, by name. Returns 0 or a code; free with show_free(). */
int show_list(region **ret_regions, size_t *ret_n);

/* Did the last list lack the private names, because their place is not the user's own? */
bool show_place_taken(void);
void show_free(region *regions, size_t n);
/* The name as it is listed: `Local\x` is `x`. */
const char *show_plain_name(const char *name);
/* Whether a region is called just so, whatever it may look like. */
bool show_is_name(const char *text, const region *regions, size_t n);
/* Whether the name is the pattern, or fits it: `*` is any number of characters, `?` one byte. */
bool show_matches(const char *name, const char *pattern);
/* The entry of one region, joining nothing. Returns 0, SHMS_E_NOT_FOUND or another code. */
int show_find(const char *name, shms_info *ret_info);

/* What only a member can tell: of a channel or dict that can be opened; of a living region its members. */
typedef struct inside {
    bool has_members, has_channel, has_dict;
    size_t n_members;
    shms_member member[SHMS_MEMBERS_MAX]; /* by pid */
    shms_channel_stats channel;
    shms_dict_stats dict;
} inside;
void show_inside(const char *name, const shms_info *info, inside *ret);

/* All about a region, in lines; a foreign one has few. */
void show_region(FILE *out, const char *name, const shms_info *info, const inside *in);
/* Of a living channel that can be opened. */
bool show_channel(const char *name, const shms_info *info, shms_channel_stats *ret);

/* Room for any text of the four below. */
enum { SHOW_TEXT = 32 };
const char *show_size(char text[SHOW_TEXT], uint64_t bytes);     /* 1.5 MiB */
const char *show_age(char text[SHOW_TEXT], int64_t created_ns);  /* 5m */
const char *show_time(char text[SHOW_TEXT], int64_t unix_ns);    /* 2026-01-31T23:59:59.123Z */
const char *show_holder(char text[SHOW_TEXT], const shms_info *info); /* of the lock: 1234, dead, died, - */
const char *show_state(uint32_t state);
int64_t show_now_ns(void);

/* What is told of a record: key, version, and where it is there expiry and size. */
void show_json_record(FILE *out, const char *key, size_t key_size, const shms_dict_record *record);
const char *show_kind(uint32_t kind);
const char *show_slow(uint32_t slow);
const char *show_evict(uint32_t policy);
/* `in` may be NULL. */
void show_json_region(FILE *out, const char *name, const shms_info *info, const inside *in);
/* The same with its rate, which is null if it is negative. */
void show_json_rate(FILE *out, const char *name, const shms_info *info, double rate);

#endif
