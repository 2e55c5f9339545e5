/* SPDX-License-Identifier: MIT */
/* What becomes of a region in a child of fork. */
#ifndef SHMS_FORK_H
#define SHMS_FORK_H

#include "life.h"

/* Once before the first open: makes fork known. */
int shms__region_setup(void);

/* From the opening of control until it is dropped, fork must know a region, or a child would keep its locks
 * alive: so both are done under one hold of the process lock. At first it is in transit. */
void shms__fork_remember(struct region *r);
void shms__fork_forget(struct region *r);

/* It is whole: from now on a child of fork can use it. And: it is being left, so none can any more. */
void shms__fork_admit(struct region *r);
void shms__fork_part(struct region *r);

/* Unmap what stands in for control in a child. */
void shms__fork_drop_stand_ins(struct region *r);

/* Does another handle of this process, or another use in this one, say that the number is its own? Under the
 * process lock. */
bool shms__fork_claims(const struct region *r, int fd);

#endif
