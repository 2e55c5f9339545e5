/* SPDX-License-Identifier: MIT */
/*
 * Process tests: a program starts itself again as `prog --role NAME ARGUMENT...` and talks with these roles
 * by lines, down their standard input and up their standard output. Whatever is started ends with the test.
 */
#ifndef ROLES_H
#define ROLES_H

#include "shmstream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#define BOUND_MS 30000 /* longest wait for something that must come */
#define LIFE_S 100     /* longest life of anything started */

/* ---- the side of the roles */

struct role {
    const char *name;
    int (*run)(int argc, char **argv); /* its arguments, the name first; gives the exit status */
};

/* To be called first in main; it does not return where the program was started as a role. The role "member"
 * (member.c) is known to every program. A table ends with a nameless entry; NULL: no roles of its own. */
void roles_begin(int argc, char **argv, const struct role *table);

void say(const char *format, ...) __attribute__((format(printf, 1, 2))); /* one line */
char *hear(void);      /* one line; the end of input ends the process */
void bounded(void);    /* in a child that a role forked: its life is bounded too */
/* Close all descriptors from 3 on; or only mark them to be closed by exec. */
int close_others(bool on_exec);
/* Where a test would assert: the process says what was wrong and exits. */
#define need(condition) ((condition) ? (void)0 : need_failed(#condition, __FILE__, __LINE__))
_Noreturn void need_failed(const char *what, const char *file, int line);

/* ---- the side of the test */

struct proc {
    pid_t pid;
    int to;
    int from;
};

/* NULL ends the arguments. The program image is the role's when this returns. */
struct proc start(const char *role, ...) __attribute__((sentinel));
struct proc start_member(const char *name, unsigned size); /* one that has opened the region */
void tell(struct proc *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void read_line(struct proc *p, char *ret_line, size_t room);
long long answer(struct proc *p); /* the next line, a number */
long long ask(struct proc *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void expect_line(struct proc *p, const char *line);
int end_of(struct proc *p);     /* waits for its end; the status of waitpid */
void finish(struct proc *p);    /* the same; it must have exited with 0 */
void kill_proc(struct proc *p); /* SIGKILL, and reaped */

/* Fixtures of each test: nothing that was started lives on, no name, descriptor or mapping is left. */
int test_setup(void **state);
int test_teardown(void **state);
#define process_test(f) cmocka_unit_test_setup_teardown(f, test_setup, test_teardown)

const char *fresh_name(void); /* of no region yet; nobody else's */
/* Of this user's region: its file, "ctl" or "data". */
void region_path(const char *name, const char *ending, char *ret, size_t room);
shms_stream *open_here(const char *name, uint64_t size);
void assert_gone(const char *name); /* no region of that name, and none is made by looking */
shms_info info_of(shms_stream *s);
pid_t child_of(pid_t pid); /* the first; 0: none */
/* How many files of our names (or of one region, by its control file) are there or open. */
unsigned open_descriptors(pid_t pid);  /* 0: this process */
unsigned region_mappings(pid_t pid);
/* A /dev/shm of this process and of what it starts, where that is allowed; options as for mount. */
bool have_own_shm(const char *options);
struct used {
    uint64_t blocks, inodes;
};
struct used memory_used(void); /* of /dev/shm */
/* Wait until a condition holds, at most BOUND_MS. */
#define await(condition) \
    do { \
        int64_t await_end = now_ms() + BOUND_MS; \
        bool await_held; \
        while (!(await_held = (condition)) && now_ms() < await_end) \
            rest(); \
        if (!await_held) \
            fail_msg("in vain: %s", #condition); \
    } while (0)
int64_t now_ms(void);
void rest(void); /* a moment, between two looks at a condition */
unsigned count_from(const char *variable, unsigned otherwise); /* how often, from the environment */

/* shms_stream_poll_fd, again while the user's limit of inotify instances is reached: other tests run, too. */
int poll_fd_of(shms_stream *s);

/* The memory of a process that AddressSanitizer lives in cannot be limited or counted. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

int member_role(int argc, char **argv);

#endif
