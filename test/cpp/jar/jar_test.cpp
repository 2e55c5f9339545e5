// SPDX-License-Identifier: MIT
// Jars in C++; a program of its own, as they need another library.
#include "../check.h"
#include "shmstream/jar.hpp"

#include <csignal>
#include <cstring>
#include <stdexcept>
#include <thread>

using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<shms::jar> && std::is_nothrow_move_constructible_v<shms::jar>);

static const std::string url = "https://a.example.com/x/y";

static shms::jar open(const char *what, shms::jar_options options = {})
{
    options.keep = false;
    return shms::jar(test_name(what), options);
}

static void cookies()
{
    auto jar = open("jar");
    CHECK(jar.get(url).empty() && jar.cookies().empty());
    CHECK(!jar.set(url, "sid=31d4; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=60"));
    CHECK(!jar.set(url, "wide=1; Domain=example.com"));
    CHECK(jar.get(url) == "wide=1; sid=31d4" && jar.get("http://a.example.com/").empty());
    shms::request_options script, cross;
    script.api = true;
    cross.site = shms::site::cross;
    CHECK(jar.get(url, script) == "wide=1" && jar.get(url, cross).empty());
    auto sid = jar.cookies("A.example.com").at(0);
    CHECK(sid.host == "a.example.com" && sid.name == "sid" && sid.value == "31d4" && sid.path == "/");
    CHECK(sid.secure && sid.http_only && sid.host_only && !sid.gone && sid.same_site == shms::same_site::lax);
    CHECK(sid.expires_ns > 0 && sid.created > 0 && sid.created_ns > 0);
    sid.value = "next";
    CHECK(!jar.put(sid) && jar.get(url) == "wide=1; sid=next");
    CHECK(!jar.put(sid.expires(std::chrono::system_clock::time_point{}))); // that is over
    CHECK(jar.cookies("a.example.com").empty() && jar.info().cookies == 1);
    CHECK(!jar.del("example.com", "wide", "/other") && jar.del("example.com", "wide"));
    CHECK(!jar.del("example.com", "wide") && jar.clear() == 0 && jar.clear("a.test") == 0);
    for (int i = 0; i < 5; i++) // more than the first room for a line
        CHECK(!jar.set(url, "c" + std::to_string(i) + "=" + std::string(3000, 'v')));
    CHECK(jar.get(url).size() > 15000 && std::strlen(jar.get(url).c_str()) == jar.get(url).size());
    shms::request_options top;
    top.partition = "https://top.test";
    CHECK(!jar.set(url, "p=1; Secure; Partitioned; Path=/", top));
    CHECK(jar.get("https://a.example.com/", top) == "p=1" && jar.get("https://a.example.com/").empty());
    CHECK(!jar.del("a.example.com", "p") && jar.del("a.example.com", "p", {}, top.partition));
}

static void refused()
{
    auto jar = open("refused");
    const auto suffix = jar.set(url, "a=1; Domain=com");
    CHECK(suffix && suffix.reason() == SHMS_COOKIE_SUFFIX && std::strlen(suffix.text()) > 5);
    CHECK(jar.set(url, std::string_view("a=\0", 3)).reason() == SHMS_COOKIE_CONTROL);
    CHECK(jar.set(url, "").reason() == SHMS_COOKIE_EMPTY);
    CHECK(jar.set(url, std::string(1 << 20, 'x')).reason() == SHMS_COOKIE_LONG);
    CHECK(jar.put(shms::cookie("a.test", "a;b", "c")).reason() == SHMS_COOKIE_UNWRITABLE);
    for (const char *bad : {"", "a", "https://", "ftp://a.test/", "https://a:70000/"})
        CHECK(thrown([&] { (void)jar.get(bad); }) == SHMS_E_INVALID);
    const std::string zero("a\0b", 3);
    CHECK(thrown([&] { (void)jar.get("https://a.test/" + zero); }) == SHMS_E_INVALID);
    CHECK(thrown([&] { (void)jar.put(shms::cookie("a.test", zero, "c")); }) == SHMS_E_INVALID);
    CHECK(thrown([&] { (void)jar.put(shms::cookie("", "a", "c")); }) == SHMS_E_INVALID);
    CHECK(thrown([&] { (void)jar.del("a.test", zero); }) == SHMS_E_INVALID);
    CHECK(thrown([&] { shms::jar bad(zero); }) == SHMS_E_INVALID);
    CHECK(thrown([&] { open("none", {false, false, shms::create::never}); }) == SHMS_E_NOT_FOUND);
    CHECK(jar.info().cookies == 0);
    auto moved = std::move(jar);
    CHECK(thrown([&] { (void)jar.get(url); }) == SHMS_E_INVALID); // NOLINT: it was moved from
    shms::jar_options look;
    look.read_only = true;
    auto reader = open("refused", look);
    CHECK(thrown([&] { (void)reader.set(url, "a=1"); }) == SHMS_E_READ_ONLY);
}

