/* SPDX-License-Identifier: MIT */
/*
 * pass_recv STREAM: receive what pass_send sends, into memory; say on stderr how long that took; write it to
 * stdout. The clock runs from "ready" to the last byte: neither file nor terminal nor hashing is in it.
 */
#include "ring.h"

#include <unistd.h>

static int is_announced(const struct ring *r)
{
    return r->announced != 0;
}

static int has_bytes(const struct ring *r)
{
    return r->written > r->taken;
}

static void receive_all(shms_stream *s, char *data, uint64_t total)
{
    ring_set(s, offsetof(struct ring, ready), 1);
    for (uint64_t taken = 0; taken < total;) {
        struct ring r = ring_wait(s, has_bytes);
        if (r.written > total)
            die("ring", "more than was announced");
        size_t n = ring_run(taken, r.written - taken);
        check("read", shms_stream_pread(s, data + taken, n, ring_offset(taken)));
        taken += n;
        ring_set(s, offsetof(struct ring, taken), taken);
    }
}

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
        die("usage", "pass_recv STREAM");
    shms_stream *s = ring_open(argv[1]);
    size_t total = (size_t)ring_wait(s, is_announced).total;
    char *data = malloc(total);
    if (data == NULL)
        die("malloc", strerror(errno));
    memset(data, 1, total); /* let the system give the pages now, not while the clock runs */
    int64_t start = now_ns();
    receive_all(s, data, total);
    double seconds = (double)(now_ns() - start) / 1e9;
    shms_stream_close(s);
    fprintf(stderr, "%.3f s, %.2f GB/s\n", seconds, (double)total / seconds / 1e9);
    write_all(data, total);
    free(data);
    return 0;
}
