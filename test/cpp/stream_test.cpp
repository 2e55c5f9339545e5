// SPDX-License-Identifier: MIT
#include "check.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <limits>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <thread>

using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<shms::stream> && !std::is_copy_assignable_v<shms::stream>);
static_assert(std::is_nothrow_move_constructible_v<shms::stream>);
static_assert(std::is_nothrow_move_assignable_v<shms::stream>);
static_assert(std::is_nothrow_destructible_v<shms::stream> && std::is_nothrow_destructible_v<shms::section>);
static_assert(noexcept(std::declval<shms::stream &>().unlock()));

// Each code of the header is one of the category, with its text; those with a namesake equal it.
static void codes()
{
#define CODE(name, value, text)                                                                              \
    static_assert((name) == (value));                                                                        \
    CHECK(shms::category().message(name) == (text));
    SHMS_CODES(CODE)
#undef CODE
    const auto is = [](int code, std::errc condition) {
        return std::error_code(code, shms::category()) == condition;
    };
    CHECK(is(SHMS_E_TIMEOUT, std::errc::timed_out));
    CHECK(is(SHMS_E_NOT_FOUND, std::errc::no_such_file_or_directory));
    CHECK(is(SHMS_E_DENIED, std::errc::permission_denied));
    CHECK(is(SHMS_E_EXISTS, std::errc::file_exists));
    CHECK(!is(SHMS_E_KIND, std::errc::invalid_argument));
    try {
        shms::stream s(test_name("none"));
        CHECK(false);
    } catch (const shms::error &e) {
        CHECK(e.code() == std::errc::no_such_file_or_directory);
        CHECK(std::string(e.what()).find("nothing of that name") != std::string::npos);
    }
}

// The errno behind a failure is told, whatever came between.
static void os_errors()
{
    const shms::stream s(test_name("errno"), 8);
    try {
        s.save("/proc/no such directory/x");
        CHECK(false);
    } catch (const shms::error &e) {
        CHECK(e.code() == std::errc::no_such_file_or_directory && e.os_error() == ENOENT);
    }
}

static void time_outs()
{
    const auto ms = [](shms::timeout t) { return t.ms(); };
    CHECK(ms(shms::forever) == -1);
    CHECK(ms(std::chrono::hours::max()) == -1);
    CHECK(ms(30 * 24h) == -1);
    CHECK(ms(0ms) == 0 && ms(-1ms) == 0 && ms(std::chrono::nanoseconds::min()) == 0);
    CHECK(ms(1ns) == 1 && ms(1ms) == 1 && ms(1001us) == 2 && ms(2s) == 2000);
    CHECK(ms(std::chrono::duration<double>(0.0015)) == 2);
    CHECK(ms(std::chrono::duration<double>(std::numeric_limits<double>::infinity())) == -1);
    CHECK(ms(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())) == 0);
    CHECK(ms(shms::timeout::until(std::chrono::steady_clock::time_point::min())) == 0);
    CHECK(ms(shms::timeout::until(std::chrono::steady_clock::time_point::max())) == -1);
    using far = std::chrono::time_point<std::chrono::system_clock, std::chrono::hours>; // beyond nanoseconds
    CHECK(ms(shms::timeout::until(far::max())) == -1 && ms(shms::timeout::until(far::min())) == 0);
}

