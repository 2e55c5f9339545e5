/* SPDX-License-Identifier: MIT */
/* In place of ../curses/screen.c where ncursesw is not. */
#include <stdlib.h>
#include <unistd.h>

#include "../top.h"

int top_screen(const cli_args *args, top *t)
{
    (void)t;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return TOP_NO_SCREEN;
    return cli_error(args, NULL, "this shms was built without ncursesw, so that it shows nothing live; "
                                 "take --once, or --count N");
}
