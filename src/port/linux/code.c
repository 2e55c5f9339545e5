/* SPDX-License-Identifier: MIT */
/* Linux: what an errno means to a user. */
#include "../../core/port.h"

#include <errno.h>

int shms__os_code(int oserror)
{
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
    case EFAULT: /* of memory that was taken away */
        return SHMS_E_LOST;
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
