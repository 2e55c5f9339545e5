// SPDX-License-Identifier: MIT
/** @file shmstream/channel.hpp
 * Channels for C++17: messages between processes.
 *
 *     shms::channel jobs("jobs", 4 << 20, shms::role::receive);     // one process, begun first
 *     for (std::string job; jobs.recv(job);)                        // until all senders have closed
 *         work(job);
 *
 *     shms::channel jobs("jobs", 4 << 20, shms::role::send);        // another
 *     jobs.send("hello");
 *
 * Each call is the C call of its name in channel.h; shmstream.hpp says what differs in C++.
 */
#ifndef SHMSTREAM_CHANNEL_HPP
#define SHMSTREAM_CHANNEL_HPP

#include "../shmstream.hpp"
#include "shmstream/channel.h"

#include <cstring>
#include <string_view>

namespace shms {

enum class role { look = SHMS_LOOK, send = SHMS_SEND, receive = SHMS_RECEIVE };
enum class kind { queue = SHMS_QUEUE, broadcast = SHMS_BROADCAST };
enum class slow { block = SHMS_SLOW_BLOCK, drop = SHMS_SLOW_DROP, expel = SHMS_SLOW_EXPEL };

/** What shms_channel_options has, under the same names. */
struct channel_options {
    shms::kind kind = shms::kind::queue;
    shms::slow slow = shms::slow::block;
    std::uint32_t history = 0;
    bool one_sender = false;
    bool one_receiver = false;
    options region{};
};

class channel;

/** A message where it lies in the ring. Its end releases it; if that is an exception, it is put back. */
class [[nodiscard]] message {
  public:
    message(message &&other) noexcept
        : channel_(std::exchange(other.channel_, nullptr)), exceptions_(std::uncaught_exceptions()),
          bytes_(other.bytes_), size_(other.size_)
    {
    }
    message &operator=(message &&) = delete;
    ~message()
    {
        if (channel_)
            (std::uncaught_exceptions() > exceptions_ ? shms_channel_abort : shms_channel_release)(channel_);
    }
    const std::byte *data() const noexcept { return static_cast<const std::byte *>(bytes_); }
    std::size_t size() const noexcept { return size_; }
    /** The bytes as text; a hostile sender may change them meanwhile. */
    std::string_view view() const noexcept { return {static_cast<const char *>(bytes_), size_}; }
#if __cplusplus >= 202002L
    std::span<const std::byte> bytes() const noexcept { return {data(), size_}; }
#endif
    /** Done with it. Throws SHMS_E_MISSED where it was overwritten meanwhile (broadcasts: drop, expel). */
    void release() { detail::check(shms_channel_release(std::exchange(channel_, nullptr)), "release"); }
    /** Put it back, for this receiver or another. */
    void abort() { detail::check(shms_channel_abort(std::exchange(channel_, nullptr)), "abort"); }

  private:
    friend class channel;
    message(shms_channel *c, const void *bytes, std::size_t size) noexcept
        : channel_(c), exceptions_(std::uncaught_exceptions()), bytes_(bytes), size_(size)
    {
    }
    shms_channel *channel_;
    int exceptions_;
    const void *bytes_;
    std::size_t size_;
};

/** Room in the ring, to fill in place. Sent by commit(); else its end gives it up. */
class [[nodiscard]] room {
  public:
    room(room &&other) noexcept
        : channel_(std::exchange(other.channel_, nullptr)), bytes_(other.bytes_), size_(other.size_)
    {
    }
    room &operator=(room &&) = delete;
    ~room()
    {
        if (channel_)
            shms_channel_abort(channel_);
    }
    std::byte *data() noexcept { return static_cast<std::byte *>(bytes_); }
    std::size_t size() const noexcept { return size_; }
#if __cplusplus >= 202002L
    std::span<std::byte> bytes() noexcept { return {data(), size_}; }
#endif
    /** Send its first n bytes. */
    void commit(std::size_t n)
    {
        detail::check(shms_channel_commit(channel_, n), "commit");
        channel_ = nullptr;
    }
    void commit() { commit(size_); }

  private:
    friend class channel;
    room(shms_channel *c, void *bytes, std::size_t size) noexcept : channel_(c), bytes_(bytes), size_(size) {}
    shms_channel *channel_;
    void *bytes_;
    std::size_t size_;
};

/** A channel: an open handle, for one thread at a time. */
class channel {
  public:
    channel(const std::string &name, std::uint64_t size, shms::role role, const channel_options &options = {})
    {
        const shms_stream_options region = options.region.c_options();
        shms_channel_options o{};
        o.struct_size = sizeof o;
        o.kind = static_cast<std::uint32_t>(options.kind);
        o.slow = static_cast<std::uint32_t>(options.slow);
        o.history = options.history;
        o.one_sender = options.one_sender;
        o.one_receiver = options.one_receiver;
        o.region = &region;
        const char *const text = detail::whole_text(name, "open");
        if (options.region.init)
            detail::fail(SHMS_E_INVALID, "open");
        shms_channel *c = nullptr;
        detail::check(shms_channel_open(text, size, static_cast<int>(role), &o, &c), "open");
        handle_.reset(c);
    }

