/* SPDX-License-Identifier: MIT */
/* The bucket: found or made, read in order from where it was left, looked after. */
#include "carrier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 1500 /* for what is asked of the server */
#define SILENCE_NS (3 * INT64_C(1000000000))
#define HEARTBEAT_NS (1 * INT64_C(1000000000))

static void on_message(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *closure)
{
    (void)nc, (void)sub;
    const struct watch *w = closure;
    box_put(&w->carrier->box, w, msg);
}

/* Each reading has one of its own, so that what comes late from one before is known. */
static struct watch *new_watch(struct carrier *c, bool answers)
{
    struct watch *w = malloc(sizeof *w);
    if (w) {
        *w = (struct watch){.carrier = c, .next = c->watches, .answers = answers};
        c->watches = w;
    }
    return w;
}

static bool said(struct carrier *c, const char *what, natsStatus s, jsErrCode error)
{
    uint64_t times;
    if (seldom(&c->told_push, &times))
        say("%s: %s: %s (%d), and will be tried again", c->what->bucket, what, natsStatus_GetText(s),
            (int)error);
    return false;
}

static natsStatus look_up(struct carrier *c, jsStreamInfo **ret, jsErrCode *ret_error)
{
    char stream[80];
    jsOptions o;
    jsOptions_Init(&o);
    o.Wait = PATIENCE_MS;
    snprintf(stream, sizeof stream, "KV_%s", c->what->bucket);
    return js_GetStreamInfo(ret, c->js, stream, &o, ret_error);
}

/* Two machines may do so at once, and one of them gets nothing: it is looked up afterwards. */
static void make_bucket(struct carrier *c)
{
    kvStore *kv = NULL;
    kvConfig k;
    kvConfig_Init(&k);
    k.Bucket = c->what->bucket;
    k.History = 1;
    k.Replicas = c->what->replicas;
    k.StorageType = js_FileStorage;
    natsStatus s = js_CreateKeyValue(&kv, c->js, &k);
    kvStore_Destroy(kv);
    if (s != NATS_OK)
        said(c, "the bucket cannot be made", s, 0);
}

/* Nothing of the bucket is known: a revision of 0 is one that was not seen. */
static void forget_revisions(struct carrier *c, int64_t created_ns)
{
    unsigned char key[WIRE_KEY_MAX];
    struct known k;
    uint64_t cursor = 0;
    size_t size;
    pthread_mutex_lock(&c->turn);
    push_time_out(c, true);
    while (shadow_next(c->shadow, &cursor, key, &size, &k) == 1) {
        k.revision = 0;
        k.flags &= ~(uint64_t)(KNOWN_HELD | KNOWN_ACKED | KNOWN_REFUSED);
        shadow_put(c->shadow, key, size, &k);
    }
    c->bucket = (struct bucket_mark){created_ns, 1};
    c->whole = true;
    pthread_mutex_unlock(&c->turn);
}

void remote_compare(struct carrier *c)
{
    unsigned char key[WIRE_KEY_MAX];
    struct known k;
    uint64_t cursor = 0;
    size_t size;
    pthread_mutex_lock(&c->turn);
    while (shadow_next(c->shadow, &cursor, key, &size, &k) == 1) {
        if (k.revision || !k.stamp.ns || (k.flags & KNOWN_PUSH))
            continue;
        k.flags |= KNOWN_PUSH;
        shadow_put(c->shadow, key, size, &k);
    }
    c->rescan = true;
    c->whole = false;
    pthread_mutex_unlock(&c->turn);
}

static bool read_answers(struct carrier *c)
{
    natsInbox *inbox = NULL;
    char subject[80];
    if (c->answers)
        return true;
    struct watch *w = new_watch(c, true);
    natsStatus s = w ? natsInbox_Create(&inbox) : NATS_NO_MEMORY;
    if (s == NATS_OK) {
        snprintf(c->inbox, sizeof c->inbox, "%s", inbox);
        snprintf(subject, sizeof subject, "%s.*", c->inbox);
        s = natsConnection_Subscribe(&c->answers, c->nc, subject, on_message, w);
    }
    natsInbox_Destroy(inbox);
    return s == NATS_OK || said(c, "answers", s, 0);
}

static bool read_entries(struct carrier *c)
{
    char stream[80], subject[80];
    jsSubOptions o;
    jsOptions wait;
    jsErrCode error = 0;
    jsSubOptions_Init(&o);
    jsOptions_Init(&wait);
    wait.Wait = PATIENCE_MS;
    snprintf(stream, sizeof stream, "KV_%s", c->what->bucket);
    snprintf(subject, sizeof subject, "$KV.%s.>", c->what->bucket);
    o.Stream = stream;
    o.Ordered = true;
    o.Config.DeliverPolicy = js_DeliverByStartSequence;
    o.Config.OptStartSeq = c->bucket.next;
    o.Config.Heartbeat = HEARTBEAT_NS;
    struct watch *w = new_watch(c, false);
    if (!w)
        return false;
    c->current = w;
    natsStatus s = js_Subscribe(&c->entries, c->js, subject, on_message, w, &wait, &o, &error);
    if (s != NATS_OK)
        return said(c, "it cannot be read", s, error);
    natsSubscription_SetPendingLimits(c->entries, -1, (int)(4 * BOX_BYTES));
    c->heard_ns = now_ns();
    c->delivered = 0;
    return true;
}

static void stop_reading(natsSubscription **sub)
{
    if (!*sub)
        return;
    natsSubscription_Unsubscribe(*sub);
    natsSubscription_Destroy(*sub);
    *sub = NULL;
}

bool remote_begin(struct carrier *c, uint64_t from)
{
    jsStreamInfo *info = NULL;
    jsErrCode error = 0;
    stop_reading(&c->entries);
    c->current = NULL;
    natsStatus s = look_up(c, &info, &error);
    if (s == NATS_NOT_FOUND) {
        make_bucket(c);
        s = look_up(c, &info, &error);
    }
    if (s != NATS_OK)
        return said(c, "it cannot be looked up", s, error);
    if (from && info->Created == c->bucket.created_ns)
        c->bucket.next = from;
    else
        forget_revisions(c, info->Created);
    c->caught_up = info->State.LastSeq < c->bucket.next || info->State.Msgs == 0;
    jsStreamInfo_Destroy(info);
    return read_answers(c) && read_entries(c);
}

void remote_look(struct carrier *c)
{
    jsStreamInfo *info = NULL;
    jsErrCode error = 0;
    natsStatus s = look_up(c, &info, &error);
    if (s == NATS_OK) {
        bool same = info->Created == c->bucket.created_ns && info->State.LastSeq + 1 >= c->bucket.next;
        bool behind = info->State.LastSeq >= c->bucket.next;
        if (!behind)
            c->caught_up = true;
        if (!same || (behind && now_ns() - c->heard_ns > SILENCE_NS))
            c->reconnected = true; /* begin once more */
        jsStreamInfo_Destroy(info);
    } else if (s == NATS_NOT_FOUND) {
        c->reconnected = true;
    }
}

void remote_end(struct carrier *c)
{
    stop_reading(&c->entries);
    stop_reading(&c->answers);
}
