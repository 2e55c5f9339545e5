/* SPDX-License-Identifier: MIT */
/*
 * A carrier keeps one dict and one bucket of NATS JetStream in step.
 *
 * Part take the programs of this machine, which change the dict and know nothing of all this; two threads,
 * one of which notices what has changed in the dict (notice.c), while the other speaks with the bucket
 * (sync.c, remote.c), applies what came from it (apply.c) and pushes what it lacks (push.c); and carriers of
 * other machines.
 *
 * Invariants.
 *  1. Each record of dict and bucket has a stamp, made when a program wrote it, by the dict itself: never
 *     later, however long the network was away. Of two records of a key the greater stamp wins, everywhere.
 *  2. The shadow holds of each key the greatest stamp seen. A record is written into the dict only if its
 *     stamp is greater than the dict's own, and only if that has not changed since it was read (if_version):
 *     so an echo of this machine's own change, which is equal, is never applied.
 *  3. A message is put only behind the one that was seen last of its key (the server compares): so in the
 *     bucket, too, a stamp is followed by greater ones only.
 *  4. KNOWN_PUSH is stored before a message goes out, and taken away when it comes back from the bucket: a
 *     server's word is not enough. The dict is written before the shadow says so.
 *
 * What a crash at each step leaves, and what repairs it:
 *   a change of the dict not noticed      the next carrier reads on from local_mark.since, or walks
 *   noticed, not pushed                   KNOWN_PUSH stands: the next one pushes
 *   pushed, or acknowledged, not back     the same; the second is refused, the echo takes KNOWN_PUSH away
 *   applied, the shadow not written       the feed tells it as a change with another machine's stamp; pushed,
 *                                         and refused: as before
 *   a reading of the bucket not finished  it begins anew
 *
 * Servers may forget what they had acknowledged, and a consumer that moves to another server may leave a gap.
 * So wherever the reading was interrupted all of the bucket is read again; what was not seen is pushed.
 */
#ifndef SHMS_BRIDGE_CARRIER_H
#define SHMS_BRIDGE_CARRIER_H

#include "config.h"
#include "say.h"
#include "shadow.h"

#include <nats/nats.h>
#include <pthread.h>
#include <stdatomic.h>

#define FLIGHTS 256               /* messages under way to the bucket */
#define FLIGHT_BYTES (1u << 20)   /* and their bytes, but for a single one */
#define QUEUE_MOST 4096           /* keys that wait to be pushed; more are found by a walk */
#define BOX_MOST 4096             /* messages that have come and were not yet looked at */
#define BOX_BYTES (16u << 20)
#define AHEAD_NS (60 * INT64_C(1000000000)) /* how far another machine's clock may be ahead */

struct counts {
    uint64_t pushed, applied, echoes;
    uint64_t conflicts; /* changes of this machine that lost to a newer one before they had been pushed */
    uint64_t foreign;   /* messages that are no records */
    uint64_t ahead;     /* records that were refused for a stamp in the future */
    uint64_t too_large, full, walks, reconnects;
    int64_t lag_ns;     /* of the last change from elsewhere: since it was written */
};

struct key {
    size_t size;
    unsigned char *bytes;
};

/* A message under way. */
struct flight {
    bool used;
    uint32_t turn; /* tells an answer to the message that had the place before */
    struct key key;
    struct stamp stamp;
    uint64_t expected; /* the revision that it is put behind */
    size_t bytes;
    int64_t deadline;
};

struct watch {
    struct carrier *carrier;
    struct watch *next;
    bool answers; /* to what was pushed */
};

struct parcel {
    const struct watch *from;
    natsMsg *msg;
};

/* Messages from libnats's threads. A full one holds them up. */
struct box {
    pthread_mutex_t lock;
    pthread_cond_t filled, emptied;
    struct parcel parcels[BOX_MOST];
    uint32_t first, count;
    size_t bytes;
    bool closed, rung;
};

struct carrier {
    const struct config *config;
    const struct carried *what;
    natsConnection *nc;
    jsCtx *js;

