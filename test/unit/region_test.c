/* SPDX-License-Identifier: MIT */
/* region.c, the life of a name: created, opened, kept, removed, and reclaimed after a death. */
#include "child.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>

static uint64_t file_bytes(const char *path, bool in_memory)
{
    struct file_stat st = {0};
    shms__file_stat(path, &st);
    return in_memory ? st.memory_bytes : st.size;
}

static void create_or_open(void **state)
{
    static const char zeros[5000];
    (void)state;
    shms_stream *a = unit_open(NAME, sizeof zeros, NULL);
    assert_int_equal(shms_stream_existed(a), 0);
    assert_int_equal(shms_stream_size(a), sizeof zeros);
    assert_memory_equal(shms_stream_memory(a), zeros, sizeof zeros);
    assert_int_equal(shms_stream_pwrite(a, "seen", 4, 4996), 4);
    shms_stream *b = unit_open(NAME, 100, NULL);
    assert_int_equal(shms_stream_existed(b), 1);
    assert_int_equal(shms_stream_size(b), sizeof zeros);
    assert_memory_equal((char *)shms_stream_memory(b) + 4996, "seen", 4);
    shms_stream_close(a);
    assert_int_equal(unit_names(), 2);
    shms_stream_close(b);
}

static void create_only(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 16, OPTIONS(.create = SHMS_CREATE_ONLY));
    assert_int_equal(unit_refused(NAME, 16, OPTIONS(.create = SHMS_CREATE_ONLY)), SHMS_E_EXISTS);
    assert_int_equal(unit_refused(NAME, 32, OPTIONS(.create = SHMS_CREATE_ONLY)), SHMS_E_EXISTS);
    shms_stream_close(s);
    assert_int_equal(unit_refused(NAME, 0, OPTIONS(.create = SHMS_CREATE_ONLY)), SHMS_E_INVALID);
    shms_stream_close(unit_open(NAME, 16, OPTIONS(.create = SHMS_CREATE_ONLY)));
}

static void open_only(void **state)
{
    (void)state;
    assert_int_equal(unit_refused(NAME, 16, OPTIONS(.create = SHMS_OPEN_ONLY)), SHMS_E_NOT_FOUND);
    assert_int_equal(unit_refused(NAME, 0, OPTIONS(.create = SHMS_OPEN_ONLY)), SHMS_E_NOT_FOUND);
    assert_int_equal(unit_refused(NAME, 0, NULL), SHMS_E_NOT_FOUND);
    assert_int_equal(unit_names(), 0);
    shms_stream *s = unit_open(NAME, 16, NULL);
    shms_stream *o = unit_open(NAME, 16, OPTIONS(.create = SHMS_OPEN_ONLY));
    assert_int_equal(shms_stream_existed(o), 1);
    shms_stream_close(o);
    shms_stream_close(s);
}

static void sizes(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 100, NULL);
    assert_int_equal(unit_refused(NAME, 101, NULL), SHMS_E_SIZE);
    shms_stream *same = unit_open(NAME, 100, NULL);
    shms_stream *any = unit_open(NAME, 0, NULL);
    assert_int_equal(shms_stream_size(any), 100);
    shms_stream_close(any);
    shms_stream_close(same);
    assert_int_equal(file_bytes(local_files.control, false), 20480);
    assert_int_equal(file_bytes(local_files.data, false), 100);
    shms_stream_close(s);
    assert_int_equal(unit_refused(NAME, (1ull << 62) + 1, NULL), SHMS_E_INVALID);
    assert_int_equal(unit_refused(NAME, 1ull << 62, NULL), SHMS_E_NOSPACE);
    assert_int_equal(unit_refused(NAME, 1ull << 50, NULL), SHMS_E_NOSPACE);
    assert_int_equal(unit_refused(NAME, 1ull << 62, OPTIONS(.sparse = 1)), SHMS_E_NOMEM);
}

static void memory_is_reserved_unless_sparse(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 1 << 20, NULL);
    assert_true(file_bytes(local_files.data, true) >= 1 << 20);
    shms_stream_close(s);
    s = unit_open(NAME, 1 << 20, OPTIONS(.sparse = 1));
    assert_int_equal(file_bytes(local_files.data, true), getpagesize()); /* where its end can be seen */
    assert_int_equal(file_bytes(local_files.data, false), 1 << 20);
    shms_stream_close(s);
}

