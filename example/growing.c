/* SPDX-License-Identifier: MIT */
/*
 * Growing: a stream opened with a greatest size maps that much address space once. It can grow to it while
 * others use it, and pointers into it stay what they were. Memory is used for the present size only.
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

static shms_stream *open_growing(const char *name)
{
    shms_stream_options o = { .struct_size = sizeof o, .max_size = 16 << 20 };
    shms_stream *s;
    check(name, shms_stream_open(name, 4096, &o, &s));
    return s;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "example-growing";
    shms_stream *one = open_growing(name);
    shms_stream *other = open_growing(name); /* stands for another process */
    const char *before = shms_stream_memory(other);

    check("lock", shms_stream_lock(one, -1)); /* the size changes under the lock only */
    check("resize", shms_stream_resize(one, 1 << 20));
    check("write", shms_stream_pwrite(one, "far out", 8, 1000000));
    check("unlock", shms_stream_unlock(one));

    printf("the other sees %llu bytes, ", (unsigned long long)shms_stream_size(other));
    printf("and in them \"%s\"\n", before + 1000000);
    printf("the pointer is %s\n", shms_stream_memory(other) == before ? "the same" : "another");
    shms_stream_close(other);
    shms_stream_close(one);
    return 0;
}
