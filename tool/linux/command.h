/* SPDX-License-Identifier: MIT */
/* Running another program on Linux: what shms and shms-cookie share below command.h. */
#ifndef SHMS_LINUX_COMMAND_H
#define SHMS_LINUX_COMMAND_H

#include "../command.h"

#include <signal.h>

extern sigset_t mask_before; /* of signals, before they were held: commands begin with it */

/* First of all. Closed standard streams, so that no file gets their numbers; reading and writing still fails
 * with EBADF. Messages go out a line at a time. */
void open_streams(void);

sigset_t held_signals(void); /* those that hold_stops() holds back, SIGCHLD among them */
int exit_status(int status); /* for what waitpid() said of a command that has ended */
int spawn_failed(int error); /* for what posix_spawn() gave */

#endif
