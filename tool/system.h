/* SPDX-License-Identifier: MIT */
/*
 * What the commands need of the operating system beside the library: tool/<system>/ has it, and CMake picks
 * the folder.
 */
#ifndef SHMS_TOOL_SYSTEM_H
#define SHMS_TOOL_SYSTEM_H

#include <stdio.h>

#include "cli.h"

/*
 * First of all: the arguments become UTF-8, standard input and output plain bytes. Standard streams that are
 * closed are opened, so that no file gets their numbers; reading and writing still fails with EBADF.
 */
void system_start(int *argc, char ***argv);

/* Steady time, and the time of day since 1970, in nanoseconds. */
int64_t system_clock_ns(void);
int64_t system_wall_ns(void);

uint32_t system_pid(void);
/* The number of the user, as shms_info.uid counts. */
uint32_t system_user(void);

/* What to do about SHMS_E_UNSUPPORTED. */
const char *system_unsupported(void);
/* The text of what shms_last_oserror() gives. */
const char *system_error(int oserror);

/* Size of a file in bytes, -1 for none. */
int64_t system_file_size(const char *path);

/* Is it a pipe, a terminal or another device? Then its other end says when a write comes to an end. */
bool system_is_device(const char *path);

/* Room of the file system that the regions are in. False: there is none of its own. */
bool system_room(uint64_t *ret_free, uint64_t *ret_all);

/* Before the first sleep. */
void system_begin_waiting(void);
/* Sleep up to ms, or until the descriptor (-1: none) tells of a change. False: the process is asked to end.
 * Close what is open, then call system_stop(). */
bool system_sleep(int fd, int64_t ms);
void system_stop(void);

/*
 * Run a command, between hold and release; signals go on to it. Its exit status, or EXIT_... of cli.h. Its
 * standard input and output are these files, from their present position on; NULL: those of this process.
 */
int system_run(const cli_args *args, char **words, FILE *in, FILE *out);
/* A file without a name, gone when it is closed. NULL: why stands in errno. */
FILE *system_scratch(void);
/* Run a line of the shell, between two sleeps. A signal that goes on to it is then told by the next call. */
int system_shell(const cli_args *args, char *line);
/* Is the process asked to end? As after system_sleep(). */
bool system_stopped(void);
void system_set_variable(const char *name, const char *value); /* NULL: unset */

/*
 * Go on in the background. False: not possible, or this is the process that was started, and *ret_status is
 * its exit status: 0 after system_detached(), else that of the background process. True: it is that one.
 */
bool system_detach(const cli_args *args, int *ret_status);
/* Let the process that was started end. False: it has gone already, so nobody knows of this one. */
bool system_detached(void);
/* Is there such a process? If so, the next call waits until it ends, or this one is asked to (SIGTERM). */
bool system_watch_process(int pid);
void system_wait_for_process(int pid);

/* Run fn in a second process until it is killed by the second call. False: not on this system. */
bool system_partner_start(void (*fn)(void *context), void *context);
bool system_partner_orphaned(void); /* asked by fn: is the first process gone? */
void system_partner_stop(void);

#endif
