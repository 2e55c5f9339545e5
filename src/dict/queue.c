/* SPDX-License-Identifier: MIT */
/*
 * The free cells of a dict.
 *
 * Who takes part. Holders of the lock. A reader that was slow may still look at a cell that is free: it finds
 * out that its record has gone.
 *
 * Invariants.
 *  1. The queue is free_count cells, linked by `next` from free_head to free_tail, in the order in which they
 *     will be taken: so taking n of them changes the header only, and the record that is made of them is
 *     chained already.
 *  2. No link of a cell in the queue is written but that of the last one, and by redo only: so a writer that
 *     dies while it fills cells leaves the queue as it was.
 *  3. A cell from `fresh` on was never anything.
 *  4. While there are fresh cells, the queue keeps RESTING: first in, first out, a freed cell rests until a
 *     reader that still looks at it has most probably gone. (It would try again, no more.)
 *
 * What a crash leaves: see redo.c; a cell that was filled and not committed is where it was.
 */
#include "queue.h"

#define RESTING 64

static uint64_t header_word(const a64 *word)
{
    return a64_load_relaxed(word); /* relaxed: written by holders of the lock only */
}

bool shms__queue_load(shms_dict *d, struct queue *ret)
{
    const struct dict_header *h = d->header;
    *ret = (struct queue){header_word(&h->free_head), header_word(&h->free_tail), header_word(&h->free_count),
                          header_word(&h->fresh), header_word(&h->total)};
    return ret->fresh >= d->first_cell && ret->fresh <= ret->total && ret->count < ret->total &&
           shms__cells_there(d, d->first_cell, ret->total - d->first_cell) &&
           (ret->count == 0 || (shms__cells_there(d, ret->head, 1) && shms__cells_there(d, ret->tail, 1)));
}

uint64_t shms__queue_take_block(struct queue *q, uint64_t n)
{
    if (q->total - q->fresh < n)
        return 0;
    uint64_t first = q->fresh;
    q->fresh += n;
    return first;
}

uint64_t shms__queue_take(shms_dict *d, struct queue *q, uint64_t n, bool *ret_linked)
{
    *ret_linked = q->count >= n && (q->count >= n + RESTING || q->total - q->fresh < n);
    if (!*ret_linked)
        return shms__queue_take_block(q, n);
    uint64_t first = q->head, last = shms__cell_behind(d, first, n - 1);
    uint64_t rest = q->count > n && last ? shms__cell_behind(d, last, 1) : 0;
    if (last == 0 || (q->count > n && rest == 0))
        return 0;
    q->head = rest;
    q->count -= n;
    return first;
}

void shms__queue_append(shms_dict *d, struct queue *q, struct redo *r, uint64_t head, uint64_t tail,
                        uint64_t n)
{
    if (q->count == 0)
        q->head = head;
    else
        shms__redo_add(r, (a64 *)(void *)shms__head_at(d, q->tail), shms__link_word((uint32_t)head, 0));
    q->tail = tail;
    q->count += n;
}

void shms__queue_store(shms_dict *d, const struct queue *q, struct redo *r)
{
    struct dict_header *h = d->header;
    if (q->count > 0) {
        shms__redo_add(r, &h->free_head, q->head);
        shms__redo_add(r, &h->free_tail, q->tail);
    }
    shms__redo_add(r, &h->free_count, q->count);
}

void shms__queue_store_fresh(shms_dict *d, const struct queue *q, struct redo *r)
{
    shms__redo_add(r, &d->header->fresh, q->fresh);
}

void shms__queue_chain(shms_dict *d, uint64_t first, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        struct cell_head *c = shms__head_at(d, first + i);
        /* relaxed: nobody can reach them before the change is committed */
        a32_store_relaxed(&c->next, i + 1 < n ? (uint32_t)(first + i + 1) : 0);
        a32_store_relaxed(&c->used, 0);    /* relaxed: as above */
        a64_store_relaxed(&c->version, 0); /* relaxed: as above */
    }
}

int shms__queue_join(shms_dict *d)
{
    struct queue q;
    struct redo r;
    shms__redo_begin(&r);
    if (!shms__queue_load(d, &q))
        return shms__fail(SHMS_E_CORRUPT);
    uint64_t n = q.total - q.fresh, first = shms__queue_take_block(&q, n);
    if (n == 0)
        return 0;
    shms__queue_chain(d, first, n);
    shms__queue_append(d, &q, &r, first, first + n - 1, n);
    shms__queue_store_fresh(d, &q, &r);
    shms__queue_store(d, &q, &r);
    return shms__redo_commit(d, &r);
}
