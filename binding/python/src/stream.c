/* SPDX-License-Identifier: MIT */
/* Stream: a handle of a stream, with the buffer protocol. */
#include "face.h"

#include <stddef.h>
#include <stdio.h>

static void close_stream(void *h)
{
    shms_stream_close(h);
}

static int stream_init(PyObject *object, PyObject *args, PyObject *kw)
{
    static char *names[] = {"name",     "size",   "readonly",  "create", "keep",         "atomic", "mode",
                            "max_size", "owners", "owner_uid", "tasks",  "open_timeout", "sparse", NULL};
    Handle *self = (Handle *)object;
    const char *name;
    uint64_t size = 0;
    int rc, keep = 0, atomic = 0, tasks = 1, sparse = 0;
    PyObject *timeout = NULL;
    shms_stream *s = NULL;
    shms_stream_options o = {.struct_size = sizeof o};
    if (handle_may_open(self) < 0)
        return -1;
    if (!PyArg_ParseTupleAndKeywords(args, kw, "z|O&$pO&ppO&O&O&O&pOp:Stream", names, &name, convert_u64,
                                     &size, &self->read_only, convert_u32, &o.create, &keep, &atomic,
                                     convert_u32, &o.mode, convert_u64, &o.max_size, convert_u32, &o.owners,
                                     convert_u32, &o.owner_uid, &tasks, &timeout, &sparse))
        return -1;
    if (timeout && timeout != Py_None && parse_timeout_ms(timeout, &o.open_timeout_ms) < 0)
        return -1;
    o.access = self->read_only ? SHMS_ACCESS_READ : SHMS_ACCESS_READ_WRITE;
    o.keep = (uint8_t)keep;
    o.atomic = (uint8_t)atomic;
    o.tasks = (uint8_t)tasks;
    o.sparse = (uint8_t)sparse;
    self->keep = keep;
    self->tasks = tasks;
    self->atomic = atomic;
    PyObject *text = name ? PyUnicode_FromString(name) : Py_NewRef(Py_None);
    if (!text)
        return -1;
    set_object(&self->name, text);
    UNLOCKED(rc = shms_stream_open(name, size, &o, &s));
    return handle_opened(self, rc, s);
}

static PyObject *stream_join(PyObject *object, PyObject *args)
{
    Handle *self = (Handle *)object;
    int fd, rc;
    shms_stream *s = NULL;
    if (!PyArg_ParseTuple(args, "ip:_join", &fd, &self->read_only))
        return NULL;
    if (handle_may_open(self) < 0)
        return NULL;
    shms_stream_options o = {.struct_size = sizeof o, .tasks = 1};
    o.access = self->read_only ? SHMS_ACCESS_READ : SHMS_ACCESS_READ_WRITE;
    UNLOCKED(rc = shms_stream_open_fd(fd, &o, &s));
    set_object(&self->name, Py_NewRef(Py_None));
    if (handle_opened(self, rc, s) < 0)
        return NULL;
    self->tasks = 1;
    Py_RETURN_NONE;
}

static void stream_dealloc(PyObject *object)
{
    handle_dealloc(object, close_stream);
}

