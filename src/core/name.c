/* SPDX-License-Identifier: MIT */
/*
 * Names. `Local\x` and `x` are the same name, private to the user; `Global\x` is one name for all users.
 * In file names, what could lead elsewhere or garble a listing is written %XX: '/', '%', control characters.
 */
#include "name.h"

#include <stdio.h>
#include <string.h>

#define CONTROL_ENDING ".ctl"
#define DATA_ENDING ".data"

/* The length of the well-formed UTF-8 character at p (RFC 3629), 0 for none. */
static size_t utf8_length(const unsigned char *p)
{
    static const struct {
        unsigned char first, last, low, high;
        size_t n;
    } forms[] = {{0x01, 0x7f, 0, 0, 1},          {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                 {0xe1, 0xec, 0x80, 0xbf, 3},    {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
                 {0xf0, 0xf0, 0x90, 0xbf, 4},    {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (*p < forms[i].first || *p > forms[i].last)
            continue;
        if (forms[i].n > 1 && (p[1] < forms[i].low || p[1] > forms[i].high))
            return 0;
        for (size_t k = 2; k < forms[i].n; k++)
            if (p[k] < 0x80 || p[k] > 0xbf)
                return 0;
        return forms[i].n;
    }
    return 0;
}

static bool must_escape(unsigned char c)
{
    return c < 0x20 || c == 0x7f || c == '/' || c == '%';
}

/* The file name of x, without ending; false: x is no name. */
static bool escape(const char *x, char ret[SHMS_NAME_MAX + 1])
{
    size_t used = 0;
    for (const unsigned char *p = (const unsigned char *)x; *p;) {
        size_t n = utf8_length(p);
        bool escaped = must_escape(*p);
        size_t room = escaped ? 3 : n;
        if (n == 0 || *p == '\\' || used + room > SHMS_NAME_MAX)
            return false;
        if (escaped)
            snprintf(ret + used, 4, "%%%02X", (unsigned)*p);
        else
            memcpy(ret + used, p, n);
        used += room;
        p += n;
    }
    ret[used] = 0;
    return used > 0;
}

/* Cut a leading prefix off; whether it was there. */
static bool cut(const char **text, const char *prefix)
{
    size_t n = strlen(prefix);
    if (strncmp(*text, prefix, n) != 0)
        return false;
    *text += n;
    return true;
}

/* Three texts in one; all fit. By hand: printf would cost as much as opening a file. */
static void join(char ret[PORT_PATH_MAX * 2], const char *a, const char *b, const char *c)
{
    const char *parts[] = {a, b, c};
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(parts[i]);
        memcpy(ret, parts[i], n);
        ret += n;
    }
    *ret = 0;
}

int shms__name_resolve(const char *text, bool create, struct name *ret)
{
    char escaped[SHMS_NAME_MAX + 1];
    if (!text)
        return shms__fail(SHMS_E_INVALID);
    ret->global = cut(&text, "Global\\");
    if (!ret->global)
        cut(&text, "Local\\");
    if (!escape(text, escaped))
        return shms__fail(SHMS_E_INVALID);
    int rc = shms__place(ret->global, create, ret->prefix);
    if (rc < 0)
        return rc;
    join(ret->control, ret->prefix, escaped, CONTROL_ENDING);
    join(ret->data, ret->prefix, escaped, DATA_ENDING);
    return 0;
}

static int hex(char c)
{
    const char *digits = "0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Undo escape() for the n characters at p; false: escape() would not have written them. */
static bool unescape(const char *p, size_t n, char *ret, size_t room)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        if (c == '%') {
            if (n - i < 3 || hex(p[i + 1]) < 0 || hex(p[i + 2]) < 0)
                return false;
            c = (char)(hex(p[i + 1]) << 4 | hex(p[i + 2]));
            i += 2;
            if (!must_escape((unsigned char)c))
                return false;
        } else if (c == '\\' || must_escape((unsigned char)c)) {
            return false;
        }
        if (c == 0 || used + 1 >= room)
            return false;
        ret[used++] = c;
    }
    ret[used] = 0;
    return used > 0;
}

bool shms__name_from_file(bool global, const char *file_name, char ret_text[NAME_TEXT_MAX],
                          bool *ret_is_data)
{
    const char *dot = strrchr(file_name, '.');
    if (!dot || (strcmp(dot, CONTROL_ENDING) != 0 && strcmp(dot, DATA_ENDING) != 0))
        return false;
    size_t used = global ? strlen("Global\\") : 0;
    memcpy(ret_text, "Global\\", used);
    *ret_is_data = strcmp(dot, DATA_ENDING) == 0;
    return unescape(file_name, (size_t)(dot - file_name), ret_text + used, NAME_TEXT_MAX - used);
}
