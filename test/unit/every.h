/* SPDX-License-Identifier: MIT */
/* Every public call once, whatever it answers: for tests of where calls may be made. */
#ifndef EVERY_H
#define EVERY_H

#include "child.h"

static inline int every_region(const char *name, const shms_info *info, void *context)
{
    (void)name, (void)info, (void)context;
    return 0;
}

static inline int every_member(const shms_member *member, void *context)
{
    (void)member, (void)context;
    return 0;
}

/* On a handle of an atomic region of 4096 bytes that can grow, while others have one, too. */
static inline int every_call_on(shms_stream *s, const char *file)
{
    char buf[64] = "";
    int64_t seen = 0;
    shms_info info = {.struct_size = sizeof info};
    FILE *f = NULL;
    EXPECT(shms_stream_memory(s) && shms_stream_size(s) >= 4096 && shms_stream_existed(s) >= 0);
    EXPECT(shms_stream_lock_shared(s, 1000) == 0 && shms_stream_unlock(s) == 0);
    EXPECT(shms_stream_lock(s, 1000) >= 0);
    EXPECT(shms_stream_seek(s, 0, SEEK_SET) == 0 && shms_stream_tell(s) == 0);
    EXPECT(shms_stream_write(s, buf, sizeof buf) == sizeof buf);
    EXPECT(shms_stream_pwrite(s, buf, sizeof buf, 512) == sizeof buf);
    EXPECT(shms_stream_resize(s, 1 << 20) == 0 && shms_stream_resize(s, 4096) == 0);
    EXPECT(shms_stream_save(s, file) == 4096 && shms_stream_load(s, file) == 4096);
    EXPECT(shms_stream_repaired(s) == 0 && shms_stream_rollback(s) == 0);
    EXPECT(shms_stream_lock(s, 1000) >= 0);
    EXPECT(shms_stream_wait_locked(s, 1) == SHMS_E_TIMEOUT && shms_stream_unlock(s) == 0);
    EXPECT(shms_stream_read(s, buf, sizeof buf) >= 0 && shms_stream_pread(s, buf, sizeof buf, 0) >= 0);
    EXPECT(shms_stream_snapshot(s, buf, sizeof buf, 0) >= 0);
    EXPECT(shms_stream_poll_fd(s) >= 0 && shms_stream_notify(s) == 0);
    EXPECT((seen = shms_stream_version(s)) >= 0 && shms_stream_wait(s, &seen, 1) == SHMS_E_TIMEOUT);
    EXPECT(shms_stream_info(s, &info) == 0 && shms_stream_members(s, every_member, NULL) == 0);
    EXPECT(shms_stream_file(s, "r+", &f) == 0 && fclose(f) == 0);
    EXPECT(shms_list(every_region, NULL) == 0);
    EXPECT(shms_strerror(-1) && shms_version() && shms_last_oserror() >= 0);
    return 0;
}

/* Those that make or remove: a region of its own, and one without a name, passed on. */
static inline int every_opening(const char *name)
{
    shms_stream *s = NULL, *other = NULL, *passed = NULL;
    EXPECT(shms_stream_open(name, 5000, NULL, &s) == 0 && shms_stream_open(name, 0, NULL, &other) == 0);
    EXPECT(shms_stream_unlink(name) == 0);
    shms_stream_close(s);
    shms_stream_close(other);
    EXPECT(shms_stream_open(NULL, 5000, NULL, &s) == 0);
    int fd = shms_stream_fd(s);
    EXPECT(fd >= 0 && shms_stream_open_fd(fd, NULL, &passed) == 0);
    close(fd);
    shms_stream_close(passed);
    shms_stream_close(s);
    return 0;
}

#endif