static void kept(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NAME, 16, OPTIONS(.keep = 1));
    assert_int_equal(shms_stream_pwrite(s, "old", 3, 0), 3);
    shms_stream_close(s);
    assert_int_equal(unit_names(), 2);
    s = unit_open(NAME, 16, NULL);
    assert_int_equal(shms_stream_existed(s), 1);
    assert_memory_equal(shms_stream_memory(s), "old", 3);
    shms_stream_close(s);
    assert_int_equal(shms_stream_unlink(NAME), 0);
    assert_int_equal(shms_stream_unlink(NAME), SHMS_E_NOT_FOUND);
    /* any opener may ask for it */
    s = unit_open(NAME, 16, NULL);
    shms_stream_close(unit_open(NAME, 0, OPTIONS(.keep = 1)));
    shms_stream_close(s);
    assert_int_equal(unit_names(), 2);
    assert_int_equal(shms_stream_unlink(NAME), 0);
}

static void kept_without_its_data(void **state)
{
    (void)state;
    shms_stream_close(unit_open(NAME, 16, OPTIONS(.keep = 1)));
    remove(local_files.data);
    shms_stream *s = unit_open(NAME, 8, NULL);
    assert_int_equal(shms_stream_existed(s), 0);
    assert_int_equal(shms_stream_size(s), 8);
    shms_stream_close(s);
}

static void unlinked(void **state)
{
    (void)state;
    shms_stream *old = unit_open(NAME, 16, NULL);
    assert_int_equal(shms_stream_unlink(NAME), 0);
    assert_int_equal(unit_names(), 0);
    assert_int_equal(shms_stream_lock(old, 0), 0);
    assert_int_equal(shms_stream_pwrite(old, "old", 3, 0), 3);
    assert_int_equal(shms_stream_unlock(old), 0);
    shms_stream *new = unit_open(NAME, 16, NULL);
    assert_int_equal(shms_stream_existed(new), 0);
    assert_int_equal(*(char *)shms_stream_memory(new), 0);
    shms_stream_close(old); /* the last of the old one must not take the new one's names */
    assert_int_equal(unit_names(), 2);
    shms_stream_close(new);
    assert_int_equal(shms_stream_unlink("a\\b"), SHMS_E_INVALID);
    assert_int_equal(shms_stream_unlink(NULL), SHMS_E_INVALID);
}

static int die_with_it(void *keep)
{
    shms_stream *s;
    EXPECT(shms_stream_open(NAME, 64, OPTIONS(.keep = keep != NULL), &s) == 0);
    EXPECT(shms_stream_write(s, "secret", 6) == 6);
    return 0; /* without closing, as if killed */
}

static void the_dead_show_nothing(void **state)
{
    static const char zeros[64];
    (void)state;
    assert_int_equal(unit_child(die_with_it, NULL, 0), 0);
    assert_int_equal(unit_names(), 2);
    assert_int_equal(unit_refused(NAME, 0, NULL), SHMS_E_NOT_FOUND);
    assert_int_equal(unit_names(), 0);
    assert_int_equal(unit_child(die_with_it, NULL, 0), 0);
    shms_stream *s = unit_open(NAME, 64, OPTIONS(.create = SHMS_CREATE_ONLY));
    assert_int_equal(shms_stream_existed(s), 0);
    assert_memory_equal(shms_stream_memory(s), zeros, 64);
    shms_stream_close(s);
    assert_int_equal(unit_child(die_with_it, NAME, 0), 0); /* kept: this one stays */
    s = unit_open(NAME, 0, NULL);
    assert_memory_equal(shms_stream_memory(s), "secret", 6);
    shms_stream_close(s);
    assert_int_equal(shms_stream_unlink(NAME), 0);
}

static void halves_left_behind(void **state)
{
    (void)state;
    for (int half = 0; half < 2; half++) {
        assert_int_equal(unit_child(die_with_it, NULL, 0), 0);
        remove(half ? local_files.data : local_files.control);
        assert_int_equal(unit_refused(NAME, 0, NULL), SHMS_E_NOT_FOUND);
        assert_int_equal(unit_names(), 0);
        assert_int_equal(unit_child(die_with_it, NULL, 0), 0);
        remove(half ? local_files.data : local_files.control);
        shms_stream *s = unit_open(NAME, 64, NULL);
        assert_int_equal(shms_stream_existed(s), 0);
        assert_int_equal(*(char *)shms_stream_memory(s), 0);
        assert_int_equal(unit_names(), 2);
        shms_stream_close(s);
    }
}

