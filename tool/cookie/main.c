/* SPDX-License-Identifier: MIT */
#include "run.h"

#include "../linux/command.h"
#include "../text.h"

#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    char key;
    const char *name, *value, *about;
} words[] = {
    {'j', "jar", "NAME", "the jar; `cookies` unless given"},
    {'a', "api", NULL, "as a script of the page: HttpOnly cookies are hidden"},
    {'s', "site", "FROM", "where the request comes from: same (default), lax, lax-unsafe or cross"},
    {'p', "partition", "SITE", "the site of the page at the top, as https://example.com"},
    {'J', "json", NULL, "one JSON object a line, with the values"},
    {'t', "timeout", "TIME", "longest wait: 500ms, 2s, 1.5m, plain seconds, or forever (default)"},
    {'A', "all", NULL, "all cookies of the jar"},
    {'u', "user", NULL, "for this user (default)"},
    {'S', "system", NULL, "for all users"},
    {'d', "user-data-dir", "DIR", "for a Chromium that is started with this option"},
    {'h', "help", NULL, "show this"},
};
#define WORDS (sizeof words / sizeof words[0])

/* ---- what is said */

int cookie_error(const arguments *args, const char *format, ...)
{
    char text[8192];
    va_list list;
    fflush(stdout);
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    fprintf(stderr, "shms-cookie: %s: ", args->command->name);
    show_text(stderr, text);
    fputc('\n', stderr);
    return EXIT_FAILURE;
}

static const char *advice(int code)
{
    switch (code) {
    case SHMS_E_DENIED: return "; it may be another user's: take another name with --jar";
    case SHMS_E_KIND: return "; take another name with --jar, or `shms rm` it";
    case SHMS_E_CORRUPT:
    case SHMS_E_FORMAT: return "; remove it with `shms rm`, and fill it anew";
    case SHMS_E_NOSPACE: return "; free some of /dev/shm, see `shms ls`";
    case SHMS_E_FULL: return "; see `shms info`";
    default: return "";
    }
}

int cookie_fail(const arguments *args, const char *what, int code)
{
    return cookie_error(args, "%s%s%s%s", what ? what : "", what ? ": " : "", shms_jar_reason(code),
                        advice(code));
}

static int usage(const arguments *args, const char *what, const char *word)
{
    cookie_error(args, "%s%s; see shms-cookie %s --help", word ? word : "", what, args->command->name);
    return EXIT_USAGE;
}

static void print_help(const command *c)
{
    printf("usage: shms-cookie %s [OPTION]...%s%s\n%s\n\n", c->name, *c->operands ? " " : "", c->operands,
           c->about);
    for (size_t i = 0; i < WORDS; i++) {
        char left[40];
        if (!strchr(c->options, words[i].key) && !strchr("jh", words[i].key))
            continue;
        snprintf(left, sizeof left, "%s %s", words[i].name, words[i].value ? words[i].value : "");
        printf("  --%-14s %s\n", left, words[i].about);
    }
}

static int print_overview(FILE *to, int status)
{
    fputs("usage: shms-cookie COMMAND [OPTION]... [OPERAND]...\nCookies that processes share.\n\n", to);
    for (const command *c = commands; c->name; c++) {
        fprintf(to, "  %-8s %.*s\n", c->name, (int)strcspn(c->about, "\n"), c->about);
    }
    fputs("\nshms-cookie COMMAND --help tells more, and shms-cookie(1).\n", to);
    return status;
}

/* ---- the line */

static bool take_site(const char *text, uint32_t *ret)
{
    static const char *const sites[] = {"same", "lax", "lax-unsafe", "cross"};
    for (uint32_t i = 0; i < 4; i++)
        if (strcmp(text, sites[i]) == 0) {
            *ret = i;
            return true;
        }
    return false;
}

/* -1: without end. */
static const char *take_time(const char *text, int *ret_ms)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    size_t digits = strspn(text, "0123456789."); /* strtod() takes 0x10 and 1e3, too */
    char *end;
    double n = strtod(text, &end);
    *ret_ms = -1;
    if (strcmp(text, "forever") == 0)
        return NULL;
    for (size_t i = 0; digits > 0 && end == text + digits && i < sizeof units / sizeof units[0]; i++)
        if (strcmp(end, units[i].unit) == 0 && n * units[i].ms < INT_MAX) {
            *ret_ms = (int)(n * units[i].ms);
            return NULL;
        }
    return " is not a time; write it as 500ms, 2s, 1.5m, 1h, seconds without a unit, or forever";
}

