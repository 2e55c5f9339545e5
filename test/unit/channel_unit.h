/* SPDX-License-Identifier: MIT */
/* What the unit tests of the channel share. */
#ifndef CHANNEL_UNIT_H
#define CHANNEL_UNIT_H

#include "channel.h"
#include "child.h"

#define CHANNEL(...) &(shms_channel_options){.struct_size = sizeof(shms_channel_options), __VA_ARGS__}

static inline shms_channel *channel_open(uint64_t size, int role, const shms_channel_options *o)
{
    shms_channel *c = NULL;
    assert_int_equal(shms_channel_open(NAME, size, role, o, &c), 0);
    return c;
}

static inline int channel_refused(uint64_t size, int role, const shms_channel_options *o)
{
    shms_channel *c = NULL;
    int rc = shms_channel_open(NAME, size, role, o, &c);
    shms_channel_close(c);
    return rc;
}

static inline shms_message message_of(shms_channel *c)
{
    shms_message m = {.struct_size = sizeof m};
    assert_int_equal(shms_channel_message(c, &m), 0);
    return m;
}

static inline shms_channel_stats stats_of(shms_channel *c)
{
    shms_channel_stats s = {.struct_size = sizeof s};
    assert_int_equal(shms_channel_info(c, &s), 0);
    return s;
}

static inline void send_number(shms_channel *c, uint64_t number)
{
    assert_int_equal(shms_channel_send(c, &number, sizeof number, 0), 0);
}

/* The number that comes next. */
static inline uint64_t recv_number(shms_channel *c)
{
    uint64_t number = 0;
    assert_int_equal(shms_channel_recv(c, &number, sizeof number, 0), sizeof number);
    return number;
}

#endif
