/* SPDX-License-Identifier: MIT */
/*
 * Windows: sleeping on a word of shared memory. WaitOnAddress works within one process only, so each region
 * has a bell, a manual-reset event that the waker sets. A sleeper resets it before it looks at the word:
 * a change after that look sets it again. Two sleepers can take a ring from each other this way, between the
 * look and the sleep; that costs the end of a slice, which is what every caller reckons with.
 */
#include "objects.h"

#include "layout.h"

static struct objects *known; /* those whose control is mapped; guarded by the process lock */

void shms__objects_mapped(struct objects *o, void *control)
{
    shms__process_lock();
    o->control = control;
    o->next = known;
    known = o;
    shms__process_unlock();
}

void shms__objects_unmapped(const struct objects *o)
{
    shms__process_lock();
    for (struct objects **at = &known; *at; at = &(*at)->next) {
        if (*at == o) {
            *at = o->next;
            break;
        }
    }
    shms__process_unlock();
}

/* The bell of the region in whose control the word stands. */
static HANDLE bell_of(const void *word)
{
    HANDLE bell = NULL;
    shms__process_lock();
    for (const struct objects *o = known; o && !bell; o = o->next) {
        uintptr_t at = (uintptr_t)word - (uintptr_t)o->control;
        if (at < LAYOUT_CONTROL_SIZE)
            bell = o->bell;
    }
    shms__process_unlock();
    return bell;
}

/* One slice; WAIT_TIMEOUT where there is no bell, or at its end. */
static DWORD doze(HANDLE bell, DWORD ms)
{
    if (bell)
        return WaitForSingleObject(bell, ms);
    Sleep(ms);
    return WAIT_TIMEOUT;
}

int shms__sleep_on(a32 *word, uint32_t expected, int64_t ns)
{
    HANDLE bell = bell_of(word);
    int64_t end = shms__now_ns() + ns;
    for (int64_t left = ns; left > 0; left = end - shms__now_ns()) {
        if (bell)
            ResetEvent(bell);
        /* acquire: what the waker did before it changed the word; pairs with the release in shms__unlock */
        if (a32_load_acquire(word) != expected)
            return left == ns ? SLEEP_CHANGED : SLEEP_WOKEN;
        if (doze(bell, (DWORD)((left + 999999) / 1000000)) != WAIT_OBJECT_0)
            break;
    }
    return SLEEP_TIMEOUT;
}

void shms__wake(a32 *word, int count)
{
    (void)count; /* a sleeper woken for nothing sleeps on */
    HANDLE bell = bell_of(word);
    if (bell)
        SetEvent(bell);
}
