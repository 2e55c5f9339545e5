/* SPDX-License-Identifier: MIT */
/* `run`: the connection, a carrier for each dict, and the end. */
#include "run.h"

#include "carrier.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 2000
#define BACK_OFF_MS 200
#define BACK_OFF_MOST_MS 5000
#define LOOK_MS 200

struct bridge {
    const struct config *config;
    struct carrier *carriers[DICTS_MOST];
    int count;
    natsConnection *nc;
    atomic_bool closed;
};

/* ---- what libnats tells */

static void on_disconnected(natsConnection *nc, void *closure)
{
    const char *why = NULL;
    (void)closure;
    natsConnection_GetLastError(nc, &why);
    say("disconnected%s%s; changes wait", why && *why ? ": " : "", why ? why : "");
}

static void on_reconnected(natsConnection *nc, void *closure)
{
    struct bridge *b = closure;
    char url[256] = "";
    natsConnection_GetConnectedUrl(nc, url, sizeof url);
    say("connected again, to %s", url);
    for (int i = 0; i < b->count; i++) {
        b->carriers[i]->reconnected = true;
        box_ring(&b->carriers[i]->box);
    }
}

static void on_closed(natsConnection *nc, void *closure)
{
    struct bridge *b = closure;
    (void)nc;
    b->closed = true;
}

/* Gaps in what is read are filled by remote.c. */
static void on_error(natsConnection *nc, natsSubscription *sub, natsStatus s, void *closure)
{
    (void)nc, (void)sub, (void)s, (void)closure;
}

/* ---- the connection */

static natsStatus set_rights(natsOptions *o, const struct config *c)
{
    natsStatus s = NATS_OK;
    bool secure = c->tls_ca || c->tls_cert;
    for (int i = 0; i < c->server_count; i++)
        secure |= strncmp(c->servers[i], "tls://", 6) == 0;
    if (secure)
        s = natsOptions_SetSecure(o, true);
    if (s == NATS_OK && c->tls_ca)
        s = natsOptions_LoadCATrustedCertificates(o, c->tls_ca);
    if (s == NATS_OK && c->tls_cert)
        s = natsOptions_LoadCertificatesChain(o, c->tls_cert, c->tls_key);
    if (s == NATS_OK && c->creds)
        s = natsOptions_SetUserCredentialsFromFiles(o, c->creds, NULL);
    if (s == NATS_OK && c->nkey)
        s = natsOptions_SetNKeyFromSeed(o, c->nkey_public, c->nkey);
    if (s == NATS_OK && c->user) {
        char *password = config_secret(c->password_file);
        s = password ? natsOptions_SetUserInfo(o, c->user, password) : NATS_ERR;
        if (password)
            explicit_bzero(password, strlen(password));
        free(password);
    }
    return s;
}

static natsStatus set_manners(natsOptions *o, struct bridge *b)
{
    const struct config *c = b->config;
    natsStatus s = natsOptions_SetServers(o, (const char **)(uintptr_t)c->servers, c->server_count);
    natsOptions_SetName(o, "shms-bridge");
    natsOptions_SetTimeout(o, CONNECT_MS);
    natsOptions_SetMaxReconnect(o, -1);
    natsOptions_SetReconnectWait(o, BACK_OFF_MS);
    natsOptions_SetReconnectJitter(o, BACK_OFF_MS, BACK_OFF_MS);
    natsOptions_SetPingInterval(o, 2000);
    natsOptions_SetMaxPingsOut(o, 2);
    natsOptions_SetWriteDeadline(o, CONNECT_MS);
    natsOptions_SetSendAsap(o, true);
    natsOptions_SetFailRequestsOnDisconnect(o, true);
    natsOptions_SetDisconnectedCB(o, on_disconnected, b);
    natsOptions_SetReconnectedCB(o, on_reconnected, b);
    natsOptions_SetClosedCB(o, on_closed, b);
    natsOptions_SetErrorHandler(o, on_error, b);
    return s;
}

static bool stopped(int wait_ms)
{
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGHUP);
    const struct timespec wait = {wait_ms / 1000, wait_ms % 1000 * 1000000L};
    return sigtimedwait(&stops, NULL, &wait) > 0;
}

static bool something_failed(const struct bridge *b)
{
    for (int i = 0; i < b->count; i++)
        if (b->carriers[i]->failed)
            return true;
    return false;
}

/* Until a server answers. False: the bridge is to end. */
static bool connect_to_servers(struct bridge *b, natsOptions *o)
{
    struct seldom told = {0};
    uint64_t times;
    for (int wait_ms = BACK_OFF_MS;; wait_ms = wait_ms < BACK_OFF_MOST_MS ? wait_ms * 2 : BACK_OFF_MOST_MS) {
        natsStatus s = natsConnection_Connect(&b->nc, o);
        if (s == NATS_OK)
            return true;
        const char *why = nats_GetLastError(NULL);
        if (seldom(&told, &times))
            say("no server takes this bridge, which tries on: %s", why && *why ? why : natsStatus_GetText(s));
        if (stopped(wait_ms) || something_failed(b))
            return false;
    }
}

/* ---- the whole */

static bool open_carriers(struct bridge *b)
{
    for (int i = 0; i < b->config->dict_count; i++) {
        struct carrier *c = calloc(1, sizeof *c);
        if (!c) {
            say("out of memory");
            return false;
        }
        b->carriers[b->count++] = c;
        if (!carrier_open(c, b->config, &b->config->dicts[i]))
            return false;
    }
    for (int i = 0; i < b->count; i++)
        if (!carrier_notice(b->carriers[i]))
            return false;
    return true;
}

static void say_begin(const struct bridge *b)
{
    char url[256] = "";
    natsConnection_GetConnectedUrl(b->nc, url, sizeof url);
    say("machine %u carries %d dict%s, connected to %s", b->config->machine, b->count,
        b->count == 1 ? "" : "s", url);
}

static int serve(struct bridge *b, natsOptions *o)
{
    if (!open_carriers(b))
        return EXIT_FAILURE;
    if (!connect_to_servers(b, o))
        return something_failed(b) ? EXIT_FAILURE : EXIT_SUCCESS;
    say_begin(b);
    for (int i = 0; i < b->count; i++)
        if (!carrier_sync(b->carriers[i], b->nc))
            return EXIT_FAILURE;
    for (;;) {
        if (stopped(LOOK_MS))
            return EXIT_SUCCESS;
        if (something_failed(b))
            return EXIT_FAILURE;
        if (b->closed) {
            say("the servers take this bridge no more; changes wait in /dev/shm");
            return EXIT_FAILURE;
        }
    }
}

static void hold_stops_back(void)
{
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &stops, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int bridge_run(const struct config *config)
{
    struct bridge b = {.config = config};
    natsOptions *o = NULL;
    hold_stops_back();
    natsStatus s = natsOptions_Create(&o);
    if (s == NATS_OK)
        s = set_manners(o, &b);
    if (s == NATS_OK)
        s = set_rights(o, config);
    if (s != NATS_OK)
        say("the settings of the connection: %s", nats_GetLastError(NULL));
    int status = s == NATS_OK ? serve(&b, o) : EXIT_FAILURE;
    for (int i = 0; i < b.count; i++)
        carrier_stop(b.carriers[i]);
    natsConnection_Destroy(b.nc);
    natsOptions_Destroy(o);
    nats_CloseAndWait(2000);
    for (int i = 0; i < b.count; i++)
        carrier_close(b.carriers[i]);
    return status;
}
