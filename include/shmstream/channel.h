/* SPDX-License-Identifier: MIT */
/** @file channel.h
 * A channel: messages between processes, through a named ring of shared memory.
 *
 *     shms_channel *c;                                        // one process, begun first: a channel that
 *     int64_t n;                                              // nobody has open is gone, unless it is kept
 *     shms_channel_open("jobs", 4 << 20, SHMS_RECEIVE, NULL, &c);
 *     while ((n = shms_channel_recv(c, buf, sizeof buf, -1)) >= 0)
 *         use(buf, n);                                        // ends with SHMS_E_CLOSED or SHMS_E_DIED
 *     shms_channel_close(c);
 *
 *     shms_channel_open("jobs", 4 << 20, SHMS_SEND, NULL, &c);      // another
 *     shms_channel_send(c, "hello", 5, -1);
 *     shms_channel_close(c);
 *
 * A *queue* gives each message to exactly one receiver, a *broadcast* to every receiver that is there. What
 * one sender sends arrives in its order; what several send arrives in one order for all.
 * A message has 0 bytes up to the ring's capacity less 16; one that is longer than half the ring may have to
 * wait until the ring is empty. Small rings are slower: take 4 MiB unless memory is short.
 *
 * The rules of shmstream.h hold for every call here, and these:
 * - a handle is used by one thread at a time; several threads open several handles;
 * - in a child of fork a handle's first call joins anew, as a new member: what the parent has reserved or
 *   peeked stays the parent's, and a broadcast's receiver begins with what is sent from then on. A handle
 *   with one_sender or one_receiver gives SHMS_E_FULL there while the parent has its own;
 * - after a handler has left a call by siglongjmp, call shms_channel_abort() (doc/caveats.md);
 * - any call may give SHMS_E_CORRUPT where a peer has damaged the shared bytes, and SHMS_E_LOST;
 * - the region lives as a stream does (shmstream.h): with its last handle it is gone, and what was sent and
 *   not received with it, unless options.region says keep. Unlink it with shms_stream_unlink().
 * doc/shmstream-channel.7 tells the whole.
 */
#ifndef SHMSTREAM_CHANNEL_H
#define SHMSTREAM_CHANNEL_H

#include "../shmstream.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A message channel: a handle, private to its process. */
typedef struct shms_channel shms_channel;

/** What a handle does: one of them. SHMS_LOOK is for shms_channel_info() and shms_channel_notify() only. */
enum { SHMS_LOOK = 0, SHMS_SEND = 1, SHMS_RECEIVE = 2 };
/** options.kind: each message goes to exactly one receiver, or to every receiver that is there. */
enum { SHMS_QUEUE = 0, SHMS_BROADCAST = 1 };
/**
 * options.slow, of a broadcast: what a full ring does about the slowest receiver. BLOCK: senders wait for it.
 * DROP: the oldest message goes, and receivers that had not read it are told (SHMS_E_MISSED). EXPEL: a sender
 * waits as long as its time-out, then goes on without the slowest, which is told.
 */
enum { SHMS_SLOW_BLOCK = 0, SHMS_SLOW_DROP = 1, SHMS_SLOW_EXPEL = 2 };

/** Smallest and largest capacity of a ring in bytes. */
#define SHMS_CHANNEL_SIZE_MIN 4096
#define SHMS_CHANNEL_SIZE_MAX 0x80000000u

/** Options of shms_channel_open(). Zero everything, set struct_size, then what differs. */
typedef struct shms_channel_options {
    uint32_t struct_size; /**< sizeof(shms_channel_options); anything shorter than 8 is SHMS_E_INVALID */
    uint32_t kind;        /**< SHMS_QUEUE or SHMS_BROADCAST */
    uint32_t slow;        /**< SHMS_SLOW_...; must be 0 for a queue */
    uint32_t history;     /**< a new receiver of a broadcast begins: 0 now, n with the last n messages that
                               are still there (at least the last half of the ring is, where no message
                               is longer than a third of it) */
    uint8_t one_sender;   /**< 1: a promise that makes sending faster: at most one sending handle at a time */
    uint8_t one_receiver; /**< 1: the same for receiving; a queue's only */
    uint8_t reserved[6];  /**< must be zero */
    const shms_stream_options *region; /**< how the region is made and opened; NULL: the defaults. access,
                               max_size, atomic, tasks and init must be 0 */
} shms_channel_options;

/** Bytes to send, of shms_channel_send_all(). */
typedef struct shms_slice {
    const void *data; /**< may be NULL if size is 0 */
    size_t size;      /**< bytes */
} shms_slice;

