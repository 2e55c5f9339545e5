/* SPDX-License-Identifier: MIT */
/*
 * Windows: a region's life, which is that of its named objects (objects.h): each lives as long as somebody
 * has it open, any process, and however processes end. Nothing is ever removed.
 *
 * Who takes part. Ours, one at a time under the life-cycle lock, from before the first look until a member
 * is added. Programs built on TShareMemStream open the gate and the data at any moment, under no lock; they
 * never touch control.
 *
 * Invariants.
 *  1. A member holds all of its region's objects, so a region with a living member has its data, its
 *     control, and one meaning of its size.
 *  2. state is READY only if control describes the data section that has the name, or had it when the last
 *     member left.
 *
 * What is found, and what that means:
 *   no data                              a new region. Control that is there is of one that is just being
 *                                        closed, or looked at by a lister: all but its lock begins anew
 *   data, no control or state SETUP      programs that know no control made it, or are all that is left:
 *                                        its size is that of the section, in whole pages
 *   data and control                     a region of ours, to join
 * The lock cell of control that was found stays: a dead owner named there may have passed the gate (gate.c).
 * New control beside an odd parity means that such an owner was named in control that is gone.
 *
 * Linearisation. Create: the system's creation of the data section. Join: the token. Resize: the store of
 * size.
 *
 * What a crash leaves: nothing, but for names that others have open. State SETUP is repaired by the next
 * opener; memory that was committed and not yet told of is zeroed by the next resize.
 */
#include "../../core/region.h"

#include "objects.h"

#include <string.h>

/* What another member says that it mapped is believed up to here. */
#define MAX_SIZE_BELIEVED (1ull << 40)
#define JOURNAL_LEAST (1u << 20)
/* wine forgets a commitment that reaches the end of a view: a view through which data can grow is longer. */
#define VIEW_SPARE 65536u
/* The owner of a lock that was left by one whose name is lost: it matches no slot. */
#define LOST_OWNER ref_owner(LAYOUT_SLOTS - 1, UINT32_MAX)

/* ---- sections */

static int commit(struct region *r, uint64_t size)
{
    uint64_t there = shms__committed(r->data);
    DWORD rights = r->writable ? PAGE_READWRITE : PAGE_READONLY;
    if (there >= size || VirtualAlloc(r->data + there, (SIZE_T)(size - there), MEM_COMMIT, rights))
        return 0;
    shms__fail_last();
    return SHMS_E_NOSPACE;
}

static int open_data(struct region *r)
{
    wchar_t name[OBJECT_NAME_MAX];
    shms__object_name(r->name.data, "", name);
    DWORD access = r->writable ? FILE_MAP_READ | FILE_MAP_WRITE : FILE_MAP_READ;
    r->data_file.section = OpenFileMappingW(access, FALSE, name);
    r->data_file.writable = r->writable;
    r->existed = r->data_file.section != NULL;
    return r->existed ? 0 : shms__fail_last();
}

/* *ret_new: nobody had one of that name. */
static int make_section(const char *path, uint64_t size, DWORD kind, uint32_t mode, struct file *f,
                        bool *ret_new)
{
    wchar_t name[OBJECT_NAME_MAX];
    struct security s = {0};
    shms__object_name(path, "", name);
    int rc = shms__security(mode, &s);
    if (rc < 0)
        return rc;
    f->section = CreateFileMappingW(INVALID_HANDLE_VALUE, &s.attributes, PAGE_READWRITE | kind,
                                    (DWORD)(size >> 32), (DWORD)size, name);
    DWORD e = GetLastError();
    *ret_new = e != ERROR_ALREADY_EXISTS;
    shms__security_free(&s);
    return f->section ? 0 : shms__fail_os((int)e);
}

/* ---- control */

bool shms__stamp_ok(const struct control *c)
{
    /* relaxed: written before state became READY, under the life-cycle lock */
    return a64_load_relaxed(&c->magic) == LAYOUT_MAGIC &&
           a32_load_relaxed(&c->format) == SHMS_FORMAT_VERSION &&
           a32_load_relaxed(&c->byte_order) == LAYOUT_BYTE_ORDER &&
           a32_load_relaxed(&c->fingerprint) == LAYOUT_FINGERPRINT &&
           a32_load_relaxed(&c->control_size) == LAYOUT_CONTROL_SIZE;
}

static void write_stamp(struct control *c)
{
    /* relaxed: read after state, under the life-cycle lock */
    a64_store_relaxed(&c->magic, LAYOUT_MAGIC);
    a32_store_relaxed(&c->format, SHMS_FORMAT_VERSION);
    a32_store_relaxed(&c->byte_order, LAYOUT_BYTE_ORDER);
    a32_store_relaxed(&c->fingerprint, LAYOUT_FINGERPRINT);
    a32_store_relaxed(&c->control_size, LAYOUT_CONTROL_SIZE);
}

