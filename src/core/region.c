/* SPDX-License-Identifier: MIT */
/*
 * A region's life.
 *
 * Who takes part. Any process that may open the control file: creators, joiners, leavers, unlinkers. Every
 * step below but resizing and leaving a region in use runs while holding the *life-cycle lock*, a byte lock
 * on the first byte of control, which the system frees at its holder's death. state, flags, kind, data_inode,
 * max_size and created_ns are written under it only. size is written by the process that begins a
 * life, and then by the holder of the exclusive lock alone (size.c, and journal.c's roll-back): zeroing new
 * memory holds up no opener.
 *
 * Invariants.
 *  1. A control file that has a name carries the whole stamp: it got the name after it was filled.
 *  2. A process that changes what the names X.ctl and X.data mean holds the life-cycle lock of the file
 *     that is called X.ctl at that moment, and has looked after taking it that the file still has its
 *     name.
 *  3. A region is alive while somebody holds a token (a byte lock on a slot) or the nursery. A region that
 *     is not alive, and not both kept and ready, is dead: nobody is ever shown its bytes. (A process that
 *     found it alive and still holds the life-cycle lock may join it, even if all others die meanwhile.)
 *  4. While a region is alive, state is READY only if the data file of inode data_inode is complete: size
 *     bytes, with memory behind each unless the region is sparse.
 *
 * States of a name:   none -> SETUP -> READY (alive, or kept) -> none;   SETUP or READY, dead -> none, or
 * SETUP again where the files are another user's and cannot be removed ("restart").
 *
 * Linearisation. Create: the link of control. Join: the token lock (member.c). Leave: the end of that lock.
 * Unlink, and what the last one to leave does: the removal of control's name. Resize: the store of size.
 *
 * Progress. The life-cycle lock is held for a bounded number of system calls, and waited for with a
 * time-out; the loser of a race for a name begins again until that time-out.
 *
 * What a crash leaves, and who repairs it:
 *   create, before control is linked         nothing: neither file has a name
 *   create, control linked, data not         dead SETUP; the next opener or sweep removes it
 *   create, both linked, state SETUP         the same
 *   join, before or after the token          nothing: the system freed both locks
 *   resize, file grown, size not stored      a longer file, no reader of the new part; next resize or the end
 *   resize, size stored, memory not cut      old bytes behind the size; the next growth cuts them first
 *   leave, token given up, names there       dead READY, as below
 *   leave or unlink, data removed            control without data; dead: as the first two; alive: the next
 *                                            opener finishes the unlink
 *   last member killed                       dead READY; the next opener or sweep removes it
 *   restart, anywhere                        dead SETUP
 */
#include "fork.h"
#include "region.h"

#include <string.h>

static int remove_names(const struct name *n)
{
    int rc = shms__file_unlink(n->data);
    if (rc < 0 && rc != SHMS_E_NOT_FOUND)
        return rc;
    return shms__file_unlink(n->control);
}

/* Remove the names from what control's name means, with or without other names elsewhere. SHMS_E_DENIED: it
 * has none, and `only_linked`. */
static int unlink_once(const struct name *n, uint32_t owners, bool only_linked, int64_t deadline)
{
    struct trust trust = {.owners = owners, .mode = 0777, .links = true};
    struct file f;
    int rc = shms__file_open(n->control, true, &trust, &f);
    if (rc < 0)
        return rc;
    rc = only_linked && !f.linked ? shms__fail(SHMS_E_DENIED) : shms__life_take(&f, deadline);
    if (rc == 0)
        rc = shms__file_has_name(&f, n->control) ? remove_names(n) : SHMS__RETRY;
    shms__byte_unlock(&f, LOCK_LIFE); /* a child of another thread's fork may have the descriptor too */
    shms__file_close(&f);
    return rc;
}

/*
 * Files with a second name are not believed: a link to one region's files at the name of another would mix
 * the two. But any user that may write the region may make such a link, in a directory that all may write
 * to, and only its maker can remove it. So the owner takes the name back, and the region goes as if it had
 * been unlinked. SHMS__RETRY: done, begin again.
 */
static int take_back(const struct name *n, int64_t deadline)
{
    int rc = unlink_once(n, SHMS_OWNER_SELF, true, deadline);
    return rc == 0 || rc == SHMS_E_NOT_FOUND ? SHMS__RETRY : rc;
}