static void bytes()
{
    const std::string name = test_name("bytes");
    shms::stream s(name, 100);
    CHECK(!s.existed() && s.size() == 100 && s.version() == 0);
    shms::stream other(name);
    CHECK(other.existed());
    {
        auto section = s.lock_for(1s);
        CHECK(!section.owner_died());
        section.put(8, std::uint32_t{7});
        CHECK(section.get<std::uint32_t>(8) == 7);
    }
    CHECK(other.get<std::uint32_t>(8) == 7);
    CHECK(thrown([&] { other.get<std::uint32_t>(98); }) == SHMS_E_RANGE);
    CHECK(thrown([&] { s.put(98, std::uint32_t{1}); }) == SHMS_E_RANGE);
    CHECK(thrown([&] { s.put(-1, 'a'); }) == SHMS_E_RANGE);
    CHECK(thrown([&] { s.resize(200); }) == SHMS_E_NOT_OWNER);
    std::int64_t seen = 0;
    CHECK(other.wait(seen, 1s) && seen == other.version() && !other.wait(seen, 0ms));
    s.write("abc", 3);
    CHECK(s.tell() == 3 && s.seek(-1, SEEK_CUR) == 2);
    char c = 0;
    CHECK(other.read_at(&c, 1, 2) == 1 && c == 'c' && other.read_at(&c, 1, 100) == 0);
    CHECK(static_cast<char>(s.data()[0]) == 'a');
#if __cplusplus >= 202002L
    CHECK(s.bytes().size() == 100 && static_cast<char>(s.bytes()[1]) == 'b');
#endif
    shms::options reads;
    reads.read_only = true;
    shms::stream reader(name, 0, reads);
    CHECK(thrown([&] { reader.put(0, 'x'); }) == SHMS_E_READ_ONLY);
    shms::options only;
    only.create = shms::create::only;
    CHECK(thrown([&] { shms::stream again(name, 1, only); }) == SHMS_E_EXISTS);
    CHECK(thrown([&] { shms::stream large(name, 1000); }) == SHMS_E_SIZE);
    // What C would see cut short is another name.
    const std::string cut = name + std::string(1, '\0') + "x", file = "/tmp/" + cut;
    CHECK(thrown([&] { shms::stream half(cut, 1); }) == SHMS_E_INVALID);
    CHECK(thrown([&] { shms::unlink(cut); }) == SHMS_E_INVALID);
    CHECK(thrown([&] { s.save(file); }) == SHMS_E_INVALID && access(file.c_str(), F_OK) != 0);
    CHECK(thrown([&] { s.load(file); }) == SHMS_E_INVALID);
    CHECK(thrown([] { shms::unlink(test_name("none")); }) == SHMS_E_NOT_FOUND);
}

// The lock types of the standard library take a stream.
static void std_locks()
{
    const std::string name = test_name("locks");
    shms::stream a(name, 8), b(name);
    {
        std::scoped_lock lock(a);
        CHECK(!b.try_lock() && !b.try_lock_for(1ms));
        CHECK(!b.try_lock_until(std::chrono::steady_clock::now() + 1ms));
        CHECK(thrown([&] { (void)b.lock_for(1ms); }) == SHMS_E_TIMEOUT);
        CHECK(thrown([&] { a.lock(); }) == SHMS_E_DEADLOCK);
    }
    {
        std::shared_lock one(a), two(b);
        CHECK(one.owns_lock() && two.owns_lock());
    }
    {
        std::shared_lock one(a);
        std::unique_lock two(b, 1ms);
        CHECK(!two.owns_lock());
        std::shared_lock three(b, std::chrono::steady_clock::now() + 1s);
        CHECK(three.owns_lock());
    }
    shms::options tasks;
    tasks.tasks = true;
    shms::stream hops(name, 0, tasks);
    hops.lock();
    CHECK(!hops.try_lock()); // another task may have it: no failure
    hops.unlock();
    std::unique_lock lock(b, std::try_to_lock);
    CHECK(lock.owns_lock());
    lock.unlock();
    auto section = a.lock_for();
    section.unlock();
    CHECK(thrown([&] { section.unlock(); }) == SHMS_E_INVALID);
    CHECK(b.try_lock());
    b.unlock();
}

// An exception that leaves a section rolls it back where it can, and unlocks in any case.
static void exceptions()
{
    for (const bool atomic : {true, false}) {
        shms::options options;
        options.atomic = atomic;
        shms::stream s(test_name("thrown"), 64, options);
        s.put(0, 1);
        const auto leave = [&] {
            auto section = s.lock_for(1s);
            section.put(0, 2);
            throw std::runtime_error("left");
        };
        bool left = false;
        try {
            leave();
        } catch (const std::runtime_error &) {
            left = true;
        }
        CHECK(left && s.try_lock());
        s.unlock();
        CHECK(s.get<int>(0) == (atomic ? 1 : 2));
        { // one that is caught inside is none of the section's
            auto section = s.lock_for(1s);
            section.put(0, 3);
            try {
                throw std::runtime_error("inside");
            } catch (const std::runtime_error &) {
            }
        }
        CHECK(s.get<int>(0) == 3);
        auto section = s.lock_for(1s);
        section.put(0, 4);
        CHECK(thrown([&] { section.rollback(); }) == (atomic ? 0 : SHMS_E_UNSUPPORTED));
    }
}

// A section in the destructor of something else, while an exception is on its way, is an ordinary one.
static void section_while_unwinding()
{
    shms::options options;
    options.atomic = true;
    shms::stream s(test_name("unwind"), 64, options);
    struct logger {
        shms::stream &stream;
        ~logger()
        {
            auto section = stream.lock_for(1s);
            section.put(0, 5);
        }
    };
    try {
        logger at_the_end{s};
        throw std::runtime_error("left");
    } catch (const std::runtime_error &) {
    }
    CHECK(s.get<int>(0) == 5);
}

