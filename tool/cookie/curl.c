/* SPDX-License-Identifier: MIT */
/* shms-cookie curl: curl with the cookies of a jar.
 *
 * curl gets all cookies through a pipe (-b), chooses among them by itself, also where it is redirected, and
 * writes what it has then into another one (-c). A third pipe brings the heads of the answers (-D): they tell
 * which cookies servers named. Only those are written back, so what other processes have changed meanwhile
 * stays; and from there comes SameSite, which a cookies.txt does not know. Nothing is in a file or among the
 * words of a command line. */
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HTTP_ONLY "#HttpOnly_"
#define HOST_ROOM 260
#define LINE_MOST 4990 /* curl passes over lines of 5000 bytes */

/* The first cookie that curl is given. If it is gone in the end, curl was told to drop the cookies of its
 * session (-j, perhaps in a file of options): that one of them is gone does not tell that a server deleted
 * it. */
#define PROBE "shmstream.invalid\tFALSE\t/\tFALSE\t0\tprobe\t1\n"

/* A cookie of a cookies.txt; its texts lie in a flow's bytes. */
struct entry {
    shms_cookie cookie;
    char host[HOST_ROOM];
    bool kept; /* curl still has it at the end, with this value or another */
};

struct session {
    const arguments *args;
    shms_jar *jar;
    struct flow in, out, heads;
    struct entry *given;
    size_t count;
    bool failed;
};

/* ---- a line of a cookies.txt */

enum { HOST, BELOW, PATH, SECURE, EXPIRES, NAME, VALUE, FIELDS };

static bool split(char *line, char *field[FIELDS])
{
    for (int i = 0; i < FIELDS; i++) {
        field[i] = line;
        char *tab = strchr(line, '\t');
        if (!tab || i == VALUE)
            return !tab && i == VALUE;
        *tab = '\0';
        line = tab + 1;
    }
    return false;
}

/* Cuts the line. curl writes an IPv6 address without its brackets. */
static bool parse_line(char *line, struct entry *e)
{
    char *field[FIELDS];
    shms_cookie *ret = &e->cookie;
    *e = (struct entry){.cookie = {.struct_size = sizeof *ret}};
    if (strncmp(line, HTTP_ONLY, strlen(HTTP_ONLY)) == 0) {
        ret->flags = SHMS_COOKIE_HTTP_ONLY;
        line += strlen(HTTP_ONLY);
    }
    if (!split(line, field))
        return false;
    const char *name = field[HOST] + (field[HOST][0] == '.');
    snprintf(e->host, sizeof e->host, strchr(name, ':') ? "[%s]" : "%s", name);
    if (strcmp(field[BELOW], "TRUE") != 0)
        ret->flags |= SHMS_COOKIE_HOST_ONLY;
    if (strcmp(field[SECURE], "TRUE") == 0)
        ret->flags |= SHMS_COOKIE_SECURE;
    long long seconds = strtoll(field[EXPIRES], NULL, 10);
    ret->expires_ns = seconds <= 0 ? 0 : seconds > INT64_MAX / 1000000000 ? INT64_MAX : seconds * 1000000000;
    ret->host = e->host;
    ret->path = field[PATH];
    ret->name = field[NAME];
    ret->value = field[VALUE];
    return true;
}

/* The same cookie, whatever its value. */
static bool is_same(const shms_cookie *a, const shms_cookie *b)
{
    return strcmp(a->host, b->host) == 0 && strcmp(a->name, b->name) == 0 &&
           strcmp(a->path, b->path) == 0 && ((a->flags ^ b->flags) & SHMS_COOKIE_HOST_ONLY) == 0;
}

/* ---- before */

static bool add_line(struct session *s, const char *line, size_t size)
{
    s->count++;
    return flow_add(&s->in, line, size);
}

/* curl cannot read a cookie with a TAB in it, or without a name, or a long one, and knows no partitions. */
static int give(const shms_cookie *c, void *context)
{
    struct session *s = context;
    bool below = !(c->flags & SHMS_COOKIE_HOST_ONLY);
    char *line = NULL, host[HOST_ROOM];
    size_t n = strlen(c->host), bracket = c->host[0] == '[';
    if (c->partition || strchr(c->name, '\t') || strchr(c->value, '\t') || strchr(c->path, '\t') || !*c->name)
        return 0;
    snprintf(host, sizeof host, "%.*s", (int)(n - 2 * bracket), c->host + bracket);
    int size = asprintf(&line, "%s%s%s\t%s\t%s\t%s\t%lld\t%s\t%s\n",
                        c->flags & SHMS_COOKIE_HTTP_ONLY ? HTTP_ONLY : "", below ? "." : "", host,
                        below ? "TRUE" : "FALSE", c->path, c->flags & SHMS_COOKIE_SECURE ? "TRUE" : "FALSE",
                        (long long)(c->expires_ns ? c->expires_ns / 1000000000 + 1 : 0), c->name, c->value);
    if (size < 0)
        return SHMS_E_NOMEM;
    bool added = size > LINE_MOST || add_line(s, line, (size_t)size);
    explicit_bzero(line, (size_t)size);
    free(line);
    return added ? 0 : SHMS_E_NOMEM;
}

