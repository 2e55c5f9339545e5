/* SPDX-License-Identifier: MIT */
/* Text that somebody else has written, as all programs of the project show it. */
#ifndef SHMS_TOOL_TEXT_H
#define SHMS_TOOL_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* A name, or any text of others, for people: characters that could steer a terminal become question marks. */
void show_text(FILE *out, const char *text);
void show_bytes(FILE *out, const char *bytes, size_t n);
/* How many characters show_text() gives. */
size_t show_width(const char *text);
void show_json_string(FILE *out, const char *bytes, size_t n);
/* "name": "bytes"; of bytes that are not UTF-8 the text has not all, so that "name_hex" comes, too. */
void show_json_bytes(FILE *out, const char *name, const char *bytes, size_t n);

#endif
