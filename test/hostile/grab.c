/* SPDX-License-Identifier: MIT */
/*
 * Those who were given the memory of an unnamed region, and want to take it away from the others, or to write
 * what they may only read. Whatever they try by the system's calls fails, or is no more than writing.
 */
#include "peers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_SIZE ((off_t)LAYOUT_UNNAMED_DATA + (off_t)REGION_MOST)
#define FUTURE_WRITE_SEAL 0x0010

static int open_own(int fd, int flags)
{
    char own[64];
    snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
    return open(own, flags | O_CLOEXEC | O_NONBLOCK);
}

/* ---- what nobody may, whatever descriptor he has */

static void try_to_resize(int fd, uint64_t r)
{
    static const off_t lengths[] = {0, 1, 20480, LAYOUT_UNNAMED_DATA, FILE_SIZE - 1, FILE_SIZE + 1, 1 << 30};
    char own[64];
    off_t length = lengths[r % 7];
    snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
    need(ftruncate(fd, length) == -1);
    need(truncate(own, length) == -1);
    need(fallocate(fd, 0, FILE_SIZE, 4096) == -1);
    need(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096) == -1);
    int cut = open_own(fd, O_RDWR | O_TRUNC);
    need(cut < 0);
}

static void try_to_seal(int fd, uint64_t r)
{
    static const int seals[] = {F_SEAL_WRITE, FUTURE_WRITE_SEAL, F_SEAL_SEAL, F_SEAL_GROW};
    int before = fcntl(fd, F_GET_SEALS);
    need(fcntl(fd, F_ADD_SEALS, seals[r % 4]) == -1);
    need(before > 0 && fcntl(fd, F_GET_SEALS) == before);
}

/* All of a file's byte locks are for the taking, also those of members to come. */
static void lock_bytes(int fd, uint64_t r)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)(r % LAYOUT_CONTROL_SIZE)};
    l.l_len = 1 + (off_t)(r >> 16) % 4096;
    fcntl(fd, F_OFD_SETLK, &l);
    l.l_start = l.l_len = 0;
    l.l_type = F_UNLCK;
    shms__nap((int64_t)(r >> 32 & 0x3ffff));
    fcntl(fd, F_OFD_SETLK, &l);
}

/* Granted while nobody else has it open. */
static void lease(int fd, uint64_t r)
{
    int own = open_own(fd, O_RDONLY);
    need(own >= 0);
    if (fcntl(own, F_SETLEASE, F_RDLCK) == 0 || fcntl(fd, F_SETLEASE, F_WRLCK) == 0)
        shms__nap((int64_t)(r & 0xfffff));
    fcntl(fd, F_SETLEASE, F_UNLCK);
    close(own);
}

static bool whole(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_size == FILE_SIZE;
}

/* ---- one who may write */

static void punch(int fd, uint64_t r)
{
    off_t from = (off_t)(r % (uint64_t)FILE_SIZE), length = 1 + (off_t)(r >> 32) % FILE_SIZE;
    need(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, length) == 0);
    unsigned char *p = mmap(NULL, (size_t)FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    need(p != MAP_FAILED);
    madvise(p + (from & ~(off_t)65535), 65536, MADV_REMOVE);
    munmap(p, (size_t)FILE_SIZE);
}

/* A descriptor that only reads is opened again: its mode allows it, and what the seals forbid stays so. */
static void through_a_reader(int fd, uint64_t r)
{
    int reader = open_own(fd, O_RDONLY), again = open_own(reader, O_RDWR);
    need(reader >= 0 && again >= 0);
    need(pwrite(again, &r, sizeof r, FILE_SIZE) == -1);
    try_to_resize(reader, r);
    try_to_resize(again, r);
    try_to_seal(again, r);
    close(again);
    close(reader);
}

static void loosen(int fd)
{
    need(fchmod(fd, 0666) == 0);
    shms__nap(50000);
    need(fchmod(fd, 0600) == 0);
}

static void grab_once(int fd, uint64_t r)
{
    switch (r % 8) {
    case 0: try_to_resize(fd, r >> 8); break;
    case 1: try_to_seal(fd, r >> 8); break;
    case 2: through_a_reader(fd, r >> 8); break;
    case 3: lock_bytes(fd, r >> 8); break;
    case 4: lease(fd, r >> 8); break;
    case 5: loosen(fd); break;
    default: punch(fd, r >> 8); break;
    }
    need(whole(fd));
    count(&board->blows, 1);
}

