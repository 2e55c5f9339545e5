// SPDX-License-Identifier: MIT
#include "check.h"
#include "shmstream/dict.hpp"

#include <csignal>
#include <map>
#include <stdexcept>
#include <thread>

using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<shms::dict> && std::is_nothrow_move_constructible_v<shms::dict>);

static void records()
{
    shms::dict d(test_name("dict"), 1 << 20);
    CHECK(!d.get("colour") && !d.contains("colour") && !d.del("colour"));
    const auto version = d.set("colour", "blue");
    CHECK(d.get("colour") == "blue" && d.find("colour")->version == version && d.find("colour")->size == 4);
    const std::string zeros("a\0b", 3), large(30000, 'l');
    d.set(zeros, large);
    CHECK(d.get(zeros) == large && !d.get("a"));
    d.set("empty", "");
    CHECK(d.get("empty") == "");
    CHECK(!d.try_set("colour", "red", shms::how().absent()));
    CHECK(!d.try_set("colour", "red", shms::how().version(version + 100)));
    CHECK(d.try_set("colour", "red", shms::how().version(version)));
    CHECK(thrown([&] { d.set("colour", "x", shms::how().absent()); }) == SHMS_E_EXISTS);
    CHECK(thrown([&] { d.set("", "x"); }) == SHMS_E_INVALID);
    CHECK(thrown([&] { d.set(std::string(300, 'k'), "x"); }) == SHMS_E_RANGE);
    CHECK(thrown([&] { d.set("k", std::string(70000, 'v')); }) == SHMS_E_RANGE);
    CHECK(d.add("n") == 1 && d.add("n", 41) == 42 && d.add("m", -1, 10) == 9);
    CHECK(thrown([&] { d.add("colour"); }) == SHMS_E_INVALID);
    CHECK(d.del("colour") && !d.get("colour"));
}

static void expiry()
{
    shms::dict d(test_name("expiry"), 1 << 16);
    CHECK(thrown([&] { d.set("k", "v", shms::how().ttl(0ms)); }) == SHMS_E_INVALID); // not for ever
    d.set("k", "v", shms::how().ttl(1h));
    CHECK(d.find("k")->expires_ns > 0);
    d.set("k", "v", shms::how().expires(std::chrono::system_clock::time_point{}));
    CHECK(!d.get("k"));
    d.set("k", "v", shms::how().expires(std::chrono::system_clock::now() + 1h));
    CHECK(d.get("k") == "v");
}

static void walks()
{
    shms::dict d(test_name("walk"), 1 << 18);
    std::map<std::string, std::string> want, have;
    for (int i = 0; i < 100; i++) {
        want["key" + std::to_string(i)] = std::string(static_cast<std::size_t>(i) * 10, 'v');
        d.set("key" + std::to_string(i), want["key" + std::to_string(i)]);
    }
    d.each([&](std::string_view key, std::string_view value, const shms_dict_record &record) {
        have.emplace(key, value);
        CHECK(record.version > 0);
    });
    CHECK(have == want);
    std::int64_t since = d.version();
    CHECK(d.changes(since, [](auto, auto &) { CHECK(false); }) == 0);
    d.del("key1");
    d.set("key2", "x");
    std::string told;
    CHECK(d.changes(since, [&](std::string_view key, const shms_dict_record &record) {
        told += std::string(key) + (record.flags & SHMS_RECORD_GONE ? "- " : "+ ");
    }) == 2);
    CHECK(told == "key1- key2+ " && since == d.version());
    d.set("key3", "x");
    d.set("key4", "x");
    bool left = false;
    try {
        d.changes(since, [](auto, auto &) { throw std::runtime_error("left"); });
    } catch (const std::runtime_error &) {
        left = true;
    }
    CHECK(left && d.changes(since, [](std::string_view key, auto &) { CHECK(key == "key4"); }) == 1);
    for (int i = 0; i < 2000; i++)
        d.add("n");
    since = 1;
    CHECK(thrown([&] { d.changes(since, [](auto, auto &) {}); }) == SHMS_E_MISSED && since == d.version());
}

static void waits_and_locks()
{
    const std::string name = test_name("wait");
    shms::dict d(name, 1 << 16), other(name);
    std::int64_t seen = d.version(), of_key = 0;
    CHECK(!d.wait(seen, 1ms) && !d.wait("k", of_key, 1ms));
    std::thread setter([&] { other.set("k", "v"); });
    CHECK(d.wait("k", of_key, 10s) && of_key == 1 && d.wait(seen, 10s));
    setter.join();
    {
        auto lease = d.lock("job", 1s);
        CHECK(!lease.owner_died());
        CHECK(thrown([&] { (void)other.lock("job", 1ms); }) == SHMS_E_TIMEOUT);
    }
    const mark locked;
    const pid_t pid = child([&] {
        shms::dict mine(name);
        auto lease = mine.lock("job", 10s);
        locked.set();
        pause();
    });
    locked.wait();
    kill(pid, SIGKILL);
    status_of(pid);
    auto lease = d.lock("job", 10s);
    CHECK(lease.owner_died());
    lease.unlock();
    CHECK(!other.lock("job", 1s).owner_died());
}

static void saved()
{
    const std::string path = "/tmp/" + test_name("saved");
    {
        shms::dict d(test_name("save"), 1 << 16);
        d.set("k", "v");
        CHECK(d.save(path) == 1);
        const std::string cut = path + "-cut" + std::string(1, '\0');
        CHECK(thrown([&] { d.save(cut); }) == SHMS_E_INVALID && access(cut.c_str(), F_OK) != 0);
        CHECK(thrown([&] { d.load(path + std::string(1, '\0')); }) == SHMS_E_INVALID);
    }
    shms::dict d(test_name("save"), 1 << 16);
    CHECK(!d.get("k") && d.load(path) == 1 && d.get("k") == "v");
    CHECK(::unlink(path.c_str()) == 0);
    CHECK(thrown([&] { d.load(path); }) == SHMS_E_NOT_FOUND);
}

// Two processes, with four threads each on one handle.
static void crowd()
{
    const std::string name = test_name("dicts");
    constexpr int rounds = 500, threads = 4;
    shms::dict d(name, 1 << 16);
    const auto count = [&] {
        shms::dict mine(name);
        std::vector<std::thread> all;
        for (int i = 0; i < threads; i++)
            all.emplace_back([&] {
                for (int j = 0; j < rounds; j++)
                    mine.add("n");
            });
        for (auto &thread : all)
            thread.join();
    };
    const pid_t one = child(count), two = child(count);
    CHECK(status_of(one) == 0 && status_of(two) == 0);
    CHECK(d.add("n", 0) == 2 * threads * rounds);
}

void test_dicts()
{
    records();
    expiry();
    walks();
    waits_and_locks();
    saved();
    crowd();
}
