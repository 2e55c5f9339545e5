/* SPDX-License-Identifier: MIT */
/* unnamed.c and memfd.c: regions that are passed as descriptors, sealed, and some of them to be read only. */
#include "child.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SIZE 5000u

static shms_stream *unit_open_fd(int fd, const shms_stream_options *options)
{
    shms_stream *s = NULL;
    assert_int_equal(shms_stream_open_fd(fd, options, &s), 0);
    return s;
}

static int refused_fd(int fd, const shms_stream_options *options)
{
    shms_stream *s = NULL;
    int rc = shms_stream_open_fd(fd, options, &s);
    shms_stream_close(s);
    return rc;
}

/* A second handle, as another process would get it. */
static shms_stream *pass(shms_stream *s, const shms_stream_options *options)
{
    int fd = shms_stream_fd(s);
    assert_true(fd >= 0);
    shms_stream *other = unit_open_fd(fd, options);
    close(fd);
    return other;
}

static shms_info info_of(shms_stream *s)
{
    shms_info info = {.struct_size = sizeof info};
    assert_int_equal(shms_stream_info(s, &info), 0);
    return info;
}

/* ---- alone and together */

static void one_handle(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NULL, SIZE, NULL);
    char buf[8] = "";
    int64_t seen = 0;
    assert_int_equal(shms_stream_existed(s), 0);
    assert_int_equal(shms_stream_size(s), SIZE);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_pwrite(s, "bytes", 6, SIZE - 6), 6);
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(shms_stream_snapshot(s, buf, sizeof buf, SIZE - 6), 6);
    assert_string_equal(buf, "bytes");
    assert_int_equal(shms_stream_wait(s, &seen, 0), 0);
    assert_int_equal(seen, 2);
    shms_info info = info_of(s);
    assert_int_equal(info.members, 1);
    assert_int_equal(info.size, SIZE);
    assert_int_equal(info.max_size, SIZE);
    assert_int_equal(info.mode, 0600);
    assert_int_equal(info.uid, geteuid());
    assert_true(info.memory_bytes >= LAYOUT_CONTROL_SIZE + SIZE);
    shms_stream_close(s);
}

static void two_handles(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NULL, SIZE, NULL);
    shms_stream *t = pass(s, NULL);
    shms_stream *reader = pass(t, OPTIONS(.access = SHMS_ACCESS_READ));
    char buf[6] = "";
    assert_int_equal(shms_stream_existed(t), 1);
    assert_int_equal(shms_stream_size(t), SIZE);
    assert_int_equal(info_of(t).members, 3);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_lock(t, 0), SHMS_E_TIMEOUT);
    assert_int_equal(shms_stream_pwrite(s, "bytes", 6, 0), 6);
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(shms_stream_lock_shared(reader, 0), 0);
    assert_int_equal(shms_stream_lock(t, 0), SHMS_E_TIMEOUT);
    assert_int_equal(shms_stream_pread(reader, buf, 6, 0), 6);
    assert_string_equal(buf, "bytes");
    assert_int_equal(shms_stream_unlock(reader), 0);
    assert_int_equal(shms_stream_write(reader, "x", 1), SHMS_E_READ_ONLY);
    shms_stream_close(s); /* it ends with the last, whoever made it */
    assert_int_equal(shms_stream_lock(t, 0), 0);
    shms_stream_close(t);
    assert_int_equal(shms_stream_lock(reader, 0), SHMS_OWNER_DIED);
    shms_stream_close(reader);
}

static void poll_descriptor(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NULL, SIZE, NULL);
    shms_stream *t = pass(s, NULL);
    shms_stream *all[] = {s, t};
    for (int i = 0; i < 2; i++) { /* each way: the first opening of the memory is the special one */
        int64_t seen = shms_stream_version(all[i]);
        struct pollfd p = {.fd = shms_stream_poll_fd(all[i]), .events = POLLIN};
        assert_true(p.fd >= 0);
        while (shms_stream_wait(all[i], &seen, 0) == 0)
            ;
        assert_int_equal(poll(&p, 1, 0), 0);
        assert_int_equal(shms_stream_notify(all[1 - i]), 0);
        assert_int_equal(poll(&p, 1, 20000), 1);
    }
    shms_stream_close(s);
    shms_stream_close(t);
}

