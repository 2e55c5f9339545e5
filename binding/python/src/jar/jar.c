/* SPDX-License-Identifier: MIT */
/* Jar: a handle of a jar of cookies, and its module. Texts of cookies come in as bytes, which the Python half
 * makes, and go out as str: a byte that is no UTF-8 as its surrogate. */
#include "../face.h"

#include "shmstream/jar.h"

#include <string.h>

static void close_jar(void *h)
{
    shms_jar_close(h);
}

static int jar_init(PyObject *object, PyObject *args, PyObject *kw)
{
    static char *names[] = {"name",         "readonly",    "create",      "keep",
                            "mode",         "max_size",    "owners",      "owner_uid",
                            "host_cookies", "jar_cookies", "suffix_list", "open_timeout",
                            NULL};
    Handle *self = (Handle *)object;
    const char *name;
    int rc, keep = 1;
    PyObject *timeout = NULL, *list = NULL;
    shms_jar_options o = {.struct_size = sizeof o};
    shms_jar *j = NULL;
    if (handle_may_open(self) < 0)
        return -1;
    if (!PyArg_ParseTupleAndKeywords(args, kw, "s|$pO&pO&O&O&O&O&O&OO:Jar", names, &name, &self->read_only,
                                     convert_u32, &o.create, &keep, convert_u32, &o.mode, convert_u64,
                                     &o.max_size, convert_u32, &o.owners, convert_u32, &o.owner_uid,
                                     convert_u32, &o.host_cookies, convert_u32, &o.jar_cookies, &list,
                                     &timeout))
        return -1;
    if (timeout && timeout != Py_None && parse_timeout_ms(timeout, &o.open_timeout_ms) < 0)
        return -1;
    o.access = self->read_only ? SHMS_ACCESS_READ : SHMS_ACCESS_READ_WRITE;
    o.no_keep = !keep;
    PyObject *text = PyUnicode_FromString(name), *path = NULL;
    if (!text)
        return -1;
    set_object(&self->name, text);
    if (list && list != Py_None) {
        if (!PyUnicode_FSConverter(list, &path))
            return -1;
        o.suffix_list = PyBytes_AsString(path);
    }
    UNLOCKED(rc = shms_jar_open(name, &o, &j));
    Py_XDECREF(path);
    return handle_opened(self, rc, j);
}

static void jar_dealloc(PyObject *object)
{
    handle_dealloc(object, close_jar);
}