    shms_dict *dict, *shadow;
    size_t value_max;
    bool evicts;
    bool owner;
    pthread_mutex_t turn; /* of all that follows up to `box`, and of changes of the shadow's keys */
    struct local_mark local;
    bool walk; /* changes were missed */
    struct key queue[QUEUE_MOST];
    uint32_t queue_first, queue_count;
    bool rescan; /* more wait than the queue holds */
    int64_t again_at; /* look then whether what was acknowledged has come back; 0: nothing was */
    struct flight flights[FLIGHTS];
    size_t flight_count, flight_bytes;
    int64_t pause_until; /* the server refuses: no message before */
    uint64_t waiting;    /* keys that are queued or under way, about */
    unsigned char *value; /* a record's */
    unsigned char *message;
    struct counts counts;
    struct seldom told_full, told_ahead, told_foreign, told_large, told_push, told_remote, told_clock;
    struct seldom told_number;

    struct box box;
    /* of the thread that speaks with the bucket */
    struct bucket_mark bucket;
    struct watch *watches, *current;
    natsSubscription *entries, *answers;
    char inbox[64];
    bool caught_up;
    bool whole; /* the present reading began at the first message */
    uint64_t delivered; /* messages of the present consumer */
    uint64_t refetch; /* a message that could not be applied yet; 0: none */
    int64_t refetch_at, look_at, status_at, rescan_at, heard_ns;
    bool must_save, refetch_due;

    atomic_bool stop, failed, reconnected; /* the last: all is to be read again */
    pthread_t noticing, syncing;
    bool notices, syncs;
};

/* carrier.c */
bool carrier_open(struct carrier *c, const struct config *config, const struct carried *what);
/* From now on changes are noticed; and, once there is a connection, pushed. */
bool carrier_notice(struct carrier *c);
bool carrier_sync(struct carrier *c, natsConnection *nc);
/* Push what waits, if that can be done soon. */
void carrier_stop(struct carrier *c);
/* The connection is closed. */
void carrier_close(struct carrier *c);
/* Of dict and shadow; what: the bytes behind "what". */
bool carrier_fail(struct carrier *c, const char *what, int64_t code);
int64_t region_created_ns(const char *name);

/* notice.c: `turn` is held by the caller of all but the thread */
void *notice_thread(void *carrier);
void notice_changes(struct carrier *c);

/* What the dict has of a key now. */
struct local {
    bool there;
    struct stamp stamp;
    int64_t version, expires_ns;
    size_t size;
};
int local_read(struct carrier *c, const void *key, size_t key_size, void *value, size_t room,
               struct local *ret);
int local_delete(struct carrier *c, const void *key, size_t key_size, int64_t version, struct stamp stamp);

/* apply.c: `turn` is held */
/* A message of the bucket, which the server stored at that moment. False: it must come again, later. */
bool apply_message(struct carrier *c, const char *subject, const void *bytes, size_t size, uint64_t revision,
                   int64_t stored_ns);

/* push.c: `turn` is held, but for push_some */
void push_queue(struct carrier *c, const void *key, size_t key_size);
void push_some(struct carrier *c);
void push_answer(struct carrier *c, const char *subject, const char *data, size_t size);
void push_time_out(struct carrier *c, bool all);
void push_rescan(struct carrier *c);
bool push_again(struct carrier *c);
void push_free(struct carrier *c);

/* box.c */
void box_open(struct box *b);
void box_put(struct box *b, const struct watch *from, natsMsg *msg);
void box_ring(struct box *b);
/* Up to `most` parcels; waits for one, or a ring, until the time-out. How many. */
uint32_t box_take(struct box *b, struct parcel *ret, uint32_t most, int timeout_ms);
void box_close(struct box *b);

/* remote.c */
/* Find or make the bucket, and read all of it; or only from message `from` on, if that is not 0. */
bool remote_begin(struct carrier *c, uint64_t from);
/* All was read: what was not seen is to be pushed. */
void remote_compare(struct carrier *c);
/* Still the same bucket, and all of it heard? */
void remote_look(struct carrier *c);
void remote_end(struct carrier *c);

/* sync.c */
void *sync_thread(void *carrier);

/* status.c */
void status_tell(struct carrier *c);
int status_print(bool json);

#endif
