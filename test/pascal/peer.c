/* SPDX-License-Identifier: MIT */
/* The same party as peer.pas, which says what it does, in C: peer NAME ROLE [NUMBER]. */
#include "shmstream.h"

#include <stdlib.h>
#include <string.h>

#define SHARE_SIZE 4096

struct shared {
    int64_t counter, number, pair[2];
};

static shms_stream *s;
static volatile struct shared *shared;

static int say(const char *words)
{
    printf("%s\n", words);
    return fflush(stdout);
}

static int say_number(const char *before, int64_t number)
{
    printf("%s%lld\n", before, (long long)number);
    return fflush(stdout);
}

static void await_end(void)
{
    while (getchar() != EOF) {
    }
}

static void lock(void)
{
    int rc = shms_stream_lock(s, 60000);
    if (rc < 0) {
        say(shms_strerror(rc));
        exit(1);
    }
}

static void count(int64_t rounds)
{
    for (; rounds > 0; rounds--) {
        lock();
        int64_t before = shared->counter;
        shared->number = rounds; /* a little time between reading and writing */
        shared->counter = before + 1;
        shms_stream_unlock(s);
    }
}

static void try_lock(int timeout_ms)
{
    int rc = shms_stream_lock(s, timeout_ms);
    if (rc == SHMS_OWNER_DIED)
        say_number("died, ", shared->pair[0] - shared->pair[1]);
    else
        say(rc == 0 ? "got it" : shms_strerror(rc));
    if (rc < 0)
        return;
    shared->pair[0] = shared->pair[1];
    shms_stream_repaired(s);
    shms_stream_unlock(s);
}

static void hold(int dies)
{
    lock();
    shared->pair[0] += dies;
    say("held");
    await_end();
    if (dies)
        shms_stream_wait(s, &(int64_t){shms_stream_version(s)}, -1); /* in vain */
    shms_stream_unlock(s);
}

static int play(const char *role, int64_t number)
{
    if (strcmp(role, "stay") == 0) {
        say("open");
        await_end();
        return say_number("", shared->counter);
    }
    if (strcmp(role, "get") == 0)
        return say_number("", shared->number);
    if (strcmp(role, "count") == 0)
        count(number);
    else if (strcmp(role, "hold") == 0 || strcmp(role, "die") == 0)
        hold(strcmp(role, "die") == 0);
    else if (strcmp(role, "try") == 0)
        try_lock((int)number);
    else if (strcmp(role, "release") == 0)
        shms_stream_unlock(s);
    else if (strcmp(role, "put") == 0)
        shared->number = number;
    else
        return 2;
    return 0;
}

static const char *share_name(const char *word)
{
    static char name[1001];
    size_t n = strlen(word);
    memset(name, 'x', sizeof name - 1);
    memcpy(name, word, n);
    if (name[n - 1] == '?')
        memcpy(name + n - 1, "\xe4\xb8\xad\xe6\x96\x87", 7);
    else if (name[n - 1] != '*')
        name[n] = 0;
    return name;
}

int main(int argc, char **argv)
{
    int64_t number = argc > 3 ? atoll(argv[3]) : 0;
    if (argc < 3 || !argv[1][0] || strlen(argv[1]) > 900)
        return 2;
    int windowed = strcmp(argv[2], "window") == 0;
    int rc = shms_stream_open(share_name(argv[1]), windowed ? (uint64_t)number : SHARE_SIZE, NULL, &s);
    if (windowed) {
        if (rc < 0)
            say("none");
        else
            say_number("", number);
        shms_stream_close(rc < 0 ? NULL : s);
        return 0;
    }
    if (rc < 0)
        return say(shms_strerror(rc)) + 1;
    shared = shms_stream_memory(s);
    rc = play(argv[2], number);
    shms_stream_close(s);
    return rc;
}
