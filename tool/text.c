/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The length of the UTF-8 sequence at p and the character, 0 for bytes that are none. */
static size_t utf8_next(const unsigned char *p, size_t n, uint32_t *ret_code)
{
    size_t length = *p < 0x80 ? 1 : (*p & 0xe0) == 0xc0 ? 2 : (*p & 0xf0) == 0xe0 ? 3
                                 : (*p & 0xf8) == 0xf0 ? 4 : 0;
    if (length == 0 || length > n)
        return 0;
    uint32_t code = length == 1 ? *p : *p & 0x7fu >> length;
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3fu);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    *ret_code = code;
    return code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : length;
}

/* Characters that steer: C0 and C1, which terminals obey, and those that turn the direction of text round or
 * are not seen at all. All are below U+10000. */
static bool steers(uint32_t code)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {{0x00, 0x1f},     {0x7f, 0x9f},     {0x61c, 0x61c},   {0x200b, 0x200b}, {0x200e, 0x200f},
                  {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

void show_text(FILE *out, const char *text)
{
    show_bytes(out, text, strlen(text));
}

void show_bytes(FILE *out, const char *bytes, size_t n)
{
    const unsigned char *p = (const unsigned char *)bytes;
    uint32_t code = 0;
    for (size_t left = n; left > 0;) {
        size_t length = utf8_next(p, left, &code);
        if (length == 0 || steers(code))
            fputc('?', out);
        else
            fwrite(p, 1, length, out);
        length = length ? length : 1;
        p += length;
        left -= length;
    }
}

size_t show_width(const char *text)
{
    size_t width = 0;
    uint32_t code;
    for (size_t left = strlen(text); left > 0; width++) {
        size_t length = utf8_next((const unsigned char *)text, left, &code);
        length = length ? length : 1;
        text += length;
        left -= length;
    }
    return width;
}

/* ---- JSON */

void show_json_string(FILE *out, const char *bytes, size_t n)
{
    fputc('"', out);
    for (size_t i = 0; i < n;) {
        const unsigned char *p = (const unsigned char *)bytes + i;
        uint32_t code = 0;
        size_t length = utf8_next(p, n - i, &code);
        if (length == 0)
            fputs("\\ufffd", out);
        else if (*p == '"' || *p == '\\')
            fprintf(out, "\\%c", *p);
        else if (*p == '\n')
            fputs("\\n", out);
        else if (steers(code))
            fprintf(out, "\\u%04" PRIx32, code);
        else
            fwrite(p, 1, length, out);
        i += length ? length : 1;
    }
    fputc('"', out);
}

static bool is_utf8(const char *bytes, size_t n)
{
    uint32_t code;
    for (size_t i = 0, length; i < n; i += length)
        if ((length = utf8_next((const unsigned char *)bytes + i, n - i, &code)) == 0)
            return false;
    return true;
}

void show_json_bytes(FILE *out, const char *name, const char *bytes, size_t n)
{
    fprintf(out, "\"%s\": ", name);
    show_json_string(out, bytes, n);
    if (is_utf8(bytes, n))
        return;
    fprintf(out, ", \"%s_hex\": \"", name);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%02x", (unsigned char)bytes[i]);
    fputc('"', out);
}
