/* SPDX-License-Identifier: MIT */
/* The shared lock: many readers at once, and no writer. */
#ifndef SHMS_SHARED_H
#define SHMS_SHARED_H

#include "lock.h"

/* 0 or SHMS_OWNER_DIED (held), or a failure. */
int shms__lock_shared(struct member *m, int timeout_ms);
/* SHMS_E_NOT_OWNER: no thread of this handle holds it. */
int shms__unlock_shared(struct member *m);

/* Does this thread hold it through this handle? */
bool shms__reads_here(const struct member *m);

/* Before leaving: give back whatever the handle's threads hold. */
void shms__forsake_shared(struct member *m);

/* The cell is ours, S stands in it: wait until nobody alive reads, then take S out. SHMS_E_TIMEOUT. */
int shms__await_readers(struct member *m, int64_t deadline);

#endif