/* Whether a word has --next in it, also cut short as curl lets one, or as a letter among others: -s: */
static bool has_next(const char *word)
{
    if (strncmp(word, "--nex", 5) == 0)
        return strncmp(word, "--next", strlen(word)) == 0;
    /* Behind these letters comes a value. */
    size_t flags = *word == '-' ? 1 + strcspn(word + 1, ":-AbcCdDeEFHKmoPQrtTuUwxXyYz") : 0;
    return flags > 0 && word[flags] == ':';
}

/* curl's words: the options that make it use the pipes come before those of the user, once more after each
 * --next, which forgets them; but -q counts as the first word only, also with other
 * letters behind it. */
static char **make_words(struct session *s)
{
    char *ours[] = {"-b", s->in.path, "-c", s->out.path, "-D", s->heads.path};
    const size_t more = sizeof ours / sizeof ours[0];
    size_t count = 0, n = 0;
    char **from = s->args->words;
    while (from[count])
        count++;
    char **words = calloc((count + 1) * (more + 1) + 1, sizeof *words);
    if (!words)
        return NULL;
    words[n++] = "curl";
    if (count > 0 && (strncmp(from[0], "-q", 2) == 0 || strcmp(from[0], "--disable") == 0))
        words[n++] = *from++;
    memcpy(words + n, ours, sizeof ours);
    for (n += more; *from; from++) {
        words[n++] = *from;
        if (!has_next(*from))
            continue;
        memcpy(words + n, ours, sizeof ours);
        n += more;
    }
    return words;
}

/* ---- after */

/* The next line of a text that ends with a zero byte, cut there; NULL at the end. */
static char *take_line(char **at)
{
    char *line = *at;
    if (!line || !*line)
        return NULL;
    size_t n = strcspn(line, "\n");
    *at = line[n] ? line + n + 1 : line + n;
    line[n] = '\0';
    if (n > 0 && line[n - 1] == '\r')
        line[n - 1] = '\0';
    return line;
}

static bool is_value(const char *text, const char *word)
{
    size_t n = strlen(word);
    return strncasecmp(text, word, n) == 0 && strcspn(text, "; \t") == n;
}

/* What the last SameSite of a Set-Cookie line says. */
static uint32_t same_site_of(const char *line)
{
    uint32_t found = SHMS_SAME_SITE_DEFAULT;
    for (const char *at = line; (at = strchr(at, ';'));) {
        at += 1 + strspn(at + 1, " \t");
        if (strncasecmp(at, "samesite", 8) != 0)
            continue;
        at += 8 + strspn(at + 8, " \t");
        at += *at == '=' ? 1 + strspn(at + 1, " \t") : 0;
        found = is_value(at, "none") ? SHMS_SAME_SITE_NONE
                : is_value(at, "lax") ? SHMS_SAME_SITE_LAX
                : is_value(at, "strict") ? SHMS_SAME_SITE_STRICT
                                         : SHMS_SAME_SITE_DEFAULT;
    }
    return found;
}

/* Whether a line of an answer's head is a Set-Cookie of that name, and of that value unless it is NULL. */
static bool is_of(const char *line, const char *name, const char *value)
{
    static const char header[] = "set-cookie:";
    size_t n = strlen(name);
    if (strncasecmp(line, header, strlen(header)) != 0)
        return false;
    line += strlen(header);
    line += strspn(line, " \t");
    if (strncmp(line, name, n) != 0)
        return false;
    line += n + strspn(line + n, " \t");
    if (*line != '=' || !value)
        return *line == '=';
    line += 1 + strspn(line + 1, " \t");
    n = strlen(value);
    if (strncmp(line, value, n) != 0)
        return false;
    line += n + strspn(line + n, " \t");
    return *line == ';' || *line == '\0';
}

/* Whether a server has named a cookie, and with which SameSite at last. The heads do not tell which server it
 * was: one that does not know the value has said nothing of this cookie. Without heads (another -D took them)
 * each that differs is taken for named. */
static bool is_named(const struct session *s, const char *name, const char *value, uint32_t *ret_same_site)
{
    bool named = s->heads.size == 0;
    for (size_t at = 0; at < s->heads.size; at += strlen(s->heads.bytes + at) + 1)
        if (is_of(s->heads.bytes + at, name, value)) {
            named = true;
            *ret_same_site = same_site_of(s->heads.bytes + at);
        }
    return named;
}