/** What can be told about the message that this handle got last. */
typedef struct shms_message {
    uint32_t struct_size; /**< set by the caller; at least 8 */
    uint32_t tries;       /**< of a queue: how often it was delivered before and not released */
    uint64_t number;      /**< messages are counted from 1; 0: unknown (a queue with several receivers). Of a
                               broadcast, and of `history`, reservations that were given up count, too */
    uint64_t missed;      /**< how many numbers were overwritten just before it, unread (SHMS_E_MISSED) */
    uint64_t size;        /**< bytes */
} shms_message;

/** What can be told about a channel: a moment's numbers, read one by one. */
typedef struct shms_channel_stats {
    uint32_t struct_size;  /**< set by the caller; at least 8 */
    uint32_t kind;         /**< SHMS_QUEUE or SHMS_BROADCAST */
    uint32_t slow;         /**< SHMS_SLOW_... */
    uint32_t senders;      /**< living handles that send */
    uint32_t receivers;    /**< living handles that receive */
    uint32_t reserved;     /**< 0 */
    uint64_t capacity;     /**< bytes of the ring */
    uint64_t used;         /**< bytes of it that are in use, heads of messages included */
    uint64_t sent;         /**< messages since the channel began */
    uint64_t received;     /**< messages of a queue that were delivered, each counted once, also if it was
                                put back; 0 in a broadcast */
    uint64_t dropped;      /**< numbers that receivers of a broadcast were told to have missed */
    uint64_t aborted;      /**< reservations that were given up, or whose sender died */
    uint64_t redelivered;  /**< messages of a queue that were delivered once more */
    uint64_t senders_died; /**< senders that died without closing, as far as somebody has noticed */
    uint64_t waits;        /**< how often somebody went to sleep in a call */
} shms_channel_stats;

/**
 * Create or open the channel `name`, to send, to receive, or to look.
 * @param name  as for shms_stream_open(); not NULL
 * @param size  bytes of the ring, 4 KiB to 2 GiB, rounded up to a power of two (shms_channel_stats.capacity
 *     tells); an existing channel must have at least that. 0: open an existing one, and create none; then
 *     kind, slow and one_... may be 0, which takes the channel as it is
 * @param role  SHMS_SEND, SHMS_RECEIVE, or SHMS_LOOK, for which size must be 0
 * @param options  see shms_channel_options in this header; NULL for the defaults: a queue for any number of
 *     senders and receivers
 * @param ret  receives the handle; not NULL
 * @return 0, or SHMS_E_INVALID (bad name, size, role or option; kind, slow or one_... are not those of the
 *     existing channel), SHMS_E_KIND (there is a region of that name that is no channel), SHMS_E_FULL (256
 *     handles; or a second one of a one_ role, while the first one's process lives), SHMS_E_TIMEOUT (also:
 *     senders of a broadcast overtook this receiver each time it tried to join), and what
 *     shms_stream_open() gives.
 * Threads: safe.
 * Processes: safe; racing creators agree on one channel.
 * Signals: not async-signal-safe; interrupted system calls are restarted.
 * Fork: the handle works in a child, as a new member.
 * Blocks: at most options.region->open_timeout_ms on other processes, besides zeroing a new ring.
 * Since: 0.2.0
 */
SHMS_API int shms_channel_open(const char *name, uint64_t size, int role, const shms_channel_options *options,
                               shms_channel **ret);

/**
 * Close a handle. A sender that closes ends what it sends: when the last one has, and all is received,
 * receivers get SHMS_E_CLOSED. What was reserved is given up, what was peeked is put back.
 * @param c  the handle; NULL does nothing
 * Threads: no other thread may be using the handle.
 * Processes: safe.
 * Signals: not async-signal-safe; interrupted system calls are restarted.
 * Fork: a child that closes an inherited handle leaves the parent's alone.
 * Blocks: as shms_stream_close().
 * Since: 0.2.0
 */
SHMS_API void shms_channel_close(shms_channel *c);

/**
 * Send one message. It is received whole or not at all, wherever the sender is killed.
 * @param c  the handle, a sender's
 * @param buf  the bytes; NULL only if n is 0
 * @param n  bytes, 0 to capacity - 16
 * @param timeout_ms  -1 for ever, 0 try, else milliseconds to wait for room (in a broadcast that expels:
 *     for the slowest receiver, before it is put out)
 * @return 0, or SHMS_E_TIMEOUT (no room; shms_channel_notify()), SHMS_E_RANGE (longer than the ring),
 *     SHMS_E_CLOSED or SHMS_E_DIED (a queue: there is no room, and no receiver any more, though there was
 *     one: they closed, or one has died since this handle opened), SHMS_E_INVALID (NULL, a receiver's
 *     handle, timeout_ms < -1, something is reserved).
 * Threads: one at a time.
 * Processes: safe; a sender that dies at any instruction hinders nobody.
 * Signals: not async-signal-safe; signals do not end the wait.
 * Fork: works in a child, as a new member.
 * Blocks: at most timeout_ms; not at all while there is room.
 * Since: 0.2.0
 */
