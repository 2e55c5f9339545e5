/* SPDX-License-Identifier: MIT */
#include "cookie.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static shms_jar_request request_of(const arguments *args)
{
    return (shms_jar_request){.struct_size = sizeof(shms_jar_request), .flags = args->flags,
                              .site = args->site, .url = args->operand[0],
                              .partition = args->partition};
}

/* The URL is not repeated: there may be a password in it. */
static int fail_url(const arguments *args)
{
    return cookie_error(args, "that is no URL of a web server; write https://HOST[:PORT][/PATH]%s",
                        args->partition ? ", and the partition as https://SITE" : "");
}

/* ---- set, get */

static size_t without_end(const char *line, size_t size)
{
    while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r'))
        size--;
    return size;
}

/* The value may be a secret, so a message has the number of the line only. */
static int set_line(shms_jar *j, const arguments *args, int number, const char *line, size_t size)
{
    static const char header[] = "Set-Cookie:";
    shms_jar_request r = request_of(args);
    if (size >= strlen(header) && strncasecmp(line, header, strlen(header)) == 0) {
        line += strlen(header);
        size -= strlen(header);
    }
    int rc = size > 0 ? shms_jar_set(j, &r, line, size) : 0;
    if (rc > 0)
        return cookie_error(args, "line %d was refused: %s", number, shms_jar_reason(rc));
    return rc < 0 ? cookie_fail(args, args->jar, rc) : EXIT_SUCCESS;
}

static int run_set(shms_jar *j, const arguments *args)
{
    shms_jar_request r = request_of(args);
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    int status = EXIT_SUCCESS;
    if (shms_jar_get(j, &r, NULL, 0) == SHMS_E_INVALID)
        return fail_url(args);
    for (int number = 1; (n = getline(&line, &room, stdin)) > 0; number++)
        status |= set_line(j, args, number, line, without_end(line, (size_t)n));
    if (ferror(stdin))
        status = cookie_error(args, "standard input cannot be read");
    if (line)
        explicit_bzero(line, room);
    free(line);
    return status;
}

static int run_get(shms_jar *j, const arguments *args)
{
    shms_jar_request r = request_of(args);
    char small[8192], *line = small;
    int64_t n = shms_jar_get(j, &r, small, sizeof small);
    if (n == SHMS_E_INVALID)
        return fail_url(args);
    while (n >= (int64_t)sizeof small) { /* others may make it longer in between */
        size_t room = (size_t)n + 1;
        free(line == small ? NULL : line);
        line = malloc(room);
        n = line ? shms_jar_get(j, &r, line, room) : SHMS_E_NOMEM;
        if (n < (int64_t)room)
            break;
    }
    if (n < 0)
        return cookie_fail(args, args->jar, (int)n);
    if (n > 0)
        puts(line);
    free(line == small ? NULL : line);
    return EXIT_SUCCESS;
}

/* ---- ls */

/* What a server chose is not sent to a terminal as it is, unless it is plain ASCII. */
static void print_text(const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c >= 0x7f || c == '\\')
            printf("\\x%02x", c);
        else
            putchar(c);
    }
}

/* Cookies are bytes, in no encoding: each above 0x7f becomes the character of that number. */
static void print_json(const char *key, const char *text)
{
    printf("\"%s\": \"", key);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c >= 0x7f || c == '\\' || c == '"')
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    fputs("\", ", stdout);
}

static const char *same_site_name(uint32_t same_site)
{
    static const char *const names[] = {"default", "none", "lax", "strict"};
    return names[same_site & 3];
}

static const char *truth(uint32_t flag)
{
    return flag ? "true" : "false";
}

static int list_json(const shms_cookie *c, void *context)
{
    (void)context;
    putchar('{');
    print_json("host", c->host);
    print_json("name", c->name);
    print_json("value", c->value);
    print_json("path", c->path);
    if (c->partition)
        print_json("partition", c->partition);
    printf("\"expires\": %lld, ", (long long)(c->expires_ns / 1000000000));
    printf("\"secure\": %s, \"http_only\": %s, \"host_only\": %s, \"same_site\": \"%s\"}\n",
           truth(c->flags & SHMS_COOKIE_SECURE), truth(c->flags & SHMS_COOKIE_HTTP_ONLY),
           truth(c->flags & SHMS_COOKIE_HOST_ONLY), same_site_name(c->same_site));
    return 0;
}

