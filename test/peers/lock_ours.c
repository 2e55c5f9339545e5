/* SPDX-License-Identifier: MIT */
/* The library in the same row as its peers. */
#include "peers.h"

#include "stream.h"

#include <unistd.h>

static void *enter(const struct place *at, bool first, bool atomic)
{
    shms_stream_options o = {.struct_size = sizeof o, .atomic = atomic};
    shms_stream *s = NULL;
    if (shms_stream_open(at->name, RECORD_BYTES, &o, &s) < 0)
        give_up("shms_stream_open");
    uint64_t *words = shms_stream_memory(s);
    for (unsigned i = 0; first && i < RECORD_WORDS; i++)
        words[i] = old_word(i);
    return s;
}

static void *enter_ours(const struct place *at, bool first)
{
    return enter(at, first, false);
}

static void *enter_atomic(const struct place *at, bool first)
{
    return enter(at, first, true);
}

static int take_ours(void *c, int timeout_ms)
{
    int rc = shms_stream_lock(c, timeout_ms);
    if (rc == SHMS_OWNER_DIED)
        return shms_stream_repaired(c) == 0 ? TOLD : NOT;
    return rc == 0 ? GOT : NOT;
}

static int give_ours(void *c)
{
    return shms_stream_unlock(c);
}

static void write_ours(void *c, const uint64_t *words)
{
    shms_stream_pwrite(c, words, RECORD_BYTES, 0);
}

static void read_ours(void *c, uint64_t *ret_words)
{
    shms_stream_pread(c, ret_words, RECORD_BYTES, 0);
}

static void *shared_ours(void *c, size_t *ret_bytes)
{
    *ret_bytes = sizeof(struct control);
    return ((shms_stream *)c)->section.member.region.control;
}

static void leave_ours(void *c)
{
    shms_stream_close(c);
}

const struct lock lock_ours = {OURS, enter_ours, take_ours, give_ours,
                               write_ours, read_ours, shared_ours, leave_ours};
const struct lock lock_atomic = {OURS ", atomic", enter_atomic, take_ours, give_ours,
                                 write_ours, read_ours, shared_ours, leave_ours};

static void act_share(void *c)
{
    uint64_t words[RECORD_WORDS];
    if (shms_stream_lock_shared(c, -1) < 0)
        _exit(1);
    read_ours(c, words);
    shms_stream_unlock(c);
}

const struct operation ours_reads = {OURS, "shared lock, read 64 B", NULL, act_share, NULL};
