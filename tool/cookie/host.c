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

static int serve(bridge *b, int jar_fd)
{
    int64_t seen = 0;
    struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = jar_fd, .events = POLLIN}};
    for (;;) {
        int64_t rc = shms_jar_wait(b->jar, &seen, 0); /* and arm the descriptor */
        bool changed = rc == 0;
        if (changed)
            rc = bridge_follow(b);
        if (rc < 0 && rc != SHMS_E_TIMEOUT)
            return end_by(b, rc);
        fds[0].revents = 0;
        if (poll(fds, 2, changed ? 0 : -1) < 0 || !fds[0].revents)
            continue;
        int status = take_message(b);
        if (status >= 0)
            return status;
    }
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
