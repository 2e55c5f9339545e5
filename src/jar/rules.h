/* SPDX-License-Identifier: MIT */
/* What may become a cookie: RFC 6265bis, 5.6 and 5.7. */
#ifndef SHMS_RULES_H
#define SHMS_RULES_H

#include "edit.h"

/* A Set-Cookie line, taken apart. Texts lie in `text`. */
struct set_cookie {
    char *text;
    shms_cookie cookie;
    bool has_domain, has_path, partitioned;
    const char *domain; /* as it was said, without a dot before it */
};

/* 0, or SHMS_COOKIE_..., or SHMS_E_NOMEM; free text in any case. The path is set if the line had one. */
int shms__line_parse(const char *line, size_t size, int64_t now_ns, struct set_cookie *ret);

/* Whether a name keeps what its prefix promises. */
bool shms__prefix_kept(const shms_cookie *c, bool has_path);

/* Whether all of a request is known. Its URL is not looked at. */
bool shms__request_sound(const shms_jar_request *r);

/* The furthest that a cookie may expire. */
int64_t shms__expiry_most(int64_t now_ns);

#endif
