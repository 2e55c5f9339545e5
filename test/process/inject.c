/* SPDX-License-Identifier: MIT */
#include "inject.h"

#include "roles.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
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
    int status = 0, signal_number = 0;
    do {
        assert_int_equal(ptrace(PTRACE_SYSCALL, pid, 0, (long)signal_number), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        signal_number = WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
        /* Passed on: of a helper that the traced process started; of memory that was taken away. */
    } while (signal_number == SIGCHLD || signal_number == SIGBUS);
    if (signal_number != (SIGTRAP | 0x80))
        fail_msg("the traced process ended or got a signal, status %#x", (unsigned)status);
}

static struct user_regs_struct registers(pid_t pid)
{
    struct user_regs_struct r;
    assert_int_equal(ptrace(PTRACE_GETREGS, pid, 0, &r), 0);
    return r;
}

/* ---- does Linux ever fail so? */

/* Asking about a byte lock fails only where the kernel is out of memory, giving one back never does. */
static bool fcntl_may_fail(pid_t pid, const struct user_regs_struct *r, int error)
{
    long lock = ptrace(PTRACE_PEEKDATA, pid, (void *)r->rdx, 0);
    if ((int)r->rsi == F_DUPFD_CLOEXEC)
        return error == EMFILE || error == ENOMEM;
    if ((int)r->rsi == F_ADD_SEALS)
        return error == EPERM || error == EINVAL;
    if ((int)r->rsi == F_OFD_GETLK)
        return error == ENOMEM;
    if ((int)r->rsi != F_OFD_SETLK || (short)(lock & 0xffff) == F_UNLCK)
        return false;
    return error == EAGAIN || error == EACCES || error == ENOMEM || error == EIO || error == EINVAL;
}

/* Our futexes lie in memory that is shared. libc has private ones of its own, and ends the process where an
 * answer surprises it. */
static bool lies_in_shared_memory(pid_t pid, unsigned long address)
{
    char path[64], line[512], kind = 0;
    unsigned long from, to;
    bool shared = false;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    while (!shared && fgets(line, sizeof line, f))
        shared = sscanf(line, "%lx-%lx %*3c%c", &from, &to, &kind) == 3 && kind == 's' &&
                 address >= from && address < to;
    fclose(f);
    return shared;
}

/* Calls that never fail, or where failing means that the number is not ours (fstat, readlink of /proc). */
static bool never_fails(pid_t pid, const struct user_regs_struct *r)
{
    switch ((long)r->orig_rax) {
    case SYS_futex:
        return !lies_in_shared_memory(pid, (unsigned long)r->rdi);
    case SYS_newfstatat:
        return (int)r->r10 & AT_EMPTY_PATH;
    case SYS_mmap: /* of the sanitizer's own memory */
        return SANITIZED && (int)r->r8 < 0;
    case SYS_rt_sigreturn:
    case SYS_munmap: /* of whole mappings */
    case SYS_getpid:
    case SYS_gettid:
    case SYS_geteuid:
    case SYS_fstat:
    case SYS_readlink:
        return true;
    default:
        return false;
    }
}

static bool makes_a_descriptor(long call)
{
    return call == SYS_openat || call == SYS_dup3 || call == SYS_inotify_init1 ||
           call == SYS_memfd_create;
}

static bool makes_a_file_of_shared_memory(const struct user_regs_struct *r)
{
    return ((int)r->rdx & O_TMPFILE) == O_TMPFILE;
}

/* By way of /proc, what is open already is opened once more. */
static bool opens_again(pid_t pid, const struct user_regs_struct *r)
{
    long beginning = ptrace(PTRACE_PEEKDATA, pid, (void *)r->rsi, 0);
    return memcmp(&beginning, "/proc/se", sizeof beginning) == 0;
}

