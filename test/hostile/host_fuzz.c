/* SPDX-License-Identifier: MIT */
/*
 * What a browser's extension may tell the host of native messages, from libFuzzer. Of an input whose first
 * byte is 0 the rest is what comes through the pipe; of others each line is a message, after which the host
 * follows the jar. At the end a faithful browser does what the host tells it, until both are silent: then it
 * holds what the jar holds, but for what it had answered otherwise before.
 */
#include "bridge.h"
#include "state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROUNDS_MOST 1000
#define CLEAR_EVERY 16

static shms_jar *jar;
static uint64_t runs, taken;

static void demand(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

/* ---- what the host's files need of the program */

int cookie_error(const arguments *args, const char *format, ...)
{
    (void)args, (void)format;
    return EXIT_FAILURE;
}

static void tell_end(void)
{
    printf("hostile bytes for the host: %llu runs, %llu messages taken\n", (unsigned long long)runs,
           (unsigned long long)taken);
    shms_jar_close(jar);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    char name[64];
    shms_jar_options o = {.struct_size = sizeof o, .no_keep = 1};
    snprintf(name, sizeof name, "host-fuzz-%d", (int)getpid());
    demand(shms_jar_open(name, &o, &jar) == 0, "a jar can be opened");
    messages_wipe();
    atexit(tell_end);
    return 0;
}

/* ---- a faithful browser */

/* The next message of the host; NULL: it is silent. */
static json_t *hear(const bridge *b)
{
    const char *wrong;
    json_t *message = message_read(b->to_browser, &wrong);
    demand(message || !wrong, "the host writes whole messages");
    return message;
}

static void answer(bridge *b, json_t *message)
{
    const char *type = json_string_value(json_object_get(message, "type"));
    json_t *cookie = json_object_get(message, "cookie");
    bool writes = type && strcmp(type, "write") == 0;
    if (!writes && (!type || strcmp(type, "delete") != 0))
        return;
    json_t *done = json_pack("{s:s, s:O, s:O}", "type", "done", "about", cookie, "cookie",
                             writes ? cookie : json_null());
    demand(done && bridge_take(b, done) == 0, "an answer is taken");
    json_decref(done);
}

static void settle_down(bridge *b)
{
    off_t heard = 0;
    for (int i = 0; i < ROUNDS_MOST; i++) {
        demand(bridge_follow(b) >= 0, "the host follows the jar");
        demand(lseek(b->to_browser, heard, SEEK_SET) == heard, "what was heard");
        json_t *message = hear(b);
        heard = lseek(b->to_browser, 0, SEEK_CUR);
        demand(lseek(b->to_browser, 0, SEEK_END) >= heard, "the end");
        if (!message)
            return;
        answer(b, message);
        json_decref(message);
    }
    demand(false, "the host falls silent");
}

static int check_cookie(const shms_cookie *c, void *context)
{
    json_t *state = state_of(c);
    char *key = state ? key_of(c) : NULL;
    const json_t *entry = key ? json_object_get(context, key) : NULL;
    if (key && !json_object_get(entry, "given"))
        demand(json_equal(json_object_get(entry, "browser"), state), "the browser holds what the jar holds");
    free(key);
    json_decref(state);
    return 0;
}

/* ---- what is handed in */

static void hand_bytes(bridge *b, const uint8_t *bytes, size_t size)
{
    int fd = memfd_create("host", MFD_CLOEXEC);
    const char *wrong;
    json_t *message;
    demand(fd >= 0 && write(fd, bytes, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0, "a pipe");
    while ((message = message_read(fd, &wrong))) {
        demand(bridge_take(b, message) >= 0, "a message is taken");
        taken++;
        json_decref(message);
    }
    close(fd);
}

static void hand_lines(bridge *b, const char *text, size_t size)
{
    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t n = end ? (size_t)(end - text) : size;
        json_t *message = json_loadb(text, n, 0, NULL);
        if (json_is_object(message)) {
            demand(bridge_take(b, message) >= 0, "a message is taken");
            demand(bridge_follow(b) >= 0, "the host follows the jar");
            taken++;
        }
        json_decref(message);
        n += end != NULL;
        text += n;
        size -= n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char ready[] = "{\"type\": \"ready\"}";
    const arguments args = {.jar = "fuzz"};
    if (size == 0)
        return 0;
    bridge b = {.args = &args, .jar = jar, .entries = json_object()};
    b.to_browser = memfd_create("browser", MFD_CLOEXEC);
    demand(b.to_browser >= 0 && b.entries, "memory");
    if (bytes[0] == 0)
        hand_bytes(&b, bytes + 1, size - 1);
    else
        hand_lines(&b, (const char *)bytes + 1, size - 1);
    hand_lines(&b, ready, sizeof ready - 1);
    settle_down(&b);
    demand(shms_jar_each(jar, NULL, check_cookie, b.entries) >= 0, "cookies are told");
    json_decref(b.entries);
    close(b.to_browser);
    if (++runs % CLEAR_EVERY == 0)
        demand(shms_jar_clear(jar, NULL) >= 0, "a clear");
    return 0;
}
