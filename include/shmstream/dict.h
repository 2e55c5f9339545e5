/* SPDX-License-Identifier: MIT */
/** @file shmstream/dict.h
 * A *dict* is a region of records by key that processes share: sessions, configuration, counters, caches,
 * leases. Readers take no lock, and a writer that is stopped or killed at any instant holds none of them up.
 *
 *     shms_dict *d;
 *     int rc = shms_dict_open("Global\\config", 1 << 20, NULL, &d);
 *     if (rc < 0) die(shms_strerror(rc));
 *     shms_dict_set(d, "colour", 6, "blue", 4, NULL);
 *     char buf[64];
 *     int64_t n = shms_dict_get(d, "colour", 6, buf, sizeof buf, NULL);   // 4, or SHMS_E_NOT_FOUND
 *     shms_dict_close(d);
 *
 * - A change (set, del, add) happens completely or not at all, at whatever instant a process is killed.
 *   What anybody has seen of it is never taken back. One change happens at a time; each waits for the one
 *   before it.
 * - Each change gets a number, the *version*: 1, 2, 3 ... A record carries that of the change that made it.
 *   No number is given twice: a key that was deleted and made again never has an old version.
 * - Keys and values are bytes. A key has 1 to `key_max` bytes, a value 0 to `value_max`.
 * - An expired record is absent: to readers at once, by the dict's clock. Writers reclaim its memory.
 * The rules of shmstream.h hold here, too: codes, time-outs, fork. Any dict can be opened as a stream that
 * reads.
 */
#ifndef SHMSTREAM_DICT_H
#define SHMSTREAM_DICT_H

#include "../shmstream.h"

