/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the bridge need besides shms:
 *   peer burst DICT PREFIX CHANGES KEYS MS         changes of PREFIX0, PREFIX1 ...; prints the last state
 *   peer dump DICT [PREFIX]                        "KEY VALUE", sorted
 *   peer forward DICT KEY COUNT SECONDS            watch a number that must never go back, up to COUNT;
 *                                                  a failure if it stands still so long
 *   peer count DICT KEY COUNT MS                   set it to 1 ... COUNT
 * CHANGES and COUNT of 0: until standard input ends; a count then ends with COUNT_LAST. MS: between two
 * changes others' are waited for, so long at most.
 *   peer relay PORT TO                             pass TCP connections on, on this machine
 *   peer put URL SUBJECT HEX ZEROS                 a message past the bridges: bytes, and zeros
 *   peer bare URL BUCKET COUNT                     how long a put takes until a watcher has it
 *   peer delay DICT COUNT PID                      the same, through two bridges, from the machine of PID
 */
#include "shmstream/dict.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <nats/nats.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LINES_MOST 200000
#define COUNT_LAST 1000000000

static void check(int64_t rc, const char *what)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "peer: %s: %s\n", what, shms_strerror((int)rc));
    exit(EXIT_FAILURE);
}

static void check_nats(natsStatus s, const char *what)
{
    if (s == NATS_OK)
        return;
    fprintf(stderr, "peer: %s: %s\n", what, natsStatus_GetText(s));
    exit(EXIT_FAILURE);
}

static shms_dict *open_dict(const char *name)
{
    shms_dict *d;
    check(shms_dict_open(name, 0, NULL, &d), name);
    return d;
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Until another has changed the dict, or the time is over. */
static void give_way(shms_dict *d, int ms)
{
    int64_t seen = shms_dict_version(d);
    if (ms > 0)
        shms_dict_wait(d, NULL, 0, &seen, ms);
}

/* May change number i (from 0) be made? */
static bool goes_on(int64_t i, int64_t most)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    return most > 0 ? i < most : poll(&in, 1, 0) == 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* ---- dicts */

static int dump(const char *name, const char *prefix)
{
    static char *lines[LINES_MOST];
    shms_dict *d = open_dict(name);
    uint64_t cursor = 0;
    char key[1100], value[70000];
    size_t key_size = sizeof key - 1, size = sizeof value - 1, n = 0;
    while (shms_dict_next(d, &cursor, key, &key_size, value, &size, NULL) == 1 && n < LINES_MOST) {
        key[key_size] = value[size] = '\0';
        if (strncmp(key, prefix, strlen(prefix)) == 0 && asprintf(&lines[n], "%s %s", key, value) > 0)
            n++;
        key_size = sizeof key - 1;
        size = sizeof value - 1;
    }
    qsort(lines, n, sizeof lines[0], by_text);
    for (size_t i = 0; i < n; i++)
        puts(lines[i]);
    return 0;
}

static int burst(char **words)
{
    shms_dict *d = open_dict(words[0]);
    const char *prefix = words[1];
    int changes = atoi(words[2]), keys = atoi(words[3]), ms = atoi(words[4]);
    unsigned seed = (unsigned)getpid();
    for (int i = 0; goes_on(i, changes); i++) {
        char key[80], value[80];
        int rc = snprintf(key, sizeof key, "%s%d", prefix, rand_r(&seed) % keys);
        if (rand_r(&seed) % 8 == 0) {
            int64_t gone = shms_dict_del(d, key, (size_t)rc, NULL);
            check(gone == SHMS_E_NOT_FOUND ? 0 : gone, "del");
        } else {
            int n = snprintf(value, sizeof value, "%d.%d", (int)getpid(), i);
            check(shms_dict_set(d, key, (size_t)rc, value, (size_t)n, NULL), "set");
        }
        give_way(d, ms);
    }
    shms_dict_close(d);
    return dump(words[0], prefix);
}

static int64_t number(shms_dict *d, const char *key)
{
    char text[32] = "";
    int64_t n = shms_dict_get(d, key, strlen(key), text, sizeof text - 1, NULL);
    return n > 0 ? strtoll(text, NULL, 10) : 0;
}

static int forward(const char *name, const char *key, int64_t last, int seconds)
{
    shms_dict *d = open_dict(name);
    const int64_t patience = seconds * INT64_C(1000000000);
    int64_t seen = 0, before = 0, end = now_ns() + patience;
    while (before < last && now_ns() < end) {
        int64_t now = number(d, key);
        if (now < before) {
            fprintf(stderr, "peer: %s went back from %lld to %lld\n", key, (long long)before, (long long)now);
            return EXIT_FAILURE;
        }
        if (now > before)
            end = now_ns() + patience;
        before = now;
        shms_dict_wait(d, key, strlen(key), &seen, 100);
    }
    if (before < last)
        fprintf(stderr, "peer: %s is %lld, and not %lld\n", key, (long long)before, (long long)last);
    return before < last;
}

static void set_number(shms_dict *d, const char *key, int64_t number)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%lld", (long long)number);
    check(shms_dict_set(d, key, strlen(key), text, (size_t)n, NULL), "set");
}

