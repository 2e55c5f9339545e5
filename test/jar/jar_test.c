/* SPDX-License-Identifier: MIT */
/* open.c, edit.c, record.c, walk.c: a jar as its users see it: limits, expiry, changes, bad bytes. */
#include "jar.h"
#include "unit.h"

#include <poll.h>
#include <sys/stat.h>

#define A "https://a.example.com/"

static void sharing(void **state)
{
    (void)state;
    shms_jar *j = jar_new(), *other = jar_open((shms_jar_options){.create = SHMS_OPEN_ONLY});
    assert_int_equal(set(j, A, "a=1"), 0);
    assert_string_equal(get(other, A), "a=1");
    shms_jar_close(other);
    shms_jar_close(j);
    shms_jar_options gone = {.struct_size = sizeof gone, .create = SHMS_OPEN_ONLY};
    assert_int_equal(shms_jar_open(jar_name(), &gone, &j), SHMS_E_NOT_FOUND);
}

/* How far a jar grows is its creator's word: other handles can follow it there. */
static void growth(void **state)
{
    (void)state;
    for (uint64_t max_size = 8 << 20; max_size <= 128 << 20; max_size *= 16) {
        shms_jar *j = jar_open((shms_jar_options){.max_size = max_size, .create = SHMS_CREATE_ONLY});
        shms_jar *other = jar_open((shms_jar_options){0});
        shms_dict_stats s = {.struct_size = sizeof s};
        assert_int_equal(shms_dict_info(other->dict, &s), 0);
        assert_int_equal(s.max_size, max_size);
        shms_jar_close(other);
        shms_jar_close(j);
    }
}

static void secret_by_default(void **state)
{
    (void)state;
    char path[128];
    struct stat about;
    shms_jar *j = jar_new();
    snprintf(path, sizeof path, "/dev/shm/shms-%d/%s.data", (int)geteuid(), jar_name());
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    shms_jar_close(j);
}

/* One cookie of `count`, each a second after the one before, in one host or in one each. */
static void fill(shms_jar *j, int from, int count, bool hosts, const char *more)
{
    for (int i = from; i < from + count; i++) {
        char url[64], line[64];
        snprintf(url, sizeof url, hosts ? "https://h%d.example.com/" : "https://h.example.com/", i);
        snprintf(line, sizeof line, "c%d=%d%s", i, i, more);
        clock_ns += SECOND;
        assert_int_equal(set(j, url, line), 0);
    }
}

/* A clock that is looked at by a writer, also inside, and lets a reader of another host ask then. */
static shms_jar *reader;
static int asked;

static int64_t clock_of_a_writer(void *unused)
{
    (void)unused;
    if (reader) {
        clock_ns += 61 * SECOND; /* the use is to be noted each time */
        assert_string_equal(get(reader, "https://other.example/"), "a=1");
        asked++;
    }
    return clock_ns;
}

/* A reader does not wait for a writer that is stopped, whatever it has to note. */
static void readers_do_not_wait(void **state)
{
    (void)state;
    shms_jar *j = jar_new(), *writer;
    assert_int_equal(set(j, "https://other.example/", "a=1"), 0);
    shms_jar_options o = {.struct_size = sizeof o, .no_keep = 1, .now_ns = clock_of_a_writer};
    assert_int_equal(shms_jar_open(jar_name(), &o, &writer), 0);
    reader = jar_open((shms_jar_options){.open_timeout_ms = INT32_MAX});
    alarm(30); /* else for ever */
    assert_int_equal(set(writer, A, "b=1; Max-Age=60"), 0);
    assert_int_equal(set(writer, A, "b=2; Max-Age=600000"), 0);
    alarm(0);
    assert_true(asked > 4);
    shms_jar_close(reader);
    reader = NULL;
    shms_jar_close(writer);
    shms_jar_close(j);
}

/* ---- secrets */

