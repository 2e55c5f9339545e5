/* SPDX-License-Identifier: MIT */
/* The free cells of a dict: a queue, and behind it the cells that were never used. */
#ifndef SHMS_QUEUE_H
#define SHMS_QUEUE_H

#include "redo.h"

/* The queue as a change will leave it; private. */
struct queue {
    uint64_t head;
    uint64_t tail;
    uint64_t count;
    uint64_t fresh;
    uint64_t total;
};

/* By the holder of the lock. False: the numbers in the header cannot be. */
bool shms__queue_load(shms_dict *d, struct queue *ret);

/* Cells that can be taken. */
static inline uint64_t shms__queue_room(const struct queue *q)
{
    return q->count + (q->total - q->fresh);
}

/*
 * Take n cells, chained. *ret_linked: their links stand already, else they are number after number. 0: there
 * are not so many, or the chain leads nowhere, or they lie in both parts: see shms__queue_join.
 */
uint64_t shms__queue_take(shms_dict *d, struct queue *q, uint64_t n, bool *ret_linked);

/* Cells that were never used, one behind the other; 0: there are not so many. */
uint64_t shms__queue_take_block(struct queue *q, uint64_t n);

/* Append a chain of n cells. */
void shms__queue_append(shms_dict *d, struct queue *q, struct redo *r, uint64_t head, uint64_t tail,
                        uint64_t n);

/* What the queue has become goes into the change; and where fresh cells begin now, if some were taken. */
void shms__queue_store(shms_dict *d, const struct queue *q, struct redo *r);
void shms__queue_store_fresh(shms_dict *d, const struct queue *q, struct redo *r);

/* Make a chain of n cells that nobody can reach; the last one leads to none. */
void shms__queue_chain(shms_dict *d, uint64_t first, uint64_t n);

/* A change of its own: all cells that were never used become part of the queue. */
int shms__queue_join(shms_dict *d);

#endif