/* Of a region of ours that is not here yet: its undo journal doubles up to more than the data. */
static uint64_t control_room(const struct region *r, const struct region_request *q)
{
    uint64_t size = q->max_size > q->size ? q->max_size : q->size;
    if (!q->atomic || (r->existed && shms__file_length(&r->data_file, &size) < 0))
        return LAYOUT_CONTROL_SIZE;
    return LAYOUT_JOURNAL + (3 * size + JOURNAL_LEAST) / LAYOUT_JOURNAL * LAYOUT_JOURNAL;
}

static int open_control_section(struct region *r, const struct region_request *q, bool *ret_new)
{
    struct file *f = &r->control_file;
    uint64_t room = control_room(r, q);
    void *p = NULL;
    int rc = make_section(r->name.control, room, room > LAYOUT_CONTROL_SIZE ? SEC_RESERVE : SEC_COMMIT,
                          f->objects->mode, f, ret_new);
    if (rc == 0)
        rc = shms__map(f, 0, LAYOUT_CONTROL_SIZE, true, false, &p);
    r->control = p;
    if (rc == 0 && shms__committed(p) < LAYOUT_CONTROL_SIZE)
        rc = shms__file_grow(f, 0, LAYOUT_CONTROL_SIZE, false) < 0 ? shms__fail(SHMS_E_FORMAT) : 0;
    return rc;
}

static int open_control(struct region *r, const struct region_request *q, bool *ret_ready)
{
    struct objects *o = r->control_file.objects;
    bool is_new = false, parity_new = false;
    int rc = shms__objects_join(o, &parity_new);
    if (rc == 0)
        rc = open_control_section(r, q, &is_new);
    if (rc < 0)
        return rc;
    struct control *c = r->control;
    shms__objects_mapped(o, c);
    if (is_new && !parity_new && shms__gate_passed(o))
        a64_store_relaxed(&c->cell, LOST_OWNER); /* relaxed: read under the life-cycle lock */
    *ret_ready = a32_load_relaxed(&c->state) == STATE_READY; /* relaxed: as above */
    return !*ret_ready || shms__stamp_ok(c) ? 0 : shms__fail(SHMS_E_FORMAT);
}

/* Only the member that makes control can make room for a journal. */
static int settle_atomic(struct region *r, bool atomic)
{
    uint64_t length = 0;
    r->atomic = atomic;
    if (atomic && shms__file_length(&r->control_file, &length) < 0)
        return shms__fail(SHMS_E_UNSUPPORTED);
    return 0;
}

/* All of control but its lock. Data that was found has bytes already, and needs no init; and if the owner
 * whose name is lost wrote some of them, lockers must be told. */
static int begin_life(struct region *r, const struct region_request *q, uint64_t size, uint64_t max_size)
{
    struct control *c = r->control;
    uint32_t flags = (q->sparse ? FLAG_SPARSE : 0u) | (q->atomic ? FLAG_ATOMIC : 0u);
    a32_store_relaxed(&c->state, STATE_SETUP); /* relaxed: read under the life-cycle lock */
    bool lost = r->existed && (a64_load_relaxed(&c->cell) & CELL_OWNER) == LOST_OWNER; /* relaxed: as above */
    write_stamp(c);
    /* relaxed: nobody is a member; the life-cycle lock hands these to the next one */
    a32_store_relaxed(&c->flags, flags);
    a32_store_relaxed(&c->kind, q->kind);
    a64_store_relaxed(&c->max_size, max_size);
    a64_store_relaxed(&c->created_ns, (uint64_t)shms__wall_ns());
    a64_store_relaxed(&c->sequence, 0);
    a64_store_relaxed(&c->version, 0);
    a32_store_relaxed(&c->died, lost ? DIED_NEWS : 0u);
    a32_store_relaxed(&c->init, q->init && !r->existed ? INIT_OWED : INIT_NONE);
    a64_store_relaxed(&c->journal_used, 0);
    a64_store_relaxed(&c->size, size);
    memset(c->object, 0, sizeof c->object);
    if (q->object)
        memcpy(c->object, q->object, q->object_size);
    return settle_atomic(r, q->atomic);
}

/* ---- data */

static int finish_map(struct region *r, const struct region_request *q, void *p, uint64_t size,
                      uint64_t capacity)
{
    r->data = p;
    r->capacity = capacity;
    a64_store_relaxed(&r->backed, size); /* relaxed: the handle is not shared yet */
    return q->lock_memory ? shms__pin(p, size) : 0;
}

/* All of it, which is more than `size` where it can grow. */
static int map_data(struct region *r, uint64_t want, uint64_t size, void **ret)
{
    return shms__map(&r->data_file, 0, want > size ? want + VIEW_SPARE : want, r->writable, false, ret);
}

