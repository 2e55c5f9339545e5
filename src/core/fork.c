/* SPDX-License-Identifier: MIT */
/*
 * A region in a child of fork.
 *
 * Who takes part. The thread that forks, in the handlers below, and every thread that opens or closes a
 * handle: all under the process lock.
 *
 * Byte locks belong to openings, and a child inherits its parent's: with them the child would keep its
 * dead parent alive. So the child needs an opening of its own, from its first moment on. It cannot always
 * make one: the process may have given up the right to (setuid), or the way (chroot, a sandbox, no /proc).
 * So the *spare* is made when the region is opened, and given away: fork takes the nursery through it, the
 * child has it for its own, and the parent closes its copy and makes the next one while it can.
 *
 * Invariants.
 *  1. No process holds a lock through an opening that another process has too, but while fork's handlers run.
 *     (A child that was made without them shares the openings until its first call.)
 *  2. From its birth a child holds the nursery of each region that it can use: so the region outlives a
 *     parent that ends before the child's first call.
 *  3. Of the handles of one region that a process has opened, at least one keeps a spare between forks,
 *     and so does each inherited one that kept one in the parent; before a fork each other one gets its
 *     own, if the process may still open the file. (A spare for each would make opening dearer by a
 *     tenth.)
 *
 * What a crash leaves: nothing; the system closes what a process has open.
 */
#include "fork.h"

static struct region *known; /* guarded by the process lock */

static bool same_file(const struct file *a, const struct file *b)
{
    return a->device == b->device && a->inode == b->inode;
}

/* ---- the spare */

bool shms__fork_claims(const struct region *r, int fd)
{
    for (const struct region *k = known; k; k = k->next)
        if (k->spare.fd == fd || (k != r && k->control_file.fd == fd) ||
            (k != r && !k->in_transit && k->data_file.fd == fd)) /* while it is, set without the lock */
            return true;
    return false;
}

/* Close it, unless the number was closed behind our back, and is perhaps in use again. */
static void shut(struct file *f)
{
    struct file old = *f;
    f->fd = -1;
    if (old.fd >= 0 && !shms__fork_claims(NULL, old.fd))
        shms__file_close(&old);
}

/* The spare is what it was; else it is none. */
static bool has_spare(struct region *r)
{
    struct file f = r->spare;
    r->spare.fd = -1; /* not to be asked about itself */
    if (f.fd < 0 || shms__fork_claims(NULL, f.fd) || !shms__file_intact(&f))
        return false;
    r->spare = f;
    return true;
}

/* By the way that is open to it already, or by its name. */
static int make_spare(struct region *r)
{
    r->spare = r->control_file;
    r->spare.fd = -1;
    if (r->frozen)
        return 0; /* a child could open it to read only, which holds no locks */
    int rc = shms__file_again(&r->control_file, &r->spare);
    return rc < 0 && !r->unnamed && shms__region_reopen(&r->spare, r->name.control) == 0 ? 0 : rc;
}

/* ---- which regions there are */

void shms__fork_remember(struct region *r)
{
    r->in_transit = true;
    r->keeps_spare = r->inherited = false;
    r->spare.fd = -1;
    r->previous = NULL;
    r->next = known;
    if (known)
        known->previous = r;
    known = r;
}

/* Somebody else's turn to keep one: this process may not be able to make another. */
static void hand_over_spare(struct region *r)
{
    struct region *heir = known;
    const struct file *f = &r->control_file;
    while (heir && (heir->in_transit || heir->keeps_spare || !same_file(&heir->control_file, f)))
        heir = heir->next;
    if (!heir) {
        shut(&r->spare);
        return;
    }
    heir->keeps_spare = true;
    heir->spare = r->spare;
    r->spare.fd = -1;
}

void shms__fork_forget(struct region *r)
{
    if (r != known && !r->previous)
        return; /* a reader of the data alone, which holds no lock */
    if (r->next)
        r->next->previous = r->previous;
    if (r->previous)
        r->previous->next = r->next;
    else
        known = r->next;
    if (r->keeps_spare)
        hand_over_spare(r);
    if (!known)
        shms__bell_end();
}

