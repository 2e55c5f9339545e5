/* SPDX-License-Identifier: MIT */
/* Operands that stand for several regions. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "show.h"
#include "system.h"

static bool add(cli_names *names, const char *text, const shms_info *fitted)
{
    cli_name *grown = realloc(names->name, (names->n + 1) * sizeof *grown);
    char *copy = grown ? strdup(text) : NULL;
    if (grown)
        names->name = grown;
    if (copy)
        names->name[names->n++] = (cli_name){copy, fitted, fitted ? *fitted : (shms_info){0}};
    return copy != NULL;
}

static bool is_pattern(const char *text)
{
    return strpbrk(text, "*?") != NULL;
}

/* 0 or an exit status. */
static int add_fitting(const cli_args *args, const char *pattern, bool own, const region *regions, size_t n,
                       cli_names *names)
{
    size_t before = names->n;
    for (size_t i = 0; i < n; i++) {
        if (!show_matches(regions[i].name, pattern) || (own && regions[i].info.uid != system_user()))
            continue;
        if (!add(names, regions[i].name, &regions[i].info))
            return cli_fail(args, NULL, SHMS_E_NOMEM);
    }
    int unseen = cli_check_place(args, pattern);
    return unseen || names->n > before ? unseen : cli_error(args, pattern, "no region fits; see `shms ls`");
}

int cli_select(const cli_args *args, bool own, cli_names *ret)
{
    region *regions = NULL;
    size_t n = 0;
    bool listed = false;
    int result = EXIT_SUCCESS;
    *ret = (cli_names){0};
    for (int i = 0; i < args->operands; i++) {
        const char *text = args->operand[i];
        if (is_pattern(text) && !listed) {
            int rc = show_list(&regions, &n);
            if (rc < 0)
                return cli_fail(args, NULL, rc);
            listed = true;
        }
        int status = 0;
        if (is_pattern(text) && !show_is_name(text, regions, n))
            status = add_fitting(args, text, own, regions, n, ret);
        else if (!add(ret, text, NULL))
            status = cli_fail(args, NULL, SHMS_E_NOMEM);
        result = status ? status : result;
    }
    show_free(regions, n);
    return result;
}

void cli_names_free(cli_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->name[i].text);
    free(names->name);
}
