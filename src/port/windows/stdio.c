/* SPDX-License-Identifier: MIT */
/* Windows: its C library has no FILE over calls of one's own. */
#include "../../core/port.h"

int shms__stdio_open(void *cookie, const char *mode, const struct stdio_calls *calls, FILE **ret)
{
    (void)cookie, (void)mode, (void)calls, (void)ret;
    return shms__fail(SHMS_E_UNSUPPORTED);
}