static void resize(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NULL, SIZE, OPTIONS(.max_size = SIZE));
    shms_stream *t = pass(s, NULL);
    char *bytes = shms_stream_memory(t);
    memset(bytes, 7, SIZE);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_resize(s, SIZE + 1), SHMS_E_RANGE);
    assert_int_equal(shms_stream_resize(s, 100), 0);
    assert_int_equal(shms_stream_size(t), 100);
    assert_int_equal(bytes[99], 7);
    assert_int_equal(bytes[100], 0);
    assert_int_equal(shms_stream_resize(s, SIZE), 0);
    assert_int_equal(shms_stream_size(t), SIZE);
    assert_int_equal(bytes[99], 7);
    assert_int_equal(bytes[100] | bytes[SIZE - 1], 0);
    shms_stream_close(s);
    shms_stream_close(t);
}

static void wrong_requests(void **state)
{
    (void)state;
    shms_stream *s = NULL;
    assert_int_equal(unit_refused(NULL, 0, NULL), SHMS_E_INVALID);
    assert_int_equal(unit_refused(NULL, 1, OPTIONS(.create = SHMS_OPEN_ONLY)), SHMS_E_INVALID);
    assert_int_equal(unit_refused(NULL, 1, OPTIONS(.keep = 1)), SHMS_E_INVALID);
    assert_int_equal(unit_refused(NULL, 1, OPTIONS(.owners = SHMS_OWNER_ROOT)), SHMS_E_INVALID);
    assert_int_equal(unit_refused(NULL, 1, OPTIONS(.max_size = 2)), SHMS_E_INVALID);
    assert_int_equal(unit_refused(NULL, 1, OPTIONS(.mode = 0440)), SHMS_E_INVALID);
    assert_int_equal(unit_refused(NULL, 1, OPTIONS(.atomic = 1)), SHMS_E_UNSUPPORTED);
    assert_int_equal(unit_refused(NAME, 1, OPTIONS(.mode = 0400)), SHMS_E_INVALID);
    assert_int_equal(shms_stream_open(NULL, 1, NULL, NULL), SHMS_E_INVALID);
    assert_int_equal(shms_stream_fd(NULL), SHMS_E_INVALID);
    s = unit_open(NAME, 1, NULL);
    assert_int_equal(shms_stream_fd(s), SHMS_E_UNSUPPORTED);
    shms_stream_close(s);
    s = unit_open(NULL, 1, OPTIONS(.create = SHMS_CREATE_ONLY, .sparse = 1));
    int fd = shms_stream_fd(s);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(refused_fd(fd, OPTIONS(.create = SHMS_CREATE_ONLY)), SHMS_E_INVALID);
    assert_int_equal(refused_fd(fd, OPTIONS(.max_size = 1)), SHMS_E_INVALID);
    assert_int_equal(refused_fd(fd, OPTIONS(.keep = 1)), SHMS_E_INVALID);
    assert_int_equal(refused_fd(fd, OPTIONS(.sparse = 1)), SHMS_E_INVALID);
    assert_int_equal(refused_fd(fd, OPTIONS(.atomic = 1)), SHMS_E_UNSUPPORTED);
    assert_int_equal(shms_stream_open_fd(fd, NULL, NULL), SHMS_E_INVALID);
    shms_stream_close(unit_open_fd(fd, OPTIONS(.create = SHMS_OPEN_ONLY)));
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC); /* it is the caller's */
    close(fd);
    shms_stream_close(s);
}

/* ---- what somebody else may pass */