static PyObject *stream_close(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (handle_close((Handle *)self, close_stream) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* -------------------------------------------------------------------- lock */

static int64_t take(void *h, void *unused, int timeout_ms)
{
    (void)unused;
    return shms_stream_lock(h, timeout_ms);
}

static int64_t take_shared(void *h, void *unused, int timeout_ms)
{
    (void)unused;
    return shms_stream_lock_shared(h, timeout_ms);
}

int stream_lock(Handle *self, int shared, const Deadline *deadline)
{
    if (!handle_of(self))
        return RAISED;
    int rc = shared ? shms_stream_lock_shared(self->h, 0) : shms_stream_lock(self->h, 0);
    if (rc == SHMS_E_TIMEOUT && !deadline->try_only)
        rc = (int)attempt(self, shared ? take_shared : take, NULL, deadline);
    if (rc >= 0 && !shared) {
        self->owner = PyThread_get_thread_ident();
        self->wrote = 0;
    }
    return rc;
}

int stream_unlock(Handle *self, int roll_back)
{
    if (!handle_of(self))
        return RAISED;
    /* Before the lock is given away: afterwards it may be another thread's. */
    const unsigned long owner = self->owner;
    self->owner = 0;
    int rc = SHMS_E_UNSUPPORTED;
    if (roll_back)
        rc = shms_stream_rollback(self->h);
    if (rc < 0 && roll_back != 1)
        rc = shms_stream_unlock(self->h);
    if (rc < 0)
        self->owner = owner;
    return rc;
}

/* acquire(block=True, timeout=None), as multiprocessing.Lock; without a tuple, since it is called so often.
 */
static int parse_acquire(PyObject *const *args, Py_ssize_t n, PyObject *kwnames, Deadline *ret)
{
    static const char *const names[] = {"block", "timeout"};
    PyObject *value[2] = {Py_True, Py_None};
    const Py_ssize_t keywords = kwnames ? PyTuple_Size(kwnames) : 0;
    if (n > 2) {
        PyErr_SetString(PyExc_TypeError, "acquire() takes at most 2 arguments");
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++)
        value[i] = args[i];
    for (Py_ssize_t i = 0; i < keywords; i++) {
        PyObject *name = PyTuple_GetItem(kwnames, i);
        int which = 0;
        while (which < 2 && PyUnicode_CompareWithASCIIString(name, names[which]) != 0)
            which++;
        if (which == 2 || which < n) {
            PyErr_Format(PyExc_TypeError, "acquire() got an unexpected argument '%U'", name);
            return -1;
        }
        value[which] = args[n + i];
    }
    const int block = PyObject_IsTrue(value[0]);
    if (block < 0 || parse_timeout(value[1], ret) < 0)
        return -1;
    if (!block)
        ret->try_only = 1;
    return 0;
}

static PyObject *acquire(PyObject *object, PyObject *const *args, Py_ssize_t n, PyObject *kwnames, int shared)
{
    Deadline deadline = {.at_ns = -1};
    if ((n > 0 || kwnames) && parse_acquire(args, n, kwnames, &deadline) < 0)
        return NULL;
    const int rc = stream_lock((Handle *)object, shared, &deadline);
    if (rc == SHMS_E_TIMEOUT)
        Py_RETURN_FALSE;
    if (rc < 0)
        return raise_code(rc, ((Handle *)object)->name);
    Py_RETURN_TRUE;
}

static PyObject *stream_acquire(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames)
{
    return acquire(self, args, n, kwnames, 0);
}

static PyObject *stream_acquire_shared(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames)
{
    return acquire(self, args, n, kwnames, 1);
}

static PyObject *none_or_error(Handle *self, int64_t rc)
{
    if (rc < 0)
        return raise_code(rc, self->name);
    Py_RETURN_NONE;
}

static PyObject *stream_release(PyObject *self, PyObject *unused)
{
    (void)unused;
    return none_or_error((Handle *)self, stream_unlock((Handle *)self, 0));
}

static PyObject *stream_rollback(PyObject *self, PyObject *unused)
{
    (void)unused;
    return none_or_error((Handle *)self, stream_unlock((Handle *)self, 1));
}

static PyObject *stream_repaired(PyObject *object, PyObject *unused)
{
    Handle *self = (Handle *)object;
    (void)unused;
    return handle_of(self) ? none_or_error(self, shms_stream_repaired(self->h)) : NULL;
}

static PyObject *locked(PyObject *self, PyObject *args, PyObject *kw, int shared)
{
    static char *names[] = {"timeout", NULL};
    PyObject *timeout = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kw, "|O:locked", names, &timeout))
        return NULL;
    return section_new((Handle *)self, shared, timeout);
}

static PyObject *stream_locked(PyObject *self, PyObject *args, PyObject *kw)
{
    return locked(self, args, kw, 0);
}

