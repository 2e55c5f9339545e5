/* SPDX-License-Identifier: MIT */
/*
 * The contract that an operating system fulfils. port/<system>/ implements it; nothing above it knows
 * which one it is on. Failures are shms codes, made by shms__fail or shms__fail_os.
 *
 * A *file* here is a piece of shared memory that may have a name; a *byte lock* is a lock on one byte of
 * a file that the system itself frees when the last descriptor or mapping of that opening is gone,
 * however its process ended.
 */
#ifndef SHMS_PORT_H
#define SHMS_PORT_H

#include "atomic.h"
#include "error.h"

#include <stddef.h>

/* Of the port's folder. types.h: struct file, struct watch, and PORT_NAME_MAX, PORT_PATH_MAX, how long names
 * and the paths of their places may be. */
#include "thread.h"
#include "types.h"

int shms__os_code(int oserror); /* what a failure of the system means to a user */

/* ---- time, threads, processes */

int64_t shms__now_ns(void);  /* monotonic */
int64_t shms__wall_ns(void); /* since 1970, UTC */
int64_t shms__wall_tick_ns(void); /* the same at the last tick, some milliseconds ago: sooner to be had */
void shms__nap(int64_t ns); /* is cut short by signals */
/* uintptr_t shms__thread(void), inline in the port's thread.h: the caller's identity, never 0, unlike every
 * other living thread's */
uint32_t shms__pid(void);
uint32_t shms__user(void); /* the effective user id */
int shms__random(void *buf, size_t n); /* bytes that nobody can guess; 256 at most */

/*
 * A frame: the call can be neither cancelled nor interrupted by a handler of the program, so that none of
 * these finds half of what it has taken. Frames nest; shms__nap leaves them while it sleeps. Around each
 * call that takes the life-cycle lock, descriptors or memory.
 */
void shms__quiet_begin(void);
void shms__quiet_end(void);
/* The same against cancellation alone, for calls that only must not end in the middle. */
int shms__steady_begin(void);
void shms__steady_end(int before);
/* A thread that is to be cancelled ends here: where a call has not begun. */
void shms__let_cancel(void);

/* Process-private mutual exclusion for slow paths, one for all handles, and a frame. Its owner may take it
 * again. It is never held while waiting for what another process can delay. */
void shms__process_lock(void);
void shms__process_unlock(void);

/*
 * A word that reads 0 in a child until in_child has run there, and else is a number unlike that of any
 * ancestor. All three run under the process lock: `before` and `in_parent` around fork; `in_child` in the
 * child, in fork or, where the child was made behind the C library's back, at its first call (not
 * `prepared`: `before` did not run). It may only do what is allowed after a fork: no allocation.
 */
struct fork_hooks {
    void (*before)(void);
    void (*in_parent)(void);
    void (*in_child)(bool prepared);
};
extern a32 *shms__fork_word;
int shms__fork_setup(const struct fork_hooks *hooks); /* before the first open; later calls do nothing */
void shms__fork_catch_up(void);                       /* runs in_child if that has not happened yet */

/* ---- sleeping on a word of shared memory */

enum { SLEEP_WOKEN, SLEEP_CHANGED, SLEEP_TIMEOUT, SLEEP_RUNG };
/* Sleep while *word == expected, at most ns nanoseconds. A signal counts as SLEEP_CHANGED. */
int shms__sleep_on(a32 *word, uint32_t expected, int64_t ns);
/* The same, and while *bell == says: SLEEP_RUNG if it was the bell that woke. Where a thread cannot sleep on
 * two words, the bell is not heard. */
int shms__sleep_on_both(a32 *word, uint32_t expected, a32 *bell, uint32_t says, int64_t ns);
void shms__wake(a32 *word, int count);

/* ---- files in shared memory */

/* Whose files are trusted: owners (SHMS_OWNER_...), the uid for SHMS_OWNER_UID, the loosest mode; with
 * `links` even files that have other names too, to look at or to take the name away from them. */
