/* SPDX-License-Identifier: MIT */
/* Linux: how much may be had, asked before it is taken. */
#ifndef SHMS_PORT_ROOM_H
#define SHMS_PORT_ROOM_H

#include <stdbool.h>
#include <stdint.h>

/* Growing a file past RLIMIT_FSIZE, and writing there, would raise SIGXFSZ, so ask first. */
bool shms__within_file_limit(uint64_t size);

/*
 * Memory that could be had without killing anybody: in the machine, and in the memory cgroups that this
 * process is in. UINT64_MAX where the system does not tell. Reads some files of /proc and /sys.
 */
uint64_t shms__memory_available(void);

#endif
