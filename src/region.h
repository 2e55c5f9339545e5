/* SPDX-License-Identifier: MIT */
/* A region's life: found or made by name, mapped, grown, and removed with its last member. */
#ifndef SHMS_REGION_H
#define SHMS_REGION_H

#include "layout.h"
#include "name.h"
#include "ref.h"

struct region_request {
    uint64_t size; /* 0: open only, whatever its size */
    uint64_t max_size;
    uint32_t create;
    struct trust trust; /* its mode is also that of a new region */
    bool writable;
    bool keep;
    bool sparse;
    bool huge_pages;
    bool lock_memory;
    int64_t timeout_ns;
};

struct region {
    struct control *control; /* NULL: a reader of the data alone, or a child of fork that has not joined yet */
    unsigned char *data;
    uint64_t capacity; /* bytes of data that are mapped */
    bool writable;
    struct file control_file;
    struct file data_file; /* open while writable, for resize */
    uint64_t token;        /* offset of this member's byte lock; 0: none yet */
    int64_t timeout_ns;
    bool token_pinned;     /* control_file is not the opening that holds the token: the mapping is */
    bool data_only;
    bool is_new;  /* made by this call, not visible yet */
    bool existed; /* was there before this call */
    bool in_transit;     /* being opened or left: a child of fork cannot use it */
    struct region *next; /* of all known to the process, for fork */
    struct region *previous;
    struct name name;
};

/*
 * Find or make the region. On success its life-cycle lock is held (unless data_only), so that a member can
 * be added, and one of publish or abandon must follow. SHMS__RETRY: somebody else changed the name meanwhile.
 */
int shms__region_open(struct region *r, const struct region_request *q, int64_t deadline);
int shms__region_publish(struct region *r);
void shms__region_abandon(struct region *r);

/* Leave: the token goes, and with the last member the region. Frees all that r holds. */
void shms__region_leave(struct region *r);

/* Once before the first open: makes fork known. */
int shms__region_setup(void);

/* Remove the name. */
int shms__region_unlink(const struct name *name, int64_t timeout_ns);

int shms__region_resize(struct region *r, uint64_t size);
uint64_t shms__region_size(const struct region *r);

/* In a child of fork: map control anew and take the life-cycle lock; shms__region_rejoined must follow. */
int shms__region_rejoin(struct region *r);
void shms__region_rejoined(struct region *r, bool joined);

/* The control file, to ask about byte locks; NULL: the descriptor was closed behind our back, and the file
 * cannot be had by its name either. */
const struct file *shms__region_control_file(struct region *r);

/* Is this the stamp of a control file of ours? */
bool shms__stamp_ok(const struct control *c);

/* Does the opening f see any member of the region, itself not counted? */
bool shms__region_alive(const struct file *f);

#endif
