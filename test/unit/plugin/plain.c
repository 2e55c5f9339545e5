/* SPDX-License-Identifier: MIT */
/* A program that opens, contends, forks and closes, for memcheck: nothing is lost, without suppressions. */
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shmstream.h>

static void *contend(void *s)
{
    return shms_stream_lock(s, 5) == SHMS_E_TIMEOUT ? s : NULL;
}

static int use(shms_stream *s)
{
    pthread_t thread;
    void *waited = NULL;
    if (shms_stream_lock(s, 1000) < 0 || pthread_create(&thread, NULL, contend, s))
        return 1;
    pthread_join(thread, &waited);
    return waited && shms_stream_pwrite(s, "x", 1, 0) == 1 && shms_stream_unlock(s) == 0 ? 0 : 1;
}

int main(void)
{
    char name[64];
    shms_stream_options o = {.struct_size = sizeof o, .atomic = 1};
    shms_stream *s = NULL;
    int status = 1;
    snprintf(name, sizeof name, "unit-memcheck-%d", (int)getpid());
    if (shms_stream_open(name, 64, &o, &s) < 0 || use(s))
        return 1;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int rc = use(s);
        shms_stream_close(s);
        return rc;
    }
    if (waitpid(pid, &status, 0) != pid || status)
        return 1;
    shms_stream_close(s);
    return 0;
}
