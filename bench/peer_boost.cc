// SPDX-License-Identifier: MIT
// Boost.Interprocess's mutex as a lock under test. The only C++ here: its peer is a C++ library.
#include "lock.h"

#include <cstring>
#include <new>

#include <boost/interprocess/sync/interprocess_mutex.hpp>

static boost::interprocess::interprocess_mutex *mutex;
static char *shared_record;

void boost_create(void *memory)
{
    static_assert(sizeof *mutex + RECORD_BYTES <= 128, "the memory is too small");
    mutex = new (memory) boost::interprocess::interprocess_mutex;
    shared_record = static_cast<char *>(memory) + sizeof *mutex;
}

static void join_nothing()
{
}

static inline int take_boost()
{
    mutex->lock();
    return 0;
}

static inline void give_boost()
{
    mutex->unlock();
}

LOCK_KIND(boost, "Boost interprocess_mutex", join_nothing, std::memcpy(shared_record, record, sizeof record),
          std::memcpy(record, shared_record, sizeof record))
