/* SPDX-License-Identifier: MIT */
/* Dict: a handle of a dict. Keys and values are bytes; str is taken, as UTF-8. */
#include "face.h"

static void close_dict(void *h)
{
    shms_dict_close(h);
}

static int dict_init(PyObject *object, PyObject *args, PyObject *kw)
{
    static char *names[] = {"name",     "size",      "readonly",     "create",    "keep", "mode",
                            "max_size", "owners",    "owner_uid",    "cell_size", "ring", "policy",
                            "key_max",  "value_max", "open_timeout", NULL};
    Handle *self = (Handle *)object;
    const char *name;
    uint64_t size = 0;
    int rc, keep = 0;
    PyObject *timeout = NULL;
    shms_dict_options o = {.struct_size = sizeof o};
    shms_dict *d = NULL;
    if (handle_may_open(self) < 0)
        return -1;
    if (!PyArg_ParseTupleAndKeywords(
            args, kw, "s|O&$pO&pO&O&O&O&O&O&O&O&O&O:Dict", names, &name, convert_u64, &size, &self->read_only,
            convert_u32, &o.create, &keep, convert_u32, &o.mode, convert_u64, &o.max_size, convert_u32,
            &o.owners, convert_u32, &o.owner_uid, convert_u32, &o.cell_size, convert_u32, &o.ring,
            convert_u32, &o.policy, convert_u32, &o.key_max, convert_u32, &o.value_max, &timeout))
        return -1;
    if (timeout && timeout != Py_None && parse_timeout_ms(timeout, &o.open_timeout_ms) < 0)
        return -1;
    o.access = self->read_only ? SHMS_ACCESS_READ : SHMS_ACCESS_READ_WRITE;
    o.keep = (uint8_t)keep;
    PyObject *text = PyUnicode_FromString(name);
    if (!text)
        return -1;
    set_object(&self->name, text);
    UNLOCKED(rc = shms_dict_open(name, size, &o, &d));
    return handle_opened(self, rc, d);
}

static void dict_dealloc(PyObject *object)
{
    handle_dealloc(object, close_dict);
}

static PyObject *dict_close(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (handle_close((Handle *)self, close_dict) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *number_or_error(Handle *self, int64_t rc)
{
    return rc < 0 ? raise_code(rc, self->name) : PyLong_FromLongLong(rc);
}

/* ----------------------------------------------------------------- records */

#define NEAR 4096

/* The value, or NULL: *ret_code tells the failure, RAISED one of Python. */
static PyObject *value_of(Handle *self, const Py_buffer *key, shms_dict_record *record, int64_t *ret_code)
{
    char near[NEAR]; /* most values fit: one call */
    int64_t n;
    *ret_code = RAISED;
    WITHOUT_GIL(self, n = shms_dict_get(self->h, key->buf, (size_t)key->len, near, sizeof near, record));
    if (n >= 0 && n <= NEAR)
        return PyBytes_FromStringAndSize(near, (Py_ssize_t)n);
    for (int64_t room = n; room >= 0; room = n) { /* it may be a longer one meanwhile */
        PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)room);
        if (!bytes)
            return NULL;
        void *to = PyBytes_AsString(bytes);
        WITHOUT_GIL(self, n = shms_dict_get(self->h, key->buf, (size_t)key->len, to, (size_t)room, record));
        if (n >= 0 && n <= room)
            return n < room ? shorten(bytes, (Py_ssize_t)n) : bytes;
        Py_DECREF(bytes);
    }
    *ret_code = n;
    return NULL;
}

static PyObject *dict_subscript(PyObject *object, PyObject *name)
{
    Handle *self = (Handle *)object;
    Py_buffer key;
    int64_t code = 0;
    if (!handle_of(self) || bytes_of(name, &key) < 0)
        return NULL;
    PyObject *value = value_of(self, &key, NULL, &code);
    PyBuffer_Release(&key);
    if (!value && code == SHMS_E_NOT_FOUND)
        PyErr_SetObject(PyExc_KeyError, name);
    else if (!value)
        raise_code(code, self->name);
    return value;
}

