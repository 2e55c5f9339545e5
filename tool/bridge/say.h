/* SPDX-License-Identifier: MIT */
/* What the bridge says, on standard error: one line each, whole, also from several threads. */
#ifndef SHMS_BRIDGE_SAY_H
#define SHMS_BRIDGE_SAY_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For what may happen often: true at most once in 10 seconds. *ret_since: how often it was false since. */
struct seldom {
    int64_t last_ns;
    uint64_t since;
};
bool seldom(struct seldom *s, uint64_t *ret_since);

int64_t now_wall_ns(void);
int64_t now_ns(void); /* of a clock that is not set */

#endif
