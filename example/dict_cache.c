/* SPDX-License-Identifier: MIT */
/* A cache in front of a slow call: one process computes, others wait; if it is killed, another one does. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <shmstream/dict.h>

enum { HOUR_MS = 3600000 };

static int slow_call(shms_dict *d, int careless)
{
    if (careless)
        raise(SIGKILL);
    shms_dict_add(d, "calls", 5, 1, 0, NULL, NULL);
    usleep(50000);
    return 42;
}

static int answer(shms_dict *d, int careless)
{
    shms_dict_how how = {.struct_size = sizeof how, .ttl_ms = HOUR_MS};
    int value = 0;
    if (shms_dict_get(d, "answer", 6, &value, sizeof value, NULL) == sizeof value)
        return value;
    if (shms_dict_lock(d, "answer", 6, -1) < 0) /* 0 or SHMS_OWNER_DIED: it is this process's turn */
        return -1;
    /* Another may have done it meanwhile. */
    if (shms_dict_get(d, "answer", 6, &value, sizeof value, NULL) != sizeof value) {
        value = slow_call(d, careless);
        shms_dict_set(d, "answer", 6, &value, sizeof value, &how);
    }
    shms_dict_unlock(d, "answer", 6);
    return value;
}

static int64_t now_ns(void *later_ms)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec + *(int64_t *)later_ms * 1000000;
}

int main(int argc, char **argv)
{
    int64_t later_ms = 0, calls = 0; /* an own clock, so that nothing has to wait for an hour */
    shms_dict_options options = {.struct_size = sizeof options, .policy = SHMS_EVICT_LRU, .now_ns = now_ns,
                                 .now_context = &later_ms};
    shms_dict *d;
    if (shms_dict_open(argc > 1 ? argv[1] : "cache", 1 << 20, &options, &d) < 0)
        return 1;
    if (fork() == 0)
        _exit(answer(d, 1));
    wait(NULL); /* it died with the key's lock */
    for (int i = 0; i < 4; i++)
        if (fork() == 0)
            _exit(answer(d, 0));
    int right = 0;
    for (int status; wait(&status) > 0;)
        right += WIFEXITED(status) && WEXITSTATUS(status) == 42;
    shms_dict_add(d, "calls", 5, 0, 0, NULL, &calls);
    printf("%d have the answer; it was computed %d time\n", right, (int)calls);
    later_ms = HOUR_MS;
    printf("an hour later: %s\n", shms_strerror((int)shms_dict_get(d, "answer", 6, NULL, 0, NULL)));
    shms_dict_close(d);
    return 0;
}
