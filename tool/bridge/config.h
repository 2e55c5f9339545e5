/* SPDX-License-Identifier: MIT */
/* What a configuration file says. */
#ifndef SHMS_BRIDGE_CONFIG_H
#define SHMS_BRIDGE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#define SERVERS_MOST 16
#define DICTS_MOST 64

/* A dict that is kept in step. */
struct carried {
    char *name, *bucket;
    uint64_t size;     /* bytes, of a dict that is not there yet */
    uint64_t max_size; /* 0: it does not grow */
    int replicas;      /* of a bucket that is not there yet */
    int line;
};

struct config {
    const char *path;
    char *servers[SERVERS_MOST];
    int server_count;
    uint32_t machine;
    char *tls_ca, *tls_cert, *tls_key, *creds, *nkey, *nkey_public, *user, *password_file;
    bool log_conflicts;
    struct carried dicts[DICTS_MOST];
    int dict_count;
};

/* Read a file. False: what is wrong has been said, all of it, each with file and line. */
bool config_read(const char *path, struct config *ret);
void config_free(struct config *c);

/* The first line of a file of secrets. NULL: it was said why not. */
char *config_secret(const char *path);

#endif
