/* SPDX-License-Identifier: MIT */
/*
 * Trials: a public call is made in a traced process again and again, and each time another one of its system
 * calls fails, with every error it could plausibly have. After each run: the call succeeded or gave a code
 * that it documents; its process has no descriptor and no mapping more than before, and its handle works;
 * another process finds the region whole or gone, and can lock, write and leave; no name is left.
 */
#ifndef FAULT_H
#define FAULT_H

#include "inject.h"
#include "roles.h"

#define FAULT_SIZE 8192u
#define MAY(code) (1u << -(code))

/* What there is around the traced process. "Own" is a handle of the test itself, which lives all the time. */
enum stage {
    NOTHING,
    ALIVE,   /* own */
    HELD,    /* own, which holds the lock */
    SHARED,  /* own, which holds the shared lock */
    RELEASED, /* own, and a peer that holds the lock until somebody waits */
    WAITERS, /* own, and when the traced process is prepared, one peer in lock and one in wait */
    DEAD_HOLDER, /* own, and a peer that wrote in its section and was killed */
    STOPPED_HOLDER,
    KEPT,   /* no member, and to be kept */
    DEAD,   /* what a killed peer left */
    DEAD_AT_WORK, /* the same, killed in its section */
    ORPHAN, /* data without control */
    HALF    /* control without data */
};

struct trial {
    const char *name;
    enum stage stage;
    void (*prepare)(void);     /* in the traced process, before it is traced; NULL: nothing */
    int64_t (*act)(void);      /* the call: 0, or a code */
    void (*after)(int64_t rc); /* NULL: the handle is used and closed */
    int usual;                 /* what the call answers if nothing fails */
    unsigned may;              /* what else it may answer if something does: MAY(code) | ... */
    uint32_t mode;             /* not 0: the name is Global, and the region has this mode */
    bool as_stranger;          /* the traced process is another user's */
    bool atomic;               /* the region is crash-atomic */
    bool keep;                 /* the region is kept, whoever made it */
    bool may_be_gone;          /* the call removes the name, or keeps what would go */
};

/* In the traced process. */
extern const char *fault_name;
extern shms_stream *fault_handle;
shms_stream_options *fault_options(void); /* the defaults that the trial's mode needs */
int fault_open(const shms_stream_options *options, uint64_t size); /* into fault_handle */
void fault_member(void);           /* prepare: open it */
void fault_become_child(void);     /* prepare: what is traced is a child, made behind the C library's back */
void fault_use(void);              /* the handle works */
void fault_use_and_close(int64_t rc);
void fault_only_close(int64_t rc); /* after: for handles that cannot be used so */

/* The main of a test program; a trial without a name ends the table. */
int fault_main(int argc, char **argv, const struct trial *table);

#endif
