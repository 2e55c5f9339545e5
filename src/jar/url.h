/* SPDX-License-Identifier: MIT */
/* Hosts, paths and URLs, as cookies see them: RFC 6265bis, 5.1.2 to 5.1.4. */
#ifndef SHMS_URL_H
#define SHMS_URL_H

#include <stdbool.h>
#include <stddef.h>

#define HOST_ROOM 256      /* a host of 254 bytes (its last dot included), a zero byte */
#define PARTITION_ROOM 256
#define KEY_ROOM (PARTITION_ROOM + HOST_ROOM)

/* Where cookies lie. */
struct place {
    char partition[PARTITION_ROOM]; /* empty: none */
    char host[HOST_ROOM];
};

struct url {
    bool secure; /* encrypted, or to this machine itself */
    char host[HOST_ROOM];
    const char *path; /* in the URL; "/" if it has none */
    size_t path_size;
};

/* 0, or SHMS_E_INVALID: another scheme, no host or one that cannot be, a port that is none, control bytes. */
int shms__url_parse(const char *text, struct url *ret);

/* The host in lower case, if it can be one in ASCII. */
bool shms__host_parse(const char *text, size_t size, char ret[HOST_ROOM]);

/* The same of what people write: letters of other alphabets, in UTF-8, become xn--... */
bool shms__host_canonical(const char *text, size_t size, char ret[HOST_ROOM]);

/* Whether a text can be a partition; ret, unless it is NULL, receives it. */
bool shms__partition_parse(const char *text, char ret[PARTITION_ROOM]);

/* The place of a host and a partition, which may be NULL. */
bool shms__place_parse(const char *host, const char *partition, struct place *ret);

/* The key of a place, in the dict; its size. And back. */
size_t shms__place_key(const struct place *place, char ret[KEY_ROOM]);
bool shms__key_place(const void *key, size_t size, struct place *ret);

/* An IP address, or what a system might take for one: it has no domain above it. */
bool shms__host_is_address(const char *host);

/* Whether host is domain, or lies below it. Both are canonical. */
bool shms__domain_match(const char *host, const char *domain);

bool shms__path_match(const char *path, size_t size, const char *cookie_path);

/* The length of the part of a URL's path that is the path of its cookies, if they do not say one. */
size_t shms__path_default(const char *path, size_t size);

/* The name above a host, or NULL. */
const char *shms__host_above(const char *host);

#endif
