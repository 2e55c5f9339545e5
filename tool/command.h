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

#endif
