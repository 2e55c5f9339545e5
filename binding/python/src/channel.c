/* SPDX-License-Identifier: MIT */
/* Channel: a handle of a channel. C wants one thread at a time; here threads take turns. */
#include "face.h"

#include <string.h>

static void close_channel(void *h)
{
    shms_channel_close(h);
}

static int channel_init(PyObject *object, PyObject *args, PyObject *kw)
{
    static char *names[] = {"name",    "size",       "role",         "kind",         "slow",
                            "history", "one_sender", "one_receiver", "create",       "keep",
                            "mode",    "owners",     "owner_uid",    "open_timeout", NULL};
    Handle *self = (Handle *)object;
    const char *name;
    uint64_t size;
    int rc, one_sender = 0, one_receiver = 0, keep = 0;
    PyObject *timeout = NULL;
    shms_stream_options region = {.struct_size = sizeof region};
    shms_channel_options o = {.struct_size = sizeof o, .region = &region};
    shms_channel *c = NULL;
    if (handle_may_open(self) < 0)
        return -1;
    if (!PyArg_ParseTupleAndKeywords(args, kw, "sO&i|$O&O&O&ppO&pO&O&O&O:Channel", names, &name, convert_u64,
                                     &size, &self->role, convert_u32, &o.kind, convert_u32, &o.slow,
                                     convert_u32, &o.history, &one_sender, &one_receiver, convert_u32,
                                     &region.create, &keep, convert_u32, &region.mode, convert_u32,
                                     &region.owners, convert_u32, &region.owner_uid, &timeout))
        return -1;
    if (timeout && timeout != Py_None && parse_timeout_ms(timeout, &region.open_timeout_ms) < 0)
        return -1;
    o.one_sender = (uint8_t)one_sender;
    o.one_receiver = (uint8_t)one_receiver;
    region.keep = (uint8_t)keep;
    PyObject *text = PyUnicode_FromString(name);
    if (!text)
        return -1;
    set_object(&self->name, text);
    if (!self->turn && !(self->turn = PyThread_allocate_lock())) {
        PyErr_NoMemory();
        return -1;
    }
    UNLOCKED(rc = shms_channel_open(name, size, self->role, &o, &c));
    return handle_opened(self, rc, c);
}

static void channel_dealloc(PyObject *object)
{
    handle_dealloc(object, close_channel);
}