static void a_life_cycle_lock_that_stays_taken(void **state)
{
    struct trust self = {.mode = 0600};
    struct file f;
    bool taken = false;
    (void)state;
    shms_stream *s = unit_open(NAME, 16, OPTIONS(.open_timeout_ms = 60));
    assert_int_equal(shms__file_open(local_files.control, true, &self, &f), 0);
    assert_int_equal(shms__byte_lock(&f, LOCK_LIFE, &taken), 0);
    assert_true(taken);
    int64_t start = shms__now_ns();
    assert_int_equal(unit_refused(NAME, 16, OPTIONS(.open_timeout_ms = 60)), SHMS_E_TIMEOUT);
    assert_true(shms__now_ns() - start >= 60000000);
    assert_int_equal(shms_stream_lock(s, 0), 0); /* who is in goes on */
    assert_int_equal(shms_stream_resize(s, 8), 0);
    assert_int_equal(shms_stream_size(s), 8);
    assert_int_equal(shms_stream_unlock(s), 0);
    shms_stream_close(s); /* cannot remove it: left for the next opener */
    assert_int_equal(unit_names(), 2);
    shms__file_close(&f);
    assert_int_equal(unit_refused(NAME, 0, NULL), SHMS_E_NOT_FOUND);
}

static int files_are_limited(void *kind)
{
    shms_stream *s = NULL;
    int fds = unit_fds();
    unsigned resource = kind ? RLIMIT_FSIZE : RLIMIT_NOFILE;
    struct rlimit limit;
    EXPECT(getrlimit(resource, &limit) == 0);
    limit.rlim_cur = kind ? 1 << 20 : 3;
    EXPECT(setrlimit(resource, &limit) == 0);
    int rc = shms_stream_open(NAME, 2 << 20, NULL, &s); /* and no SIGXFSZ */
    EXPECT(rc == (kind ? SHMS_E_NOSPACE : SHMS_E_OS));
    EXPECT(s == NULL && shms_last_oserror() == (kind ? EFBIG : EMFILE));
    limit.rlim_cur = limit.rlim_max;
    EXPECT(setrlimit(resource, &limit) == 0);
    EXPECT(unit_names() == 0 && unit_maps() == 0 && unit_fds() == fds);
    return 0;
}

static void limits_of_the_process(void **state)
{
    (void)state;
    assert_int_equal(unit_child(files_are_limited, NULL, 0), 0);
    assert_int_equal(unit_child(files_are_limited, NAME, 0), 0);
}

static pthread_barrier_t barrier;

static void *race_to_create(void *ret_existed)
{
    shms_stream *s = NULL;
    pthread_barrier_wait(&barrier);
    int rc = shms_stream_open(NAME, 64, NULL, &s);
    *(int *)ret_existed = rc < 0 ? rc : shms_stream_existed(s);
    pthread_barrier_wait(&barrier); /* nobody leaves before all came */
    shms_stream_close(s);
    return NULL;
}

static void racing_creators_agree(void **state)
{
    enum { RACERS = 6, ROUNDS = 40 };
    pthread_t threads[RACERS];
    int existed[RACERS];
    (void)state;
    pthread_barrier_init(&barrier, NULL, RACERS);
    for (int round = 0; round < ROUNDS; round++) {
        int sum = 0;
        for (int i = 0; i < RACERS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, race_to_create, &existed[i]), 0);
        for (int i = 0; i < RACERS; i++)
            pthread_join(threads[i], NULL);
        for (int i = 0; i < RACERS; i++) {
            assert_true(existed[i] == 0 || existed[i] == 1);
            sum += existed[i];
        }
        assert_int_equal(sum, RACERS - 1);
        assert_int_equal(unit_names(), 0);
    }
    pthread_barrier_destroy(&barrier);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(create_or_open),        TEST(create_only),           TEST(open_only),
        TEST(sizes),                 TEST(memory_is_reserved_unless_sparse),
        TEST(kept),                  TEST(kept_without_its_data), TEST(unlinked),
        TEST(the_dead_show_nothing), TEST(halves_left_behind),    TEST(a_life_cycle_lock_that_stays_taken),
        TEST(limits_of_the_process), TEST(racing_creators_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