/* A new region. SHMS__RETRY: a process without the life-cycle lock was faster. */
static int create(struct region *r, const struct region_request *q)
{
    bool is_new = false;
    void *p = NULL;
    uint64_t max_size = q->max_size > q->size ? q->max_size : q->size;
    bool grows = max_size > q->size;
    int rc = make_section(r->name.data, grows ? max_size + VIEW_SPARE : max_size,
                          grows ? SEC_RESERVE : SEC_COMMIT, q->trust.mode, &r->data_file, &is_new);
    if (rc == 0 && !is_new)
        return SHMS__RETRY;
    if (rc == 0)
        rc = map_data(r, max_size, q->size, &p);
    if (rc == 0)
        rc = finish_map(r, q, p, q->size, max_size);
    if (rc == 0)
        rc = commit(r, q->size);
    if (rc == 0)
        rc = begin_life(r, q, q->size, max_size);
    return rc;
}

/* What programs made that know no control: bytes, and no other object. */
static int adopt(struct region *r, const struct region_request *q)
{
    void *p = NULL;
    if (q->kind != KIND_STREAM)
        return shms__fail(SHMS_E_KIND);
    int rc = shms__map(&r->data_file, 0, 0, r->writable, false, &p);
    if (rc < 0)
        return rc;
    uint64_t size = shms__committed(p);
    rc = finish_map(r, q, p, size, size);
    if (rc == 0 && size < q->size)
        rc = shms__fail(SHMS_E_SIZE);
    if (rc == 0 && r->control)
        rc = begin_life(r, q, size, size);
    return rc;
}

/* A region of ours. */
static int join(struct region *r, const struct region_request *q)
{
    struct control *c = r->control;
    bool atomic = a32_load_relaxed(&c->flags) & FLAG_ATOMIC; /* relaxed: written under the life-cycle lock */
    uint64_t size = a64_load_relaxed(&c->size);              /* relaxed: as above */
    uint64_t max_size = a64_load_relaxed(&c->max_size);      /* relaxed: as above */
    if (a32_load_relaxed(&c->kind) != q->kind)               /* relaxed: as above */
        return shms__fail(SHMS_E_KIND);
    if (q->atomic && !atomic)
        return shms__fail(SHMS_E_UNSUPPORTED);
    if (size == 0 || size > INT64_MAX)
        return shms__fail(SHMS_E_CORRUPT);
    /* A dead section may have shrunk it: the handle looks again after the roll-back. relaxed: a hint */
    if (size < q->size && !(atomic && a64_load_relaxed(&c->journal_used)))
        return shms__fail(SHMS_E_SIZE);
    uint64_t want = max_size > size && max_size <= MAX_SIZE_BELIEVED ? max_size : size;
    if (q->max_size)
        want = min_u64(want, q->max_size > size ? q->max_size : size);
    void *p = NULL;
    int rc = map_data(r, want, size, &p);
    if (rc < 0 && want > size)
        rc = map_data(r, want = size, size, &p);
    if (rc < 0)
        return rc;
    rc = finish_map(r, q, p, size, want);
    if (rc == 0)
        rc = commit(r, size);
    return rc < 0 ? rc : settle_atomic(r, atomic);
}

/* ---- open */

/* Both descriptors' bits, or none: a reader must not be able to hold the lock. */
static uint32_t control_mode(uint32_t mode)
{
    return (mode & 06) == 06 ? mode : mode & ~06u;
}

static int open_data_only(struct region *r, const struct region_request *q)
{
    shms__objects_close(r->control_file.objects);
    if (r->control)
        UnmapViewOfFile(r->control);
    r->control_file.objects = NULL;
    r->control = NULL;
    r->data_only = true;
    return adopt(r, q);
}

/* Any object's bytes can be read as a stream. */
static int open_other_kind(struct region *r, const struct region_request *q)
{
    uint64_t size = a64_load_relaxed(&r->control->size); /* relaxed: written under the life-cycle lock */
    if (size < q->size)
        return shms__fail(SHMS_E_SIZE);
    int rc = open_data_only(r, q);
    if (rc == 0)
        r->capacity = min_u64(size, r->capacity);
    return rc;
}

static int open_locked(struct region *r, const struct region_request *q)
{
    bool ready = false;
    int rc = open_data(r);
    if (rc < 0 && (rc != SHMS_E_NOT_FOUND || q->size == 0 || q->create == SHMS_OPEN_ONLY))
        return rc;
    if (r->existed && q->create == SHMS_CREATE_ONLY)
        return shms__fail(SHMS_E_EXISTS);
    rc = open_control(r, q, &ready);
    if (rc == SHMS_E_DENIED && r->existed && !r->writable)
        return open_data_only(r, q);
    if (rc < 0)
        return rc;
    rc = !r->existed ? create(r, q) : ready ? join(r, q) : adopt(r, q);
    if (rc == SHMS_E_KIND && q->kind == KIND_STREAM && !r->writable)
        rc = open_other_kind(r, q);
    return rc;
}

