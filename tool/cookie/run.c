/* SPDX-License-Identifier: MIT */
#include "run.h"

#include "../linux/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define FLOWS_MOST 4
#define FLOW_STEP 65536

/* ---- pipes */

bool flow_add(struct flow *f, const void *bytes, size_t size)
{
    if (size > f->room - f->size) {
        size_t room = (f->size + size) * 2 + FLOW_STEP;
        char *more = malloc(room);
        if (!more)
            return false;
        if (f->bytes) {
            memcpy(more, f->bytes, f->size);
            explicit_bzero(f->bytes, f->size);
        }
        free(f->bytes);
        f->bytes = more;
        f->room = room;
    }
    memcpy(f->bytes + f->size, bytes, size);
    f->size += size;
    return true;
}

bool flow_open(struct flow *f, bool to_program)
{
    int ends[2];
    *f = (struct flow){.to_program = to_program, .ours = -1, .theirs = -1};
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    f->ours = ends[to_program];
    f->theirs = ends[!to_program];
    fcntl(f->ours, F_SETFL, O_NONBLOCK);
    snprintf(f->path, sizeof f->path, "/dev/fd/%d", f->theirs);
    return true;
}

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void flow_close(struct flow *f)
{
    close_end(&f->ours);
    close_end(&f->theirs);
    if (f->bytes)
        explicit_bzero(f->bytes, f->size);
    free(f->bytes);
    f->bytes = NULL;
}

static void feed(struct flow *f)
{
    ssize_t n = write(f->ours, f->bytes + f->done, f->size - f->done);
    f->done += n > 0 ? (size_t)n : 0;
    if (f->done == f->size || (n < 0 && errno != EAGAIN && errno != EINTR))
        close_end(&f->ours);
}

static void drain(struct flow *f)
{
    char some[FLOW_STEP];
    ssize_t n = read(f->ours, some, sizeof some);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) || (n > 0 && !flow_add(f, some, (size_t)n)))
        close_end(&f->ours);
    explicit_bzero(some, n > 0 ? (size_t)n : 0);
}

/* What is in the pipes when the program has ended; something that it left running may have them open. */
static void drain_rest(struct flow *flows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t before = SIZE_MAX;
        while (!flows[i].to_program && flows[i].ours >= 0 && before != flows[i].size) {
            before = flows[i].size;
            drain(&flows[i]);
        }
    }
}

/* ---- signals */

/* What another process sends this one goes on to the program. What the terminal sends the program gets by
 * itself, as one of the group. True: it has ended. */
static bool take_signal(int signals, pid_t pid, int *ret_status)
{
    struct signalfd_siginfo info;
    int status;
    if (read(signals, &info, sizeof info) == sizeof info && info.ssi_signo != SIGCHLD && info.ssi_code <= 0)
        kill(pid, (int)info.ssi_signo);
    if (waitpid(pid, &status, WNOHANG) != pid)
        return false;
    *ret_status = exit_status(status);
    return true;
}

/* ---- the program */

static int spawn(const arguments *args, char **words, struct flow *flows, size_t count, pid_t *ret)
{
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &mask_before);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawn_file_actions_init(&files);
    for (size_t i = 0; i < count; i++) /* onto itself: it is not closed on exec */
        posix_spawn_file_actions_adddup2(&files, flows[i].theirs, flows[i].theirs);
    signal(SIGCHLD, SIG_DFL); /* inherited as ignored, it would hide the exit status */
    int error = posix_spawnp(ret, words[0], &files, &attributes, words, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (!error)
        return 0;
    cookie_error(args, "%s: %s", words[0], strerror(error));
    return spawn_failed(error);
}

static int serve(pid_t pid, int signals, struct flow *flows, size_t count)
{
    int status = 0;
    for (;;) {
        struct pollfd fds[FLOWS_MOST + 1] = {{.fd = signals, .events = POLLIN}};
        for (size_t i = 0; i < count; i++)
            fds[i + 1] = (struct pollfd){.fd = flows[i].ours,
                                         .events = flows[i].to_program ? POLLOUT : POLLIN};
        if (poll(fds, count + 1, -1) < 0)
            continue;
        for (size_t i = 0; i < count; i++)
            if (fds[i + 1].revents)
                (flows[i].to_program ? feed : drain)(&flows[i]);
        if (fds[0].revents && take_signal(signals, pid, &status))
            break;
    }
    drain_rest(flows, count);
    return status;
}

int run_program(const arguments *args, char **words, struct flow *flows, size_t count)
{
    pid_t pid;
    sigset_t held = held_signals();
    int signals = signalfd(-1, &held, SFD_CLOEXEC);
    signal(SIGPIPE, SIG_IGN); /* a program need not read what it is given */
    if (signals < 0) {
        cookie_error(args, "no descriptor left: %s", strerror(errno));
        return EXIT_OURS;
    }
    int status = spawn(args, words, flows, count, &pid);
    for (size_t i = 0; i < count; i++)
        close_end(&flows[i].theirs);
    if (status == 0)
        status = serve(pid, signals, flows, count);
    close(signals);
    return status;
}
