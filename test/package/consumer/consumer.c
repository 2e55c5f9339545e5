/* SPDX-License-Identifier: MIT */
/* One round through the library, in words that C99, C11 and C++ share. */
#include <shmstream.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *what, int64_t rc)
{
    fprintf(stderr, "%s: %ld (%s)\n", what, (long)rc, shms_strerror((int)rc));
    return 1;
}

static int round_trip(shms_stream *s)
{
    char buf[6] = "";
    int64_t rc = shms_stream_lock(s, 1000);

    if (rc != 0)
        return fail("lock", rc);
    rc = shms_stream_write(s, "hello", 6);
    if (rc != 6)
        return fail("write", rc);
    rc = shms_stream_unlock(s);
    if (rc != 0)
        return fail("unlock", rc);
    rc = shms_stream_snapshot(s, buf, sizeof buf, 0);
    if (rc != 6 || strcmp(buf, "hello") != 0)
        return fail("snapshot", rc);
    return 0;
}

int main(void)
{
    char name[64];
    shms_stream_options options;
    shms_stream *s;
    int rc;

    if (strcmp(shms_version(), SHMS_VERSION_STRING) != 0)
        return fail("header and library differ", 0);
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.create = SHMS_CREATE_ONLY;
    snprintf(name, sizeof name, "test-package-%ld", (long)getpid());
    rc = shms_stream_open(name, 4096, &options, &s);
    if (rc != 0)
        return fail("open", rc);
    rc = round_trip(s);
    shms_stream_close(s);
    return rc;
}
