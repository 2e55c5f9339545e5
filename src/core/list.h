/* SPDX-License-Identifier: MIT */
/* What exists, and what can be told of it. */
#ifndef SHMS_LIST_H
#define SHMS_LIST_H

#include "member.h"

/* About the region of a member, in as much of *info as its struct_size says. */
int shms__info(struct member *m, shms_info *info);

/* Each living member of its region. */
int shms__members(struct member *m, shms_members_fn *callback, void *context);

#endif
