/* SPDX-License-Identifier: MIT */
/*
 * What the commands of shms share: the entry of the command table, the arguments
 * after parsing, and the few steps nearly all of them take (open, lock, say what
 * went wrong). Commands see the library through shmstream.h only.
 *
 * A command returns the exit status of the process. What fails has been worded on
 * standard error by then.
 */
#ifndef SHMS_TOOL_CLI_H
#define SHMS_TOOL_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "command.h"
#include "shmstream.h"
#include "shmstream/channel.h"
#include "shmstream/dict.h"

#define CLI_PRINTF(at) __attribute__((format(printf, at, at + 1)))

typedef struct cli_args cli_args;

/* How messages of a channel stand in a stream of bytes. */
typedef enum cli_framing { CLI_LINES, CLI_RAW, CLI_LENGTH } cli_framing;

typedef struct command {
    const char *name;
    int (*run)(cli_args *args);
    const char *options;  /* keys of the table in cli.c; every command takes --help */
    const char *operands; /* as the usage line shows them */
    int least, most;      /* operands; most < 0: any number */
    int timeout_ms;       /* unless --timeout is given */
    const char *summary;
    const char *details;  /* further lines of --help, or NULL */
} command;

/* The arguments of one command. What was not given is as cli_parse() says. */
struct cli_args {
    const command *command;
    char **operand;
    int operands;
    const char *name;         /* operand[0], the region */
    shms_stream_options open; /* owners, owner_uid, mode, max_size, sparse, atomic */
    uint64_t size;
    uint64_t count;
    uint64_t offset;
    int64_t since;
    int timeout_ms;
    const char *from, *to;
    cli_framing framing;
    uint32_t slow; /* SHMS_SLOW_... */
    bool broadcast, wait_receiver;
    shms_dict_options dict; /* cell_size, ring, policy, key_max, value_max */
    const char *key, *prefix;
    shms_dict_how how; /* if_version, ttl_ms */
    int64_t start;
    bool follow, number;
    const char *columns, *exec;
    const char *sort;
    int interval_ms; /* 0: not given */
    bool once;
    int hold; /* a process id, 0: none */
    bool quiet, all, yes;
    bool existing, text, no_lock, shared, json;
};

extern const command cmd_add, cmd_bench, cmd_cat, cmd_changes, cmd_copy, cmd_create, cmd_del, cmd_dict,
    cmd_get, cmd_info, cmd_keys, cmd_lock, cmd_ls, cmd_read, cmd_recv, cmd_repaired, cmd_resize, cmd_rm,
    cmd_run, cmd_send, cmd_set, cmd_sweep, cmd_top, cmd_wait, cmd_watch, cmd_write;

/* Parse the arguments after the command's name. Returns -1 to go on, or an exit status. */
int cli_parse(cli_args *args, const command *cmd, int argc, char **argv);

/* An integer in decimal, and nothing else. */
bool cli_parse_integer(const char *text, int64_t *ret);

/* The size of a region. NULL, or why it is none. */
const char *cli_parse_size(const char *text, uint64_t *ret);

/* `shms: COMMAND: NAME: text` on standard error; `name` may be NULL. Returns EXIT_FAILURE. */
int cli_error(const cli_args *args, const char *name, const char *format, ...) CLI_PRINTF(3);
/* The same for a misused command line, with a pointer to --help. Returns EXIT_USAGE. */
int cli_usage(const cli_args *args, const char *format, ...) CLI_PRINTF(2);
/* Why reading standard input or writing standard output failed; see system_start(). */
const char *cli_io_error(int error);
/* The same for a code of the library: what was wrong, and what to do. Returns the exit status for it. */
int cli_fail(const cli_args *args, const char *name, int code);
/* After show_list(): whether a name or pattern could be looked for (NULL: all names). Else EXIT_FAILURE. */
int cli_check_place(const cli_args *args, const char *name);

/*
 * The names that the operands stand for: each as it is, or if it has a star or question mark, and no region
 * is called so, the regions that fit; `own`: only those of this user. Returns EXIT_SUCCESS; what fits nothing
 * is worded, and makes it EXIT_FAILURE.
 */
