/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "show.h"
#include "system.h"
#include "top.h"

enum { INTERVAL_MS = 1000, LEAST_MS = 100, MOST_MS = 3600000 };

/* ---- lines */

static void pad(int n)
{
    printf("%*s", n > 0 ? n : 0, "");
}

static void print_cell(top_column column, const char *text)
{
    int width = top_titles[column].width, rest = abs(width) - (int)strlen(text);
    if (width > 0)
        pad(rest);
    fputs(text, stdout);
    if (width < 0)
        pad(rest);
    fputs(width > 0 && column + 1 < TOP_COLUMNS && top_titles[column + 1].width < 0 ? "  " : " ", stdout);
}

static void print_rows(const top *t)
{
    char text[SHOW_TEXT], sum[TOP_SUM];
    for (top_column c = 0; c < TOP_COLUMNS; c++)
        print_cell(c, top_titles[c].title);
    puts("NAME");
    for (size_t i = 0; i < t->n; i++) {
        for (top_column c = 0; c < TOP_COLUMNS; c++)
            print_cell(c, top_cell(text, &t->row[i], c));
        show_text(stdout, t->row[i].name);
        putchar('\n');
    }
    top_sum(sum, t);
    puts(sum);
}

static void print_json(const top *t)
{
    putchar('[');
    for (size_t i = 0; i < t->n; i++) {
        fputs(i ? ",\n " : "\n ", stdout);
        show_json_rate(stdout, t->row[i].name, &t->row[i].info, t->row[i].rate);
    }
    puts(t->n ? "\n]" : "]");
}

static int look(const cli_args *args, top *t)
{
    int rc = top_look(t, args);
    return rc < 0 ? cli_fail(args, NULL, rc) : 0;
}

/* 0, an exit status, or TOP_ENDED. */
static int print_look(const cli_args *args, top *t, bool first)
{
    int status = system_sleep(-1, args->interval_ms) ? look(args, t) : TOP_ENDED;
    if (status)
        return status;
    if (!first && !args->json)
        putchar('\n');
    (args->json ? print_json : print_rows)(t);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : cli_put_failed(args);
}

/* A rate takes two looks, so that the first lines come behind the second one. */
static int print_looks(const cli_args *args, top *t)
{
    system_begin_waiting();
    int status = look(args, t);
    uint64_t count = args->once ? 1 : args->count;
    for (uint64_t i = 0; status == 0 && i < count; i++)
        status = print_look(args, t, i == 0);
    return status;
}

/* ---- the command */

static int take_order(const cli_args *args, top *t)
{
    for (int i = 0; args->sort && i < TOP_ORDERS; i++) {
        if (strcmp(args->sort, top_orders[i]) == 0) {
            t->order = (top_order)i;
            return 0;
        }
    }
    return args->sort ? cli_usage(args, "--sort: '%s' is none of rate, users, waiters, memory, age, name",
                                  args->sort)
                      : 0;
}

static int run(cli_args *args)
{
    top t = {0};
    int status = take_order(args, &t);
    if (args->interval_ms == 0)
        args->interval_ms = INTERVAL_MS;
    if (args->interval_ms < LEAST_MS || args->interval_ms > MOST_MS)
        status = cli_usage(args, "--interval: from 100ms to 1h");
    if (status)
        return status;
    status = TOP_NO_SCREEN;
    if (!args->once && !args->json && args->count == UINT64_MAX)
        status = top_screen(args, &t);
    if (status == TOP_NO_SCREEN)
        status = print_looks(args, &t);
    top_free(&t);
    if (status == TOP_ENDED)
        system_stop();
    return cli_check_place(args, NULL) ? EXIT_FAILURE : status;
}

const command cmd_top = {
    .name = "top", .run = run, .options = "=~^&j", .operands = "[NAME...]", .least = 0, .most = -1,
    .summary = "Show how often regions change, their users, and what crashes left",
    .details = "On a terminal it is shown anew again and again; else, and with --once, --count or --json,\n"
               "lines are printed. A NAME with * or ? stands for all whose names fit.\n"
               "The rate is changes a second, of a channel messages.\n"
               "Keys: s order, r reverse, p pause, enter all about one region, q quit.\n",
};
