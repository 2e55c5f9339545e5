/* SPDX-License-Identifier: MIT */
/* Rounds, statistics, and the results as text, JSON and a table for gnuplot. */
#include "bench.h"
#include "machine.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <shmstream.h>

enum { RESULTS_MAX = 200, CONTENDERS_MAX = 12, ROUNDS_MAX = 32 };

static struct result results[RESULTS_MAX];
static size_t result_count;

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void bench_sort(double *v, size_t n)
{
    qsort(v, n, sizeof *v, compare);
}

static double median(double *v, size_t n)
{
    bench_sort(v, n);
    return bench_quantile(v, n, 0.5);
}

static struct result *add(const struct group *g, const char *name)
{
    if (result_count == RESULTS_MAX)
        bench_die("too many results");
    struct result *r = &results[result_count++];
    *r = (struct result){
        .key = g->key, .title = g->title, .name = name, .unit = g->unit, .more_is_better = g->more_is_better};
    return r;
}

const struct result *bench_result(const char *key, const char *name)
{
    for (size_t i = 0; i < result_count; i++)
        if (strcmp(results[i].key, key) == 0 && strcmp(results[i].name, name) == 0)
            return &results[i];
    return NULL;
}

bool bench_results_sound(void)
{
    for (size_t i = 0; i < result_count; i++)
        if (!isfinite(results[i].median) || results[i].median <= 0)
            return false;
    return result_count > 0;
}

/* ----------------------------------------------------------------- text */

void bench_print_head(void)
{
    machine_print(stdout);
    printf("\n%d rounds a group, contenders in turn; `ours` is how many times as good shmstream is (median "
           "of the\n"
           "rounds' ratios); low and high are quartiles of the rounds, or else p90, p99 and max of single "
           "samples.\n",
           bench_plan.rounds);
}

static void print_title(const struct group *g, bool samples)
{
    if (samples)
        printf("\n%-42s %10s %10s %10s %10s         %8s\n", g->title, "median", "p90", "p99", "max", "ours");
    else
        printf("\n%-42s %10s %10s %10s %10s         %8s\n", g->title, "median", "low", "high", "", "ours");
}

static void print_number(double v)
{
    printf(" %10.*f", v < 10 ? 2 : v < 1000 ? 1 : 0, v);
}

static void print_result(const struct result *r)
{
    printf("  %-40s", r->name);
    print_number(r->median);
    print_number(r->max > 0 ? r->p90 : r->low);
    print_number(r->max > 0 ? r->p99 : r->high);
    if (r->max > 0)
        print_number(r->max);
    else
        printf(" %10s", "");
    printf(" %-8s", r->unit);
    if (r->ratio > 0)
        printf(" %7.2fx", r->ratio);
    if (r->share > 0)
        printf("%s slower process: %.0f%% of the turns", r->ratio > 0 ? "" : "         ", r->share);
    putchar('\n');
    fflush(stdout);
}

void bench_note(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fputs("  (", stdout);
    vprintf(format, ap);
    puts(")");
    va_end(ap);
}

/* --------------------------------------------------------------- rounds */

static size_t index_of_ours(const struct contender *c, size_t count)
{
    for (size_t k = 0; k < count; k++)
        if (strcmp(c[k].name, BENCH_OURS) == 0)
            return k;
    return count;
}

/** How many times as good `ours` is as `theirs`. */
static double better(const struct group *g, double ours, double theirs)
{
    return g->more_is_better ? ours / theirs : theirs / ours;
}

static void summarise(const struct group *g, struct result *r, const double *mine, const double *ours,
                      size_t rounds)
{
    double v[ROUNDS_MAX], ratio[ROUNDS_MAX];
    for (size_t i = 0; i < rounds; i++) {
        v[i] = mine[i];
        ratio[i] = ours ? better(g, ours[i], mine[i]) : 0;
    }
    r->median = median(v, rounds);
    r->low = bench_quantile(v, rounds, 0.25);
    r->high = bench_quantile(v, rounds, 0.75);
    r->ratio = ours ? median(ratio, rounds) : 0;
}