static PyObject *stream_locked_shared(PyObject *self, PyObject *args, PyObject *kw)
{
    return locked(self, args, kw, 1);
}

/* ------------------------------------------------------------------- bytes */

enum from { POSITION, OFFSET, SNAPSHOT };

static int64_t copy_out(Handle *self, enum from from, void *buf, size_t n, int64_t at)
{
    int64_t rc = 0;
    switch (from) {
    case POSITION: WITHOUT_GIL(self, rc = shms_stream_read(self->h, buf, n)); break;
    case OFFSET:
        if (n <= 4096) /* faster than to let others run meanwhile */
            return shms_stream_pread(self->h, buf, n, at);
        WITHOUT_GIL(self, rc = shms_stream_pread(self->h, buf, n, at));
        break;
    case SNAPSHOT: WITHOUT_GIL(self, rc = shms_stream_snapshot(self->h, buf, n, at)); break;
    }
    return rc;
}

/* A snapshot inside one's own section would wait for itself. */
static int may_snapshot(Handle *self)
{
    if (self->owner == 0 || self->owner != PyThread_get_thread_ident())
        return 1;
    raise_code(SHMS_E_DEADLOCK, self->name);
    return 0;
}

static PyObject *bytes_from(Handle *self, enum from from, Py_ssize_t n, int64_t at)
{
    if (!handle_of(self) || (from == SNAPSHOT && !may_snapshot(self)))
        return NULL;
    const int64_t size = (int64_t)shms_stream_size(self->h);
    const int64_t begin = from == POSITION ? shms_stream_tell(self->h) : at;
    const int64_t there = begin >= 0 && begin < size ? size - begin : 0;
    if (n < 0 || n > there)
        n = (Py_ssize_t)there;
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, n);
    if (!bytes)
        return NULL;
    const int64_t rc = copy_out(self, from, PyBytes_AsString(bytes), (size_t)n, at);
    if (rc < 0) {
        Py_DECREF(bytes);
        return raise_code(rc, self->name);
    }
    return rc < n ? shorten(bytes, (Py_ssize_t)rc) : bytes;
}

static PyObject *stream_read(PyObject *self, PyObject *args)
{
    Py_ssize_t n = -1;
    if (!PyArg_ParseTuple(args, "|n:read", &n))
        return NULL;
    return bytes_from((Handle *)self, POSITION, n, 0);
}

static PyObject *stream_pread(PyObject *self, PyObject *args)
{
    Py_ssize_t n;
    long long offset;
    if (!PyArg_ParseTuple(args, "nL:pread", &n, &offset))
        return NULL;
    return bytes_from((Handle *)self, OFFSET, n, offset);
}

static PyObject *stream_snapshot(PyObject *self, PyObject *args, PyObject *kw)
{
    static char *names[] = {"n", "offset", NULL};
    Py_ssize_t n = -1;
    long long offset = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kw, "|nL:snapshot", names, &n, &offset))
        return NULL;
    return bytes_from((Handle *)self, SNAPSHOT, n, offset);
}

static PyObject *stream_snapshot_into(PyObject *object, PyObject *args, PyObject *kw)
{
    static char *names[] = {"buffer", "offset", NULL};
    Handle *self = (Handle *)object;
    Py_buffer view;
    long long offset = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kw, "w*|L:snapshot_into", names, &view, &offset))
        return NULL;
    PyObject *result = NULL;
    if (handle_of(self) && may_snapshot(self)) {
        const int64_t rc = copy_out(self, SNAPSHOT, view.buf, (size_t)view.len, offset);
        result = rc < 0 ? raise_code(rc, self->name) : PyLong_FromLongLong(rc);
    }
    PyBuffer_Release(&view);
    return result;
}

