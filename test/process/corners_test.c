/* SPDX-License-Identifier: MIT */
/* Corners that no other test comes to: each was a branch that make coverage found untaken. */
#include "roles.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static shms_stream *open_atomic(const char *name, uint64_t size, uint64_t max_size)
{
    shms_stream_options o = {.struct_size = sizeof o, .atomic = 1, .max_size = max_size};
    shms_stream *s = NULL;
    need(shms_stream_open(name, size, &o, &s) == 0);
    return s;
}

static void close_all_descriptors(void)
{
    need(close_others(false) == 0);
}

static void need_child_ends_well(pid_t pid)
{
    int status = -1;
    need(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

/* Every call that has to join, or to ask the kernel about control, when control cannot be reached. */
static void need_all_lost(shms_stream *s, bool in_child)
{
    char c = 0;
    int64_t seen = 0;
    FILE *f = NULL;
    shms_info info = {.struct_size = sizeof info};
    need(shms_stream_poll_fd(s) == SHMS_E_LOST);
    need(shms_stream_info(s, &info) == SHMS_E_LOST);
    if (!in_child)
        return;
    need(shms_stream_resize(s, 32) == SHMS_E_LOST && shms_stream_size(s) == 0);
    need(shms_stream_lock(s, 0) == SHMS_E_LOST && shms_stream_lock_shared(s, 0) == SHMS_E_LOST);
    need(shms_stream_unlock(s) == SHMS_E_LOST && shms_stream_repaired(s) == SHMS_E_LOST);
    need(shms_stream_snapshot(s, &c, 1, 0) == SHMS_E_LOST && shms_stream_version(s) == SHMS_E_LOST);
    need(shms_stream_wait(s, &seen, 0) == SHMS_E_LOST && shms_stream_notify(s) == SHMS_E_LOST);
    need(shms_stream_read(s, &c, 1) == SHMS_E_LOST && shms_stream_write(s, &c, 1) == SHMS_E_LOST);
    need(shms_stream_seek(s, 0, SEEK_SET) == SHMS_E_LOST);
    need(shms_stream_save(s, "/tmp/never") == SHMS_E_LOST);
    need(shms_stream_load(s, "/tmp/never") == SHMS_E_LOST);
    need(shms_stream_file(s, "r", &f) == SHMS_E_LOST);
}

/* A child whose descriptors are gone, and whose region has lost its name. */
static int lost_child(int argc, char **argv)
{
    shms_stream *s = NULL;
    FILE *f = NULL;
    need(argc == 2);
    need(shms_stream_open(argv[1], 64, NULL, &s) == 0 && shms_stream_file(s, "r+", &f) == 0);
    need(shms_stream_unlink(argv[1]) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close_all_descriptors();
        need_all_lost(s, true);
        need(fgetc(f) == EOF && errno == EIO);
        need(fseek(f, 1, SEEK_SET) != 0);
        clearerr(f);
        need(fputc('x', f) == EOF || fflush(f) == EOF);
        shms_stream_close(s);
        _exit(0);
    }
    need_child_ends_well(pid);
    fclose(f);
    shms_stream_close(s);
    return 0;
}

/* A member whose descriptors are gone: its name is gone too, or stands for another region now. */
static int lost_member(int argc, char **argv)
{
    char c = 1, file[] = "/tmp/process-test-XXXXXX";
    need(argc == 2);
    int fd = mkstemp(file);
    need(fd >= 0 && write(fd, &c, 1) == 1 && close(fd) == 0);
    for (int taken = 0; taken < 2; taken++) {
        shms_stream *s = open_atomic(argv[1], 64, 128), *other = NULL;
        need(shms_stream_lock(s, 0) == 0);
        need(shms_stream_unlink(argv[1]) == 0);
        if (taken)
            need(shms_stream_open(argv[1], 64, NULL, &other) == 0);
        close_all_descriptors();
        need_all_lost(s, false);
        need(shms_stream_resize(s, 32) == SHMS_E_LOST);
        need(shms_stream_pwrite(s, &c, 1, 0) == SHMS_E_LOST);
        need(shms_stream_load(s, file) == SHMS_E_LOST);
        need(*(char *)shms_stream_memory(s) == 0);
        need(shms_stream_unlock(s) == 0);
        shms_stream_close(s);
        shms_stream_close(other);
    }
    need(unlink(file) == 0);
    return 0;
}

/* Numbers that were closed behind the library's back mean something else now. */
static int stolen_numbers(int argc, char **argv)
{
    char path[200];
    shms_stream *s = NULL, *t = NULL;
    need(argc == 2);
    need(shms_stream_open(argv[1], 64, NULL, &s) == 0);
    int fd = poll_fd_of(s);
    int64_t seen = shms_stream_version(s);
    need(close(fd) == 0 && shms_stream_wait(s, &seen, 0) == SHMS_E_TIMEOUT);
    close_all_descriptors();
    snprintf(path, sizeof path, "/dev/shm/%s-squatter", argv[1]); /* on the same device */
    for (int i = 0; i < 4; i++)
        need(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) >= 0);
    shms_info info = {.struct_size = sizeof info};
    need(shms_stream_info(s, &info) == 0 && info.members == 1);
    need(unlink(path) == 0);
    close_all_descriptors(); /* from now on a mapping alone holds the token */
    need(shms_stream_info(s, &info) == 0 && info.members == 1);
    close_all_descriptors();
    need(shms_stream_open(argv[1], 64, NULL, &t) == 0); /* another handle has the numbers */
    need(shms_stream_info(s, &info) == 0 && info.members == 2);
    need(shms_stream_lock(s, 0) == 0 && shms_stream_lock(t, 0) == SHMS_E_TIMEOUT);
    shms_stream_close(s);
    need(shms_stream_lock(t, 0) == SHMS_OWNER_DIED && shms_stream_unlock(t) == 0);
    shms_stream_close(t);
    return 0;
}

/* A fork when the descriptors are gone: the child finds control by its name. */
static int fork_without_descriptors(int argc, char **argv)
{
    char c = 1;
    need(argc == 2);
    shms_stream *s = open_atomic(argv[1], 64, 0);
    need(shms_stream_lock(s, 0) == 0 && shms_stream_pwrite(s, &c, 1, 0) == 1 && shms_stream_unlock(s) == 0);
    close_all_descriptors();
    pid_t pid = fork();
    if (pid == 0) {
        need(shms_stream_lock_shared(s, 0) == 0 && shms_stream_unlock(s) == 0);
        need(shms_stream_lock(s, 0) == 0 && shms_stream_pwrite(s, &c, 1, 1) == 1);
        need(shms_stream_unlock(s) == 0);
        shms_stream_close(s);
        _exit(0);
    }
    need_child_ends_well(pid);
    pid = fork();
    if (pid == 0) {
        shms_stream_close(s); /* it has a journal of its parent's, and never joined */
        _exit(0);
    }
    need_child_ends_well(pid);
    need(shms_stream_lock(s, 0) == 0 && shms_stream_unlock(s) == 0);
    shms_stream_close(s);
    return 0;
}

/* In one atomic section: a block is saved once, and what was cut off comes back as zeros. */
static int atomic_sections(int argc, char **argv)
{
    static char bytes[4096], read[4096];
    need(argc == 2);
    shms_stream *s = open_atomic(argv[1], sizeof bytes, 4 * sizeof bytes);
    memset(bytes, 7, sizeof bytes);
    need(shms_stream_lock(s, 0) == 0 && shms_stream_pwrite(s, bytes, sizeof bytes, 0) == sizeof bytes);
    need(shms_stream_unlock(s) == 0 && shms_stream_lock(s, 0) == 0);
    need(shms_stream_pwrite(s, bytes, 1, 600) == 1);
    need(shms_stream_pwrite(s, bytes, 2000, 100) == 2000);
    need(shms_stream_resize(s, 1024) == 0 && shms_stream_resize(s, sizeof bytes) == 0);
    need(shms_stream_pread(s, read, sizeof read, 0) == sizeof read);
    for (size_t i = 1024; i < sizeof read; i++)
        need(read[i] == 0);
    need(shms_stream_resize(s, 512) == 0);
    close_all_descriptors();
    need(shms_stream_unlock(s) == 0 && shms_stream_size(s) == 512);
    need(shms_stream_lock(s, 0) == 0 && shms_stream_snapshot(s, read, 1, 512) == 0);
    shms_stream_close(s);
    return 0;
}

static void *unlock_it(void *s)
{
    return shms_stream_unlock(s) == 0 ? s : NULL;
}

/* Calls that are wrong or late, and a wait that is longer than a slice. */
static int odd_calls(int argc, char **argv)
{
    volatile size_t much = SIZE_MAX;
    char c = 0;
    shms_stream *s = NULL, *t = NULL;
    pthread_t thread;
    void *done = NULL;
    need(argc == 2);
    need(shms_stream_open("\xe1\x80\xc0", 64, NULL, &t) == SHMS_E_INVALID);
    need(shms_stream_open(argv[1], 64, NULL, &s) == 0);
    need(shms_stream_snapshot(s, &c, much, 0) == SHMS_E_INVALID);
    int64_t seen = shms_stream_version(s);
    need(shms_stream_wait(s, &seen, 250) == SHMS_E_TIMEOUT);
    need(shms_stream_lock_shared(s, 0) == 0);
    need(pthread_create(&thread, NULL, unlock_it, s) == 0 && pthread_join(thread, &done) == 0 && done == s);
    need(shms_stream_unlock(s) == SHMS_E_NOT_OWNER);
    shms_stream_options far = {.struct_size = sizeof far, .max_size = 1ull << 41, .keep = 1};
    shms_stream_close(s);
    if (shms_stream_open(argv[1], 64, &far, &s) == 0) { /* so much is not believed by who did not ask */
        need(shms_stream_open(argv[1], 64, NULL, &t) == 0);
        need(shms_stream_lock(t, 0) == 0 && shms_stream_resize(t, 128) == SHMS_E_RANGE);
        shms_stream_close(t);
        need(shms_stream_unlink(argv[1]) == 0);
        shms_stream_close(s);
    }
    return 0;
}

/* joins NAME UID CODE: another user opens; the name's data is gone, and control cannot be removed. */
static int joins(int argc, char **argv)
{
    need(argc == 4);
    gid_t id = (gid_t)atoi(argv[2]);
    need(setgroups(0, NULL) == 0 && setresgid(id, id, id) == 0 && setresuid(id, id, id) == 0);
    shms_stream_options o = {.struct_size = sizeof o, .owners = SHMS_OWNER_ANY, .mode = 0666};
    shms_stream *s = NULL;
    need(shms_stream_open(argv[1], 64, &o, &s) == atoi(argv[3]));
    need(shms_stream_open("none", 0, NULL, &s) == SHMS_E_NOT_FOUND); /* who has no private place yet */
    need(shms_stream_unlink("none") == SHMS_E_NOT_FOUND);
    return 0;
}

static void run_role(const char *role)
{
    const char *name = fresh_name();
    struct proc p = start(role, name, NULL);
    finish(&p);
    assert_gone(name);
}

static void test_lost(void **state)
{
    (void)state;
    run_role("lost_child");
    run_role("lost_member");
}

static void test_stolen_numbers(void **state)
{
    (void)state;
    run_role("stolen_numbers");
    run_role("fork_without_descriptors");
}

static void test_sections(void **state)
{
    (void)state;
    run_role("atomic_sections");
}

static void test_odd_calls(void **state)
{
    (void)state;
    run_role("odd_calls");
}

static void test_data_of_another_user_is_gone(void **state)
{
    (void)state;
    char name[100], path[160], uid[16], code[16];
    shms_stream_options o = {.struct_size = sizeof o, .mode = 0666};
    shms_stream *s = NULL, *next = NULL;
    const char *bare = fresh_name();
    if (geteuid() != 0)
        skip();
    snprintf(name, sizeof name, "Global\\%s", bare);
    snprintf(path, sizeof path, "/dev/shm/shms.%s.data", bare);
    snprintf(uid, sizeof uid, "%d", 30000 + (int)getpid() % 30000);
    snprintf(code, sizeof code, "%d", SHMS_E_LOST);
    assert_int_equal(shms_stream_open(name, 64, &o, &s), 0);
    assert_int_equal(unlink(path), 0);
    struct proc p = start("joins", name, uid, code, NULL);
    finish(&p);
    assert_int_equal(shms_stream_open(name, 64, &o, &next), 0); /* who may remove control finishes it */
    assert_int_equal(shms_stream_existed(next), 0);
    shms_stream_close(s);
    shms_stream_close(next);
}

int main(int argc, char **argv)
{
    static const struct role roles[] = {{"lost_child", lost_child},
                                        {"lost_member", lost_member},
                                        {"stolen_numbers", stolen_numbers},
                                        {"fork_without_descriptors", fork_without_descriptors},
                                        {"atomic_sections", atomic_sections},
                                        {"odd_calls", odd_calls},
                                        {"joins", joins},
                                        {NULL, NULL}};
    const struct CMUnitTest tests[] = {
        process_test(test_lost),
        process_test(test_stolen_numbers),
        process_test(test_sections),
        process_test(test_odd_calls),
        process_test(test_data_of_another_user_is_gone),
    };
    roles_begin(argc, argv, roles);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
