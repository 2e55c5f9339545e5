/* SPDX-License-Identifier: MIT */
/* Handles: what opening and closing have in common, whatever kind of object the region is. */
#ifndef SHMS_HANDLE_H
#define SHMS_HANDLE_H

#include "member.h"

struct handle_request {
    const char *name; /* NULL: a region without one */
    uint64_t size;
    int fd; /* of an unnamed region that exists; -1: none */
    const shms_stream_options *options;
};

/* Open or create. *ret is the first field of an object of object_size bytes; the rest of it is zero. */
int shms__handle_open(const struct handle_request *h, size_t object_size, struct member **ret);

/* Leave, and free the object. */
void shms__handle_close(struct member *m);

int shms__handle_unlink(const char *name);

#endif
