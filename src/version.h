/* SPDX-License-Identifier: MIT */
/* What one counter carries: consistent reads without the lock, and waiting for a change. */
#ifndef SHMS_VERSION_H
#define SHMS_VERSION_H

#include "lock.h"

int64_t shms__version(const struct member *m);

/* Copy up to n bytes from offset on, as they were between two sections. */
int64_t shms__snapshot(struct member *m, void *buf, uint64_t n, uint64_t offset);

int shms__wait(struct member *m, int64_t *seen, int timeout_ms);
int shms__notify(struct member *m);

int shms__poll_open(struct member *m, int *ret_fd);
void shms__poll_close(struct member *m);

#endif
