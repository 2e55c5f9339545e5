/* SPDX-License-Identifier: MIT */
/*
 * What keeps a region alive: the life-cycle lock, the openings of control that hold byte locks, and fork,
 * which copies openings behind our back. The protocol that these serve is told in region.c.
 */
#include "life.h"

static struct region *known_regions; /* guarded by the process lock */

/* ---- byte locks */

int shms__region_alive(const struct file *f)
{
    return shms__byte_locked(f, LOCK_NURSERY, LOCK_SLOTS_END - LOCK_NURSERY, BYTE_ANY);
}

int shms__life_take(const struct file *f, int64_t deadline)
{
    int64_t nap = 20000;
    for (;;) {
        bool taken = false;
        int rc = shms__byte_lock(f, LOCK_LIFE, &taken);
        if (rc < 0 || taken)
            return rc;
        int64_t now = shms__now_ns();
        if (now >= deadline)
            return shms__fail(SHMS_E_TIMEOUT);
        shms__nap(nap < deadline - now ? nap : deadline - now);
        nap = nap < 1000000 ? nap * 2 : nap;
    }
}

/* ---- openings, and the end of them */

void shms__region_unmap_control(struct region *r)
{
    shms__bell_drop(r->bell);
    shms__guard_range(r->guard, GUARD_CONTROL, NULL, 0, false);
    if (r->control)
        shms__unmap(r->control, LAYOUT_CONTROL_SIZE);
    r->bell = NULL;
    r->control = NULL;
}

void shms__region_remember(struct region *r)
{
    r->in_transit = true;
    r->forks = shms__forks();
    r->previous = NULL;
    r->next = known_regions;
    if (r->next)
        r->next->previous = r;
    known_regions = r;
}

static void forget(struct region *r)
{
    if (r->next)
        r->next->previous = r->previous;
    if (r->previous)
        r->previous->next = r->next;
    else if (known_regions == r) /* not so for a reader of the data alone, which holds no lock */
        known_regions = r->next;
}

/* Where the program has closed our descriptors, another handle of the region may have got the number. */
static void leave_data_to_another(struct region *r)
{
    for (const struct region *other = known_regions; other; other = other->next)
        if (other != r && other->data_file.fd == r->data_file.fd)
            r->data_file.fd = -1;
}

void shms__region_drop(struct region *r)
{
    shms__bell_drop(r->bell);
    shms__guard_range(r->guard, GUARD_CONTROL, NULL, 0, false);
    shms__guard_range(r->guard, GUARD_DATA, NULL, 0, false);
    shms__unmap_both(r->data, r->capacity, r->control, LAYOUT_CONTROL_SIZE);
    r->bell = NULL;
    r->data = NULL;
    r->control = NULL;
    shms__process_lock();
    if (r->token_pinned)
        leave_data_to_another(r);
    shms__file_close(&r->data_file);
    shms__file_discard(&r->control_file); /* opened, or asked about, by who called this */
    forget(r);
    shms__process_unlock();
}

/* ---- descriptors that may have been closed behind our back */

bool shms__region_reopen(struct file *f, const char *path)
{
    struct trust any = {.owners = SHMS_OWNER_ANY, .mode = 0777, .links = true};
    struct file again;
    f->fd = -1;
    if (shms__file_open(path, true, &any, &again) < 0)
        return false;
    if (again.device != f->device || again.inode != f->inode) {
        shms__file_close(&again);
        return false;
    }
    f->fd = again.fd;
    return true;
}

/* Does another handle of this process say that the number is its own? Under the process lock. */
static bool claimed_by_another(const struct region *r)
{
    for (const struct region *other = known_regions; other; other = other->next)
        if (other != r && other->control_file.fd == r->control_file.fd)
            return true;
    return false;
}

/* The number may even mean another opening of the same file. Ours is the one that our own token does not
 * conflict with; a token that only the mapping pins, or none, cannot tell: then it is ours unless another
 * handle says so. Under the process lock, but where there is a token of the first kind. */
static bool own_opening(const struct region *r)
{
    const struct file *f = &r->control_file;
    if (!shms__file_intact(f))
        return false;
    bool telling = r->token && !r->token_pinned;
    return telling ? !shms__byte_locked(f, r->token, 1, BYTE_EXCLUSIVE) : !claimed_by_another(r);
}

bool shms__region_own_control(struct region *r)
{
    if (own_opening(r))
        return true;
    r->token_pinned = r->token != 0;
    return shms__region_reopen(&r->control_file, r->name.control);
}

const struct file *shms__region_control_file(struct region *r)
{
    bool usable = r->token && !r->token_pinned && own_opening(r);
    if (!usable) {
        shms__process_lock();
        usable = shms__region_own_control(r);
        shms__process_unlock();
    }
    return usable ? &r->control_file : NULL;
}

/* ---- fork */

/*
 * A child that was forked and has not yet got to on_child shares our opening, and with it our token: asked
 * through that, it would not be seen. So ask, and leave, through another one.
 */
void shms__region_part_from_children(struct region *r)
{
    /* No fork while we look, and none between the new opening and the end of the old one: it would not be
     * counted yet, or its child not know that the handle is being closed. */
    shms__process_lock();
    r->in_transit = true;
    if (r->forks != shms__forks() && own_opening(r) &&
        shms__file_reopen(&r->control_file, LOCK_NURSERY) == 0) {
        shms__region_unmap_control(r);
        r->token = 0;
    }
    shms__process_unlock();
}

/*
 * In the child, before anything else happens there. The inherited opening holds the parent's token: replace
 * it, or the parent would seem to live for ever. The new opening takes the nursery first, so that the region
 * outlives a parent that ends before the child's first call. Control is not mapped here (MADV_DONTFORK).
 */
static void on_child(void)
{
    shms__bell_forget();
    for (struct region *r = known_regions; r; r = r->next) {
        r->control = NULL;
        r->bell = NULL;
        shms__guard_range(r->guard, GUARD_CONTROL, NULL, 0, false);
        shms__guard_range(r->guard, GUARD_JOURNAL, NULL, 0, false);
        r->token = 0;
        r->token_pinned = false;
        if (!r->in_transit && shms__file_reopen(&r->control_file, LOCK_NURSERY) == 0)
            continue;
        shms__file_close(&r->control_file);
        if (r->in_transit) /* what another thread was opening or closing has nobody here to finish it */
            shms__file_close(&r->data_file);
    }
}

int shms__region_setup(void)
{
    return shms__fork_setup(on_child);
}