static int list(const shms_cookie *c, void *context)
{
    (void)context;
    printf("%s%s ", c->flags & SHMS_COOKIE_HOST_ONLY ? "" : ".", c->host);
    print_text(*c->name ? c->name : "''");
    putchar(' ');
    print_text(c->path);
    printf(" %s%s%s%s", c->expires_ns ? "persistent" : "session",
           c->flags & SHMS_COOKIE_SECURE ? ",secure" : "",
           c->flags & SHMS_COOKIE_HTTP_ONLY ? ",http-only" : "", c->same_site ? "," : "");
    fputs(c->same_site ? same_site_name(c->same_site) : "", stdout);
    putchar(c->partition ? ' ' : '\n');
    if (c->partition) {
        print_text(c->partition);
        putchar('\n');
    }
    return 0;
}

int cookie_fail_host(const arguments *args, const char *host, int64_t code)
{
    if (host && code == SHMS_E_INVALID)
        return cookie_error(args, "%s: no name of a host; write it as example.com%s", host,
                            args->partition ? ", and the partition as https://SITE" : "");
    return cookie_fail(args, host ? host : args->jar, (int)code);
}

static int run_ls(shms_jar *j, const arguments *args)
{
    int64_t n = shms_jar_each(j, args->operand[0], args->json ? list_json : list, NULL);
    return n < 0 ? cookie_fail_host(args, args->operand[0], n) : EXIT_SUCCESS;
}

/* ---- rm */

static int run_rm(shms_jar *j, const arguments *args)
{
    const char *host = args->operand[0], *name = args->operand[1];
    if (args->all == (host != NULL)) {
        cookie_error(args, "give a host, or --all; see shms-cookie rm --help");
        return EXIT_USAGE;
    }
    if (!name && args->partition) {
        cookie_error(args, "--partition is of one cookie; give its name, too; see shms-cookie rm --help");
        return EXIT_USAGE;
    }
    if (!name) {
        int64_t n = shms_jar_clear(j, host);
        return n < 0 ? cookie_fail_host(args, host, n) : EXIT_SUCCESS;
    }
    shms_cookie like = {.struct_size = sizeof like, .host = host, .name = name, .partition = args->partition};
    int rc = shms_jar_del(j, &like);
    if (rc == SHMS_E_NOT_FOUND)
        return cookie_error(args, "%s: it has no cookie of that name; see `shms-cookie ls %s`", host, host);
    return rc < 0 ? cookie_fail_host(args, host, rc) : EXIT_SUCCESS;
}

/* ---- import, export */

static int fail_file(const arguments *args, int64_t code)
{
    const char *path = args->operand[0];
    switch (code) {
    case SHMS_E_FORMAT:
        return cookie_error(args, "%s: no line of it is a cookie; a cookies.txt has seven fields with a TAB "
                                  "between them",
                            path);
    case SHMS_E_NOT_FOUND: return cookie_error(args, "%s: there is no such file or directory", path);
    case SHMS_E_INVALID: return cookie_error(args, "%s: it is a directory; name a file", path);
    case SHMS_E_DENIED: return cookie_error(args, "%s: permission denied", path);
    default: return cookie_fail(args, path, (int)code);
    }
}

static int report(const arguments *args, int64_t n, uint64_t left_out, const char *left)
{
    if (n < 0)
        return fail_file(args, n);
    printf("%lld cookies\n", (long long)n);
    if (left_out > 0)
        return cookie_error(args, "%s: %llu left out: %s", args->operand[0], (unsigned long long)left_out,
                            left);
    return EXIT_SUCCESS;
}

static int run_import(shms_jar *j, const arguments *args)
{
    uint64_t left_out = 0;
    int64_t n = shms_jar_import(j, args->operand[0], &left_out);
    return report(args, n, left_out, "no cookie, expired, refused, or cut short");
}

