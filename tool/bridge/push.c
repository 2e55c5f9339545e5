/* SPDX-License-Identifier: MIT */
/* What the bucket lacks is put into it: one message a key at a time, behind the last one of that key that was
 * seen here. The server refuses it if there is another one by now, which then comes to apply.c. */
#include "carrier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_NS (5 * INT64_C(1000000000))
#define PAUSE_NS (1 * INT64_C(1000000000))
#define WRONG_REVISION 10071
#define AGAIN_NS (3 * INT64_C(1000000000))

static bool same_key(const struct key *k, const void *key, size_t key_size)
{
    return k->size == key_size && memcmp(k->bytes, key, key_size) == 0;
}

/* ---- keys that wait */

void push_queue(struct carrier *c, const void *key, size_t key_size)
{
    if (c->queue_count == QUEUE_MOST) {
        c->rescan = true;
        return;
    }
    unsigned char *bytes = malloc(key_size);
    if (!bytes) {
        c->rescan = true;
        return;
    }
    memcpy(bytes, key, key_size);
    c->queue[(c->queue_first + c->queue_count++) % QUEUE_MOST] = (struct key){key_size, bytes};
}

static struct key take_queued(struct carrier *c)
{
    struct key k = c->queue[c->queue_first];
    c->queue_first = (c->queue_first + 1) % QUEUE_MOST;
    c->queue_count--;
    return k;
}

void push_rescan(struct carrier *c)
{
    unsigned char key[WIRE_KEY_MAX];
    struct known k;
    uint64_t cursor = 0;
    size_t size;
    c->rescan = false;
    c->waiting = 0;
    while (shadow_next(c->shadow, &cursor, key, &size, &k) == 1) {
        if ((k.flags & (KNOWN_PUSH | KNOWN_ACKED)) != KNOWN_PUSH)
            continue;
        c->waiting++;
        if (c->queue_count < QUEUE_MOST)
            push_queue(c, key, size);
        else
            c->rescan = true;
    }
}

/* What the server had acknowledged, and was not among the messages that came: it was forgotten. True: some of
 * it may come still. */
bool push_again(struct carrier *c)
{
    unsigned char key[WIRE_KEY_MAX];
    struct known k;
    uint64_t cursor = 0;
    size_t size;
    bool later = false;
    while (shadow_next(c->shadow, &cursor, key, &size, &k) == 1) {
        if (!(k.flags & KNOWN_ACKED))
            continue;
        later |= k.revision >= c->bucket.next;
        if (k.revision >= c->bucket.next)
            continue;
        k.flags &= ~(uint64_t)KNOWN_ACKED;
        shadow_put(c->shadow, key, size, &k);
        push_queue(c, key, size);
    }
    return later;
}

/* ---- messages under way */

static struct flight *flight_of(struct carrier *c, const void *key, size_t key_size)
{
    for (int i = 0; i < FLIGHTS && c->flight_count > 0; i++)
        if (c->flights[i].used && same_key(&c->flights[i].key, key, key_size))
            return &c->flights[i];
    return NULL;
}

static void land(struct carrier *c, struct flight *f)
{
    c->flight_count--;
    c->flight_bytes -= f->bytes;
    free(f->key.bytes);
    *f = (struct flight){.turn = f->turn + 1};
}

/* What the bucket shall have of a key. False: nothing now. */
static bool current_entry(struct carrier *c, const struct key *key, struct known *k, struct entry *ret)
{
    struct local l;
    *ret = (struct entry){.stamp = k->stamp, .gone = true};
    if (k->flags & KNOWN_GONE)
        return true;
    if (local_read(c, key->bytes, key->size, c->value, c->value_max, &l) < 0 || !l.there ||
        stamp_order(l.stamp, k->stamp) < 0)
        return false; /* it has gone meanwhile, as will be noticed */
    if (stamp_order(l.stamp, k->stamp) > 0) { /* not noticed yet, but known before it goes out */
        k->stamp = l.stamp;
        k->expires_ns = l.expires_ns;
        if (shadow_put(c->shadow, key->bytes, key->size, k) < 0)
            return false;
    }
    *ret = (struct entry){.stamp = l.stamp, .expires_ns = l.expires_ns, .value = c->value, .size = l.size};
    return true;
}

static void too_large(struct carrier *c, const struct key *key, struct known *k, size_t size)
{
    uint64_t times;
    c->counts.too_large++;
    if (seldom(&c->told_large, &times))
        say("%s: %.*s: a value of %zu bytes is not carried, %u are the most", c->what->name, (int)key->size,
            (const char *)key->bytes, size, WIRE_VALUE_MAX);
    k->flags &= ~(uint64_t)KNOWN_PUSH;
    shadow_put(c->shadow, key->bytes, key->size, k);
}

static natsMsg *make_message(struct carrier *c, const struct key *key, const struct entry *e,
                             const struct flight *f)
{
    char subject[WIRE_SUBJECT_MAX + 80], reply[128], revision[24];
    natsMsg *msg = NULL;
    wire_subject(c->what->bucket, key->bytes, key->size, subject);
    snprintf(reply, sizeof reply, "%s.%d-%u", c->inbox, (int)(f - c->flights), f->turn);
    snprintf(revision, sizeof revision, "%llu", (unsigned long long)f->expected);
    wire_head(e, c->message);
    if (e->size > 0)
        memcpy(c->message + WIRE_HEAD, e->value, e->size);
    natsStatus s = natsMsg_Create(&msg, subject, reply, (const char *)c->message, (int)(WIRE_HEAD + e->size));
    if (s == NATS_OK)
        s = natsMsgHeader_Set(msg, "Nats-Expected-Last-Subject-Sequence", revision);
    if (s == NATS_OK)
        return msg;
    natsMsg_Destroy(msg);
    return NULL;
}

