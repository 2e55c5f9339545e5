// SPDX-License-Identifier: MIT
/** @file shmstream.hpp
 * shmstream for C++17: streams with RAII, exceptions and <chrono>. Header only; link with the C library.
 *
 *     shms::stream s("visits", 4096);             // create, or open what is there
 *     {
 *         auto section = s.lock_for(1s);          // throws where the time is over
 *         s.write_at("hello", 5, 0);
 *     }                                           // unlocks
 *     std::scoped_lock lock(s);                   // the lock types of the standard library take it, too
 *
 * Each call is the C call of its name: shmstream.h says what it does, when it fails, and what holds for
 * threads, processes, signals and fork. What differs here:
 * - A failure is shms::error, a std::system_error of shms::category(): code().value() is the SHMS_E_ code,
 *   and code() == std::errc::timed_out and its like work. Destructors, unlock() and moves never throw.
 * - A time-out is a duration, rounded up to milliseconds; 0 or less tries once. `forever` is for ever, and so
 *   is whatever is longer than 24 days.
 * - That an owner died is no failure but a property of the section: section::owner_died(). The locks of the
 *   standard library cannot tell it; the news stays until somebody calls repaired().
 * - A section that is left by an exception is rolled back where the stream is atomic, else only unlocked.
 * - Handles can be moved, not copied. A handle that was moved from may be assigned to or destroyed.
 */
#ifndef SHMSTREAM_HPP
#define SHMSTREAM_HPP

#include "shmstream.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>
#if __cplusplus >= 202002L
#include <span>
#endif

namespace shms {

// ----------------------------------------------------------------- failures

namespace detail {

class code_category final : public std::error_category {
  public:
    const char *name() const noexcept override { return "shmstream"; }
    std::string message(int code) const override { return shms_strerror(code); }

    std::error_condition default_error_condition(int code) const noexcept override
    {
        switch (code) {
        case SHMS_E_INVALID: return std::errc::invalid_argument;
        case SHMS_E_NOT_FOUND: return std::errc::no_such_file_or_directory;
        case SHMS_E_EXISTS: return std::errc::file_exists;
        case SHMS_E_DENIED: return std::errc::permission_denied;
        case SHMS_E_TIMEOUT: return std::errc::timed_out;
        case SHMS_E_RANGE: return std::errc::result_out_of_range;
        case SHMS_E_NOSPACE: return std::errc::no_space_on_device;
        case SHMS_E_NOMEM: return std::errc::not_enough_memory;
        case SHMS_E_NOT_OWNER: return std::errc::operation_not_permitted;
        case SHMS_E_DEADLOCK: return std::errc::resource_deadlock_would_occur;
        case SHMS_E_UNSUPPORTED: return std::errc::not_supported;
        case SHMS_E_CLOSED: return std::errc::broken_pipe;
        case SHMS_E_DIED: return std::errc::owner_dead;
        default: return {code, *this};
        }
    }
};

} // namespace detail

/** The category of all codes of SHMS_CODES. */
inline const std::error_category &category() noexcept
{
    static const detail::code_category instance;
    return instance;
}

/** What a failed call throws. */
class error : public std::system_error {
  public:
    error(int code, const char *call) : system_error(code, category(), call), os_error_(shms_last_oserror())
    {
    }
    /** The errno behind the failure; 0 if there was none. */
    int os_error() const noexcept { return os_error_; }

  private:
    int os_error_;
};

/** How long a call may wait: any duration, as the C calls take it. */
class timeout {
  public:
    template <class Rep, class Period>
    constexpr timeout(std::chrono::duration<Rep, Period> time) : ms_(round_up(time)) // NOLINT: not explicit
    {
    }
    /** Until a moment; 0 where that has passed. */
    template <class Clock, class Duration>
    static timeout until(const std::chrono::time_point<Clock, Duration> &deadline)
    {
        using seconds = std::chrono::duration<double>;
        const auto now = Clock::now();
        // Far away, a moment in coarser units does not fit into the clock's.
        const seconds left = seconds(deadline.time_since_epoch()) - seconds(now.time_since_epoch());
        if (left > std::chrono::hours(24 * 25))
            return (std::chrono::milliseconds::max)();
        if (!(left > std::chrono::hours(-1)))
            return std::chrono::milliseconds(0);
        return deadline > now ? timeout(deadline - now) : timeout(std::chrono::milliseconds(0));
    }
    constexpr int ms() const noexcept { return ms_; }

