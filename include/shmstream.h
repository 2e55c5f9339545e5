/* SPDX-License-Identifier: MIT */
/** @file shmstream.h
 * shmstream: memory that several processes share, as simple as a file.
 *
 * A *stream* is a named region of memory with a position, a lock and a version. Open, lock, read, write:
 *
 *     int rc = shms_stream_open("Global\\test", 4096, NULL, &s); // shms_stream *s
 *     if (rc < 0) die(shms_strerror(rc));
 *     if (shms_stream_lock(s, -1) >= 0) {         // 0, or SHMS_OWNER_DIED
 *         shms_stream_read(s, buf, sizeof buf);
 *         shms_stream_write(s, msg, len);
 *         shms_stream_unlock(s);
 *     }
 *     shms_stream_close(s);
 *
 * The rules that hold for every call:
 * - success is >= 0, failure one of the negative codes below, which shms_last_oserror() explains;
 * - a time-out is `int timeout_ms`: -1 waits for ever, 0 tries once;
 * - results that come back through a pointer (`ret`, `seen`) are written on success only;
 * - a call that asks the system for something may also fail with SHMS_E_NOMEM or SHMS_E_OS;
 * - in a child of fork, a handle's first call joins the region anew, and may also fail with what joining
 *   can give: SHMS_E_FULL, SHMS_E_LOST, SHMS_E_DENIED, SHMS_E_TIMEOUT, SHMS_E_NOMEM, SHMS_E_OS;
 * - pthread_cancel (deferred only) takes effect where open and open_fd begin, and in no other call, waits or
 *   not; a handler may leave a call by siglongjmp, or fork (doc/caveats.md); 16 KiB of stack are enough;
 * - where a region's memory is taken away (a file cut short), zeros are put in its place, and each call on
 *   the handle gives SHMS_E_LOST. A handler of SIGBUS does that; other faults it passes on (doc/caveats.md);
 * - the library never prints, never aborts, never calls exit, and catches no other signal.
 * What is not in this header is not API. See doc/guarantees.md, doc/caveats.md, doc/concepts.md for terms.
 */
#ifndef SHMSTREAM_H
#define SHMSTREAM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Version of the library (semantic versioning) that this header belongs to. */
#define SHMS_VERSION_MAJOR 0
#define SHMS_VERSION_MINOR 2
#define SHMS_VERSION_PATCH 0
#define SHMS_VERSION_STRING "0.2.0"
#define SHMS_FORMAT_VERSION 3 /**< of the shared bytes (doc/format.md): only equal ones share a region */

#if defined(SHMS_STATIC)
#define SHMS_API
#elif defined(_WIN32)
#if defined(SHMS_BUILDING)
#define SHMS_API __declspec(dllexport)
#else
#define SHMS_API __declspec(dllimport)
#endif
#else
#define SHMS_API __attribute__((visibility("default")))
#endif
#if defined(__GNUC__)
#define SHMS_MUST_CHECK __attribute__((warn_unused_result)) /* of a lock, which may not have been got */
#else
#define SHMS_MUST_CHECK
#endif

/** Every code, its pinned value and its text: X(name, value, text). No number ever changes its meaning. */
#define SHMS_CODES(X)                                                                              \
    X(SHMS_OWNER_DIED, 1, "the lock is yours; an earlier owner died or closed inside its section")           \
    X(SHMS_OK, 0, "success")                                                                       \
    X(SHMS_E_INVALID, -1, "invalid argument or name")                                              \
    X(SHMS_E_NOT_FOUND, -2, "nothing of that name")                                               \
    X(SHMS_E_EXISTS, -3, "something of that name exists already")                                 \
    X(SHMS_E_DENIED, -4, "permission denied, or the name is occupied by another file")     \
    X(SHMS_E_TIMEOUT, -5, "timed out")                                                             \
    X(SHMS_E_RANGE, -6, "outside the region")                                                      \
    X(SHMS_E_SIZE, -7, "the existing region is smaller than asked")                                \
    X(SHMS_E_NOSPACE, -8, "not enough room in shared memory")                                      \
    X(SHMS_E_NOMEM, -9, "out of memory or address space")                                          \
    X(SHMS_E_NOT_OWNER, -10, "this handle does not hold the lock")                                 \
    X(SHMS_E_DEADLOCK, -11, "this thread holds the lock already through this handle")              \
    X(SHMS_E_READ_ONLY, -12, "the handle is read-only")                                            \
    X(SHMS_E_CORRUPT, -13, "the shared bytes are damaged")                                         \
    X(SHMS_E_FORMAT, -14, "not a region of this format")                                           \
    X(SHMS_E_LOST, -15, "the region's memory was taken away")                                      \
    X(SHMS_E_FULL, -16, "no room for one more")                                                    \
    X(SHMS_E_OS, -17, "the operating system refused")                                              \
    X(SHMS_E_UNSUPPORTED, -18, "not supported by this region, version or system")                  \
    X(SHMS_E_CLOSED, -19, "closed by the other side")                                              \
    X(SHMS_E_KIND, -20, "the region holds another kind of object")                                 \
    X(SHMS_E_DIED, -21, "the other side died without closing")                                     \
    X(SHMS_E_MISSED, -22, "what came before has been overwritten")                                 \
    X(SHMS_E_CHANGED, -23, "changed by another process")

#define SHMS_CODE_ENUM(name, value, text) name = value,
enum { SHMS_CODES(SHMS_CODE_ENUM) SHMS_CODES_END_ = 0 /* no code: C++98 wants no comma at the end */ };
#undef SHMS_CODE_ENUM

