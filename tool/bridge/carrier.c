/* SPDX-License-Identifier: MIT */
#include "carrier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool carrier_fail(struct carrier *c, const char *what, int64_t code)
{
    say("%s%s: %s", c->what->name, what, shms_strerror((int)code));
    c->failed = true;
    return false;
}

struct search {
    const char *name;
    int64_t created_ns;
};

static int find_region(const char *name, const shms_info *info, void *context)
{
    struct search *s = context;
    if (strcmp(name, s->name) == 0)
        s->created_ns = info->created_ns;
    return s->created_ns != 0;
}

/* Names are listed with Global\ or without anything. */
int64_t region_created_ns(const char *name)
{
    struct search s = {.name = strncmp(name, "Local\\", 6) == 0 ? name + 6 : name};
    shms_list(find_region, &s);
    return s.created_ns;
}

/* ---- opening */

static bool open_dict(struct carrier *c)
{
    const struct carried *w = c->what;
    shms_dict_options o = {.struct_size = sizeof o, .max_size = w->max_size, .keep = 1};
    shms_dict_stats stats = {.struct_size = sizeof stats};
    int rc = shms_dict_open(w->name, w->size, &o, &c->dict);
    if (rc == SHMS_E_SIZE) /* it is there, and smaller */
        rc = shms_dict_open(w->name, 0, &o, &c->dict);
    if (rc == 0)
        rc = shms_dict_info(c->dict, &stats);
    if (rc < 0)
        return carrier_fail(c, "", rc);
    c->value_max = stats.value_max;
    c->evicts = stats.policy == SHMS_EVICT_LRU;
    rc = shadow_open(w->name, &stats, &c->shadow);
    if (rc == SHMS_E_RANGE) {
        say("%s: keys of more than %d bytes are not carried", w->name, WIRE_KEY_MAX);
        return false;
    }
    return rc < 0 ? carrier_fail(c, SHADOW_SUFFIX, rc) : true;
}

/* One bridge a dict: the second one is told which the first is. */
static bool become_owner(struct carrier *c)
{
    char owner[512] = "another bridge", mine[512];
    int rc = shms_dict_lock(c->shadow, "owner", 5, 0);
    if (rc == SHMS_E_TIMEOUT || rc == SHMS_E_DEADLOCK) {
        int64_t n = shadow_about(c->shadow, "owner", owner, sizeof owner - 1);
        owner[n > 0 && n < (int64_t)sizeof owner ? n : 0] = '\0';
        say("%s: %s carries it already", c->what->name, *owner ? owner : "another bridge");
        return false;
    }
    if (rc < 0)
        return carrier_fail(c, SHADOW_SUFFIX, rc);
    c->owner = true;
    int n = snprintf(mine, sizeof mine, "process %d (%s)", (int)getpid(), c->config->path);
    rc = shadow_tell(c->shadow, "owner", mine, n < (int)sizeof mine ? (size_t)n : sizeof mine - 1);
    return rc < 0 ? carrier_fail(c, SHADOW_SUFFIX, rc) : true;
}

/* Is the shadow that of this dict, or of one before? */
static bool read_marks(struct carrier *c)
{
    int64_t created = region_created_ns(c->what->name);
    bool known = shadow_about(c->shadow, "local", &c->local, sizeof c->local) == sizeof c->local &&
                 c->local.created_ns == created;
    if (!known) {
        shadow_clear(c->shadow);
        c->local = (struct local_mark){.created_ns = created, .since = shms_dict_version(c->dict)};
        c->walk = true;
    } else if (shadow_about(c->shadow, "bucket", &c->bucket, sizeof c->bucket) != sizeof c->bucket) {
        c->bucket = (struct bucket_mark){0};
    }
    c->rescan = true;
    int rc = known ? 0 : shadow_tell(c->shadow, "local", &c->local, sizeof c->local);
    return rc < 0 ? carrier_fail(c, SHADOW_SUFFIX, rc) : true;
}

bool carrier_open(struct carrier *c, const struct config *config, const struct carried *what)
{
    c->config = config;
    c->what = what;
    pthread_mutex_init(&c->turn, NULL);
    box_open(&c->box);
    if (!open_dict(c))
        return false;
    c->value = malloc(c->value_max + 1);
    c->message = malloc(WIRE_HEAD + (c->value_max < WIRE_VALUE_MAX ? c->value_max : WIRE_VALUE_MAX));
    if (!c->value || !c->message)
        return carrier_fail(c, "", SHMS_E_NOMEM);
    return become_owner(c) && read_marks(c);
}

bool carrier_notice(struct carrier *c)
{
    c->notices = pthread_create(&c->noticing, NULL, notice_thread, c) == 0;
    return c->notices ? true : carrier_fail(c, "", SHMS_E_NOMEM);
}

bool carrier_sync(struct carrier *c, natsConnection *nc)
{
    c->nc = nc;
    if (natsConnection_JetStream(&c->js, nc, NULL) != NATS_OK)
        return carrier_fail(c, "", SHMS_E_NOMEM);
    c->syncs = pthread_create(&c->syncing, NULL, sync_thread, c) == 0;
    return c->syncs ? true : carrier_fail(c, "", SHMS_E_NOMEM);
}

void carrier_stop(struct carrier *c)
{
    c->stop = true;
    box_ring(&c->box);
    if (c->notices)
        pthread_join(c->noticing, NULL);
    if (c->syncs)
        pthread_join(c->syncing, NULL);
    c->notices = c->syncs = false;
    box_close(&c->box);
}

void carrier_close(struct carrier *c)
{
    push_free(c);
    if (c->owner)
        shms_dict_unlock(c->shadow, "owner", 5);
    shms_dict_close(c->shadow);
    shms_dict_close(c->dict);
    free(c->value);
    free(c->message);
    for (struct watch *w = c->watches, *next; w; w = next) {
        next = w->next;
        free(w);
    }
    free(c);
}
