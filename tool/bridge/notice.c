/* SPDX-License-Identifier: MIT */
/* This machine's side: what programs have changed in the dict goes into the shadow, and waits to be pushed.
 * Noticing waits for no network. */
#include "carrier.h"

#define WAIT_MS 250
#define BATCH 512 /* changes for which others wait at once */

/* ---- the dict */

int local_read(struct carrier *c, const void *key, size_t key_size, void *value, size_t room,
               struct local *ret)
{
    shms_dict_record r = {.struct_size = sizeof r};
    int64_t n = shms_dict_get(c->dict, key, key_size, value, room, &r);
    *ret = (struct local){0};
    if (n == SHMS_E_NOT_FOUND)
        return 0;
    if (n < 0)
        return (int)n;
    *ret = (struct local){.there = true,
                          .stamp = {r.stamp_ns, r.origin ? r.origin : c->config->machine},
                          .version = r.version,
                          .expires_ns = r.expires_ns,
                          .size = (size_t)n};
    return 0;
}

int local_delete(struct carrier *c, const void *key, size_t key_size, int64_t version, struct stamp stamp)
{
    shms_dict_how how = {.struct_size = sizeof how, .if_version = version, .stamp_ns = stamp.ns,
                         .origin = stamp.origin};
    int64_t rc = shms_dict_del(c->dict, key, key_size, &how);
    return rc < 0 ? (int)rc : 0;
}

/* ---- what has changed */

static void keep(struct carrier *c, const void *key, size_t key_size, const struct known *k)
{
    uint64_t times;
    int rc = shadow_put(c->shadow, key, key_size, k);
    if (rc < 0) {
        c->counts.full++;
        c->walk = true; /* it must be noticed later */
        if (seldom(&c->told_full, &times))
            say("%s%s: %s; changes wait", c->what->name, SHADOW_SUFFIX, shms_strerror(rc));
    }
    if (k->flags & KNOWN_PUSH)
        push_queue(c, key, key_size);
}

/* It has gone by itself, and every machine's does. Was it not pushed yet, an older one may stand elsewhere: a
 * mark takes its place. What was evicted is taken again when it comes. */
static void note_vanished(struct carrier *c, const void *key, size_t key_size, struct known *k,
                          struct stamp stamp, uint32_t flags)
{
    if (stamp_order(k->stamp, stamp) > 0)
        return;
    if (flags & SHMS_RECORD_EVICTED) {
        k->stamp = (struct stamp){0};
        k->flags &= ~(uint64_t)KNOWN_PUSH;
    } else if ((k->flags & KNOWN_PUSH) || stamp_order(k->stamp, stamp) < 0) {
        k->stamp = stamp;
        k->flags |= KNOWN_GONE | KNOWN_PUSH;
        k->expires_ns = 0;
    }
    keep(c, key, key_size, k);
}

/* A record that came while its deletion was not noticed yet: the later of the two stands. */
static void delete_older(struct carrier *c, const void *key, size_t key_size, struct stamp stamp)
{
    struct local l;
    for (int tries = 0; tries < 100; tries++) {
        if (local_read(c, key, key_size, NULL, 0, &l) < 0 || !l.there || stamp_order(l.stamp, stamp) >= 0)
            return;
        if (local_delete(c, key, key_size, l.version, stamp) != SHMS_E_CHANGED)
            return;
    }
}

static void note(struct carrier *c, const void *key, size_t key_size, const shms_dict_record *r)
{
    struct known k;
    struct stamp stamp = {r->stamp_ns, r->origin ? r->origin : c->config->machine};
    bool gone = r->flags & SHMS_RECORD_GONE;
    shadow_get(c->shadow, key, key_size, &k);
    if (r->flags & (SHMS_RECORD_EXPIRED | SHMS_RECORD_EVICTED)) {
        note_vanished(c, key, key_size, &k, stamp, r->flags);
        return;
    }
    if (stamp_order(stamp, k.stamp) <= 0)
        return; /* known: what the other thread has applied, or an older one */
    k.stamp = stamp;
    k.expires_ns = gone ? 0 : r->expires_ns;
    k.flags = (k.flags & KNOWN_HELD) | KNOWN_PUSH | (gone ? KNOWN_GONE : 0);
    keep(c, key, key_size, &k);
    if (gone)
        delete_older(c, key, key_size, stamp);
}

