/* SPDX-License-Identifier: MIT */
/* The port's edge, as the linker's --wrap puts it into the place of the real one. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUARDED_MOST (2 * REGION_MOST) /* bytes of a mapping that stands between two pages */
#define FOREVER_NS INT64_C(1000000000)
#define PAGE 4096u

int64_t world_clock_ns = 1000000000, world_call_began_ns;
char world_dir[200];

void demand(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "BROKEN PROMISE: %s\n", what);
        abort();
    }
}

void world_begin(const char *region, char ret_control[240], char ret_data[240])
{
    const char *where = getenv("HOSTILE_DIR");
    demand(where != NULL, "HOSTILE_DIR is not set");
    snprintf(world_dir, sizeof world_dir, "%s", where);
    snprintf(ret_control, 240, "%s/%s.ctl", world_dir, region);
    snprintf(ret_data, 240, "%s/%s.data", world_dir, region);
    demand(access(ret_control, F_OK) != 0, "HOSTILE_DIR is in use");
    setenv("SHMSTREAM_BELL", "off", 1); /* control stands between pages of nobody's */
}

bool __real_shms__byte_locked(const struct file *f, uint64_t offset, uint64_t n, int kind);
int __real_shms__byte_lock(const struct file *f, uint64_t offset, bool *ret_taken);
int __real_shms__file_length(const struct file *f, uint64_t *ret_size);
int __real_shms__map(const struct file *f, uint64_t offset, uint64_t size, bool writable, bool child,
                          void **ret);
void __real_shms__unmap(void *address, uint64_t size);

int64_t __wrap_shms__now_ns(void);
void __wrap_shms__nap(int64_t ns);
int __wrap_shms__sleep_on(a32 *word, uint32_t expected, int64_t ns);
bool __wrap_shms__byte_locked(const struct file *f, uint64_t offset, uint64_t n, int kind);
int __wrap_shms__byte_lock(const struct file *f, uint64_t offset, bool *ret_taken);
int __wrap_shms__file_length(const struct file *f, uint64_t *ret_size);
int __wrap_shms__map(const struct file *f, uint64_t offset, uint64_t size, bool writable, bool child,
                          void **ret);
void __wrap_shms__unmap(void *address, uint64_t size);
void __wrap_shms__unmap_both(void *a, uint64_t a_size, void *b, uint64_t b_size);
int __wrap_shms__place(bool global, bool create, char ret_prefix[PORT_PATH_MAX]);

int64_t __wrap_shms__now_ns(void)
{
    world_moment();
    return world_clock_ns;
}

void __wrap_shms__nap(int64_t ns)
{
    world_moment();
    world_clock_ns += ns;
}

/* A wake-up may come early, from anybody, for no reason; else the time goes by. */
int __wrap_shms__sleep_on(a32 *word, uint32_t expected, int64_t ns)
{
    world_moment();
    if (ns <= 0)
        return SLEEP_TIMEOUT;
    if (a32_load_relaxed(word) != expected)
        return SLEEP_CHANGED;
    unsigned how = world_chance();
    int64_t nap = how < 0x40 && ns > 50000 ? 50000 : ns;
    world_clock_ns += nap;
    if (world_clock_ns - world_call_began_ns > FOREVER_NS)
        world_free_lock();
    world_moment();
    return nap < ns || how < 0x60 ? SLEEP_WOKEN : SLEEP_TIMEOUT;
}

bool __wrap_shms__byte_locked(const struct file *f, uint64_t offset, uint64_t n, int kind)
{
    world_moment();
    return __real_shms__byte_locked(f, offset, n, kind);
}

int __wrap_shms__byte_lock(const struct file *f, uint64_t offset, bool *ret_taken)
{
    world_moment();
    return __real_shms__byte_lock(f, offset, ret_taken);
}

int __wrap_shms__file_length(const struct file *f, uint64_t *ret_size)
{
    world_moment();
    return __real_shms__file_length(f, ret_size);
}

/* Between two pages of nobody's. What is too large for that stays where it is. */
int __wrap_shms__map(const struct file *f, uint64_t offset, uint64_t size, bool writable, bool child,
                          void **ret)
{
    world_moment();
    void *p = NULL;
    int rc = __real_shms__map(f, offset, size, writable, child, &p);
    if (rc < 0)
        return rc;
    *ret = p;
    if (size > GUARDED_MOST)
        return 0;
    size_t room = (size + PAGE - 1) / PAGE * PAGE;
    unsigned char *guarded = mmap(NULL, room + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    demand(guarded != MAP_FAILED, "no address space is left");
    *ret = mremap(p, room, room, MREMAP_MAYMOVE | MREMAP_FIXED, guarded + PAGE);
    demand(*ret == guarded + PAGE, "a mapping cannot be moved");
    return 0;
}

void __wrap_shms__unmap(void *address, uint64_t size)
{
    world_moment();
    if (size > GUARDED_MOST) {
        __real_shms__unmap(address, size);
        return;
    }
    size_t room = (size + PAGE - 1) / PAGE * PAGE;
    __real_shms__unmap((unsigned char *)address - PAGE, room + 2 * PAGE);
}

void __wrap_shms__unmap_both(void *a, uint64_t a_size, void *b, uint64_t b_size)
{
    if (a)
        __wrap_shms__unmap(a, a_size);
    if (b)
        __wrap_shms__unmap(b, b_size);
}

int __wrap_shms__place(bool global, bool create, char ret_prefix[PORT_PATH_MAX])
{
    (void)create;
    snprintf(ret_prefix, PORT_PATH_MAX, "%s/%s", world_dir, global ? "global." : "");
    return 0;
}

int64_t world_clock(void)
{
    return world_clock_ns;
}

void world_free_lock_of(struct control *c)
{
    a64_store_relaxed(&c->cell, 0);
    for (unsigned i = 0; i < LAYOUT_SLOTS * LAYOUT_READERS; i++)
        a32_store_relaxed(&c->slots[i / LAYOUT_READERS].readers[i % LAYOUT_READERS], 0);
}
