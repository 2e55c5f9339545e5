/* SPDX-License-Identifier: MIT */
/* Windows: the calling thread; CMake picks this folder for the include. */
#ifndef SHMS_PORT_THREAD_H
#define SHMS_PORT_THREAD_H

#include <stdint.h>

uintptr_t shms__thread(void);

#endif
