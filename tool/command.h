/* SPDX-License-Identifier: MIT */
/* Running another program, alike in shms and shms-cookie: exit statuses, and signals meanwhile. */
#ifndef SHMS_COMMAND_H
#define SHMS_COMMAND_H

/* Besides EXIT_SUCCESS and EXIT_FAILURE; the numbers above 3 are those of timeout(1). */
enum {
    EXIT_USAGE = 2,
    EXIT_DIED = 3, /* the other side of a channel died without closing */
    EXIT_CHANGED = 3, /* the record has another version than --if-version */
    EXIT_TIMED_OUT = 124,
    EXIT_OURS = 125, /* we failed, not the command */
    EXIT_CANNOT_RUN = 126,
    EXIT_NO_COMMAND = 127,
    EXIT_SIGNALLED = 128
};

/* What would end this process is held back from here on, and goes to the command while one runs. */
void hold_stops(void);
void release_stops(void);

#ifndef _WIN32
#include <signal.h>

extern sigset_t mask_before; /* of signals, before they were held: commands begin with it */

/* Closed standard streams, so that no file gets their numbers; reading and writing still fails with EBADF. */
void open_streams(void);

sigset_t held_signals(void); /* those that hold_stops() holds back, SIGCHLD among them */
int exit_status(int status); /* for what waitpid() said of a command that has ended */
int spawn_failed(int error); /* for what posix_spawn() gave */
#endif

#endif
