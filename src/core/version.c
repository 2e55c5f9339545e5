/* SPDX-License-Identifier: MIT */
/*
 * Two counters in control: the sequence, odd while a section is open that may write, and the version of the
 * data, which moves on with each section that changed something.
 *
 * Who takes part. Only the holder of the lock writes them (section.c). Readers read the sequence, waiters the
 * version; waiters set CHANGE or POLL in the lock cell, and the unlocker that clears them wakes.
 *
 * Snapshot is a seqlock's reading side (H.-J. Boehm, "Can Seqlocks Get Along With Programming Language Memory
 * Models?", MSPC 2012): an even sequence before and the same after the copy mean that no section that may
 * write overlapped it. Bytes that a writer changes meanwhile are copied too, and thrown away.
 * Linearisation: the first load of the sequence that stood. Progress: SNAPSHOT_TRIES tries, then the shared
 * lock.
 *
 * Wait. Invariant: a waiter sleeps on a version only after it has seen its flag stand in the cell later
 * than that version, and the member that takes a flag out moves the version afterwards, and then wakes
 * (give_back). So a waiter finds the new version, or is woken; and waiting costs the uncontended unlock
 * nothing, not even a fence: it finds a flag by the compare-and-swap that it needs anyway. The version
 * never goes back and does not hang on a section that is open: so a writer that never pauses hides no
 * change.
 *
 * A poll descriptor watches control by inotify: the unlocker that finds POLL writes one byte there, by a
 * system call, at a place nobody reads. POLL is taken out with each ring, and set again by the next wait.
 *
 * What a crash leaves:
 *   waiter, flag set, gone            a flag: one needless wake-up or ring
 *   unlock, version stored, then gone the waiter's slice ends and it looks for itself; a poll descriptor
 *                                     learns of it when the next section ends: section.c's take-over
 *   holder inside its section         the sequence stays odd; the next locker, or a waiter after its slice,
 *                                     ends it and moves the version: waiters wake, and snapshots say
 *                                     SHMS_E_CORRUPT until repaired
 */
#include "version.h"

#define SNAPSHOT_TRIES 12      /* some microseconds; a writer that never pauses is asked to wait then */
#define SNAPSHOT_APART 8       /* pauses between two tries */
#define SLICE_FIRST_NS 100000000 /* what a lost or stolen wake-up costs a waiter at most, at first */
#define ARM_TRIES 64           /* an honest unlocker makes us try twice */

int64_t shms__version(const struct section *s)
{
    /* acquire: what happened before that version; pairs with the release in shms__version_move */
    return (int64_t)(a64_load_acquire(&s->member.region.control->version) & INT64_MAX & ~1ull);
}

/* ---- snapshot */

static int64_t copy_now(struct member *m, void *buf, uint64_t n, uint64_t offset)
{
    uint64_t part = ref_part(offset, n, shms__region_size(&m->region));
    if (part > 0)
        racy_copy(buf, m->region.data + offset, (size_t)part);
    return (int64_t)part;
}

static int64_t snapshot_locked(struct section *s, void *buf, uint64_t n, uint64_t offset)
{
    int rc = shms__lock_shared(s, (int)(s->member.region.timeout_ns / 1000000));
    if (rc == SHMS_E_TIMEOUT || rc == SHMS_E_FULL)
        return rc;
    if (rc == SHMS_E_NOMEM || rc == SHMS_E_OS || rc == SHMS_E_LOST)
        return rc; /* the roll-back of a dead section */
    /* Any other failure, and a lock that is not ours any more: a peer has overwritten the cell. */
    bool whole = rc == 0;
    int64_t got = whole ? copy_now(&s->member, buf, n, offset) : 0;
    if (rc >= 0)
        whole &= shms__unlock_shared(s) == 0;
    return whole ? got : shms__fail(SHMS_E_CORRUPT);
}

int64_t shms__snapshot_again(struct section *s, void *buf, uint64_t n, uint64_t offset)
{
    struct region *r = &s->member.region;
    if (n == 0)
        return 0;
    if (!s->tasks && shms__lock_held_here(s))
        return copy_now(&s->member, buf, n, offset);
    for (int i = 0; i < SNAPSHOT_TRIES; i++) {
        uint64_t part = ref_part(offset, n, shms__region_size(r));
        /* relaxed: died came with the sequence */
        if (part == 0 && !a32_load_relaxed(&r->control->died) &&
            shms__control_smaller(r->control, offset + 1))
            return 0;
        /* A growth that came between the two looks at the size would make the part too short. */
        if (part > 0 && shms__snapshot_whole(s, buf, part, offset) &&
            part == ref_part(offset, n, shms__region_size(r)))
            return (int64_t)part;
        /* Each look takes the line from the writer, which would end its section sooner without. */
        for (int k = 0; k < SNAPSHOT_APART; k++)
            spin_pause();
    }
    return snapshot_locked(s, buf, n, offset);
}

