/* SPDX-License-Identifier: MIT */
/*
 * The role "member": a process that does what it is told, line by line, and answers each line with a number.
 * So the test says in one place what which process does when.
 */
#include "roles.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static shms_stream *handles[4]; /* "use N" chooses; 0 at first */
static unsigned current;
#define handle handles[current]
static int64_t seen;

static int open_as(const char *name, uint64_t size, uint32_t create, bool keep)
{
    shms_stream_options o = {.struct_size = sizeof o, .create = create, .keep = keep};
    return shms_stream_open(name, size, &o, &handle);
}

static long long byte_at(long long offset, bool snapshot)
{
    unsigned char c = 0;
    int64_t rc = snapshot ? shms_stream_snapshot(handle, &c, 1, offset)
                          : shms_stream_pread(handle, &c, 1, offset);
    return rc == 1 ? c : rc;
}

static long long write_byte(long long offset, int byte)
{
    unsigned char c = (unsigned char)byte;
    return shms_stream_pwrite(handle, &c, 1, offset);
}

static _Noreturn void idle(void)
{
    for (;;)
        pause();
}

static pid_t bare_clone(void)
{
    return (pid_t)syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);
}

/* Who goes on with the conversation: the child ("fork", "clone") or the parent ("breed", "breed-clone"). */
static long long split(bool bare, bool child_serves)
{
    pid_t pid = bare ? bare_clone() : fork();
    if (pid < 0)
        return -1;
    if (pid == 0)
        bounded();
    if ((pid == 0) != child_serves)
        idle();
    return pid == 0 ? (long long)getpid() : (long long)pid;
}

/* ---- descriptors behind the library's back */

static int squatters[32], squatter_count;

/* Open files of our own, which get the numbers that were closed. */
static long long squat(long long n)
{
    for (; n > 0 && squatter_count < 32; n--)
        need((squatters[squatter_count++] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)) >= 0);
    return squatter_count;
}

/* How many of them are as they were: open, the same file, nothing read from them. */
static long long squatters_left(void)
{
    long long left = 0;
    struct stat exe, st;
    need(stat("/proc/self/exe", &exe) == 0);
    for (int i = 0; i < squatter_count; i++)
        left += fstat(squatters[i], &st) == 0 && st.st_ino == exe.st_ino && st.st_dev == exe.st_dev &&
                lseek(squatters[i], 0, SEEK_CUR) == 0;
    return left;
}

/* ---- namespaces */

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return done;
}

/* Go on in a child that is the first process of a new PID namespace, with other new ones by the flags. */
static long long go_inside(int flags)
{
    char map[64];
    snprintf(map, sizeof map, "%u %u 1", (unsigned)geteuid(), (unsigned)geteuid());
    if (unshare(CLONE_NEWPID | flags))
        return -1;
    if ((flags & CLONE_NEWUSER) && !write_file("/proc/self/uid_map", map))
        return -1;
    return split(false, true);
}

/* In a mount namespace of its own: a process that has no /proc to look into. */
static long long without_proc(void)
{
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
        return -1;
    return umount2("/proc", MNT_DETACH);
}

/* False: none of these. */
static bool odd_command(const char *verb, long long a, long long *ret)
{
    if (strcmp(verb, "closefrom") == 0)
        *ret = close_others(false);
    else if (strcmp(verb, "squat") == 0)
        *ret = squat(a);
    else if (strcmp(verb, "squatters") == 0)
        *ret = squatters_left();
    else if (strcmp(verb, "inside") == 0)
        *ret = go_inside((int)a);
    else if (strcmp(verb, "without-proc") == 0)
        *ret = without_proc();
    else if (strcmp(verb, "use") == 0)
        *ret = current = (unsigned)a % 4;
    else
        return false;
    return true;
}

/* Commands of the process. False: none of these. */
static bool process_command(const char *verb, long long *ret)
{
    if (strcmp(verb, "fork") == 0 || strcmp(verb, "breed") == 0)
        *ret = split(false, *verb == 'f');
    else if (strcmp(verb, "clone") == 0 || strcmp(verb, "breed-clone") == 0)
        *ret = split(true, *verb == 'c');
    else if (strcmp(verb, "exec") == 0)
        *ret = execl("/proc/self/exe", "role", "--role", "member", (char *)NULL);
    else if (strcmp(verb, "pid") == 0)
        *ret = getpid();
    else if (strcmp(verb, "exit") == 0)
        _exit(0);
    else if (strcmp(verb, "return") == 0)
        exit(0);
    else
        return false;
    return true;
}

static long long lock_command(const char *verb, long long a)
{
    if (strcmp(verb, "lock") == 0)
        return shms_stream_lock(handle, (int)a);
    if (strcmp(verb, "unlock") == 0)
        return shms_stream_unlock(handle);
    if (strcmp(verb, "repaired") == 0)
        return shms_stream_repaired(handle);
    if (strcmp(verb, "wait") == 0)
        return shms_stream_wait(handle, &seen, (int)a);
    if (strcmp(verb, "notify") == 0)
        return shms_stream_notify(handle);
    if (strcmp(verb, "version") == 0)
        return seen = shms_stream_version(handle);
    if (strcmp(verb, "poll") == 0)
        return poll_fd_of(handle);
    fprintf(stderr, "member: no such command: %s\n", verb);
    _exit(2);
}

static long long data_command(const char *verb, long long a, long long b)
{
    if (strcmp(verb, "read") == 0)
        return byte_at(a, false);
    if (strcmp(verb, "snapshot") == 0)
        return byte_at(a, true);
    if (strcmp(verb, "write") == 0)
        return write_byte(a, (int)b);
    if (strcmp(verb, "size") == 0)
        return (long long)shms_stream_size(handle);
    if (strcmp(verb, "resize") == 0)
        return shms_stream_resize(handle, (uint64_t)a);
    if (strcmp(verb, "existed") == 0)
        return shms_stream_existed(handle);
    return lock_command(verb, a);
}

/* Until that thread sleeps in the kernel. */
static void await_asleep(int pid)
{
    char path[64], how = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    for (int64_t end = now_ms() + BOUND_MS; how != 'S' && now_ms() < end; rest()) {
        FILE *f = fopen(path, "re");
        need(f && fscanf(f, "%*d (%*[^)]) %c", &how) == 1);
        fclose(f);
    }
}

static long long obey(const char *line)
{
    char verb[24] = "", name[128] = "";
    long long a = 0, b = 0, result;
    int pid, skip = 0;
    if (sscanf(line, "after %d %n", &pid, &skip) == 1) {
        await_asleep(pid);
        return obey(line + skip);
    }
    if (sscanf(line, "open %127s %lld %lld %lld", name, &a, &b, &result) == 4)
        return open_as(name, (uint64_t)a, (uint32_t)b, result != 0);
    if (sscanf(line, "open %127s %lld", name, &a) == 2)
        return open_as(name, (uint64_t)a, 0, false);
    if (sscanf(line, "%23s %lld %lld", verb, &a, &b) < 1)
        _exit(2);
    if (process_command(verb, &result) || odd_command(verb, a, &result))
        return result;
    if (strcmp(verb, "close") != 0)
        return data_command(verb, a, b);
    shms_stream_close(handle);
    handle = NULL;
    return 0;
}

int member_role(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (;;)
        say("%lld", obey(hear()));
}