typedef struct cli_name {
    char *text;
    bool fitted; /* it was not named, but fitted */
    shms_info info; /* of one that fitted */
} cli_name;
typedef struct cli_names {
    cli_name *name;
    size_t n;
} cli_names;
int cli_select(const cli_args *args, bool own, cli_names *ret);
void cli_names_free(cli_names *names);

/* Open, as shms_stream_open(). NULL: the reason is worded, and *ret_status set. */
shms_stream *cli_open(const cli_args *args, const char *name, uint64_t size,
                      const shms_stream_options *options, int *ret_status);
shms_stream *cli_open_existing(const cli_args *args, const char *name, uint32_t access, int *ret_status);

/*
 * Take the lock, `shared` for reading, within --timeout and hold back the signals that would end the
 * process, so that a Ctrl-C does not leave the next holder with a dead owner. A dead owner's news goes to
 * *ret_died, or is worded here where that is NULL. Returns 0 or an exit status.
 */
int cli_lock(const cli_args *args, const char *name, shms_stream *s, bool shared, bool *ret_died);
int cli_unlock(const cli_args *args, const char *name, shms_stream *s);

/* Waiting for changes, a sleep at a time, each at most longest_ms and all of them --timeout. */
typedef struct cli_pause {
    int fd; /* becomes readable at a change; -1: none */
    int64_t longest_ms, deadline_ms;
} cli_pause;
cli_pause cli_pause_begin(const cli_args *args, int fd, int64_t longest_ms);
/* 0; an exit status when the time is over; -1: close what is open, then call system_stop(). */
int cli_pause_sleep(const cli_args *args, const cli_pause *p);
/* Wait for another version than *seen. 0 or an exit status; Ctrl-C closes the stream, then ends us. */
int cli_wait(const cli_args *args, shms_stream *s, int64_t *seen);

/*
 * Copy up to `count` bytes from `offset` into fresh memory, under the lock unless --no-lock. The caller frees
 * *ret_bytes. Returns 0 or an exit status.
 */
int cli_take(const cli_args *args, const char *name, uint64_t offset, uint64_t count, char **ret_bytes,
             size_t *ret_n);
/*
 * All of standard input, but at most `most` bytes; more is an error. It is read without any lock: what fills
 * the pipe may be slow. The caller frees *ret_bytes, which has room for one byte more. Returns 0 or an exit
 * status.
 */
int cli_read_input(const cli_args *args, uint64_t most, char **ret_bytes, size_t *ret_n);
/* Write bytes to standard output. Returns 0 or an exit status; a closed pipe is no error worth words. */
int cli_put(const cli_args *args, const char *bytes, size_t n);
/* What went wrong with standard output just now, in words. Returns EXIT_FAILURE. */
int cli_put_failed(const cli_args *args);

/* Open or create the channel args->name. NULL: the reason is worded, and *ret_status set. */
shms_channel *cli_channel(const cli_args *args, int role, int *ret_status);
/* A queue ends with its last handle, and what nobody received with it: so many messages, if this one is the
 * last. */
uint64_t cli_channel_lost(const cli_args *args, shms_channel *c);
/* What a call on it gave, in words. Returns the exit status for it. */
int cli_channel_fail(const cli_args *args, int code);

/* Open the dict args->name, and no other kind. NULL: the reason is worded, and *ret_status set. */
shms_dict *cli_dict(const cli_args *args, uint32_t access, int *ret_status);
/* The same for one record: cli_record_key() is its key, an operand. */
shms_dict *cli_record(const cli_args *args, uint32_t access, int *ret_status);
const char *cli_record_key(const cli_args *args);
/* What a call on it gave, in words. Returns the exit status for it. */
int cli_dict_fail(const cli_args *args, shms_dict *d, int code);

/* On a terminal, and only there, how much has passed. `stream` is where the bytes come from or go to. */
typedef struct cli_progress {
    int stream;
    uint64_t bytes;
    int64_t began_ns, shown_ns;
} cli_progress;
void cli_progress_add(cli_progress *p, uint64_t bytes);
void cli_progress_end(cli_progress *p);

#endif