/* Whether the bytes of the jar's file hold a text. */
static bool file_holds(const char *text)
{
    char path[128];
    static char bytes[8 << 20];
    snprintf(path, sizeof path, "/dev/shm/shms-%d/%s.data", (int)geteuid(), jar_name());
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_true(n > 0 && n < sizeof bytes);
    return memmem(bytes, n, text, strlen(text));
}

/* What is replaced, deleted, cleared, expired or evicted is nowhere in the shared bytes any more. */
static void wiped(void **state)
{
    (void)state;
    clock_ns = START;
    shms_jar *j = jar_open((shms_jar_options){.host_cookies = 6});
    assert_int_equal(set(j, A, "a=replaced-secret"), 0);
    assert_true(file_holds("replaced-secret"));
    assert_int_equal(set(j, A, "a=deleted-secret"), 0);
    assert_false(file_holds("replaced-secret"));
    assert_int_equal(set(j, A, "a=; Max-Age=0"), 0);
    assert_false(file_holds("deleted-secret"));
    assert_int_equal(set(j, A, "a=cleared-secret"), 0);
    assert_int_equal(shms_jar_clear(j, NULL), 1);
    assert_false(file_holds("cleared-secret"));
    assert_int_equal(set(j, A, "a=expired-secret; Max-Age=10"), 0);
    clock_ns += 11 * SECOND;
    assert_int_equal(set(j, A, "b=1"), 0);
    assert_false(file_holds("expired-secret"));
    assert_int_equal(set(j, "https://h.example.com/", "old=evicted-secret"), 0);
    fill(j, 0, 6, false, "");
    assert_false(file_holds("evicted-secret"));
    assert_int_equal(set(j, A, "b=2"), 0);
    shms_jar_close(j);
}

/* Core dumps leave the jar out: its mapping says "dd". */
static void not_dumped(void **state)
{
    (void)state;
    char line[512];
    unsigned long from, to;
    int hidden = 0;
    bool here = false;
    shms_jar *j = jar_new();
    FILE *file = fopen("/proc/self/smaps", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) /* the large one is the data, the small one control */
            here = strstr(line, "/dev/shm/shms-") && to - from >= 8 << 20;
        if (here && strncmp(line, "VmFlags:", 8) == 0)
            hidden += strstr(line, " dd") ? 1 : 100;
    }
    fclose(file);
    assert_int_equal(hidden, 1);
    shms_jar_close(j);
}

static void expiry(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    assert_int_equal(set(j, A, "a=1; Max-Age=10"), 0);
    assert_int_equal(set(j, A, "b=1"), 0);
    clock_ns += 10 * SECOND - 1;
    assert_string_equal(get(j, A), "a=1; b=1");
    clock_ns++;
    assert_string_equal(get(j, A), "b=1");
    assert_int_equal(count_of(j, "a.example.com"), 1);
    /* Made anew after that it is a new cookie, the younger one. */
    assert_int_equal(set(j, A, "a=2; Max-Age=1000000000"), 0);
    assert_string_equal(get(j, A), "b=1; a=2");
    clock_ns += 401 * DAY; /* none lives longer than 400 days */
    assert_string_equal(get(j, A), "b=1");
    shms_jar_close(j);
}

static void host_limit(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    fill(j, 0, 10, false, "; Secure");
    fill(j, 10, 170, false, "");
    assert_int_equal(count_of(j, "h.example.com"), 180);
    fill(j, 180, 1, false, "");
    assert_int_equal(count_of(j, "h.example.com"), 150);
    const char *line = get(j, "https://h.example.com/");
    assert_non_null(strstr(line, "c0=0;")); /* Secure ones stay, however old */
    assert_null(strstr(line, "c10=10;"));
    assert_null(strstr(line, "c40=40;"));
    assert_non_null(strstr(line, "c41=41;"));
    assert_non_null(strstr(line, "c180=180"));
    shms_jar_close(j);
}

