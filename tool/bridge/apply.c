/* SPDX-License-Identifier: MIT */
/* The other machines' side: a message of the bucket is compared with what is known, and with the dict itself,
 * and changes the dict only where it is newer than both. */
#include "carrier.h"

#include <string.h>

#define TRIES 1000 /* each is lost only to a program that changed the record meanwhile */
#define RETRY_NS (2 * INT64_C(1000000000))
#define REMEMBER_NS (3600 * INT64_C(1000000000)) /* a stamp further ahead is not waited for */

struct message {
    const unsigned char *key;
    size_t key_size;
    struct entry entry;
    uint64_t revision;
    int64_t stored_ns;
};

static bool expired(int64_t expires_ns)
{
    return expires_ns && expires_ns <= now_wall_ns();
}

static void come_again(struct carrier *c, uint64_t revision, int64_t in_ns)
{
    int64_t at = now_ns() + in_ns;
    if (!c->refetch || at < c->refetch_at)
        c->refetch_at = at;
    if (!c->refetch || revision < c->refetch)
        c->refetch = revision;
}

static int64_t write_record(struct carrier *c, const struct message *m, const struct local *l)
{
    const struct entry *e = &m->entry;
    if (e->gone)
        return local_delete(c, m->key, m->key_size, l->version, e->stamp);
    shms_dict_how how = {.struct_size = sizeof how, .if_version = l->there ? l->version : -1,
                         .expires_ns = e->expires_ns, .stamp_ns = e->stamp.ns, .origin = e->stamp.origin};
    return shms_dict_set(c->dict, m->key, m->key_size, e->value, e->size, &how);
}

/* The dict has a newer one, which was not noticed yet, or this one. */
static void keep_local(struct known *k, const struct local *l, int order)
{
    k->stamp = l->stamp;
    k->expires_ns = l->expires_ns;
    k->flags = order > 0 ? KNOWN_PUSH : 0;
}

static void keep_entry(struct known *k, const struct entry *e)
{
    k->stamp = e->stamp;
    k->expires_ns = e->expires_ns;
    k->flags = e->gone ? KNOWN_GONE : 0;
}

static bool needs_no_write(const struct entry *e, const struct local *l)
{
    return !l->there && (e->gone || expired(e->expires_ns));
}

/* Make the dict what the message says, unless it is newer. 0, or why it cannot be. */
static int apply(struct carrier *c, const struct message *m, struct known *k)
{
    struct local l;
    for (int tries = 0; tries < TRIES; tries++) {
        int rc = local_read(c, m->key, m->key_size, NULL, 0, &l);
        if (rc < 0)
            return rc;
        int order = l.there ? stamp_order(l.stamp, m->entry.stamp) : -1;
        if (order >= 0) {
            keep_local(k, &l, order);
            return 0;
        }
        bool lost = l.there && (stamp_order(l.stamp, k->stamp) != 0 || (k->flags & KNOWN_PUSH));
        int64_t done = needs_no_write(&m->entry, &l) ? 0 : write_record(c, m, &l);
        if (done == SHMS_E_CHANGED || done == SHMS_E_EXISTS || done == SHMS_E_NOT_FOUND)
            continue;
        if (done < 0)
            return (int)done;
        c->counts.applied++;
        c->counts.conflicts += lost;
        if (lost && c->config->log_conflicts)
            say("%s: %.*s: a change of this machine lost to machine %llu's, which is newer", c->what->name,
                (int)m->key_size, (const char *)m->key, (unsigned long long)m->entry.stamp.origin);
        keep_entry(k, &m->entry);
        return 0;
    }
    return SHMS_E_TIMEOUT;
}

/* ---- what is wrong with it */

static void say_seldom(struct carrier *c, struct seldom *s, const struct message *m, const char *what)
{
    uint64_t times;
    if (seldom(s, &times))
        say("%s: %.*s: %s (and %llu times before)", c->what->name, (int)m->key_size, (const char *)m->key,
            what, (unsigned long long)times);
}

/* No record: what this machine knows is put in its place. */
static void foreign(struct carrier *c, const struct message *m, struct known *k)
{
    c->counts.foreign++;
    say_seldom(c, &c->told_foreign, m, "the bucket has no record there: others write into it");
    k->flags &= ~(uint64_t)KNOWN_ACKED;
    if (k->stamp.ns)
        k->flags |= KNOWN_PUSH;
}