int shms__region_open(struct region *r, const struct region_request *q, int64_t deadline)
{
    r->timeout_ns = q->timeout_ns;
    r->writable = q->writable;
    if (q->keep)
        return shms__fail(SHMS_E_UNSUPPORTED);
    int rc = shms__objects_open(r->name.data, control_mode(q->trust.mode), &r->control_file.objects);
    if (rc == 0)
        rc = shms__life_take(&r->control_file, deadline);
    if (rc == 0)
        rc = open_locked(r, q);
    if (rc < 0)
        shms__region_abandon(r);
    return rc;
}

int shms__region_publish(struct region *r)
{
    if (r->data_only)
        return 0;
    a32_store_relaxed(&r->control->state, STATE_READY); /* relaxed: read under the life-cycle lock */
    shms__byte_unlock(&r->control_file, LOCK_LIFE);
    return 0;
}

/* ---- leaving */

/* Data first: data without control is taken for another program's. */
void shms__region_abandon(struct region *r)
{
    if (r->data)
        UnmapViewOfFile(r->data);
    if (r->data_file.section)
        CloseHandle(r->data_file.section);
    if (r->control)
        UnmapViewOfFile(r->control);
    if (r->control_file.section)
        CloseHandle(r->control_file.section);
    shms__objects_close(r->control_file.objects);
    r->data = NULL;
    r->control = NULL;
    r->data_file.section = r->control_file.section = NULL;
    r->control_file.objects = NULL;
}

void shms__region_leave(struct region *r)
{
    shms__region_abandon(r);
}

/* A region goes with its last member: opening refuses to keep it. */
int shms__region_keep(struct region *r)
{
    (void)r;
    return shms__fail(SHMS_E_UNSUPPORTED);
}

/* A name lasts as long as somebody has the region open, and cannot be taken away. */
int shms__region_unlink(const struct name *name, int64_t timeout_ns)
{
    (void)timeout_ns;
    return shms__file_exists(name->data) ? shms__fail(SHMS_E_UNSUPPORTED) : shms__fail(SHMS_E_NOT_FOUND);
}

/* ---- size */

/* Any member can write any size; it is believed as far as there is memory. What another member committed is
 * committed once more, which costs nothing: wine does not always tell. */
uint64_t shms__region_backed(struct region *r, uint64_t size)
{
    uint64_t backed = a64_load_relaxed(&r->backed); /* relaxed: private, and true whenever it was stored */
    size = min_u64(size, r->capacity);
    if (size <= backed || commit(r, size) < 0)
        return min_u64(size, backed);
    a64_store_relaxed(&r->backed, size); /* relaxed: as above; of two racing threads either is right */
    return size;
}

/* New bytes from `old` on, all zero; those below `precious` are so already. */
static int grow_data(struct region *r, uint64_t old, uint64_t size, uint64_t precious)
{
    uint64_t from = old > precious ? old : precious;
    /* Behind the size there may be old bytes, of a member that died while it shrank the region. */
    uint64_t there = min_u64(size, shms__committed(r->data));
    if (from < there)
        memset(r->data + from, 0, (size_t)(there - from));
    return commit(r, size);
}

static int change_size(struct region *r, uint64_t size, uint64_t precious)
{
    struct control *c = r->control;
    uint64_t old = a64_load_relaxed(&c->size); /* relaxed: written by the lock's holder only */
    if (shms__region_backed(r, old) < old)
        return shms__fail(SHMS_E_LOST);
    int rc = size > old ? grow_data(r, old, size, precious) : 0;
    if (rc < 0)
        return rc;
    /* release: the memory is there before the size says so; pairs with the acquire in shms__region_size */
    a64_store_release(&c->size, size);
    uint64_t end = size > precious ? size : precious;
    if (end < old) /* memory of a section cannot be given back */
        memset(r->data + end, 0, (size_t)(old - end));
    return 0;
}

int shms__region_resize(struct region *r, uint64_t size, uint64_t precious)
{
    int rc = shms__life_take(&r->control_file, shms__now_ns() + r->timeout_ns);
    if (rc < 0)
        return rc;
    rc = change_size(r, size, precious);
    shms__byte_unlock(&r->control_file, LOCK_LIFE);
    return rc;
}

/* ---- there is no fork */

int shms__region_rejoin(struct region *r)
{
    (void)r;
    return shms__fail(SHMS_E_LOST);
}

void shms__region_rejoined(struct region *r, bool joined)
{
    (void)r, (void)joined;
}