static PyObject *put(Handle *self, Py_buffer *view, int at_offset, int64_t offset)
{
    int64_t rc = 0;
    PyObject *result = NULL;
    if (handle_of(self)) {
        if (!at_offset)
            WITHOUT_GIL(self, rc = shms_stream_write(self->h, view->buf, (size_t)view->len));
        else if (view->len <= 4096)
            rc = shms_stream_pwrite(self->h, view->buf, (size_t)view->len, offset);
        else
            WITHOUT_GIL(self, rc = shms_stream_pwrite(self->h, view->buf, (size_t)view->len, offset));
        self->wrote |= rc > 0;
        result = rc < 0 ? raise_code(rc, self->name) : PyLong_FromLongLong(rc);
    }
    PyBuffer_Release(view);
    return result;
}

static PyObject *stream_write(PyObject *self, PyObject *args)
{
    Py_buffer view;
    if (!PyArg_ParseTuple(args, "y*:write", &view))
        return NULL;
    return put((Handle *)self, &view, 0, 0);
}

static PyObject *stream_pwrite(PyObject *self, PyObject *args)
{
    Py_buffer view;
    long long offset;
    if (!PyArg_ParseTuple(args, "y*L:pwrite", &view, &offset))
        return NULL;
    return put((Handle *)self, &view, 1, offset);
}

static PyObject *number_or_error(Handle *self, int64_t rc)
{
    return rc < 0 ? raise_code(rc, self->name) : PyLong_FromLongLong(rc);
}

static PyObject *stream_seek(PyObject *object, PyObject *args)
{
    Handle *self = (Handle *)object;
    long long offset;
    int whence = SEEK_SET;
    if (!PyArg_ParseTuple(args, "L|i:seek", &offset, &whence) || !handle_of(self))
        return NULL;
    return number_or_error(self, shms_stream_seek(self->h, offset, whence));
}

static PyObject *stream_tell(PyObject *object, PyObject *unused)
{
    Handle *self = (Handle *)object;
    (void)unused;
    return handle_of(self) ? number_or_error(self, shms_stream_tell(self->h)) : NULL;
}

static PyObject *stream_resize(PyObject *object, PyObject *args)
{
    Handle *self = (Handle *)object;
    uint64_t size;
    int rc;
    if (!PyArg_ParseTuple(args, "O&:resize", convert_u64, &size) || !handle_of(self))
        return NULL;
    if (self->exports > 0)
        return PyErr_Format(PyExc_BufferError, "views of the memory exist: their length is fixed");
    if (self->resizing && self->life == forks_behind)
        return PyErr_Format(PyExc_RuntimeError, "a thread is in a resize() of this handle");
    self->resizing = 1;
    WITHOUT_GIL(self, rc = shms_stream_resize(self->h, size));
    self->resizing = 0;
    return none_or_error(self, rc);
}

static int64_t save(void *h, const char *path)
{
    return shms_stream_save(h, path);
}

static int64_t load(void *h, const char *path)
{
    return shms_stream_load(h, path);
}

static PyObject *stream_save(PyObject *self, PyObject *args)
{
    return handle_with_path(self, args, save);
}

static PyObject *stream_load(PyObject *self, PyObject *args)
{
    return handle_with_path(self, args, load);
}

/* ----------------------------------------------------------------- version */

static int64_t wait_version(void *h, void *seen, int timeout_ms)
{
    return shms_stream_wait(h, seen, timeout_ms);
}

static PyObject *stream_wait(PyObject *object, PyObject *args, PyObject *kw)
{
    static char *names[] = {"seen", "timeout", NULL};
    Handle *self = (Handle *)object;
    PyObject *timeout = Py_None;
    long long seen;
    Deadline deadline;
    if (!PyArg_ParseTupleAndKeywords(args, kw, "L|O:wait", names, &seen, &timeout) ||
        parse_timeout(timeout, &deadline) < 0 || !handle_of(self))
        return NULL;
    int64_t version = seen;
    const int64_t rc = attempt(self, wait_version, &version, &deadline);
    return rc < 0 ? raise_code(rc, self->name) : PyLong_FromLongLong(version);
}

