// SPDX-License-Identifier: MIT
// As count.c.
#include <cstdlib>
#include <iostream>
#include <shmstream.hpp>
#include <shmstream/channel.hpp>
#include <shmstream/dict.hpp>

int main(int, char **argv)
{
    const std::string name = argv[1], language = argv[2];
    const auto slot = 8 * std::atoi(argv[3]);
    shms::stream stream(name + "-s");
    shms::channel channel(name + "-c", 0, shms::role::send);
    shms::dict dict(name + "-d");
    std::cout << "open" << std::endl;
    std::string line;
    std::getline(std::cin, line);
    for (int i = 0; i < std::atoi(argv[4]); i++) {
        {
            auto section = stream.lock_for();
            const auto all = section.get<std::int64_t>(0), mine = section.get<std::int64_t>(slot);
            dict.add(language);
            dict.add("all");
            section.put(0, all + 1);
            section.put(slot, mine + 1);
        }
        channel.send(language);
    }
}
