/* SPDX-License-Identifier: MIT */
/*
 * The scenes of a channel. At each instruction a copy of it, in which everybody is dead, is opened by a
 * sender and a receiver, who look what there is. BEFORE messages lie in the ring before the call. What must
 * hold:
 *   open     both get in at once
 *   told     calls of the tracee give what they must
 *   message  each message is whole, in order but for what comes again, and delivered once
 *   allowed  the one that the tracee has to do with is there, is not, or comes again, as its phase allows
 *   room     when all are received, nothing of the ring is in use, and a message passes
 */
#include "crash.h"

#include "channel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RING 4096u
#define BEFORE 3u /* messages, numbered from 1; the tracee sends the next, or receives the first */
#define WHOLE_BYTES 40u

/* Of the message, or the two of a batch: not there; there; there, and with tries. */
enum { GONE = 1, THERE = 2, AGAIN = 4, ANY = THERE | AGAIN };

static const shms_stream_options kept = {.struct_size = sizeof kept, .keep = 1};
#define OPTIONS_OF(...) {.struct_size = sizeof(shms_channel_options), .region = &kept, __VA_ARGS__}
static const shms_channel_options turns = OPTIONS_OF(.kind = SHMS_QUEUE);
static const shms_channel_options promised = OPTIONS_OF(.one_sender = 1, .one_receiver = 1);
static const shms_channel_options to_all = OPTIONS_OF(.kind = SHMS_BROADCAST, .history = 100);
static const shms_channel_options drops = OPTIONS_OF(.kind = SHMS_BROADCAST, .slow = SHMS_SLOW_DROP,
                                                     .history = 100);

struct channel_scene {
    struct scene scene;
    const shms_channel_options *options;
    uint32_t role;      /* of the tracee */
    uint32_t traced;    /* the message that it has to do with; of two, the first */
    uint32_t count;     /* 1, or 2 of a batch */
    uint64_t start;     /* where positions begin */
    void (*dead)(void); /* what a process has done that died before */
    uint32_t gone;      /* bits of the numbers that it has received */
};

static const struct channel_scene *playing;
static shms_channel *channel; /* the tracee's */

/* ---- messages: a number, and bytes that say it again */

struct message {
    uint32_t number;
    unsigned char bytes[WHOLE_BYTES];
};

static struct message message_of(uint32_t number)
{
    struct message m = {.number = number};
    memset(m.bytes, (int)number, sizeof m.bytes);
    return m;
}

static bool is_whole(const struct message *m)
{
    struct message w = message_of(m->number);
    return memcmp(m, &w, sizeof w) == 0;
}

static int send_number(shms_channel *c, uint32_t number)
{
    struct message m = message_of(number);
    return shms_channel_send(c, &m, sizeof m, 0);
}

/* ---- what is traced */

static void open_tracee(shms_stream *unused)
{
    (void)unused;
    gives(shms_channel_open(region_name, 0, (int)playing->role, playing->options, &channel), 0);
}

static void open_and_peek(shms_stream *unused)
{
    const void *from;
    open_tracee(unused);
    gives(shms_channel_peek(channel, &from, 0), sizeof(struct message));
}

static void open_and_reserve(shms_stream *unused)
{
    void *to;
    struct message m = message_of(BEFORE + 1);
    open_tracee(unused);
    gives(shms_channel_reserve(channel, sizeof m + 100, &to, 0), 0);
    memcpy(to, &m, sizeof m);
}

static void do_send(shms_stream *unused)
{
    (void)unused;
    struct message m = message_of(BEFORE + 1);
    at(1);
    gives(shms_channel_send(channel, &m, sizeof m, -1), 0);
    at(2);
}

static void do_send_all(shms_stream *unused)
{
    (void)unused;
    struct message a = message_of(BEFORE + 1), b = message_of(BEFORE + 2);
    const shms_slice both[] = {{&a, sizeof a}, {&b, sizeof b}};
    at(1);
    gives(shms_channel_send_all(channel, both, 2, -1), 0);
    at(2);
}

static void do_reserve(shms_stream *unused)
{
    (void)unused;
    void *to;
    at(1);
    gives(shms_channel_reserve(channel, sizeof(struct message), &to, -1), 0);
    at(2);
}

static void do_commit(shms_stream *unused)
{
    (void)unused;
    at(1);
    gives(shms_channel_commit(channel, sizeof(struct message)), 0);
    at(2);
}