static PyObject *dict_get(PyObject *object, PyObject *const *args, Py_ssize_t n)
{
    Handle *self = (Handle *)object;
    Py_buffer key;
    int64_t code = 0;
    if (n < 1 || n > 2)
        return PyErr_Format(PyExc_TypeError, "get() takes 1 or 2 arguments");
    if (!handle_of(self) || bytes_of(args[0], &key) < 0)
        return NULL;
    PyObject *value = value_of(self, &key, NULL, &code);
    PyBuffer_Release(&key);
    if (value)
        return value;
    if (code == SHMS_E_NOT_FOUND)
        return Py_NewRef(n == 2 ? args[1] : Py_None);
    return raise_code(code, self->name);
}

/* (value, version, expires_ns), or None */
static PyObject *dict_find(PyObject *object, PyObject *name)
{
    Handle *self = (Handle *)object;
    shms_dict_record record = {.struct_size = sizeof record};
    Py_buffer key;
    int64_t code = 0;
    if (!handle_of(self) || bytes_of(name, &key) < 0)
        return NULL;
    PyObject *value = value_of(self, &key, &record, &code);
    PyBuffer_Release(&key);
    if (value)
        return Py_BuildValue("(NLL)", value, (long long)record.version, (long long)record.expires_ns);
    if (code == SHMS_E_NOT_FOUND)
        Py_RETURN_NONE;
    return raise_code(code, self->name);
}

static int dict_contains(PyObject *object, PyObject *name)
{
    Handle *self = (Handle *)object;
    Py_buffer key;
    int64_t n;
    if (!handle_of(self) || bytes_of(name, &key) < 0)
        return -1;
    WITHOUT_GIL(self, n = shms_dict_get(self->h, key.buf, (size_t)key.len, NULL, 0, NULL));
    PyBuffer_Release(&key);
    if (n < 0 && n != SHMS_E_NOT_FOUND) {
        raise_code(n, self->name);
        return -1;
    }
    return n >= 0;
}

/* When a record expires: ttl in seconds. */
static int parse_how(PyObject *ttl, long long if_version, shms_dict_how *ret)
{
    int32_t ms;
    *ret = (shms_dict_how){.struct_size = sizeof *ret, .if_version = if_version};
    if (ttl == Py_None)
        return 0;
    const double seconds = PyFloat_AsDouble(ttl);
    if (seconds == -1 && PyErr_Occurred())
        return -1;
    if (!(seconds > 0)) {
        PyErr_SetString(PyExc_ValueError, "ttl is None, or seconds over 0");
        return -1;
    }
    if (seconds < 2e6)
        return parse_timeout_ms(ttl, &ms) < 0 ? -1 : (ret->ttl_ms = ms, 0);
    ret->ttl_ms =
        seconds < 9e15 ? (int64_t)seconds * 1000 : INT64_MAX; /* the call says that it is too long */
    return 0;
}

static int64_t set_value(Handle *self, PyObject *name, PyObject *value, const shms_dict_how *how)
{
    Py_buffer key, bytes;
    int64_t rc;
    if (!handle_of(self) || bytes_of(name, &key) < 0)
        return RAISED;
    if (bytes_of(value, &bytes) < 0) {
        PyBuffer_Release(&key);
        return RAISED;
    }
    WITHOUT_GIL(self,
                rc = shms_dict_set(self->h, key.buf, (size_t)key.len, bytes.buf, (size_t)bytes.len, how));
    PyBuffer_Release(&bytes);
    PyBuffer_Release(&key);
    return rc;
}

static PyObject *dict_set(PyObject *object, PyObject *args, PyObject *kw)
{
    static char *names[] = {"key", "value", "ttl", "if_version", NULL};
    Handle *self = (Handle *)object;
    PyObject *key, *value, *ttl = Py_None;
    long long if_version = 0;
    shms_dict_how how;
    if (!PyArg_ParseTupleAndKeywords(args, kw, "OO|$OL:set", names, &key, &value, &ttl, &if_version) ||
        parse_how(ttl, if_version, &how) < 0)
        return NULL;
    return number_or_error(self, set_value(self, key, value, &how));
}

