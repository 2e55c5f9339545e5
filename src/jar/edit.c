/* SPDX-License-Identifier: MIT */
#include "edit.h"

#include <string.h>

#define TRIES_ALONE 8
#define TRIES_MOST 10000
#define TURN_MS 1000 /* longest wait for a turn */

/* ---- what is too much in one place */

static void drop_expired(struct record *r, int64_t now)
{
    for (size_t i = 0; i < r->count; i++)
        if (!(r->cookies[i].flags & SHMS_COOKIE_GONE) && shms__is_gone(&r->cookies[i], now))
            shms__record_drop(r, i);
}

/* a goes before b. What the present change made (changed is 0) stays. */
static bool less_worth(const shms_cookie *a, const shms_cookie *b)
{
    bool a_secure = a->flags & SHMS_COOKIE_SECURE, b_secure = b->flags & SHMS_COOKIE_SECURE;
    if (a_secure != b_secure)
        return b_secure;
    return a->used_ns < b->used_ns;
}

static bool drop_least(struct record *r)
{
    size_t least = r->count;
    for (size_t i = 0; i < r->count; i++) {
        const shms_cookie *c = &r->cookies[i];
        if ((c->flags & SHMS_COOKIE_GONE) || c->changed == 0)
            continue;
        if (least == r->count || less_worth(c, &r->cookies[least]))
            least = i;
    }
    if (least == r->count)
        return false;
    shms__record_drop(r, least);
    return true;
}

/* Marks beyond the newest few are given up; those that read changes are told so. */
static void forget_marks(struct record *r)
{
    for (;;) {
        size_t marks = r->count - shms__record_alive(r), oldest = r->count;
        if (marks <= MARKS_MOST)
            return;
        for (size_t i = 0; i < r->count; i++) {
            const shms_cookie *c = &r->cookies[i];
            if (!(c->flags & SHMS_COOKIE_GONE))
                continue;
            if (oldest == r->count || (c->changed != 0 && (r->cookies[oldest].changed == 0 ||
                                                           c->changed < r->cookies[oldest].changed)))
                oldest = i;
        }
        int64_t changed = r->cookies[oldest].changed;
        r->forgotten = changed == 0 || r->forgotten == FORGOTTEN_NOW ? FORGOTTEN_NOW
                       : changed > r->forgotten                      ? changed
                                                                     : r->forgotten;
        shms__record_remove(r, oldest);
    }
}

static void keep_limits(const shms_jar *j, struct record *r)
{
    size_t alive = shms__record_alive(r);
    if (alive > j->host_cookies)
        for (; alive > j->host_cookies - j->host_cookies / 6 && drop_least(r);)
            alive--;
    forget_marks(r);
    while (shms__record_size(r) > RECORD_MAX && drop_least(r))
        forget_marks(r);
}

/* ---- one change */

int shms__edit_once(shms_jar *j, const struct place *place, edit_fn *edit, void *context,
                    int64_t *ret_delta)
{
    struct record r;
    int rc = shms__record_read(j, place, &r);
    if (rc < 0)
        return rc;
    size_t before = shms__record_alive(&r);
    drop_expired(&r, shms__jar_now(j));
    rc = edit(j, &r, context);
    if (rc == 0 && r.dirty) {
        keep_limits(j, &r);
        *ret_delta = (int64_t)shms__record_alive(&r) - (int64_t)before;
        rc = shms__record_write(j, &r, 0);
    }
    shms__record_free(&r);
    return rc;
}

static bool is_race(int rc)
{
    return rc == SHMS_E_CHANGED || rc == SHMS_E_EXISTS;
}

/* Each try that fails for others' sake means that one of them has succeeded: so tries are counted, not time,
 * which would end early on a machine that is busy with those others. */
static int edit_at_most(shms_jar *j, const struct place *place, edit_fn *edit, void *context, int tries,
                        int64_t *ret_delta)
{
    int rc = SHMS_E_CHANGED;
    while (is_race(rc) && tries-- > 0) {
        *ret_delta = 0;
        rc = shms__edit_once(j, place, edit, context, ret_delta);
    }
    return rc;
}

/* A writer that has failed a few times takes turns with others like it: a lock beside the one that
 * shms_jar_lock() takes. It is for fairness only: if it cannot be had, the tries go on all the same. */
static int edit_until_done(shms_jar *j, const struct place *place, edit_fn *edit, void *context,
                           int64_t *ret_delta)
{
    char turn[KEY_ROOM + 1] = "";
    int rc = edit_at_most(j, place, edit, context, TRIES_ALONE, ret_delta);
    if (!is_race(rc))
        return rc;
    size_t size = 1 + shms__place_key(place, turn + 1);
    int got = shms_dict_lock(j->dict, turn, size, TURN_MS);
    rc = edit_at_most(j, place, edit, context, TRIES_MOST, ret_delta);
    if (got >= 0)
        shms_dict_unlock(j->dict, turn, size);
    return is_race(rc) ? SHMS_E_TIMEOUT : rc;
}

/* ---- any change */

/* The cookie is in; what comes of counting cannot make that fail. */
static void count(shms_jar *j, int64_t delta)
{
    int64_t sum = 0;
    int64_t rc = shms_dict_add(j->dict, COUNT_KEY, COUNT_KEY_SIZE, delta, 0, NULL, &sum);
    if ((rc > 0 && sum > (int64_t)j->jar_cookies) || rc == SHMS_E_INVALID)
        shms__sweep(j, false);
}

int shms__edit(shms_jar *j, const struct place *place, edit_fn *edit, void *context)
{
    int64_t delta;
    int rc = edit_until_done(j, place, edit, context, &delta);
    if (rc == SHMS_E_FULL && shms__sweep(j, true) == 0)
        rc = edit_until_done(j, place, edit, context, &delta);
    if (rc == 0 && delta != 0)
        count(j, delta);
    return rc;
}

/* ---- places */

int shms__next_place(shms_jar *j, uint64_t *cursor, struct place *ret)
{
    for (;;) {
        char key[KEY_ROOM];
        size_t size = sizeof key;
        int rc = shms_dict_next(j->dict, cursor, key, &size, NULL, NULL, NULL);
        if (rc <= 0 || shms__key_place(key, size, ret))
            return rc;
    }
}
