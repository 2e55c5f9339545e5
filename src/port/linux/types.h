/* SPDX-License-Identifier: MIT */
/* Linux: what a file of shared memory is here; CMake picks this folder for the include. */
#ifndef SHMS_PORT_TYPES_H
#define SHMS_PORT_TYPES_H

#include "shmstream.h"

#include <stdbool.h>

#define PORT_NAME_MAX SHMS_NAME_MAX
#define PORT_PATH_MAX 320

struct file {
    int fd; /* -1: none */
    uint64_t device;
    uint64_t inode;
    uint64_t size; /* when it was opened */
    bool linked;   /* it had other names, too */
};

struct watch {
    int fd; /* -1: none */
    struct watch *next; /* of all of the process */
};

#endif
