/* SPDX-License-Identifier: MIT */
/* One table of options, of which each command takes some, so that a word means the same everywhere. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* A small key is the short option too; a capital one has the long form only. */
typedef struct option_word {
    int key;
    const char *name;
    const char *value;
    const char *text;
} option_word;

static const option_word words[] = {
    {'s', "size", "SIZE", "bytes, or with K, M, G, T (powers of 1024)"},
    {'X', "max-size", "SIZE", "let the region grow to SIZE later on"},
    {'P', "sparse", NULL, "reserve no memory now; writing then fails if none is left"},
    {'T', "atomic", NULL, "sections happen completely or not at all"},
    {'S', "shared", NULL, "take the shared lock: other readers may hold it too"},
    {'E', "existing", NULL, "accept an existing region of at least SIZE"},
    {'F', "offset", "SIZE", "start SIZE bytes into the region (0)"},
    {'N', "count", "SIZE", "move SIZE bytes (all to the end)"},
    {'C', "count", "N", "end after N changes (never)"},
    {'Z', "text", NULL, "stop before the first zero byte"},
    {'Y', "text", NULL, "put a zero byte behind the input"},
    {'_', "text", NULL, "the text up to the first zero byte, in and out, instead of all bytes"},
    {'V', "text", NULL, "add the text up to the first zero byte, as a JSON string"},
    {'M', "count", "N", "end after N messages (never)"},
    {'I', "lines", NULL, "a line is a message (this is so unless said otherwise)"},
    {'R', "raw", NULL, "bytes as they come: what one read gives is a message"},
    {'G', "length", NULL, "before each message its length: 4 bytes, little-endian"},
    {'D', "broadcast", NULL, "each message to every receiver, not to one of them"},
    {'K', "slow", "POLICY", "broadcast, slow receivers: block senders, drop messages, expel them (block)"},
    {'H', "wait-receiver", NULL, "wait until a receiver is there"},
    {'W', "since", "VERSION", "look for another version than this one (the present one)"},
    {'Q', "since", "VERSION", "the changes after this version (all that are still known)"},
    {'J', "follow", NULL, "go on with what comes, until interrupted; from now on if no version is given"},
    {'U', "prefix", "TEXT", "only keys that begin with TEXT"},
    {'0', "key", "KEY", "of a dict: the lock of this key; others may use the dict meanwhile"},
    {'1', "if-version", "VERSION", "only if the record has this version; absent: if there is none"},
    {'2', "if-version", "VERSION", "only if the record has this version"},
    {'3', "ttl", "TIME", "let the record expire after TIME (never)"},
    {'4', "number", NULL, "print the value of a counter as a number"},
    {'5', "start", "N", "what a counter that is absent counts from (0)"},
    {'6', "key-max", "SIZE", "longest key (256)"},
    {'7', "value-max", "SIZE", "longest value (64K, at most an eighth of the size)"},
    {'8', "evict", "POLICY", "when it is full: none, refuse; lru, drop what was not used for long (none)"},
    {'9', "ring", "N", "how many changes are remembered: a power of two (1024)"},
    {'+', "cell", "SIZE", "memory is given in cells of SIZE: a power of two, 64 to 4K (256)"},
    {'=', "once", NULL, "print one look, and the rates of the time before it"},
    {'~', "interval", "TIME", "from one look to the next (1s)"},
    {'&', "count", "N", "print N looks (without end)"},
    {'^', "sort", "COLUMN", "what comes first: rate (so it is), users, waiters, memory, age, name"},
    {'A', "from", "FILE", "copy FILE into the region; -: standard input"},
    {'B', "to", "FILE", "copy the region into FILE; -: standard output"},
    {'L', "no-lock", NULL, "do not take the lock, as within shms lock"},
    {'t', "timeout", "TIME", "longest wait: 500ms, 2s, 1.5m, 1h, plain seconds, or forever"},
    {'m', "mode", "MODE", "permission bits of a new region, and the most accepted (0600)"},
    {'O', "owner", "USER", "whose regions to accept: self, root, any or a user id (self)"},
    {'q', "quiet", NULL, "for scripts: no heading, no total, sizes in bytes; names only, unless --columns"},
    {'o', "columns", "LIST", "what to show: names of columns, with commas"},
    {'!', "exec", "LINE", "run LINE by the shell instead of printing: SHMS_NAME, _VERSION, _CHANGES are set"},
    {'@', "hold", "PID", "no COMMAND: hold the lock in the background until process PID ends"},
    {'a', "all", NULL, "remove all regions of yours; asks, on a terminal"},
    {'y', "yes", NULL, "do not ask"},
    {'j', "json", NULL, "print JSON"},
    {'h', "help", NULL, "show this help"},
};
enum { WORDS = sizeof words / sizeof words[0] };

