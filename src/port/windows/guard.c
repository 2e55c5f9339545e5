/* SPDX-License-Identifier: MIT */
/* Windows: nobody can take a section's memory away, so there is nothing to guard. */
#include "../../core/port.h"

int shms__guard_take(void *context, void (*on_lost)(void *), void (*fill)(void *), struct guard **ret)
{
    (void)context, (void)on_lost, (void)fill, (void)ret;
    return 0;
}

void shms__guard_range(struct guard *g, int which, const void *start, uint64_t size, bool writable)
{
    (void)g, (void)which, (void)start, (void)size, (void)writable;
}

void shms__guard_drop(struct guard *g)
{
    (void)g;
}