static PyObject *channel_close(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (handle_close((Handle *)self, close_channel) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* ------------------------------------------------------------------- turns */

/* In a child of fork the thread that had the turn may be gone. */
static int renew_turn(Handle *self)
{
    if (self->life == forks_behind)
        return 0;
    PyThread_type_lock turn = PyThread_allocate_lock();
    if (!turn) {
        PyErr_NoMemory();
        return -1;
    }
    self->turn = turn; /* the old one is left: it may be held */
    self->turn_owner = 0;
    self->busy = 0;
    self->life = forks_behind;
    return 0;
}

/* 0: this thread has the turn, and the handle cannot be closed meanwhile. */
static int begin_turn(Handle *self, const Deadline *deadline)
{
    if (!handle_of(self) || renew_turn(self) < 0)
        return -1;
    if (self->turn_owner == PyThread_get_thread_ident()) {
        PyErr_SetString(PyExc_RuntimeError, "a call of this channel was interrupted by another one");
        return -1;
    }
    handle_enter(self);
    while (!PyThread_acquire_lock(self->turn, NOWAIT_LOCK)) {
        const int slice = deadline ? deadline_slice(deadline) : SLICE_MS;
        PyLockStatus got = PY_LOCK_FAILURE;
        if (slice > 0) {
            UNLOCKED(got = PyThread_acquire_lock_timed(self->turn, slice * 1000, 0));
        }
        if (got == PY_LOCK_ACQUIRED)
            break;
        if (slice == 0)
            raise_code(SHMS_E_TIMEOUT, self->name);
        if (slice == 0 || PyErr_CheckSignals() < 0) {
            handle_leave(self);
            return -1;
        }
    }
    self->turn_owner = PyThread_get_thread_ident();
    return 0;
}

static void end_turn(Handle *self)
{
    self->turn_owner = 0;
    PyThread_release_lock(self->turn);
    handle_leave(self);
}

/* ---------------------------------------------------------------- messages */

typedef struct Message {
    const void *in;
    void *room;
    const shms_slice *slices;
    size_t size;
} Message;

static int64_t send_one(void *h, void *message, int timeout_ms)
{
    const Message *m = message;
    return shms_channel_send(h, m->in, m->size, timeout_ms);
}

static int64_t send_many(void *h, void *message, int timeout_ms)
{
    const Message *m = message;
    return shms_channel_send_all(h, m->slices, m->size, timeout_ms);
}

static int64_t peek_one(void *h, void *message, int timeout_ms)
{
    Message *m = message;
    return shms_channel_peek(h, &m->in, timeout_ms);
}

static PyObject *done(Handle *self, int64_t rc)
{
    if (rc < 0)
        return raise_code(rc, self->name);
    Py_RETURN_NONE;
}

static PyObject *channel_send(PyObject *object, PyObject *args, PyObject *kw)
{
    static char *names[] = {"data", "timeout", NULL};
    Handle *self = (Handle *)object;
    PyObject *data, *timeout = Py_None, *result = NULL;
    Py_buffer view;
    Deadline deadline;
    if (!PyArg_ParseTupleAndKeywords(args, kw, "O|O:send", names, &data, &timeout) ||
        parse_timeout(timeout, &deadline) < 0 || bytes_of(data, &view) < 0)
        return NULL;
    if (begin_turn(self, &deadline) == 0) {
        Message m = {.in = view.buf, .size = (size_t)view.len};
        result = done(self, attempt(self, send_one, &m, &deadline));
        end_turn(self);
    }
    PyBuffer_Release(&view);
    return result;
}

static PyObject *send_views(Handle *self, Py_buffer *views, size_t n, const Deadline *deadline)
{
    PyObject *result = NULL;
    shms_slice *slices = PyMem_Malloc(n * sizeof *slices + 1);
    if (!slices)
        return PyErr_NoMemory();
    for (size_t i = 0; i < n; i++)
        slices[i] = (shms_slice){views[i].buf, (size_t)views[i].len};
    if (begin_turn(self, deadline) == 0) {
        Message m = {.slices = slices, .size = n};
        result = done(self, attempt(self, send_many, &m, deadline));
        end_turn(self);
    }
    PyMem_Free(slices);
    return result;
}

static PyObject *channel_send_all(PyObject *object, PyObject *args, PyObject *kw)
{
    static char *names[] = {"messages", "timeout", NULL};
    PyObject *messages, *timeout = Py_None, *result = NULL;
    Deadline deadline;
    if (!PyArg_ParseTupleAndKeywords(args, kw, "O|O:send_all", names, &messages, &timeout) ||
        parse_timeout(timeout, &deadline) < 0)
        return NULL;
    PyObject *all = PySequence_Tuple(messages);
    if (!all)
        return NULL;
    const Py_ssize_t n = PyTuple_Size(all);
    Py_ssize_t have = 0;
    Py_buffer *views = PyMem_Malloc((size_t)n * sizeof *views + 1);
    if (!views)
        PyErr_NoMemory();
    while (views && have < n && bytes_of(PyTuple_GetItem(all, have), &views[have]) == 0)
        have++;
    if (views && have == n)
        result = send_views((Handle *)object, views, (size_t)n, &deadline);
    while (have > 0)
        PyBuffer_Release(&views[--have]);
    PyMem_Free(views);
    Py_DECREF(all);
    return result;
}

/* The next message, copied; still this handle's. NULL, and an exception. */
static PyObject *take_copy(Handle *self, const Deadline *deadline)
{
    Message m = {NULL, NULL, NULL, 0};
    const int64_t n = attempt(self, peek_one, &m, deadline);
    if (n < 0)
        return raise_code(n, self->name);
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)n);
    if (!bytes) {
        shms_channel_abort(self->h); /* it is delivered again */
        return NULL;
    }
    if (n > 0)
        memcpy(PyBytes_AsString(bytes), m.in, (size_t)n);
    return bytes;
}

static PyObject *channel_recv(PyObject *object, PyObject *args, PyObject *kw)
{
    static char *names[] = {"timeout", NULL};
    Handle *self = (Handle *)object;
    PyObject *timeout = Py_None;
    Deadline deadline;
    if (!PyArg_ParseTupleAndKeywords(args, kw, "|O:recv", names, &timeout) ||
        parse_timeout(timeout, &deadline) < 0 || begin_turn(self, &deadline) < 0)
        return NULL;
    PyObject *bytes = take_copy(self, &deadline);
    if (bytes) {
        const int rc = shms_channel_release(self->h);
        if (rc < 0) { /* overwritten meanwhile: the copy may be wrong */
            Py_DECREF(bytes);
            bytes = raise_code(rc, self->name);
        }
    }
    end_turn(self);
    return bytes;
}

/* Sets an attribute of a message; takes the value. */
static int tell(PyObject *message, const char *name, PyObject *value)
{
    const int rc = value ? PyObject_SetAttrString(message, name, value) : -1;
    Py_XDECREF(value);
    return rc;
}

