/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
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

/* One line each, below their number. */
static void print_members(const inside *in)
{
    for (size_t i = 0; i < in->n_members; i++) {
        const shms_member *m = &in->member[i];
        printf("          process %d", (int)m->pid);
        if (m->locked)
            fputs(", holds the lock", stdout);
        if (m->readers == 1)
            fputs(", holds the shared lock", stdout);
        else if (m->readers)
            printf(", holds the shared lock %" PRIu32 " times", m->readers);
        if (m->waiters)
            fputs(", waits for the lock", stdout);
        putchar('\n');
    }
}

static void print_lock(const shms_info *info)
{
    fputs("lock      ", stdout);
    if (info->locked == 3)
        fputs("held by a program that is no member; nobody can tell whether it lives", stdout);
    else if (info->locked == 2)
        fputs("held by a process that is dead", stdout);
    else if (info->locked && info->owner_pid > 0)
        printf("held by process %d", (int)info->owner_pid);
    else
        fputs(info->locked ? "held" : "free", stdout);
    if (info->owner_died)
        fputs("; an earlier owner died: the data may be half-written", stdout);
    if (info->rollback)
        fputs("; its section will be rolled back by the next process that locks or opens, or by `shms sweep`",
              stdout);
    printf("\nwaiters   %" PRIu32 "\n", info->waiters);
}

static void print_size(const char *label, uint64_t bytes)
{
    char text[SHOW_TEXT];
    printf("%s%" PRIu64 " (%s)\n", label, bytes, show_size(text, bytes));
}

static void print_channel(const shms_channel_stats *t)
{
    if (t->kind == SHMS_BROADCAST)
        printf("channel   broadcast, slow receivers: %s\n", show_slow(t->slow));
    else
        puts("channel   queue");
    printf("ring      %" PRIu64 " of %" PRIu64 " bytes used\n", t->used, t->capacity);
    printf("senders   %" PRIu32 "\nreceivers %" PRIu32 "\n", t->senders, t->receivers);
    printf("messages  %" PRIu64 " sent, %" PRIu64 " received, ", t->sent, t->received);
    printf("%" PRIu64 " dropped, %" PRIu64 " aborted, %" PRIu64 " redelivered\n", t->dropped, t->aborted,
           t->redelivered);
    printf("deaths    %" PRIu64 " senders\nwaits     %" PRIu64 "\n", t->senders_died, t->waits);
}

static void print_dict(const shms_dict_stats *t)
{
    double used = t->cells ? 100.0 * (double)(t->cells - t->cells_free) / (double)t->cells : 0;
    printf("records   %" PRIu64 ", in an index of %" PRIu64 "\n", t->records, t->slots);
    printf("cells     %" PRIu64 " of %" PRIu64 " free, %" PRIu32 " bytes each (%.0f%% used)\n", t->cells_free,
           t->cells, t->cell_size, used);
    printf("evict     %s: %" PRIu64 " evicted, %" PRIu64 " expired\n", show_evict(t->policy), t->evicted,
           t->expired);
    printf("key locks %" PRIu64 "\n", t->locks);
    printf("changes   %" PRId64 ", the last %" PRIu32 " can be told\n", t->version, t->ring - 1);
    printf("limits    keys of %" PRIu32 " bytes, values of %" PRIu32 "\n", t->key_max, t->value_max);
}

static void print_info(const char *name, const shms_info *info, const inside *in)
{
    char time[SHOW_TEXT], age[SHOW_TEXT];
    fputs("name      ", stdout);
    show_text(stdout, name);
    printf("\nstate     %s\n", show_state(info->state));
    if (info->state == SHMS_STATE_FOREIGN)
        return;
    printf("kind      %s\n", show_kind(info->kind));
    print_size("size      ", info->size);
    print_size("max size  ", info->max_size);
    print_size("memory    ", info->memory_bytes);
    printf("members   %" PRIu32 "\n", info->members);
    print_members(in);
    if (info->strangers)
        printf("strangers %" PRIu32 " handles of programs that are no members\n", info->strangers);
    print_lock(info);
    printf("version   %" PRId64 "\n", info->version);
    printf("created   %s (%s ago)\n", show_time(time, info->created_ns), show_age(age, info->created_ns));
    printf("owner     user %" PRIu32 ", mode %04" PRIo32 "\n", info->uid, info->mode);
    printf("options   %s%s%s\n", info->keep ? "kept until removed" : "vanishes with its last user",
           info->sparse ? ", sparse" : "", info->atomic ? ", atomic" : "");
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
    print_info(name, &info, &in);
    if (in.has_channel)
        print_channel(&in.channel);
    if (in.has_dict)
        print_dict(&in.dict);
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
