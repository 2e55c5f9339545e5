/* SPDX-License-Identifier: MIT */
/* A region's life: found or made by name, mapped, grown, and removed with its last member. */
#ifndef SHMS_REGION_H
#define SHMS_REGION_H

#include "life.h"
#include "ref.h"

struct region_request {
    uint64_t size; /* 0: open only, whatever its size */
    uint64_t max_size;
    uint32_t create;
    struct trust trust; /* its mode is also that of a new region */
    bool writable;
    bool keep;
    bool atomic;
    bool sparse;
    bool huge_pages;
    bool lock_memory;
    bool unnamed;
    int fd; /* of an unnamed region that exists; -1: make one */
    bool no_bell;
    bool no_guard;
    bool init; /* the creator owes one */
    uint32_t kind;
    const void *object; /* what a new region's object area begins with; NULL: nothing */
    size_t object_size;
    int64_t timeout_ns, deadline; /* of opening */
};

/*
 * Find or make the region. On success its life-cycle lock is held (unless data_only), so that a member can
 * be added, and one of publish or abandon must follow. SHMS__RETRY: somebody else changed the name meanwhile.
 */
int shms__region_open(struct region *r, const struct region_request *q, int64_t deadline);
int shms__region_publish(struct region *r);
/* From now on it stays without members. Takes the life-cycle lock. */
int shms__region_keep(struct region *r);
void shms__region_abandon(struct region *r);

/* Leave: the token goes, and with the last member the region. Frees all that r holds. */
void shms__region_leave(struct region *r);

/* Remove the name. */
int shms__region_unlink(const struct name *name, int64_t timeout_ns);

/* The memory of bytes below `precious` is not given back. */
int shms__region_resize(struct region *r, uint64_t size, uint64_t precious);

/* How much of a size that is larger than what was seen so far can be believed. */
uint64_t shms__region_backed(struct region *r, uint64_t size);

/* The region's size, as far as it is mapped here. A reader of the data alone has no control to ask. */
static inline uint64_t shms__region_size(struct region *r)
{
    if (!r->control)
        return r->capacity;
    /* acquire: what resize did to the file comes before; pairs with the release in change_size */
    uint64_t size = a64_load_acquire(&r->control->size);
    /* relaxed: private, and true whenever it was stored */
    return size <= a64_load_relaxed(&r->backed) ? size : shms__region_backed(r, size);
}

/* In a child of fork, under the process lock, and without waiting: map control anew and take the
 * life-cycle lock; shms__region_rejoined must follow. SHMS__RETRY: that lock is taken. */
int shms__region_rejoin(struct region *r);
void shms__region_rejoined(struct region *r, bool joined);

/* Was the region smaller than `size` at a moment between two sections? False also where none was seen. */
static inline bool shms__control_smaller(const struct control *c, uint64_t size)
{
    /* acquire: the size is at least as new; pairs with the release in shms__unlock_quick */
    uint64_t before = a64_load_acquire(&c->sequence);
    bool smaller = a64_load_relaxed(&c->size) < size; /* relaxed: ordered by the fence */
    bool undone = a64_load_relaxed(&c->journal_used); /* relaxed: ordered by the fence */
    /* orders: these two before the second look; pairs with fence_release in shms__sequence_open */
    fence_acquire();
    /* relaxed: ordered by the fence */
    return smaller && !undone && !(before & 1) && a64_load_relaxed(&c->sequence) == before;
}

/* Has nobody filled the region, whose creator named an init? From two words of control. */
static inline bool shms__init_owed(uint32_t init, uint64_t journal_used)
{
    return init == INIT_OWED || (init == INIT_ENDING && journal_used);
}

static inline bool shms__region_init_owed(const struct control *c)
{
    uint32_t init = a32_load_relaxed(&c->init); /* relaxed: a hint, or a dead holder's */
    return shms__init_owed(init, a64_load_relaxed(&c->journal_used)); /* relaxed: as above */
}

/* ---- control.c */

/* Control's mode for a region of `mode`. Control is never half open: a user that may write the data may
 * write it, and nobody else may even read it, because read permission is enough to hold byte locks that
 * delay others. */
uint32_t shms__control_mode(uint32_t mode);

/* The stamp of a control file of ours. */
bool shms__stamp_ok(const struct control *c);
void shms__stamp_write(struct control *c);

/* Under the process lock: the mapping pins the token too, so fork must not come before it is kept from
 * children. shms__region_check_control must follow where somebody else made the file. */
int shms__region_map_control(struct region *r);
int shms__region_check_control(const struct region *r);

/* What a life begins with, but for the state: control's fields, under the life-cycle lock. */
void shms__region_begin(struct region *r, const struct region_request *q, uint64_t max_size);

/* The data is mapped; `size` bytes of it are there. */
int shms__region_settle(struct region *r, const struct region_request *q, void *data, uint64_t mapped,
                        uint64_t size);

#endif
