/* SPDX-License-Identifier: MIT */
/* Windows: no death bell. The dead are found by asking, when a slice ends. */
#include "../../core/port.h"

void shms__bell_hang(struct bell *b, a32 *word, bool worth)
{
    (void)b, (void)word, (void)worth;
}

bool shms__bell_off(void)
{
    return true;
}

int shms__sleep_on_both(a32 *word, uint32_t expected, a32 *bell, uint32_t says, int64_t ns)
{
    (void)bell, (void)says;
    return shms__sleep_on(word, expected, ns);
}