/* ---------------------------------------------------------------- streams */
/** An open stream: a handle, private to its process. Every open handle is a member of its region. */
typedef struct shms_stream shms_stream;
/** Most members (open handles) a region can have at once; one more is SHMS_E_FULL. */
#define SHMS_MEMBERS_MAX 256
/** Longest name in bytes without its prefix; '/', '%' and control characters count three times. */
#define SHMS_NAME_MAX 240

/** options.access: what this handle may do with the data. Reading handles lock, wait and snapshot too. */
enum { SHMS_ACCESS_READ_WRITE = 0, SHMS_ACCESS_READ = 1 };
/** options.create: what to do about a name that exists, or does not. */
enum { SHMS_CREATE_OR_OPEN = 0, SHMS_CREATE_ONLY = 1, SHMS_OPEN_ONLY = 2 };
/** options.owners: whose regions are accepted. SHMS_OWNER_UID accepts options.owner_uid and oneself. */
enum { SHMS_OWNER_SELF = 0, SHMS_OWNER_ROOT = 1, SHMS_OWNER_UID = 2, SHMS_OWNER_ANY = 3 };

/**
 * options.init: fills a new region, inside an exclusive section of s, for the opener that makes the region. 0
 * or more: the region is ready. Less: a code, which shms_stream_open() gives back; nothing is left. No other
 * open of it returns before one call has succeeded; if the process dies in it, or it fails, the next opener
 * that has an init calls its own (and may find bytes of the dead one, unless the region is atomic). Openers
 * without one wait, at most open_timeout_ms. It may not lock (SHMS_E_DEADLOCK) or unlock, roll back,
 * wait_locked (SHMS_E_INVALID); if it closes s, open gives SHMS_E_CLOSED; if it forks, the child's open gives
 * SHMS_E_NOT_OWNER. If it leaves by longjmp, exception or cancellation: close s, or the lock stays taken.
 */
typedef int shms_init_fn(shms_stream *s, void *context);

/**
 * Options of shms_stream_open(). Zero everything, set struct_size, then what differs:
 *     shms_stream_options o = { .struct_size = sizeof o, .keep = 1 };
 * A longer struct of a later header is fine while its unknown tail is zero.
 */
typedef struct shms_stream_options {
    uint32_t struct_size; /**< sizeof(shms_stream_options); anything shorter than 8 is SHMS_E_INVALID */
    uint32_t access;      /**< SHMS_ACCESS_...; default read-write */
    uint32_t create;      /**< SHMS_CREATE_OR_OPEN, SHMS_CREATE_ONLY or SHMS_OPEN_ONLY */
    uint32_t owners;      /**< SHMS_OWNER_...; default only regions of the caller's effective user */
    uint32_t owner_uid;   /**< the user id that SHMS_OWNER_UID accepts */
    uint32_t mode;        /**< permission bits of a new region, the most an existing one may have: 0600 and
                               any of 0066; 0 means 0600. A process that may only read the data can do no
                               more. 0400, unnamed regions only: no other handle can ever write or resize */
    uint64_t max_size;    /**< bytes of address space to map, so that the region can grow to it with stable
                               pointers; 0: what the creator asked for, or its size if that was over 1 TiB */
    int32_t open_timeout_ms; /**< longest wait for the region's life-cycle lock; 0 means 5000; not negative */
    uint8_t keep;         /**< 1: the region stays without members until unlinked (once any opener asked) */
    uint8_t sparse;       /**< 1: reserve the last page only; writing is SHMS_E_LOST if no memory is left */
    uint8_t huge_pages;   /**< 1: ask for huge pages; a hint that the system may ignore */
    uint8_t lock_memory;  /**< 1: keep the size at opening out of swap (mlock); SHMS_E_NOMEM if refused */
    uint8_t atomic;       /**< 1: a new region's sections happen completely or not at all (see _write); an
                               existing region that was made without it is SHMS_E_UNSUPPORTED */
    uint8_t no_bell;      /**< 1: start no helper thread: a dead owner is found within 20 ms, not at once */
    uint8_t no_guard;     /**< 1: memory that is taken away is SIGBUS, not SHMS_E_LOST */
    uint8_t tasks;        /**< 1: the lock belongs to tasks, not to threads: a second lock on one thread waits
                               like any other; shared locks are counted. For runtimes that move tasks */
    uint8_t reserved[4];  /**< must be zero */
    shms_init_fn *init;   /**< fills a new region, before any open of it returns; NULL for none */
    void *init_context;   /**< passed on to init */
} shms_stream_options;

