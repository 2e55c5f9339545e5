/* SPDX-License-Identifier: MIT */
/* Ways to pass messages: ours, and the system's. The peers' are in files of their own. */
#include "flow.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <shmstream.h>
#include <shmstream/channel.h>

void flow_idle(unsigned *turns)
{
    __asm__ volatile("" ::: "memory");
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
    if (++*turns % 256 == 0)
        sched_yield();
}

/* ---------------------------------------------------------------- ours */

static shms_channel *channel;

static void must(int64_t rc, const char *what)
{
    if (rc < 0)
        bench_die("%s: %s", what, shms_strerror((int)rc));
}

static shms_channel_options options_of(const struct flow *f, bool promises)
{
    static const shms_stream_options kept = {.struct_size = sizeof kept, .keep = 1};
    shms_channel_options o = {.struct_size = sizeof o, .region = &kept};
    o.kind = f->to_all ? SHMS_BROADCAST : SHMS_QUEUE;
    o.one_sender = promises && f->senders == 1;
    o.one_receiver = promises && f->receivers == 1 && !f->to_all;
    return o;
}

static void create(const struct flow *f, bool promises)
{
    shms_channel_options o = options_of(f, promises);
    shms_stream_unlink(bench_name("channel"));
    uint64_t size = f->ring ? f->ring : FLOW_RING;
    must(shms_channel_open(bench_name("channel"), size, SHMS_SEND, &o, &channel), "open");
    shms_channel_close(channel);
}

static void create_ours(const struct flow *f)
{
    create(f, true);
}

static void create_turns(const struct flow *f)
{
    create(f, false);
}

static void join_ours(const struct flow *f, bool sends)
{
    int role = sends ? SHMS_SEND : SHMS_RECEIVE;
    (void)f;
    must(shms_channel_open(bench_name("channel"), 0, role, NULL, &channel), "open");
}

static void leave_ours(void)
{
    shms_channel_close(channel);
}

static inline void put_ours(const char *message, size_t size)
{
    int rc = shms_channel_send(channel, message, size, -1);
    if (rc != 0)
        must(rc, "send");
}

static inline uint64_t get_ours(const char *unused, size_t size)
{
    const void *message;
    (void)unused;
    if (shms_channel_peek(channel, &message, -1) != (int64_t)size)
        bench_die("peek");
    uint64_t number = flow_read(message, size);
    if (shms_channel_release(channel) != 0)
        bench_die("release");
    return number;
}

FLOW_WAY(ours, BENCH_OURS, create_ours, join_ours, leave_ours)

static inline void put_copied(const char *message, size_t size)
{
    put_ours(message, size);
}

static inline uint64_t get_copied(char *buffer, size_t size)
{
    if (shms_channel_recv(channel, buffer, size, -1) != (int64_t)size)
        bench_die("recv");
    return flow_read(buffer, size);
}

FLOW_WAY(copied, "shmstream, copied out", create_ours, join_ours, leave_ours)

static inline void put_turns(const char *message, size_t size)
{
    put_ours(message, size);
}

static inline uint64_t get_turns(char *buffer, size_t size)
{
    return get_copied(buffer, size);
}

FLOW_WAY(turns, "shmstream, without promises", create_turns, join_ours, leave_ours)

/* ---------------------------------------------------- pipe and socket */

static int from, to; /* descriptors */

static void create_pipe(const struct flow *f)
{
    int fd[2];
    (void)f;
    if (from || to)
        close(from), close(to);
    if (pipe(fd) < 0)
        bench_die("pipe: %s", strerror(errno));
    from = fd[0], to = fd[1];
}

static void create_socket(const struct flow *f)
{
    int fd[2];
    (void)f;
    if (from || to)
        close(from), close(to);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) < 0)
        bench_die("socketpair: %s", strerror(errno));
    from = fd[0], to = fd[1];
}

static void join_nothing(const struct flow *f, bool sends)
{
    (void)f, (void)sends;
}

static void leave_nothing(void)
{
}

static inline void put_pipe(const char *message, size_t size)
{
    while (size > 0) {
        ssize_t n = write(to, message, size);
        if (n <= 0)
            bench_die("write: %s", strerror(errno));
        message += n, size -= (size_t)n;
    }
}

static inline uint64_t get_pipe(char *buffer, size_t size)
{
    for (size_t got = 0; got < size;) {
        ssize_t n = read(from, buffer + got, size - got);
        if (n <= 0)
            bench_die("read: %s", strerror(errno));
        got += (size_t)n;
    }
    return flow_read(buffer, size);
}

FLOW_WAY(pipe, "pipe", create_pipe, join_nothing, leave_nothing)

static inline void put_socket(const char *message, size_t size)
{
    put_pipe(message, size);
}

static inline uint64_t get_socket(char *buffer, size_t size)
{
    return get_pipe(buffer, size);
}

FLOW_WAY(socket, "Unix socket", create_socket, join_nothing, leave_nothing)

/* ------------------------------------------------ POSIX message queue */

#define MQ_DEPTH 10     /* the same */

static mqd_t queue = (mqd_t)-1;

/* Open in the parent, and inherited: nothing is left but the descriptor. */
static void create_mq(const struct flow *f)
{
    struct mq_attr attr = {.mq_maxmsg = MQ_DEPTH, .mq_msgsize = (long)f->size};
    char name[64];
    snprintf(name, sizeof name, "/%s", bench_name("queue"));
    if (queue != (mqd_t)-1)
        mq_close(queue);
    mq_unlink(name);
    queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attr);
    if (queue == (mqd_t)-1)
        bench_die("mq_open: %s", strerror(errno));
    mq_unlink(name);
}

static inline void put_mq(const char *message, size_t size)
{
    if (mq_send(queue, message, size, 0) < 0)
        bench_die("mq_send: %s", strerror(errno));
}

static inline uint64_t get_mq(char *buffer, size_t size)
{
    if (mq_receive(queue, buffer, size, NULL) != (ssize_t)size)
        bench_die("mq_receive: %s", strerror(errno));
    return flow_read(buffer, size);
}

FLOW_WAY(mq, "POSIX message queue", create_mq, join_nothing, leave_nothing)