/* The same for data, by the holder of the life-cycle lock. */
static int take_back_data(const struct region *r)
{
    struct file_stat st;
    if (shms__file_stat(r->name.data, &st) < 0 || !st.linked || st.uid != shms__user())
        return shms__fail(SHMS_E_DENIED);
    int rc = remove_names(&r->name);
    return rc < 0 ? rc : SHMS__RETRY;
}

/* ---- data */

/* What another member says that it mapped is believed up to here: a hostile one must not use up our address
 * space. A member that needs more says so itself. */
#define MAX_SIZE_BELIEVED (1ull << 40)

int shms__region_settle(struct region *r, const struct region_request *q, void *data, uint64_t mapped,
                        uint64_t size)
{
    if (q->huge_pages)
        shms__map_hint_huge(data, mapped);
    shms__guard_range(r->guard, GUARD_DATA, data, mapped, q->writable);
    r->data = data;
    r->capacity = mapped;
    a64_store_relaxed(&r->backed, size); /* relaxed: the handle is not shared yet */
    return q->lock_memory ? shms__pin(data, size) : 0;
}

/* Map as much as was asked; where only the creator asked for that much, the present size will do. */
static int map_data(struct region *r, const struct region_request *q, uint64_t size, uint64_t max_size)
{
    uint64_t want = q->max_size > size ? q->max_size : size;
    if (q->max_size == 0 && max_size > size && max_size <= MAX_SIZE_BELIEVED)
        want = max_size;
    want = want > q->size ? want : q->size;
    void *p = NULL;
    int rc = shms__map(&r->data_file, 0, want, q->writable, true, &p);
    if (rc < 0 && q->max_size == 0 && want > size) {
        want = size;
        rc = shms__map(&r->data_file, 0, want, q->writable, true, &p);
    }
    return rc < 0 ? rc : shms__region_settle(r, q, p, want, size);
}

/* All that a new life needs but its names and its first member. */
static int begin_life(struct region *r, const struct region_request *q)
{
    uint64_t max_size = q->max_size > q->size ? q->max_size : q->size;
    r->atomic = q->atomic;
    int rc = shms__file_grow(&r->data_file, 0, q->size, q->sparse);
    if (rc == 0)
        rc = map_data(r, q, q->size, max_size);
    if (rc == 0)
        shms__region_begin(r, q, max_size);
    return rc;
}

/* ---- creating */

static int make_control(struct region *r, uint32_t mode)
{
    shms__process_lock();
    int rc = shms__file_new(r->name.prefix, shms__control_mode(mode), &r->control_file);
    shms__fork_remember(r);
    shms__process_unlock();
    if (rc == 0)
        rc = shms__file_grow(&r->control_file, 0, LAYOUT_CONTROL_SIZE, false);
    if (rc < 0)
        return rc;
    shms__process_lock();
    rc = shms__region_map_control(r);
    shms__process_unlock();
    if (rc < 0)
        return rc;
    r->control_file.size = LAYOUT_CONTROL_SIZE;
    shms__stamp_write(r->control);
    return shms__life_take(&r->control_file, 0);
}

/* Two files without names, complete but for the first member. */
static int make(struct region *r, const struct region_request *q)
{
    int rc = make_control(r, q->trust.mode);
    if (rc == 0)
        rc = shms__file_new(r->name.prefix, q->trust.mode, &r->data_file);
    if (rc == 0)
        rc = begin_life(r, q);
    if (rc < 0) {
        shms__region_drop(r);
        return rc;
    }
    r->is_new = true;
    return 0;
}

/* A dead region whose files are another user's, in a directory where only that user may remove them. */
static int restart(struct region *r, const struct region_request *q)
{
    a32_store_relaxed(&r->control->state, STATE_SETUP); /* relaxed: read under the life-cycle lock */
    int rc = shms__file_open(r->name.data, true, &q->trust, &r->data_file);
    if (rc == 0) {
        rc = shms__file_empty(&r->data_file);
    } else if (rc == SHMS_E_NOT_FOUND) {
        rc = shms__file_new(r->name.prefix, q->trust.mode, &r->data_file);
        if (rc == 0)
            rc = shms__file_link(&r->data_file, r->name.data);
    }
    return rc < 0 ? rc : begin_life(r, q);
}

