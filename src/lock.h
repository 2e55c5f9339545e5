/* SPDX-License-Identifier: MIT */
/* The exclusive lock, and the section it opens. */
#ifndef SHMS_LOCK_H
#define SHMS_LOCK_H

#include "member.h"

/*
 * 0 or SHMS_OWNER_DIED (held), or a failure. A section that `changes` moves the version; a quiet one leaves
 * it alone, and must not write. shms__unlock is told the same.
 */
int shms__lock(struct member *m, int timeout_ms, bool changes);
int shms__unlock(struct member *m, bool changes);

/* Does this handle hold the lock? And this thread, through it? */
bool shms__lock_held(const struct member *m);
bool shms__lock_held_here(const struct member *m);

/* Say that the data is whole again. */
int shms__repaired(struct member *m);

/* Before leaving: a lock still held is released, and the next locker told that its holder went away. */
void shms__lock_forsake(struct member *m, bool changes);

/* Wake who waits for the version to move: those whose flags stood in `cell`. */
void shms__ring(struct member *m, uint64_t cell);

/* A time-out as a moment; INT64_MAX for -1. */
int64_t shms__deadline(int timeout_ms);

#endif
