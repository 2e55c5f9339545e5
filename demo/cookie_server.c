/* SPDX-License-Identifier: MIT */
/*
 * cookie_server SECONDS: a small HTTP server on 127.0.0.1 that gives a secret cookie to each visitor and
 * checks all that are sent to it. Prints the port it got; ends after SECONDS, or when it is killed.
 *
 *     GET /shelf/S/visit/N    sets the cookie vN, for /shelf/S only
 *     GET /shelf/S/hello/N    200 if vN is among the cookies sent, else 403
 *     GET /shelf/S/count      the number of visitors whose cookies were sent
 *     GET /shelf/S/lost       the number of visitors whose cookie was shown before, and was not sent now
 *
 * A cookie that this server never gave is answered with 400. There are shelves because a client sends at
 * most some 150 cookies, in 8 kB, with one request.
 */
#include "demo.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define VISITORS_MAX 1000
#define CLIENTS_MAX 64
#define REQUEST_MAX 16384

struct client {
    size_t used;
    char request[REQUEST_MAX + 1];
};

struct server {
    uint64_t secret[VISITORS_MAX + 1]; /* 0: has not been here */
    int shown_on[VISITORS_MAX + 1]; /* the shelf, and 1, on which the cookie was shown; 0: it was not */
    struct pollfd fds[1 + CLIENTS_MAX]; /* [0] listens; [i] is clients[i - 1] */
    struct client clients[CLIENTS_MAX];
};

/* What the cookies of one request say. */
struct claim {
    int known[VISITORS_MAX + 1];
    int count;
    int forged;
};

struct reply {
    const char *status;
    char set_cookie[128];
    char body[64];
};

static uint64_t random_secret(void)
{
    uint64_t secret = 0;
    while (secret == 0)
        check_os("getrandom", getrandom(&secret, sizeof secret, 0));
    return secret;
}

/* The value of a header, up to its line's end, or NULL. */
static char *find_header(char *request, const char *name)
{
    size_t n = strlen(name);
    for (char *line = strstr(request, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, n) == 0)
            return line + 2 + n;
    }
    return NULL;
}

static void check_cookie(const struct server *server, const char *cookie, struct claim *claim)
{
    int visitor;
    unsigned long long secret;
    int fields = sscanf(cookie, " v%d=%llx", &visitor, &secret);
    if (fields != 2 || visitor < 1 || visitor > VISITORS_MAX || server->secret[visitor] != secret) {
        claim->forged = 1;
    } else if (!claim->known[visitor]) {
        claim->known[visitor] = 1;
        claim->count++;
    }
}

static void check_cookies(const struct server *server, char *request, struct claim *claim)
{
    char *value = find_header(request, "Cookie:");
    if (value == NULL)
        return;
    char *line_end = strstr(value, "\r\n");
    if (line_end != NULL)
        *line_end = '\0';
    char *rest;
    for (char *c = strtok_r(value, ";", &rest); c != NULL; c = strtok_r(NULL, ";", &rest))
        check_cookie(server, c, claim);
}

static void welcome(struct server *server, int shelf, int visitor, struct reply *reply)
{
    server->secret[visitor] = random_secret();
    /* With an age, so that clients write it into their cookie files. */
    snprintf(reply->set_cookie, sizeof reply->set_cookie,
             "Set-Cookie: v%d=%016llx; Path=/shelf/%d; Max-Age=3600\r\n", visitor,
             (unsigned long long)server->secret[visitor], shelf);
}

static const char *greet(struct server *server, int shelf, int visitor, const struct claim *claim)
{
    if (!claim->known[visitor])
        return "403 Forbidden";
    server->shown_on[visitor] = shelf + 1;
    return "200 OK";
}

static int count_lost(const struct server *server, int shelf, const struct claim *claim)
{
    int lost = 0;
    for (int i = 1; i <= VISITORS_MAX; i++)
        lost += server->shown_on[i] == shelf + 1 && !claim->known[i];
    return lost;
}