/* _peek(message, timeout): a Message knows what it holds before a signal handler can raise. */
static PyObject *channel_peek(PyObject *object, PyObject *args)
{
    Handle *self = (Handle *)object;
    PyObject *message, *timeout;
    Deadline deadline;
    shms_message m = {.struct_size = sizeof m};
    if (!PyArg_ParseTuple(args, "OO:_peek", &message, &timeout) || parse_timeout(timeout, &deadline) < 0 ||
        begin_turn(self, &deadline) < 0)
        return NULL;
    PyObject *bytes = take_copy(self, &deadline);
    int failed = !bytes;
    if (bytes) {
        shms_channel_message(self->h, &m); /* it cannot fail: there is one */
        failed = tell(message, "data", bytes) < 0 ||
                 tell(message, "tries", PyLong_FromUnsignedLong(m.tries)) < 0 ||
                 tell(message, "number", PyLong_FromUnsignedLongLong(m.number)) < 0;
        if (failed)
            shms_channel_abort(self->h);
    }
    end_turn(self);
    return failed ? NULL : Py_NewRef(Py_None);
}

static PyObject *simple(PyObject *object, int (*call)(shms_channel *))
{
    Handle *self = (Handle *)object;
    if (begin_turn(self, NULL) < 0)
        return NULL;
    const int rc = call(self->h);
    PyObject *result = rc < 0 ? raise_code(rc, self->name) : PyLong_FromLong(rc);
    end_turn(self);
    return result;
}

static PyObject *channel_release(PyObject *self, PyObject *unused)
{
    (void)unused;
    return simple(self, shms_channel_release);
}

static PyObject *channel_abort(PyObject *self, PyObject *unused)
{
    (void)unused;
    return simple(self, shms_channel_abort);
}

static PyObject *channel_fileno(PyObject *self, PyObject *unused)
{
    (void)unused;
    return simple(self, shms_channel_poll_fd);
}

/* What is known of the last message: number, tries, missed, size. */
static PyObject *channel_last(PyObject *object, PyObject *unused)
{
    Handle *self = (Handle *)object;
    shms_message m = {.struct_size = sizeof m};
    (void)unused;
    if (begin_turn(self, NULL) < 0)
        return NULL;
    const int rc = shms_channel_message(self->h, &m);
    end_turn(self);
    if (rc < 0)
        return raise_code(rc, self->name);
    return Py_BuildValue("(KIKK)", (unsigned long long)m.number, m.tries, (unsigned long long)m.missed,
                         (unsigned long long)m.size);
}

static PyObject *channel_info(PyObject *object, PyObject *unused)
{
    Handle *self = (Handle *)object;
    shms_channel_stats t = {.struct_size = sizeof t};
    (void)unused;
    if (begin_turn(self, NULL) < 0)
        return NULL;
    const int rc = shms_channel_info(self->h, &t);
    end_turn(self);
    if (rc < 0)
        return raise_code(rc, self->name);
    return Py_BuildValue("{sIsIsIsIsKsKsKsKsKsKsKsK}", "kind", t.kind, "slow", t.slow, "senders", t.senders,
                         "receivers", t.receivers, "capacity", (unsigned long long)t.capacity, "used",
                         (unsigned long long)t.used, "sent", (unsigned long long)t.sent, "received",
                         (unsigned long long)t.received, "dropped", (unsigned long long)t.dropped, "aborted",
                         (unsigned long long)t.aborted, "redelivered", (unsigned long long)t.redelivered,
                         "senders_died", (unsigned long long)t.senders_died);
}

static PyMethodDef channel_methods[] = {
    {"close", channel_close, METH_NOARGS, "Close. A sender that closes ends what it sends."},
    {"send", METHOD(channel_send), METH_VARARGS | METH_KEYWORDS, "send(data, timeout=None)"},
    {"send_all", METHOD(channel_send_all), METH_VARARGS | METH_KEYWORDS,
     "Send several messages: all, or none."},
    {"recv", METHOD(channel_recv), METH_VARARGS | METH_KEYWORDS, "recv(timeout=None): the next message."},
    {"_peek", channel_peek, METH_VARARGS, NULL},
    {"_release", channel_release, METH_NOARGS, NULL},
    {"_abort", channel_abort, METH_NOARGS, NULL},
    {"_last", channel_last, METH_NOARGS, NULL},
    {"info", channel_info, METH_NOARGS, "What can be told about the channel."},
    {"fileno", channel_fileno, METH_NOARGS, "The descriptor that tells of messages, or of room."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef channel_properties[] = {
    {"name", handle_name, NULL, NULL, NULL},
    {"closed", handle_closed, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot channel_slots[] = {
    {Py_tp_doc, "A channel: an open handle."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, channel_init},
    {Py_tp_dealloc, channel_dealloc},
    {Py_tp_methods, channel_methods},
    {Py_tp_getset, channel_properties},
    {0, NULL},
};

PyType_Spec channel_spec = {
    "shmstream._shmstream.Channel",           sizeof(Handle), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, channel_slots,
};