SHMS_API int shms_channel_send(shms_channel *c, const void *buf, size_t n, int timeout_ms);

/**
 * Send several messages, in order and with none of another sender's between them: all, or none at all.
 * @param c  the handle, a sender's
 * @param messages  the messages; NULL only if count is 0
 * @param count  how many; 0 sends nothing and gives 0
 * @param timeout_ms  as for shms_channel_send()
 * @return as shms_channel_send(); SHMS_E_RANGE: they do not fit into the ring together.
 * Threads: one at a time.
 * Processes: safe; also where the sender is killed, all or none are received.
 * Signals: not async-signal-safe; signals do not end the wait.
 * Fork: works in a child, as a new member.
 * Blocks: at most timeout_ms; not at all while there is room.
 * Since: 0.2.0
 */
SHMS_API int shms_channel_send_all(shms_channel *c, const shms_slice *messages, size_t count, int timeout_ms);

/**
 * Receive one message into a buffer. A queue's message is gone for the others with this call: at most once.
 * Where no sender lives any more and nothing is left, the end is told at once, whatever the time-out (to a
 * program that tries over and over, a death within a millisecond); a sender that opens later makes receivers
 * wait again. While a message of a queue is peeked by another receiver, it is not the end yet: it may come
 * back.
 * @param c  the handle, a receiver's
 * @param buf  receives the bytes; NULL only if n is 0
 * @param n  size of buf
 * @param timeout_ms  -1 for ever, 0 try, else milliseconds to wait for a message
 * @return bytes of the message (0 is a message), or SHMS_E_TIMEOUT (none came; shms_channel_notify()),
 *     SHMS_E_SIZE (it is longer than n, and stays; shms_channel_message() tells its size), SHMS_E_CLOSED
 *     (the end: all senders have closed), SHMS_E_DIED (the end: a sender has died without closing since this
 *     handle opened), SHMS_E_MISSED (a broadcast: messages were overwritten before this handle read them;
 *     shms_channel_message() tells how many, and the next call goes on behind them), SHMS_E_INVALID (NULL,
 *     a sender's handle, timeout_ms < -1, something is peeked).
 * Threads: one at a time.
 * Processes: safe. A receiver that is killed in this call may have taken one message with it.
 * Signals: not async-signal-safe; signals do not end the wait.
 * Fork: works in a child, as a new member; of a broadcast it begins with what is sent from then on.
 * Blocks: at most timeout_ms. The death of the last sender ends the wait within 0.1 s.
 * Since: 0.2.0
 */
SHMS_API int64_t shms_channel_recv(shms_channel *c, void *buf, size_t n, int timeout_ms);

/**
 * Reserve room for a message in the ring, to fill it in place; shms_channel_commit() sends it.
 * Order is kept: what others send after this is received after it. If this process dies before it commits,
 * receivers pass over it at once.
 * @param c  the handle, a sender's
 * @param n  bytes, 0 to capacity - 16
 * @param ret  receives the address, aligned to 16
 * @param timeout_ms  as for shms_channel_send()
 * @return as shms_channel_send()
 * Threads: one at a time.
 * Processes: safe.
 * Signals: not async-signal-safe; signals do not end the wait.
 * Fork: the reservation stays the parent's.
 * Blocks: at most timeout_ms.
 * Since: 0.2.0
 */
SHMS_API int shms_channel_reserve(shms_channel *c, size_t n, void **ret, int timeout_ms);

/**
 * Send what was reserved.
 * @param c  the handle, a sender's
 * @param n  bytes of the message: at most what was reserved
 * @return 0, or SHMS_E_RANGE (more than was reserved; the reservation stays), SHMS_E_NOT_OWNER (nothing is
 *     reserved), SHMS_E_INVALID (NULL, a receiver's handle).
 * Threads: one at a time.
 * Processes: safe.
 * Signals: not async-signal-safe.
 * Fork: SHMS_E_NOT_OWNER in a child, for what the parent has reserved.
 * Blocks: never.
 * Since: 0.2.0
 */
SHMS_API int shms_channel_commit(shms_channel *c, size_t n);

/**
 * Receive one message in place. It stays this handle's until shms_channel_release(). If this process dies
 * before, a queue's message is delivered to another receiver: at least once. A hostile sender can change the
 * bytes while they are read; a broadcast's with DROP or EXPEL may be overwritten meanwhile, which release
 * tells.
 * @param c  the handle, a receiver's
 * @param ret  receives the address, aligned to 16
 * @param timeout_ms  as for shms_channel_recv()
 * @return as shms_channel_recv(), but for SHMS_E_SIZE
 * Threads: one at a time.
 * Processes: safe.
 * Signals: not async-signal-safe; signals do not end the wait.
 * Fork: the message stays the parent's.
 * Blocks: at most timeout_ms.
 * Since: 0.2.0
 */
