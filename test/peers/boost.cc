// SPDX-License-Identifier: MIT
// Boost.Interprocess. The only C++ here: it is a library of C++.
#include "peers.h"

#include <cstring>
#include <new>

#include <boost/date_time/posix_time/posix_time_types.hpp>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/interprocess/managed_shared_memory.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/named_mutex.hpp>
#include <boost/version.hpp>

namespace ipc = boost::interprocess;

const char *boost_version(void)
{
    return BOOST_LIB_VERSION;
}

namespace {

boost::posix_time::ptime until(int timeout_ms)
{
    return boost::posix_time::microsec_clock::universal_time() + boost::posix_time::milliseconds(timeout_ms);
}

template <typename Mutex> int take_within(Mutex &m, int timeout_ms)
{
    try {
        if (timeout_ms < 0)
            m.lock();
        return timeout_ms < 0 || m.timed_lock(until(timeout_ms)) ? GOT : NOT;
    } catch (...) {
        return NOT;
    }
}

void write_yard(struct yard *y, const uint64_t *words)
{
    std::memcpy(y->record, words, RECORD_BYTES);
}

void read_yard(struct yard *y, uint64_t *ret_words)
{
    std::memcpy(ret_words, y->record, RECORD_BYTES);
}

void first_record(struct yard *y)
{
    for (unsigned i = 0; i < RECORD_WORDS; i++)
        y->record[i] = old_word(i);
}

// ---- interprocess_mutex, in memory

static_assert(sizeof(ipc::interprocess_mutex) <= OBJECT_BYTES, "the memory is too small");

ipc::interprocess_mutex *mutex_of(void *c)
{
    return static_cast<ipc::interprocess_mutex *>(c);
}

void *enter_mutex(const struct place *at, bool first)
{
    if (first) {
        new (at->yard) ipc::interprocess_mutex;
        first_record(at->yard);
    }
    return at->yard;
}

int take_mutex(void *c, int timeout_ms)
{
    return take_within(*mutex_of(c), timeout_ms);
}

int give_mutex(void *c)
{
    try {
        mutex_of(c)->unlock();
        return 0;
    } catch (...) {
        return NOT;
    }
}

void write_mutex(void *c, const uint64_t *words)
{
    write_yard(static_cast<struct yard *>(c), words);
}

void read_mutex(void *c, uint64_t *ret_words)
{
    read_yard(static_cast<struct yard *>(c), ret_words);
}

void *shared_mutex(void *c, size_t *ret_bytes)
{
    *ret_bytes = sizeof(ipc::interprocess_mutex);
    return c;
}

void leave_mutex(void *)
{
}

// ---- named_mutex

struct named_lock {
    ipc::named_mutex mutex;
    struct yard *yard;
    explicit named_lock(const struct place *at) : mutex(ipc::open_or_create, at->name), yard(at->yard)
    {
    }
};

named_lock *named_of(void *c)
{
    return static_cast<named_lock *>(c);
}

void *enter_named(const struct place *at, bool first)
{
    if (first)
        first_record(at->yard);
    return new named_lock(at);
}

int take_named(void *c, int timeout_ms)
{
    return take_within(named_of(c)->mutex, timeout_ms);
}

int give_named(void *c)
{
    named_of(c)->mutex.unlock();
    return 0;
}

void write_named(void *c, const uint64_t *words)
{
    write_yard(named_of(c)->yard, words);
}

void read_named(void *c, uint64_t *ret_words)
{
    read_yard(named_of(c)->yard, ret_words);
}

void leave_named(void *c)
{
    delete named_of(c);
}

// ---- message_queue: two old messages are in it; a third one is sent, or the first one received

constexpr unsigned messages_most = 8;
struct message {
    uint64_t words[RECORD_WORDS];
};

message message_of(uint64_t (*word)(unsigned), unsigned number)
{
    message m;
    for (unsigned i = 0; i < RECORD_WORDS; i++)
        m.words[i] = word(i) + (static_cast<uint64_t>(number) << 40);
    return m;
}

bool same(const message &a, const message &b)
{
    return std::memcmp(&a, &b, sizeof a) == 0;
}

ipc::message_queue *queue_of(void *c)
{
    return static_cast<ipc::message_queue *>(c);
}

void send(ipc::message_queue *q, const message &m)
{
    q->send(&m, sizeof m, 0);
}

void *enter_queue(const struct place *at, bool first)
{
    auto *q = new ipc::message_queue(ipc::open_or_create, at->name, messages_most, sizeof(message));
    for (unsigned i = 0; first && i < 2; i++)
        send(q, message_of(old_word, i));
    return q;
}

void act_send(void *c)
{
    send(queue_of(c), message_of(new_word, 2));
}

void act_receive(void *c)
{
    message m;
    ipc::message_queue::size_type n;
    unsigned priority;
    queue_of(c)->receive(&m, sizeof m, n, priority);
}

bool receive_one(ipc::message_queue *q, message *ret)
{
    ipc::message_queue::size_type n = 0;
    unsigned priority;
    std::memset(ret, 0, sizeof *ret);
    return q->try_receive(ret, sizeof *ret, n, priority);
}

// Whether the next one is that message; LOST: another one, or none.
int expect_one(ipc::message_queue *q, const message &wanted)
{
    message m;
    if (!receive_one(q, &m))
        return LOST;
    return same(m, wanted) ? FINE : TORN;
}

// It goes on working: what is sent now arrives.
int goes_on(ipc::message_queue *q)
{
    message m = message_of(new_word, 3);
    send(q, m);
    return expect_one(q, m);
}

int judge_send(void *c, bool finished)
{
    auto *q = queue_of(c);
    try {
        for (unsigned i = 0; i < 2; i++)
            if (int rc = expect_one(q, message_of(old_word, i)))
                return rc;
        int rc = q->get_num_msg() > 0 || finished ? expect_one(q, message_of(new_word, 2)) : FINE;
        return rc ? rc : goes_on(q);
    } catch (...) {
        return ERROR;
    }
}

// The first one is there still, or the killed one had it in its hands.
int judge_receive(void *c, bool finished)
{
    auto *q = queue_of(c);
    message m;
    try {
        if (!receive_one(q, &m))
            return LOST;
        bool still = same(m, message_of(old_word, 0));
        const message second = message_of(old_word, 1);
        int rc = still ? expect_one(q, second) : same(m, second) ? FINE : TORN;
        if (rc || (rc = goes_on(q)))
            return rc;
        return still || finished ? FINE : LOST;
    } catch (...) {
        return ERROR;
    }
}

// ---- managed_shared_memory: 64 bytes are taken from its heap

void *enter_heap(const struct place *at, bool)
{
    return new ipc::managed_shared_memory(ipc::open_or_create, at->name, 1 << 16);
}

void act_allocate(void *c)
{
    static_cast<ipc::managed_shared_memory *>(c)->allocate(RECORD_BYTES);
}

int judge_heap(void *c, bool)
{
    auto *heap = static_cast<ipc::managed_shared_memory *>(c);
    try {
        heap->deallocate(heap->allocate(RECORD_BYTES));
        return heap->check_sanity() ? FINE : ERROR;
    } catch (...) {
        return ERROR;
    }
}

// ---- things with names, as a program uses them that removes nothing

ipc::named_mutex *one_mutex;
ipc::message_queue *one_queue;
ipc::mapped_region *one_memory;

bool use_mutex(const char *name)
{
    one_mutex = new ipc::named_mutex(ipc::open_or_create, name);
    if (take_within(*one_mutex, 0) != GOT)
        return true; // the dead one's
    return false;
}

void leave_one_mutex()
{
    one_mutex->unlock();
    delete one_mutex;
}

bool use_queue(const char *name)
{
    one_queue = new ipc::message_queue(ipc::open_or_create, name, messages_most, sizeof(message));
    bool before = one_queue->get_num_msg() > 0;
    send(one_queue, message_of(new_word, 0));
    return before;
}

void leave_queue()
{
    delete one_queue;
}

bool use_memory(const char *name)
{
    ipc::shared_memory_object file(ipc::open_or_create, name, ipc::read_write);
    file.truncate(4096);
    one_memory = new ipc::mapped_region(file, ipc::read_write);
    auto *byte = static_cast<unsigned char *>(one_memory->get_address());
    bool before = *byte != 0;
    *byte = 1;
    return before;
}

void leave_memory()
{
    delete one_memory;
}

} // namespace

const struct lock lock_boost = {"Boost interprocess_mutex", enter_mutex, take_mutex, give_mutex,
                                write_mutex, read_mutex, shared_mutex, leave_mutex};
const struct lock lock_boost_named = {"Boost named_mutex", enter_named, take_named, give_named,
                                      write_named, read_named, nullptr, leave_named};

const struct operation boost_send = {"Boost message_queue", "send 64 B", enter_queue, act_send, judge_send};
const struct operation boost_receive = {"Boost message_queue", "receive 64 B", enter_queue, act_receive,
                                        judge_receive};
const struct operation boost_allocate = {"Boost managed_shared_memory", "allocate 64 B", enter_heap,
                                         act_allocate, judge_heap};

const struct named named_boost_mutex = {"Boost named_mutex", use_mutex, leave_one_mutex};
const struct named named_boost_queue = {"Boost message_queue", use_queue, leave_queue};
const struct named named_boost_memory = {"Boost shared_memory_object", use_memory, leave_memory};