static void answer(struct server *server, char *request, struct reply *reply)
{
    char page[6] = "";
    int shelf = 0;
    int visitor = 0;
    int fields = sscanf(request, "GET /shelf/%d/%5[a-z]/%d", &shelf, page, &visitor);
    int has_visitor = fields == 3 && visitor >= 1 && visitor <= VISITORS_MAX;
    struct claim claim = { .count = 0 };
    check_cookies(server, request, &claim);
    reply->status = "200 OK";
    if (claim.forged)
        reply->status = "400 Forged Cookie";
    else if (has_visitor && strcmp(page, "visit") == 0)
        welcome(server, shelf, visitor, reply);
    else if (has_visitor && strcmp(page, "hello") == 0)
        reply->status = greet(server, shelf, visitor, &claim);
    else if (fields >= 2 && strcmp(page, "lost") == 0)
        claim.count = count_lost(server, shelf, &claim);
    else if (fields < 2 || strcmp(page, "count") != 0)
        reply->status = "404 Not Found";
    snprintf(reply->body, sizeof reply->body, "%d\n", claim.count);
}

/* Answers one whole request; -1: this client is to be dropped. */
static int respond(struct server *server, int fd, char *request)
{
    struct reply reply = { .status = NULL };
    answer(server, request, &reply);
    char text[512];
    int n = snprintf(text, sizeof text, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s", reply.status,
                     reply.set_cookie, strlen(reply.body), reply.body);
    return send(fd, text, (size_t)n, MSG_NOSIGNAL) == n ? 0 : -1;
}

/* Takes in what a client sends, and answers what is complete; -1: this client is to be dropped. */
static int serve(struct server *server, int fd, struct client *c)
{
    ssize_t n = recv(fd, c->request + c->used, REQUEST_MAX - c->used, 0);
    if (n <= 0)
        return -1;
    c->used += (size_t)n;
    c->request[c->used] = '\0';
    char *end = strstr(c->request, "\r\n\r\n");
    if (end == NULL)
        return c->used < REQUEST_MAX ? 0 : -1;
    end[2] = '\0';
    c->used = 0; /* a client waits for each answer, so nothing follows */
    return respond(server, fd, c->request);
}

static void accept_client(struct server *server)
{
    int fd = accept(server->fds[0].fd, NULL, NULL);
    if (fd < 0)
        return;
    for (int i = 0; i < CLIENTS_MAX; i++) {
        if (server->fds[1 + i].fd < 0) {
            server->fds[1 + i] = (struct pollfd){ .fd = fd, .events = POLLIN };
            server->clients[i].used = 0;
            return;
        }
    }
    close(fd); /* more clients at once than the demo has */
}

static void serve_until(struct server *server, int64_t end_ns)
{
    for (int64_t left_ns; (left_ns = end_ns - now_ns()) > 0;) {
        int ready = poll(server->fds, 1 + CLIENTS_MAX, (int)(left_ns / 1000000) + 1);
        if (ready < 0 && errno != EINTR)
            die("poll", strerror(errno));
        if (ready <= 0)
            continue;
        for (int i = 0; i < CLIENTS_MAX; i++) {
            struct pollfd *p = &server->fds[1 + i];
            if (p->fd >= 0 && p->revents != 0 && serve(server, p->fd, &server->clients[i]) < 0) {
                close(p->fd);
                p->fd = -1;
            }
        }
        if (server->fds[0].revents != 0)
            accept_client(server);
    }
}

/* Any free port of the loopback; ret_port receives which. */
static int listen_anywhere(int *ret_port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof a;
    int fd = (int)check_os("socket", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    check_os("bind", bind(fd, (struct sockaddr *)&a, sizeof a));
    check_os("listen", listen(fd, CLIENTS_MAX));
    check_os("getsockname", getsockname(fd, (struct sockaddr *)&a, &n));
    *ret_port = ntohs(a.sin_port);
    return fd;
}

int main(int argc, char **argv)
{
    static struct server server;
    int seconds = argc == 2 ? atoi(argv[1]) : 0;
    if (seconds <= 0)
        die("usage", "cookie_server SECONDS");
    for (int i = 0; i < CLIENTS_MAX; i++)
        server.fds[1 + i].fd = -1;
    int port;
    server.fds[0] = (struct pollfd){ .fd = listen_anywhere(&port), .events = POLLIN };
    printf("%d\n", port);
    fclose(stdout);
    serve_until(&server, now_ns() + (int64_t)seconds * 1000000000);
    return 0;
}
