/* SPDX-License-Identifier: MIT */
/* shms top: objects with their rates, look after look; as lines, or live on a terminal. */
#ifndef SHMS_TOOL_TOP_H
#define SHMS_TOOL_TOP_H

#include "cli.h"
#include "show.h"

enum { TOP_PAST = 40 }; /* looks that are remembered */

typedef struct top_row {
    char *name;
    shms_info info;
    int64_t changes;       /* since it was made; negative: cannot be told */
    double rate;           /* changes a second since the look before; negative: not known yet */
    double past[TOP_PAST]; /* rates, the newest last; zeros before the first look */
    bool closed_to_us;     /* a channel that could not be looked into; it is not tried again */
} top_row;

typedef enum top_order {
    TOP_BY_RATE, TOP_BY_USERS, TOP_BY_WAITERS, TOP_BY_MEMORY, TOP_BY_AGE, TOP_BY_NAME, TOP_ORDERS
} top_order;
extern const char *const top_orders[TOP_ORDERS];

typedef struct top {
    top_row *row; /* in the order that is wished */
    size_t n;
    int64_t looked_ns; /* 0: never */
    top_order order;
    bool reversed;
} top;

typedef enum top_column {
    TOP_RATE, TOP_USERS, TOP_HOLDER, TOP_WAITERS, TOP_MEMORY, TOP_AGE, TOP_STATE, TOP_KIND, TOP_COLUMNS
} top_column;
typedef struct top_title {
    const char *title;
    int width; /* negative: to the left */
} top_title;
extern const top_title top_titles[TOP_COLUMNS]; /* the name comes behind them */
const char *top_cell(char text[SHOW_TEXT], const top_row *row, top_column column);

/* Look at the regions that the operands fit. 0 or a code; then all is as it was. */
int top_look(top *t, const cli_args *args);
void top_sort(top *t);
void top_free(top *t);

/* Whether a dead process holds its lock or had it last, or a crash left the region. */
bool top_is_dead(const top_row *row);
/* `12 regions, 3 live, 1 left by a crash; 45 changes/s, memory 1.5 MiB` */
enum { TOP_SUM = 160 };
void top_sum(char text[TOP_SUM], const top *t);

/* Live, until it is ended: an exit status. TOP_NO_SCREEN: standard input or output is no terminal on which a
 * place can be named. */
enum { TOP_NO_SCREEN = -1, TOP_ENDED = -2 }; /* ended: leave what is open, then call system_stop() */
int top_screen(const cli_args *args, top *t);

#endif
