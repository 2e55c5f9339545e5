/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "cli.h"
#include "show.h"

/* Looks without joining. A name that is not listed is opened, for the reason why it is not. */
static int look(const cli_args *args, const char *name, shms_info *ret_info)
{
    int rc = show_find(name, ret_info);
    if (rc != SHMS_E_NOT_FOUND)
        return rc < 0 ? cli_fail(args, name, rc) : 0;
    int status = 0;
    shms_stream *s = cli_open_existing(args, name, SHMS_ACCESS_READ, &status);
    if (!s)
        return status;
    ret_info->struct_size = sizeof *ret_info;
    rc = shms_stream_info(s, ret_info);
    shms_stream_close(s);
    return rc < 0 ? cli_fail(args, name, rc) : 0;
}

/* What fitted a pattern was looked at when it was listed; to look for each once more is to list all again. */
static int tell(const cli_args *args, const cli_name *operand, bool first)
{
    shms_info info = operand->info;
    inside in;
    const char *name = show_plain_name(operand->text);
    int status = operand->fitted ? 0 : look(args, operand->text, &info);
    if (status)
        return status;
    show_inside(name, &info, &in);
    if (args->json) {
        show_json_region(stdout, name, &info, &in);
        putchar('\n');
        return EXIT_SUCCESS;
    }
    if (!first)
        putchar('\n');
    show_region(stdout, name, &info, &in);
    return EXIT_SUCCESS;
}

static int run(cli_args *args)
{
    cli_names names;
    int result = cli_select(args, false, &names);
    for (size_t i = 0; i < names.n; i++) {
        int status = tell(args, &names.name[i], i == 0);
        if (status)
            result = status;
    }
    cli_names_free(&names);
    return result;
}

const command cmd_info = {
    .name = "info", .run = run, .options = "j", .operands = "NAME...", .least = 1, .most = -1,
    .summary = "Tell all about regions, and which processes have them open",
    .details = "A NAME with * or ? stands for all regions whose names fit.\n",
};