/* It leaves the others time to join what it has made unfit for that. */
void grabber(void)
{
    uint64_t state = 6;
    int fd = open_control();
    struct control begun;
    need(fd >= 0 && pread(fd, &begun, sizeof begun, 0) == sizeof begun);
    signal(SIGIO, SIG_IGN); /* "give your lease back" */
    while (!stopped()) {
        uint64_t r = chance(&state);
        grab_once(fd, r);
        if (r >> 62 == 0)
            need(pwrite(fd, &begun, offsetof(struct control, cell), 0) > 0 &&
                 pwrite(fd, &begun.size, sizeof begun.size, offsetof(struct control, size)) > 0);
        shms__nap((int64_t)(r >> 40 & 0x7ffff));
    }
    close(fd);
}

/* ---- a frozen region: one writes letters, and nobody can make anything else of them */

static void send_descriptor(int fd)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = ""};
    struct iovec one = {.iov_base = "", .iov_len = 1};
    struct msghdr m = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = &control};
    m.msg_controllen = sizeof control;
    control.head = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    need(sendmsg(sockets[0], &m, 0) == 1);
}

static int receive_descriptor(void)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    int fd = -1;
    struct iovec one = {.iov_base = &byte, .iov_len = 1};
    struct msghdr m = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = &control};
    m.msg_controllen = sizeof control;
    need(recvmsg(sockets[1], &m, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&m));
    memcpy(&fd, CMSG_DATA(&control.head), sizeof fd);
    return fd;
}

static bool all_letters(const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] < 'a' || bytes[i] > 'z')
            return false;
    return true;
}

void frozen_writer(void)
{
    shms_stream_options o = {.struct_size = sizeof o, .mode = 0400, .no_guard = 1};
    shms_stream *s = NULL;
    unsigned char letters[REGION_MOST];
    memset(letters, 'a', sizeof letters);
    need_is(shms_stream_open(NULL, REGION_MOST, &o, &s), 0);
    need_is((int)shms_stream_pwrite(s, letters, sizeof letters, 0), (int)REGION_MOST);
    int fd = shms_stream_fd(s);
    need(fd >= 0);
    send_descriptor(fd);
    send_descriptor(fd);
    for (unsigned i = 0; !stopped(); i++) {
        memset(letters, 'a' + (int)(i % 26), sizeof letters);
        need_is(shms_stream_lock(s, 0), 0); /* nobody else can take it, or spoil it */
        need_is((int)shms_stream_pwrite(s, letters, sizeof letters, 0), (int)REGION_MOST);
        need_is(shms_stream_unlock(s), 0);
        need(shms_stream_version(s) == 2 * ((int64_t)i + 1));
        need_is((int)shms_stream_snapshot(s, letters, sizeof letters, 0), (int)REGION_MOST);
        need(letters[0] == 'a' + i % 26 && memcmp(letters, letters + 1, sizeof letters - 1) == 0);
        count(&board->calls, 5);
    }
    close(fd);
    shms_stream_close(s);
}

void frozen_reader(void)
{
    shms_stream_options o = {.struct_size = sizeof o, .mode = 0666, .no_guard = 1};
    o.access = SHMS_ACCESS_READ;
    unsigned char letters[REGION_MOST];
    int fd = receive_descriptor();
    while (!stopped()) {
        shms_stream *s = NULL;
        need_is(shms_stream_open_fd(fd, &o, &s), 0);
        need(shms_stream_size(s) == REGION_MOST);
        need_is((int)shms_stream_pread(s, letters, sizeof letters, 0), (int)REGION_MOST);
        need(all_letters(letters, sizeof letters));
        need(all_letters(shms_stream_memory(s), REGION_MOST));
        need_is(shms_stream_lock(s, 0), SHMS_E_DENIED);
        shms_stream_close(s);
        count(&board->calls, 6);
    }
    close(fd);
}

/* By what it was given, and by what its user may make of that. */
static void thaw(int fd)
{
    need(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    need(pwrite(fd, "!", 1, LAYOUT_UNNAMED_DATA) == -1);
    need(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, FILE_SIZE) == -1);
    need(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, FILE_SIZE) == -1);
    void *p = mmap(NULL, (size_t)FILE_SIZE, PROT_READ, MAP_SHARED, fd, 0);
    need(p != MAP_FAILED && mprotect(p, 4096, PROT_READ | PROT_WRITE) == -1);
    need(madvise(p, (size_t)FILE_SIZE, MADV_REMOVE) == -1);
    munmap(p, (size_t)FILE_SIZE);
}

void frozen_grabber(void)
{
    uint64_t state = 7;
    int fd = receive_descriptor();
    signal(SIGIO, SIG_IGN);
    while (!stopped()) {
        uint64_t r = chance(&state);
        need(fchmod(fd, 0666) == 0); /* its user is the owner */
        int again = open_own(fd, O_RDWR);
        need(again >= 0);
        thaw(fd);
        thaw(again);
        try_to_resize(again, r >> 8);
        try_to_seal(again, r >> 16);
        lock_bytes(again, r >> 24);
        lease(again, r >> 32);
        need(whole(fd));
        close(again);
        count(&board->blows, 1);
    }
    close(fd);
}
