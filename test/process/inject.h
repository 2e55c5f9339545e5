/* SPDX-License-Identifier: MIT */
/* Making the N-th system call of a traced process fail. x86-64 only: INJECT_CAN says whether there is any. */
#ifndef INJECT_H
#define INJECT_H

#include <sys/types.h>

#if defined(__x86_64__) && !defined(__ILP32__)
#define INJECT_CAN 1
#else
#define INJECT_CAN 0
#endif

/* In the traced process: from here on it is traced; inject_mark before and after what is to be tried. */
void inject_offer(void);
void inject_mark(void);

#define INJECT_BEYOND (-1)
#define FUTEX_WAITV 449 /* the number everywhere; older headers lack it */
/*
 * Follow `pid` from its first mark to its second. Of the system calls between them that could fail with
 * `error`, the nth does. Gives its number, or INJECT_BEYOND: there are fewer.
 */
long inject(pid_t pid, unsigned nth, int error);

#endif
