// SPDX-License-Identifier: MIT
// Calls as a program makes them; run.sh looks at the code that the compiler makes of each.
#include "shmstream/channel.hpp"
#include "shmstream/dict.hpp"

extern "C" {
void lock_forever(shms::stream &s);
void unlock_it(shms::stream &s);
std::size_t read_some(shms::stream &s, void *buf);
void send_some(shms::channel &c, const void *buf);
std::int64_t get_version(shms::dict &d);
}

void lock_forever(shms::stream &s) { s.lock(); }
void unlock_it(shms::stream &s) { s.unlock(); }
std::size_t read_some(shms::stream &s, void *buf) { return s.read_at(buf, 64, 0); }
void send_some(shms::channel &c, const void *buf) { c.send(buf, 64); }
std::int64_t get_version(shms::dict &d) { return d.version(); }
