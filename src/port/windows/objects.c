/* SPDX-License-Identifier: MIT */
/* Windows: a region's named objects, opened and closed. */
#include "objects.h"

#include <stdlib.h>
#include <string.h>

wchar_t *shms__wide(const char *text)
{
    int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
    wchar_t *wide = n > 0 ? malloc((size_t)n * sizeof *wide) : NULL;
    if (wide)
        MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, n);
    return wide;
}

bool shms__object_name(const char *base, const char *ending, wchar_t ret[OBJECT_NAME_MAX])
{
    int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, base, -1, ret, OBJECT_NAME_MAX);
    size_t more = strlen(ending);
    if (n == 0 || (size_t)n + more > OBJECT_NAME_MAX)
        return false;
    for (size_t i = 0; i <= more; i++) /* over the zero; endings are ASCII */
        ret[(size_t)n - 1 + i] = (wchar_t)ending[i];
    return true;
}

int shms__objects_open(const char *base, uint32_t mode, struct objects **ret)
{
    struct objects *o = calloc(1, sizeof *o);
    if (!o)
        return shms__fail(SHMS_E_NOMEM);
    memcpy(o->base, base, strlen(base) + 1);
    o->mode = mode;
    *ret = o;
    return 0;
}

static int make_gate(struct objects *o, SECURITY_ATTRIBUTES *attributes)
{
    wchar_t name[OBJECT_NAME_MAX];
    shms__object_name(o->base, GATE_ENDING, name);
    o->gate = CreateEventExW(attributes, name, CREATE_EVENT_INITIAL_SET,
                             SYNCHRONIZE | EVENT_MODIFY_STATE | QUERY_STATE);
    return o->gate ? 0 : shms__fail_last();
}

static int make_parity(struct objects *o, SECURITY_ATTRIBUTES *attributes, bool *ret_new)
{
    wchar_t name[OBJECT_NAME_MAX];
    shms__object_name(o->base, PARITY_ENDING, name);
    o->parity = CreateSemaphoreExW(attributes, PARITY_FULL, MAXLONG, name, 0,
                                   SYNCHRONIZE | SEMAPHORE_MODIFY_STATE | QUERY_STATE);
    *ret_new = GetLastError() != ERROR_ALREADY_EXISTS;
    return o->parity ? 0 : shms__fail_last();
}

static int make_bell(struct objects *o, SECURITY_ATTRIBUTES *attributes)
{
    wchar_t name[OBJECT_NAME_MAX];
    shms__object_name(o->base, "_shms_bell", name);
    o->bell = CreateEventExW(attributes, name, CREATE_EVENT_MANUAL_RESET, SYNCHRONIZE | EVENT_MODIFY_STATE);
    return o->bell ? 0 : shms__fail_last();
}

int shms__objects_join(struct objects *o, bool *ret_parity_new)
{
    struct security s = {0};
    int rc = shms__security(o->mode, &s);
    if (rc == 0)
        rc = make_gate(o, &s.attributes);
    if (rc == 0)
        rc = make_parity(o, &s.attributes, ret_parity_new);
    if (rc == 0)
        rc = make_bell(o, &s.attributes);
    shms__security_free(&s);
    return rc;
}

static void close_one(HANDLE h)
{
    if (h)
        CloseHandle(h);
}

void shms__objects_close(struct objects *o)
{
    if (!o)
        return;
    shms__objects_unmapped(o);
    for (int i = 0; i < LOCKS_HELD; i++)
        close_one(o->locks[i].object);
    close_one(o->parity);
    close_one(o->bell);
    close_one(o->gate);
    free(o);
}
