/* SPDX-License-Identifier: MIT */
/* The thread that speaks with the bucket: what came, what waits, and what is to be looked after. */
#include "carrier.h"

#include <string.h>

#define TAKE_MOST 256
#define WAIT_MS 100
#define SHORT_MS 2
#define LOOK_NS (2 * INT64_C(1000000000))
#define STATUS_NS (1 * INT64_C(1000000000))
#define SILENCE_NS (6 * INT64_C(1000000000))
#define LAST_PUSH_NS (2 * INT64_C(1000000000))

static bool connected(const struct carrier *c)
{
    return natsConnection_Status(c->nc) == NATS_CONN_STATUS_CONNECTED;
}

/* A message of the bucket, in order; `next` moves on once it is dealt with. */
static void take_entry(struct carrier *c, natsMsg *msg)
{
    jsMsgMetaData *meta = NULL;
    if (natsMsg_GetMetaData(&meta, msg) != NATS_OK)
        return;
    uint64_t revision = meta->Sequence.Stream;
    if (meta->Sequence.Consumer <= c->delivered)
        c->reconnected = true; /* libnats has made another consumer, perhaps with a gap */
    c->delivered = meta->Sequence.Consumer;
    c->heard_ns = now_ns();
    apply_message(c, natsMsg_GetSubject(msg), natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg),
                  revision, meta->Timestamp);
    if (revision >= c->bucket.next) {
        c->bucket.next = revision + 1;
        c->must_save = true;
    }
    if (meta->NumPending == 0)
        c->caught_up = true;
    jsMsgMetaData_Destroy(meta);
}

static void take_parcel(struct carrier *c, const struct parcel *p)
{
    pthread_mutex_lock(&c->turn);
    if (p->from->answers)
        push_answer(c, natsMsg_GetSubject(p->msg), natsMsg_GetData(p->msg),
                    (size_t)natsMsg_GetDataLength(p->msg));
    else if (p->from == c->current)
        take_entry(c, p->msg);
    pthread_mutex_unlock(&c->turn);
    natsMsg_Destroy(p->msg);
}

/* Which bucket it is; how far it was read is for people. */
static void save_mark(struct carrier *c)
{
    struct bucket_mark mark = c->bucket;
    shadow_tell(c->shadow, "bucket", &mark, sizeof mark);
    c->must_save = false;
}

static void begin_again(struct carrier *c)
{
    uint64_t from = c->reconnected ? 0 : c->refetch;
    c->reconnected = c->refetch_due = false;
    pthread_mutex_lock(&c->turn);
    c->counts.reconnects += c->entries != NULL;
    push_time_out(c, true);
    c->refetch = 0;
    pthread_mutex_unlock(&c->turn);
    if (!remote_begin(c, from)) {
        c->reconnected = true;
        c->pause_until = now_ns() + STATUS_NS;
    }
}

static void look_after(struct carrier *c)
{
    int64_t now = now_ns();
    if (connected(c) && now >= c->look_at && c->entries) {
        remote_look(c);
        c->look_at = now + LOOK_NS;
    }
    pthread_mutex_lock(&c->turn);
    push_time_out(c, false);
    if ((c->rescan && c->queue_count == 0) || (c->rescan_at && now >= c->rescan_at)) {
        c->rescan_at = 0;
        push_rescan(c);
    }
    if (c->again_at && now >= c->again_at && c->caught_up) {
        bool later = push_again(c);
        c->again_at = later ? now + LOOK_NS : 0;
        c->reconnected = c->reconnected || (later && now - c->heard_ns > SILENCE_NS);
    }
    if (c->must_save)
        save_mark(c);
    pthread_mutex_unlock(&c->turn);
    if (c->whole && c->caught_up && !c->reconnected)
        remote_compare(c);
    if (c->refetch && now >= c->refetch_at)
        c->refetch_due = true;
    if (now < c->status_at)
        return;
    c->status_at = now + STATUS_NS;
    status_tell(c);
    if (region_created_ns(c->what->name) != c->local.created_ns) {
        say("%s was removed, or made anew: start again to carry the new one", c->what->name);
        c->failed = true;
    }
}

/* Long, unless there is more to be sent than one turn sends. */
static int patience_ms(struct carrier *c)
{
    pthread_mutex_lock(&c->turn);
    bool more = c->queue_count > 0 && c->flight_count == 0 && now_ns() >= c->pause_until;
    pthread_mutex_unlock(&c->turn);
    return more && connected(c) && c->caught_up ? SHORT_MS : WAIT_MS;
}

/* What waits goes out still, if the servers answer soon; else it waits in the shadow. */
static bool may_end(struct carrier *c, int64_t asked_ns)
{
    pthread_mutex_lock(&c->turn);
    notice_changes(c);
    bool empty = c->queue_count == 0 && c->flight_count == 0;
    pthread_mutex_unlock(&c->turn);
    return empty || !connected(c) || !c->caught_up || now_ns() - asked_ns > LAST_PUSH_NS;
}

void *sync_thread(void *carrier)
{
    struct carrier *c = carrier;
    struct parcel parcels[TAKE_MOST];
    int64_t asked_ns = 0;
    c->reconnected = true;
    while (!c->failed) {
        if ((c->reconnected || c->refetch_due) && connected(c) && now_ns() >= c->pause_until)
            begin_again(c);
        uint32_t n = box_take(&c->box, parcels, TAKE_MOST, patience_ms(c));
        for (uint32_t i = 0; i < n; i++)
            take_parcel(c, &parcels[i]);
        if (c->caught_up && !c->reconnected)
            push_some(c);
        look_after(c);
        if (c->stop && !asked_ns)
            asked_ns = now_ns();
        if (c->stop && may_end(c, asked_ns))
            break;
    }
    pthread_mutex_lock(&c->turn);
    save_mark(c);
    pthread_mutex_unlock(&c->turn);
    status_tell(c);
    remote_end(c);
    jsCtx_Destroy(c->js);
    return NULL;
}
