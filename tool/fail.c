/* SPDX-License-Identifier: MIT */
/* What went wrong, and what to do about it: every code of the library in the words of a shell user. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "show.h"
#include "system.h"

static void begin(const cli_args *args, const char *name)
{
    fflush(stdout);
    fprintf(stderr, "shms: %s: ", args->command->name);
    if (name) {
        show_text(stderr, *name ? name : "''");
        fputs(": ", stderr);
    }
}

/* What is put into a message may be anybody's text. */
static void say(const char *format, va_list list)
{
    char text[8192];
    vsnprintf(text, sizeof text, format, list);
    show_text(stderr, text);
}

int cli_error(const cli_args *args, const char *name, const char *format, ...)
{
    va_list list;
    begin(args, name);
    va_start(list, format);
    say(format, list);
    va_end(list);
    fputc('\n', stderr);
    return EXIT_FAILURE;
}

int cli_usage(const cli_args *args, const char *format, ...)
{
    va_list list;
    begin(args, NULL);
    va_start(list, format);
    say(format, list);
    va_end(list);
    fprintf(stderr, "; see shms %s --help\n", args->command->name);
    return EXIT_USAGE;
}

static const char *advice(int code)
{
    switch (code) {
    case SHMS_E_NOT_FOUND: return "see `shms ls`, or make one with `shms create`";
    case SHMS_E_EXISTS: return "add --existing to accept it";
    case SHMS_E_DENIED: return "ask its owner, or take another name";
    case SHMS_E_TIMEOUT: return "a member may be stopped while it opens or closes the region; try again";
    case SHMS_E_NOSPACE: return "ask for less, or free some with `shms sweep` and `shms rm`";
    case SHMS_E_NOMEM: return "ask for less, or raise the limit (ulimit -v)";
    case SHMS_E_CORRUPT: return "remove it with `shms rm` and create it anew";
    case SHMS_E_FORMAT: return "it is damaged or another version's; use that version, or `shms rm` it";
    case SHMS_E_LOST: return "end its members, or remove it with `shms rm`, and create it anew";
    case SHMS_E_FULL: return "256 handles are open; end some of the processes that use it";
    case SHMS_E_UNSUPPORTED: return system_unsupported();
    default: return NULL;
    }
}

/* Why the library does not take the name. Every other argument was checked when it was parsed. */
static const char *name_problem(const char *name)
{
    static const char *const prefixes[] = {"Global\\", "Local\\"};
    for (size_t i = 0; i < 2; i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) {
            name += strlen(prefixes[i]);
            break;
        }
    }
    size_t room = 0;
    for (const char *p = name; *p; p++)
        room += iscntrl((unsigned char)*p) || *p == '/' || *p == '%' ? 3 : 1;
    if (!*name)
        return "the name is empty; give it 1 to 240 bytes";
    if (strchr(name, '\\'))
        return "the name holds a backslash; only the prefixes Local\\ and Global\\ may";
    if (room > SHMS_NAME_MAX)
        return "the name is too long; the most is 240 bytes, where / and % count three times";
    return "the name is not UTF-8 text; write it in that encoding";
}

static bool is_about_records(const cli_args *args)
{
    const command *c = args->command;
    return args->key || strstr(c->operands, "KEY") || c == &cmd_keys || c == &cmd_changes;
}

/* A region that the user may read, but not look into, is not listed. */
static int fail_unlisted(const cli_args *args, const char *name)
{
    shms_stream_options options = {.struct_size = sizeof options, .access = SHMS_ACCESS_READ, .mode = 0666,
                                   .create = SHMS_OPEN_ONLY, .owners = SHMS_OWNER_ANY};
    shms_stream *s;
    if (strncmp(name, "Global\\", 7) != 0 || shms_stream_open(name, 0, &options, &s) < 0)
        return 0;
    shms_stream_close(s);
    if (!strchr(args->command->options, 'O'))
        return cli_error(args, name, "it is another user's; only that user may do this");
    if (is_about_records(args))
        return cli_error(args, name, "it is another user's, and you may only read it: "
                                     "`shms get`, `keys` and `changes` with --owner any --mode 0666");
    return cli_error(args, name, "it is another user's, and you may only read it: "
                                 "`shms cat --no-lock --owner any --mode 0666 '%s'`", name);
}