/* The cookie that is one too many is not the one that goes, however little it is worth. */
static void new_one_stays(void **state)
{
    (void)state;
    clock_ns = START;
    shms_jar *j = jar_open((shms_jar_options){.host_cookies = 6});
    fill(j, 0, 6, false, "; Secure");
    fill(j, 6, 1, false, "");
    assert_string_equal(get(j, "https://h.example.com/"), "c2=2; c3=3; c4=4; c5=5; c6=6");
    shms_jar_close(j);
}

/* What was sent lately is kept. */
static void use_counts(void **state)
{
    (void)state;
    clock_ns = START;
    shms_jar *j = jar_open((shms_jar_options){.host_cookies = 6});
    fill(j, 0, 1, false, "; Path=/used");
    fill(j, 1, 5, false, "; Path=/other");
    clock_ns += 120 * SECOND;
    assert_string_equal(get(j, "https://h.example.com/used"), "c0=0");
    fill(j, 6, 1, false, "; Path=/other");
    assert_string_equal(get(j, "https://h.example.com/used"), "c0=0");
    assert_string_equal(get(j, "https://h.example.com/other"), "c3=3; c4=4; c5=5; c6=6");
    shms_jar_close(j);
}

static void jar_limit(void **state)
{
    (void)state;
    clock_ns = START;
    shms_jar *j = jar_open((shms_jar_options){.jar_cookies = 110});
    fill(j, 0, 110, true, "");
    assert_int_equal(count_of(j, NULL), 110);
    fill(j, 110, 1, true, "");
    assert_int_equal(count_of(j, NULL), 100);
    assert_string_equal(get(j, "https://h10.example.com/"), "");
    assert_string_equal(get(j, "https://h11.example.com/"), "c11=11");
    assert_string_equal(get(j, "https://h110.example.com/"), "c110=110");
    fill(j, 111, 10, true, ""); /* counted right: not swept again */
    assert_int_equal(count_of(j, NULL), 110);
    shms_dict *d;
    int64_t counted;
    shms_dict_options o = {.struct_size = sizeof o, .max_size = 64 << 20};
    assert_int_equal(shms_dict_open(jar_name(), 0, &o, &d), 0);
    assert_int_equal(shms_dict_get(d, "\0count", 6, &counted, sizeof counted, NULL), sizeof counted);
    assert_int_equal(counted, 110);
    shms_dict_close(d);
    shms_jar_close(j);
}

/* A site with many names, each full of cookies, pushes out its own. */
static void crowded_site(void **state)
{
    (void)state;
    clock_ns = START;
    shms_jar *j = jar_open((shms_jar_options){.host_cookies = 20, .jar_cookies = 110});
    for (int i = 0; i < 30; i++) {
        char url[64];
        snprintf(url, sizeof url, "https://www.bank%d.example/", i);
        clock_ns += SECOND;
        assert_int_equal(set(j, url, "sid=1"), 0);
    }
    fill(j, 0, 300, true, ""); /* all of them below example.com */
    for (int i = 0; i < 30; i++) {
        char url[64];
        snprintf(url, sizeof url, "https://www.bank%d.example/", i);
        assert_string_equal(get(j, url), "sid=1");
    }
    assert_true(count_of(j, NULL) <= 110);
    assert_string_equal(get(j, "https://h299.example.com/"), "c299=299");
    for (int i = 0; i < 70; i++) { /* names below a public suffix are no site together */
        char url[64];
        snprintf(url, sizeof url, "https://shop%d.co.uk/", i);
        clock_ns += SECOND;
        assert_int_equal(set(j, url, "sid=1"), 0);
    }
    assert_int_equal(count_of(j, "h299.example.com"), 1);
    assert_int_equal(count_of(j, "shop0.co.uk"), 1);
    shms_jar_close(j);
}

