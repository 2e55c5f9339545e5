/* SPDX-License-Identifier: MIT */
/*
 * A jar behind libsoup 3: JarSoup is a SoupCookieJar whose cookies are those of a jar, live. libsoup looks
 * cookies up in a list of its own, which nothing can replace, so this list is kept equal to the jar: what
 * libsoup changes goes out at once; what other processes change comes in by the jar's descriptor, and before
 * each request.
 *
 * The program has a web server, a client, and somebody else who changes cookies meanwhile.
 */
#include "shmstream/jar.h"

#include <glib-unix.h>
#include <libsoup/soup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Gives a result through, or ends the program with its text. */
static int64_t check(const char *what, int64_t result)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", what, shms_strerror((int)result));
        exit(1);
    }
    return result;
}

/* ---- the class */

typedef struct {
    SoupCookieJar parent;
    shms_jar *jar;
    int64_t since;  /* all changes up to this one are in the list */
    guint source;
    gboolean taking; /* libsoup tells what came from the jar: no news to it */
    gboolean lost;   /* which cookies went is not known: look at all */
} JarSoup;
typedef struct {
    SoupCookieJarClass parent_class;
} JarSoupClass;

static GType jar_soup_get_type(void);
G_DEFINE_TYPE(JarSoup, jar_soup, SOUP_TYPE_COOKIE_JAR)

static int64_t expiry_ns(SoupCookie *c)
{
    GDateTime *when = soup_cookie_get_expires(c);
    return when == NULL ? 0 : g_date_time_to_unix(when) * 1000000000 + 1; /* 0 would be: with the session */
}

/* What libsoup's cookie is for the jar. A domain begins with a dot, unless the cookie is its host's own. */
static shms_cookie for_jar(SoupCookie *c)
{
    static const uint32_t policies[] = {SHMS_SAME_SITE_NONE, SHMS_SAME_SITE_LAX, SHMS_SAME_SITE_STRICT};
    const char *domain = soup_cookie_get_domain(c);
    uint32_t flags = domain[0] == '.' ? 0 : SHMS_COOKIE_HOST_ONLY;
    uint32_t same_site = policies[soup_cookie_get_same_site_policy(c)];
    if (soup_cookie_get_secure(c))
        flags |= SHMS_COOKIE_SECURE;
    else if (same_site == SHMS_SAME_SITE_NONE)
        same_site = SHMS_SAME_SITE_DEFAULT; /* None is for secure cookies */
    if (soup_cookie_get_http_only(c))
        flags |= SHMS_COOKIE_HTTP_ONLY;
    return (shms_cookie){
        .struct_size = sizeof(shms_cookie),
        .flags = flags,
        .same_site = same_site,
        .host = domain + (domain[0] == '.'),
        .name = soup_cookie_get_name(c),
        .value = soup_cookie_get_value(c),
        .path = soup_cookie_get_path(c),
        .expires_ns = expiry_ns(c),
    };
}

static SoupCookie *for_soup(const shms_cookie *c)
{
    static const SoupSameSitePolicy policies[] = {SOUP_SAME_SITE_POLICY_LAX, SOUP_SAME_SITE_POLICY_NONE,
                                                  SOUP_SAME_SITE_POLICY_LAX, SOUP_SAME_SITE_POLICY_STRICT};
    char *domain = g_strconcat((c->flags & SHMS_COOKIE_HOST_ONLY) != 0 ? "" : ".", c->host, NULL);
    SoupCookie *cookie = soup_cookie_new(c->name, c->value, domain, c->path, -1);
    g_free(domain);
    soup_cookie_set_secure(cookie, (c->flags & SHMS_COOKIE_SECURE) != 0);
    soup_cookie_set_http_only(cookie, (c->flags & SHMS_COOKIE_HTTP_ONLY) != 0);
    soup_cookie_set_same_site_policy(cookie, policies[c->same_site < 4 ? c->same_site : 0]);
    if (c->expires_ns != 0) {
        GDateTime *when = g_date_time_new_from_unix_utc(c->expires_ns / 1000000000);
        soup_cookie_set_expires(cookie, when);
        g_date_time_unref(when);
    }
    return cookie;
}

