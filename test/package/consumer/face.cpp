// SPDX-License-Identifier: MIT
// The C++ face as it is installed, or taken from a checkout.
#include <shmstream.hpp>
#include <shmstream/channel.hpp>
#include <shmstream/dict.hpp>

int main()
{
    shms::stream s = shms::stream::unnamed(8);
    s.lock_for().put(0, 1);
    return s.get<int>(0) == 1 ? 0 : 1;
}
