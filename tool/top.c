/* SPDX-License-Identifier: MIT */
/* Looks, and what changed between them. */
#include "top.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "system.h"

const char *const top_orders[TOP_ORDERS] = {"rate", "users", "waiters", "memory", "age", "name"};

const top_title top_titles[TOP_COLUMNS] = {
    {"RATE/S", 8}, {"USERS", 5}, {"HOLDER", 7}, {"WAITERS", 7},
    {"MEMORY", 10}, {"AGE", 5}, {"STATE", -7}, {"KIND", -7},
};

/* ---- order */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const top_row *)a)->name, ((const top_row *)b)->name);
}

static double weight(const top_row *row, top_order order)
{
    switch (order) {
    case TOP_BY_RATE: return row->rate;
    case TOP_BY_USERS: return row->info.members;
    case TOP_BY_WAITERS: return row->info.waiters;
    case TOP_BY_MEMORY: return (double)row->info.memory_bytes;
    case TOP_BY_AGE: return -(double)row->info.created_ns;
    default: return 0;
    }
}

/* qsort() hands no more to by_order(). */
static const top *sorted;

/* What is most comes first; among equals, the name decides. */
static int by_order(const void *a, const void *b)
{
    double x = weight(a, sorted->order), y = weight(b, sorted->order);
    int order = x != y ? (x < y) - (x > y) : by_name(a, b);
    return sorted->reversed ? -order : order;
}

void top_sort(top *t)
{
    sorted = t;
    if (t->n > 0)
        qsort(t->row, t->n, sizeof *t->row, by_order);
}

/* ---- looks */

static bool is_wanted(const cli_args *args, const char *name)
{
    for (int i = 0; i < args->operands; i++)
        if (show_matches(name, args->operand[i]))
            return true;
    return args->operands == 0;
}

/* A version is 2 more for each change, and a channel has none. */
static void count_changes(top_row *row)
{
    shms_channel_stats stats;
    row->changes = row->info.version / 2;
    if (row->info.kind != SHMS_KIND_CHANNEL)
        return;
    row->changes = -1;
    if (row->closed_to_us || row->info.state != SHMS_STATE_LIVE)
        return;
    row->closed_to_us = !show_channel(row->name, &row->info, &stats);
    if (!row->closed_to_us)
        row->changes = (int64_t)stats.sent;
}

/* The same region, not one that was made anew under its name. */
static bool goes_on(const top_row *row, const top_row *before)
{
    return row->info.created_ns == before->info.created_ns && row->info.kind == before->info.kind;
}

static void compare(top_row *row, const top_row *before, double seconds)
{
    if (before && goes_on(row, before)) {
        memcpy(row->past, before->past + 1, sizeof row->past - sizeof row->past[0]);
        row->closed_to_us = before->closed_to_us;
    }
    count_changes(row);
    row->rate = -1;
    if (!before || !goes_on(row, before) || row->changes < before->changes || before->changes < 0)
        return;
    row->rate = (double)(row->changes - before->changes) / seconds;
    row->past[TOP_PAST - 1] = row->rate;
}

/* Both are sorted by name. */
static const top_row *find_before(const top *t, size_t *at, const char *name)
{
    while (*at < t->n && strcmp(t->row[*at].name, name) < 0)
        ++*at;
    return *at < t->n && strcmp(t->row[*at].name, name) == 0 ? &t->row[*at] : NULL;
}

int top_look(top *t, const cli_args *args)
{
    region *regions;
    size_t listed, n = 0, at = 0;
    int rc = show_list(&regions, &listed);
    if (rc < 0)
        return rc;
    top_row *rows = calloc(listed + 1, sizeof *rows);
    if (!rows) {
        show_free(regions, listed);
        return SHMS_E_NOMEM;
    }
    int64_t now_ns = system_clock_ns();
    double seconds = (double)(now_ns - t->looked_ns) / 1e9;
    if (t->n > 0)
        qsort(t->row, t->n, sizeof *t->row, by_name);
    for (size_t i = 0; i < listed; i++) {
        if (!is_wanted(args, regions[i].name))
            continue;
        rows[n] = (top_row){.name = regions[i].name, .info = regions[i].info};
        regions[i].name = NULL;
        compare(&rows[n], find_before(t, &at, rows[n].name), seconds > 0 ? seconds : 1);
        n++;
    }
    show_free(regions, listed);
    top_free(t);
    t->row = rows;
    t->n = n;
    t->looked_ns = now_ns;
    top_sort(t);
    return 0;
}

void top_free(top *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->row[i].name);
    free(t->row);
    t->row = NULL;
    t->n = 0;
}

/* ---- words */

bool top_is_dead(const top_row *row)
{
    return row->info.locked == 2 || row->info.owner_died || row->info.state == SHMS_STATE_DEAD;
}

static const char *rate_text(char text[SHOW_TEXT], double rate)
{
    if (rate < 0)
        return "-";
    if (rate >= 1e7)
        snprintf(text, SHOW_TEXT, "%.1fM", rate / 1e6);
    else
        snprintf(text, SHOW_TEXT, rate < 99.95 && rate > 0 ? "%.1f" : "%.0f", rate);
    return text;
}

const char *top_cell(char text[SHOW_TEXT], const top_row *row, top_column column)
{
    const shms_info *info = &row->info;
    if (info->state == SHMS_STATE_FOREIGN && column != TOP_STATE)
        return "-";
    switch (column) {
    case TOP_RATE: return rate_text(text, row->rate);
    case TOP_USERS: snprintf(text, SHOW_TEXT, "%" PRIu32, info->members); return text;
    case TOP_HOLDER: return show_holder(text, info);
    case TOP_WAITERS: snprintf(text, SHOW_TEXT, "%" PRIu32, info->waiters); return text;
    case TOP_MEMORY: return show_size(text, info->memory_bytes);
    case TOP_AGE: return show_age(text, info->created_ns);
    case TOP_STATE: return show_state(info->state);
    default: return show_kind(info->kind);
    }
}

void top_sum(char text[TOP_SUM], const top *t)
{
    char rate[SHOW_TEXT], memory[SHOW_TEXT];
    size_t live = 0, dead = 0;
    uint64_t bytes = 0;
    double changes = 0;
    for (size_t i = 0; i < t->n; i++) {
        const top_row *row = &t->row[i];
        live += row->info.state == SHMS_STATE_LIVE;
        dead += top_is_dead(row);
        bytes += row->info.memory_bytes;
        changes += row->rate > 0 ? row->rate : 0;
    }
    snprintf(text, TOP_SUM, "%zu region%s, %zu live, %zu left by a crash; %s changes/s, memory %s", t->n,
             t->n == 1 ? "" : "s", live, dead, rate_text(rate, changes), show_size(memory, bytes));
}
