/* SPDX-License-Identifier: MIT */
/*
 * What exists. Looks from outside: no token, no lock, nothing that could delay a member or keep a region
 * alive. The numbers are read one by one and belong to no single moment.
 */
#include "list.h"

#include "gate.h"
#include "unnamed.h"

#include <stdlib.h>
#include <string.h>

/* A private copy of the control file, made by one read. */
struct peek {
    union {
        struct control control;
        unsigned char bytes[LAYOUT_CONTROL_SIZE];
    } at;
    bool ours; /* a control file of this format */
};

static int peek(const struct file *f, struct peek *ret)
{
    memset(ret, 0, sizeof *ret);
    int64_t got = shms__file_read(f, ret->at.bytes, sizeof ret->at.bytes, 0);
    if (got < 0)
        return (int)got;
    ret->ours = got == (int64_t)sizeof ret->at.bytes && shms__stamp_ok(&ret->at.control);
    return 0;
}

/* relaxed: every load in the next two functions is from a private copy */
static void count_members(const struct control *c, const struct file *f, const struct member *self,
                          shms_info *info)
{
    uint64_t cell = a64_load_relaxed(&c->cell); /* relaxed: private copy */
    uint64_t owner = cell & CELL_OWNER;
    bool holds = !(cell & CELL_SHARED), lives = false; /* S goes when the last reader has left */
    for (uint32_t s = 0; s < LAYOUT_SLOTS; s++) {
        uint32_t generation = a32_load_relaxed(&c->slots[s].generation); /* relaxed: private copy */
        bool is_self = self && self->slot == s;
        if (generation == 0 || (!is_self && !shms__byte_locked(f, LOCK_SLOT(s), 1, BYTE_EXCLUSIVE)))
            continue;
        info->members++;
        info->waiters += a32_load_relaxed(&c->slots[s].waiting); /* relaxed: private copy */
        if (owner != ref_owner(s, generation))
            continue;
        lives = true;
        info->locked = holds;
        info->waiters += !holds;
        if (holds)
            info->owner_pid = (int32_t)a32_load_relaxed(&c->slots[s].pid); /* relaxed: private copy */
    }
    if (owner && !lives)
        info->locked = 2;
}

static void fill(const struct control *c, const struct file *f, const struct member *self, shms_info *info)
{
    uint32_t flags = a32_load_relaxed(&c->flags);                          /* relaxed: private copy */
    info->size = a64_load_relaxed(&c->size);                               /* relaxed: private copy */
    info->max_size = a64_load_relaxed(&c->max_size);                       /* relaxed: private copy */
    info->version = (int64_t)(a64_load_relaxed(&c->version) & INT64_MAX & ~1ull); /* relaxed: private copy */
    info->created_ns = (int64_t)a64_load_relaxed(&c->created_ns);          /* relaxed: private copy */
    info->owner_died = a32_load_relaxed(&c->died) != 0;                    /* relaxed: private copy */
    info->keep = (flags & FLAG_KEEP) != 0;
    info->sparse = (flags & FLAG_SPARSE) != 0;
    info->atomic = (flags & FLAG_ATOMIC) != 0;
    info->kind = a32_load_relaxed(&c->kind);                               /* relaxed: private copy */
    count_members(c, f, self, info);
    shms__gate_tell(f, info);
    /* relaxed: private copy */
    info->rollback = info->locked != 1 && a64_load_relaxed(&c->journal_used) != 0;
    if (self || shms__region_alive(f))
        info->state = SHMS_STATE_LIVE;
    else
        info->state = info->keep ? SHMS_STATE_KEPT : SHMS_STATE_DEAD;
}

/* Owner, mode and memory, from the two files. Are they the user's own, and somebody has given them a second
 * name? Then its next open takes them for none. */
static bool fill_files(const struct name *n, shms_info *info)
{
    struct file_stat control = {0}, data = {0};
    if (shms__file_stat(n->control, &control) == 0)
        info->uid = control.uid;
    if (shms__file_stat(n->data, &data) == 0)
        info->mode = data.mode;
    info->memory_bytes = control.memory_bytes + data.memory_bytes;
    return (control.linked || data.linked) && info->uid == shms__user();
}

static void fill_unnamed(const struct region *r, shms_info *info)
{
    struct file_stat st;
    if (shms__unnamed_stat(r, &st) == 0) {
        info->memory_bytes = st.memory_bytes;
        info->uid = st.uid;
        info->mode = st.mode;
    }
}

