/* SPDX-License-Identifier: MIT */
/* shms-bridge: its command line. */
#include "carrier.h"
#include "run.h"

#include "../linux/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char overview[] =
    "usage: shms-bridge run CONFIG\n"
    "       shms-bridge check CONFIG\n"
    "       shms-bridge status [--json]\n"
    "Dicts of several machines, kept in step through NATS JetStream.\n"
    "\n"
    "  run     carry the dicts of the configuration, until SIGTERM\n"
    "  check   say what is wrong with a configuration; connects to nobody\n"
    "  status  what bridges of this user on this machine do; --json: an object a line\n"
    "\n"
    "shms-bridge(1) tells more.\n";

static int usage(const char *what, const char *word)
{
    say("%s%s; see shms-bridge --help", word, what);
    return EXIT_USAGE;
}

static int check(const char *path)
{
    struct config c;
    bool sound = config_read(path, &c);
    if (sound)
        printf("%s: machine %u, %d server%s, %d dict%s\n", path, c.machine, c.server_count,
               c.server_count == 1 ? "" : "s", c.dict_count, c.dict_count == 1 ? "" : "s");
    config_free(&c);
    return sound ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(const char *path)
{
    struct config c;
    int status = config_read(path, &c) ? bridge_run(&c) : EXIT_FAILURE;
    config_free(&c);
    return status;
}

static int dispatch(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    bool is_status = strcmp(command, "status") == 0;
    if (strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0) {
        fputs(overview, stdout);
        return EXIT_SUCCESS;
    }
    if (strcmp(command, "--version") == 0) {
        printf("shms-bridge %s\n", SHMS_VERSION_STRING);
        return EXIT_SUCCESS;
    }
    if (!is_status && strcmp(command, "run") != 0 && strcmp(command, "check") != 0) {
        if (argc < 2)
            fputs(overview, stderr);
        return argc < 2 ? EXIT_USAGE : usage(" is no command", command);
    }
    if (argc > 2 && strcmp(argv[2], "--help") == 0) {
        fputs(overview, stdout);
        return EXIT_SUCCESS;
    }
    if (argc > 3)
        return usage(" is one operand too many", argv[3]);
    if (is_status && argc > 2 && strcmp(argv[2], "--json") != 0)
        return usage(" is no option of status", argv[2]);
    if (is_status)
        return status_print(argc > 2);
    if (argc < 3)
        return usage(": give it the file of the configuration", command);
    return *command == 'r' ? run(argv[2]) : check(argv[2]);
}

/* Output that could not be written must not look like success. */
int main(int argc, char **argv)
{
    open_streams();
    int status = dispatch(argc, argv);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    say("standard output cannot be written");
    return status == EXIT_SUCCESS ? EXIT_FAILURE : status;
}
