/* SPDX-License-Identifier: MIT */
/* shms top on a terminal.
 *
 * All signals are held back but during the sleep between two pictures, so that none of them finds curses at
 * work: those that end the process, and SIGTSTP, put the terminal back first. */
#define NCURSES_NOMACROS 1
#include "../top.h"

#include "../system.h"

#include <curses.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>
#include <wchar.h>

enum { DEAD = 1, NAME_LEAST = 10, PAST_LEAST = 8, FOREVER_MS = 3600000, ESCAPE = 27, LINE = 512 };

typedef struct view {
    const cli_args *args;
    top *t;
    size_t at, first; /* the row that is chosen, and the uppermost one */
    char *told;       /* the region that all is told about; NULL: the list is shown */
    int told_first;   /* its uppermost line */
    bool paused, utf8;
    int wrong; /* why the last look failed */
} view;

/* ---- the terminal */

static volatile sig_atomic_t suspend_asked;

static void note_suspend(int number)
{
    (void)number;
    suspend_asked = 1;
}

static bool is_usable(void)
{
    int error;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || !getenv("TERM"))
        return false;
    if (setupterm(NULL, STDOUT_FILENO, &error) != OK)
        return false;
    char name[] = "cup", *cup = tigetstr(name);
    bool places = cup && cup != (char *)-1;
    del_curterm(cur_term);
    return places;
}

/* After system_begin_waiting(): what these find during its sleep alone. */
static void hold_signals(void)
{
    struct sigaction before, action = {.sa_handler = note_suspend};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    sigaction(SIGTSTP, NULL, &before);
    if (before.sa_handler != SIG_IGN) {
        sigaction(SIGTSTP, &action, NULL);
        sigaddset(&set, SIGTSTP);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static SCREEN *begin(void)
{
    setlocale(LC_CTYPE, "");
    system_begin_waiting();
    hold_signals(); /* curses leaves a handler that is there */
    SCREEN *screen = newterm(NULL, stdout, stdin);
    if (!screen)
        return NULL;
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(25);
    curs_set(0);
    if (has_colors() && start_color() == OK && use_default_colors() == OK)
        init_pair(DEAD, COLOR_RED, -1);
    return screen;
}

/* The terminal may have another size afterwards, and nobody has told us. */
static void suspend(void)
{
    struct winsize size;
    sigset_t set;
    suspend_asked = 0;
    endwin();
    sigemptyset(&set);
    sigaddset(&set, SIGTSTP);
    signal(SIGTSTP, SIG_DFL);
    raise(SIGTSTP);
    sigprocmask(SIG_UNBLOCK, &set, NULL); /* here it stops */
    hold_signals();
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
        resizeterm(size.ws_row, size.ws_col);
    clearok(stdscr, TRUE);
}

static bool is_gone(void)
{
    struct pollfd poll_fd = {.fd = STDIN_FILENO};
    return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLHUP | POLLERR | POLLNVAL));
}

/* ---- text */

/* A name is anybody's text: what steers a terminal becomes a question mark, as elsewhere. */
static char *cleaned(const char *text)
{
    char *ret = NULL;
    size_t n;
    FILE *out = open_memstream(&ret, &n);
    if (!out)
        return NULL;
    show_text(out, text);
    return fclose(out) == 0 ? ret : NULL;
}

/* As much as fits into so many columns; how many it took. */
static int put(int y, int x, int width, const char *text)
{
    wchar_t wide[LINE];
    mbstate_t state = {0};
    int n = 0, used = 0;
    char *clean = cleaned(text);
    for (const char *at = clean; at && *at && n < LINE;) {
        wchar_t c = L'?';
        size_t length = mbrtowc(&c, at, strlen(at), &state);
        if (length == 0 || length > strlen(at) || wcwidth(c) < 0) {
            c = L'?';
            length = 1;
            state = (mbstate_t){0};
        }
        if (used + wcwidth(c) > width)
            break;
        used += wcwidth(c);
        wide[n++] = c;
        at += length;
    }
    free(clean);
    if (y < LINES && n > 0)
        mvaddnwstr(y, x, wide, n);
    return used;
}

/* A line of `attributes` over the whole width. */
static void put_line(int y, const char *text, attr_t attributes)
{
    attr_on(attributes, NULL);
    mvhline(y, 0, ' ', COLS);
    put(y, 0, COLS, text);
    attr_off(attributes, NULL);
}

/* ---- the list */

typedef struct layout {
    bool shown[TOP_COLUMNS];
    int past; /* width of the spark line; 0: none */
} layout;

/* By what matters most, as long as the name has its least. */
static layout fit(int width)
{
    static const top_column wishes[] = {TOP_RATE, TOP_USERS, TOP_HOLDER, TOP_WAITERS,
                                        TOP_STATE, TOP_MEMORY, TOP_AGE, TOP_KIND};
    layout l = {0};
    int rest = width - NAME_LEAST;
    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
        int needed = abs(top_titles[wishes[i]].width) + 1;
        if (rest < needed)
            return l;
        l.shown[wishes[i]] = true;
        rest -= needed;
    }
    rest -= NAME_LEAST + 1; /* a little more of the name is worth more than the past */
    l.past = rest >= TOP_PAST ? TOP_PAST : rest >= PAST_LEAST ? rest : 0;
    return l;
}

