/* SPDX-License-Identifier: MIT */
/*
 * A file flows through a stream of 1 MiB: its first bytes are a struct ring, the rest is a ring of data.
 *
 * Each side writes only its own fields, under the lock, and moves the data itself outside the lock: the
 * bytes between taken and written are the receiver's, all others the sender's. To look, neither takes the
 * lock: a section would count as a change and wake the other side for nothing.
 */
#ifndef RING_H
#define RING_H

#include "demo.h"

#include <stddef.h>

#define RING_STREAM_BYTES ((uint64_t)1 << 20)
#define RING_DATA_AT 4096
#define RING_CAPACITY (RING_STREAM_BYTES - RING_DATA_AT)
#define RING_CHUNK (RING_CAPACITY / 5)

struct ring {
    uint64_t announced; /* sender: 1 once total is right */
    uint64_t total;     /* sender: bytes in all */
    uint64_t ready;     /* receiver: 1 once it has made room for them */
    uint64_t written;   /* sender: bytes put into the ring since the beginning */
    uint64_t taken;     /* receiver: bytes taken out of it */
};

static inline shms_stream *ring_open(const char *name)
{
    shms_stream *s;
    check("open", shms_stream_open(name, RING_STREAM_BYTES, NULL, &s));
    return s;
}

/* Change one field, as a section of its own: this is what wakes the other side. */
static inline void ring_set(shms_stream *s, size_t field, uint64_t value)
{
    if (check("lock", shms_stream_lock(s, PATIENCE_MS)) == SHMS_OWNER_DIED)
        die("lock", shms_strerror(SHMS_OWNER_DIED));
    check("write", shms_stream_pwrite(s, &value, sizeof value, (int64_t)field));
    check("unlock", shms_stream_unlock(s));
}

/* Sleep until the ring is as wanted. The version is read first: what changes after it ends the wait. */
static inline struct ring ring_wait(shms_stream *s, int (*wanted)(const struct ring *))
{
    for (;;) {
        struct ring r;
        int64_t seen = check("version", shms_stream_version(s));
        check("snapshot", shms_stream_snapshot(s, &r, sizeof r, 0));
        if (r.taken > r.written || r.written - r.taken > RING_CAPACITY)
            die("ring", "the counters are impossible");
        if (wanted(&r))
            return r;
        check("wait for the other side", shms_stream_wait(s, &seen, PATIENCE_MS));
    }
}

/* The longest run at a position, at most `most` bytes, that a single copy can move. */
static inline size_t ring_run(uint64_t position, uint64_t most)
{
    uint64_t n = RING_CAPACITY - position % RING_CAPACITY;
    if (n > most)
        n = most;
    return (size_t)(n < RING_CHUNK ? n : RING_CHUNK);
}

static inline int64_t ring_offset(uint64_t position)
{
    return (int64_t)(RING_DATA_AT + position % RING_CAPACITY);
}

#endif