static PyObject *jar_close(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (handle_close((Handle *)self, close_jar) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *number_or_error(Handle *self, int64_t rc)
{
    return rc < 0 ? raise_code(rc, self->name) : PyLong_FromLongLong(rc);
}

/* ---------------------------------------------------------------- requests */

/* _set(url, flags, site, partition, line): 0, or why it was refused */
static PyObject *jar_set(PyObject *object, PyObject *args)
{
    Handle *self = (Handle *)object;
    shms_jar_request r = {.struct_size = sizeof r};
    Py_buffer line;
    int rc;
    if (!PyArg_ParseTuple(args, "sO&O&zy*:_set", &r.url, convert_u32, &r.flags, convert_u32, &r.site,
                          &r.partition, &line))
        return NULL;
    if (!handle_of(self)) {
        PyBuffer_Release(&line);
        return NULL;
    }
    WITHOUT_GIL(self, rc = shms_jar_set(self->h, &r, line.buf, (size_t)line.len));
    PyBuffer_Release(&line);
    return number_or_error(self, rc);
}

/* _get(url, flags, site, partition): the Cookie line, bytes */
static PyObject *jar_get(PyObject *object, PyObject *args)
{
    Handle *self = (Handle *)object;
    shms_jar_request r = {.struct_size = sizeof r};
    int64_t n = 4095;
    if (!PyArg_ParseTuple(args, "sO&O&z:_get", &r.url, convert_u32, &r.flags, convert_u32, &r.site,
                          &r.partition) ||
        !handle_of(self))
        return NULL;
    for (;;) { /* it may be a longer one meanwhile */
        const int64_t room = n + 1; /* for its zero byte */
        char *buf = PyMem_Malloc((size_t)room);
        if (!buf)
            return PyErr_NoMemory();
        WITHOUT_GIL(self, n = shms_jar_get(self->h, &r, buf, (size_t)room));
        PyObject *line = n >= 0 && n < room ? PyBytes_FromStringAndSize(buf, (Py_ssize_t)n) : NULL;
        PyMem_Free(buf);
        if (n < room)
            return n < 0 ? raise_code(n, self->name) : line;
    }
}

/* ----------------------------------------------------------------- cookies */

static PyObject *text_of(const char *text)
{
    if (!text)
        return Py_NewRef(Py_None);
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "surrogateescape");
}

/* What Cookie._of() of the Python half takes; see there. */
static int add_cookie(const shms_cookie *c, void *list)
{
    PyObject *host = text_of(c->host), *name = text_of(c->name), *value = text_of(c->value);
    PyObject *path = text_of(c->path), *partition = text_of(c->partition), *cookie = NULL;
    if (host && name && value && path && partition)
        cookie = Py_BuildValue("(OOOOOIILLLLL)", host, name, value, path, partition, c->flags, c->same_site,
                               (long long)c->expires_ns, (long long)c->created_ns, (long long)c->used_ns,
                               (long long)c->created, (long long)c->changed);
    Py_XDECREF(host);
    Py_XDECREF(name);
    Py_XDECREF(value);
    Py_XDECREF(path);
    Py_XDECREF(partition);
    const int failed = !cookie || PyList_Append(list, cookie) < 0;
    Py_XDECREF(cookie);
    return failed ? INT32_MIN : 0;
}

/* _each(host): a list of cookies; None: of all hosts */
static PyObject *jar_each(PyObject *object, PyObject *args)
{
    Handle *self = (Handle *)object;
    const char *host;
    if (!PyArg_ParseTuple(args, "z:_each", &host) || !handle_of(self))
        return NULL;
    PyObject *list = PyList_New(0);
    if (!list)
        return NULL;
    handle_enter(self);
    const int64_t rc = shms_jar_each(self->h, host, add_cookie, list);
    handle_leave(self);
    if (rc >= 0)
        return list;
    Py_DECREF(list);
    return PyErr_Occurred() ? NULL : raise_code(rc, self->name);
}

/* _changes(since): ([cookie], since), or None for the list where some were missed */
static PyObject *jar_changes(PyObject *object, PyObject *args)
{
    Handle *self = (Handle *)object;
    long long from;
    if (!PyArg_ParseTuple(args, "L:_changes", &from) || !handle_of(self))
        return NULL;
    int64_t since = from;
    PyObject *list = PyList_New(0);
    if (!list)
        return NULL;
    handle_enter(self);
    const int64_t rc = shms_jar_changes(self->h, &since, add_cookie, list);
    handle_leave(self);
    if (rc >= 0)
        return Py_BuildValue("(NL)", list, (long long)since);
    Py_DECREF(list);
    if (rc == SHMS_E_MISSED)
        return Py_BuildValue("(OL)", Py_None, (long long)since);
    return PyErr_Occurred() ? NULL : raise_code(rc, self->name);
}

/* _put(host, name, value, path, partition, flags, same_site, expires_ns): 0, or why it was refused */
static PyObject *jar_put(PyObject *object, PyObject *args)
{
    Handle *self = (Handle *)object;
    shms_cookie c = {.struct_size = sizeof c};
    long long expires_ns;
    int rc;
    if (!PyArg_ParseTuple(args, "syyyzO&O&L:_put", &c.host, &c.name, &c.value, &c.path, &c.partition,
                          convert_u32, &c.flags, convert_u32, &c.same_site, &expires_ns) ||
        !handle_of(self))
        return NULL;
    c.expires_ns = expires_ns;
    WITHOUT_GIL(self, rc = shms_jar_put(self->h, &c));
    return number_or_error(self, rc);
}

/* _delete(host, name, path or None, partition or None) */
static PyObject *jar_delete(PyObject *object, PyObject *args)
{
    Handle *self = (Handle *)object;
    shms_cookie c = {.struct_size = sizeof c};
    Py_buffer path;
    int rc;
    if (!PyArg_ParseTuple(args, "syz*z:_delete", &c.host, &c.name, &path, &c.partition))
        return NULL;
    c.path = path.buf;
    if (!handle_of(self) || (c.path && strlen(c.path) != (size_t)path.len)) {
        if (self->h)
            PyErr_SetString(PyExc_ValueError, "embedded null byte");
        PyBuffer_Release(&path);
        return NULL;
    }
    WITHOUT_GIL(self, rc = shms_jar_del(self->h, &c));
    PyBuffer_Release(&path);
    if (rc < 0)
        return raise_code(rc, self->name);
    Py_RETURN_NONE;
}

static PyObject *jar_clear(PyObject *object, PyObject *args, PyObject *kw)
{
    static char *names[] = {"host", NULL};
    Handle *self = (Handle *)object;
    const char *host = NULL;
    int64_t n;
    if (!PyArg_ParseTupleAndKeywords(args, kw, "|z:clear", names, &host) || !handle_of(self))
        return NULL;
    WITHOUT_GIL(self, n = shms_jar_clear(self->h, host));
    return number_or_error(self, n);
}

/* ------------------------------------------------------- waiting and locks */

static int64_t wait_jar(void *h, void *seen, int timeout_ms)
{
    return shms_jar_wait(h, seen, timeout_ms);
}

static int64_t lock_host(void *h, void *host, int timeout_ms)
{
    return shms_jar_lock(h, host, timeout_ms);
}

static PyObject *jar_wait(PyObject *object, PyObject *args, PyObject *kw)
{
    static char *names[] = {"seen", "timeout", NULL};
    Handle *self = (Handle *)object;
    PyObject *timeout = Py_None;
    long long from;
    Deadline deadline;
    if (!PyArg_ParseTupleAndKeywords(args, kw, "L|O:wait", names, &from, &timeout) ||
        parse_timeout(timeout, &deadline) < 0 || !handle_of(self))
        return NULL;
    int64_t seen = from;
    const int64_t rc = attempt(self, wait_jar, &seen, &deadline);
    return number_or_error(self, rc < 0 ? rc : seen);
}

/* _lock(host, timeout, holder): whether the holder before died */
static PyObject *jar_lock(PyObject *object, PyObject *args)
{
    Handle *self = (Handle *)object;
    char *host;
    PyObject *timeout, *holder;
    Deadline deadline;
    if (!PyArg_ParseTuple(args, "sOO:_lock", &host, &timeout, &holder) ||
        parse_timeout(timeout, &deadline) < 0 || !handle_of(self))
        return NULL;
    deadline.may_block = 1; /* for the change that a lock is */
    const int64_t rc = attempt(self, lock_host, host, &deadline);
    return lock_got(self, rc, holder);
}

static PyObject *jar_unlock(PyObject *object, PyObject *args)
{
    Handle *self = (Handle *)object;
    const char *host;
    int rc;
    if (!PyArg_ParseTuple(args, "s:_unlock", &host) || !handle_of(self))
        return NULL;
    WITHOUT_GIL(self, rc = shms_jar_unlock(self->h, host));
    return number_or_error(self, rc);
}

/* --------------------------------------------------------------- the whole */

typedef int64_t file_fn(shms_jar *j, const char *path, uint64_t *ret_left_out);

static PyObject *with_file(PyObject *object, PyObject *args, file_fn *call)
{
    Handle *self = (Handle *)object;
    PyObject *path;
    uint64_t left_out = 0;
    int64_t n;
    if (!PyArg_ParseTuple(args, "O&", PyUnicode_FSConverter, &path))
        return NULL;
    if (!handle_of(self)) {
        Py_DECREF(path);
        return NULL;
    }
    WITHOUT_GIL(self, n = call(self->h, PyBytes_AsString(path), &left_out));
    Py_DECREF(path);
    return n < 0 ? raise_code(n, PyTuple_GetItem(args, 0))
                 : Py_BuildValue("(LK)", (long long)n, (unsigned long long)left_out);
}

static PyObject *jar_import(PyObject *object, PyObject *args)
{
    return with_file(object, args, shms_jar_import);
}

static PyObject *jar_export(PyObject *object, PyObject *args)
{
    return with_file(object, args, shms_jar_export);
}

static int stats_of(Handle *self, shms_jar_stats *ret)
{
    int rc;
    *ret = (shms_jar_stats){.struct_size = sizeof *ret};
    if (!handle_of(self))
        return -1;
    WITHOUT_GIL(self, rc = shms_jar_info(self->h, ret));
    if (rc < 0)
        raise_code(rc, self->name);
    return rc < 0 ? -1 : 0;
}

static Py_ssize_t jar_length(PyObject *object)
{
    shms_jar_stats t;
    return stats_of((Handle *)object, &t) < 0 ? -1 : (Py_ssize_t)t.cookies;
}

static PyObject *jar_info(PyObject *object, PyObject *unused)
{
    shms_jar_stats t;
    (void)unused;
    if (stats_of((Handle *)object, &t) < 0)
        return NULL;
    return Py_BuildValue("{sKsKsKsKsL}", "cookies", (unsigned long long)t.cookies, "places",
                         (unsigned long long)t.places, "size", (unsigned long long)t.size, "max_size",
                         (unsigned long long)t.max_size, "version", (long long)t.version);
}

static PyObject *jar_fileno(PyObject *object, PyObject *unused)
{
    Handle *self = (Handle *)object;
    (void)unused;
    return handle_of(self) ? number_or_error(self, shms_jar_poll_fd(self->h)) : NULL;
}

static PyObject *get_version(PyObject *object, void *unused)
{
    Handle *self = (Handle *)object;
    (void)unused;
    return handle_of(self) ? number_or_error(self, shms_jar_version(self->h)) : NULL;
}

static PyMethodDef jar_methods[] = {
    {"close", jar_close, METH_NOARGS, "Leave the jar. Locks of hosts are given back."},
    {"_set", jar_set, METH_VARARGS, NULL},
    {"_get", jar_get, METH_VARARGS, NULL},
    {"_each", jar_each, METH_VARARGS, NULL},
    {"_put", jar_put, METH_VARARGS, NULL},
    {"_delete", jar_delete, METH_VARARGS, NULL},
    {"clear", METHOD(jar_clear), METH_VARARGS | METH_KEYWORDS,
     "clear(host=None): delete all cookies, of a host or of all; how many they were"},
    {"_changes", jar_changes, METH_VARARGS, NULL},
    {"wait", METHOD(jar_wait), METH_VARARGS | METH_KEYWORDS, "wait(seen, timeout=None): the version now"},
    {"_lock", jar_lock, METH_VARARGS, NULL},
    {"_unlock", jar_unlock, METH_VARARGS, NULL},
    {"import_file", jar_import, METH_VARARGS, "Put in what a cookies.txt has: (how many, left out)"},
    {"export_file", jar_export, METH_VARARGS, "Write a cookies.txt: (how many, left out)"},
    {"info", jar_info, METH_NOARGS, "What can be told about the jar."},
    {"fileno", jar_fileno, METH_NOARGS, "The descriptor that tells of changes. Never read or close it."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef jar_properties[] = {
    {"version", get_version, NULL, "The number of the last change.", NULL},
    {"name", handle_name, NULL, NULL, NULL},
    {"closed", handle_closed, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot jar_slots[] = {
    {Py_tp_doc, "A jar: an open handle of cookies that processes share."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, jar_init},
    {Py_tp_dealloc, jar_dealloc},
    {Py_tp_methods, jar_methods},
    {Py_tp_getset, jar_properties},
    {Py_sq_length, jar_length},
    {0, NULL},
};

static PyType_Spec jar_spec = {
    "shmstream._jar.Jar", sizeof(Handle), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, jar_slots,
};

static PyObject *module_reason(PyObject *module, PyObject *args)
{
    int reason;
    (void)module;
    if (!PyArg_ParseTuple(args, "i:_reason", &reason))
        return NULL;
    return PyUnicode_FromString(shms_jar_reason(reason));
}

static PyMethodDef module_methods[] = {
    {"_reason", module_reason, METH_VARARGS, NULL},
    {"_set_errors", set_errors, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    "_jar",
    "shmstream's C half for jars; import shmstream instead.",
    -1,
    module_methods,
    NULL,
    NULL,
    NULL,
    NULL,
};

PyMODINIT_FUNC PyInit__jar(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (!module)
        return NULL;
    if (watch_forks() < 0 || add_type(module, "Jar", &jar_spec, NULL) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