/* Against its own highest: the shape counts, the number stands beside it. */
static void put_past(const view *v, int y, int x, int width, const top_row *row)
{
    static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const signs[] = {" ", ".", ".", ":", ":", "=", "=", "#", "#"};
    double most = 0;
    for (int i = TOP_PAST - width; i < TOP_PAST; i++)
        most = row->past[i] > most ? row->past[i] : most;
    for (int i = TOP_PAST - width; i < TOP_PAST; i++, x++) {
        int level = row->past[i] > 0 ? 1 + (int)(row->past[i] / most * 7) : 0;
        mvaddstr(y, x, v->utf8 ? blocks[level] : signs[level]);
    }
}

static int put_cell(int y, int x, top_column column, const char *text)
{
    int width = abs(top_titles[column].width), n = (int)strlen(text);
    n = n < width ? n : width;
    put(y, top_titles[column].width > 0 ? x + width - n : x, width, text);
    return x + width + 1;
}

/* NULL: the titles. */
static void put_row(const view *v, int y, const layout *l, const top_row *row)
{
    char text[SHOW_TEXT];
    int x = 0;
    for (top_column c = 0; c < TOP_COLUMNS; c++) {
        if (l->shown[c])
            x = put_cell(y, x, c, row ? top_cell(text, row, c) : top_titles[c].title);
        if (c != TOP_RATE || l->past == 0)
            continue;
        if (row)
            put_past(v, y, x, l->past, row);
        else
            put(y, x, l->past, "PAST");
        x += l->past + 1;
    }
    put(y, x, COLS - x, row ? row->name : "NAME");
}

/* Rows that have room between the two lines above and the one below. */
static int room(void)
{
    return LINES > 4 ? LINES - 3 : LINES > 2 ? LINES - 2 : 0;
}

/* The chosen one is there, and in sight. */
static void keep_in_sight(view *v)
{
    size_t rows = (size_t)room(), n = v->t->n;
    if (v->at >= n)
        v->at = n ? n - 1 : 0;
    if (v->first > v->at)
        v->first = v->at;
    if (rows > 0 && v->at >= v->first + rows)
        v->first = v->at - rows + 1;
    if (rows > 0 && v->first + rows > n)
        v->first = n > rows ? n - rows : 0;
}

static void draw_list(view *v)
{
    char sum[TOP_SUM], line[LINE];
    layout l = fit(COLS);
    keep_in_sight(v);
    top_sum(sum, v->t);
    snprintf(line, sizeof line, "%s%s%s", v->paused ? "PAUSED  " : "", v->wrong ? "this look failed: " : "",
             v->wrong ? shms_strerror(v->wrong) : sum);
    put_line(0, line, A_BOLD);
    if (LINES > 1) {
        put_line(1, "", A_REVERSE);
        attr_on(A_REVERSE, NULL);
        put_row(v, 1, &l, NULL);
        attr_off(A_REVERSE, NULL);
    }
    for (int i = 0; i < room() && v->first + (size_t)i < v->t->n; i++) {
        const top_row *row = &v->t->row[v->first + (size_t)i];
        attr_t looks = (top_is_dead(row) ? (attr_t)COLOR_PAIR(DEAD) | A_BOLD : A_NORMAL) |
                       (v->first + (size_t)i == v->at ? A_STANDOUT : A_NORMAL);
        put_line(2 + i, "", looks);
        attr_on(looks, NULL);
        put_row(v, 2 + i, &l, row);
        attr_off(looks, NULL);
    }
    snprintf(line, sizeof line, "q quit  s order: %s%s  r reverse  p %s  enter all about one",
             top_orders[v->t->order], v->t->reversed ? ", reversed" : "", v->paused ? "go on" : "pause");
    if (LINES > 4)
        put_line(LINES - 1, line, A_DIM);
}

/* ---- all about one */

static const top_row *find(const view *v, const char *name)
{
    for (size_t i = 0; i < v->t->n; i++)
        if (strcmp(v->t->row[i].name, name) == 0)
            return &v->t->row[i];
    return NULL;
}

/* In lines; NULL: no memory. */
static char *tell(const top_row *row)
{
    static inside in;
    char *ret = NULL;
    size_t n;
    FILE *out = open_memstream(&ret, &n);
    if (!out)
        return NULL;
    show_inside(row->name, &row->info, &in);
    show_region(out, row->name, &row->info, &in);
    return fclose(out) == 0 ? ret : NULL;
}

static int put_lines(const view *v, char *text)
{
    int n = 0;
    for (char *line = text, *end; line && *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = '\0';
        if (n >= v->told_first && n - v->told_first < LINES - 1)
            put(n - v->told_first, 0, COLS, line);
        n++;
    }
    return n;
}