static void changes()
{
    auto jar = open("changes"), other = open("changes");
    auto since = jar.version();
    auto seen = since;
    CHECK(!jar.wait(seen, 0ms) && !jar.wait(seen, 1ms));
    std::thread setter([&] { CHECK(!other.set(url, "a=1")); });
    CHECK(jar.wait(seen, 20s) && seen > since);
    setter.join();
    other.del("a.example.com", "a");
    std::string told;
    const auto tell = [&](const shms_cookie &c) {
        told += c.name + std::string((c.flags & SHMS_COOKIE_GONE) != 0 ? "-" : "+");
    };
    CHECK(jar.changes(since, tell) == 1);
    CHECK(told == "a-" && since == jar.version() && jar.poll_fd() >= 0);
    CHECK(!other.set(url, "a=1"));
    try { // a callback that throws
        jar.changes(since, [](const shms_cookie &) { throw std::runtime_error("mine"); });
        CHECK(false);
    } catch (const std::runtime_error &e) {
        CHECK(std::string(e.what()) == "mine");
    }
    CHECK(jar.changes(since, [](const shms_cookie &) {}) == 1); // it is told again
    try {
        jar.each([](const shms_cookie &) { throw std::runtime_error("mine"); });
        CHECK(false);
    } catch (const std::runtime_error &) {
    }
    since = -1;
    CHECK(thrown([&] { jar.changes(since, [](const shms_cookie &) {}); }) == SHMS_E_INVALID);
}

static void locks()
{
    auto jar = open("lock"), other = open("lock");
    {
        const auto lock = jar.lock("Example.com", 0ms);
        CHECK(!lock.owner_died());
        CHECK(thrown([&] { (void)other.lock("example.com", 1ms); }) == SHMS_E_TIMEOUT);
    }
    const pid_t pid = child([] {
        auto mine = open("lock");
        auto lock = mine.lock("example.com");
        CHECK(!mine.set("https://example.com/", "kept=1"));
        raise(SIGKILL);
    });
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
    auto lock = other.lock("example.com", 20s);
    CHECK(lock.owner_died() && jar.get("https://example.com/") == "kept=1");
    lock.unlock();
    CHECK(thrown([&] { lock.unlock(); }) != 0);
    std::uint64_t left_out = 9;
    const std::string file = "/tmp/" + test_name("cookies.txt");
    CHECK(jar.set("https://example.com/", "tab=1\t2").reason() == 0);
    CHECK(jar.export_file(file, &left_out) == 1 && left_out == 1);
    jar.clear();
    CHECK(jar.import_file(file) == 1 && jar.get("https://example.com/") == "kept=1");
    CHECK(unlink(file.c_str()) == 0);
    CHECK(thrown([&] { jar.import_file(file); }) == SHMS_E_NOT_FOUND);
}

int main()
{
    cookies();
    refused();
    changes();
    locks();
    const std::string mine = std::to_string(getpid());
    for (const auto &region : shms::list()) {
        const std::string &name = region.name;
        CHECK(name.find("test-cpp-") == name.npos || name.find(mine) == name.npos);
    }
    std::printf("C++ %ld: jars: all is well\n", __cplusplus / 100 % 100);
    return 0;
}
