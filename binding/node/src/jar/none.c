/* SPDX-License-Identifier: MIT */
/* In place of jar.c and libshmstream-jar, for the addon that needs nothing but libc: there are no jars. */
#include "../addon.h"

const napi_property_descriptor jar_functions[] = {{NULL, NULL, NULL, NULL, NULL, NULL, napi_default, NULL}};
const size_t jar_function_count = 0;

void shms_jar_close(shms_jar *j)
{
    (void)j;
}

int shms_jar_poll_fd(shms_jar *j)
{
    (void)j;
    return SHMS_E_UNSUPPORTED;
}

int shms_jar_lock(shms_jar *j, const char *host, int timeout_ms)
{
    (void)j, (void)host, (void)timeout_ms;
    return SHMS_E_UNSUPPORTED;
}

int shms_jar_unlock(shms_jar *j, const char *host)
{
    (void)j, (void)host;
    return SHMS_E_UNSUPPORTED;
}
