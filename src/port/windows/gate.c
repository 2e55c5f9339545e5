/* SPDX-License-Identifier: MIT */
/*
 * The gate: an auto-reset event that programs built on TShareMemStream take for the lock. They wait for it
 * and set it, and know nothing else.
 *
 * Who takes part. Theirs, by the event alone. Ours, by the lock cell first (cell.c) and then, being named
 * there, by the event: so among ours one at a time is at the gate, and is known by name whatever happens.
 *
 * What is hard is to know, of a dead owner of the cell, whether it had passed the gate: if so the gate is
 * ours to inherit, else one of theirs may be inside, and we must wait like everyone. No store of the owner's
 * own can tell, as it may die between the system call and the store. So the system itself keeps the record,
 * in the *parity* semaphore, which only ours know:
 *
 *   pass   WaitForMultipleObjects(all of {gate, parity})   shuts the gate and counts parity down, as one step
 *   leave  SignalObjectAndWait(gate, parity)               opens the gate and counts parity down, in one call
 *
 * Invariant. The count is odd exactly while one of ours has passed the gate. The first call is atomic by
 * contract. The second is seen by others as two steps, but nobody looks between them: only who takes the
 * cell over from a dead owner looks at parity, and a thread is not killed inside a system call that does not
 * block (this one cannot: the count is far above zero).
 *
 * What a crash leaves, the cell naming the dead one throughout:
 *   before pass     even: the next owner of the cell waits at the gate like everyone
 *   after pass      odd: the next owner of the cell is inside already
 *   after leave     even: as before pass
 *   topping up      adds an even number, in one call: nothing
 * If all of ours are gone but one that died inside, and one of theirs keeps the event, nobody is left who
 * could know, unless a new one of ours comes before the system has removed parity: the gate stays shut, and
 * openers of ours see it as held by a stranger.
 *
 * A release by one of theirs that did not hold the gate lets another of theirs in beside us; among ours the
 * cell excludes even then.
 */
#include "gate.h"

#include "../../core/region.h"

#include "objects.h"

#include <winternl.h>

#define TOP_UP_EVERY 0x10000u
#define COUNT_LOW (PARITY_FULL / 2) /* far more than all members can use between two times */

static ULONG count_of(HANDLE parity)
{
    struct nt_semaphore state = {0};
    return NtQuerySemaphore(parity, 0, &state, sizeof state, NULL) >= 0 ? state.count : 0;
}

bool shms__gate_passed(const struct objects *o)
{
    return count_of(o->parity) % 2 == 1;
}

/* Inside: nobody else of ours counts. */
static void top_up(struct objects *o)
{
    if (o->passes++ % TOP_UP_EVERY == 0 && count_of(o->parity) < COUNT_LOW)
        ReleaseSemaphore(o->parity, COUNT_LOW, NULL);
}

static DWORD rest_ms(int64_t deadline)
{
    if (deadline == INT64_MAX)
        return INFINITE;
    int64_t left = deadline - shms__now_ns();
    return left <= 0 ? 0 : (DWORD)((left + 999999) / 1000000);
}

static bool inside(const struct objects *o)
{
    return a32_load_relaxed(&o->inside); /* relaxed: private; the unlocker has been told of the lock */
}

int shms__gate_pass(struct region *r, int64_t deadline)
{
    struct objects *o = r->control_file.objects;
    HANDLE both[] = {o->gate, o->parity};
    if (inside(o))
        return 0;
    DWORD how = WaitForMultipleObjects(2, both, TRUE, rest_ms(deadline));
    if (how == WAIT_TIMEOUT)
        return shms__fail(SHMS_E_TIMEOUT);
    if (how == WAIT_FAILED)
        return shms__fail_last();
    top_up(o);
    a32_store_relaxed(&o->inside, 1); /* relaxed: as above */
    return 0;
}

void shms__gate_inherit(struct region *r)
{
    struct objects *o = r->control_file.objects;
    a32_store_relaxed(&o->inside, shms__gate_passed(o)); /* relaxed: as above */
}

bool shms__gate_inside(const struct region *r)
{
    return inside(r->control_file.objects);
}

void shms__gate_leave(struct region *r)
{
    struct objects *o = r->control_file.objects;
    if (!inside(o))
        return;
    a32_store_relaxed(&o->inside, 0); /* relaxed: as above */
    SignalObjectAndWait(o->gate, o->parity, 0, FALSE);
}

/* ---- strangers */

static bool is_open(HANDLE gate)
{
    struct nt_event state = {0};
    return NtQueryEvent(gate, 0, &state, sizeof state, NULL) < 0 || state.state != 0;
}

/* Shut, and not by ours. */
static bool held_by_stranger(const char *base)
{
    wchar_t name[OBJECT_NAME_MAX];
    shms__object_name(base, GATE_ENDING, name);
    HANDLE gate = OpenEventW(QUERY_STATE, FALSE, name);
    shms__object_name(base, PARITY_ENDING, name);
    HANDLE parity = OpenSemaphoreW(QUERY_STATE, FALSE, name);
    bool held = gate && parity && !is_open(gate) && count_of(parity) % 2 == 0;
    if (gate)
        CloseHandle(gate);
    if (parity)
        CloseHandle(parity);
    return held;
}

/* Each member has one handle of the data section; the others are strangers', and the one used to look. */
static uint32_t count_strangers(const char *base, uint32_t members)
{
    wchar_t name[OBJECT_NAME_MAX];
    PUBLIC_OBJECT_BASIC_INFORMATION object = {0};
    shms__object_name(base, "", name);
    HANDLE data = OpenFileMappingW(FILE_MAP_READ, FALSE, name);
    if (!data)
        return 0;
    NtQueryObject(data, ObjectBasicInformation, &object, sizeof object, NULL);
    CloseHandle(data);
    return object.HandleCount > members + 1 ? object.HandleCount - members - 1 : 0;
}

void shms__gate_tell(const struct file *control, struct shms_info *info)
{
    const char *base = control->objects->base;
    info->strangers = count_strangers(base, info->members);
    if (info->locked != 2 && held_by_stranger(base)) {
        info->locked = 3; /* the member in the cell is waiting */
        info->owner_pid = 0;
    }
}