/* The message of one key, which takes a flight; NULL: there is none to be sent. The key is taken over. */
static natsMsg *prepare(struct carrier *c, struct key key)
{
    struct known k;
    struct entry e;
    struct flight *f = c->flights;
    natsMsg *msg = NULL;
    shadow_get(c->shadow, key.bytes, key.size, &k);
    bool open = (k.flags & (KNOWN_PUSH | KNOWN_HELD | KNOWN_ACKED)) == KNOWN_PUSH;
    bool wanted = open && !flight_of(c, key.bytes, key.size) && current_entry(c, &key, &k, &e);
    if (wanted && e.size > WIRE_VALUE_MAX) {
        too_large(c, &key, &k, e.size);
        wanted = false;
    }
    while (f->used)
        f++;
    f->expected = k.revision;
    if (wanted)
        msg = make_message(c, &key, &e, f);
    if (!msg) {
        c->rescan |= wanted;
        free(key.bytes);
        return NULL;
    }
    *f = (struct flight){.used = true, .turn = f->turn, .key = key, .stamp = e.stamp, .expected = k.revision,
                         .bytes = WIRE_HEAD + e.size, .deadline = now_ns() + ANSWER_NS};
    c->flight_count++;
    c->flight_bytes += f->bytes;
    return msg;
}

static bool may_send(const struct carrier *c)
{
    return c->queue_count > 0 && c->flight_count < FLIGHTS && c->flight_bytes < FLIGHT_BYTES &&
           now_ns() >= c->pause_until;
}

/* Sending may take as long as the network likes: `turn` is not held meanwhile. */
void push_some(struct carrier *c)
{
    for (int i = 0; i < FLIGHTS; i++) {
        if (natsConnection_Status(c->nc) != NATS_CONN_STATUS_CONNECTED || c->stop)
            return;
        pthread_mutex_lock(&c->turn);
        bool may = may_send(c);
        natsMsg *msg = may ? prepare(c, take_queued(c)) : NULL;
        pthread_mutex_unlock(&c->turn);
        if (!may)
            return;
        if (msg)
            natsConnection_PublishMsg(c->nc, msg); /* what is lost is sent again when no answer comes */
        natsMsg_Destroy(msg);
    }
}

/* ---- answers */

static uint64_t number_behind(const char *data, size_t size, const char *name)
{
    char text[512];
    if (size >= sizeof text)
        size = sizeof text - 1;
    memcpy(text, data, size);
    text[size] = '\0';
    const char *at = strstr(text, name);
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

static void arrived(struct carrier *c, struct flight *f, uint64_t revision)
{
    struct known k;
    shadow_get(c->shadow, f->key.bytes, f->key.size, &k);
    c->counts.pushed++;
    if (k.revision < revision) { /* else it is back already */
        k.revision = revision;
        if (stamp_order(k.stamp, f->stamp) == 0 && (k.flags & KNOWN_PUSH))
            k.flags |= KNOWN_ACKED;
        shadow_put(c->shadow, f->key.bytes, f->key.size, &k);
        if (!c->again_at)
            c->again_at = now_ns() + AGAIN_NS;
    }
    if ((k.flags & (KNOWN_PUSH | KNOWN_ACKED)) == KNOWN_PUSH)
        push_queue(c, f->key.bytes, f->key.size);
}

static void not_arrived(struct carrier *c, struct flight *f, uint64_t error, const char *data, size_t size)
{
    struct known k;
    uint64_t times;
    shadow_get(c->shadow, f->key.bytes, f->key.size, &k);
    if (error == WRONG_REVISION && k.revision == f->expected) {
        c->rescan_at = now_ns() + PAUSE_NS; /* the other one is on its way here */
        if (k.flags & KNOWN_REFUSED) /* or was lost on it: read all */
            c->reconnected = true;
        k.flags |= KNOWN_REFUSED;
        shadow_put(c->shadow, f->key.bytes, f->key.size, &k);
        return;
    }
    if (error != WRONG_REVISION) {
        c->pause_until = now_ns() + PAUSE_NS;
        if (seldom(&c->told_push, &times))
            say("%s: the server does not take a change, and will be asked again: %.*s", c->what->bucket,
                size ? (int)(size < 300 ? size : 300) : 12, size ? data : "no JetStream");
    }
    push_queue(c, f->key.bytes, f->key.size);
}

void push_answer(struct carrier *c, const char *subject, const char *data, size_t size)
{
    const char *dot = strrchr(subject, '.');
    char *end = NULL;
    unsigned long place = dot ? strtoul(dot + 1, &end, 10) : FLIGHTS;
    if (place >= FLIGHTS || !end || *end != '-')
        return;
    struct flight *f = &c->flights[place];
    if (!f->used || strtoul(end + 1, NULL, 10) != f->turn)
        return; /* it came too late */
    uint64_t error = number_behind(data, size, "\"err_code\":");
    uint64_t revision = number_behind(data, size, "\"seq\":");
    if (error == 0 && revision > 0)
        arrived(c, f, revision);
    else
        not_arrived(c, f, error, data, size);
    land(c, f);
}

void push_time_out(struct carrier *c, bool all)
{
    int64_t now = now_ns();
    for (int i = 0; i < FLIGHTS && c->flight_count > 0; i++) {
        struct flight *f = &c->flights[i];
        if (!f->used || (!all && now < f->deadline))
            continue;
        push_queue(c, f->key.bytes, f->key.size);
        land(c, f);
    }
}

void push_free(struct carrier *c)
{
    while (c->queue_count > 0)
        free(take_queued(c).bytes);
    for (int i = 0; i < FLIGHTS; i++)
        free(c->flights[i].key.bytes);
}