static int64_t del_key(Handle *self, PyObject *name, const shms_dict_how *how)
{
    Py_buffer key;
    int64_t rc;
    if (!handle_of(self) || bytes_of(name, &key) < 0)
        return RAISED;
    WITHOUT_GIL(self, rc = shms_dict_del(self->h, key.buf, (size_t)key.len, how));
    PyBuffer_Release(&key);
    return rc;
}

static PyObject *dict_del(PyObject *object, PyObject *args, PyObject *kw)
{
    static char *names[] = {"key", "if_version", NULL};
    PyObject *key;
    shms_dict_how how = {.struct_size = sizeof how};
    long long if_version = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kw, "O|$L:delete", names, &key, &if_version))
        return NULL;
    how.if_version = if_version;
    return number_or_error((Handle *)object, del_key((Handle *)object, key, &how));
}

static int dict_assign(PyObject *object, PyObject *key, PyObject *value)
{
    Handle *self = (Handle *)object;
    const int64_t rc = value ? set_value(self, key, value, NULL) : del_key(self, key, NULL);
    if (rc == SHMS_E_NOT_FOUND)
        PyErr_SetObject(PyExc_KeyError, key);
    else if (rc < 0)
        raise_code(rc, self->name);
    return rc < 0 ? -1 : 0;
}

static PyObject *dict_add(PyObject *object, PyObject *args, PyObject *kw)
{
    static char *names[] = {"key", "delta", "start", "ttl", NULL};
    Handle *self = (Handle *)object;
    PyObject *name, *ttl = Py_None;
    long long delta = 1, start = 0;
    int64_t rc, sum = 0;
    shms_dict_how how;
    Py_buffer key;
    if (!PyArg_ParseTupleAndKeywords(args, kw, "O|LL$O:add", names, &name, &delta, &start, &ttl) ||
        parse_how(ttl, 0, &how) < 0 || !handle_of(self) || bytes_of(name, &key) < 0)
        return NULL;
    WITHOUT_GIL(self, rc = shms_dict_add(self->h, key.buf, (size_t)key.len, delta, start, &how, &sum));
    PyBuffer_Release(&key);
    return rc < 0 ? raise_code(rc, self->name) : PyLong_FromLongLong(sum);
}

/* ------------------------------------------------------------ walk and feed */

static int stats_of(Handle *self, shms_dict_stats *ret)
{
    *ret = (shms_dict_stats){.struct_size = sizeof *ret};
    if (!handle_of(self))
        return -1;
    const int rc = shms_dict_info(self->h, ret);
    if (rc < 0)
        raise_code(rc, self->name);
    return rc < 0 ? -1 : 0;
}

static PyObject *walk_step(Handle *self, uint64_t cursor, char *key, size_t key_max, char *value,
                           size_t value_max)
{
    size_t key_size = key_max, value_size = value_max;
    int rc;
    WITHOUT_GIL(self, rc = shms_dict_next(self->h, &cursor, key, &key_size, value, &value_size, NULL));
    if (rc < 0)
        return raise_code(rc, self->name);
    if (rc == 0)
        Py_RETURN_NONE;
    return Py_BuildValue("(Ky#y#)", (unsigned long long)cursor, key, (Py_ssize_t)key_size, value,
                         (Py_ssize_t)value_size);
}

/* _next(cursor): (cursor, key, value) or None at the end */
static PyObject *dict_next(PyObject *object, PyObject *args)
{
    Handle *self = (Handle *)object;
    shms_dict_stats stats;
    uint64_t cursor;
    if (!PyArg_ParseTuple(args, "O&:_next", convert_u64, &cursor) || stats_of(self, &stats) < 0)
        return NULL;
    char *room = PyMem_Malloc((size_t)stats.key_max + stats.value_max);
    if (!room)
        return PyErr_NoMemory();
    PyObject *step = walk_step(self, cursor, room, stats.key_max, room + stats.key_max, stats.value_max);
    PyMem_Free(room);
    return step;
}

