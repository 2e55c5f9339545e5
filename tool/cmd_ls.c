/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>

#include "cli.h"
#include "show.h"

static const char *holder(char text[SHOW_TEXT], const shms_info *info)
{
    if (info->locked == 2)
        return "dead";
    if (info->locked && info->owner_pid > 0) {
        snprintf(text, SHOW_TEXT, "%d", (int)info->owner_pid);
        return text;
    }
    return info->locked ? "?" : info->owner_died ? "died" : "-";
}

static void print_row(const region *r)
{
    const shms_info *info = &r->info;
    char size[SHOW_TEXT], pid[SHOW_TEXT], age[SHOW_TEXT];
    if (info->state == SHMS_STATE_FOREIGN)
        printf("%10s %7s %7s %7s %9s %5s  %-7s %-7s ", "-", "-", "-", "-", "-", "-", "foreign", "-");
    else
        printf("%10s %7" PRIu32 " %7s %7" PRIu32 " %9" PRId64 " %5s  %-7s %-7s ", show_size(size, info->size),
               info->members, holder(pid, info), info->waiters, info->version,
               show_age(age, info->created_ns), show_state(info->state), show_kind(info->kind));
    show_text(stdout, r->name);
    putchar('\n');
}

static void print_rows(const region *regions, size_t n)
{
    if (n > 0)
        puts("      SIZE MEMBERS  HOLDER WAITERS   VERSION   AGE  STATE   KIND    NAME");
    for (size_t i = 0; i < n; i++)
        print_row(&regions[i]);
}

static void print_json(const region *regions, size_t n)
{
    putchar('[');
    for (size_t i = 0; i < n; i++) {
        fputs(i ? ",\n " : "\n ", stdout);
        show_json_region(stdout, regions[i].name, &regions[i].info, NULL, NULL);
    }
    puts(n ? "\n]" : "]");
}

static int run(cli_args *args)
{
    region *regions;
    size_t n;
    int rc = show_list(&regions, &n);
    if (rc < 0)
        return cli_fail(args, NULL, rc);
    (args->json ? print_json : print_rows)(regions, n);
    show_free(regions, n);
    return EXIT_SUCCESS;
}

const command cmd_ls = {
    .name = "ls", .run = run, .options = "j", .operands = "",
    .summary = "List the regions you may look into, by name",
};
