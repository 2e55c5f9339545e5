/* SPDX-License-Identifier: MIT */
/* The configuration: one setting or dict a line, each error with its file, its line and what to do. */
#include "config.h"

#include "say.h"
#include "wire.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SIZE_DEFAULT (16u << 20)
#define WORDS_MOST 16

struct reader {
    struct config *config;
    int line;
    int errors;
};

static void wrong(struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void wrong(struct reader *r, const char *format, ...)
{
    char text[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    r->errors++;
    if (r->line > 0)
        say("%s:%d: %s", r->config->path, r->line, text);
    else
        say("%s: %s", r->config->path, text);
}

/* ---- values */

/* Bytes: a number, and K, M or G. 0: it is none. */
static uint64_t take_size(const char *text)
{
    static const char units[] = "KMG";
    char *end;
    size_t digits = strspn(text, "0123456789");
    errno = 0;
    uint64_t n = strtoull(text, &end, 10);
    const char *unit = *end ? strchr(units, *end) : NULL;
    if (digits == 0 || errno || (*end && (!unit || end[1])))
        return 0;
    int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    return n <= UINT64_MAX >> shift ? n << shift : 0;
}

static bool take_number(const char *text, uint64_t least, uint64_t most, uint64_t *ret)
{
    char *end;
    errno = 0;
    uint64_t n = strtoull(text, &end, 10);
    if (strspn(text, "0123456789") != strlen(text) || !*text || errno || n < least || n > most)
        return false;
    *ret = n;
    return true;
}

/* ---- lines of settings */

static void take_servers(struct reader *r, char *text)
{
    struct config *c = r->config;
    for (char *rest, *one = strtok_r(text, ", \t", &rest); one; one = strtok_r(NULL, ", \t", &rest)) {
        if (strncmp(one, "nats://", 7) != 0 && strncmp(one, "tls://", 6) != 0)
            wrong(r, "'%s' is no server: write nats://HOST:PORT or tls://HOST:PORT", one);
        else if (strchr(one, '@'))
            wrong(r, "an address holds no user or password: use user and password_file, nkey or creds");
        else if (c->server_count == SERVERS_MOST)
            wrong(r, "more than %d servers", SERVERS_MOST);
        else
            c->servers[c->server_count++] = strdup(one);
    }
}

/* What gives rights may be read by its owner only. */
static void look_at_secret(struct reader *r, const char *key, const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        wrong(r, "%s: %s: %s", key, path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        wrong(r, "%s: %s is no file", key, path);
    else if (st.st_mode & 077)
        wrong(r, "%s: %s can be read by others: chmod 600 it", key, path);
}

static void look_at_file(struct reader *r, const char *key, const char *path)
{
    FILE *f = fopen(path, "re");
    if (!f)
        wrong(r, "%s: %s: %s", key, path, strerror(errno));
    else
        fclose(f);
}

static void take_text(struct reader *r, const char *key, char **to, const char *value)
{
    if (*to)
        wrong(r, "%s is given twice", key);
    else
        *to = strdup(value);
}

static void take_path(struct reader *r, const char *key, char **to, const char *value, bool secret)
{
    take_text(r, key, to, value);
    (secret ? look_at_secret : look_at_file)(r, key, value);
}

static void take_machine(struct reader *r, const char *value)
{
    uint64_t n;
    if (r->config->machine)
        wrong(r, "machine is given twice");
    else if (!take_number(value, 1, UINT32_MAX, &n))
        wrong(r, "machine = '%s': give each machine another number, 1 to %u", value, UINT32_MAX);
    else
        r->config->machine = (uint32_t)n;
}

static void take_yes(struct reader *r, const char *key, bool *to, const char *value)
{
    *to = strcmp(value, "yes") == 0;
    if (!*to && strcmp(value, "no") != 0)
        wrong(r, "%s = '%s': write yes or no", key, value);
}

static void take_setting(struct reader *r, const char *key, char *value)
{
    struct config *c = r->config;
    const struct {
        const char *key;
        char **to;
        bool secret;
    } paths[] = {{"tls_ca", &c->tls_ca, false},     {"tls_cert", &c->tls_cert, false},
                 {"tls_key", &c->tls_key, true},    {"creds", &c->creds, true},
                 {"nkey", &c->nkey, true},          {"password_file", &c->password_file, true}};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (strcmp(key, paths[i].key) == 0) {
            take_path(r, key, paths[i].to, value, paths[i].secret);
            return;
        }
    if (strcmp(key, "server") == 0)
        take_servers(r, value);
    else if (strcmp(key, "machine") == 0)
        take_machine(r, value);
    else if (strcmp(key, "user") == 0)
        take_text(r, key, &c->user, value);
    else if (strcmp(key, "nkey_public") == 0)
        take_text(r, key, &c->nkey_public, value);
    else if (strcmp(key, "log_conflicts") == 0)
        take_yes(r, key, &c->log_conflicts, value);
    else if (strcmp(key, "password") == 0)
        wrong(r, "a password does not stand here: put it into a file of mode 0600, and give password_file");
    else
        wrong(r, "'%s' is no setting: server, machine, tls_ca, tls_cert, tls_key, creds, nkey, "
                 "nkey_public, user, password_file, log_conflicts",
              key);
}

/* ---- lines of dicts */

/* Words, which may stand in quotes; their marks are taken away. How many; -1: a quote has no end. */
static int split(char *text, char **words)
{
    int n = 0;
    for (char *at = text;;) {
        at += strspn(at, " \t");
        if (!*at || *at == '#' || n == WORDS_MOST)
            return n;
        bool quoted = *at == '"';
        words[n++] = at += quoted;
        at += strcspn(at, quoted ? "\"" : " \t");
        if (quoted && !*at)
            return -1;
        if (*at)
            *at++ = '\0';
    }
}

static void take_option(struct reader *r, struct carried *d, char *word)
{
    char *value = strchr(word, '=');
    uint64_t n;
    if (!value) {
        wrong(r, "'%s': after the name come bucket=, size=, max_size= and replicas=", word);
        return;
    }
    *value++ = '\0';
    if (strcmp(word, "bucket") == 0) {
        free(d->bucket);
        d->bucket = strdup(value);
    } else if (strcmp(word, "size") == 0 || strcmp(word, "max_size") == 0) {
        uint64_t *to = *word == 's' ? &d->size : &d->max_size;
        if ((*to = take_size(value)) == 0)
            wrong(r, "%s=%s: write bytes, or 64K, 16M, 1G", word, value);
    } else if (strcmp(word, "replicas") == 0) {
        if (!take_number(value, 1, 5, &n))
            wrong(r, "replicas=%s: 1, 3 or 5", value);
        else
            d->replicas = (int)n;
    } else {
        wrong(r, "'%s=' is no option of a dict: bucket, size, max_size, replicas", word);
    }
}

static void look_at_dict(struct reader *r, const struct carried *d)
{
    const struct config *c = r->config;
    if (!wire_bucket_sound(d->bucket))
        wrong(r, "bucket=%s: letters, digits, - and _ only, at most 64", d->bucket);
    for (int i = 0; i < c->dict_count; i++) {
        if (strcmp(c->dicts[i].name, d->name) == 0)
            wrong(r, "dict %s stands in line %d already", d->name, c->dicts[i].line);
        if (strcmp(c->dicts[i].bucket, d->bucket) == 0)
            wrong(r, "bucket %s is that of line %d: give each dict its own", d->bucket, c->dicts[i].line);
    }
}

/* Of what is no letter a bucket's name has an underscore. */
static char *default_bucket(const char *name)
{
    char *bucket = strdup(name);
    for (char *at = bucket; at && *at; at++)
        if (!wire_is_plain(*at))
            *at = '_';
    return bucket;
}

static void take_dict(struct reader *r, char *text)
{
    char *words[WORDS_MOST];
    struct config *c = r->config;
    struct carried d = {.size = SIZE_DEFAULT, .replicas = 1, .line = r->line};
    int n = split(text, words);
    if (n < 1 || !*words[0]) {
        wrong(r, n < 0 ? "a quote has no end" : "dict needs a name");
        return;
    }
    if (c->dict_count == DICTS_MOST) {
        wrong(r, "more than %d dicts", DICTS_MOST);
        return;
    }
    d.name = strdup(words[0]);
    d.bucket = default_bucket(words[0]);
    for (int i = 1; i < n; i++)
        take_option(r, &d, words[i]);
    look_at_dict(r, &d);
    c->dicts[c->dict_count++] = d;
}

/* ---- the file */

static char *trim(char *text)
{
    text += strspn(text, " \t");
    for (size_t n = strlen(text); n > 0 && strchr(" \t\r\n", text[n - 1]); n--)
        text[n - 1] = '\0';
    return text;
}

static void take_line(struct reader *r, char *line)
{
    char *text = trim(line), *value = strchr(text, '=');
    if (!*text || *text == '#')
        return;
    size_t word = strcspn(text, " \t=");
    bool later = (word == 3 && strncmp(text, "jar", 3) == 0) ||
                 (word == 7 && strncmp(text, "channel", 7) == 0);
    if (strncmp(text, "dict", 4) == 0 && (text[4] == ' ' || text[4] == '\t' || !text[4])) {
        take_dict(r, text + 4);
    } else if (later) {
        wrong(r, "%.*s: jars and channels are not carried yet, only dicts", (int)word, text);
    } else if (!value) {
        wrong(r, "'%s': a line is KEY = VALUE, or dict NAME bucket=BUCKET", text);
    } else {
        *value++ = '\0';
        text = trim(text);
        value = trim(value);
        if (*value)
            take_setting(r, text, value);
        else
            wrong(r, "%s has no value", text);
    }
}

/* What no single line tells. */
static void look_at_whole(struct reader *r)
{
    const struct config *c = r->config;
    r->line = 0;
    if (c->server_count == 0 && r->errors == 0)
        wrong(r, "no server: add server = nats://HOST:4222");
    if (c->machine == 0 && r->errors == 0)
        wrong(r, "no machine: add machine = N, another number on each machine");
    if (c->dict_count == 0 && r->errors == 0)
        wrong(r, "nothing to carry: add dict NAME");
    if (!c->tls_cert != !c->tls_key)
        wrong(r, "tls_cert and tls_key go together");
    if (!c->user != !c->password_file)
        wrong(r, "user and password_file go together");
    if (!c->nkey != !c->nkey_public)
        wrong(r, "nkey, the file of the seed, and nkey_public, the user's key, go together");
    if (!!c->user + !!c->creds + !!c->nkey > 1)
        wrong(r, "give one of user, creds and nkey");
}

bool config_read(const char *path, struct config *ret)
{
    *ret = (struct config){.path = path};
    struct reader r = {.config = ret};
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    if (!f) {
        say("%s: %s", path, strerror(errno));
        return false;
    }
    while (getline(&line, &room, f) >= 0) {
        r.line++;
        take_line(&r, line);
    }
    if (ferror(f))
        wrong(&r, "%s", strerror(errno));
    fclose(f);
    free(line);
    look_at_whole(&r);
    return r.errors == 0;
}

void config_free(struct config *c)
{
    char *texts[] = {c->tls_ca, c->tls_cert, c->tls_key, c->creds, c->nkey, c->nkey_public, c->user,
                     c->password_file};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    for (int i = 0; i < c->server_count; i++)
        free(c->servers[i]);
    for (int i = 0; i < c->dict_count; i++) {
        free(c->dicts[i].name);
        free(c->dicts[i].bucket);
    }
}

char *config_secret(const char *path)
{
    char *line = NULL;
    size_t room = 0;
    FILE *f = fopen(path, "re");
    ssize_t n = f ? getline(&line, &room, f) : -1;
    if (f)
        fclose(f);
    if (n < 0) {
        say("%s: no line can be read", path);
        free(line);
        return NULL;
    }
    line[strcspn(line, "\r\n")] = '\0';
    return line;
}
