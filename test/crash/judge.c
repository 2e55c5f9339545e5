/* SPDX-License-Identifier: MIT */
/*
 * What must hold wherever somebody died. The invariants, by the names under which a breach is reported:
 *   open      an opener gets the region, or a new one where nobody lives, at once
 *   lock      a survivor gets the lock, within a bound; a living holder keeps it
 *   told      it is told of a death in a section, and only where one has been that no journal covers; again
 *             until repaired
 *   sequence  odd only while the lock is taken; even after the next section, and greater than before
 *   version   even always; once the next section is over it has moved if new bytes are there, or if somebody
 *             died with the lock; not by a section that wrote nothing or was given up
 *   data      each word is old or new; all of them one or the other unless the locker was told
 *   journal   of a crash-atomic region: nobody is told; data and size are old, or both are new; nothing is
 *             left to be undone once somebody has the lock
 *   readers   a living reader keeps writers out, and no reader; a dead one keeps out nobody
 *   snapshot  gives what was there between two sections, or says that it cannot
 *   size      is old or new; bytes that come are zero
 *   members   the dead are not counted, and their slots can be had
 *   init      runs until one has succeeded; nobody's open returns before that
 *   life      without members and not kept: the next opener gets zeros, and nothing is left after the last
 *   leak      no descriptor is left
 */
#include "crash.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SLOT_APART 8u
#define REPORTS_MOST 4 /* of one scene */

struct counts counts;
const struct scene *now_playing;
int64_t now_at;
int64_t version_was;
bool holder_died;