/**
 * Create or open the stream `name`.
 * @param name  UTF-8, zero-terminated: `Local\x` and plain `x` are private to the calling user, `Global\x` is
 *     one name for all users. x has 1 to SHMS_NAME_MAX bytes and no backslash. Case matters. NULL: a new
 *     region without a name, for shms_stream_fd(); options as for shms_stream_open_fd(), but for `sparse`.
 * @param size  bytes, 1 to 2^62. A new region gets exactly this size, zeroed; an existing one must have at
 *     least this size. 0: open an existing region, whatever its size, and create none.
 * @param options  see shms_stream_options in this header; NULL for the defaults
 * @param ret  receives the handle; not NULL
 * @return 0, or SHMS_E_INVALID (bad name, size or option), SHMS_E_NOT_FOUND (open only, no such region),
 *     SHMS_E_EXISTS (create only, there is one), SHMS_E_SIZE (it is smaller than asked), SHMS_E_DENIED (no
 *     permission, another owner or a looser mode than accepted, or the name is occupied by a file that is no
 *     region), SHMS_E_FORMAT (a control file of another format, or none), SHMS_E_KIND (it holds another kind
 *     of object, and access is not SHMS_ACCESS_READ), what options.init gave (SHMS_E_CLOSED: it closed the
 *     handle), SHMS_E_CORRUPT (control bytes out of range), SHMS_E_LOST (members live, but their data is cut
 *     short), SHMS_E_FULL (256 members), SHMS_E_NOSPACE (/dev/shm, the machine, its memory cgroup or a file
 *     size limit has not so much), SHMS_E_NOMEM (memory, address space, locked memory), SHMS_E_TIMEOUT (for
 *     open_timeout_ms the life-cycle lock stayed taken, no init succeeded, or a section stayed open that has
 *     made the region smaller), SHMS_E_UNSUPPORTED (atomic: the region exists, and was made without it; no
 *     tmpfs at /dev/shm; unnamed: no /proc, no seals, `atomic`), SHMS_E_OS.
 * Threads: safe.
 * Processes: safe; racing creators agree on one region.
 * Signals: not async-signal-safe; interrupted system calls are restarted.
 * Fork: the handle works in a child, as a member of its own (see shms_stream_lock).
 * Blocks: at most open_timeout_ms on other processes, besides zeroing the memory of a new region.
 * Since: 0.1.0
 */
SHMS_API int shms_stream_open(const char *name, uint64_t size, const shms_stream_options *options,
                              shms_stream **ret);

/**
 * Close a handle and leave the region. The last member to leave removes the region, unless it is kept.
 * A lock still held is released; what its section wrote is undone if the region is atomic, and else, if the
 * handle could write, the next locker is told SHMS_OWNER_DIED.
 * The pointer of shms_stream_memory() ends here; close every FILE of shms_stream_file() first.
 * @param s  the handle; NULL does nothing
 * Threads: no other thread may be using the handle.
 * Processes: safe.
 * Signals: not async-signal-safe; interrupted system calls are restarted.
 * Fork: a child that closes an inherited handle leaves the parent's membership and lock alone.
 * Blocks: the last member at most open_timeout_ms, after which the next opener reclaims it; others never.
 * Since: 0.1.0
 */
SHMS_API void shms_stream_close(shms_stream *s);

/**
 * Remove the name of a region, kept or not. Members go on with their memory; the next opener gets a new one.
 * @param name  as for shms_stream_open()
 * @return 0, or SHMS_E_INVALID (bad name), SHMS_E_NOT_FOUND, SHMS_E_DENIED (another user's),
 *     SHMS_E_TIMEOUT (the life-cycle lock stayed taken for 5 s), SHMS_E_UNSUPPORTED, SHMS_E_OS.
 * Threads: safe.
 * Processes: safe.
 * Signals: not async-signal-safe; interrupted system calls are restarted.
 * Fork: no state.
 * Blocks: at most 5 s.
 * Since: 0.1.0
 */
SHMS_API int shms_stream_unlink(const char *name);

/**
 * The region's bytes, mapped; the address is the same for the handle's whole life.
 * Only the first shms_stream_size() bytes may be touched. Bytes written here are seen by all at once; take
 * the lock around them, else they are in no section and move no version.
 * @param s  the handle; NULL gives NULL
 * @return the address; read-only memory if the handle is read-only
 * Threads: safe.
 * Processes: the bytes are shared; other processes see them at other addresses.
 * Signals: async-signal-safe.
 * Fork: the pointer stays valid in a child.
 * Blocks: never.
 * Since: 0.1.0
 */
SHMS_API void *shms_stream_memory(shms_stream *s);

/**
 * The region's present size in bytes, as far as this handle has mapped it.
 * @param s  the handle; NULL gives 0
 * @return bytes. Follows what any member resizes, up to the max_size this handle was opened with.
 * Threads: safe.
 * Processes: safe.
 * Signals: async-signal-safe, but for a child's first call.
 * Fork: in a child the first call may have to join the region again; 0 where that fails.
 * Blocks: never, but for a child's first call (open_timeout_ms).
 * Since: 0.1.0
 */
SHMS_API uint64_t shms_stream_size(shms_stream *s);

/**
 * Whether the region existed before this handle was opened.
 * @param s  the handle; NULL gives 0
 * @return 1 existed (its bytes may not be initialised yet: take the lock and look), 0 created by this open
 * Threads: safe.
 * Processes: private to the handle.
 * Signals: async-signal-safe.
 * Fork: a child inherits the answer.
 * Blocks: never.
 * Since: 0.1.0
 */
SHMS_API int shms_stream_existed(shms_stream *s);

/* ------------------------------------------------------------------- lock */
/* +-----------------------------------------------------------------------------------------------------+
 * | A lock returns 0 or SHMS_OWNER_DIED, which is 1: both mean that the lock is held. Only < 0 is an    |
 * | error. A program that takes != 0 for an error never unlocks, and keeps the lock for ever.           |
 * +-----------------------------------------------------------------------------------------------------+ */

/**
 * Take the region's exclusive lock: begin a section in which no other handle holds it.
 * @param s  the handle
 * @param timeout_ms  -1 for ever, 0 try, else milliseconds
 * @return 0 or SHMS_OWNER_DIED (1): the lock is held. 1: an owner died or closed inside its section, so the
 *     data may be half-written; each locker is told until one calls shms_stream_repaired(); an atomic region
 *     is rolled back instead, with 0. Not held: SHMS_E_TIMEOUT; SHMS_E_DEADLOCK (this thread holds either
 *     lock through this handle; not with `tasks`); SHMS_E_INVALID (s is NULL, timeout_ms < -1);
 *     SHMS_E_DENIED (may only read); SHMS_E_NOMEM, SHMS_E_LOST, SHMS_E_OS (no roll-back; the lock is free).
 * Threads: safe; threads that share a handle exclude each other, and any of them may unlock.
 * Processes: safe; an owner that dies at any instruction is found mostly at once, and within 20 ms by a
 *     waiter that has not slept for long; a stopped one keeps the lock. Newcomers overtake a waiter that
 *     has slept at most once.
 * Signals: not async-signal-safe; signals do not end the wait.
 * Fork: what the parent holds stays the parent's; the child's first call joins it as a member of its own.
 * Blocks: at most timeout_ms; no system call when nobody else wants the lock.
 * Since: 0.1.0
 */
