/* SPDX-License-Identifier: MIT */
/* To and from a file, and as a stdio FILE. */
#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int64_t shms_stream_save(shms_stream *s, const char *path)
{
    if (!s || !path)
        return shms__fail(SHMS_E_INVALID);
    int rc = shms__stream_enter_data(s);
    if (rc < 0)
        return rc;
    uint64_t size = shms__region_size(&s->section.member.region);
    int steady = shms__steady_begin();
    rc = shms__disk_save(path, s->section.member.region.data, size);
    shms__steady_end(steady);
    return rc < 0 ? rc : (int64_t)size;
}

static int before_load(void *section, uint64_t n)
{
    return shms__section_write(section, 0, n);
}

int64_t shms_stream_load(shms_stream *s, const char *path)
{
    if (!s || !path)
        return shms__fail(SHMS_E_INVALID);
    if (!s->section.member.region.writable)
        return shms__fail(SHMS_E_READ_ONLY);
    int rc = shms__stream_enter_data(s);
    if (rc < 0)
        return rc;
    struct section *section = &s->section;
    struct region *r = &section->member.region;
    int steady = shms__steady_begin();
    int64_t n = shms__disk_load(path, r->data, shms__region_size(r), before_load, section);
    shms__steady_end(steady);
    return shms__member_done(&section->member, n);
}

/* What a FILE stands on: the stream, and a position of its own. stdio locks around every call. */
struct file_cookie {
    shms_stream *s;
    int64_t position;
};

static int fail_errno(int64_t code)
{
    errno = code == SHMS_E_RANGE ? ENOSPC : EIO;
    return -1;
}

static int64_t file_read(void *cookie, char *buf, size_t n)
{
    struct file_cookie *f = cookie;
    int64_t got = shms_stream_pread(f->s, buf, n, f->position);
    if (got < 0)
        return fail_errno(got);
    f->position += got;
    return got;
}

/* As much as fits. stdio takes less than all for a failure, and errno for its reason. */
static int64_t file_write(void *cookie, const char *buf, size_t n)
{
    struct file_cookie *f = cookie;
    uint64_t part = ref_part((uint64_t)f->position, n, shms_stream_size(f->s));
    if (part == 0 && n > 0)
        return fail_errno(SHMS_E_RANGE);
    int64_t done = shms_stream_pwrite(f->s, buf, (size_t)part, f->position);
    if (done < 0)
        return fail_errno(done);
    f->position += done;
    if (part < n)
        errno = ENOSPC;
    return done;
}

static int64_t file_seek(void *cookie, int64_t offset, int whence)
{
    struct file_cookie *f = cookie;
    int64_t to = shms__stream_enter_data(f->s);
    if (to == 0)
        to = shms__seek_target(f->s, f->position, offset, whence);
    if (to < 0) {
        errno = EINVAL;
        return -1;
    }
    f->position = to;
    return to;
}

static int file_close(void *cookie)
{
    free(cookie);
    return 0;
}

static bool mode_sound(const char *mode)
{
    return mode && *mode && strchr("rwa", *mode) && strspn(mode + 1, "+b") == strlen(mode + 1);
}

int shms_stream_file(shms_stream *s, const char *mode, FILE **ret)
{
    static const struct stdio_calls calls = {file_read, file_write, file_seek, file_close};
    if (!s || !ret || !mode_sound(mode))
        return shms__fail(SHMS_E_INVALID);
    if ((*mode != 'r' || strchr(mode, '+')) && !s->section.member.region.writable)
        return shms__fail(SHMS_E_READ_ONLY);
    int rc = shms__stream_enter_data(s);
    if (rc < 0)
        return rc;
    struct file_cookie *f = malloc(sizeof *f);
    if (!f)
        return shms__fail(SHMS_E_NOMEM);
    *f = (struct file_cookie){.s = s};
    if (*mode == 'a')
        f->position = (int64_t)shms__region_size(&s->section.member.region);
    rc = shms__stdio_open(f, mode, &calls, ret);
    if (rc < 0)
        free(f);
    return rc;
}
