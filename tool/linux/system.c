/* SPDX-License-Identifier: MIT */
#include "../system.h"
#include "command.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

void system_start(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    open_streams();
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t system_clock_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

int64_t system_wall_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

uint32_t system_pid(void)
{
    return (uint32_t)getpid();
}

uint32_t system_user(void)
{
    return (uint32_t)geteuid();
}

const char *system_unsupported(void)
{
    return "is there a tmpfs at /dev/shm?";
}

const char *system_error(int oserror)
{
    return strerror(oserror);
}

int64_t system_file_size(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

bool system_is_device(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

bool system_room(uint64_t *ret_free, uint64_t *ret_all)
{
    struct statvfs fs;
    if (statvfs("/dev/shm", &fs) < 0 || fs.f_blocks == 0) /* a tmpfs without a limit has no blocks */
        return false;
    *ret_free = (uint64_t)fs.f_bavail * fs.f_frsize;
    *ret_all = (uint64_t)fs.f_blocks * fs.f_frsize;
    return true;
}

/* ---- signals */

static volatile sig_atomic_t stop_signal;

static void note_stop(int number)
{
    stop_signal = number;
}

/* Ends the process as the signal would have, but only now that the region has been left. */
void system_stop(void)
{
    int number = stop_signal;
    signal(number, SIG_DFL);
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
    raise(number);
    _exit(EXIT_SIGNALLED + number);
}

/* The signals that end a process come in during ppoll() only, so none is missed between look and sleep. */
static void hold_stop_signals(void)
{
    static const int ends[] = {SIGHUP, SIGINT, SIGTERM, SIGPIPE};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct sigaction before, action = {.sa_handler = note_stop};
        sigaction(ends[i], NULL, &before);
        if (before.sa_handler == SIG_IGN)
            continue;
        sigaction(ends[i], &action, NULL);
        sigaddset(&set, ends[i]);
    }
    sigprocmask(SIG_BLOCK, &set, &mask_before);
}

void system_begin_waiting(void)
{
    static bool holding;
    if (!holding)
        hold_stop_signals();
    holding = true;
}

bool system_stopped(void)
{
    return stop_signal != 0;
}

bool system_sleep(int fd, int64_t ms)
{
    struct timespec span = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    ppoll(&poll_fd, 1, &span, &mask_before);
    return stop_signal == 0;
}

/* ---- commands */

/*
 * The command's own signals: what another process sends us is passed on to it. What the terminal sends it
 * gets itself, as one of our process group; passing that on would make one Ctrl-C two.
 */
static bool between_sleeps; /* then it is our business, too: we end behind the command */

static bool is_ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static int wait_for(pid_t pid)
{
    sigset_t held = held_signals();
    for (;;) {
        siginfo_t info;
        int status;
        int number = sigwaitinfo(&held, &info);
        if (number == SIGCHLD && waitpid(pid, &status, WNOHANG) == pid)
            return exit_status(status);
        if (number > 0 && number != SIGCHLD && info.si_code <= 0)
            kill(pid, number);
        if (number > 0 && number != SIGCHLD && between_sleeps && !is_ignored(number))
            stop_signal = number;
    }
}

static void set_streams(posix_spawn_file_actions_t *actions, FILE *in, FILE *out)
{
    if (in)
        posix_spawn_file_actions_adddup2(actions, fileno(in), STDIN_FILENO);
    if (out)
        posix_spawn_file_actions_adddup2(actions, fileno(out), STDOUT_FILENO);
}

/* With the signal mask this process had. Our descriptors of the region close on exec. */
int system_run(const cli_args *args, char **words, FILE *in, FILE *out)
{
    pid_t pid;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    set_streams(&actions, in, out);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, &mask_before);
    signal(SIGCHLD, SIG_DFL); /* inherited as ignored, it would hide the exit status */
    int error = posix_spawnp(&pid, words[0], &actions, &attributes, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (error) {
        cli_error(args, NULL, "%s: %s", words[0], strerror(error));
        return spawn_failed(error);
    }
    return wait_for(pid);
}

int system_shell(const cli_args *args, char *line)
{
    char shell[] = "/bin/sh", option[] = "-c";
    char *words[] = {shell, option, line, NULL};
    sigset_t held = held_signals(), before;
    sigprocmask(SIG_BLOCK, &held, &before);
    between_sleeps = true;
    int status = system_run(args, words, NULL, NULL);
    between_sleeps = false;
    sigprocmask(SIG_SETMASK, &before, NULL);
    return status;
}

FILE *system_scratch(void)
{
    int fd = memfd_create("shms", MFD_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w+");
    if (!file && fd >= 0)
        close(fd);
    return file;
}

void system_set_variable(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

/* ---- in the background */

static int report_fd;

bool system_detach(const cli_args *args, int *ret_status)
{
    int ends[2], status = 0;
    char byte;
    fflush(stdout);
    pid_t pid = pipe2(ends, O_CLOEXEC) < 0 ? -1 : fork();
    if (pid < 0) {
        cli_error(args, NULL, "no second process: %s", strerror(errno));
        *ret_status = EXIT_OURS;
        return false;
    }
    close(ends[pid == 0 ? 0 : 1]);
    if (pid == 0) {
        report_fd = ends[1];
        signal(SIGPIPE, SIG_IGN);           /* the report may find nobody */
        prctl(PR_SET_PDEATHSIG, SIGTERM);   /* nobody is to wait for a lock that nobody wants any more */
        return true;
    }
    ssize_t n;
    do
        n = read(ends[0], &byte, 1);
    while (n < 0 && errno == EINTR);
    if (n != 1 && waitpid(pid, &status, 0) == pid)
        status = exit_status(status);
    *ret_status = n == 1 ? EXIT_SUCCESS : status;
    return false;
}

/* What was inherited, and so does not close on exec; what the library has opened does. */
static void close_inherited(void)
{
    DIR *dir = opendir("/proc/self/fd");
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        int fd = atoi(entry->d_name), flags = fcntl(fd, F_GETFD);
        if (fd > 2 && flags >= 0 && !(flags & FD_CLOEXEC))
            close(fd);
    }
    if (dir)
        closedir(dir);
}

/* The terminal, its signals, and pipes that somebody reads to their end, are left to those in front. */
bool system_detached(void)
{
    int null = open("/dev/null", O_RDWR);
    prctl(PR_SET_PDEATHSIG, 0);
    setsid();
    for (int fd = 0; null >= 0 && fd < 3; fd++)
        dup2(null, fd);
    close_inherited(); /* `null`, too */
    bool taken = write(report_fd, "", 1) == 1;
    close(report_fd);
    return taken;
}

static int process_fd = -1;

bool system_watch_process(int pid)
{
    process_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    return process_fd >= 0 || (errno != ESRCH && kill(pid, 0) == 0);
}

void system_wait_for_process(int pid)
{
    struct sigaction action = {.sa_handler = note_stop};
    struct pollfd poll_fd = {.fd = process_fd, .events = POLLIN};
    struct timespec nap = {.tv_nsec = 100000000};
    sigset_t mask;
    sigaction(SIGTERM, &action, NULL);
    sigprocmask(SIG_SETMASK, NULL, &mask);
    sigdelset(&mask, SIGTERM);
    /* Where the kernel has no such descriptors (before 5.3), look ten times a second. */
    while (stop_signal == 0 && (process_fd >= 0 || kill(pid, 0) == 0))
        if (ppoll(&poll_fd, process_fd >= 0, process_fd >= 0 ? NULL : &nap, &mask) == 1)
            return;
}

/* ---- the second process */

static pid_t first, second;

bool system_partner_start(void (*fn)(void *context), void *context)
{
    first = getpid();
    fflush(stdout);
    second = fork();
    if (second == 0) {
        fn(context);
        _exit(EXIT_SUCCESS);
    }
    return second > 0;
}

bool system_partner_orphaned(void)
{
    return getppid() != first;
}

void system_partner_stop(void)
{
    kill(second, SIGKILL);
    waitpid(second, NULL, 0);
}
