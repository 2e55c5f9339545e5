/* SPDX-License-Identifier: MIT */
/* What the files of the two extensions share: the handle, failures, time-outs, and waiting without the
 * interpreter's lock. Jars are an extension of their own, with a copy of the library inside, since only they
 * need libpsl and libidn2.
 *
 * The rules that keep this safe:
 * - `busy` counts the calls of a handle that run without the interpreter's lock, `exports` the views of its
 * memory. close() refuses while one of them is not 0; so neither a pointer nor a handle is used after its
 * end.
 * - Whatever may wait tries first, and only then gives the interpreter's lock away, for a slice of SLICE_MS
 * at a time. Between slices signal handlers run, and what they raise ends the wait.
 * - A child of fork has none of its parent's other threads: what they were busy with is forgotten
 * (handle_enter).
 */
#ifndef SHMSTREAM_PYTHON_FACE_H
#define SHMSTREAM_PYTHON_FACE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <pythread.h>

#include "shmstream.h"
#include "shmstream/channel.h"
#include "shmstream/dict.h"

#define SLICE_MS 100
#define RAISED (-1000) /* in place of a code: a Python exception is set */

/* A function that METH_FASTCALL or METH_KEYWORDS calls, as the table of methods wants it. */
#define METHOD(function) ((PyCFunction)(void (*)(void))(function))

/* What a Stream, a Channel, a Dict and a Jar have in common. */
typedef struct Handle {
    PyObject_HEAD
    void *h;                  /* of C; NULL: closed */
    PyObject *name;           /* str or None */
    Py_ssize_t exports;       /* views of the memory */
    Py_ssize_t busy;          /* calls without the interpreter's lock */
    unsigned life;            /* forks_behind, when busy was counted: whose threads these are */
    unsigned opened_life;     /* the same, when it was opened */
    unsigned long owner;      /* of a stream: the thread that took the exclusive lock; 0: none */
    PyThread_type_lock turn;  /* of a channel: one thread at a time */
    unsigned long turn_owner; /* the thread that has it; 0: none */
    int wrote; /* a call has written since the exclusive lock was taken */
    int resizing;
    int read_only;
    int keep;
    int tasks;
    int atomic;
    int role;
} Handle;

/* A moment at which a wait ends. */
typedef struct Deadline {
    int64_t at_ns; /* monotonic; -1: never */
    int try_only;
    int may_block; /* even a try may: it, too, is made without the interpreter's lock */
} Deadline;

/* One try that waits at most timeout_ms, without the interpreter's lock. */
typedef int64_t attempt_fn(void *h, void *arguments, int timeout_ms);

/* What CPython has since 3.10, or has not in the limited API. */
#if PY_VERSION_HEX < 0x030A0000
static inline PyObject *Py_NewRef(PyObject *object)
{
    Py_INCREF(object);
    return object;
}
#endif
static inline void set_object(PyObject **place, PyObject *object)
{
    PyObject *old = *place;
    *place = object;
    Py_XDECREF(old);
}

/* How many forks lie between the process that imported this and the one that runs. */
extern unsigned forks_behind;
int watch_forks(void); /* when a module is imported; 0, or -1 with an exception */

/* ---- failures */
PyObject *raise_code(int64_t code, PyObject *name);
int add_codes(PyObject *module);
PyObject *set_errors(PyObject *module, PyObject *classes);

/* ---- arguments */
int parse_timeout(PyObject *seconds, Deadline *ret); /* None: never */
int parse_timeout_ms(PyObject *seconds, int32_t *ret);
int convert_u64(PyObject *number, void *ret_u64); /* for "O&" */
int convert_u32(PyObject *number, void *ret_u32);
PyObject *shorten(PyObject *bytes, Py_ssize_t n);     /* takes bytes, gives its first n */
int bytes_of(PyObject *str_or_bytes, Py_buffer *ret); /* release with PyBuffer_Release */

/* ---- handles */
void *handle_of(Handle *self); /* NULL, and ValueError, where it is closed */
void handle_enter(Handle *self);
void handle_leave(Handle *self);
int handle_may_open(Handle *self); /* -1, with an exception: it is open already */
/* What opening gave: 0, or -1 with an exception. The name is set before. */
int handle_opened(Handle *self, int64_t rc, void *h);
int handle_close(Handle *self, void (*close_it)(void *h));
void handle_dealloc(PyObject *object, void (*close_it)(void *h));
PyObject *handle_name(PyObject *object, void *unused);
PyObject *handle_closed(PyObject *object, void *unused);
/* A call with a path as its one argument; what it gives, or NULL. A failure names the path. */
PyObject *handle_with_path(PyObject *object, PyObject *args, int64_t (*call)(void *h, const char *path));
int deadline_slice(const Deadline *deadline); /* ms that the next slice may take; 0: the time is over */
int64_t attempt(Handle *self, attempt_fn *call, void *arguments, const Deadline *deadline);
/* What a lock with a name gave: whether the holder before died. `holder` is told that it has it. */
PyObject *lock_got(Handle *self, int64_t rc, PyObject *holder);

/* A statement without the interpreter's lock; and one that may wait for a while, of a handle. */
#define UNLOCKED(statement) \
    do { \
        Py_BEGIN_ALLOW_THREADS; \
        statement; \
        Py_END_ALLOW_THREADS; \
    } while (0)
#define WITHOUT_GIL(self, statement) \
    do { \
        handle_enter(self); \
        UNLOCKED(statement); \
        handle_leave(self); \
    } while (0)

/* ---- types */
extern PyType_Spec stream_spec, section_spec, channel_spec, dict_spec;
extern PyTypeObject *section_type;
int stream_lock(Handle *self, int shared,
                const Deadline *deadline); /* 0, SHMS_OWNER_DIED, a failure or RAISED */
int stream_unlock(Handle *self, int roll_back);
PyObject *section_new(Handle *stream, int shared, PyObject *timeout);
void free_object(PyObject *self);
int add_type(PyObject *module, const char *name, PyType_Spec *spec, PyTypeObject **ret);

#endif