/* A list that is newer than a cookie decides where the cookie is sent. */
static void newer_list(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "/tmp/jar-test-%d.dat", (int)getpid());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("com\nexample.com\n", file);
    fclose(file);
    shms_jar *j = jar_new(), *newer = jar_open((shms_jar_options){.suffix_list = path});
    unlink(path);
    assert_int_equal(set(j, A, "a=1; Domain=example.com"), 0);
    assert_string_equal(get(j, "https://b.example.com/"), "a=1");
    assert_string_equal(get(newer, "https://b.example.com/"), "");
    assert_string_equal(get(newer, "https://example.com/"), "a=1");
    assert_int_equal(set(newer, A, "a=2; Domain=example.com"), SHMS_COOKIE_SUFFIX);
    shms_jar_close(newer);
    shms_jar_close(j);
}

/* A full region makes room by what was not used for long. */
static void full(void **state)
{
    (void)state;
    static char line[4096];
    clock_ns = START;
    shms_jar *j = jar_open((shms_jar_options){.max_size = 8 << 20});
    memset(line, 'v', 4000);
    line[1] = '=';
    for (int i = 0; i < 2500; i++) {
        char url[64];
        snprintf(url, sizeof url, "https://h%d.example.com/", i);
        clock_ns += SECOND;
        assert_int_equal(set(j, url, line), 0);
    }
    assert_string_equal(get(j, "https://h0.example.com/"), "");
    assert_int_equal(strlen(get(j, "https://h2499.example.com/")), 4000);
    assert_true(count_of(j, NULL) > 1000);
    shms_jar_close(j);
}

static void fat_host(void **state)
{
    (void)state;
    static char line[8192];
    shms_jar *j = jar_new();
    for (int i = 0; i < 185; i++) {
        int n = snprintf(line, sizeof line, "c%03d=", i);
        memset(line + n, 'v', (size_t)(4097 - n));
        line[4097] = '\0';
        strcat(line, "; Path=/");
        memset(line + strlen(line), 'p', 1000);
        line[4097 + 8 + 1000] = '\0';
        clock_ns += SECOND;
        assert_int_equal(set(j, A, line), 0);
    }
    assert_int_equal(count_of(j, "a.example.com"), 154);
    shms_jar_close(j);
}

static int write_change(const shms_cookie *c, void *context)
{
    char *text = context;
    sprintf(text + strlen(text), "%s%s/%s=%s%s%s ", c->flags & SHMS_COOKIE_GONE ? "-" : "+", c->host, c->name,
            c->value, c->partition ? "@" : "", c->partition ? c->partition : "");
    return 0;
}

static const char *changes(shms_jar *j, int64_t *since)
{
    static char text[65536];
    text[0] = '\0';
    assert_true(shms_jar_changes(j, since, write_change, text) >= 0);
    return text;
}

/* ---- put, del, clear */

static shms_cookie cookie_of(const char *host, const char *name, const char *value)
{
    return (shms_cookie){.struct_size = sizeof(shms_cookie), .flags = SHMS_COOKIE_HOST_ONLY, .host = host,
                         .name = name, .value = value, .path = "/"};
}

