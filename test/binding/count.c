/* SPDX-License-Identifier: MIT */
/* count.c NAME LANGUAGE SLOT TIMES: one of the programs that run.sh runs at once; the others do the same.
 * Says "open", waits for a line, and then, TIMES times: reads the first word of the stream and its own, adds
 * to its key of the dict and to the key "all", writes both words anew, and sends its name. */
#include "shmstream/channel.h"
#include "shmstream/dict.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int64_t rc, const char *what)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "%s: %s\n", what, shms_strerror((int)rc));
    exit(1);
}

static int64_t get(shms_stream *s, int64_t at)
{
    int64_t n = 0;
    check(shms_stream_pread(s, &n, sizeof n, at), "pread");
    return n;
}

static void put(shms_stream *s, int64_t at, int64_t n)
{
    check(shms_stream_pwrite(s, &n, sizeof n, at), "pwrite");
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    const char *language = argv[2];
    const int64_t slot = 8 * atoi(argv[3]);
    char name[300], line[8];
    shms_stream *s;
    shms_channel *c;
    shms_dict *d;
    snprintf(name, sizeof name, "%s-s", argv[1]);
    check(shms_stream_open(name, 0, NULL, &s), "stream");
    snprintf(name, sizeof name, "%s-c", argv[1]);
    check(shms_channel_open(name, 0, SHMS_SEND, NULL, &c), "channel");
    snprintf(name, sizeof name, "%s-d", argv[1]);
    check(shms_dict_open(name, 0, NULL, &d), "dict");
    puts("open");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        return 1;
    for (int i = 0; i < atoi(argv[4]); i++) {
        check(shms_stream_lock(s, -1), "lock");
        const int64_t all = get(s, 0), mine = get(s, slot);
        check(shms_dict_add(d, language, strlen(language), 1, 0, NULL, NULL), "add");
        check(shms_dict_add(d, "all", 3, 1, 0, NULL, NULL), "add");
        put(s, 0, all + 1);
        put(s, slot, mine + 1);
        check(shms_stream_unlock(s), "unlock");
        check(shms_channel_send(c, language, strlen(language), -1), "send");
    }
    shms_channel_close(c);
    shms_dict_close(d);
    shms_stream_close(s);
}
