/* SPDX-License-Identifier: MIT */
/* Hosts, paths and URLs, as cookies see them: RFC 6265bis, 5.1.2 to 5.1.4. */
#ifndef SHMS_URL_H
#define SHMS_URL_H

#include <stdbool.h>
#include <stddef.h>

#define HOST_ROOM 256 /* a host of 254 bytes (its last dot included), a zero byte */

struct url {
    bool secure; /* encrypted, or to this machine itself */
    char host[HOST_ROOM];
    const char *path; /* in the URL; "/" if it has none */
    size_t path_size;
};

/* 0, or SHMS_E_INVALID: another scheme, no host or one that cannot be, a port that is none, control bytes. */
int shms__url_parse(const char *text, struct url *ret);

/* The host in lower case, if it can be one. */
bool shms__host_parse(const char *text, size_t size, char ret[HOST_ROOM]);

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
