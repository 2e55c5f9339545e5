/* SPDX-License-Identifier: MIT */
/* shms-cookie: its command line, taken apart, and its commands. */
#ifndef SHMS_COOKIE_H
#define SHMS_COOKIE_H

#include "../command.h"
#include "shmstream/jar.h"

#include <stdbool.h>

typedef struct arguments arguments;

typedef struct command {
    const char *name, *operands, *about;
    const char *options; /* letters of those it takes, see main.c */
    int least, most;     /* operands; -1: any number, which are `words` from the second on */
    bool makes;          /* a jar that is not there */
    bool jarless;        /* opens none: run gets NULL */
    int (*run)(shms_jar *j, const arguments *args);
} command;

struct arguments {
    const command *command;
    const char *jar;
    const char *partition;
    const char *operand[2]; /* NULL: not given */
    uint32_t flags, site;   /* of the request */
    int timeout_ms;
    bool json, all, user, system;
    const char *profile; /* of Chromium: --user-data-dir */
    char **words; /* of a command to be run */
};

extern const command commands[];

int run_curl(shms_jar *j, const arguments *args);
int run_lock(shms_jar *j, const arguments *args);
int run_host(shms_jar *j, const arguments *args);
void host_tell_failure(int code); /* to the browser: there is no jar */
int run_browser(shms_jar *none, const arguments *args);

/* Say what is wrong on standard error: EXIT_FAILURE. */
int cookie_error(const arguments *args, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for a code of the library, and what to do about it; what: the URL, host or file, or NULL. */
int cookie_fail(const arguments *args, const char *what, int code);

/* The same of a call that was given a host; NULL: none. */
int cookie_fail_host(const arguments *args, const char *host, int64_t code);

#endif