  private:
    // Up: a wait for 1 us is not to be a try.
    template <class Rep, class Period> static constexpr int round_up(std::chrono::duration<Rep, Period> time)
    {
        using real_ms = std::chrono::duration<double, std::milli>;
        if (!(time > time.zero())) // not a number, too
            return 0;
        if (real_ms(time) >= real_ms((std::numeric_limits<int>::max)()))
            return -1;
        const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time);
        return static_cast<int>(ms.count()) + (ms < time ? 1 : 0);
    }
    int ms_;
};
/** A time-out: for ever. */
inline constexpr std::chrono::milliseconds forever = (std::chrono::milliseconds::max)();

namespace detail {

[[noreturn]] inline void fail(int code, const char *call) // not inlined into each call
{
    throw error(code, call);
}

/** Gives a result back that is none of a failure. */
template <class Result> Result check(Result result, const char *call)
{
    if (result < 0)
        fail(static_cast<int>(result), call);
    return result;
}

/** A text for C: none that C would see cut short. */
inline const char *whole_text(const std::string &text, const char *call)
{
    if (text.find('\0') != text.npos)
        fail(SHMS_E_INVALID, call);
    return text.c_str();
}

/** options.open_timeout_ms, which cannot be for ever. */
inline std::int32_t open_ms(timeout time) noexcept
{
    return time.ms() < 0 ? (std::numeric_limits<std::int32_t>::max)() : time.ms();
}

/** True; false for a time-out, and whatever else is thrown. */
inline bool in_time(std::int64_t result, const char *call)
{
    if (result == SHMS_E_TIMEOUT)
        return false;
    check(result, call);
    return true;
}

} // namespace detail

// ------------------------------------------------------------------ options

enum class create { or_open = SHMS_CREATE_OR_OPEN, only = SHMS_CREATE_ONLY, never = SHMS_OPEN_ONLY };
enum class owners {
    self = SHMS_OWNER_SELF,
    root = SHMS_OWNER_ROOT,
    uid = SHMS_OWNER_UID,
    any = SHMS_OWNER_ANY
};

class stream;

/** What shms_stream_options has, under the same names. */
struct options {
    bool read_only = false;
    bool keep = false;
    bool atomic = false;
    bool tasks = false; // for coroutines and pools: the lock is nobody's thread's
    bool sparse = false;
    bool huge_pages = false;
    bool lock_memory = false;
    bool no_bell = false;
    bool no_guard = false;
    shms::create create = shms::create::or_open;
    shms::owners owners = shms::owners::self;
    std::uint32_t owner_uid = 0;
    std::uint32_t mode = 0;
    std::uint64_t max_size = 0;
    std::chrono::milliseconds open_timeout{0};
    /** Fills a new region inside a section. What it throws, the constructor throws; nothing is left then. */
    std::function<void(stream &)> init{};

    /** The same for C; init is not in it. */
    shms_stream_options c_options() const noexcept
    {
        shms_stream_options o{};
        o.struct_size = sizeof o;
        o.access = read_only ? SHMS_ACCESS_READ : SHMS_ACCESS_READ_WRITE;
        o.create = static_cast<std::uint32_t>(create);
        o.owners = static_cast<std::uint32_t>(owners);
        o.owner_uid = owner_uid;
        o.mode = mode;
        o.max_size = max_size;
        o.open_timeout_ms = detail::open_ms(open_timeout);
        o.keep = keep;
        o.atomic = atomic;
        o.tasks = tasks;
        o.sparse = sparse;
        o.huge_pages = huge_pages;
        o.lock_memory = lock_memory;
        o.no_bell = no_bell;
        o.no_guard = no_guard;
        return o;
    }
};

