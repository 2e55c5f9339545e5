/* SPDX-License-Identifier: MIT */
/* Windows: programs that know no control block share the lock (gate.c). */
#ifndef SHMS_PORT_GATE_H
#define SHMS_PORT_GATE_H

#include <stdbool.h>
#include <stdint.h>

struct file;
struct region;
struct shms_info;

enum { GATED = 1 };

/* All but inside() are for the member named in the lock cell. */
int shms__gate_pass(struct region *r, int64_t deadline); /* SHMS_E_TIMEOUT; nothing if inside already */
void shms__gate_inherit(struct region *r);               /* from a dead owner of the cell, if it was inside */
bool shms__gate_inside(const struct region *r);
void shms__gate_leave(struct region *r);                 /* nothing if not inside */

/* What the system knows of strangers: how many there are, and whether one holds the lock. */
void shms__gate_tell(const struct file *control, struct shms_info *info);

#endif
