/* SPDX-License-Identifier: MIT */
/* A rate limiter: ten requests a minute for each client, counted by all processes together. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <shmstream/dict.h>

enum { LIMIT = 10, WINDOW_MS = 60000 };

/* The first request makes the counter, which expires with its minute; the others count on. */
static int is_allowed(shms_dict *d, const char *client)
{
    shms_dict_how how = {.struct_size = sizeof how, .ttl_ms = WINDOW_MS};
    int64_t requests = 0;
    int64_t rc = shms_dict_add(d, client, strlen(client), 1, 0, &how, &requests);
    return rc >= 0 && requests <= LIMIT;
}

static void serve(shms_dict *d, int careless)
{
    int allowed = 0;
    for (int i = 0; i < 5; i++) {
        allowed += is_allowed(d, "10.0.0.1");
        if (careless && i == 2)
            raise(SIGKILL);
    }
    _exit(allowed);
}

static int64_t now_ns(void *later_ms)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec + *(int64_t *)later_ms * 1000000;
}

int main(int argc, char **argv)
{
    int64_t later_ms = 0; /* an own clock, so that nothing has to wait for a minute */
    shms_dict_options options = {.struct_size = sizeof options, .policy = SHMS_EVICT_LRU, .now_ns = now_ns,
                                 .now_context = &later_ms};
    shms_dict *d;
    int allowed = 0;
    if (shms_dict_open(argc > 1 ? argv[1] : "rate", 1 << 20, &options, &d) < 0)
        return 1;
    for (int i = 0; i < 3; i++) {
        int status;
        pid_t worker = fork();
        if (worker == 0)
            serve(d, i == 0);
        waitpid(worker, &status, 0);
        allowed += WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    }
    printf("one worker died after 3 requests; of the others' 10, %d were allowed\n", allowed);
    printf("another client: %s\n", is_allowed(d, "10.0.0.2") ? "allowed" : "refused");
    later_ms = WINDOW_MS;
    printf("a minute later: %s\n", is_allowed(d, "10.0.0.1") ? "allowed" : "refused");
    shms_dict_close(d);
    return 0;
}