namespace detail {

/** Checked reads and writes of whole values, for streams and sections. */
template <class T> constexpr void check_type() noexcept
{
    static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>,
                  "only bytes that mean the same in every process can be shared");
}

template <class T> T whole(const T &value, std::int64_t n, const char *call)
{
    if (static_cast<std::size_t>(check(n, call)) != sizeof(T))
        fail(SHMS_E_RANGE, call);
    return value;
}

} // namespace detail

// ----------------------------------------------------------------- sections

/**
 * A lock that is held, exclusive or shared. Made by stream::lock_for() and its like; unlocks where its scope
 * ends, which must be before its stream does.
 */
class [[nodiscard]] section {
  public:
    section(section &&other) noexcept
        : stream_(std::exchange(other.stream_, nullptr)), exceptions_(std::uncaught_exceptions()),
          owner_died_(other.owner_died_)
    {
    }
    section &operator=(section &&) = delete;
    ~section()
    {
        if (!stream_)
            return;
        if (std::uncaught_exceptions() > exceptions_ && shms_stream_rollback(stream_) >= 0)
            return;
        shms_stream_unlock(stream_); // also where nothing can be rolled back
    }

    /** An owner before died inside its section: the data may be half-written. */
    bool owner_died() const noexcept { return owner_died_; }
    /** Say that the data is whole again. */
    void repaired()
    {
        detail::check(shms_stream_repaired(stream_), "repaired");
        owner_died_ = false;
    }
    /** Unlock before the scope ends. */
    void unlock()
    {
        detail::check(shms_stream_unlock(stream_), "unlock");
        stream_ = nullptr;
    }
    /** End the section, and take back what its calls wrote. */
    void rollback()
    {
        detail::check(shms_stream_rollback(stream_), "rollback");
        stream_ = nullptr;
    }
    /** Until another handle's section has changed something: false if the time is over. Locked anew. */
    bool wait(timeout time = forever)
    {
        const int rc = shms_stream_wait_locked(stream_, time.ms());
        if (rc < 0 && rc != SHMS_E_TIMEOUT)
            stream_ = nullptr; // not locked any more
        owner_died_ = rc == SHMS_OWNER_DIED || owner_died_;
        return detail::in_time(rc, "wait_locked");
    }

    /** A value at an offset in bytes. */
    template <class T> T get(std::int64_t at) const
    {
        detail::check_type<T>();
        T value{};
        return detail::whole(value, shms_stream_pread(stream_, &value, sizeof value, at), "get");
    }
    template <class T> void put(std::int64_t at, const T &value)
    {
        detail::check_type<T>();
        detail::check(shms_stream_pwrite(stream_, &value, sizeof value, at), "put");
    }

    /** The bytes themselves; what is written through them is never rolled back. */
    std::byte *data() noexcept { return static_cast<std::byte *>(shms_stream_memory(stream_)); }
    std::size_t size() const noexcept { return static_cast<std::size_t>(shms_stream_size(stream_)); }
#if __cplusplus >= 202002L
    std::span<std::byte> bytes() noexcept { return {data(), size()}; }
#endif

  private:
    friend class stream;
    section(shms_stream *s, int rc) noexcept
        : stream_(s), exceptions_(std::uncaught_exceptions()), owner_died_(rc == SHMS_OWNER_DIED)
    {
    }

    shms_stream *stream_;
    int exceptions_;
    bool owner_died_;
};

// ------------------------------------------------------------------ streams

/** A stream: an open handle. It meets SharedTimedMutex: std::scoped_lock and std::shared_lock take it. */
class stream {
  public:
    using section = shms::section;

    /** Create or open. size: bytes; 0 opens what is there. */
    explicit stream(const std::string &name, std::uint64_t size = 0, const options &options = {})
        : stream(any_name{detail::whole_text(name, "open")}, size, options)
    {
    }
    /** A region without a name, for fd(). */
    static stream unnamed(std::uint64_t size, const options &options = {})
    {
        return stream(any_name{nullptr}, size, options);
    }
    static stream from_fd(int fd, const options &options = {})
    {
        const shms_stream_options o = options.c_options();
        shms_stream *s = nullptr;
        detail::check(shms_stream_open_fd(fd, &o, &s), "open_fd");
        return stream(s);
    }

