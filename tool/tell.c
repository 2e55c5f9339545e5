/* SPDX-License-Identifier: MIT */
/* All that there is to tell of a region, for people. */
#include <inttypes.h>

#include "show.h"

/* One line each, below their number. */
static void print_members(FILE *out, const inside *in)
{
    for (size_t i = 0; i < in->n_members; i++) {
        const shms_member *m = &in->member[i];
        fprintf(out, "          process %d", (int)m->pid);
        if (m->locked)
            fputs(", holds the lock", out);
        if (m->readers == 1)
            fputs(", holds the shared lock", out);
        else if (m->readers)
            fprintf(out, ", holds the shared lock %" PRIu32 " times", m->readers);
        if (m->waiters)
            fputs(", waits for the lock", out);
        fputc('\n', out);
    }
}

static void print_lock(FILE *out, const shms_info *info)
{
    fputs("lock      ", out);
    if (info->locked == 3)
        fputs("held by a program that is no member; nobody can tell whether it lives", out);
    else if (info->locked == 2)
        fputs("held by a process that is dead", out);
    else if (info->locked && info->owner_pid > 0)
        fprintf(out, "held by process %d", (int)info->owner_pid);
    else
        fputs(info->locked ? "held" : "free", out);
    if (info->owner_died)
        fputs("; an earlier owner died: the data may be half-written", out);
    if (info->rollback)
        fputs("; its section will be rolled back by the next process that locks or opens, or by `shms sweep`",
              out);
    fprintf(out, "\nwaiters   %" PRIu32 "\n", info->waiters);
}

static void print_size(FILE *out, const char *label, uint64_t bytes)
{
    char text[SHOW_TEXT];
    fprintf(out, "%s%" PRIu64 " (%s)\n", label, bytes, show_size(text, bytes));
}

static void print_channel(FILE *out, const shms_channel_stats *t)
{
    if (t->kind == SHMS_BROADCAST)
        fprintf(out, "channel   broadcast, slow receivers: %s\n", show_slow(t->slow));
    else
        fputs("channel   queue\n", out);
    fprintf(out, "ring      %" PRIu64 " of %" PRIu64 " bytes used\n", t->used, t->capacity);
    fprintf(out, "senders   %" PRIu32 "\nreceivers %" PRIu32 "\n", t->senders, t->receivers);
    fprintf(out, "messages  %" PRIu64 " sent, %" PRIu64 " received, ", t->sent, t->received);
    fprintf(out, "%" PRIu64 " dropped, %" PRIu64 " aborted, ", t->dropped, t->aborted);
    fprintf(out, "%" PRIu64 " redelivered\n", t->redelivered);
    fprintf(out, "deaths    %" PRIu64 " senders\nwaits     %" PRIu64 "\n", t->senders_died, t->waits);
}

static void print_dict(FILE *out, const shms_dict_stats *t)
{
    double used = t->cells ? 100.0 * (double)(t->cells - t->cells_free) / (double)t->cells : 0;
    fprintf(out, "records   %" PRIu64 ", in an index of %" PRIu64 "\n", t->records, t->slots);
    fprintf(out, "cells     %" PRIu64 " of %" PRIu64 " free, ", t->cells_free, t->cells);
    fprintf(out, "%" PRIu32 " bytes each (%.0f%% used)\n", t->cell_size, used);
    fprintf(out, "evict     %s: ", show_evict(t->policy));
    fprintf(out, "%" PRIu64 " evicted, %" PRIu64 " expired\n", t->evicted, t->expired);
    fprintf(out, "key locks %" PRIu64 "\n", t->locks);
    fprintf(out, "changes   %" PRId64 ", the last %" PRIu32 " can be told\n", t->version, t->ring - 1);
    fprintf(out, "limits    keys of %" PRIu32 " bytes, values of %" PRIu32 "\n", t->key_max, t->value_max);
}

static void print_info(FILE *out, const char *name, const shms_info *info, const inside *in)
{
    char time[SHOW_TEXT], age[SHOW_TEXT];
    fputs("name      ", out);
    show_text(out, name);
    fprintf(out, "\nstate     %s\n", show_state(info->state));
    if (info->state == SHMS_STATE_FOREIGN)
        return;
    fprintf(out, "kind      %s\n", show_kind(info->kind));
    print_size(out, "size      ", info->size);
    print_size(out, "max size  ", info->max_size);
    print_size(out, "memory    ", info->memory_bytes);
    fprintf(out, "members   %" PRIu32 "\n", info->members);
    print_members(out, in);
    if (info->strangers)
        fprintf(out, "strangers %" PRIu32 " handles of programs that are no members\n", info->strangers);
    print_lock(out, info);
    fprintf(out, "version   %" PRId64 "\n", info->version);
    fprintf(out, "created   %s ", show_time(time, info->created_ns));
    fprintf(out, "(%s ago)\n", show_age(age, info->created_ns));
    fprintf(out, "owner     user %" PRIu32 ", mode %04" PRIo32 "\n", info->uid, info->mode);
    fprintf(out, "options   %s%s%s\n", info->keep ? "kept until removed" : "vanishes with its last user",
            info->sparse ? ", sparse" : "", info->atomic ? ", atomic" : "");
}

void show_region(FILE *out, const char *name, const shms_info *info, const inside *in)
{
    print_info(out, name, info, in);
    if (in->has_channel)
        print_channel(out, &in->channel);
    if (in->has_dict)
        print_dict(out, &in->dict);
}
