/* SPDX-License-Identifier: MIT */
#ifndef SHMS_BRIDGE_RUN_H
#define SHMS_BRIDGE_RUN_H

#include "config.h"

/* Until a signal, or a failure that trying again cannot mend: the exit status. */
int bridge_run(const struct config *config);

#endif
