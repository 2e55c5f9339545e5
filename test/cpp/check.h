/* SPDX-License-Identifier: MIT */
/* What the tests of the C++ face share: checks, and children. */
#ifndef TEST_CPP_CHECK_H
#define TEST_CPP_CHECK_H

#include "shmstream.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(what) \
    do { \
        if (!(what)) { \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
            std::_Exit(1); \
        } \
    } while (0)

// The code of what it throws; 0 if it does not.
template <class Function> int thrown(Function f)
{
    try {
        f();
        return 0;
    } catch (const std::system_error &e) {
        CHECK(e.code().category() == shms::category());
        return e.code().value();
    }
}

// A name of this process; its children take the same.
inline std::string test_name(const char *what)
{
    static const std::string pid = std::to_string(getpid());
    return "test-cpp-" + std::string(what) + "-" + pid;
}

template <class Function> pid_t child(Function f)
{
    const pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        f();
        std::_Exit(0);
    }
    return pid;
}

inline int status_of(pid_t pid)
{
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid);
    return status;
}

// A pipe, by which a child says that it has come to a point.
class mark {
  public:
    mark() { CHECK(pipe(ends_) == 0); }
    mark(const mark &) = delete;
    mark &operator=(const mark &) = delete;
    ~mark()
    {
        close(ends_[0]);
        close(ends_[1]);
    }
    void set() const { CHECK(write(ends_[1], "", 1) == 1); }
    void wait() const
    {
        char c;
        CHECK(read(ends_[0], &c, 1) == 1);
    }

  private:
    int ends_[2]{};
};

void test_streams();
void test_channels();
void test_dicts();

#endif