static bool takes(const command *cmd, int key)
{
    return key == 'h' || strchr(cmd->options, key);
}

static const char *text_of(const command *cmd, const option_word *w)
{
    bool creates = takes(cmd, 's'); /* a command that creates regions is told their size */
    return w->key == 'm' && !creates ? "the most permission bits that the region may have (0600)" : w->text;
}

static void print_help(const command *cmd)
{
    printf("usage: shms %s [OPTION]...%s%s\n%s.\n", cmd->name, *cmd->operands ? " " : "", cmd->operands,
           cmd->summary);
    if (cmd->details)
        printf("%s", cmd->details);
    putchar('\n');
    for (int i = 0; i < WORDS; i++) {
        const option_word *w = &words[i];
        if (!takes(cmd, w->key))
            continue;
        char left[40];
        snprintf(left, sizeof left, "--%s%s%s", w->name, w->value ? " " : "", w->value ? w->value : "");
        printf("  %c%c%c %-17s  %s\n", islower(w->key) ? '-' : ' ', islower(w->key) ? w->key : ' ',
               islower(w->key) ? ',' : ' ', left, text_of(cmd, w));
    }
}

/* ---- values: each parser returns NULL, or why it does not take the text */

static const char *parse_number(const char *text, int base, uint64_t *ret, char **ret_end)
{
    if (*text == '-')
        return "is negative";
    if (!isdigit((unsigned char)*text))
        return "is not a number";
    errno = 0;
    *ret = strtoull(text, ret_end, base);
    return errno == ERANGE ? "is too large" : NULL;
}

static const char *parse_size(const char *text, uint64_t *ret)
{
    static const char units[] = "KMGT";
    char *end;
    uint64_t n;
    const char *why = parse_number(text, 10, &n, &end);
    if (why)
        return why;
    const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    end += unit ? 1 : 0;
    if (unit && strcmp(end, "iB") == 0)
        end += 2;
    if (*end)
        return "is not a size; write it as 4096, 4K, 16M, 1GiB";
    if (n > (1ull << 62) >> shift)
        return "is too large";
    *ret = n << shift;
    return NULL;
}

static const char *parse_region_size(const char *text, uint64_t *ret)
{
    const char *why = parse_size(text, ret);
    return why || *ret ? why : "is no size of a region, which has at least 1 byte";
}

static const char *parse_count(const char *text, uint64_t *ret)
{
    char *end;
    const char *why = parse_number(text, 10, ret, &end);
    return why ? why : *end || *ret == 0 ? "is not a number from 1 on" : NULL;
}

static const char *parse_slow(const char *text, uint32_t *ret)
{
    static const char *const words_of[] = {"block", "drop", "expel"};
    for (uint32_t i = 0; i < sizeof words_of / sizeof words_of[0]; i++) {
        if (strcmp(text, words_of[i]) == 0) {
            *ret = i;
            return NULL;
        }
    }
    return "is none of block, drop, expel";
}

static const char *set_framing(cli_framing *ret, cli_framing framing)
{
    *ret = framing;
    return NULL;
}

static const char *parse_evict(const char *text, uint32_t *ret)
{
    bool lru = strcmp(text, "lru") == 0;
    *ret = lru ? SHMS_EVICT_LRU : SHMS_EVICT_NONE;
    return lru || strcmp(text, "none") == 0 ? NULL : "is none of none, lru";
}

/* A number of bytes or others between bounds, or of these a power of two. */
static const char *parse_within(const char *text, uint32_t least, uint32_t most, bool power, uint32_t *ret)
{
    static char why[64];
    uint64_t n = 0;
    if (parse_size(text, &n) == NULL && n >= least && n <= most && !(power && (n & (n - 1)))) {
        *ret = (uint32_t)n;
        return NULL;
    }
    snprintf(why, sizeof why, "is no %s from %u to %u", power ? "power of two" : "number", least, most);
    return why;
}

bool cli_parse_integer(const char *text, int64_t *ret)
{
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (isspace((unsigned char)*text) || end == text || *end || errno == ERANGE)
        return false;
    *ret = n;
    return true;
}

static const char *parse_integer(const char *text, int64_t *ret)
{
    return cli_parse_integer(text, ret) ? NULL : "is no integer of 64 bits";
}

static const char *parse_version(const char *text, int64_t *ret)
{
    char *end;
    uint64_t n;
    const char *why = parse_number(text, 10, &n, &end);
    if (why || *end || n > INT64_MAX)
        return why ? why : "is not a version; `shms info` shows the present one";
    *ret = (int64_t)n;
    return NULL;
}