static int publish_new(struct region *r)
{
    int rc = shms__file_link(&r->control_file, r->name.control);
    if (rc < 0)
        return rc == SHMS_E_EXISTS ? SHMS__RETRY : rc;
    shms__file_unlink(r->name.data); /* a data file without a control is nobody's */
    rc = shms__file_link(&r->data_file, r->name.data);
    if (rc == 0)
        return 0;
    int oserror = shms_last_oserror();
    shms__file_unlink(r->name.control);
    return rc == SHMS_E_EXISTS ? shms__fail(SHMS_E_DENIED) : shms__fail_os(oserror);
}

int shms__region_publish(struct region *r)
{
    if (r->data_only)
        return 0;
    int rc = r->is_new ? publish_new(r) : 0;
    if (rc < 0)
        return rc;
    r->is_new = false;
    if (!r->existed)
        a32_store_relaxed(&r->control->state, STATE_READY); /* relaxed: read under the life-cycle lock */
    shms__byte_unlock(&r->control_file, LOCK_LIFE);
    if (!r->writable)
        shms__file_close(&r->data_file);
    shms__fork_admit(r);
    return 0;
}

int shms__region_keep(struct region *r)
{
    const struct file *f = shms__region_control_file(r);
    if (!f)
        return shms__fail(SHMS_E_LOST);
    int rc = shms__life_take(f, shms__now_ns() + r->timeout_ns);
    if (rc < 0)
        return rc;
    a32_or_relaxed(&r->control->flags, FLAG_KEEP); /* relaxed: read under the life-cycle lock */
    shms__byte_unlock(f, LOCK_LIFE);
    return 0;
}

void shms__region_abandon(struct region *r)
{
    shms__region_drop(r);
}

/* ---- opening what is there */

/* Its members live, but its data has no name: somebody died while it was removing the two. */
static int finish_unlink(const struct region *r)
{
    return shms__file_unlink(r->name.control) < 0 ? shms__fail(SHMS_E_LOST) : SHMS__RETRY;
}

/* Open and map what control says that the data is, and see that it is so. */
static int open_data(struct region *r, const struct region_request *q)
{
    struct control *c = r->control;
    /* Before the file's length: a member may be growing it, and tells the size when that is done.
     * acquire: so long it is; pairs with the release in change_size */
    uint64_t size = a64_load_acquire(&c->size);
    /* relaxed: this and the inode below change under the life-cycle lock only; without it, see attach() */
    uint64_t max_size = a64_load_relaxed(&c->max_size);
    int rc = shms__file_open(r->name.data, q->writable, &q->trust, &r->data_file);
    if (rc < 0)
        return rc;
    if (q->create == SHMS_CREATE_ONLY)
        return shms__fail(SHMS_E_EXISTS);
    if (size == 0 || size > INT64_MAX)
        return shms__fail(SHMS_E_CORRUPT);
    /* relaxed: as above */
    if (r->data_file.inode != a64_load_relaxed(&c->data_inode) || r->data_file.size < size)
        return shms__fail(SHMS_E_LOST);
    /* Where a section is open, or a dead one is to be undone, the handle looks again (check_size). */
    if (shms__control_smaller(c, q->size))
        return shms__fail(SHMS_E_SIZE);
    return map_data(r, q, size, max_size);
}

static void close_data(struct region *r)
{
    shms__guard_range(r->guard, GUARD_DATA, NULL, 0, false);
    if (r->data)
        shms__unmap(r->data, r->capacity);
    r->data = NULL;
    r->capacity = 0;
    shms__file_close(&r->data_file);
}

/* A life of the region, in words that no other life of it has. */
static uint64_t present_life(const struct region *r)
{
    return a64_load_relaxed(&r->control->created_ns); /* relaxed: asked again under the life-cycle lock */
}

/*
 * Most of joining a region that is there needs no life-cycle lock and is done before it is taken, so that a
 * process which is stopped there holds up nobody. What fails is done once more with the lock, which can tell
 * why. Gives the life whose data is mapped, if there is any.
 */
static uint64_t open_ahead(struct region *r, const struct region_request *q)
{
    uint64_t life = present_life(r);
    /* relaxed: a hint */
    bool joins = a32_load_relaxed(&r->control->state) == STATE_READY && q->create != SHMS_CREATE_ONLY;
    if (!joins || open_data(r, q) < 0)
        close_data(r);
    return life;
}