/* Out: libsoup has changed its list. */
static void changed(SoupCookieJar *soup, SoupCookie *old, SoupCookie *new)
{
    JarSoup *me = (JarSoup *)soup;
    if (me->taking)
        return;
    if (new != NULL) {
        shms_cookie c = for_jar(new);
        int rc = shms_jar_put(me->jar, &c);
        if (rc != 0)
            g_warning("a cookie of %s is not in the jar: %s", c.host, shms_jar_reason(rc));
        return;
    }
    /* libsoup also drops what has expired, for itself: another process may have renewed it. */
    shms_cookie c = for_jar(old);
    if (c.expires_ns == 0 || c.expires_ns > g_get_real_time() * 1000) {
        c.expires_ns = 1; /* long over; shms_jar_del() would take the host's and the domain's cookie */
        int rc = shms_jar_put(me->jar, &c);
        if (rc != 0)
            g_warning("a cookie of %s stays in the jar: %s", c.host, shms_jar_reason(rc));
    }
}

/* Takes out of the list what is of this domain, name and path; NULL: everything. */
static void drop(JarSoup *me, const shms_cookie *like)
{
    GSList *all = soup_cookie_jar_all_cookies(&me->parent);
    for (GSList *l = all; l != NULL; l = l->next) {
        shms_cookie c = for_jar(l->data);
        if (like == NULL || (strcmp(c.host, like->host) == 0 && strcmp(c.name, like->name) == 0 &&
                             strcmp(c.path, like->path) == 0 &&
                             ((c.flags ^ like->flags) & SHMS_COOKIE_HOST_ONLY) == 0))
            soup_cookie_jar_delete_cookie(&me->parent, l->data);
    }
    g_slist_free_full(all, (GDestroyNotify)soup_cookie_free);
}

static int take(const shms_cookie *c, void *context)
{
    JarSoup *me = context;
    if (c->partition != NULL)
        return 0; /* libsoup knows no partitions */
    if ((c->flags & SHMS_COOKIE_GONE) == 0)
        soup_cookie_jar_add_cookie(&me->parent, for_soup(c));
    else if (c->name[0] == '\0' && c->path[0] == '\0')
        me->lost = TRUE;
    else
        drop(me, c);
    return 0;
}

/* In: what others have changed. The list is equal to the jar when nothing came meanwhile: then the
 * descriptor is armed anew, too. */
static void sync_in(JarSoup *me)
{
    int64_t seen, rc;
    me->taking = TRUE;
    do {
        seen = shms_jar_version(me->jar);
        rc = shms_jar_changes(me->jar, &me->since, take, me);
        if (rc == SHMS_E_MISSED || me->lost) {
            me->lost = FALSE;
            drop(me, NULL);
            rc = shms_jar_each(me->jar, NULL, take, me);
        }
    } while (rc >= 0 && shms_jar_wait(me->jar, &seen, 0) == 0);
    me->taking = FALSE;
    if (rc < 0)
        g_warning("the jar: %s", shms_strerror((int)rc));
}

static gboolean on_change(gint fd, GIOCondition condition, gpointer context)
{
    (void)fd, (void)condition;
    sync_in(context);
    return G_SOURCE_CONTINUE;
}

static gboolean is_persistent(SoupCookieJar *soup)
{
    (void)soup;
    return FALSE; /* the jar is no file of this program */
}

static void finalize(GObject *object)
{
    JarSoup *me = (JarSoup *)object;
    g_source_remove(me->source);
    shms_jar_close(me->jar);
    G_OBJECT_CLASS(jar_soup_parent_class)->finalize(object);
}

static void jar_soup_class_init(JarSoupClass *class)
{
    SOUP_COOKIE_JAR_CLASS(class)->changed = changed;
    SOUP_COOKIE_JAR_CLASS(class)->is_persistent = is_persistent;
    G_OBJECT_CLASS(class)->finalize = finalize;
}

static void jar_soup_init(JarSoup *me)
{
    (void)me;
}

/* The jar becomes its own. */
static JarSoup *jar_soup_new(shms_jar *jar, SoupSession *session)
{
    JarSoup *me = g_object_new(jar_soup_get_type(), NULL);
    me->jar = jar;
    me->lost = TRUE; /* all cookies are to be looked at */
    me->since = check("version", shms_jar_version(jar));
    me->source = g_unix_fd_add((gint)check("descriptor", shms_jar_poll_fd(jar)), G_IO_IN, on_change, me);
    sync_in(me);
    soup_session_add_feature(session, SOUP_SESSION_FEATURE(me));
    /* A cookie that was set before a request goes along with it. */
    g_signal_connect_swapped(session, "request-queued", G_CALLBACK(sync_in), me);
    return me;
}

/* ---- a server that says what it was sent, and a client */

