/* SPDX-License-Identifier: MIT */
/* Locks of keys. */
#ifndef SHMS_KEYLOCK_H
#define SHMS_KEYLOCK_H

#include "evict.h"

/* Before a handle is closed: it gives back what it holds. */
void shms__keylock_release_all(shms_dict *d);

#endif
