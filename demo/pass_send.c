/* SPDX-License-Identifier: MIT */
/* pass_send STREAM FILE: pass a file to pass_recv, through a stream smaller than the file. */
#include "ring.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int has_room(const struct ring *r)
{
    return r->ready && r->written - r->taken < RING_CAPACITY;
}

static int is_all_taken(const struct ring *r)
{
    return r->ready && r->taken == r->total;
}

static void send_all(shms_stream *s, const char *data, uint64_t total)
{
    ring_set(s, offsetof(struct ring, total), total);
    ring_set(s, offsetof(struct ring, announced), 1);
    for (uint64_t written = 0; written < total;) {
        struct ring r = ring_wait(s, has_room);
        uint64_t room = RING_CAPACITY - (written - r.taken);
        size_t n = ring_run(written, room < total - written ? room : total - written);
        check("write", shms_stream_pwrite(s, data + written, n, ring_offset(written)));
        written += n;
        ring_set(s, offsetof(struct ring, written), written);
    }
    /* The region ends with its last user: stay until the receiver has everything. */
    ring_wait(s, is_all_taken);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        die("usage", "pass_send STREAM FILE");
    int fd = (int)check_os(argv[2], open(argv[2], O_RDONLY | O_CLOEXEC));
    struct stat st;
    check_os(argv[2], fstat(fd, &st));
    if (st.st_size <= 0)
        die(argv[2], "the file is empty");
    size_t total = (size_t)st.st_size;
    char *data = mmap(NULL, total, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (data == MAP_FAILED)
        die("mmap", strerror(errno));
    shms_stream *s = ring_open(argv[1]);
    send_all(s, data, total);
    shms_stream_close(s);
    munmap(data, total);
    close(fd);
    return 0;
}
