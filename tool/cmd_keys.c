/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "show.h"

static bool is_wanted(const cli_args *args, const char *key, size_t n)
{
    size_t length = args->prefix ? strlen(args->prefix) : 0;
    return n >= length && (length == 0 || memcmp(key, args->prefix, length) == 0);
}

static void print(const cli_args *args, const char *key, size_t n, const shms_dict_record *record, bool first)
{
    if (args->json) {
        fputs(first ? "\n {" : ",\n {", stdout);
        show_json_record(stdout, key, n, record);
        putchar('}');
    } else {
        show_bytes(stdout, key, n);
        putchar('\n');
    }
}

static int run(cli_args *args)
{
    int status = EXIT_SUCCESS, rc = 0;
    bool first = true;
    uint64_t cursor = 0;
    char key[SHMS_DICT_KEY_MOST];
    shms_dict *d = cli_dict(args, SHMS_ACCESS_READ, &status);
    if (!d)
        return status;
    if (args->json)
        putchar('[');
    for (;;) {
        size_t n = sizeof key;
        shms_dict_record record = {.struct_size = sizeof record};
        rc = shms_dict_next(d, &cursor, key, &n, NULL, NULL, &record);
        if (rc <= 0 || ferror(stdout))
            break;
        if (!is_wanted(args, key, n))
            continue;
        print(args, key, n, &record, first);
        first = false;
    }
    if (args->json)
        puts(first ? "]" : "\n]");
    if (rc < 0)
        status = cli_fail(args, args->name, rc);
    shms_dict_close(d);
    return status;
}

const command cmd_keys = {
    .name = "keys", .run = run, .options = "UjtmO", .operands = "NAME", .least = 1, .most = 1,
    .timeout_ms = 5000, .summary = "List the keys of a dict, in no order",
};
