/* SPDX-License-Identifier: MIT */
/*
 * Wake-ups are sent, not only found out after a slice: a sleeper by the shared format (doc/format.md) that
 * never looks for itself sleeps on the cell and on the version, as another library of the same format may.
 */
#include "roles.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CELL 64
#define VERSION 96
#define WAITERS (UINT64_C(1) << 31)
#define CHANGE (UINT64_C(1) << 30)

static unsigned char *map_control(const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "/dev/shm/shms-%u/%s.ctl", (unsigned)geteuid(), name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(p != MAP_FAILED);
    close(fd);
    return p;
}

/* Sleep on the low half of the word at `offset` while it is `value`. */
static bool sleep_until_woken(unsigned char *control, unsigned offset, uint64_t value)
{
    struct timespec t = {.tv_sec = BOUND_MS / 1000};
    const uint16_t one = 1;
    unsigned low = *(const unsigned char *)&one ? 0 : 4;
    long rc;
    do
        rc = syscall(SYS_futex, control + offset + low, FUTEX_WAIT, (uint32_t)value, &t, NULL, 0);
    while (rc < 0 && errno == EINTR);
    return rc == 0;
}

/* Announces itself by `flag` in the cell, has `p` do `last` while it sleeps on `offset`. */
static void sleeps_and_is_woken(struct proc *p, unsigned char *control, unsigned offset, uint64_t flag,
                                const char *last)
{
    _Atomic uint64_t *cell = (_Atomic uint64_t *)(void *)(control + CELL);
    _Atomic uint64_t *word = (_Atomic uint64_t *)(void *)(control + offset);
    atomic_fetch_or(cell, flag);
    uint64_t value = atomic_load(word);
    tell(p, "after %d %s", (int)getpid(), last); /* not before we are asleep */
    assert_true(sleep_until_woken(control, offset, value));
    assert_int_equal(answer(p), 0);
    assert_int_equal(atomic_load(cell) & flag, 0);
}

static void test_unlock_wakes(void **state)
{
    (void)state;
    const char *name = fresh_name();
    shms_stream *s = open_here(name, 64);
    unsigned char *control = map_control(name);
    struct proc p = start_member(name, 64);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ask(&p, "lock -1"), 0);
        sleeps_and_is_woken(&p, control, CELL, WAITERS, "unlock");
        assert_int_equal(ask(&p, "lock -1"), 0);
        assert_true(ask(&p, "write 0 1") > 0);
        sleeps_and_is_woken(&p, control, VERSION, CHANGE, "unlock");
        sleeps_and_is_woken(&p, control, VERSION, CHANGE, "notify");
    }
    assert_int_equal(ask(&p, "lock -1"), 0);
    sleeps_and_is_woken(&p, control, CELL, WAITERS, "close");
    munmap(control, 4096);
    shms_stream_close(s);
    kill_proc(&p);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {process_test(test_unlock_wakes)};
    roles_begin(argc, argv, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
