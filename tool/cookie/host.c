/* SPDX-License-Identifier: MIT */
/* shms-cookie host: what the browser runs for the extension. Native messages on standard input and output:
 *
 *   browser: have     cookies that it holds, some hundreds of bytes each, a part of them
 *            ready    that was all; answered by `equal`
 *            changed  a cookie is new, or is another now
 *            gone     a cookie was deleted, or, with "evicted", made room
 *            done     a write or delete is over; "about" is its cookie, "cookie" what the browser holds
 *                     now, or null
 *   host:    hello    the jar's name
 *            write    this cookie is to be set
 *            delete   this one is to be deleted
 *            kept     number n of `changed`, `gone` or `done` is in the jar
 *            equal    both have been walked
 *            error    why this host ends, in words */
#include "bridge.h"
#include "extension_id.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Chromium gives the extension's origin; Firefox the path of the manifest, then the extension's id. */
static bool is_ours(char **words)
{
    if (!words[0])
        return false;
    return strcmp(words[0], CHROMIUM_ORIGIN) == 0 || (words[1] && strcmp(words[1], FIREFOX_ID) == 0);
}

static int end_by(bridge *b, int64_t code)
{
    bridge_send(b, json_pack("{s:s, s:s}", "type", "error", "text", shms_jar_reason((int)code)));
    return cookie_fail(b->args, b->args->jar, (int)code);
}

/* -1: go on; else the status to end with. */
static int take_message(bridge *b)
{
    const char *wrong;
    json_t *message = message_read(STDIN_FILENO, &wrong);
    if (!message && !wrong)
        return EXIT_SUCCESS; /* the browser has left */
    if (!message) {
        bridge_send(b, json_pack("{s:s, s:s}", "type", "error", "text", wrong));
        return cookie_error(b->args, "%s; what came before is in the jar", wrong);
    }
    int64_t rc = bridge_take(b, message);
    json_decref(message);
    return rc < 0 ? end_by(b, rc) : b->mute ? EXIT_FAILURE : -1;
}

/* ---- the jar's name
 *
 * A process that has a jar open goes on with its memory when its name is removed. Other programs make a new
 * jar then, and the browser would share its cookies with nobody. */

#define LOOK_MS 2000 /* how often the name is looked at */

struct region {
    const char *name;
    int64_t created_ns; /* 0: there is none of that name */
};

static int find_region(const char *name, const shms_info *info, void *context)
{
    struct region *r = context;
    bool found = strcmp(name, r->name) == 0;
    if (found)
        r->created_ns = info->created_ns;
    return found;
}

/* When the region was made that has the jar's name now; 0: there is none; below 0: nobody knows. */
static int64_t birth_of(const char *jar)
{
    struct region r = {.name = jar};
    int rc = shms_list(find_region, &r);
    return rc < 0 ? rc : r.created_ns;
}

/* A name that was not found at first is listed in another spelling. */
static bool is_removed(const bridge *b, int64_t birth)
{
    int64_t now = birth > 0 ? birth_of(b->args->jar) : birth;
    return now >= 0 && now != birth;
}

static int end_removed(bridge *b)
{
    static const char words[] = "the jar was removed";
    bridge_send(b, json_pack("{s:s, s:s}", "type", "error", "text", words));
    return cookie_error(b->args, "%s: %s; the next host makes a new one", b->args->jar, words);
}

static int64_t clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int serve(bridge *b, int jar_fd)
{
    int64_t seen = 0, birth = birth_of(b->args->jar), look = clock_ms() + LOOK_MS;
    struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = jar_fd, .events = POLLIN}};
    for (;;) {
        int64_t rc = shms_jar_wait(b->jar, &seen, 0); /* and arm the descriptor */
        bool changed = rc == 0;
        if (changed)
            rc = bridge_follow(b);
        if (rc < 0 && rc != SHMS_E_TIMEOUT)
            return end_by(b, rc);
        if (clock_ms() >= look) {
            if (is_removed(b, birth))
                return end_removed(b);
            look = clock_ms() + LOOK_MS;
        }
        fds[0].revents = 0;
        if (poll(fds, 2, changed ? 0 : LOOK_MS) < 0 || !fds[0].revents)
            continue;
        int status = take_message(b);
        if (status >= 0)
            return status;
    }
}

/* People see the page of the extension, not what is said on standard error. */
void host_tell_failure(int code)
{
    message_write(STDOUT_FILENO, json_pack("{s:s, s:s}", "type", "error", "text", shms_jar_reason(code)));
}

int run_host(shms_jar *j, const arguments *args)
{
    bridge b = {.args = args, .jar = j, .to_browser = STDOUT_FILENO};
    if (!is_ours(args->words))
        return cookie_error(args, "%s is not this program's extension, and gets no cookies",
                            args->words[0] ? args->words[args->words[1] != NULL] : "no browser's extension");
    messages_wipe();
    signal(SIGPIPE, SIG_IGN);
    int fd = shms_jar_poll_fd(j);
    b.entries = json_object();
    if (fd < 0 || !b.entries)
        return cookie_fail(args, args->jar, fd < 0 ? fd : SHMS_E_NOMEM);
    bridge_send(&b, json_pack("{s:s, s:i, s:s}", "type", "hello", "version", 1, "jar", args->jar));
    int status = serve(&b, fd);
    json_decref(b.entries);
    return status;
}