struct batch {
    struct carrier *c;
    int count;
};

static int note_one(const void *key, size_t key_size, const shms_dict_record *r, void *context)
{
    struct batch *b = context;
    note(b->c, key, key_size, r);
    return ++b->count == BATCH;
}

/* ---- all of it */

/* Known of, and there no more. When it was deleted is not known: not before the last change was noticed. */
static void note_missing(struct carrier *c, const void *key, size_t key_size, struct known *k)
{
    struct local l;
    if ((k->flags & KNOWN_GONE) || k->stamp.ns == 0)
        return;
    if (local_read(c, key, key_size, NULL, 0, &l) < 0 || l.there)
        return;
    bool expired = k->expires_ns && k->expires_ns <= now_wall_ns();
    if (expired || c->evicts) {
        note_vanished(c, key, key_size, k, k->stamp, expired ? SHMS_RECORD_EXPIRED : SHMS_RECORD_EVICTED);
        return;
    }
    int64_t after = k->stamp.ns + 1;
    k->stamp = (struct stamp){c->local.noted_ns > after ? c->local.noted_ns : after, c->config->machine};
    k->expires_ns = 0;
    k->flags = (k->flags & KNOWN_HELD) | KNOWN_GONE | KNOWN_PUSH;
    keep(c, key, key_size, k);
}

/* Where changes were missed: all records, and all that is known. */
static void walk(struct carrier *c)
{
    unsigned char key[WIRE_KEY_MAX + 1];
    shms_dict_record r = {.struct_size = sizeof r};
    struct known k;
    uint64_t cursor = 0;
    size_t size = sizeof key;
    c->counts.walks++;
    while (shms_dict_next(c->dict, &cursor, key, &size, NULL, NULL, &r) == 1) {
        if (size <= WIRE_KEY_MAX)
            note(c, key, size, &r);
        size = sizeof key;
    }
    cursor = 0;
    while (shadow_next(c->shadow, &cursor, key, &size, &k) == 1)
        note_missing(c, key, size, &k);
}

static void save_mark(struct carrier *c)
{
    shadow_tell(c->shadow, "local", &c->local, sizeof c->local);
}

/* Until nothing is new. Between two batches the other thread gets its turn. */
void notice_changes(struct carrier *c)
{
    struct batch b;
    int64_t before = c->local.since;
    do {
        b = (struct batch){.c = c};
        int64_t now = now_wall_ns();
        int64_t told = shms_dict_changes(c->dict, &c->local.since, note_one, &b);
        bool all = told == SHMS_E_MISSED || c->walk;
        c->walk = false;
        if (all)
            walk(c);
        else if (told < 0)
            carrier_fail(c, "", told);
        if (b.count < BATCH)
            c->local.noted_ns = now;
        if (b.count == BATCH) {
            pthread_mutex_unlock(&c->turn);
            box_ring(&c->box);
            pthread_mutex_lock(&c->turn);
        }
    } while (b.count == BATCH && !c->failed);
    if (c->local.since != before)
        save_mark(c);
}

void *notice_thread(void *carrier)
{
    struct carrier *c = carrier;
    int64_t seen = -1, saved = now_ns();
    while (!c->stop && !c->failed) {
        pthread_mutex_lock(&c->turn);
        notice_changes(c);
        if (now_ns() - saved > 1000000000) { /* no deletion before this moment was overlooked */
            save_mark(c);
            saved = now_ns();
        }
        pthread_mutex_unlock(&c->turn);
        box_ring(&c->box);
        int rc = shms_dict_wait(c->dict, NULL, 0, &seen, WAIT_MS);
        if (rc < 0 && rc != SHMS_E_TIMEOUT)
            carrier_fail(c, "", rc);
    }
    return NULL;
}