/* ---- wait */

/* Is there news? Then it goes to *seen. */
static bool look(const struct control *c, int64_t *seen, uint64_t *ret_version)
{
    /* acquire: what the section did; pairs with the release in shms__version_move */
    uint64_t v = a64_load_acquire(&c->version);
    *ret_version = v;
    int64_t now = (int64_t)(v & INT64_MAX & ~1ull);
    if (now == *seen)
        return false;
    *seen = now;
    return true;
}

static uint64_t wanted_flags(struct section *s, bool sleeps)
{
    shms__process_lock();
    shms__watch_drain(&s->watch);
    bool polls = s->watch.fd >= 0;
    shms__process_unlock();
    return (sleeps ? CELL_CHANGE : 0) | (polls ? CELL_POLL : 0);
}

/* Do the flags stand, later than the look at the version? False: set now, or too late; look again. */
static bool armed(struct control *c, uint64_t flags, uint64_t version)
{
    /* acquire: the version of an unlock before the flag was set; pairs with shms__unlock_quick, give_back */
    if ((a64_load_acquire(&c->cell) & flags) != flags) {
        a64_or_acquire(&c->cell, flags); /* acquire: as above; pairs with the same */
        return false;
    }
    /* Another's flag may have been set after the version had moved. acquire: pairs with shms__version_move */
    return a64_load_acquire(&c->version) == version;
}

/* Asleep until the version may have moved, or its holder may have died. */
static void sleep_once(struct section *s, struct slices *slices, uint64_t version, int64_t most_ns)
{
    struct control *c = s->member.region.control;
    uint64_t owner = a64_load_relaxed(&c->cell) & CELL_OWNER; /* relaxed: a hint whose bell to listen to */
    int how = shms__sleep(&s->member, slices, owner, a64_low_half(&c->version), (uint32_t)version, most_ns);
    /* If its holder is dead, nobody else may ever come to end its section. relaxed: a hint */
    if ((how == SLEEP_TIMEOUT || how == SLEEP_RUNG) && (a64_load_relaxed(&c->cell) & CELL_OWNER))
        shms__section_settle(s);
}

static int wait_until(struct section *s, int64_t *seen, bool sleeps, int64_t deadline)
{
    struct control *c = s->member.region.control;
    struct slices slices = {.ns = SLICE_FIRST_NS, .most_ns = SLICE_BELL_NS};
    uint64_t v = 0;
    uint64_t flags = wanted_flags(s, sleeps);
    for (int again = 0; !look(c, seen, &v);) {
        if (!armed(c, flags, v) && again++ < ARM_TRIES)
            continue;
        again = 0;
        int64_t now = shms__now_ns();
        if (now >= deadline || !shms__member_here(&s->member))
            return (int)shms__member_still(&s->member, shms__fail(SHMS_E_TIMEOUT));
        sleep_once(s, &slices, v, deadline - now);
    }
    return 0;
}

int shms__wait(struct section *s, int64_t *seen, int timeout_ms)
{
    return wait_until(s, seen, timeout_ms != 0, shms__deadline(timeout_ms));
}

int shms__wait_locked(struct section *s, int timeout_ms)
{
    int64_t deadline = shms__deadline(timeout_ms);
    /* One that reads does not hold it, whatever a peer has put into the cell. */
    if (!shms__lock_held(s) || (!s->tasks && shms__readers_here(&s->readers)))
        return shms__fail(SHMS_E_NOT_OWNER);
    if (s->opening)
        return shms__fail(SHMS_E_INVALID);
    /* Two that look through their pointers must not wake each other for ever. relaxed: private */
    bool changes = shms__section_changes(s) & ~(uint32_t)CHANGES_POINTER;
    if (changes) /* told here, apart from what others do: what moves the version after this is another's */
        shms__version_move(s->member.region.control);
    a32_store_relaxed(&s->changes, changes ? CHANGES_TOLD : CHANGES_NONE); /* relaxed: private */
    int64_t seen = shms__version(s);
    int rc = shms__unlock_wake(s);
    if (rc < 0)
        return rc;
    int waited = wait_until(s, &seen, true, deadline);
    rc = shms__lock(s, -1);
    return rc != 0 ? rc : waited;
}

/* ---- poll descriptor */

int shms__poll_open(struct section *s, int *ret_fd)
{
    const struct file *f = shms__region_control_file(&s->member.region);
    if (!f)
        return shms__fail(SHMS_E_LOST);
    shms__process_lock();
    int rc = shms__watch_open(f, &s->watch);
    *ret_fd = s->watch.fd;
    shms__process_unlock();
    return rc;
}

void shms__poll_close(struct section *s)
{
    shms__process_lock();
    shms__watch_close(&s->watch);
    shms__process_unlock();
}
