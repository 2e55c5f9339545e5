// SPDX-License-Identifier: MIT
#include "check.h"
#include "shmstream/channel.hpp"

#include <csignal>
#include <stdexcept>

using namespace std::chrono_literals;
using shms::role;

static_assert(!std::is_copy_constructible_v<shms::channel>);
static_assert(std::is_nothrow_move_constructible_v<shms::channel>);

// Between two processes, to the end.
static void jobs()
{
    const std::string name = test_name("jobs");
    shms::channel receiver(name, 1 << 16, role::receive);
    const pid_t pid = child([&] {
        shms::channel sender(name, 0, role::send);
        sender.send("one");
        sender.send("", 0);
        sender.send_all({"two", "three"});
        sender.send(std::string(50000, 'x'), 10s);
    });
    std::string all, job;
    while (receiver.recv(job, 10s))
        all += job.substr(0, 5) + ":" + std::to_string(job.size()) + " ";
    CHECK(all == "one:3 :0 two:3 three:5 xxxxx:50000 ");
    CHECK(status_of(pid) == 0);
    CHECK(thrown([&] { (void)receiver.try_recv(job); }) == SHMS_E_CLOSED);
    CHECK(receiver.info().sent == 5 && receiver.info().received == 5);
}

static void time_outs()
{
    const std::string name = test_name("times");
    shms::channel receiver(name, 4096, role::receive), sender(name, 4096, role::send);
    std::vector<std::byte> bytes;
    CHECK(!receiver.try_recv(bytes) && !receiver.try_recv(bytes, 1ms));
    CHECK(thrown([&] { (void)receiver.recv(bytes, 1ms); }) == SHMS_E_TIMEOUT);
    int sent = 0;
    while (sender.try_send(std::string(500, 'a')))
        sent++;
    CHECK(sent >= 4);
    CHECK(thrown([&] { sender.send(std::string(500, 'a'), 1ms); }) == SHMS_E_TIMEOUT);
    CHECK(thrown([&] { sender.send(std::string(5000, 'a')); }) == SHMS_E_RANGE);
    CHECK(thrown([&] { receiver.send("a"); }) == SHMS_E_INVALID);
    char small[8];
    CHECK(thrown([&] { receiver.recv(small, sizeof small, 1s); }) == SHMS_E_SIZE);
    CHECK(receiver.last().size == 500);
    CHECK(receiver.try_recv(bytes) && bytes.size() == 500 && bytes[0] == std::byte{'a'});
    CHECK(thrown([&] { shms::channel again(name, 4096, role::look); }) == SHMS_E_INVALID);
}

// What is peeked is put back by an exception, and released at the end of a scope.
static void in_place()
{
    const std::string name = test_name("place");
    shms::channel receiver(name, 4096, role::receive), sender(name, 4096, role::send);
    {
        auto room = sender.reserve(100);
        room.data()[0] = std::byte{'h'};
        room.data()[1] = std::byte{'i'};
        room.commit(2);
    }
    {
        auto given_up = sender.reserve(100);
        CHECK(given_up.size() == 100);
    }
    const auto fail = [&] {
        auto message = receiver.peek(1s);
        CHECK(message.view() == "hi");
        throw std::runtime_error("cannot do it");
    };
    bool failed = false;
    try {
        fail();
    } catch (const std::runtime_error &) {
        failed = true;
    }
    CHECK(failed);
    {
        const auto message = receiver.peek(1s);
        CHECK(message.view() == "hi" && receiver.last().tries == 1);
    }
    std::string text;
    CHECK(!receiver.try_recv(text));
    sender.send("x");
    auto message = receiver.peek(1s);
    message.abort();
    CHECK(receiver.recv(text, 1s) && text == "x");
}

static void broadcast()
{
    const std::string name = test_name("all");
    shms::channel_options options;
    options.kind = shms::kind::broadcast;
    options.slow = shms::slow::drop;
    shms::channel one(name, 4096, role::receive, options), two(name, 4096, role::receive, options);
    shms::channel sender(name, 4096, role::send, options);
    sender.send("news");
    std::string a, b;
    CHECK(one.recv(a, 1s) && two.recv(b, 1s) && a == "news" && b == "news");
    for (int i = 0; i < 100; i++)
        sender.send(std::string(100, 'n'));
    CHECK(thrown([&] { (void)one.recv(a, 1s); }) == SHMS_E_MISSED);
    CHECK(one.last().missed > 0 && one.recv(a, 1s));
}

// A worker is killed with a job: another one gets it. A sender is killed: its receivers are told.
static void deaths()
{
    const std::string name = test_name("deaths");
    shms::channel receiver(name, 4096, role::receive);
    const mark ready;
    const pid_t sending = child([&] {
        shms::channel sender(name, 0, role::send);
        sender.send("job");
        ready.set();
        pause();
    });
    ready.wait();
    const pid_t working = child([&] {
        shms::channel worker(name, 0, role::receive);
        auto job = worker.peek(10s);
        ready.set();
        pause();
    });
    ready.wait();
    kill(working, SIGKILL);
    status_of(working);
    std::string job;
    CHECK(receiver.recv(job, 10s) && job == "job" && receiver.last().tries == 1);
    kill(sending, SIGKILL);
    status_of(sending);
    CHECK(thrown([&] { (void)receiver.recv(job, 10s); }) == SHMS_E_DIED);
}

void test_channels()
{
    jobs();
    time_outs();
    in_place();
    broadcast();
    deaths();
}
