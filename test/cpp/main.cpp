// SPDX-License-Identifier: MIT
// All tests of the C++ face, and that they leave nothing: no descriptor, no name.
#include "check.h"

#include <dirent.h>

static int descriptors()
{
    int n = 0;
    DIR *fds = opendir("/proc/self/fd");
    CHECK(fds);
    while (readdir(fds))
        n++;
    closedir(fds);
    return n;
}

int main()
{
    { // what the library has once a process is no leak
        shms::stream first(test_name("first"), 1);
    }
    const int before = descriptors();
    test_streams();
    test_channels();
    test_dicts();
    CHECK(descriptors() == before);
    const std::string mine = std::to_string(getpid());
    for (const auto &region : shms::list()) {
        const std::string &name = region.name;
        CHECK(name.find("test-cpp-") == name.npos || name.find(mine) == name.npos);
    }
    std::printf("C++ %ld: all is well\n", __cplusplus / 100 % 100);
    return 0;
}