static void do_abort(shms_stream *unused)
{
    (void)unused;
    at(1);
    gives(shms_channel_abort(channel), 0);
    at(2);
}

static void do_recv(shms_stream *unused)
{
    (void)unused;
    struct message m;
    at(1);
    gives(shms_channel_recv(channel, &m, sizeof m, -1), sizeof m);
    gives(is_whole(&m) && m.number == playing->traced, true);
    at(2);
}

static void do_peek(shms_stream *unused)
{
    (void)unused;
    const void *from;
    at(1);
    gives(shms_channel_peek(channel, &from, -1), sizeof(struct message));
    at(2);
}

static void do_release(shms_stream *unused)
{
    (void)unused;
    at(1);
    gives(shms_channel_release(channel), 0);
    at(2);
}

static void close_handle(shms_stream *unused)
{
    (void)unused;
    at(1);
    shms_channel_close(channel);
    at(2);
}

static void open_handle(shms_stream *unused)
{
    at(1);
    open_tracee(unused);
    at(2);
}

/* ---- who died before */

static shms_channel *open_dead(int role)
{
    shms_channel *c = NULL;
    if (shms_channel_open(region_name, 0, role, playing->options, &c) != 0)
        _exit(1);
    return c;
}

static void receive_some(shms_channel *r, int count)
{
    struct message m;
    while (count-- > 0)
        if (shms_channel_recv(r, &m, sizeof m, 0) != sizeof m)
            _exit(1);
}

static void peek_first(void)
{
    const void *from;
    if (shms_channel_peek(open_dead(SHMS_RECEIVE), &from, 0) < 0)
        _exit(1);
    receive_some(open_dead(SHMS_RECEIVE), BEFORE - 1);
}

static void reserve_next(void)
{
    void *to;
    if (shms_channel_reserve(open_dead(SHMS_SEND), 100, &to, 0) != 0 ||
        send_number(open_dead(SHMS_SEND), BEFORE + 2) != 0)
        _exit(1);
    receive_some(open_dead(SHMS_RECEIVE), BEFORE);
}

static void hold_turns(void)
{
    shms_channel *c = open_dead(SHMS_SEND);
    a64_store_relaxed(&c->shared->senders_turn, c->section.member.id);   /* relaxed: nobody else is there */
    a64_store_relaxed(&c->shared->receivers_turn, c->section.member.id); /* relaxed: as above */
}

static void die(const struct channel_scene *cs)
{
    int status = 0;
    if (!cs->dead)
        return;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        cs->dead();
        _exit(0);
    }
    must(waitpid(pid, &status, 0) == pid && status == 0, "open", "the dead one failed");
}

/* ---- the table */

#define SENDS SHMS_SEND, BEFORE + 1, 1
#define SENDS_TWO SHMS_SEND, BEFORE + 1, 2
#define RECEIVES SHMS_RECEIVE, 1, 1
#define RECEIVES_LATE SHMS_RECEIVE, BEFORE + 2, 1
#define AT_END (2 * RING - BEFORE * 64) /* after BEFORE messages, the end of the ring is reached */
/* A scene that begins anywhere; one where the tracee's first message begins so many bytes before the end; and
 * one in which a process died before, that had received the messages of these bits. */
#define SCENE(name, prepare, act, options, who, first, then) \
    {{name, UNJOINED, 0, prepare, act, {0, first, then}}, options, who, 0, NULL, 0}
#define AROUND(name, act, options, who, left) \
    {{name, UNJOINED, 0, open_tracee, act, {0, GONE | THERE, THERE}}, options, who, AT_END - (left), NULL, 0}
#define BEHIND(name, act, who, first, then, dead, gone) \
    {{name, UNJOINED, 0, open_tracee, act, {0, first, then}}, &turns, who, 0, dead, gone}