static void serve(SoupServer *server, SoupServerMessage *message, const char *path, GHashTable *query,
                  gpointer unused)
{
    const char *sent =
        soup_message_headers_get_one(soup_server_message_get_request_headers(message), "Cookie");
    SoupMessageHeaders *headers = soup_server_message_get_response_headers(message);
    (void)server, (void)query, (void)unused;
    if (strcmp(path, "/login") == 0)
        soup_message_headers_append(headers, "Set-Cookie", "sid=31d4; HttpOnly; Path=/; Max-Age=60");
    if (strcmp(path, "/logout") == 0)
        soup_message_headers_append(headers, "Set-Cookie", "sid=; Path=/; Max-Age=0");
    const char *text = sent != NULL ? sent : "nothing";
    soup_server_message_set_status(message, 200, NULL);
    soup_server_message_set_response(message, "text/plain", SOUP_MEMORY_COPY, text, strlen(text));
}

static void answered(GObject *session, GAsyncResult *result, gpointer ret_bytes)
{
    GError *error = NULL;
    *(GBytes **)ret_bytes = soup_session_send_and_read_finish(SOUP_SESSION(session), result, &error);
    if (error != NULL) {
        fprintf(stderr, "%s\n", error->message);
        exit(1);
    }
}

static void visit(SoupSession *session, const char *base, const char *path)
{
    char *url = g_strconcat(base, path, NULL);
    SoupMessage *message = soup_message_new("GET", url);
    GBytes *bytes = NULL;
    soup_session_send_and_read_async(session, message, G_PRIORITY_DEFAULT, NULL, answered, &bytes);
    while (bytes == NULL)
        g_main_context_iteration(NULL, TRUE);
    gsize size;
    const char *text = g_bytes_get_data(bytes, &size);
    printf("%s was sent: %.*s\n", path, (int)size, text);
    g_bytes_unref(bytes);
    g_object_unref(message);
    g_free(url);
}

static shms_jar *open_jar(const char *name)
{
    shms_jar_options o = {.struct_size = sizeof o, .no_keep = 1};
    shms_jar *j;
    check(name, shms_jar_open(name, &o, &j));
    return j;
}

static void tell(shms_jar *other, const char *base)
{
    shms_jar_request r = {.struct_size = sizeof r, .url = base};
    char line[256];
    check("get", shms_jar_get(other, &r, line, sizeof line));
    printf("in the jar: %s\n", line);
}

/* Until the list of libsoup has so many cookies, by its main loop alone. */
static void wait_for(JarSoup *soup, guint count)
{
    for (guint n = count + 1; n != count;) {
        g_main_context_iteration(NULL, n != count + 1);
        GSList *all = soup_cookie_jar_all_cookies(&soup->parent);
        n = g_slist_length(all);
        g_slist_free_full(all, (GDestroyNotify)soup_cookie_free);
    }
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "example-jar_soup";
    shms_jar *other = open_jar(name); /* as another process would have it */
    SoupServer *server = soup_server_new(NULL, NULL);
    SoupSession *session = soup_session_new();
    g_object_set(session, "proxy-resolver", NULL, NULL);
    JarSoup *soup = jar_soup_new(open_jar(name), session);
    soup_server_add_handler(server, NULL, serve, NULL, NULL);
    if (!soup_server_listen_local(server, 0, SOUP_SERVER_LISTEN_IPV4_ONLY, NULL))
        return 1;
    GSList *uris = soup_server_get_uris(server);
    char *base = g_strdup_printf("http://127.0.0.1:%d", g_uri_get_port(uris->data));
    g_slist_free_full(uris, (GDestroyNotify)g_uri_unref);

    visit(session, base, "/login");
    tell(other, base);
    shms_jar_request r = {.struct_size = sizeof r, .url = base};
    check("set", shms_jar_set(other, &r, "theme=dark; Path=/", 18));
    visit(session, base, "/home"); /* it goes along at once */
    check("set", shms_jar_set(other, &r, "lang=en; Path=/", 15));
    wait_for(soup, 3); /* or comes by itself */
    shms_cookie theme = {.struct_size = sizeof theme, .host = "127.0.0.1", .name = "theme"};
    check("del", shms_jar_del(other, &theme));
    visit(session, base, "/home");
    visit(session, base, "/logout");
    tell(other, base);

    soup_session_abort(session);
    g_signal_handlers_disconnect_by_data(session, soup);
    g_object_unref(session);
    g_object_unref(soup);
    g_object_unref(server);
    g_free(base);
    shms_jar_close(other);
    return 0;
}