static void put(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    shms_cookie c = cookie_of("A.Example.com", "a", "1");
    assert_int_equal(shms_jar_put(j, &c), 0);
    assert_string_equal(get(j, A), "a=1");
    c.name = "__Host-a"; /* prefixes hold on this way, too */
    assert_int_equal(shms_jar_put(j, &c), SHMS_COOKIE_PREFIX);
    c.flags |= SHMS_COOKIE_SECURE;
    assert_int_equal(shms_jar_put(j, &c), 0);
    c = cookie_of("co.uk", "a", "1");
    c.flags = 0;
    assert_int_equal(shms_jar_put(j, &c), SHMS_COOKIE_SUFFIX);
    static const struct {
        const char *name, *value, *path;
        int reason;
    } bad[] = {{"a", "1; b=2", "/", SHMS_COOKIE_UNWRITABLE}, {"a=", "1", "/", SHMS_COOKIE_UNWRITABLE},
               {"a;", "1", "/", SHMS_COOKIE_UNWRITABLE},     {"a", "1", "", SHMS_COOKIE_UNWRITABLE},
               {"a", "1\n", "/", SHMS_COOKIE_CONTROL},       {"a", "1", "/\x7f", SHMS_COOKIE_CONTROL},
               {" __Host-b", "1", "/", SHMS_COOKIE_UNWRITABLE},
               {"", "\t__Host-b=1", "/", SHMS_COOKIE_UNWRITABLE},
               {"a ", "1", "/", SHMS_COOKIE_UNWRITABLE},     {"a", "1 ", "/", SHMS_COOKIE_UNWRITABLE},
               {"a", "1", "/ ", SHMS_COOKIE_UNWRITABLE},     {"", "", "/", SHMS_COOKIE_EMPTY}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        c = cookie_of("a.example.com", bad[i].name, bad[i].value);
        c.path = bad[i].path;
        assert_int_equal(shms_jar_put(j, &c), bad[i].reason);
    }
    c = cookie_of("a b", "a", "1");
    assert_int_equal(shms_jar_put(j, &c), SHMS_E_INVALID);
    c = cookie_of("a.example.com", "a", NULL);
    assert_int_equal(shms_jar_put(j, &c), SHMS_E_INVALID);
    c = cookie_of("a.example.com", "a", "1");
    c.expires_ns = 1;
    assert_int_equal(shms_jar_put(j, &c), 0); /* over: it deletes */
    assert_string_equal(get(j, A), "__Host-a=1");
    shms_jar_close(j);
}

/* Get-cookies.txt-LOCALLY#57: those of a partition are told, deleted and cleared like others, with it. */
static void partition_is_told(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    shms_cookie c = cookie_of("a.example.com", "a", "1");
    int64_t since = 0;
    c.partition = "https://top.example";
    assert_int_equal(shms_jar_put(j, &c), SHMS_COOKIE_INSECURE);
    c.flags |= SHMS_COOKIE_SECURE;
    assert_int_equal(shms_jar_put(j, &c), 0);
    assert_int_equal(set(j, A, "a=2"), 0);
    assert_int_equal(count_of(j, "a.example.com"), 2);
    assert_int_equal(count_of(j, NULL), 2);
    assert_string_equal(changes(j, &since), "+a.example.com/a=1@https://top.example +a.example.com/a=2 ");
    assert_int_equal(shms_jar_del(j, &c), 0);
    assert_string_equal(get(j, A), "a=2");
    assert_string_equal(changes(j, &since), "-a.example.com/a=@https://top.example ");
    assert_int_equal(shms_jar_del(j, &c), SHMS_E_NOT_FOUND);
    assert_int_equal(shms_jar_put(j, &c), 0);
    assert_int_equal(shms_jar_clear(j, "a.example.com"), 2);
    assert_int_equal(count_of(j, NULL), 0);
    shms_jar_close(j);
}

static void del_and_clear(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    shms_cookie like = cookie_of("a.example.com", "a", NULL);
    like.path = NULL;
    assert_int_equal(shms_jar_del(j, &like), SHMS_E_NOT_FOUND);
    assert_int_equal(set(j, A, "a=1"), 0);
    assert_int_equal(set(j, A, "a=2; Path=/x"), 0);
    assert_int_equal(set(j, A, "b=1"), 0);
    like.path = "/x";
    assert_int_equal(shms_jar_del(j, &like), 0);
    assert_string_equal(get(j, "https://a.example.com/x"), "a=1; b=1");
    like.path = NULL;
    assert_int_equal(shms_jar_del(j, &like), 0);
    assert_int_equal(shms_jar_del(j, &like), SHMS_E_NOT_FOUND);
    assert_string_equal(get(j, A), "b=1");
    fill(j, 0, 5, true, "");
    assert_int_equal(shms_jar_clear(j, "a.example.com"), 1);
    assert_int_equal(shms_jar_clear(j, "a.example.com"), 0);
    assert_int_equal(shms_jar_clear(j, NULL), 5);
    assert_int_equal(count_of(j, NULL), 0);
    shms_jar_close(j);
}

