/* SPDX-License-Identifier: MIT */
/*
 * Windows: a byte lock is a named event that exists only while the lock is held. Its creator has the
 * lock; the system removes it with its holder's handle, however the holder's process ended. Asking is an
 * attempt to open it. That needs no right to open the other process, and knows no reused process ids.
 *
 * A process that asks keeps the object alive for a moment, and another that asks then may see a dead
 * holder live: for the next slice, not longer.
 */
#include "objects.h"

#include <stdio.h>

static void lock_name(const struct objects *o, uint64_t offset, wchar_t ret[OBJECT_NAME_MAX])
{
    char ending[32];
    snprintf(ending, sizeof ending, "_shms_%u", (unsigned)offset);
    shms__object_name(o->base, ending, ret);
}

static int free_place(const struct objects *o)
{
    int i = 0;
    while (i < LOCKS_HELD && o->locks[i].object)
        i++;
    return i;
}

int shms__byte_lock(const struct file *f, uint64_t offset, bool *ret_taken)
{
    struct objects *o = f->objects;
    wchar_t name[OBJECT_NAME_MAX];
    struct security s = {0};
    int place = free_place(o);
    int rc = place < LOCKS_HELD ? shms__security(o->mode, &s) : shms__fail(SHMS_E_OS);
    if (rc < 0)
        return rc;
    lock_name(o, offset, name);
    HANDLE h = CreateEventExW(&s.attributes, name, 0, SYNCHRONIZE);
    DWORD e = GetLastError();
    shms__security_free(&s);
    *ret_taken = h && e != ERROR_ALREADY_EXISTS;
    if (*ret_taken) {
        o->locks[place].offset = offset;
        o->locks[place].object = h;
    } else if (h) {
        CloseHandle(h);
    }
    /* An object that we may not open, or one of another kind, is somebody's. */
    return h || e == ERROR_ACCESS_DENIED || e == ERROR_INVALID_HANDLE ? 0 : shms__fail_os((int)e);
}

void shms__byte_unlock(const struct file *f, uint64_t offset)
{
    struct objects *o = f->objects;
    for (int i = 0; i < LOCKS_HELD; i++) {
        if (o->locks[i].object && o->locks[i].offset == offset) {
            CloseHandle(o->locks[i].object);
            o->locks[i].object = NULL;
        }
    }
}

/* One byte, of which this opening holds no lock: nothing else is asked here. */
int shms__byte_locked(const struct file *f, uint64_t offset, uint64_t n, int kind)
{
    wchar_t name[OBJECT_NAME_MAX];
    (void)n, (void)kind;
    lock_name(f->objects, offset, name);
    HANDLE h = OpenEventW(SYNCHRONIZE, FALSE, name);
    if (!h)
        return GetLastError() != ERROR_FILE_NOT_FOUND;
    CloseHandle(h);
    return true;
}
