/* SPDX-License-Identifier: MIT */
/* Changes of a host's cookies, limits, and the walk over hosts. */
#ifndef SHMS_EDIT_H
#define SHMS_EDIT_H

#include "record.h"

/* Edits r as it is by now; may be called several times. 0; or else nothing is to change, and what it returned
 * is what shms__edit() returns. */
typedef int edit_fn(shms_jar *j, struct record *r, void *context);

/* Change a host's cookies: all of the edit or nothing. 0, what the edit gave, or as shms_dict_set(). */
int shms__edit(shms_jar *j, const char *host, edit_fn *edit, void *context);

/* The next host of the jar, in no order. 1; 0: the end; or as shms_dict_next(). */
int shms__next_host(shms_jar *j, uint64_t *cursor, char ret[HOST_ROOM]);

/* Whether a key of the dict is a host, and which. */
bool shms__key_host(const void *key, size_t size, char ret[HOST_ROOM]);

#endif
