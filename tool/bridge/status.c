/* SPDX-License-Identifier: MIT */
/* What a bridge tells of itself, once a second, in the shadow; and the command that reads it there. */
#include "carrier.h"

#include "../text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct report {
    int64_t told_ns; /* when */
    int64_t pid;
    uint64_t machine, connected, caught_up, waiting;
    uint64_t revision; /* of the bucket, up to which it was read */
    struct counts counts;
    char bucket[80], server[160];
};

void status_tell(struct carrier *c)
{
    struct report r = {.told_ns = now_wall_ns(), .pid = getpid(), .machine = c->config->machine};
    r.connected = natsConnection_Status(c->nc) == NATS_CONN_STATUS_CONNECTED;
    if (r.connected && natsConnection_GetConnectedUrl(c->nc, r.server, sizeof r.server) != NATS_OK)
        *r.server = '\0';
    snprintf(r.bucket, sizeof r.bucket, "%s", c->what->bucket);
    pthread_mutex_lock(&c->turn);
    r.caught_up = c->caught_up;
    r.waiting = c->queue_count + c->flight_count;
    if (c->rescan && c->waiting > r.waiting)
        r.waiting = c->waiting;
    r.revision = c->bucket.next ? c->bucket.next - 1 : 0;
    r.counts = c->counts;
    pthread_mutex_unlock(&c->turn);
    shadow_tell(c->shadow, "status", &r, sizeof r);
}

/* ---- the command */

struct printer {
    bool json;
    int count;
};

/* A bridge that runs holds the lock. */
static bool is_running(shms_dict *shadow)
{
    int rc = shms_dict_lock(shadow, "owner", 5, 0);
    if (rc == 0 || rc == SHMS_OWNER_DIED)
        shms_dict_unlock(shadow, "owner", 5);
    return rc == SHMS_E_TIMEOUT;
}

static void print_json(const char *name, bool running, const struct report *r)
{
    const struct counts *n = &r->counts;
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {{"pid", (uint64_t)r->pid},       {"machine", r->machine},     {"revision", r->revision},
                   {"waiting", r->waiting},         {"pushed", n->pushed},       {"applied", n->applied},
                   {"echoes", n->echoes},           {"conflicts", n->conflicts}, {"foreign", n->foreign},
                   {"ahead", n->ahead},             {"too_large", n->too_large}, {"full", n->full},
                   {"walks", n->walks},             {"reconnects", n->reconnects}};
    putchar('{');
    show_json_bytes(stdout, "dict", name, strlen(name));
    fputs(", ", stdout);
    show_json_bytes(stdout, "bucket", r->bucket, strlen(r->bucket));
    fputs(", ", stdout);
    show_json_bytes(stdout, "server", r->server, strlen(r->server));
    printf(",\"running\":%s,\"connected\":%s,\"caught_up\":%s", running ? "true" : "false",
           running && r->connected ? "true" : "false", running && r->caught_up ? "true" : "false");
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        printf(",\"%s\":%llu", numbers[i].name, (unsigned long long)numbers[i].value);
    printf(",\"lag_us\":%lld}\n", (long long)(n->lag_ns / 1000));
}

static void print_plain(const char *name, bool running, const struct report *r)
{
    const struct counts *n = &r->counts;
    show_text(stdout, name);
    if (!running) {
        printf(": no bridge runs; %llu changes waited\n", (unsigned long long)r->waiting);
    } else {
        fputs(": bucket ", stdout);
        show_text(stdout, r->bucket);
        printf(", machine %llu, process %lld, ", (unsigned long long)r->machine, (long long)r->pid);
        show_text(stdout, r->connected ? r->server : "not connected");
        printf("%s%s\n", r->connected && !r->caught_up ? ", reading" : "",
               n->reconnects ? ", reconnected" : "");
    }
    printf("  pushed %llu, applied %llu, waiting %llu, last lag %.1f ms\n", (unsigned long long)n->pushed,
           (unsigned long long)n->applied, (unsigned long long)r->waiting, (double)n->lag_ns / 1e6);
    printf("  lost to newer ones %llu, foreign %llu, ahead %llu, too large %llu, no room %llu\n",
           (unsigned long long)n->conflicts, (unsigned long long)n->foreign, (unsigned long long)n->ahead,
           (unsigned long long)n->too_large, (unsigned long long)n->full);
}

static int print_one(const char *name, const shms_info *info, void *context)
{
    struct printer *p = context;
    struct report r;
    shms_dict *shadow;
    char dict[512];
    size_t n = strlen(name), suffix = sizeof SHADOW_SUFFIX - 1;
    if (info->kind != SHMS_KIND_DICT || n <= suffix || n >= sizeof dict ||
        strcmp(name + n - suffix, SHADOW_SUFFIX) != 0)
        return 0;
    shms_dict_options o = {.struct_size = sizeof o, .create = SHMS_OPEN_ONLY};
    if (shms_dict_open(name, 0, &o, &shadow) < 0)
        return 0;
    if (shadow_about(shadow, "status", &r, sizeof r) == sizeof r) {
        snprintf(dict, sizeof dict, "%.*s", (int)(n - suffix), name);
        r.bucket[sizeof r.bucket - 1] = r.server[sizeof r.server - 1] = '\0';
        (p->json ? print_json : print_plain)(dict, is_running(shadow), &r);
        p->count++;
    }
    shms_dict_close(shadow);
    return 0;
}

int status_print(bool json)
{
    struct printer p = {.json = json};
    int rc = shms_list(print_one, &p);
    if (rc < 0) {
        say("status: %s", shms_strerror(rc));
        return EXIT_FAILURE;
    }
    if (p.count == 0 && !json)
        say("status: no dict is carried, for this user");
    return p.count ? EXIT_SUCCESS : EXIT_FAILURE;
}