/* ---- changes */

static void changes_are_told(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    int64_t since = 0;
    assert_int_equal(set(j, A, "a=1"), 0);
    assert_int_equal(set(j, A, "b=1"), 0);
    assert_string_equal(changes(j, &since), "+a.example.com/a=1 +a.example.com/b=1 ");
    assert_string_equal(changes(j, &since), "");
    assert_int_equal(set(j, A, "a=2"), 0);
    assert_string_equal(changes(j, &since), "+a.example.com/a=2 ");
    assert_int_equal(set(j, A, "b=; Max-Age=0"), 0);
    assert_int_equal(set(j, "https://example.org/", "o=1"), 0);
    assert_string_equal(changes(j, &since), "-a.example.com/b= +example.org/o=1 ");
    clock_ns += 120 * SECOND;
    assert_string_equal(get(j, A), "a=2"); /* noted as used: no change of a cookie */
    assert_string_equal(changes(j, &since), "");
    shms_jar_close(j);
}

/* More marks than a host keeps: a reader that was there before them is told so, one that knows is not. */
static void forgotten_marks(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    int64_t since = 0;
    fill(j, 0, 20, false, "");
    changes(j, &since);
    int64_t before = since;
    assert_int_equal(shms_jar_clear(j, "h.example.com"), 20);
    const char *told = changes(j, &since);
    assert_memory_equal(told, "-h.example.com/= ", 17);
    assert_non_null(strstr(told, "-h.example.com/c19= "));
    assert_string_equal(changes(j, &since), "");
    assert_int_equal(set(j, "https://h.example.com/", "c3=1"), 0);
    assert_string_equal(changes(j, &since), "+h.example.com/c3=1 ");
    assert_memory_equal(changes(j, &before), "-h.example.com/= ", 17);
    shms_jar_close(j);
}

static void waiting(void **state)
{
    (void)state;
    shms_jar *j = jar_new(), *other = jar_open((shms_jar_options){0});
    int64_t seen = shms_jar_version(j);
    struct pollfd fd = {.fd = shms_jar_poll_fd(j), .events = POLLIN};
    assert_true(fd.fd >= 0);
    assert_int_equal(shms_jar_wait(j, &seen, 0), SHMS_E_TIMEOUT);
    assert_int_equal(set(other, A, "a=1"), 0);
    assert_int_equal(poll(&fd, 1, 10000), 1);
    assert_int_equal(shms_jar_wait(j, &seen, 0), 0);
    assert_int_equal(seen, shms_jar_version(other));
    assert_int_equal(shms_jar_lock(j, "A.example.com", 0), 0);
    assert_int_equal(shms_jar_lock(other, "a.example.com", 0), SHMS_E_TIMEOUT);
    assert_int_equal(set(other, A, "a=2"), 0); /* the lock is between those that ask for it */
    assert_int_equal(shms_jar_unlock(j, "a.example.com"), 0);
    assert_int_equal(shms_jar_unlock(j, "a.example.com"), SHMS_E_NOT_OWNER);
    shms_jar_close(other);
    shms_jar_close(j);
}