SHMS_API SHMS_MUST_CHECK int shms_stream_lock(shms_stream *s, int timeout_ms);

/**
 * Take the shared lock, for reading: many may hold it at once, and none exclusively. Do not write the data.
 * There is no upgrade (two that upgrade would wait for ever): unlock, lock, see if the version has moved.
 * @param s  the handle
 * @param timeout_ms  as for shms_stream_lock()
 * @return 0; SHMS_OWNER_DIED (held, as for shms_stream_lock(), but a reader cannot repair); SHMS_E_TIMEOUT;
 *     SHMS_E_DEADLOCK (this thread holds either lock through this handle); SHMS_E_FULL (11 threads besides
 *     the handle's first reader hold it: open another handle); SHMS_E_INVALID (s is NULL, timeout_ms < -1);
 *     SHMS_E_DENIED (a handle that may only read the data); SHMS_E_NOMEM, SHMS_E_OS (no roll-back; not held).
 * Threads: safe; each thread of a handle holds it for itself, any of them may unlock.
 * Processes: safe; readers do not slow each other, do not starve writers, and hold up nobody when they die.
 * Signals: not async-signal-safe; signals do not end the wait.
 * Fork: as shms_stream_lock().
 * Blocks: at most timeout_ms; no system call while no writer wants the lock.
 * Since: 0.1.0
 */
SHMS_API SHMS_MUST_CHECK int shms_stream_lock_shared(shms_stream *s, int timeout_ms);

/**
 * Release the lock, exclusive or shared, and wake a process that waits for it. If the section changed
 * something, the version moves on and those that wait for a change wake. A section is a change if a call on
 * its handle wrote or resized, or if shms_stream_memory() has given the handle a pointer for writing.
 * @param s  the handle that holds the lock
 * @return 0, or SHMS_E_NOT_OWNER (nothing is changed), SHMS_E_INVALID (s is NULL; or init is running),
 *     SHMS_E_DENIED (a handle that may only read the data).
 * Threads: any thread of the process may release, one of them once.
 * Processes: another handle's release is SHMS_E_NOT_OWNER.
 * Signals: not async-signal-safe.
 * Fork: a child cannot release its parent's lock (SHMS_E_NOT_OWNER).
 * Blocks: never, but for a child's first call (open_timeout_ms).
 * Since: 0.1.0
 */
SHMS_API int shms_stream_unlock(shms_stream *s);

/**
 * Give the section up: release the lock, and roll back what calls on this handle wrote and resized in it; not
 * what was written through the pointer. The version does not move. Where the region is not atomic nothing can
 * be rolled back, and the call is allowed only if no call has written.
 * @param s  the handle, holding the exclusive lock
 * @return 0; or, with the lock still held and the section going on: SHMS_E_NOT_OWNER, SHMS_E_UNSUPPORTED
 *     (the region is not atomic, and a call has written), SHMS_E_INVALID (s is NULL; or init is running),
 *     SHMS_E_NOMEM, SHMS_E_LOST, SHMS_E_OS (the journal could not be mapped), SHMS_E_DENIED (may only read
 *     the data); or SHMS_E_CORRUPT: a hostile member has damaged the journal; the lock is free, the next
 *     locker is told.
 * Threads: any thread of the process may, one of them once.
 * Processes: another handle's is SHMS_E_NOT_OWNER.
 * Signals: not async-signal-safe.
 * Fork: as shms_stream_unlock().
 * Blocks: never on other processes, but for a child's first call (open_timeout_ms).
 * Since: 0.2.0
 */
SHMS_API int shms_stream_rollback(shms_stream *s);

/**
 * Say that the data is whole again: later lockers are no longer told SHMS_OWNER_DIED.
 * @param s  the handle, holding the lock
 * @return 0, or SHMS_E_NOT_OWNER, SHMS_E_INVALID (s is NULL), SHMS_E_DENIED (may only read the data).
 * Threads: safe.
 * Processes: safe.
 * Signals: not async-signal-safe.
 * Fork: as shms_stream_unlock().
 * Blocks: never, but for a child's first call (open_timeout_ms).
 * Since: 0.1.0
 */
SHMS_API int shms_stream_repaired(shms_stream *s);

/* ---------------------------------------------------------- read and write */
/**
 * Read at the handle's position, and move it on. Takes no lock.
 * @param s  the handle
 * @param buf  receives the bytes; may be NULL if n is 0
 * @param n  bytes wanted, up to 2^63 - 1
 * @return bytes read: what is there, up to n; 0 at the end and beyond; or SHMS_E_INVALID.
 * Threads: safe; threads that share a handle get different bytes.
 * Processes: take the lock where others may write, or use shms_stream_snapshot().
 * Signals: not async-signal-safe.
 * Fork: a child's position starts where the parent's was and is its own.
 * Blocks: never, but for a child's first call (open_timeout_ms).
 * Since: 0.1.0
 */
SHMS_API int64_t shms_stream_read(shms_stream *s, void *buf, size_t n);

