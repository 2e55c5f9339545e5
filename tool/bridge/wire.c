/* SPDX-License-Identifier: MIT */
/*
 * A record in a bucket. Subject: "$KV.", the bucket, ".", the key, in which each byte but letters, digits, -
 * and _ is "=" and two hexadecimal digits: so a key is one token, and none looks like a wildcard. Bytes,
 * numbers little-endian: "shb1"; 1, the mark of a deleted record, or 0; three zeros; the stamp, 8 bytes; the
 * machine, 8; when it expires, 8; the value.
 */
#include "wire.h"

#include <string.h>

#define MAGIC "shb1"
#define GONE 1

static const char digits[] = "0123456789ABCDEF";

bool wire_is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool wire_bucket_sound(const char *bucket)
{
    size_t n = strlen(bucket);
    for (size_t i = 0; i < n; i++)
        if (!wire_is_plain(bucket[i]))
            return false;
    return n > 0 && n <= 64;
}

static char *append(char *to, const char *text)
{
    size_t n = strlen(text);
    memcpy(to, text, n);
    return to + n;
}

size_t wire_subject(const char *bucket, const void *key, size_t key_size, char *ret)
{
    const unsigned char *from = key;
    char *to = append(append(append(ret, "$KV."), bucket), ".");
    for (size_t i = 0; i < key_size; i++) {
        if (wire_is_plain((char)from[i])) {
            *to++ = (char)from[i];
            continue;
        }
        *to++ = '=';
        *to++ = digits[from[i] >> 4];
        *to++ = digits[from[i] & 15];
    }
    *to = '\0';
    return (size_t)(to - ret);
}

static int digit(char c)
{
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

size_t wire_key(const char *bucket, const char *subject, unsigned char ret[static WIRE_KEY_MAX])
{
    size_t n = strlen(bucket), size = 0;
    if (strncmp(subject, "$KV.", 4) != 0 || strncmp(subject + 4, bucket, n) != 0 || subject[4 + n] != '.')
        return 0;
    for (const char *at = subject + 5 + n; *at; at++) {
        int high = 0, low = (unsigned char)*at;
        if (*at == '=') {
            high = digit(at[1]);
            low = high < 0 ? -1 : digit(at[2]);
            at += 2;
        } else if (!wire_is_plain(*at)) {
            return 0;
        }
        if (high < 0 || low < 0 || size == WIRE_KEY_MAX)
            return 0;
        ret[size++] = (unsigned char)(high << 4 | low);
    }
    return size;
}

static void put_number(unsigned char *to, uint64_t n)
{
    for (int i = 0; i < 8; i++)
        to[i] = (unsigned char)(n >> (8 * i));
}

static uint64_t take_number(const unsigned char *from)
{
    uint64_t n = 0;
    for (int i = 0; i < 8; i++)
        n |= (uint64_t)from[i] << (8 * i);
    return n;
}

void wire_head(const struct entry *e, unsigned char ret[static WIRE_HEAD])
{
    memset(ret, 0, WIRE_HEAD);
    memcpy(ret, MAGIC, 4);
    ret[4] = e->gone ? GONE : 0;
    put_number(ret + 8, (uint64_t)e->stamp.ns);
    put_number(ret + 16, e->stamp.origin);
    put_number(ret + 24, (uint64_t)e->expires_ns);
}

bool wire_read(const void *bytes, size_t size, struct entry *ret)
{
    const unsigned char *from = bytes;
    if (size < WIRE_HEAD || size > WIRE_HEAD + WIRE_VALUE_MAX || memcmp(from, MAGIC, 4) != 0 ||
        from[4] > GONE || from[5] || from[6] || from[7])
        return false;
    *ret = (struct entry){.gone = from[4] == GONE,
                          .stamp = {(int64_t)take_number(from + 8), take_number(from + 16)},
                          .expires_ns = (int64_t)take_number(from + 24),
                          .value = from + WIRE_HEAD,
                          .size = size - WIRE_HEAD};
    return ret->stamp.ns > 0 && ret->stamp.origin > 0 && ret->stamp.origin <= UINT32_MAX &&
           ret->expires_ns >= 0 && !(ret->gone && (ret->size > 0 || ret->expires_ns));
}