struct trust {
    uint32_t owners;
    uint32_t owner_uid;
    uint32_t mode;
    bool links;
};

/* Where a user's private names (global = false) or all users' names live. The place is made if `create`. */
int shms__place(bool global, bool create, char ret_prefix[PORT_PATH_MAX]);

/* Open carefully: no link is followed, nothing is waited for, and what is not a trusted regular file in
 * shared memory is SHMS_E_DENIED. SHMS__RETRY: it lost its name meanwhile. */
int shms__file_open(const char *path, bool writable, const struct trust *trust, struct file *ret);
int shms__file_new(const char *prefix, uint32_t mode, struct file *ret); /* without a name */
int shms__file_link(const struct file *f, const char *path);
int shms__file_unlink(const char *path);
bool shms__file_has_name(const struct file *f, const char *path); /* that one */
bool shms__file_is_named(const struct file *f);                   /* any; it never changes for another */
bool shms__file_exists(const char *path);
void shms__file_close(struct file *f);   /* nothing if f->fd is no longer f's */
void shms__file_discard(struct file *f); /* the same where that has just been asked */
/* Whether f->fd still means f: programs close descriptors that they do not know. */
bool shms__file_intact(const struct file *f);
/* Make it `to` bytes long and, unless sparse, have memory behind every byte from `from` on. */
int shms__file_grow(const struct file *f, uint64_t from, uint64_t to, bool sparse);
int shms__file_cut(const struct file *f, uint64_t from, uint64_t to); /* give that memory back: zeros */
int shms__file_empty(const struct file *f);
int shms__file_length(const struct file *f, uint64_t *ret_size);
int shms__file_ring(const struct file *f, uint64_t offset); /* write one byte there */

struct file_stat {
    uint64_t size;
    uint64_t memory_bytes;
    uint32_t uid;
    uint32_t mode;
    bool linked; /* it has other names, too */
};
int shms__file_stat(const char *path, struct file_stat *ret);
int64_t shms__file_read(const struct file *f, void *buf, size_t n, uint64_t offset);

int shms__file_stat_open(const struct file *f, struct file_stat *ret);

/* Calls fn with each file name in the place; a non-zero answer ends the walk and is returned. */
int shms__place_walk(const char *prefix, int (*fn)(void *context, const char *file_name), void *context);

/*
 * Memory without a name, to be passed on as a descriptor. Sealed, it can be made neither longer nor shorter,
 * by nobody; `frozen`, nobody can write it any more but through the mappings that exist.
 */
int shms__memfd_new(uint32_t mode, struct file *ret);
int shms__memfd_seal(const struct file *f, bool frozen);
/* From a descriptor that somebody passed, if it is trusted and sealed. `joins`: by a writable opening of its
 * own, for byte locks; SHMS_E_DENIED if that may not be. Else as it is, to read. */
int shms__memfd_open(int fd, bool joins, const struct trust *trust, struct file *ret);
/* A descriptor to pass on. `joins`: an opening of its own. */
int shms__memfd_pass(const struct file *f, bool joins, bool frozen, int *ret_fd);

/* `offset` is a multiple of every page size. `child`: a child of fork gets the mapping too. */
int shms__map(const struct file *f, uint64_t offset, uint64_t size, bool writable, bool child, void **ret);
void shms__map_hint_huge(void *address, uint64_t size);
void shms__map_hide(void *address, uint64_t size); /* core dumps leave it out, where that can be */
void shms__unmap(void *address, uint64_t size);
/* Zeros of this process's own at an address where nothing is; false: something is. */
bool shms__map_private(void *address, uint64_t size);
/* Both, by one call where b happens to follow a. Either may be NULL. */
void shms__unmap_both(void *a, uint64_t a_size, void *b, uint64_t b_size);
int shms__pin(void *address, uint64_t size); /* keep out of swap */
/* Is there a file behind this byte of a mapping? Touching it where the file has ended raises SIGBUS. */
bool shms__memory_there(const void *address);