/**
 * Write at the handle's position, and move it on: all of it or nothing. Takes no lock, never grows.
 * @param s  the handle
 * @param buf  the bytes; may lie inside the region, overlapping; may be NULL if n is 0
 * @param n  how many
 * @return n, or SHMS_E_RANGE (it does not fit; nothing is written, the position stays), SHMS_E_READ_ONLY,
 *     SHMS_E_INVALID; in an atomic region, nothing being written, SHMS_E_NOSPACE, SHMS_E_NOMEM, SHMS_E_LOST.
 * Threads: safe; threads that share a handle write different ranges.
 * Processes: take the lock around it. A process that dies inside leaves a part written, and the next locker
 *     is told (SHMS_OWNER_DIED). In an atomic region the next process rolls back what the section's calls
 *     wrote, sizes too; not what was written through the pointer.
 * Signals: not async-signal-safe.
 * Fork: as shms_stream_read().
 * Blocks: never, but for a child's first call (open_timeout_ms).
 * Since: 0.1.0
 */
SHMS_API int64_t shms_stream_write(shms_stream *s, const void *buf, size_t n);

/**
 * Set the handle's position. Positions past the end are kept: reading there gives 0, writing SHMS_E_RANGE.
 * @param s  the handle
 * @param offset  bytes, relative to whence
 * @param whence  SEEK_SET, SEEK_CUR or SEEK_END of <stdio.h>
 * @return the new position, or SHMS_E_RANGE (negative or beyond 2^63 - 1; it stays), SHMS_E_INVALID.
 * Threads: safe.
 * Processes: private to the handle.
 * Signals: not async-signal-safe.
 * Fork: as shms_stream_read().
 * Blocks: never, but for a child's first call (open_timeout_ms).
 * Since: 0.1.0
 */
SHMS_API int64_t shms_stream_seek(shms_stream *s, int64_t offset, int whence);

/**
 * The handle's position.
 * @param s  the handle
 * @return bytes from the start, or SHMS_E_INVALID (s is NULL)
 * Threads: safe.
 * Processes: private to the handle.
 * Signals: async-signal-safe.
 * Fork: as shms_stream_read().
 * Blocks: never.
 * Since: 0.1.0
 */
SHMS_API int64_t shms_stream_tell(shms_stream *s);

/**
 * Read at an offset; the handle's position is neither used nor moved. Takes no lock.
 * @param s  the handle
 * @param buf  receives the bytes; may be NULL if n is 0
 * @param n  bytes wanted
 * @param offset  bytes from the start
 * @return bytes read, 0 at the end and beyond, or SHMS_E_RANGE (offset is negative), SHMS_E_INVALID.
 * Threads: safe.
 * Processes: as shms_stream_read().
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: never, but for a child's first call (open_timeout_ms).
 * Since: 0.1.0
 */
SHMS_API int64_t shms_stream_pread(shms_stream *s, void *buf, size_t n, int64_t offset);

/**
 * Write at an offset, all of it or nothing; the handle's position is neither used nor moved. Takes no lock.
 * @param s  the handle
 * @param buf  the bytes; may lie inside the region; may be NULL if n is 0
 * @param n  how many
 * @param offset  bytes from the start
 * @return n, or SHMS_E_RANGE (it does not fit or offset is negative; nothing is written),
 *     SHMS_E_READ_ONLY, SHMS_E_INVALID.
 * Threads: safe.
 * Processes: as shms_stream_write().
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: never, but for a child's first call (open_timeout_ms).
 * Since: 0.1.0
 */
SHMS_API int64_t shms_stream_pwrite(shms_stream *s, const void *buf, size_t n, int64_t offset);

/**
 * Change the region's size; bytes that are new are zero. Pointers stay valid.
 * Growth is reserved like a new region's memory (unless sparse). What is cut off is given back to the
 * system and reads as zeros through old pointers; the data file keeps its greatest length while it lives.
 * @param s  the handle, read-write, holding the lock
 * @param size  bytes, 1 to the max_size the handle was opened with
 * @return 0, or SHMS_E_NOT_OWNER (the lock is not held), SHMS_E_RANGE (beyond this handle's max_size),
 *     SHMS_E_NOSPACE, SHMS_E_READ_ONLY, SHMS_E_LOST, SHMS_E_INVALID (s is NULL, size is 0),
 *     SHMS_E_DENIED, SHMS_E_OS. On failure the size is what it was.
 * Threads: safe, but for two that resize through one handle at once.
 * Processes: safe; others see the new size, as far as they mapped it.
 * Signals: not async-signal-safe; interrupted system calls are restarted.
 * Fork: a child must take the lock itself first.
 * Blocks: for nobody, but as long as zeroing new memory takes. Others open and close meanwhile.
 * Since: 0.1.0
 */
SHMS_API int shms_stream_resize(shms_stream *s, uint64_t size);

/* ---------------------------------------------------------------- version */
/**
 * Read without the lock, consistently: what is returned was in the region at one moment between two sections.
 * Tries a bounded number of times; where writers never pause it takes the shared lock for a moment, waiting
 * at most open_timeout_ms. A thread that holds the lock through this handle reads what is there (with `tasks`
 * it waits, too: use shms_stream_pread()). Bytes written outside any section are not covered.
 * @param s  the handle
 * @param buf  receives the bytes, and may be written on failure too; may be NULL if n is 0
 * @param n  bytes wanted
 * @param offset  bytes from the start
 * @return bytes read, 0 at the end and beyond, or SHMS_E_RANGE (offset is negative), SHMS_E_TIMEOUT,
 *     SHMS_E_CORRUPT (an owner died inside its section and no process has called shms_stream_repaired();
 *     shms_stream_pread() still reads what is there), SHMS_E_FULL (12 threads fell back to the lock through
 *     this handle at once), SHMS_E_DENIED (may only read the data), SHMS_E_INVALID, SHMS_E_NOMEM, SHMS_E_OS.
 * Threads: safe.
 * Processes: safe; delays no other process unless it falls back to the lock.
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: rarely, at most open_timeout_ms.
 * Since: 0.1.0
 */
