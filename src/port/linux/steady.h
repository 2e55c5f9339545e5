/* SPDX-License-Identifier: MIT */
/*
 * Linux: calls of the system that are cancellation points elsewhere, and none here. Included last by each
 * file of this folder that makes them: so a thread that is cancelled while it is inside of any call of the
 * library, be it in a frame (quiet.c) or not, goes on until the call is over.
 */
#ifndef SHMS_PORT_STEADY_H
#define SHMS_PORT_STEADY_H

#include "../../core/port.h"

#define STEADY(call)                                                                                        \
    (__extension__({                                                                                        \
        int cancel_before_ = shms__steady_begin();                                                          \
        __typeof__(call) result_ = call;                                                                    \
        shms__steady_end(cancel_before_);                                                                   \
        result_;                                                                                            \
    }))

#define open(...) STEADY(open(__VA_ARGS__))
#define close(...) STEADY(close(__VA_ARGS__))
#define read(...) STEADY(read(__VA_ARGS__))
#define write(...) STEADY(write(__VA_ARGS__))
#define pread(...) STEADY(pread(__VA_ARGS__))
#define pwrite(...) STEADY(pwrite(__VA_ARGS__))
#define fallocate(...) STEADY(fallocate(__VA_ARGS__))
#define fsync(...) STEADY(fsync(__VA_ARGS__))

#endif