static const struct channel_scene channel_scenes[] = {
    SCENE("send", open_tracee, do_send, &turns, SENDS, GONE | THERE, THERE),
    SCENE("send promised", open_tracee, do_send, &promised, SENDS, GONE | THERE, THERE),
    SCENE("send to all", open_tracee, do_send, &to_all, SENDS, GONE | THERE, THERE),
    SCENE("send and drop", open_tracee, do_send, &drops, SENDS, GONE | THERE, THERE),
    AROUND("send around", do_send, &turns, SENDS, 32),
    SCENE("send_all", open_tracee, do_send_all, &turns, SENDS_TWO, GONE | THERE, THERE),
    AROUND("send_all around", do_send_all, &promised, SENDS_TWO, 96),
    SCENE("reserve", open_tracee, do_reserve, &turns, SENDS, GONE, GONE),
    SCENE("commit", open_and_reserve, do_commit, &turns, SENDS, GONE | THERE, THERE),
    SCENE("commit promised", open_and_reserve, do_commit, &promised, SENDS, GONE | THERE, THERE),
    SCENE("commit to all", open_and_reserve, do_commit, &to_all, SENDS, GONE | THERE, THERE),
    SCENE("abort", open_and_reserve, do_abort, &turns, SENDS, GONE, GONE),
    SCENE("recv", open_tracee, do_recv, &turns, RECEIVES, GONE | THERE, GONE),
    SCENE("recv promised", open_tracee, do_recv, &promised, RECEIVES, GONE | ANY, GONE),
    SCENE("peek", open_tracee, do_peek, &turns, RECEIVES, ANY, AGAIN),
    SCENE("peek promised", open_tracee, do_peek, &promised, RECEIVES, ANY, AGAIN),
    SCENE("release", open_and_peek, do_release, &turns, RECEIVES, GONE | AGAIN, GONE),
    SCENE("release promised", open_and_peek, do_release, &promised, RECEIVES, GONE | AGAIN, GONE),
    SCENE("put back", open_and_peek, do_abort, &turns, RECEIVES, AGAIN, AGAIN),
    SCENE("put back promised", open_and_peek, do_abort, &promised, RECEIVES, AGAIN, AGAIN),
    SCENE("close a sender", open_tracee, close_handle, &turns, SENDS, GONE, GONE),
    SCENE("close with reserved", open_and_reserve, close_handle, &turns, SENDS, GONE, GONE),
    SCENE("close with peeked", open_and_peek, close_handle, &turns, RECEIVES, AGAIN, AGAIN),
    SCENE("open to send", NULL, open_handle, &promised, SENDS, GONE, GONE),
    SCENE("open to receive", NULL, open_handle, &promised, RECEIVES, ANY, ANY),
    BEHIND("recv of the dead's", do_recv, RECEIVES, GONE | AGAIN, GONE, peek_first, 1u << 2 | 1u << 3),
    BEHIND("recv past reserved", do_recv, RECEIVES_LATE, GONE | THERE, GONE, reserve_next,
           1u << 1 | 1u << 2 | 1u << 3),
    BEHIND("send, dead turns", do_send, SENDS, GONE | THERE, THERE, hold_turns, 0),
    BEHIND("recv, dead turns", do_recv, RECEIVES, GONE | THERE, GONE, hold_turns, 0),
};
enum { CHANNEL_SCENES = sizeof channel_scenes / sizeof channel_scenes[0] };

/* ---- the judge */

/* What the survivors found of each number: how often, and its tries. */
struct found {
    unsigned times[BEFORE + 4];
    uint32_t tries[BEFORE + 4];
};

static void take_all(shms_channel *r, struct found *f)
{
    struct message m;
    int64_t rc;
    uint32_t last = 0;
    memset(f, 0, sizeof *f);
    while ((rc = shms_channel_recv(r, &m, sizeof m, 0)) >= 0) {
        shms_message about = {.struct_size = sizeof about};
        must(rc == sizeof m && is_whole(&m) && m.number >= 1 && m.number < BEFORE + 4, "message",
             "%lld bytes, number %u", (long long)rc, m.number);
        if (m.number >= BEFORE + 4)
            return;
        shms_channel_message(r, &about);
        must(about.tries > 0 || m.number > last, "message", "%u after %u", m.number, last);
        last = about.tries > 0 ? last : m.number;
        f->times[m.number]++;
        f->tries[m.number] = about.tries;
    }
    must(rc == SHMS_E_TIMEOUT || rc == SHMS_E_DIED || rc == SHMS_E_CLOSED, "message", "recv gives %d",
         (int)rc);
}

static void judge_found(const struct found *f, unsigned allowed)
{
    const struct channel_scene *cs = playing;
    for (uint32_t n = 1; n <= BEFORE; n++)
        must((n == cs->traced && cs->role == SHMS_RECEIVE) || f->times[n] == !(cs->gone >> n & 1), "message",
             "%u came %u times", n, f->times[n]);
    unsigned times = f->times[cs->traced];
    unsigned is = times == 0 ? GONE : f->tries[cs->traced] > 0 ? AGAIN : THERE;
    must(times <= 1 && (allowed & is), "allowed", "%u came %u times, %u tries", cs->traced, times,
         f->tries[cs->traced]);
    if (cs->count == 2)
        must(f->times[cs->traced + 1] == times, "message", "a part of a batch");
}

