/* SPDX-License-Identifier: MIT */
/*
 * Range-checked references: how a number that a peer may have written becomes an index or a length.
 * Each takes a private copy (a value that was loaded once), never a place in shared memory.
 */
#ifndef SHMS_REF_H
#define SHMS_REF_H

#include "layout.h"

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The slot that an owner's identity names. */
static inline bool ref_slot(uint64_t owner, uint32_t *ret_slot)
{
    uint64_t slot1 = owner & CELL_SLOT;
    if (slot1 == 0 || slot1 > LAYOUT_SLOTS)
        return false;
    *ret_slot = (uint32_t)(slot1 - 1);
    return true;
}

static inline uint64_t ref_owner(uint32_t slot, uint32_t generation)
{
    return (uint64_t)generation << 32 | (slot + 1);
}

/* How many of n bytes from offset on lie below size. */
static inline uint64_t ref_part(uint64_t offset, uint64_t n, uint64_t size)
{
    return offset >= size ? 0 : min_u64(n, size - offset);
}

/* Whether all n bytes from offset on lie below size. */
static inline bool ref_fits(uint64_t offset, uint64_t n, uint64_t size)
{
    return offset <= size && n <= size - offset;
}

#endif
