/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "show.h"
#include "system.h"

/* ---- columns */

typedef enum column_id {
    NAME, SIZE, MAX_SIZE, MEMORY, MEMBERS, HOLDER, WAITERS, VERSION, AGE, CREATED, STATE, KIND, USER, MODE,
    RECORDS, MESSAGES, COLUMNS
} column_id;

static const struct {
    const char *word, *title;
    int width; /* negative: to the left */
} columns[COLUMNS] = {
    {"name", "NAME", -20},     {"size", "SIZE", 10},          {"max_size", "MAX_SIZE", 10},
    {"memory", "MEMORY", 10},  {"members", "MEMBERS", 7},     {"holder", "HOLDER", 7},
    {"waiters", "WAITERS", 7}, {"version", "VERSION", 9},     {"age", "AGE", 5},
    {"created", "CREATED", -24}, {"state", "STATE", -7},      {"kind", "KIND", -7},
    {"user", "USER", 6},       {"mode", "MODE", -4},          {"records", "RECORDS", 9},
    {"messages", "MESSAGES", 9},
};

typedef struct listing {
    int n;
    column_id id[COLUMNS];
    bool bare; /* for scripts */
} listing;

static const char *number(char text[SHOW_TEXT], uint64_t n)
{
    snprintf(text, SHOW_TEXT, "%" PRIu64, n);
    return text;
}

static const char *size(char text[SHOW_TEXT], uint64_t bytes, bool bare)
{
    return bare ? number(text, bytes) : show_size(text, bytes);
}

/* What is in it, which is seen from inside only. */
static const char *contents(char text[SHOW_TEXT], const region *r, column_id id)
{
    inside in;
    show_inside(r->name, &r->info, &in);
    if (id == RECORDS && in.has_dict)
        return number(text, in.dict.records);
    return id == MESSAGES && in.has_channel ? number(text, in.channel.sent) : "-";
}

static const char *cell(char text[SHOW_TEXT], const region *r, column_id id, bool bare)
{
    const shms_info *info = &r->info;
    if (info->state == SHMS_STATE_FOREIGN && id != NAME && id != STATE)
        return "-";
    switch (id) {
    case SIZE: return size(text, info->size, bare);
    case MAX_SIZE: return size(text, info->max_size, bare);
    case MEMORY: return size(text, info->memory_bytes, bare);
    case MEMBERS: return number(text, info->members);
    case HOLDER: return show_holder(text, info);
    case WAITERS: return number(text, info->waiters);
    case VERSION: return number(text, (uint64_t)info->version);
    case AGE: return show_age(text, info->created_ns);
    case CREATED: return show_time(text, info->created_ns);
    case STATE: return show_state(info->state);
    case KIND: return show_kind(info->kind);
    case USER: return number(text, info->uid);
    case MODE: snprintf(text, SHOW_TEXT, "%04" PRIo32, info->mode); return text;
    case RECORDS:
    case MESSAGES: return contents(text, r, id);
    default: return r->name;
    }
}

/* Between two columns; one to the left needs more behind one to the right. */
static void separate(const listing *l, int i)
{
    if (i == 0)
        return;
    if (l->bare)
        putchar('\t');
    else
        fputs(columns[l->id[i]].width < 0 && columns[l->id[i - 1]].width > 0 ? "  " : " ", stdout);
}

static void pad(int width, size_t used)
{
    for (size_t n = (size_t)abs(width); used < n; used++)
        putchar(' ');
}

/* The last one is not filled up. */
static void print_cell(const listing *l, int i, const char *text)
{
    int width = l->bare ? 0 : columns[l->id[i]].width;
    size_t used = show_width(text);
    separate(l, i);
    if (width > 0)
        pad(width, used);
    show_text(stdout, text);
    if (width < 0 && i < l->n - 1)
        pad(width, used);
}

static void print_rows(const listing *l, const region *regions, size_t n)
{
    char text[SHOW_TEXT];
    for (int i = 0; n > 0 && !l->bare && i < l->n; i++)
        print_cell(l, i, columns[l->id[i]].title);
    if (n > 0 && !l->bare)
        putchar('\n');
    for (size_t r = 0; r < n; r++) {
        for (int i = 0; i < l->n; i++)
            print_cell(l, i, cell(text, &regions[r], l->id[i], l->bare));
        putchar('\n');
    }
}

/* ---- which */

