/* SPDX-License-Identifier: MIT */
/* Cookies as JSON, the same for the extension and for comparing.
 *
 * A state is an object with all that a cookie is, or null: there is none. Two states of a cookie are equal if
 * json_equal() says so. A key says which cookie it is: partition, host, whether for that host only, name,
 * path. */
#ifndef SHMS_COOKIE_STATE_H
#define SHMS_COOKIE_STATE_H

#include "shmstream/jar.h"

#include <jansson.h>
#include <stdbool.h>

/* NULL: JSON cannot hold it (it is not in UTF-8), or no memory. */
json_t *state_of(const shms_cookie *cookie);

/* To be freed. NULL: no memory. */
char *key_of(const shms_cookie *cookie);

/* The texts are the state's. False: it is none, a field being absent or of another type. */
bool state_cookie(const json_t *state, shms_cookie *ret);

/* The state of the like of this cookie in the jar. NULL: the error is in *ret_error. */
json_t *state_in_jar(shms_jar *j, const shms_cookie *like, int64_t *ret_error);

/* As shms_jar_put(); with `gone` it deletes this one. */
int state_put(shms_jar *j, const shms_cookie *cookie, bool gone);

#endif
