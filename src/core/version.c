/* SPDX-License-Identifier: MIT */
/*
 * The version: one 64-bit counter in control, odd while a changing section is open, even after.
 *
 * Who takes part. Only the holder of the lock writes version (cell.c). Readers and waiters read it; waiters
 * set CHANGE or POLL in the lock cell, the unlocker that clears them wakes.
 *
 * Snapshot is a seqlock's reading side (H.-J. Boehm, "Can Seqlocks Get Along With Programming Language Memory
 * Models?", MSPC 2012): an even version before and the same after the copy mean that no changing section
 * overlapped it. Bytes that a writer changes meanwhile are copied too, and thrown away.
 * Linearisation: the first load of the version that stood. Progress: SNAPSHOT_TRIES tries, then the shared
 * lock.
 *
 * Wait. Invariant: a waiter sleeps on a version only after it has seen its flag stand in the cell later than
 * that version, and whoever takes a flag out moves the version afterwards, and then wakes (give_back).
 * So a waiter finds the new version, or is woken; and waiting costs the uncontended unlock nothing, not
 * even a fence: it finds a flag by the compare-and-swap that it needs anyway.
 *
 * A poll descriptor watches control by inotify: the unlocker that finds POLL writes one byte there, by a
 * system call, at a place nobody reads. POLL is taken out with each ring, and set again by the next wait.
 *
 * What a crash leaves:
 *   waiter, flag set, gone            a flag: one needless wake-up or ring
 *   unlock, version stored, then gone the waiter's slice (SLICE_NS) ends and it looks for itself; a poll
 *                                     descriptor learns of it when the next section ends: cell.c's take-over
 *   holder inside its section         version stays odd; the next locker, or a waiter after its slice, ends
 *                                     it: waiters wake, and snapshots say SHMS_E_CORRUPT until repaired
 */
#include "version.h"

#include "readers.h"

#include <limits.h>

#define SNAPSHOT_TRIES 12 /* some microseconds; who writes without a pause is asked to wait then */
#define SNAPSHOT_APART 8 /* pauses between two tries */
#define SLICE_NS 100000000  /* what a lost or stolen wake-up costs a waiter at most */
#define NOTIFY_TRIES 1000
#define ARM_TRIES 64 /* an honest unlocker makes us try twice */

int64_t shms__version(const struct member *m)
{
    /* acquire: what happened before that version; pairs with the release in shms__unlock_quick */
    return (int64_t)(a64_load_acquire(&m->region.control->version) & INT64_MAX & ~1ull);
}

/* ---- snapshot */

static int64_t copy_now(struct member *m, void *buf, uint64_t n, uint64_t offset)
{
    uint64_t part = ref_part(offset, n, shms__region_size(&m->region));
    if (part > 0)
        racy_copy(buf, m->region.data + offset, (size_t)part);
    return (int64_t)part;
}

static int64_t snapshot_locked(struct member *m, void *buf, uint64_t n, uint64_t offset)
{
    int rc = shms__lock_shared(m, (int)(m->region.timeout_ns / 1000000));
    if (rc == SHMS_E_TIMEOUT || rc == SHMS_E_FULL)
        return rc;
    /* Any other failure, and a lock that is not ours any more: a peer has overwritten the cell. */
    bool whole = rc == 0;
    int64_t got = whole ? copy_now(m, buf, n, offset) : 0;
    if (rc >= 0)
        whole &= shms__unlock_shared(m) == 0;
    return whole ? got : shms__fail(SHMS_E_CORRUPT);
}

int64_t shms__snapshot_again(struct member *m, void *buf, uint64_t n, uint64_t offset)
{
    if (shms__lock_held_here(m))
        return copy_now(m, buf, n, offset);
    for (int i = 0; i < SNAPSHOT_TRIES; i++) {
        uint64_t part = ref_part(offset, n, shms__region_size(&m->region));
        if (part == 0)
            return 0;
        /* A growth that came between the two looks at the size would make the part too short. */
        if (shms__snapshot_whole(m, buf, part, offset) &&
            part == ref_part(offset, n, shms__region_size(&m->region)))
            return (int64_t)part;
        /* Each look takes the line from the writer, which would end its section sooner without. */
        for (int k = 0; k < SNAPSHOT_APART; k++)
            spin_pause();
    }
    return snapshot_locked(m, buf, n, offset);
}

