/* SPDX-License-Identifier: MIT */
/* Names: what a user calls a region, and which files that means. */
#ifndef SHMS_NAME_H
#define SHMS_NAME_H

#include "port.h"

/* Room for a name as users write it, prefix and zero included. */
#define NAME_TEXT_MAX (PORT_NAME_MAX + sizeof "Global\\")

struct name {
    bool global;
    char prefix[PORT_PATH_MAX];  /* the place: file names are appended to it */
    char control[PORT_PATH_MAX * 2]; /* paths of the two files */
    char data[PORT_PATH_MAX * 2];
};

/* SHMS_E_INVALID for a bad name; what shms__place says about the place, which is made if `create`. */
int shms__name_resolve(const char *text, bool create, struct name *ret);

/* From a file name in a place back to the user's text; false: it is no file of ours. */
bool shms__name_from_file(bool global, const char *file_name, char ret_text[NAME_TEXT_MAX],
                          bool *ret_is_data);

#endif
