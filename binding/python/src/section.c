/* SPDX-License-Identifier: MIT */
/* Section: what a with statement over a stream holds. Its view of the memory ends with it. */
#include "face.h"

typedef struct Section {
    PyObject_HEAD
    Handle *stream;
    PyObject *timeout;
    PyObject *view; /* memoryview, once somebody asked */
    int shared;
    int held;
    int owner_died;
} Section;

PyTypeObject *section_type;

PyObject *section_new(Handle *stream, int shared, PyObject *timeout)
{
    Deadline unused;
    if (!handle_of(stream) || parse_timeout(timeout, &unused) < 0) /* told where it is written, not later */
        return NULL;
    Section *self = (Section *)PyType_GenericAlloc(section_type, 0);
    if (!self)
        return NULL;
    self->stream = (Handle *)Py_NewRef((PyObject *)stream);
    self->timeout = Py_NewRef(timeout);
    self->shared = shared;
    return (PyObject *)self;
}

static PyObject *section_enter(PyObject *object, PyObject *unused)
{
    Section *self = (Section *)object;
    Deadline deadline;
    (void)unused;
    if (self->held)
        return PyErr_Format(PyExc_RuntimeError, "the section is entered already");
    if (parse_timeout(self->timeout, &deadline) < 0)
        return NULL;
    const int rc = stream_lock(self->stream, self->shared, &deadline);
    if (rc < 0)
        return raise_code(rc, self->stream->name);
    self->held = 1;
    self->owner_died = rc == SHMS_OWNER_DIED;
    return Py_NewRef(object);
}

/* Ends the view; -1 where views of it are still about. They stay valid as long as the stream is open. */
static int end_view(Section *self)
{
    PyObject *view = self->view;
    if (!view)
        return 0;
    self->view = NULL;
    PyObject *done = PyObject_CallMethod(view, "release", NULL);
    Py_DECREF(view);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

static int leave(Section *self, int roll_back)
{
    if (!self->held)
        return 0;
    self->held = 0;
    const int rc = stream_unlock(self->stream, roll_back);
    /* A child of fork does not hold what its parent holds, and need not give it back. */
    return rc == SHMS_E_NOT_OWNER && self->stream->opened_life != forks_behind ? 0 : rc;
}

static PyObject *section_exit(PyObject *object, PyObject *args)
{
    Section *self = (Section *)object;
    const int failed = PyTuple_Size(args) > 0 && PyTuple_GetItem(args, 0) != Py_None;
    const int rc = leave(self, failed && !self->shared ? 2 : 0);
    if (rc < 0 && rc != RAISED)
        raise_code(rc, self->stream->name);
    if (rc < 0 && !failed)
        return NULL;
    if (failed) /* what left the section is the news, not what came of it */
        PyErr_Clear();
    if (end_view(self) < 0) {
        if (!failed)
            return NULL;
        PyErr_Clear();
    }
    Py_RETURN_FALSE;
}

static PyObject *section_repaired(PyObject *object, PyObject *unused)
{
    Section *self = (Section *)object;
    (void)unused;
    if (!handle_of(self->stream))
        return NULL;
    const int rc = shms_stream_repaired(self->stream->h);
    if (rc < 0)
        return raise_code(rc, self->stream->name);
    self->owner_died = 0;
    Py_RETURN_NONE;
}

/* Ends the section before its with statement does. */
static PyObject *section_rollback(PyObject *object, PyObject *unused)
{
    Section *self = (Section *)object;
    (void)unused;
    if (!self->held)
        return raise_code(SHMS_E_NOT_OWNER, self->stream->name);
    const int rc = stream_unlock(self->stream, 1);
    if (rc < 0)
        return raise_code(rc, self->stream->name);
    self->held = 0;
    if (end_view(self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *get_buf(PyObject *object, void *unused)
{
    Section *self = (Section *)object;
    (void)unused;
    if (!self->held)
        return PyErr_Format(PyExc_ValueError, "the section is not open");
    if (!self->view)
        self->view = PyMemoryView_FromObject((PyObject *)self->stream);
    return self->view ? Py_NewRef(self->view) : NULL;
}

static PyObject *get_owner_died(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((Section *)object)->owner_died);
}

static void section_dealloc(PyObject *object)
{
    Section *self = (Section *)object;
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    if (self->held && self->stream->h)
        leave(self, 0); /* somebody called __enter__ and forgot the rest */
    if (end_view(self) < 0)
        PyErr_Clear();
    PyErr_Restore(type, value, trace);
    Py_XDECREF((PyObject *)self->stream);
    Py_XDECREF(self->timeout);
    free_object(object);
}

/* Only streams make them. */
static PyObject *section_none(PyTypeObject *type, PyObject *args, PyObject *kw)
{
    (void)type, (void)args, (void)kw;
    return PyErr_Format(PyExc_TypeError, "a section is made by Stream.locked()");
}

static PyMethodDef section_methods[] = {
    {"__enter__", section_enter, METH_NOARGS, NULL},
    {"__exit__", section_exit, METH_VARARGS, NULL},
    {"repaired", section_repaired, METH_NOARGS, "Say that the data is whole again."},
    {"rollback", section_rollback, METH_NOARGS, "End the section here, and undo what it wrote."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef section_properties[] = {
    {"owner_died", get_owner_died, NULL, "An owner before died inside its section.", NULL},
    {"buf", get_buf, NULL, "The memory; released when the section ends.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot section_slots[] = {
    {Py_tp_doc, "The lock, while a with statement holds it. An exception rolls an atomic stream back."},
    {Py_tp_new, section_none},
    {Py_tp_dealloc, section_dealloc},
    {Py_tp_methods, section_methods},
    {Py_tp_getset, section_properties},
    {0, NULL},
};

PyType_Spec section_spec = {
    "shmstream.Section", sizeof(Section), 0, Py_TPFLAGS_DEFAULT, section_slots,
};
