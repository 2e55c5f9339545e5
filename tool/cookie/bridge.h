/* SPDX-License-Identifier: MIT */
/* Keeps the cookies of a browser and those of a jar equal.
 *
 * The jar is the truth. The bridge knows of each cookie what the browser holds, as far as it was told, and
 * what it is writing into the browser:
 *   browser  the state that the browser told last
 *   sent     a write is under way: this state; at most one for each cookie
 *   echoed   the browser has told that state since
 *   given    the jar's state to which the browser answered with what it holds: it will not take it otherwise
 *
 * - What the browser tells and is neither the echo of `sent` nor what it holds already goes into the jar.
 * - What differs between jar and browser while no write is under way is written into the browser, unless it
 *   was `given`. The end of a write looks again.
 * So each burst ends with both equal to the jar. Nothing waits for anything: the bridge can be killed at any
 * instant, and the next one begins with a walk over both. */
#ifndef SHMS_COOKIE_BRIDGE_H
#define SHMS_COOKIE_BRIDGE_H

#include "cookie.h"
#include "message.h"

typedef struct bridge {
    const arguments *args;
    shms_jar *jar;
    json_t *entries; /* by key */
    int64_t since;   /* changes of the jar up to here are in the browser, or under way */
    int to_browser;
    bool ready; /* both have been walked */
    bool mute;  /* the browser does not read any more */
} bridge;

/* A code of the library, or 0. */
int64_t bridge_take(bridge *b, const json_t *message);
int64_t bridge_follow(bridge *b);

void bridge_send(bridge *b, json_t *message);

#endif