SHMS_API int64_t shms_channel_peek(shms_channel *c, const void **ret, int timeout_ms);

/**
 * Done with the message that was peeked.
 * @param c  the handle, a receiver's
 * @return 0, or SHMS_E_MISSED (a broadcast with DROP or EXPEL: the message was overwritten while it was
 *     peeked; what was read of it may be wrong), SHMS_E_NOT_OWNER (nothing is peeked), SHMS_E_INVALID (NULL,
 *     a sender's handle).
 * Threads: one at a time.
 * Processes: safe.
 * Signals: not async-signal-safe.
 * Fork: SHMS_E_NOT_OWNER in a child, for what the parent has peeked.
 * Blocks: never, but for a moment on other receivers (10 ms at most).
 * Since: 0.2.0
 */
SHMS_API int shms_channel_release(shms_channel *c);

/**
 * Give up what was reserved; or put back what was peeked: it is delivered again, to this receiver or
 * another, perhaps after newer messages, and shms_message.tries rises.
 * @param c  the handle
 * @return 0, or SHMS_E_NOT_OWNER (nothing is reserved or peeked), SHMS_E_INVALID (NULL).
 * Threads: one at a time.
 * Processes: safe.
 * Signals: not async-signal-safe.
 * Fork: SHMS_E_NOT_OWNER in a child.
 * Blocks: never.
 * Since: 0.2.0
 */
SHMS_API int shms_channel_abort(shms_channel *c);

/**
 * Tell about the message that the last recv or peek has given, or has refused (SHMS_E_SIZE: the one that is
 * too long; SHMS_E_MISSED: how many were overwritten).
 * @param c  the handle, a receiver's
 * @param message  struct_size set by the caller; filled as far as that goes
 * @return 0, or SHMS_E_INVALID (NULL, struct_size < 8, a sender's handle).
 * Threads: one at a time.
 * Processes: private to the handle.
 * Signals: async-signal-safe.
 * Fork: a child inherits the answer.
 * Blocks: never.
 * Since: 0.2.0
 */
SHMS_API int shms_channel_message(shms_channel *c, shms_message *message);

/**
 * End every wait of this channel once: each send, reserve, recv and peek that waits now looks a last time and
 * gives SHMS_E_TIMEOUT if it finds nothing; poll descriptors become readable. A call that begins just after
 * is not ended, nor a sleep on a descriptor whose handle was asked again since. So to make others stop, set a
 * flag first; they wait with a time-out, or look at the flag between SHMS_E_TIMEOUT and poll.
 * @param c  the handle, of either role
 * @return 0, or SHMS_E_INVALID (NULL).
 * Threads: safe beside another thread's call on the same handle.
 * Processes: reaches all.
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: never, but for a child's first call (open_timeout_ms).
 * Since: 0.2.0
 */
SHMS_API int shms_channel_notify(shms_channel *c);

/**
 * A descriptor that becomes readable when a call might not have to wait any more, for poll, epoll, libuv,
 * GLib. The loop: call recv (or send) with time-out 0 until it gives SHMS_E_TIMEOUT, then sleep on the
 * descriptor, then again. A wake-up without news is possible. It tells of messages (of room, for a sender),
 * of closing and of notify; a death it does not: look once a second for that. The descriptor belongs to the
 * handle: never read or close it; later calls return the same one.
 * @param c  the handle
 * @return the descriptor, or SHMS_E_INVALID (NULL), SHMS_E_OS (EMFILE: of descriptors, or the user's limit of
 *     inotify instances), SHMS_E_UNSUPPORTED (Windows), SHMS_E_LOST.
 * Threads: one at a time.
 * Processes: each handle has its own descriptor.
 * Signals: not async-signal-safe.
 * Fork: a child must ask for a descriptor of its own by calling this again.
 * Blocks: never, but for a child's first call (open_timeout_ms).
 * Since: 0.2.0
 */
SHMS_API int shms_channel_poll_fd(shms_channel *c);

/**
 * Tell about the channel.
 * @param c  the handle
 * @param stats  struct_size set by the caller; filled as far as that goes
 * @return 0, or SHMS_E_INVALID (NULL, struct_size < 8).
 * Threads: one at a time.
 * Processes: disturbs nobody.
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: never, but for a child's first call (open_timeout_ms).
 * Since: 0.2.0
 */
SHMS_API int shms_channel_info(shms_channel *c, shms_channel_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
