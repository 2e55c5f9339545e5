// SPDX-License-Identifier: MIT
// Boost.Interprocess's message_queue as a way to pass messages.
#include "flow.h"

#include <boost/interprocess/ipc/message_queue.hpp>

using boost::interprocess::message_queue;

static message_queue *queue;

static void create_queue(const struct flow *f)
{
    message_queue::remove(bench_name("queue"));
    message_queue(boost::interprocess::create_only, bench_name("queue"), FLOW_RING / (f->size + 64), f->size);
}

static void join_queue(const struct flow *, bool)
{
    queue = new message_queue(boost::interprocess::open_only, bench_name("queue"));
}

static void leave_queue()
{
    delete queue;
}

static inline void put_boost(const char *message, size_t size)
{
    queue->send(message, size, 0);
}

static inline uint64_t get_boost(char *buffer, size_t size)
{
    message_queue::size_type got = 0;
    unsigned priority = 0;
    queue->receive(buffer, size, got, priority);
    return flow_read(buffer, size);
}

FLOW_WAY(boost, "Boost message_queue", create_queue, join_queue, leave_queue)
