/* SPDX-License-Identifier: MIT */
/* Handles: what opening and closing have in common, whatever kind of object the region is. */
#ifndef SHMS_HANDLE_H
#define SHMS_HANDLE_H

#include "section.h"

struct handle_request {
    const char *name; /* NULL: a region without one */
    uint64_t size;
    int fd; /* of an unnamed region that exists; -1: none */
    const shms_stream_options *options;
    uint32_t kind;      /* KIND_...; another one is SHMS_E_KIND */
    const void *object; /* what a new region's object area begins with; NULL: nothing */
    size_t object_size;
    int (*init)(struct section *s, const shms_stream_options *o); /* calls options.init */
};

/* Open or create. *ret is the first field of an object of object_size bytes; the rest of it is zero. */
int shms__handle_open(const struct handle_request *h, size_t object_size, struct section **ret);

/* Leave, and free the object. */
void shms__handle_close(struct section *s);

int shms__handle_unlink(const char *name);

#endif
