/* SPDX-License-Identifier: MIT */
/* Linux (glibc and musl): a stdio FILE over three calls, by fopencookie. */
#include "../../core/port.h"

#include <errno.h>
#include <stdlib.h>

struct adapter {
    void *cookie;
    const struct stdio_calls *calls;
};

static ssize_t adapter_read(void *adapter, char *buf, size_t n)
{
    struct adapter *a = adapter;
    return (ssize_t)a->calls->read(a->cookie, buf, n);
}

/* fopencookie takes 0, not -1, for a failed write. */
static ssize_t adapter_write(void *adapter, const char *buf, size_t n)
{
    struct adapter *a = adapter;
    int64_t done = a->calls->write(a->cookie, buf, n);
    return done < 0 ? 0 : (ssize_t)done;
}

static int adapter_seek(void *adapter, off64_t *offset, int whence)
{
    struct adapter *a = adapter;
    int64_t at = a->calls->seek(a->cookie, *offset, whence);
    if (at < 0)
        return -1;
    *offset = at;
    return 0;
}

static int adapter_close(void *adapter)
{
    struct adapter *a = adapter;
    int rc = a->calls->close(a->cookie);
    free(a);
    return rc;
}

int shms__stdio_open(void *cookie, const char *mode, const struct stdio_calls *calls, FILE **ret)
{
    struct adapter *a = malloc(sizeof *a);
    if (!a)
        return shms__fail_os(ENOMEM);
    *a = (struct adapter){cookie, calls};
    cookie_io_functions_t functions = {adapter_read, adapter_write, adapter_seek, adapter_close};
    FILE *f = fopencookie(a, mode, functions);
    if (!f) {
        int e = errno;
        free(a);
        return shms__fail_os(e);
    }
    *ret = f;
    return 0;
}
