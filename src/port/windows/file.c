/* SPDX-License-Identifier: MIT */
/* Windows: sections, as the files that the journal and the lister take them for. */
#include "objects.h"

#include "layout.h"

#include <string.h>

/* ---- memory */

uint64_t shms__committed(const void *view)
{
    MEMORY_BASIC_INFORMATION part;
    const char *at = view;
    while (VirtualQuery(at, &part, sizeof part) && part.AllocationBase == view && part.State == MEM_COMMIT)
        at = (const char *)part.BaseAddress + part.RegionSize;
    return (uint64_t)(at - (const char *)view);
}

/* size 0: to the end of the section. */
int shms__map(const struct file *f, uint64_t offset, uint64_t size, bool writable, bool child, void **ret)
{
    (void)child;
    if (size > SIZE_MAX / 2)
        return shms__fail(SHMS_E_NOMEM);
    *ret = MapViewOfFile(f->section, writable ? FILE_MAP_READ | FILE_MAP_WRITE : FILE_MAP_READ,
                         (DWORD)(offset >> 32), (DWORD)offset, (SIZE_T)size);
    return *ret ? 0 : shms__fail_last();
}

void shms__map_hide(void *address, uint64_t size)
{
    (void)address, (void)size; /* nothing like it here */
}

void shms__unmap(void *address, uint64_t size)
{
    (void)size;
    UnmapViewOfFile(address);
}

int shms__pin(void *address, uint64_t size)
{
    if (VirtualLock(address, (SIZE_T)size))
        return 0;
    shms__fail_last(); /* keep the number; it is a limit whatever it says */
    return SHMS_E_NOMEM;
}

/* Commits what the journal needs. wine forgets a commitment of a whole view, so the view is larger. */
int shms__file_grow(const struct file *f, uint64_t from, uint64_t to, bool sparse)
{
    void *p = NULL;
    (void)sparse;
    if (shms__map(f, from, to - from + LAYOUT_JOURNAL, true, false, &p) < 0)
        return SHMS_E_NOSPACE;
    bool done = VirtualAlloc(p, (SIZE_T)(to - from), MEM_COMMIT, PAGE_READWRITE);
    if (!done)
        shms__fail_last();
    UnmapViewOfFile(p);
    return done ? 0 : SHMS_E_NOSPACE;
}

/* Of control, with its journal; of data, the part that has memory. */
int shms__file_length(const struct file *f, uint64_t *ret_size)
{
    void *p = NULL;
    uint64_t from = f->objects ? LAYOUT_JOURNAL : 0;
    int rc = shms__map(f, from, 0, false, false, &p);
    if (rc < 0)
        return rc;
    *ret_size = from + shms__committed(p);
    UnmapViewOfFile(p);
    return 0;
}

/* The memory of a section cannot be given back; of data, at least the bytes go. */
int shms__file_cut(const struct file *f, uint64_t from, uint64_t to)
{
    void *p = NULL;
    if (f->objects || to <= from)
        return 0;
    int rc = shms__map(f, 0, 0, true, false, &p);
    if (rc < 0)
        return rc;
    uint64_t end = shms__committed(p);
    if (from < end)
        memset((char *)p + from, 0, (size_t)((to < end ? to : end) - from));
    UnmapViewOfFile(p);
    return 0;
}

bool shms__file_intact(const struct file *f)
{
    return f->section && f->writable;
}

static HANDLE open_section(const char *path, DWORD access)
{
    wchar_t name[OBJECT_NAME_MAX];
    return shms__object_name(path, "", name) ? OpenFileMappingW(access, FALSE, name) : NULL;
}

int shms__region_reopen(struct file *f, const char *path)
{
    f->section = open_section(path, FILE_MAP_READ | FILE_MAP_WRITE);
    f->writable = true;
    return f->section ? 0 : shms__fail(SHMS_E_LOST);
}

/* ---- looking from outside */

/* The lister opens control by its path; the region's name is what is left without the ending. */
int shms__file_open(const char *path, bool writable, const struct trust *trust, struct file *ret)
{
    (void)writable, (void)trust;
    *ret = (struct file){.section = open_section(path, FILE_MAP_READ)};
    if (!ret->section)
        return shms__fail_last();
    int rc = shms__objects_open(path, 0, &ret->objects);
    if (rc < 0)
        shms__file_close(ret);
    else
        ret->objects->base[strlen(path) - strlen(CONTROL_ENDING)] = 0;
    return rc;
}

void shms__file_close(struct file *f)
{
    shms__objects_close(f->objects);
    CloseHandle(f->section);
    *f = (struct file){0};
}

int64_t shms__file_read(const struct file *f, void *buf, size_t n, uint64_t offset)
{
    const unsigned char *p = MapViewOfFile(f->section, FILE_MAP_READ, 0, 0, 0);
    if (!p)
        return shms__fail_last();
    uint64_t size = shms__committed(p);
    size_t part = offset >= size ? 0 : n < size - offset ? n : (size_t)(size - offset);
    racy_copy(buf, p + offset, part);
    UnmapViewOfFile(p);
    return (int64_t)part;
}

bool shms__file_exists(const char *path)
{
    HANDLE h = open_section(path, FILE_MAP_READ);
    if (h)
        CloseHandle(h);
    return h || GetLastError() == ERROR_ACCESS_DENIED;
}

/* A name means the same object as long as somebody has it open, and f is open. */
bool shms__file_has_name(const struct file *f, const char *path)
{
    (void)f, (void)path;
    return true;
}

int shms__file_stat(const char *path, struct file_stat *ret)
{
    HANDLE h = open_section(path, FILE_MAP_READ | READ_CONTROL);
    if (!h)
        return shms__fail_last();
    void *p = MapViewOfFile(h, FILE_MAP_READ, 0, 0, 0);
    *ret = (struct file_stat){.size = p ? shms__committed(p) : 0};
    ret->memory_bytes = ret->size;
    shms__security_of(h, &ret->mode, &ret->uid);
    if (p)
        UnmapViewOfFile(p);
    CloseHandle(h);
    return 0;
}
