/* SPDX-License-Identifier: MIT */
/* Native messages: a length of 32 bits in the machine's order, then JSON in UTF-8. */
#ifndef SHMS_COOKIE_MESSAGE_H
#define SHMS_COOKIE_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>

/* Browsers take no longer ones; the extension makes none. */
#define MESSAGE_MAX 1048576

/* What jansson frees is wiped from here on: there are secrets in it. */
void messages_wipe(void);

/* The next message, an object; NULL: the end, *ret_wrong telling why if that is not between two messages. */
json_t *message_read(int fd, const char **ret_wrong);

/* Takes the message over. False: it cannot be written, errno telling why; EMSGSIZE: too long. */
bool message_write(int fd, json_t *message);

#endif
