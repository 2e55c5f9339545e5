/* SPDX-License-Identifier: MIT */
/* What the roles of a stream and of a dict share. */
#ifndef CROSS_MIX_H
#define CROSS_MIX_H

#include <stdbool.h>
#include <stdint.h>

#define PATIENCE_MS 60000

void demand(bool good, const char *what, int64_t value);

/* A role whose name begins with "dict-". Its exit status; 2: there is no such role. */
int play_dict(const char *role, const char *name, int numbers, const uint64_t *number);

#endif
