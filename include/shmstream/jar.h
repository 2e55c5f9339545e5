/* SPDX-License-Identifier: MIT */
/** @file shmstream/jar.h
 * A *jar* is a region of HTTP cookies that processes share: clients, workers, scripts. A cookie that one of
 * them is given is sent by all of them from the next request on, and no process that is killed loses one.
 * It is a library of its own, libshmstream-jar, on dicts (shmstream/dict.h) and libpsl.
 *
 *     shms_jar *j;
 *     int rc = shms_jar_open("cookies", NULL, &j);
 *     if (rc < 0) die(shms_strerror(rc));
 *     shms_jar_request r = {.struct_size = sizeof r, .url = "https://example.com/login"};
 *     rc = shms_jar_set(j, &r, "sid=31d4; Path=/; Secure", 24);   // a Set-Cookie line of the answer
 *     if (rc > 0) puts(shms_jar_reason(rc));                      // refused, and why
 *     char line[8192];
 *     int64_t n = shms_jar_get(j, &r, line, sizeof line);         // what goes behind "Cookie: "
 *     shms_jar_close(j);
 *
 * - The rules are those of RFC 6265bis (draft 22): attributes and dates, host-only cookies, domains, paths,
 *   public suffixes, Secure, HttpOnly, SameSite, the prefixes __Host- and __Secure-, sizes, order, expiry.
 *   Beyond it: the prefixes __Http- and __Host-Http-, and cookies of a partition (Partitioned), which are
 *   sent only where the page at the top is of the same site as when they were set.
 * - A change happens completely or not at all, at whatever instant a process is killed.
 * - A host in other letters, in UTF-8, is the one that its xn--... name means.
 * - Cookies are secrets: a jar is its user's alone (mode 0600) unless its creator says otherwise. They lie in
 *   shared memory as they are, in clear.
 * The rules of shmstream.h hold here, too: codes, time-outs, fork.
 */
#ifndef SHMSTREAM_JAR_H
#define SHMSTREAM_JAR_H

#include "../shmstream.h"

