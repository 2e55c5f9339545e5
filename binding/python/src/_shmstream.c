/* SPDX-License-Identifier: MIT */
/* The module, and what needs no handle. */
#include "face.h"

#include <string.h>

/* ------------------------------------------------------------- what exists */

static PyObject *module_unlink(PyObject *module, PyObject *args)
{
    const char *name;
    int rc;
    (void)module;
    if (!PyArg_ParseTuple(args, "s:unlink", &name))
        return NULL;
    UNLOCKED(rc = shms_stream_unlink(name));
    if (rc < 0) {
        PyObject *text = PyTuple_GetItem(args, 0);
        return raise_code(rc, text);
    }
    Py_RETURN_NONE;
}

static int add_region(const char *name, const shms_info *info, void *list)
{
    /* A stranger may have put anything into a name. */
    PyObject *text = PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "surrogateescape");
    if (!text)
        return 1;
    PyObject *entry = Py_BuildValue("(NIIKKLIIIi)", text, info->kind, info->state,
                                    (unsigned long long)info->size, (unsigned long long)info->max_size,
                                    (long long)info->version, info->members, info->waiters, info->locked,
                                    (int)info->keep);
    if (!entry)
        return 1;
    const int rc = PyList_Append(list, entry);
    Py_DECREF(entry);
    return rc < 0;
}

static PyObject *module_regions(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    PyObject *list = PyList_New(0);
    if (!list)
        return NULL;
    const int rc = shms_list(add_region, list);
    if (rc == 0)
        return list;
    Py_DECREF(list);
    return rc < 0 ? raise_code(rc, NULL) : NULL;
}

static PyMethodDef module_methods[] = {
    {"unlink", module_unlink, METH_VARARGS, "unlink(name): remove the name of a region."},
    {"_regions", module_regions, METH_NOARGS, NULL},
    {"_set_errors", set_errors, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    "_shmstream",
    "shmstream's C half; import shmstream instead.",
    -1,
    module_methods,
    NULL,
    NULL,
    NULL,
    NULL,
};

PyMODINIT_FUNC PyInit__shmstream(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (!module)
        return NULL;
    if (watch_forks() < 0 || add_codes(module) < 0 || add_type(module, "Stream", &stream_spec, NULL) < 0 ||
        add_type(module, "Section", &section_spec, &section_type) < 0 ||
        add_type(module, "Channel", &channel_spec, NULL) < 0 ||
        add_type(module, "Dict", &dict_spec, NULL) < 0 ||
        PyModule_AddIntConstant(module, "MEMBERS_MAX", SHMS_MEMBERS_MAX) < 0 ||
        PyModule_AddStringConstant(module, "__version__", shms_version()) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
