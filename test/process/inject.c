/* SPDX-License-Identifier: MIT */
#include "inject.h"

#include "roles.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK SYS_getppid /* nothing in the library or libc calls it */

void inject_offer(void)
{
    need(ptrace(PTRACE_TRACEME, 0, 0, 0) == 0);
    raise(SIGSTOP);
}

void inject_mark(void)
{
    syscall(MARK);
}

#if INJECT_CAN

/* Go on to the next entry into, or return from, a system call. */
static void next_stop(pid_t pid)
{
    int status = 0;
    assert_int_equal(ptrace(PTRACE_SYSCALL, pid, 0, 0), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != (SIGTRAP | 0x80))
        fail_msg("the traced process ended or got a signal, status %#x", (unsigned)status);
}

static struct user_regs_struct registers(pid_t pid)
{
    struct user_regs_struct r;
    assert_int_equal(ptrace(PTRACE_GETREGS, pid, 0, &r), 0);
    return r;
}

static bool unlocks(pid_t pid, const struct user_regs_struct *r)
{
    long lock = ptrace(PTRACE_PEEKDATA, pid, (void *)r->rdx, 0);
    return (int)r->rsi == F_OFD_SETLK && (short)(lock & 0xffff) == F_UNLCK;
}

/* Calls that Linux never fails so, or that change something even when they answer an error. */
static bool exempt(pid_t pid, const struct user_regs_struct *r, int error)
{
    switch ((long)r->orig_rax) {
    case SYS_close:
    case SYS_munmap:
    case SYS_getpid:
    case SYS_gettid:
    case SYS_geteuid:
    case SYS_fstat: /* of a descriptor of tmpfs; where it fails, the number is not ours */
        return true;
    case SYS_newfstatat:
        return ((int)r->r10 & AT_EMPTY_PATH) || error == EINTR;
    case SYS_fcntl:
        return unlocks(pid, r) || error == EINTR;
    case SYS_fallocate:
    case SYS_pread64:
        return false;
    case SYS_mmap: /* of the sanitizer's own memory */
        return error == EINTR || (SANITIZED && (int)r->r8 < 0);
    default:
        return error == EINTR;
    }
}

/* At the entry into a call: skip it, and let it answer the error. */
static void fail_call(pid_t pid, struct user_regs_struct r, int error)
{
    r.orig_rax = ~0ull;
    assert_int_equal(ptrace(PTRACE_SETREGS, pid, 0, &r), 0);
    next_stop(pid);
    r = registers(pid);
    r.rax = (unsigned long long)-(long long)error;
    assert_int_equal(ptrace(PTRACE_SETREGS, pid, 0, &r), 0);
}

/* Runs to the next entry and tells what is entered. */
static struct user_regs_struct next_call(pid_t pid)
{
    next_stop(pid);
    return registers(pid);
}

static void pass_marks_beginning(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
    while (next_call(pid).orig_rax != MARK)
        next_stop(pid);
    next_stop(pid);
}

int inject(pid_t pid, unsigned nth, int error)
{
    int result = INJECT_BEYOND;
    pass_marks_beginning(pid);
    for (unsigned n = 1;; n++) {
        struct user_regs_struct r = next_call(pid);
        if (r.orig_rax == MARK)
            break;
        if (n == nth)
            result = exempt(pid, &r, error) ? INJECT_EXEMPT : INJECT_DONE;
        if (n == nth && result == INJECT_DONE)
            fail_call(pid, r, error);
        else
            next_stop(pid);
    }
    assert_int_equal(ptrace(PTRACE_DETACH, pid, 0, 0), 0);
    return result;
}

#else

int inject(pid_t pid, unsigned nth, int error)
{
    (void)pid, (void)nth, (void)error;
    return INJECT_BEYOND;
}

#endif