#ifdef __cplusplus
extern "C" {
#endif

/** An open jar: a handle, private to its process. Every open handle is a member of its region. */
typedef struct shms_jar shms_jar;

/** Longest name and value of a cookie together, and longest value of an attribute (a path, too), in bytes. */
#define SHMS_COOKIE_MAX 4096
#define SHMS_COOKIE_ATTRIBUTE_MAX 1024

/** cookie.flags */
enum {
    SHMS_COOKIE_SECURE = 1,    /**< is sent over https and wss, and to this machine itself, only */
    SHMS_COOKIE_HTTP_ONLY = 2, /**< is not shown to scripts (SHMS_JAR_API) */
    SHMS_COOKIE_HOST_ONLY = 4, /**< is sent to this host only, not to hosts below it */
    SHMS_COOKIE_GONE = 8       /**< told by shms_jar_changes(): it was deleted, has expired, or made room */
};

/** cookie.same_site: what its server said. */
enum {
    SHMS_SAME_SITE_DEFAULT = 0, /**< nothing: as Lax, and for two minutes also with unsafe methods */
    SHMS_SAME_SITE_NONE = 1,
    SHMS_SAME_SITE_LAX = 2,
    SHMS_SAME_SITE_STRICT = 3
};

/** request.site: where a request comes from. */
enum {
    SHMS_SITE_SAME = 0,       /**< from the site itself, or from no site: a program, a typed address */
    SHMS_SITE_LAX = 1,        /**< another site's link was followed: top-level, by a safe method (GET) */
    SHMS_SITE_LAX_UNSAFE = 2, /**< the same by an unsafe method (POST) */
    SHMS_SITE_CROSS = 3       /**< within a page of another site */
};

/** request.flags */
enum {
    SHMS_JAR_API = 1 /**< a script asks (document.cookie), no HTTP request: HttpOnly cookies are hidden */
};

/** Why a cookie was refused: what shms_jar_set() and shms_jar_put() return above 0. */
enum {
    SHMS_COOKIE_CONTROL = 1,      /**< a control byte */
    SHMS_COOKIE_EMPTY = 2,        /**< neither name nor value */
    SHMS_COOKIE_LONG = 3,         /**< more than SHMS_COOKIE_MAX */
    SHMS_COOKIE_DOMAIN = 4,       /**< a Domain that the host does not belong to */
    SHMS_COOKIE_SUFFIX = 5,       /**< a Domain that is a public suffix, such as co.uk */
    SHMS_COOKIE_INSECURE = 6,     /**< Secure where the connection is not; SameSite=None or a partition
                                       without Secure */
    SHMS_COOKIE_SHADOWS = 7,      /**< it would hide a Secure cookie, and the connection is not */
    SHMS_COOKIE_HIDDEN = 8,       /**< a script may not make or replace an HttpOnly cookie */
    SHMS_COOKIE_CROSS_SITE = 9,   /**< its SameSite does not let another site set it */
    SHMS_COOKIE_PREFIX = 10,      /**< not what its prefix promises: __Secure-, __Host-, __Http-,
                                       __Host-Http- */
    SHMS_COOKIE_UNWRITABLE = 11   /**< put only: a name, value or path that no Set-Cookie line can make */
};

/** Options of shms_jar_open(). Zero everything, set struct_size, then what differs. */
typedef struct shms_jar_options {
    uint32_t struct_size; /**< sizeof(shms_jar_options); at least 8 */
    uint32_t access;      /**< as in shms_dict_options, like the next four */
    uint32_t create;
    uint32_t owners;
    uint32_t owner_uid;
    uint32_t mode;        /**< permission bits; 0 means 0600 */
    uint64_t max_size;    /**< bytes that a jar may grow to, 8388608 or more; 0: as its creator said, and of
                               a new one 67108864 */
    int32_t open_timeout_ms; /**< longest wait of opening, and of a change; 0 means 5000 */
    uint32_t host_cookies; /**< cookies of one host that this handle lets there be: with one more, the least
                               used go until five sixths are left, those without Secure first. 0: 180 */
    uint32_t jar_cookies; /**< the same for the whole jar, down to ten elevenths: first what a site's hosts
                               have together beyond host_cookies. 0: 3300 */
    uint8_t no_keep;      /**< 1: the last member to leave removes the jar, if all said so */
    uint8_t reserved[3];  /**< must be zero */
    const char *suffix_list; /**< a file of public suffixes, as publicsuffix.org has it; NULL: libpsl's own */
    int64_t (*now_ns)(void *context); /**< as in shms_dict_options: the clock of this handle */
    void *now_context;    /**< passed on to now_ns */
} shms_jar_options;

/** A request to a server, or a script's look at its cookies. Zero everything, set struct_size and url. */
typedef struct shms_jar_request {
    uint32_t struct_size; /**< sizeof(shms_jar_request); all of it */
    uint32_t flags;       /**< SHMS_JAR_... */
    uint32_t site;        /**< SHMS_SITE_... */
    uint32_t reserved;    /**< must be zero */
    const char *url;      /**< http, https, ws or wss; a user and password in it are passed over */
    const char *partition; /**< the site of the page at the top, as https://example.com: its cookies go along,
                               too, and Partitioned ones become its; 255 bytes without blanks at most. NULL:
                               there is none, and the attribute Partitioned is ignored */
} shms_jar_request;

/** A cookie. Texts end with a zero byte; a callback's are valid during the call. */
typedef struct shms_cookie {
    uint32_t struct_size; /**< sizeof(shms_cookie) */
    uint32_t flags;       /**< SHMS_COOKIE_..., the first four */
    uint32_t same_site;   /**< SHMS_SAME_SITE_... */
    uint32_t reserved;    /**< zero */
    const char *host;     /**< lower case, without a dot before it */
    const char *name;
    const char *value;
    const char *path;
    const char *partition; /**< as in a request; NULL: none */
    int64_t expires_ns;   /**< nanoseconds since 1970; 0: with the session */
    int64_t created_ns;   /**< when it was made; a new value does not change that */
    int64_t used_ns;      /**< when it was last sent, to the minute */
    int64_t created;      /**< number of the change that made it: the order of cookies */
    int64_t changed;      /**< number of the change that gave it what it holds now */
} shms_cookie;

/** What can be told about a jar. */
typedef struct shms_jar_stats {
    uint32_t struct_size;  /**< set by the caller; at least 8 */
    uint32_t reserved;     /**< zero */
    uint64_t cookies;      /**< that have not expired */
    uint64_t places;       /**< hosts with cookies; a host counts once for each partition */
    uint64_t size;         /**< bytes of the region */
    uint64_t max_size;     /**< bytes that it may grow to */
    int64_t version;       /**< number of the last change */
} shms_jar_stats;

/** Called for a cookie; what it returns, if not 0, ends the call. It may use the jar. */
typedef int shms_cookie_fn(const shms_cookie *cookie, void *context);

/**
 * Create or open the jar `name`. Unless no_keep is set it stays without members until it is unlinked.
 * @param name  as for shms_stream_open(); not NULL
 * @param options  see shms_jar_options in this header; NULL for the defaults
 * @param ret  receives the handle; not NULL
 * @return 0, or SHMS_E_INVALID (bad name or option), SHMS_E_NOT_FOUND (also: no such suffix_list),
 *     SHMS_E_FORMAT (suffix_list is no such list), SHMS_E_UNSUPPORTED (libpsl was built without a list, and
 *     the system has none: give suffix_list), SHMS_E_NOMEM, or what shms_dict_open() gives.
 * Threads: safe.
 * Processes: safe; racing creators agree on one jar.
 * Signals: not async-signal-safe.
 * Fork: the handle works in a child, as a member of its own.
 * Blocks: at most open_timeout_ms.
 * Since: 0.2.0
 */
SHMS_API int shms_jar_open(const char *name, const shms_jar_options *options, shms_jar **ret);

/**
 * Close a handle. The locks of hosts that it holds are given back.
 * @param j  the handle; NULL does nothing
 * Threads: no other thread may be using the handle.
 * Processes: safe.
 * Signals: not async-signal-safe.
 * Fork: a child that closes an inherited handle leaves the parent's membership and locks alone.
 * Blocks: as shms_dict_close().
 * Since: 0.2.0
 */
SHMS_API void shms_jar_close(shms_jar *j);

/**
 * Remove the name of a jar. Members go on with their memory.
 * @param name  as for shms_stream_open()
 * @return 0, or what shms_dict_unlink() gives.
 * Threads: safe.
 * Processes: safe.
 * Signals: not async-signal-safe.
 * Fork: no state.
 * Blocks: at most 5 s.
 * Since: 0.2.0
 */
SHMS_API int shms_jar_unlink(const char *name);

/**
 * Take a Set-Cookie line of an answer in. It makes a cookie, replaces one, or deletes one (by an expiry that
 * is over). After any failure the jar is as before.
 * @param j  the handle, read-write
 * @param request  the request that was answered
 * @param line  the value of the header, without "Set-Cookie:"; any bytes
 * @param size  its length in bytes
 * @return 0; above 0 the cookie was refused: SHMS_COOKIE_..., whose text shms_jar_reason() has; or
 *     SHMS_E_INVALID (NULL, a field that is not known, a URL without a host or of another scheme, a host
 *     that cannot be one, a port that is no number up to 65535, a backslash before the path, which clients
 *     read in two ways, a partition that is empty or too long),
 *     SHMS_E_FULL (no room even after expired and little used cookies went), SHMS_E_TIMEOUT (a step waited
 *     open_timeout_ms for a writer, or others changed this host's cookies 10000 times in between),
 *     SHMS_E_NOMEM, SHMS_E_READ_ONLY, SHMS_E_DENIED,
 *     SHMS_E_CORRUPT, SHMS_E_NOSPACE, SHMS_E_LOST as shms_dict_set().
 * Threads: safe.
 * Processes: safe; changes of one host made at the same time are all kept.
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: at most open_timeout_ms for each step.
 * Since: 0.2.0
 */
SHMS_API int shms_jar_set(shms_jar *j, const shms_jar_request *request, const char *line, size_t size);

/**
 * Why a cookie was refused, in words.
 * @param reason  what shms_jar_set() or shms_jar_put() returned
 * @return a text that is never NULL; for a code below 1 that of shms_strerror().
 * Threads: safe.
 * Processes: no state.
 * Signals: async-signal-safe.
 * Fork: no state.
 * Blocks: never.
 * Since: 0.2.0
 */
SHMS_API const char *shms_jar_reason(int reason);

/**
 * Get the Cookie line for a request: `a=1; b=2`, cookies with longer paths first, then the older ones.
 * @param j  the handle
 * @param request  the request to be made
 * @param buf  receives the line and a zero byte, as much as fits; NULL if size is 0
 * @param size  room in buf, in bytes
 * @return the length of the line without its zero byte, even if buf is too short; 0: no cookie is to be
 *     sent; or SHMS_E_INVALID (as shms_jar_set()), SHMS_E_NOMEM, SHMS_E_TIMEOUT, SHMS_E_CORRUPT, SHMS_E_LOST
 *     as shms_dict_get().
 * Threads: safe.
 * Processes: safe. Once a minute for each host it notes that cookies were used: a change that nobody waits
 *     for, and that never writes an old value back.
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: as shms_dict_get().
 * Since: 0.2.0
 */
SHMS_API int64_t shms_jar_get(shms_jar *j, const shms_jar_request *request, char *buf, size_t size);

/**
 * Tell each cookie, of one host or of all; those of one host and partition from the oldest on. Expired ones
 * are left out.
 * @param j  the handle
 * @param host  the host whose own cookies are told, in whatever partition; NULL: all
 * @param callback  called for each
 * @param context  passed on
 * @return how many were told; what the callback returned if not 0; or SHMS_E_INVALID (NULL, a host that
 *     cannot be one), SHMS_E_NOMEM, SHMS_E_TIMEOUT, SHMS_E_CORRUPT, SHMS_E_LOST as shms_dict_next().
 * Threads: safe.
 * Processes: safe; disturbs nobody. Each host's cookies are those of one moment.
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: as shms_dict_next().
 * Since: 0.2.0
 */
SHMS_API int64_t shms_jar_each(shms_jar *j, const char *host, shms_cookie_fn *callback, void *context);

/**
 * Put a cookie in as it is, past the rules that need a request: for bridges to other stores. Prefixes, public
 * suffixes and sizes are looked at here, too. One whose expires_ns is over deletes what it would replace.
 * @param j  the handle, read-write
 * @param cookie  the cookie; created_ns, used_ns, created and changed are not looked at
 * @return as shms_jar_set(); SHMS_E_INVALID: NULL, a struct_size, flag or same_site that is not known, no
 *     host or one that cannot be, no name, value or path.
 * Threads: safe.
 * Processes: safe.
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: as shms_jar_set().
 * Since: 0.2.0
 */
SHMS_API int shms_jar_put(shms_jar *j, const shms_cookie *cookie);

/**
 * Delete a cookie: those of this host, partition and name, and of this path unless it is NULL.
 * @param j  the handle, read-write
 * @param cookie  host, partition and name say which, and path; nothing else is looked at but struct_size
 * @return 0, or SHMS_E_NOT_FOUND (there is none), or as shms_jar_put().
 * Threads: safe.
 * Processes: safe.
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: as shms_jar_set().
 * Since: 0.2.0
 */
SHMS_API int shms_jar_del(shms_jar *j, const shms_cookie *cookie);

/**
 * Delete all cookies, of one host or of all.
 * @param j  the handle, read-write
 * @param host  the host; NULL: all
 * @return how many were deleted, or as shms_jar_each() and shms_jar_set().
 * Threads: safe.
 * Processes: safe; one change for each host.
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: as shms_jar_set(), for each host.
 * Since: 0.2.0
 */
SHMS_API int64_t shms_jar_clear(shms_jar *j, const char *host);

/**
 * Tell the cookies that changed since a version: as they are now, or with SHMS_COOKIE_GONE and no value.
 * Where it is no longer known which cookies of a host went, one with GONE, an empty name and an empty path is
 * told: look with shms_jar_each() at what is there.
 * @param j  the handle
 * @param since  in: the version up to which all is known; out: that of the last change told. After
 *     SHMS_E_MISSED the version now, as it was before you look at all cookies to catch up
 * @param callback  called for each; if it ends the call, *since stays as it was, and all are told again
 * @param context  passed on
 * @return how many were told; what the callback returned if not 0; or SHMS_E_MISSED, SHMS_E_INVALID (NULL,
 *     *since < 0), SHMS_E_NOMEM, SHMS_E_TIMEOUT, SHMS_E_CORRUPT, SHMS_E_LOST as shms_dict_changes().
 * Threads: safe, with a `since` each.
 * Processes: safe; disturbs nobody.
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: as shms_dict_get(), and in the callback.
 * Since: 0.2.0
 */
SHMS_API int64_t shms_jar_changes(shms_jar *j, int64_t *since, shms_cookie_fn *callback, void *context);

/**
 * Wait until the jar has another version than *seen.
 * @param j  the handle
 * @param seen  in: the version last seen; out, on success: the version now
 * @param timeout_ms  -1 for ever, 0 look once (and arm the poll descriptor anew), else milliseconds
 * @return 0, or what shms_dict_wait() gives: SHMS_E_TIMEOUT, SHMS_E_INVALID, SHMS_E_DENIED, SHMS_E_CORRUPT,
 *     SHMS_E_LOST.
 * Threads: safe.
 * Processes: safe.
 * Signals: not async-signal-safe; signals do not end the wait.
 * Fork: works in a child.
 * Blocks: at most timeout_ms.
 * Since: 0.2.0
 */
SHMS_API int shms_jar_wait(shms_jar *j, int64_t *seen, int timeout_ms);

/**
 * A descriptor that becomes readable when the jar has changed. The loop is that of shms_dict_poll_fd().
 * @param j  the handle
 * @return the descriptor, or what shms_dict_poll_fd() gives.
 * Threads: safe; two threads should not consume one handle's events.
 * Processes: each handle has its own descriptor.
 * Signals: not async-signal-safe.
 * Fork: a child must ask for a descriptor of its own by calling this again.
 * Blocks: never, but for a child's first call (open_timeout_ms).
 * Since: 0.2.0
 */
SHMS_API int shms_jar_poll_fd(shms_jar *j);

/**
 * The number of the jar's last change: what shms_jar_changes() can go on from.
 * @param j  the handle
 * @return the version, 0 in a new jar, or SHMS_E_INVALID (j is NULL), SHMS_E_LOST.
 * Threads: safe.
 * Processes: safe; disturbs nobody.
 * Signals: async-signal-safe, but for a child's first call.
 * Fork: works in a child.
 * Blocks: never, but for a child's first call (open_timeout_ms).
 * Since: 0.2.0
 */
SHMS_API int64_t shms_jar_version(shms_jar *j);

/**
 * What can be told about a jar. Its cookies are counted one by one.
 * @param j  the handle
 * @param ret  its struct_size is set; the rest is filled as far as that goes, on success
 * @return 0, or SHMS_E_INVALID (NULL, struct_size below 8), or as shms_jar_each().
 * Threads: safe.
 * Processes: safe; disturbs nobody. Numbers of a moment, each for itself.
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: as shms_jar_each().
 * Since: 0.2.0
 */
SHMS_API int shms_jar_info(shms_jar *j, shms_jar_stats *ret);

/**
 * Lock a host, so that one process at a time does what all need once: log in, refresh a token. Cookies can be
 * read and changed meanwhile, by any process.
 * @param j  the handle, read-write. Threads that share it share its locks
 * @param host  the host
 * @param timeout_ms  -1 for ever, 0 try once, else milliseconds
 * @return 0; SHMS_OWNER_DIED: locked, too, and the holder before it died; or SHMS_E_TIMEOUT (another has it),
 *     SHMS_E_DEADLOCK (this handle has it), SHMS_E_INVALID (NULL, a host that cannot be one), or as
 *     shms_dict_lock().
 * Threads: safe.
 * Processes: safe; a dead holder is found within 20 ms.
 * Signals: not async-signal-safe; signals do not end the wait.
 * Fork: what the parent holds stays the parent's.
 * Blocks: at most timeout_ms, and open_timeout_ms for the change.
 * Since: 0.2.0
 */
SHMS_API int shms_jar_lock(shms_jar *j, const char *host, int timeout_ms);

/**
 * Give the lock of a host back.
 * @param j  the handle that holds it
 * @param host  the host
 * @return 0, or SHMS_E_NOT_OWNER (this handle does not hold it), SHMS_E_INVALID, or as shms_dict_unlock().
 * Threads: safe; any thread may give back what another took through the handle.
 * Processes: safe.
 * Signals: not async-signal-safe.
 * Fork: a child does not hold what its parent holds.
 * Blocks: at most open_timeout_ms.
 * Since: 0.2.0
 */
SHMS_API int shms_jar_unlock(shms_jar *j, const char *host);

/**
 * Take the cookies of a cookies.txt in (Netscape's format, of curl, wget, yt-dlp). Each replaces its like.
 * @param j  the handle, read-write
 * @param path  the file
 * @param ret_left_out  receives how many lines were left out: no cookie, refused, expired, or a last line
 *     without its end, which may be cut short; or NULL
 * @return how many cookies were put in, or SHMS_E_FORMAT (there are lines, and none is a cookie, or one has a
 *     megabyte; nothing has changed), SHMS_E_NOT_FOUND, SHMS_E_DENIED, SHMS_E_OS (as to the file),
 *     SHMS_E_INVALID (NULL, a directory, a pipe), SHMS_E_NOMEM, or as shms_jar_put(), the cookies before it
 *     being in.
 * Threads: safe.
 * Processes: safe; one change for each cookie.
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: as long as the file system does, and as shms_jar_put() for each cookie.
 * Since: 0.2.0
 */
SHMS_API int64_t shms_jar_import(shms_jar *j, const char *path, uint64_t *ret_left_out);

/**
 * Write all cookies to a cookies.txt, mode 0600. The file is replaced as a whole: a failure leaves the old
 * one. The format knows no SameSite.
 * @param j  the handle
 * @param path  the file
 * @param ret_left_out  receives how many cookies were left out: the format has no place for a TAB, nor for a
 *     partition; or NULL
 * @return how many cookies were written, or SHMS_E_INVALID (NULL), SHMS_E_NOT_FOUND (no such directory),
 *     SHMS_E_DENIED, SHMS_E_NOSPACE, SHMS_E_OS (as to the file), or as shms_jar_each().
 * Threads: safe.
 * Processes: safe; disturbs nobody.
 * Signals: not async-signal-safe.
 * Fork: works in a child.
 * Blocks: as long as the file system does.
 * Since: 0.2.0
 */
SHMS_API int64_t shms_jar_export(shms_jar *j, const char *path, uint64_t *ret_left_out);

#ifdef __cplusplus
}
#endif

#endif
