/* SPDX-License-Identifier: MIT */
/* The codes' texts, and the errno behind a thread's last failure. */
#include "error.h"

#include <errno.h>

static _Thread_local int last_oserror;

int shms__fail(int code)
{
    last_oserror = 0;
    return code;
}

int shms__fail_os(int oserror)
{
    last_oserror = oserror;
    switch (oserror) {
    case ENOENT:
        return SHMS_E_NOT_FOUND;
    case EEXIST:
        return SHMS_E_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:  /* a symbolic link where a file of ours should be */
    case EISDIR: /* a directory there */
    case ENOTDIR:
    case ENXIO: /* a socket there */
        return SHMS_E_DENIED;
    case ENOSPC:
    case EFBIG:
    case EDQUOT:
        return SHMS_E_NOSPACE;
    case ENOMEM:
        return SHMS_E_NOMEM;
    case EOPNOTSUPP:
        return SHMS_E_UNSUPPORTED;
    case ENAMETOOLONG:
        return SHMS_E_INVALID;
    default:
        return SHMS_E_OS;
    }
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
