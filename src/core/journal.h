/* SPDX-License-Identifier: MIT */
/* The undo journal: what makes the writes of one section all there or not there at all. */
#ifndef SHMS_JOURNAL_H
#define SHMS_JOURNAL_H

#include "member.h"

/* Before n bytes at offset are written: keep the old ones, if this handle holds the lock. */
int shms__journal_save(struct member *m, uint64_t offset, uint64_t n);

/* Before the size changes to `size`: keep the old one. Bytes below *ret_precious must stay in memory. */
int shms__journal_resize(struct member *m, uint64_t size, uint64_t *ret_precious);

/* The section is over, and what it wrote stays. */
void shms__journal_commit(struct member *m);

/* The cell is ours: undo what the journal tells of. 1: a part of it cannot be believed, and was left out. */
int shms__journal_roll_back(struct member *m);

/* Before leaving: the journal's mapping pins the life token, like that of control. */
void shms__journal_close(struct member *m);

#endif