/*
 * A slice that is over takes the lock again. A change that came until then no later slice would hear of: the
 * version tells. *own: how far the section's own writes move it, in the first slice.
 */
static int64_t wait_inside(void *h, void *own, int timeout_ms)
{
    int64_t *moved = own;
    const int64_t before = shms_stream_version(h);
    const int rc = shms_stream_wait_locked(h, timeout_ms);
    const int changed = rc == SHMS_E_TIMEOUT && shms_stream_version(h) != before + *moved;
    *moved = 0;
    return changed ? 0 : rc;
}

/* True: something has changed. The section goes on in any case, unless another failure ends it. */
static PyObject *stream_wait_locked(PyObject *object, PyObject *args, PyObject *kw)
{
    static char *names[] = {"timeout", NULL};
    Handle *self = (Handle *)object;
    PyObject *timeout = Py_None;
    Deadline deadline;
    if (!PyArg_ParseTupleAndKeywords(args, kw, "|O:wait_locked", names, &timeout) ||
        parse_timeout(timeout, &deadline) < 0 || !handle_of(self))
        return NULL;
    self->owner = 0; /* others may have it meanwhile, and keep it */
    deadline.may_block = 1;
    int64_t own = self->wrote ? 2 : 0;
    const int64_t rc = attempt(self, wait_inside, &own, &deadline);
    self->wrote = 0;
    if (rc >= 0 || rc == SHMS_E_TIMEOUT || rc == RAISED)
        self->owner = PyThread_get_thread_ident();
    if (rc < 0 && rc != SHMS_E_TIMEOUT)
        return raise_code(rc, self->name);
    return PyBool_FromLong(rc >= 0);
}

static PyObject *stream_notify(PyObject *object, PyObject *unused)
{
    Handle *self = (Handle *)object;
    (void)unused;
    return handle_of(self) ? none_or_error(self, shms_stream_notify(self->h)) : NULL;
}

static PyObject *stream_fileno(PyObject *object, PyObject *unused)
{
    Handle *self = (Handle *)object;
    (void)unused;
    return handle_of(self) ? number_or_error(self, shms_stream_poll_fd(self->h)) : NULL;
}

static PyObject *stream_fd(PyObject *object, PyObject *unused)
{
    Handle *self = (Handle *)object;
    (void)unused;
    return handle_of(self) ? number_or_error(self, shms_stream_fd(self->h)) : NULL;
}

/* -------------------------------------------------------------- properties */

static PyObject *get_version(PyObject *object, void *unused)
{
    Handle *self = (Handle *)object;
    (void)unused;
    return handle_of(self) ? number_or_error(self, shms_stream_version(self->h)) : NULL;
}

static PyObject *get_size(PyObject *object, void *unused)
{
    Handle *self = (Handle *)object;
    (void)unused;
    return handle_of(self) ? PyLong_FromUnsignedLongLong(shms_stream_size(self->h)) : NULL;
}

static PyObject *get_existed(PyObject *object, void *unused)
{
    Handle *self = (Handle *)object;
    (void)unused;
    return handle_of(self) ? PyBool_FromLong(shms_stream_existed(self->h)) : NULL;
}

static PyObject *get_flag(PyObject *object, void *offset)
{
    return PyBool_FromLong(*(int *)((char *)object + (size_t)offset));
}

/* ------------------------------------------------------------------ buffer */

static int stream_getbuffer(PyObject *object, Py_buffer *view, int flags)
{
    Handle *self = (Handle *)object;
    if (!handle_of(self)) {
        view->obj = NULL;
        return -1;
    }
    if (self->resizing && self->life == forks_behind) {
        view->obj = NULL;
        PyErr_SetString(PyExc_BufferError, "a thread is in a resize() of this handle");
        return -1;
    }
    const Py_ssize_t size = (Py_ssize_t)shms_stream_size(self->h);
    if (PyBuffer_FillInfo(view, object, shms_stream_memory(self->h), size, self->read_only, flags) < 0)
        return -1;
    self->exports++;
    return 0;
}

