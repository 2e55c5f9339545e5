/* SPDX-License-Identifier: MIT */
/* Windows: ordinary files, written as a whole or not at all. Paths are UTF-8. */
#include "objects.h"

#include <stdlib.h>
#include <wchar.h>

#define CHUNK (256u << 20)
#define SHARE (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

static DWORD write_all(HANDLE h, const char *p, uint64_t n)
{
    while (n > 0) {
        DWORD done = 0;
        if (!WriteFile(h, p, n < CHUNK ? (DWORD)n : CHUNK, &done, NULL))
            return GetLastError();
        p += done;
        n -= done;
    }
    return 0;
}

/* A console, a pipe, a device: there is nothing to replace. */
static DWORD write_into(const wchar_t *path, const void *buf, uint64_t n)
{
    HANDLE h = CreateFileW(path, GENERIC_WRITE, SHARE, NULL, OPEN_EXISTING, 0, NULL);
    if (h == INVALID_HANDLE_VALUE)
        return GetLastError();
    DWORD e = write_all(h, buf, n);
    CloseHandle(h);
    return e;
}

static bool is_device(const wchar_t *path)
{
    HANDLE h = CreateFileW(path, 0, SHARE, NULL, OPEN_EXISTING, 0, NULL);
    if (h == INVALID_HANDLE_VALUE)
        return false;
    bool device = GetFileType(h) != FILE_TYPE_DISK;
    CloseHandle(h);
    return device;
}

/* Write beside it, make it durable, then change names: a failure at any point leaves the old file. */
static DWORD replace(const wchar_t *path, const void *buf, uint64_t n)
{
    size_t room = wcslen(path) + 32;
    wchar_t *beside = malloc(room * sizeof *beside);
    if (!beside)
        return ERROR_NOT_ENOUGH_MEMORY;
    _snwprintf(beside, room, L"%ls.shms-%lu-%lu", path, GetCurrentProcessId(), GetCurrentThreadId());
    HANDLE h = CreateFileW(beside, GENERIC_WRITE, 0, NULL, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
    DWORD e = h == INVALID_HANDLE_VALUE ? GetLastError() : write_all(h, buf, n);
    if (e == 0 && !FlushFileBuffers(h))
        e = GetLastError();
    if (h != INVALID_HANDLE_VALUE) {
        CloseHandle(h);
        if (e == 0 && !MoveFileExW(beside, path, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH))
            e = GetLastError();
        if (e)
            DeleteFileW(beside);
    }
    free(beside);
    return e;
}

int shms__disk_save(const char *path, const void *buf, uint64_t n)
{
    wchar_t *wide = shms__wide(path);
    if (!wide)
        return shms__fail(SHMS_E_INVALID);
    DWORD e = is_device(wide) ? write_into(wide, buf, n) : replace(wide, buf, n);
    free(wide);
    return e ? shms__fail_os((int)e) : 0;
}

static int64_t read_all(HANDLE h, char *p, uint64_t n)
{
    uint64_t done = 0;
    while (done < n) {
        DWORD got = 0;
        if (!ReadFile(h, p + done, n - done < CHUNK ? (DWORD)(n - done) : CHUNK, &got, NULL))
            return shms__fail_last();
        if (got == 0)
            break;
        done += got;
    }
    return (int64_t)done;
}

static int64_t load(HANDLE h, void *buf, uint64_t n, int (*before)(void *context, uint64_t size),
                    void *context)
{
    LARGE_INTEGER size;
    if (GetFileType(h) != FILE_TYPE_DISK || !GetFileSizeEx(h, &size))
        return shms__fail(SHMS_E_INVALID);
    if ((uint64_t)size.QuadPart > n)
        return shms__fail(SHMS_E_RANGE);
    int rc = before(context, (uint64_t)size.QuadPart);
    return rc < 0 ? rc : read_all(h, buf, (uint64_t)size.QuadPart);
}

/* INVALID_HANDLE_VALUE: *ret_code tells why. */
static HANDLE open_to_read(const char *path, int *ret_code)
{
    wchar_t *wide = shms__wide(path);
    if (!wide) {
        *ret_code = shms__fail(SHMS_E_INVALID);
        return INVALID_HANDLE_VALUE;
    }
    HANDLE h = CreateFileW(wide, GENERIC_READ, SHARE, NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    if (h == INVALID_HANDLE_VALUE)
        *ret_code = shms__fail_last();
    free(wide);
    return h;
}

int64_t shms__disk_begin(const char *path, void *buf, uint64_t n)
{
    int code = 0;
    HANDLE h = open_to_read(path, &code);
    if (h == INVALID_HANDLE_VALUE)
        return code;
    int64_t got = GetFileType(h) == FILE_TYPE_DISK ? read_all(h, buf, n) : shms__fail(SHMS_E_INVALID);
    CloseHandle(h);
    return got;
}

int64_t shms__disk_load(const char *path, void *buf, uint64_t n, int (*before)(void *context, uint64_t size),
                        void *context)
{
    int code = 0;
    HANDLE h = open_to_read(path, &code);
    if (h == INVALID_HANDLE_VALUE)
        return code;
    int64_t rc = load(h, buf, n, before, context);
    CloseHandle(h);
    return rc;
}
