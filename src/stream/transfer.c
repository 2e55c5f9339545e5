/* SPDX-License-Identifier: MIT */
/* Bytes in and out: at the handle's position, or at an offset. None of these takes the lock; in an atomic
 * stream, writing saves the old bytes first. */
#include "stream.h"

#include <string.h>

/* The region's bytes are plain memory; the caller holds the lock where others may write (see the header). */
static void copy(void *to, const void *from, uint64_t n)
{
    if (n > 0)
        memmove(to, from, (size_t)n);
}

static int check(const shms_stream *s, const void *buf, size_t n)
{
    return !s || (!buf && n > 0) || n > PTRDIFF_MAX ? shms__fail(SHMS_E_INVALID) : 0;
}

static int check_writable(shms_stream *s, const void *buf, size_t n)
{
    int rc = check(s, buf, n);
    if (rc == 0 && !s->section.member.region.writable)
        rc = shms__fail(SHMS_E_READ_ONLY);
    return rc < 0 ? rc : shms__stream_enter_data(s);
}

int64_t shms_stream_read(shms_stream *s, void *buf, size_t n)
{
    int64_t rc = check(s, buf, n);
    if (rc == 0)
        rc = shms__stream_enter_data(s);
    if (rc < 0)
        return rc;
    uint64_t size = shms__region_size(&s->section.member.region);
    uint64_t at = a64_load_relaxed(&s->position); /* relaxed: repeated by the compare-and-swap */
    uint64_t part;
    do
        part = ref_part(at, n, size);
    while (!a64_cas_relaxed(&s->position, &at, at + part)); /* relaxed: private, no bytes hang on it */
    copy(buf, s->section.member.region.data + at, part);
    return shms__member_done(&s->section.member, (int64_t)part);
}

int64_t shms_stream_write(shms_stream *s, const void *buf, size_t n)
{
    int64_t rc = check_writable(s, buf, n);
    if (rc < 0)
        return rc;
    uint64_t size = shms__region_size(&s->section.member.region);
    uint64_t at = a64_load_relaxed(&s->position); /* relaxed: repeated by the compare-and-swap */
    do {
        if (n == 0)
            return 0;
        if (!ref_fits(at, n, size))
            return shms__member_done(&s->section.member, shms__fail(SHMS_E_RANGE));
        if ((rc = shms__section_write(&s->section, at, n)) < 0)
            return rc;
    } while (!a64_cas_relaxed(&s->position, &at, at + n)); /* relaxed: as in shms_stream_read */
    copy(s->section.member.region.data + at, buf, n);
    return shms__member_done(&s->section.member, (int64_t)n);
}

int64_t shms_stream_pread(shms_stream *s, void *buf, size_t n, int64_t offset)
{
    int64_t rc = check(s, buf, n);
    if (rc == 0 && offset < 0)
        rc = shms__fail(SHMS_E_RANGE);
    if (rc == 0)
        rc = shms__stream_enter_data(s);
    if (rc < 0)
        return rc;
    uint64_t part = ref_part((uint64_t)offset, n, shms__region_size(&s->section.member.region));
    if (part > 0)
        copy(buf, s->section.member.region.data + offset, part);
    return shms__member_done(&s->section.member, (int64_t)part);
}

int64_t shms_stream_pwrite(shms_stream *s, const void *buf, size_t n, int64_t offset)
{
    int64_t rc = check_writable(s, buf, n);
    if (rc < 0)
        return rc;
    if (offset < 0)
        return shms__fail(SHMS_E_RANGE);
    if (n == 0)
        return 0;
    if (!ref_fits((uint64_t)offset, n, shms__region_size(&s->section.member.region)))
        return shms__member_done(&s->section.member, shms__fail(SHMS_E_RANGE));
    if ((rc = shms__section_write(&s->section, (uint64_t)offset, n)) < 0)
        return rc;
    copy(s->section.member.region.data + offset, buf, n);
    return shms__member_done(&s->section.member, (int64_t)n);
}

/* Where offset and whence lead, or SHMS_E_RANGE. */
static int64_t target(int64_t base, int64_t offset)
{
    if (offset > 0 ? base > INT64_MAX - offset : base + offset < 0)
        return shms__fail(SHMS_E_RANGE);
    return base + offset;
}

int64_t shms__seek_target(shms_stream *s, int64_t position, int64_t offset, int whence)
{
    switch (whence) {
    case SEEK_SET:
        return target(0, offset);
    case SEEK_CUR:
        return target(position, offset);
    case SEEK_END:
        return target((int64_t)shms__region_size(&s->section.member.region), offset);
    default:
        return shms__fail(SHMS_E_INVALID);
    }
}

int64_t shms_stream_seek(shms_stream *s, int64_t offset, int whence)
{
    int64_t rc = check(s, NULL, 0);
    if (rc == 0)
        rc = shms__stream_enter_data(s);
    if (rc < 0)
        return rc;
    uint64_t at = a64_load_relaxed(&s->position); /* relaxed: repeated by the compare-and-swap */
    int64_t to;
    do {
        to = shms__seek_target(s, (int64_t)at, offset, whence);
        if (to < 0)
            return to;
    } while (!a64_cas_relaxed(&s->position, &at, (uint64_t)to)); /* relaxed: as in shms_stream_read */
    return to;
}

int64_t shms_stream_tell(shms_stream *s)
{
    if (!s)
        return shms__fail(SHMS_E_INVALID);
    return (int64_t)a64_load_relaxed(&s->position); /* relaxed: a private number */
}