static void stream_releasebuffer(PyObject *object, Py_buffer *view)
{
    (void)view;
    ((Handle *)object)->exports--;
}

static PyMethodDef stream_methods[] = {
    {"_join", stream_join, METH_VARARGS, NULL},
    {"close", stream_close, METH_NOARGS, "Leave the region. BufferError while views exist."},
    {"acquire", METHOD(stream_acquire), METH_FASTCALL | METH_KEYWORDS,
     "Take the lock: False if the time is over."},
    {"acquire_shared", METHOD(stream_acquire_shared), METH_FASTCALL | METH_KEYWORDS, "Take the shared lock."},
    {"release", stream_release, METH_NOARGS, "Release the lock, exclusive or shared."},
    {"rollback", stream_rollback, METH_NOARGS, "Release the lock, and undo what the section wrote."},
    {"repaired", stream_repaired, METH_NOARGS, "Say that the data is whole again."},
    {"locked", METHOD(stream_locked), METH_VARARGS | METH_KEYWORDS, "with s.locked(timeout) as section: ..."},
    {"locked_shared", METHOD(stream_locked_shared), METH_VARARGS | METH_KEYWORDS,
     "with s.locked_shared(): ..."},
    {"read", stream_read, METH_VARARGS, "Read at the position."},
    {"write", stream_write, METH_VARARGS, "Write at the position: all or nothing."},
    {"seek", stream_seek, METH_VARARGS, "Set the position."},
    {"tell", stream_tell, METH_NOARGS, "The position."},
    {"pread", stream_pread, METH_VARARGS, "pread(n, offset)"},
    {"pwrite", stream_pwrite, METH_VARARGS, "pwrite(bytes, offset)"},
    {"snapshot", METHOD(stream_snapshot), METH_VARARGS | METH_KEYWORDS,
     "The bytes as they were between two sections."},
    {"snapshot_into", METHOD(stream_snapshot_into), METH_VARARGS | METH_KEYWORDS, "snapshot, into a buffer"},
    {"resize", stream_resize, METH_VARARGS, "Change the size, holding the lock."},
    {"save", stream_save, METH_VARARGS, "Write the bytes to a file."},
    {"load", stream_load, METH_VARARGS, "Read the bytes of a file."},
    {"wait", METHOD(stream_wait), METH_VARARGS | METH_KEYWORDS, "Wait for another version than `seen`."},
    {"wait_locked", METHOD(stream_wait_locked), METH_VARARGS | METH_KEYWORDS,
     "Wait inside a section for a change."},
    {"notify", stream_notify, METH_NOARGS, "Tell of bytes that were written outside a section."},
    {"fileno", stream_fileno, METH_NOARGS, "The descriptor that tells of changes. Never read or close it."},
    {"fd", stream_fd, METH_NOARGS, "A new descriptor of a region without a name."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef stream_properties[] = {
    {"version", get_version, NULL, "Moves on with each section that changed something.", NULL},
    {"size", get_size, NULL, "Bytes.", NULL},
    {"existed", get_existed, NULL, "Whether the region was there before.", NULL},
    {"name", handle_name, NULL, NULL, NULL},
    {"closed", handle_closed, NULL, NULL, NULL},
    {"readonly", get_flag, NULL, NULL, (void *)offsetof(Handle, read_only)},
    {"tasks", get_flag, NULL, NULL, (void *)offsetof(Handle, tasks)},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot stream_slots[] = {
    {Py_tp_doc, "A stream: an open handle of shared memory."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, stream_init},
    {Py_tp_dealloc, stream_dealloc},
    {Py_tp_methods, stream_methods},
    {Py_tp_getset, stream_properties},
    {Py_bf_getbuffer, stream_getbuffer},
    {Py_bf_releasebuffer, stream_releasebuffer},
    {0, NULL},
};

PyType_Spec stream_spec = {
    "shmstream._shmstream.Stream", sizeof(Handle), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, stream_slots,
};
