/* SPDX-License-Identifier: MIT */
/* Linux: whose files are trusted, for file.c and memfd.c. */
#ifndef SHMS_PORT_TRUST_H
#define SHMS_PORT_TRUST_H

#include "../../core/port.h"

#include <sys/types.h>

bool shms__trusted_owner(const struct trust *t, uid_t owner);
bool shms__on_tmpfs(int fd, dev_t device);

#endif