static int run_export(shms_jar *j, const arguments *args)
{
    uint64_t left_out = 0;
    int64_t n = shms_jar_export(j, args->operand[0], &left_out);
    return report(args, n, left_out, "cookies.txt has no place for a TAB or a partition");
}

/* ---- watch */

static int print_change(const shms_cookie *c, void *context)
{
    (void)context;
    printf("%s %s", c->flags & SHMS_COOKIE_GONE ? "gone" : "set", c->host);
    if (*c->path) {
        putchar(' ');
        print_text(*c->name ? c->name : "''");
        putchar(' ');
        print_text(c->path);
    }
    putchar('\n');
    return fflush(stdout) == 0 ? 0 : 1;
}

/* What is there, then what changes; where changes were missed, what is there once more. */
static int run_watch(shms_jar *j, const arguments *args)
{
    int64_t since = shms_jar_version(j), seen = since;
    int64_t rc = since < 0 ? since : shms_jar_each(j, NULL, print_change, NULL);
    while (rc >= 0 && !ferror(stdout)) {
        rc = shms_jar_wait(j, &seen, -1);
        if (rc == 0)
            rc = shms_jar_changes(j, &since, print_change, NULL);
        if (rc == SHMS_E_MISSED) {
            puts("missed");
            rc = shms_jar_each(j, NULL, print_change, NULL);
        }
    }
    return rc < 0 ? cookie_fail(args, args->jar, (int)rc) : EXIT_FAILURE; /* main() tells of the output */
}

const command commands[] = {
    {"set", "URL",
     "Take Set-Cookie lines from standard input, as an answer to URL.\n"
     "A refused line is told with its number; the status is 1 then.",
     "asp", 1, 1, true, false, run_set},
    {"get", "URL",
     "Print the Cookie line for a request to URL.\n"
     "Nothing is printed if there is none.",
     "asp", 1, 1, false, false, run_get},
    {"ls", "[HOST]",
     "List cookies, without their values.\n"
     "A dot before the host: they are sent to hosts below it, too.",
     "J", 0, 1, false, false, run_ls},
    {"rm", "[HOST [NAME]]",
     "Delete the cookies of a host, or one by name, or all.\n"
     "One by name: of the partition, or of none.",
     "Ap", 0, 2, false, false, run_rm},
    {"import", "FILE",
     "Take the cookies of a cookies.txt in.\n"
     "Lines that are left out are counted; the status is 1 then.",
     "", 1, 1, true, false, run_import},
    {"export", "FILE",
     "Write all cookies to a cookies.txt.\n"
     "Its mode is 0600, and it is replaced as a whole.",
     "", 1, 1, false, false, run_export},
    {"watch", "",
     "Tell what is there, then each change, a line each.\n"
     "`set HOST NAME PATH` or `gone HOST NAME PATH`. `gone HOST` alone: look with ls at what is left.\n"
     "`missed`: changes came too fast, and what is there is told once more.",
     "", 0, 0, true, false, run_watch},
    {"curl", "-- ARGUMENT...",
     "Run curl with the cookies of the jar, and keep what servers set.\n"
     "Redirects are followed with --location, as ever. The status is curl's.",
     "", 0, -1, true, false, run_curl},
    {"lock", "HOST -- COMMAND...",
     "Run a command that no other process runs for HOST meanwhile.\n"
     "To log in or refresh a token once: look first whether another has done it. Cookies are not locked.\n"
     "The status is the command's, 128+N if signal N killed it, 124 if the lock was not got in time,\n"
     "125 if shms-cookie failed, 126 if the command cannot be run, 127 if there is none.",
     "t", 2, -1, true, false, run_lock},
    {"host", "-- ORIGIN...",
     "Share the cookies of a browser; the browser runs it for the extension.\n"
     "Native messages come and go on standard input and output. What the browser says is its extension\n"
     "(ORIGIN) is to be the one of this program. It ends with the browser.",
     "", 0, -1, true, false, run_host},
    {"browser", "install|uninstall chromium|firefox|all",
     "Let a browser share its cookies: tell it where the host is.\n"
     "How the extension is loaded is told, and its folder last.",
     "uSd", 2, 2, false, true, run_browser},
    {0},
};