static int add_change(const void *key, size_t key_size, const shms_dict_record *record, void *list)
{
    PyObject *change =
        Py_BuildValue("(y#LI)", key, (Py_ssize_t)key_size, (long long)record->version, record->flags);
    if (!change)
        return INT32_MIN;
    const int rc = PyList_Append(list, change);
    Py_DECREF(change);
    return rc < 0 ? INT32_MIN : 0;
}

/* _changes(since): ([(key, version, flags)], since), or None where some were missed */
static PyObject *dict_changes(PyObject *object, PyObject *args)
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
    const int64_t rc = shms_dict_changes(self->h, &since, add_change, list); /* it never waits */
    handle_leave(self);
    if (rc >= 0)
        return Py_BuildValue("(NL)", list, (long long)since);
    Py_DECREF(list);
    if (rc == SHMS_E_MISSED)
        return Py_BuildValue("(OL)", Py_None, (long long)since);
    return PyErr_Occurred() ? NULL : raise_code(rc, self->name);
}

typedef struct Key {
    Py_buffer view; /* buf is NULL for the dict as a whole */
    int64_t seen;
} Key;

static int64_t wait_key(void *h, void *key, int timeout_ms)
{
    Key *k = key;
    return shms_dict_wait(h, k->view.buf, (size_t)k->view.len, &k->seen, timeout_ms);
}

static int64_t lock_key(void *h, void *key, int timeout_ms)
{
    const Key *k = key;
    return shms_dict_lock(h, k->view.buf, (size_t)k->view.len, timeout_ms);
}

static PyObject *dict_wait(PyObject *object, PyObject *args, PyObject *kw)
{
    static char *names[] = {"seen", "timeout", "key", NULL};
    Handle *self = (Handle *)object;
    PyObject *timeout = Py_None, *name = Py_None;
    long long seen;
    Deadline deadline;
    Key key = {.seen = 0};
    if (!PyArg_ParseTupleAndKeywords(args, kw, "L|OO:wait", names, &seen, &timeout, &name) ||
        parse_timeout(timeout, &deadline) < 0 || !handle_of(self) ||
        (name != Py_None && bytes_of(name, &key.view) < 0))
        return NULL;
    key.seen = seen;
    const int64_t rc = attempt(self, wait_key, &key, &deadline);
    if (name != Py_None)
        PyBuffer_Release(&key.view);
    return rc < 0 ? raise_code(rc, self->name) : PyLong_FromLongLong(key.seen);
}

/* _lock(key, timeout, holder): whether the holder before died */
static PyObject *dict_lock(PyObject *object, PyObject *args)
{
    Handle *self = (Handle *)object;
    PyObject *name, *timeout, *holder;
    Deadline deadline;
    Key key;
    if (!PyArg_ParseTuple(args, "OOO:_lock", &name, &timeout, &holder) ||
        parse_timeout(timeout, &deadline) < 0 || !handle_of(self) || bytes_of(name, &key.view) < 0)
        return NULL;
    deadline.may_block = 1; /* for the change that a lock is */
    const int64_t rc = attempt(self, lock_key, &key, &deadline);
    PyBuffer_Release(&key.view);
    return lock_got(self, rc, holder);
}

static PyObject *dict_unlock(PyObject *object, PyObject *name)
{
    Handle *self = (Handle *)object;
    Py_buffer key;
    int rc;
    if (!handle_of(self) || bytes_of(name, &key) < 0)
        return NULL;
    WITHOUT_GIL(self, rc = shms_dict_unlock(self->h, key.buf, (size_t)key.len));
    PyBuffer_Release(&key);
    return number_or_error(self, rc);
}

static int64_t save(void *h, const char *path)
{
    return shms_dict_save(h, path);
}

static int64_t load(void *h, const char *path)
{
    return shms_dict_load(h, path);
}

static PyObject *dict_save(PyObject *self, PyObject *args)
{
    return handle_with_path(self, args, save);
}