/* ---- wait */

/* Is there news? Then it goes to *seen. */
static bool look(const struct control *c, int64_t *seen, uint64_t *ret_version)
{
    /* acquire: what the section did; pairs with the release in shms__unlock_quick */
    uint64_t v = a64_load_acquire(&c->version);
    *ret_version = v;
    if ((v & 1) || (int64_t)(v & INT64_MAX) == *seen)
        return false;
    *seen = (int64_t)(v & INT64_MAX);
    return true;
}

static uint64_t wanted_flags(struct member *m, bool sleeps)
{
    shms__process_lock();
    shms__watch_drain(&m->watch);
    bool polls = m->watch.fd >= 0;
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
    /* Another's flag may have been set after the version had moved. acquire: pairs with shms__unlock_quick */
    return a64_load_acquire(&c->version) == version;
}

int shms__wait(struct member *m, int64_t *seen, int timeout_ms)
{
    struct control *c = m->region.control;
    uint64_t v = 0;
    uint64_t flags = wanted_flags(m, timeout_ms != 0);
    int64_t deadline = shms__deadline(timeout_ms);
    int64_t ask_at = 0;
    for (int again = 0; !look(c, seen, &v);) {
        if (!armed(c, flags, v) && again++ < ARM_TRIES)
            continue;
        again = 0;
        int64_t now = shms__now_ns();
        if (now >= deadline || shms__member_lost(m)) /* its caller looks for the latter again */
            return shms__fail(SHMS_E_TIMEOUT);
        if (now >= ask_at) { /* by the clock: signals may cut every sleep short */
            /* relaxed: a hint; a dead holder may owe a NOTICE although its section changed nothing */
            if (ask_at && ((v & 1) || (a64_load_relaxed(&c->cell) & CELL_NOTICE)))
                shms__settle(m); /* if its holder is dead, nobody else may ever come to end it */
            ask_at = now + SLICE_NS;
        }
        int64_t left = deadline - now;
        shms__sleep_on(a64_low_half(&c->version), (uint32_t)v, left < SLICE_NS ? left : SLICE_NS);
    }
    return 0;
}

/* The cell is ours. Readers need not go: nothing is written. */
static bool empty_section(struct member *m)
{
    shms__version_open(m->region.control);
    shms__news(m, false);
    bool whole = (a64_load_relaxed(&m->region.control->cell) & CELL_OWNER) == m->id; /* relaxed: own store */
    shms__cell_give(m, true);
    return whole;
}

/*
 * An empty section moves the version. If the lock is taken, the end of that section tells, and NOTICE in the
 * cell makes sure of it even where the section is a quiet one.
 */
int shms__notify(struct member *m)
{
    struct control *c = m->region.control;
    for (int i = 0; i < NOTIFY_TRIES; i++) {
        if (shms__cell_take(m, 0) == 0 && empty_section(m))
            return 0; /* else a peer has overwritten the cell meanwhile: once more */
        uint64_t cell = a64_load_relaxed(&c->cell); /* relaxed: repeated by the compare-and-swap */
        /* release: the caller's bytes; pairs with the acquire in give_back */
        if ((cell & CELL_OWNER) && a64_cas_release(&c->cell, &cell, cell | CELL_NOTICE))
            return 0;
    }
    return shms__fail(SHMS_E_TIMEOUT);
}

/* ---- poll descriptor */

int shms__poll_open(struct member *m, int *ret_fd)
{
    const struct file *f = shms__region_control_file(&m->region);
    if (!f)
        return shms__fail(SHMS_E_LOST);
    shms__process_lock();
    int rc = shms__watch_open(f, &m->watch);
    *ret_fd = m->watch.fd;
    shms__process_unlock();
    return rc;
}

void shms__poll_close(struct member *m)
{
    shms__process_lock();
    shms__watch_close(&m->watch);
    shms__process_unlock();
}
