/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "show.h"
#include "system.h"

static const command *const commands[] = {
    &cmd_create, &cmd_ls,   &cmd_top, &cmd_info, &cmd_read, &cmd_write, &cmd_cat, &cmd_copy, &cmd_resize,
    &cmd_lock,   &cmd_run,  &cmd_watch, &cmd_wait, &cmd_send, &cmd_recv, &cmd_dict,  &cmd_get,
    &cmd_set,    &cmd_del,  &cmd_add,  &cmd_keys, &cmd_changes, &cmd_repaired, &cmd_rm, &cmd_sweep,
    &cmd_bench,
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_help(FILE *out)
{
    fputs("usage: shms COMMAND [OPTION]... [OPERAND]...\n"
          "Named memory that several processes share: open, lock, read, write, wait.\n\n", out);
    for (int i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n  --help     show this, or with a command that command's options (or: help [COMMAND])\n"
          "  --version  show the version (or: -V)\n\n"
          "A name is private to its user; 'Global\\NAME' (mind the quotes) is one for all users.\n"
          "Exit status: 0 success, 1 failure, 2 misuse, 3 a sender died, or a record was\n"
          "changed by somebody else, 124 timed out. See shms(1).\n", out);
}

/* Output that could not be written must not look like success; a reader that went away needs no words. */
static int finish(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    if (errno != EPIPE)
        fprintf(stderr, "shms: standard output: %s\n", cli_io_error(errno));
    return status == EXIT_SUCCESS ? EXIT_FAILURE : status;
}

static int dispatch(int argc, char **argv)
{
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i]->name) != 0)
            continue;
        cli_args args;
        int status = cli_parse(&args, commands[i], argc - 1, argv + 1);
        return status >= 0 ? status : commands[i]->run(&args);
    }
    fputs("shms: ", stderr);
    show_text(stderr, argv[1]);
    fputs(": unknown command; see shms --help\n", stderr);
    return EXIT_USAGE;
}

/* shms help [COMMAND] */
static int help(int argc, char **argv)
{
    if (argc > 3) {
        fputs("shms: help: one command at a time; see shms --help\n", stderr);
        return EXIT_USAGE;
    }
    if (argc == 3) {
        char option[] = "--help", *line[] = {argv[0], argv[2], option, NULL};
        return dispatch(3, line);
    }
    print_help(stdout);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    system_start(&argc, &argv);
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return finish(EXIT_SUCCESS);
    }
    if (strcmp(argv[1], "help") == 0)
        return finish(help(argc, argv));
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("shms %s (library %s, format %d)\n", SHMS_VERSION_STRING, shms_version(), SHMS_FORMAT_VERSION);
        return finish(EXIT_SUCCESS);
    }
    return finish(dispatch(argc, argv));
}
