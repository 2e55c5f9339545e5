/* SPDX-License-Identifier: MIT */
/*
 * A stream as a FILE: whatever prints or scans with stdio works on shared memory too. The FILE locks nothing
 * between processes and buffers, so: lock, print, flush, unlock.
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
    const char *name = argc > 1 ? argv[1] : "example-stdio";
    char word[16];
    int number;
    FILE *out;
    FILE *in;
    shms_stream *s;
    check(name, shms_stream_open(name, 4096, NULL, &s));
    check("file", shms_stream_file(s, "w", &out));
    check("file", shms_stream_file(s, "r", &in));

    check("lock", shms_stream_lock(s, -1));
    for (int i = 1; i <= 3; i++)
        fprintf(out, "square %d\n", i * i);
    if (fflush(out) != 0)
        perror("flush"); /* ENOSPC: the stream is full */
    check("unlock", shms_stream_unlock(s));

    while (fscanf(in, "%15s %d", word, &number) == 2)
        printf("%s: %d\n", word, number);
    fclose(in); /* before their stream */
    fclose(out);
    shms_stream_close(s);
    return 0;
}
