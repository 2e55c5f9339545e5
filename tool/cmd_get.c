/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "show.h"

/* A value in fresh memory. Its length or a code. */
static int64_t take(shms_dict *d, const char *key, char **ret_value, shms_dict_record *ret_record)
{
    int64_t room = 64;
    for (;;) {
        char *value = malloc((size_t)room + 1);
        if (!value)
            return SHMS_E_NOMEM;
        int64_t n = shms_dict_get(d, key, strlen(key), value, (size_t)room, ret_record);
        if (n >= 0 && n <= room) {
            *ret_value = value;
            return n;
        }
        free(value);
        if (n < 0)
            return n;
        room = n;
    }
}

static int print_number(const cli_args *args, const char *value, int64_t n)
{
    int64_t number;
    if (n != sizeof number)
        return cli_error(args, args->name, "it is no counter: its value has %" PRId64 " bytes, not 8", n);
    memcpy(&number, value, sizeof number);
    printf("%" PRId64 "\n", number);
    return EXIT_SUCCESS;
}

static void print_json(const char *key, const char *value, const shms_dict_record *record)
{
    putchar('{');
    show_json_record(stdout, key, strlen(key), record);
    fputs(", ", stdout);
    show_json_bytes(stdout, "value", value, (size_t)record->size);
    puts("}");
}

/* As it is; on a terminal the prompt is to stand on a line of its own. */
static int print_value(const cli_args *args, const char *value, int64_t n)
{
    int status = cli_put(args, value, (size_t)n);
    if (status == EXIT_SUCCESS && isatty(STDOUT_FILENO) && n > 0 && value[n - 1] != '\n')
        putchar('\n');
    return status;
}

static int run(cli_args *args)
{
    int status = EXIT_SUCCESS;
    char *value = NULL;
    shms_dict_record record = {.struct_size = sizeof record};
    shms_dict *d = cli_record(args, SHMS_ACCESS_READ, &status);
    if (!d)
        return status;
    int64_t n = take(d, cli_record_key(args), &value, &record);
    if (n < 0)
        status = cli_dict_fail(args, d, (int)n);
    else if (args->json)
        print_json(cli_record_key(args), value, &record);
    else
        status = args->number ? print_number(args, value, n) : print_value(args, value, n);
    free(value);
    shms_dict_close(d);
    return status;
}

const command cmd_get = {
    .name = "get", .run = run, .options = "4jtmO", .operands = "NAME KEY", .least = 2, .most = 2,
    .timeout_ms = 5000, .summary = "Print the value of a key of a dict",
    .details = "The bytes are printed as they are. Exit status 1: there is no such record.\n",
};
