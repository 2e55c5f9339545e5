/* SPDX-License-Identifier: MIT */
/* What both modules are made with: failures, time-outs, and waiting. */
#include "face.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <time.h>

/* ---------------------------------------------------------------- failures */

static PyObject *error_classes; /* code -> class; of the module's Python half */

/* The errno of a failure that had none from the system, so that OSError's users see one. */
static int errno_of(int code)
{
    switch (code) {
    case SHMS_E_INVALID: return EINVAL;
    case SHMS_E_NOT_FOUND: return ENOENT;
    case SHMS_E_EXISTS: return EEXIST;
    case SHMS_E_DENIED: return EACCES;
    case SHMS_E_TIMEOUT: return ETIMEDOUT;
    case SHMS_E_RANGE: return ERANGE;
    case SHMS_E_NOSPACE: return ENOSPC;
    case SHMS_E_NOMEM: return ENOMEM;
    case SHMS_E_NOT_OWNER: return EPERM;
    case SHMS_E_DEADLOCK: return EDEADLK;
    case SHMS_E_READ_ONLY: return EROFS;
    case SHMS_E_UNSUPPORTED: return EOPNOTSUPP;
    case SHMS_E_CLOSED: return EPIPE;
    case SHMS_E_DIED: return EOWNERDEAD;
    default: return EIO;
    }
}

PyObject *raise_code(int64_t code, PyObject *name)
{
    PyObject *number = NULL, *class, *error = NULL;
    if (code == RAISED)
        return NULL;
    const int behind = shms_last_oserror();
    number = PyLong_FromLongLong(code);
    if (!number || !error_classes)
        goto done;
    class = PyDict_GetItemWithError(error_classes, number);
    if (!class && !(class = PyDict_GetItemWithError(error_classes, Py_None)))
        goto done;
    const int known = behind && (code == SHMS_E_OS || code == SHMS_E_DENIED || code == SHMS_E_NOMEM);
    error = PyObject_CallFunction(class, "isO", known ? behind : errno_of((int)code),
                                  shms_strerror((int)code), name ? name : Py_None);
    if (error && PyObject_SetAttrString(error, "code", number) == 0)
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
done:
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_SystemError, "shmstream is not imported as a whole");
    Py_XDECREF(number);
    Py_XDECREF(error);
    return NULL;
}

/* The process has one set of classes: no other interpreter than theirs could catch what is raised. */
PyObject *set_errors(PyObject *module, PyObject *classes)
{
    static int64_t first = -1;
    const int64_t here = PyInterpreterState_GetID(PyInterpreterState_Get());
    (void)module;
    if (first < 0)
        first = here;
    if (first != here)
        return PyErr_Format(PyExc_ImportError, "shmstream works in one interpreter of a process");
    if (!PyDict_Check(classes))
        return PyErr_Format(PyExc_TypeError, "a dict is wanted");
    PyObject *old = error_classes;
    Py_INCREF(classes);
    error_classes = classes;
    Py_XDECREF(old);
    Py_RETURN_NONE;
}

