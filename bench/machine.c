/* SPDX-License-Identifier: MIT */
/* What the figures were measured on. Nothing that names the machine or its user. */
#include "machine.h"

#include <sched.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <shmstream.h>

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

struct facts {
    char cpu[128], date[32], libc[64];
    struct utsname os;
    int cores;
};

/** The processor's name, without what would break a JSON string. */
static void read_cpu(char *buf, size_t size)
{
    char line[256];
    snprintf(buf, size, "unknown");
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon || colon[1] != ' ')
            continue;
        line[strcspn(line, "\n")] = 0;
        snprintf(buf, size, "%s", colon + 2);
        break;
    }
    if (f)
        fclose(f);
    for (char *p = buf; *p; p++)
        if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ')
            *p = ' ';
}

static struct facts look(void)
{
    struct facts m = {.cores = 1};
    cpu_set_t set;
    time_t now = time(NULL);
    struct tm utc;
    read_cpu(m.cpu, sizeof m.cpu);
    uname(&m.os);
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        m.cores = CPU_COUNT(&set);
    strftime(m.date, sizeof m.date, "%Y-%m-%d", gmtime_r(&now, &utc));
    if (confstr(_CS_GNU_LIBC_VERSION, m.libc, sizeof m.libc) == 0)
        snprintf(m.libc, sizeof m.libc, "unknown libc");
    return m;
}

void machine_print(FILE *f)
{
    struct facts m = look();
    fprintf(f, "shmstream %s, %s\n%s, %d cores, %s %s %s, %s, %s\n", shms_version(), m.date, m.cpu, m.cores,
            m.os.sysname, m.os.release, m.os.machine, m.libc, COMPILER);
}

void machine_json(FILE *f)
{
    struct facts m = look();
    fprintf(f, "{\"shmstream\": \"%s\", \"date\": \"%s\", \"cpu\": \"%s\", \"cores\": %d, ", shms_version(),
            m.date, m.cpu, m.cores);
    fprintf(f, "\"kernel\": \"%s %s %s\", \"libc\": \"%s\", \"compiler\": \"%s\"}", m.os.sysname,
            m.os.release, m.os.machine, m.libc, COMPILER);
}
