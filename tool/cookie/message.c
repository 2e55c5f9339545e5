/* SPDX-License-Identifier: MIT */
#include "message.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Memory that is wiped when it is given back: before it stands how much was asked for. */
union head {
    size_t size;
    max_align_t aligned;
};

static void *alloc_wiped(size_t size)
{
    union head *h = size <= SIZE_MAX - sizeof *h ? malloc(sizeof *h + size) : NULL;
    if (!h)
        return NULL;
    h->size = size;
    return h + 1;
}

static void free_wiped(void *bytes)
{
    if (!bytes)
        return;
    union head *h = (union head *)bytes - 1;
    explicit_bzero(h, sizeof *h + h->size);
    free(h);
}

void messages_wipe(void)
{
    json_set_alloc_funcs(alloc_wiped, free_wiped);
}

/* How many bytes came before the end. */
static size_t read_all(int fd, char *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = read(fd, bytes + done, size - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            break;
    }
    return done;
}

static json_t *parse(const char *bytes, size_t size, const char **ret_wrong)
{
    json_t *message = json_loadb(bytes, size, 0, NULL);
    if (json_is_object(message))
        return message;
    *ret_wrong = message ? "a message is no JSON object" : "a message is no JSON in UTF-8";
    json_decref(message);
    return NULL;
}

json_t *message_read(int fd, const char **ret_wrong)
{
    uint32_t size;
    size_t n = read_all(fd, (char *)&size, sizeof size);
    *ret_wrong = n > 0 && n < sizeof size ? "the input ends within a message" : NULL;
    if (n < sizeof size)
        return NULL;
    if (size > MESSAGE_MAX) {
        *ret_wrong = "a message is longer than 1 MiB";
        return NULL;
    }
    char *bytes = alloc_wiped(size);
    json_t *message = NULL;
    if (!bytes)
        *ret_wrong = "no memory";
    else if (read_all(fd, bytes, size) < size)
        *ret_wrong = "the input ends within a message";
    else
        message = parse(bytes, size, ret_wrong);
    free_wiped(bytes);
    return message;
}

static bool write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        if (n < 0 && errno != EINTR)
            return false;
        bytes += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* In one piece with its length, so that the reader wakes once. */
bool message_write(int fd, json_t *message)
{
    size_t size = message ? json_dumpb(message, NULL, 0, JSON_COMPACT) : 0;
    uint32_t head = (uint32_t)size;
    char *bytes = size > 0 && size <= MESSAGE_MAX ? alloc_wiped(sizeof head + size) : NULL;
    bool written = false;
    errno = size > MESSAGE_MAX ? EMSGSIZE : ENOMEM;
    if (bytes) {
        memcpy(bytes, &head, sizeof head);
        json_dumpb(message, bytes + sizeof head, size, JSON_COMPACT);
        written = write_all(fd, bytes, sizeof head + size);
    }
    int error = errno;
    free_wiped(bytes);
    json_decref(message);
    errno = error;
    return written;
}
