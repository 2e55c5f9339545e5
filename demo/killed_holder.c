/* SPDX-License-Identifier: MIT */
/*
 * killed_holder STREAM: a process is killed while it holds the lock, half-way through a record. Another one,
 * asleep waiting for the lock, gets it, is told, and repairs. The last one is told nothing.
 *
 * The stream holds two records: the current one, and a spare copy that is written after it. Whoever is
 * killed, one of the two is whole.
 */
#include "demo.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct record {
    char text[56];
    uint64_t checksum;
};
enum { CURRENT_AT = 0, SPARE_AT = sizeof(struct record), STREAM_BYTES = 2 * sizeof(struct record) };

static uint64_t checksum(const struct record *r)
{
    uint64_t sum = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < sizeof r->text; i++)
        sum = (sum ^ (unsigned char)r->text[i]) * 1099511628211u;
    return sum;
}

static int is_whole(const struct record *r)
{
    return r->checksum == checksum(r);
}

static struct record make_record(const char *text)
{
    struct record r = { .text = "" };
    snprintf(r.text, sizeof r.text, "%s", text);
    r.checksum = checksum(&r);
    return r;
}

static struct record get_record(shms_stream *s, int64_t offset)
{
    struct record r;
    check("read", shms_stream_pread(s, &r, sizeof r, offset));
    r.text[sizeof r.text - 1] = '\0';
    return r;
}

static void put_record(shms_stream *s, const struct record *r, int64_t offset)
{
    check("write", shms_stream_pwrite(s, r, sizeof *r, offset));
}

static void say(const char *text)
{
    printf("  process %-7d %s\n", (int)getpid(), text);
    fflush(stdout);
}

/* The first process: writes a whole record, as all should. */
static void write_whole(shms_stream *s)
{
    struct record r = make_record("OLD OLD OLD OLD OLD OLD OLD OLD OLD OLD");
    check("lock", shms_stream_lock(s, PATIENCE_MS));
    put_record(s, &r, CURRENT_AT);
    put_record(s, &r, SPARE_AT);
    check("unlock", shms_stream_unlock(s));
    say("wrote a record and released the lock");
}

/* The second: is killed in pause(), the lock in its hand. */
static _Noreturn void write_half(shms_stream *s, int tell)
{
    struct record r = make_record("NEW NEW NEW NEW NEW NEW NEW NEW NEW NEW");
    check("lock", shms_stream_lock(s, PATIENCE_MS));
    check("write", shms_stream_pwrite(s, &r, 20, CURRENT_AT));
    say("holds the lock, and is half-way through a new record");
    check_os("pipe", write(tell, "h", 1));
    for (;;)
        pause();
}

/* The third: waits for the lock, and gets it from a dead hand. */
static _Noreturn void recover(shms_stream *s, int tell)
{
    say("waits for the lock");
    int64_t rc = check("lock", shms_stream_lock(s, PATIENCE_MS));
    int64_t got_ns = now_ns();
    check_os("pipe", write(tell, &got_ns, sizeof got_ns));
    if (rc != SHMS_OWNER_DIED)
        die("lock", "did not tell that the holder died");
    say("has the lock, and is told SHMS_OWNER_DIED");
    struct record current = get_record(s, CURRENT_AT);
    struct record spare = get_record(s, SPARE_AT);
    if (is_whole(&current) || !is_whole(&spare))
        die("record", "not the damage that was done");
    printf("%24s the record reads \"%s\", its checksum is wrong\n", "", current.text);
    put_record(s, &spare, CURRENT_AT);
    check("repaired", shms_stream_repaired(s));
    check("unlock", shms_stream_unlock(s));
    say("put the spare copy back, called shms_stream_repaired, released");
    exit(0);
}

/* The last: everything is as if nothing had happened. */
static void look_again(shms_stream *s)
{
    int64_t start = now_ns();
    int64_t rc = check("lock", shms_stream_lock(s, PATIENCE_MS));
    double us = (double)(now_ns() - start) / 1e3;
    struct record r = get_record(s, CURRENT_AT);
    check("unlock", shms_stream_unlock(s));
    if (rc != 0 || !is_whole(&r))
        die("last locker", "the repair did not hold");
    say("takes the lock and is told nothing");
    printf("%24s the record reads \"%s\", its checksum is right (%.1f us)\n", "", r.text, us);
}

/* Only who sleeps can be woken: look until the library counts a waiter. */
static void await_waiter(shms_stream *s)
{
    shms_info info = { .struct_size = sizeof info };
    int64_t end = now_ns() + (int64_t)PATIENCE_MS * 1000000;
    do {
        check("info", shms_stream_info(s, &info));
        if (now_ns() > end)
            die("survivor", "never waited for the lock");
    } while (info.waiters == 0);
}

static pid_t start(shms_stream *s, void (*role)(shms_stream *, int), int tell)
{
    fflush(stdout);
    pid_t pid = (pid_t)check_os("fork", fork());
    if (pid == 0) {
        alarm(PATIENCE_MS / 1000); /* no process of the demo outlives it, whatever goes wrong */
        role(s, tell);             /* with the handle it inherits, as a member of its own */
    }
    return pid;
}

static void receive(int from, void *ret, size_t n)
{
    if (read(from, ret, n) != (ssize_t)n)
        die("pipe", "a process ended too early");
}

/* Kill a holder in the middle of its work; gives the nanoseconds until the survivor had the lock. */
static int64_t kill_a_holder(shms_stream *s)
{
    int pipe_fd[2];
    char half;
    int64_t got_ns;
    int status;
    check_os("pipe", pipe(pipe_fd));
    pid_t holder = start(s, write_half, pipe_fd[1]);
    receive(pipe_fd[0], &half, sizeof half);
    pid_t survivor = start(s, recover, pipe_fd[1]);
    close(pipe_fd[1]);
    await_waiter(s);
    int64_t killed_ns = now_ns();
    check_os("kill", kill(holder, SIGKILL));
    receive(pipe_fd[0], &got_ns, sizeof got_ns);
    check_os("waitpid", waitpid(holder, NULL, 0));
    check_os("waitpid", waitpid(survivor, &status, 0));
    close(pipe_fd[0]);
    if (status != 0)
        die("survivor", "failed");
    return got_ns - killed_ns;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        die("usage", "killed_holder STREAM");
    alarm(PATIENCE_MS / 1000);
    shms_stream *s;
    check("open", shms_stream_open(argv[1], STREAM_BYTES, NULL, &s));
    write_whole(s);
    int64_t took_ns = kill_a_holder(s);
    look_again(s);
    printf("From SIGKILL until the sleeping survivor had the lock: %.2f ms\n", (double)took_ns / 1e6);
    shms_stream_close(s);
    return 0;
}