int add_codes(PyObject *module)
{
    PyObject *codes = PyDict_New();
    if (!codes)
        return -1;
#define CODE(name, value, text) \
    { \
        PyObject *pair = Py_BuildValue("(is)", value, text); \
        if (!pair || PyDict_SetItemString(codes, #name, pair) < 0) { \
            Py_XDECREF(pair); \
            Py_DECREF(codes); \
            return -1; \
        } \
        Py_DECREF(pair); \
    }
    SHMS_CODES(CODE)
#undef CODE
    return PyModule_AddObject(module, "codes", codes);
}

/* --------------------------------------------------------------- arguments */

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int parse_seconds(PyObject *seconds, double *ret)
{
    const double s = PyFloat_AsDouble(seconds);
    if (s == -1 && PyErr_Occurred())
        return -1;
    if (isnan(s) || s < 0) {
        PyErr_SetString(PyExc_ValueError, "a timeout is None, or seconds from 0 on");
        return -1;
    }
    *ret = s;
    return 0;
}

int parse_timeout(PyObject *seconds, Deadline *ret)
{
    double s;
    *ret = (Deadline){.at_ns = -1};
    if (!seconds || seconds == Py_None)
        return 0;
    if (parse_seconds(seconds, &s) < 0)
        return -1;
    ret->try_only = s == 0;
    if (s < 4e9) /* longer is for ever: it would be a century */
        ret->at_ns = now_ns() + (int64_t)(s * 1e9);
    return 0;
}

int parse_timeout_ms(PyObject *seconds, int32_t *ret)
{
    double s;
    if (parse_seconds(seconds, &s) < 0)
        return -1;
    const double ms = s == 0 ? 1 : ceil(s * 1000); /* for C, 0 is the default */
    *ret = s >= INT32_MAX / 1000 ? INT32_MAX : (int32_t)ms;
    return 0;
}

int convert_u64(PyObject *number, void *ret_u64)
{
    PyObject *index = PyNumber_Index(number);
    if (!index)
        return 0;
    const unsigned long long n = PyLong_AsUnsignedLongLong(index);
    Py_DECREF(index);
    if (n == ULLONG_MAX && PyErr_Occurred())
        return 0;
    *(uint64_t *)ret_u64 = n;
    return 1;
}

int convert_u32(PyObject *number, void *ret_u32)
{
    uint64_t n;
    if (!convert_u64(number, &n))
        return 0;
    if (n > UINT32_MAX) {
        PyErr_SetString(PyExc_OverflowError, "the number is too large");
        return 0;
    }
    *(uint32_t *)ret_u32 = (uint32_t)n;
    return 1;
}

int bytes_of(PyObject *str_or_bytes, Py_buffer *ret)
{
    Py_ssize_t size;
    if (!PyUnicode_Check(str_or_bytes))
        return PyObject_GetBuffer(str_or_bytes, ret, PyBUF_SIMPLE);
    const char *text = PyUnicode_AsUTF8AndSize(str_or_bytes, &size);
    if (!text)
        return -1;
    return PyBuffer_FillInfo(ret, str_or_bytes, (void *)text, size, 1, PyBUF_SIMPLE);
}

PyObject *shorten(PyObject *bytes, Py_ssize_t n)
{
    PyObject *first = PyBytes_FromStringAndSize(PyBytes_AsString(bytes), n);
    Py_DECREF(bytes);
    return first;
}

/* ----------------------------------------------------------------- handles */

unsigned forks_behind;

static void after_fork(void)
{
    forks_behind++;
}

int watch_forks(void)
{
    static int watches; /* a module may be imported anew */
    if (!watches && pthread_atfork(NULL, NULL, after_fork) != 0) {
        PyErr_NoMemory();
        return -1;
    }
    watches = 1;
    return 0;
}

void *handle_of(Handle *self)
{
    if (!self->h)
        PyErr_SetString(PyExc_ValueError, "the handle is closed");
    return self->h;
}

void handle_enter(Handle *self)
{
    if (self->life != forks_behind)
        self->busy = 0; /* they are the parent's threads */
    self->life = forks_behind;
    self->busy++;
}

void handle_leave(Handle *self)
{
    self->busy--;
}

/* Closes; or -1, with an exception, while somebody would be left with a dead pointer. */
int handle_close(Handle *self, void (*close_it)(void *h))
{
    void *h = self->h;
    if (!h)
        return 0;
    if (self->exports > 0) {
        PyErr_SetString(PyExc_BufferError, "views of the memory exist");
        return -1;
    }
    if (self->busy > 0 && self->life == forks_behind) {
        PyErr_SetString(PyExc_RuntimeError, "a thread is in a call of this handle");
        return -1;
    }
    self->h = NULL;
    self->owner = 0;
    UNLOCKED(close_it(h));
    return 0;
}

int handle_may_open(Handle *self)
{
    if (!self->h && !self->exports && !self->busy)
        return 0;
    PyErr_SetString(PyExc_RuntimeError, "the handle is open already");
    return -1;
}

int handle_opened(Handle *self, int64_t rc, void *h)
{
    if (rc < 0) {
        raise_code(rc, self->name);
        return -1;
    }
    self->h = h;
    self->opened_life = self->life = forks_behind;
    return 0;
}

void handle_dealloc(PyObject *object, void (*close_it)(void *h))
{
    Handle *self = (Handle *)object;
    void *h = self->h;
    self->h = NULL;
    if (h)
        UNLOCKED(close_it(h));
    if (self->turn)
        PyThread_free_lock(self->turn);
    Py_CLEAR(self->name);
    free_object(object);
}

PyObject *handle_name(PyObject *object, void *unused)
{
    PyObject *name = ((Handle *)object)->name;
    (void)unused;
    return Py_NewRef(name ? name : Py_None);
}

PyObject *handle_closed(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(!((Handle *)object)->h);
}

PyObject *handle_with_path(PyObject *object, PyObject *args, int64_t (*call)(void *h, const char *path))
{
    Handle *self = (Handle *)object;
    PyObject *path;
    int64_t rc;
    if (!PyArg_ParseTuple(args, "O&", PyUnicode_FSConverter, &path))
        return NULL;
    if (!handle_of(self)) {
        Py_DECREF(path);
        return NULL;
    }
    WITHOUT_GIL(self, rc = call(self->h, PyBytes_AsString(path)));
    Py_DECREF(path);
    return rc < 0 ? raise_code(rc, PyTuple_GetItem(args, 0)) : PyLong_FromLongLong(rc);
}

/* A signal handler may raise before the caller has heard of it. */
PyObject *lock_got(Handle *self, int64_t rc, PyObject *holder)
{
    if (rc < 0)
        return raise_code(rc, self->name);
    if (PyObject_SetAttrString(holder, "_held", Py_True) < 0)
        return NULL;
    return PyBool_FromLong(rc == SHMS_OWNER_DIED);
}

/* How long the next slice may be; 0: the time is over. */
int deadline_slice(const Deadline *deadline)
{
    if (deadline->at_ns < 0)
        return SLICE_MS;
    const int64_t left_ms = (deadline->at_ns - now_ns() + 999999) / 1000000;
    return left_ms <= 0 ? 0 : left_ms < SLICE_MS ? (int)left_ms : SLICE_MS;
}

int64_t attempt(Handle *self, attempt_fn *call, void *arguments, const Deadline *deadline)
{
    int64_t rc;
    if (deadline->may_block)
        WITHOUT_GIL(self, rc = call(self->h, arguments, 0));
    else
        rc = call(self->h, arguments, 0);
    if (rc != SHMS_E_TIMEOUT || deadline->try_only)
        return rc;
    handle_enter(self); /* from here on close() refuses, also to signal handlers */
    for (int slice; (slice = deadline_slice(deadline)) > 0;) {
        UNLOCKED(rc = call(self->h, arguments, slice));
        if (rc != SHMS_E_TIMEOUT)
            break;
        if (PyErr_CheckSignals() < 0) {
            rc = RAISED;
            break;
        }
    }
    handle_leave(self);
    return rc;
}

void free_object(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

int add_type(PyObject *module, const char *name, PyType_Spec *spec, PyTypeObject **ret)
{
    PyObject *type = PyType_FromSpec(spec);
    if (!type)
        return -1;
    if (ret) {
        Py_INCREF(type);
        *ret = (PyTypeObject *)type;
    }
    return PyModule_AddObject(module, name, type);
}
