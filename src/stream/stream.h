/* SPDX-License-Identifier: MIT */
/* The handle behind shms_stream. */
#ifndef SHMS_STREAM_H
#define SHMS_STREAM_H

#include "handle.h"
#include "version.h"

struct shms_stream {
    struct section section;
    a64 position; /* private memory, shared by the threads that share the handle */
};

/* Before touching data or size: makes a child of fork a member; a reader of the data alone may pass. */
static inline int shms__stream_enter_data(shms_stream *s)
{
    if (s->section.member.region.data_only)
        return (int)shms__member_done(&s->section.member, 0);
    return shms__member_enter(&s->section.member);
}

/* Where lseek's arguments lead from a position, or SHMS_E_RANGE, or SHMS_E_INVALID. */
int64_t shms__seek_target(shms_stream *s, int64_t position, int64_t offset, int whence);

#endif