static void info(void **state)
{
    (void)state;
    struct {
        shms_jar_stats s;
        char more[8];
    } longer = {.s = {.struct_size = sizeof longer}, .more = "more"};
    shms_jar *j = jar_new();
    shms_cookie c = cookie_of("a.example.com", "a", "1");
    c.partition = "https://top.example";
    c.flags |= SHMS_COOKIE_SECURE;
    assert_int_equal(shms_jar_put(j, &c), 0);
    assert_int_equal(set(j, A, "a=1"), 0);
    assert_int_equal(set(j, A, "b=1; Max-Age=10"), 0);
    assert_int_equal(set(j, "https://example.com/", "c=1; Max-Age=5"), 0);
    clock_ns += 5 * SECOND;
    assert_int_equal(shms_jar_info(j, &longer.s), 0);
    assert_int_equal(longer.s.cookies, 3);
    assert_int_equal(longer.s.places, 2);
    assert_int_equal(longer.s.max_size, 64 << 20);
    assert_true(longer.s.size > 0 && longer.s.size <= longer.s.max_size);
    assert_int_equal(longer.s.version, shms_jar_version(j));
    assert_string_equal(longer.more, "more");
    longer.s = (shms_jar_stats){.struct_size = 16, .places = 7};
    assert_int_equal(shms_jar_info(j, &longer.s), 0);
    assert_int_equal(longer.s.cookies, 3);
    assert_int_equal(longer.s.places, 7);
    longer.s.struct_size = 7;
    assert_int_equal(shms_jar_info(j, &longer.s), SHMS_E_INVALID);
    assert_int_equal(shms_jar_info(j, NULL), SHMS_E_INVALID);
    shms_jar_close(j);
}

/* ---- what is wrong */

static void bad_calls(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    shms_jar_options o = {.struct_size = sizeof o, .max_size = 1 << 20};
    shms_jar *none;
    shms_jar_request r = request_of(A);
    assert_int_equal(shms_jar_open(NULL, NULL, &none), SHMS_E_INVALID);
    assert_int_equal(shms_jar_open("x", &o, &none), SHMS_E_INVALID);
    o = (shms_jar_options){.struct_size = sizeof o, .suffix_list = "/nowhere"};
    assert_int_equal(shms_jar_open("x", &o, &none), SHMS_E_NOT_FOUND);
    o.suffix_list = "/dev/null";
    assert_int_equal(shms_jar_open("x", &o, &none), SHMS_E_FORMAT);
    assert_int_equal(shms_jar_set(NULL, &r, "a=1", 3), SHMS_E_INVALID);
    assert_int_equal(shms_jar_set(j, NULL, "a=1", 3), SHMS_E_INVALID);
    assert_int_equal(shms_jar_set(j, &r, NULL, 3), SHMS_E_INVALID);
    r.site = 4;
    assert_int_equal(shms_jar_get(j, &r, NULL, 0), SHMS_E_INVALID);
    r = request_of(NULL);
    assert_int_equal(shms_jar_get(j, &r, NULL, 0), SHMS_E_INVALID);
    assert_int_equal(shms_jar_each(j, "", count_cookie, NULL), SHMS_E_INVALID);
    for (int reason = 1; reason <= SHMS_COOKIE_UNWRITABLE; reason++)
        assert_string_not_equal(shms_jar_reason(reason), shms_jar_reason(999));
    assert_string_equal(shms_jar_reason(SHMS_E_FULL), shms_strerror(SHMS_E_FULL));
    shms_jar_close(NULL);
    shms_jar_close(j);
}

static void bad_lines(void **state)
{
    (void)state;
    shms_jar *j = jar_new();
    shms_jar_request r = request_of(A);
    size_t size = 1 << 20;
    char *line = malloc(size);
    memset(line, 'a', size);
    assert_int_equal(shms_jar_set(j, &r, line, size), SHMS_COOKIE_LONG);
    memset(line, '\0', size);
    assert_int_equal(shms_jar_set(j, &r, line, size), SHMS_COOKIE_CONTROL);
    memset(line, ';', size);
    memcpy(line, "semicolons=1", 12);
    assert_int_equal(shms_jar_set(j, &r, line, size), 0);
    memset(line, 0xff, 4000);
    assert_int_equal(shms_jar_set(j, &r, line, 4000), 0);
    assert_int_equal(shms_jar_set(j, &r, "a=\0b", 4), SHMS_COOKIE_CONTROL);
    assert_int_equal(shms_jar_set(j, &r, NULL, 0), SHMS_COOKIE_EMPTY);
    assert_int_equal(count_of(j, NULL), 2);
    free(line);
    shms_jar_close(j);
}