/* A version of a record, from 1 on; `absent` where the command takes it. */
static const char *parse_if_version(const char *text, bool absent, int64_t *ret)
{
    if (absent && strcmp(text, "absent") == 0) {
        *ret = -1;
        return NULL;
    }
    const char *why = parse_version(text, ret);
    return why || *ret == 0 ? "is not the version of a record; `shms get --json` shows it" : NULL;
}

/* -1: without end. */
static const char *parse_span(const char *text, double most_ms, int64_t *ret_ms)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    if (strcmp(text, "forever") == 0) {
        *ret_ms = -1;
        return NULL;
    }
    if (*text == '-')
        return "is negative; write `forever` for no end";
    size_t digits = strspn(text, "0123456789.");
    char *end;
    double n = strtod(text, &end);
    for (size_t i = 0; digits > 0 && end == text + digits && i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].unit) != 0)
            continue;
        if (n * units[i].ms >= most_ms)
            return "is too long; write `forever` for no end";
        *ret_ms = (int64_t)(n * units[i].ms);
        return NULL;
    }
    return "is not a time; write it as 500ms, 2s, 1.5m, 1h, seconds without a unit, or forever";
}

static const char *parse_time(const char *text, int *ret_ms)
{
    int64_t ms = 0;
    const char *why = parse_span(text, INT_MAX, &ms);
    *ret_ms = (int)ms;
    return why;
}

static const char *parse_ttl(const char *text, int64_t *ret_ms)
{
    int64_t ms = 0;
    const char *why = parse_span(text, 9e12, &ms);
    if (!why && ms == 0)
        return "is less than a millisecond; `shms del` deletes a record";
    *ret_ms = ms < 0 ? 0 : ms;
    return why;
}

static const char *parse_mode(const char *text, uint32_t *ret)
{
    char *end;
    uint64_t n;
    if (parse_number(text, 8, &n, &end) || *end || n > 07777)
        return "is not a mode; write octal permission bits such as 0600 or 0660";
    if (n & ~0666ull)
        return "has bits other than read and write; the most is 0666";
    if ((n & 0600) != 0600)
        return "does not let the owner read and write; the least is 0600";
    *ret = (uint32_t)n;
    return NULL;
}

static const char *parse_owner(const char *text, shms_stream_options *ret)
{
    static const struct {
        const char *word;
        uint32_t owners;
    } known[] = {{"self", SHMS_OWNER_SELF}, {"root", SHMS_OWNER_ROOT}, {"any", SHMS_OWNER_ANY}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(text, known[i].word) == 0) {
            ret->owners = known[i].owners;
            return NULL;
        }
    }
    char *end;
    uint64_t uid;
    if (parse_number(text, 10, &uid, &end) || *end || uid >= UINT32_MAX)
        return "is none of self, root, any or a user id";
    ret->owners = SHMS_OWNER_UID;
    ret->owner_uid = (uint32_t)uid;
    return NULL;
}

static const char *parse_pid(const char *text, int *ret)
{
    uint64_t n;
    if (parse_count(text, &n) || n > INT_MAX)
        return "is no process id; write $$ for the script that says this";
    *ret = (int)n;
    return NULL;
}

const char *cli_parse_size(const char *text, uint64_t *ret)
{
    return parse_region_size(text, ret);
}

static const char *set_flag(bool *flag)
{
    *flag = true;
    return NULL;
}

static const char *set_text(const char **ret, const char *value)
{
    *ret = value;
    return *value ? NULL : "is empty";
}

