/* SPDX-License-Identifier: MIT */
/* What the public suites ask, a line each on standard input; its answer on standard output. \xNN is a byte.
 *
 *     new SECONDS        an empty jar, at that time
 *     set URL LINE       the result of shms_jar_set()
 *     get URL            the Cookie line
 *     date TEXT          seconds since 1970, or "none"
 */
#include "date.h"
#include "shmstream/jar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int64_t clock_ns;
static shms_jar *jar;

static int64_t read_clock(void *context)
{
    (void)context;
    return clock_ns;
}

static void start(const char *seconds)
{
    char name[64];
    shms_jar_options o = {.struct_size = sizeof o, .create = SHMS_CREATE_ONLY, .no_keep = 1,
                          .now_ns = read_clock};
    snprintf(name, sizeof name, "jar-suites-%d", (int)getpid());
    shms_jar_close(jar);
    clock_ns = strtoll(seconds, NULL, 10) * 1000000000;
    if (shms_jar_open(name, &o, &jar) < 0) {
        fputs("no jar\n", stderr);
        exit(1);
    }
}

/* In place; the number of bytes. */
static size_t unescape(char *text)
{
    char *to = text;
    unsigned byte;
    for (const char *at = text; *at; to++) {
        if (at[0] == '\\' && at[1] == 'x' && sscanf(at + 2, "%2x", &byte) == 1) {
            *to = (char)byte;
            at += 4;
        } else {
            *to = *at++;
        }
    }
    *to = '\0';
    return (size_t)(to - text);
}

static void get(const shms_jar_request *r)
{
    static char line[1 << 20];
    int64_t n = shms_jar_get(jar, r, line, sizeof line);
    printf("%s\n", n < 0 ? shms_strerror((int)n) : line);
}

static void answer(const char *word, char *rest)
{
    int64_t seconds;
    if (strcmp(word, "new") == 0) {
        start(rest);
        puts("");
    } else if (strcmp(word, "date") == 0) {
        size_t n = unescape(rest);
        if (shms__date_parse(rest, n, &seconds))
            printf("%lld\n", (long long)seconds);
        else
            puts("none");
    } else {
        char *blank = strchr(rest, ' ');
        shms_jar_request r = {.struct_size = sizeof r, .url = rest};
        if (blank)
            *blank++ = '\0';
        if (strcmp(word, "set") == 0 && blank)
            printf("%d\n", shms_jar_set(jar, &r, blank, unescape(blank)));
        else
            get(&r);
    }
}

int main(void)
{
    static char line[1 << 20];
    setvbuf(stdout, NULL, _IOLBF, 0); /* each answer is waited for */
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        char *blank = strchr(line, ' ');
        if (!blank)
            return 1;
        *blank = '\0';
        answer(line, blank + 1);
    }
    shms_jar_close(jar);
    return 0;
}