static int add_column(const cli_args *args, listing *l, const char *word, size_t length)
{
    for (int id = 0; id < COLUMNS; id++) {
        if (strlen(columns[id].word) != length || strncmp(columns[id].word, word, length) != 0)
            continue;
        if (l->n == COLUMNS)
            return cli_usage(args, "--columns: '%s' has too many", args->columns);
        l->id[l->n++] = (column_id)id;
        return 0;
    }
    return cli_usage(args, "--columns: '%.*s' is no column", (int)length, word);
}

static int choose_columns(const cli_args *args, listing *l)
{
    const char *word = args->columns ? args->columns
                       : args->quiet ? "name"
                                     : "size,members,holder,waiters,version,age,state,kind,name";
    int status = 0;
    for (size_t length; status == 0; word += length + 1) {
        length = strcspn(word, ",");
        status = add_column(args, l, word, length);
        if (word[length] == 0)
            break;
    }
    return status;
}

/* A pattern, unless there is a region that is called just so: that one is meant, and no other. */
static bool is_meant(const char *name, const char *operand, bool exact)
{
    return exact ? strcmp(name, show_plain_name(operand)) == 0 : show_matches(name, operand);
}

/* To the front what the operands name, in the order that they have. 0 or an exit status. */
static int choose_regions(const cli_args *args, region *regions, size_t *n)
{
    size_t chosen = 0, all = *n;
    bool *found = args->operands ? calloc((size_t)args->operands, sizeof *found) : NULL;
    bool *exact = found ? calloc((size_t)args->operands, sizeof *exact) : NULL;
    int result = EXIT_SUCCESS;
    for (int k = 0; exact && k < args->operands; k++)
        exact[k] = show_is_name(args->operand[k], regions, all);
    for (size_t i = 0; exact && i < all; i++) {
        bool wanted = false;
        for (int k = 0; k < args->operands; k++) {
            bool fits = is_meant(regions[i].name, args->operand[k], exact[k]);
            found[k] = found[k] || fits;
            wanted = wanted || fits;
        }
        region r = regions[i];
        if (wanted) {
            regions[i] = regions[chosen];
            regions[chosen++] = r;
        }
    }
    for (int k = 0; exact && k < args->operands; k++)
        if (!found[k])
            result = cli_error(args, args->operand[k], "no region fits");
    if (args->operands && !exact)
        result = cli_fail(args, NULL, SHMS_E_NOMEM);
    if (args->operands)
        *n = chosen;
    free(found);
    free(exact);
    return result;
}

/* ---- the listing */

static void print_total(const region *regions, size_t n)
{
    char text[SHOW_TEXT], all_text[SHOW_TEXT];
    uint64_t bytes = 0, room, all;
    for (size_t i = 0; i < n; i++)
        bytes += regions[i].info.memory_bytes;
    printf("total: %zu, memory %s", n, show_size(text, bytes));
    if (system_room(&room, &all))
        printf("; free in /dev/shm %s of %s", show_size(text, room), show_size(all_text, all));
    putchar('\n');
}

static void print_json(const region *regions, size_t n)
{
    putchar('[');
    for (size_t i = 0; i < n; i++) {
        fputs(i ? ",\n " : "\n ", stdout);
        show_json_region(stdout, regions[i].name, &regions[i].info, NULL);
    }
    puts(n ? "\n]" : "]");
}

static int run(cli_args *args)
{
    region *regions;
    size_t listed;
    listing l = {.bare = args->quiet};
    if (args->json && (args->quiet || args->columns))
        return cli_usage(args, "--json has all, without --quiet and --columns");
    int status = choose_columns(args, &l);
    if (status)
        return status;
    int rc = show_list(&regions, &listed);
    if (rc < 0)
        return cli_fail(args, NULL, rc);
    size_t n = listed;
    status = choose_regions(args, regions, &n);
    if (cli_check_place(args, args->operands == 1 ? args->name : NULL))
        status = EXIT_FAILURE;
    if (args->json)
        print_json(regions, n);
    else
        print_rows(&l, regions, n);
    if (n > 0 && !args->json && !args->quiet && !args->columns)
        print_total(regions, n);
    show_free(regions, listed);
    return status;
}

const command cmd_ls = {
    .name = "ls", .run = run, .options = "qoj", .operands = "[NAME...]", .least = 0, .most = -1,
    .summary = "List the regions you may look into, by name",
    .details = "A NAME with * or ? stands for all whose names fit.\n"
               "Columns: name, size, max_size, memory, members, holder, waiters, version, age, created,\n"
               "state, kind, user, mode, records (of a dict), messages (sent through a channel).\n",
};