    // The exclusive lock, as a mutex.
    void lock() { detail::check(shms_stream_lock(handle(), -1), "lock"); }
    bool try_lock() { return detail::in_time(shms_stream_lock(handle(), 0), "lock"); }
    bool try_lock_for(timeout time)
    {
        return detail::in_time(shms_stream_lock(handle(), time.ms()), "lock");
    }
    template <class Clock, class Duration>
    bool try_lock_until(std::chrono::time_point<Clock, Duration> deadline)
    {
        return try_lock_for(timeout::until(deadline));
    }
    void unlock() noexcept { shms_stream_unlock(handle()); }

    // The shared lock, as a shared mutex.
    void lock_shared() { detail::check(shms_stream_lock_shared(handle(), -1), "lock_shared"); }
    bool try_lock_shared() { return detail::in_time(shms_stream_lock_shared(handle(), 0), "lock_shared"); }
    bool try_lock_shared_for(timeout time)
    {
        return detail::in_time(shms_stream_lock_shared(handle(), time.ms()), "lock_shared");
    }
    template <class Clock, class Duration>
    bool try_lock_shared_until(std::chrono::time_point<Clock, Duration> deadline)
    {
        return try_lock_shared_for(timeout::until(deadline));
    }
    void unlock_shared() noexcept { shms_stream_unlock(handle()); }

    // Locks as sections, which tell of dead owners and roll back. A time-out is thrown.
    section lock_for(timeout time = forever)
    {
        return {handle(), detail::check(shms_stream_lock(handle(), time.ms()), "lock")};
    }
    section lock_shared_for(timeout time = forever)
    {
        return {handle(), detail::check(shms_stream_lock_shared(handle(), time.ms()), "lock")};
    }

    // Bytes at an offset, as they are; how many there were.
    std::size_t read_at(void *buf, std::size_t n, std::int64_t at) const
    {
        return static_cast<std::size_t>(detail::check(shms_stream_pread(handle(), buf, n, at), "read"));
    }
    void write_at(const void *buf, std::size_t n, std::int64_t at)
    {
        detail::check(shms_stream_pwrite(handle(), buf, n, at), "write");
    }
    // Bytes at an offset, as they were between two sections.
    std::size_t snapshot(void *buf, std::size_t n, std::int64_t at) const
    {
        const std::int64_t got = shms_stream_snapshot(handle(), buf, n, at);
        return static_cast<std::size_t>(detail::check(got, "snapshot"));
    }
    /** A value as it was between two sections. Inside a section, ask the section instead. */
    template <class T> T get(std::int64_t at) const
    {
        detail::check_type<T>();
        T value{};
        return detail::whole(value, shms_stream_snapshot(handle(), &value, sizeof value, at), "get");
    }
    /** A value is written; lock around it. */
    template <class T> void put(std::int64_t at, const T &value)
    {
        detail::check_type<T>();
        write_at(&value, sizeof value, at);
    }
    // At the handle's position.
    std::size_t read(void *buf, std::size_t n)
    {
        return static_cast<std::size_t>(detail::check(shms_stream_read(handle(), buf, n), "read"));
    }
    void write(const void *buf, std::size_t n)
    {
        detail::check(shms_stream_write(handle(), buf, n), "write");
    }
    std::int64_t seek(std::int64_t offset, int whence = SEEK_SET)
    {
        return detail::check(shms_stream_seek(handle(), offset, whence), "seek");
    }
    std::int64_t tell() const noexcept { return shms_stream_tell(handle()); }

