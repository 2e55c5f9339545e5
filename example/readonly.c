/* SPDX-License-Identifier: MIT */
/*
 * Read-only: a handle that cannot change the data, not even through its pointer. It can still take the
 * lock, to look at something that must not move; that section is no change and wakes nobody.
 */
#include "shmstream.h"

#include <stdio.h>
#include <stdlib.h>

/* Gives a result through, or ends the program with its text. */
static int64_t check(const char *what, int64_t result)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", what, shms_strerror((int)result));
        exit(1);
    }
    return result;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "example-readonly";
    shms_stream_options o = { .struct_size = sizeof o, .access = SHMS_ACCESS_READ };
    shms_stream *writer;
    shms_stream *reader;
    check(name, shms_stream_open(name, 64, NULL, &writer));
    check(name, shms_stream_open(name, 0, &o, &reader)); /* 0: what exists, whatever its size */
    check("write", shms_stream_write(writer, "look, do not touch", 19));

    int64_t version = check("version", shms_stream_version(reader));
    const char *text = shms_stream_memory(reader);
    check("lock", shms_stream_lock(reader, -1));
    printf("reads %llu bytes: %s\n", (unsigned long long)shms_stream_size(reader), text);
    printf("writes: %s\n", shms_strerror((int)shms_stream_write(reader, "x", 1)));
    check("unlock", shms_stream_unlock(reader));
    printf("the version has %s\n", shms_stream_version(reader) == version ? "not moved" : "moved");

    shms_stream_close(reader);
    shms_stream_close(writer);
    return 0;
}
