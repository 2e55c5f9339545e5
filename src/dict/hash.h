/* SPDX-License-Identifier: MIT */
/* SipHash: a hash that nobody can aim at without its key. */
#ifndef SHMS_HASH_H
#define SHMS_HASH_H

#include <stddef.h>
#include <stdint.h>

/* SipHash-1-3 of n bytes, the same on every machine. */
uint64_t shms__siphash(const uint64_t key[2], const void *bytes, size_t n);

#endif
