/* SPDX-License-Identifier: MIT */
/* The codes' texts, and the errno behind a thread's last failure. */
#include "port.h"

static _Thread_local int last_oserror;

int shms__fail(int code)
{
    last_oserror = 0;
    return code;
}

int shms__fail_os(int oserror)
{
    last_oserror = oserror;
    return shms__os_code(oserror);
}

void shms__restore_oserror(int oserror)
{
    last_oserror = oserror;
}

int shms_last_oserror(void)
{
    return last_oserror;
}

const char *shms_strerror(int code)
{
    switch (code) {
#define CODE_TEXT(name, value, text)                                                                       \
    case value:                                                                                            \
        return text;
        SHMS_CODES(CODE_TEXT)
#undef CODE_TEXT
    default:
        return "unknown code";
    }
}

const char *shms_version(void)
{
    return SHMS_VERSION_STRING;
}
