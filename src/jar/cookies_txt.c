/* SPDX-License-Identifier: MIT */
/* cookies.txt, as Netscape had it: seven fields with a TAB between them, a cookie a line.
 *
 *     [#HttpOnly_][.]host  below  path  secure  expires  name  value
 *
 * below (the host) and secure are TRUE or FALSE, expires is in seconds since 1970, or 0: with the session. */
#include "jar.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MOST (1u << 20)
#define SECOND_NS INT64_C(1000000000)
#define HTTP_ONLY "#HttpOnly_"

static int file_error(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR: return SHMS_E_NOT_FOUND;
    case EACCES:
    case EPERM: return SHMS_E_DENIED;
    case ENOSPC:
    case EDQUOT: return SHMS_E_NOSPACE;
    case ENOMEM: return SHMS_E_NOMEM;
    case EISDIR:
    case ESPIPE:
    case ENAMETOOLONG: return SHMS_E_INVALID;
    default: return SHMS_E_OS;
    }
}

/* ---- import */

enum { HOST, BELOW, PATH, SECURE, EXPIRES, NAME, VALUE, FIELDS };

/* Cut a line at its TABs. The last field has what is left; a line may lack its value. */
static bool split(char *line, char *field[FIELDS])
{
    for (int i = 0; i < FIELDS; i++) {
        field[i] = line;
        char *tab = strchr(line, '\t');
        if (!tab && i < NAME)
            return false;
        if (!tab || i == VALUE) {
            field[VALUE] = i == NAME ? line + strlen(line) : field[VALUE];
            return !tab;
        }
        *tab = '\0';
        line = tab + 1;
    }
    return false;
}

static bool take_flag(const char *text, uint32_t flag, uint32_t *flags)
{
    if (strcmp(text, "TRUE") == 0)
        *flags |= flag;
    return strcmp(text, "TRUE") == 0 || strcmp(text, "FALSE") == 0;
}

/* Some write a fraction of a second. */
static bool take_seconds(const char *text, int64_t *ret_ns)
{
    char *end;
    errno = 0;
    long long seconds = strtoll(text, &end, 10);
    if (end == text || seconds < 0 || errno)
        return false;
    if (*end == '.')
        end += 1 + strspn(end + 1, "0123456789");
    *ret_ns = seconds > INT64_MAX / SECOND_NS ? INT64_MAX : seconds * SECOND_NS;
    return *end == '\0';
}

/* The cookie of a line without its end; its texts lie in the line. */
static bool parse_line(char *line, shms_cookie *ret)
{
    char *field[FIELDS];
    uint32_t below = 0;
    *ret = (shms_cookie){.struct_size = sizeof *ret};
    if (strncmp(line, HTTP_ONLY, strlen(HTTP_ONLY)) == 0) {
        ret->flags = SHMS_COOKIE_HTTP_ONLY;
        line += strlen(HTTP_ONLY);
    }
    if (!split(line, field) || !take_flag(field[BELOW], 1, &below) ||
        !take_flag(field[SECURE], SHMS_COOKIE_SECURE, &ret->flags) ||
        !take_seconds(field[EXPIRES], &ret->expires_ns))
        return false;
    ret->flags |= below ? 0 : SHMS_COOKIE_HOST_ONLY;
    ret->host = field[HOST] + (field[HOST][0] == '.');
    ret->path = field[PATH];
    ret->name = field[NAME];
    ret->value = field[VALUE];
    return true;
}

/* A file on its way in. */
struct import {
    shms_jar *jar; /* NULL: only look how many lines are cookies */
    int64_t in;
    uint64_t left_out;
};

static bool is_comment(const char *line)
{
    return line[strspn(line, " \t\r\n")] == '\0' ||
           (line[0] == '#' && strncmp(line, HTTP_ONLY, strlen(HTTP_ONLY)) != 0);
}

/* 0, or a code of the jar. */
static int import_line(struct import *import, char *line, size_t size)
{
    shms_cookie c;
    bool whole = size > 0 && line[size - 1] == '\n' && strlen(line) == size;
    if (is_comment(line))
        return 0;
    line[strcspn(line, "\r\n")] = '\0';
    if (!whole || !parse_line(line, &c)) {
        import->left_out++;
        return 0;
    }
    if (!import->jar) {
        import->in++;
        return 0;
    }
    bool over = c.expires_ns && c.expires_ns <= shms__jar_now(import->jar);
    int rc = over ? 1 : shms_jar_put(import->jar, &c);
    if (rc < 0 && rc != SHMS_E_INVALID)
        return rc;
    import->in += rc == 0;
    import->left_out += rc != 0;
    return 0;
}

/* A line with its end; 0: there is none. LINE_MOST: it is no file of cookies, and perhaps without end. */
static size_t take_line(FILE *file, char line[LINE_MOST + 1])
{
    size_t n = 0;
    int c = 0;
    while (n < LINE_MOST && c != '\n' && (c = getc(file)) != EOF)
        line[n++] = (char)c;
    line[n] = '\0';
    return n;
}

/* Editors put a mark of UTF-8 before the first line. */
static void skip_mark(FILE *file)
{
    static const unsigned char mark[] = {0xef, 0xbb, 0xbf};
    unsigned char start[sizeof mark];
    if (fread(start, 1, sizeof start, file) != sizeof start || memcmp(start, mark, sizeof mark) != 0)
        rewind(file);
}

