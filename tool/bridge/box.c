/* SPDX-License-Identifier: MIT */
#include "carrier.h"

#include <errno.h>

void box_open(struct box *b)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->filled, &monotonic);
    pthread_cond_init(&b->emptied, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void box_put(struct box *b, const struct watch *from, natsMsg *msg)
{
    size_t bytes = (size_t)natsMsg_GetDataLength(msg);
    pthread_mutex_lock(&b->lock);
    while (!b->closed && b->count > 0 && (b->count == BOX_MOST || b->bytes + bytes > BOX_BYTES))
        pthread_cond_wait(&b->emptied, &b->lock);
    if (b->closed) {
        pthread_mutex_unlock(&b->lock);
        natsMsg_Destroy(msg);
        return;
    }
    b->parcels[(b->first + b->count++) % BOX_MOST] = (struct parcel){from, msg};
    b->bytes += bytes;
    pthread_cond_signal(&b->filled);
    pthread_mutex_unlock(&b->lock);
}

void box_ring(struct box *b)
{
    pthread_mutex_lock(&b->lock);
    b->rung = true;
    pthread_cond_signal(&b->filled);
    pthread_mutex_unlock(&b->lock);
}

uint32_t box_take(struct box *b, struct parcel *ret, uint32_t most, int timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    uint32_t n = 0;
    pthread_mutex_lock(&b->lock);
    while (b->count == 0 && !b->rung && !b->closed)
        if (pthread_cond_timedwait(&b->filled, &b->lock, &until) == ETIMEDOUT)
            break;
    b->rung = false;
    for (; n < most && b->count > 0; n++, b->count--) {
        ret[n] = b->parcels[b->first];
        b->first = (b->first + 1) % BOX_MOST;
        b->bytes -= (size_t)natsMsg_GetDataLength(ret[n].msg);
    }
    if (n > 0)
        pthread_cond_broadcast(&b->emptied);
    pthread_mutex_unlock(&b->lock);
    return n;
}

void box_close(struct box *b)
{
    pthread_mutex_lock(&b->lock);
    b->closed = true;
    for (; b->count > 0; b->count--) {
        natsMsg_Destroy(b->parcels[b->first].msg);
        b->first = (b->first + 1) % BOX_MOST;
    }
    pthread_cond_broadcast(&b->emptied);
    pthread_cond_broadcast(&b->filled);
    pthread_mutex_unlock(&b->lock);
}
