/* SPDX-License-Identifier: MIT */
/* What TShareMemStream does to the system, call by call, for the other side of a test. */
#ifndef SHMS_TEST_WINDOWS_ANCESTOR_H
#define SHMS_TEST_WINDOWS_ANCESTOR_H

#include "check.h"

struct ancestor {
    HANDLE event;
    HANDLE section;
    unsigned char *memory; /* NULL: refused */
    bool existed;
};

static inline void ancestor_open(struct ancestor *a, const char *name, DWORD access, uint64_t size)
{
    SECURITY_DESCRIPTOR everyone;
    SECURITY_ATTRIBUTES attributes = {.nLength = sizeof attributes, .lpSecurityDescriptor = &everyone};
    InitializeSecurityDescriptor(&everyone, SECURITY_DESCRIPTOR_REVISION);
    SetSecurityDescriptorDacl(&everyone, TRUE, NULL, FALSE);
    a->event = CreateEventW(NULL, FALSE, TRUE, wide(name, "_TShareMemStream_Event"));
    a->section = CreateFileMappingW(INVALID_HANDLE_VALUE, &attributes,
                                    access & FILE_MAP_WRITE ? PAGE_READWRITE : PAGE_READONLY,
                                    (DWORD)(size >> 32), (DWORD)size, wide(name, ""));
    a->existed = GetLastError() == ERROR_ALREADY_EXISTS;
    a->memory = a->section ? MapViewOfFile(a->section, access, 0, 0, (SIZE_T)size) : NULL;
}

static inline bool ancestor_lock(const struct ancestor *a, DWORD timeout_ms)
{
    return WaitForSingleObject(a->event, timeout_ms) == WAIT_OBJECT_0;
}

static inline void ancestor_unlock(const struct ancestor *a)
{
    SetEvent(a->event);
}

static inline void ancestor_close(struct ancestor *a)
{
    if (a->memory)
        UnmapViewOfFile(a->memory);
    if (a->section)
        CloseHandle(a->section);
    CloseHandle(a->event);
}

#endif