void violated(const char *invariant, const char *format, ...)
{
    static const struct scene *scene;
    static unsigned reports;
    va_list args;
    counts.violations++;
    reports = scene == now_playing ? reports + 1 : 1;
    scene = now_playing;
    if (reports > REPORTS_MOST)
        return;
    printf("BROKEN [%s] %s, instruction %lld, phase %u: ", invariant, now_playing->name, (long long)now_at,
           a32_load_relaxed(&stage->phase)); /* relaxed: the tracee is stopped or dead */
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

unsigned open_descriptors(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

/* ---- bytes */

static unsigned look_at_words(const uint64_t *words)
{
    bool old = true, new = true;
    for (unsigned i = 0; i < WORDS; i++) {
        old &= words[i] == old_word(i);
        new &= words[i] == new_word(i);
        must(words[i] == old_word(i) || words[i] == new_word(i), "data", "word %u is %#llx", i,
             (unsigned long long)words[i]);
    }
    return old ? OLD : new ? NEW : MIX;
}

static bool all_zero(const unsigned char *p, uint64_t n)
{
    return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* What the section changed behind DATA_SIZE goes with the words. */
static void judge_tail(shms_stream *s, bool grown, bool marked)
{
    uint64_t size = shms_stream_size(s), wanted = grown ? DATA_GROWN : DATA_SIZE, wrong = 0;
    const unsigned char *p = bytes_of(s);
    must(size == wanted, "journal", "the size is %llu, with bytes that go with %llu",
         (unsigned long long)size, (unsigned long long)wanted);
    for (uint64_t i = DATA_SIZE; i < size && !wrong; i++)
        if (p[i] != (marked && marked_byte(i) ? MARK_BYTE : 0))
            wrong = i;
    must(!wrong, "journal", "byte %llu is not what goes with the words", (unsigned long long)wrong);
}

unsigned judge_data(shms_stream *s, unsigned traits)
{
    uint64_t size = shms_stream_size(s);
    must(size == DATA_SIZE || (traits & RESIZES && size == DATA_GROWN), "size", "%llu",
         (unsigned long long)size);
    if (size < DATA_SIZE)
        return MIX;
    unsigned how = look_at_words((const uint64_t *)(const void *)bytes_of(s));
    counts.data_old += how == OLD;
    counts.data_new += how == NEW;
    counts.data_mixed += how == MIX;
    if ((traits & ATOMIC) && how == OLD)
        judge_tail(s, traits & WAS_MARKED, traits & WAS_MARKED);
    if ((traits & ATOMIC) && how == NEW)
        judge_tail(s, traits & (BECOMES_MARKED | BECOMES_EMPTY), traits & BECOMES_MARKED);
    return how;
}

static void judge_growth(shms_stream *s)
{
    uint64_t size = shms_stream_size(s);
    int rc = shms_stream_resize(s, DATA_MOST);
    must(rc == 0, "size", "growing gives %d", rc);
    const unsigned char *p = bytes_of(s);
    must(rc < 0 || all_zero(p + size, DATA_MOST - size), "size", "old bytes came back as new ones");
    must((rc = shms_stream_resize(s, size)) == 0, "size", "shrinking gives %d", rc);
}

/* ---- the lock */

unsigned expected_news(const struct control *c)
{
    uint64_t cell = a64_load_relaxed(&c->cell);                  /* relaxed: nobody moves */
    bool open = (cell & CELL_OWNER) && (a64_load_relaxed(&c->sequence) & 1); /* relaxed: as above */
    bool covered = a32_load_relaxed(&c->flags) & FLAG_ATOMIC;    /* relaxed: as above */
    bool news = (a32_load_relaxed(&c->died) & DIED_NEWS) != 0; /* relaxed: as above */
    return news || (open && !covered) ? DIED : CLEAN;
}

bool is_held(const struct control *c)
{
    return (a64_load_relaxed(&c->cell) & CELL_OWNER) != 0; /* relaxed: nobody moves */
}

/* Without the one that is not expected. */
static unsigned narrowed(unsigned allowed, const struct control *c)
{
    return allowed & (~(unsigned)EITHER | expected_news(c));
}

static void judge_release(shms_stream *s, uint64_t before)
{
    int rc = shms_stream_unlock(s);
    must(rc == 0, "lock", "unlock gives %d", rc);
    /* relaxed: nobody else is there */
    uint64_t after = a64_load_relaxed(&s->section.member.region.control->sequence);
    must(!(after & 1) && after > before, "sequence", "%llu after a section, %llu before",
         (unsigned long long)after, (unsigned long long)before);
}

/* Once a section is over that found these bytes and wrote nothing. */
static void judge_version(shms_stream *s, unsigned how)
{
    int64_t now = version_of(s);
    must(!(now & 1) && now >= version_was, "version", "%lld", (long long)now);
    must(now > version_was || how == OLD, "version", "new bytes are there, but it has not moved");
    must(now > version_was || !holder_died, "version", "a holder has died, but it has not moved");
    must(now == version_was || !(now_playing->traits & QUIET) || holder_died || how != OLD, "version",
         "it has moved by %lld, but nothing has changed", (long long)(now - version_was));
    int64_t seen = version_was;
    int rc = shms_stream_wait(s, &seen, 0);
    must(rc == (now == version_was ? SHMS_E_TIMEOUT : 0), "version", "wait for news gives %d", rc);
}

static void judge_repair(shms_stream *s)
{
    int rc = shms_stream_lock(s, BOUND_MS);
    must(rc == SHMS_OWNER_DIED, "told", "the second locker gets %d", rc);
    fill_old(s);
    rc = shms_stream_repaired(s);
    must(rc == 0, "told", "repaired gives %d", rc);
    shms_stream_unlock(s);
}

void judge_lock(shms_stream *s, unsigned allowed, unsigned traits)
{
    const struct control *c = s->section.member.region.control;
    uint64_t before = a64_load_relaxed(&c->sequence); /* relaxed: nobody else is there */
    uint64_t cell = a64_load_relaxed(&c->cell);      /* relaxed: as above */
    allowed = narrowed(allowed, c);
    int rc = shms_stream_lock(s, 0);
    must(rc == 0 || rc == SHMS_OWNER_DIED, "lock", "gives %d, cell %#llx", rc, (unsigned long long)cell);
    if (rc < 0)
        return;
    unsigned told = rc == SHMS_OWNER_DIED ? DIED : CLEAN;
    counts.told_died += told == DIED;
    counts.told_clean += told == CLEAN;
    must(told & allowed, "told", "gives %d, cell %#llx", rc, (unsigned long long)cell);
    must(!(before & 1) || (cell & CELL_OWNER), "sequence", "odd, and nobody holds the lock");
    must(a64_load_relaxed(&c->journal_used) == 0 && !(a32_load_relaxed(&c->died) & DIED_OWED), "journal",
         "something is still to be undone"); /* relaxed: as above */
    unsigned how = judge_data(s, traits);
    must(how & allowed, "data", "%s", how == OLD ? "old" : how == NEW ? "new" : "mixed");
    must(told == DIED || how != MIX, "data", "half-written, but nobody was told");
    if (traits & RESIZES)
        judge_growth(s);
    judge_release(s, before);
    if (!(traits & RESIZES))
        judge_version(s, how);
    if (told == DIED)
        judge_repair(s);
    rc = shms_stream_lock(s, BOUND_MS);
    must(rc == 0, "told", "after all is well the lock gives %d", rc);
    shms_stream_unlock(s);
}

void judge_results(void)
{
    uint32_t phase = a32_load_relaxed(&stage->wrong_phase); /* relaxed: the tracee is stopped */
    must(phase == 0, "told", "a call of phase %u gave %d", phase,
         (int)a32_load_relaxed(&stage->wrong_code)); /* relaxed: as above */
}

/* ---- survivors of a copy */

static void judge_snapshot(shms_stream *s, unsigned allowed)
{
    uint64_t words[WORDS];
    int64_t got = shms_stream_snapshot(s, words, sizeof words, 0);
    if (got == SHMS_E_CORRUPT) {
        must(allowed & DIED, "snapshot", "says broken");
        return;
    }
    must(got == (int64_t)sizeof words, "snapshot", "gives %lld", (long long)got);
    if (got == (int64_t)sizeof words)
        must(look_at_words(words) & allowed & (OLD | NEW), "snapshot", "gives half-written bytes");
}

static void judge_info(shms_stream *s, unsigned members)
{
    shms_info info = {.struct_size = sizeof info};
    int rc = shms_stream_info(s, &info);
    must(rc == 0 && info.members == members && info.waiters == 0, "members",
         "info gives %d, %u members, %u wait", rc,
         info.members, info.waiters);
}

/* A living holder is not robbed; when it dies, its lock is taken over. */
static void judge_holder(shms_stream *s, unsigned traits, int slots)
{
    int rc = shms_stream_lock(s, 0);
    must(rc == SHMS_E_TIMEOUT, "lock", "of a living holder: gives %d", rc);
    if (rc >= 0)
        shms_stream_unlock(s);
    unsigned news = expected_news(s->section.member.region.control);
    rc = shms_stream_lock_shared(s, 0);
    must(rc == (!(traits & READING) ? SHMS_E_TIMEOUT : news == DIED ? SHMS_OWNER_DIED : 0), "readers",
         "beside a living holder: gives %d", rc);
    if (rc >= 0)
        shms_stream_unlock(s);
    release_slots(slots, 0, 1);
}

/* The same as the exclusive lock would, but for the repairing. */
static void judge_reader(shms_stream *s, unsigned allowed)
{
    const struct control *c = s->section.member.region.control;
    allowed = narrowed(allowed, c);
    int rc = shms_stream_lock_shared(s, 0);
    must(rc == 0 || rc == SHMS_OWNER_DIED, "readers", "the shared lock gives %d", rc);
    if (rc < 0)
        return;
    must((rc ? DIED : CLEAN) & allowed, "told", "the shared lock gives %d", rc);
    unsigned how = judge_data(s, now_playing->traits);
    must(how & allowed, "data", "a reader sees %s", how == OLD ? "old" : how == NEW ? "new" : "mixed");
    must((rc = shms_stream_unlock(s)) == 0, "readers", "unlock gives %d", rc);
}

/* The survivor joins where the bystander lives on; in the dead one's slot, or in one of its own. */
void judge_member(const struct scene *sc, const struct picture *p, unsigned allowed, bool holder,
                  bool dead_slot)
{
    static struct picture hinted;
    uint32_t slot = !dead_slot ? SLOT_APART : sc->traits & DEAD_APART ? 2 : 1;
    hinted = *p;
    allowed = holder ? (allowed & ~(unsigned)EITHER) | expected_news(&p->c.control)
                     : narrowed(allowed, &p->c.control);
    invite_to_slot(&hinted, slot);
    holder_died = is_held(&p->c.control);
    picture_put(&hinted);
    int slots = hold_slots(dead_slot ? 1 : SLOT_APART);
    shms_stream *s = NULL;
    int rc = shms_stream_open(copy_name, 0, NULL, &s);
    must(rc == 0 && shms_stream_existed(s), "open", "joining gives %d", rc);
    if (rc == 0) {
        counts.survivors++;
        must(s->section.member.slot == slot, "members", "got slot %u", s->section.member.slot);
        if (!dead_slot)
            release_slots(slots, 1, SLOT_APART - 1);
        judge_info(s, 2);
        if (holder)
            judge_holder(s, sc->traits, slots);
        else if (dead_slot)
            judge_snapshot(s, allowed);
        else if (counts.points % 2)
            judge_reader(s, allowed);
        judge_lock(s, allowed, sc->traits);
    }
    close(slots);
    shms_stream_close(s);
    must((sc->traits & KEEP) != 0 || !name_is_there(copy_name), "life", "something is left");
    names_remove(copy_name);
}

/* ---- a region that its creator is still filling, or has filled */

static unsigned inits;

static int fill_anew(shms_stream *s, void *context)
{
    (void)context;
    inits++;
    must(!(now_playing->traits & ATOMIC) || all_zero(bytes_of(s), DATA_SIZE), "init",
         "it finds bytes of a dead one's");
    fill_new(s);
    return 0;
}

static shms_stream *open_to_fill(int wanted, unsigned wanted_inits)
{
    shms_stream_options o = {.struct_size = sizeof o, .init = fill_anew, .open_timeout_ms = 1};
    shms_stream *s = NULL;
    inits = 0;
    if (wanted == 0)
        o.open_timeout_ms = BOUND_MS;
    int rc = shms_stream_open(copy_name, DATA_SIZE, &o, &s);
    must(rc == wanted, "init", "an opener gets %d", rc);
    must(inits == wanted_inits, "init", "it was called %u times", inits);
    return rc == 0 ? s : NULL;
}

void judge_init(const struct scene *sc, const struct picture *p)
{
    static struct picture alone;
    const struct control *c = &p->c.control;
    /* relaxed: private copies; here and below */
    if (!p->has_control || !p->belongs || a32_load_relaxed(&c->state) != STATE_READY)
        return;
    uint32_t init = a32_load_relaxed(&c->init); /* relaxed: as above */
    bool ended = init != INIT_OWED && init != INIT_ENDING;
    alone = *p;
    holder_died = is_held(c);
    invite_to_slot(&alone, SLOT_APART);
    picture_put(&alone);
    int slots = hold_slots(SLOT_APART);
    shms_stream *s = open_to_fill(ended ? 0 : SHMS_E_TIMEOUT, 0); /* the creator lives */
    shms_stream_close(s);
    release_slots(slots, 0, 1);
    s = open_to_fill(0, shms__region_init_owed(c)); /* it is dead, but others have come */
    shms_stream *next = open_to_fill(0, 0);
    if (s && next) {
        counts.survivors++;
        must(shms_stream_existed(s), "life", "a living region was made anew");
        must(judge_data(s, sc->traits) == NEW, "init", "the next one sees other bytes");
        judge_lock(next, EITHER | NEW, sc->traits);
    }
    shms_stream_close(next);
    close(slots);
    shms_stream_close(s);
    names_remove(copy_name);
}

/* ---- the next life */

void judge_new(shms_stream *s)
{
    must(shms_stream_size(s) == DATA_SIZE && shms_stream_version(s) == 0, "life",
         "a new one of size %llu, version %lld", (unsigned long long)shms_stream_size(s),
         (long long)shms_stream_version(s));
    must(all_zero(bytes_of(s), DATA_SIZE), "life", "old bytes show");
    int rc = shms_stream_lock(s, 0);
    must(rc == 0, "life", "the new one's lock gives %d", rc);
    shms_stream_unlock(s);
    judge_info(s, 1);
}

void judge_opener(const char *name, const struct scene *sc, unsigned allowed, bool whole)
{
    shms_stream *s = NULL;
    int rc = shms_stream_open(name, DATA_SIZE, NULL, &s);
    must(rc == 0, "open", "the next opener gets %d", rc);
    if (rc < 0)
        return;
    counts.lives++;
    bool kept = sc->traits & KEEP && whole;
    must(shms_stream_existed(s) == kept, "life", "existed is %d", shms_stream_existed(s));
    if (shms_stream_existed(s))
        judge_lock(s, allowed, sc->traits);
    else
        judge_new(s);
    shms_stream_close(s);
    must(name_is_there(name) == kept, "life", kept ? "the kept one is gone" : "something is left");
    if (kept)
        must((rc = shms_stream_unlink(name)) == 0 && !name_is_there(name), "life", "unlink gives %d", rc);
}

bool picture_stays(const struct picture *p)
{
    return p->has_control && p->has_data && !shms__region_init_owed(&p->c.control);
}

void judge_next_life(const struct scene *sc, const struct picture *p, unsigned allowed)
{
    holder_died = p->has_control && is_held(&p->c.control);
    picture_put(p);
    must(sc->traits & (MAY_VANISH | INITS) || !(sc->traits & KEEP) || (p->has_control && p->has_data), "life",
         "the kept one's files are gone");
    if (p->has_control)
        allowed = narrowed(allowed, &p->c.control);
    judge_opener(copy_name, sc, allowed, picture_stays(p));
    names_remove(copy_name);
}

void judge_slots(const char *name)
{
    shms_stream *all[SHMS_MEMBERS_MAX];
    shms_info info = {.struct_size = sizeof info};
    unsigned n = 0;
    int rc = 0;
    while (n < SHMS_MEMBERS_MAX && (rc = shms_stream_open(name, 0, NULL, &all[n])) == 0)
        n++;
    if (n > 0 && shms_stream_info(all[0], &info) == 0)
        must(info.members == SHMS_MEMBERS_MAX && rc == SHMS_E_FULL, "members", "full with %u, open gives %d",
             info.members, rc);
    while (n > 0)
        shms_stream_close(all[--n]);
}