static bool somebody_keeps_one(const struct region *r)
{
    for (const struct region *k = known; k; k = k->next)
        if (k->keeps_spare && !k->inherited && same_file(&k->control_file, &r->control_file))
            return true;
    return false;
}

void shms__fork_admit(struct region *r)
{
    shms__process_lock();
    r->in_transit = false;
    r->keeps_spare = !somebody_keeps_one(r);
    if (r->keeps_spare)
        make_spare(r); /* where it cannot be had now, the next fork tries again */
    shms__process_unlock();
}

void shms__fork_part(struct region *r)
{
    shms__process_lock();
    r->in_transit = true;
    shms__process_unlock();
}

/* ---- the handlers */

static void before(void)
{
    int oserror = shms_last_oserror();
    for (struct region *r = known; r; r = r->next) {
        if (r->in_transit)
            continue;
        if (!has_spare(r))
            make_spare(r);
        if (r->spare.fd >= 0)
            shms__byte_share(&r->spare, LOCK_NURSERY);
    }
    shms__restore_oserror(oserror);
}

/* The spares are the child's now. */
static void in_parent(void)
{
    int oserror = shms_last_oserror();
    for (struct region *r = known; r; r = r->next) {
        if (r->in_transit)
            continue;
        shms__file_discard(&r->spare);
        if (r->keeps_spare)
            make_spare(r);
    }
    shms__restore_oserror(oserror);
}

/*
 * A handler of a signal may have forked that interrupted a call, and the child may return into it. The
 * call goes on with what it knew of control; so that it finds nothing worse than a handle that is not its
 * own any more, private memory stands in there, until the handle is closed. Its first word is the address
 * of the one before.
 */
static void stand_in(struct region *r)
{
    struct control *c = r->control;
    if (c && (c == r->stand_in || !shms__map_private(c, LAYOUT_CONTROL_SIZE)))
        c = r->stand_in;
    if (c && c != r->stand_in) {
        shms__control_spoil(c);
        /* relaxed: private memory */
        a64_store_relaxed(&c->magic, (uintptr_t)r->stand_in);
        r->stand_in = c;
    }
    r->control = c;
}

void shms__fork_drop_stand_ins(struct region *r)
{
    while (r->stand_in) {
        struct control *c = r->stand_in;
        if (r->control == c)
            r->control = NULL;
        r->stand_in = (struct control *)(uintptr_t)a64_load_relaxed(&c->magic); /* relaxed: private memory */
        shms__unmap(c, LAYOUT_CONTROL_SIZE);
    }
}

/* What the parent's membership was is nothing here: its token, its mapping of control (MADV_DONTFORK). */
static void begin_anew(struct region *r)
{
    stand_in(r);
    r->bell = NULL;
    shms__guard_range(r->guard, GUARD_CONTROL, NULL, 0, false);
    shms__guard_range(r->guard, GUARD_JOURNAL, NULL, 0, false);
    r->token = 0;
    r->token_pinned = false;
}

/* A child without a spare of its own makes an opening itself, as long as it has the parent's to go by. */
static void make_own(struct region *r)
{
    shut(&r->spare); /* not prepared for this child: it is the parent's */
    r->child_error = make_spare(r) < 0 ? shms_last_oserror() : 0;
    if (r->spare.fd >= 0)
        shms__byte_share(&r->spare, LOCK_NURSERY);
}

static void in_child(bool prepared)
{
    shms__bell_forget();
    for (struct region *r = known; r; r = r->next) {
        begin_anew(r);
        r->inherited = true;
        if (r->in_transit) { /* what another thread was opening or closing has nobody here to finish it */
            shut(&r->control_file);
            shut(&r->data_file);
            shut(&r->spare);
            continue;
        }
        if (!prepared || r->spare.fd < 0)
            make_own(r);
        shut(&r->control_file);
        r->control_file.fd = r->spare.fd;
        r->spare.fd = -1;
        if (r->keeps_spare && r->control_file.fd >= 0)
            make_spare(r);
    }
}

int shms__region_setup(void)
{
    static const struct fork_hooks hooks = {before, in_parent, in_child};
    return shms__fork_setup(&hooks);
}
