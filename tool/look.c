/* SPDX-License-Identifier: MIT */
/* A look from inside: what only a member can tell of a region. It joins for a moment, and changes nothing. */
#include <stdlib.h>
#include <string.h>

#include "show.h"

enum {
    LOOK_MS = 200,  /* a member that is stopped while it opens or closes must not hold up a look for long */
    LOOK_MOST = 128 /* members; where more come and go, a look must not take the place of one that belongs */
};

static int note_member(const shms_member *member, void *context)
{
    inside *in = context;
    if (!member->self && in->n_members < SHMS_MEMBERS_MAX)
        in->member[in->n_members++] = *member;
    return 0;
}

static int by_pid(const void *a, const void *b)
{
    const shms_member *x = a, *y = b;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

static bool look_at_members(const char *name, inside *in)
{
    shms_stream *s;
    shms_stream_options options = {.struct_size = sizeof options, .access = SHMS_ACCESS_READ, .mode = 0666,
                                   .create = SHMS_OPEN_ONLY, .owners = SHMS_OWNER_ANY,
                                   .open_timeout_ms = LOOK_MS};
    if (shms_stream_open(name, 0, &options, &s) < 0)
        return false;
    bool seen = shms_stream_members(s, note_member, in) == 0;
    shms_stream_close(s);
    qsort(in->member, in->n_members, sizeof in->member[0], by_pid);
    return seen;
}

/* As a member that neither sends nor receives. */
static bool look_at_channel(const char *name, shms_channel_stats *ret)
{
    shms_channel *c;
    shms_stream_options stream = {.struct_size = sizeof stream, .owners = SHMS_OWNER_ANY, .mode = 0666,
                                  .open_timeout_ms = LOOK_MS};
    shms_channel_options options = {.struct_size = sizeof options, .region = &stream};
    ret->struct_size = sizeof *ret;
    if (shms_channel_open(name, 0, SHMS_LOOK, &options, &c) < 0)
        return false;
    bool seen = shms_channel_info(c, ret) == 0;
    shms_channel_close(c);
    return seen;
}

static bool look_at_dict(const char *name, shms_dict_stats *ret)
{
    shms_dict *d;
    shms_dict_options options = {.struct_size = sizeof options, .access = SHMS_ACCESS_READ,
                                 .create = SHMS_OPEN_ONLY, .owners = SHMS_OWNER_ANY, .mode = 0666,
                                 .open_timeout_ms = LOOK_MS};
    ret->struct_size = sizeof *ret;
    if (shms_dict_open(name, 0, &options, &d) < 0)
        return false;
    bool seen = shms_dict_info(d, ret) == 0;
    shms_dict_close(d);
    return seen;
}

bool show_channel(const char *name, const shms_info *info, shms_channel_stats *ret)
{
    /* To open is to roll back what a dead owner left, and a look is not to do that. */
    return info->kind == SHMS_KIND_CHANNEL && info->state == SHMS_STATE_LIVE && !info->rollback &&
           look_at_channel(name, ret);
}

void show_inside(const char *name, const shms_info *info, inside *ret)
{
    *ret = (inside){0};
    bool live = info->state == SHMS_STATE_LIVE;
    if (info->rollback) /* as above */
        return;
    ret->has_channel = show_channel(name, info, &ret->channel);
    if (info->kind == SHMS_KIND_DICT)
        ret->has_dict = (live || info->state == SHMS_STATE_KEPT) && look_at_dict(name, &ret->dict);
    bool roomy = info->members <= LOOK_MOST;
    ret->has_members = live && roomy && info->locked != 2 && look_at_members(name, ret);
}
