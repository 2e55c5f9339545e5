/* SPDX-License-Identifier: MIT */
/* Starting roles, talking with them, and what every test must leave behind: nothing. */
#include "roles.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGUMENTS_MAX 12

/* ---- the side of the roles */

void bounded(void)
{
    alarm(LIFE_S);
}

void roles_begin(int argc, char **argv, const struct role *table)
{
    if (argc < 3 || strcmp(argv[1], "--role") != 0) {
        signal(SIGPIPE, SIG_IGN);
        prctl(PR_SET_CHILD_SUBREAPER, 1); /* what roles fork comes to us when they die */
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bounded();
    if (strcmp(argv[2], "member") == 0)
        _exit(member_role(argc - 2, argv + 2));
    for (; table && table->name; table++)
        if (strcmp(argv[2], table->name) == 0)
            _exit(table->run(argc - 2, argv + 2));
    _exit(127);
}

void say(const char *format, ...)
{
    char line[256];
    va_list list;
    va_start(list, format);
    int n = vsnprintf(line, sizeof line - 1, format, list);
    va_end(list);
    line[n] = '\n';
    if (write(STDOUT_FILENO, line, (size_t)n + 1) < 0)
        _exit(3);
}

/* Gives the length of a line without its end, or -1 at the end of input. */
static int get_line(int fd, char *line, size_t room, int timeout_ms)
{
    size_t n = 0;
    for (int64_t end = now_ms() + timeout_ms; n < room;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (timeout_ms >= 0 && (now_ms() >= end || poll(&p, 1, (int)(end - now_ms())) <= 0)) {
            if (now_ms() >= end)
                return -1;
            continue;
        }
        ssize_t got = read(fd, line + n, 1);
        if (got == 0 || (got < 0 && errno != EINTR))
            return -1;
        if (got == 1 && line[n++] == '\n') {
            line[n - 1] = 0;
            return (int)n - 1;
        }
    }
    return -1;
}

char *hear(void)
{
    static char line[256];
    if (get_line(STDIN_FILENO, line, sizeof line, -1) < 0)
        _exit(3);
    return line;
}

_Noreturn void need_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: role %d needs: %s (last errno of the library: %d)\n", file, line, (int)getpid(),
            what, shms_last_oserror());
    _exit(1);
}

/* glibc has close_range() since 2.34, its headers the second flag since Linux 5.11. */
int close_others(bool on_exec)
{
    return (int)syscall(__NR_close_range, 3, ~0u, on_exec ? 1u << 2 : 0);
}

/* ---- the side of the test */

static void become(char **argv, int in, int out)
{
    signal(SIGPIPE, SIG_DFL);
    if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
        _exit(126);
    close_others(true); /* what we inherited ourselves */
    execv("/proc/self/exe", argv);
    _exit(126);
}

struct proc start(const char *role, ...)
{
    char program[] = "role", flag[] = "--role";
    char *argv[ARGUMENTS_MAX] = {program, flag, (char *)(uintptr_t)role};
    va_list list;
    va_start(list, role);
    for (int i = 3; i < ARGUMENTS_MAX - 1 && (argv[i] = va_arg(list, char *)); i++)
        continue;
    va_end(list);
    int down[2], up[2], gate[2];
    assert_int_equal(pipe2(down, O_CLOEXEC) | pipe2(up, O_CLOEXEC) | pipe2(gate, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0)
        become(argv, down[0], up[1]);
    close(down[0]);
    close(up[1]);
    close(gate[1]);
    char c;
    assert_int_equal(read(gate[0], &c, 1), 0); /* closed by the exec */
    close(gate[0]);
    assert_true(pid > 0);
    return (struct proc){pid, down[1], up[0]};
}

struct proc start_member(const char *name, unsigned size)
{
    struct proc p = start("member", NULL);
    assert_int_equal(ask(&p, "open %s %u", name, size), 0);
    return p;
}

void tell(struct proc *p, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vdprintf(p->to, format, list);
    va_end(list);
    dprintf(p->to, "\n");
}

void read_line(struct proc *p, char *ret_line, size_t room)
{
    int status = 0;
    if (get_line(p->from, ret_line, room, BOUND_MS) < 0) {
        pid_t ended = 0; /* who has just ended may take a moment to be seen to */
        for (int64_t end = now_ms() + 1000; ended == 0 && now_ms() < end; rest())
            ended = waitpid(p->pid, &status, WNOHANG);
        fail_msg("no line from role %d, which %s %#x", (int)p->pid, ended ? "ended, status" : "lives",
                 (unsigned)status);
    }
}

long long answer(struct proc *p)
{
    char line[256];
    read_line(p, line, sizeof line);
    return atoll(line);
}

long long ask(struct proc *p, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vdprintf(p->to, format, list);
    va_end(list);
    dprintf(p->to, "\n");
    return answer(p);
}

void expect_line(struct proc *p, const char *line)
{
    char got[256];
    read_line(p, got, sizeof got);
    assert_string_equal(got, line);
}

static void hang_up(struct proc *p)
{
    close(p->to);
    close(p->from);
}

int end_of(struct proc *p)
{
    int status = 0;
    pid_t got = 0;
    for (int64_t end = now_ms() + BOUND_MS; got == 0 && now_ms() < end; rest())
        got = waitpid(p->pid, &status, WNOHANG);
    hang_up(p);
    assert_int_equal(got, p->pid);
    return status;
}

void finish(struct proc *p)
{
    assert_int_equal(end_of(p), 0);
}

void kill_proc(struct proc *p)
{
    assert_int_equal(kill(p->pid, SIGKILL), 0);
    assert_int_equal(waitpid(p->pid, NULL, 0), p->pid);
    hang_up(p);
}

int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void rest(void)
{
    struct timespec t = {.tv_nsec = 200000};
    nanosleep(&t, NULL);
}

unsigned count_from(const char *variable, unsigned otherwise)
{
    const char *text = getenv(variable);
    return text && atoi(text) > 0 ? (unsigned)atoi(text) : otherwise;
}

int poll_fd_of(shms_stream *s)
{
    int fd;
    int64_t end = now_ms() + BOUND_MS / 3;
    while ((fd = shms_stream_poll_fd(s)) == SHMS_E_OS && shms_last_oserror() == EMFILE && now_ms() < end)
        rest();
    return fd;
}

const char *fresh_name(void)
{
    static char names[8][64];
    static unsigned n;
    char *name = names[n++ % 8];
    snprintf(name, sizeof names[0], "process-test-%d-%u", (int)getpid(), n);
    return name;
}

void region_path(const char *name, const char *ending, char *ret, size_t room)
{
    if (strncmp(name, "Global\\", 7) == 0)
        snprintf(ret, room, "/dev/shm/shms.%s.%s", name + 7, ending);
    else
        snprintf(ret, room, "/dev/shm/shms-%u/%s.%s", (unsigned)geteuid(), name, ending);
}

shms_stream *open_here(const char *name, uint64_t size)
{
    shms_stream *s = NULL;
    assert_int_equal(shms_stream_open(name, size, NULL, &s), 0);
    return s;
}

void assert_gone(const char *name)
{
    shms_stream *s = NULL;
    assert_int_equal(shms_stream_open(name, 0, NULL, &s), SHMS_E_NOT_FOUND);
}

shms_info info_of(shms_stream *s)
{
    shms_info info = {.struct_size = sizeof info};
    assert_int_equal(shms_stream_info(s, &info), 0);
    return info;
}
