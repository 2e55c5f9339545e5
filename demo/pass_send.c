/* SPDX-License-Identifier: MIT */
/* pass_send CHANNEL FILE: pass a file, longer than the channel, to pass_recv: its length, then pieces. */
#include "demo.h"

#include "shmstream/channel.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RING_BYTES ((uint64_t)1 << 20)
#define PIECE ((size_t)128 << 10)

static void send_all(const char *name, const char *data, uint64_t total)
{
    shms_channel *c;
    shms_channel_options o = {.struct_size = sizeof o, .one_sender = 1, .one_receiver = 1};
    check("open", shms_channel_open(name, RING_BYTES, SHMS_SEND, &o, &c));
    check("send", shms_channel_send(c, &total, sizeof total, PATIENCE_MS));
    for (uint64_t sent = 0; sent < total;) {
        size_t n = total - sent < PIECE ? (size_t)(total - sent) : PIECE;
        check("send", shms_channel_send(c, data + sent, n, PATIENCE_MS));
        sent += n;
    }
    shms_channel_close(c); /* the receiver is told that this is the end */
}

int main(int argc, char **argv)
{
    if (argc != 3)
        die("usage", "pass_send CHANNEL FILE");
    int fd = (int)check_os(argv[2], open(argv[2], O_RDONLY | O_CLOEXEC));
    struct stat st;
    check_os(argv[2], fstat(fd, &st));
    if (st.st_size <= 0)
        die(argv[2], "the file is empty");
    size_t total = (size_t)st.st_size;
    char *data = mmap(NULL, total, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (data == MAP_FAILED)
        die("mmap", strerror(errno));
    send_all(argv[1], data, total);
    munmap(data, total);
    close(fd);
    return 0;
}
