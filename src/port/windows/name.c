/* SPDX-License-Identifier: MIT */
/* Windows: names are the system's own, verbatim, so that programs built on TShareMemStream find the same. */
#include "objects.h"

#include <string.h>

/* What follows `Global\` or `Local\`. */
static const char *after_prefix(const char *text, bool *ret_global)
{
    *ret_global = strncmp(text, "Global\\", 7) == 0;
    if (*ret_global)
        return text + 7;
    return strncmp(text, "Local\\", 6) == 0 ? text + 6 : text;
}

static bool ends_in(const char *text, const char *ending)
{
    size_t n = strlen(text), m = strlen(ending);
    return n >= m && strcmp(text + n - m, ending) == 0;
}

int shms__name_resolve(const char *text, bool create, struct name *ret)
{
    wchar_t wide[OBJECT_NAME_MAX];
    (void)create;
    if (!text)
        return shms__fail(SHMS_E_INVALID);
    const char *x = after_prefix(text, &ret->global);
    size_t n = strlen(text);
    /* Another region's control is nobody's data. */
    if (!*x || strchr(x, '\\') || strlen(x) > PORT_NAME_MAX || ends_in(x, CONTROL_ENDING) ||
        !shms__object_name(text, GATE_ENDING, wide))
        return shms__fail(SHMS_E_INVALID);
    memcpy(ret->data, text, n + 1);
    memcpy(ret->control, text, n);
    memcpy(ret->control + n, CONTROL_ENDING, sizeof CONTROL_ENDING);
    return 0;
}

bool shms__name_from_file(bool global, const char *file_name, char ret_text[NAME_TEXT_MAX], bool *ret_is_data)
{
    const char *prefix = global ? "Global\\" : "";
    size_t used = strlen(prefix), n = strlen(file_name);
    if (!ends_in(file_name, CONTROL_ENDING) || n - strlen(CONTROL_ENDING) > PORT_NAME_MAX)
        return false;
    n -= strlen(CONTROL_ENDING);
    memcpy(ret_text, prefix, used);
    memcpy(ret_text + used, file_name, n);
    ret_text[used + n] = 0;
    *ret_is_data = false;
    return n > 0;
}
