/* SPDX-License-Identifier: MIT */
/* The size of a region: what is believed of it, and how it changes (the crash table is in region.c). */
#include "region.h"

/*
 * Any member can write any size, and touching what lies behind the file's end is SIGBUS: so a size is
 * believed only as far as the system confirms that the file is that long. It never gets shorter.
 */
uint64_t shms__region_backed(struct region *r, uint64_t size)
{
    uint64_t backed = a64_load_relaxed(&r->backed); /* relaxed: private, and true whenever it was stored */
    size = min_u64(size, r->capacity);
    if (size <= backed || !shms__memory_there(r->data + size - 1))
        return min_u64(size, backed);
    a64_store_relaxed(&r->backed, size); /* relaxed: as above; of two racing threads either is right */
    return size;
}

/* The file that the data lies in, and where it begins there. */
static const struct file *data_file(const struct region *r)
{
    return r->unnamed ? &r->control_file : &r->data_file;
}

static uint64_t data_start(const struct region *r)
{
    return r->unnamed ? LAYOUT_UNNAMED_DATA : 0;
}

static int data_length(const struct region *r, uint64_t *ret_length)
{
    int rc = shms__file_length(data_file(r), ret_length);
    *ret_length -= min_u64(*ret_length, data_start(r));
    return rc;
}

static int cut_data(const struct region *r, uint64_t from, uint64_t to)
{
    return shms__file_cut(data_file(r), data_start(r) + from, data_start(r) + to);
}

/* New bytes from `old` on, all zero; those below `precious` are so already. */
static int grow_data(struct region *r, uint64_t old, uint64_t size, uint64_t precious, uint64_t length)
{
    /* relaxed: never changes while there are members */
    bool sparse = a32_load_relaxed(&r->control->flags) & FLAG_SPARSE;
    uint64_t from = old > precious ? old : precious;
    /* Behind the size there may be old bytes, of a member that died while it shrank the region. */
    int rc = length > from ? cut_data(r, from, length) : 0;
    if (rc == 0 && size > from)
        rc = shms__file_grow(data_file(r), data_start(r) + from, data_start(r) + size, sparse);
    return rc;
}

/* By the holder of the exclusive lock, which is enough to be alone: openers look at the size before they look
 * at the file, and the file never gets shorter than a size that it had. */
static int change_size(struct region *r, uint64_t size, uint64_t precious)
{
    struct control *c = r->control;
    uint64_t old = a64_load_relaxed(&c->size); /* relaxed: written by the lock's holder only */
    uint64_t length = 0;
    int rc = data_length(r, &length);
    if (rc == 0 && old > length)
        rc = shms__fail(SHMS_E_LOST);
    if (rc == 0 && size > old)
        rc = grow_data(r, old, size, precious, length);
    if (rc < 0)
        return rc;
    /* release: the memory is there before the size says so; pairs with the acquire in shms__region_size */
    a64_store_release(&c->size, size);
    uint64_t end = size > precious ? size : precious;
    if (size >= old || end >= length)
        return 0;
    /* The file is not truncated: another member that is still reading there must not get SIGBUS. */
    rc = cut_data(r, end, length);
    if (rc < 0)
        /* Old bytes must not come back as new ones. release: pairs with the acquire in shms__region_size */
        a64_store_release(&c->size, old);
    return rc;
}

int shms__region_resize(struct region *r, uint64_t size, uint64_t precious)
{
    shms__process_lock(); /* another handle may ask whether the number is this one's */
    bool there = r->unnamed || shms__file_intact(&r->data_file) ||
                 shms__region_reopen(&r->data_file, r->name.data) == 0;
    shms__process_unlock();
    if (!there || (r->unnamed && !shms__region_control_file(r)))
        return shms__fail(SHMS_E_LOST);
    return change_size(r, size, precious);
}
