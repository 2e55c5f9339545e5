/* SPDX-License-Identifier: MIT */
/* Windows: what a file of shared memory is here, a named section; CMake picks this folder for the include. */
#ifndef SHMS_PORT_TYPES_H
#define SHMS_PORT_TYPES_H

#include "shmstream.h"

#include <stdbool.h>

/* The system takes 32,000 characters; 1000 of the widest must do. */
#define PORT_NAME_MAX 4096
#define PORT_PATH_MAX 2080

struct objects;

struct file {
    void *section;           /* NULL: none */
    struct objects *objects; /* of a control section: what else has its region's name */
    bool writable;
};

struct watch {
    int fd; /* -1: none, always */
};

#endif
