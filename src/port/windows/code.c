/* SPDX-License-Identifier: MIT */
/* Windows: what the system's error numbers mean to a user. */
#include "objects.h"

int shms__fail_last(void)
{
    return shms__fail_os((int)GetLastError());
}

int shms__os_code(int oserror)
{
    switch (oserror) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
        return SHMS_E_NOT_FOUND;
    case ERROR_ALREADY_EXISTS:
    case ERROR_FILE_EXISTS:
        return SHMS_E_EXISTS;
    case ERROR_ACCESS_DENIED:
    case ERROR_INVALID_HANDLE: /* the name is that of an object of another kind */
    case ERROR_SHARING_VIOLATION:
    case ERROR_PRIVILEGE_NOT_HELD:
    case ERROR_WRITE_PROTECT:
        return SHMS_E_DENIED;
    case ERROR_COMMITMENT_LIMIT:
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
        return SHMS_E_NOSPACE;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
    case ERROR_NO_SYSTEM_RESOURCES:
    case ERROR_WORKING_SET_QUOTA:
        return SHMS_E_NOMEM;
    case ERROR_INVALID_NAME:
    case ERROR_BAD_PATHNAME:
    case ERROR_FILENAME_EXCED_RANGE:
    case ERROR_NO_UNICODE_TRANSLATION:
        return SHMS_E_INVALID;
    case ERROR_NOT_SUPPORTED:
        return SHMS_E_UNSUPPORTED;
    default:
        return SHMS_E_OS;
    }
}