static void ahead(struct carrier *c, const struct message *m, struct known *k)
{
    char text[160];
    int64_t by = m->entry.stamp.ns - now_wall_ns();
    c->counts.ahead++;
    snprintf(text, sizeof text,
             "machine %llu is %lld s ahead of this one's clock: not applied; set the clocks",
             (unsigned long long)m->entry.stamp.origin, (long long)(by / 1000000000));
    say_seldom(c, &c->told_ahead, m, text);
    k->flags |= KNOWN_HELD;
    if (by < REMEMBER_NS)
        come_again(c, m->revision, by - AHEAD_NS + 1000000000);
}

/* The echo of a change that the server got before this machine's clock says that it was made. */
static void look_at_clock(struct carrier *c, const struct message *m)
{
    uint64_t times;
    int64_t by = m->entry.stamp.ns - m->stored_ns;
    if (m->entry.stamp.origin == c->config->machine && by > AHEAD_NS && seldom(&c->told_clock, &times))
        say("%s: this machine's clock is %lld s ahead of the server's: other machines refuse its changes",
            c->what->name, (long long)(by / 1000000000));
}

/* A change of this machine that it does not know of, though it knows the key. */
static void look_at_number(struct carrier *c, const struct message *m, const struct known *k)
{
    if (m->entry.stamp.origin == c->config->machine && k->stamp.ns != 0)
        say_seldom(c, &c->told_number, m, "another machine has this one's number; give each its own");
}

/* Why it cannot be applied. True: never, so it need not come again. */
static bool refused(struct carrier *c, const struct message *m, struct known *k, int rc)
{
    if (rc == SHMS_E_RANGE) {
        c->counts.too_large++;
        say_seldom(c, &c->told_large, m, "longer than this machine's dict takes: not applied");
        k->flags |= KNOWN_HELD;
        return true;
    }
    c->counts.full++;
    say_seldom(c, &c->told_remote, m, shms_strerror(rc));
    come_again(c, m->revision, RETRY_NS);
    return false;
}

/* ---- */

/* True: *k is to be kept. */
static bool decide(struct carrier *c, const struct message *m, struct known *k)
{
    const struct entry *e = &m->entry;
    int order = stamp_order(e->stamp, k->stamp);
    k->flags &= ~(uint64_t)(KNOWN_HELD | KNOWN_ACKED | KNOWN_REFUSED);
    if (e->stamp.ns > now_wall_ns() + AHEAD_NS && order > 0) {
        ahead(c, m, k);
        return true;
    }
    if (order == 0) {
        c->counts.echoes++;
        look_at_clock(c, m);
        k->flags &= ~(uint64_t)KNOWN_PUSH;
        return true;
    }
    if (order < 0) {
        k->flags |= KNOWN_PUSH;
        return true;
    }
    look_at_number(c, m, k);
    int rc = apply(c, m, k);
    if (rc < 0)
        return refused(c, m, k, rc);
    if (c->caught_up && !e->gone)
        c->counts.lag_ns = now_wall_ns() - e->stamp.ns;
    return true;
}

bool apply_message(struct carrier *c, const char *subject, const void *bytes, size_t size, uint64_t revision,
                   int64_t stored_ns)
{
    unsigned char key[WIRE_KEY_MAX];
    struct message m = {.key = key, .revision = revision, .stored_ns = stored_ns};
    struct known k;
    notice_changes(c); /* so that a deletion of here is known before a record of there fills its place */
    m.key_size = wire_key(c->what->bucket, subject, key);
    if (m.key_size == 0) {
        c->counts.foreign++;
        return true;
    }
    shadow_get(c->shadow, key, m.key_size, &k);
    if (revision < k.revision)
        return true; /* an earlier one of the key than was seen */
    k.revision = revision;
    bool whole = wire_read(bytes, size, &m.entry);
    if (!whole)
        foreign(c, &m, &k);
    else if (!decide(c, &m, &k))
        return false;
    int rc = shadow_put(c->shadow, key, m.key_size, &k);
    if (rc == SHMS_E_RANGE)
        return true; /* so long is no key of this dict */
    if (rc < 0)
        return refused(c, &m, &k, rc);
    if (k.flags & KNOWN_PUSH)
        push_queue(c, key, m.key_size);
    return true;
}