static int sealed_memory(uint64_t size, const void *bytes, size_t n, int seals)
{
    int fd = memfd_create("stranger", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(fchmod(fd, 0600) | ftruncate(fd, (off_t)size), 0);
    assert_int_equal(pwrite(fd, bytes, n, 0), n);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void refused_and_closed(int fd, int code)
{
    assert_true(fd >= 0);
    assert_int_equal(refused_fd(fd, NULL), code);
    assert_int_equal(refused_fd(fd, OPTIONS(.access = SHMS_ACCESS_READ)), code);
    close(fd);
    assert_int_equal(refused_fd(fd, NULL), SHMS_E_INVALID);
}

static void other_descriptors(void **state)
{
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    static struct control c;
    int pipes[2];
    (void)state;
    assert_int_equal(refused_fd(-1, NULL), SHMS_E_INVALID);
    assert_int_equal(pipe(pipes), 0);
    refused_and_closed(pipes[0], SHMS_E_DENIED);
    refused_and_closed(pipes[1], SHMS_E_DENIED);
    refused_and_closed(open("/dev/shm", O_TMPFILE | O_RDWR, 0600), SHMS_E_DENIED);
    refused_and_closed(open("/proc/self/exe", O_RDONLY), SHMS_E_DENIED);
    shms_stream *s = unit_open(NULL, SIZE, NULL);
    c = *s->section.member.region.control;
    refused_and_closed(sealed_memory(65536 + SIZE, &c, sizeof c, F_SEAL_SEAL), SHMS_E_DENIED);
    refused_and_closed(sealed_memory(65536 + SIZE, &c, sizeof c, seals & ~F_SEAL_GROW), SHMS_E_DENIED);
    refused_and_closed(sealed_memory(65536 + SIZE, &c, sizeof c, seals & ~F_SEAL_SHRINK), SHMS_E_DENIED);
    refused_and_closed(sealed_memory(65536 + SIZE, &c, 64, seals), SHMS_E_CORRUPT);
    refused_and_closed(sealed_memory(65536 + SIZE, "", 1, seals), SHMS_E_FORMAT);
    refused_and_closed(sealed_memory(65536, &c, sizeof c, seals), SHMS_E_FORMAT);
    refused_and_closed(sealed_memory(100, &c, 100, seals), SHMS_E_FORMAT);
    refused_and_closed(sealed_memory(65536 + SIZE - 1, &c, sizeof c, seals), SHMS_E_CORRUPT);
    int fd = shms_stream_fd(s);
    assert_int_equal(fchmod(fd, 0620), 0);
    refused_and_closed(fd, SHMS_E_DENIED);
    shms_stream_close(pass(s, OPTIONS(.mode = 0620)));
    shms_stream_close(s);
}

/* No member can make the others' memory go away, or be longer than they mapped. */
static void nobody_takes_memory(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NULL, SIZE, NULL);
    int fd = shms_stream_fd(s);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(ftruncate(fd, st.st_size + 1), -1);
    assert_int_equal(fallocate(fd, 0, 0, st.st_size + 4096), -1);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    assert_int_equal(st.st_size, LAYOUT_UNNAMED_DATA + SIZE);
    close(fd);
    shms_stream_close(s);
}

/* A peer that makes up a journal, or any size. */
static void a_hostile_member(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NULL, SIZE, NULL);
    shms_stream *t = pass(s, NULL);
    struct control *c = t->section.member.region.control;
    struct record r = {{0}, {64}};
    a64_store_relaxed(&c->journal_used, 4096);
    a32_store_relaxed(&c->died, DIED_OWED);
    memcpy(shms_stream_memory(t), &r, sizeof r);
    assert_int_equal(shms_stream_lock(s, 0), SHMS_OWNER_DIED);
    assert_memory_equal(shms_stream_memory(s), &r, sizeof r);
    assert_int_equal(shms_stream_repaired(s), 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    a64_store_relaxed(&c->size, UINT64_MAX);
    assert_int_equal(shms_stream_size(s), SIZE);
    shms_stream_close(s);
    shms_stream_close(t);
}

/* ---- other processes */

static int dies_holding(void *fd)
{
    shms_stream *s = NULL;
    EXPECT(shms_stream_open_fd(*(int *)fd, NULL, &s) == 0);
    EXPECT(shms_stream_lock(s, 0) == 0);
    return shms_stream_pwrite(s, "half", 4, 0) == 4 ? 9 : 1;
}

static void the_dead_are_found(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NULL, SIZE, NULL);
    int fd = shms_stream_fd(s);
    assert_int_equal(unit_child(dies_holding, &fd, 0), 9);
    assert_int_equal(shms_stream_lock(s, 0), SHMS_OWNER_DIED);
    assert_memory_equal(shms_stream_memory(s), "half", 4);
    assert_int_equal(info_of(s).members, 1);
    close(fd);
    shms_stream_close(s);
}

static int child_takes_part(void *stream)
{
    shms_stream *s = stream;
    EXPECT(shms_stream_lock(s, 0) == SHMS_E_TIMEOUT); /* the parent's */
    EXPECT(info_of(s).members == 2);
    int fd = shms_stream_fd(s);
    EXPECT(fd >= 0);
    shms_stream *again = NULL;
    EXPECT(shms_stream_open_fd(fd, NULL, &again) == 0);
    EXPECT(shms_stream_notify(again) == 0);
    return 0;
}