    /** Send one message. Throws where the time is over. */
    void send(std::string_view bytes, timeout time = forever) { send(bytes.data(), bytes.size(), time); }
    void send(const void *buf, std::size_t n, timeout time = forever)
    {
        detail::check(shms_channel_send(handle(), buf, n, time.ms()), "send");
    }
    /** Send one message if there is room in time. */
    [[nodiscard]] bool try_send(std::string_view bytes, timeout time = std::chrono::milliseconds(0))
    {
        const int ms = time.ms();
        return detail::in_time(shms_channel_send(handle(), bytes.data(), bytes.size(), ms), "send");
    }
    /** Send several messages: all, or none. */
    void send_all(const std::vector<std::string_view> &messages, timeout time = forever)
    {
        std::vector<shms_slice> slices;
        slices.reserve(messages.size());
        for (const auto &bytes : messages)
            slices.push_back({bytes.data(), bytes.size()});
        const int ms = time.ms();
        detail::check(shms_channel_send_all(handle(), slices.data(), slices.size(), ms), "send_all");
    }

    /** Receive one message into a string or vector of bytes. False: the end, all senders have closed. */
    template <class Bytes>
    [[nodiscard]] bool recv(Bytes &ret, timeout time = forever)
    {
        const void *bytes = nullptr;
        const std::int64_t n = shms_channel_peek(handle(), &bytes, time.ms());
        if (n == SHMS_E_CLOSED)
            return false;
        detail::check(n, "recv");
        copy({handle(), bytes, static_cast<std::size_t>(n)}, ret);
        return true;
    }
    /** Receive one message if one comes in time. At the end throws SHMS_E_CLOSED. */
    template <class Bytes>
    [[nodiscard]] bool try_recv(Bytes &ret, timeout time = std::chrono::milliseconds(0))
    {
        const void *bytes = nullptr;
        const std::int64_t n = shms_channel_peek(handle(), &bytes, time.ms());
        if (!detail::in_time(n, "recv"))
            return false;
        copy({handle(), bytes, static_cast<std::size_t>(n)}, ret);
        return true;
    }
    /** Receive one message into a buffer: its size in bytes. */
    std::size_t recv(void *buf, std::size_t n, timeout time = forever)
    {
        const int ms = time.ms();
        return static_cast<std::size_t>(detail::check(shms_channel_recv(handle(), buf, n, ms), "recv"));
    }

    /** Receive one message in place. */
    shms::message peek(timeout time = forever)
    {
        const void *bytes = nullptr;
        const auto n = detail::check(shms_channel_peek(handle(), &bytes, time.ms()), "peek");
        return {handle(), bytes, static_cast<std::size_t>(n)};
    }
    /** Reserve room for a message of at most n bytes. */
    shms::room reserve(std::size_t n, timeout time = forever)
    {
        void *bytes = nullptr;
        detail::check(shms_channel_reserve(handle(), n, &bytes, time.ms()), "reserve");
        return {handle(), bytes, n};
    }

    /** What is known of the message that was received last. */
    shms_message last() const
    {
        shms_message message{};
        message.struct_size = sizeof message;
        detail::check(shms_channel_message(handle(), &message), "message");
        return message;
    }
    void notify() { detail::check(shms_channel_notify(handle()), "notify"); }
    int poll_fd() { return detail::check(shms_channel_poll_fd(handle()), "poll_fd"); }
    shms_channel_stats info() const
    {
        shms_channel_stats stats{};
        stats.struct_size = sizeof stats;
        detail::check(shms_channel_info(handle(), &stats), "info");
        return stats;
    }
    shms_channel *native_handle() const noexcept { return handle(); }

  private:
    struct closer {
        void operator()(shms_channel *c) const noexcept { shms_channel_close(c); }
    };

    // Copied, then released: if the copy throws, or the process dies in it, the message is not lost.
    template <class Bytes> static void copy(shms::message from, Bytes &ret)
    {
        static_assert(sizeof(*ret.data()) == 1, "a container of bytes");
        ret.resize(from.size());
        if (from.size() > 0)
            std::memcpy(ret.data(), from.data(), from.size());
        from.release();
    }
    shms_channel *handle() const noexcept { return handle_.get(); }

    std::unique_ptr<shms_channel, closer> handle_;
};

} // namespace shms

#endif
