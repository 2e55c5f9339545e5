/* SPDX-License-Identifier: MIT */
/* What is too much in the jar, or finds no room.
 *
 * First goes what a site has beyond the cookies of one host, the least used of it: else a site with many
 * names, each with the cookies of a host, would push out those of all others. Then what was not used for
 * longest. */
#include "edit.h"

#include <stdlib.h>

/* A cookie, as far as it matters here. */
struct age {
    uint64_t site;
    int64_t used_ns;
    bool surplus; /* of a site that has too many */
};

/* A site that has too many: up to this age they are its surplus. */
struct cutoff {
    uint64_t site;
    int64_t until_ns;
};

struct ages {
    struct age *all;
    struct cutoff *cutoffs; /* in the order of sites */
    size_t count, room, cutoff_count;
};

static int note_ages(const struct record *r, uint64_t site, int64_t now, struct ages *ages)
{
    if (ages->count + r->count > ages->room) {
        size_t room = (ages->count + r->count) * 2;
        struct age *more = realloc(ages->all, room * sizeof *more);
        if (!more)
            return SHMS_E_NOMEM;
        ages->all = more;
        ages->room = room;
    }
    for (size_t i = 0; i < r->count; i++)
        if (!shms__is_gone(&r->cookies[i], now))
            ages->all[ages->count++] = (struct age){.site = site, .used_ns = r->cookies[i].used_ns};
    return 0;
}

static int collect_ages(shms_jar *j, struct ages *ages)
{
    struct place place;
    uint64_t cursor = 0;
    int rc;
    while ((rc = shms__next_place(j, &cursor, &place)) > 0) {
        struct record r;
        rc = shms__record_read(j, &place, &r);
        if (rc < 0)
            return rc;
        rc = note_ages(&r, shms__site_of(j, place.host), shms__jar_now(j), ages);
        shms__record_free(&r);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int compare_ages(const struct age *x, const struct age *y)
{
    return (x->used_ns > y->used_ns) - (x->used_ns < y->used_ns);
}

static int by_site(const void *a, const void *b)
{
    const struct age *x = a, *y = b;
    return x->site != y->site ? (x->site > y->site) - (x->site < y->site) : compare_ages(x, y);
}

/* In the order in which they go. */
static int by_turn(const void *a, const void *b)
{
    const struct age *x = a, *y = b;
    return x->surplus != y->surplus ? y->surplus - x->surplus : compare_ages(x, y);
}

/* Mark what sites have beyond `most`. How many there are. */
static size_t mark_surplus(struct ages *ages, size_t most)
{
    size_t sum = 0;
    if (ages->count > 0)
        qsort(ages->all, ages->count, sizeof *ages->all, by_site);
    for (size_t from = 0, to = 0; from < ages->count; from = to) {
        while (to < ages->count && ages->all[to].site == ages->all[from].site)
            to++;
        size_t surplus = to - from > most ? to - from - most : 0;
        for (size_t i = from; i < from + surplus; i++)
            ages->all[i].surplus = true;
        if (surplus > 0)
            ages->cutoffs[ages->cutoff_count++] =
                (struct cutoff){ages->all[from].site, ages->all[from + surplus - 1].used_ns};
        sum += surplus;
    }
    return sum;
}

/* Cookies go that were last used at that time or before, those of a surplus by another time; as many as
 * `most`; and what has expired. */
struct sweep {
    const struct ages *ages;
    int64_t until_ns, surplus_until_ns;
    size_t most;
};

static int by_cutoff(const void *a, const void *b)
{
    const struct cutoff *x = a, *y = b;
    return (x->site > y->site) - (x->site < y->site);
}

/* The age up to which cookies of a place go. */
static int64_t until_of(const struct sweep *s, uint64_t site)
{
    struct cutoff like = {.site = site}, *found = NULL;
    if (s->ages->cutoff_count > 0)
        found = bsearch(&like, s->ages->cutoffs, s->ages->cutoff_count, sizeof like, by_cutoff);
    int64_t until = s->until_ns;
    if (found) {
        int64_t surplus = found->until_ns < s->surplus_until_ns ? found->until_ns : s->surplus_until_ns;
        until = surplus > until ? surplus : until;
    }
    return until;
}

static int sweep_host(shms_jar *j, struct record *r, void *context)
{
    struct sweep *sweep = context;
    int64_t until = until_of(sweep, shms__site_of(j, r->place.host));
    for (size_t i = 0; i < r->count && sweep->most > 0; i++) {
        const shms_cookie *c = &r->cookies[i];
        if (!(c->flags & SHMS_COOKIE_GONE) && c->used_ns <= until) {
            shms__record_drop(r, i);
            sweep->most--;
        }
    }
    return 0;
}

static int sweep_hosts(shms_jar *j, struct sweep *sweep)
{
    struct place place;
    uint64_t cursor = 0;
    int rc;
    while ((rc = shms__next_place(j, &cursor, &place)) > 0) {
        int64_t delta = 0;
        struct sweep try = *sweep; /* a try that fails is another one's change: that place stays for once */
        rc = shms__edit_once(j, &place, sweep_host, &try, &delta);
        if (rc == 0)
            *sweep = try;
        else if (rc != SHMS_E_CHANGED && rc != SHMS_E_EXISTS)
            return rc;
    }
    return rc;
}

/* Say which are to go: the first of all, in their turn. */
static int plan(const shms_jar *j, struct ages *ages, struct sweep *sweep)
{
    ages->cutoffs = malloc((ages->count / (j->host_cookies + 1) + 1) * sizeof *ages->cutoffs);
    if (!ages->cutoffs)
        return SHMS_E_NOMEM;
    size_t surplus = mark_surplus(ages, j->host_cookies);
    qsort(ages->all, ages->count, sizeof *ages->all, by_turn);
    int64_t last = ages->all[sweep->most - 1].used_ns;
    sweep->surplus_until_ns = sweep->most < surplus ? last : INT64_MAX;
    sweep->until_ns = sweep->most > surplus ? last : INT64_MIN;
    return 0;
}

/* Down to ten elevenths of the most, or of what there is if there is no room. Counts anew. */
int shms__sweep(shms_jar *j, bool full)
{
    struct ages ages = {0};
    int rc = collect_ages(j, &ages);
    size_t most = full && ages.count < j->jar_cookies ? ages.count : j->jar_cookies;
    size_t keep = full || ages.count > most ? most - most / 11 : ages.count;
    struct sweep sweep = {
        .ages = &ages, .until_ns = INT64_MIN, .surplus_until_ns = INT64_MIN, .most = ages.count - keep};
    if (rc == 0 && sweep.most > 0)
        rc = plan(j, &ages, &sweep);
    if (rc == 0)
        rc = sweep_hosts(j, &sweep);
    free(ages.all);
    free(ages.cutoffs);
    int64_t left = (int64_t)(keep + sweep.most);
    if (rc == 0)
        shms_dict_set(j->dict, COUNT_KEY, COUNT_KEY_SIZE, &left, sizeof left, NULL);
    return rc;
}