static const char *apply(cli_args *args, int key, const char *value)
{
    switch (key) {
    case 's': return parse_region_size(value, &args->size);
    case 'X': return parse_region_size(value, &args->open.max_size);
    case 'P': args->open.sparse = 1; return NULL;
    case 'T': args->open.atomic = 1; return NULL;
    case 'S': return set_flag(&args->shared);
    case 'E': return set_flag(&args->existing);
    case 'F': return parse_size(value, &args->offset);
    case 'N': return parse_size(value, &args->count);
    case 'Z':
    case 'Y':
    case '_':
    case 'V': return set_flag(&args->text);
    case 'C':
    case '&':
    case 'M': return parse_count(value, &args->count);
    case 'I': return set_framing(&args->framing, CLI_LINES);
    case 'R': return set_framing(&args->framing, CLI_RAW);
    case 'G': return set_framing(&args->framing, CLI_LENGTH);
    case 'D': return set_flag(&args->broadcast);
    case 'K': return parse_slow(value, &args->slow);
    case 'H': return set_flag(&args->wait_receiver);
    case 'W': return parse_version(value, &args->since);
    case 'Q': return parse_version(value, &args->since);
    case 'J': return set_flag(&args->follow);
    case 'U': return set_text(&args->prefix, value);
    case '0': return set_text(&args->key, value);
    case '1':
    case '2': return parse_if_version(value, key == '1', &args->how.if_version);
    case '3': return parse_ttl(value, &args->how.ttl_ms);
    case '4': return set_flag(&args->number);
    case '5': return parse_integer(value, &args->start);
    case '6': return parse_within(value, 1, SHMS_DICT_KEY_MOST, false, &args->dict.key_max);
    case '7': return parse_within(value, 8, 1u << 30, false, &args->dict.value_max);
    case '8': return parse_evict(value, &args->dict.policy);
    case '9': return parse_within(value, 16, 1048576, true, &args->dict.ring);
    case '+': return parse_within(value, 64, 4096, true, &args->dict.cell_size);
    case '=': return set_flag(&args->once);
    case '~': return parse_time(value, &args->interval_ms);
    case '^': return set_text(&args->sort, value);
    case 'A': return set_text(&args->from, value);
    case 'B': return set_text(&args->to, value);
    case 'L': return set_flag(&args->no_lock);
    case 't': return parse_time(value, &args->timeout_ms);
    case 'm': return parse_mode(value, &args->open.mode);
    case 'O': return parse_owner(value, &args->open);
    case '!': return set_text(&args->exec, value);
    case '@': return parse_pid(value, &args->hold);
    case 'q': return set_flag(&args->quiet);
    case 'o': return set_text(&args->columns, value);
    case 'a': return set_flag(&args->all);
    case 'y': return set_flag(&args->yes);
    default: return set_flag(&args->json);
    }
}

/* ---- the line */

/* What getopt_long needs to know of the options that the command takes. Their number. */
static int collect(const command *cmd, struct option longs[WORDS + 1], char shorts[2 * WORDS + 2])
{
    int n = 0;
    *shorts++ = ':'; /* tell a missing value from an unknown option */
    for (int i = 0; i < WORDS; i++) {
        const option_word *w = &words[i];
        if (!takes(cmd, w->key))
            continue;
        longs[n++] = (struct option){w->name, w->value ? required_argument : no_argument, NULL, w->key};
        if (islower(w->key)) {
            *shorts++ = (char)w->key;
            if (w->value)
                *shorts++ = ':';
        }
    }
    longs[n] = (struct option){0};
    *shorts = 0;
    return n;
}

static const char *word_name(int key)
{
    for (int i = 0; i < WORDS; i++)
        if (words[i].key == key)
            return words[i].name;
    return "?";
}

static int parse_options(cli_args *args, int argc, char **argv)
{
    struct option longs[WORDS + 1];
    char shorts[2 * WORDS + 2];
    collect(args->command, longs, shorts);
    opterr = 0;
    for (;;) {
        int at = optind;
        int key = getopt_long(argc, argv, shorts, longs, NULL);
        if (key == -1)
            return -1;
        if (key == ':')
            return cli_usage(args, "%s needs a value", argv[optind - 1]);
        if (key == '?')
            return cli_usage(args, "%s is no option of this command",
                             argv[optind > at ? optind - 1 : at]);
        if (key == 'h') {
            print_help(args->command);
            return EXIT_SUCCESS;
        }
        const char *why = apply(args, key, optarg);
        if (why)
            return cli_usage(args, "--%s: '%s' %s", word_name(key), optarg, why);
    }
}

int cli_parse(cli_args *args, const command *cmd, int argc, char **argv)
{
    *args = (cli_args){.command = cmd, .count = UINT64_MAX, .since = -1, .timeout_ms = cmd->timeout_ms};
    args->open.struct_size = sizeof args->open;
    args->dict.struct_size = sizeof args->dict;
    args->how.struct_size = sizeof args->how;
    int status = parse_options(args, argc, argv);
    if (status >= 0)
        return status;
    args->operand = argv + optind;
    args->operands = argc - optind;
    args->name = args->operands > 0 ? args->operand[0] : NULL;
    if (args->operands < cmd->least)
        return cli_usage(args, "%s", !args->name                  ? "which region? give its name"
                               : strstr(cmd->operands, "KEY") ? "which key? give it behind the name"
                               : strstr(cmd->operands, "NAME SIZE") ? "to what size? give it behind the name"
                                                              : "what to run? give a command");
    if (cmd->most >= 0 && args->operands > cmd->most)
        return cli_usage(args, "'%s' is one operand too many", args->operand[cmd->most]);
    return -1;
}
