/* SPDX-License-Identifier: MIT */
/* Windows: what exists: the directory of named objects, which only the lowest layer of the system shows. */
#include "objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <winternl.h>

struct directory_entry {
    UNICODE_STRING name;
    UNICODE_STRING type;
};

#define DIRECTORY_QUERY 1
#define ENTRY_MAX (2 * 0x10000 + 64) /* two strings of the longest kind */

NTSTATUS NTAPI NtOpenDirectoryObject(HANDLE *ret, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes);
NTSTATUS NTAPI NtQueryDirectoryObject(HANDLE directory, void *buf, ULONG size, BOOLEAN one, BOOLEAN restart,
                                      ULONG *context, ULONG *ret_size);

/* Session 0 has one place for all names; it is told of once, as Global. */
int shms__place(bool global, bool create, char ret_prefix[PORT_PATH_MAX])
{
    DWORD session = 0;
    (void)create;
    ProcessIdToSessionId(GetCurrentProcessId(), &session);
    if (!global && session == 0)
        return shms__fail(SHMS_E_NOT_FOUND);
    if (global)
        snprintf(ret_prefix, PORT_PATH_MAX, "\\BaseNamedObjects");
    else
        snprintf(ret_prefix, PORT_PATH_MAX, "\\Sessions\\%lu\\BaseNamedObjects", session);
    return 0;
}

static HANDLE open_directory(const char *prefix)
{
    wchar_t path[64];
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attributes;
    HANDLE h = NULL;
    _snwprintf(path, 64, L"%hs", prefix);
    RtlInitUnicodeString(&name, path);
    InitializeObjectAttributes(&attributes, &name, 0, NULL, NULL);
    return NtOpenDirectoryObject(&h, DIRECTORY_QUERY, &attributes) >= 0 ? h : NULL;
}

static bool is_section(const struct directory_entry *e)
{
    static const wchar_t word[] = L"Section";
    return e->type.Length == sizeof word - 2 && memcmp(e->type.Buffer, word, e->type.Length) == 0;
}

/* False: no Unicode, or too long to be ours. */
static bool to_text(const UNICODE_STRING *name, char ret[OBJECT_NAME_MAX])
{
    int n = WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, name->Buffer, name->Length / 2, ret,
                                OBJECT_NAME_MAX - 1, NULL, NULL);
    ret[n > 0 ? n : 0] = 0;
    return n > 0;
}

int shms__place_walk(const char *prefix, int (*fn)(void *context, const char *file_name), void *context)
{
    char text[OBJECT_NAME_MAX];
    ULONG at = 0;
    struct directory_entry *e = malloc(ENTRY_MAX);
    HANDLE h = e ? open_directory(prefix) : NULL;
    int rc = e ? 0 : shms__fail(SHMS_E_NOMEM);
    while (h && rc == 0 && NtQueryDirectoryObject(h, e, ENTRY_MAX, TRUE, FALSE, &at, NULL) == 0) {
        if (is_section(e) && to_text(&e->name, text))
            rc = fn(context, text);
    }
    if (h)
        CloseHandle(h);
    free(e);
    return rc;
}