/* Join a living or kept region; its life-cycle lock is held. */
static int attach(struct region *r, const struct region_request *q, bool alive, uint64_t life)
{
    struct control *c = r->control;
    int rc = 0;
    /* relaxed: this and the flags below change under the life-cycle lock only */
    if (a32_load_relaxed(&c->state) != STATE_READY)
        return shms__fail(SHMS_E_CORRUPT);
    bool atomic = a32_load_relaxed(&c->flags) & FLAG_ATOMIC; /* relaxed: as above */
    if (q->create != SHMS_CREATE_ONLY) {
        if (a32_load_relaxed(&c->kind) != q->kind) /* relaxed: as above */
            return shms__fail(SHMS_E_KIND);
        if (q->atomic && !atomic)
            return shms__fail(SHMS_E_UNSUPPORTED);
    }
    if (r->data && (life != present_life(r) || shms__region_size(r) < q->size))
        close_data(r);
    if (!r->data)
        rc = open_data(r, q);
    if (rc == SHMS_E_NOT_FOUND && alive)
        return finish_unlink(r);
    if (rc == SHMS_E_NOT_FOUND || rc == SHMS__RETRY)
        return shms__fail(SHMS_E_LOST);
    if (rc == SHMS_E_DENIED)
        return take_back_data(r);
    if (rc < 0)
        return rc;
    r->atomic = atomic;
    r->existed = true;
    return 0;
}

/* What its last member left by dying: remove it, so that it can be made anew. */
static int bury(struct region *r, const struct region_request *q)
{
    int rc = remove_names(&r->name);
    if (rc == 0 || q->size == 0 || q->create == SHMS_OPEN_ONLY)
        return shms__fail(SHMS_E_NOT_FOUND);
    return rc == SHMS_E_DENIED ? restart(r, q) : rc;
}

static bool kept(const struct control *c)
{
    /* relaxed: these change under the life-cycle lock, which is held, or by a member, of which none is there
     * */
    return (a32_load_relaxed(&c->flags) & FLAG_KEEP) && a32_load_relaxed(&c->state) == STATE_READY &&
           !shms__region_init_owed(c);
}

static int look(struct region *r, const struct region_request *q, uint64_t life)
{
    if (!shms__file_is_named(&r->control_file))
        return SHMS__RETRY;
    int alive = shms__region_alive(&r->control_file);
    if (alive < 0)
        return alive; /* the dead must be shown to nobody, nor the living be buried */
    if (alive || kept(r->control)) {
        int rc = attach(r, q, alive, life);
        if (alive || rc != SHMS_E_LOST)
            return rc;
    }
    close_data(r);
    return bury(r, q);
}

/* The reader whom the mode lets read the data, but not take part. */
static int open_data_only(struct region *r, const struct region_request *q)
{
    struct region_request only_what_is_there = *q;
    only_what_is_there.max_size = 0; /* it cannot know when more would come */
    int rc = shms__file_open(r->name.data, false, &q->trust, &r->data_file);
    if (rc < 0)
        return rc;
    if (r->data_file.size < q->size || r->data_file.size == 0)
        rc = shms__fail(SHMS_E_SIZE);
    else
        rc = map_data(r, &only_what_is_there, r->data_file.size, 0);
    if (rc < 0) {
        shms__region_drop(r);
        return rc;
    }
    shms__file_close(&r->data_file);
    r->data_only = true;
    r->existed = true;
    return 0;
}

static int map_checked(struct region *r)
{
    shms__process_lock();
    int rc = shms__region_map_control(r);
    shms__process_unlock();
    return rc < 0 ? rc : shms__region_check_control(r);
}

static int find(struct region *r, const struct region_request *q, int64_t deadline)
{
    struct trust trust = q->trust;
    trust.mode = shms__control_mode(trust.mode);
    shms__process_lock();
    int rc = shms__file_open(r->name.control, true, &trust, &r->control_file);
    if (rc == 0)
        shms__fork_remember(r);
    shms__process_unlock();
    if (rc == SHMS_E_DENIED) {
        rc = take_back(&r->name, deadline);
        if (rc == SHMS_E_DENIED && !q->writable && q->create != SHMS_CREATE_ONLY)
            rc = open_data_only(r, q);
        return rc == SHMS_E_DENIED || rc == SHMS_E_NOT_FOUND ? shms__fail(SHMS_E_DENIED) : rc;
    }
    if (rc < 0)
        return rc;
    rc = map_checked(r);
    uint64_t life = rc == 0 ? open_ahead(r, q) : 0;
    if (rc == 0)
        rc = shms__life_take(&r->control_file, deadline);
    if (rc == 0)
        rc = look(r, q, life);
    if (rc < 0)
        shms__region_drop(r);
    if (rc == SHMS_E_KIND && q->kind == KIND_STREAM && !q->writable)
        rc = open_data_only(r, q); /* any object's bytes can be read */
    return rc;
}

