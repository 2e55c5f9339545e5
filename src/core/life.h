/* SPDX-License-Identifier: MIT */
/* What keeps a region alive: its life-cycle lock, and the openings of control that hold byte locks. */
#ifndef SHMS_LIFE_H
#define SHMS_LIFE_H

#include "layout.h"
#include "name.h"

struct region {
    struct control *control; /* NULL: a reader of the data alone; in a child before it joins: stand_in */
    struct bell *bell;       /* the place in control where this member's hangs; NULL: it has none */
    a32 contended;           /* 1: this member has met others that want the lock, or been one; private */
    unsigned char *data;
    uint64_t capacity; /* bytes of data that are mapped */
    a64 backed;        /* of these, the ones that were seen to be in the file; private memory */
    bool writable;
    bool atomic; /* its sections are all there or not at all */
    struct file control_file;
    struct file data_file; /* open while writable, for resize */
    struct file spare;     /* another opening of control, for the next child of fork; see fork.c */
    uint64_t token;        /* offset of this member's byte lock; 0: none yet */
    int64_t timeout_ns;
    bool token_pinned;     /* control_file is not the opening that holds the token: the mapping is */
    bool data_only;
    bool unnamed; /* one sealed file, whose descriptor stands in control_file, or in data_file if data_only */
    bool frozen;  /* nobody but this handle can write it */
    bool no_bell; /* as its opener wished */
    bool is_new;  /* made by this call, not visible yet */
    bool existed; /* was there before this call */
    struct guard *guard; /* of its mappings; may be NULL */
    bool in_transit;     /* being opened or left: a child of fork cannot use it */
    bool keeps_spare;    /* between forks, too */
    bool inherited;      /* from the parent of this process */
    struct control *stand_in; /* in a child of fork, where control was in the parent; see fork.c */
    int child_error;     /* in a child of fork: the errno of why it has no opening of its own; 0: none */
    struct region *next; /* of all known to the process, for fork */
    struct region *previous;
    struct name name;
};

/* Wait for the life-cycle lock of a control file. SHMS_E_TIMEOUT: somebody sits on it. SHMS__RETRY: a
 * handler of the program forked meanwhile, and this is the child. Not under the process lock. */
int shms__life_take(const struct file *f, int64_t deadline);

/* Does the opening f see any member of the region, itself not counted? 1 or 0, or a failure. */
int shms__region_alive(const struct file *f);

/* Make of zeros what, in place of control, sends each call the long way, where it learns the
 * truth: a lock that is held by no member that could live, and a section that never ends. */
static inline void shms__control_spoil(struct control *c)
{
    a64_store_relaxed(&c->cell, CELL_SLOT); /* relaxed: nobody sees it yet; the same below */
    a64_store_relaxed(&c->sequence, 1);     /* relaxed: as above */
    a64_store_relaxed(&c->version, 1);      /* relaxed: as above */
}

/* Everything but the names. With its last descriptor, control's token and life-cycle lock go. */
void shms__region_drop(struct region *r);
void shms__region_unmap_control(struct region *r);

/* The control file, to ask about byte locks; NULL: the descriptor was closed behind our back, and the file
 * cannot be had by its name either. Not to be called under the process lock. */
const struct file *shms__region_control_file(struct region *r);

/* The same under the process lock: 0, or why not. */
int shms__region_own_control(struct region *r);

/* Get a file back by its name; SHMS_E_LOST: the name means another now, or none. The old number is somebody
 * else's. */
int shms__region_reopen(struct file *f, const char *path);

#endif
