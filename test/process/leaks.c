/* SPDX-License-Identifier: MIT */
/* The fixture of every process test: afterwards nothing is left. */
#include "roles.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned descriptors_before, mappings_before;

static void proc_path(char *path, size_t room, pid_t pid, const char *what)
{
    if (pid)
        snprintf(path, room, "/proc/%d/%s", (int)pid, what);
    else
        snprintf(path, room, "/proc/self/%s", what);
}

unsigned open_descriptors(pid_t pid)
{
    char path[64];
    proc_path(path, sizeof path, pid, "fd");
    DIR *d = opendir(path);
    assert_non_null(d);
    unsigned n = 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n - (pid ? 2 : 3); /* . and .., and our own look */
}

unsigned region_mappings(pid_t pid)
{
    char path[64], *line = NULL;
    size_t room = 0;
    proc_path(path, sizeof path, pid, "maps");
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    unsigned n = 0;
    while (getline(&line, &room, f) >= 0)
        n += strstr(line, "/dev/shm/") != NULL;
    free(line);
    fclose(f);
    return n;
}

bool have_own_shm(const char *options)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", "/dev/shm", "tmpfs", 0, options) == 0;
}

struct used memory_used(void)
{
    struct statvfs v;
    assert_int_equal(statvfs("/dev/shm", &v), 0);
    return (struct used){v.f_blocks - v.f_bfree, v.f_files - v.f_ffree};
}

pid_t child_of(pid_t pid)
{
    char path[64];
    int child = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *f = fopen(path, "re");
    if (f && fscanf(f, "%d", &child) != 1)
        child = 0;
    if (f)
        fclose(f);
    return child;
}

/* Children, and what came to us from dead roles, one generation after the other. */
static void end_all(void)
{
    for (int64_t end = now_ms() + BOUND_MS; now_ms() < end;) {
        pid_t child = child_of(getpid());
        if (child)
            kill(child, SIGKILL);
        if (waitpid(child ? child : -1, NULL, child ? 0 : WNOHANG) < 0)
            return;
    }
}

static int remove_ours(const char *name, const shms_info *info, void *context)
{
    char start[64];
    const char *bare = strncmp(name, "Global\\", 7) == 0 ? name + 7 : name;
    snprintf(start, sizeof start, "process-test-%d-", (int)getpid());
    if (strncmp(bare, start, strlen(start)) != 0)
        return 0;
    fprintf(stderr, "left behind: %s, state %u, %u members\n", name, info->state, info->members);
    shms_stream_unlink(name);
    *(unsigned *)context += 1;
    return 0;
}

int test_setup(void **state)
{
    (void)state;
    descriptors_before = open_descriptors(0);
    mappings_before = region_mappings(0);
    return 0;
}

int test_teardown(void **state)
{
    (void)state;
    unsigned left = 0;
    end_all();
    int rc = shms_list(remove_ours, &left);
    unsigned descriptors = open_descriptors(0), mappings = region_mappings(0);
    if (rc == 0 && left == 0 && descriptors == descriptors_before && mappings == mappings_before)
        return 0;
    fprintf(stderr, "left behind: %u names, %d descriptors, %d mappings\n", left,
            (int)descriptors - (int)descriptors_before, (int)mappings - (int)mappings_before);
    return 1;
}