#ifdef __cplusplus
extern "C" {
#endif

/** An open dict: a handle, private to its process. Every open handle is a member of its region. */
typedef struct shms_dict shms_dict;

/** Smallest size of a dict in bytes, and the longest key that any dict can have. */
#define SHMS_DICT_SIZE_MIN 16384
#define SHMS_DICT_KEY_MOST 1024

/** options.policy: what happens when a dict is full. */
enum {
    SHMS_EVICT_NONE = 1, /**< a change that needs room is SHMS_E_FULL, and nothing is lost */
    SHMS_EVICT_LRU = 2   /**< records that were not used for long go: the longest unused one of 16, again and
                              again until there is room; by whole seconds, and by chance within one */
};

/** record.flags, told by shms_dict_changes(). */
enum {
    SHMS_RECORD_GONE = 1,    /**< the key has no record any more: deleted, unless one of the next two is set
                               */
    SHMS_RECORD_EXPIRED = 2, /**< with GONE: its time was over */
    SHMS_RECORD_EVICTED = 4  /**< with GONE: it made room for others */
};

/**
 * Options of shms_dict_open(). Zero everything, set struct_size, then what differs. What a dict has for ever
 * (cell_size, ring, policy, key_max, value_max) is decided by its creator; of an existing dict 0 accepts any.
 */
typedef struct shms_dict_options {
    uint32_t struct_size; /**< sizeof(shms_dict_options); anything shorter than 8 is SHMS_E_INVALID */
    uint32_t access;      /**< SHMS_ACCESS_...; a handle that only reads creates no dict */
    uint32_t create;      /**< SHMS_CREATE_OR_OPEN, SHMS_CREATE_ONLY or SHMS_OPEN_ONLY */
    uint32_t owners;      /**< SHMS_OWNER_...; default only dicts of the caller's effective user */
    uint32_t owner_uid;   /**< the user id that SHMS_OWNER_UID accepts */
    uint32_t mode;        /**< permission bits, as in shms_stream_options; 0 means 0600. With read
                               permission only, a user can get, walk and read changes, and nothing else */
    uint64_t max_size;    /**< bytes that the dict may grow to; 0: as its creator said, or not at all */
    int32_t open_timeout_ms; /**< longest wait of opening, and of a change for the lock; 0 means 5000 */
    uint32_t cell_size;   /**< bytes, 64 to 4096, a power of two: memory is given in cells. Reading is
                               fastest if key, value and 48 bytes fit into one. 0: 256 */
    uint32_t ring;        /**< how many changes shms_dict_changes() can look back, and one more: a power of
                               two, 16 to 1048576. 0: 1024, fewer in a dict of less than 128 KiB */
    uint32_t policy;      /**< SHMS_EVICT_...; 0: none */
    uint32_t key_max;     /**< longest key in bytes, 1 to SHMS_DICT_KEY_MOST; 0: 256 */
    uint32_t value_max;   /**< longest value in bytes, 8 to a quarter of the dict; 0: 65536, at most an
                               eighth of the size. Where nothing is evicted, room for one such record is
                               kept free, so that replacing goes on to work in a full dict */
    uint8_t keep;         /**< 1: the dict stays without members until unlinked */
    uint8_t no_bell;      /**< as in shms_stream_options */
    uint8_t no_guard;     /**< as in shms_stream_options */
    uint8_t secret;       /**< 1: what this handle replaces, evicts or finds expired is wiped, as is what is
                               deleted by any; and core dumps of this process leave the dict out (Linux) */
    uint8_t reserved[4];  /**< must be zero */
    int64_t (*now_ns)(void *context); /**< the clock of this handle: nanoseconds since 1970, positive. NULL:
                               the system's. Called inside changes: it must not use the dict, nor leave by
                               longjmp */
    void *now_context;    /**< passed on to now_ns */
} shms_dict_options;

/** What is told of a record. Set struct_size; it is filled as far as that goes. */
typedef struct shms_dict_record {
    uint32_t struct_size; /**< sizeof(shms_dict_record); at least 8 */
    uint32_t flags;       /**< SHMS_RECORD_...; 0 of a record that is there */
    int64_t version;      /**< of the change that made it */
    int64_t expires_ns;   /**< when it expires: nanoseconds since 1970; 0: never */
    uint64_t size;        /**< of its value, in bytes */
    int64_t stamp_ns;     /**< when it was written; with GONE and neither EXPIRED nor EVICTED: deleted.
                               Nanoseconds since 1970, but later than each stamp that the dict had before */
    uint64_t origin;      /**< on which machine that was; 0: on this one */
} shms_dict_record;

/** how.flags */
enum {
    SHMS_DICT_NO_WAIT = 1 /**< do not wait for another writer: SHMS_E_TIMEOUT at once, nothing has changed */
};

/** How a change is made. Zero everything, set struct_size, then what differs. */
typedef struct shms_dict_how {
    uint32_t struct_size; /**< sizeof(shms_dict_how); at least 8 */
    uint32_t flags;       /**< SHMS_DICT_... */
    int64_t if_version;   /**< 0: in any case; -1: only if there is no record (else SHMS_E_EXISTS); else
                               only if the record has this version (else SHMS_E_CHANGED) */
    int64_t expires_ns;   /**< when the record expires: nanoseconds since 1970; 0: never */
    int64_t ttl_ms;       /**< or: how long it lives, in milliseconds from now; 0: not said */
    int64_t stamp_ns;     /**< 0: this change is made now, and here. Else it was made at this moment on
                               machine `origin`, as shms_dict_record tells it: for bridges between machines */
    uint64_t origin;      /**< a number that you gave that machine; 0 without stamp_ns */
} shms_dict_how;

/** What can be told about a dict. Numbers of a moment, each for itself. */
typedef struct shms_dict_stats {
    uint32_t struct_size; /**< set by the caller; at least 8 */
    uint32_t policy;      /**< SHMS_EVICT_... */
    uint64_t size;        /**< bytes */
    uint64_t max_size;    /**< bytes that it may grow to, as this handle mapped it */
    uint64_t records;     /**< records, expired ones included until they are reclaimed */
    uint64_t cells;       /**< cells for records and index */
    uint64_t cells_free;  /**< of these, free */
    uint64_t slots;       /**< length of the index; it has room for 9/16 of that in records */
    int64_t version;      /**< number of the last change */
    uint64_t evicted;     /**< records that were evicted, since the dict was made */
    uint64_t expired;     /**< records that have expired and were reclaimed */
    uint64_t locks;       /**< keys that are locked, by living or dead holders */
    uint32_t cell_size;   /**< as in shms_dict_options, like the next three */
    uint32_t ring;
    uint32_t key_max;
    uint32_t value_max;
} shms_dict_stats;

/** Called by shms_dict_changes() for each change; non-zero ends the call. The key is valid during the call.
 * */
typedef int shms_dict_change_fn(const void *key, size_t key_size, const shms_dict_record *record,
                                void *context);

/**
 * Create or open the dict `name`.
 * @param name  as for shms_stream_open(); not NULL
 * @param size  bytes of a new dict, SHMS_DICT_SIZE_MIN or more; an existing one must have at least that. 0:
 *     open an existing dict, whatever its size, and create none
 * @param options  see shms_dict_options in this header; NULL for the defaults
 * @param ret  receives the handle; not NULL
 * @return 0, or SHMS_E_INVALID (bad name, size or option; an option that differs from the existing dict's; so
 *     small that no record fits), SHMS_E_KIND (the region of that name is no dict), SHMS_E_CORRUPT (its
 *     header is damaged), SHMS_E_FORMAT (another format of dict), or what shms_stream_open() gives:
 *     SHMS_E_NOT_FOUND, SHMS_E_EXISTS, SHMS_E_SIZE, SHMS_E_DENIED, SHMS_E_LOST, SHMS_E_FULL, SHMS_E_NOSPACE,
 *     SHMS_E_NOMEM, SHMS_E_TIMEOUT, SHMS_E_UNSUPPORTED, SHMS_E_OS.
 * Threads: safe.
 * Processes: safe; racing creators agree on one dict.
 * Signals: not async-signal-safe; interrupted system calls are restarted.
 * Fork: the handle works in a child, as a member of its own.
 * Blocks: at most open_timeout_ms on other processes, besides zeroing the memory of a new dict.
 * Since: 0.2.0
 */
SHMS_API int shms_dict_open(const char *name, uint64_t size, const shms_dict_options *options,
                            shms_dict **ret);

/**
 * Close a handle. The locks of keys that it holds are given back. The last member to leave removes the dict,
 * unless it is kept.
 * @param d  the handle; NULL does nothing
 * Threads: no other thread may be using the handle.
 * Processes: safe.
 * Signals: not async-signal-safe; interrupted system calls are restarted.
 * Fork: a child that closes an inherited handle leaves the parent's membership and locks alone.
 * Blocks: at most twice open_timeout_ms; if that passes, what remains is reclaimed as if the process had
 * died.
 * Since: 0.2.0
 */
SHMS_API void shms_dict_close(shms_dict *d);

/**
 * Remove the name of a dict, or of any other region, kept or not. Members go on with their memory.
 * @param name  as for shms_stream_open()
 * @return 0, or SHMS_E_INVALID (bad name), SHMS_E_NOT_FOUND, SHMS_E_DENIED (another user's),
 *     SHMS_E_TIMEOUT (the life-cycle lock stayed taken for 5 s), SHMS_E_UNSUPPORTED, SHMS_E_OS.
 * Threads: safe.
 * Processes: safe.
 * Signals: not async-signal-safe; interrupted system calls are restarted.
 * Fork: no state.
 * Blocks: at most 5 s.
 * Since: 0.2.0
 */
SHMS_API int shms_dict_unlink(const char *name);

/**
 * Get the value of a key: all of one change, never a mixture of two.
 * @param d  the handle
 * @param key  the key
 * @param key_size  its length in bytes, 1 to key_max
 * @param buf  receives the value, as much of it as fits; NULL if size is 0
 * @param size  room in buf, in bytes
 * @param ret  receives what else is known of the record; or NULL
 * @return the length of the value, even if buf is shorter, or SHMS_E_NOT_FOUND (no record, or it has
 *     expired), SHMS_E_INVALID (NULL, a key of 0 bytes, struct_size < 8), SHMS_E_RANGE (a key longer than
 *     key_max; or the record lies beyond what this handle has mapped: open it with the dict's max_size),
 *     SHMS_E_CORRUPT, SHMS_E_LOST, SHMS_E_TIMEOUT (writers were faster 32 times, and the lock was not free
 *     for open_timeout_ms; with read permission only, the lock is not asked for). buf may have been written
 *     to then.
 * Threads: safe.
 * Processes: safe; disturbs nobody.
 * Signals: async-signal-safe, unless it asks for the lock after 32 tries (see above), or is a child's first
 *     call.
 * Fork: works in a child.
 * Blocks: never, but after 32 tries (open_timeout_ms), and for a child's first call (the same).
 * Since: 0.2.0
 */
SHMS_API int64_t shms_dict_get(shms_dict *d, const void *key, size_t key_size, void *buf, size_t size,
                               shms_dict_record *ret);

/**
 * Set the value of a key: a new record, or another one in its place. Without an expiry it expires never,
 * whatever the one before did. After any failure the old value stands.
 * @param d  the handle, read-write
 * @param key  the key
 * @param key_size  its length in bytes, 1 to key_max
 * @param value  the value; NULL if value_size is 0
 * @param value_size  its length in bytes, 0 to value_max
 * @param how  on which condition, and when it expires; NULL: in any case, never
 * @return the version of the record, or SHMS_E_EXISTS, SHMS_E_CHANGED (if_version), SHMS_E_FULL (no room;
 *     with SHMS_EVICT_NONE nothing else has changed but that expired records were reclaimed), SHMS_E_RANGE
 *     (a key longer than key_max, a value longer than value_max, a ttl_ms that ends after the year 2262; or
 *     the dict has grown beyond what this handle mapped), SHMS_E_INVALID (NULL, a key of 0 bytes, ttl_ms
 *     and expires_ns, a negative one, an origin without stamp_ns, an unknown field that is not zero),
 *     SHMS_E_TIMEOUT (open_timeout_ms passed; at once with SHMS_DICT_NO_WAIT), SHMS_E_READ_ONLY,
 *     SHMS_E_DENIED (may only read the data),
 *     SHMS_E_NOSPACE (it would grow, and shared memory is full), SHMS_E_DEADLOCK (called by a signal handler
 *     inside a change through this handle), SHMS_E_CORRUPT, SHMS_E_LOST.
 * Threads: safe; threads that share a handle take turns.
 * Processes: safe; a holder that died is recovered from without news.
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: at most open_timeout_ms.
 * Since: 0.2.0
 */
SHMS_API int64_t shms_dict_set(shms_dict *d, const void *key, size_t key_size, const void *value,
                               size_t value_size, const shms_dict_how *how);

/**
 * Delete a key's record, and wipe its value. Needs no memory, so it works in a full dict.
 * @param d  the handle, read-write
 * @param key  the key
 * @param key_size  its length in bytes, 1 to key_max
 * @param how  if_version: on which condition (0 or a version); expiries must be 0. NULL: in any case
 * @return the number of this change, or SHMS_E_NOT_FOUND (no record, or it has expired), SHMS_E_CHANGED
 *     (if_version: it has another version, or is not there), or as shms_dict_set(): SHMS_E_RANGE,
 *     SHMS_E_INVALID, SHMS_E_TIMEOUT, SHMS_E_READ_ONLY, SHMS_E_DENIED, SHMS_E_DEADLOCK, SHMS_E_CORRUPT,
 *     SHMS_E_LOST.
 * Threads: safe; threads that share a handle take turns.
 * Processes: safe.
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: at most open_timeout_ms.
 * Since: 0.2.0
 */
SHMS_API int64_t shms_dict_del(shms_dict *d, const void *key, size_t key_size, const shms_dict_how *how);

/**
 * Add to a counter: a record whose value is 8 bytes, an int64_t as the machine stores it. One that is
 * absent is made, with start + delta. What was counted keeps its expiry; `how` gives one to a counter that
 * is made.
 * @param d  the handle, read-write
 * @param key  the key
 * @param key_size  its length in bytes, 1 to key_max
 * @param delta  what to add; may be negative
 * @param start  what an absent counter counts from
 * @param how  as for shms_dict_set()
 * @param ret_value  receives the sum; or NULL
 * @return the version of the record, or SHMS_E_INVALID (besides bad arguments: the value has not 8 bytes),
 *     SHMS_E_RANGE (besides: the sum does not fit), or as shms_dict_set(): SHMS_E_EXISTS, SHMS_E_CHANGED,
 *     SHMS_E_FULL, SHMS_E_TIMEOUT, SHMS_E_READ_ONLY, SHMS_E_DENIED, SHMS_E_NOSPACE, SHMS_E_DEADLOCK,
 *     SHMS_E_CORRUPT, SHMS_E_LOST.
 * Threads: safe; threads that share a handle take turns.
 * Processes: safe.
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: at most open_timeout_ms.
 * Since: 0.2.0
 */
SHMS_API int64_t shms_dict_add(shms_dict *d, const void *key, size_t key_size, int64_t delta, int64_t start,
                               const shms_dict_how *how, int64_t *ret_value);

/**
 * Walk over all records, in no order. A record that nobody touches during the walk comes exactly once; one
 * that is changed meanwhile may come once, twice or not at all: take shms_dict_version() before the walk,
 * and read the changes since then after it. Each record that comes is whole. Growth does not disturb a walk.
 * @param d  the handle
 * @param cursor  where the walk stands: begin with 0; moved on by success. Each walk has its own
 * @param key  receives the key, as much of it as fits; or NULL
 * @param key_size  in: room in key; out: the key's length. NULL only with key
 * @param value  receives the value, as much of it as fits; or NULL
 * @param value_size  in: room in value; out: the value's length. NULL only with value
 * @param ret  receives what else is known of the record; or NULL
 * @return 1, a record; 0, the end; or SHMS_E_INVALID (NULL, a cursor that is not this dict's, struct_size <
 *     8), SHMS_E_RANGE (the dict has grown beyond what this handle mapped), SHMS_E_TIMEOUT (as
 *     shms_dict_get()), SHMS_E_CORRUPT, SHMS_E_LOST.
 * Threads: safe, with a cursor each.
 * Processes: safe; disturbs nobody.
 * Signals: as shms_dict_get().
 * Fork: works in a child, which may go on with the parent's cursor.
 * Blocks: as shms_dict_get().
 * Since: 0.2.0
 */
SHMS_API int shms_dict_next(shms_dict *d, uint64_t *cursor, void *key, size_t *key_size, void *value,
                            size_t *value_size, shms_dict_record *ret);

/**
 * Tell the changes since a version, in their order: of each key the last one, at least. Values are not
 * told; get them. Changes that come during the call are left for the next one.
 * @param d  the handle
 * @param since  in: the version up to which all is known; out: that of the last change told or passed over.
 *     After SHMS_E_MISSED the version now, as it was before you walk over the records to catch up
 * @param callback  called for each change; it may use the dict. What it returns, if not 0, ends the call
 * @param context  passed on
 * @return how many were told; what the callback returned if not 0, be it a code (that change counts as
 *     told, and no other); or SHMS_E_MISSED (more changes came than the ring holds, or memory was short and
 *     marks of deleted records were given up; or since is of another life of the dict), SHMS_E_INVALID (NULL,
 *     *since < 0), SHMS_E_RANGE (the dict has grown beyond what this handle mapped), SHMS_E_CORRUPT,
 *     SHMS_E_LOST.
 * Threads: safe, with a `since` each.
 * Processes: safe; disturbs nobody.
 * Signals: async-signal-safe, but for a child's first call.
 * Fork: works in a child.
 * Blocks: never, but in the callback and for a child's first call (open_timeout_ms).
 * Since: 0.2.0
 */
SHMS_API int64_t shms_dict_changes(shms_dict *d, int64_t *since, shms_dict_change_fn *callback,
                                   void *context);

/**
 * Wait until a key's record, or the dict, has another version than *seen. Of a key: it was set, deleted,
 * evicted, or has expired (a clock that is set meanwhile is seen within a second); changes of other keys do
 * not end the wait.
 * @param d  the handle
 * @param key  the key; NULL: any change of the dict
 * @param key_size  its length in bytes, 1 to key_max; 0 with NULL
 * @param seen  in: the version last seen, of the key (0: it was absent) or of the dict; out, on success: the
 *     version now
 * @param timeout_ms  -1 for ever, 0 look once, else milliseconds. 0 also takes the pending event of the poll
 *     descriptor and arms the next one
 * @return 0, or SHMS_E_TIMEOUT (nothing new), SHMS_E_INVALID (NULL, timeout_ms < -1, a key of 0 bytes),
 *     SHMS_E_RANGE (a key longer than key_max), SHMS_E_DENIED (may only read the data), SHMS_E_CORRUPT,
 *     SHMS_E_LOST.
 * Threads: safe.
 * Processes: safe; the change of a writer that died in it is found within half a second.
 * Signals: not async-signal-safe; signals do not end the wait.
 * Fork: works in a child.
 * Blocks: at most timeout_ms, also beside a writer that is stopped; of a key, besides, as shms_dict_get().
 * Since: 0.2.0
 */
SHMS_API int shms_dict_wait(shms_dict *d, const void *key, size_t key_size, int64_t *seen, int timeout_ms);

/**
 * A descriptor that becomes readable when the dict has changed, for poll, epoll, libuv, GLib. The loop: call
 * shms_dict_wait(d, NULL, 0, &seen, 0) until it gives SHMS_E_TIMEOUT, then sleep on the descriptor, then
 * again. A wake-up without a change is possible. Never read or close it; later calls return the same one.
 * @param d  the handle
 * @return the descriptor, or SHMS_E_INVALID (d is NULL), SHMS_E_DENIED (may only read the data), SHMS_E_OS
 *     (as shms_stream_poll_fd()), SHMS_E_LOST, SHMS_E_UNSUPPORTED (Windows).
 * Threads: safe; two threads should not consume one handle's events.
 * Processes: each handle has its own descriptor.
 * Signals: not async-signal-safe.
 * Fork: a child must ask for a descriptor of its own by calling this again.
 * Blocks: never, but for a child's first call (open_timeout_ms).
 * Since: 0.2.0
 */
SHMS_API int shms_dict_poll_fd(shms_dict *d);

/**
 * The number of the dict's last change.
 * @param d  the handle
 * @return the version, 0 in a new dict, or SHMS_E_INVALID (d is NULL), SHMS_E_LOST.
 * Threads: safe.
 * Processes: safe; disturbs nobody.
 * Signals: async-signal-safe, but for a child's first call.
 * Fork: works in a child.
 * Blocks: never, but for a child's first call (open_timeout_ms).
 * Since: 0.2.0
 */
SHMS_API int64_t shms_dict_version(shms_dict *d);

/**
 * Lock a key: a lease that one handle has at a time, whether the key has a record or not. Readers and
 * writers of the record do not mind it: only callers of shms_dict_lock() do. It is in no walk and no feed.
 * @param d  the handle, read-write. The lock is the handle's: threads that share one share its locks
 * @param key  the key
 * @param key_size  its length in bytes, 1 to key_max
 * @param timeout_ms  -1 for ever, 0 try once, else milliseconds
 * @return 0; SHMS_OWNER_DIED: locked, too, and the holder before it died (told once; not if memory was short
 *     meanwhile); or SHMS_E_TIMEOUT (another has it), SHMS_E_DEADLOCK (this handle has it), SHMS_E_FULL (no
 *     room for it), SHMS_E_INVALID (NULL, a key of 0 bytes, timeout_ms < -1), SHMS_E_RANGE, SHMS_E_READ_ONLY,
 *     SHMS_E_DENIED, SHMS_E_NOSPACE, SHMS_E_CORRUPT, SHMS_E_LOST as shms_dict_set().
 * Threads: safe.
 * Processes: safe; a dead holder is found within 20 ms. Waiters are not served in order.
 * Signals: not async-signal-safe; signals do not end the wait.
 * Fork: what the parent holds stays the parent's.
 * Blocks: at most timeout_ms, and open_timeout_ms for the change.
 * Since: 0.2.0
 */
SHMS_API int shms_dict_lock(shms_dict *d, const void *key, size_t key_size, int timeout_ms);

/**
 * Give the lock of a key back.
 * @param d  the handle that holds it
 * @param key  the key
 * @param key_size  its length in bytes, 1 to key_max
 * @return 0, or SHMS_E_NOT_OWNER (this handle does not hold it), or as shms_dict_set(): SHMS_E_INVALID,
 *     SHMS_E_RANGE, SHMS_E_TIMEOUT, SHMS_E_READ_ONLY, SHMS_E_DENIED, SHMS_E_CORRUPT, SHMS_E_LOST.
 * Threads: safe; any thread may give back what another took through the handle.
 * Processes: safe.
 * Signals: not async-signal-safe.
 * Fork: a child does not hold what its parent holds.
 * Blocks: at most open_timeout_ms.
 * Since: 0.2.0
 */
SHMS_API int shms_dict_unlock(shms_dict *d, const void *key, size_t key_size);

/**
 * Write all records to a file, as they are at one moment: keys, values and expiries. The file is replaced
 * as a whole: a failure leaves the old one. Writers wait while the records are copied into memory.
 * @param d  the handle
 * @param path  the file
 * @return how many records, or SHMS_E_INVALID (NULL), SHMS_E_TIMEOUT (the lock stayed taken for
 *     open_timeout_ms), SHMS_E_NOMEM, SHMS_E_RANGE (the dict has grown beyond what this handle mapped),
 *     SHMS_E_DENIED (may only read the data; or as to the file), SHMS_E_NOT_FOUND (no such directory),
 *     SHMS_E_NOSPACE (the disk is full), SHMS_E_FULL (as shms_stream_lock_shared()), SHMS_E_DEADLOCK,
 *     SHMS_E_CORRUPT, SHMS_E_LOST as shms_dict_set(), SHMS_E_OS.
 * Threads: safe.
 * Processes: safe.
 * Signals: not async-signal-safe; interrupted system calls are restarted. Left by siglongjmp, it loses what
 *     memory it had, and perhaps holds the lock: close the handle.
 * Fork: works in a child.
 * Blocks: open_timeout_ms, and as long as the file system does.
 * Since: 0.2.0
 */
SHMS_API int64_t shms_dict_save(shms_dict *d, const char *path);

/**
 * Set all records of a saved file: it adds to what is there, and replaces equal keys, by one change each.
 * What has expired is left out. The file is checked as a whole before the first change; it may come from
 * any machine.
 * @param d  the handle, read-write
 * @param path  the file, regular, of shms_dict_save()
 * @return how many records were set, or SHMS_E_FORMAT (not a saved dict), SHMS_E_CORRUPT (damaged, or cut
 *     short), SHMS_E_RANGE (a key or value longer than this dict takes; nothing was set), SHMS_E_NOT_FOUND,
 *     SHMS_E_DENIED, SHMS_E_INVALID (NULL, not a regular file), SHMS_E_NOMEM, SHMS_E_OS; or what
 *     shms_dict_set() gave for a record, the ones before it being set: SHMS_E_FULL, SHMS_E_TIMEOUT,
 *     SHMS_E_READ_ONLY, SHMS_E_NOSPACE, SHMS_E_LOST.
 * Threads: safe.
 * Processes: safe; others see one change after the other.
 * Signals: not async-signal-safe; interrupted system calls are restarted. Left by siglongjmp, it loses what
 *     memory it had, and perhaps holds the lock: close the handle.
 * Fork: works in a child.
 * Blocks: as long as the file system does, and open_timeout_ms for each change.
 * Since: 0.2.0
 */
SHMS_API int64_t shms_dict_load(shms_dict *d, const char *path);

/**
 * Tell about a dict.
 * @param d  the handle
 * @param ret  struct_size set by the caller; filled as far as that goes
 * @return 0, or SHMS_E_INVALID (NULL, struct_size < 8), SHMS_E_LOST.
 * Threads: safe.
 * Processes: safe; disturbs nobody.
 * Signals: async-signal-safe, but for a child's first call.
 * Fork: works in a child.
 * Blocks: never, but for a child's first call (open_timeout_ms).
 * Since: 0.2.0
 */
SHMS_API int shms_dict_info(shms_dict *d, shms_dict_stats *ret);

#ifdef __cplusplus
}
#endif

#endif
