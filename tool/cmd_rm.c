/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"
#include "show.h"
#include "system.h"

static int remove_named(const cli_args *args)
{
    cli_names names;
    int result = cli_select(args, true, &names);
    for (size_t i = 0; i < names.n; i++) {
        int rc = shms_stream_unlink(names.name[i].text);
        if (rc == SHMS_E_NOT_FOUND && names.name[i].fitted)
            continue; /* it went while we looked */
        if (rc < 0)
            result = cli_fail(args, names.name[i].text, rc);
    }
    cli_names_free(&names);
    return result;
}

/* ---- all that the user has */

/* To the front what is the user's own. Their number. */
static size_t keep_own(region *regions, size_t n)
{
    size_t own = 0;
    for (size_t i = 0; i < n; i++) {
        if (regions[i].info.uid != system_user())
            continue;
        region r = regions[own];
        regions[own++] = regions[i];
        regions[i] = r;
    }
    return own;
}

static bool is_yes(void)
{
    char answer[16];
    return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* 0 or an exit status. */
static int ask(const cli_args *args, const region *regions, size_t n)
{
    size_t used = 0;
    uint64_t bytes = 0;
    char size[SHOW_TEXT];
    if (args->yes)
        return 0;
    if (!isatty(STDIN_FILENO))
        return cli_usage(args, "--all asks, and standard input is no terminal; add --yes");
    for (size_t i = 0; i < n; i++) {
        used += regions[i].info.state == SHMS_STATE_LIVE;
        bytes += regions[i].info.memory_bytes;
    }
    fprintf(stderr, "remove all %zu regions, %s (%zu are open in some process)? [y/N] ", n,
            show_size(size, bytes), used);
    return is_yes() ? 0 : cli_error(args, NULL, "nothing is removed");
}

static int remove_all(const cli_args *args)
{
    region *regions;
    size_t listed;
    int rc = show_list(&regions, &listed);
    if (rc < 0)
        return cli_fail(args, NULL, rc);
    size_t n = keep_own(regions, listed);
    int refused = n > 0 ? ask(args, regions, n) : 0;
    int result = refused ? refused : cli_check_place(args, NULL);
    for (size_t i = 0; !refused && i < n; i++) {
        rc = shms_stream_unlink(regions[i].name);
        if (rc < 0 && rc != SHMS_E_NOT_FOUND)
            result = cli_fail(args, regions[i].name, rc);
    }
    show_free(regions, listed);
    return result;
}

static int run(cli_args *args)
{
    if (args->all && args->operands > 0)
        return cli_usage(args, "--all, or names: not both");
    if (!args->all && args->operands == 0)
        return cli_usage(args, "which region? give its name");
    return args->all ? remove_all(args) : remove_named(args);
}

const command cmd_rm = {
    .name = "rm", .run = run, .options = "ay", .operands = "NAME... | --all", .least = 0, .most = -1,
    .summary = "Remove regions; processes that have one open keep its memory",
    .details = "A NAME with * or ? stands for all your regions whose names fit.\n",
};
