/* SPDX-License-Identifier: MIT */
/* Dates of cookies: RFC 6265bis, 5.1.1. */
#ifndef SHMS_DATE_H
#define SHMS_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The date that a text holds, in seconds since 1970, if it holds one: anything between has its parts. */
bool shms__date_parse(const char *text, size_t size, int64_t *ret_seconds);

#endif
