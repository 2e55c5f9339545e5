/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "show.h"
#include "system.h"

typedef struct follower {
    const cli_args *args;
    shms_dict *dict;
    int64_t since;
    uint64_t told;
} follower;

static const char *word_of(uint32_t flags)
{
    if (flags & SHMS_RECORD_EXPIRED)
        return "expired";
    if (flags & SHMS_RECORD_EVICTED)
        return "evicted";
    return flags & SHMS_RECORD_GONE ? "deleted" : "set";
}

static int tell(const void *key, size_t key_size, const shms_dict_record *record, void *context)
{
    follower *f = context;
    const char *word = word_of(record->flags);
    if (f->args->json) {
        printf("{\"change\": \"%s\", ", word);
        show_json_record(stdout, key, key_size, record);
        puts("}");
    } else {
        printf("%" PRId64 " %s ", record->version, word);
        show_bytes(stdout, key, key_size);
        putchar('\n');
    }
    return ++f->told >= f->args->count || ferror(stdout);
}

static void tell_missed(const follower *f)
{
    printf(f->args->json ? "{\"change\": \"missed\", \"version\": %" PRId64 "}\n" : "%" PRId64 " missed\n",
           f->since);
}

/* All that there is by now. 0 or an exit status. */
static int tell_all(follower *f)
{
    int64_t rc = shms_dict_changes(f->dict, &f->since, tell, f);
    if (rc == SHMS_E_MISSED)
        tell_missed(f);
    else if (rc < 0)
        return cli_fail(f->args, f->args->name, (int)rc);
    return cli_put(f->args, "", 0);
}

/* Sleep until there is more. 0 or an exit status; -1: the process is asked to end. */
static int wait_for_more(follower *f)
{
    /* What a writer has committed and died before it told is told by a look within this time. */
    enum { LOOK_MS = 500 };
    cli_pause pause = cli_pause_begin(f->args, shms_dict_poll_fd(f->dict), LOOK_MS);
    for (;;) {
        int64_t seen = f->since;
        int rc = shms_dict_wait(f->dict, NULL, 0, &seen, 0);
        if (rc == SHMS_E_DENIED) /* a user that may only read cannot wait, but look again and again */
            rc = shms_dict_version(f->dict) > f->since ? 0 : SHMS_E_TIMEOUT;
        if (rc != SHMS_E_TIMEOUT)
            return rc < 0 ? cli_fail(f->args, f->args->name, rc) : 0;
        int status = cli_pause_sleep(f->args, &pause);
        if (status)
            return status;
    }
}

static int follow(follower *f)
{
    int status = tell_all(f);
    while (status == 0 && f->args->follow && f->told < f->args->count) {
        status = wait_for_more(f);
        if (status == 0)
            status = tell_all(f);
    }
    return status;
}

/* From where to tell if --since does not say: from now, or from the first change that is still known. */
static int64_t first_since(const cli_args *args, shms_dict *d)
{
    shms_dict_stats t = {.struct_size = sizeof t};
    int rc = shms_dict_info(d, &t);
    if (rc < 0 || args->since >= 0)
        return rc < 0 ? rc : args->since;
    if (args->follow)
        return t.version;
    return t.version >= t.ring ? t.version - t.ring + 1 : 0;
}

/* To follow is to finish what a dead writer began, where the user may. */
static shms_dict *open_dict(const cli_args *args, int *ret_status)
{
    shms_info info;
    bool others = show_find(args->name, &info) < 0 || info.uid != system_user();
    return cli_dict(args, args->follow && !others ? SHMS_ACCESS_READ_WRITE : SHMS_ACCESS_READ, ret_status);
}

static int run(cli_args *args)
{
    int status = 0;
    follower f = {.args = args, .dict = open_dict(args, &status)};
    if (!f.dict)
        return status;
    f.since = first_since(args, f.dict);
    status = f.since < 0 ? cli_fail(args, args->name, (int)f.since) : follow(&f);
    shms_dict_close(f.dict);
    if (status < 0)
        system_stop();
    return status;
}

const command cmd_changes = {
    .name = "changes", .run = run, .options = "CQJjtmO", .operands = "NAME", .least = 1, .most = 1,
    .timeout_ms = -1, .summary = "Tell what has changed in a dict: set, deleted, expired, evicted",
    .details = "A line is VERSION, what happened, and the key. `VERSION missed`: the changes up to that one\n"
               "were overwritten; `shms keys` lists what is there.\n",
};