static void a_forked_child(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NULL, SIZE, NULL);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(unit_child(child_takes_part, s, 0), 0);
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(info_of(s).members, 1);
    shms_stream_close(s);
}

static int is_given_nothing(void *fd)
{
    EXPECT(refused_fd(*(int *)fd, OPTIONS(.owners = SHMS_OWNER_ANY, .mode = 0666)) == SHMS_E_DENIED);
    EXPECT(refused_fd(*(int *)fd, NULL) == SHMS_E_DENIED); /* another's */
    return 0;
}

static int joins_as_stranger(void *fd)
{
    shms_stream *s = NULL;
    EXPECT(refused_fd(*(int *)fd, OPTIONS(.owners = SHMS_OWNER_ROOT)) == SHMS_E_DENIED); /* 0600 at most */
    EXPECT(refused_fd(*(int *)fd, OPTIONS(.mode = 0666)) == SHMS_E_DENIED);              /* root's */
    EXPECT(shms_stream_open_fd(*(int *)fd, OPTIONS(.owners = SHMS_OWNER_ROOT, .mode = 0666), &s) == 0);
    EXPECT(shms_stream_lock(s, 0) == 0);
    return 0;
}

static void other_users(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    shms_stream *s = unit_open(NULL, SIZE, NULL);
    int fd = shms_stream_fd(s);
    assert_int_equal(unit_child(is_given_nothing, &fd, STRANGER), 0);
    close(fd);
    shms_stream_close(s);
    s = unit_open(NULL, SIZE, OPTIONS(.mode = 0666));
    fd = shms_stream_fd(s);
    assert_int_equal(unit_child(joins_as_stranger, &fd, STRANGER), 0);
    close(fd);
    assert_int_equal(shms_stream_lock(s, 0), SHMS_OWNER_DIED);
    shms_stream_close(s);
}

static void descriptors_closed_behind_our_back(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NULL, SIZE, NULL);
    shms_stream *t = pass(s, NULL);
    close(s->section.member.region.control_file.fd);
    assert_int_equal(shms_stream_lock(s, 0), 0);
    assert_int_equal(shms_stream_lock(t, 0), SHMS_E_TIMEOUT); /* the mapping holds the token */
    assert_int_equal(shms_stream_resize(s, 1), SHMS_E_LOST);
    assert_int_equal(shms_stream_fd(s), SHMS_E_LOST);
    assert_int_equal(shms_stream_unlock(s), 0);
    shms_stream_close(s);
    shms_stream_close(t);
}

/* ---- to be read only */

