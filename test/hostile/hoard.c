/* SPDX-License-Identifier: MIT */
/* Those who take and do not give back: the lock, readers' entries, the life-cycle lock, the life tokens. */
#include "peers.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define LONG_MS (STUCK_S * 1000)
#define SHORT_MS 30

static void done(uint64_t calls)
{
    count(&board->calls, calls);
}

/* Times out, not before its time. That it is not after it is what the watcher sees. */
static void need_time_out(shms_stream *s)
{
    int64_t began = shms__now_ns(), seen = shms_stream_version(s);
    need_is(shms_stream_lock(s, SHORT_MS), SHMS_E_TIMEOUT);
    need(shms__now_ns() - began >= (SHORT_MS - 1) * INT64_C(1000000));
    need_is(shms_stream_lock(s, 0), SHMS_E_TIMEOUT);
    need_is(shms_stream_wait(s, &seen, SHORT_MS), SHMS_E_TIMEOUT);
    need_is(shms_stream_unlock(s), SHMS_E_NOT_OWNER);
    done(4);
}

/* ---- the lock */

void lock_hoarder(void)
{
    shms_stream *s = open_region(SHMS_ACCESS_READ_WRITE);
    need_is(shms_stream_lock(s, LONG_MS), 0);
    get_ready(1);
    await_ready(2);
    _exit(0); /* without releasing: it dies */
}

static void locked_out_once(shms_stream *s, shms_stream *reader)
{
    char byte = 1;
    shms_info info = {.struct_size = sizeof info};
    need_time_out(s);
    need_time_out(reader);
    need_is(shms_stream_notify(s), 0);
    need_is(shms_stream_resize(s, 2 * REGION_SIZE), SHMS_E_NOT_OWNER);
    need_is(shms_stream_pread(s, &byte, 1, 0), 1);
    need_is(shms_stream_info(s, &info), 0);
    need(info.locked == 1 && info.members == 3);
    shms_stream_close(open_region(SHMS_ACCESS_READ_WRITE));
    done(6);
}

void locked_out(void)
{
    await_ready(1);
    shms_stream *s = open_region(SHMS_ACCESS_READ_WRITE), *reader = open_region(SHMS_ACCESS_READ);
    while (!stopped())
        locked_out_once(s, reader);
    get_ready(2);
    need_is(shms_stream_lock(s, LONG_MS), SHMS_OWNER_DIED);
    need_is(shms_stream_unlock(s), 0);
    shms_stream_close(reader);
    shms_stream_close(s);
}

/* ---- readers' entries: its own, and by force those of everybody */

void entry_hoarder(void)
{
    uint64_t inode;
    await_ready(1);
    shms_stream *s = open_region(SHMS_ACCESS_READ_WRITE);
    struct control *c = map_control(&inode);
    need(c != NULL);
    need_is(shms_stream_lock_shared(s, LONG_MS), 0);
    for (unsigned i = 0; i < LAYOUT_READERS; i++, count(&board->blows, 1))
        a32_store_relaxed(&s->section.member.entries[i], (uint32_t)(s->section.member.id >> 32));
    get_ready(2);
    await_ready(3);
    _exit(0); /* it dies */
}

/* Readers go in and out beside it, writers have their time; once it is dead its entries are nothing. */
void read_beside(void)
{
    shms_stream *s = open_region(SHMS_ACCESS_READ_WRITE), *reader = open_region(SHMS_ACCESS_READ);
    char byte = 1;
    get_ready(1);
    await_ready(2);
    while (!stopped()) {
        need_time_out(s);
        need_is(shms_stream_lock_shared(reader, 0), 0);
        need_is(shms_stream_lock_shared(s, 0), 0);
        need_is(shms_stream_lock(s, 0), SHMS_E_DEADLOCK);
        need_is(shms_stream_unlock(s), 0);
        need_is(shms_stream_unlock(reader), 0);
        need_is(shms_stream_notify(s), 0);
        need_is(shms_stream_snapshot(s, &byte, 1, 0), 1);
        done(8);
    }
    get_ready(3);
    need_is(shms_stream_lock(s, LONG_MS), 0);
    need_is(shms_stream_unlock(s), 0);
    shms_stream_close(reader);
    shms_stream_close(s);
}

/* ---- byte locks of the control file, taken from outside */

static bool take_byte(int fd, size_t offset)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)offset, .l_len = 1};
    return fcntl(fd, F_OFD_SETLK, &l) == 0;
}

void life_hoarder(void)
{
    await_ready(1);
    int fd = open_control();
    need(fd >= 0 && take_byte(fd, LOCK_LIFE));
    get_ready(2);
    await_ready(3);
    close(fd);
}

static shms_stream *open_soon(void)
{
    shms_stream *s = NULL;
    need_is(join(SHMS_ACCESS_READ_WRITE, SHORT_MS, &s), 0);
    return s;
}

/* Two handles: one is closed while the hoarder sits there, and must not take long for it. */
void held_up(void)
{
    shms_stream *s = open_soon(), *other = open_soon(), *none = NULL;
    get_ready(1);
    await_ready(2);
    shms_stream_close(other);
    while (!stopped()) {
        need_is(join(SHMS_ACCESS_READ_WRITE, SHORT_MS, &none), SHMS_E_TIMEOUT);
        need_is(shms_stream_lock(s, 0), 0);
        need_is(shms_stream_resize(s, 2 * REGION_SIZE), 0);
        need(shms_stream_size(s) == 2 * REGION_SIZE);
        need_is(shms_stream_resize(s, REGION_SIZE), 0);
        need_is(shms_stream_unlock(s), 0);
        need_is(shms_stream_notify(s), 0);
        done(7);
    }
    get_ready(3);
    shms_stream_close(s);
}

/* All tokens, and a name in the cell that has one of them: it must look alive, and be given time only. */
void slot_hoarder(void)
{
    uint64_t inode;
    await_ready(1);
    int fd = open_control();
    struct control *c = map_control(&inode);
    need(fd >= 0 && c);
    unsigned taken = 0;
    for (size_t i = 0; i < LAYOUT_SLOTS; i++)
        taken += take_byte(fd, LOCK_SLOT(i));
    need(taken == LAYOUT_SLOTS - 1);
    count(&board->blows, taken);
    a32_store_relaxed(&c->slots[5].generation, 7);
    get_ready(2);
    await_ready(3);
    a64_store_relaxed(&c->cell, ref_owner(5, 7));
    get_ready(4);
    await_ready(5);
    munmap(c, sizeof *c);
    close(fd);
}

void crowded_out(void)
{
    shms_stream *s = open_region(SHMS_ACCESS_READ_WRITE), *none = NULL;
    get_ready(1);
    await_ready(2);
    need_is(join(SHMS_ACCESS_READ_WRITE, 0, &none), SHMS_E_FULL);
    need_is(shms_stream_lock(s, 0), 0);
    need_is(shms_stream_unlock(s), 0);
    get_ready(3);
    await_ready(4);
    while (!stopped()) {
        int64_t began = shms__now_ns();
        need_is(shms_stream_lock(s, SHORT_MS), SHMS_E_TIMEOUT);
        need(shms__now_ns() - began >= (SHORT_MS - 1) * INT64_C(1000000));
        need_is(join(SHMS_ACCESS_READ_WRITE, 0, &none), SHMS_E_FULL);
        done(2);
    }
    get_ready(5);
    need_is(shms_stream_lock(s, LONG_MS), 0); /* the cell named somebody, but no section was open */
    need_is(shms_stream_unlock(s), 0);
    shms_stream_close(s);
}
