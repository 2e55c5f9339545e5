/* SPDX-License-Identifier: MIT */
/* A plugin that has the static library inside. */
#include <pthread.h>
#include <shmstream.h>

static shms_stream *kept;

static void *contend(void *s)
{
    (void)!shms_stream_lock(s, 5);
    return NULL;
}

/* Open, have two threads want the lock, close: the helper thread comes and goes. */
__attribute__((visibility("default"))) int plug_use(const char *name)
{
    shms_stream *s = NULL;
    pthread_t thread;
    int rc = shms_stream_open(name, 64, NULL, &s);
    if (rc < 0)
        return rc;
    rc = shms_stream_lock(s, 0);
    if (pthread_create(&thread, NULL, contend, s) == 0)
        pthread_join(thread, NULL);
    shms_stream_unlock(s);
    shms_stream_close(s);
    return rc;
}

/* What a plugin with an open handle leaves when it is unloaded. */
__attribute__((visibility("default"))) int plug_keep(const char *name)
{
    int rc = shms_stream_open(name, 64, NULL, &kept);
    return rc < 0 ? rc : shms_stream_lock(kept, 0);
}

__attribute__((visibility("default"))) int plug_lock(void)
{
    int rc = shms_stream_lock(kept, 1000);
    return rc < 0 ? rc : shms_stream_unlock(kept);
}

__attribute__((visibility("default"))) int plug_unlock(void)
{
    int rc = shms_stream_unlock(kept);
    return rc;
}

__attribute__((visibility("default"))) void plug_close(void)
{
    shms_stream_close(kept);
}
