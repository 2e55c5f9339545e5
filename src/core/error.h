/* SPDX-License-Identifier: MIT */
/* Codes on their way out: each failure goes through one of these two, which remember the errno behind it. */
#ifndef SHMS_ERROR_H
#define SHMS_ERROR_H

#include "shmstream.h"

/* Not a public code: the name changed hands while it was being opened; begin again. */
enum { SHMS__RETRY = -1000 };

/* A failure that has no errno behind it. Gives `code` back. */
int shms__fail(int code);

/* A failure of a system call. Gives back the code that `oserror` (an errno) means to a user. */
int shms__fail_os(int oserror);

/* The errno of a failure that cleaning up must not hide. */
void shms__restore_oserror(int oserror);

#endif
