/* SPDX-License-Identifier: MIT */
/*
 * What keeps a region alive: the life-cycle lock, and the openings of control that hold byte locks. The
 * protocol that these serve is told in region.c.
 */
#include "fork.h"

/* ---- byte locks */

int shms__region_alive(const struct file *f)
{
    return shms__byte_locked(f, LOCK_NURSERY, LOCK_SLOTS_END - LOCK_NURSERY, BYTE_ANY);
}

/* While it naps, handlers of the program run: one may have forked, and this may be the child, where what
 * the call has opened is closed. Then the call begins again. */
int shms__life_take(const struct file *f, int64_t deadline)
{
    int64_t nap = 20000;
    uint32_t here = a32_load_relaxed(shms__fork_word); /* relaxed: private memory, as below */
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
        if (a32_load_relaxed(shms__fork_word) != here) /* relaxed: the handler ran in this thread */
            return SHMS__RETRY;
    }
}

/* ---- openings, and the end of them */

void shms__region_unmap_control(struct region *r)
{
    shms__bell_drop(r->bell);
    shms__guard_range(r->guard, GUARD_CONTROL, NULL, 0, false);
    if (r->control && r->control != r->stand_in)
        shms__unmap(r->control, LAYOUT_CONTROL_SIZE);
    r->bell = NULL;
    r->control = r->stand_in;
}

void shms__region_drop(struct region *r)
{
    shms__bell_drop(r->bell);
    shms__fork_drop_stand_ins(r);
    shms__guard_range(r->guard, GUARD_CONTROL, NULL, 0, false);
    shms__guard_range(r->guard, GUARD_DATA, NULL, 0, false);
    shms__unmap_both(r->data, r->capacity, r->control, LAYOUT_CONTROL_SIZE);
    r->bell = NULL;
    r->data = NULL;
    r->control = NULL;
    shms__process_lock();
    /* Where the program has closed our descriptors, another handle of the region may have got the number. */
    if (r->token_pinned && shms__fork_claims(r, r->data_file.fd))
        r->data_file.fd = -1;
    shms__file_close(&r->data_file);
    shms__file_discard(&r->control_file); /* opened, or asked about, by the caller */
    shms__fork_forget(r);
    shms__process_unlock();
}

/* ---- descriptors that may have been closed behind our back */

int shms__region_reopen(struct file *f, const char *path)
{
    struct trust any = {.owners = SHMS_OWNER_ANY, .mode = 0777, .links = true};
    struct file again;
    f->fd = -1;
    int rc = shms__file_open(path, true, &any, &again);
    if (rc < 0) /* with its errno */
        return rc == SHMS__RETRY || rc == SHMS_E_NOT_FOUND ? SHMS_E_LOST : rc;
    if (again.device != f->device || again.inode != f->inode) {
        shms__file_close(&again);
        return shms__fail(SHMS_E_LOST);
    }
    f->fd = again.fd;
    return 0;
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
    return telling ? !shms__byte_locked(f, r->token, 1, BYTE_EXCLUSIVE) : !shms__fork_claims(r, f->fd);
}

int shms__region_own_control(struct region *r)
{
    if (own_opening(r))
        return 0;
    r->token_pinned = r->token != 0;
    int rc = r->unnamed ? shms__fail(SHMS_E_LOST) : shms__region_reopen(&r->control_file, r->name.control);
    if (rc < 0 && r->child_error && shms__fail_os(r->child_error) == SHMS_E_DENIED)
        return SHMS_E_DENIED; /* the errno of the first attempt says more */
    return rc;
}

const struct file *shms__region_control_file(struct region *r)
{
    bool usable = r->token && !r->token_pinned && own_opening(r);
    if (!usable) {
        shms__process_lock();
        usable = shms__region_own_control(r) == 0;
        shms__process_unlock();
    }
    return usable ? &r->control_file : NULL;
}