SHMS_API int64_t shms_stream_snapshot(shms_stream *s, void *buf, size_t n, int64_t offset);

/**
 * The version of the data: an even number that moves on with each section that changed something.
 * @param s  the handle
 * @return the version after the last change that is finished, or SHMS_E_INVALID (s is NULL),
 *     SHMS_E_DENIED (may only read the data).
 * Threads: safe.
 * Processes: safe.
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: never, but for a child's first call (open_timeout_ms).
 * Since: 0.1.0
 */
SHMS_API int64_t shms_stream_version(shms_stream *s);

/**
 * Wait until the version is another than *seen. A section that is open does not hide the changes before it.
 * Lock, look, unlock and wait: a section that wrote nothing is no change (see shms_stream_unlock). With a
 * descriptor of shms_stream_poll_fd(), a call with timeout_ms 0 also takes the pending event and arms the
 * next one.
 * @param s  the handle
 * @param seen  in: the version last seen (start with shms_stream_version(), or 0 for "now, if anything was
 *     ever written"); out, on success: the version now
 * @param timeout_ms  -1 for ever, 0 look once, else milliseconds
 * @return 0, or SHMS_E_TIMEOUT (nothing new), SHMS_E_INVALID (NULL, timeout_ms < -1),
 *     SHMS_E_DENIED (may only read the data).
 * Threads: safe; a thread that waits inside its own section waits in vain.
 * Processes: safe; a holder that dies inside its section counts as a change, found within half a second.
 * Signals: not async-signal-safe; signals do not end the wait.
 * Fork: works in a child.
 * Blocks: at most timeout_ms.
 * Since: 0.1.0
 */
SHMS_API int shms_stream_wait(shms_stream *s, int64_t *seen, int timeout_ms);

/**
 * Inside a section: end it, wait until another handle's section has changed something, begin a section anew.
 * The condition variable of shared memory: lock; while what you wait for is not there, wait_locked; unlock.
 * Bytes written through the pointer are a change that wakes others only if shms_stream_notify() came before.
 * @param s  the handle, holding the exclusive lock
 * @param timeout_ms  -1 for ever, 0 look once, else milliseconds: how long to wait for a change. Taking the
 *     lock again afterwards is waited for without a limit
 * @return with the lock held: 0, SHMS_OWNER_DIED as shms_stream_lock(), SHMS_E_TIMEOUT (no change).
 *     Without it: SHMS_E_NOT_OWNER, SHMS_E_INVALID (s is NULL, timeout_ms < -1; or init is running),
 *     SHMS_E_DENIED (may only read the data), SHMS_E_LOST, SHMS_E_NOMEM, SHMS_E_OS as shms_stream_lock().
 * Threads: safe.
 * Processes: safe; a holder that dies inside its section counts as a change.
 * Signals: not async-signal-safe; signals do not end the wait.
 * Fork: a child must take the lock itself first.
 * Blocks: timeout_ms, and then until the lock is free.
 * Since: 0.2.0
 */
SHMS_API SHMS_MUST_CHECK int shms_stream_wait_locked(shms_stream *s, int timeout_ms);

/**
 * Tell waiters that something has changed, for bytes that were written outside a section.
 * If a section is open (any handle's), its end tells them, and this call returns at once.
 * @param s  the handle, read-write
 * @return 0, or SHMS_E_READ_ONLY, SHMS_E_INVALID (s is NULL), SHMS_E_DENIED (may only read the data),
 *     SHMS_E_TIMEOUT (1000 tries found neither a free lock nor a section to mark).
 * Threads: safe.
 * Processes: safe.
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: never, but for a child's first call (open_timeout_ms).
 * Since: 0.1.0
 */
SHMS_API int shms_stream_notify(shms_stream *s);

/**
 * A descriptor that becomes readable when the version has moved, for poll, epoll, libuv, GLib. The loop: call
 * shms_stream_wait(s, &seen, 0) until it gives SHMS_E_TIMEOUT, then sleep on the descriptor, then again. A
 * wake-up without a change is possible. The descriptor belongs to the handle: never read or close it, nor
 * change its F_SETSIG; later calls return the same one.
 * @param s  the handle
 * @return the descriptor, or SHMS_E_INVALID (s is NULL), SHMS_E_DENIED (may only read the data),
 *     SHMS_E_OS (EMFILE: of descriptors, or the user's limit of inotify instances), SHMS_E_LOST,
 *     SHMS_E_UNSUPPORTED (unnamed, and mode is 0400; Windows).
 * Threads: safe; two threads should not consume one handle's events.
 * Processes: each handle has its own descriptor.
 * Signals: not async-signal-safe.
 * Fork: a child must ask for a descriptor of its own by calling this again.
 * Blocks: never, but for a child's first call (open_timeout_ms).
 * Since: 0.1.0
 */
SHMS_API int shms_stream_poll_fd(shms_stream *s);

