/* SPDX-License-Identifier: MIT */
/*
 * pass_recv CHANNEL: receive what pass_send sends, into memory; say on stderr how long that took; write it to
 * stdout. The clock runs from the file's length to the end: neither file nor terminal nor hashing is in it.
 */
#include "demo.h"

#include "shmstream/channel.h"

#include <unistd.h>

static void write_all(const char *data, size_t n)
{
    while (n > 0) {
        ssize_t done = write(STDOUT_FILENO, data, n);
        if (done < 0 && errno == EINTR)
            continue;
        check_os("write to stdout", done);
        data += done;
        n -= (size_t)done;
    }
}

int main(int argc, char **argv)
{
    if (argc != 2)
        die("usage", "pass_recv CHANNEL");
    shms_channel *c;
    shms_channel_options o = {.struct_size = sizeof o, .one_sender = 1, .one_receiver = 1};
    check("open", shms_channel_open(argv[1], (uint64_t)1 << 20, SHMS_RECEIVE, &o, &c));
    uint64_t total = 0, got = 0;
    check("receive", shms_channel_recv(c, &total, sizeof total, PATIENCE_MS));
    char *data = malloc(total);
    if (data == NULL)
        die("malloc", strerror(errno));
    memset(data, 1, total); /* let the system give the pages now, not while the clock runs */
    int64_t start = now_ns(), n;
    while ((n = shms_channel_recv(c, data + got, total - got, PATIENCE_MS)) >= 0)
        got += (uint64_t)n;
    double seconds = (double)(now_ns() - start) / 1e9;
    if (n != SHMS_E_CLOSED || got != total)
        die("receive", shms_strerror((int)n));
    shms_channel_close(c);
    fprintf(stderr, "%.3f s, %.2f GB/s\n", seconds, (double)total / seconds / 1e9);
    write_all(data, total);
    free(data);
    return 0;
}
