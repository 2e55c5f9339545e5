/* SPDX-License-Identifier: MIT */
/* The undo journal: what makes the writes of one section happen completely or not at all. */
#ifndef SHMS_JOURNAL_H
#define SHMS_JOURNAL_H

#include "member.h"

/* What a handle's journal keeps to itself: journal.c's alone. */
struct journal {
    a32 open;           /* a section of this handle is open: its writes are to be undone */
    a64 writer;         /* the thread that is inside; 0: none */
    unsigned char *at;  /* the records, mapped; NULL: none yet */
    uint64_t mapped;    /* bytes */
    uint64_t reserved;  /* of these, the bytes that have memory behind them */
    uint64_t used;      /* as in control, which a peer may overwrite */
    uint64_t size;      /* of the region when the section began, once it has been resized; 0: it has not */
    uint64_t *saved;    /* a bit a block: its old bytes are in the records */
    uint64_t words;     /* of saved */
    uint64_t low, high; /* of these, the words that are not all zero: from low up to high */
};

/* The last step of beginning a section: from here on writes are saved. */
void shms__journal_open(struct journal *j);
/* The section goes on after all: what it has saved still counts. */
void shms__journal_resume(struct journal *j);

/* Before n bytes at offset are written: keep the old ones, if a section is open. SHMS_E_TIMEOUT: a thread was
 * cut off inside this call, and holds it up. */
int shms__journal_save(struct member *m, struct journal *j, uint64_t offset, uint64_t n);

/* Before the size changes to `size`: keep the old one. Bytes below *ret_precious must stay in memory. */
int shms__journal_resize(struct member *m, struct journal *j, uint64_t size, uint64_t *ret_precious);

/* The first step of ending a section: from here on nothing is saved. Then one of the two below. */
void shms__journal_shut(struct member *m, struct journal *j);

/* What the section wrote stays. */
void shms__journal_commit(struct member *m, struct journal *j);
/* Has that been done, in a section that has not been left? */
bool shms__journal_committed(const struct member *m, const struct journal *j);

/* The cell is ours: undo what the journal tells of. 1: a part of it cannot be believed, and was left out. */
int shms__journal_roll_back(struct member *m);

/* In a child of fork: nothing is open, nothing is mapped. */
void shms__journal_renew(struct journal *j);

/* Before leaving: the journal's mapping pins the life token, like that of control. */
void shms__journal_close(struct member *m, struct journal *j);

#endif