static void draw_told(view *v)
{
    const top_row *row = find(v, v->told);
    char *text = row ? tell(row) : NULL;
    if (!row) {
        put(0, 0, COLS, v->told);
        put(1, 0, COLS, "it is gone");
    }
    int n = put_lines(v, text), most = n > LINES - 1 ? n - LINES + 1 : 0;
    free(text);
    if (v->told_first > most) { /* fewer lines than before */
        v->told_first = most;
        erase();
        draw_told(v);
        return;
    }
    put_line(LINES - 1, v->paused ? "PAUSED  q back  p go on" : "q back  p pause", A_DIM);
}

static void draw(view *v)
{
    erase();
    if (v->told)
        draw_told(v);
    else
        draw_list(v);
    refresh();
}

/* ---- keys */

static void step(view *v, long rows)
{
    long to = (long)v->at + rows, last = v->t->n ? (long)v->t->n - 1 : 0;
    v->at = (size_t)(to < 0 ? 0 : to > last ? last : to);
}

static void step_told(view *v, int down)
{
    int to = v->told_first + down; /* the end is looked for when it is drawn */
    v->told_first = to < 0 ? 0 : to;
}

/* Rows that a key goes down. */
static bool is_move(int key, long *ret)
{
    long page = room() > 1 ? room() - 1 : 1;
    switch (key) {
    case KEY_UP: case 'k': *ret = -1; return true;
    case KEY_DOWN: case 'j': *ret = 1; return true;
    case KEY_PPAGE: *ret = -page; return true;
    case KEY_NPAGE: *ret = page; return true;
    case KEY_HOME: case 'g': *ret = -100000; return true;
    case KEY_END: case 'G': *ret = 100000; return true;
    default: return false;
    }
}

/* What is chosen stays chosen where it is then. */
static void sort_anew(view *v)
{
    char *name = v->t->n ? v->t->row[v->at].name : NULL;
    top_sort(v->t);
    for (size_t i = 0; i < v->t->n; i++)
        if (v->t->row[i].name == name)
            v->at = i;
}

static void close_told(view *v)
{
    free(v->told);
    v->told = NULL;
}

/* False: to the end. */
static bool press(view *v, int key)
{
    long rows;
    if (is_move(key, &rows)) {
        if (v->told)
            step_told(v, (int)rows);
        else
            step(v, rows);
        return true;
    }
    switch (key) {
    case 'p': case ' ': v->paused = !v->paused; break;
    case 's': v->t->order = (v->t->order + 1) % TOP_ORDERS; sort_anew(v); break;
    case 'r': v->t->reversed = !v->t->reversed; sort_anew(v); break;
    case '\r': case '\n': case KEY_ENTER:
        if (!v->told && v->t->n > 0) {
            v->told = strdup(v->t->row[v->at].name);
            v->told_first = 0;
            break;
        } /* fall through */
    case ESCAPE: case KEY_LEFT: close_told(v); break;
    case 'q':
        if (!v->told)
            return false;
        close_told(v);
        break;
    default: break;
    }
    return true;
}

static bool take_keys(view *v)
{
    for (int key; (key = getch()) != ERR;)
        if (!press(v, key))
            return false;
    return true;
}

/* ---- again and again */

/* What is chosen stays chosen, wherever it stands now. */
static void look(view *v)
{
    char *name = v->t->n ? strdup(v->t->row[v->at].name) : NULL;
    int rc = top_look(v->t, v->args);
    v->wrong = rc < 0 ? rc : 0;
    for (size_t i = 0; name && i < v->t->n; i++)
        if (strcmp(v->t->row[i].name, name) == 0)
            v->at = i;
    free(name);
    if (v->at >= v->t->n)
        v->at = v->t->n ? v->t->n - 1 : 0;
}

static int show_live(view *v)
{
    int64_t next_ns = 0;
    for (;;) {
        int64_t now_ns = system_clock_ns();
        if (!v->paused && now_ns >= next_ns) {
            look(v);
            next_ns = now_ns + v->args->interval_ms * INT64_C(1000000);
        }
        draw(v);
        int64_t rest_ms = (next_ns - system_clock_ns()) / 1000000 + 1;
        if (!system_sleep(STDIN_FILENO, v->paused ? FOREVER_MS : rest_ms > 0 ? rest_ms : 0))
            return TOP_ENDED;
        if (suspend_asked)
            suspend();
        if (!take_keys(v))
            return EXIT_SUCCESS;
        if (is_gone())
            return EXIT_FAILURE;
    }
}

int top_screen(const cli_args *args, top *t)
{
    if (!is_usable())
        return TOP_NO_SCREEN;
    SCREEN *screen = begin();
    if (!screen)
        return TOP_NO_SCREEN;
    view v = {.args = args, .t = t, .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0};
    int status = show_live(&v);
    endwin();
    delscreen(screen);
    close_told(&v);
    return status;
}