/* Whoever has the descriptor tries to write by it. */
static int cannot_write(void *descriptor)
{
    int fd = *(int *)descriptor;
    char own[64];
    snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
    EXPECT((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY);
    EXPECT(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    bool owner = fchmod(fd, 0666) == 0;
    int again = open(own, O_RDWR | O_CLOEXEC);
    EXPECT(owner || again < 0);
    if (again >= 0) { /* the owner, and root, may open it so, and no more */
        EXPECT(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, again, 0) == MAP_FAILED);
        EXPECT(pwrite(again, "x", 1, 0) == -1);
        EXPECT(fallocate(again, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 65536) == -1);
        EXPECT(ftruncate(again, 0) == -1);
        close(again);
    }
    void *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    EXPECT(p != MAP_FAILED && mprotect(p, 4096, PROT_READ | PROT_WRITE) == -1);
    munmap(p, 4096);
    EXPECT(refused_fd(fd, OPTIONS(.owners = SHMS_OWNER_ANY, .mode = 0666)) == SHMS_E_DENIED);
    return 0;
}

static int reads_only(void *descriptor)
{
    shms_stream *s = NULL;
    char buf[6] = "";
    int64_t seen = 0;
    shms_stream_options *o = OPTIONS(.owners = SHMS_OWNER_ANY, .access = SHMS_ACCESS_READ, .mode = 0666);
    EXPECT(shms_stream_open_fd(*(int *)descriptor, o, &s) == 0);
    EXPECT(shms_stream_existed(s) == 1 && shms_stream_size(s) == SIZE);
    EXPECT(shms_stream_pread(s, buf, 6, 0) == 6 && strcmp(buf, "bytes") == 0);
    EXPECT(shms_stream_lock(s, 0) == SHMS_E_DENIED && shms_stream_lock_shared(s, 0) == SHMS_E_DENIED);
    EXPECT(shms_stream_snapshot(s, buf, 6, 0) == SHMS_E_DENIED);
    EXPECT(shms_stream_wait(s, &seen, 0) == SHMS_E_DENIED && shms_stream_version(s) == SHMS_E_DENIED);
    EXPECT(shms_stream_poll_fd(s) == SHMS_E_DENIED);
    EXPECT(shms_stream_pwrite(s, "x", 1, 0) == SHMS_E_READ_ONLY);
    int fd = shms_stream_fd(s); /* and passes on what it has */
    EXPECT(fd >= 0 && cannot_write(&fd) == 0);
    shms_stream_close(s);
    close(fd);
    return 0;
}

static int child_of_the_writer(void *stream)
{
    shms_stream *s = stream;
    char buf[6];
    EXPECT(shms_stream_lock(s, 0) == SHMS_E_DENIED);
    EXPECT(shms_stream_pread(s, buf, 6, 0) == SHMS_E_DENIED);
    EXPECT(shms_stream_fd(s) == SHMS_E_DENIED);
    EXPECT(memcmp(shms_stream_memory(s), "bytes", 6) == 0);
    shms_stream_close(s);
    return 0;
}

static void frozen(void **state)
{
    (void)state;
    shms_stream *s = unit_open(NULL, SIZE, OPTIONS(.mode = 0400));
    int fd = shms_stream_fd(s);
    assert_true(fd >= 0);
    assert_int_equal(shms_stream_lock(s, 0), 0); /* the creator writes, now and later */
    assert_int_equal(shms_stream_pwrite(s, "bytes", 6, 0), 6);
    assert_int_equal(unit_child(child_of_the_writer, s, 0), 0);
    assert_int_equal(shms_stream_resize(s, 100), SHMS_E_DENIED);
    assert_int_equal(shms_stream_size(s), SIZE);
    assert_int_equal(shms_stream_unlock(s), 0);
    assert_int_equal(shms_stream_poll_fd(s), SHMS_E_UNSUPPORTED);
    assert_int_equal(reads_only(&fd), 0); /* the same user */
    assert_int_equal(info_of(s).mode, 0666); /* as it has just changed it: that helps nobody */
    assert_int_equal(fchmod(fd, 0400), 0);
    if (geteuid() == 0) {
        assert_int_equal(unit_child(cannot_write, &fd, STRANGER), 0);
        assert_int_equal(unit_child(reads_only, &fd, STRANGER), 0);
    }
    assert_int_equal(info_of(s).members, 1);
    shms_stream_close(s);
    assert_int_equal(reads_only(&fd), 0); /* what it left can still be read */
    close(fd);
}

/* The same for an owner that is not root. */
static int freezes_for_itself(void *unused)
{
    shms_stream *s = NULL;
    (void)unused;
    EXPECT(shms_stream_open(NULL, SIZE, OPTIONS(.mode = 0400), &s) == 0);
    EXPECT(shms_stream_pwrite(s, "bytes", 6, 0) == 6);
    int fd = shms_stream_fd(s);
    EXPECT(fd >= 0 && cannot_write(&fd) == 0 && fchmod(fd, 0400) == 0 && reads_only(&fd) == 0);
    EXPECT(fchmod(fd, 0400) == 0);
    EXPECT(unit_child(child_of_the_writer, s, 0) == 0);
    shms_stream_close(s);
    return 0;
}

static void frozen_by_a_user(void **state)
{
    (void)state;
    assert_int_equal(unit_child(freezes_for_itself, NULL, geteuid() == 0 ? STRANGER : 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_handle),         TEST(two_handles),     TEST(poll_descriptor),
        TEST(resize),             TEST(wrong_requests),  TEST(other_descriptors),
        TEST(nobody_takes_memory), TEST(a_hostile_member), TEST(the_dead_are_found),
        TEST(a_forked_child),     TEST(other_users),     TEST(descriptors_closed_behind_our_back),
        TEST(frozen),             TEST(frozen_by_a_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
