/* SPDX-License-Identifier: MIT */
/* tally.c NAME TIMES VICTIM LANGUAGE...: makes the region of each kind, says "open", and receives until all
 * senders are gone. Then what the programs count.* have counted must agree: each has all of its TIMES but for
 * VICTIM, which was killed, and whose counts differ by one step at most. */
#include "shmstream/channel.h"
#include "shmstream/dict.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LANGUAGES_MAX 15

static int failures;

static void check(int64_t rc, const char *what)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "%s: %s\n", what, shms_strerror((int)rc));
    exit(1);
}

static void equal(const char *what, const char *of, int64_t got, int64_t low, int64_t high)
{
    if (got >= low && got <= high)
        return;
    printf("FAIL: %s of %s: %" PRId64 ", not %" PRId64 " to %" PRId64 "\n", what, of, got, low, high);
    failures++;
}

/* Receives until the end, which a death has its own code for. */
static void receive(shms_channel *c, char **languages, int count, int64_t *messages)
{
    char buf[64];
    int64_t n;
    while ((n = shms_channel_recv(c, buf, sizeof buf, 100000)) >= 0) {
        int i = 0;
        while (i < count && (strlen(languages[i]) != (size_t)n || memcmp(languages[i], buf, (size_t)n) != 0))
            i++;
        if (i == count) {
            printf("FAIL: a message of %" PRId64 " bytes that nobody has sent\n", n);
            exit(1);
        }
        messages[i]++;
    }
    equal("the end", "the channel", n, SHMS_E_DIED, SHMS_E_DIED);
}

static int64_t in_dict(shms_dict *d, const char *key)
{
    int64_t sum = 0;
    check(shms_dict_add(d, key, strlen(key), 0, 0, NULL, &sum), "dict");
    return sum;
}

int main(int argc, char **argv)
{
    if (argc < 5 || argc > 4 + LANGUAGES_MAX)
        return 2;
    char name[300], **languages = argv + 4;
    int count = argc - 4;
    int64_t times = atoi(argv[2]), words[LANGUAGES_MAX + 1], messages[LANGUAGES_MAX] = {0}, sum = 0, all = 0;
    shms_stream_options atomic = {.struct_size = sizeof atomic, .atomic = 1};
    shms_stream *s;
    shms_channel *c;
    shms_dict *d;
    snprintf(name, sizeof name, "%s-s", argv[1]);
    check(shms_stream_open(name, sizeof words, &atomic, &s), "stream");
    snprintf(name, sizeof name, "%s-c", argv[1]);
    check(shms_channel_open(name, 16384, SHMS_RECEIVE, NULL, &c), "channel");
    snprintf(name, sizeof name, "%s-d", argv[1]);
    check(shms_dict_open(name, 65536, NULL, &d), "dict");
    puts("open");
    fflush(stdout);
    receive(c, languages, count, messages);
    check(shms_stream_lock(s, 10000), "lock"); /* which undoes what a dead one has begun */
    check(shms_stream_pread(s, words, sizeof words, 0), "pread");
    check(shms_stream_unlock(s), "unlock");
    for (int i = 0; i < count; i++) {
        int64_t word = words[1 + i], key = in_dict(d, languages[i]);
        int dead = !strcmp(languages[i], argv[3]);
        if (!dead)
            equal("the word", languages[i], word, times, times);
        equal("the key", languages[i], key, word, word + dead);
        equal("the messages", languages[i], messages[i], word - dead, word);
        sum += word;
        all += key;
        printf("%s: %" PRId64 " %" PRId64 " %" PRId64 "\n", languages[i], word, key, messages[i]);
    }
    equal("the first word", "the stream", words[0], sum, sum);
    equal("the key", "all", in_dict(d, "all"), all - 1, all);
    shms_channel_close(c);
    shms_dict_close(d);
    shms_stream_close(s);
    return failures > 0;
}
