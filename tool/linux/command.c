/* SPDX-License-Identifier: MIT */
#include "../command.h"

#include <errno.h>
#include <stddef.h>
#include <sys/wait.h>

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

void hold_stops(void)
{
    sigset_t held = held_signals();
    sigprocmask(SIG_BLOCK, &held, &mask_before);
}

void release_stops(void)
{
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
