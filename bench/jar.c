/* SPDX-License-Identifier: MIT */
/* The cookie jar: what one request takes out, what one answer puts in. */
#include "bench.h"

#ifdef SHMS_BENCH_NO_JAR
void bench_jars(void)
{
    bench_note("no jar: libpsl or libidn2 was missing when this was built");
}
#else

#include <shmstream/jar.h>
#include <string.h>

enum { HOSTS = 150, COOKIES = 20 }; /* 3,000 cookies */

static shms_jar *jar;
static char urls[HOSTS][64];

static void put(int host, int cookie, uint64_t value)
{
    char line[96];
    const shms_jar_request request = {.struct_size = sizeof request, .url = urls[host]};
    int n = snprintf(line, sizeof line, "name-%d=value-%llu; Path=/; Max-Age=86400", cookie,
                     (unsigned long long)value);
    int rc = shms_jar_set(jar, &request, line, (size_t)n);
    if (rc != 0)
        bench_die("jar: %s", shms_jar_reason(rc));
}

static void gets(const void *arg, uint64_t turns)
{
    (void)arg;
    char line[4096];
    for (uint64_t i = 0; i < turns; i++) {
        const shms_jar_request request = {.struct_size = sizeof request, .url = urls[i * 7 % HOSTS]};
        if (shms_jar_get(jar, &request, line, sizeof line) < COOKIES * (int64_t)sizeof "name-1=value-1")
            bench_die("jar: cookies are missing");
    }
}

static void sets(const void *arg, uint64_t turns)
{
    (void)arg;
    for (uint64_t i = 0; i < turns; i++)
        put((int)(i * 7 % HOSTS), (int)(i % COOKIES), i);
}

static struct reading measure_gets(const void *arg)
{
    return (struct reading){.value = 1e3 / bench_loop_ns(gets, arg)};
}

static struct reading measure_sets(const void *arg)
{
    return (struct reading){.value = 1e3 / bench_loop_ns(sets, arg)};
}

void bench_jars(void)
{
    static const struct group groups[] = {
        {"jar-get", "20 cookies for a request, of 3,000", "M/s", true, measure_gets},
        {"jar-set", "a cookie is set, beside 19", "M/s", true, measure_sets},
    };
    const struct contender ours = {BENCH_OURS, NULL};
    const shms_jar_options options = {.struct_size = sizeof options, .no_keep = 1};
    int rc = shms_jar_open(bench_name("jar"), &options, &jar);
    if (rc < 0)
        bench_die("jar: %s", shms_jar_reason(rc));
    for (int host = 0; host < HOSTS; host++) {
        snprintf(urls[host], sizeof urls[host], "https://www.host-%d.example/a/b", host);
        for (int cookie = 0; cookie < COOKIES; cookie++)
            put(host, cookie, 0);
    }
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        bench_group(&groups[i], &ours, 1);
    shms_jar_close(jar);
}
#endif