static int count(const char *name, const char *key, int64_t last, int ms)
{
    shms_dict *d = open_dict(name);
    for (int64_t i = 0; goes_on(i, last); i++) {
        set_number(d, key, i + 1);
        give_way(d, ms);
    }
    if (last == 0)
        set_number(d, key, COUNT_LAST);
    return 0;
}

/* ---- times */

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int print_times(const char *what, int64_t *ns, int n)
{
    qsort(ns, (size_t)n, sizeof ns[0], by_number);
    printf("%s: median %lld us, 99 of 100 within %lld us, %d times\n", what, (long long)(ns[n / 2] / 1000),
           (long long)(ns[n * 99 / 100] / 1000), n);
    return 0;
}

/* A put of JetStream's KV on one connection, until a watcher on another has it. */
static int bare(const char *url, const char *bucket, int times)
{
    natsConnection *nc[2];
    jsCtx *js[2];
    kvStore *kv[2];
    kvWatcher *w;
    int64_t *ns = calloc((size_t)times, sizeof *ns);
    for (int i = 0; i < 2; i++) {
        natsOptions *o;
        check_nats(natsOptions_Create(&o), "options");
        natsOptions_SetURL(o, url);
        natsOptions_SetSendAsap(o, true);
        check_nats(natsConnection_Connect(&nc[i], o), url);
        check_nats(natsConnection_JetStream(&js[i], nc[i], NULL), "jetstream");
        check_nats(js_KeyValue(&kv[i], js[i], bucket), bucket);
    }
    kvWatchOptions o;
    kvWatchOptions_Init(&o);
    check_nats(kvStore_Watch(&w, kv[1], "bare", &o), "watch");
    for (int i = 0; i < times; i++) {
        char text[32];
        kvEntry *e = NULL;
        uint64_t revision = 0;
        snprintf(text, sizeof text, "%d", i);
        int64_t begin = now_ns();
        check_nats(kvStore_PutString(&revision, kv[0], "bare", text), "put");
        do {
            kvEntry_Destroy(e);
            e = NULL;
            check_nats(kvWatcher_Next(&e, w, 5000), "next");
        } while (!e || kvEntry_Revision(e) < revision);
        kvEntry_Destroy(e);
        ns[i] = now_ns() - begin;
    }
    return print_times("bare", ns, times);
}

static void enter(const char *pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/ns/mnt", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNS) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
}

/* Each when the one before has arrived, as a byte tells. */
static void write_moments(const char *name, int times, int arrived)
{
    shms_dict *d = open_dict(name);
    char byte;
    for (int i = 0; i < times; i++) {
        int64_t begin = now_ns();
        check(shms_dict_set(d, "delay", 5, &begin, sizeof begin, NULL), "set");
        if (read(arrived, &byte, 1) != 1)
            break;
    }
    _exit(0);
}