static void hand_out(const shms_info *info, shms_info *ret)
{
    uint32_t size = ret->struct_size;
    memcpy(ret, info, (size_t)min_u64(size, sizeof *info));
    ret->struct_size = size;
}

int shms__info(struct member *m, shms_info *info)
{
    const struct file *f = shms__region_control_file(&m->region);
    struct peek *p = malloc(sizeof *p);
    int rc = !p ? shms__fail(SHMS_E_NOMEM) : !f ? shms__fail(SHMS_E_LOST) : peek(f, p);
    if (rc == 0) {
        shms_info full = {.struct_size = sizeof full};
        fill(&p->at.control, f, m, &full);
        if (m->region.unnamed)
            fill_unnamed(&m->region, &full);
        else if (shms__file_has_name(f, m->region.name.control))
            fill_files(&m->region.name, &full);
        hand_out(&full, info);
    }
    free(p);
    return rc;
}

/* ---- members */

/* relaxed: every load is from a private copy */
static void tell_member(const struct control *c, uint32_t slot, shms_member *ret)
{
    const struct slot *s = &c->slots[slot];
    uint32_t generation = a32_load_relaxed(&s->generation); /* relaxed: private copy */
    *ret = (shms_member){.struct_size = sizeof *ret};
    ret->pid = (int32_t)a32_load_relaxed(&s->pid);     /* relaxed: private copy */
    ret->waiters = a32_load_relaxed(&s->waiting);      /* relaxed: private copy */
    uint64_t cell = a64_load_relaxed(&c->cell);        /* relaxed: private copy */
    bool owns = (cell & CELL_OWNER) == ref_owner(slot, generation);
    ret->locked = owns && !(cell & CELL_SHARED);
    ret->waiters += owns && (cell & CELL_SHARED); /* for readers */
    if (a32_load_relaxed(&c->kind) == KIND_CHANNEL) /* relaxed: private copy */
        return;                                     /* its slots hold something else there */
    for (uint32_t i = 0; i < LAYOUT_READERS; i++)
        ret->readers += a32_load_relaxed(&s->readers[i]) == generation; /* relaxed: private copy */
}

#define MEMBERS_AT_ONCE 16

/* Some of the living, from slot *next on. */
static int look_at_members(struct member *m, uint32_t *next, shms_member *ret, int *ret_count)
{
    const struct file *f = shms__region_control_file(&m->region);
    struct peek *p = malloc(sizeof *p);
    int rc = !p ? shms__fail(SHMS_E_NOMEM) : !f ? shms__fail(SHMS_E_LOST) : peek(f, p);
    int count = 0;
    for (; rc == 0 && *next < LAYOUT_SLOTS && count < MEMBERS_AT_ONCE; (*next)++) {
        uint32_t s = *next;
        const struct slot *slot = &p->at.control.slots[s];
        bool ever = a32_load_relaxed(&slot->generation) != 0; /* relaxed: private copy */
        if (!ever || (s != m->slot && !shms__byte_locked(f, LOCK_SLOT(s), 1, BYTE_EXCLUSIVE)))
            continue;
        tell_member(&p->at.control, s, &ret[count]);
        ret[count++].self = s == m->slot;
    }
    free(p);
    *ret_count = count;
    return rc;
}

/* As in list_file, nothing is taken while the callback runs. */
int shms__members(struct member *m, shms_members_fn *callback, void *context)
{
    shms_member told[MEMBERS_AT_ONCE];
    int rc = 0, count = 0;
    for (uint32_t next = 0; rc == 0 && next < LAYOUT_SLOTS;) {
        shms__quiet_begin();
        rc = look_at_members(m, &next, told, &count);
        shms__quiet_end();
        for (int i = 0; rc == 0 && i < count; i++)
            rc = callback(&told[i], context);
    }
    return rc;
}

/* ---- listing */

struct listing {
    bool global;
    shms_list_fn *callback;
    void *context;
};

/* A control file: look into it. What the caller may not open it is not told of. */
static bool look_at_control(const struct name *n, shms_info *info)
{
    struct trust any = {.owners = SHMS_OWNER_ANY, .mode = 0777, .links = true};
    struct peek *p = malloc(sizeof *p);
    struct file f;
    if (!p || shms__file_open(n->control, false, &any, &f) < 0) {
        free(p);
        return false;
    }
    bool seen = peek(&f, p) == 0;
    if (seen && p->ours)
        fill(&p->at.control, &f, NULL, info);
    else
        info->state = SHMS_STATE_FOREIGN;
    shms__file_close(&f);
    free(p);
    return seen;
}