static const char *take_option(arguments *args, int key, const char *value)
{
    switch (key) {
    case 'j': args->jar = value; return *value ? NULL : " is no name of a jar";
    case 'a': args->flags |= SHMS_JAR_API; return NULL;
    case 's': return take_site(value, &args->site) ? NULL : " is none of same, lax, lax-unsafe and cross";
    case 'p': args->partition = value; return NULL;
    case 't': return take_time(value, &args->timeout_ms);
    case 'J': args->json = true; return NULL;
    case 'u': args->user = true; return NULL;
    case 'S': args->system = true; return NULL;
    case 'd': args->profile = value; return *value ? NULL : " is no folder";
    default: args->all = true; return NULL;
    }
}

/* -1: go on; else the status to end with. */
static int parse_options(arguments *args, int argc, char **argv)
{
    struct option longs[WORDS + 1] = {{0}};
    int n = 0;
    for (size_t i = 0; i < WORDS; i++)
        if (strchr(args->command->options, words[i].key) || strchr("jh", words[i].key))
            longs[n++] = (struct option){words[i].name, words[i].value != NULL, NULL, words[i].key};
    opterr = 0;
    for (;;) {
        int at = optind, key = getopt_long(argc, argv, ":h", longs, NULL);
        if (key == -1)
            return -1;
        if (key == ':')
            return usage(args, " needs a value", argv[optind - 1]);
        if (key == '?')
            return usage(args, " is no option of this command", argv[optind > at ? optind - 1 : at]);
        if (key == 'h') {
            print_help(args->command);
            return EXIT_SUCCESS;
        }
        const char *wrong = take_option(args, key, optarg);
        if (wrong)
            return usage(args, wrong, *optarg ? optarg : "''");
    }
}

static int parse(arguments *args, int argc, char **argv)
{
    int status = parse_options(args, argc, argv);
    if (status >= 0)
        return status;
    int given = argc - optind;
    if (given < args->command->least)
        return usage(args, args->command->operands, "give it ");
    if (args->command->most < 0)
        given = args->command->least > 0;
    else if (given > args->command->most)
        return usage(args, " is one operand too many", argv[optind + args->command->most]);
    for (int i = 0; i < given; i++)
        args->operand[i] = argv[optind + i];
    args->words = argv + optind + given;
    return -1;
}

static int run(const arguments *args)
{
    if (args->command->jarless)
        return args->command->run(NULL, args);
    shms_jar_options o = {.struct_size = sizeof o,
                          .create = args->command->makes ? SHMS_CREATE_OR_OPEN : SHMS_OPEN_ONLY};
    shms_jar *j;
    int rc = shms_jar_open(args->jar, &o, &j);
    if (rc < 0) {
        if (rc == SHMS_E_NOT_FOUND)
            cookie_error(args, "%s: there is no such jar; `set` and `import` make one", args->jar);
        else
            cookie_fail(args, args->jar, rc);
        if (args->command->run == run_host)
            host_tell_failure(rc);
        return args->command->most < 0 ? EXIT_OURS : EXIT_FAILURE;
    }
    int status = args->command->run(j, args);
    shms_jar_close(j);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    clearerr(stdout); /* main() need not say it again */
    return cookie_error(args, "standard output cannot be written");
}

static int dispatch(int argc, char **argv)
{
    arguments args = {.jar = "cookies", .timeout_ms = -1};
    if (argc < 2)
        return print_overview(stderr, EXIT_USAGE);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_overview(stdout, EXIT_SUCCESS);
    if (strcmp(argv[1], "--version") == 0) {
        printf("shms-cookie %s\n", SHMS_VERSION_STRING);
        return EXIT_SUCCESS;
    }
    for (args.command = commands; args.command->name; args.command++)
        if (strcmp(args.command->name, argv[1]) == 0)
            break;
    if (!args.command->name) {
        fputs("shms-cookie: '", stderr);
        show_text(stderr, argv[1]);
        fputs("' is no command; see shms-cookie --help\n", stderr);
        return EXIT_USAGE;
    }
    int status = parse(&args, argc - 1, argv + 1);
    return status >= 0 ? status : run(&args);
}

/* Output that could not be written must not look like success. */
int main(int argc, char **argv)
{
    open_streams();
    int status = dispatch(argc, argv);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fputs("shms-cookie: standard output cannot be written\n", stderr);
    return status == EXIT_SUCCESS ? EXIT_FAILURE : status;
}