static int delay(const char *name, int times, const char *pid)
{
    int64_t *ns = calloc((size_t)times, sizeof *ns), seen = 0, last = 0;
    int arrived[2];
    if (pipe(arrived) != 0)
        return EXIT_FAILURE;
    pid_t writer = fork();
    if (writer == 0) {
        close(arrived[1]);
        enter(pid);
        write_moments(name, times, arrived[0]);
    }
    shms_dict *d = open_dict(name);
    int n = 0;
    while (n < times && shms_dict_wait(d, "delay", 5, &seen, 3000) == 0) {
        int64_t begin = 0;
        bool new = shms_dict_get(d, "delay", 5, &begin, sizeof begin, NULL) == sizeof begin && begin != last;
        last = begin;
        if (!new)
            continue;
        ns[n++] = now_ns() - begin;
        if (write(arrived[1], "", 1) != 1)
            break;
    }
    close(arrived[1]);
    waitpid(writer, NULL, 0);
    return n > 0 ? print_times("bridge", ns, n) : EXIT_FAILURE;
}

/* ---- the network */

static void *pump(void *ends)
{
    int from = ((int *)ends)[0], to = ((int *)ends)[1];
    char bytes[65536];
    ssize_t n;
    while ((n = read(from, bytes, sizeof bytes)) > 0)
        for (ssize_t at = 0, some; at < n; at += some)
            if ((some = send(to, bytes + at, (size_t)(n - at), MSG_NOSIGNAL)) <= 0)
                goto end;
end:
    shutdown(from, SHUT_RDWR);
    shutdown(to, SHUT_RDWR);
    return NULL;
}

static struct sockaddr_in here(const char *port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int relay(const char *port, const char *to)
{
    struct sockaddr_in at = here(port), target = here(to);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 16) != 0) {
        perror("peer: relay");
        return EXIT_FAILURE;
    }
    for (;;) {
        int *ends = calloc(4, sizeof *ends);
        pthread_t t;
        ends[0] = ends[3] = accept(fd, NULL, NULL);
        ends[1] = ends[2] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(ends[1], (struct sockaddr *)&target, sizeof target) != 0) {
            close(ends[0]);
            close(ends[1]);
            continue;
        }
        pthread_create(&t, NULL, pump, ends);
        pthread_create(&t, NULL, pump, ends + 2);
    }
}

static int put(const char *url, const char *subject, const char *hex, size_t zeros)
{
    natsConnection *nc;
    jsCtx *js;
    jsPubAck *ack = NULL;
    size_t n = strlen(hex) / 2;
    unsigned char *bytes = calloc(1, n + zeros + 1);
    for (size_t i = 0; i < n; i++) {
        unsigned byte;
        sscanf(hex + 2 * i, "%2x", &byte);
        bytes[i] = (unsigned char)byte;
    }
    check_nats(natsConnection_ConnectTo(&nc, url), url);
    check_nats(natsConnection_JetStream(&js, nc, NULL), "jetstream");
    check_nats(js_Publish(&ack, js, subject, bytes, (int)(n + zeros), NULL, NULL), subject);
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "burst") == 0 && argc == 7)
        return burst(argv + 2);
    if (strcmp(what, "dump") == 0 && argc >= 3)
        return dump(argv[2], argc > 3 ? argv[3] : "");
    if (strcmp(what, "forward") == 0 && argc == 6)
        return forward(argv[2], argv[3], atoll(argv[4]), atoi(argv[5]));
    if (strcmp(what, "count") == 0 && argc == 6)
        return count(argv[2], argv[3], atoll(argv[4]), atoi(argv[5]));
    if (strcmp(what, "relay") == 0 && argc == 4)
        return relay(argv[2], argv[3]);
    if (strcmp(what, "put") == 0 && argc == 6)
        return put(argv[2], argv[3], argv[4], (size_t)atoll(argv[5]));
    if (strcmp(what, "bare") == 0 && argc == 5)
        return bare(argv[2], argv[3], atoi(argv[4]));
    if (strcmp(what, "delay") == 0 && argc == 5)
        return delay(argv[2], atoi(argv[3]), argv[4]);
    fputs("peer: see the comment that opens peer.c\n", stderr);
    return 2;
}
