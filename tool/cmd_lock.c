/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

extern char **environ;

/*
 * The command's own signals: what another process sends us is passed on to it. What the terminal sends it
 * gets itself, as one of our process group; passing that on would make one Ctrl-C two.
 */
static int wait_for(pid_t pid)
{
    sigset_t held = cli_held_signals();
    for (;;) {
        siginfo_t info;
        int status;
        int number = sigwaitinfo(&held, &info);
        if (number == SIGCHLD && waitpid(pid, &status, WNOHANG) == pid)
            return WIFSIGNALED(status) ? EXIT_SIGNALLED + WTERMSIG(status) : WEXITSTATUS(status);
        if (number > 0 && number != SIGCHLD && info.si_code <= 0)
            kill(pid, number);
    }
}

/* Runs the command with the signal mask this process had. Its descriptors of the region close on exec. */
static int run_command(const cli_args *args, char **words)
{
    pid_t pid;
    sigset_t mask = cli_mask_before();
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, &mask);
    signal(SIGCHLD, SIG_DFL); /* inherited as ignored, it would hide the exit status */
    int error = posix_spawnp(&pid, words[0], NULL, &attributes, words, environ);
    posix_spawnattr_destroy(&attributes);
    if (error) {
        cli_error(args, NULL, "%s: %s", words[0], strerror(error));
        return error == ENOENT ? EXIT_NO_COMMAND : EXIT_CANNOT_RUN;
    }
    return wait_for(pid);
}

static int run_locked(const cli_args *args, shms_stream *s, bool died)
{
    unsetenv("SHMS_OWNER_DIED");
    if (died) {
        cli_error(args, args->name, "a holder of the lock died, so the data may be half-written; "
                                    "look at it, then say `shms repaired` (SHMS_OWNER_DIED=1 is set)");
        setenv("SHMS_OWNER_DIED", "1", 1);
    }
    int status = run_command(args, args->operand + 1);
    return cli_unlock(args, args->name, s) ? EXIT_LOCK_FAILED : status;
}

static int run(cli_args *args)
{
    int status = 0;
    bool died = false;
    shms_stream_options options = args->open;
    options.create = args->size ? SHMS_CREATE_OR_OPEN : SHMS_OPEN_ONLY;
    shms_stream *s = cli_open(args, args->name, args->size, &options, &status);
    if (s)
        status = cli_lock(args, args->name, s, args->shared, &died);
    if (status)
        status = status == EXIT_TIMED_OUT ? status : EXIT_LOCK_FAILED;
    else
        status = run_locked(args, s, died);
    shms_stream_close(s);
    return status;
}

const command cmd_lock = {
    .name = "lock", .run = run, .options = "sStmO", .operands = "NAME -- COMMAND...", .least = 2, .most = -1,
    .timeout_ms = -1, .summary = "Run a command while holding the lock",
    .details = "With --size a region that does not exist is created, and vanishes with its last user.\n"
               "Exit status: the command's, 128+N if signal N killed it, 124 lock not got in time,\n"
               "125 shms failed, 126 the command cannot be run, 127 there is no such command.\n",
};