static bool may_be_interrupted(pid_t pid, const struct user_regs_struct *r)
{
    switch ((long)r->orig_rax) {
    case SYS_openat: /* of a pipe, and of files that another machine has */
        return !((int)r->rdx & (O_NOFOLLOW | O_NONBLOCK)) && !makes_a_file_of_shared_memory(r) &&
               !opens_again(pid, r);
    case SYS_fallocate: /* while it reserves, not while it gives back */
        return r->rsi == 0;
    case SYS_read:
    case SYS_write:
    case SYS_pread64:
    case SYS_pwrite64:
    case SYS_fsync:
    case SYS_close:
    case SYS_futex:
    case FUTEX_WAITV:
    case SYS_clock_nanosleep:
        return true;
    default:
        return false;
    }
}

static bool takes_room(const struct user_regs_struct *r)
{
    switch ((long)r->orig_rax) {
    case SYS_openat:
        return ((int)r->rdx & O_CREAT) || makes_a_file_of_shared_memory(r);
    case SYS_mkdir:
    case SYS_linkat:
    case SYS_rename:
    case SYS_renameat:
    case SYS_write:
    case SYS_pwrite64:
    case SYS_fsync:
    case SYS_fallocate:
    case SYS_ftruncate:
    case SYS_inotify_add_watch:
        return true;
    default:
        return false;
    }
}

/* Not so calls on what was opened for them. */
static bool asks_for_permission(long call)
{
    return call != SYS_read && call != SYS_pread64 && call != SYS_write && call != SYS_mmap &&
           call != SYS_mprotect && call != SYS_mremap && call != SYS_madvise && call != SYS_futex &&
           call != SYS_memfd_create && call != SYS_inotify_init1 && call != SYS_prlimit64;
}

/* By the kernel's configuration, or by a sandbox. */
static bool may_be_missing(long call)
{
    return call == SYS_futex || call == FUTEX_WAITV || call == SYS_fallocate || call == SYS_madvise ||
           call == SYS_mlock || call == SYS_memfd_create || call == SYS_inotify_init1 ||
           call == SYS_inotify_add_watch || call == SYS_prlimit64;
}

static bool plausible(pid_t pid, const struct user_regs_struct *r, int error)
{
    long call = (long)r->orig_rax;
    if (never_fails(pid, r) || (call == SYS_fcntl && !fcntl_may_fail(pid, r, error)))
        return false;
    if (call == SYS_close)
        return error == EINTR || error == EIO || error == ENOSPC;
    switch (error) {
    case EINTR:
        return may_be_interrupted(pid, r);
    case EMFILE:
    case ENFILE:
        return makes_a_descriptor(call);
    case ENOSPC:
        return takes_room(r);
    case EACCES:
    case EPERM:
        return asks_for_permission(call);
    case ENOSYS:
        return may_be_missing(call);
    default:
        return true;
    }
}

/* ---- failing */

/* Calls that change something even when they answer an error: they are made, then their answer is changed. */
static bool is_done_all_the_same(const struct user_regs_struct *r)
{
    return (long)r->orig_rax == SYS_close;
}

/* At the entry into a call: let it answer the error, without having been made if that can be. */
static void fail_call(pid_t pid, struct user_regs_struct r, int error)
{
    if (!is_done_all_the_same(&r)) {
        r.orig_rax = ~0ull;
        assert_int_equal(ptrace(PTRACE_SETREGS, pid, 0, &r), 0);
    }
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

long inject(pid_t pid, unsigned nth, int error)
{
    long failed = INJECT_BEYOND;
    pass_marks_beginning(pid);
    for (unsigned n = 0;;) {
        struct user_regs_struct r = next_call(pid);
        if (r.orig_rax == MARK)
            break;
        n += plausible(pid, &r, error);
        if (n == nth && failed == INJECT_BEYOND) {
            failed = (long)r.orig_rax;
            fail_call(pid, r, error);
        } else {
            next_stop(pid);
        }
    }
    assert_int_equal(ptrace(PTRACE_DETACH, pid, 0, 0), 0);
    return failed;
}

#else

long inject(pid_t pid, unsigned nth, int error)
{
    (void)pid, (void)nth, (void)error;
    return INJECT_BEYOND;
}

#endif
