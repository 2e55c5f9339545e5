/* SPDX-License-Identifier: MIT */
/* Processes that are led by the instruction. */
#include "crash.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct stage *stage;

/*
 * In place of the C library's, which reads the time from a page of the kernel's, and again if that was
 * updated meanwhile: led by the instruction it would never come to an end.
 */
int clock_gettime(clockid_t clock, struct timespec *ret)
{
    return (int)syscall(SYS_clock_gettime, clock, ret);
}

static _Noreturn void give_up(const char *what)
{
    printf("FAIL: %s: %s\n", what, strerror(errno));
    exit(2);
}

void trace_setup(void)
{
    stage = mmap(NULL, sizeof *stage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (stage == MAP_FAILED)
        give_up("mmap");
}

/* A container may forbid it. */
static void begin_traced(void)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
        _exit(77);
    raise(SIGSTOP);
}

static void await_stop(pid_t pid, int signal)
{
    int status = 0;
    if (waitpid(pid, &status, 0) != pid)
        give_up("waitpid");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        printf("SKIP: processes must not be traced here\n");
        exit(77);
    }
    if (!WIFSTOPPED(status) || (signal && WSTOPSIG(status) != signal)) {
        printf("FAIL: %s: the tracee stopped with status %#x\n", now_playing->name, (unsigned)status);
        exit(2);
    }
}

static void proceed(pid_t pid, int request)
{
    if (request == PTRACE_CONT ? ptrace(PTRACE_CONT, pid, NULL, NULL)
        : request == PTRACE_SYSCALL ? ptrace(PTRACE_SYSCALL, pid, NULL, NULL)
                                    : ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL))
        give_up("ptrace");
}

pid_t spawn_tracee(const struct scene *sc, shms_stream *inherited)
{
    memset(stage, 0, sizeof *stage);
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        give_up("fork");
    if (pid == 0) {
        begin_traced();
        tracee_main(sc, inherited);
    }
    await_stop(pid, SIGSTOP);
    if (ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL))
        give_up("ptrace");
    return pid;
}

void tracee_ready(void)
{
    raise(SIGSTOP);
}

void await_ready(pid_t pid)
{
    proceed(pid, PTRACE_CONT);
    await_stop(pid, SIGSTOP);
}

bool step(pid_t pid)
{
    proceed(pid, PTRACE_SINGLESTEP);
    await_stop(pid, SIGTRAP);
    return a32_load_relaxed(&stage->done) == 0; /* relaxed: the tracee is stopped */
}

bool step_to_system_call(pid_t pid)
{
    proceed(pid, PTRACE_SYSCALL);
    await_stop(pid, SIGTRAP);
    return a32_load_relaxed(&stage->done) == 0; /* relaxed: the tracee is stopped */
}

void go_on(pid_t pid, int signal)
{
    int status = 0;
    do { /* a signal that is blocked just now comes later, with a stop of its own */
        if (ptrace(PTRACE_CONT, pid, NULL, signal) || waitpid(pid, &status, 0) != pid)
            give_up("a tracee that goes on");
    } while (signal && WIFSTOPPED(status) && WSTOPSIG(status) == signal);
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP) {
        printf("FAIL: %s: the tracee ended with status %#x\n", now_playing->name, (unsigned)status);
        exit(2);
    }
}

void reach_start(pid_t pid)
{
    while (a32_load_relaxed(&stage->phase) == 0) /* relaxed: the tracee is stopped */
        step(pid);
}

void end_tracee(pid_t pid)
{
    int status = 0;
    kill(pid, SIGKILL);
    if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
        give_up("a killed tracee");
}

void die_in_a_child(const struct scene *sc)
{
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        die_in_section(sc);
        raise(SIGKILL);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
        give_up("a process that dies");
}