static PyObject *dict_load(PyObject *self, PyObject *args)
{
    return handle_with_path(self, args, load);
}

static PyObject *dict_fileno(PyObject *object, PyObject *unused)
{
    Handle *self = (Handle *)object;
    (void)unused;
    return handle_of(self) ? number_or_error(self, shms_dict_poll_fd(self->h)) : NULL;
}

static Py_ssize_t dict_length(PyObject *object)
{
    shms_dict_stats stats;
    return stats_of((Handle *)object, &stats) < 0 ? -1 : (Py_ssize_t)stats.records;
}

static PyObject *dict_info(PyObject *object, PyObject *unused)
{
    shms_dict_stats t;
    (void)unused;
    if (stats_of((Handle *)object, &t) < 0)
        return NULL;
    return Py_BuildValue("{sIsKsKsKsKsKsKsLsKsKsKsIsIsIsI}", "policy", t.policy, "size",
                         (unsigned long long)t.size, "max_size", (unsigned long long)t.max_size, "records",
                         (unsigned long long)t.records, "cells", (unsigned long long)t.cells, "cells_free",
                         (unsigned long long)t.cells_free, "slots", (unsigned long long)t.slots, "version",
                         (long long)t.version, "evicted", (unsigned long long)t.evicted, "expired",
                         (unsigned long long)t.expired, "locks", (unsigned long long)t.locks, "cell_size",
                         t.cell_size, "ring", t.ring, "key_max", t.key_max, "value_max", t.value_max);
}

static PyObject *get_version(PyObject *object, void *unused)
{
    Handle *self = (Handle *)object;
    (void)unused;
    return handle_of(self) ? number_or_error(self, shms_dict_version(self->h)) : NULL;
}

static PyMethodDef dict_methods[] = {
    {"close", dict_close, METH_NOARGS, "Leave the region. Locks of keys are given back."},
    {"get", METHOD(dict_get), METH_FASTCALL, "get(key, default=None)"},
    {"find", dict_find, METH_O, "(value, version, expires_ns) of a key, or None"},
    {"set", METHOD(dict_set), METH_VARARGS | METH_KEYWORDS, "set(key, value, *, ttl=None, if_version=0)"},
    {"delete", METHOD(dict_del), METH_VARARGS | METH_KEYWORDS, "delete(key, *, if_version=0)"},
    {"add", METHOD(dict_add), METH_VARARGS | METH_KEYWORDS,
     "add(key, delta=1, start=0, *, ttl=None): the sum"},
    {"wait", METHOD(dict_wait), METH_VARARGS | METH_KEYWORDS,
     "wait(seen, timeout=None, key=None): the version now"},
    {"_next", dict_next, METH_VARARGS, NULL},
    {"_changes", dict_changes, METH_VARARGS, NULL},
    {"_lock", dict_lock, METH_VARARGS, NULL},
    {"_unlock", dict_unlock, METH_O, NULL},
    {"save", dict_save, METH_VARARGS, "Write all records to a file."},
    {"load", dict_load, METH_VARARGS, "Set all records of a file."},
    {"info", dict_info, METH_NOARGS, "What can be told about the dict."},
    {"fileno", dict_fileno, METH_NOARGS, "The descriptor that tells of changes. Never read or close it."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef dict_properties[] = {
    {"version", get_version, NULL, "The number of the last change.", NULL},
    {"name", handle_name, NULL, NULL, NULL},
    {"closed", handle_closed, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot dict_slots[] = {
    {Py_tp_doc, "A dict: an open handle of records by key."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, dict_init},
    {Py_tp_dealloc, dict_dealloc},
    {Py_tp_methods, dict_methods},
    {Py_tp_getset, dict_properties},
    {Py_mp_subscript, dict_subscript},
    {Py_mp_ass_subscript, dict_assign},
    {Py_mp_length, dict_length},
    {Py_sq_contains, dict_contains},
    {0, NULL},
};

PyType_Spec dict_spec = {
    "shmstream._shmstream.Dict", sizeof(Handle), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, dict_slots,
};
