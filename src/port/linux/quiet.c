/* SPDX-License-Identifier: MIT */
/*
 * Linux: frames, in which a call can be neither cut off nor interrupted by a handler of the program.
 *
 * Who takes part. Each thread has its own frame; only the outermost of nested ones asks the system.
 *
 * Inside a frame no cancellation is acted upon, and all signals are blocked but those that an instruction
 * raises: their handlers run anyhow (guard.c lives by one). So neither fork nor siglongjmp in a handler of
 * the program can meet a lock of ours that its own thread holds, or half of what a call has taken.
 *
 * shms__nap leaves the frame while it sleeps: handlers run then, and may leave by siglongjmp, after which
 * this thread is outside of any frame, as it was before the call.
 */
#include "../../core/port.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KERNEL_SET_BYTES (((size_t)_NSIG - 1) / 8)

struct frame {
    uint32_t depth;
    int cancel; /* as it was before; and the same for the mask */
    sigset_t mask;
};
static _Thread_local struct frame frame;

int shms__steady_begin(void)
{
    int before = PTHREAD_CANCEL_ENABLE;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

void shms__steady_end(int before)
{
    pthread_setcancelstate(before, NULL);
}

void shms__let_cancel(void)
{
    if (frame.depth == 0)
        pthread_testcancel();
}

static void block_signals(sigset_t *ret_before)
{
    static const int raised_by_instructions[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    sigset_t most;
    sigfillset(&most);
    for (size_t i = 0; i < sizeof raised_by_instructions / sizeof *raised_by_instructions; i++)
        sigdelset(&most, raised_by_instructions[i]);
    pthread_sigmask(SIG_BLOCK, &most, ret_before);
}

/* Signals first: a handler that runs before that finds no frame, and may leave by siglongjmp. */
static void enter(struct frame *f)
{
    sigset_t mask;
    block_signals(&mask);
    f->mask = mask;
    f->cancel = shms__steady_begin();
    f->depth = 1;
}

static void leave(struct frame *f)
{
    sigset_t mask = f->mask;
    f->depth = 0;
    shms__steady_end(f->cancel);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

void shms__quiet_begin(void)
{
    if (frame.depth > 0)
        frame.depth++;
    else
        enter(&frame);
}

void shms__quiet_end(void)
{
    if (frame.depth > 1)
        frame.depth--;
    else if (frame.depth == 1)
        leave(&frame);
}

/* What the kernel's call reads: two words of the machine's size, whatever time_t has become. */
struct kernel_time {
    long seconds;
    long nanoseconds;
};

void shms__nap(int64_t ns)
{
    struct kernel_time t = {.seconds = (long)(ns / 1000000000), .nanoseconds = (long)(ns % 1000000000)};
    struct frame outer = frame;
    /* By the bare call, which is no cancellation point, and which sets the mask and sleeps in one. */
    if (outer.depth == 0) {
        syscall(SYS_ppoll, NULL, 0, &t, NULL, KERNEL_SET_BYTES);
        return;
    }
    frame.depth = 0;
    shms__steady_end(outer.cancel);
    syscall(SYS_ppoll, NULL, 0, &t, &outer.mask, KERNEL_SET_BYTES);
    shms__steady_begin();
    frame = outer;
}
