/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The wrong way round: a command that needs the stream is told, and no other is disturbed. */
void open_streams(void)
{
    static const int contrary[] = {O_WRONLY, O_RDONLY, O_RDONLY};
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", contrary[fd]) != fd)
            _exit(EXIT_FAILURE); /* nothing else can be said, and less can be done */
    setvbuf(stderr, NULL, _IOLBF, BUFSIZ); /* a message is one write: those of many processes do not mix */
}

sigset_t mask_before;

sigset_t held_signals(void)
{
    static const int held[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCHLD};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++)
        sigaddset(&set, held[i]);
    return set;
}

/* What a write raises whose reader is gone, or that makes a file too long: the write fails, and tells that by
 * itself. A message that nobody reads must not leave the next holder with a dead owner. */
static sigset_t raised_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    sigaddset(&set, SIGXFSZ);
    return set;
}

void hold_stops(void)
{
    sigset_t held = held_signals(), raised = raised_signals();
    sigprocmask(SIG_BLOCK, &held, &mask_before);
    sigprocmask(SIG_BLOCK, &raised, NULL);
}

void release_stops(void)
{
    const struct timespec now = {0};
    sigset_t raised = raised_signals();
    while (sigtimedwait(&raised, NULL, &now) > 0)
        continue;
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

int exit_status(int status)
{
    return WIFSIGNALED(status) ? EXIT_SIGNALLED + WTERMSIG(status) : WEXITSTATUS(status);
}

int spawn_failed(int error)
{
    return error == ENOENT ? EXIT_NO_COMMAND : EXIT_CANNOT_RUN;
}