static void put(struct session *s, const shms_cookie *c)
{
    int rc = shms_jar_put(s->jar, c);
    if (rc == 0)
        return;
    s->failed = true;
    cookie_error(s->args, "%s: a cookie was not stored: %s", c->host, shms_jar_reason(rc));
}

/* Note which given cookie it is. True: one of them, unchanged. */
static bool is_given(struct session *s, const shms_cookie *c)
{
    for (size_t i = 0; i < s->count; i++) {
        const shms_cookie *old = &s->given[i].cookie;
        if (!is_same(old, c))
            continue;
        s->given[i].kept = true;
        return strcmp(old->value, c->value) == 0 && old->flags == c->flags &&
               old->expires_ns == c->expires_ns;
    }
    return false;
}

static void take_back(struct session *s, char *line)
{
    struct entry e;
    if (parse_line(line, &e) && !is_given(s, &e.cookie) &&
        is_named(s, e.cookie.name, e.cookie.value, &e.cookie.same_site))
        put(s, &e.cookie);
}

/* What a server named and curl has no more was deleted. */
static void take_deletions(struct session *s)
{
    bool session_kept = s->given[0].kept; /* PROBE */
    for (size_t i = 1; i < s->count; i++) {
        shms_cookie c = s->given[i].cookie;
        if (s->given[i].kept || (!session_kept && !c.expires_ns) || !is_named(s, c.name, NULL, &c.same_site))
            continue;
        c.expires_ns = 1;
        put(s, &c);
    }
}

static bool parse_given(struct session *s)
{
    char *at = s->in.bytes;
    s->given = calloc(s->count + 1, sizeof *s->given);
    for (size_t i = 0; s->given && i < s->count; i++)
        parse_line(take_line(&at), &s->given[i]);
    return s->given;
}

/* curl writes all cookies at the end of each transfer: the last time counts. Its first words begin a line: a
 * server may have put them into a value, too. */
static char *last_dump(const struct session *s)
{
    static const char start[] = "# Netscape HTTP Cookie File";
    char *last = s->out.bytes;
    for (char *line = last; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, start, strlen(start)) == 0)
            last = line;
    }
    return last;
}

static bool end_texts(struct session *s)
{
    return flow_add(&s->in, "", 1) && flow_add(&s->out, "", 1) &&
           (s->heads.size == 0 || flow_add(&s->heads, "", 1));
}

static int take_cookies(struct session *s, int status)
{
    if (!end_texts(s) || !parse_given(s))
        return cookie_fail(s->args, NULL, SHMS_E_NOMEM);
    char *heads = s->heads.bytes, *dump = last_dump(s);
    bool any = *dump;
    if (status >= EXIT_SIGNALLED) /* what it wrote may be cut short, in the middle of a value */
        return EXIT_SUCCESS;
    while (take_line(&heads))
        ;
    for (char *line; (line = take_line(&dump));)
        take_back(s, line);
    if (any && s->heads.size > 0)
        take_deletions(s);
    return s->failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int prepare(struct session *s, char ***ret_words)
{
    if (!flow_open(&s->in, true) || !flow_open(&s->out, false) || !flow_open(&s->heads, false))
        return cookie_error(s->args, "there are no descriptors left");
    int64_t rc = add_line(s, PROBE, strlen(PROBE)) ? shms_jar_each(s->jar, NULL, give, s) : SHMS_E_NOMEM;
    *ret_words = rc < 0 ? NULL : make_words(s);
    return *ret_words ? 0 : cookie_fail(s->args, s->args->jar, rc < 0 ? (int)rc : SHMS_E_NOMEM);
}

static int run_session(struct session *s)
{
    char **words;
    if (prepare(s, &words) != 0)
        return EXIT_OURS;
    struct flow flows[] = {s->in, s->out, s->heads};
    hold_stops();
    int status = run_program(s->args, words, flows, 3);
    s->in = flows[0];
    s->out = flows[1];
    s->heads = flows[2];
    int taken = take_cookies(s, status);
    release_stops();
    free(words);
    return status ? status : taken ? EXIT_OURS : 0;
}

int run_curl(shms_jar *j, const arguments *args)
{
    struct session s = {.args = args, .jar = j};
    s.in.ours = s.in.theirs = s.out.ours = s.out.theirs = s.heads.ours = s.heads.theirs = -1;
    int status = run_session(&s);
    free(s.given);
    flow_close(&s.in);
    flow_close(&s.out);
    flow_close(&s.heads);
    return status;
}