/* ------------------------------------------------------------------ files */
/**
 * Write the region's bytes to a file, replacing it as a whole: a failure leaves the old file, and only that.
 * Of the caller's own file the permission bits & 0777 stay (its group's only with the group and without an
 * access list), else it has 0600; nothing more is kept. What is no regular file, or has no name, is written
 * into. Links are followed; other users' links and pipes in /tmp or so are SHMS_E_DENIED. Takes no lock.
 * @param s  the handle
 * @param path  the file
 * @return bytes written, or SHMS_E_INVALID, SHMS_E_DENIED, SHMS_E_NOT_FOUND, SHMS_E_NOSPACE, SHMS_E_OS.
 * Threads: safe.
 * Processes: hold the lock for a consistent copy.
 * Signals: not async-signal-safe; interrupted system calls are restarted.
 * Fork: works in a child.
 * Blocks: as long as the file system does.
 * Since: 0.1.0
 */
SHMS_API int64_t shms_stream_save(shms_stream *s, const char *path);

/**
 * Read a whole file into the region from offset 0, to its end, whatever it says of its length (in /proc: 0).
 * What lies behind it in the region stays; the region does not grow. Takes no lock.
 * @param s  the handle, read-write
 * @param path  the file
 * @return bytes read, or SHMS_E_RANGE (the file is larger than the region; nothing is written, unless it grew
 *     meanwhile), SHMS_E_NOMEM, SHMS_E_READ_ONLY, SHMS_E_NOT_FOUND, SHMS_E_DENIED, SHMS_E_INVALID (NULL, not
 *     a regular file), SHMS_E_OS (a part may have been written); atomic: as for shms_stream_write().
 * Threads: safe.
 * Processes: hold the lock.
 * Signals: not async-signal-safe; interrupted system calls are restarted.
 * Fork: works in a child.
 * Blocks: as long as the file system does.
 * Since: 0.1.0
 */
SHMS_API int64_t shms_stream_load(shms_stream *s, const char *path);

/**
 * The stream as a stdio FILE with a position of its own, from 0 (`a`: from the end).
 * The size is fixed: a write past the end fails with ENOSPC, `w` does not truncate. Nothing is locked; stdio
 * buffers, so fflush before unlocking. fclose it before shms_stream_close().
 * @param s  the handle
 * @param mode  as for fopen: r, w or a, with + and b
 * @param ret  receives the FILE
 * @return 0, or SHMS_E_INVALID (NULL, bad mode), SHMS_E_READ_ONLY (a writing mode), SHMS_E_NOMEM.
 * Threads: a FILE locks itself.
 * Processes: hold the lock around its use.
 * Signals: not async-signal-safe.
 * Fork: as any FILE: flush before fork.
 * Blocks: never.
 * Since: 0.1.0
 */
SHMS_API int shms_stream_file(shms_stream *s, const char *mode, FILE **ret);

/* -------------------------------------------------------- unnamed regions */
/**
 * Join the unnamed region of a descriptor. Such a region, made by shms_stream_open() without a name, is
 * sealed: no member can take memory away from another. It ends with its last handle and descriptor.
 * @param fd  from shms_stream_fd(), here or in another process; it stays the caller's
 * @param options  NULL for the defaults; `owners` and `mode` say what is accepted, `max_size`, `keep` and
 *     `sparse` are SHMS_E_INVALID, `atomic` is SHMS_E_UNSUPPORTED (a sealed file has no room for a journal)
 * @param ret  receives the handle; not NULL. If fd may be read but not written, one with SHMS_ACCESS_READ
 *     that can read, at the size the region was made with, and nothing else (SHMS_E_DENIED)
 * @return 0, or SHMS_E_INVALID (fd is not open), SHMS_E_DENIED (not sealed memory; another owner or a looser
 *     mode than accepted; no permission to write), SHMS_E_FORMAT (not a region), SHMS_E_UNSUPPORTED (no
 *     /proc), SHMS_E_KIND (another kind of object), SHMS_E_CORRUPT, SHMS_E_FULL, SHMS_E_NOMEM,
 *     SHMS_E_TIMEOUT, SHMS_E_OS as shms_stream_open().
 * Threads: safe.
 * Processes: safe.
 * Signals: not async-signal-safe; interrupted system calls are restarted.
 * Fork: as shms_stream_open().
 * Blocks: at most open_timeout_ms on other processes.
 * Since: 0.1.0
 */
SHMS_API int shms_stream_open_fd(int fd, const shms_stream_options *options, shms_stream **ret);

/**
 * A new descriptor of an unnamed region, to pass on: over a socket (SCM_RIGHTS), by fork, or, once FD_CLOEXEC
 * is off, by exec. Of a region of mode 0400 it can be read and mapped to be read, and no more, by anybody;
 * there a child of fork is SHMS_E_DENIED everything, and there is no smaller size and no poll descriptor.
 * @param s  the handle
 * @return the descriptor, the caller's to close, or SHMS_E_INVALID (s is NULL), SHMS_E_UNSUPPORTED (it has a
 *     name), SHMS_E_DENIED (as for open_fd), SHMS_E_LOST (the handle's own was closed), SHMS_E_OS.
 * Threads: safe.
 * Processes: a process that receives it joins by shms_stream_open_fd().
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: never, but for a child's first call (open_timeout_ms).
 * Since: 0.1.0
 */
SHMS_API int shms_stream_fd(shms_stream *s);

/* ------------------------------------------------------------ what exists */
/** shms_info.state */
enum {
    SHMS_STATE_LIVE = 0,   /**< has members */
    SHMS_STATE_KEPT = 1,   /**< no member, stays until unlinked */
    SHMS_STATE_DEAD = 2,   /**< left behind by a crash: the next opener, or a sweep, reclaims it */
    SHMS_STATE_FOREIGN = 3 /**< a file under a region's name that is not of this format */
};

/** shms_info.kind: what the region holds. Any kind can be opened as a stream to be read. */
enum { SHMS_KIND_STREAM = 0, SHMS_KIND_CHANNEL = 1, SHMS_KIND_DICT = 2 };