    std::int64_t version() const { return detail::check(shms_stream_version(handle()), "version"); }
    /** Until the version is not `seen`, which becomes the new one: false if the time is over. */
    bool wait(std::int64_t &seen, timeout time = forever) const
    {
        return detail::in_time(shms_stream_wait(handle(), &seen, time.ms()), "wait");
    }
    void notify() { detail::check(shms_stream_notify(handle()), "notify"); }
    int poll_fd() { return detail::check(shms_stream_poll_fd(handle()), "poll_fd"); }
    /** A new descriptor of a region without a name; the caller's to close. */
    int fd() { return detail::check(shms_stream_fd(handle()), "fd"); }

    std::byte *data() noexcept { return static_cast<std::byte *>(shms_stream_memory(handle())); }
    std::size_t size() const noexcept { return static_cast<std::size_t>(shms_stream_size(handle())); }
#if __cplusplus >= 202002L
    /** The bytes as they are now; the span does not follow a resize. */
    std::span<std::byte> bytes() noexcept { return {data(), size()}; }
#endif
    bool existed() const noexcept { return shms_stream_existed(handle()) != 0; }
    void resize(std::uint64_t size) { detail::check(shms_stream_resize(handle(), size), "resize"); }
    std::int64_t save(const std::string &path) const
    {
        return detail::check(shms_stream_save(handle(), detail::whole_text(path, "save")), "save");
    }
    std::int64_t load(const std::string &path)
    {
        return detail::check(shms_stream_load(handle(), detail::whole_text(path, "load")), "load");
    }
    shms_info info() const
    {
        shms_info info{};
        info.struct_size = sizeof info;
        detail::check(shms_stream_info(handle(), &info), "info");
        return info;
    }
    /** For calls of the C header. It stays this object's. */
    shms_stream *native_handle() const noexcept { return handle(); }

  private:
    struct closer {
        void operator()(shms_stream *s) const noexcept { shms_stream_close(s); }
    };
    struct any_name { // so that a literal is no other constructor's
        const char *text; // null: none
    };
    struct init_call {
        const std::function<void(stream &)> &function;
        std::exception_ptr thrown{};
    };

    explicit stream(shms_stream *s) noexcept : handle_(s) {}

    stream(any_name name, std::uint64_t size, const options &options)
    {
        shms_stream_options o = options.c_options();
        init_call call{options.init};
        if (options.init) {
            o.init = run_init;
            o.init_context = &call;
        }
        shms_stream *s = nullptr;
        const int rc = shms_stream_open(name.text, size, &o, &s);
        if (call.thrown)
            std::rethrow_exception(call.thrown);
        detail::check(rc, "open");
        handle_.reset(s);
    }

    // No exception may cross the frames of C.
    static int run_init(shms_stream *s, void *context) noexcept
    {
        auto &call = *static_cast<init_call *>(context);
        stream borrowed(s);
        int rc = 0;
        try {
            call.function(borrowed);
        } catch (...) {
            call.thrown = std::current_exception();
            rc = SHMS_E_INVALID;
        }
        static_cast<void>(borrowed.handle_.release()); // open's, not this function's
        return rc;
    }

    shms_stream *handle() const noexcept { return handle_.get(); }

    std::unique_ptr<shms_stream, closer> handle_;
};

// -------------------------------------------------------------- what exists

/** Remove the name of a region. */
inline void unlink(const std::string &name)
{
    detail::check(shms_stream_unlink(detail::whole_text(name, "unlink")), "unlink");
}

struct region_info {
    std::string name;
    shms_info info;
};

/** The regions that the calling user may look into. */
inline std::vector<region_info> list()
{
    struct listing {
        std::vector<region_info> regions;
        std::exception_ptr thrown;
        static int add(const char *name, const shms_info *info, void *context) noexcept
        {
            auto &all = *static_cast<listing *>(context);
            try {
                all.regions.push_back({name, *info});
                return 0;
            } catch (...) {
                all.thrown = std::current_exception();
                return 1;
            }
        }
    };
    listing all;
    const int rc = shms_list(listing::add, &all);
    if (all.thrown)
        std::rethrow_exception(all.thrown);
    detail::check(rc, "list");
    return std::move(all.regions);
}

} // namespace shms

#endif