void bench_group(const struct group *g, const struct contender *contenders, size_t count)
{
    static double value[CONTENDERS_MAX][ROUNDS_MAX], share[CONTENDERS_MAX][ROUNDS_MAX];
    size_t rounds = (size_t)bench_plan.rounds, ours = index_of_ours(contenders, count);
    if (count > CONTENDERS_MAX || rounds > ROUNDS_MAX)
        bench_die("too many contenders or rounds");
    for (size_t i = 0; i < rounds; i++)
        for (size_t k = 0; k < count; k++) {
            struct reading one = g->measure(contenders[k].arg);
            value[k][i] = one.value;
            share[k][i] = one.share;
        }
    print_title(g, false);
    for (size_t k = 0; k < count; k++) {
        struct result *r = add(g, contenders[k].name);
        bool compared = ours < count && k != ours;
        summarise(g, r, value[k], compared ? value[ours] : NULL, rounds);
        r->share = median(share[k], rounds);
        print_result(r);
    }
}

void bench_samples(const struct group *g, const struct contender *contenders, size_t contender_count,
                   double *samples, size_t count)
{
    size_t ours = index_of_ours(contenders, contender_count);
    struct result *first = NULL;
    for (size_t k = 0; k < contender_count; k++) {
        struct result *r = add(g, contenders[k].name);
        double *v = samples + k * count;
        first = first ? first : r;
        r->median = median(v, count);
        r->low = bench_quantile(v, count, 0.25);
        r->high = bench_quantile(v, count, 0.75);
        r->p90 = bench_quantile(v, count, 0.90);
        r->p99 = bench_quantile(v, count, 0.99);
        r->max = v[count - 1];
    }
    print_title(g, true);
    for (size_t k = 0; k < contender_count; k++) {
        if (ours < contender_count && k != ours)
            first[k].ratio = better(g, first[ours].median, first[k].median);
        print_result(&first[k]);
    }
}

void bench_figure(const struct group *g, const char *name, double value)
{
    struct result *r = add(g, name);
    r->median = r->low = r->high = value;
    print_title(g, false);
    print_result(r);
}

/* ------------------------------------------------------------- machines */

void bench_write_json(FILE *f)
{
    fputs("{\n  \"machine\": ", f);
    machine_json(f);
    fprintf(f, ",\n  \"rounds\": %d,\n  \"results\": [\n", bench_plan.rounds);
    for (size_t i = 0; i < result_count; i++) {
        const struct result *r = &results[i];
        fprintf(f, "    {\"group\": \"%s\", \"name\": \"%s\", \"unit\": \"%s\", \"median\": %.6g, ", r->key,
                r->name, r->unit, r->median);
        fprintf(f, "\"quartile1\": %.6g, \"quartile3\": %.6g", r->low, r->high);
        if (r->max > 0)
            fprintf(f, ", \"p90\": %.6g, \"p99\": %.6g, \"max\": %.6g", r->p90, r->p99, r->max);
        if (r->ratio > 0)
            fprintf(f, ", \"shmstream_is_times_as_good\": %.4g", r->ratio);
        if (r->share > 0)
            fprintf(f, ", \"slower_process_percent\": %.3g", r->share);
        fprintf(f, "}%s\n", i + 1 < result_count ? "," : "");
    }
    fputs("  ],\n", f);
    targets_json(f);
    fputs("}\n", f);
}

void bench_write_table(FILE *f)
{
    const char *key = "";
    for (size_t i = 0; i < result_count; i++) {
        const struct result *r = &results[i];
        if (strcmp(key, r->key) != 0)
            fprintf(f, "%s# %s\n", *key ? "\n\n" : "", r->key);
        key = r->key;
        fprintf(f, "\"%s\"\t%.6g\t%.6g\t%.6g\t%.6g\t%.6g\n", r->name, r->median, r->low, r->high, r->p99,
                r->max);
    }
}