static void judge_room(shms_channel *s, shms_channel *r)
{
    struct message m;
    shms_channel_stats stats = {.struct_size = sizeof stats};
    int sent = send_number(s, 9);
    int64_t got = shms_channel_recv(r, &m, sizeof m, BOUND_MS);
    must(sent == 0 && got == sizeof m && m.number == 9, "room", "send gives %d, recv %lld", sent,
         (long long)got);
    must(shms_channel_info(r, &stats) == 0 && (stats.kind == SHMS_BROADCAST || stats.used == 0), "room",
         "%llu bytes are in use", (unsigned long long)stats.used);
}

static void judge_copy(const struct picture *p)
{
    shms_channel *s = NULL, *r = NULL;
    struct found f;
    picture_put(p);
    int rc = shms_channel_open(copy_name, 0, SHMS_RECEIVE, playing->options, &r);
    if (rc == 0)
        rc = shms_channel_open(copy_name, 0, SHMS_SEND, playing->options, &s);
    must(rc == 0, "open", "open gives %d", rc);
    if (rc == 0) {
        take_all(r, &f);
        judge_found(&f, playing->scene.allowed[a32_load_relaxed(&stage->phase)]); /* relaxed: it is stopped */
        judge_room(s, r);
        counts.survivors += 2;
    }
    shms_channel_close(s);
    shms_channel_close(r);
    names_remove(copy_name);
    counts.points++;
}

/* ---- the sweep */

/* The channel with its messages, and a handle that only looks. */
static shms_channel *make_channel(const struct channel_scene *cs)
{
    shms_channel *s = NULL, *looks = NULL;
    names_remove(region_name);
    shms__channel_start = cs->start;
    int rc = shms_channel_open(region_name, RING, SHMS_SEND, cs->options, &s);
    shms__channel_start = 0;
    for (uint32_t n = 1; rc == 0 && n <= BEFORE; n++)
        rc = send_number(s, n);
    shms_channel_close(s);
    if (rc == 0)
        rc = shms_channel_open(region_name, 0, SHMS_LOOK, NULL, &looks);
    must(rc == 0, "open", "the channel cannot be made: %d", rc);
    return looks;
}

static void sweep_channel(const struct channel_scene *cs, long stride)
{
    static struct picture was, is;
    struct counts before = counts;
    uint32_t phase = 0;
    playing = cs;
    now_playing = &cs->scene;
    now_at = 0;
    memset(&was, 0, sizeof was);
    unsigned descriptors = open_descriptors();
    pid_t tracee = spawn_tracee(&cs->scene, NULL);
    shms_channel *looks = make_channel(cs);
    die(cs);
    await_ready(tracee);
    reach_start(tracee);
    for (bool more = looks != NULL; more; now_at++) {
        uint32_t now = a32_load_relaxed(&stage->phase); /* relaxed: the tracee is stopped */
        picture_by_member(&is, (shms_stream *)(void *)looks); /* both begin with a section */
        bool changed = !picture_same(&is, &was);
        counts.states += changed;
        if (changed || now != phase || now_at % stride == 0)
            judge_copy(&is);
        was = is;
        phase = now;
        more = step(tracee);
    }
    uint32_t wrong = a32_load_relaxed(&stage->wrong_phase); /* relaxed: the tracee is stopped; so below */
    must(a32_load_relaxed(&stage->wrong_code) == 0 && wrong == 0, "told", "a call of phase %u gave %d", wrong,
         (int)a32_load_relaxed(&stage->wrong_code)); /* relaxed: as above */
    end_tracee(tracee);
    shms_channel_close(looks);
    names_remove(region_name);
    must(open_descriptors() == descriptors, "leak", "%u descriptors, %u before", open_descriptors(),
         descriptors);
    printf("channel %-20s %7lld instructions %7llu points %4llu states | %llu broken\n", cs->scene.name,
           (long long)now_at, (unsigned long long)(counts.points - before.points),
           (unsigned long long)(counts.states - before.states),
           (unsigned long long)(counts.violations - before.violations));
}

void play_channels(const char *only, long stride)
{
    for (unsigned i = 0; i < CHANNEL_SCENES; i++)
        if (!only || strcmp(only, "channel") == 0 || strcmp(only, channel_scenes[i].scene.name) == 0)
            sweep_channel(&channel_scenes[i], stride);
}