/* All private names lie in one place, which another user may have taken first. */
int cli_check_place(const cli_args *args, const char *name)
{
    if (!show_place_taken() || (name && strncmp(name, "Global\\", 7) == 0))
        return 0;
    return cli_error(args, name, "the place of your private names, /dev/shm/shms-%u, is another user's or "
                                 "open to others; let root remove it, and take 'Global\\NAME' meanwhile",
                     system_user());
}

static int fail_denied(const cli_args *args, const char *name)
{
    shms_info listed, *info = &listed;
    uint32_t accepted = args->open.mode ? args->open.mode : 0600;
    if (show_find(name, info) < 0)
        return cli_check_place(args, name) ? EXIT_FAILURE : fail_unlisted(args, name);
    bool others = info->uid != system_user();
    if (others && !strchr(args->command->options, 'O'))
        return cli_error(args, name, "it belongs to user %u; only that user may do this", info->uid);
    if (others && args->open.owners == SHMS_OWNER_SELF)
        return cli_error(args, name, "it is user %u's, mode %04o; accept that with --owner %u --mode %04o",
                         info->uid, info->mode, info->uid, info->mode);
    if (info->mode & ~accepted)
        return cli_error(args, name, "its mode %04o is looser than %04o; accept that with --mode %04o",
                         info->mode, accepted, info->mode);
    if (others)
        return cli_error(args, name, "permission denied; it is user %u's, mode %04o: ask its owner",
                         info->uid, info->mode);
    return 0;
}

/* What is done with an object of that kind. */
static int fail_kind(const cli_args *args, const char *name)
{
    shms_info info;
    const char *const instead[] = {"stream, which is bytes; use `shms read` and `shms write`",
                                   "channel; use `shms send` and `shms recv`",
                                   "dict; use `shms get`, `set`, `keys`, `changes` and `lock --key`"};
    if (show_find(name, &info) < 0 || info.kind >= sizeof instead / sizeof *instead)
        return 0;
    return cli_error(args, name, "it is a %s", instead[info.kind]);
}

/* Codes that can be worded better by a look at the region or the name. 0: this one cannot. */
static int fail_specially(const cli_args *args, const char *name, int code)
{
    shms_info info;
    if (code == SHMS_E_INVALID)
        return cli_error(args, name, "%s", name_problem(name));
    if (code == SHMS_E_KIND)
        return fail_kind(args, name);
    if (code == SHMS_E_DENIED && fail_denied(args, name))
        return EXIT_FAILURE;
    if (code == SHMS_E_DENIED) /* of an object that is no stream only the bytes can be read */
        return show_find(name, &info) == 0 && info.kind ? fail_kind(args, name) : 0;
    if (code != SHMS_E_SIZE || show_find(name, &info) < 0)
        return 0;
    return cli_error(args, name, "the region has %llu bytes, fewer than the %llu asked; ask for less, or "
                                 "`shms rm` it first",
                     (unsigned long long)info.size, (unsigned long long)args->size);
}

const char *cli_io_error(int error)
{
    return error == EBADF ? "it is closed" : strerror(error);
}

int cli_fail(const cli_args *args, const char *name, int code)
{
    int oserror = shms_last_oserror();
    if (name && fail_specially(args, name, code))
        return EXIT_FAILURE;
    const char *todo = code == SHMS_E_OS && oserror ? system_error(oserror) : advice(code);
    cli_error(args, name, "%s%s%s", shms_strerror(code), todo ? "; " : "", todo ? todo : "");
    return code == SHMS_E_TIMEOUT ? EXIT_TIMED_OUT : EXIT_FAILURE;
}
