/* SPDX-License-Identifier: MIT */
/*
 * Hello: open a stream by name, lock it, read what another process left, write something of one's own.
 * Run it in two terminals. The stream lives as long as one of them does; Enter ends the program.
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
    const char *name = argc > 1 ? argv[1] : "Global\\test";
    const char *word = argc > 2 ? argv[2] : "hello";
    char text[64] = "";
    shms_stream *s;

    check(name, shms_stream_open(name, 4096, NULL, &s));
    check("lock", shms_stream_lock(s, -1)); /* 0, or SHMS_OWNER_DIED: see repair.c */
    check("read", shms_stream_read(s, text, sizeof text - 1));
    printf("the stream %s: \"%s\"\n", shms_stream_existed(s) ? "was there" : "is new", text);
    snprintf(text, sizeof text, "%s", word);
    check("seek", shms_stream_seek(s, 0, SEEK_SET));
    check("write", shms_stream_write(s, text, sizeof text));
    check("unlock", shms_stream_unlock(s));

    printf("wrote \"%s\"\n", text);
    fflush(stdout);
    getchar();
    shms_stream_close(s);
    return 0;
}
