/* SPDX-License-Identifier: MIT */
/* Changes of a place's cookies, limits, and the walk over places. */
#ifndef SHMS_EDIT_H
#define SHMS_EDIT_H

#include "record.h"

/* Edits r as it is by now; may be called several times. 0; or else nothing is to change, and what it returned
 * is what shms__edit() returns. */
typedef int edit_fn(shms_jar *j, struct record *r, void *context);

/* Change a place's cookies: all of the edit or nothing. 0, what the edit gave, or as shms_dict_set(). */
int shms__edit(shms_jar *j, const struct place *place, edit_fn *edit, void *context);

/* One try: SHMS_E_CHANGED or SHMS_E_EXISTS if others were first. ret_delta: by how many cookies the place has
 * more; set if it is 0. */
int shms__edit_once(shms_jar *j, const struct place *place, edit_fn *edit, void *context, int64_t *ret_delta);

/* Take what is too much out of the jar, or, if there is no room, a part of what there is (sweep.c). */
int shms__sweep(shms_jar *j, bool full);

/* The next place of the jar, in no order. 1; 0: the end; or as shms_dict_next(). */
int shms__next_place(shms_jar *j, uint64_t *cursor, struct place *ret);

#endif