/* A data file without a control cannot be removed by its name safely: only the owner of the control may, so
 * become that for a moment. */
static void reclaim_orphan(struct region *r, const struct region_request *q)
{
    struct region_request one = *q;
    one.size = 1;
    if (!shms__file_exists(r->name.data) || make(r, &one) < 0)
        return;
    if (publish_new(r) == 0)
        remove_names(&r->name);
    shms__region_drop(r);
}

int shms__region_open(struct region *r, const struct region_request *q, int64_t deadline)
{
    r->control_file.fd = r->data_file.fd = -1;
    r->timeout_ns = q->timeout_ns;
    r->writable = q->writable;
    r->no_bell = q->no_bell;
    int rc = find(r, q, deadline);
    if (rc != SHMS_E_NOT_FOUND)
        return rc;
    if (q->size > 0 && q->create != SHMS_OPEN_ONLY)
        return make(r, q);
    reclaim_orphan(r, q);
    return shms__fail(SHMS_E_NOT_FOUND);
}

/* ---- leaving */

/* Is it to stay without members? */
static bool stays(const struct region *r, const struct file *f)
{
    struct control *c = r->control;
    if (r->token && c) /* relaxed: looked at again under the life-cycle lock */
        return !shms__region_init_owed(c) && (a32_load_relaxed(&c->flags) & FLAG_KEEP);
    /* An inherited handle that never joined, or one that has given its token up, may have no mapping. */
    unsigned char head[offsetof(struct control, version)];
    int64_t n = shms__file_read(f, head, sizeof head, 0);
    if (n != (int64_t)sizeof head)
        return n < 0; /* cut short: of no use to anybody any more */
    uint32_t flags, init;
    uint64_t journal_used;
    memcpy(&flags, head + offsetof(struct control, flags), sizeof flags);
    memcpy(&init, head + offsetof(struct control, init), sizeof init);
    memcpy(&journal_used, head + offsetof(struct control, journal_used), sizeof journal_used);
    return !shms__init_owed(init, journal_used) && (flags & FLAG_KEEP);
}

/*
 * Give the token up, then look whether anybody else has one. Of several members that leave at once, the last
 * to give it up sees nobody. So the life-cycle lock is not needed to know, and only the last one waits for
 * it.
 */
static bool leaves_last(struct region *r, const struct file *f)
{
    if (stays(r, f))
        return false;
    shms__bell_drop(r->bell); /* while the slot is ours */
    r->bell = NULL;
    if (r->token_pinned) /* only the mapping holds it */
        shms__region_unmap_control(r);
    else
        shms__byte_unlock(f, r->token ? r->token : LOCK_NURSERY);
    r->token = 0;
    return shms__region_alive(f) == 0;
}

/* The last one removes the region, or at least its memory where the names are another user's. */
static void clean_up(struct region *r, const struct file *f)
{
    if (stays(r, f) || shms__region_alive(f) || !shms__file_has_name(f, r->name.control))
        return;
    if (remove_names(&r->name) == SHMS_E_DENIED && shms__file_intact(&r->data_file))
        shms__file_empty(&r->data_file);
}

void shms__region_leave(struct region *r)
{
    if (!r->data_only) {
        shms__fork_part(r);
        const struct file *f = shms__region_control_file(r);
        /* of an unnamed one nothing is left behind, with or without other members */
        if (f && !r->unnamed && leaves_last(r, f) &&
            shms__life_take(f, shms__now_ns() + r->timeout_ns) == 0) {
            clean_up(r, f);
            shms__byte_unlock(f, LOCK_LIFE);
        }
    }
    shms__region_drop(r);
}

int shms__region_unlink(const struct name *name, int64_t timeout_ns)
{
    int64_t deadline = shms__now_ns() + timeout_ns;
    int rc;
    do
        rc = unlink_once(name, SHMS_OWNER_ANY, false, deadline);
    while (rc == SHMS__RETRY && shms__now_ns() < deadline);
    return rc == SHMS__RETRY ? shms__fail(SHMS_E_TIMEOUT) : rc;
}
