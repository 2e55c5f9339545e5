/* SPDX-License-Identifier: MIT */
/* Threads of 16 KiB make and grow regions that are so large that what may be had is asked first; and call
 * dicts and channels. (The other calls of streams: cut_off_test.c.) */
#include "dict.h"

#include "child.h"
#include "shmstream/channel.h"

#include <limits.h>
#include <pthread.h>

#define LARGE (6u << 20) /* more than is reserved without asking */

static char file[100];
static int result;

/* The thread's own storage counts, and that of a sanitizer is no stack of 16 KiB. */
static void on_the_smallest_stack(void *(*fn)(void *))
{
    pthread_t thread;
    pthread_attr_t how;
    if (unit_address_space_huge())
        skip();
    result = -1;
    pthread_attr_init(&how);
    pthread_attr_setstacksize(&how, (size_t)PTHREAD_STACK_MIN);
    assert_int_equal(pthread_create(&thread, &how, fn, NULL), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&how);
    unlink(file);
    assert_int_equal(result, 0);
}

static int stream_calls(void)
{
    shms_stream *s = NULL;
    EXPECT(shms_stream_open(NAME, LARGE, OPTIONS(.max_size = 3 * LARGE), &s) == 0);
    EXPECT(shms_stream_lock(s, 0) == 0 && shms_stream_resize(s, 3 * LARGE) == 0);
    EXPECT(shms_stream_unlock(s) == 0);
    shms_stream_close(s);
    return 0;
}

static void *a_large_stream(void *unused)
{
    result = stream_calls();
    return unused;
}

static int go_on(const void *key, size_t key_size, const shms_dict_record *r, void *context)
{
    (void)key, (void)key_size, (void)r, (void)context;
    return 0;
}

static int dict_calls(void)
{
    static char value[LARGE];
    int64_t at = 0;
    uint64_t cursor = 0;
    size_t key_size = 0;
    shms_dict *d = NULL;
    shms_dict_stats t = {.struct_size = sizeof t};
    EXPECT(shms_dict_open(NAME, 65536, DICT_OPTIONS(.max_size = 5 * LARGE, .value_max = LARGE), &d) == 0);
    EXPECT(shms_dict_set(d, "k", 1, value, sizeof value, NULL) > 0); /* grows */
    EXPECT(shms_dict_info(d, &t) == 0 && t.size > LARGE);
    EXPECT(shms_dict_set(d, "k", 1, "v", 1, HOW(.ttl_ms = 100000)) > 0);
    EXPECT(shms_dict_get(d, "k", 1, value, sizeof value, NULL) == 1);
    EXPECT(shms_dict_add(d, "c", 1, 1, 0, NULL, NULL) > 0 && shms_dict_poll_fd(d) >= 0);
    EXPECT(shms_dict_next(d, &cursor, value, &key_size, NULL, NULL, NULL) == 1);
    EXPECT(shms_dict_changes(d, &at, go_on, NULL) > 0 && shms_dict_version(d) == at);
    EXPECT(shms_dict_wait(d, "k", 1, &at, 1) == 0 && shms_dict_wait(d, "k", 1, &at, 1) == SHMS_E_TIMEOUT);
    EXPECT(shms_dict_lock(d, "k", 1, 0) == 0 && shms_dict_unlock(d, "k", 1) == 0);
    EXPECT(shms_dict_save(d, file) == 2 && shms_dict_load(d, file) == 2);
    EXPECT(shms_dict_del(d, "k", 1, NULL) > 0);
    shms_dict_close(d);
    return 0;
}

static void *a_large_dict(void *unused)
{
    result = dict_calls();
    return unused;
}

static int channel_calls(void)
{
    static char buf[64];
    const void *peeked;
    void *reserved;
    shms_channel *out = NULL, *in = NULL;
    shms_channel_stats t = {.struct_size = sizeof t};
    EXPECT(shms_channel_open(NAME, LARGE, SHMS_SEND, NULL, &out) == 0);
    EXPECT(shms_channel_open(NAME, 0, SHMS_RECEIVE, NULL, &in) == 0);
    EXPECT(shms_channel_send(out, buf, 40, 0) == 0 && shms_channel_recv(in, buf, sizeof buf, 0) == 40);
    EXPECT(shms_channel_reserve(out, 9, &reserved, 0) == 0 && shms_channel_commit(out, 9) == 0);
    EXPECT(shms_channel_peek(in, &peeked, 0) == 9 && shms_channel_release(in) == 0);
    EXPECT(shms_channel_recv(in, buf, sizeof buf, 5) == SHMS_E_TIMEOUT && shms_channel_poll_fd(in) >= 0);
    EXPECT(shms_channel_info(out, &t) == 0 && shms_channel_notify(out) == 0);
    shms_channel_close(out);
    EXPECT(shms_channel_recv(in, buf, sizeof buf, 1000) == SHMS_E_CLOSED);
    shms_channel_close(in);
    return 0;
}

static void *a_large_channel(void *unused)
{
    result = channel_calls();
    return unused;
}

static void of_streams(void **state)
{
    (void)state;
    on_the_smallest_stack(a_large_stream);
}

static void of_dicts(void **state)
{
    (void)state;
    on_the_smallest_stack(a_large_dict);
}

static void of_channels(void **state)
{
    (void)state;
    on_the_smallest_stack(a_large_channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(of_streams), TEST(of_dicts), TEST(of_channels)};
    snprintf(file, sizeof file, "/tmp/shms-small-stack-%d", (int)getpid());
    return cmocka_run_group_tests_name("small_stack", tests, NULL, NULL);
}