/*
 * ---- the death bell: a word of control, slot.bell, that the system itself changes when this process ends,
 * however it ends, waking one sleeper. It is a hint. Where it cannot be, no bell is ever rung.
 */

struct bell; /* the place in a mapping where one bell can hang */
/* Map control, for writing and not for children of fork, and with a place for a bell: *ret_bell, or NULL. */
int shms__bell_map(const struct file *f, struct bell **ret_bell, void **ret);
/* From now on the word reads as layout.h says (BELL_...), if the helper thread is there or, where that is
 * `worth` it, can be started. NULL does nothing, here and below. */
void shms__bell_hang(struct bell *b, a32 *word, bool worth);
void shms__bell_drop(struct bell *b); /* before control is unmapped: it hangs no more, the place goes */
void shms__bell_end(void);            /* under the process lock: no handle is left, so no thread either */
void shms__bell_forget(void);         /* in a child of fork: all of this is the parent's */
bool shms__bell_off(void);            /* the user wants none in this process, neither rung nor heard */

/*
 * ---- memory that may be taken away: a file is cut short, or a hole is made and no memory is left to fill
 * it. A thread that then touches one of a guard's ranges gets zeros instead of SIGBUS (what `fill` makes
 * of them, for control), and on_lost(context) has been called before, in a signal handler. *ret stays as
 * it is where there are no guards. All else takes a NULL guard, too.
 */
enum { GUARD_CONTROL, GUARD_DATA, GUARD_JOURNAL, GUARD_UNDO, GUARD_UNDO_DATA, GUARD_RANGES };
struct guard;
int shms__guard_take(void *context, void (*on_lost)(void *), void (*fill)(void *), struct guard **ret);
void shms__guard_range(struct guard *g, int which, const void *start, uint64_t size, bool writable);
void shms__guard_drop(struct guard *g);

/* ---- byte locks: exclusive, shared, and asking about other openings' locks */

int shms__byte_lock(const struct file *f, uint64_t offset, bool *ret_taken); /* tries once */
int shms__byte_share(const struct file *f, uint64_t offset);
void shms__byte_unlock(const struct file *f, uint64_t offset);
enum { BYTE_EXCLUSIVE, BYTE_ANY };
/* Is a byte of the range locked (kind) through another opening? 1 or 0, or a failure: it cannot be told,
 * which is to be taken for yes where something would be taken away. */
int shms__byte_locked(const struct file *f, uint64_t offset, uint64_t n, int kind);
/* Another opening of the same file, to write, by the way of the one that is there. */
int shms__file_again(const struct file *f, struct file *ret);

/* ---- descriptors that tell of a write into a file. All three under the process lock. */

/* w->fd is -1 where there is none. A watch whose number means something else by now is taken for none. */
int shms__watch_open(const struct file *f, struct watch *w);
void shms__watch_drain(struct watch *w);
void shms__watch_close(struct watch *w);

/* ---- ordinary files, and stdio */

/* Write all of buf to the file at path: a regular file is replaced as a whole. */
int shms__disk_save(const char *path, const void *buf, uint64_t n);
/* Read the whole regular file into buf of n bytes; SHMS_E_RANGE, before anything is read, if it is larger.
 * `before` is told how much it will be, and may refuse. */
int64_t shms__disk_load(const char *path, void *buf, uint64_t n, int (*before)(void *context, uint64_t size),
                        void *context);
/* The first n bytes of the regular file, or as many as it has. */
int64_t shms__disk_begin(const char *path, void *buf, uint64_t n);

/* A FILE over the three calls, which answer like read, write and lseek: -1 and errno. */
struct stdio_calls {
    int64_t (*read)(void *cookie, char *buf, size_t n);
    int64_t (*write)(void *cookie, const char *buf, size_t n);
    int64_t (*seek)(void *cookie, int64_t offset, int whence);
    int (*close)(void *cookie);
};
int shms__stdio_open(void *cookie, const char *mode, const struct stdio_calls *calls, FILE **ret);

#endif