static int import_lines(struct import *import, FILE *file)
{
    char *line = malloc(LINE_MOST + 1);
    size_t n, longest = 0;
    int rc = line ? 0 : SHMS_E_NOMEM;
    skip_mark(file);
    while (rc == 0 && (n = take_line(file, line)) > 0) {
        rc = n == LINE_MOST ? SHMS_E_FORMAT : import_line(import, line, n);
        longest = n > longest ? n : longest;
    }
    if (rc == 0 && ferror(file))
        rc = file_error(errno);
    if (line)
        explicit_bzero(line, longest);
    free(line);
    return rc;
}

static int64_t import_file(shms_jar *j, FILE *file, uint64_t *ret_left_out)
{
    struct import look = {0}, import = {.jar = j};
    /* It is read twice; of a pipe nothing is taken. */
    int rc = fseek(file, 0, SEEK_SET) == 0 ? import_lines(&look, file) : file_error(errno);
    if (rc < 0)
        return rc;
    if (look.in == 0 && look.left_out > 0)
        return SHMS_E_FORMAT;
    rewind(file);
    rc = import_lines(&import, file);
    if (rc == 0 && ret_left_out)
        *ret_left_out = import.left_out;
    return rc < 0 ? rc : import.in;
}

int64_t shms_jar_import(shms_jar *j, const char *path, uint64_t *ret_left_out)
{
    if (!j || !path)
        return SHMS_E_INVALID;
    FILE *file = fopen(path, "re");
    if (!file)
        return file_error(errno);
    int64_t in = import_file(j, file, ret_left_out);
    fclose(file);
    return in;
}

/* ---- export */

struct export {
    FILE *file;
    int64_t out;
    uint64_t left_out;
};

static int export_cookie(const shms_cookie *c, void *context)
{
    struct export *export = context;
    bool below = !(c->flags & SHMS_COOKIE_HOST_ONLY);
    if (c->partition || strchr(c->name, '\t') || strchr(c->value, '\t') || strchr(c->path, '\t')) {
        export->left_out++;
        return 0;
    }
    export->out++;
    fprintf(export->file, "%s%s%s\t%s\t%s\t%s\t%lld\t%s\t%s\n",
            c->flags & SHMS_COOKIE_HTTP_ONLY ? HTTP_ONLY : "", below ? "." : "", c->host,
            below ? "TRUE" : "FALSE", c->path, c->flags & SHMS_COOKIE_SECURE ? "TRUE" : "FALSE",
            (long long)(c->expires_ns ? c->expires_ns / SECOND_NS + (c->expires_ns < SECOND_NS) : 0), c->name,
            c->value);
    return 0;
}

/* A file without a name in the folder of path: if this process is killed, no secrets stay behind. -1: it
 * cannot be had there. */
static int open_unnamed(const char *path)
{
    char folder[PATH_MAX], by_number[32];
    const char *last = strrchr(path, '/');
    size_t n = last ? (size_t)(last - path) + 1 : 0;
    memcpy(folder, path, n);
    strcpy(folder + n, ".");
    int fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    snprintf(by_number, sizeof by_number, "/proc/self/fd/%d", fd);
    if (fd >= 0 && access(by_number, F_OK) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* A name beside path, which nobody has yet, for a file without one. */
static bool give_name(int fd, const char *path, char ret[PATH_MAX])
{
    char by_number[32];
    snprintf(by_number, sizeof by_number, "/proc/self/fd/%d", fd);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(ret, PATH_MAX, "%s.%06x", path, ((unsigned)getpid() * 1000 + i) & 0xffffff);
        if (linkat(AT_FDCWD, by_number, AT_FDCWD, ret, AT_SYMLINK_FOLLOW) == 0)
            return true;
        if (errno != EEXIST)
            return false;
    }
    return false;
}

/* All is on the disk before the file gets its name. */
static int64_t export_to(shms_jar *j, int fd, const char *path, char temporary[PATH_MAX],
                         struct export *export)
{
    export->file = fdopen(fd, "w");
    if (!export->file) {
        close(fd);
        return SHMS_E_NOMEM;
    }
    fputs("# Netscape HTTP Cookie File\n# Written by shmstream. A reader of it can act as its owner.\n\n",
          export->file);
    int64_t rc = shms_jar_each(j, NULL, export_cookie, export);
    bool failed = fflush(export->file) != 0 || fsync(fd) != 0;
    if (rc >= 0 && !failed && !temporary[0])
        failed = !give_name(fd, path, temporary);
    int error = errno;
    fclose(export->file);
    return rc < 0 ? rc : failed ? file_error(error) : 0;
}

int64_t shms_jar_export(shms_jar *j, const char *path, uint64_t *ret_left_out)
{
    char temporary[PATH_MAX] = "";
    struct export export = {0};
    if (!j || !path || !*path || strlen(path) + sizeof ".XXXXXX" > sizeof temporary)
        return SHMS_E_INVALID;
    int fd = open_unnamed(path);
    if (fd < 0) {
        snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
        fd = mkostemp(temporary, O_CLOEXEC); /* its mode is 0600 */
    }
    if (fd < 0)
        return file_error(errno);
    int64_t rc = export_to(j, fd, path, temporary, &export);
    if (rc == 0 && rename(temporary, path) != 0)
        rc = file_error(errno);
    if (rc < 0) {
        if (temporary[0])
            unlink(temporary);
        return rc;
    }
    if (ret_left_out)
        *ret_left_out = export.left_out;
    return export.out;
}