static void moves()
{
    shms::stream a(test_name("move-a"), 8), b(test_name("move-b"), 8);
    auto section = a.lock_for(1s);
    shms::stream c = std::move(a); // the section goes on
    auto same = std::move(section);
    same.put(0, 1);
    same.unlock();
    CHECK(thrown([&] { a.lock(); }) == SHMS_E_INVALID); // moved from: a failure, no crash
    CHECK(a.size() == 0 && !a.data() && !a.native_handle());
    c = std::move(b);
    CHECK(thrown([] { shms::stream gone(test_name("move-a")); }) == SHMS_E_NOT_FOUND);
    c.lock();
    c.unlock();
}

static void init()
{
    shms::options options;
    options.init = [](shms::stream &s) { s.put(0, 42); };
    const std::string name = test_name("init");
    {
        shms::stream s(name, 8, options);
        CHECK(s.get<int>(0) == 42);
    }
    options.init = [](shms::stream &) { throw std::runtime_error("no"); };
    bool told = false;
    try {
        shms::stream s(name, 8, options);
    } catch (const std::runtime_error &e) {
        told = std::string(e.what()) == "no";
    }
    CHECK(told && thrown([&] { shms::stream gone(name); }) == SHMS_E_NOT_FOUND);
}

static void unnamed()
{
    shms::stream s = shms::stream::unnamed(16);
    s.put(0, 9);
    const int fd = s.fd();
    shms::stream other = shms::stream::from_fd(fd);
    close(fd);
    CHECK(other.get<int>(0) == 9);
    CHECK(thrown([] { shms::stream::from_fd(-1); }) == SHMS_E_INVALID);
}

// The owner is killed inside its section; the next one gets the lock, is told, and repairs.
static void owner_killed()
{
    const std::string name = test_name("killed");
    shms::stream s(name, 8);
    const mark locked;
    const pid_t pid = child([&] {
        shms::stream mine(name);
        auto section = mine.lock_for();
        section.put(0, 1);
        locked.set();
        pause();
    });
    locked.wait();
    CHECK(!s.try_lock());
    kill(pid, SIGKILL);
    status_of(pid);
    {
        auto section = s.lock_for(10s);
        CHECK(section.owner_died());
    }
    CHECK(thrown([&] { s.get<int>(0); }) == SHMS_E_CORRUPT);
    {
        auto section = s.lock_for(10s);
        CHECK(section.owner_died());
        section.repaired();
        CHECK(!section.owner_died());
    }
    CHECK(!s.lock_for(1s).owner_died());
}

static void waits_inside()
{
    const std::string name = test_name("inside");
    shms::stream s(name, 8);
    const pid_t pid = child([&] {
        shms::stream mine(name);
        auto section = mine.lock_for();
        while (section.get<int>(0) != 1)
            CHECK(section.wait(10s));
        section.put(4, 2);
    });
    {
        auto section = s.lock_for(10s);
        section.put(0, 1);
    }
    CHECK(status_of(pid) == 0);
    CHECK(s.get<int>(4) == 2);
    auto section = s.lock_for(1s);
    CHECK(!section.wait(1ms)); // in vain, and still locked
    section.put(0, 3);
}

// Two processes, with four threads each on one handle: no visit is lost.
static void crowd()
{
    const std::string name = test_name("crowd");
    constexpr int rounds = 2000, threads = 4;
    shms::stream s(name, 8);
    const auto count = [&] {
        shms::options tasks;
        tasks.tasks = true;
        shms::stream mine(name, 0, tasks);
        std::vector<std::thread> all;
        for (int i = 0; i < threads; i++)
            all.emplace_back([&] {
                for (int j = 0; j < rounds; j++) {
                    auto section = mine.lock_for();
                    section.put(0, section.get<int>(0) + 1);
                }
            });
        for (auto &thread : all)
            thread.join();
    };
    const pid_t one = child(count), two = child(count);
    CHECK(status_of(one) == 0 && status_of(two) == 0);
    CHECK(s.get<int>(0) == 2 * threads * rounds);
    CHECK(s.info().members == 1);
}

void test_streams()
{
    codes();
    os_errors();
    time_outs();
    bytes();
    std_locks();
    exceptions();
    section_while_unwinding();
    moves();
    init();
    unnamed();
    owner_killed();
    waits_inside();
    crowd();
}
