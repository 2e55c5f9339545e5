/* SPDX-License-Identifier: MIT */
/* The cookies of one place, and their bytes in the dict. */
#ifndef SHMS_RECORD_H
#define SHMS_RECORD_H

#include "jar.h"

#define MARKS_MOST 16
#define RECORD_BRIEF 4096
#define RECORD_BEGIN 24 /* behind the head */
#define FORGOTTEN_NOW (-1) /* by the present change; read back, it is the record's version */

/* Cookies in the order of their creation, and among them marks of those that went (SHMS_COOKIE_GONE).
 * `created` and `changed` are 0 in what the present change makes; read back, 0 is the version of the record:
 * so both are exact, though the version is not known before the change. */
struct record {
    struct place place;
    shms_cookie *cookies; /* with room for one more than were read */
    shms_cookie only;     /* that room, where there was no record */
    size_t count;
    int64_t version;   /* 0: there was no record */
    int64_t forgotten; /* changed of the newest mark that was given up; 0: none was */
    bool dirty;        /* it was edited */
    char *bytes;       /* what the texts lie in */
    size_t size;
    size_t in_bytes;         /* so many cookies lie there */
    char brief[RECORD_BRIEF]; /* the bytes, where they are few */
};

/* Read a place's record; none is one without cookies. Free it after success only. It must not be
 * moved. */
int shms__record_read(shms_jar *j, const struct place *place, struct record *ret);
void shms__record_free(struct record *r);

/* The same in two steps: only its bytes, and then, if they are wanted, its cookies. */
int shms__record_fetch(shms_jar *j, const struct place *place, struct record *ret);
int shms__record_decode(struct record *r);

/* A cookie as it lies in the bytes, with the lengths of its texts. */
struct stored {
    shms_cookie cookie;
    size_t name_size, value_size, path_size;
};

/* 1: the next one of a record that was fetched; 0: there is none; or SHMS_E_CORRUPT. *at begins as
 * RECORD_BEGIN. */
int shms__record_next(const struct record *r, size_t *at, struct stored *ret);

/* Set it, if it is unchanged since it was read: else SHMS_E_CHANGED or SHMS_E_EXISTS. Flags: SHMS_DICT_... */
int shms__record_write(shms_jar *j, const struct record *r, uint32_t flags);

/* How many bytes it takes. */
size_t shms__record_size(const struct record *r);

/* The cookie of that name, path and host-only flag, or its mark; or count. */
size_t shms__record_find(const struct record *r, const shms_cookie *like);

/* Make a mark of a cookie. */
void shms__record_drop(struct record *r, size_t i);

/* Put a cookie in, once a record: it takes the place and the birth of its like. Its texts are not copied. */
void shms__record_put(struct record *r, const shms_cookie *cookie);

/* Take a place away for good. */
void shms__record_remove(struct record *r, size_t i);

size_t shms__record_alive(const struct record *r);

bool shms__is_gone(const shms_cookie *c, int64_t now);

#endif