/** What can be told about a region. The numbers are a moment's; pids are for people only. */
typedef struct shms_info {
    uint32_t struct_size;  /**< set by the caller of shms_stream_info(); at least 8 */
    uint32_t state;        /**< SHMS_STATE_... */
    uint64_t size;         /**< bytes */
    uint64_t max_size;     /**< bytes that its creator mapped */
    uint64_t memory_bytes; /**< bytes of memory in use, control included */
    int64_t version;       /**< as shms_stream_version() */
    int64_t created_ns;    /**< since 1970, UTC, nanoseconds */
    uint32_t members;      /**< living members */
    uint32_t waiters;      /**< threads asleep waiting for the lock */
    uint32_t locked;       /**< 1: a living member holds the lock; 2: a dead one, until the next locker;
                                3: Windows: a program that is no member, alive or dead */
    int32_t owner_pid;     /**< the holder's process id in its own PID namespace, 0 for none */
    uint32_t owner_died;   /**< 1: SHMS_OWNER_DIED is up */
    uint32_t uid;          /**< owner of the region's files */
    uint32_t mode;         /**< permission bits of the data */
    uint8_t keep;          /**< 1: kept */
    uint8_t sparse;        /**< 1: its memory was not reserved */
    uint8_t atomic;        /**< 1: crash-atomic */
    uint8_t rollback;      /**< 1: the next locker or opener will roll back a dead member's section */
    uint32_t strangers;    /**< Windows: handles of programs that know data and lock, but no members */
    uint32_t kind;         /**< SHMS_KIND_... */
} shms_info;

/**
 * Tell about the region of a handle.
 * @param s  the handle
 * @param info  struct_size set by the caller; filled as far as that goes
 * @return 0, or SHMS_E_INVALID (NULL, struct_size < 8), SHMS_E_DENIED (may only read the data),
 *     SHMS_E_LOST (control cannot be reached any more), SHMS_E_NOMEM, SHMS_E_OS.
 * Threads: safe.
 * Processes: disturbs nobody.
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: never, but for a child's first call (open_timeout_ms).
 * Since: 0.1.0
 */
SHMS_API int shms_stream_info(shms_stream *s, shms_info *info);

/** What can be told about a member, for people only: a moment's numbers. */
typedef struct shms_member {
    uint32_t struct_size; /**< sizeof(shms_member) of the library */
    int32_t pid;          /**< process id in the member's own PID namespace */
    uint32_t locked;      /**< 1: it holds the lock */
    uint32_t readers;     /**< how many of its threads or tasks hold the shared lock; 12 at most are told */
    uint32_t waiters;     /**< its threads that are asleep waiting for the lock, or for its readers */
    uint32_t self;        /**< 1: it is the handle that was asked */
} shms_member;

/** Called for each member; non-zero ends the call and is given back. */
typedef int shms_members_fn(const shms_member *member, void *context);

/**
 * Tell about the living members of a handle's region.
 * @param s  the handle
 * @param callback  called once a member, in no particular order; may leave by longjmp or an exception
 * @param context  passed on
 * @return 0, what the callback returned if not 0, or SHMS_E_INVALID (NULL), SHMS_E_DENIED (may only read the
 *     data), SHMS_E_LOST (control cannot be reached any more), SHMS_E_NOMEM, SHMS_E_OS.
 * Threads: safe.
 * Processes: disturbs nobody.
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: never, but in the callback and for a child's first call (open_timeout_ms).
 * Since: 0.2.0
 */
SHMS_API int shms_stream_members(shms_stream *s, shms_members_fn *callback, void *context);

/** Called by shms_list() for each region; both are valid during the call; non-zero, longjmp or an exception
 * ends the listing. */
typedef int shms_list_fn(const char *name, const shms_info *info, void *context);

/**
 * List the regions that the calling user may look into: its own, and the Global ones open to it. Joins none.
 * @param callback  called once a region, in no order
 * @param context  passed on
 * @return 0, what the callback returned if not 0, or SHMS_E_INVALID (callback is NULL), SHMS_E_NOMEM,
 *     SHMS_E_DENIED (the user's private place is somebody else's), SHMS_E_OS.
 * Threads: safe.
 * Processes: disturbs nobody.
 * Signals: not async-signal-safe.
 * Fork: no state.
 * Blocks: never, but in the callback.
 * Since: 0.1.0
 */
SHMS_API int shms_list(shms_list_fn *callback, void *context);

/* ------------------------------------------------------------------ words */
/**
 * The text of a code, in English, without a full stop.
 * @param code  any int
 * @return a constant text; "unknown code" for any other number
 * Threads: safe.
 * Processes: no state.
 * Signals: async-signal-safe.
 * Fork: no state.
 * Blocks: never.
 * Since: 0.1.0
 */
SHMS_API const char *shms_strerror(int code);

/**
 * The errno behind this thread's last failed call of this library, 0 if it had none. Success may change it.
 * @return an errno value
 * Threads: one value a thread.
 * Processes: no state.
 * Signals: async-signal-safe.
 * Fork: a child inherits the value.
 * Blocks: never.
 * Since: 0.1.0
 */
SHMS_API int shms_last_oserror(void);

/**
 * The version of the library that is running, as in SHMS_VERSION_STRING.
 * @return "major.minor.patch"
 * Threads: safe.
 * Processes: no state.
 * Signals: async-signal-safe.
 * Fork: no state.
 * Blocks: never.
 * Since: 0.1.0
 */
SHMS_API const char *shms_version(void);

#ifdef __cplusplus
}
#endif
#endif