/* Records that another program wrote: any change of any byte is read without harm. */
static void bad_bytes(void **state)
{
    (void)state;
    static char bytes[4096];
    shms_jar *j = jar_new();
    shms_dict *d;
    assert_int_equal(set(j, A, "a=1; Path=/x"), 0);
    assert_int_equal(set(j, A, "b=2"), 0);
    shms_dict_options o = {.struct_size = sizeof o, .max_size = 64 << 20, .now_ns = read_clock};
    assert_int_equal(shms_dict_open(jar_name(), 0, &o, &d), 0);
    int64_t n = shms_dict_get(d, "a.example.com", 13, bytes, sizeof bytes, NULL);
    assert_true(n > 0 && n < (int64_t)sizeof bytes);
    for (int64_t i = 0; i < n; i++)
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] ^= (char)(1 << bit);
            assert_true(shms_dict_set(d, "a.example.com", 13, bytes, (size_t)n, NULL) > 0);
            int found = 0;
            int64_t told = shms_jar_each(j, "a.example.com", count_cookie, &found);
            assert_true(told == SHMS_E_CORRUPT || (told >= 0 && told <= 2));
            bytes[i] ^= (char)(1 << bit);
        }
    for (int64_t size = 0; size < n; size++) {
        assert_true(shms_dict_set(d, "a.example.com", 13, bytes, (size_t)size, NULL) > 0);
        assert_int_equal(shms_jar_each(j, "a.example.com", count_cookie, &(int){0}), SHMS_E_CORRUPT);
        assert_int_equal(set(j, A, "a=3"), SHMS_E_CORRUPT);
    }
    shms_dict_close(d);
    shms_jar_close(j);
}

/* SerenityOS#17770: noting a use must not write an old value back. Another handle sets a new value at the
 * very moment at which this one notes: its clock is asked between its look and its note. */
static shms_jar *meddler;
static int meddle_at;

static int64_t meddling_clock(void *context)
{
    (void)context;
    if (meddle_at > 0 && --meddle_at == 0)
        assert_int_equal(set(meddler, A, "a=new"), 0);
    return clock_ns;
}

static void use_writes_no_old_value(void **state)
{
    (void)state;
    shms_jar *noting;
    shms_jar_options o = {.struct_size = sizeof o, .no_keep = 1, .now_ns = meddling_clock};
    meddler = jar_new();
    assert_int_equal(shms_jar_open(jar_name(), &o, &noting), 0);
    assert_int_equal(set(meddler, A, "a=old"), 0);
    clock_ns += 120 * SECOND;
    meddle_at = 2;
    assert_string_equal(get(noting, A), "a=old");
    assert_int_equal(meddle_at, 0);
    assert_string_equal(get(meddler, A), "a=new");
    assert_true(only_cookie(meddler, "a.example.com").used_ns == clock_ns);
    shms_jar_close(noting);
    shms_jar_close(meddler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sharing),
        cmocka_unit_test(growth),
        cmocka_unit_test(secret_by_default),
        cmocka_unit_test(wiped),
        cmocka_unit_test(not_dumped),
        cmocka_unit_test(expiry),
        cmocka_unit_test(host_limit),
        cmocka_unit_test(new_one_stays),
        cmocka_unit_test(use_counts),
        cmocka_unit_test(crowded_site),
        cmocka_unit_test(readers_do_not_wait),
        cmocka_unit_test(newer_list),
        cmocka_unit_test(jar_limit),
        cmocka_unit_test(full),
        cmocka_unit_test(fat_host),
        cmocka_unit_test(put),
        cmocka_unit_test(del_and_clear),
        cmocka_unit_test(partition_is_told),
        cmocka_unit_test(changes_are_told),
        cmocka_unit_test(forgotten_marks),
        cmocka_unit_test(waiting),
        cmocka_unit_test(info),
        cmocka_unit_test(bad_calls),
        cmocka_unit_test(bad_lines),
        cmocka_unit_test(bad_bytes),
        cmocka_unit_test(use_writes_no_old_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
