/* SPDX-License-Identifier: MIT */
/* A process that rewrites control while another makes every call. */
#include "peers.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define BLOCK_AND_HEAD 272u /* of a record of one block */
#define FLIPS 2000 /* between two looks at whether control is still the one */

/* ---- the victim */

static int64_t real_now(void)
{
    return shms__now_ns();
}

/* A region that cannot be opened any more is removed: that is what its owner would do. */
static void open_again(struct actor *a)
{
    shms_stream_options o = {.struct_size = sizeof o, .open_timeout_ms = OPEN_TIMEOUT_MS};
    o.max_size = REGION_MOST;
    o.access = a->reads_only;
    if (!a->name) {
        o.max_size = 0;
        o.no_guard = 1; /* nobody can take its memory */
        shms_stream_open_fd(a->fd, &o, &a->s);
    } else if (shms_stream_open(a->name, REGION_SIZE, &o, &a->s) < 0) {
        shms_stream_unlink(a->name);
    }
}

void flipped(void)
{
    struct actor some[2] = {{.name = board->name, .path = board->path, .now_ns = real_now}};
    if (unnamed_fd >= 0) {
        some[0].name = NULL;
        some[0].fd = unnamed_fd;
    }
    some[0].slack_ns = STUCK_S * INT64_C(1000000000);
    some[1] = some[0];
    some[1].reads_only = true;
    uint64_t state = 1;
    while (!stopped()) {
        uint64_t r = chance(&state);
        struct actor *a = &some[(r >> 40) % 8 == 0];
        if (!a->s)
            open_again(a);
        const char *name = call_name((unsigned)(r & 0xff));
        snprintf(board->doing[0], sizeof board->doing[0], "%s", name);
        call_run(a, (unsigned)(r & 0xff), (unsigned)(r >> 8 & 0xff), (unsigned)(r >> 16 & 0xff));
        count(&board->calls, 1);
    }
    shms_stream_close(some[0].s);
    shms_stream_close(some[1].s);
}

/* ---- the flipper */

static uint64_t some_member(const struct control *c, uint64_t r)
{
    uint32_t slot = (uint32_t)(r % 4);
    return ref_owner(slot, a32_load_relaxed(&c->slots[slot].generation));
}

static void flip_wild(struct control *c, uint64_t r)
{
    meddle(c, some_member(c, r >> 32), (unsigned)(r & 0xff), (unsigned)(r >> 8 & 0xff), r >> 16);
}

static void flip_plausible(struct control *c, uint64_t r)
{
    uint64_t flags = (r >> 16) & (CELL_WAITERS | CELL_CHANGE | CELL_POLL | CELL_RESERVED | CELL_NOTICE |
                                  CELL_SHARED);
    a64 *counter = r & 4096 ? &c->version : &c->sequence;
    uint32_t generation = a32_load_relaxed(&c->slots[r >> 8 & 3].generation);
    switch (r % 13) {
    case 0: a64_store_relaxed(&c->cell, 0); break;
    case 1: a64_store_relaxed(&c->cell, flags); break;
    case 2: a64_store_relaxed(&c->cell, some_member(c, r >> 8) | flags); break;
    case 3: a64_store_relaxed(&c->cell, ref_owner(r >> 8 & 3, (uint32_t)(r >> 40 & 7)) | flags); break;
    case 4: a64_store_relaxed(counter, a64_load_relaxed(counter) + (r >> 8 & 3)); break;
    case 5: a64_store_relaxed(&c->size, 1 + (r >> 8) % REGION_MOST); break;
    case 6: a32_store_relaxed(&c->died, r >> 8 & (DIED_NEWS | DIED_OWED)); break;
    case 7: a64_store_relaxed(&c->journal_used, (r >> 8) % (3 * BLOCK_AND_HEAD)); break;
    case 8: a64_store_relaxed(&c->journal_used, (r >> 8 & 7) * BLOCK_AND_HEAD); break;
    case 9: a32_store_relaxed(&c->slots[r >> 8 & 3].readers[r >> 10 & 1], r & 2048 ? generation : 0); break;
    case 10: a32_store_relaxed(&c->init, r >> 8 & 3); break;
    case 11: a32_store_relaxed(&c->kind, (r >> 8 & 15) < 2); break;
    default: a32_store_relaxed(&c->slots[r >> 8 & 3].generation, (uint32_t)(r >> 16 & 7)); break;
    }
}

static bool still_the_one(uint64_t inode)
{
    struct name n;
    struct stat st;
    if (unnamed_fd >= 0)
        return true;
    return shms__name_resolve(board->name, false, &n) == 0 && stat(n.control, &st) == 0 && st.st_ino == inode;
}

/* What an unnamed region cannot be joined without comes back: nobody can be given another one. */
static void mend(struct control *c)
{
    shms__stamp_write(c);
    a32_store_relaxed(&c->state, STATE_READY);
    a64_store_relaxed(&c->size, REGION_SIZE);
    a32_store_relaxed(&c->kind, KIND_STREAM);
    a32_store_relaxed(&c->init, INIT_NONE);
}

/* At full speed, and with pauses of many lengths, so that calls are hit at their start and deep inside. */
static void flip_one(void (*flip)(struct control *, uint64_t), struct control *c, uint64_t *state)
{
    uint64_t mood = chance(state);
    int pause = mood & 1 ? 0 : 1 << (mood >> 1) % 12;
    for (int i = 0; i < (pause > 64 ? FLIPS / 16 : FLIPS); i++) {
        flip(c, chance(state));
        if (i % 16 == 0 && unnamed_fd >= 0)
            mend(c);
        for (int p = 0; p < pause; p++)
            spin_pause();
    }
    count(&board->blows, pause > 64 ? FLIPS / 16 : FLIPS);
}

static void flip_until_stopped(void (*flip)(struct control *, uint64_t))
{
    uint64_t state = 2;
    while (!stopped()) {
        uint64_t inode = 0;
        struct control *c = map_control(&inode);
        while (c && !stopped() && still_the_one(inode))
            flip_one(flip, c, &state);
        if (c)
            munmap(c, sizeof *c);
    }
}

void flipper_wild(void)
{
    flip_until_stopped(flip_wild);
}

void flipper_plausible(void)
{
    flip_until_stopped(flip_plausible);
}
