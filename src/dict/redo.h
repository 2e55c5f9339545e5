/* SPDX-License-Identifier: MIT */
/* A change of a dict: words that are stored all or not at all, whenever its writer dies. */
#ifndef SHMS_REDO_H
#define SHMS_REDO_H

#include "cells.h"

/* What a change will store, in private memory. */
struct redo {
    uint32_t n;
    struct {
        a64 *word;
        uint64_t value;
    } words[DICT_REDO];
};

/* Nothing yet. The words are left as they are: clearing them would cost as much as the rest of a change. */
static inline void shms__redo_begin(struct redo *r)
{
    r->n = 0;
}

/* The word will get this value, unless it has it. Order matters to readers: it is that of the stores. */
static inline void shms__redo_add(struct redo *r, a64 *word, uint64_t value)
{
    /* relaxed: written by holders of the lock only */
    if (a64_load_relaxed(word) == value)
        return;
    if (r->n < DICT_REDO) {
        r->words[r->n].word = word;
        r->words[r->n].value = value;
    }
    r->n++;
}

/* By the holder of the lock, no other change being under way: do it. SHMS_E_CORRUPT: it asks too much. */
int shms__redo_commit(shms_dict *d, const struct redo *r);

/* By a new holder of the lock: finish what a dead one had decided. */
void shms__redo_recover(shms_dict *d);

#endif