/* A data file whose control is gone: dead. With a control, that tells of both. */
static bool look_at_data(const struct name *n, shms_info *info)
{
    struct file_stat st;
    if (shms__file_exists(n->control) || shms__file_stat(n->data, &st) < 0 || st.uid != shms__user())
        return false;
    info->state = SHMS_STATE_DEAD;
    info->size = st.size;
    info->uid = st.uid;
    return true;
}

static bool look_at(const struct listing *l, const char *file_name, char ret_text[NAME_TEXT_MAX],
                    shms_info *info)
{
    bool is_data = false;
    struct name n;
    if (!shms__name_from_file(l->global, file_name, ret_text, &is_data) ||
        shms__name_resolve(ret_text, false, &n) < 0)
        return false;
    if (is_data ? !look_at_data(&n, info) : !look_at_control(&n, info))
        return false;
    bool linked = fill_files(&n, info);
    if (linked && info->state == SHMS_STATE_KEPT)
        info->state = SHMS_STATE_DEAD;
    return true;
}

/* Nothing is open, locked or allocated while the callback runs: it may leave by longjmp or an exception. */
static int list_file(const struct listing *l, const char *file_name)
{
    char text[NAME_TEXT_MAX];
    shms_info info = {.struct_size = sizeof info};
    shms__quiet_begin();
    bool seen = look_at(l, file_name, text, &info);
    shms__quiet_end();
    return seen ? l->callback(text, &info, l->context) : 0;
}

/* The next names of a place, in order, each with its zero byte: as many as there is room for. */
#define BATCH_BYTES 3072
#define FILE_NAME_MAX 256

struct batch {
    char after[FILE_NAME_MAX]; /* the last of those before */
    char names[BATCH_BYTES];
    size_t used, last; /* bytes of them; where the last one begins */
    bool full;         /* there are more behind */
};

static size_t behind(const struct batch *b, size_t at)
{
    return at + strlen(b->names + at) + 1;
}

static void drop_last(struct batch *b)
{
    b->used = b->last;
    for (size_t at = b->last = 0; at < b->used; at = behind(b, at))
        b->last = at;
}

static int add_to_batch(void *context, const char *file_name)
{
    struct batch *b = context;
    size_t n = strlen(file_name) + 1, at = 0;
    if (n > FILE_NAME_MAX || strcmp(file_name, b->after) <= 0 ||
        (b->full && strcmp(file_name, b->names + b->last) > 0))
        return 0;
    while (at < b->used && strcmp(file_name, b->names + at) > 0)
        at = behind(b, at);
    while (b->used + n > BATCH_BYTES) {
        b->full = true;
        if (at == b->used)
            return 0;
        drop_last(b);
    }
    memmove(b->names + at + n, b->names + at, b->used - at);
    memcpy(b->names + at, file_name, n);
    b->last = at == b->used ? at : b->last + n;
    b->used += n;
    return 0;
}

static int next_batch(const char *prefix, struct batch *b)
{
    b->used = b->last = 0;
    b->full = false;
    shms__quiet_begin();
    int rc = shms__place_walk(prefix, add_to_batch, b);
    shms__quiet_end();
    return rc;
}

static int list_place(const struct listing *l)
{
    char prefix[PORT_PATH_MAX];
    struct batch b = {.used = 0};
    int rc = shms__place(l->global, false, prefix);
    if (rc == SHMS_E_NOT_FOUND || rc == SHMS_E_UNSUPPORTED) /* where no region can be, none is */
        return 0;
    do {
        if (rc == 0)
            rc = next_batch(prefix, &b);
        for (size_t at = 0; rc == 0 && at < b.used; at = behind(&b, at))
            rc = list_file(l, b.names + at);
        strcpy(b.after, b.used > 0 ? b.names + b.last : "");
    } while (rc == 0 && b.full);
    return rc;
}

int shms_list(shms_list_fn *callback, void *context)
{
    if (!callback)
        return shms__fail(SHMS_E_INVALID);
    struct listing l = {.global = true, .callback = callback, .context = context};
    int rc = list_place(&l);
    l.global = false;
    return rc == 0 ? list_place(&l) : rc;
}
