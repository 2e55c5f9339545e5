/* SPDX-License-Identifier: MIT */
/* A configuration: readers take no lock, a watcher is told each change, and a killed writer does no harm. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shmstream/dict.h>

static void set(shms_dict *d, const char *key, const char *value)
{
    if (shms_dict_set(d, key, strlen(key), value, strlen(value), NULL) < 0)
        abort();
}

static int tell(const void *key, size_t size, const shms_dict_record *record, void *end)
{
    *(int *)end = size == 3 && memcmp(key, "end", 3) == 0;
    printf("watcher: %.*s was %s\n", (int)size, (const char *)key, record->flags ? "deleted" : "set");
    return 0;
}

/* Since a version that it knows, so that it misses nothing. */
static void watch(shms_dict *d, int64_t since)
{
    int end = 0;
    for (int64_t seen = since; !end && shms_dict_wait(d, NULL, 0, &seen, -1) == 0;)
        if (shms_dict_changes(d, &since, tell, &end) < 0)
            break; /* missed some: walk over all with shms_dict_next(), then go on */
    fflush(stdout);
    _exit(0);
}

int main(int argc, char **argv)
{
    char motto[64] = "";
    shms_dict *d;
    if (shms_dict_open(argc > 1 ? argv[1] : "config", 1 << 20, NULL, &d) < 0)
        return 1;
    set(d, "shape", "round");
    pid_t writer = fork();
    while (writer == 0) { /* until it is killed, somewhere */
        set(d, "motto", "festina lente");
        set(d, "motto", "lente festina");
    }
    for (int64_t seen = 0; shms_dict_version(d) < 1000;)
        shms_dict_wait(d, "motto", 5, &seen, -1);
    kill(writer, SIGKILL);
    waitpid(writer, NULL, 0);
    shms_dict_get(d, "motto", 5, motto, sizeof motto, NULL);
    printf("reader: the motto is %s\n", strlen(motto) == 13 && strstr(motto, "lente") ? "whole" : motto);
    fflush(stdout);

    int64_t version = shms_dict_version(d);
    pid_t watcher = fork();
    if (watcher == 0)
        watch(d, version);
    set(d, "colour", "blue");
    shms_dict_del(d, "shape", 5, NULL);
    set(d, "end", "");
    waitpid(watcher, NULL, 0);
    shms_dict_close(d);
    return 0;
}
