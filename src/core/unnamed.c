/* SPDX-License-Identifier: MIT */
/*
 * Regions without a name.
 *
 * Who takes part. Whoever was given a descriptor: by the creator, or by another who has one.
 *
 * Invariants.
 *  1. The file is one memfd: control at 0, the data at LAYOUT_UNNAMED_DATA, as long as the size it was made
 *     with. It is complete, READY and sealed against shrinking and growing before anybody else can reach it,
 *     so no member can ever take memory away from another: no SIGBUS, and no size needs to be believed.
 *  2. Each member has an opening of its own, since byte locks belong to openings, not to descriptors.
 *  3. Frozen (mode 0400): it is sealed against all writing to come as well. The creator writes through the
 *     mappings it made before; nobody else can open or map it to write, not even as root, so nobody else can
 *     be a member: they read the data, and the creator's child of fork cannot join either.
 *
 * Life. There is no name to be found by or to remove, hence no SETUP, no reclaiming and no last leaver: the
 * system frees the memory with the last descriptor and mapping. Joining takes the life-cycle lock, for the
 * slots' sake; leaving does not.
 *
 * What a crash leaves: nothing, if it was the last; else a member whose token the system has freed.
 */
#include "fork.h"
#include "unnamed.h"

#include <stdlib.h>

/* Both parts, and memory behind them unless sparse. */
static int reserve(const struct file *f, const struct region_request *q)
{
    int rc = shms__file_grow(f, 0, LAYOUT_CONTROL_SIZE, false);
    if (rc == 0)
        rc = shms__file_grow(f, LAYOUT_UNNAMED_DATA, LAYOUT_UNNAMED_DATA + q->size, q->sparse);
    return rc;
}

static int map_control(struct region *r)
{
    shms__process_lock();
    int rc = shms__region_map_control(r);
    shms__process_unlock();
    return rc;
}

static int map_data(struct region *r, const struct region_request *q, const struct file *f)
{
    uint64_t size = f->size - LAYOUT_UNNAMED_DATA;
    void *p = NULL;
    int rc = shms__map(f, LAYOUT_UNNAMED_DATA, size, q->writable, true, &p);
    return rc < 0 ? rc : shms__region_settle(r, q, p, size, size);
}

static int make(struct region *r, const struct region_request *q)
{
    struct file *f = &r->control_file;
    shms__process_lock();
    int rc = shms__memfd_new(q->trust.mode, f);
    shms__fork_remember(r);
    shms__process_unlock();
    if (rc == 0)
        rc = reserve(f, q);
    f->size = LAYOUT_UNNAMED_DATA + q->size;
    if (rc == 0)
        rc = map_control(r);
    if (rc == 0)
        rc = map_data(r, q, f);
    r->frozen = q->trust.mode == 0400;
    if (rc == 0)
        rc = shms__memfd_seal(f, r->frozen);
    if (rc < 0)
        return rc;
    shms__stamp_write(r->control);
    shms__region_begin(r, q, q->size); /* shms__region_publish makes it READY */
    return 0;
}

/* One of ours, by its stamp and its length? */
static int check_stamp(const struct file *f)
{
    struct control *c = malloc(sizeof *c); /* too large for a small stack */
    if (!c)
        return shms__fail(SHMS_E_NOMEM);
    int64_t got = shms__file_read(f, c, sizeof *c, 0);
    bool sound = got == (int64_t)sizeof *c && f->size > LAYOUT_UNNAMED_DATA && f->size <= INT64_MAX &&
                 shms__stamp_ok(c);
    free(c);
    return got < 0 ? (int)got : sound ? 0 : shms__fail(SHMS_E_FORMAT);
}

static int join(struct region *r, const struct region_request *q, int64_t deadline)
{
    const struct file *f = &r->control_file;
    int rc = check_stamp(f);
    if (rc == 0)
        rc = map_control(r);
    if (rc < 0)
        return rc;
    if (a32_load_relaxed(&r->control->kind) != q->kind) /* relaxed: never changes */
        return shms__fail(SHMS_E_KIND);
    uint64_t size = a64_load_relaxed(&r->control->size); /* relaxed: repeated, and checked, at each use */
    /* relaxed: never changes */
    if (a32_load_relaxed(&r->control->state) != STATE_READY || size == 0 ||
        size > f->size - LAYOUT_UNNAMED_DATA)
        return shms__fail(SHMS_E_CORRUPT);
    r->existed = true;
    rc = map_data(r, q, f);
    return rc < 0 ? rc : shms__life_take(f, deadline); /* last, for the slots' sake: it holds up others */
}

/* The file may be read and no more: so can the data. */
static int open_data_only(struct region *r, const struct region_request *q)
{
    int rc = shms__memfd_open(q->fd, false, &q->trust, &r->data_file);
    if (rc == 0)
        rc = check_stamp(&r->data_file);
    if (rc == 0)
        rc = map_data(r, q, &r->data_file);
    r->data_only = true;
    r->existed = true;
    return rc;
}

static int find(struct region *r, const struct region_request *q, int64_t deadline)
{
    shms__process_lock();
    int rc = shms__memfd_open(q->fd, true, &q->trust, &r->control_file);
    if (rc == 0)
        shms__fork_remember(r);
    shms__process_unlock();
    if (rc == SHMS_E_DENIED && !q->writable)
        return open_data_only(r, q);
    return rc < 0 ? rc : join(r, q, deadline);
}

int shms__unnamed_open(struct region *r, const struct region_request *q, int64_t deadline)
{
    r->control_file.fd = r->data_file.fd = -1;
    r->timeout_ns = q->timeout_ns;
    r->writable = q->writable;
    r->no_bell = q->no_bell;
    r->unnamed = true;
    int rc = q->fd < 0 ? make(r, q) : find(r, q, deadline);
    if (rc < 0)
        shms__region_drop(r);
    return rc;
}

int shms__unnamed_stat(const struct region *r, struct file_stat *ret)
{
    return shms__file_stat_open(&r->control_file, ret);
}

int shms__unnamed_pass(struct region *r, int *ret_fd)
{
    if (r->data_only)
        return shms__file_intact(&r->data_file) ? shms__memfd_pass(&r->data_file, false, false, ret_fd)
                                                : shms__fail(SHMS_E_LOST);
    const struct file *f = shms__region_control_file(r);
    return f ? shms__memfd_pass(f, true, r->frozen, ret_fd) : shms__fail(SHMS_E_LOST);
}
